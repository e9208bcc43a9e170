"""Hydraulics of a pump and its reference: the maker's curve, or that of its first healthy days."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.pump_samples import (
    Bools,
    Floats,
    PumpNameplate,
    PumpSamples,
    power_kw,
    roughness,
    settled,
    speed_rpm,
    steady,
)

METRES_A_BAR: Final = 10.2
KW_DIVISOR: Final = 367.0  # m3/h times m to kW, water
GRAVITY_M_S2: Final = 9.81
HEALTHY_DAYS: Final = 30
TRUSTED_DAYS: Final = 3
LEARN_WITHIN_PERCENT: Final = 2.0
POINTS_A_DAY: Final = 96
LEAST_POINTS: Final = 24
NARROW_SPREAD: Final = 0.03
BEYOND: Final = 0.10
TRIM_ROUNDS: Final = 3
TRIM_SIGMAS: Final = 3.5
GPM_A_M3_H: Final = 4.402868
FEET_A_METRE: Final = 3.28084


def head_m(samples: PumpSamples, plate: PumpNameplate) -> Floats:
    """Head that the pump adds, m of water.

    Source:
        H = (pd - ps) * 10.2 / SG + dz + (vd² - vs²) / 2g.
    """
    pressure_m = (samples.discharge_bar - samples.suction_bar) * METRES_A_BAR
    static_m = pressure_m / plate.specific_gravity + plate.gauge_rise_m
    if plate.suction_mm is None or plate.discharge_mm is None:
        return static_m
    rise = velocity_head_m(samples.flow_m3_h, plate.discharge_mm) - velocity_head_m(
        samples.flow_m3_h, plate.suction_mm
    )
    return static_m + rise


def velocity_head_m(flow_m3_h: Floats, bore_mm: float) -> Floats:
    """v² / 2g of a flow in a round bore."""
    speed_m_s = flow_m3_h / 3600 / (np.pi / 4 * (bore_mm / 1000) ** 2)
    return speed_m_s**2 / (2 * GRAVITY_M_S2)


def hydraulic_kw(flow_m3_h: Floats, head: Floats, specific_gravity: float = 1.0) -> Floats:
    """Power that the water takes up: Q * H * SG / 367."""
    return flow_m3_h * head * specific_gravity / KW_DIVISOR


def npsh_available_m(samples: PumpSamples, plate: PumpNameplate) -> Floats:
    """Net positive suction head at the suction gauge, m.

    The velocity head counts where the suction bore is known.
    """
    absolute_bar = samples.suction_bar + plate.atmosphere_bar - plate.vapour_bar
    static_m = absolute_bar * METRES_A_BAR / plate.specific_gravity
    if plate.suction_mm is None:
        return static_m
    return static_m + velocity_head_m(samples.flow_m3_h, plate.suction_mm)


def specific_speed_us(rpm: float, flow_m3_h: float, head: float) -> float:
    """Specific speed in US units at the best point: rpm * gpm ** 0.5 / ft ** 0.75."""
    return float(rpm * np.sqrt(flow_m3_h * GPM_A_M3_H) / (head * FEET_A_METRE) ** 0.75)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a quantity was in health at the same load: a linear sum of loads.

    Attributes:
        weights: One a column of the loads it is given.
    """

    weights: tuple[float, ...]

    def at(self, loads: Floats) -> Floats:
        """Expected values, float64 (samples,), of loads (samples, weights)."""
        expected: Floats = loads @ np.array(self.weights)
        return expected


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpReference:
    """What a healthy pump of this kind does, at its nominal speed.

    Attributes:
        head0_m: H_ref(Q) = head0_m - head_fall * Q².
        eta_rise: eta_ref(Q) = eta_rise * Q - eta_fall * Q², wire to water; None without power.
        best_flow_m3_h: Q_BEP; None where the curve does not show it.
        lowest_flow_m3_h: Of the flows it is known for; highest_flow_m3_h likewise.
        vibration: By `loads`; bearing likewise; None where nothing was measured.
        flow_noise: Usual roughness of the flow; current_noise likewise.
        source: `maker`, or `first 30 healthy days`.
        days: Healthy days behind it, 0 for the maker's.
    """

    nominal_rpm: float
    head0_m: float
    head_fall: float
    eta_rise: float | None = None
    eta_fall: float | None = None
    best_flow_m3_h: float | None = None
    lowest_flow_m3_h: float = 0.0
    highest_flow_m3_h: float = np.inf
    vibration: Expectation | None = None
    bearing: Expectation | None = None
    flow_noise: float | None = None
    current_noise: float | None = None
    source: str = "maker"
    days: int = 0

    def head_m(self, flow_m3_h: Floats) -> Floats:
        """H_ref at nominal speed."""
        return self.head0_m - self.head_fall * flow_m3_h**2

    def efficiency(self, flow_m3_h: Floats) -> Floats:
        """eta_ref at nominal speed, 0-1; NaN where there is none."""
        if self.eta_rise is None or self.eta_fall is None:
            return np.full(np.shape(flow_m3_h), np.nan)
        return self.eta_rise * flow_m3_h - self.eta_fall * flow_m3_h**2

    @property
    def is_whole(self) -> bool:
        """Whether it is the maker's or has all its healthy days; else it is provisional."""
        return self.days == 0 or self.days >= HEALTHY_DAYS


def makers_reference(
    *, nominal_rpm: float, flow_m3_h: Sequence[float], head: Sequence[float],
    efficiency: Sequence[float] | None = None, best_flow_m3_h: float | None = None,
) -> PumpReference:  # fmt: skip
    """The reference from points of the maker's curve.

    Args:
        nominal_rpm: At which the curve holds.
        flow_m3_h: Of the points.
        head: Of the points, m.
        efficiency: Of the points, 0-1, wire to water: the pump's times the motor's.
        best_flow_m3_h: Where the maker names it.
    """
    flow, heads = np.array(flow_m3_h, dtype=float), np.array(head, dtype=float)
    head0_m, head_fall = _head_curve(flow, heads)
    eta = _NO_CURVE if efficiency is None else _eta_curve(flow, np.array(efficiency, dtype=float))
    return PumpReference(
        nominal_rpm=nominal_rpm, head0_m=head0_m, head_fall=head_fall,
        eta_rise=eta.rise, eta_fall=eta.fall, best_flow_m3_h=best_flow_m3_h or eta.best_flow_m3_h,
        lowest_flow_m3_h=float(flow.min()), highest_flow_m3_h=float(flow.max()),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hydraulics:
    """Figures of each sample, float64 (samples,); NaN where not asked for or not measured.

    Attributes:
        flow_m3_h: At nominal speed, Q' = Q * n0 / n; head_m, H' = H * (n0 / n)², likewise.
        efficiency: Wire to water, Q * H * SG / 367 / P; the same at any speed.
        head_percent: H' / H_ref(Q') - 1; efficiency_percent: eta / eta_ref(Q') - 1.
        of_best: Q' / Q_BEP.
        npsh_m: Available; npsh_ratio: Available by required.
    """

    flow_m3_h: Floats
    head_m: Floats
    efficiency: Floats
    head_percent: Floats
    efficiency_percent: Floats
    of_best: Floats
    npsh_m: Floats
    npsh_ratio: Floats


def hydraulics(
    samples: PumpSamples, plate: PumpNameplate, reference: PumpReference | None, keep: Bools
) -> Hydraulics:
    """All hydraulic figures of some samples; without a reference those that need none.

    NPSH required is taken as the plate's at any flow and speed.

    Args:
        samples: The readings.
        plate: Of the pump.
        reference: Of the pump, None where there is none yet.
        keep: bool (samples,): the steady ones.
    """
    rpm = nominal_rpm(plate, reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(keep, (np.nan if rpm is None else rpm) / speed_rpm(samples, plate), np.nan)
        head = head_m(samples, plate)
        flow_n, head_n = samples.flow_m3_h * ratio, head * ratio**2
        taken = np.where(keep, power_kw(samples, plate), np.nan)
        efficiency = hydraulic_kw(samples.flow_m3_h, head, plate.specific_gravity) / taken
        nothing = np.full(len(flow_n), np.nan)
        head_percent = efficiency_percent = nothing
        if reference is not None:
            known = _is_known(flow_n, reference)
            head_percent = np.where(known, 100 * (head_n / reference.head_m(flow_n) - 1), np.nan)
            efficiency_percent = np.where(
                known, 100 * (efficiency / reference.efficiency(flow_n) - 1), np.nan
            )
        best = best_flow_m3_h(plate, reference)
        npsh_m = np.where(keep, npsh_available_m(samples, plate), np.nan)
        required_m = plate.npsh_required_m
        return Hydraulics(
            flow_n, head_n, efficiency, head_percent, efficiency_percent,
            nothing if best is None else flow_n / best,
            npsh_m, nothing if required_m is None else npsh_m / required_m,
        )  # fmt: skip


def nominal_rpm(plate: PumpNameplate, reference: PumpReference | None) -> float | None:
    """The reference's speed, or the plate's."""
    return plate.nominal_rpm if reference is None else reference.nominal_rpm


def best_flow_m3_h(plate: PumpNameplate, reference: PumpReference | None) -> float | None:
    """Q_BEP: the plate's, or the reference's."""
    if plate.best_flow_m3_h is not None or reference is None:
        return plate.best_flow_m3_h
    return reference.best_flow_m3_h


def _is_known(flow_m3_h: Floats, reference: PumpReference) -> Bools:
    low = reference.lowest_flow_m3_h * (1 - BEYOND)
    high = reference.highest_flow_m3_h * (1 + BEYOND)
    return (flow_m3_h > 0) & (flow_m3_h >= low) & (flow_m3_h <= high)


# Columns of what is learned from.
_FLOW, _HEAD, _EFFICIENCY, _SPEED, _POWER, _VIBRATION, _BEARING, _WINDING = range(8)
_FLOW_NOISE, _CURRENT_NOISE, COLUMNS = 8, 9, 10


def healthy_points(samples: PumpSamples, plate: PumpNameplate) -> Floats:
    """What a healthy day leaves behind: float64 (at most 96, 10), of its steady samples evenly.

    The caller decides which days are healthy: no finding open, no repair, no start-up.
    """
    at = np.flatnonzero(
        steady(samples, plate)
        & np.isfinite(head_m(samples, plate))
        & np.isfinite(speed_rpm(samples, plate))
        & (samples.flow_m3_h > 0)
    )
    if len(at) > POINTS_A_DAY:
        at = at[np.linspace(0, len(at) - 1, POINTS_A_DAY).astype(int)]
    head, taken = head_m(samples, plate), power_kw(samples, plate)
    water_kw = hydraulic_kw(samples.flow_m3_h, head, plate.specific_gravity)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = (
            samples.flow_m3_h, head, np.where(taken > 0, water_kw / taken, np.nan),
            speed_rpm(samples, plate), taken, samples.vibration_mm_s, samples.bearing_c,
            samples.winding_c, roughness(samples.flow_m3_h), roughness(samples.current_a),
        )  # fmt: skip
    return np.stack([each[at] for each in columns], axis=1)


def learned_reference(days: Sequence[Floats], plate: PumpNameplate) -> PumpReference | None:
    """The reference from healthy days, oldest first; the first 30 count.

    The first three are trusted. Of the others one that lies over 2 % off them is left out: wear
    that sets in while the reference is learned must not become its measure.

    Args:
        days: What `healthy_points` gave, a day each.
        plate: Gives the nominal speed; without it the usual speed of those days is taken.

    Returns:
        None while fewer than 24 steady samples are there. On fewer than 30 days it is provisional.
    """
    used = [day for day in days[:HEALTHY_DAYS] if len(day)]
    first = _fitted(used[:TRUSTED_DAYS], plate)
    if first is None:
        return _fitted(used, plate)
    alike = [day for day in used[TRUSTED_DAYS:] if _off_percent(day, first) <= LEARN_WITHIN_PERCENT]
    return _fitted([*used[:TRUSTED_DAYS], *alike], plate)


def _off_percent(day: Floats, reference: PumpReference) -> float:
    """How far the usual head or efficiency of a day's points lies off; 0 where it is not known."""
    ratio = reference.nominal_rpm / day[:, _SPEED]
    flow = day[:, _FLOW] * ratio
    known = _is_known(flow, reference)
    head = _median(day[known, _HEAD] * ratio[known] ** 2 / reference.head_m(flow[known]))
    efficiency = _median(day[known, _EFFICIENCY] / reference.efficiency(flow[known]))
    return max(abs(100 * (each - 1)) for each in (head or 1.0, efficiency or 1.0))


def _fitted(days: Sequence[Floats], plate: PumpNameplate) -> PumpReference | None:
    points = np.concatenate(days) if days else np.empty((0, COLUMNS))
    if len(points) < LEAST_POINTS:
        return None
    rpm = plate.nominal_rpm or float(np.median(points[:, _SPEED]))
    ratio = rpm / points[:, _SPEED]
    flow, head = points[:, _FLOW] * ratio, points[:, _HEAD] * ratio**2
    head0_m, head_fall = _head_curve(flow, head)
    low, high = (float(each) for each in np.quantile(flow, (0.01, 0.99)))
    lit = np.isfinite(points[:, _EFFICIENCY])
    enough = int(lit.sum()) >= LEAST_POINTS
    eta = _eta_curve(flow[lit], points[lit, _EFFICIENCY]) if enough else _NO_CURVE
    speed = points[:, _SPEED] / rpm
    return PumpReference(
        nominal_rpm=rpm, head0_m=head0_m, head_fall=head_fall,
        eta_rise=eta.rise, eta_fall=eta.fall, best_flow_m3_h=eta.best_flow_m3_h,
        lowest_flow_m3_h=low, highest_flow_m3_h=high,
        vibration=_expect(_vibration_loads(speed, flow), points[:, _VIBRATION]),
        bearing=_expect(
            _bearing_loads(speed, points[:, _POWER], points[:, _WINDING]), points[:, _BEARING]
        ),
        flow_noise=_median(points[:, _FLOW_NOISE]),
        current_noise=_median(points[:, _CURRENT_NOISE]),
        source=f"first {len(days)} healthy days", days=len(days),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """What the machine does against its own health at the same load, float64 (samples,).

    Attributes:
        vibration_ratio: Measured by expected; NaN where not settled or not known.
        bearing_excess_k: Measured less expected.
        bearing_expected_c: What was expected.
    """

    vibration_ratio: Floats
    bearing_excess_k: Floats
    bearing_expected_c: Floats


def condition(
    samples: PumpSamples, plate: PumpNameplate, reference: PumpReference | None
) -> Condition:
    """Vibration and bearing temperature of settled samples beside their expectation.

    The bearing is compared beside the winding: a hot day warms both, a bad bearing only itself.
    """
    nothing = np.full(len(samples.at_s), np.nan)
    if reference is None:
        return Condition(nothing, nothing, nothing)
    keep = settled(samples)
    with np.errstate(divide="ignore", invalid="ignore"):
        rpm = speed_rpm(samples, plate)
        speed = np.where(keep & (rpm > 0), rpm / reference.nominal_rpm, np.nan)
        flow = samples.flow_m3_h / speed
    ratio = bearing_c = nothing
    if reference.vibration is not None:
        expected = reference.vibration.at(_vibration_loads(speed, flow))
        ratio = samples.vibration_mm_s / np.where(expected > 0, expected, np.nan)
    if reference.bearing is not None:
        loads = _bearing_loads(speed, power_kw(samples, plate), samples.winding_c)
        bearing_c = reference.bearing.at(loads)
    return Condition(ratio, samples.bearing_c - bearing_c, bearing_c)


def _vibration_loads(speed: Floats, flow_m3_h: Floats) -> Floats:
    return np.stack([np.ones(len(speed)), speed**2, flow_m3_h, flow_m3_h**2], axis=1)


def _bearing_loads(speed: Floats, taken_kw: Floats, winding_c: Floats) -> Floats:
    return np.stack([np.ones(len(speed)), speed**2, taken_kw, winding_c], axis=1)


def _expect(loads: Floats, values: Floats) -> Expectation | None:
    known = np.isfinite(values) & np.isfinite(loads).all(axis=1)
    if int(known.sum()) < LEAST_POINTS:
        return None
    return Expectation(tuple(_robust(loads[known], values[known]).tolist()))


def _robust(loads: Floats, values: Floats) -> Floats:
    """Least squares, again without what lies far off."""
    scale = np.abs(loads).max(axis=0)
    scale[scale == 0] = 1.0
    keep = np.ones(len(values), dtype=bool)
    weights = np.zeros(loads.shape[1])
    for _ in range(TRIM_ROUNDS):
        # Loads that never changed cannot be told apart: the cut-off keeps their weights small.
        weights = np.linalg.lstsq(loads[keep] / scale, values[keep], rcond=1e-4)[0]
        off = np.abs(values - loads / scale @ weights)
        keep = off <= TRIM_SIGMAS * 1.4826 * np.median(off) + 1e-9
    fitted: Floats = weights / scale
    return fitted


def _head_curve(flow: Floats, head: Floats) -> tuple[float, float]:
    if _spread(flow) >= NARROW_SPREAD:
        head0_m, fall = _robust(np.stack([np.ones(len(flow)), -(flow**2)], axis=1), head).tolist()
        if fall > 0:
            return head0_m, fall
    # A single operating point shows no slope; near it, none is needed.
    return float(np.median(head)), 0.0


@dataclass(frozen=True, slots=True)
class _EtaCurve:
    rise: float | None = None
    fall: float | None = None
    best_flow_m3_h: float | None = None


_NO_CURVE: Final = _EtaCurve()


def _eta_curve(flow: Floats, efficiency: Floats) -> _EtaCurve:
    """Fit it; Q_BEP is named only within the flows seen, or next to them."""
    if _spread(flow) >= NARROW_SPREAD:
        rise, fall = _robust(np.stack([flow, -(flow**2)], axis=1), efficiency).tolist()
        if rise > 0 and fall > 0:
            best = rise / (2 * fall)
            seen = flow.min() * (1 - BEYOND) <= best <= flow.max() * (1 + BEYOND)
            return _EtaCurve(rise, fall, best if seen else None)
    # A single operating point shows no slope: the curve is taken as flat there.
    level, at = float(np.median(efficiency)), float(np.median(flow))
    return _EtaCurve(2 * level / at, level / at**2)


def _spread(values: Floats) -> float:
    low, high = np.quantile(values, (0.05, 0.95))
    return float((high - low) / np.median(values))


def _median(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
