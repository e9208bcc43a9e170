"""The sub-scores of a pump's health, each with the inputs that it can be recomputed from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ic3.analytics.pump_curves import (
    Condition,
    Hydraulics,
    PumpReference,
    best_flow_m3_h,
    condition,
    head_m,
    hydraulics,
)
from ic3.analytics.pump_limits import Limit, PumpLimits
from ic3.analytics.pump_samples import (
    Bools,
    Duty,
    Floats,
    PumpNameplate,
    PumpSamples,
    duty,
    power_kw,
    settled,
    speed_rpm,
    steady,
    typical,
)

HYDRAULIC, VIBRATION, THERMAL = "hydraulic", "vibration", "thermal"
OPERATION, ELECTRICAL = "operation and NPSH", "electrical and duty"
WEIGHTS: Final = {
    HYDRAULIC: 0.35, VIBRATION: 0.25, THERMAL: 0.15, OPERATION: 0.15, ELECTRICAL: 0.10,
}  # fmt: skip
NPSH_THIN_SCORE: Final = 60.0
DUTY_REGION: Final = "operating region"


@dataclass(frozen=True, slots=True)
class Input:
    """A figure that went into a sub-score."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubScore:
    """One sub-score, computed or with its reason why not.

    Attributes:
        group: Of `WEIGHTS`.
        score: 0-100; None where not computed.
        value: What was scored, in `unit`.
        inputs: Of the median sample: the one whose value stands in the middle of all.
        limit: Points of 100, 60 and 20 with their source; None where there is none to go by.
        reason: Why it was not computed, or what to know of it.
        samples: How many values the median is of.
    """

    name: str
    group: str
    unit: str
    score: float | None = None
    value: float | None = None
    inputs: tuple[Input, ...] = ()
    limit: Limit | None = None
    reason: str = ""
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What the sub-scores and signs are made of, computed once.

    Attributes:
        steady: bool (samples,): where hydraulic figures hold.
        settled: bool (samples,): where it has run for the settling time.
    """

    samples: PumpSamples
    plate: PumpNameplate
    reference: PumpReference | None
    steady: Bools
    settled: Bools
    head_m: Floats
    power_kw: Floats
    speed_rpm: Floats
    water: Hydraulics
    condition: Condition
    duty: Duty


def figures(samples: PumpSamples, plate: PumpNameplate, reference: PumpReference | None) -> Figures:
    """Compute everything that more than one sub-score or sign needs."""
    stable = steady(samples, plate)
    return Figures(
        samples, plate, reference, stable, settled(samples),
        head_m(samples, plate), power_kw(samples, plate), speed_rpm(samples, plate),
        hydraulics(samples, plate, reference, stable), condition(samples, plate, reference),
        duty(samples),
    )  # fmt: skip


def sub_scores(
    of: Figures, limits: PumpLimits, *, run_h_since_overhaul: float | None = None
) -> tuple[SubScore, ...]:
    """All of them, in the order of the page."""
    return (
        _head(of, limits), _efficiency(of, limits), _vibration(of, limits),
        _region(of, limits), _npsh(of, limits), _winding(of, limits), _bearing(of, limits),
        _current(of, limits), _unbalance(of, limits), _voltage(of, limits),
        _starts(of, limits), _run_hours(limits, run_h_since_overhaul),
    )  # fmt: skip


# hydraulic


def _head(of: Figures, limits: PumpLimits) -> SubScore:
    at = typical(of.water.head_percent)
    sub = SubScore(name="head", group=HYDRAULIC, unit="%", limit=limits.head)
    if at is None:
        return _not(sub, _no_curve(of) or _unknown_flow(of))
    assert of.reference is not None
    flow = float(of.water.flow_m3_h[at])
    return _done(sub, of.water.head_percent, at, (
        *_pressures(of, at),
        Input("head", float(of.head_m[at]), "m"),
        Input("flow at nominal speed", flow, "m³/h"),
        Input("head at nominal speed", float(of.water.head_m[at]), "m"),
        Input("reference head", float(of.reference.head_m(np.array(flow))), "m"),
    ))  # fmt: skip


def _efficiency(of: Figures, limits: PumpLimits) -> SubScore:
    at = typical(of.water.efficiency_percent)
    sub = SubScore(name="efficiency", group=HYDRAULIC, unit="%", limit=limits.efficiency)
    if at is None:
        no_curve = _no_curve(of) or _missing(of, ("power", of.power_kw))
        if not no_curve and of.reference is not None and of.reference.eta_rise is None:
            no_curve = "the reference has no efficiency curve"
        return _not(sub, no_curve or _unknown_flow(of))
    assert of.reference is not None
    flow = float(of.water.flow_m3_h[at])
    return _done(sub, of.water.efficiency_percent, at, (
        *_pressures(of, at),
        Input("head", float(of.head_m[at]), "m"),
        Input("power", float(of.power_kw[at]), "kW"),
        Input("efficiency", float(of.water.efficiency[at]), "share"),
        Input("flow at nominal speed", flow, "m³/h"),
        Input("reference efficiency", float(of.reference.efficiency(np.array(flow))), "share"),
    ))  # fmt: skip


def _pressures(of: Figures, at: int) -> tuple[Input, ...]:
    samples = of.samples
    return (
        Input("flow", float(samples.flow_m3_h[at]), "m³/h"),
        Input("suction pressure", float(samples.suction_bar[at]), "bar"),
        Input("discharge pressure", float(samples.discharge_bar[at]), "bar"),
        Input("speed", float(of.speed_rpm[at]), "rpm"),
    )


def _no_curve(of: Figures) -> str:
    """Why nothing can be set against the reference curve; empty where it can."""
    samples = of.samples
    missing = _missing(
        of,
        ("flow", samples.flow_m3_h), ("speed", of.speed_rpm),
        ("suction pressure", samples.suction_bar),
        ("discharge pressure", samples.discharge_bar),
    ) or _never_steady(of)  # fmt: skip
    if missing:
        return missing
    if of.reference is None:
        return "no reference curve: neither the maker's nor one of healthy days"
    return ""


def _never_steady(of: Figures) -> str:
    return "" if of.steady.any() else "flow and speed were never stable together"


def _unknown_flow(of: Figures) -> str:
    assert of.reference is not None
    low, high = of.reference.lowest_flow_m3_h, of.reference.highest_flow_m3_h
    return f"the flow lay outside of what the reference is known for ({low:.0f}-{high:.0f} m³/h)"


# vibration, operation


def _vibration(of: Figures, limits: PumpLimits) -> SubScore:
    samples = of.samples
    worst = np.where(of.settled, samples.vibration_mm_s, np.nan)
    sub = SubScore(
        name="vibration", group=VIBRATION, unit="mm/s", limit=limits.vibration,
        reason="" if of.plate.rated_kw else "rated power unknown: zones of pumps up to 200 kW",
    )  # fmt: skip
    at = typical(worst)
    if at is None:
        return _not(sub, _missing(of, ("vibration", samples.vibration_mm_s)))
    ends = (("drive end", samples.vibration_de_mm_s), ("other end", samples.vibration_nde_mm_s))
    return _done(sub, worst, at, tuple(
        Input(name, float(values[at]), "mm/s") for name, values in ends if np.isfinite(values[at])
    ))  # fmt: skip


def _region(of: Figures, limits: PumpLimits) -> SubScore:
    at = typical(of.water.of_best)
    best = best_flow_m3_h(of.plate, of.reference)
    sub = SubScore(name=DUTY_REGION, group=OPERATION, unit="of best flow", limit=limits.flow_low)
    if at is None:
        missing = _missing(of, ("flow", of.samples.flow_m3_h),
                           ("speed", of.speed_rpm)) or _never_steady(of)  # fmt: skip
        return _not(sub, missing or ("the best flow is unknown" if best is None
                                     else "the nominal speed is unknown"))  # fmt: skip
    assert best is not None
    value = float(of.water.of_best[at])
    low, high = limits.flow_low.score(value), limits.flow_high.score(value)
    limit = limits.flow_low if value < 1 else limits.flow_high
    inputs = (
        Input("flow", float(of.samples.flow_m3_h[at]), "m³/h"),
        Input("speed", float(of.speed_rpm[at]), "rpm"),
        Input("flow at nominal speed", float(of.water.flow_m3_h[at]), "m³/h"),
        Input("best flow", best, "m³/h"),
    )
    return replace(
        sub, score=min(low, high), value=value, inputs=inputs, limit=limit,
        samples=_count(of.water.of_best),
    )  # fmt: skip


def _npsh(of: Figures, limits: PumpLimits) -> SubScore:
    sub = SubScore(name="NPSH", group=OPERATION, unit="NPSHa/NPSHr", limit=limits.npsh_ratio)
    at = typical(of.water.npsh_ratio)
    if at is None:
        missing = _missing(of, ("suction pressure", of.samples.suction_bar))
        return _not(sub, missing or _never_steady(of) or "the NPSH that it requires is unknown")
    value, available = float(of.water.npsh_ratio[at]), float(of.water.npsh_m[at])
    required = available / value
    score, reason = limits.npsh_ratio.score(value), ""
    if available - required < limits.npsh_margin_m and score > NPSH_THIN_SCORE:
        score, reason = NPSH_THIN_SCORE, f"margin under {limits.npsh_margin_m:g} m: 60 at most"
    inputs = (
        Input("suction pressure", float(of.samples.suction_bar[at]), "bar"),
        Input("NPSH available", available, "m"),
        Input("NPSH required", required, "m"),
    )
    return replace(
        sub, score=score, value=value, inputs=inputs, reason=reason,
        samples=_count(of.water.npsh_ratio),
    )  # fmt: skip


# thermal, electrical, duty


def _winding(of: Figures, limits: PumpLimits) -> SubScore:
    sub = SubScore(
        name="winding temperature", group=THERMAL, unit="°C", limit=limits.winding,
        reason="" if of.plate.insulation_class else "insulation class unknown: F taken",
    )  # fmt: skip
    return _plain(of, sub, "winding temperature", of.samples.winding_c)


def _bearing(of: Figures, limits: PumpLimits) -> SubScore:
    sub = SubScore(
        name="bearing temperature", group=THERMAL, unit="K above expectation",
        limit=limits.bearing_excess,
    )  # fmt: skip
    excess = of.condition.bearing_excess_k
    at = typical(excess)
    if at is None:
        missing = _missing(
            of, ("bearing temperature", of.samples.bearing_c),
            ("winding temperature beside it", of.samples.winding_c),
            ("power", of.power_kw), ("speed", of.speed_rpm),
        )  # fmt: skip
        return _not(sub, missing or "no history of healthy days to compare it with")
    return _done(sub, excess, at, (
        Input("bearing temperature", float(of.samples.bearing_c[at]), "°C"),
        Input("expected at this load", float(of.condition.bearing_expected_c[at]), "°C"),
        Input("winding temperature", float(of.samples.winding_c[at]), "°C"),
        Input("power", float(of.power_kw[at]), "kW"),
        Input("speed", float(of.speed_rpm[at]), "rpm"),
    ))  # fmt: skip


def _current(of: Figures, limits: PumpLimits) -> SubScore:
    rated = of.plate.rated_current_a
    sub = SubScore(name="current", group=ELECTRICAL, unit="of rated current", limit=limits.current)
    if rated is None:
        return _not(sub, "the rated current is unknown")
    share = of.samples.current_a / rated
    return _plain(of, sub, "current", share, (("current", of.samples.current_a, "A"),),
                  (Input("rated current", rated, "A"),))  # fmt: skip


def _unbalance(of: Figures, limits: PumpLimits) -> SubScore:
    sub = SubScore(name="current unbalance", group=ELECTRICAL, unit="%", limit=limits.unbalance)
    return _plain(of, sub, "current of three phases", of.samples.unbalance_percent)


def _voltage(of: Figures, limits: PumpLimits) -> SubScore:
    rated = of.plate.rated_voltage_v
    sub = SubScore(name="voltage deviation", group=ELECTRICAL, unit="%", limit=limits.voltage)
    if rated is None:
        return _not(sub, "the rated voltage is unknown")
    deviation = 100 * np.abs(of.samples.voltage_v / rated - 1)
    return _plain(of, sub, "voltage", deviation, (("voltage", of.samples.voltage_v, "V"),),
                  (Input("rated voltage", rated, "V"),))  # fmt: skip


def _starts(of: Figures, limits: PumpLimits) -> SubScore:
    sub = SubScore(name="starts", group=ELECTRICAL, unit="starts/h", limit=limits.starts)
    if of.duty.known_h == 0:
        return _not(sub, "no reading of run status")
    value = float(of.duty.most_starts_per_hour)
    reason = "" if of.plate.starts_per_hour else "the maker's limit is unknown: a low one taken"
    return replace(
        sub, value=value, reason=reason, score=limits.starts.score(value),
        samples=_count(of.samples.running),
        inputs=(Input("starts", float(of.duty.starts), ""), Input("within", of.duty.known_h, "h")),
    )  # fmt: skip


def _run_hours(limits: PumpLimits, since_overhaul_h: float | None) -> SubScore:
    sub = SubScore(
        name="run hours since overhaul", group=ELECTRICAL, unit="h", limit=limits.run_hours
    )
    if limits.run_hours is None:
        return _not(sub, "the maker's overhaul interval is unknown")
    if since_overhaul_h is None:
        return _not(sub, "no overhaul is on record")
    score = limits.run_hours.score(since_overhaul_h)
    return replace(sub, value=since_overhaul_h, score=score, samples=1)


# alike in all


def _plain(
    of: Figures, sub: SubScore, what: str, values: Floats,
    inputs: Sequence[tuple[str, Floats, str]] = (), known: tuple[Input, ...] = (),
) -> SubScore:  # fmt: skip
    """A sub-score of what is read, in settled samples."""
    kept = np.where(of.settled, values, np.nan)
    at = typical(kept)
    if at is None:
        return _not(sub, _missing(of, (what, values)))
    read = tuple(Input(name, float(each[at]), unit) for name, each, unit in inputs)
    return _done(sub, kept, at, (*read, *known))


def _done(sub: SubScore, values: Floats, at: int, inputs: tuple[Input, ...]) -> SubScore:
    assert sub.limit is not None
    value = float(values[at])
    score = sub.limit.score(value)
    return replace(sub, score=score, value=value, inputs=inputs, samples=_count(values))


def _not(sub: SubScore, why: str) -> SubScore:
    return replace(sub, reason=f"not computed: {why}")


def _missing(of: Figures, *needed: tuple[str, Floats]) -> str:
    """Which of the readings is not there while the pump has settled; empty for none."""
    for name, values in (("run status", of.samples.running), *needed):
        if not np.isfinite(values).any():
            return f"no reading of {name}"
    if not of.settled.any():
        return "it did not run, or not long enough to settle"
    for name, values in needed:
        if not np.isfinite(values[of.settled]).any():
            return f"no reading of {name} while it ran"
    return ""


def _count(values: Floats) -> int:
    return int(np.isfinite(values).sum())
