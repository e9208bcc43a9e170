"""How long the judging of a sweep takes: rules, silence and words, all in memory.

Run `.venv/bin/python bench/alarms.py`; JSON and a table go to docs/results/alarms.*.
"""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from provenance import commit

from ic3.domain.alarm_points import compile_points
from ic3.domain.alarm_rules import Rule
from ic3.domain.alarm_watch import AssetWatch
from ic3.domain.alarms import Alarms
from ic3.domain.envelope import Envelope
from ic3.domain.mapping import Parameter, Register, RegisteredAsset
from ic3.domain.status import Feed
from ic3.domain.sweeps import Sweep
from ic3.turns import at_once

RESULTS: Final = Path(__file__).resolve().parent.parent / "docs" / "results"
TAGS: Final = ("PRESSURE", "FLOW_RATE", "LEVEL", "BATT_V", "TURBIDITY")
NOW_US: Final = 1_781_487_000 * 1_000_000
ROUNDS: Final = 200
GOAL_MS: Final = 50.0


@dataclass(frozen=True, slots=True)
class Case:
    """A size of plant.

    Attributes:
        own_rules: Whether every point has a rule of its own; else one rule a tag for all.
        changed: How many assets a sweep brings.
    """

    name: str
    assets: int
    own_rules: bool
    changed: int


CASES: Final = (
    Case("557 assets, 5 rules for all", 557, False, 557),
    Case("2,000 assets, a rule for each tag", 2000, True, 557),
    Case("10,000 assets, 5 rules for all", 10_000, False, 10_000),
    Case("100,000 assets, 5 rules for all", 100_000, False, 557),
    Case("100,000 assets, all changed", 100_000, False, 100_000),
)


@dataclass(slots=True)
class Outcome:
    """Milliseconds; `quiet` is the tick between two sweeps, `flood` a sweep in which all cross."""

    name: str
    rules: int
    points: int
    compile_ms: float
    adopt_ms: float
    sweep_ms: float
    sweep_p99_ms: float
    quiet_ms: float
    flood_ms: float
    flood_alarms: int


class Bench:
    """One plant of a size."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.random = Random(1)
        parameters = {
            tag: Parameter(n, tag, tag, "bar", kind="gauge", range_low=-1e4, range_high=1e4)
            for n, tag in enumerate(TAGS)
        }
        self.assets = [
            RegisteredAsset(n, f"Area {n % 40}_PT_{n}", parameters, domain=f"DEL-D{n % 20:02}",
                            category="pressure transmitter", dma_id=f"D{n % 40}")
            for n in range(case.assets)
        ]  # fmt: skip
        self.register = Register(1, {each.serial: each for each in self.assets})
        serials = [each.serial if case.own_rules else None for each in self.assets]
        self.rules = [
            Rule(rule_id=n * 5 + at, name=f"{n} {tag}", kind="high", parameter=tag, serial=serial,
                 limit=100.0, deadband=1.0, on_delay_s=30.0, off_delay_s=30.0)
            for n, serial in enumerate(serials if case.own_rules else [None])
            for at, tag in enumerate(TAGS)
        ]  # fmt: skip
        self.feed = Feed(interval_s=15)
        self.watch = AssetWatch(Alarms(), self.feed.freshness)
        self.now = 1000.0

    def sweep(self, number: int, level: float) -> list[Envelope]:
        """A sweep of so many assets, as the feed takes it."""
        self.now += 15
        at_us = NOW_US + int(self.now * 1e6)
        envelopes = [
            Envelope(
                each.serial, "r", None, each.domain, "rest", at_us, 0,
                {tag: level + self.random.random() for tag in TAGS}, {}, "GOOD", "NORMAL",
                at_us, b"h", "{}", "{}",
            )
            for each in self.assets[:number]
        ]  # fmt: skip
        begun = datetime.fromtimestamp(at_us / 1e6, UTC)
        ended = Sweep(begun, self.now, simulated=True, envelopes=envelopes, ended_at=begun)
        self.feed.judge_times(ended)
        return at_once(self.feed.taking(ended))

    def judge(self, news: Sequence[Envelope]) -> int:
        """One round; answers how many alarms were raised or returned."""
        now_us = NOW_US + int(self.now * 1e6)
        self.watch.take(news, now=self.now, now_us=now_us)
        if news:
            at_once(self.watch.judging(now=self.now, now_us=now_us))
        return len(self.watch.evaluate(now=self.now))

    def run(self) -> Outcome:
        """Compile, some rounds, then a flood."""
        points = []
        compile_ms = timed(lambda: points.append(compile_points(self.rules, self.register)))
        adopt_ms = timed(lambda: self.watch.adopt(points[0], lambda _: None))
        self.judge(self.sweep(self.case.assets, 20.0))
        rounds = ROUNDS if self.case.assets <= 10_000 else ROUNDS // 10
        sweeps, quiets = [], []
        for _ in range(rounds):
            news = self.sweep(self.case.changed, 20.0)
            sweeps.append(timed(lambda news=news: self.judge(news)))  # type: ignore[misc]
            self.now += 1
            quiets.append(timed(lambda: self.judge(())))
        for _ in range(2):
            self.judge(self.sweep(self.case.changed, 200.0))
        news, raised = self.sweep(self.case.changed, 200.0), list[int]()
        flood_ms = timed(lambda: raised.append(self.judge(news)))
        return Outcome(
            self.case.name, len(self.rules), len(points[0]), compile_ms, adopt_ms,
            statistics.median(sweeps), sorted(sweeps)[int(0.99 * (rounds - 1))],
            statistics.median(quiets), flood_ms, raised[0],
        )  # fmt: skip


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def table(outcomes: Sequence[Outcome], made_from: str, at: str) -> str:
    """The outcomes for people."""
    lines = [
        "# Judging a sweep", "",
        f"Of {at}, commit {made_from}, {os.cpu_count()} shared cores. Milliseconds, medians of"
        f" {ROUNDS} rounds, of {ROUNDS // 10} with 100,000 assets. A sweep is taken, looked through"
        f" for silence and judged; goal: {GOAL_MS:.0f} ms with 10,000 rules and 557 changed assets."
        " A quiet tick is the second between two sweeps. In the flood every changed tag crosses its"
        " limit and calls.", "",
        "| plant | rules | points | compile | adopt | sweep | p99 | quiet tick | flood | alarms |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| {o.name} | {o.rules:,} | {o.points:,} | {o.compile_ms:,.1f} | {o.adopt_ms:,.1f}"
        f" | {o.sweep_ms:.2f} | {o.sweep_p99_ms:.2f} | {o.quiet_ms:.2f} | {o.flood_ms:.1f}"
        f" | {o.flood_alarms:,} |"
        for o in outcomes
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every case and write the results."""
    outcomes = []
    for case in CASES:
        outcomes.append(Bench(case).run())
        print(outcomes[-1], file=sys.stderr, flush=True)
    here, at = commit(), datetime.now(UTC).isoformat(timespec="seconds")
    document = {
        "at": at, "commit": here, "cores": os.cpu_count(), "python": platform.python_version(),
        "cases": [asdict(each) for each in outcomes],
    }  # fmt: skip
    (RESULTS / "alarms.json").write_text(json.dumps(document, indent=2) + "\n")
    (RESULTS / "alarms.md").write_text(table(outcomes, here, at))


if __name__ == "__main__":
    main()
