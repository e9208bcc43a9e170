"""The leak alarms run over a year of district flows, and their alarms matched with its leaks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.dma import DMA
from ic3.analytics.hourly_alarm import HourlyAlarm
from ic3.analytics.inflow import DAY_S, HOUR_S, hourly_inflow, inflow, local_time
from ic3.analytics.night_flow import nights
from ic3.analytics.nightly_alarm import NightlyAlarm
from ic3.evaluation.district_years import DistrictYear, Leak
from ic3.evaluation.figures import Panel

AFTER_PEAK_S: Final = 14 * DAY_S
BURST_S: Final = 2 * DAY_S
SUNDAY: Final = 6
SEEN_NIGHTS: Final = 3  # an alarm is drawn so wide


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm, at the end of the night or hour that raised it."""

    dma_id: str
    at_s: int


RunAlarm = Callable[[DistrictYear, DMA], list[Alarm]]


@dataclass(frozen=True, slots=True)
class Matched:
    """Alarms and leaks, one to one.

    Attributes:
        hits: Leaks that were found, and when.
        new_leaks: Leaks that began within the readings.
        false_alarms: Alarms without a leak to themselves.
    """

    hits: tuple[tuple[Leak, int], ...]
    new_leaks: tuple[Leak, ...]
    false_alarms: int

    @property
    def new_hits(self) -> list[tuple[Leak, int]]:
        """Hits of leaks that began within the readings."""
        return [(leak, at_s) for leak, at_s in self.hits if leak in self.new_leaks]

    def delays_days(self, kind: str) -> list[float]:
        """From start to alarm, of the new leaks of a kind that were found."""
        return [(at_s - leak.start_s) / DAY_S for leak, at_s in self.new_hits if leak.kind == kind]


def nightly_alarms(year: DistrictYear, dma: DMA) -> list[Alarm]:
    """Alarms of one DMA, night by night."""
    found = nights(dma, year.readings)
    ends = np.array([each.end_s for each in found], dtype=np.int64)
    days = inflow(dma, year.readings, ends - DAY_S, ends).m3_h.tolist()
    alarm = NightlyAlarm()
    return [
        Alarm(dma.dma_id, night.end_s)
        for night, day in zip(found, days, strict=True)
        if alarm.update(
            weekday=SUNDAY if night.day in year.holidays else night.weekday,
            night_m3_h=night.mnf_m3_h, day_m3_h=day,
        ).kind == "leak"
    ]  # fmt: skip


def hourly_alarms(year: DistrictYear, dma: DMA) -> list[Alarm]:
    """Alarms of one DMA, hour by hour."""
    hours = hourly_inflow(dma, year.readings)
    wall = local_time(hours.start_s, dma.zone)
    is_holiday = np.isin(wall.day, list(year.holidays))
    weekday = np.where(is_holiday, SUNDAY, wall.weekday)
    slots = (weekday * 24 + wall.hour.astype(np.int64)).tolist()
    alarm = HourlyAlarm()
    return [
        Alarm(dma.dma_id, end_s)
        for slot, end_s, flow in zip(slots, hours.end_s.tolist(), hours.m3_h.tolist(), strict=True)
        if alarm.update(hour_of_week=slot, inflow_m3_h=flow).kind == "leak"
    ]


def calendar_alarms(year: DistrictYear, count: int) -> list[Alarm]:
    """A blind answer: so many alarms, evenly over the year, in each DMA by its inflow."""
    means = {
        dma.dma_id: float(np.nanmean(hourly_inflow(dma, year.readings).m3_h)) for dma in year.dmas
    }
    alarms: list[Alarm] = []
    begin_s, end_s = int(year.readings.at_s[0]), year.readings.end_s
    for dma_id, mean in means.items():
        own = round(count * mean / sum(means.values()))
        times = np.linspace(begin_s, end_s, own + 2)[1:-1].astype(int).tolist()
        alarms += [Alarm(dma_id, at_s) for at_s in times]
    return alarms


def match(year: DistrictYear, alarms: Sequence[Alarm]) -> Matched:
    """Give each alarm, in the order of time, one leak of its DMA that nothing has hit yet.

    An alarm hits a leak between its start and the sooner of its repair and 14 days after its peak.
    It goes to the abrupt leak that began less than two days ago, else to the leak that can wait
    least. Leaks from before the readings may be hit: that is neither counted nor false.
    """
    begin_s, end_s = int(year.readings.at_s[0]), year.readings.end_s
    open_leaks = list(year.leaks)
    hits: list[tuple[Leak, int]] = []
    false = 0
    for alarm in sorted(alarms, key=lambda each: each.at_s):
        fitting = [
            leak for leak in open_leaks
            if leak.dma_id == alarm.dma_id and leak.start_s <= alarm.at_s <= last_s(leak)
        ]  # fmt: skip
        if not fitting:
            false += 1
            continue
        bursts = [
            leak for leak in fitting
            if leak.kind == "abrupt" and alarm.at_s - leak.start_s <= BURST_S
        ]  # fmt: skip
        found = min(bursts or fitting, key=last_s)
        open_leaks.remove(found)
        hits.append((found, alarm.at_s))
    new = tuple(leak for leak in year.leaks if begin_s <= leak.start_s < end_s)
    return Matched(tuple(hits), new, false)


def last_s(leak: Leak) -> int:
    """Until when an alarm is a hit."""
    return min(leak.end_s, leak.peak_s + AFTER_PEAK_S)


def found_within(matched: Matched, hours: float) -> int:
    """Abrupt leaks that were found so soon."""
    return sum(
        leak.kind == "abrupt" and at_s - leak.start_s <= hours * HOUR_S
        for leak, at_s in matched.new_hits
    )


def panels(year: DistrictYear) -> list[Panel]:
    """What a figure of a year shows, district by district: nights, leaks, nightly alarms."""
    return [_panel(year, dma) for dma in year.dmas]


def _panel(year: DistrictYear, dma: DMA) -> Panel:
    found = nights(dma, year.readings)
    ends = np.array([each.end_s for each in found], dtype=np.int64)
    leaks = [leak for leak in year.leaks if leak.dma_id == dma.dma_id]
    truth = np.zeros(len(ends), dtype=bool)
    for leak in leaks:
        truth |= (ends >= leak.start_s) & (ends <= last_s(leak))
    alarms = [each.at_s for each in nightly_alarms(year, dma)]
    starts = np.array([leak.start_s for leak in leaks if leak.start_s >= year.readings.at_s[0]])
    drawn = np.convolve(np.isin(ends, alarms), np.ones(SEEN_NIGHTS))[: len(ends)] > 0
    return Panel(
        title=dma.name, score=np.array([each.mnf_m3_h for each in found]), alarm=drawn,
        truth=truth, marks=np.searchsorted(ends, starts),
    )  # fmt: skip
