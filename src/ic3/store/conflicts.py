"""What files and the CMMS say otherwise than a person entered, and what is decided about it."""

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.errors import InputError, UnknownHere
from ic3.store.audit import record
from ic3.store.pool import Connection, Database
from ic3.store.register import Scope, import_table

# Of parameters all may know; of assets only who sees them.
PAGE: Final = """
SELECT c.id, c.subject, c.key, c.tag_code, c.field, c.kept, c.offered, c.source, c.offered_by,
    c.first_at, c.last_at, c.times, c.state, c.decided_at, c.decided_by
FROM ic3_register_conflict c
WHERE c.id > %(after)s AND (%(state)s::text IS NULL OR c.state = %(state)s::text)
    AND (%(domains)s::text[] IS NULL OR c.subject = 'parameters'
        OR EXISTS (SELECT FROM ic3_asset_master a
            WHERE a.serialnumber = c.key AND a.domain = ANY(%(domains)s::text[])))
ORDER BY c.id LIMIT %(limit)s
"""
COUNT_OPEN: Final = """
SELECT count(*) FROM ic3_register_conflict c
WHERE c.state = 'open'
    AND (%(domains)s::text[] IS NULL OR c.subject = 'parameters'
        OR EXISTS (SELECT FROM ic3_asset_master a
            WHERE a.serialnumber = c.key AND a.domain = ANY(%(domains)s::text[])))
"""
LOCK_ONE: Final = """
SELECT c.subject, c.key, c.tag_code, c.field, c.kept, c.offered, c.state
FROM ic3_register_conflict c
WHERE c.id = %(id)s
    AND (%(domains)s::text[] IS NULL OR c.subject = 'parameters'
        OR EXISTS (SELECT FROM ic3_asset_master a
            WHERE a.serialnumber = c.key AND a.domain = ANY(%(domains)s::text[])))
FOR NO KEY UPDATE OF c
"""
DECIDE: Final = """
UPDATE ic3_register_conflict
SET state = %(state)s, decided_at = now(), decided_by = %(who)s
WHERE id = %(id)s
"""
# The field is nobody's again: the next file or synchronisation may change it.
RELEASE_ASSET: Final = """
UPDATE ic3_asset_master SET entered = entered - %(field)s::text WHERE serialnumber = %(key)s
"""
RELEASE_PARAMETER: Final = """
UPDATE ic3_parameter_master SET entered = entered - %(field)s::text WHERE param_tag_code = %(key)s
"""
RELEASE_TAG: Final = """
UPDATE ic3_asset_tag_map m SET set_by = NULL FROM ic3_asset_master a
WHERE a.asset_id = m.asset_id AND a.serialnumber = %(key)s AND m.tag_code = %(tag_code)s
"""
SET_NAME: Final = """
UPDATE ic3_parameter_master SET parameter_name = %(offered)s::jsonb #>> '{}'
WHERE param_tag_code = %(key)s
"""

Decision = Literal["keep", "take"]


class Conflict(msgspec.Struct, frozen=True):
    """A field in which what a person entered is not what a file or the CMMS says."""

    id: int
    subject: str
    key: str
    tag_code: str
    field: str
    kept: Any
    offered: Any
    source: str
    offered_by: str
    first_at: datetime
    last_at: datetime
    times: int
    state: str
    decided_at: datetime | None
    decided_by: str | None


class ConflictStore:
    """Lists conflicts and decides them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, *, state: str | None, scope: Scope, limit: int, after: int
    ) -> list[Conflict]:
        """Conflicts in the order in which they were first met.

        Args:
            state: open, kept or taken; None is all.
            scope: Domains whose assets may be seen.
            limit: How many at most.
            after: Number of the last of the page before.
        """
        named = {"state": state, "domains": scope, "limit": limit, "after": after}
        async with self._database.connection() as connection:
            cursor = await connection.execute(PAGE, named)
            return [Conflict(*row) for row in await cursor.fetchall()]

    async def count_open(self, scope: Scope) -> int:
        """How many are open."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(COUNT_OPEN, {"domains": scope})).fetchone()
            return int(row[0]) if row else 0

    async def decide(self, actor: Actor, number: int, decision: Decision, scope: Scope) -> None:
        """Keep what a person entered, or take what was offered.

        What is taken is nobody's entry any more: later offers change it without a question.

        Raises:
            UnknownHere: There is no such conflict in these domains.
            InputError: It is decided already.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(LOCK_ONE, {"id": number, "domains": scope})
            row = await cursor.fetchone()
            if row is None:
                raise UnknownHere(f"conflict: there is no conflict {number}")
            subject, key, tag_code, field, kept, offered, state = row
            if state != "open":
                raise InputError(f"conflict: {number} is {state} already; look at the list again")
            if decision == "take":
                if field == "domain" and scope is not None and offered not in scope:
                    raise InputError("domain: what was offered is none of yours")
                await _take(connection, actor, subject, key, tag_code, field, offered)
            taken = "taken" if decision == "take" else "kept"
            named = {"id": number, "state": taken, "who": actor.who}
            await connection.execute(DECIDE, named)
            await record(
                connection, actor, f"offer {taken}", f"{field} of {key!r}",
                before={field: kept}, after={field: offered if decision == "take" else kept},
            )  # fmt: skip


async def _take(
    connection: Connection, actor: Actor, subject: str, key: str, tag_code: str, field: str,
    offered: Any,
) -> None:  # fmt: skip
    """Write what was offered, and let the field be nobody's again."""
    place = {"key": key, "field": field, "tag_code": tag_code}
    if subject == "tagmap":
        await connection.execute(RELEASE_TAG, {"key": key, "tag_code": tag_code})
        row = {"serialnumber": key, "tag_code": tag_code, "param_tag_code": offered}
    elif subject == "parameters":
        await connection.execute(RELEASE_PARAMETER, place)
        if field == "parameter_name":
            named = {"key": key, "offered": Jsonb(offered)}
            await connection.execute(SET_NAME, named)
            return
        row = {
            "param_tag_code": key,
            "parameter_name": await _name(connection, key),
            field: offered,
        }
    else:
        await connection.execute(RELEASE_ASSET, place)
        row = {"serialnumber": key, field: offered}
    await import_table(connection, subject, [row], by=actor.who)


PARAMETER_NAME: Final = """
SELECT parameter_name FROM ic3_parameter_master WHERE param_tag_code = %(code)s
"""


async def _name(connection: Connection, code: str) -> str | None:
    row = await (await connection.execute(PARAMETER_NAME, {"code": code})).fetchone()
    return str(row[0]) if row else None
