"""Judge every accepted sweep and the program itself; what is found goes to the alarms."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from ic3.clock import Clock
from ic3.domain.alarm_book import Moves, moves_between
from ic3.domain.alarm_points import Points, compile_points
from ic3.domain.alarm_rules import Rule, RuleTable
from ic3.domain.alarm_system import EVENT_LASTS_S, Event, Facts, SystemWatch
from ic3.domain.alarm_watch import AssetWatch
from ic3.domain.alarms import Alarms as OpenAlarms
from ic3.domain.alarms import Finding
from ic3.domain.envelope import Envelope
from ic3.domain.figure_watch import FigureWatch
from ic3.domain.figures import Figures
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register
from ic3.domain.status import Feed
from ic3.domain.sweeps import batches
from ic3.observations import (
    ConservationBroken,
    Observation,
    RunFailed,
    RunLogged,
    SpoolDamaged,
    SpoolDropped,
    SweepLost,
    WorkerFailed,
)
from ic3.turns import Turns, in_turns

TICK_S: Final = 1.0
TELL_AGAIN_S: Final = 60.0
STORER: Final = "save"


class News:
    """The newest accepted envelope of each asset, from `poll` to the alarms.

    Bounded by the number of assets: where rounds of the alarms are missed, a newer envelope takes
    the place of the older one.
    """

    def __init__(self) -> None:
        self._newest: dict[str, Envelope] = {}
        self._arrived = asyncio.Event()

    def put(self, envelopes: Iterable[Envelope]) -> None:
        """Hand over; never waits."""
        for envelope in envelopes:
            self._newest[envelope.asset_id] = envelope
        self._arrived.set()

    async def wait(self, timeout_s: float) -> bool:
        """Whether a sweep came within a time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True

    def take(self) -> list[Envelope]:
        """All that came since the last time."""
        taken = list(self._newest.values())
        self._newest.clear()
        self._arrived.clear()
        return taken


class Noticed:
    """Listens to what the program states of itself, and remembers what an alarm is made of."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: dict[Event, tuple[float, str]] = {}
        self.last_run = clock.monotonic()

    def __call__(self, observation: Observation) -> None:
        """Take an observation."""
        match observation:
            case RunLogged():
                self.last_run = self._clock.monotonic()
            case RunFailed(error=error):
                self._note("run_failed", f"A run failed: {error}")
            case ConservationBroken(equation=equation, left=left, right=right):
                self._note("conservation", f"Counters do not add up: {equation}: {left} ≠ {right}")
            case SpoolDropped(how=how, envelopes=number):
                self._note("dropped", f"{number:,} readings of the spool were {how}")
            case SpoolDamaged(why=why):
                self._note("salvaged", f"The spool was damaged and begun anew: {why}")
            case SweepLost(why=why):
                self._note("salvaged", f"A sweep in the spool cannot be read: {why}")
            case WorkerFailed(worker=worker, error=error) if worker == STORER:
                self._note("storer", f"Readings are not stored: {error}")
            case _:
                pass

    def _note(self, event: Event, words: str) -> None:
        self._events[event] = (self._clock.monotonic(), words)

    def forget(self, event: Event) -> None:
        """Its cause has an alarm of its own."""
        self._events.pop(event, None)

    def events(self) -> dict[Event, str]:
        """Those of the last ten minutes."""
        now = self._clock.monotonic()
        self._events = {
            event: noted for event, noted in self._events.items() if now - noted[0] < EVENT_LASTS_S
        }
        return {event: words for event, (_, words) in self._events.items()}


class Alarms:
    """One round a second, and one at once for each sweep.

    Needs neither the database nor the network: what it judges is handed to it in memory.
    """

    name = "alarms"
    every_s: float | None = None

    def __init__(
        self, *, alarms: OpenAlarms, rules: RuleTable, news: News, noticed: Noticed, feed: Feed,
        latest: LatestReadings, away: Callable[[], str | None], spool_share: Callable[[], float],
        figures: Figures, interval_s: float, clock: Clock,
    ) -> None:  # fmt: skip
        self._alarms = alarms
        self._rules = rules
        self._figures = FigureWatch(figures, alarms)
        self._news = news
        self._noticed = noticed
        self._feed = feed
        self._latest = latest
        self._away = away
        self._spool_share = spool_share
        self._interval_s = interval_s
        self._clock = clock
        self.assets = AssetWatch(alarms, feed.freshness)
        self._system = SystemWatch()
        self._compiled: tuple[int, int] | None = None
        self._seeded = False
        self._restored = False
        self._judged = self._told = float("-inf")
        self._away_since: float | None = None

    async def step(self) -> None:
        """Wait for a sweep, a second at most, then judge."""
        swept = await self._news.wait(TICK_S)
        await self.compile()
        await in_turns(self.judging(swept=swept))

    def judging(self, *, swept: bool) -> Turns[None]:
        """Judge what there is now.

        Args:
            swept: Whether a sweep has ended since the last round.
        """
        now, now_us = self._clock.monotonic(), self._clock.now_us()
        if not self._restored:
            self._restore()
        for portion in batches(self._news.take()):
            self.assets.take(portion, now=now, now_us=now_us)
            yield
        if swept or now - self._judged >= self._interval_s:
            yield from self.assets.judging(self._latest.frozen, now=now, now_us=now_us)
            self._judged = now
        found = [*self.assets.evaluate(now=now), *self._system.evaluate(self._facts(now))]
        found += self._figures.adopt(self._rules.rules, rules_version=self._rules.version, now=now)
        found += self._figures.evaluate(now=now)
        if now - self._told >= TELL_AGAIN_S:
            found += [*self.assets.standing(), *self._figures.standing()]
            self._told = now
        self._report(found, now_us)
        self._alarms.expire(now_us)
        self._alarms.evaluated_us = now_us

    def _restore(self) -> None:
        self._system.restore(
            {
                (each.source, each.condition): each.priority
                for each in self._alarms.open
                if each.source_kind == "system" and each.active
            }
        )
        self._noticed.last_run = self._clock.monotonic()
        self._restored = True

    async def compile(self) -> None:
        """Compile where rules or register have changed; never before the register is known."""
        register, rules = self._latest.register, self._rules
        version = (rules.version, register.version)
        if register.version and version != self._compiled:
            # A hundred thousand assets take seconds: sweeps go on beside it.
            points, moves = await asyncio.to_thread(
                _compiled, rules.rules, register, self.assets.book.points
            )
            found = self.assets.adopt(points, self._latest.state_of, moves)
            self._report(found, self._clock.now_us())
            self._compiled = version
        if self._latest.restored and self._compiled and not self._seeded:
            self.assets.book.seed(self._latest.state_of)
            self._seeded = True

    def _report(self, found: Iterable[Finding], now_us: int) -> None:
        for finding in found:
            self._alarms.report(finding, at_us=now_us)

    def _facts(self, now: float) -> Facts:
        freshness, error = self._feed.freshness, self._away()
        if error is None:
            self._away_since = None
        elif self._away_since is None:
            self._away_since = now
        if error is not None or freshness.is_failing:
            # Once it is back, the next run has its time; three failures are an alarm of their own.
            self._noticed.last_run = now
        if error is not None:
            self._noticed.forget("storer")
        return Facts(
            gateway_lost=freshness.gateway_lost, gateway_error=self._feed.last_error,
            database_away_s=0.0 if self._away_since is None else now - self._away_since,
            database_error=error or "", run_age_s=now - self._noticed.last_run,
            interval_s=self._interval_s, spool_share=self._spool_share(),
            own_clock=freshness.own_clock.words if freshness.own_clock else None,
            clock_offset_s=freshness.clock_offset_s,
            open_alarms=len(self._alarms), events=self._noticed.events(),
        )  # fmt: skip


def _compiled(rules: Iterable[Rule], register: Register, before: Points) -> tuple[Points, Moves]:
    """The points, and what of those before they are."""
    points = compile_points(rules, register)
    return points, moves_between(before, points)
