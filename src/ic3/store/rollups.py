"""Roll-ups of the monitoring rows, and the marks of what is to be rolled up again."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

from ic3.errors import StartError
from ic3.store import copy_rows as rows
from ic3.store.pool import Connection, Database

SPANS_AT_ONCE: Final = 2000

MARK: Final = """
INSERT INTO ic3_rollup_dirty (bucket_at, asset_ids)
SELECT 'epoch'::timestamptz + touched.bucket * interval '5 minutes', array_agg(touched.asset_id)
FROM unnest(%(buckets)s, %(register_ids)s) AS touched (bucket, asset_id)
GROUP BY touched.bucket
"""
# Rows keep the parameter they were stored with, whatever the tag map says now. What lies in DEFAULT
# is beyond the horizon.
MARK_PARAMETERS: Final = """
INSERT INTO ic3_rollup_dirty (bucket_at, asset_ids)
SELECT generate_series(date_bin('5 minutes', kept.first_at, 'epoch'), kept.last_at,
    interval '5 minutes'), touched.asset_ids
FROM (SELECT min(recorded_at) AS first_at, max(recorded_at) AS last_at
        FROM ic3_asset_monitoring_data
        WHERE tableoid <> 'ic3_asset_monitoring_data_default'::regclass) kept
    CROSS JOIN LATERAL (SELECT array_agg(DISTINCT asset_id) AS asset_ids FROM ic3_rollup_5m
        WHERE param_id = ANY(%(param_ids)s::int[]) AND bucket_at >= kept.first_at) touched
WHERE touched.asset_ids IS NOT NULL
"""
# A bucket is rolled up once it has ended; an hour at a time, the newest first.
TAKE: Final = """
WITH newest AS (
    SELECT max(bucket_at) AS bucket_at FROM ic3_rollup_dirty WHERE bucket_at <= %(newest_at)s),
taken AS (
    DELETE FROM ic3_rollup_dirty d USING newest
    WHERE d.bucket_at >= date_trunc('hour', newest.bucket_at, %(zone)s)
        AND d.bucket_at <= newest.bucket_at
    RETURNING d.bucket_at, d.asset_ids),
touched AS (
    SELECT bucket_at, unnest(asset_ids) AS asset_id FROM taken
    UNION ALL
    SELECT t.bucket_at, a.asset_id FROM taken t CROSS JOIN ic3_asset_master a
    WHERE t.asset_ids IS NULL)
SELECT asset_id, min(bucket_at), max(bucket_at) + interval '5 minutes' FROM touched
GROUP BY asset_id ORDER BY asset_id
"""
# Their rows are beyond the horizon: what is rolled up of that time stays as it is.
FORGET: Final = "DELETE FROM ic3_rollup_dirty WHERE bucket_at < %(horizon_at)s"
ROLL_UP: Final = """
INSERT INTO ic3_rollup_5m AS kept (bucket_at, asset_id, tag_code, param_id, row_count, good_count,
    used_count, value_sum, value_min, value_max, first_value, first_at, last_value, last_at,
    increase, resets)
SELECT r.bucket_at, r.asset_id, r.tag_code, r.param_id, r.row_count, r.good_count, r.used_count,
    r.value_sum, r.value_min, r.value_max, r.first_value, r.first_at, r.last_value, r.last_at,
    r.increase, r.resets
FROM unnest(%(register_ids)s::int[], %(from_at)s::timestamptz[], %(to_at)s::timestamptz[])
        AS span (asset_id, from_at, to_at)
    CROSS JOIN LATERAL ic3_roll_up(span.asset_id, span.from_at, span.to_at) r
ON CONFLICT (bucket_at, asset_id, tag_code) DO UPDATE SET
    param_id = excluded.param_id, row_count = excluded.row_count,
    good_count = excluded.good_count, used_count = excluded.used_count,
    value_sum = excluded.value_sum, value_min = excluded.value_min,
    value_max = excluded.value_max, first_value = excluded.first_value,
    first_at = excluded.first_at, last_value = excluded.last_value, last_at = excluded.last_at,
    increase = excluded.increase, resets = excluded.resets
WHERE kept IS DISTINCT FROM excluded
"""
# LATERAL: an index scan an asset, whatever the planner thinks of the table's size.
ROLL_UP_HOURS: Final = """
INSERT INTO ic3_rollup_1h AS kept (bucket_at, asset_id, tag_code, param_id, row_count, good_count,
    used_count, value_sum, value_min, value_max, first_value, first_at, last_value, last_at,
    increase, resets)
SELECT span.hour_at, span.asset_id, h.*
FROM (SELECT DISTINCT asset_id, date_trunc('hour', from_at, %(zone)s) AS hour_at
        FROM unnest(%(register_ids)s::int[], %(from_at)s::timestamptz[])
            AS given (asset_id, from_at)) span
    CROSS JOIN LATERAL (
        SELECT tag_code, (array_agg(param_id ORDER BY bucket_at DESC))[1],
            sum(row_count), sum(good_count), sum(used_count), sum(value_sum ORDER BY bucket_at),
            min(value_min), max(value_max),
            (array_agg(first_value ORDER BY bucket_at) FILTER (WHERE used_count > 0))[1],
            min(first_at),
            (array_agg(last_value ORDER BY bucket_at DESC) FILTER (WHERE used_count > 0))[1],
            max(last_at),
            sum(increase + ic3_counter_step(previous, first_value, range_high) ORDER BY bucket_at)
                FILTER (WHERE kind = 'counter'),
            sum(resets) + count(*) FILTER (WHERE kind = 'counter'
                AND ic3_counter_reset(previous, first_value, range_high))
        FROM (SELECT f.*, p.kind, p.range_high, lag(f.last_value) OVER (
                    PARTITION BY f.tag_code, f.used_count = 0 ORDER BY f.bucket_at) AS previous
                FROM ic3_rollup_5m f LEFT JOIN ic3_parameter_master p ON p.param_id = f.param_id
                WHERE f.asset_id = span.asset_id AND f.bucket_at >= span.hour_at
                    AND f.bucket_at < span.hour_at + interval '1 hour') stepped
        GROUP BY tag_code) h
ON CONFLICT (bucket_at, asset_id, tag_code) DO UPDATE SET
    param_id = excluded.param_id, row_count = excluded.row_count,
    good_count = excluded.good_count, used_count = excluded.used_count,
    value_sum = excluded.value_sum, value_min = excluded.value_min,
    value_max = excluded.value_max, first_value = excluded.first_value,
    first_at = excluded.first_at, last_value = excluded.last_value, last_at = excluded.last_at,
    increase = excluded.increase, resets = excluded.resets
WHERE kept IS DISTINCT FROM excluded
"""

# Taken over where nothing is rolled up, or where the hours of both zones begin together.
SETTLE_ZONE: Final = """
INSERT INTO ic3_rollup_zone AS kept (zone) VALUES (%(zone)s)
ON CONFLICT (one) DO UPDATE SET zone = excluded.zone
WHERE NOT EXISTS (SELECT FROM ic3_rollup_1h)
    OR date_trunc('hour', %(now)s::timestamptz, kept.zone)
        = date_trunc('hour', %(now)s::timestamptz, excluded.zone)
RETURNING zone
"""
KEPT_ZONE: Final = "SELECT zone FROM ic3_rollup_zone"

Touched = Collection[tuple[int, int]]
Span = tuple[int, datetime, datetime]


async def mark(connection: Connection, touched: Touched) -> None:
    """Say what is to be rolled up again, in the transaction that writes the monitoring rows.

    Args:
        connection: In the transaction of the rows.
        touched: Buckets (five minutes since 1970) and register ids that got rows.
    """
    if not touched:
        return
    rows.register_arrays(connection)
    ordered = sorted(touched)
    await connection.execute(
        MARK,
        {
            "buckets": rows.Int4Array([rows.int4(bucket) for bucket, _ in ordered]),
            "register_ids": rows.Int4Array([rows.int4(number) for _, number in ordered]),
        },
    )


async def mark_parameters(connection: Connection, param_ids: Sequence[int]) -> None:
    """Have all that is rolled up of parameters rolled up again, as far back as rows are kept."""
    if param_ids:
        await connection.execute(MARK_PARAMETERS, {"param_ids": list(param_ids)})


class RollupStore:
    """Keeps the roll-ups in step with the monitoring rows.

    Args:
        database: Where both are.
        zone: The plant's, whose hours are kept.
        raw_days: Days whose monitoring rows are kept, before today.
    """

    def __init__(self, database: Database, *, zone: str, raw_days: int) -> None:
        self._database = database
        self._zone = zone
        self._raw_days = raw_days

    async def settle_zone(self, now: datetime) -> None:
        """Make sure that the hours kept are those of this zone.

        Raises:
            StartError: They begin at another minute.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(SETTLE_ZONE, {"zone": self._zone, "now": now})
            if await cursor.fetchone() is None:
                kept = await (await connection.execute(KEPT_ZONE)).fetchone()
                raise StartError(
                    f"history: the hours kept in this database begin as in {kept and kept[0]},"
                    f" those of {self._zone} at another minute; set IC3_ZONE back"
                )

    async def roll_up(self, now: datetime) -> int | None:
        """Roll up what was marked in one hour, in one transaction.

        Marks and roll-up go together: killed at any point, what was marked is marked still.

        Returns:
            How many rows of five minutes changed; None where nothing was marked.

        Raises:
            DatabaseAway, StoreError: Nothing was done; the same again is safe.
        """
        horizon_at = datetime.combine(now.date(), time(), UTC) - timedelta(days=self._raw_days)
        due = {"newest_at": now - timedelta(minutes=5), "zone": self._zone}
        async with self._database.connection() as connection:
            await connection.execute(FORGET, {"horizon_at": horizon_at})
            spans: list[Span] = await (await connection.execute(TAKE, due)).fetchall()
            changed = 0
            for start in range(0, len(spans), SPANS_AT_ONCE):
                changed += await self._roll_up(connection, spans[start : start + SPANS_AT_ONCE])
        return changed if spans else None

    async def _roll_up(self, connection: Connection, spans: Sequence[Span]) -> int:
        register_ids, from_at, to_at = (list(column) for column in zip(*spans, strict=True))
        values = {"register_ids": register_ids, "from_at": from_at, "to_at": to_at}
        changed = (await connection.execute(ROLL_UP, values)).rowcount
        # Also where no five minutes changed: a counter may have rolled over between two of them.
        await connection.execute(ROLL_UP_HOURS, {**values, "zone": self._zone})
        return changed
