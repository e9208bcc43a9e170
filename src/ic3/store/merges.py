"""Rows of a file or the CMMS put into the register's tables without overwriting a person's."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ic3.domain.diffs import Current, Difference, Key, compare
from ic3.domain.imports import KEYS
from ic3.store.pool import Connection
from ic3.store.register import import_table, plain

# Locked, so that what is compared is what is written over. Joined, not `= ANY`: on a table just
# filled, that compares each row with each key.
CURRENT_ASSETS: Final = """
SELECT a.serialnumber, a.name, a.category, a.domain, a.dma_id, a.longitude, a.latitude,
    a.criticality, a.capacity_rating, a.in_charge_person, a.status, a.asset_live_status,
    a.cmms_asset_id, a.traceability_id, a.barcode, a.ticketcount, a.schedulecount, a.site,
    a.external_ids, a.entered
FROM unnest(%(keys)s::text[]) AS given (key)
JOIN ic3_asset_master a ON a.serialnumber = given.key
ORDER BY a.asset_id FOR NO KEY UPDATE OF a
"""
CURRENT_PARAMETERS: Final = """
SELECT p.param_tag_code, p.parameter_name, p.unit, p.kind, p.range_low, p.range_high,
    p.rate_max_per_s, p.decimals, p.name_hi, p.ucum_code, p.entered
FROM unnest(%(keys)s::text[]) AS given (key)
JOIN ic3_parameter_master p ON p.param_tag_code = given.key
ORDER BY p.param_id FOR NO KEY UPDATE OF p
"""
CURRENT_TAGS: Final = """
SELECT a.serialnumber, m.tag_code, p.param_tag_code,
    CASE WHEN m.set_by IS NULL THEN '{}'::jsonb
        ELSE jsonb_build_object('param_tag_code', m.set_by) END AS entered
FROM unnest(%(keys)s::text[]) AS given (key)
JOIN ic3_asset_master a ON a.serialnumber = given.key
JOIN ic3_asset_tag_map m ON m.asset_id = a.asset_id
LEFT JOIN ic3_parameter_master p ON p.param_id = m.param_id
ORDER BY m.asset_id, m.tag_code FOR NO KEY UPDATE OF m
"""
CURRENT_DMAS: Final = """
SELECT d.dma_id, d.name, d.domain, d.boundary, d.connections, d.population, d.mains_km,
    d.supply_hours, d.billed_m3_d, '{}'::jsonb AS entered
FROM unnest(%(keys)s::text[]) AS given (key)
JOIN ic3_dma d ON d.dma_id = given.key
ORDER BY d.dma_id FOR NO KEY UPDATE OF d
"""
CURRENT: Final[Mapping[str, LiteralString]] = {
    "register": CURRENT_ASSETS,
    "parameters": CURRENT_PARAMETERS,
    "tagmap": CURRENT_TAGS,
    "dmas": CURRENT_DMAS,
}

PART_ROWS: Final = 2000

# What somebody decided stays decided until something else is offered.
WRITE_CONFLICTS: Final = """
INSERT INTO ic3_register_conflict AS met (subject, key, tag_code, field, kept, offered, source,
    offered_by)
SELECT %(subject)s, key, tag_code, field, kept, offered, %(source)s, %(by)s
FROM jsonb_to_recordset(%(conflicts)s) AS given (key text, tag_code text, field text, kept jsonb,
    offered jsonb)
ORDER BY key, tag_code, field
ON CONFLICT (subject, key, tag_code, field) DO UPDATE SET
    kept = excluded.kept, offered = excluded.offered, source = excluded.source,
    offered_by = excluded.offered_by, last_at = excluded.last_at, times = met.times + 1,
    state = CASE WHEN met.state = 'kept' AND met.offered = excluded.offered THEN 'kept'
        ELSE 'open' END
"""
FORGET_CONFLICTS: Final = """
DELETE FROM ic3_register_conflict met
USING jsonb_to_recordset(%(fields)s) AS given (key text, tag_code text, field text)
WHERE met.subject = %(subject)s AND met.key = given.key AND met.tag_code = given.tag_code
    AND met.field = given.field AND met.state = 'open'
"""


class Source(StrEnum):
    """Where rows come from that no person typed."""

    CMMS = "cmms"
    IMPORT = "import"


async def difference(
    connection: Connection, table: str, offered: Sequence[Mapping[str, object]]
) -> Difference:
    """What these checked rows would change; locks the rows they are about until the end.

    Args:
        connection: Of the transaction that may write them.
        table: `register`, `parameters`, `tagmap` or `dmas`.
        offered: Its rows; an empty cell offers nothing.
    """
    found = Difference(table)
    # In parts and in a thread: others are served while a long file is compared.
    for begin in range(0, len(offered), PART_ROWS):
        part = offered[begin : begin + PART_ROWS]
        current = await _current(connection, table, part)
        await asyncio.to_thread(compare, table, current, part, before=found)
    return found


async def _current(
    connection: Connection, table: str, offered: Sequence[Mapping[str, object]]
) -> dict[Key, Current]:
    names = KEYS[table]
    keys = sorted({str(row[names[0]]) for row in offered})
    current: dict[Key, Current] = {}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(CURRENT[table], {"keys": keys})
        async for row in cursor:
            entered = frozenset(row.pop("entered"))
            fields = {name: plain(value) for name, value in row.items()}
            current[tuple(str(row[name]) for name in names)] = Current(fields, entered)
    return current


async def write(connection: Connection, found: Difference, *, source: Source, by: str) -> None:
    """Write what changes, and what is in conflict into its table.

    Args:
        connection: Of the transaction that compared.
        found: What changes.
        source: Where it comes from.
        by: Who imports or synchronises.
    """
    if found.rows:
        await import_table(connection, found.table, found.rows, by=by)
    conflicts = [
        {**_place(key, name), "kept": kept, "offered": offered}
        for key, name, (kept, offered) in found.contended()
    ]
    if conflicts:
        named = {
            "subject": found.table, "source": source, "by": by, "conflicts": Jsonb(conflicts),
        }  # fmt: skip
        await connection.execute(WRITE_CONFLICTS, named)
    await forget(connection, found.table, found.agreed)


async def forget(connection: Connection, table: str, fields: Sequence[tuple[Key, str]]) -> None:
    """Take open conflicts away about which nothing is in conflict any more."""
    if fields:
        places = [_place(key, name) for key, name in fields]
        named = {"subject": table, "fields": Jsonb(places)}
        await connection.execute(FORGET_CONFLICTS, named)


def _place(key: Key, field: str) -> dict[str, Any]:
    return {"key": key[0], "tag_code": key[1] if len(key) > 1 else "", "field": field}
