"""Keys of programs."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from ic3.domain.acts import Actor
from ic3.domain.users import Principal, Role
from ic3.errors import InputError
from ic3.store.audit import record
from ic3.store.pool import Database

ADD: Final = """
INSERT INTO ic3_api_key (name, key_hash, hint, role, domains, created_at, created_by, expires_at)
VALUES (%(name)s, %(key_hash)s, %(hint)s, %(role)s, %(domains)s, %(now)s, %(who)s, %(expires_at)s)
ON CONFLICT (name) DO NOTHING
RETURNING key_id
"""
LISTED: Final = """
SELECT key_id, name, hint, role, domains, created_at, created_by, expires_at, used_at, revoked_at
FROM ic3_api_key ORDER BY key_id DESC LIMIT 1000
"""
COUNT: Final = "SELECT count(*) FROM ic3_api_key"
REVOKE: Final = """
UPDATE ic3_api_key SET revoked_at = %(now)s WHERE key_id = %(key_id)s AND revoked_at IS NULL
RETURNING name
"""
GOOD: Final = """
SELECT key_hash, name, role, domains, extract(epoch FROM expires_at)::float8 FROM ic3_api_key
WHERE revoked_at IS NULL AND expires_at > %(now)s
"""
USED: Final = "UPDATE ic3_api_key SET used_at = %(now)s WHERE key_hash = ANY(%(hashes)s)"
MOST: Final = 1000


class KeyView(msgspec.Struct, frozen=True):
    """A key as administrators see it; the key itself is shown once, when it is made."""

    key_id: int
    name: str
    hint: str
    role: str
    domains: list[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class ApiKeyStore:
    """Makes, lists and ends keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, name: str, *, key_hash: bytes, hint: str, role: Role, domains: list[str] | None,
        now: datetime, expires_at: datetime, actor: Actor,
    ) -> int:  # fmt: skip
        """Keep a key; answers its number.

        Raises:
            InputError: The name is taken, or there are too many.
        """
        values = {
            "name": name, "key_hash": key_hash, "hint": hint, "role": role.value,
            "domains": domains, "now": now, "who": actor.who, "expires_at": expires_at,
        }  # fmt: skip
        async with self._database.connection() as connection:
            counted = await (await connection.execute(COUNT)).fetchone()
            if counted and counted[0] >= MOST:
                raise InputError(f"keys: there are {MOST:,}, which is the limit")
            row = await (await connection.execute(ADD, values)).fetchone()
            if row is None:
                raise InputError(f"keys: there is a key named {name!r} already; choose another")
            after = {"role": role.value, "domains": domains, "expires_at": expires_at.isoformat()}
            await record(connection, actor, "add key", name, after=after)
            return int(row[0])

    async def listed(self) -> list[KeyView]:
        """All keys, newest first."""
        async with self._database.connection() as connection:
            return [
                KeyView(*row) for row in await (await connection.execute(LISTED)).fetchall()
            ]  # fmt: skip

    async def revoke(self, key_id: int, *, now: datetime, actor: Actor) -> bool:
        """End a key; False where there is none that counts."""
        async with self._database.connection() as connection:
            row = await (
                await connection.execute(REVOKE, {"key_id": key_id, "now": now})
            ).fetchone()
            if row is not None:
                await record(connection, actor, "end key", row[0])
            return row is not None

    async def good(self, *, now: datetime) -> dict[bytes, Principal]:
        """Every key that counts, by its hash, with whom it stands for."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(GOOD, {"now": now})).fetchall()
        return {
            bytes(hashed): Principal(
                f"key:{name}", Role(role), expires_s,
                None if domains is None else frozenset(domains),
            )
            for hashed, name, role, domains, expires_s in rows
        }  # fmt: skip

    async def mark_used(self, hashes: Iterable[bytes], *, now: datetime) -> None:
        """Note that keys were used."""
        async with self._database.connection() as connection:
            await connection.execute(USED, {"hashes": list(hashes), "now": now})
