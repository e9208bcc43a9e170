"""What judges tokens and keys, read as a whole."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from ic3.clock import Clock
from ic3.domain.access import Event, Known
from ic3.store.api_keys import ApiKeyStore
from ic3.store.audit import record
from ic3.store.logins import LoginStore
from ic3.store.pool import Database
from ic3.store.users import UserStore

KEPT_AFTER_END: Final = timedelta(days=30)


class AccessStore:
    """Reads who may come in, and writes who did not.

    Args:
        database: Where it is kept.
        token_life_s: As long as this after its end a login's tokens may still live.
        clock: Says what has ended.
    """

    def __init__(self, database: Database, *, token_life_s: float, clock: Clock) -> None:
        self._database = database
        self._users = UserStore(database)
        self._logins = LoginStore(database)
        self._keys = ApiKeyStore(database)
        self._token_life = timedelta(seconds=token_life_s + 60)
        self._clock = clock

    async def load(self) -> Known:
        """What the database says now."""
        now = self._clock.now()
        return Known(
            await self._users.epochs(), await self._logins.ended(since=now - self._token_life),
            await self._keys.good(now=now),
        )  # fmt: skip

    async def write(self, events: Iterable[Event]) -> None:
        """Put refusals and exports into the audit log."""
        async with self._database.connection() as connection:
            for each in events:
                await record(
                    connection, each.actor, each.what, each.object,
                    after={"detail": each.detail, "count": each.count},
                )  # fmt: skip

    async def mark_used(self, hashes: Iterable[bytes]) -> None:
        """Note that keys were used."""
        await self._keys.mark_used(hashes, now=self._clock.now())

    async def forget(self) -> None:
        """Delete logins that ended a month ago."""
        await self._logins.forget(before=self._clock.now() - KEPT_AFTER_END)
