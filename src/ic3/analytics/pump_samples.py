"""What a pump reports and what its plate says; when it runs, has settled and is steady."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ic3.errors import InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SETTLING_S: Final = 120.0
LONGEST_GAP_S: Final = 900.0
STEADY_SAMPLES: Final = 5
STEADY_FLOW_SPREAD: Final = 0.08
STEADY_SPEED_SPREAD: Final = 0.02
HOUR_S: Final = 3600.0
QUANTITIES: Final[Mapping[str, str]] = {
    "PUMP_STS": "running",
    "PUMP_FLOW": "flow_m3_h",
    "SUC_PRES": "suction_bar",
    "DIS_PRES": "discharge_bar",
    "PUMP_KW": "power_kw",
    "PUMP_CURR": "current_a",
    "PUMP_VOLT": "voltage_v",
    "PUMP_SPEED": "speed_rpm",
    "VIB_DE": "vibration_de_mm_s",
    "VIB_NDE": "vibration_nde_mm_s",
    "BRG_TEMP": "bearing_c",
    "MTR_WDG_TEMP": "winding_c",
}
"""Parameter code to field of `PumpSamples`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpNameplate:
    """What the maker says of pump and motor; None is not known, and nothing is guessed for it.

    Attributes:
        nominal_rpm: Speed to which all is converted by the affinity laws.
        fixed_speed: It always turns at `nominal_rpm` while it runs, and reports no speed.
        rated_kw: Of the motor.
        best_flow_m3_h: Flow of best efficiency at nominal speed (Q_BEP).
        npsh_required_m: At the best flow and nominal speed.
        insulation_class: Of the winding: B, F or H.
        starts_per_hour: Most that the maker allows.
        overhaul_h: Run hours between two overhauls.
        power_factor: Used only where current and voltage must stand in for the power.
        gauge_rise_m: Discharge gauge above suction gauge.
        suction_mm: Bore at the suction gauge; `discharge_mm` at the other. Without both, the
            velocity head is left out.
        least_kw: Power below which the pump can hold no water.
    """

    nominal_rpm: float | None = None
    fixed_speed: bool = False
    rated_kw: float | None = None
    rated_current_a: float | None = None
    rated_voltage_v: float | None = None
    best_flow_m3_h: float | None = None
    npsh_required_m: float | None = None
    insulation_class: str | None = None
    starts_per_hour: float | None = None
    overhaul_h: float | None = None
    power_factor: float | None = None
    gauge_rise_m: float = 0.0
    suction_mm: float | None = None
    discharge_mm: float | None = None
    least_kw: float | None = None
    specific_gravity: float = 1.0
    atmosphere_bar: float = 0.988  # standard atmosphere at 216 m, Delhi
    vapour_bar: float = 0.042  # water of 30 °C


def _absent() -> Floats:
    return np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpSamples:
    """Readings of one pump at common times, float64 (samples,), NaN where there is none.

    A reading of quality other than GOOD is NaN. A field left out is NaN throughout.

    Attributes:
        at_s: Seconds since any moment, rising.
        running: 1 on, 0 off.
        unbalance_percent: Of the phase currents, see `current_unbalance_percent`.
    """

    at_s: Floats
    running: Floats = field(default_factory=_absent)
    flow_m3_h: Floats = field(default_factory=_absent)
    suction_bar: Floats = field(default_factory=_absent)
    discharge_bar: Floats = field(default_factory=_absent)
    power_kw: Floats = field(default_factory=_absent)
    current_a: Floats = field(default_factory=_absent)
    voltage_v: Floats = field(default_factory=_absent)
    speed_rpm: Floats = field(default_factory=_absent)
    vibration_de_mm_s: Floats = field(default_factory=_absent)
    vibration_nde_mm_s: Floats = field(default_factory=_absent)
    bearing_c: Floats = field(default_factory=_absent)
    winding_c: Floats = field(default_factory=_absent)
    unbalance_percent: Floats = field(default_factory=_absent)

    def __post_init__(self) -> None:
        """Fill what was left out.

        Raises:
            InputError: A field has another length than `at_s`, or the times do not rise.
        """
        count = len(self.at_s)
        if count > 1 and not bool(np.all(np.diff(self.at_s) > 0)):
            raise InputError("pump: the times of the samples do not rise; sort them, one row each")
        for each in fields(self):
            values = getattr(self, each.name)
            if not len(values):
                object.__setattr__(self, each.name, np.full(count, np.nan))
            elif len(values) != count:
                raise InputError(
                    f"pump: {each.name} has {len(values)} samples and at_s {count}; "
                    "give one value a time, NaN where there is none"
                )

    @classmethod
    def of(cls, at_s: Floats, values: Mapping[str, Floats]) -> "PumpSamples":
        """Samples from parameter code to readings; other codes are passed over.

        Raises:
            InputError: As the constructor.
        """
        known = {QUANTITIES[code]: each for code, each in values.items() if code in QUANTITIES}
        return cls(at_s=at_s, **known)

    @property
    def vibration_mm_s(self) -> Floats:
        """The worse of both ends."""
        return np.fmax(self.vibration_de_mm_s, self.vibration_nde_mm_s)


def current_unbalance_percent(phases_a: Floats) -> Floats:
    """Greatest departure of a phase from the mean of three, as a share of that mean.

    Args:
        phases_a: float64 (samples, 3).
    """
    mean = phases_a.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        percent: Floats = 100 * np.abs(phases_a - mean[:, None]).max(axis=1) / mean
    return np.where(mean > 0, percent, np.nan)


def power_kw(samples: PumpSamples, plate: PumpNameplate) -> Floats:
    """Power taken in: measured, or from current, voltage and power factor."""
    if plate.power_factor is None:
        return samples.power_kw
    apparent_kva = np.sqrt(3) * samples.voltage_v * samples.current_a / 1000
    return np.where(
        np.isfinite(samples.power_kw), samples.power_kw, apparent_kva * plate.power_factor
    )


def speed_rpm(samples: PumpSamples, plate: PumpNameplate) -> Floats:
    """Speed: measured, or the nominal one of a pump that knows no other."""
    if plate.fixed_speed and plate.nominal_rpm is not None:
        return np.where(np.isfinite(samples.speed_rpm), samples.speed_rpm, plate.nominal_rpm)
    return samples.speed_rpm


def settled(samples: PumpSamples, settling_s: float = SETTLING_S) -> Bools:
    """Whether it has run for the settling time, bool (samples,).

    A gap in the samples counts as a stop, and so does the time before the first.
    """
    at_s = samples.at_s
    if not len(at_s):
        return np.zeros(0, dtype=bool)
    on = samples.running == 1
    begins = on & np.concatenate([[True], ~on[:-1] | (np.diff(at_s) > LONGEST_GAP_S)])
    began = np.maximum.accumulate(np.where(begins, np.arange(len(at_s)), 0))
    ripe: Bools = on & (at_s - at_s[began] >= settling_s)
    return ripe


def rolling_spread(values: Floats, samples: int = STEADY_SAMPLES) -> Floats:
    """Greatest less least of the last few values, as a share of their mean; NaN where unknown."""
    share = np.full(len(values), np.nan)
    if len(values) < samples:
        return share
    # Shifted copies: several times faster than reducing windows of so few values.
    first = len(values) - samples + 1
    shifted = [values[at : at + first] for at in range(samples)]
    greatest = functools.reduce(np.maximum, shifted)
    least = functools.reduce(np.minimum, shifted)
    with np.errstate(divide="ignore", invalid="ignore"):
        share[samples - 1 :] = samples * (greatest - least) / sum(shifted)
    return share


def roughness(values: Floats) -> Floats:
    """How far each value lies off the line between its neighbours, as a share; NaN at the ends."""
    share = np.full(len(values), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (values[:-2] + values[2:]) / 2
        share[1:-1] = np.abs(values[1:-1] - middle) / middle
    return share


def steady(samples: PumpSamples, plate: PumpNameplate) -> Bools:
    """Settled, with flow and speed stable: the only samples that hydraulic figures are made of."""
    with np.errstate(invalid="ignore"):
        return (
            settled(samples)
            & (rolling_spread(samples.flow_m3_h) <= STEADY_FLOW_SPREAD)
            & (rolling_spread(speed_rpm(samples, plate)) <= STEADY_SPEED_SPREAD)
        )


@dataclass(frozen=True, slots=True)
class Duty:
    """Starts and run hours within the samples.

    Attributes:
        starts: Changes from off to on.
        most_starts_per_hour: In any 60 minutes.
        run_h: Hours it ran.
        known_h: Hours of which the status is known.
    """

    starts: int
    most_starts_per_hour: int
    run_h: float
    known_h: float


def duty(samples: PumpSamples) -> Duty:
    """Count starts and run hours; a status holds until the next, over a gap it is unknown."""
    known = np.isfinite(samples.running)
    at_s, on = samples.at_s[known], samples.running[known] == 1
    step_s = np.diff(at_s)
    joined = step_s <= LONGEST_GAP_S
    start_s = at_s[1:][on[1:] & ~on[:-1]]
    within = np.searchsorted(start_s, start_s + HOUR_S) - np.arange(len(start_s))
    return Duty(
        starts=len(start_s),
        most_starts_per_hour=int(within.max(initial=0)),
        run_h=float(step_s[joined & on[:-1]].sum()) / HOUR_S,
        known_h=float(step_s[joined].sum()) / HOUR_S,
    )


def typical(values: Floats) -> int | None:
    """Place of the lower median of the numbers among the values: a sample that was measured."""
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return None
    middle = (known.size - 1) // 2
    return int(known[np.argpartition(values[known], middle)[middle]])
