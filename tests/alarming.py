"""Alarms driven by hand: own clocks, own plant, no network and no database."""

import asyncio
from datetime import UTC, datetime

import msgspec

from ic3.clock import Clock
from ic3.domain.alarm_rules import Rule, RuleTable
from ic3.domain.alarms import Alarm, Alarms, Change
from ic3.domain.envelope import Envelope, Value
from ic3.domain.figures import Figures
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Parameter, Register, RegisteredAsset
from ic3.domain.status import AssetState, Feed
from ic3.domain.sweeps import Sweep
from ic3.observations import RunLogged
from ic3.turns import at_once
from ic3.workers.alarms import Alarms as Worker
from ic3.workers.alarms import News, Noticed

NOW_US = int(datetime(2026, 6, 15, 1, 42, tzinfo=UTC).timestamp()) * 1_000_000
SECOND_US = 1_000_000
STARTED = 1000.0
INTERVAL_S = 15.0
PT = "Azadpur_PT_6"
PRESSURE = Parameter(
    1, "Pressure", "PRESSURE", "bar", kind="gauge", range_low=0, range_high=10
)  # fmt: skip
FLOW = Parameter(2, "Flow", "FLOW_RATE", "m3/h", kind="gauge", range_low=-4000, range_high=4000)
MODE = Parameter(3, "Mode", "MODE", None, kind="text")
LOW = Rule(
    rule_id=1, name="low pressure", kind="low", parameter="PRESSURE", limit=0.35, deadband=0.1
)


def asset(
    serial: str = PT, number: int = 1, *, category: str | None = "pressure transmitter",
    domain: str | None = "DEL-D03", dma_id: str | None = "DEL-D03-A2",
) -> RegisteredAsset:  # fmt: skip
    """An asset with a pressure, a flow and a mode."""
    return RegisteredAsset(
        number, serial, {"PRESSURE": PRESSURE, "FLOW_RATE": FLOW, "MODE": MODE},
        domain=domain, category=category, dma_id=dma_id,
    )  # fmt: skip


def register(*assets: RegisteredAsset, version: int = 1) -> Register:
    """A register of these."""
    return Register(version, {each.serial: each for each in assets or (asset(),)})


class HandClock(Clock):
    """A wall clock and a monotonic one that are moved by hand."""

    def __init__(self) -> None:
        self.mono = STARTED
        self.wall_us = NOW_US

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.wall_us / 1e6, UTC)

    def now_us(self) -> int:
        return self.wall_us

    def monotonic(self) -> float:
        return self.mono

    def wait(self, seconds: float) -> None:
        self.mono += seconds
        self.wall_us += int(seconds * SECOND_US)


class Control:
    """The worker with everything around it."""

    def __init__(
        self, *rules: Rule, known: Register | None = None, alarms: Alarms | None = None,
        clock: HandClock | None = None, interval_s: float = INTERVAL_S,
    ) -> None:  # fmt: skip
        self.clock = clock or HandClock()
        self.alarms = Alarms() if alarms is None else alarms
        self.heard: list[Change] = []
        self.alarms.listen(self.heard.append)
        self.feed = Feed(interval_s=interval_s)
        self.feed.restore([], [])
        self.feed.freshness.restore([])
        self.latest = LatestReadings()
        self.latest.register = known or register()
        self.rules = RuleTable(rules or (LOW,))
        self.news, self.noticed = News(), Noticed(self.clock)
        self.away: str | None = None
        self.figures = Figures()
        self.spool_share = 0.0
        self.records = 0
        self.worker = Worker(
            alarms=self.alarms, rules=self.rules, news=self.news, noticed=self.noticed,
            feed=self.feed, latest=self.latest, away=lambda: self.away,
            spool_share=lambda: self.spool_share, figures=self.figures, interval_s=interval_s,
            clock=self.clock,
        )  # fmt: skip
        self.compile()

    def compile(self) -> None:
        asyncio.run(self.worker.compile())

    def record(
        self, serial: str = PT, *, old_s: float = 0.0, quality: str | None = "GOOD",
        alarm: str | None = "NORMAL", **values: Value,
    ) -> Envelope:  # fmt: skip
        """A record received now."""
        self.records += 1
        return Envelope(
            serial, f"r-{self.records}", None, "DEL-D08", "rest",
            self.clock.wall_us - int(old_s * SECOND_US), 0, values, {}, quality, alarm,
            self.clock.wall_us, b"h", "{}", "{}",
        )  # fmt: skip

    def sweep(self, *records: Envelope, error: str | None = None) -> None:
        """A sweep ends and is judged."""
        ended = Sweep(
            begun_at=self.clock.now(), started=self.clock.mono, simulated=False, error=error,
            envelopes=list(records), accepted=len(records), ended_at=self.clock.now(),
        )  # fmt: skip
        if error is None:
            self.noticed(RunLogged(5, len(records), len(records), 0, 0, 0))
        ended.times = self.feed.freshness.times_of(ended)
        self.news.put(at_once(self.feed.taking(ended)))
        at_once(self.worker.judging(swept=True))

    def say(self, *, wait_s: float = INTERVAL_S, serial: str = PT, **values: Value) -> None:
        """Time passes, then a sweep brings one record."""
        self.clock.wait(wait_s)
        record = self.record(serial)
        self.sweep(msgspec.structs.replace(record, values=values))

    def tick(self, seconds: float = 1.0) -> None:
        """Time passes without a sweep."""
        self.clock.wait(seconds)
        at_once(self.worker.judging(swept=False))

    def known(self, serial: str = PT, *, old_s: float = 60.0, alarm: str = "NORMAL") -> None:
        """What `asset_latest` knew at the start."""
        at_us = self.clock.wall_us - int(old_s * SECOND_US)
        self.feed.restore([(serial, AssetState(at_us, "GOOD", alarm, at_us))], [])

    @property
    def words(self) -> list[str]:
        """What happened to assets, in order."""
        return [
            f"{each.what.value} {each.alarm.condition}"
            for each in self.heard if each.alarm.source_kind == "asset"
        ]  # fmt: skip

    @property
    def active(self) -> list[str]:
        """Conditions of assets that hold."""
        return sorted(self._active("asset"))

    @property
    def system(self) -> list[str]:
        """Conditions of the program itself that hold."""
        return sorted(self._active("system"))

    def _active(self, kind: str) -> list[str]:
        return [
            each.condition for each in self.alarms.open if each.active and each.source_kind == kind
        ]

    def alarm(self, condition: str, serial: str = PT) -> Alarm:
        """The open alarm of a condition."""
        found = self.alarms.find("asset", serial, condition)
        assert found is not None, self.active
        return found
