"""The register's tables as rows for a file, a page at a time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, LiteralString

from psycopg.rows import dict_row

from ic3.domain.imports import KEYS
from ic3.store.pool import Database
from ic3.store.register import Scope, plain

EXPORT_REGISTER: Final = """
SELECT serialnumber, name, category, domain, dma_id, longitude, latitude, criticality,
    capacity_rating, in_charge_person, status, asset_live_status, cmms_asset_id, traceability_id,
    barcode, ticketcount, schedulecount, site, external_ids
FROM ic3_asset_master
WHERE serialnumber > %(first)s AND %(second)s = ''
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
ORDER BY serialnumber LIMIT %(limit)s
"""
EXPORT_PARAMETERS: Final = """
SELECT param_tag_code, parameter_name, unit, kind, range_low, range_high, rate_max_per_s, decimals,
    name_hi, ucum_code
FROM ic3_parameter_master
WHERE param_tag_code > %(first)s AND %(second)s = '' AND (%(domains)s::text[] IS NULL OR true)
ORDER BY param_tag_code LIMIT %(limit)s
"""
EXPORT_TAGMAP: Final = """
SELECT a.serialnumber, m.tag_code, p.param_tag_code
FROM ic3_asset_master a
JOIN ic3_asset_tag_map m ON m.asset_id = a.asset_id
JOIN ic3_parameter_master p ON p.param_id = m.param_id
WHERE a.serialnumber >= %(first)s AND (a.serialnumber, m.tag_code) > (%(first)s, %(second)s)
    AND (%(domains)s::text[] IS NULL OR a.domain = ANY(%(domains)s::text[]))
ORDER BY a.serialnumber, m.tag_code LIMIT %(limit)s
"""
EXPORT_DMAS: Final = """
SELECT dma_id, name, domain, boundary, connections, population, mains_km, supply_hours, billed_m3_d
FROM ic3_dma
WHERE dma_id > %(first)s AND %(second)s = ''
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
ORDER BY dma_id LIMIT %(limit)s
"""
EXPORTS: Final[Mapping[str, LiteralString]] = {
    "register": EXPORT_REGISTER,
    "parameters": EXPORT_PARAMETERS,
    "tagmap": EXPORT_TAGMAP,
    "dmas": EXPORT_DMAS,
}
PAGE_ROWS: Final = 1000


class ExportStore:
    """Reads whole tables without holding them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pages(self, table: str, scope: Scope) -> AsyncIterator[Sequence[dict[str, Any]]]:
        """The rows of a table in the order of its key.

        Args:
            table: `register`, `parameters`, `tagmap` or `dmas`.
            scope: Domains whose rows may be seen; parameters have none.
        """
        place = ("", "")
        while True:
            page = await self._page(table, scope, place)
            if page:
                yield page
            if len(page) < PAGE_ROWS:
                return
            first, second, *_ = *(str(page[-1][name]) for name in KEYS[table]), ""
            place = (first, second)

    async def _page(self, table: str, scope: Scope, place: tuple[str, str]) -> list[dict[str, Any]]:
        named = {
            "first": place[0], "second": place[1], "domains": scope, "limit": PAGE_ROWS,
        }  # fmt: skip
        async with (
            self._database.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(EXPORTS[table], named)
            return [
                {name: plain(value) for name, value in row.items()}
                for row in await cursor.fetchall()
            ]
