"""Failures and how long they lasted, counted from work orders."""

from datetime import datetime
from typing import Final

from ic3.domain.reliability import By, Measured
from ic3.store.pool import Database

# Failures of one asset at the same time are one downtime: their spans are merged.
MEASURE: Final = """
WITH failure AS (
    SELECT id, serial, failed_at,
        CASE %(by)s::text WHEN 'asset' THEN serial WHEN 'kind' THEN category ELSE domain END
            AS name,
        greatest(failed_at, CASE WHEN source IS NULL THEN done_at
            WHEN returned_at IS NOT NULL THEN returned_at
            WHEN state IN ('verified', 'closed') THEN done_at END) AS end_at,
        (source IS NOT NULL AND returned_at IS NULL AND state NOT IN ('verified', 'closed'))
            OR (source IS NULL AND done_at IS NULL) AS lasts
    FROM ic3_work_order
    WHERE kind = 'corrective' AND state NOT IN ('draft', 'cancelled')
        AND failed_at < %(until_at)s
        AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))),
touching AS (SELECT * FROM failure WHERE lasts OR end_at >= %(from_at)s),
merged AS (
    SELECT name, range_agg(tstzrange(greatest(failed_at, %(from_at)s),
        CASE WHEN lasts THEN %(until_at)s ELSE least(end_at, %(until_at)s) END)) AS spans
    FROM touching GROUP BY name, coalesce(serial, id::text)),
down AS (
    SELECT name, sum(extract(epoch FROM upper(span) - lower(span))) AS seconds
    FROM merged, unnest(merged.spans) AS span GROUP BY name),
counted AS (
    SELECT name, count(*) FILTER (WHERE failed_at >= %(from_at)s) AS failures,
        count(*) FILTER (WHERE NOT lasts AND end_at < %(until_at)s) AS repairs,
        coalesce(sum(extract(epoch FROM end_at - failed_at))
            FILTER (WHERE NOT lasts AND end_at < %(until_at)s), 0) AS repair_s
    FROM touching GROUP BY name),
size AS (
    SELECT CASE %(by)s::text WHEN 'asset' THEN serialnumber WHEN 'kind' THEN category
        ELSE domain END AS name, count(*) AS assets
    FROM ic3_asset_master
    WHERE %(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[])
    GROUP BY 1)
SELECT counted.name, coalesce(size.assets, 1), counted.failures, counted.repairs,
    counted.repair_s::double precision, coalesce(down.seconds, 0)::double precision
FROM counted LEFT JOIN down ON down.name IS NOT DISTINCT FROM counted.name
    LEFT JOIN size ON size.name IS NOT DISTINCT FROM counted.name
ORDER BY coalesce(down.seconds, 0) DESC, counted.name LIMIT %(limit)s
"""


class ReliabilityStore:
    """Counts failures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def measured(
        self, by: By, *, from_at: datetime, until_at: datetime, domains: list[str] | None,
        limit: int,
    ) -> list[Measured]:  # fmt: skip
        """What failed in a span, most downtime first; what never failed is not there."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                MEASURE,
                {
                    "by": by, "from_at": from_at, "until_at": until_at, "domains": domains,
                    "limit": limit,
                },
            )  # fmt: skip
            return [Measured(*row) for row in await cursor.fetchall()]
