"""Take each ended sweep once: map tags to parameters, write the rows, log the run."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from ic3.clock import Clock
from ic3.domain.envelope import Envelope
from ic3.domain.inbox import Inbox
from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.runs import RecentRuns, Run
from ic3.domain.sweeps import Sweep
from ic3.errors import Contended, DatabaseAway, StoreError, TooSlow
from ic3.hub.live import LiveHub
from ic3.observations import (
    ConservationBroken,
    InboxFull,
    MonitoringStarted,
    Observe,
    RunFailed,
    RunLogged,
    RunRowsDropped,
    WorkerFailed,
)
from ic3.store.inbox import InboxStore
from ic3.store.monitoring import MonitoringStore, NotStored
from ic3.store.register import RegisterStore

WAITING_LIMIT: Final = 1000
WITH_ENVELOPES_LIMIT: Final = 2


@dataclass(frozen=True, slots=True)
class Ended:
    """A sweep that has been read.

    Attributes:
        envelopes: What it brought; None where that is to be read again from `telemetry`.
        stored: Ends once the sweep is durable (True) or this try has failed (False).
    """

    sweep: Sweep
    envelopes: list[Envelope] | None
    stored: asyncio.Future[bool]


class EndedSweeps:
    """Ended sweeps in order, bounded.

    At most 1,000 wait; beyond that one is given up, and what is stored without a run is looked for
    in the database again. Only the first two keep their envelopes in memory: those of the others
    are read again from `telemetry`.
    """

    def __init__(self, observe: Observe) -> None:
        self._waiting: deque[Ended] = deque()
        self._arrived = asyncio.Event()
        self._observe = observe
        self.overflowed = False

    def put(self, sweep: Sweep, stored: asyncio.Future[bool], *, as_stored: bool = False) -> None:
        """Hand over a sweep; never waits. With `as_stored` it is read from `telemetry`."""
        # Tries of one sweep that failed are one entry; the first may be in work.
        if len(self._waiting) > 1 and _failed(self._waiting[-1]):
            self._waiting.pop()
        in_memory = not as_stored and len(self._waiting) < WITH_ENVELOPES_LIMIT
        if len(self._waiting) >= WAITING_LIMIT:
            # The first may be in work.
            del self._waiting[1]
            self.overflowed = True
            self._observe(RunRowsDropped(1))
        self._waiting.append(Ended(sweep, sweep.envelopes if in_memory else None, stored))
        self._arrived.set()

    async def first(self) -> Ended:
        """The oldest waiting sweep; it stays until `done`."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting[0]

    def done(self) -> None:
        """Let the oldest go."""
        self._waiting.popleft()

    def __len__(self) -> int:
        return len(self._waiting)


def _failed(ended: Ended) -> bool:
    return ended.stored.done() and not ended.stored.cancelled() and not ended.stored.result()


class Monitoring:
    """One round is one ended sweep; it stays first until its run is in the database."""

    name = "monitoring"
    every_s: float | None = None

    def __init__(
        self,
        *,
        ended: EndedSweeps,
        store: MonitoringStore,
        registers: RegisterStore,
        inbox: InboxStore,
        latest: LatestReadings,
        runs: RecentRuns,
        live: LiveHub,
        interval_s: float,
        clock: Clock,
        observe: Observe,
    ) -> None:
        self._ended = ended
        self._store = store
        self._registers = registers
        self._inbox_store = inbox
        self._inbox = Inbox()
        self._latest = latest
        self._runs = runs
        self._live = live
        self._clock = clock
        self._observe = observe
        self._ready = False
        observe(MonitoringStarted(interval_s))

    async def step(self) -> None:
        """Make ready once, then process one sweep."""
        if not self._ready:
            await self._restore()
        if self._ended.overflowed:
            self._ended.overflowed = False
            try:
                await self._finish_unlogged()
            except BaseException:
                self._ended.overflowed = True
                raise
        await self._attempt(await self._ended.first())
        self._ended.done()

    async def _restore(self) -> None:
        """Load what the database knows and finish what a crash left undone."""
        self._latest.register = await self._registers.load_if_changed(self._latest.register)
        self._inbox.restore(await self._inbox_store.all_lines())
        async with self._store.latest_turn:
            self._latest.replace(await self._store.all_latest())
        await self._finish_unlogged()
        await self._read_runs()
        self._ready = True

    async def _finish_unlogged(self) -> None:
        """Make the runs of sweeps that are stored and have none."""
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        stored.set_result(True)
        for sweep in await self._store.unlogged_sweeps():
            sweep.started = self._clock.monotonic()
            await self._attempt(Ended(sweep, None, stored))

    async def _attempt(self, ended: Ended) -> None:
        """Process a sweep; what the same again may mend is raised, what it will not is its run."""
        try:
            await self._process(ended)
        except (DatabaseAway, Contended, TooSlow):
            raise
        except StoreError as error:
            self._observe(WorkerFailed(self.name, str(error), unforeseen=False))
            await self._log_failure(ended.sweep, str(error))

    async def _process(self, ended: Ended) -> None:
        sweep, envelopes = ended.sweep, ended.envelopes
        # A cancelled wait must not cancel the future that the save worker will set.
        stored = asyncio.shield(ended.stored)
        if envelopes is None or sweep.error is not None:
            if not await stored:
                return  # it is tried again, and then handed over again
            assert sweep.sweep_id is not None
            if envelopes is None and sweep.accepted:
                envelopes = await self._store.envelopes_of(sweep.sweep_id)
        if sweep.error is not None and not envelopes:
            await self._log_failure(sweep, sweep.error)
            return
        try:
            run = await self._save(sweep, envelopes or [], stored)
        except NotStored:
            return
        await self._remember(run, sweep)
        # Of one that failed in the middle the sweep's own line has told; what was read is kept.
        if sweep.error is None and run is not None:
            self._observe(
                RunLogged(
                    run.duration_ms, run.keys_scanned, run.matched, run.unmatched,
                    run.rows_inserted, run.tags_skipped,
                )
            )  # fmt: skip

    async def _save(
        self, sweep: Sweep, envelopes: list[Envelope], stored: asyncio.Future[bool]
    ) -> Run | None:
        async with self._store.latest_turn:
            judged_by_us = sweep.judged_by_us(self._clock.now_us())
            taken = self._inbox.take(envelopes, self._latest.register, now_us=judged_by_us)
            movement = Movement(self._latest, envelopes, now_us=judged_by_us)
            run = await self._store.save(
                sweep, movement, measure_ms=lambda: self._duration_ms(sweep), stored=stored,
                taken=taken,
            )  # fmt: skip
            self._latest.apply(movement.moved, movement.repeated)
        if run is None:
            return None  # an earlier try had logged it after all, and counted it
        self._inbox.apply(taken)
        if taken.left_out:
            self._observe(InboxFull(taken.left_out))
        equation = movement.equation()
        if not equation.holds:
            self._observe(
                ConservationBroken(sweep.sweep_id, equation.says, equation.left, equation.right)
            )
        return run

    async def _log_failure(self, sweep: Sweep, error: str) -> None:
        duration_ms = self._duration_ms(sweep)
        if sweep.error is None:
            sweep.error = error
            self._observe(RunFailed(error, duration_ms))
        run = await self._store.save_failed(sweep, duration_ms=duration_ms)
        await self._remember(run, sweep)

    async def _remember(self, run: Run | None, sweep: Sweep) -> None:
        if run is None or (self._ready and not self._runs.follows(run)):
            await self._read_runs()
        elif self._ready:
            self._runs.add(run)
            self._live.run_ended(run, sweep.phase_ms)

    async def _read_runs(self) -> None:
        self._runs.replace(await self._store.recent_runs())
        self._live.start_over()

    def _duration_ms(self, sweep: Sweep) -> int:
        return max(1, round((self._clock.monotonic() - sweep.started) * 1000))
