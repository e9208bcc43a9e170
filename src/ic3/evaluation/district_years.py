"""Years of district flows with leaks of which all is known: what the alarms are tuned on.

Demand has noise of its own here, not that of the simulated plant, and every year draws its own
habits: how deep the night is, how strong the season, how large the districts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final, Literal

import numpy as np

from ic3.analytics.dma import DMA, InflowMeter, StorageTank
from ic3.analytics.inflow import DAY_S, HOUR_S, Floats, Ints, Readings

DAYS: Final = 365
START_S: Final = 1_767_225_600  # 2026-01-01 UTC, a Thursday
NEW_LEAKS: Final = 19
ABRUPT_LEAKS: Final = 8
OLD_LEAKS: Final = 4
SMALLEST_M3_H, LARGEST_M3_H = 5.0, 35.0
TANK_AREA_M2: Final = 200.0
TANK_RANGE_M: Final = (1.5, 4.0)
PUMP_SHARE: Final = 2.2  # of the district's mean, while it runs
LEVEL_NOISE_M: Final = 0.004
FOR_EVER_S: Final = 1 << 60
# Hours from midnight, mean 1 after scaling; the depth of the night is drawn.
DOMESTIC: Final = np.array([
    0.2, 0.08, 0.0, 0.02, 0.1, 0.45, 1.0, 1.3, 1.25, 1.0, 0.85, 0.8,
    0.82, 0.8, 0.7, 0.68, 0.75, 0.95, 1.15, 1.2, 1.05, 0.85, 0.6, 0.38,
])  # fmt: skip
OFFICES: Final = np.array([0.0] * 6 + [0.4, 1.0, 1.6, 1.8, 1.8, 1.8, 1.6, 1.7, 1.7, 1.6, 1.3, 0.9]
                          + [0.5, 0.3, 0.15, 0.05, 0.0, 0.0])  # fmt: skip

Kind = Literal["abrupt", "incipient"]


@dataclass(frozen=True, slots=True)
class Leak:
    """A leak, seconds since 1970 UTC.

    Attributes:
        peak_s: When it has its full size; its start where it is abrupt.
        end_s: When it is repaired; beyond the data where it is not.
        node: Its node of the hydraulic model, where it is known.
    """

    dma_id: str
    start_s: int
    peak_s: int
    end_s: int
    size_m3_h: float
    kind: Kind
    node: str = ""


@dataclass(frozen=True, slots=True)
class DistrictYear:
    """Definitions, readings and leaks of one network over a stretch of time.

    Attributes:
        holidays: Local days since 1970 on which people live as on a Sunday, known beforehand.
    """

    name: str
    dmas: tuple[DMA, ...]
    readings: Readings
    leaks: tuple[Leak, ...]
    holidays: frozenset[int] = frozenset()


def simulate(seed: int) -> DistrictYear:
    """A year of three districts by the hour; the same seed gives the same year."""
    draw = np.random.default_rng(seed)
    at_s = START_S + np.arange(DAYS * 24, dtype=np.int64) * HOUR_S
    total_m3_h = draw.uniform(90, 150)
    shares = _shares(draw)
    leaks = _draw_leaks(draw, int(at_s[0]), int(at_s[-1]), shares)
    leakage = {dma_id: np.full(len(at_s), 0.08 * total_m3_h * share)
               for dma_id, share in shares.items()}  # fmt: skip
    for leak in leaks:
        leakage[leak.dma_id] += _flow(leak, at_s, power=draw.choice([1, 2]))
    city = _habits(draw)
    values: dict[str, Floats] = {}
    dmas = []
    for dma_id, share in shares.items():
        taken = share * total_m3_h * _demand(draw, city) + leakage[dma_id]
        tanks: tuple[StorageTank, ...] = ()
        if dma_id == "C":
            taken, level = _by_tank(draw, taken)
            values["C:LEVEL"] = _with_gaps(draw, level)
            tanks = (StorageTank(serial="C", tag="LEVEL", area_m2=TANK_AREA_M2),)
        metered = taken * (1 + 0.004 * draw.standard_normal(len(taken)))
        values[f"{dma_id}:FLOW"] = _with_gaps(draw, metered)
        dmas.append(
            DMA(
                dma_id=dma_id, name=f"District {dma_id}", zone="UTC", tanks=tanks,
                valid_from=datetime.fromtimestamp(START_S, tz=UTC),
                meters=(InflowMeter(serial=dma_id, tag="FLOW"),),
            )
        )  # fmt: skip
    return DistrictYear(
        f"simulated {seed}",
        tuple(dmas),
        Readings(at_s, values),
        tuple(leaks),
        frozenset((START_S // DAY_S + np.flatnonzero(city.holidays)).tolist()),
    )


def _shares(draw: np.random.Generator) -> dict[str, float]:
    """A large district and two small ones."""
    large = draw.uniform(0.55, 0.9)
    middle = draw.uniform(0.4, 0.7) * (1 - large)
    return {"A": large, "B": middle, "C": 1 - large - middle}


def _draw_leaks(
    draw: np.random.Generator, begin_s: int, end_s: int, shares: dict[str, float]
) -> list[Leak]:
    """Leaks old and new, in districts by their size, some repaired within the year."""
    leaks = []
    for number in range(NEW_LEAKS + OLD_LEAKS):
        abrupt = number < ABRUPT_LEAKS or (number >= NEW_LEAKS and draw.random() < 0.5)
        start_s = int(draw.uniform(begin_s + 10 * DAY_S, end_s - 10 * DAY_S))
        if number >= NEW_LEAKS:
            start_s = begin_s - int(draw.uniform(5, 150) * DAY_S)
        growth_s = 0 if abrupt else int(draw.uniform(15, 100) * DAY_S)
        stays_s = int(draw.uniform(8, 75) * DAY_S) if draw.random() < 0.55 else FOR_EVER_S
        leaks.append(
            Leak(
                dma_id=str(draw.choice(list(shares), p=list(shares.values()))), start_s=start_s,
                peak_s=start_s + growth_s, end_s=max(start_s + growth_s + stays_s, begin_s),
                size_m3_h=SMALLEST_M3_H * (LARGEST_M3_H / SMALLEST_M3_H) ** draw.random(),
                kind="abrupt" if abrupt else "incipient",
            )
        )  # fmt: skip
    return leaks


def _flow(leak: Leak, at_s: Ints, *, power: int) -> Floats:
    """Flow of a leak at moments; a growing one by time, or by its square."""
    grown = np.clip((at_s - leak.start_s) / max(leak.peak_s - leak.start_s, 1), 0.0, 1.0)
    flow: Floats = np.where(at_s < leak.end_s, leak.size_m3_h * grown**power, 0.0)
    return flow


@dataclass(frozen=True, slots=True)
class _Habits:
    """What all districts of a year have in common.

    Attributes:
        season: float64 (days,); `city` is float64 (hours,): about 1.
        holidays: bool (days,), days like a Sunday.
        night: What is taken at the quietest hour, of the mean.
    """

    season: Floats
    city: Floats
    holidays: np.ndarray[tuple[int], np.dtype[np.bool_]]
    night: float
    noise: float


def _habits(draw: np.random.Generator) -> _Habits:
    day = np.arange(DAYS)
    phase = draw.uniform(0, 2 * np.pi, 2)
    season = (
        1 + draw.uniform(0.03, 0.12) * np.cos(2 * np.pi * day / DAYS + phase[0])
        + draw.uniform(0, 0.03) * np.cos(4 * np.pi * day / DAYS + phase[1])
        + draw.uniform(-0.03, 0.03) * day / DAYS
    )  # fmt: skip
    noise = float(draw.uniform(0.2, 1.1))
    city = 1 + noise * 0.012 * _wander(draw, 12.0)
    holidays = draw.random(DAYS) < 12 / DAYS
    return _Habits(season, city, holidays, float(draw.uniform(0.25, 0.55)), noise)


def _demand(draw: np.random.Generator, city: _Habits) -> Floats:
    """Consumption of a district by the hour, mean about 1: float64 (hours,)."""
    offices = draw.uniform(0.05, 0.3)
    days = np.arange(DAYS)
    weekend = (days + 3) % 7 >= 5  # the first day is a Thursday
    free = weekend | city.holidays
    level = city.night * draw.uniform(0.9, 1.1)
    domestic = level + (1 - level) * DOMESTIC / DOMESTIC.mean()
    late = domestic.copy()
    late[6:12] = 0.6 * domestic[6:12] + 0.4 * domestic[5:11]
    at_home = np.where(free[:, None], late * draw.uniform(1.0, 1.1), domestic)
    at_work = np.where(free[:, None], 0.3, 1.0) * OFFICES / OFFICES.mean()
    shape = ((1 - offices) * at_home + offices * at_work) * city.season[:, None]
    spread = city.noise * (0.02 * _wander(draw, 3.0) + 0.015 * draw.standard_normal(DAYS * 24))
    daily = np.repeat(city.noise * 0.008 * draw.standard_normal(DAYS), 24)
    demand: Floats = shape.ravel() * city.city * (1 + spread + daily)
    return demand


def _wander(draw: np.random.Generator, hours: float) -> Floats:
    """Noise of standard deviation 1 that forgets itself within some hours."""
    keep = float(np.exp(-1 / hours))
    shocks = draw.standard_normal(DAYS * 24) * np.sqrt(1 - keep**2)
    return np.array(list(accumulate(shocks.tolist(), lambda old, new: keep * old + new)))


def _by_tank(draw: np.random.Generator, taken_m3_h: Floats) -> tuple[Floats, Floats]:
    """Inflow by a pump that runs by the level of a tank, and that level: float64 (hours,) each."""
    pump_m3_h = PUMP_SHARE * float(taken_m3_h.mean())
    level, on = 3.0, True
    flows, levels = [], []
    for use in taken_m3_h.tolist():
        on = level < TANK_RANGE_M[1] if on else level < TANK_RANGE_M[0]
        flows.append(pump_m3_h if on else 0.0)
        levels.append(level)
        level += ((pump_m3_h if on else 0.0) - use) / TANK_AREA_M2
    read = np.array(levels) + LEVEL_NOISE_M * draw.standard_normal(len(levels))
    return np.array(flows), np.round(read, 2)


def _with_gaps(draw: np.random.Generator, series: Floats) -> Floats:
    """Some hours missing here and there, and once a year some days."""
    missing = draw.random(len(series)) < 0.004
    start = int(draw.integers(0, len(series) - 100))
    missing[start : start + int(draw.integers(12, 96))] = True
    return np.where(missing, np.nan, series)
