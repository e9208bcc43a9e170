"""Figures of non-revenue water: of the last days, and day by day."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.nrw import DistrictFigures, Leak, figures_of, nights_of
from ic3.store.pool import Database

EXPORT_PAGE: Final = 400

KEEP: Final = """
INSERT INTO ic3_nrw AS kept (dma_id, domain, computed_at, from_at, until_at, definition_version,
    report, leak)
SELECT dma_id, domain, computed_at, from_at, until_at, definition_version, report, leak
FROM jsonb_to_recordset(%(rows)s) AS given (dma_id text, domain text, computed_at timestamptz,
    from_at timestamptz, until_at timestamptz, definition_version int, report jsonb, leak jsonb)
ORDER BY dma_id
ON CONFLICT (dma_id) DO UPDATE SET domain = excluded.domain, computed_at = excluded.computed_at,
    from_at = excluded.from_at, until_at = excluded.until_at,
    definition_version = excluded.definition_version, report = excluded.report,
    leak = excluded.leak
WHERE kept.until_at <= excluded.until_at
"""
KEEP_DAYS: Final = """
INSERT INTO ic3_nrw_day AS kept (dma_id, day, domain, computed_at, definition_version, report, leak)
SELECT dma_id, day, domain, computed_at, definition_version, report, leak
FROM jsonb_to_recordset(%(rows)s) AS given (dma_id text, day date, domain text,
    computed_at timestamptz, definition_version int, report jsonb, leak jsonb)
ORDER BY dma_id, day
ON CONFLICT (dma_id, day) DO UPDATE SET domain = excluded.domain,
    computed_at = excluded.computed_at, definition_version = excluded.definition_version,
    report = excluded.report, leak = excluded.leak
"""
LIST: Final = """
SELECT n.dma_id, coalesce(d.name, n.dma_id), n.domain, n.computed_at, n.from_at, n.until_at,
    n.definition_version, n.report, n.leak, nights.days, nights.m3_h
FROM ic3_nrw n LEFT JOIN ic3_dma d ON d.dma_id = n.dma_id
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(day ORDER BY day), '{}') AS days,
        coalesce(array_agg(CAST(report #>> '{night,mnf_m3_h,value}' AS float8) ORDER BY day), '{}')
        AS m3_h
    FROM ic3_nrw_day
    WHERE dma_id = n.dma_id AND day > CAST(n.until_at AS date) - 28
) AS nights
CROSS JOIN LATERAL (
    SELECT CAST(n.report #>> '{balance,nrw,m3}' AS float8) * 86400
        / CAST(extract(epoch FROM n.until_at - n.from_at) AS float8) AS m3_d
) AS lost
WHERE (%(after)s::text IS NULL OR (coalesce(-lost.m3_d, 'Infinity'), n.dma_id)
        > (coalesce(-%(lost)s::float8, 'Infinity'), %(after)s::text))
    AND (%(dma_id)s::text IS NULL OR n.dma_id = %(dma_id)s::text)
    AND (%(domain)s::text IS NULL OR n.domain = %(domain)s::text)
    AND (%(scope)s::text[] IS NULL OR n.domain = ANY(%(scope)s::text[]))
ORDER BY lost.m3_d DESC NULLS LAST, n.dma_id LIMIT %(limit)s
"""
DAYS: Final = """
SELECT n.day, coalesce(d.name, n.dma_id), n.domain, n.computed_at, n.definition_version, n.report,
    n.leak
FROM ic3_nrw_day n LEFT JOIN ic3_dma d ON d.dma_id = n.dma_id
WHERE n.dma_id = %(dma_id)s AND n.day < %(before)s AND n.day >= %(from_day)s
    AND (%(scope)s::text[] IS NULL OR n.domain = ANY(%(scope)s::text[]))
ORDER BY n.day DESC LIMIT %(limit)s
"""


class NrwRow(NamedTuple):
    """Figures of a district to be stored.

    Attributes:
        report: An `NRWReport` as JSON.
    """

    dma_id: str
    domain: str | None
    computed_at: datetime
    from_at: datetime
    until_at: datetime
    definition_version: int
    report: Any
    leak: Leak


class DistrictPlace(NamedTuple):
    """Where a page of districts begins: behind this loss a day and id; no loss is the last."""

    lost_m3_d: float | None
    dma_id: str


class OneDistrict(msgspec.Struct, frozen=True):
    """A district's figures and the whole report that they are taken from."""

    figures: DistrictFigures
    report: Any


class DistrictDay(msgspec.Struct, frozen=True):
    """A district's figures of one day in its zone."""

    day: date
    figures: DistrictFigures


class NrwStore:
    """Reads and writes figures of non-revenue water."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, rows: Sequence[NrwRow]) -> None:
        """Write the newest figures of districts."""
        async with self._database.connection() as connection:
            await connection.execute(KEEP, {"rows": _json([each._asdict() for each in rows])})

    async def keep_days(self, rows: Sequence[tuple[date, NrwRow]]) -> None:
        """Write the figures of days."""
        given = [{**each._asdict(), "day": day} for day, each in rows]
        async with self._database.connection() as connection:
            await connection.execute(KEEP_DAYS, {"rows": _json(given)})

    async def page(
        self, scope: list[str] | None, *, now: datetime, limit: int,
        after: DistrictPlace | None = None,
        domain: str | None = None, dma_id: str | None = None,
    ) -> list[OneDistrict]:  # fmt: skip
        """Districts by what they lose, the most first; those of which it is not known last, by id.

        Args:
            scope: Domains that may be seen; None is all.
            now: Says how old the figures are.
            limit: How many at most.
            after: Place of the last of the page before.
            domain: Only those of this domain.
            dma_id: Only this one.
        """
        lost, behind = after or (None, None)
        asked = {
            "scope": scope, "limit": limit, "lost": lost, "after": behind, "domain": domain,
            "dma_id": dma_id,
        }  # fmt: skip
        async with self._database.connection() as connection:
            rows = await (await connection.execute(LIST, asked)).fetchall()
        return [
            OneDistrict(
                figures_of(
                    report, msgspec.convert(leak, Leak), dma_id=dma_id_, name=name, domain=domain_,
                    from_at=from_at, until_at=until_at, computed_at=computed_at, version=version,
                    age_s=(now - until_at).total_seconds(), nights=nights_of(days, m3_h),
                ),
                report,
            )
            for (
                dma_id_, name, domain_, computed_at, from_at, until_at, version, report, leak,
                days, m3_h,
            ) in rows
        ]  # fmt: skip

    async def pages(
        self, scope: list[str] | None, *, now: datetime, domain: str | None
    ) -> AsyncIterator[list[OneDistrict]]:
        """All of them, a page at a time."""
        after, full = None, True
        while full:
            page = await self.page(
                scope, now=now, limit=EXPORT_PAGE, after=after, domain=domain
            )  # fmt: skip
            yield page
            full = len(page) == EXPORT_PAGE
            after = place_of(page[-1].figures) if page else None

    async def days(
        self, scope: list[str] | None, dma_id: str, *, from_day: date, before: date, limit: int
    ) -> list[DistrictDay]:
        """Days of a district, newest first; `before` is outside."""
        asked = {
            "scope": scope, "dma_id": dma_id, "from_day": from_day, "before": before,
            "limit": limit,
        }  # fmt: skip
        async with self._database.connection() as connection:
            rows = await (await connection.execute(DAYS, asked)).fetchall()
        return [
            DistrictDay(
                day,
                figures_of(
                    report, msgspec.convert(leak, Leak), dma_id=dma_id, name=name, domain=domain,
                    from_at=_moment(report["start_s"]), until_at=_moment(report["end_s"]),
                    computed_at=computed_at, version=version, age_s=None,
                ),
            )
            for day, name, domain, computed_at, version, report, leak in rows
        ]  # fmt: skip


def place_of(district: DistrictFigures) -> DistrictPlace:
    """Where the page behind a district begins."""
    return DistrictPlace(district.lost.value, district.dma_id)


def _json(rows: Sequence[dict[str, Any]]) -> Jsonb:
    """Rows as JSON, what is not a number as null."""
    return Jsonb(msgspec.json.decode(msgspec.json.encode(rows)))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
