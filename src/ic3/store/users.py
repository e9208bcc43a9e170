"""People and programs that may log in."""

from dataclasses import dataclass
from typing import Final

from ic3.domain.users import Role
from ic3.store.pool import Database

BY_NAME: Final = """
SELECT user_id, username, password_hash, role FROM ic3_user
WHERE username = %(username)s AND disabled_at IS NULL
"""
ADD: Final = """
INSERT INTO ic3_user (username, password_hash, role)
VALUES (%(username)s, %(password_hash)s, %(role)s)
ON CONFLICT (username) DO NOTHING
"""
REHASH: Final = "UPDATE ic3_user SET password_hash = %(password_hash)s WHERE user_id = %(user_id)s"
ANY_ADMIN: Final = """
SELECT EXISTS (SELECT FROM ic3_user WHERE role = 'admin' AND disabled_at IS NULL)
"""


@dataclass(frozen=True, slots=True)
class User:
    """A user as stored."""

    user_id: int
    username: str
    password_hash: str
    role: Role


class UserStore:
    """Finds and adds users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, username: str) -> User | None:
        """The user of this name who may log in, or None."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(BY_NAME, {"username": username})).fetchone()
            return User(row[0], row[1], row[2], Role(row[3])) if row else None

    async def add(self, username: str, password_hash: str, role: Role) -> bool:
        """Add a user; False where the name is taken."""
        values = {"username": username, "password_hash": password_hash, "role": role.value}
        async with self._database.connection() as connection:
            return (await connection.execute(ADD, values)).rowcount == 1

    async def rehash(self, user_id: int, password_hash: str) -> None:
        """Keep a new hash of the same password."""
        async with self._database.connection() as connection:
            await connection.execute(REHASH, {"user_id": user_id, "password_hash": password_hash})

    async def has_admin(self) -> bool:
        """Whether anybody may administer."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(ANY_ADMIN)).fetchone()
            return bool(row and row[0])
