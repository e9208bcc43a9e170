"""Know within seconds who may no longer come in; keep the list of refusals and old logins short."""

from typing import Final

from ic3.clock import Clock
from ic3.domain.access import Access, PendingEvents
from ic3.store.access import AccessStore
from ic3.store.audit import AuditStore

EVERY_S: Final = 2.0
MARK_S: Final = 60.0
TRIM_S: Final = 3600.0
BATCH: Final = 500


class AccessWorker:
    """One round every two seconds: what others have changed counts here within five."""

    name = "access"
    every_s: float | None = EVERY_S

    def __init__(
        self, *, access: Access, events: PendingEvents, store: AccessStore, audits: AuditStore,
        audit_days: int, clock: Clock,
    ) -> None:  # fmt: skip
        self._access = access
        self._events = events
        self._store = store
        self._audits = audits
        self._audit_days = audit_days
        self._clock = clock
        self._marked = self._trimmed = clock.monotonic()

    async def step(self) -> None:
        """Read, write, tidy up."""
        self._access.replace(await self._store.load())
        self._events.settle(self._clock.monotonic())
        waiting = self._events.waiting
        while waiting:
            batch = [waiting[index] for index in range(min(BATCH, len(waiting)))]
            await self._store.write(batch)
            for _ in batch:
                waiting.popleft()
        now = self._clock.monotonic()
        if now - self._marked >= MARK_S:
            used = self._access.take_used()
            if used:
                await self._store.mark_used(used)
            self._marked = now
        if now - self._trimmed >= TRIM_S:
            await self._store.forget()
            await self._audits.trim(self._audit_days)
            self._trimmed = now
