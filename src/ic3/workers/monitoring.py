"""Take each ended sweep once: map tags to parameters, write the rows, log the run."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from ic3.clock import Clock
from ic3.domain.envelope import Envelope
from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.runs import RecentRuns, Run
from ic3.domain.sweeps import Sweep
from ic3.errors import DatabaseAway, StoreError
from ic3.observations import MonitoringStarted, Observe, RunFailed, RunLogged, RunRowsDropped
from ic3.store.monitoring import MonitoringStore
from ic3.store.register import RegisterStore

WAITING_LIMIT: Final = 1000
WITH_ENVELOPES_LIMIT: Final = 2


@dataclass(frozen=True, slots=True)
class Ended:
    """A sweep that has been read.

    Attributes:
        envelopes: What it brought; None where that is to be read again from `telemetry`.
        stored: Ends once the sweep is durable (True) or has failed (False).
    """

    sweep: Sweep
    envelopes: list[Envelope] | None
    stored: asyncio.Future[bool]


class EndedSweeps:
    """Ended sweeps in order, bounded.

    At most 1,000 wait; beyond that the oldest failed one is given up. Only the first two keep
    their envelopes in memory: those of the others are read again from `telemetry`.
    """

    def __init__(self, observe: Observe) -> None:
        self._waiting: deque[Ended] = deque()
        self._arrived = asyncio.Event()
        self._observe = observe

    def put(self, sweep: Sweep, stored: asyncio.Future[bool]) -> None:
        """Hand over a sweep; never waits."""
        in_memory = len(self._waiting) < WITH_ENVELOPES_LIMIT
        if len(self._waiting) >= WAITING_LIMIT:
            # The first may be in work; a stored sweep is found again in the database.
            del self._waiting[1]
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
        latest: LatestReadings,
        runs: RecentRuns,
        interval_s: float,
        clock: Clock,
        observe: Observe,
    ) -> None:
        self._ended = ended
        self._store = store
        self._registers = registers
        self._latest = latest
        self._runs = runs
        self._clock = clock
        self._observe = observe
        self._ready = False
        observe(MonitoringStarted(interval_s))

    async def step(self) -> None:
        """Make ready once, then process one sweep."""
        if not self._ready:
            await self._restore()
        ended = await self._ended.first()
        try:
            await self._process(ended)
        except DatabaseAway:
            raise
        except StoreError as error:
            await self._log_failure(ended.sweep, ended.sweep.error or str(error))
        self._ended.done()

    async def _restore(self) -> None:
        """Load what the database knows and finish what a crash left undone."""
        self._latest.register = await self._registers.load_if_changed(self._latest.register)
        self._latest.replace(await self._store.all_latest())
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        stored.set_result(True)
        for sweep in await self._store.unlogged_sweeps():
            sweep.started = self._clock.monotonic()
            await self._process(Ended(sweep, None, stored))
        self._runs.replace(await self._store.recent_runs())
        self._ready = True

    async def _process(self, ended: Ended) -> None:
        sweep, envelopes = ended.sweep, ended.envelopes
        # A cancelled wait must not cancel the future that the poll worker will set.
        stored = asyncio.shield(ended.stored)
        if envelopes is None and sweep.error is None and await stored:
            assert sweep.sweep_id is not None
            envelopes = await self._store.envelopes_of(sweep.sweep_id)
        if sweep.error is not None or envelopes is None:
            await stored
            await self._log_failure(sweep, sweep.error or "unknown")
            return
        movement = Movement(self._latest, envelopes, now_us=self._clock.now_us())
        run = await self._store.save(
            sweep, movement, measure_ms=lambda: self._duration_ms(sweep), stored=stored
        )
        self._latest.apply(movement.moved, movement.repeated)
        await self._remember(run)
        if run is not None:
            self._observe(
                RunLogged(
                    run.duration_ms, run.keys_scanned, run.matched, run.unmatched,
                    run.rows_inserted, run.tags_skipped,
                )
            )  # fmt: skip

    async def _log_failure(self, sweep: Sweep, error: str) -> None:
        sweep.error = error
        duration_ms = self._duration_ms(sweep)
        run = await self._store.save_failed(sweep, duration_ms=duration_ms)
        await self._remember(run)
        self._observe(RunFailed(error, duration_ms))

    async def _remember(self, run: Run | None) -> None:
        if run is None:
            self._runs.replace(await self._store.recent_runs())
        elif self._ready:
            self._runs.add(run)

    def _duration_ms(self, sweep: Sweep) -> int:
        return max(1, round((self._clock.monotonic() - sweep.started) * 1000))
