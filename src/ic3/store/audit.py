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
SELECT id, at, who, role, what, whence, object, before, after, chain, encode(hash, 'hex')
FROM audit_log
WHERE id < %(below)s
    AND (%(who)s::text IS NULL OR who = %(who)s) AND (%(what)s::text IS NULL OR what = %(what)s)
    AND (%(object)s::text IS NULL OR object = %(object)s)
    AND (%(from_at)s::timestamptz IS NULL OR at >= %(from_at)s)
    AND (%(until_at)s::timestamptz IS NULL OR at < %(until_at)s)
ORDER BY id DESC LIMIT %(limit)s
"""
BROKEN: Final = "SELECT chain, why FROM ic3_audit_broken()"
EXTENT: Final = """
SELECT count(*), min(chain), max(chain),
    (SELECT encode(hash, 'hex') FROM audit_log ORDER BY chain DESC LIMIT 1)
FROM audit_log
"""
TRIM: Final = "SELECT ic3_audit_trim(now() - %(days)s * interval '1 day', 10000)"
BEYOND: Final = 2**63 - 1


class Act(msgspec.Struct, frozen=True):
    """One row of the audit log.

    Attributes:
        chain: Its place in the chain; `hash` follows from the row before and all it says.
    """

    id: int
    at: datetime
    who: str
    role: str
    what: str
    whence: str
    object: str
    before: Any
    after: Any
    chain: int
    hash: str


class Wanted(msgspec.Struct, frozen=True):
    """Which acts; what is None does not matter. Half-open in time."""

    who: str | None = None
    what: str | None = None
    object: str | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None


class Verified(msgspec.Struct, frozen=True):
    """Whether the chain is whole.

    Attributes:
        broken_at: Place of the first row that does not follow from the one before; null where all
            do.
        newest_hash: To be kept elsewhere: whoever can alter the whole log cannot alter that.
    """

    whole: bool
    rows: int
    first: int | None
    last: int | None
    newest_hash: str | None
    broken_at: int | None = None
    why: str | None = None


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


def _plain(wanted: Wanted) -> dict[str, Any]:
    return dict(msgspec.to_builtins(wanted))


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

    async def newest(
        self, limit: int, *, below: int | None = None, wanted: Wanted | None = None
    ) -> list[Act]:
        """The last acts, newest first.

        Args:
            limit: How many at most.
            below: Only rows with a smaller number, for the next page.
            wanted: Which.
        """
        values = msgspec.structs.asdict(wanted or Wanted())
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                NEWEST, {**values, "below": below or BEYOND, "limit": limit}
            )
            return [Act(*row) for row in await cursor.fetchall()]

    async def note_export(self, actor: Actor, wanted: Wanted) -> None:
        """Note that somebody takes the log with them."""
        asked = {name: value for name, value in _plain(wanted).items() if value is not None}
        async with self._database.connection() as connection:
            await record(connection, actor, "export audit log", "audit_log", after=asked)

    async def verify(self) -> Verified:
        """Compute the whole chain anew."""
        async with self._database.connection() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            broken = await (await connection.execute(BROKEN)).fetchone()
            extent = await (await connection.execute(EXTENT)).fetchone()
        assert extent is not None
        return Verified(broken is None, *extent, *(broken or ()))

    async def trim(self, days: int) -> int:
        """Delete what is older, oldest first, ten thousand rows at most; never below 180 days."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(TRIM, {"days": days})).fetchone()
            return int(row[0]) if row else 0
