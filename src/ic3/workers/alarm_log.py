"""Write what happens to alarms behind the memory, and keep their history bounded."""

import asyncio
from contextlib import suppress
from typing import Final

from ic3.clock import Clock
from ic3.domain.alarm_journal import AlarmJournal, Batch
from ic3.errors import Contended, Refused
from ic3.observations import AlarmHistoryLost, Observe
from ic3.store.alarms import AlarmStore

TRIM_S: Final = 3600.0


class AlarmLog:
    """A round writes all that waits, as soon as something does.

    While the database is away changes wait in the journal; what was sent and not confirmed is sent
    again.
    """

    name = "alarm_log"
    every_s: float | None = None

    def __init__(
        self, *, journal: AlarmJournal, store: AlarmStore, clock: Clock, observe: Observe
    ) -> None:
        self._journal = journal
        self._store = store
        self._clock = clock
        self._observe = observe
        self._news = asyncio.Event()
        journal.on_news = self._news.set
        self._lost_told = 0
        self._trimmed = clock.monotonic()

    async def step(self) -> None:
        """Wait for news, write them, once an hour let old history go."""
        if not len(self._journal):
            with suppress(TimeoutError):
                async with asyncio.timeout(TRIM_S):
                    await self._news.wait()
        self._news.clear()
        self._tell_lost()
        while len(batch := self._journal.take()):
            await self._write(batch)
        if self._clock.monotonic() - self._trimmed >= TRIM_S:
            await self._store.trim(self._clock.now())
            self._trimmed = self._clock.monotonic()

    async def _write(self, batch: Batch) -> None:
        try:
            await self._store.keep(batch)
        except (Refused, Contended):
            await self._write_singly(batch)
        self._journal.stored(batch)

    async def _write_singly(self, batch: Batch) -> None:
        """One that is refused must not keep all others from being stored."""
        for each in batch.singly():
            try:
                await self._store.keep(each)
            except Refused as error:
                self._observe(AlarmHistoryLost(1, str(error)))
            except Contended:
                await self._make_room(each)

    async def _make_room(self, batch: Batch) -> None:
        """Another open alarm of the condition stands in the database, which we know nothing of."""
        for alarm in batch.alarms:
            closed = await self._store.close_others(alarm)
            if closed:
                words = f"alarm {closed[0]} was open in the database and not here; it was closed"
                self._observe(AlarmHistoryLost(len(closed), words))
        await self._store.keep(batch)

    def _tell_lost(self) -> None:
        lost = self._journal.lost - self._lost_told
        if lost:
            self._observe(AlarmHistoryLost(lost, "the database was away for too long"))
            self._lost_told = self._journal.lost
