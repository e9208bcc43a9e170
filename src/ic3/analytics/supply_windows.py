"""When a DMA had water: windows of supply found from its pressure, or from its inflow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ic3.analytics.dma import DMA
from ic3.analytics.inflow import DAY_S, HOUR_S, Floats, Ints, Readings, local_time

Bools = NDArray[np.bool_]

OFF_SHARE: Final = 0.7  # of the pressure at which supply begins
FLOW_ON_SHARE: Final = 0.2  # of a usual high flow, where no pressure is read
FLOW_OFF_SHARE: Final = 0.1
SHORTEST_S: Final = 1800


@dataclass(frozen=True, slots=True)
class SupplyWindow:
    """A stretch of supply, seconds since 1970 UTC."""

    start_s: int
    end_s: int

    @property
    def hours(self) -> float:
        """Its length."""
        return (self.end_s - self.start_s) / HOUR_S


@dataclass(frozen=True, slots=True)
class Supply:
    """The supply of a period.

    Attributes:
        windows: In order, one after the other.
        hours_a_day: Mean hours under pressure of a day of the period.
        regularity: Share of the days that had as many windows as most, each within half an hour
            of its usual begin; None below two days.
        usual: Usual begin and end in local hours, as "06:10–09:05 and 18:00–20:40".
        source: What it was found from: `pressure`, `inflow`, or `definition` where neither is read.
    """

    windows: tuple[SupplyWindow, ...]
    hours_a_day: float
    regularity: float | None
    usual: str
    source: str

    def covers(self, start_s: float, end_s: float) -> bool:
        """Whether one window reaches over all of a stretch."""
        return any(each.start_s <= start_s and end_s <= each.end_s for each in self.windows)

    def holds(self, at_s: Ints) -> Bools:
        """Whether moments fall into a window: bool (times,)."""
        on = np.zeros(len(at_s), dtype=bool)
        for each in self.windows:
            on |= (at_s >= each.start_s) & (at_s < each.end_s)
        return on


def supply(dma: DMA, readings: Readings) -> Supply:
    """Find the windows of supply of the readings' time.

    Args:
        dma: Says which pressure point, from which pressure on, and which meters.
        readings: At steps of 15 min or less if window edges are to be good to 15 min.
    """
    source, signal, on, off = _signal(dma, readings)
    if source == "definition":
        windows = [SupplyWindow(int(readings.at_s[0]), readings.end_s)]
    else:
        windows = find_windows(
            readings.at_s, signal, on=on, off=off, step_s=readings.step_s, shortest_s=SHORTEST_S
        )
    days = (readings.end_s - int(readings.at_s[0])) / DAY_S
    usual, regularity = _habit(windows, dma.zone)
    return Supply(
        tuple(windows), sum(each.hours for each in windows) / days, regularity, usual, source
    )


def find_windows(
    at_s: Ints, signal: Floats, *, on: float, off: float, step_s: int, shortest_s: int
) -> list[SupplyWindow]:
    """Stretches from at least `on` until below `off`.

    Args:
        at_s: int64 (times,).
        signal: float64 (times,), NaN where missing: then the state before it goes on.
        on: Where supply begins.
        off: Where it ends, below `on`.
        step_s: Seconds from one time to the next.
        shortest_s: Shorter pauses are closed first, then shorter windows are dropped.
    """
    state = np.where(signal >= on, 1, np.where(signal < off, 0, -1))
    known = np.maximum.accumulate(np.where(state >= 0, np.arange(len(state)), 0))
    supplied = state[known] == 1
    edges = np.flatnonzero(np.diff(np.concatenate([[False], supplied, [False]]).astype(int)))
    times = np.append(at_s, at_s[-1] + step_s)[edges].reshape(-1, 2).tolist()
    joined: list[list[int]] = []
    for start, end in times:
        if joined and start - joined[-1][1] < shortest_s:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [SupplyWindow(start, end) for start, end in joined if end - start >= shortest_s]


def _signal(dma: DMA, readings: Readings) -> tuple[str, Floats, float, float]:
    point = dma.average_point
    if point is not None and np.isfinite(pressure := readings.series(point.key)).any():
        return "pressure", pressure, dma.supply_pressure_m, OFF_SHARE * dma.supply_pressure_m
    flow = sum(each.sign * readings.series(each.key) for each in dma.meters)
    assert isinstance(flow, np.ndarray)
    if dma.supply == "continuous" or not np.isfinite(flow).any():
        return "definition", flow, 0.0, 0.0
    high = float(np.nanpercentile(flow, 95))
    return "inflow", flow, FLOW_ON_SHARE * high, FLOW_OFF_SHARE * high


def _habit(windows: Sequence[SupplyWindow], zone: str) -> tuple[str, float | None]:
    """The usual edges of a day in words, and how regular they are.

    A window belongs to the local day it begins on.
    """
    if not windows:
        return "no supply", None
    begins = local_time(np.array([each.start_s for each in windows]), zone)
    by_day: dict[int, list[tuple[float, float]]] = {}
    for day, hour, window in zip(begins.day.tolist(), begins.hour.tolist(), windows, strict=True):
        by_day.setdefault(day, []).append((hour, hour + window.hours))
    if max(window.hours for window in windows) > 24:
        return "round the clock", None
    counts = [len(each) for each in by_day.values()]
    most = max(set(counts), key=counts.count)
    like = np.array([each for each in by_day.values() if len(each) == most])
    edges = np.median(like, axis=0)
    words = " and ".join(f"{_clock(start)}–{_clock(end)}" for start, end in edges)
    near = (np.abs(like[:, :, 0] - edges[:, 0]) <= 0.5).all(axis=1).sum()
    return words, float(near / len(by_day)) if len(by_day) > 1 else None


def _clock(hour: float) -> str:
    minutes = round(hour * 60) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
