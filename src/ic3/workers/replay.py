"""Map stored telemetry again, a batch at a time, slower than what is live."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from ic3.clock import Clock
from ic3.domain.envelope import FUTURE_LIMIT_US, YEAR_2000_US, Envelope
from ic3.domain.latest import LatestReadings, each_asset_once
from ic3.domain.mapping import Moved, Reading, Register, map_envelopes
from ic3.domain.replays import Job, JobState
from ic3.errors import Contended, DatabaseAway, StoreError, TooSlow
from ic3.observations import Observe, ReplayEnded
from ic3.store.register import RegisterStore
from ic3.store.replays import Cancelled, ReplayStore
from ic3.store.telemetry import moment

BATCH_ENVELOPES: Final = 2000
IDLE_S: Final = 1.0
# Rests as long as it worked: half of one connection is the most that it takes.
REST_SHARE: Final = 1.0
LONGEST_REST_S: Final = 5.0
# A look through telemetry is kept near a second by the span it covers.
FIRST_SPAN: Final = timedelta(hours=1)
SHORTEST_SPAN: Final = timedelta(seconds=10)
LONGEST_SPAN: Final = timedelta(days=1)
SLOW_S: Final = 1.0
QUICK_S: Final = 0.25


class Replay:
    """One round is one batch of the job in work, or a short wait where there is none.

    A job begins once a sweep that began after live readings got its register has its run: then
    whatever was mapped by an older register is stored, and the walk meets all of it.
    """

    name = "replay"
    every_s: float | None = None

    def __init__(
        self,
        *,
        jobs: ReplayStore,
        registers: RegisterStore,
        latest: LatestReadings,
        latest_turn: asyncio.Lock,
        clock: Clock,
        observe: Observe,
        batch: int = BATCH_ENVELOPES,
        idle_s: float = IDLE_S,
    ) -> None:
        self._jobs = jobs
        self._registers = registers
        self._latest = latest
        self._latest_turn = latest_turn
        self._clock = clock
        self._observe = observe
        self._batch = batch
        self._idle_s = idle_s
        self._register = Register()
        self._live_since: tuple[int, datetime] | None = None
        self._span = FIRST_SPAN
        self._past = LatestReadings()
        self._past_of: int | None = None
        self._unsure: set[int] = set()

    async def step(self) -> None:
        """Do a batch and rest, or wait."""
        begun = self._clock.monotonic()
        if self._unsure:
            await self._reload()
        job = await self._jobs.current()
        if job is None or not await self._may_begin(job):
            await asyncio.sleep(self._idle_s)
            return
        try:
            await self._work(job)
        except (DatabaseAway, Contended):
            self._past_of = None
            raise
        except TooSlow as error:
            self._past_of = None
            if self._span > SHORTEST_SPAN:
                self._span = max(SHORTEST_SPAN, self._span / 2)
                raise
            await self._finish(job, error=str(error))
        except Cancelled:
            self._observe(ReplayEnded(job.id, job.rows_done, job.envelopes_done, "cancelled"))
        except StoreError as error:
            await self._finish(job, error=str(error))
        worked_s = self._clock.monotonic() - begun
        await asyncio.sleep(min(LONGEST_REST_S, worked_s * REST_SHARE))

    async def _may_begin(self, job: Job) -> bool:
        """Whether live readings are mapped by the job's register, and older ones are stored."""
        if self._latest.register.version < job.registry_version:
            return False
        now = self._clock.now()
        kept = self._live_since
        if kept is None or kept[0] < job.registry_version or kept[1] > now:
            self._live_since = kept = (self._latest.register.version, now)
        return await self._jobs.run_begun_after(kept[1])

    async def _work(self, job: Job) -> None:
        self._register = await self._registers.load_if_changed(self._register)
        if job.state is JobState.WAITING:
            begun = await self._begin(job)
            if begun is None:
                return
            job = begun
        assert job.cursor_at is not None
        assert job.until_at is not None
        if job.cursor_at >= job.until_at:
            await self._finish(job)
            return
        await self._do_batch(job, job.cursor_at, job.until_at)

    async def _begin(self, job: Job) -> Job | None:
        # Beyond it a time is implausible and makes no rows.
        edge = moment(self._clock.now_us() + FUTURE_LIMIT_US + 1)
        first, last = job.scope.from_at, job.scope.until_at
        from_at = max(first, moment(YEAR_2000_US)) if first else moment(YEAR_2000_US)
        return await self._jobs.begin(
            job, from_at=from_at, until_at=min(last, edge) if last else edge
        )

    async def _do_batch(self, job: Job, cursor_at: datetime, until_at: datetime) -> None:
        register = job.scope.narrowed(self._register)
        ends = min(cursor_at + self._span, until_at)
        begun = self._clock.monotonic()
        found = await self._jobs.envelopes(
            job, list(register.assets), until_at=ends, limit=self._batch
        )
        looked_s = self._clock.monotonic() - begun
        readings = _one_each(self._map(job, register, found))
        if len(found) == self._batch:
            cursor = _key(found[-1])
        else:
            # Over spans without telemetry in one step.
            ahead = None if found else await self._jobs.next_at(ends, until_at)
            cursor = (ends if found else ahead or until_at, "", "")
        matched = sum(each.asset_id in register.assets for each in found)
        moved = _newest(readings)
        async with self._latest_turn:
            try:
                merged = await self._jobs.write(job, readings, moved, cursor, envelopes=matched)
            except DatabaseAway:
                # It may be written after all, and then it is not done again.
                self._unsure |= moved.keys()
                raise
            self._latest.apply(merged)
        # Not before: a batch too slow to write has halved the span, and it is to stay so.
        self._adapt(looked_s)

    async def _reload(self) -> None:
        """Take from the database what a batch may have moved whose outcome was not heard of."""
        async with self._latest_turn:
            self._latest.apply(await self._jobs.latest_of(sorted(self._unsure)))
        self._unsure.clear()

    def _map(self, job: Job, register: Register, found: Sequence[Envelope]) -> list[Reading]:
        """Map and mark as a plant would have done that had the map from the start.

        The walk is its own past: what a job judges rate and repetition by begins anew with it, and
        where it was broken off.
        """
        if self._past_of != job.id:
            self._past, self._past_of = LatestReadings(), job.id
        readings: list[Reading] = []
        now_us = self._clock.now_us()
        for portion in each_asset_once([found]):
            mapped = map_envelopes(register, portion, now_us=now_us, past=self._past.past({}))
            self._past.apply(mapped.moved, mapped.repeated)
            readings += mapped.readings
        return readings

    def _adapt(self, took_s: float) -> None:
        """Look through less at once where it was slow, through more where it was quick."""
        if took_s > SLOW_S:
            self._span = max(SHORTEST_SPAN, self._span / 2)
        elif took_s < QUICK_S:
            self._span = min(LONGEST_SPAN, self._span * 2)

    async def _finish(self, job: Job, *, error: str | None = None) -> None:
        self._past, self._past_of = LatestReadings(), None
        await self._jobs.finish(job, error=error)
        self._observe(ReplayEnded(job.id, job.rows_done, job.envelopes_done, error))


def _key(envelope: Envelope) -> tuple[datetime, str, str]:
    return moment(envelope.occurred_us), envelope.asset_id, envelope.record_id


def _one_each(readings: Iterable[Reading]) -> list[Reading]:
    """The first reading of each asset, tag and time: that one was stored live."""
    found: dict[tuple[int, str, int], Reading] = {}
    for reading in readings:
        found.setdefault((reading.register_id, reading.tag_code, reading.recorded_us), reading)
    return list(found.values())


def _newest(readings: Iterable[Reading]) -> Moved:
    """The newest reading per asset and tag; they come in the order of time."""
    moved: Moved = {}
    for reading in readings:
        moved.setdefault(reading.register_id, {})[reading.tag_code] = reading
    return moved
