"""A plant that changes at random, the hub that tells of it, and what is true at the end."""

import json
import random
from datetime import timedelta
from typing import Any

import msgspec
from serving import NOW, StillClock, register_with

from ic3.domain.alarm_view import view_of
from ic3.domain.alarms import Alarms, Finding, Priority, worst_of
from ic3.domain.board import Board
from ic3.domain.envelope import Envelope, parse, time_text
from ic3.domain.latest import LatestReadings
from ic3.domain.runs import RecentRuns, Run
from ic3.domain.state_byte import LIFE
from ic3.domain.status import Feed
from ic3.domain.sweeps import Sweep
from ic3.hub.live import Greeting, LiveHub
from ic3.hub.places import Places
from ic3.observations import Observation
from ic3.turns import at_once

QUALITIES = ["GOOD", "GOOD", "BAD", None]


class World:
    """Feed, alarms and runs beside a hub; time stands still unless it is moved."""

    def __init__(
        self, *, clock: StillClock, feed: Feed, latest: LatestReadings, alarms: Alarms,
        runs: RecentRuns, hub: LiveHub,
    ) -> None:  # fmt: skip
        self.clock = clock
        self.feed = feed
        self.latest = latest
        self.alarms = alarms
        self.runs = runs
        self.hub = hub
        self.records = 0
        self.serials: list[str] = []

    def register(self, *serials: str) -> None:
        """Put assets into the register too, where they are of no record yet."""
        self.latest.register = register_with(*serials)

    def sweep(self, *serials: str, quality: str | None = "GOOD", flow: float = 12.5) -> None:
        """A sweep that brings a new record of each."""
        self.swept([self.envelope(each, quality, flow) for each in serials])

    def swept(self, envelopes: list[Envelope]) -> None:
        now = self.clock.now()
        sweep = Sweep(
            begun_at=now, started=self.clock.monotonic(), simulated=False, ended_at=now,
            envelopes=envelopes,
        )  # fmt: skip
        at_once(self.feed.taking(sweep))
        self.feed.freshness.judge_touched(now=self.clock.monotonic(), now_us=self.clock.now_us())
        self.hub.swept(envelopes)

    def envelope(self, serial: str, quality: str | None = "GOOD", flow: float = 12.5) -> Envelope:
        self.records += 1
        at_us = self.clock.now_us() + self.records
        document = {
            "record_id": f"r-{self.records}", "asset_id": serial, "domain": "DEL-D07",
            "occurred_at": time_text(at_us), "values": {"FLOW": flow}, "alarm": "NORMAL",
        }  # fmt: skip
        if quality is not None:
            document["quality"] = quality
        return parse(serial, json.dumps(document), received_us=at_us, content_hash=b"")

    def judge(self) -> None:
        """Time alone has made assets stale."""
        self.feed.freshness.judge(now=self.clock.monotonic(), now_us=self.clock.now_us())

    def alarm(self, serial: str, *, active: bool = True, priority: int = 2) -> None:
        finding = Finding(
            source_kind="asset", source=serial, condition="pressure_low", active=active,
            priority=Priority(priority), text="pressure is low", value=1.5, unit="bar",
        )  # fmt: skip
        self.alarms.report(finding, at_us=self.clock.now_us())

    def run(self, **phases: float) -> None:
        number = max((each.id for each in self.runs.progress().runs), default=0) + 1
        at = NOW + timedelta(seconds=15 * number)
        run = Run(number, at, 557, 541, 16, 2734, 89, 420)
        self.runs.add(run)
        self.hub.run_ended(run, phases)

    def change(self, dice: random.Random) -> None:
        """Something happens."""
        serials = self.serials
        match dice.randrange(20):
            case 0 | 1 | 2 | 3 | 4 | 5:
                some = dice.sample(serials, dice.randrange(1, len(serials)))
                self.sweep(*some, quality=dice.choice(QUALITIES), flow=dice.randrange(1000) / 10)
            case 6 | 7 | 8:
                self.alarm(
                    dice.choice(serials), active=dice.random() < 0.6, priority=dice.randrange(1, 5)
                )
            case 9 if self.alarms.open:
                alarm = dice.choice(self.alarms.open)
                self.alarms.acknowledge(alarm.id, who="asha", at_us=self.clock.now_us())
            case 10 if self.alarms.open:
                alarm = dice.choice(self.alarms.open)
                self.alarms.comment(alarm.id, "पम्प", who="asha", at_us=self.clock.now_us())
            case 11 | 12:
                self.run(read=1.5)
            case 13 if dice.random() < 0.3:
                self.serials.append(f"asset {len(serials)}")
                self.sweep(self.serials[-1])
            case 14 if dice.random() < 0.3:
                self.clock.advance(dice.choice([46, 400]))
                self.judge()
            case _:
                self.clock.advance(dice.random())
                self.hub.tick()

    def settle(self) -> None:
        """Everything that has happened is told."""
        for _ in range(3):
            self.clock.advance(1)
            self.hub.tick()

    def states(self) -> dict[str, int]:
        """The state byte of every asset, by the table of the protocol."""
        found = {}
        for serial in {*self.latest.register.assets, *self.feed.freshness.serials()}:
            news = self.feed.state_of(serial)
            priority, unacknowledged = worst_of(self.alarms.of("asset", serial))
            life = LIFE[self.feed.freshness.state_of(serial)]
            bad = news is None or news.quality != "GOOD"
            found[serial] = priority + 8 * life + 64 * bad + 128 * unacknowledged
        return found

    def open_alarms(self) -> dict[int, Any]:
        return {each.id: plain(view_of(each)) for each in self.alarms.open}

    def last_runs(self) -> dict[int, Any]:
        return {each.id: plain(each) for each in self.runs.progress().runs}


def plain(thing: object) -> Any:
    """As a client reads it."""
    return json.loads(msgspec.json.encode(thing))


def world(told: list[Observation] | None = None, *serials: str, most: int = 100) -> World:
    """A plant and its hub, without a server."""
    clock, feed, runs, alarms = StillClock(), Feed(interval_s=15), RecentRuns(), Alarms()
    latest = LatestReadings()
    told = [] if told is None else told
    hub = LiveHub(
        board=Board(feed=feed, latest=latest, alarms=alarms), alarms=alarms, runs=runs,
        places=Places(max_clients=most, max_per_user=most), clock=clock, observe=told.append,
        greeting=Greeting("build 1", 15.0, "Asia/Kolkata", simulated=False),
    )  # fmt: skip
    made = World(clock=clock, feed=feed, latest=latest, alarms=alarms, runs=runs, hub=hub)
    made.serials = list(serials)
    if serials:
        made.sweep(*serials)
        made.settle()
    return made
