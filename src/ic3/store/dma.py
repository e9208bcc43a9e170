"""Definitions of district metered areas: each version is kept, a new one follows it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from ic3.analytics import dma, dma_register
from ic3.analytics.dma import DMA, refuse_wrong
from ic3.analytics.dma_register import Instrument, RegisteredArea, definition_of
from ic3.domain.acts import Actor
from ic3.domain.etags import still_so
from ic3.errors import ApiError
from ic3.store.audit import record
from ic3.store.pool import Connection, Database

DEFINITIONS: Final = """
SELECT dma_id, version, definition, changed_at, changed_by FROM ic3_dma_definition
WHERE (%(dma_id)s::text IS NULL OR dma_id = %(dma_id)s::text)
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
ORDER BY dma_id, version
"""
ADD: Final = """
INSERT INTO ic3_dma_definition (dma_id, version, valid_from, domain, definition, changed_at,
    changed_by)
VALUES (%(dma_id)s, %(version)s, %(valid_from)s, %(domain)s, %(definition)s, %(at)s, %(who)s)
ON CONFLICT DO NOTHING
RETURNING version
"""
AREAS: Final = """
SELECT dma_id, name, domain, connections, population, mains_km, supply_hours, billed_m3_d
FROM ic3_dma d
WHERE NOT EXISTS (SELECT FROM ic3_dma_definition f WHERE f.dma_id = d.dma_id)
ORDER BY dma_id
"""
AREA: Final = """
SELECT domain FROM ic3_dma
WHERE dma_id = %(dma_id)s AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
"""
INSTRUMENTS: Final = """
SELECT m.dma_id, m.serialnumber, m.category, t.tag_code, coalesce(p.unit, '')
FROM ic3_asset_master m
JOIN ic3_asset_tag_map t ON t.asset_id = m.asset_id
JOIN ic3_parameter_master p ON p.param_id = t.param_id
WHERE m.dma_id = ANY(%(dma_ids)s::text[]) AND m.category = ANY(%(categories)s::text[])
"""
KNOWN_KEYS: Final = """
SELECT m.serialnumber || ':' || t.tag_code
FROM ic3_asset_master m JOIN ic3_asset_tag_map t ON t.asset_id = m.asset_id
WHERE m.serialnumber = ANY(%(serials)s::text[])
"""
# Two who define at once would each be checked without the other.
TAKE_TURN: Final = "LOCK TABLE ic3_dma_definition IN SHARE ROW EXCLUSIVE MODE"


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a definition.

    Attributes:
        changed_by: `register` where it was made from the register.
    """

    version: int
    dma: DMA
    changed_at: datetime
    changed_by: str


class DmaStore:
    """Reads definitions and makes those that the register gives."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def definitions(
        self, scope: list[str] | None, *, dma_id: str | None = None
    ) -> list[Definition]:
        """All versions, by district and version."""
        async with self.database.connection() as connection:
            return await _definitions(connection, scope, dma_id)

    async def define_from_register(self, zone: str, at: datetime) -> int:
        """Define the districts that have no definition as the register has them; how many."""
        async with self.database.connection() as connection:
            areas = [RegisteredArea(*row) for row in
                     await (await connection.execute(AREAS)).fetchall()]  # fmt: skip
            if not areas:
                return 0
            asked = {
                "dma_ids": [each.dma_id for each in areas],
                "categories": [dma_register.METER, dma_register.PRESSURE],
            }
            cursor = await connection.execute(INSTRUMENTS, asked)
            instruments = [Instrument(*row) for row in await cursor.fetchall()]
            made = 0
            for area in areas:
                found = definition_of(area, instruments, zone)
                if found is not None:
                    made += await _add(connection, found, 1, area.domain, at, "register")
            return made


async def define(
    connection: Connection, actor: Actor, scope: list[str] | None, new: DMA, if_match: str | None,
    *, at: datetime,
) -> Definition:  # fmt: skip
    """Add a version of a definition, checked beside those of all other districts.

    Args:
        connection: Of the transaction.
        actor: Who defines.
        scope: Domains that they may change; None is all.
        new: The definition.
        if_match: Entity tags of what they saw; None only where there is no version yet.
        at: Now.

    Raises:
        ApiError: 404: no such district. 412, 428: it is another than they saw.
        InputError: It is wrong; with all that is.
    """
    asked = {"dma_id": new.dma_id, "scope": scope}
    row = await (await connection.execute(AREA, asked)).fetchone()
    if row is None:
        raise ApiError(404, "district not found", "there is no such district metered area")
    await connection.execute(TAKE_TURN)
    known = await _definitions(connection, None, None)
    mine = [each for each in known if each.dma.dma_id == new.dma_id]
    before = mine[-1] if mine else None
    if before is not None and if_match is None:
        raise ApiError(
            428, "precondition required", "send If-Match with the ETag of the definition you saw"
        )
    if before is not None and not still_so(if_match or "", etag_of(before)):
        raise ApiError(412, "changed meanwhile", "the definition has changed; read it again")
    others = [each.dma for each in known if each.dma.dma_id != new.dma_id]
    serials = [each.serial for each in (*new.meters, *new.tanks, *new.pressure_points)]
    rows = await (await connection.execute(KNOWN_KEYS, {"serials": serials})).fetchall()
    held = dma.current(others, new.valid_from)
    refuse_wrong([new], {name for (name,) in rows})
    refuse_wrong([*held, new])
    version = 1 if before is None else before.version + 1
    await _add(connection, new, version, row[0], at, actor.who)
    await record(
        connection, actor, "dma defined", f"dma {new.dma_id}",
        before=None if before is None else msgspec.to_builtins(before.dma),
        after=msgspec.to_builtins(new),
    )  # fmt: skip
    return Definition(version=version, dma=new, changed_at=at, changed_by=actor.who)


def etag_of(definition: Definition) -> str:
    """The entity tag of a definition."""
    return f'"{definition.version}"'


def current(definitions: Sequence[Definition], at: datetime) -> list[Definition]:
    """The version of each district that holds at a moment."""
    held: dict[str, Definition] = {}
    # Of two that begin at the same moment the later version holds.
    for each in sorted(definitions, key=lambda each: (each.dma.valid_from, each.version)):
        if each.dma.valid_from <= at:
            held[each.dma.dma_id] = each
    return [held[dma_id] for dma_id in sorted(held)]


async def _definitions(
    connection: Connection, scope: list[str] | None, dma_id: str | None
) -> list[Definition]:
    cursor = await connection.execute(DEFINITIONS, {"scope": scope, "dma_id": dma_id})
    return [
        Definition(
            version=version, dma=msgspec.convert(definition, DMA), changed_at=changed_at,
            changed_by=changed_by,
        )
        for _, version, definition, changed_at, changed_by in await cursor.fetchall()
    ]  # fmt: skip


async def _add(
    connection: Connection, new: DMA, version: int, domain: str | None, at: datetime, who: str
) -> int:
    values: dict[str, Any] = {
        "dma_id": new.dma_id, "version": version, "valid_from": new.valid_from, "domain": domain,
        "definition": Jsonb(msgspec.to_builtins(new)), "at": at, "who": who,
    }  # fmt: skip
    return (await connection.execute(ADD, values)).rowcount
