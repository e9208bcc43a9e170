"""Sensors of the simulated plant that freeze, jump, fall silent or drift, and which are found.

Readings go the way of the live plant: envelopes, marks, five minutes, the worker's models and
watch. Which tags are faulty, and when, is drawn from a seed; nothing of it is told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from ic3.analytics import sensor_drift
from ic3.analytics.asset_sightings import Moment, seen
from ic3.analytics.asset_watch import Watched
from ic3.analytics.five_minutes import STEP_S, DayLevels
from ic3.analytics.sensor_drift import Ints
from ic3.analytics.similarity import Floats
from ic3.evaluation.figures import Waits, draw_waits
from ic3.evaluation.report import Score
from ic3.evaluation.watched_plant import Feed, register_of
from ic3.simulator.demand import DAY_S
from ic3.simulator.faults import Planned
from ic3.simulator.plant import Plant

AREA: Final = "sensors"
SEED: Final = 7
# A midnight in Delhi.
BEGIN_S: Final = 1_781_461_800
ZONE: Final = ZoneInfo("Asia/Kolkata")
ASSETS: Final = 150
FAULTS: Final = 30  # of each kind
LEARNED_STEPS: Final = 2 * 288
TICK_S: Final = 15
JUDGED_STEPS: Final = 42
QUIET_STEPS: Final = 6
FAULT_MINUTES: Final = 120.0
QUICK: Final = ("freeze", "spike", "gap")
FOUND_GOAL: Final = 0.95
FALSE_GOAL: Final = 1.0  # in 100 sensor-days

DRIFT_TICK_S: Final = 1800
DRIFTS: Final = 40
DRIFT_PERCENT: Final = 5.0
GROWING_DAYS: Final = 3
WITHIN_DAYS: Final = 7
DRIFT_FROM_DAY: Final = 12


@dataclass(frozen=True, slots=True)
class Seeded:
    """A fault of one channel; `found_min` is minutes after its begin, None where it was not."""

    kind: str
    serial: str
    tag: str
    begins_s: float
    found_min: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the seeded faults of some kinds.

    Attributes:
        false: Findings about other sensors, in words.
        channels: How many were watched.
        days: For how long.
    """

    faults: Sequence[Seeded]
    false: Sequence[str]
    channels: int
    days: float


def quick(seed: int) -> Outcome:
    """Freezes, spikes and gaps of two hours, in readings every 15 s after two days of history."""
    feed, draw = _feed(seed)
    for _ in range(LEARNED_STEPS):
        feed.five_minutes(STEP_S)
    feed.fit()
    learned = feed.read()
    for step in range(len(learned.at_s)):
        feed.watched.take(learned, step, with_bands=False)
    faults = _seed_quick(feed, draw)
    found: dict[tuple[str, str], float] = {}
    for _ in range(JUDGED_STEPS):
        feed.five_minutes(TICK_S)
        feed.watched.take(feed.read(len(feed.columns) - 1), 0, with_bands=False)
        for serial, tag, cause in _sightings(feed):
            found.setdefault((serial, f"{cause}:{tag}"), float(feed.plant.at_s))
    feed.plant.close()
    return _outcome(faults, found, feed, JUDGED_STEPS * STEP_S / DAY_S)


def drifting(seed: int) -> Outcome:
    """Drifts that grow to 5 % of the range in three days and stay, by daily means."""
    feed, draw = _feed(seed)
    feed.five_minutes(STEP_S)
    gauges = [
        at for at, each in enumerate(feed.watched.parameters)
        if each.kind == "gauge" and np.isfinite(feed.watched.span[at])
    ]  # fmt: skip
    from_s = BEGIN_S + DRIFT_FROM_DAY * DAY_S
    faults = []
    # Two that drift alike in one district look like its process.
    for at in _one_each(_districts(feed), draw, gauges)[:DRIFTS]:
        serial, tag = feed.watched.owners[at].serial, feed.watched.channels[at][1]
        size = _direction(feed, at, draw) * DRIFT_PERCENT
        for kind, after, lasting in (
            ("drift", 0, GROWING_DAYS), ("bias", GROWING_DAYS, WITHIN_DAYS - GROWING_DAYS),
        ):  # fmt: skip
            feed.plant.faults.start(
                Planned(kind=kind, where=f"{serial}:{tag}", magnitude=size,
                        after_min=1440.0 * after, minutes=1440.0 * lasting),
                from_s=from_s,
            )  # fmt: skip
        faults.append(Seeded("drift", serial, tag, from_s))
    days: list[Floats] = []
    found: dict[tuple[str, str], float] = {}
    for day in range(1, DRIFT_FROM_DAY + WITHIN_DAYS + 1):
        days.append(_day(feed))
        table, span = np.array(days[-sensor_drift.DAYS :]).T, feed.watched.span
        for each in sensor_drift.drifts(table, span, feed.watched.relatives()):
            key = (feed.watched.owners[each.channel].serial,
                   f"drift:{feed.watched.channels[each.channel][1]}")  # fmt: skip
            found.setdefault(key, float(BEGIN_S + day * DAY_S))
    feed.plant.close()
    judged = WITHIN_DAYS + DRIFT_FROM_DAY - sensor_drift.APART_DAYS
    return _outcome(faults, found, feed, judged)


def _direction(feed: Feed, at: int, draw: np.random.Generator) -> int:
    """Up or down; inwards where the range ends: beyond it nothing can be shown."""
    parameter, asset = feed.watched.parameters[at], feed.watched.owners[at]
    true = feed.plant.instruments.true[
        feed.plant.instruments.place[f"{asset.serial}:{feed.watched.channels[at][1]}"]
    ]
    share = (true - parameter.range_low) / feed.watched.span[at]
    if DRIFT_PERCENT / 100 < share < 1 - DRIFT_PERCENT / 100:
        return 1 if draw.random() < 0.5 else -1
    return 1 if share < 0.5 else -1


def _day(feed: Feed) -> Floats:
    """Level of each channel over the plant's next day: float64 (channels,)."""
    first = len(feed.columns)
    for _ in range(DAY_S // DRIFT_TICK_S):
        feed.plant.move(DRIFT_TICK_S - STEP_S)
        feed.five_minutes(STEP_S)
    values = feed.read(first).values
    # A counter's is never known.
    values[~np.isfinite(values).any(axis=1)] = 0.0
    mean, upper = np.nanmean(values, axis=1), np.nanquantile(values, 0.9, axis=1)
    return feed.watched.levels(DayLevels(mean[:, None], upper[:, None]))[:, 0]


def _feed(seed: int) -> tuple[Feed, np.random.Generator]:
    """Some assets of every kind, and what draws their faults."""
    draw = np.random.default_rng(seed)
    plant = Plant(1)
    mapped = {row["serialnumber"] for row in plant.tables()["tagmap"]}
    serials = sorted(each.serial for each in plant.assets if each.serial in mapped)
    register = register_of(plant, draw.choice(serials, ASSETS, replace=False).tolist())
    plant.begin(BEGIN_S)
    return Feed(plant, register, Watched(register)), draw


def _seed_quick(feed: Feed, draw: np.random.Generator) -> list[Seeded]:
    """Faults of assets that are running: what rests at zero cannot be told from what is frozen."""
    values = np.array([each.last for each in feed.columns]).T
    moving = np.array([
        parameter.kind == "gauge" and np.ptp(row[-12:]) > 0 and not parameter.rests_at(row[-1])
        for parameter, row in zip(feed.watched.parameters, values, strict=True)
    ])  # fmt: skip
    assets = np.array([number for number, _ in feed.watched.channels])
    chosen = _one_each(assets, draw, np.flatnonzero(moving).tolist())
    kinds = np.repeat(QUICK, FAULTS).tolist()
    faults: list[Seeded] = []
    for kind, at in zip(kinds, chosen, strict=False):
        serial, tag = feed.watched.owners[at].serial, feed.watched.channels[at][1]
        after_min = (QUIET_STEPS + float(draw.uniform(0, QUIET_STEPS))) * STEP_S / 60
        whole = kind == "gap" and len(faults) % 2 == 0
        event = feed.plant.faults.start(
            Planned(kind=kind, where=serial if whole else f"{serial}:{tag}", after_min=after_min,
                    minutes=FAULT_MINUTES),
            from_s=feed.plant.at_s,
        )  # fmt: skip
        faults.append(Seeded(kind, serial, "" if whole else tag, event.begins_s))
    return faults


def _districts(feed: Feed) -> Ints:
    """A number for the district and domain of each channel, its own where it is in none."""
    names = [each.dma_id or each.serial for each in feed.watched.owners]
    return np.unique(names, return_inverse=True)[1]


def _one_each(group: Ints, draw: np.random.Generator, places: Sequence[int]) -> list[int]:
    """At most one channel of each group, in an order of its own."""
    chosen: dict[int, int] = {}
    for at in draw.permutation(places).tolist():
        chosen.setdefault(int(group[at]), at)
    return list(chosen.values())


def _sightings(feed: Feed) -> list[tuple[str, str, str]]:
    """Serial number, tag and cause of what is seen of sensors now."""
    if feed.watched.sensors.feed_is_silent:
        return []
    until = datetime.fromtimestamp(feed.plant.at_s, UTC)
    moment = Moment(until=until, zone=ZONE, factors={}, reason_of=feed.reason_of)
    return [
        (each.serial or "", each.tag or "", each.cause.partition(":")[0])
        for each in seen(feed.watched, moment).sensor
    ]


def _outcome(
    faults: Sequence[Seeded], found: dict[tuple[str, str], float], feed: Feed, days: float
) -> Outcome:
    """Match what was seen with what was seeded."""
    done = []
    for fault in faults:
        times = [
            at_s for (serial, cause), at_s in found.items()
            if serial == fault.serial and fault.tag in ("", cause.partition(":")[2])
            and at_s >= fault.begins_s
        ]  # fmt: skip
        after = (min(times) - fault.begins_s) / 60 if times else None
        done.append(Seeded(fault.kind, fault.serial, fault.tag, fault.begins_s, after))
    own = {each.serial: each for each in faults}
    false = [
        f"{serial} {cause}" for (serial, cause), at_s in found.items()
        if serial not in own or at_s < own[serial].begins_s
        or own[serial].tag not in ("", cause.partition(":")[2])
    ]  # fmt: skip
    return Outcome(done, sorted(false), len(feed.watched.channels), days)


def scores(outcomes: Sequence[Outcome]) -> list[Score]:
    """A row a kind of fault, and one of false findings."""
    rows = []
    for kind in (*QUICK, "drift"):
        faults = _of_kind(outcomes, kind)
        channels = max(one.channels for one in outcomes)
        rows.append(_share(kind, faults, len(faults) / channels))
    days = sum(each.channels * each.days for each in outcomes)
    false = [each for one in outcomes for each in one.false]
    rate = 100 * len(false) / days
    rows.append(
        Score(
            area=AREA, data=f"simulated plant, {days:.0f} sensor-days",
            figure="false findings in 100 sensor-days", value=rate, goal=f"≤ {FALSE_GOAL:g}",
            met=rate <= FALSE_GOAL, note=f"{len(false)}: {_words(false)}",
        )
    )  # fmt: skip
    return rows


def _of_kind(outcomes: Sequence[Outcome], kind: str) -> list[Seeded]:
    return [each for one in outcomes for each in one.faults if each.kind == kind]


def _share(kind: str, faults: Sequence[Seeded], blind: float) -> Score:
    times = [each.found_min for each in faults if each.found_min is not None]
    missed = [f"{each.serial} {each.tag}" for each in faults if each.found_min is None]
    share = len(times) / len(faults)
    unit, size = _UNITS[kind]
    median = f"median {np.median(times) / size:.0f} {unit} after its begin" if times else ""
    return Score(
        area=AREA, data=f"simulated plant, {len(faults)} seeded", figure=f"{_FIGURES[kind]} found",
        value=share, blind=blind, goal=f"≥ {FOUND_GOAL:g}", met=share >= FOUND_GOAL,
        note=f"{median}; missed: {_words(missed)}; blind: as many sensors by lot",
    )  # fmt: skip


_FIGURES: Final = {
    "freeze": "freezes", "spike": "spikes (a tenth of readings)", "gap": "gaps",
    "drift": f"drifts of {DRIFT_PERCENT:g} % of range within {WITHIN_DAYS} d",
}  # fmt: skip
_UNITS: Final = dict.fromkeys(QUICK, ("min", 1.0)) | {"drift": ("d", 1440.0)}


def _words(names: Sequence[str]) -> str:
    shown = ", ".join(names[:6])
    return shown + (" …" if len(names) > 6 else "") if names else "none"


def found(folder: Path) -> bool:
    """Always: the plant needs no file."""
    return True


def evaluate(folder: Path, *, out: Path, say: Callable[[str], None]) -> list[Score]:
    """Scores of sensor faults, and a figure of how long each took to find."""
    try:
        import epanet_plus  # noqa: F401  an extra
    except ImportError:
        note = "the simulated plant is not installed: pip install ic3[sim]"
        return [Score(area=AREA, data="simulated plant", figure="sensor faults found", value=None,
                      goal=f"≥ {FOUND_GOAL:g}", note=note)]  # fmt: skip
    say(f"{AREA}: freezes, spikes and gaps")
    short = quick(SEED)
    say(f"{AREA}: drifts")
    outcomes = [short, drifting(SEED)]
    draw_waits(waits(outcomes), out / "eval-sensor-faults.png", say=say)
    return scores(outcomes)


def waits(outcomes: Sequence[Outcome]) -> list[Waits]:
    """How long each kind took to find."""
    drawn = []
    for kind, title in _FIGURES.items():
        faults = _of_kind(outcomes, kind)
        unit, size = _UNITS[kind]
        times = [each.found_min / size for each in faults if each.found_min is not None]
        drawn.append(Waits(title=title, unit=unit, after=times, total=len(faults)))
    return drawn
