"""Logins and their refresh tokens: each token once; one that comes back ends its login."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from ic3.domain.acts import Actor
from ic3.domain.users import Role
from ic3.store.audit import record
from ic3.store.pool import Connection, Database

BEGIN: Final = """
INSERT INTO ic3_login (login_id, username, began_at, used_at, confirmed_at, expires_at, whence,
    client)
VALUES (%(login_id)s, %(username)s, %(now)s, %(now)s, %(now)s, %(expires_at)s, %(whence)s,
    %(client)s)
"""
ISSUE: Final = """
INSERT INTO ic3_refresh_token (token_hash, login_id, issued_at)
VALUES (%(token_hash)s, %(login_id)s, %(now)s)
"""
# The row is locked: of two who bring the same token one is first, the other is the reuse.
FIND: Final = """
SELECT t.login_id, t.used_at, l.username, l.expires_at, l.ended_at, l.confirmed_at, u.role,
    u.domains, u.epoch, u.must_change
FROM ic3_refresh_token t JOIN ic3_login l USING (login_id)
    LEFT JOIN ic3_user u ON u.username = l.username AND u.disabled_at IS NULL
WHERE t.token_hash = %(token_hash)s FOR UPDATE OF t
"""
USE: Final = "UPDATE ic3_refresh_token SET used_at = %(now)s WHERE token_hash = %(token_hash)s"
PROLONG: Final = """
UPDATE ic3_login SET used_at = %(now)s, expires_at = %(expires_at)s WHERE login_id = %(login_id)s
"""
CONFIRM: Final = """
UPDATE ic3_login SET confirmed_at = %(now)s WHERE login_id = %(login_id)s AND ended_at IS NULL
"""
END: Final = """
UPDATE ic3_login SET ended_at = %(now)s, ended_by = %(why)s
WHERE login_id = %(login_id)s AND username = %(username)s AND ended_at IS NULL
"""
END_OTHERS: Final = """
UPDATE ic3_login SET ended_at = %(now)s, ended_by = %(why)s
WHERE username = %(username)s AND ended_at IS NULL AND login_id <> %(but)s
"""
OPEN: Final = """
SELECT login_id, began_at, used_at, expires_at, whence, client FROM ic3_login
WHERE username = %(username)s AND ended_at IS NULL AND expires_at > %(now)s
ORDER BY used_at DESC LIMIT 100
"""
ENDED: Final = "SELECT login_id FROM ic3_login WHERE ended_at > %(since)s"
FORGET_TOKENS: Final = """
DELETE FROM ic3_refresh_token WHERE login_id IN (
    SELECT login_id FROM ic3_login WHERE expires_at < %(before)s OR ended_at < %(before)s
    ORDER BY expires_at LIMIT 1000)
"""
FORGET: Final = """
DELETE FROM ic3_login WHERE login_id IN (
    SELECT login_id FROM ic3_login WHERE expires_at < %(before)s OR ended_at < %(before)s
    ORDER BY expires_at LIMIT 1000)
"""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Whose login goes on, with their rights as they are now."""

    login_id: str
    username: str
    role: Role
    domains: frozenset[str] | None
    epoch: int
    confirmed_at: datetime
    must_change: bool


class LoginView(msgspec.Struct, frozen=True):
    """A login that counts."""

    login_id: str
    began_at: datetime
    used_at: datetime
    expires_at: datetime
    whence: str
    client: str


class LoginStore:
    """Begins, prolongs and ends logins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, login_id: str, actor: Actor, *, token_hash: bytes, client: str, now: datetime,
        expires_at: datetime,
    ) -> None:  # fmt: skip
        """A password was right."""
        values = {
            "login_id": login_id, "username": actor.who, "whence": actor.whence, "client": client,
            "now": now, "expires_at": expires_at, "token_hash": token_hash,
        }  # fmt: skip
        async with self._database.connection() as connection:
            await connection.execute(BEGIN, values)
            await connection.execute(ISSUE, values)
            await record(connection, actor, "login", actor.who)

    async def refresh(
        self, token_hash: bytes, *, next_hash: bytes, now: datetime, expires_at: datetime,
        whence: str,
    ) -> Refreshed | None:  # fmt: skip
        """Exchange a refresh token for the next.

        A token that was used before ends its login: somebody has stolen one of the two.

        Returns:
            None where it is unknown, used, ended, or of somebody who may not log in.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(FIND, {"token_hash": token_hash})).fetchone()
            if row is None:
                return None
            login_id, used_at, username, ends_at, ended_at, confirmed_at = row[:6]
            if used_at is not None and ended_at is None:
                await _end(connection, login_id, username, now=now, why="reuse")
                actor = Actor(username, row[6] or "", whence)
                await record(connection, actor, "refresh token reused", login_id)
            if used_at is not None or ended_at is not None or ends_at <= now or row[6] is None:
                return None
            values = {
                "login_id": login_id, "now": now, "expires_at": expires_at,
                "token_hash": token_hash,
            }  # fmt: skip
            await connection.execute(USE, values)
            await connection.execute(ISSUE, {**values, "token_hash": next_hash})
            await connection.execute(PROLONG, values)
        domains = None if row[7] is None else frozenset(row[7])
        return Refreshed(
            login_id, username, Role(row[6]), domains, row[8], confirmed_at, row[9]
        )  # fmt: skip

    async def confirm(self, login_id: str, *, now: datetime) -> None:
        """The password was given again."""
        async with self._database.connection() as connection:
            await connection.execute(CONFIRM, {"login_id": login_id, "now": now})

    async def end(self, login_id: str, username: str, *, actor: Actor, now: datetime) -> bool:
        """End a login of a user; False where they have none of this number."""
        async with self._database.connection() as connection:
            ended = await _end(connection, login_id, username, now=now, why="logout")
            if ended:
                await record(connection, actor, "logout", username)
            return ended

    async def end_others(
        self, username: str, *, but: str = "", why: str, actor: Actor, now: datetime
    ) -> int:
        """End all logins of a user but one; answers how many."""
        async with self._database.connection() as connection:
            values = {"username": username, "but": but, "why": why, "now": now}
            ended = (await connection.execute(END_OTHERS, values)).rowcount
            if ended:
                after = {"ended": ended, "why": why}
                await record(connection, actor, "end logins", username, after=after)
            return ended

    async def open(self, username: str, *, now: datetime) -> list[LoginView]:
        """The logins of a user that count, last used first, a hundred at most."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(OPEN, {"username": username, "now": now})
            return [LoginView(*row) for row in await cursor.fetchall()]

    async def ended(self, *, since: datetime) -> frozenset[str]:
        """Logins that were ended since a time: tokens of them may still live."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(ENDED, {"since": since})).fetchall()
            return frozenset(row[0] for row in rows)

    async def forget(self, *, before: datetime) -> int:
        """Delete logins that ended before a time, a thousand at most; answers how many."""
        async with self._database.connection() as connection:
            await connection.execute(FORGET_TOKENS, {"before": before})
            return (await connection.execute(FORGET, {"before": before})).rowcount


async def _end(
    connection: Connection, login_id: str, username: str, *, now: datetime, why: str
) -> bool:
    values = {"login_id": login_id, "username": username, "now": now, "why": why}
    return (await connection.execute(END, values)).rowcount == 1
