"""The past of an asset: raw readings and buckets, read portion by portion."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from ic3.domain.history import (
    DAY_US,
    FIVE_MINUTES_US,
    Bucket,
    BucketPoint,
    HistoryQuery,
    Point,
    RawPoint,
    floor,
    portions,
)
from ic3.domain.mapping import Parameter
from ic3.store import register
from ic3.store.pool import Database
from ic3.store.telemetry import microseconds, moment

# A page is taken in one go; what else is served waits for that long.
PAGE_ROWS: Final = 2000
# A counter that was silent for longer begins anew.
COUNTER_LOOK_BACK_US: Final = 31 * DAY_US

ASSET_ID: Final = "SELECT asset_id FROM ic3_asset_master WHERE serialnumber = %(serial)s"
TAGS_OF_ASSET: Final = """
SELECT tag_code, param_id FROM ic3_asset_tag_map WHERE asset_id = %(register_id)s
"""
# Page by page, each a statement of its own: no connection waits for a slow reader.
RAW_PAGE: Final = """
SELECT recorded_at, tag_code, param_id, value_num, value_text, quality
FROM ic3_asset_monitoring_data
WHERE asset_id = %(register_id)s AND recorded_at >= %(from_at)s AND recorded_at < %(to_at)s
    AND (recorded_at, tag_code) > (%(from_at)s, %(after_tag)s)
    AND (%(tags)s::text[] IS NULL OR tag_code = ANY(%(tags)s::text[]))
ORDER BY recorded_at, tag_code LIMIT %(limit)s
"""
# Over a stretch without readings, however long, in one step.
NEXT_READING: Final = """
SELECT min(recorded_at) FROM ic3_asset_monitoring_data
WHERE asset_id = %(register_id)s AND recorded_at >= %(from_at)s AND recorded_at < %(to_at)s
    AND (%(tags)s::text[] IS NULL OR tag_code = ANY(%(tags)s::text[]))
"""
# Hours as far as they are whole, then five minutes, then the newest minutes from the rows
# themselves: what is not rolled up yet is there all the same. Before the first bucket only hours
# are read, for what a counter counted up to it.
BUCKETS: Final = """
WITH parts AS (
    SELECT bucket_at, tag_code, param_id, row_count, good_count, used_count, value_sum, value_min,
        value_max, first_value, last_value, increase, resets
    FROM ic3_rollup_1h
    WHERE asset_id = %(register_id)s AND bucket_at >= %(back_to)s AND bucket_at < %(hours_to)s
        AND (%(tags)s::text[] IS NULL OR tag_code = ANY(%(tags)s::text[]))
    UNION ALL
    SELECT bucket_at, tag_code, param_id, row_count, good_count, used_count, value_sum, value_min,
        value_max, first_value, last_value, increase, resets
    FROM ic3_rollup_5m
    WHERE asset_id = %(register_id)s AND bucket_at >= %(hours_to)s AND bucket_at < %(minutes_to)s
        AND (%(tags)s::text[] IS NULL OR tag_code = ANY(%(tags)s::text[]))
    UNION ALL
    SELECT bucket_at, tag_code, param_id, row_count, good_count, used_count, value_sum, value_min,
        value_max, first_value, last_value, increase, resets
    FROM ic3_roll_up(%(register_id)s, %(minutes_to)s, %(to_at)s)
    WHERE %(tags)s::text[] IS NULL OR tag_code = ANY(%(tags)s::text[])),
stepped AS (
    SELECT parts.*, kind, range_high, lag(last_value) OVER (
        PARTITION BY tag_code, used_count = 0 ORDER BY bucket_at) AS previous
    FROM parts LEFT JOIN ic3_parameter_master p ON p.param_id = parts.param_id)
SELECT CASE WHEN %(unit)s::text IS NULL THEN bucket_at
        ELSE date_trunc(%(unit)s::text, bucket_at, %(zone)s) END AS at, tag_code,
    (array_agg(param_id ORDER BY bucket_at DESC))[1], sum(row_count)::bigint,
    sum(good_count)::bigint, sum(used_count)::bigint, sum(value_sum ORDER BY bucket_at),
    min(value_min), max(value_max),
    (array_agg(first_value ORDER BY bucket_at) FILTER (WHERE used_count > 0))[1],
    (array_agg(last_value ORDER BY bucket_at DESC) FILTER (WHERE used_count > 0))[1],
    sum(increase + ic3_counter_step(previous, first_value, range_high) ORDER BY bucket_at)
        FILTER (WHERE kind = 'counter'),
    (sum(resets) + count(*) FILTER (
        WHERE kind = 'counter' AND ic3_counter_reset(previous, first_value, range_high)))::bigint
FROM stepped WHERE bucket_at >= %(from_at)s
GROUP BY at, tag_code ORDER BY at, tag_code
"""

LAST_VALUES: Final = """
SELECT asset_id, param_id, last_value FROM ic3_rollup_5m
WHERE bucket_at = %(bucket_at)s AND param_id = ANY(%(param_ids)s) AND used_count > 0
"""


class HistoryStore:
    """Reads the past; nothing of it is held whole in memory.

    Args:
        database: Where it is.
        zone: Name of the plant's zone, in which calendar buckets begin.
    """

    def __init__(self, database: Database, *, zone: str) -> None:
        self._database = database
        self._zone = zone

    async def register_id(self, serial: str) -> int | None:
        """Number of an asset in the register; None for one that is not there."""
        if "\0" in serial:
            return None
        async with self._database.connection() as connection:
            row = await (await connection.execute(ASSET_ID, {"serial": serial})).fetchone()
            return int(row[0]) if row else None

    async def parameters(self) -> dict[int, Parameter]:
        """All parameters."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(register.PARAMETERS)
            return {row[0]: register.parameter_of(*row) for row in await cursor.fetchall()}

    async def mapped_tags(self, register_id: int) -> dict[str, int]:
        """Tag to parameter, as the asset is mapped today."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(TAGS_OF_ASSET, {"register_id": register_id})
            return dict(await cursor.fetchall())

    async def last_values(
        self, bucket_us: int, param_ids: Sequence[int]
    ) -> list[tuple[int, int, float]]:
        """The last value of five minutes: register id, parameter and value, of all assets.

        Args:
            bucket_us: Begin of the five minutes.
            param_ids: What was measured.
        """
        asked = {"bucket_at": moment(bucket_us), "param_ids": list(param_ids)}
        async with self._database.connection() as connection:
            return await (await connection.execute(LAST_VALUES, asked)).fetchall()

    def pages(
        self, register_id: int, query: HistoryQuery, *, now_us: int
    ) -> AsyncIterator[Sequence[Point]]:
        """What the asset has to say, by time and then by tag; no page is empty.

        Args:
            register_id: Of the asset.
            query: What is asked for.
            now_us: The wall clock, microseconds since 1970 UTC; what is newer than its last
                whole five minutes is made of the readings themselves.

        Raises:
            DatabaseAway, StoreError: At any page.
        """
        if query.bucket is Bucket.RAW:
            return self._raw(register_id, query)
        return self._buckets(register_id, query, now_us)

    async def _raw(
        self, register_id: int, query: HistoryQuery
    ) -> AsyncIterator[Sequence[RawPoint]]:
        # Day by day: a statement over a month would look into each of its partitions at each page.
        asked: dict[str, Any] = {
            "register_id": register_id, "tags": _list(query), "to_at": moment(query.to_us),
        }  # fmt: skip
        begin_us = query.from_us
        while begin_us < query.to_us:
            end_us = min(begin_us - begin_us % DAY_US + DAY_US, query.to_us)
            empty = True
            async for page in self._raw_pages({**asked, "to_at": moment(end_us)}, begin_us):
                empty = False
                yield page
            begin_us = end_us
            if empty:
                found = await self._fetch(NEXT_READING, {**asked, "from_at": moment(end_us)})
                if found[0][0] is None:
                    return
                begin_us = microseconds(found[0][0])

    async def _raw_pages(
        self, asked: dict[str, Any], begin_us: int
    ) -> AsyncIterator[Sequence[RawPoint]]:
        values = {**asked, "from_at": moment(begin_us), "after_tag": "", "limit": PAGE_ROWS}
        full = True
        while full:
            found = await self._fetch(RAW_PAGE, values)
            if found:
                yield [RawPoint(microseconds(at), *rest) for at, *rest in found]
                values["from_at"], values["after_tag"] = found[-1][:2]
            full = len(found) == PAGE_ROWS

    async def _buckets(
        self, register_id: int, query: HistoryQuery, now_us: int
    ) -> AsyncIterator[Sequence[BucketPoint]]:
        # The bucket before the open one may not be rolled up yet.
        fresh_us = now_us - now_us % FIVE_MINUTES_US - FIVE_MINUTES_US
        whole_us = floor(fresh_us, Bucket.HOUR, query.zone)
        unit = None if query.bucket is Bucket.FIVE_MINUTES else query.bucket.value
        for from_us, to_us in portions(query):
            if from_us > now_us + FIVE_MINUTES_US:
                return  # no reading is newer
            first_hour_us = floor(from_us, Bucket.HOUR, query.zone)
            hours_us = min(whole_us, first_hour_us if unit is None else to_us)
            minutes_us = min(max(fresh_us, hours_us), to_us)
            values = {
                "register_id": register_id, "tags": _list(query), "unit": unit, "zone": self._zone,
                "back_to": moment(from_us - COUNTER_LOOK_BACK_US), "from_at": moment(from_us),
                "hours_to": moment(hours_us), "minutes_to": moment(minutes_us),
                "to_at": moment(to_us),
            }  # fmt: skip
            found = await self._fetch(BUCKETS, values)
            if found:
                yield [BucketPoint(microseconds(at), *rest) for at, *rest in found]

    async def _fetch(self, statement: Any, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        # Prepared at once: planning for a month of partitions costs more than reading them.
        async with self._database.connection() as connection:
            cursor = await connection.execute(statement, values, prepare=True, binary=True)
            return await cursor.fetchall()


def _list(query: HistoryQuery) -> list[str] | None:
    return None if query.tags is None else list(query.tags)
