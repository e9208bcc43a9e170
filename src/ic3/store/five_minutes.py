"""The five-minute roll-ups as arrays: what the analytics are made of, live and of the past."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ic3.analytics.five_minutes import STEP_S, Channel, DayLevels, FiveMinutes
from ic3.store.pool import Database

# A state is its last value, a counter what it counted, a gauge its mean. All five minutes of a
# channel are one string of bytes: the driver would take twenty times as long over single rows.
# LATERAL: an index scan an asset, whatever the planner thinks of the table's size.
FIVE_MINUTES: Final = """
SELECT r.asset_id, r.tag_code, string_agg(int8send((extract(epoch FROM r.bucket_at))::bigint)
    || float8send(coalesce(CASE p.kind WHEN 'state' THEN r.last_value WHEN 'counter' THEN r.increase
        ELSE r.value_sum / nullif(r.used_count, 0) END, 'NaN'))
    || int4send(r.row_count) || int4send(r.good_count)
    || float8send(CASE WHEN p.kind = 'gauge' THEN coalesce(greatest(0,
            r.value_max - greatest(r.first_value, r.last_value),
            least(r.first_value, r.last_value) - r.value_min), 0) ELSE 0 END), ''::bytea)
FROM unnest(%(asset_ids)s::int[]) AS a (asset_id)
CROSS JOIN LATERAL (
    SELECT asset_id, bucket_at, tag_code, param_id, last_value, increase, value_sum, used_count,
        row_count, good_count, value_min, value_max, first_value
    FROM ic3_rollup_5m
    WHERE asset_id = a.asset_id AND bucket_at >= %(from_at)s AND bucket_at < %(until_at)s
        AND tag_code = ANY(%(tags)s::text[])) r
LEFT JOIN ic3_parameter_master p ON p.param_id = r.param_id
GROUP BY r.asset_id, r.tag_code
"""
EXTENT: Final = """
SELECT min(bucket_at), max(bucket_at) FROM ic3_rollup_5m
WHERE asset_id = ANY(%(asset_ids)s::int[]) AND bucket_at >= %(from_at)s
"""

# A day is what it ends with, counted back from the newest.
DAYS: Final = """
SELECT asset_id, tag_code,
    string_agg(int4send(day) || float8send(mean) || float8send(upper), ''::bytea)
FROM (SELECT r.asset_id, r.tag_code,
        (extract(epoch FROM %(until_at)s - r.bucket_at)::int - 1) / 86400 AS day,
        sum(r.value_sum) / sum(r.used_count) AS mean,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY r.value_sum / r.used_count) AS upper
    FROM unnest(%(asset_ids)s::int[]) AS a (asset_id)
    CROSS JOIN LATERAL (
        SELECT h.asset_id, h.tag_code, h.bucket_at, h.value_sum, h.used_count FROM ic3_rollup_1h h
        JOIN ic3_parameter_master p ON p.param_id = h.param_id AND p.kind = 'gauge'
        WHERE h.asset_id = a.asset_id AND h.bucket_at >= %(from_at)s AND h.bucket_at < %(until_at)s
            AND h.used_count > 0) r
    GROUP BY 1, 2, 3) each_day
GROUP BY asset_id, tag_code
"""

_STEP: Final = np.dtype(
    [("at_s", ">i8"), ("value", ">f8"), ("rows", ">i4"), ("good", ">i4"), ("beyond", ">f8")]
)
_DAY: Final = np.dtype([("day", ">i4"), ("mean", ">f8"), ("upper", ">f8")])
_Content = tuple[int, str, bytes]


class FiveMinuteStore:
    """Reads five-minute values of many channels at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(
        self, channels: Sequence[Channel], from_at: datetime, until_at: datetime
    ) -> FiveMinutes:
        """Five-minute values on a grid without gaps.

        Args:
            channels: Each stands once.
            from_at: Begin, on a whole five minutes, inside.
            until_at: End likewise, outside.
        """
        begin_s, end_s = int(from_at.timestamp()), int(until_at.timestamp())
        begin_s -= begin_s % STEP_S
        at_s = np.arange(begin_s, end_s, STEP_S, dtype=np.int64)
        found = await self._read(channels, from_at, until_at)
        return await asyncio.to_thread(_on_grid, channels, at_s, found)

    async def days(self, channels: Sequence[Channel], until_at: datetime, number: int) -> DayLevels:
        """Each gauge on each of the last whole days, from the kept hours.

        Args:
            channels: Each stands once; what is no gauge stays unknown.
            until_at: End of the newest day, a full hour.
            number: How many days.
        """
        mean, upper = (np.full((len(channels), number), np.nan) for _ in range(2))
        places = {channel: place for place, channel in enumerate(channels)}
        asked = {
            "asset_ids": sorted({asset_id for asset_id, _ in channels}), "until_at": until_at,
            "from_at": until_at - timedelta(days=number),
        }  # fmt: skip
        async with self._database.connection() as connection:
            cursor = await connection.execute(DAYS, asked, binary=True)
            for asset_id, tag, content in await cursor.fetchall():
                place = places.get((asset_id, tag))
                if place is not None:
                    found = np.frombuffer(content, dtype=_DAY)
                    mean[place, number - 1 - found["day"]] = found["mean"]
                    upper[place, number - 1 - found["day"]] = found["upper"]
        return DayLevels(mean, upper)

    async def extent(
        self, asset_ids: Sequence[int], from_at: datetime
    ) -> tuple[datetime, datetime] | None:
        """First and last five minutes that there are of assets since a time; None for none."""
        asked = {"asset_ids": list(asset_ids), "from_at": from_at}
        async with self._database.connection() as connection:
            row = await (await connection.execute(EXTENT, asked)).fetchone()
        return None if row is None or row[0] is None else (row[0], row[1])

    async def _read(
        self, channels: Sequence[Channel], from_at: datetime, until_at: datetime
    ) -> list[_Content]:
        """The steps of each channel that has any, and of some that were not asked for."""
        asked = {
            "asset_ids": sorted({asset_id for asset_id, _ in channels}),
            "tags": sorted({tag for _, tag in channels}), "from_at": from_at, "until_at": until_at,
        }  # fmt: skip
        async with self._database.connection() as connection:
            cursor = await connection.execute(FIVE_MINUTES, asked, binary=True)
            return await cursor.fetchall()


def _on_grid(
    channels: Sequence[Channel], at_s: NDArray[np.int64], contents: Iterable[_Content]
) -> FiveMinutes:
    shape = (len(channels), len(at_s))
    values = np.full(shape, np.nan)
    rows, good = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
    beyond = np.zeros(shape)
    places = {channel: place for place, channel in enumerate(channels)}
    for asset_id, tag, content in contents:
        place = places.get((asset_id, tag))
        if place is None:
            continue
        found = np.frombuffer(content, dtype=_STEP)
        step = (found["at_s"] - at_s[0]) // STEP_S
        values[place, step] = found["value"]
        rows[place, step] = found["rows"]
        good[place, step] = found["good"]
        beyond[place, step] = found["beyond"]
    return FiveMinutes(at_s, values, rows, good, beyond)
