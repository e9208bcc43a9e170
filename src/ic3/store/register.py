"""The register, the parameters and the tag map: loading, reading one asset, importing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import inf, isnan
from typing import Any, Final, LiteralString

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ic3.domain.mapping import Parameter, Register, RegisteredAsset
from ic3.domain.quality import Kind
from ic3.store.pool import Connection, Database
from ic3.store.rollups import mark_parameters

# Domains whose rows may be seen; None is all.
Scope = list[str] | None

VERSION: Final = "SELECT version FROM ic3_registry_version"
PARAMETERS: Final = """
SELECT param_id, parameter_name, param_tag_code, unit, kind, range_low, range_high, rate_max_per_s
FROM ic3_parameter_master
"""
ASSETS: Final = """
SELECT asset_id, serialnumber, domain, category, dma_id, name, longitude::double precision,
    latitude::double precision
FROM ic3_asset_master
"""
TAG_MAP: Final = "SELECT asset_id, tag_code, param_id FROM ic3_asset_tag_map"
COUNT_ASSETS: Final = "SELECT count(*) FROM ic3_asset_master"

ASSET_BY_SERIAL: Final = """
SELECT asset_id, serialnumber, cmms_asset_id, traceability_id, barcode, criticality,
    capacity_rating, in_charge_person, status, asset_live_status, ticketcount, schedulecount,
    category, dma_id, name, domain, longitude, latitude
FROM ic3_asset_master
WHERE serialnumber = %(serial)s
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
"""

ASSETS_BY_SERIAL: Final = """
SELECT asset_id, serialnumber, cmms_asset_id, traceability_id, barcode, criticality,
    capacity_rating, in_charge_person, status, asset_live_status, ticketcount, schedulecount,
    category, dma_id, name, domain, longitude, latitude
FROM ic3_asset_master
WHERE serialnumber > %(after)s
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
ORDER BY serialnumber LIMIT %(limit)s
"""

# A cell left empty keeps what the register has. One statement a table: its trigger fires once.
# Its domain is named all the same: row security looks at the row as it would be inserted.
# Read as the table's own row type, since an adopted table may have other types than ours.
IMPORT_ASSETS: Final = """
INSERT INTO ic3_asset_master AS kept (serialnumber, cmms_asset_id, traceability_id, barcode,
    criticality, capacity_rating, in_charge_person, status, asset_live_status, ticketcount,
    schedulecount, category, dma_id, name, domain, longitude, latitude, site, external_ids,
    updated_at, updated_by)
SELECT serialnumber, cmms_asset_id, traceability_id, barcode,
    criticality, capacity_rating, in_charge_person, status, asset_live_status, ticketcount,
    schedulecount, category, dma_id, name,
    coalesce(domain, (SELECT was.domain FROM ic3_asset_master was
        WHERE was.serialnumber = given.serialnumber)),
    longitude, latitude, site, coalesce(external_ids, '[]'), now(), %(by)s
FROM jsonb_populate_recordset(NULL::ic3_asset_master, %(rows)s) AS given
ON CONFLICT (serialnumber) DO UPDATE SET
    cmms_asset_id = coalesce(excluded.cmms_asset_id, kept.cmms_asset_id),
    traceability_id = coalesce(excluded.traceability_id, kept.traceability_id),
    barcode = coalesce(excluded.barcode, kept.barcode),
    criticality = coalesce(excluded.criticality, kept.criticality),
    capacity_rating = coalesce(excluded.capacity_rating, kept.capacity_rating),
    in_charge_person = coalesce(excluded.in_charge_person, kept.in_charge_person),
    status = coalesce(excluded.status, kept.status),
    asset_live_status = coalesce(excluded.asset_live_status, kept.asset_live_status),
    ticketcount = coalesce(excluded.ticketcount, kept.ticketcount),
    schedulecount = coalesce(excluded.schedulecount, kept.schedulecount),
    category = coalesce(excluded.category, kept.category),
    dma_id = coalesce(excluded.dma_id, kept.dma_id),
    name = coalesce(excluded.name, kept.name),
    domain = coalesce(excluded.domain, kept.domain),
    longitude = coalesce(excluded.longitude, kept.longitude),
    latitude = coalesce(excluded.latitude, kept.latitude),
    site = coalesce(excluded.site, kept.site),
    external_ids = CASE excluded.external_ids WHEN '[]' THEN kept.external_ids
        ELSE excluded.external_ids END,
    updated_at = excluded.updated_at, updated_by = excluded.updated_by
RETURNING xmax = 0
"""
IMPORT_PARAMETERS: Final = """
INSERT INTO ic3_parameter_master AS kept (param_tag_code, parameter_name, unit, kind, range_low,
    range_high, rate_max_per_s, decimals, name_hi, ucum_code, updated_at, updated_by)
SELECT param_tag_code, parameter_name, unit, kind, range_low, range_high, rate_max_per_s, decimals,
    name_hi, ucum_code, now(), %(by)s
FROM jsonb_populate_recordset(NULL::ic3_parameter_master, %(rows)s)
ON CONFLICT (param_tag_code) DO UPDATE SET
    parameter_name = excluded.parameter_name,
    unit = coalesce(excluded.unit, kept.unit),
    kind = coalesce(excluded.kind, kept.kind),
    range_low = coalesce(excluded.range_low, kept.range_low),
    range_high = coalesce(excluded.range_high, kept.range_high),
    rate_max_per_s = coalesce(excluded.rate_max_per_s, kept.rate_max_per_s),
    decimals = coalesce(excluded.decimals, kept.decimals),
    name_hi = coalesce(excluded.name_hi, kept.name_hi),
    ucum_code = coalesce(excluded.ucum_code, kept.ucum_code),
    updated_at = excluded.updated_at, updated_by = excluded.updated_by
RETURNING xmax = 0
"""
# Roll-ups read kind and greatest value of counters alone; an empty cell changes nothing.
CHANGED_COUNTERS: Final = """
SELECT kept.param_id
FROM jsonb_populate_recordset(NULL::ic3_parameter_master, %(rows)s) AS given
JOIN ic3_parameter_master kept ON kept.param_tag_code = given.param_tag_code
WHERE 'counter' IN (kept.kind, given.kind)
    AND (given.kind <> coalesce(kept.kind, '')
        OR given.range_high IS NOT NULL AND given.range_high IS DISTINCT FROM kept.range_high)
"""
IMPORT_TAGS: Final = """
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id)
SELECT a.asset_id, given.tag_code, p.param_id
FROM jsonb_to_recordset(%(rows)s) AS given (serialnumber text, tag_code text, param_tag_code text)
JOIN ic3_asset_master a ON a.serialnumber = given.serialnumber
JOIN ic3_parameter_master p ON p.param_tag_code = given.param_tag_code
ON CONFLICT (asset_id, tag_code) DO UPDATE SET param_id = excluded.param_id
RETURNING xmax = 0
"""
IMPORT_DMAS: Final = """
INSERT INTO ic3_dma AS kept (dma_id, name, domain, boundary, connections, population, mains_km,
    supply_hours, billed_m3_d)
SELECT dma_id, name,
    coalesce(domain, (SELECT was.domain FROM ic3_dma was WHERE was.dma_id = given.dma_id)),
    boundary, connections, population, mains_km, supply_hours, billed_m3_d
FROM jsonb_populate_recordset(NULL::ic3_dma, %(rows)s) AS given
ON CONFLICT (dma_id) DO UPDATE SET
    name = coalesce(excluded.name, kept.name),
    domain = coalesce(excluded.domain, kept.domain),
    boundary = coalesce(excluded.boundary, kept.boundary),
    connections = coalesce(excluded.connections, kept.connections),
    population = coalesce(excluded.population, kept.population),
    mains_km = coalesce(excluded.mains_km, kept.mains_km),
    supply_hours = coalesce(excluded.supply_hours, kept.supply_hours),
    billed_m3_d = coalesce(excluded.billed_m3_d, kept.billed_m3_d)
RETURNING xmax = 0
"""
STATEMENT_ROWS: Final = 5000
STAMPED: Final = frozenset({"register", "parameters"})
IMPORTS: Final[Mapping[str, LiteralString]] = {
    "register": IMPORT_ASSETS,
    "parameters": IMPORT_PARAMETERS,
    "tagmap": IMPORT_TAGS,
    "dmas": IMPORT_DMAS,
}
SERIALS: Final = """
SELECT serialnumber FROM ic3_asset_master
WHERE serialnumber = ANY(%(codes)s)
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
"""
DMAS: Final = """
SELECT dma_id FROM ic3_dma
WHERE dma_id = ANY(%(codes)s)
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
"""
TAG_CODES: Final = """
SELECT param_tag_code FROM ic3_parameter_master WHERE param_tag_code = ANY(%(codes)s)
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import changed."""

    added: int
    updated: int


class RegisterStore:
    """Reads and fills the register."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def away(self) -> bool:
        """Whether the database was away when it was last asked."""
        return self._database.away_since is not None

    async def load_if_changed(self, register: Register) -> Register:
        """The same register where nothing changed since, otherwise a new one.

        All three tables are read in one snapshot.
        """
        async with self._database.connection() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            row = await (await connection.execute(VERSION)).fetchone()
            version = int(row[0]) if row else 0
            return register if version == register.version else await _load(connection, version)

    async def asset(self, serial: str, scope: Scope = None) -> dict[str, Any] | None:
        """The register's fields of one asset, or None where it is unknown in these domains."""
        async with (
            self._database.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(ASSET_BY_SERIAL, {"serial": serial, "domains": scope})
            found = await cursor.fetchone()
            return found and {name: plain(field) for name, field in found.items()}

    async def assets(self, scope: Scope, *, limit: int, after: str) -> list[dict[str, Any]]:
        """The same fields of many assets, by serial number.

        Args:
            scope: Domains whose assets may be seen.
            limit: How many at most.
            after: Serial number of the last of the page before; empty for the first page.
        """
        async with (
            self._database.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            named = {"domains": scope, "limit": limit, "after": after}
            await cursor.execute(ASSETS_BY_SERIAL, named)
            return [
                {name: plain(field) for name, field in row.items()}
                for row in await cursor.fetchall()
            ]

    async def count(self) -> int:
        """Assets in the register."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(COUNT_ASSETS)).fetchone()
            return int(row[0]) if row else 0

    async def unknown_codes(
        self, *, serials: Sequence[str], tag_codes: Sequence[str], scope: Scope = None
    ) -> tuple[set[str], set[str]]:
        """Of these serial numbers and parameter codes, those that are not known."""
        async with self._database.connection() as connection:
            named = {"codes": list(serials), "domains": scope}
            known = await (await connection.execute(SERIALS, named)).fetchall()
            codes = await (
                await connection.execute(TAG_CODES, {"codes": list(tag_codes)})
            ).fetchall()
        return set(serials) - {row[0] for row in known}, set(tag_codes) - {row[0] for row in codes}

    async def known_keys(
        self, table: str, keys: Sequence[str], scope: Scope
    ) -> tuple[set[str], set[str]]:
        """Of these keys of `register` or `dmas`, those in these domains, and those in others."""
        statement = SERIALS if table == "register" else DMAS
        async with self._database.connection() as connection:
            named = {"codes": list(keys), "domains": None}
            cursor = await connection.execute(statement, named)
            known = {row[0] for row in await cursor.fetchall()}
            cursor = await connection.execute(statement, {**named, "domains": scope})
            mine = {row[0] for row in await cursor.fetchall()}
        return mine, known - mine

    async def import_rows(self, tables: Mapping[str, Sequence[Mapping[str, object]]]) -> Imported:
        """Import checked rows, all or nothing.

        Args:
            tables: `register`, `parameters`, `tagmap` or `dmas` to rows, imported in this order.
        """
        added = updated = 0
        async with self._database.connection() as connection:
            for table, table_rows in tables.items():
                done = await import_table(connection, table, table_rows)
                added, updated = added + done.added, updated + done.updated
        return Imported(added, updated)


async def import_table(
    connection: Connection, table: str, table_rows: Sequence[Mapping[str, object]],
    *, by: str | None = None,
) -> Imported:  # fmt: skip
    """Import checked rows of one table in the transaction of an act, as its statements say.

    Args:
        connection: Of that transaction.
        table: Which.
        table_rows: Its rows; an empty cell keeps what the table has, all others are written.
        by: Who is noted to have written them.
    """
    added = updated = 0
    # So many at a time, that no statement takes longer than a request may.
    for begin in range(0, len(table_rows), STATEMENT_ROWS):
        rows = {"rows": Jsonb(list(table_rows[begin : begin + STATEMENT_ROWS]))}
        counters: list[int] = []
        if table == "parameters":
            found = await (await connection.execute(CHANGED_COUNTERS, rows)).fetchall()
            counters = [row[0] for row in found]
        named = {**rows, "by": by} if table in STAMPED else rows
        cursor = await connection.execute(IMPORTS[table], named)
        outcomes = [row[0] for row in await cursor.fetchall()]
        await mark_parameters(connection, counters)
        added += sum(outcomes)
        updated += len(outcomes) - sum(outcomes)
    return Imported(added=added, updated=updated)


def plain(field: Any) -> Any:
    """Numbers as JSON numbers, also from the numeric columns of an adopted register."""
    if not isinstance(field, Decimal):
        return field
    whole = field.is_finite() and field == field.to_integral_value()
    return int(field) if whole else float(field)


async def _load(connection: Connection, version: int) -> Register:
    cursor = await connection.execute(PARAMETERS)
    parameters = {row[0]: parameter_of(*row) for row in await cursor.fetchall()}
    by_id = {
        register_id: RegisteredAsset(register_id, serial, {}, *rest)
        for register_id, serial, *rest in await (await connection.execute(ASSETS)).fetchall()
    }
    for register_id, tag, param_id in await (await connection.execute(TAG_MAP)).fetchall():
        asset, parameter = by_id.get(register_id), parameters.get(param_id)
        if asset is not None and parameter is not None:
            asset.parameters[tag] = parameter
    return Register(version, {each.serial: each for each in by_id.values()}, parameters)


def parameter_of(
    param_id: int, name: str, tag_code: str, unit: str | None, kind: Kind | None, *limits: Any
) -> Parameter:
    """A parameter; a limit that is absent, or NaN, limits nothing."""
    low, high, rate = (None if limit is None or isnan(limit) else float(limit) for limit in limits)
    return Parameter(
        param_id, name, tag_code, unit, kind=kind,
        range_low=-inf if low is None else low, range_high=inf if high is None else high,
        rate_max_per_s=inf if rate is None else rate,
    )  # fmt: skip
