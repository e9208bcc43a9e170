"""Night flow and the leakage it shows; where it cannot show it, the reason and what can be said."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.dma import DMA
from ic3.analytics.inflow import (
    HOUR_S,
    Ints,
    Readings,
    inflow,
    local_moment,
    local_time,
    window_mean,
)
from ic3.analytics.supply_windows import Supply, supply
from ic3.analytics.water_balance import COMPLETE_SHARE, night_day_factor_h

NIGHT_USE_BAND_PERCENT: Final = 30.0  # ours: the estimate per head is a rule of thumb
HALF_HOUR_S: Final = 1800
SETTLED_S: Final = 900  # after a DMA is shut, before what still flows in is taken for passing


@dataclass(frozen=True, slots=True)
class Night:
    """One night window.

    Attributes:
        day: Its local date, days since 1970.
        start_s: Seconds since 1970 UTC; `end_s` likewise.
        weekday: 0 is Monday.
        inflow_m3_h: Mean inflow; NaN where less than half of it was measured.
        pressure_m: Mean of the average point; NaN where it is not read.
        measured_share: Of the inflow, 0-1.
        fault: Why it is no night flow; empty where it is one.
    """

    day: int
    start_s: int
    end_s: int
    weekday: int
    inflow_m3_h: float
    pressure_m: float
    measured_share: float
    fault: str

    @property
    def mnf_m3_h(self) -> float:
        """The inflow where it is a night flow, else NaN."""
        return math.nan if self.fault else self.inflow_m3_h


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with half the width of its 95 % band; a figure that is not there is None instead."""

    value: float
    band: float


@dataclass(frozen=True, slots=True)
class NightFlow:
    """What the nights of a period say.

    Attributes:
        mnf_m3_h: Mean of the usable nights; None where there is none, see `refusal`.
        night_use_m3_h: Legitimate use of the window.
        leakage_m3_h: Night flow less night use.
        night_day_factor_h: Hours of night leakage that a day is worth; None without pressure.
        leakage_m3_d: Daily real losses, bottom-up.
        pressure_m: Mean pressure of the usable nights.
        refusal: Why there is no night flow, in words; empty where there is one.
        upper_bound_m3_h: Lowest half-hour inflow late in a window of supply; contains the filling
            of roof tanks. Only with a refusal.
        shut_inflow_m3_h: Inflow while the DMA should be shut: a passing valve. Only with a refusal.
        nights: Each of them; `usable` of these were used.
        completeness: Measured share of the windows, 0-1.
        provisional: Whether later readings may still change it: below 95 % complete.
    """

    mnf_m3_h: Figure | None
    night_use_m3_h: Figure
    leakage_m3_h: Figure | None
    night_day_factor_h: float | None
    leakage_m3_d: Figure | None
    pressure_m: float | None
    refusal: str
    upper_bound_m3_h: float | None
    shut_inflow_m3_h: float | None
    nights: tuple[Night, ...]
    usable: int
    completeness: float
    provisional: bool


def nights(dma: DMA, readings: Readings, supplied: Supply | None = None) -> list[Night]:
    """Every night window that the readings cover from begin to end.

    Args:
        dma: Says when the night is, in which zone, and what pressure is supply.
        readings: Of its meters, tanks and pressure points.
        supplied: Its windows of supply; found from the readings where None.
    """
    supplied = supplied or supply(dma, readings)
    begin_s, end_s = int(readings.at_s[0]), readings.end_s
    days = local_time(np.array([begin_s, end_s]), dma.zone).day
    found = [
        (day, local_moment(day, dma.night_from_h, dma.zone),
         local_moment(day, dma.night_to_h, dma.zone))
        for day in range(int(days[0]), int(days[1]) + 1)
    ]  # fmt: skip
    found = [each for each in found if begin_s <= each[1] and each[2] <= end_s]
    if not found:
        return []
    starts = np.array([each[1] for each in found])
    ends = np.array([each[2] for each in found])
    taken = inflow(dma, readings, starts, ends)
    point = dma.average_point
    pressure = window_mean(readings, point.key, starts, ends)[0] if point else starts * math.nan
    return [
        Night(
            day=day, start_s=start, end_s=end, weekday=(day + 3) % 7,
            inflow_m3_h=float(taken.m3_h[at]), pressure_m=float(pressure[at]),
            measured_share=float(taken.measured_share[at]),
            fault=_fault(dma, supplied, start, end, begin_s, flow=float(taken.m3_h[at])),
        )
        for at, (day, start, end) in enumerate(found)
    ]  # fmt: skip


def night_flow(dma: DMA, readings: Readings, supplied: Supply | None = None) -> NightFlow:
    """Night flow of a period, the leakage it means, or the reason why there is none."""
    supplied = supplied or supply(dma, readings)
    found = nights(dma, readings, supplied)
    usable = [each for each in found if not each.fault]
    use = dma.night_use_m3_h
    use_figure = Figure(use, use * NIGHT_USE_BAND_PERCENT / 100)
    share = float(np.mean([each.measured_share for each in found])) if found else 0.0
    mnf = leakage = daily = factor = pressure = None
    if usable:
        flow = float(np.mean([each.inflow_m3_h for each in usable]))
        mnf = Figure(flow, meter_band_m3_h(dma, readings))
        leakage = Figure(flow - use, math.hypot(mnf.band, use_figure.band))
        pressure = _mean([each.pressure_m for each in usable])
        factor = _factor_h(dma, readings, supplied, pressure)
        if factor is not None:
            daily = Figure(leakage.value * factor, leakage.band * factor)
    return NightFlow(
        mnf_m3_h=mnf, night_use_m3_h=use_figure, leakage_m3_h=leakage,
        night_day_factor_h=factor, leakage_m3_d=daily, pressure_m=pressure,
        refusal="" if usable else _refusal(dma, found, supplied),
        upper_bound_m3_h=None if usable else _upper_bound(dma, readings, supplied),
        shut_inflow_m3_h=None if usable else _shut_inflow(dma, readings, supplied),
        nights=tuple(found), usable=len(usable), completeness=share,
        provisional=share < COMPLETE_SHARE,
    )  # fmt: skip


def meter_band_m3_h(dma: DMA, readings: Readings) -> float:
    """Half the 95 % band of the mean inflow: the meters' accuracies in quadrature."""
    bands = []
    for meter in dma.meters:
        series = readings.series(meter.key)
        mean = float(np.nanmean(series)) if np.isfinite(series).any() else math.nan
        bands.append(abs(mean) * meter.accuracy_percent / 100)
    return math.hypot(*bands)


def _fault(
    dma: DMA, supplied: Supply, start_s: int, end_s: int, begin_s: int, *, flow: float
) -> str:
    if not supplied.covers(start_s, end_s):
        return "not supplied"
    filled_s = max(start_s - dma.roof_fill_h * HOUR_S, begin_s)
    if not supplied.covers(filled_s, end_s):
        return "roof tanks still filling"
    return "" if math.isfinite(flow) else "not measured"


def _refusal(dma: DMA, found: Sequence[Night], supplied: Supply) -> str:
    if not found:
        return "No night flow: the readings cover no whole night window"
    window = f"from {_clock(dma.night_from_h)} to {_clock(dma.night_to_h)}"
    signal = "inflow" if supplied.source == "inflow" else "pressure"
    limit = f" {dma.supply_pressure_m:g} m" if signal == "pressure" else " a fifth of its usual"
    words = {
        "not supplied": f"{signal} below{limit} {window}",
        "roof tanks still filling":
            f"less than {dma.roof_fill_h:g} h of supply before the window, roof tanks still fill",
        "not measured": f"inflow not measured {window}",
    }  # fmt: skip
    counts = {fault: sum(each.fault == fault for each in found) for fault in words}
    reasons = [
        f"{words[fault]} on {count} of {len(found)} nights"
        for fault, count in counts.items() if count
    ]  # fmt: skip
    usual = f"; supply {supplied.usual}" if supplied.windows else "; no supply"
    return "No night flow: " + ", ".join(reasons) + usual


def _factor_h(
    dma: DMA, readings: Readings, supplied: Supply, night_pressure_m: float | None
) -> float | None:
    """The night-day factor over hours under pressure; leakage stops while a DMA is dry."""
    point = dma.average_point
    if point is None or night_pressure_m is None or not night_pressure_m > 0:
        return None
    pressure = np.where(supplied.holds(readings.at_s), readings.series(point.key), 0.0)
    factor = night_day_factor_h(pressure, night_pressure_m=night_pressure_m, n1=dma.n1)
    return factor if math.isfinite(factor) else None


def _upper_bound(dma: DMA, readings: Readings, supplied: Supply) -> float | None:
    """Lowest half hour in the later half of each window; the least of all of them."""
    starts = [
        start
        for each in supplied.windows
        for start in range(
            (each.start_s + each.end_s) // 2, each.end_s - HALF_HOUR_S + 1, readings.step_s
        )
    ]
    return _lowest(dma, readings, np.array(starts, dtype=np.int64), HALF_HOUR_S)


def _shut_inflow(dma: DMA, readings: Readings, supplied: Supply) -> float | None:
    """Mean inflow outside of the windows."""
    edges = [int(readings.at_s[0])]
    for each in supplied.windows:
        edges += [each.start_s, each.end_s]
    edges.append(readings.end_s)
    pauses = np.array(edges, dtype=np.int64).reshape(-1, 2)
    pauses[1:, 0] += SETTLED_S
    pauses = pauses[pauses[:, 1] - pauses[:, 0] >= HALF_HOUR_S]
    if not len(pauses):
        return None
    taken = inflow(dma, readings, pauses[:, 0], pauses[:, 1])
    hours = (taken.end_s - taken.start_s) / HOUR_S
    good = np.isfinite(taken.m3_h)
    return float(np.average(taken.m3_h[good], weights=hours[good])) if good.any() else None


def _lowest(dma: DMA, readings: Readings, start_s: Ints, length_s: int) -> float | None:
    flow = inflow(dma, readings, start_s, start_s + length_s).m3_h
    return float(np.nanmin(flow)) if np.isfinite(flow).any() else None


def _mean(values: Sequence[float]) -> float | None:
    finite = [each for each in values if math.isfinite(each)]
    return sum(finite) / len(finite) if finite else None


def _clock(hour: float) -> str:
    return f"{int(hour):02d}:{round(hour % 1 * 60):02d}"
