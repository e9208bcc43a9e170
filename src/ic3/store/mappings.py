"""Acts on register, parameters and tag map: each with a preview, each in the audit log."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor, Effect, Past, Wish
from ic3.domain.diffs import Difference
from ic3.domain.envelope import FUTURE_LIMIT_US, YEAR_2000_US
from ic3.domain.inbox import Key, Kind, State
from ic3.domain.replays import JobKind, Scope
from ic3.domain.suggestions import SisterParameter
from ic3.errors import InputError
from ic3.store.audit import record
from ic3.store.inbox import name_of
from ic3.store.merges import Source, difference, write
from ic3.store.pool import Connection, Database
from ic3.store.replays import create
from ic3.store.telemetry import moment

# A preview is asked for by a person who waits.
COUNT_LIMIT: Final = "SET LOCAL statement_timeout = 3000"

# A longer list costs more than to look at all assets.
SCOPE_LIMIT: Final = 5000

ASSET: Final = """
SELECT asset_id, category FROM ic3_asset_master WHERE serialnumber = %(serial)s
"""
PARAMETER: Final = """
SELECT param_id, param_tag_code FROM ic3_parameter_master WHERE param_id = %(param_id)s
"""
PARAMETER_BY_CODE: Final = """
SELECT param_id FROM ic3_parameter_master WHERE param_tag_code = %(code)s
"""
SISTERS: Final = """
SELECT p.param_id, p.parameter_name, p.param_tag_code, p.unit, count(*)
FROM ic3_asset_tag_map m
JOIN ic3_asset_master a ON a.asset_id = m.asset_id
JOIN ic3_parameter_master p ON p.param_id = m.param_id
WHERE m.tag_code = %(tag_code)s
    AND (%(category)s::text IS NULL OR a.category = %(category)s::text)
GROUP BY p.param_id, p.parameter_name, p.param_tag_code, p.unit
ORDER BY count(*) DESC, p.param_id LIMIT 5
"""
CATEGORIES: Final = """
SELECT serialnumber, category FROM ic3_asset_master WHERE category IS NOT NULL
ORDER BY asset_id LIMIT 200000
"""
CATEGORY_SIZE: Final = "SELECT count(*) FROM ic3_asset_master WHERE category = %(category)s"

# Rows of a file that are not so yet; telemetry may have their past.
UNMAPPED_OF_FILE: Final = """
SELECT a.asset_id, given.tag_code
FROM jsonb_to_recordset(%(rows)s) AS given (serialnumber text, tag_code text, param_tag_code text)
JOIN ic3_asset_master a ON a.serialnumber = given.serialnumber
JOIN ic3_parameter_master p ON p.param_tag_code = given.param_tag_code
LEFT JOIN ic3_asset_tag_map m ON m.asset_id = a.asset_id AND m.tag_code = given.tag_code
WHERE m.param_id IS DISTINCT FROM p.param_id
"""
HAS_TELEMETRY: Final = "SELECT EXISTS (SELECT FROM telemetry)"
MAPPED: Final = """
SELECT param_id FROM ic3_asset_tag_map
WHERE asset_id = %(register_id)s AND tag_code = %(tag_code)s
"""
MAP_TAG: Final = """
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id, set_by)
VALUES (%(register_id)s, %(tag_code)s, %(param_id)s, %(who)s)
ON CONFLICT (asset_id, tag_code) DO UPDATE SET
    param_id = excluded.param_id, set_by = excluded.set_by
"""
MAP_KIND: Final = """
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id, set_by)
SELECT asset_id, %(tag_code)s, %(param_id)s, %(who)s FROM ic3_asset_master
WHERE category = %(category)s ORDER BY asset_id
ON CONFLICT DO NOTHING
RETURNING asset_id
"""
OTHERWISE_MAPPED: Final = """
SELECT count(*) FROM ic3_asset_tag_map m JOIN ic3_asset_master a ON a.asset_id = m.asset_id
WHERE a.category = %(category)s AND m.tag_code = %(tag_code)s AND m.param_id <> %(param_id)s
"""
UNMAP_TAG: Final = """
DELETE FROM ic3_asset_tag_map WHERE asset_id = %(register_id)s AND tag_code = %(tag_code)s
RETURNING param_id
"""
UNMAP_KIND: Final = """
DELETE FROM ic3_asset_tag_map m USING ic3_asset_master a
WHERE a.asset_id = m.asset_id AND a.category = %(category)s AND m.tag_code = %(tag_code)s
    AND m.param_id = %(param_id)s AND m.set_by IS NOT NULL
RETURNING m.asset_id
"""
ADD_PARAMETER: Final = """
INSERT INTO ic3_parameter_master (param_tag_code, parameter_name, unit, kind, range_low, range_high,
    rate_max_per_s, decimals, updated_at, updated_by, entered)
VALUES (%(param_tag_code)s, %(parameter_name)s, %(unit)s, %(kind)s, %(range_low)s, %(range_high)s,
    %(rate_max_per_s)s, %(decimals)s, now(), %(who)s,
    (SELECT coalesce(jsonb_object_agg(field,
            jsonb_build_object('by', %(who)s::text, 'at', now())), '{}')
        FROM unnest(%(entered)s::text[]) AS field))
ON CONFLICT (param_tag_code) DO NOTHING
RETURNING param_id
"""
ADD_ASSET: Final = """
INSERT INTO ic3_asset_master (serialnumber, name, category, domain, updated_at, updated_by, entered)
VALUES (%(serial)s, %(name)s, %(category)s, %(domain)s, now(), %(who)s,
    (SELECT coalesce(jsonb_object_agg(field,
            jsonb_build_object('by', %(who)s::text, 'at', now())), '{}')
        FROM unnest(%(entered)s::text[]) AS field))
ON CONFLICT (serialnumber) DO NOTHING
RETURNING asset_id
"""
SET_TAG_STATES: Final = """
UPDATE ic3_inbox i SET state = %(state)s, note = NULL, changed_at = now(), changed_by = %(who)s
FROM ic3_asset_master a
WHERE a.asset_id = ANY(%(register_ids)s::int[]) AND i.serial = a.serialnumber AND i.kind = 'tag'
    AND i.tag_code = %(tag_code)s
"""
SET_ASSET_STATE: Final = """
UPDATE ic3_inbox SET state = 'mapped', note = NULL, changed_at = now(), changed_by = %(who)s
WHERE kind = 'asset' AND serial = %(serial)s AND tag_code = ''
"""
PAST_ROWS: Final = """
SELECT count(*), min(occurred_at) FROM telemetry
WHERE occurred_at >= %(from_at)s AND occurred_at < %(until_at)s
    AND asset_id IN (SELECT serialnumber FROM ic3_asset_master
        WHERE asset_id = ANY(%(register_ids)s::int[]))
    AND values ? %(tag_code)s
"""
PAST_SEEN: Final = """
SELECT sum(i.times_seen)::bigint, min(i.first_seen_at)
FROM ic3_inbox i JOIN ic3_asset_master a ON a.serialnumber = i.serial
WHERE i.kind = 'tag' AND i.tag_code = %(tag_code)s AND a.asset_id = ANY(%(register_ids)s::int[])
"""


class _Tag(NamedTuple):
    """A tag of some assets and the parameter it is given."""

    register_ids: list[int]
    tag_code: str
    param_id: int


_Act = Callable[[Connection], Coroutine[Any, Any, tuple[Effect, _Tag]]]


class NewParameter(msgspec.Struct, frozen=True):
    """A parameter to be made; the fields are those of ic3_parameter_master."""

    param_tag_code: str
    parameter_name: str
    unit: str | None = None
    kind: str | None = None
    range_low: float | None = None
    range_high: float | None = None
    rate_max_per_s: float | None = None
    decimals: int | None = None


class FileDone(NamedTuple):
    """What an import did, or would do.

    Attributes:
        replay_id: The job that maps the past of what a tag map added; None where there is
            nothing to map.
    """

    difference: Difference
    replay_id: int | None


class MappingStore:
    """What engineers do about the inbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def parameter_of_code(self, code: str) -> int:
        """Number of the parameter with this code.

        Raises:
            InputError: There is none.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(PARAMETER_BY_CODE, {"code": code})).fetchone()
        if row is None:
            raise InputError(f"map: no parameter has the code {code!r}; create it first")
        return int(row[0])

    async def sisters(self, serial: str, tag_code: str) -> list[SisterParameter]:
        """What the same tag means on assets of the same category, the most usual first.

        Where the category is unknown or says nothing, on all assets.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(ASSET, {"serial": serial})).fetchone()
            found: list[SisterParameter] = []
            for category in dict.fromkeys([row[1] if row else None, None]):
                asked = {"tag_code": tag_code, "category": category}
                cursor = await connection.execute(SISTERS, asked)
                found = found or [SisterParameter(*each) for each in await cursor.fetchall()]
            return found

    async def categories(self) -> dict[str, str]:
        """Serial number to category, of the assets that have one."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(CATEGORIES)
            return dict(await cursor.fetchall())

    async def import_file(
        self, actor: Actor, table: str, file_rows: Sequence[Mapping[str, object]], *,
        dry_run: bool = False,
    ) -> FileDone:  # fmt: skip
        """Import the checked rows of a file, all or nothing; what a person entered stays.

        Args:
            actor: Who imports.
            table: `register`, `parameters`, `tagmap` or `dmas`.
            file_rows: Its rows.
            dry_run: Say what it would do, do nothing.
        """
        async with self._database.connection() as connection:
            found = await difference(connection, table, file_rows)
            if dry_run:
                return FileDone(found, None)
            added: list[tuple[int, str]] = []
            if table == "tagmap":
                rows = {"rows": Jsonb(found.rows)}
                added = await (await connection.execute(UNMAPPED_OF_FILE, rows)).fetchall()
            await write(connection, found, source=Source.IMPORT, by=actor.who)
            after = {"added": found.added, "updated": found.changed, "conflicts": found.conflicts}
            await record(
                connection, actor, f"{table} imported", f"{len(file_rows)} rows", after=after
            )
            job = None
            if added and await _exists(connection, HAS_TELEMETRY):
                ids, tags = {each[0] for each in added}, {each[1] for each in added}
                whole = len(ids) > SCOPE_LIMIT
                scope = Scope(None if whole else sorted(ids), sorted(tags))
                job = await create(connection, actor, JobKind.MAP, scope, "tag map imported")
            return FileDone(found, job)

    async def map_tag(
        self, actor: Actor, *, serial: str, tag_code: str, param_id: int, wish: Wish, now_us: int
    ) -> Effect:
        """Give a tag of one asset a parameter, also where it has another one.

        Args:
            actor: Who maps.
            serial: Serial number of a registered asset.
            tag_code: As the feed spells it.
            param_id: The parameter.
            wish: Whether it is a preview, and what becomes of the past.
            now_us: The wall clock; times too far beyond it make no rows.

        Raises:
            InputError: Asset or parameter is unknown.
        """
        act = _mapping(actor, serial, tag_code, param_id, wish)
        async with self._database.connection() as connection:
            return await _do(connection, actor, wish, act, f"mapped {tag_code}", now_us=now_us)

    async def map_kind(
        self, actor: Actor, *, category: str, tag_code: str, param_id: int, wish: Wish, now_us: int
    ) -> Effect:
        """Give a tag of all assets of a category a parameter; another one it has is kept.

        Args:
            actor: Who maps.
            category: Category in the register.
            tag_code: As the feed spells it.
            param_id: The parameter.
            wish: Whether it is a preview, and what becomes of the past.
            now_us: The wall clock.

        Raises:
            InputError: No asset has the category, or the parameter is unknown.
        """

        async def act(connection: Connection) -> tuple[Effect, _Tag]:
            code = await _parameter(connection, param_id)
            named = {"category": category, "tag_code": tag_code, "param_id": param_id}
            size = await _count(connection, CATEGORY_SIZE, {"category": category})
            if size == 0:
                raise InputError(f"map: no asset of the register is of category {category!r}")
            kept = await _count(connection, OTHERWISE_MAPPED, named)
            cursor = await connection.execute(MAP_KIND, {**named, "who": actor.who})
            tag = _Tag([row[0] for row in await cursor.fetchall()], tag_code, param_id)
            await _settle(connection, tag, State.MAPPED, actor)
            added = len(tag.register_ids)
            await record(
                connection, actor, "tag mapped by kind", f"tag {tag_code!r} of {category!r}",
                before={"mapped": size - added, "otherwise": kept},
                after={"param_id": param_id, "param_tag_code": code, "added": added},
            )  # fmt: skip
            return Effect(wish.preview, added, added, 0, kept), tag

        words = f"mapped {tag_code} of {category}"
        async with self._database.connection() as connection:
            return await _do(connection, actor, wish, act, words, now_us=now_us)

    async def unmap_tag(self, actor: Actor, *, serial: str, tag_code: str) -> bool:
        """Undo a mapping; what is stored stays. False where there is none."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(ASSET, {"serial": serial})).fetchone()
            if row is None:
                return False
            named = {"register_id": row[0], "tag_code": tag_code}
            gone = await (await connection.execute(UNMAP_TAG, named)).fetchone()
            if gone is None:
                return False
            await _settle(connection, _Tag([row[0]], tag_code, gone[0]), State.OPEN, actor)
            await record(
                connection, actor, "mapping undone", name_of(Key(Kind.TAG, serial, tag_code)),
                before={"param_id": gone[0]},
            )  # fmt: skip
            return True

    async def unmap_kind(self, actor: Actor, *, category: str, tag_code: str, param_id: int) -> int:
        """Undo what people mapped to this parameter in a category; answers on how many assets."""
        async with self._database.connection() as connection:
            named = {"category": category, "tag_code": tag_code, "param_id": param_id}
            rows = await (await connection.execute(UNMAP_KIND, named)).fetchall()
            if rows:
                tag = _Tag([row[0] for row in rows], tag_code, param_id)
                await _settle(connection, tag, State.OPEN, actor)
                await record(
                    connection, actor, "mapping undone by kind",
                    f"tag {tag_code!r} of {category!r}",
                    before={"param_id": param_id, "assets": len(rows)},
                )  # fmt: skip
            return len(rows)

    async def add_parameter(
        self, actor: Actor, new: NewParameter, *, map_to: tuple[str, str] | None = None, now_us: int
    ) -> tuple[int, Effect | None]:
        """Make a parameter, and map one tag to it; both or neither.

        Args:
            actor: Who acts.
            new: Its fields.
            map_to: Serial number and tag code.
            now_us: The wall clock.

        Returns:
            Its number, and what the mapping did.

        Raises:
            InputError: Its code is taken, or the asset is unknown.
        """
        fields = msgspec.to_builtins(new)
        async with self._database.connection() as connection:
            row = await (
                await connection.execute(ADD_PARAMETER, {**fields, **_signed(actor, fields)})
            ).fetchone()
            if row is None:
                raise InputError(f"parameter: the code {new.param_tag_code!r} is taken; map to it")
            await record(
                connection, actor, "parameter created", f"parameter {new.param_tag_code!r}",
                after={"param_id": row[0], **fields},
            )  # fmt: skip
            number = int(row[0])
            if map_to is None:
                return number, None
            serial, tag_code = map_to
            act = _mapping(actor, serial, tag_code, number, Wish())
            return number, await _do(
                connection, actor, Wish(), act, f"mapped {tag_code}", now_us=now_us
            )

    async def register(
        self, actor: Actor, *, serial: str, name: str | None, category: str | None,
        domain: str | None, preview: bool,
    ) -> int:  # fmt: skip
        """Put an asset of the feed into the register; answers its number there.

        The register has no aliases: an asset whose serial number is misspelt at the source is
        put right there.

        Raises:
            InputError: It is in the register already.
        """
        fields = {"serial": serial, "name": name, "category": category, "domain": domain}
        async with (
            self._database.connection() as connection,
            connection.transaction(force_rollback=preview),
        ):
            row = await (
                await connection.execute(ADD_ASSET, {**fields, **_signed(actor, fields)})
            ).fetchone()
            if row is None:
                raise InputError(f"register: {serial!r} is in the register already")
            await connection.execute(SET_ASSET_STATE, {"serial": serial, "who": actor.who})
            key = Key(Kind.ASSET, serial, "")
            after = {"asset_id": row[0], **fields}
            await record(connection, actor, "asset registered", name_of(key), after=after)
            return int(row[0])


class _Past(NamedTuple):
    """How much telemetry has of a tag."""

    rows: int | None
    since: datetime | None
    exact: bool


async def _do(
    connection: Connection, actor: Actor, wish: Wish, act: _Act, reason: str, *, now_us: int
) -> Effect:
    """Do an act with its replay, or do it for show: what a preview says is what would be done."""
    async with connection.transaction(force_rollback=wish.preview):
        effect, tag = await act(connection)
    past = _Past(None, None, exact=True)
    replay_id = None
    if wish.preview:
        past = await _past(connection, tag, wish.from_at, now_us=now_us)
    elif wish.past is not Past.NONE and tag.register_ids:
        kind = JobKind.REMAP if wish.past is Past.REMAP else JobKind.MAP
        scope = Scope(tag.register_ids, [tag.tag_code], wish.from_at)
        seen = await _seen(connection, tag) if wish.from_at is None else None
        replay_id = await create(
            connection, actor, kind, scope, reason, total=seen.rows if seen else None
        )
    return msgspec.structs.replace(
        effect, rows=past.rows, since=past.since, exact=past.exact, replay_id=replay_id
    )


async def _past(
    connection: Connection, tag: _Tag, from_at: datetime | None, *, now_us: int
) -> _Past:
    """Counted in telemetry; where that takes more than 3 s, as the inbox has seen it."""
    named = {
        "register_ids": tag.register_ids, "tag_code": tag.tag_code,
        "from_at": from_at or moment(YEAR_2000_US),
        "until_at": moment(now_us + FUTURE_LIMIT_US + 1),
    }  # fmt: skip
    try:
        async with connection.transaction():
            await connection.execute(COUNT_LIMIT)
            row = await (await connection.execute(PAST_ROWS, named)).fetchone()
    except psycopg.errors.QueryCanceled:
        return await _seen(connection, tag)
    rows, since = row or (None, None)
    return _Past(rows, since, exact=True)


async def _seen(connection: Connection, tag: _Tag) -> _Past:
    named = {"register_ids": tag.register_ids, "tag_code": tag.tag_code}
    rows, since = await (await connection.execute(PAST_SEEN, named)).fetchone() or (None, None)
    return _Past(rows, since, exact=False)


def _mapping(actor: Actor, serial: str, tag_code: str, param_id: int, wish: Wish) -> _Act:
    async def act(connection: Connection) -> tuple[Effect, _Tag]:
        register_id = await _registered(connection, serial)
        code = await _parameter(connection, param_id)
        tag = _Tag([register_id], tag_code, param_id)
        named = {"register_id": register_id, "tag_code": tag_code, "param_id": param_id}
        row = await (await connection.execute(MAPPED, named)).fetchone()
        before = row and int(row[0])
        await connection.execute(MAP_TAG, {**named, "who": actor.who})
        await _settle(connection, tag, State.MAPPED, actor)
        await record(
            connection, actor, "tag mapped", name_of(Key(Kind.TAG, serial, tag_code)),
            before=None if before is None else {"param_id": before},
            after={"param_id": param_id, "param_tag_code": code},
        )  # fmt: skip
        changed = int(before is not None and before != param_id)
        return Effect(wish.preview, 1, int(before is None), changed, 0), tag

    return act


async def _registered(connection: Connection, serial: str) -> int:
    row = await (await connection.execute(ASSET, {"serial": serial})).fetchone()
    if row is None:
        raise InputError(f"map: {serial!r} is not in the register; register the asset first")
    return int(row[0])


async def _parameter(connection: Connection, param_id: int) -> str:
    row = await (await connection.execute(PARAMETER, {"param_id": param_id})).fetchone()
    if row is None:
        raise InputError(f"map: there is no parameter {param_id}; create it first")
    return str(row[1])


async def _settle(connection: Connection, tag: _Tag, state: State, actor: Actor) -> None:
    """Set the lines of a tag; last, so that the monitoring worker waits for little."""
    named = {"register_ids": tag.register_ids, "tag_code": tag.tag_code}
    await connection.execute(SET_TAG_STATES, {**named, "state": state, "who": actor.who})


def _signed(actor: Actor, fields: Mapping[str, object]) -> dict[str, object]:
    """Who entered these fields, as the statements take it."""
    keys = {"serial", "param_tag_code"}
    named = [name for name, value in fields.items() if value is not None and name not in keys]
    return {"who": actor.who, "entered": named}


async def _exists(connection: Connection, statement: LiteralString) -> bool:
    row = await (await connection.execute(statement)).fetchone()
    return bool(row and row[0])


async def _count(
    connection: Connection, statement: LiteralString, named: Mapping[str, object]
) -> int:
    row = await (await connection.execute(statement, named)).fetchone()
    return int(row[0]) if row else 0
