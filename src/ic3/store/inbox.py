"""The inbox of unknown assets and unmapped tags."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.domain.inbox import Key, Kind, Line, State, Taken
from ic3.errors import InputError
from ic3.store.audit import record
from ic3.store.pool import Connection, Database
from ic3.store.telemetry import microseconds, moment

# A line met again adds to its count; its state is a person's or the register's.
WRITE_LINES: Final = """
INSERT INTO ic3_inbox AS kept (kind, serial, tag_code, domain, value_type, first_seen_at,
    last_seen_at, times_seen, samples)
SELECT kind, serial, tag_code, domain, value_type, first_seen_at, last_seen_at, times_seen, samples
FROM jsonb_to_recordset(%(lines)s) AS given (kind text, serial text, tag_code text, domain text,
    value_type text, first_seen_at timestamptz, last_seen_at timestamptz, times_seen bigint,
    samples jsonb)
ORDER BY kind, serial, tag_code
ON CONFLICT (kind, serial, tag_code) DO UPDATE SET
    domain = coalesce(excluded.domain, kept.domain),
    value_type = coalesce(excluded.value_type, kept.value_type),
    last_seen_at = greatest(kept.last_seen_at, excluded.last_seen_at),
    times_seen = kept.times_seen + excluded.times_seen, samples = excluded.samples
"""
SETTLE_LINES: Final = """
UPDATE ic3_inbox AS kept SET state = %(state)s, changed_at = now(), changed_by = NULL
FROM jsonb_to_recordset(%(keys)s) AS given (kind text, serial text, tag_code text)
WHERE kept.kind = given.kind AND kept.serial = given.serial AND kept.tag_code = given.tag_code
    AND (kept.state = 'mapped') <> (%(state)s = 'mapped')
"""
ALL_LINES: Final = """
SELECT kind, serial, tag_code, domain, value_type, first_seen_at, last_seen_at, times_seen, samples,
    state
FROM ic3_inbox LIMIT 100000
"""
PAGE: Final = """
SELECT kind, serial, tag_code, domain, value_type, first_seen_at, last_seen_at, times_seen, samples,
    state, note, changed_at, changed_by
FROM ic3_inbox
WHERE (kind, serial, tag_code) > (%(kind_after)s, %(serial_after)s, %(tag_after)s)
    AND (%(kind)s::text IS NULL OR kind = %(kind)s::text)
    AND (%(state)s::text IS NULL OR state = %(state)s::text)
    AND (%(tag_code)s::text IS NULL OR tag_code = %(tag_code)s::text)
    AND (%(category)s::text IS NULL OR %(category)s::text = (SELECT a.category
        FROM ic3_asset_master a WHERE a.serialnumber = serial))
ORDER BY kind, serial, tag_code LIMIT %(limit)s
"""
# Samples are up to five a line, of at most 100,000 lines.
GROUPS: Final = """
WITH lines AS (
    SELECT i.serial, i.tag_code, i.value_type, i.first_seen_at, i.last_seen_at, i.times_seen,
        i.samples, a.category
    FROM ic3_inbox i LEFT JOIN ic3_asset_master a ON a.serialnumber = i.serial
    WHERE i.kind = 'tag' AND i.state = %(state)s),
numbers AS (
    SELECT tag_code, category, min(value::text::float8) AS lowest,
        max(value::text::float8) AS highest
    FROM lines CROSS JOIN jsonb_array_elements(samples) AS value
    WHERE jsonb_typeof(value) = 'number' GROUP BY tag_code, category)
SELECT l.tag_code, l.category, count(*), max(l.value_type), min(l.first_seen_at),
    max(l.last_seen_at), sum(l.times_seen)::bigint, n.lowest, n.highest,
    (array_agg(l.samples ORDER BY l.last_seen_at DESC, l.serial))[1],
    (array_agg(l.serial ORDER BY l.last_seen_at DESC, l.serial))[1],
    p.param_id, p.parameter_name, p.unit
FROM lines l
LEFT JOIN numbers n ON n.tag_code = l.tag_code AND n.category IS NOT DISTINCT FROM l.category
LEFT JOIN ic3_parameter_master p ON p.param_tag_code = l.tag_code
GROUP BY l.tag_code, l.category, n.lowest, n.highest, p.param_id, p.parameter_name, p.unit
ORDER BY count(*) DESC, l.tag_code, l.category LIMIT %(limit)s
"""
COUNT_LINES: Final = "SELECT kind, state, count(*) FROM ic3_inbox GROUP BY kind, state"

SET_STATE: Final = """
UPDATE ic3_inbox SET state = %(state)s, note = %(note)s, changed_at = now(), changed_by = %(who)s
WHERE kind = %(kind)s AND serial = %(serial)s AND tag_code = %(tag_code)s AND state = %(was)s
"""
STATE_OF: Final = """
SELECT state, note FROM ic3_inbox
WHERE kind = %(kind)s AND serial = %(serial)s AND tag_code = %(tag_code)s
"""


class InboxRow(msgspec.Struct, frozen=True):
    """One line as the API shows it; `tag_code` is empty for an asset."""

    kind: str
    serial: str
    tag_code: str
    domain: str | None
    value_type: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    times_seen: int
    samples: list[Any]
    state: str
    note: str | None
    changed_at: datetime | None
    changed_by: str | None


class TagGroup(msgspec.Struct, frozen=True):
    """A tag on the assets of one category that nothing maps.

    Attributes:
        assets: On how many; so many readings a run a mapping by kind would add.
        lowest: Least of the samples; null where none is a number.
        serial: One of the assets, the last that sent it; `samples` are its.
        param_id: The parameter whose code is the tag's; null where there is none.
    """

    tag_code: str
    category: str | None
    assets: int
    value_type: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    times_seen: int
    lowest: float | None
    highest: float | None
    samples: list[Any]
    serial: str
    param_id: int | None
    parameter_name: str | None
    unit: str | None


async def write_taken(connection: Connection, taken: Taken) -> None:
    """Write what a sweep means for the inbox, in the transaction of its run."""
    if taken.lines:
        lines = [_line_row(each) for each in taken.lines]
        await connection.execute(WRITE_LINES, {"lines": Jsonb(lines)})
    for state, keys in ((State.MAPPED, taken.mapped), (State.OPEN, taken.reopened)):
        if keys:
            named = [each._asdict() for each in sorted(keys)]
            await connection.execute(SETTLE_LINES, {"state": state, "keys": Jsonb(named)})


class InboxStore:
    """Reads the lines and says which are to be left alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all_lines(self) -> list[tuple[Line, State]]:
        """Every line, for the memory of a new process."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(ALL_LINES)
            return [_line(*row) for row in await cursor.fetchall()]

    async def page(
        self, *, kind: Kind | None, state: State | None, limit: int, after: Key | None,
        tag_code: str | None = None, category: str | None = None,
    ) -> list[InboxRow]:  # fmt: skip
        """Lines in the order of kind, serial number and tag.

        Args:
            kind: Only this list.
            state: Only lines of this state.
            limit: How many at most.
            after: The last line of the page before.
            tag_code: Only lines of this tag.
            category: Only lines of registered assets of this category.
        """
        kind_after, serial_after, tag_after = after or ("", "", "")
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                PAGE,
                {
                    "kind": kind, "state": state, "limit": limit, "kind_after": kind_after,
                    "serial_after": serial_after, "tag_after": tag_after, "tag_code": tag_code,
                    "category": category,
                },
            )  # fmt: skip
            return [InboxRow(*row) for row in await cursor.fetchall()]

    async def groups(self, *, state: State, limit: int) -> list[TagGroup]:
        """Tags by category of their assets, those on most assets first."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(GROUPS, {"state": state, "limit": limit})
            return [TagGroup(*row) for row in await cursor.fetchall()]

    async def counts(self) -> dict[str, dict[str, int]]:
        """Kind to state to number of lines."""
        found: dict[str, dict[str, int]] = {kind: dict.fromkeys(State, 0) for kind in Kind}
        async with self._database.connection() as connection:
            cursor = await connection.execute(COUNT_LINES)
            for kind, state, count in await cursor.fetchall():
                found[kind][state] = count
        return found

    async def ignore(self, actor: Actor, key: Key, reason: str) -> None:
        """Leave a line alone from now on, because of this.

        Raises:
            InputError: There is no open line.
        """
        await self._set(actor, key, State.OPEN, State.IGNORED, reason)

    async def heed(self, actor: Actor, key: Key) -> None:
        """Undo `ignore`.

        Raises:
            InputError: The line is not ignored.
        """
        await self._set(actor, key, State.IGNORED, State.OPEN, None)

    async def _set(
        self, actor: Actor, key: Key, was: State, state: State, note: str | None
    ) -> None:
        async with self._database.connection() as connection:
            before = await (await connection.execute(STATE_OF, key._asdict())).fetchone()
            changed = await connection.execute(
                SET_STATE,
                {**key._asdict(), "was": was, "state": state, "note": note, "who": actor.who},
            )
            if before is None or changed.rowcount == 0:
                raise InputError(f"inbox: no {was} line for {name_of(key)}; look at the list again")
            await record(
                connection, actor, "line ignored" if state is State.IGNORED else "line heeded",
                name_of(key), before={"state": before[0], "note": before[1]},
                after={"state": state, "note": note},
            )  # fmt: skip


def name_of(key: Key) -> str:
    """What a line is about, for people."""
    if key.kind is Kind.ASSET:
        return f"asset {key.serial!r}"
    return f"tag {key.tag_code!r} of {key.serial!r}"


def _line_row(line: Line) -> dict[str, Any]:
    return {
        "kind": line.key.kind, "serial": line.key.serial, "tag_code": line.key.tag_code,
        "domain": line.domain, "value_type": line.value_type,
        "first_seen_at": moment(line.first_seen_us).isoformat(),
        "last_seen_at": moment(line.last_seen_us).isoformat(),
        "times_seen": line.times_seen, "samples": msgspec.to_builtins(line.samples),
    }  # fmt: skip


def _line(
    kind: str, serial: str, tag_code: str, domain: str | None, value_type: str | None,
    first_seen_at: datetime, last_seen_at: datetime, times_seen: int, samples: Sequence[Any],
    state: str,
) -> tuple[Line, State]:  # fmt: skip
    key = Key(Kind(kind), serial, tag_code)
    # Those of an asset are taken anew with each sighting.
    kept = tuple(samples) if key.kind is Kind.TAG else ()
    line = Line(
        key, domain, value_type, microseconds(first_seen_at), microseconds(last_seen_at),
        times_seen, kept,
    )  # fmt: skip
    return line, State(state)
