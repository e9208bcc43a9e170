"""Signs of trouble that several readings show together, named in words."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.pump_curves import best_flow_m3_h, hydraulics
from ic3.analytics.pump_limits import PumpLimits
from ic3.analytics.pump_samples import Bools, Floats, roughness
from ic3.analytics.pump_scores import Figures

NO_FLOW_SHARE: Final = 0.05
SIGN_SHARE: Final = 0.2
SHUT_HEAD_SHARE: Final = 0.85
DRY_POWER_SHARE: Final = 0.5
VIBRATION_UP: Final = 1.4
UNCHANGED_PERCENT: Final = 3.0
BEARING_UP_K: Final = 10.0
NOISE_UP: Final = 2.0


@dataclass(frozen=True, slots=True)
class Sign:
    """A named sign: what is seen, what it likely is, what to do."""

    name: str
    sentence: str
    advice: str


DRY_RUN: Final = Sign(
    "dry run", "It runs without flow and takes next to no power: it runs dry",
    "Stop the pump now; check suction valve, strainer and level; prime it before a new start",
)  # fmt: skip
CLOSED_DISCHARGE: Final = Sign(
    "closed discharge", "It runs at shut-off head without flow: the discharge is closed",
    "Stop the pump or open its discharge; check the discharge and non-return valves",
)  # fmt: skip
CAVITATION: Final = Sign(
    "cavitation", "Head lies under the curve while suction is low and flow or vibration is rough: "
    "the pump cavitates",
    "Raise the suction level or reduce the flow; check strainer and suction valve",
)  # fmt: skip
IMBALANCE: Final = Sign(
    "imbalance", "Vibration is up while head, flow and power are unchanged: likely rotor imbalance",
    "Measure the vibration spectrum at running speed; balance the rotor, check the coupling",
)  # fmt: skip
BEARING: Final = Sign(
    "bearing", "Vibration is up and the bearing is hotter than its load explains: likely bearing "
    "damage",
    "Check lubrication, listen to the bearing and plan its replacement",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """How a machine departs from its own health at the same load; None is not known.

    Attributes:
        vibration_ratio: Measured by expected.
        head_percent: Above (+) or below (-) the reference; `power_percent` likewise.
        bearing_k: Above expectation.
        suction_is_low: Less NPSH than the limits ask for.
        noise_ratio: Roughness of flow or current by the usual one, the greater.
    """

    vibration_ratio: float | None = None
    head_percent: float | None = None
    power_percent: float | None = None
    bearing_k: float | None = None
    suction_is_low: bool | None = None
    noise_ratio: float | None = None


def named(
    departure: Departure, *, vibration_up: float = VIBRATION_UP,
    unchanged_percent: float = UNCHANGED_PERCENT,
) -> Sign | None:  # fmt: skip
    """The sign that a departure from health is, the more dangerous one first.

    Args:
        departure: From health.
        vibration_up: Ratio from which vibration counts as up; velocity in mm/s.
        unchanged_percent: Head and power count as unchanged within so much.
    """
    shaken = (departure.vibration_ratio or 0.0) >= vibration_up
    rough = (departure.noise_ratio or 0.0) >= NOISE_UP
    low_head = departure.head_percent is not None and departure.head_percent <= -unchanged_percent
    if low_head and _cavitates(departure.suction_is_low, rough=rough, shaken=shaken):
        return CAVITATION
    if not shaken:
        return None
    if (departure.bearing_k or 0.0) >= BEARING_UP_K:
        return BEARING
    unchanged = (
        departure.head_percent is not None
        and abs(departure.head_percent) <= unchanged_percent
        and abs(departure.power_percent or 0.0) <= unchanged_percent
    )
    return IMBALANCE if unchanged and not rough else None


def _cavitates(suction_is_low: bool | None, *, rough: bool, shaken: bool) -> bool:
    """Where the suction is not known, roughness and vibration must both speak."""
    if suction_is_low is None:
        return rough and shaken
    return suction_is_low and (rough or shaken)


def signs(of: Figures, limits: PumpLimits) -> tuple[Sign, ...]:
    """All signs that the samples show; one without flow is looked for in each sample alone."""
    found = []
    no_flow = _no_flow(of)
    if no_flow is not None:
        if _often(no_flow & _takes_no_power(of), of.settled):
            found.append(DRY_RUN)
        if _often(no_flow & _at_shut_head(of), of.settled):
            found.append(CLOSED_DISCHARGE)
    sign = None if found else named(departure(of, limits))
    return (*found, sign) if sign is not None else tuple(found)


def departure(of: Figures, limits: PumpLimits) -> Departure:
    """How the settled samples depart from the reference: medians."""
    water = hydraulics(of.samples, of.plate, of.reference, of.settled)
    npsh_m, ratio = _median(water.npsh_m), _median(water.npsh_ratio)
    low = None
    if npsh_m is not None and ratio is not None:
        low = ratio < limits.npsh_ratio.at_60 or npsh_m - npsh_m / ratio < limits.npsh_margin_m
    return Departure(
        vibration_ratio=_median(of.condition.vibration_ratio),
        head_percent=_median(water.head_percent),
        # At the same flow and head, power is up by what efficiency is down.
        power_percent=_median(-water.efficiency_percent),
        bearing_k=_median(of.condition.bearing_excess_k),
        suction_is_low=low,
        noise_ratio=_noise_ratio(of),
    )


def _noise_ratio(of: Figures) -> float | None:
    if of.reference is None:
        return None
    usual = (
        (of.samples.flow_m3_h, of.reference.flow_noise),
        (of.samples.current_a, of.reference.current_noise),
    )
    ratios = [
        now / noise
        for values, noise in usual
        if noise and (now := _median(roughness(values)[of.settled]))
    ]
    return max(ratios, default=None)


def _no_flow(of: Figures) -> Bools | None:
    best = best_flow_m3_h(of.plate, of.reference)
    if best is None:
        return None
    return of.settled & (of.samples.flow_m3_h < NO_FLOW_SHARE * best)


def _takes_no_power(of: Figures) -> Bools:
    least_kw = of.plate.least_kw
    if least_kw is None and of.reference is not None and of.reference.eta_rise:
        # As flow goes to 0, Q * H / eta goes to head0 / eta_rise.
        shut_kw = of.reference.head0_m * of.plate.specific_gravity / 367 / of.reference.eta_rise
        speed = of.speed_rpm / of.reference.nominal_rpm
        return of.power_kw < DRY_POWER_SHARE * shut_kw * speed**3
    return of.power_kw < (np.nan if least_kw is None else least_kw)


def _at_shut_head(of: Figures) -> Bools:
    if of.reference is None:
        return np.zeros(len(of.settled), dtype=bool)
    speed = of.speed_rpm / of.reference.nominal_rpm
    return of.head_m >= SHUT_HEAD_SHARE * of.reference.head0_m * speed**2


def _often(shown: Bools, settled: Bools) -> bool:
    return bool(settled.any()) and shown.sum() >= SIGN_SHARE * settled.sum()


def _median(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None
