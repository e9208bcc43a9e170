"""Judge the state of every asset, write what changed, tell it."""

import asyncio
from typing import Final

from ic3.clock import Clock
from ic3.domain.freshness import Freshness, OwnClock
from ic3.observations import AssetsJudged, FeedChanged, Observe, OwnClockSuspect
from ic3.store.states import StateStore

WRITE_ALL_S: Final = 60.0
TRIM_S: Final = 3600.0


class States:
    """One round an interval: a state is told within one interval of its due time."""

    name = "states"

    def __init__(
        self, *, freshness: Freshness, store: StateStore, interval_s: float, clock: Clock,
        observe: Observe,
    ) -> None:  # fmt: skip
        self.every_s: float | None = interval_s
        self._freshness = freshness
        self._store = store
        self._clock = clock
        self._observe = observe
        self._restored = False
        self._suspected: OwnClock | None = None
        self._written = self._trimmed = clock.monotonic()

    async def step(self) -> None:
        """Judge, tell, write."""
        if not self._restored:
            self._freshness.restore(await self._store.known())
            self._restored = True
        now = self._clock.monotonic()
        counts = self._freshness.judge(now=now, now_us=self._clock.now_us())
        self._tell({state.value: number for state, number in counts.items()})
        await self._write(now)
        if now - self._trimmed >= TRIM_S:
            await self._store.trim(self._clock.now())
            self._trimmed = now

    async def _write(self, now: float) -> None:
        """Write changes of state at once, learned figures once a minute."""
        every_asset = now - self._written >= WRITE_ALL_S
        rows = []
        for moved in self._freshness.unwritten(every_asset=every_asset):
            rows += moved
            await asyncio.sleep(0)  # readers and sweeps go on beside a hundred thousand assets
        events = self._freshness.events()
        if rows or events:
            await self._store.keep(rows, events)
            self._freshness.written(rows)
            self._freshness.told(len(events))
        if every_asset:
            self._written = now
        if events:
            told: dict[str, int] = {}
            for each in events:
                told[each.event.value] = told.get(each.event.value, 0) + 1
            self._observe(FeedChanged(told))

    def _tell(self, counts: dict[str, int]) -> None:
        freshness = self._freshness
        self._observe(AssetsJudged(counts, freshness.stale_by_domain(), freshness.clock_offset_s))
        suspect = freshness.own_clock
        if suspect is not None and self._suspected is None:
            self._observe(OwnClockSuspect(suspect.future, suspect.accepted, suspect.offset_s))
        self._suspected = suspect
