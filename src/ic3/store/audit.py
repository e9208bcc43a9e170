"""The audit log: every act of a person, in the transaction of the act."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.store.pool import Connection, Database

RECORD: Final = """
INSERT INTO audit_log (who, role, what, whence, object, before, after)
VALUES (%(who)s, %(role)s, %(what)s, %(whence)s, %(object)s, %(before)s, %(after)s)
"""
RECORD_MANY: Final = """
INSERT INTO audit_log (who, role, what, whence, object, before, after)
SELECT who, role, what, whence, object, before, after
FROM jsonb_to_recordset(%(rows)s) AS given (number int, who text, role text, what text, whence text,
    object text, before jsonb, after jsonb)
ORDER BY number
"""
NEWEST: Final = """
SELECT id, at, who, role, what, whence, object, before, after FROM audit_log
WHERE id < %(below)s ORDER BY id DESC LIMIT %(limit)s
"""
BEYOND: Final = 2**63 - 1


class Act(msgspec.Struct, frozen=True):
    """One row of the audit log."""

    id: int
    at: datetime
    who: str
    role: str
    what: str
    whence: str
    object: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class NewAct:
    """A row to be written; `about` is what it is done to, the rest as for `record`."""

    actor: Actor
    what: str
    about: str
    before: object = None
    after: object = None


async def record(
    connection: Connection, actor: Actor, what: str, object_: str, *, before: object = None,
    after: object = None,
) -> None:  # fmt: skip
    """Note an act in the transaction that does it.

    Args:
        connection: Of that transaction.
        actor: Who acts.
        what: Word for the act.
        object_: What it is done to.
        before: How that was; anything JSON can say, None where it was not.
        after: How it is then; None where it is gone.
    """
    await connection.execute(
        RECORD,
        {
            "who": actor.who, "role": actor.role, "what": what, "whence": actor.whence,
            "object": object_, "before": None if before is None else Jsonb(before),
            "after": None if after is None else Jsonb(after),
        },
    )  # fmt: skip


async def record_many(connection: Connection, acts: Sequence[NewAct]) -> None:
    """Note acts in the transaction that writes them, in their order."""
    if not acts:
        return
    rows = [
        {
            "number": number, "who": each.actor.who, "role": each.actor.role, "what": each.what,
            "whence": each.actor.whence, "object": each.about, "before": each.before,
            "after": each.after,
        }
        for number, each in enumerate(acts)
    ]  # fmt: skip
    await connection.execute(RECORD_MANY, {"rows": Jsonb(rows)})


class AuditStore:
    """Reads the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, limit: int, *, below: int | None = None) -> list[Act]:
        """The last acts, newest first.

        Args:
            limit: How many at most.
            below: Only rows with a smaller number, for the next page.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(NEWEST, {"below": below or BEYOND, "limit": limit})
            return [Act(*row) for row in await cursor.fetchall()]
