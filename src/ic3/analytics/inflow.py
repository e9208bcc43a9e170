"""What a DMA took in: its meters by their signs, less what went into its tanks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from ic3.analytics.dma import DMA, StorageTank
from ic3.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOUR_S: Final = 3600
DAY_S: Final = 86_400
MEASURED_SHARE_NEEDED: Final = 0.5
LEVEL_GAP_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Readings:
    """Series on one time axis.

    Attributes:
        at_s: int64 (times,), seconds since 1970 UTC, evenly spaced and rising. A flow holds from
            its time to the next.
        values: Name of a series, `SERIAL:TAG`, to float64 (times,), NaN where missing. Flows in
            m3/h, levels and pressures in m.

    Raises:
        InputError: The times are not even, or a series has another length.
    """

    at_s: Ints
    values: Mapping[str, Floats]

    def __post_init__(self) -> None:
        if len(self.at_s) < 2 or (np.diff(self.at_s) != self.at_s[1] - self.at_s[0]).any():
            raise InputError("readings: the times are not evenly spaced")
        if self.step_s <= 0 or self.step_s > HOUR_S or HOUR_S % self.step_s:
            raise InputError("readings: the step must be a part of an hour, and times must rise")
        for name, series in self.values.items():
            if len(series) != len(self.at_s):
                raise InputError(f"readings: {name} has another length than the times")

    @property
    def step_s(self) -> int:
        """Seconds between two times."""
        return int(self.at_s[1] - self.at_s[0])

    @property
    def end_s(self) -> int:
        """The end of the last step."""
        return int(self.at_s[-1]) + self.step_s

    def series(self, name: str) -> Floats:
        """A series; all NaN where there is none."""
        found = self.values.get(name)
        return np.full(len(self.at_s), np.nan) if found is None else found


@dataclass(frozen=True, slots=True)
class Inflow:
    """Mean inflow of windows of time.

    Attributes:
        start_s: int64 (windows,); `end_s` likewise.
        m3_h: float64 (windows,), NaN where less than half of it was measured.
        measured_share: float64 (windows,): of the least measured meter, 0-1.
    """

    start_s: Ints
    end_s: Ints
    m3_h: Floats
    measured_share: Floats


def inflow(dma: DMA, readings: Readings, start_s: Ints, end_s: Ints) -> Inflow:
    """Mean inflow of windows: what the meters let in, less what the tanks took.

    A window's storage change is its end level less its start level: over a short window the
    level's resolution makes that figure poor.

    Args:
        dma: Whose meters and tanks.
        readings: Of them; a window outside of it is not measured.
        start_s: int64 (windows,), seconds since 1970 UTC.
        end_s: int64 (windows,), above the start.

    Source:
        Q_in = sum of s_i·Q_i less sum of A_j·dL_j/dt.
    """
    flow, share = np.zeros(len(start_s)), np.ones(len(start_s))
    for meter in dma.meters:
        mean, measured = window_mean(readings, meter.key, start_s, end_s)
        flow += meter.sign * mean
        share = np.minimum(share, measured)
    for tank in dma.tanks:
        change_m3 = content_m3(tank, readings, end_s) - content_m3(tank, readings, start_s)
        flow -= change_m3 / ((end_s - start_s) / HOUR_S)
    return Inflow(start_s, end_s, np.where(share >= MEASURED_SHARE_NEEDED, flow, np.nan), share)


def hourly_inflow(dma: DMA, readings: Readings) -> Inflow:
    """Mean inflow of each whole local hour of the readings: India's begin at half past in UTC."""
    begin_s = int(readings.at_s[0])
    into_s = round(float(local_time(readings.at_s[:1], dma.zone).hour[0]) * HOUR_S)
    first = begin_s + -into_s % HOUR_S
    start_s = np.arange(first, readings.end_s - HOUR_S + 1, HOUR_S, dtype=np.int64)
    return inflow(dma, readings, start_s, start_s + HOUR_S)


def window_mean(readings: Readings, name: str, start_s: Ints, end_s: Ints) -> tuple[Floats, Floats]:
    """Mean of a series in windows, NaN where nothing was measured, and the share measured."""
    series = readings.series(name)
    good = np.isfinite(series)
    sums = np.concatenate([[0.0], np.cumsum(np.where(good, series, 0.0))])
    counts = np.concatenate([[0], np.cumsum(good)])
    first = np.searchsorted(readings.at_s, start_s)
    last = np.searchsorted(readings.at_s, end_s)
    number = counts[last] - counts[first]
    whole = (end_s - start_s) / readings.step_s
    mean = np.where(number > 0, (sums[last] - sums[first]) / np.maximum(number, 1), np.nan)
    return mean, number / whole


def content_m3(tank: StorageTank, readings: Readings, at_s: Ints) -> Floats:
    """Content of a tank at moments, NaN where no level was read within an hour.

    With an area alone it counts from an empty tank.
    """
    series = readings.series(tank.key)
    good = np.isfinite(series)
    if not good.any():
        return np.full(len(at_s), np.nan)
    times = readings.at_s[good]
    after = np.minimum(np.searchsorted(times, at_s), len(times) - 1)
    before = np.maximum(after - 1, 0)
    gap_s = np.minimum(np.abs(times[after] - at_s), np.abs(times[before] - at_s))
    level = np.where(gap_s <= LEVEL_GAP_S, np.interp(at_s, times, series[good]), np.nan)
    if tank.area_m2 is not None:
        return level * tank.area_m2
    levels, volumes = zip(*tank.level_volume, strict=True)
    content: Floats = np.where(np.isnan(level), np.nan, np.interp(level, levels, volumes))
    return content


@dataclass(frozen=True, slots=True)
class LocalTime:
    """Moments by the clock on the wall.

    Attributes:
        day: int64 (times,), days since 1970 of the local date.
        hour: float64 (times,), 0 to 24.
    """

    day: Ints
    hour: Floats

    @property
    def weekday(self) -> Ints:
        """0 is Monday: day 0, 1970-01-01, was a Thursday."""
        return (self.day + 3) % 7


def local_time(at_s: Ints, zone: str) -> LocalTime:
    """Moments in a time zone.

    Args:
        at_s: int64 (times,), seconds since 1970 UTC.
        zone: IANA name.
    """
    place = ZoneInfo(zone)
    hours, where = np.unique(at_s // HOUR_S, return_inverse=True)
    offsets = [datetime.fromtimestamp(h * HOUR_S, tz=place).utcoffset() for h in hours.tolist()]
    offset_s = np.array([each.total_seconds() if each else 0.0 for each in offsets])[where]
    day, second = np.divmod(at_s + offset_s.astype(np.int64), DAY_S)
    return LocalTime(day, second / HOUR_S)


def local_moment(day: int, hour: float, zone: str) -> int:
    """Seconds since 1970 UTC of an hour of a local day."""
    wall = datetime.fromtimestamp(day * DAY_S + hour * HOUR_S, tz=UTC).replace(
        tzinfo=ZoneInfo(zone)
    )
    return int(wall.timestamp())
