"""A pump that wears as told, and what its gauges and meters make of it: for scoring only."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.pump_curves import KW_DIVISOR, METRES_A_BAR, PumpReference
from ic3.analytics.pump_samples import Floats, PumpNameplate, PumpSamples

BEST_FLOW_M3_H: Final = 250.0
BEST_EFFICIENCY: Final = 0.72
REFERENCE: Final = PumpReference(
    nominal_rpm=1480, head0_m=50.0, head_fall=2e-4, eta_rise=2 * BEST_EFFICIENCY / BEST_FLOW_M3_H,
    eta_fall=BEST_EFFICIENCY / BEST_FLOW_M3_H**2, best_flow_m3_h=BEST_FLOW_M3_H,
)  # fmt: skip
PLATE: Final = PumpNameplate(nominal_rpm=1480, rated_kw=55, npsh_required_m=3)
STATIC_HEAD_M: Final = 22.0
HOURS: Final = 24
# Noise of a reading, and what a whole day is off by: flow meter, gauges, power meter.
READING_NOISE: Final = 0.01
FLOW_BIAS, HEAD_BIAS, POWER_BIAS = 0.005, 0.003, 0.004
BIAS_CARRIED: Final = 0.3


@dataclass(frozen=True, slots=True)
class Wear:
    """Shares lost, float64 (days,) or one number for all days.

    Attributes:
        head: Of the curve.
        recirculation: Of the best flow, going round inside.
        efficiency: Of the motor or the hydraulics.
    """

    head: Floats | float = 0.0
    recirculation: Floats | float = 0.0
    efficiency: Floats | float = 0.0


@dataclass(frozen=True, slots=True)
class Truth:
    """What the pump does, float64 (days, hours)."""

    flow_m3_h: Floats
    head_m: Floats
    power_kw: Floats


def truth(wear: Wear, days: int) -> Truth:
    """Solve pump against system for each hour: demand moves the system's curve."""
    hour = np.arange(HOURS) / HOURS * 2 * np.pi
    resistance = 2.6e-4 * (1 + 0.25 * np.cos(hour))[None, :]
    kept = 1 - _column(wear.head, days)
    inner = _column(wear.recirculation, days) * BEST_FLOW_M3_H
    # kept * (H0 - a (Q + r)²) = Hs + k Q², for Q.
    fall = kept * REFERENCE.head_fall
    two = fall + resistance
    one = 2 * fall * inner
    none = STATIC_HEAD_M + fall * inner**2 - kept * REFERENCE.head0_m
    flow = (-one + np.sqrt(one**2 - 4 * two * none)) / (2 * two)
    through = flow + inner
    head = STATIC_HEAD_M + resistance * flow**2
    efficiency = REFERENCE.efficiency(through) * (1 - _column(wear.efficiency, days))
    return Truth(flow, head, through * head / KW_DIVISOR / efficiency)


def indices(true: Truth) -> tuple[Floats, Floats]:
    """Head and efficiency index in %, of the true values or of biased ones, float64 (days,)."""
    head = 100 * (true.head_m / REFERENCE.head_m(true.flow_m3_h) - 1)
    efficiency = true.flow_m3_h * true.head_m / KW_DIVISOR / true.power_kw
    return (
        head.mean(axis=1),
        (100 * (efficiency / REFERENCE.efficiency(true.flow_m3_h) - 1)).mean(axis=1),
    )


def measured(true: Truth, random: np.random.Generator) -> Truth:
    """The same with the bias of each day; the noise of its many readings is next to nothing."""
    days = len(true.flow_m3_h)
    return Truth(
        true.flow_m3_h * (1 + _wander(random, days, FLOW_BIAS)),
        true.head_m * (1 + _wander(random, days, HEAD_BIAS)),
        true.power_kw * (1 + _wander(random, days, POWER_BIAS)),
    )


def samples(wear: Wear, random: np.random.Generator) -> PumpSamples:
    """A day of readings once a minute."""
    biased = measured(truth(wear, 1), random)
    count = 1440
    at_s = np.arange(0.0, 60.0 * count, 60)
    hour = at_s / 3600

    def read(values: Floats, noise: float) -> Floats:
        smooth = np.interp(hour, np.arange(HOURS), values[0], period=HOURS)
        noisy: Floats = smooth * (1 + noise * random.standard_normal(count))
        return noisy

    return PumpSamples(
        at_s=at_s, running=np.ones(count), suction_bar=np.full(count, 0.4),
        discharge_bar=0.4 + read(biased.head_m, 0.002) / METRES_A_BAR,
        flow_m3_h=read(biased.flow_m3_h, READING_NOISE),
        power_kw=read(biased.power_kw, READING_NOISE), speed_rpm=np.full(count, 1480.0),
    )  # fmt: skip


def _wander(random: np.random.Generator, days: int, share: float) -> Floats:
    drawn = share * random.standard_normal(days)
    for day in range(1, days):
        drawn[day] = BIAS_CARRIED * drawn[day - 1] + np.sqrt(1 - BIAS_CARRIED**2) * drawn[day]
    column: Floats = drawn[:, None]
    return column


def _column(values: Floats | float, days: int) -> Floats:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (days,))[:, None]
