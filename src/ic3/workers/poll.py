"""Sweep the gateway once an interval, accept what is new, broadcast it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from ic3.clock import Clock
from ic3.domain.envelope import Envelope
from ic3.domain.gaps import Missed
from ic3.domain.latest import LatestReadings
from ic3.domain.status import AssetState, Feed
from ic3.domain.sweeps import Sweep
from ic3.errors import DatabaseAway, GatewayError, SpoolError, SpoolFull
from ic3.gateway.sweep import Sweeper
from ic3.hub.live import LiveHub
from ic3.hub.local import LocalHub
from ic3.observations import ConservationBroken, Observe
from ic3.spool import Spool
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore
from ic3.turns import in_turns

SWEEP_SHARE = 0.8


class Unsaved(Protocol):
    """Where sweeps wait for the save worker."""

    @property
    def has_room(self) -> bool:
        """Whether a sweep may be put before the spool has it."""

    def put(self, sweep: Sweep, accepted: asyncio.Future[bool]) -> object:
        """Hand over a sweep; never waits.

        Args:
            sweep: What was read.
            accepted: Ends once the spool has it (True) or could not take it (False).
        """


class News(Protocol):
    """Where what is newer than all before waits to be judged."""

    def put(self, envelopes: Sequence[Envelope]) -> None:
        """Hand over; never waits."""


class Poll:
    """One round is one sweep, whatever becomes of it.

    The order is the promise: the spool's commit first, then the broadcast. Encoding and copying
    may go on beside it; PostgreSQL's commit waits for it.
    """

    name = "poll"

    def __init__(
        self,
        *,
        sweeper: Sweeper,
        spool: Spool,
        store: TelemetryStore,
        registers: RegisterStore,
        hub: LocalHub,
        live: LiveHub,
        feed: Feed,
        latest: LatestReadings,
        unsaved: Unsaved,
        news: News,
        interval_s: float,
        clock: Clock,
        observe: Observe,
    ) -> None:
        self.every_s: float | None = interval_s
        self._deadline_s = SWEEP_SHARE * interval_s
        self._sweeper = sweeper
        self._spool = spool
        self._store = store
        self._registers = registers
        self._hub = hub
        self._live = live
        self._feed = feed
        self._latest = latest
        self._unsaved = unsaved
        self._news = news
        self._clock = clock
        self._observe = observe
        self._interval_s = interval_s
        self._missed = Missed(feed.freshness.records_a_sweep, interval_s=interval_s)
        self._began: float | None = None

    async def step(self) -> None:
        """Sweep, accept, broadcast."""
        skipped = self._skipped()
        await self._load()
        sweep = self._sweeper.begin()
        begun_us = int(sweep.begun_at.timestamp() * 1_000_000)
        try:
            # Both to their end: what is accepted must not grow any more.
            outcomes = await asyncio.gather(
                self._spool.begin(begun_us), self._read(sweep), return_exceptions=True
            )
        except asyncio.CancelledError:
            # What was read is accepted all the same; the rest is at the gateway still.
            sweep.stop()
            await asyncio.shield(self._accept(sweep))
            raise
        for outcome in outcomes:
            if isinstance(outcome, (GatewayError, SpoolError)):
                sweep.error = str(outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
        await self._accept(sweep)
        self._news.put(await in_turns(self._feed.taking(sweep)))
        self._feed.freshness.judge_touched(now=self._clock.monotonic(), now_us=self._clock.now_us())
        self._live.swept(sweep.envelopes)
        gaps = self._missed.take(sweep, skipped=skipped, now_us=self._clock.now_us())
        if gaps:
            await self._spool.add_gaps(gaps)

    def _skipped(self) -> int:
        """Intervals since the round before in which none began."""
        before, self._began = self._began, self._clock.monotonic()
        if before is None:
            return 0
        return max(0, round((self._began - before) / self._interval_s) - 1)

    async def _load(self) -> None:
        """Know what is registered and what was accepted; without the database, as last known."""
        if self._feed.restored and self._registers.away:
            return  # others find out when it is back; a sweep does not wait for it
        try:
            if not self._feed.restored:
                await self._restore()
            self._latest.register = await self._registers.load_if_changed(self._latest.register)
        except DatabaseAway:
            if not self._feed.restored:
                raise

    async def _read(self, sweep: Sweep) -> None:
        await self._sweeper.run(sweep, self._latest.register, deadline_s=self._deadline_s)
        for equation in sweep.reading_equations():
            if not equation.holds:
                self._observe(
                    ConservationBroken(None, equation.says, equation.left, equation.right)
                )
        self._feed.judge_times(sweep)

    async def _accept(self, sweep: Sweep) -> None:
        """The one durable commit; nothing is told to anybody before it has returned."""
        accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        beside = self._unsaved.has_room
        if beside:
            self._unsaved.put(sweep, accepted)
        begun = self._clock.monotonic()
        try:
            sweep.spool_id = await self._spool.accept(sweep.record(), sweep.accepted_texts())
        except SpoolError as error:
            accepted.set_result(False)
            await self._refuse(sweep, error)
            sweep.envelopes = []
            return
        except BaseException:
            accepted.set_result(False)
            raise
        sweep.phase_ms["spool"] = round((self._clock.monotonic() - begun) * 1000, 3)
        self._sweeper.accept(sweep.envelopes)
        self._hub.publish(sweep.envelopes)
        accepted.set_result(True)
        if not beside:
            self._unsaved.put(sweep, accepted)

    async def _refuse(self, sweep: Sweep, error: SpoolError) -> None:
        """Nothing was accepted: it is at the gateway still. Only the counters are kept."""
        reason = "spool_full" if isinstance(error, SpoolFull) else "not_accepted"
        counters = replace(
            sweep, envelopes=[], accepted=0, read_ok=sweep.read_ok - sweep.accepted,
            failed=sweep.failed.copy(), error=str(error), rejected=[], keys={},
        )  # fmt: skip
        counters.failed[reason] += sweep.accepted
        accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        accepted.set_result(True)
        try:
            counters.spool_id = await self._spool.accept(counters.record(), [])
        except SpoolError:
            counters.spool_id = None
        sweep.error = counters.error
        self._unsaved.put(counters, accepted)

    async def _restore(self) -> None:
        """Know again what an earlier process accepted, so that nothing old is taken for new."""
        known = await self._store.known_assets()
        for asset in known:
            self._sweeper.remember(
                asset.serial, asset.content_hash, asset.record_id, asset.occurred_us
            )
        states = (
            (each.serial, AssetState(each.received_us, each.quality, each.alarm, each.occurred_us))
            for each in known
        )
        self._feed.restore(states, await self._store.newest(500))
