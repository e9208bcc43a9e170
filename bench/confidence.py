"""`make bench-confidence`: of the findings that say so many percent, how many are true.

Days of the simulated plant with faults of processes and sensors, drawn from seeds: how many, of
what kind and where the judges do not know. Every finding that opens is true where its asset, or
the district it stands in, has a fault that goes on or has just ended.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from provenance import commit

from ic3.analytics.asset_sightings import Moment, seen
from ic3.analytics.asset_watch import Watched
from ic3.analytics.severity import confidence_percent
from ic3.domain.findings import Sighting, prior_of, wilson
from ic3.evaluation.watched_plant import Feed, register_of
from ic3.simulator.demand import DAY_S
from ic3.simulator.faults import KINDS, Event, Planned
from ic3.simulator.plant import Plant

RESULTS: Final = Path(__file__).resolve().parent.parent / "docs" / "results"
BEGIN_S: Final = 1_781_461_800
ASSETS: Final = 250
LEARNED_STEPS: Final = 2 * 288
JUDGED_STEPS: Final = 288
STEP_S: Final = 300
# In a day, in the mean of many: eight, so that each asset has one a month.
FAULTS: Final = {
    "burst": 0.7, "valve_closed": 0.7, "prv_drift": 0.3, "worn_pump": 0.7, "imbalance": 0.7,
    "rough_bearing": 0.7, "bias": 1.6, "freeze": 1.6, "gap": 1.0,
}  # fmt: skip
MINUTES: Final = 300.0
# What has just ended may still be seen.
GRACE_S: Final = 3600.0
BINS: Final = ((0, 60), (60, 70), (70, 80), (80, 90), (90, 101))


@dataclass(frozen=True, slots=True)
class Opened:
    """A finding where it was surest."""

    seed: int
    kind: str
    cause: str
    of: str
    trust: float
    coverage: float
    severity: float
    confidence: float
    is_true: bool


def day(seed: int) -> list[Opened]:
    """A day with faults after two without; every finding of it."""
    draw = np.random.default_rng(seed)
    plant = Plant(1)
    mapped = sorted({str(row["serialnumber"]) for row in plant.tables()["tagmap"]})
    register = register_of(plant, draw.choice(mapped, ASSETS, replace=False).tolist())
    plant.begin(BEGIN_S + int(draw.integers(0, 300)) * DAY_S)
    feed = Feed(plant, register, Watched(register))
    for _ in range(LEARNED_STEPS):
        feed.five_minutes(STEP_S)
    feed.fit()
    learned = feed.read()
    for step in range(len(learned.at_s)):
        feed.watched.take(learned, step, with_bands=step % 12 == 0)
    events = _faults(feed, draw)
    opened: dict[tuple[str, str], Opened] = {}
    for step in range(JUDGED_STEPS):
        feed.five_minutes(STEP_S)
        feed.watched.take(feed.read(len(feed.columns) - 1), 0, with_bands=step % 12 == 0)
        for each in _sightings(feed):
            key = (each.serial or "", each.cause)
            percent = confidence_percent(
                true_findings=0, false_findings=0, prior=prior_of(each), trust=each.trust,
                coverage=each.coverage,
            )  # fmt: skip
            if key not in opened or percent > opened[key].confidence:
                opened[key] = Opened(
                    seed, each.kind.value, each.cause, key[0], each.trust, each.coverage,
                    each.severity, percent, _is_true(feed, each, events),
                )  # fmt: skip
    plant.close()
    return list(opened.values())


def _faults(feed: Feed, draw: np.random.Generator) -> list[Event]:
    """Faults over the day on assets that are watched, and on their districts."""
    owners = list(feed.register.assets.values())
    dmas = sorted({each.dma_id for each in owners if each.dma_id})
    pumps = [each.serial for each in owners if "_Pump_" in each.serial]
    gauges = [
        f"{owner.serial}:{channel[1]}"
        for owner, channel, parameter in zip(
            feed.watched.owners, feed.watched.channels, feed.watched.parameters, strict=True
        )
        if parameter.kind == "gauge"
    ]
    valves = [each.serial for each in owners if "_SV_" in each.serial]
    places = {"dma": dmas, "pump": pumps, "instrument": gauges, "valve": valves}
    events = []
    for kind, mean in FAULTS.items():
        number = int(draw.poisson(mean))
        for where in draw.choice(places[KINDS[kind].target], number, replace=False).tolist():
            planned = Planned(
                kind=kind, where=where, minutes=MINUTES,
                after_min=float(draw.uniform(30, JUDGED_STEPS * 5 - MINUTES)),
            )  # fmt: skip
            events.append(feed.plant.faults.start(planned, from_s=feed.plant.at_s))
    return events


def _sightings(feed: Feed) -> Sequence[Sighting]:
    moment = Moment(
        until=datetime.fromtimestamp(feed.plant.at_s, UTC), zone=ZoneInfo("Asia/Kolkata"),
        factors={}, reason_of=feed.reason_of,
    )  # fmt: skip
    found = seen(feed.watched, moment)
    return [*found.process, *found.sensor]


def _is_true(feed: Feed, sighting: Sighting, events: Sequence[Event]) -> bool:
    """Whether a fault of its asset or district goes on, or ended within the hour."""
    owner = feed.register.assets[sighting.serial or ""]
    names = {owner.serial, owner.dma_id}
    at_s = feed.plant.at_s
    for event in events:
        serial = event.where.partition(":")[0]
        hit = feed.register.assets.get(serial)
        places = {serial}
        if hit is not None and event.kind == "valve_closed":
            places.add(hit.dma_id or serial)
        if event.begins_s <= at_s <= event.ends_s + GRACE_S and places & names:
            return True
    return False


def table(document: dict[str, Any]) -> str:
    """The figures as a page."""
    found = [Opened(**each) for each in document["findings"]]
    lines = [
        "# How sure findings are, and how often they are right",
        "",
        f"Of {document['at']}, commit {document['commit']}; {document['days']} days of the"
        f" simulated plant, {ASSETS} assets,",
        f"{sum(FAULTS.values()):.0f} faults a day in the mean. Confidence is the greatest"
        " a finding reached",
        "before anybody judged any: its prior, times trust and coverage. The priors were chosen on"
        " other days.",
        "Goal: of findings with 80 to 90 %, 75 to 95 % are true. Written by `make"
        " bench-confidence`.",
        "",
        "| confidence | findings | true | share | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for low, high in BINS:
        lines.append(_row(f"{low}–{min(high, 100)} %", [
            each for each in found if low <= each.confidence < high
        ]))  # fmt: skip
    lines += ["", "| kind | findings | true | share | 95 % interval |", "|---|---|---|---|---|"]
    for kind in ("process", "sensor"):
        lines.append(_row(
            kind, [each for each in found if each.kind == kind],
        ))  # fmt: skip
    return "\n".join([*lines, ""])


def _row(name: str, found: Sequence[Opened]) -> str:
    share = wilson(sum(each.is_true for each in found), len(found))
    if share.value is None or share.low is None or share.high is None:
        return f"| {name} | 0 | 0 | – | – |"
    return (
        f"| {name} | {share.of} | {share.count} | {100 * share.value:.0f} % |"
        f" {100 * share.low:.0f}–{100 * share.high:.0f} % |"
    )


def main() -> None:
    """Measure and write the results; seeds as words, 21 to 24 by default."""
    seeds = [int(word) for word in sys.argv[1:]] or [21, 22, 23, 24]
    found: list[Opened] = []
    for seed in seeds:
        found += day(seed)
        print(f"seed {seed}: {len(found)} findings", file=sys.stderr)
    document: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit(),
        "cores": os.cpu_count(), "days": len(seeds), "seeds": seeds,
        "findings": [asdict(each) for each in found],
    }  # fmt: skip
    (RESULTS / "confidence.json").write_text(json.dumps(document, indent=1) + "\n")
    (RESULTS / "confidence.md").write_text(table(document))
    print(table(document))


if __name__ == "__main__":
    main()
