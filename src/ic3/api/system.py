"""What the server knows of itself, for its administrators."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
from litestar.di import NamedDependency

from ic3 import __version__
from ic3.clock import Clock
from ic3.domain.checks import Check, Room, Survey
from ic3.hub.live import LiveHub
from ic3.hub.local import LocalHub
from ic3.settings import Settings
from ic3.spool import Spool
from ic3.store.system import DatabaseFacts, SystemStore


class Retention(msgspec.Struct):
    """How many days are kept: telemetry and readings, roll-ups of five minutes, the audit log."""

    raw_days: int
    rollup_days: int
    audit_days: int


class HubClients(msgspec.Struct):
    """Live clients.

    Attributes:
        plain: Of `/ws`.
        numbered: Of `/ws/v1` and `/api/stream`.
        allowed: Of all of them at once.
        slow: Of the numbered ones: those that do not take what is sent.
        frames_dropped: For slow ones, since the start.
    """

    plain: int
    numbered: int
    allowed: int
    slow: int
    frames_dropped: int


class System(msgspec.Struct):
    """The server, its database and what is to be done about them.

    Attributes:
        plant: `simulated` or `real`.
        reasons: Why the product is not ready, as `/readyz` says; empty where it is.
        spool_share: How full the spool is, 0 to 1 of what it may hold.
        roles: Roles of the database that the login may enter.
        room: Null where the schema is not up to date.
        checks: Those of `ic3 doctor`, without the gateway: the sweeps read that all the time.
    """

    at: datetime
    version: str
    started_at: datetime
    plant: str
    reasons: list[str]
    database: DatabaseFacts
    roles: list[str]
    room: Room | None
    spool_share: float
    hub: HubClients
    retention: Retention
    checks: list[Check]


class SystemReader:
    """Looks at the parts of the server when it is asked.

    Args:
        survey: The checks that the server can do by itself.
        reasons: Why the product is not ready.
    """

    def __init__(
        self, *, settings: Settings, store: SystemStore, spool: Spool, hub: LocalHub,
        live: LiveHub, survey: Callable[[], Awaitable[Survey]], reasons: Callable[[], list[str]],
        clock: Clock,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._store = store
        self._spool = spool
        self._hub = hub
        self._live = live
        self._survey = survey
        self._reasons = reasons
        self._clock = clock
        self._started_at = clock.now()

    async def read(self) -> System:
        """All of it, as it is now."""
        settings, live = self._settings, self._live
        found = await self._survey()
        return System(
            at=self._clock.now(),
            version=__version__,
            started_at=self._started_at,
            plant="simulated" if settings.simulated else "real",
            reasons=self._reasons(),
            database=await self._store.facts(),
            roles=found.roles,
            room=found.room,
            spool_share=self._spool.share(),
            hub=HubClients(
                self._hub.clients, live.clients, settings.ws_clients, live.slow, live.dropped
            ),
            retention=Retention(settings.raw_days, settings.rollup_days, settings.audit_days),
            checks=found.checks,
        )


async def read(system_reader: NamedDependency[SystemReader]) -> System:
    """Versions, database, room, partitions, live clients, retention, checks of the doctor."""
    return await system_reader.read()
