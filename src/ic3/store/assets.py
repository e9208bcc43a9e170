"""The register as people read and change it: pages, one asset, what a person enters."""

from collections.abc import Mapping
from typing import Any, Final, LiteralString

import msgspec
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.domain.etags import etag_of, still_so
from ic3.domain.register import (
    Area,
    Asset,
    AssetQuery,
    DomainBranch,
    Place,
    RegisterTag,
    Site,
    Sort,
)
from ic3.errors import ChangedMeanwhile, InputError, UnknownHere
from ic3.store import mappings
from ic3.store.audit import record
from ic3.store.merges import forget
from ic3.store.pool import Connection, Database
from ic3.store.register import Scope, plain

# One statement an order, each read by its index from where the last page ended. Without a last
# page an order that runs down begins at the greatest key.
PAGE_BY_SERIAL: Final = """
SELECT asset_id, serialnumber::text FROM ic3_asset_master
WHERE serialnumber > %(key)s
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(domains)s::text[] IS NULL OR coalesce(domain::text, '') = ANY(%(domains)s::text[]))
    AND (%(dmas)s::text[] IS NULL OR coalesce(dma_id::text, '') = ANY(%(dmas)s::text[]))
    AND (%(categories)s::text[] IS NULL
        OR coalesce(category::text, '') = ANY(%(categories)s::text[]))
    AND (%(criticalities)s::text[] IS NULL
        OR coalesce(criticality::text, '') = ANY(%(criticalities)s::text[]))
    AND (%(statuses)s::text[] IS NULL OR coalesce(status::text, '') = ANY(%(statuses)s::text[]))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), serialnumber, name, barcode,
        jsonb_path_query_array(external_ids, '$[*].id'))), lower(%(q)s::text)) > 0)
ORDER BY serialnumber LIMIT %(limit)s
"""
PAGE_BY_SERIAL_DOWN: Final = """
SELECT asset_id, serialnumber::text FROM ic3_asset_master
WHERE (serialnumber, asset_id) < (coalesce(%(key)s,
        (SELECT serialnumber FROM ic3_asset_master ORDER BY serialnumber DESC LIMIT 1)),
        %(asset_id)s)
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(domains)s::text[] IS NULL OR coalesce(domain::text, '') = ANY(%(domains)s::text[]))
    AND (%(dmas)s::text[] IS NULL OR coalesce(dma_id::text, '') = ANY(%(dmas)s::text[]))
    AND (%(categories)s::text[] IS NULL
        OR coalesce(category::text, '') = ANY(%(categories)s::text[]))
    AND (%(criticalities)s::text[] IS NULL
        OR coalesce(criticality::text, '') = ANY(%(criticalities)s::text[]))
    AND (%(statuses)s::text[] IS NULL OR coalesce(status::text, '') = ANY(%(statuses)s::text[]))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), serialnumber, name, barcode,
        jsonb_path_query_array(external_ids, '$[*].id'))), lower(%(q)s::text)) > 0)
ORDER BY serialnumber DESC LIMIT %(limit)s
"""
PAGE_BY_NAME: Final = """
SELECT asset_id, coalesce(name::text, '') FROM ic3_asset_master
WHERE (coalesce(name::text, ''), asset_id) > (%(key)s, %(asset_id)s)
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(domains)s::text[] IS NULL OR coalesce(domain::text, '') = ANY(%(domains)s::text[]))
    AND (%(dmas)s::text[] IS NULL OR coalesce(dma_id::text, '') = ANY(%(dmas)s::text[]))
    AND (%(categories)s::text[] IS NULL
        OR coalesce(category::text, '') = ANY(%(categories)s::text[]))
    AND (%(criticalities)s::text[] IS NULL
        OR coalesce(criticality::text, '') = ANY(%(criticalities)s::text[]))
    AND (%(statuses)s::text[] IS NULL OR coalesce(status::text, '') = ANY(%(statuses)s::text[]))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), serialnumber, name, barcode,
        jsonb_path_query_array(external_ids, '$[*].id'))), lower(%(q)s::text)) > 0)
ORDER BY coalesce(name::text, ''), asset_id LIMIT %(limit)s
"""
PAGE_BY_NAME_DOWN: Final = """
SELECT asset_id, coalesce(name::text, '') FROM ic3_asset_master
WHERE (coalesce(name::text, ''), asset_id) < (coalesce(%(key)s,
        (SELECT max(coalesce(name::text, '')) FROM ic3_asset_master)),
        %(asset_id)s)
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(domains)s::text[] IS NULL OR coalesce(domain::text, '') = ANY(%(domains)s::text[]))
    AND (%(dmas)s::text[] IS NULL OR coalesce(dma_id::text, '') = ANY(%(dmas)s::text[]))
    AND (%(categories)s::text[] IS NULL
        OR coalesce(category::text, '') = ANY(%(categories)s::text[]))
    AND (%(criticalities)s::text[] IS NULL
        OR coalesce(criticality::text, '') = ANY(%(criticalities)s::text[]))
    AND (%(statuses)s::text[] IS NULL OR coalesce(status::text, '') = ANY(%(statuses)s::text[]))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), serialnumber, name, barcode,
        jsonb_path_query_array(external_ids, '$[*].id'))), lower(%(q)s::text)) > 0)
ORDER BY coalesce(name::text, '') DESC, asset_id DESC LIMIT %(limit)s
"""
PAGE_BY_DOMAIN: Final = """
SELECT asset_id, coalesce(domain::text, '') FROM ic3_asset_master
WHERE (coalesce(domain::text, ''), asset_id) > (%(key)s, %(asset_id)s)
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(domains)s::text[] IS NULL OR coalesce(domain::text, '') = ANY(%(domains)s::text[]))
    AND (%(dmas)s::text[] IS NULL OR coalesce(dma_id::text, '') = ANY(%(dmas)s::text[]))
    AND (%(categories)s::text[] IS NULL
        OR coalesce(category::text, '') = ANY(%(categories)s::text[]))
    AND (%(criticalities)s::text[] IS NULL
        OR coalesce(criticality::text, '') = ANY(%(criticalities)s::text[]))
    AND (%(statuses)s::text[] IS NULL OR coalesce(status::text, '') = ANY(%(statuses)s::text[]))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), serialnumber, name, barcode,
        jsonb_path_query_array(external_ids, '$[*].id'))), lower(%(q)s::text)) > 0)
ORDER BY coalesce(domain::text, ''), asset_id LIMIT %(limit)s
"""
PAGE_BY_DMA: Final = """
SELECT asset_id, coalesce(dma_id::text, '') FROM ic3_asset_master
WHERE (coalesce(dma_id::text, ''), asset_id) > (%(key)s, %(asset_id)s)
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(domains)s::text[] IS NULL OR coalesce(domain::text, '') = ANY(%(domains)s::text[]))
    AND (%(dmas)s::text[] IS NULL OR coalesce(dma_id::text, '') = ANY(%(dmas)s::text[]))
    AND (%(categories)s::text[] IS NULL
        OR coalesce(category::text, '') = ANY(%(categories)s::text[]))
    AND (%(criticalities)s::text[] IS NULL
        OR coalesce(criticality::text, '') = ANY(%(criticalities)s::text[]))
    AND (%(statuses)s::text[] IS NULL OR coalesce(status::text, '') = ANY(%(statuses)s::text[]))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), serialnumber, name, barcode,
        jsonb_path_query_array(external_ids, '$[*].id'))), lower(%(q)s::text)) > 0)
ORDER BY coalesce(dma_id::text, ''), asset_id LIMIT %(limit)s
"""
PAGE_BY_CATEGORY: Final = """
SELECT asset_id, coalesce(category::text, '') FROM ic3_asset_master
WHERE (coalesce(category::text, ''), asset_id) > (%(key)s, %(asset_id)s)
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(domains)s::text[] IS NULL OR coalesce(domain::text, '') = ANY(%(domains)s::text[]))
    AND (%(dmas)s::text[] IS NULL OR coalesce(dma_id::text, '') = ANY(%(dmas)s::text[]))
    AND (%(categories)s::text[] IS NULL
        OR coalesce(category::text, '') = ANY(%(categories)s::text[]))
    AND (%(criticalities)s::text[] IS NULL
        OR coalesce(criticality::text, '') = ANY(%(criticalities)s::text[]))
    AND (%(statuses)s::text[] IS NULL OR coalesce(status::text, '') = ANY(%(statuses)s::text[]))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), serialnumber, name, barcode,
        jsonb_path_query_array(external_ids, '$[*].id'))), lower(%(q)s::text)) > 0)
ORDER BY coalesce(category::text, ''), asset_id LIMIT %(limit)s
"""
PAGE_BY_CRITICALITY: Final = """
SELECT asset_id, coalesce(criticality::text, '') FROM ic3_asset_master
WHERE (coalesce(criticality::text, ''), asset_id) > (%(key)s, %(asset_id)s)
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(domains)s::text[] IS NULL OR coalesce(domain::text, '') = ANY(%(domains)s::text[]))
    AND (%(dmas)s::text[] IS NULL OR coalesce(dma_id::text, '') = ANY(%(dmas)s::text[]))
    AND (%(categories)s::text[] IS NULL
        OR coalesce(category::text, '') = ANY(%(categories)s::text[]))
    AND (%(criticalities)s::text[] IS NULL
        OR coalesce(criticality::text, '') = ANY(%(criticalities)s::text[]))
    AND (%(statuses)s::text[] IS NULL OR coalesce(status::text, '') = ANY(%(statuses)s::text[]))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), serialnumber, name, barcode,
        jsonb_path_query_array(external_ids, '$[*].id'))), lower(%(q)s::text)) > 0)
ORDER BY coalesce(criticality::text, ''), asset_id LIMIT %(limit)s
"""
PAGE_BY_STATUS: Final = """
SELECT asset_id, coalesce(status::text, '') FROM ic3_asset_master
WHERE (coalesce(status::text, ''), asset_id) > (%(key)s, %(asset_id)s)
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(domains)s::text[] IS NULL OR coalesce(domain::text, '') = ANY(%(domains)s::text[]))
    AND (%(dmas)s::text[] IS NULL OR coalesce(dma_id::text, '') = ANY(%(dmas)s::text[]))
    AND (%(categories)s::text[] IS NULL
        OR coalesce(category::text, '') = ANY(%(categories)s::text[]))
    AND (%(criticalities)s::text[] IS NULL
        OR coalesce(criticality::text, '') = ANY(%(criticalities)s::text[]))
    AND (%(statuses)s::text[] IS NULL OR coalesce(status::text, '') = ANY(%(statuses)s::text[]))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), serialnumber, name, barcode,
        jsonb_path_query_array(external_ids, '$[*].id'))), lower(%(q)s::text)) > 0)
ORDER BY coalesce(status::text, ''), asset_id LIMIT %(limit)s
"""
PAGES: Final[Mapping[Sort, LiteralString]] = {
    Sort.SERIAL: PAGE_BY_SERIAL,
    Sort.SERIAL_DOWN: PAGE_BY_SERIAL_DOWN,
    Sort.NAME: PAGE_BY_NAME,
    Sort.NAME_DOWN: PAGE_BY_NAME_DOWN,
    Sort.DOMAIN: PAGE_BY_DOMAIN,
    Sort.DMA: PAGE_BY_DMA,
    Sort.CATEGORY: PAGE_BY_CATEGORY,
    Sort.CRITICALITY: PAGE_BY_CRITICALITY,
    Sort.STATUS: PAGE_BY_STATUS,
}
DOWN: Final = frozenset({Sort.SERIAL_DOWN, Sort.NAME_DOWN})
COUNT: Final = """
SELECT count(*) FROM ic3_asset_master
WHERE (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(domains)s::text[] IS NULL OR coalesce(domain::text, '') = ANY(%(domains)s::text[]))
    AND (%(dmas)s::text[] IS NULL OR coalesce(dma_id::text, '') = ANY(%(dmas)s::text[]))
    AND (%(categories)s::text[] IS NULL
        OR coalesce(category::text, '') = ANY(%(categories)s::text[]))
    AND (%(criticalities)s::text[] IS NULL
        OR coalesce(criticality::text, '') = ANY(%(criticalities)s::text[]))
    AND (%(statuses)s::text[] IS NULL OR coalesce(status::text, '') = ANY(%(statuses)s::text[]))
    AND (%(q)s::text IS NULL OR strpos(lower(concat_ws(chr(10), serialnumber, name, barcode,
        jsonb_path_query_array(external_ids, '$[*].id'))), lower(%(q)s::text)) > 0)
"""
OF_PAGE: Final = """
SELECT asset_id, serialnumber, name, category, domain, dma_id, site, longitude, latitude,
    criticality, capacity_rating, in_charge_person, status, asset_live_status, cmms_asset_id,
    traceability_id, barcode, ticketcount, schedulecount, external_ids, documents, entered,
    updated_at::timestamptz, updated_by
FROM ic3_asset_master WHERE asset_id = ANY(%(ids)s::int[])
"""
ONE: Final = """
SELECT asset_id, serialnumber, name, category, domain, dma_id, site, longitude, latitude,
    criticality, capacity_rating, in_charge_person, status, asset_live_status, cmms_asset_id,
    traceability_id, barcode, ticketcount, schedulecount, external_ids, documents, entered,
    updated_at::timestamptz, updated_by
FROM ic3_asset_master
WHERE serialnumber = %(serial)s
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
"""
LOCK_ONE: Final = """
SELECT asset_id FROM ic3_asset_master
WHERE serialnumber = %(serial)s
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
FOR NO KEY UPDATE
"""
ADD: Final = """
INSERT INTO ic3_asset_master (serialnumber, name, category, domain, dma_id, site, longitude,
    latitude, criticality, capacity_rating, in_charge_person, status, asset_live_status,
    cmms_asset_id, traceability_id, barcode, external_ids, documents, updated_at, updated_by,
    entered)
SELECT serialnumber, name, category, domain, dma_id, site, longitude, latitude, criticality,
    capacity_rating, in_charge_person, status, asset_live_status, cmms_asset_id, traceability_id,
    barcode, coalesce(external_ids, '[]'), coalesce(documents, '[]'), now(), %(who)s,
    (SELECT coalesce(jsonb_object_agg(field,
            jsonb_build_object('by', %(who)s::text, 'at', now())), '{}')
        FROM unnest(%(entered)s::text[]) AS field)
FROM jsonb_populate_record(NULL::ic3_asset_master, %(fields)s)
ON CONFLICT (serialnumber) DO NOTHING
RETURNING asset_id
"""
# A field that is not named keeps what it has, one that is null loses it.
CHANGE: Final = """
UPDATE ic3_asset_master AS kept
SET (name, category, dma_id, site, longitude, latitude, criticality, capacity_rating,
        in_charge_person, status, asset_live_status, cmms_asset_id, traceability_id, barcode,
        external_ids, documents) =
    (SELECT given.name, given.category, given.dma_id, given.site, given.longitude, given.latitude,
        given.criticality, given.capacity_rating, given.in_charge_person, given.status,
        given.asset_live_status, given.cmms_asset_id, given.traceability_id, given.barcode,
        given.external_ids, given.documents
    FROM jsonb_populate_record(kept, %(fields)s) AS given),
    updated_at = now(), updated_by = %(who)s,
    entered = kept.entered || (SELECT coalesce(jsonb_object_agg(field,
            jsonb_build_object('by', %(who)s::text, 'at', now())), '{}')
        FROM unnest(%(entered)s::text[]) AS field)
WHERE asset_id = %(asset_id)s
"""
DMA: Final = """
SELECT dma_id FROM ic3_dma
WHERE dma_id = %(dma_id)s
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
"""
TREE: Final = """
SELECT a.domain::text, a.dma_id::text, d.name::text, a.site, count(*)
FROM ic3_asset_master a LEFT JOIN ic3_dma d ON d.dma_id = a.dma_id::text
WHERE %(scope)s::text[] IS NULL OR a.domain = ANY(%(scope)s::text[])
GROUP BY a.domain::text, a.dma_id::text, d.name::text, a.site
ORDER BY a.domain::text, a.dma_id::text, a.site
"""
TAGS: Final = """
SELECT m.tag_code, p.param_id, p.parameter_name, p.param_tag_code, p.unit, m.set_by, 'mapped'
FROM ic3_asset_tag_map m LEFT JOIN ic3_parameter_master p ON p.param_id = m.param_id
WHERE m.asset_id = %(asset_id)s
UNION ALL
SELECT tag_code, NULL, NULL, NULL, NULL, NULL, state FROM ic3_inbox
WHERE kind = 'tag' AND serial = %(serial)s AND state <> 'mapped'
ORDER BY 1
"""


class AssetStore:
    """Reads and changes assets of the register."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def page(
        self, query: AssetQuery, *, sort: Sort, limit: int, after: Place | None
    ) -> tuple[list[Asset], Place | None]:
        """Assets in an order, and where the next page begins; None where this is the last.

        Args:
            query: Which.
            sort: The order; those without the field come first, or last where it runs down.
            limit: How many at most.
            after: Where the page before ended.
        """
        named = {**_asked(query), **_start(sort, after), "limit": limit + 1}
        async with (
            self.database.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            keys = await (await connection.execute(PAGES[sort], named)).fetchall()
            ids = [row[0] for row in keys[:limit]]
            await cursor.execute(OF_PAGE, {"ids": ids})
            found = {row["asset_id"]: _asset(row) for row in await cursor.fetchall()}
        more = Place(sort, keys[limit - 1][1], keys[limit - 1][0]) if len(keys) > limit else None
        # One that went between the two statements is left out.
        return [found[each] for each in ids if each in found], more

    async def count(self, query: AssetQuery) -> int:
        """How many there are in all."""
        async with self.database.connection() as connection:
            row = await (await connection.execute(COUNT, _asked(query))).fetchone()
            return int(row[0]) if row else 0

    async def one(self, serial: str, scope: Scope) -> Asset | None:
        """An asset, or None where it is unknown in these domains."""
        async with self.database.connection() as connection:
            return await _one(connection, serial, scope)

    async def change(
        self, actor: Actor, serial: str, fields: Mapping[str, Any], *, if_match: str, scope: Scope
    ) -> Asset:
        """Change fields of an asset; they count as entered by this person from now on.

        Args:
            actor: Who does.
            serial: Of the asset.
            fields: Field to value; None takes it away. A field that is not named stays.
            if_match: Tags of the asset as it was seen.
            scope: Domains it may be of.

        Raises:
            UnknownHere: There is no such asset in these domains.
            ChangedMeanwhile: It is another by now.
            InputError: A field is not possible.
        """
        async with self.database.connection() as connection:
            named = {"serial": serial, "scope": scope}
            locked = await (await connection.execute(LOCK_ONE, named)).fetchone()
            before = await _one(connection, serial, scope)
            if locked is None or before is None:
                raise UnknownHere(f"register: {serial!r} is unknown")
            if not still_so(if_match, tag_of(before)):
                raise ChangedMeanwhile(f"register: {serial!r} was changed meanwhile")
            if fields.get("dma_id") != before.dma_id:
                await _check_dma(connection, fields.get("dma_id"), scope)
            await connection.execute(
                CHANGE,
                {
                    "asset_id": before.asset_id, "fields": Jsonb(fields), "who": actor.who,
                    "entered": list(fields),
                },
            )  # fmt: skip
            await forget(connection, "register", [((serial,), name) for name in fields])
            after = await _one(connection, serial, None)
            assert after is not None
            await record(
                connection, actor, "asset changed", f"asset {serial!r}",
                before=_only(before, fields), after=_only(after, fields),
            )  # fmt: skip
            return after

    async def tree(self, scope: Scope) -> list[DomainBranch]:
        """Domains, their district areas and their sites, with the number of assets."""
        async with self.database.connection() as connection:
            rows = await (await connection.execute(TREE, {"scope": scope})).fetchall()
        branches: list[DomainBranch] = []
        for domain, dma_id, name, site, assets in rows:
            if not branches or branches[-1].domain != domain:
                branches.append(DomainBranch(domain, dmas=[]))
            branch = branches[-1]
            if not branch.dmas or branch.dmas[-1].dma_id != dma_id:
                branch.dmas.append(Area(dma_id, name, sites=[]))
            area = branch.dmas[-1]
            area.sites.append(Site(site, assets))
            area.assets += assets
            branch.assets += assets
        return branches

    async def tags(self, serial: str, scope: Scope) -> list[RegisterTag] | None:
        """The tags of an asset, mapped and not; None where it is unknown in these domains."""
        async with self.database.connection() as connection:
            found = await _one(connection, serial, scope)
            if found is None:
                return None
            named = {"asset_id": found.asset_id, "serial": serial}
            cursor = await connection.execute(TAGS, named)
            return [RegisterTag(*row) for row in await cursor.fetchall()]


async def add(
    connection: Connection, actor: Actor, fields: Mapping[str, Any], scope: Scope
) -> Asset:
    """Put an asset into the register.

    Args:
        connection: Of the transaction.
        actor: Who does.
        fields: Its fields, `serialnumber` among them; all count as entered by a person.
        scope: Domains it may be of.

    Raises:
        InputError: A field is not possible for this person.
        ChangedMeanwhile: The serial number is taken.
    """
    serial = fields["serialnumber"]
    if scope is not None and fields.get("domain") not in scope:
        raise InputError("domain: name one of yours")
    await _check_dma(connection, fields.get("dma_id"), scope)
    entered = [name for name in fields if name != "serialnumber"]
    named = {"fields": Jsonb(fields), "who": actor.who, "entered": entered}
    if await (await connection.execute(ADD, named)).fetchone() is None:
        raise ChangedMeanwhile(f"register: {serial!r} is in the register already")
    told = {"serial": serial, "who": actor.who}
    await connection.execute(mappings.SET_ASSET_STATE, told)
    await record(connection, actor, "asset registered", f"asset {serial!r}", after=fields)
    made = await _one(connection, serial, None)
    assert made is not None
    return made


def tag_of(asset: Asset) -> str:
    """The entity tag of an asset as it is."""
    return etag_of(msgspec.json.encode(asset))


async def _one(connection: Connection, serial: str, scope: Scope) -> Asset | None:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(ONE, {"serial": serial, "scope": scope})
        row = await cursor.fetchone()
    return None if row is None else _asset(row)


async def _check_dma(connection: Connection, dma_id: object, scope: Scope) -> None:
    """Refuse a district area that does not exist, or not for this person."""
    if dma_id is None:
        return
    named = {"dma_id": dma_id, "scope": scope}
    if await (await connection.execute(DMA, named)).fetchone() is None:
        raise InputError(
            f"dma_id: there is no district area {str(dma_id)[:100]!r}; import it first"
        )


def _asset(row: Mapping[str, Any]) -> Asset:
    return Asset(**{name: plain(value) for name, value in row.items()})


def _only(asset: Asset, fields: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(asset)
    return {name: shown[name] for name in fields}


def _asked(query: AssetQuery) -> dict[str, Any]:
    return {
        "q": query.q, "domains": query.domains, "dmas": query.dmas,
        "categories": query.categories, "criticalities": query.criticalities,
        "statuses": query.statuses, "scope": query.scope,
    }  # fmt: skip


def _start(sort: Sort, after: Place | None) -> dict[str, Any]:
    """Behind which key a page begins."""
    if after is not None:
        return {"key": after.key, "asset_id": after.asset_id}
    return {"key": None, "asset_id": 2**31 - 1} if sort in DOWN else {"key": "", "asset_id": -1}
