"""The parameters as people read and change them."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.domain.etags import etag_of, still_so
from ic3.domain.register import RegisterParameter
from ic3.errors import ChangedMeanwhile, InputError, UnknownHere
from ic3.store.audit import record
from ic3.store.merges import forget
from ic3.store.pool import Connection, Database
from ic3.store.register import plain
from ic3.store.rollups import mark_parameters

PAGE: Final = """
SELECT param_id, param_tag_code, parameter_name, name_hi, unit, ucum_code, kind, range_low,
    range_high, rate_max_per_s, decimals, entered, updated_at::timestamptz, updated_by
FROM ic3_parameter_master
WHERE param_tag_code > %(after)s
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), param_tag_code, parameter_name,
        name_hi, unit, ucum_code)), lower(%(q)s::text)) > 0)
ORDER BY param_tag_code LIMIT %(limit)s
"""
ONE: Final = """
SELECT param_id, param_tag_code, parameter_name, name_hi, unit, ucum_code, kind, range_low,
    range_high, rate_max_per_s, decimals, entered, updated_at::timestamptz, updated_by
FROM ic3_parameter_master WHERE param_tag_code = %(code)s
"""
LOCK_ONE: Final = """
SELECT param_id FROM ic3_parameter_master WHERE param_tag_code = %(code)s FOR NO KEY UPDATE
"""
CHANGE: Final = """
UPDATE ic3_parameter_master AS kept
SET (parameter_name, name_hi, unit, ucum_code, kind, range_low, range_high, rate_max_per_s,
        decimals) =
    (SELECT given.parameter_name, given.name_hi, given.unit, given.ucum_code, given.kind,
        given.range_low, given.range_high, given.rate_max_per_s, given.decimals
    FROM jsonb_populate_record(kept, %(fields)s) AS given),
    updated_at = now(), updated_by = %(who)s,
    entered = kept.entered || (SELECT coalesce(jsonb_object_agg(field,
            jsonb_build_object('by', %(who)s::text, 'at', now())), '{}')
        FROM unnest(%(entered)s::text[]) AS field)
WHERE param_tag_code = %(code)s
"""


class ParameterStore:
    """Reads and changes parameters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, *, q: str | None, limit: int, after: str) -> list[RegisterParameter]:
        """Parameters in the order of their codes.

        Args:
            q: Part of a code, a name or a unit, in any case; None is all.
            limit: How many at most.
            after: Code of the last of the page before; empty for the first page.
        """
        async with (
            self._database.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(PAGE, {"q": q, "limit": limit, "after": after})
            return [_parameter(row) for row in await cursor.fetchall()]

    async def one(self, code: str) -> RegisterParameter | None:
        """The parameter with this code, or None."""
        async with self._database.connection() as connection:
            return await _one(connection, code)

    async def change(
        self, actor: Actor, code: str, fields: Mapping[str, Any], *, if_match: str
    ) -> RegisterParameter:
        """Change fields of a parameter; they count as entered by this person from now on.

        Args:
            actor: Who does.
            code: Of the parameter.
            fields: Field to value; None takes it away. A field that is not named stays.
            if_match: Tags of the parameter as it was seen.

        Raises:
            UnknownHere: There is no such parameter.
            ChangedMeanwhile: It is another by now.
            InputError: The range would be empty.
        """
        async with self._database.connection() as connection:
            await connection.execute(LOCK_ONE, {"code": code})
            before = await _one(connection, code)
            if before is None:
                raise UnknownHere(f"parameter: {code!r} is unknown")
            if not still_so(if_match, tag_of(before)):
                raise ChangedMeanwhile(f"parameter: {code!r} was changed meanwhile")
            named = {
                "code": code, "fields": Jsonb(fields), "who": actor.who, "entered": list(fields),
            }  # fmt: skip
            await connection.execute(CHANGE, named)
            after = await _one(connection, code)
            assert after is not None
            low, high = after.range_low, after.range_high
            if low is not None and high is not None and low >= high:
                raise InputError("range_low is to be below range_high")
            if _counts_otherwise(before, after):
                await mark_parameters(connection, [after.param_id])
            await forget(connection, "parameters", [((code,), name) for name in fields])
            await record(
                connection, actor, "parameter changed", f"parameter {code!r}",
                before=_only(before, fields), after=_only(after, fields),
            )  # fmt: skip
            return after


def tag_of(parameter: RegisterParameter) -> str:
    """The entity tag of a parameter as it is."""
    return etag_of(msgspec.json.encode(parameter))


async def _one(connection: Connection, code: str) -> RegisterParameter | None:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(ONE, {"code": code})
        row = await cursor.fetchone()
    return None if row is None else _parameter(row)


def _counts_otherwise(before: RegisterParameter, after: RegisterParameter) -> bool:
    """Whether roll-ups of the past would now be others: they read this of counters alone."""
    if "counter" not in {before.kind, after.kind}:
        return False
    return (before.kind, before.range_high) != (after.kind, after.range_high)


def _parameter(row: Mapping[str, Any]) -> RegisterParameter:
    return RegisterParameter(**{name: plain(value) for name, value in row.items()})


def _only(parameter: RegisterParameter, fields: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(parameter)
    return {name: shown[name] for name in fields}
