"""People and programs that may log in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from ic3.domain.acts import Actor
from ic3.domain.users import Role
from ic3.errors import InputError
from ic3.store.audit import record
from ic3.store.pool import Connection, Database

BY_NAME: Final = """
SELECT user_id, username, password_hash, role, domains, must_change, epoch FROM ic3_user
WHERE username = %(username)s AND disabled_at IS NULL
"""
ADD: Final = """
INSERT INTO ic3_user (username, password_hash, role, domains, full_name, must_change)
VALUES (%(username)s, %(password_hash)s, %(role)s, %(domains)s, %(full_name)s, %(must_change)s)
ON CONFLICT (username) DO NOTHING
"""
REHASH: Final = "UPDATE ic3_user SET password_hash = %(password_hash)s WHERE user_id = %(user_id)s"
ANY_ADMIN: Final = """
SELECT EXISTS (SELECT FROM ic3_user WHERE role = 'admin' AND disabled_at IS NULL)
"""
LISTED: Final = """
SELECT u.username, u.full_name, u.role, u.domains, u.must_change, u.created_at, u.disabled_at,
    u.version, (SELECT max(used_at) FROM ic3_login l WHERE l.username = u.username)
FROM ic3_user u WHERE u.username > %(after)s ORDER BY u.username LIMIT %(limit)s
"""
ONE: Final = """
SELECT u.username, u.full_name, u.role, u.domains, u.must_change, u.created_at, u.disabled_at,
    u.version, (SELECT max(used_at) FROM ic3_login l WHERE l.username = u.username)
FROM ic3_user u WHERE u.username = %(username)s
"""
# Two who demote each other at the same time must meet: one of them stays.
ADMINS: Final = """
SELECT username FROM ic3_user WHERE role = 'admin' AND disabled_at IS NULL
ORDER BY user_id FOR UPDATE
"""
CHANGE: Final = """
UPDATE ic3_user SET role = %(role)s, domains = %(domains)s, full_name = %(full_name)s,
    disabled_at = CASE WHEN NOT %(disabled)s THEN NULL ELSE coalesce(disabled_at, now()) END,
    epoch = epoch + CASE WHEN %(revokes)s THEN 1 ELSE 0 END, version = version + 1
WHERE username = %(username)s AND version = %(version)s
"""
REPLACE_HASH: Final = """
UPDATE ic3_user SET password_hash = %(password_hash)s, must_change = %(must_change)s,
    epoch = epoch + 1, version = version + 1
WHERE username = %(username)s AND disabled_at IS NULL
RETURNING epoch
"""
EPOCHS: Final = "SELECT username, epoch FROM ic3_user WHERE disabled_at IS NULL"


@dataclass(frozen=True, slots=True)
class User:
    """A user as stored."""

    user_id: int
    username: str
    password_hash: str
    role: Role
    domains: frozenset[str] | None = None
    must_change: bool = False
    epoch: int = 1


class UserView(msgspec.Struct, frozen=True):
    """A user as administrators see it; `domains` is null for all."""

    username: str
    full_name: str | None
    role: str
    domains: list[str] | None
    must_change: bool
    created_at: datetime
    disabled_at: datetime | None
    version: int
    last_login_at: datetime | None


class LastAdminError(InputError):
    """The last administrator would be gone."""


class VersionError(InputError):
    """Somebody else has changed it since it was read."""


class UserStore:
    """Finds, adds and changes users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, username: str) -> User | None:
        """The user of this name who may log in, or None."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(BY_NAME, {"username": username})).fetchone()
        if row is None:
            return None
        domains = None if row[4] is None else frozenset(row[4])
        return User(row[0], row[1], row[2], Role(row[3]), domains, row[5], row[6])

    async def add(
        self, username: str, password_hash: str, role: Role, *, domains: list[str] | None = None,
        full_name: str | None = None, must_change: bool = False, actor: Actor | None = None,
    ) -> bool:  # fmt: skip
        """Add a user; False where the name is taken.

        Args:
            username: To log in with.
            password_hash: argon2id.
            role: What the user may do.
            domains: What the user may see; None is all.
            full_name: For people.
            must_change: Whether the password is to be changed.
            actor: Who adds them; None at the first start.
        """
        values = {
            "username": username, "password_hash": password_hash, "role": role.value,
            "domains": domains, "full_name": full_name, "must_change": must_change,
        }  # fmt: skip
        async with self._database.connection() as connection:
            added = (await connection.execute(ADD, values)).rowcount == 1
            if added and actor is not None:
                after = {"role": role.value, "domains": domains, "full_name": full_name}
                await record(connection, actor, "add user", username, after=after)
            return added

    async def rehash(self, user_id: int, password_hash: str) -> None:
        """Keep a new hash of the same password."""
        async with self._database.connection() as connection:
            await connection.execute(REHASH, {"user_id": user_id, "password_hash": password_hash})

    async def has_admin(self) -> bool:
        """Whether anybody may administer."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(ANY_ADMIN)).fetchone()
            return bool(row and row[0])

    async def listed(self, limit: int, *, after: str = "") -> list[UserView]:
        """Users by name, after one."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(LISTED, {"after": after, "limit": limit})
            return [UserView(*row) for row in await cursor.fetchall()]

    async def one(self, username: str) -> UserView | None:
        """A user as administrators see it."""
        async with self._database.connection() as connection:
            return await _one(connection, username)

    async def change(
        self, username: str, *, version: int, role: Role, domains: list[str] | None,
        full_name: str | None, disabled: bool, actor: Actor,
    ) -> UserView:  # fmt: skip
        """Change rights or end them; tokens and logins of the user end where their rights change.

        Raises:
            InputError: There is no such user, they were changed since, or nobody would be left to
                administer.
        """
        async with self._database.connection() as connection:
            admins = [row[0] for row in await (await connection.execute(ADMINS)).fetchall()]
            before = await _one(connection, username)
            if before is None:
                raise InputError(f"users: there is no user {username!r}")
            if admins == [username] and (disabled or role is not Role.ADMIN):
                raise LastAdminError(
                    "users: the last administrator can neither be demoted nor disabled"
                )
            was = {
                "role": before.role, "domains": before.domains, "full_name": before.full_name,
                "disabled": before.disabled_at is not None,
            }  # fmt: skip
            now = {
                "role": role.value, "domains": domains, "full_name": full_name,
                "disabled": disabled,
            }  # fmt: skip
            revokes = any(was[each] != now[each] for each in ("role", "domains", "disabled"))
            values: dict[str, Any] = {
                "username": username,
                "version": version,
                "revokes": revokes,
                **now,
            }
            if (await connection.execute(CHANGE, values)).rowcount != 1:
                raise VersionError("users: somebody else has changed this user; read it again")
            await record(connection, actor, "change user", username, before=was, after=now)
            after = await _one(connection, username)
            assert after is not None
            return after

    async def set_password(
        self, username: str, password_hash: str, *, must_change: bool, actor: Actor
    ) -> int | None:
        """Keep a new password; every token made before counts no more.

        Returns:
            The user's new epoch, or None where there is no such user.
        """
        values = {
            "username": username, "password_hash": password_hash, "must_change": must_change
        }  # fmt: skip
        async with self._database.connection() as connection:
            row = await (await connection.execute(REPLACE_HASH, values)).fetchone()
            if row is None:
                return None
            await record(connection, actor, "set password", username)
            return int(row[0])

    async def epochs(self) -> dict[str, int]:
        """Everybody who may log in, with the epoch of their rights."""
        async with self._database.connection() as connection:
            return dict(await (await connection.execute(EPOCHS)).fetchall())


async def _one(connection: Connection, username: str) -> UserView | None:
    row = await (await connection.execute(ONE, {"username": username})).fetchone()
    return UserView(*row) if row else None
