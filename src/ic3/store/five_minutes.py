"""The five-minute roll-ups as arrays: what the analytics are made of, live and of the past."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ic3.store.pool import Database

STEP_S: Final = 300

# A state is its last value, a counter what it counted, a gauge its mean. All five minutes of a
# channel are one string of bytes: the driver would take twenty times as long over single rows.
# LATERAL: an index scan an asset, whatever the planner thinks of the table's size.
FIVE_MINUTES: Final = """
SELECT r.asset_id, r.tag_code, string_agg(int8send((extract(epoch FROM r.bucket_at))::bigint)
    || float8send(coalesce(CASE p.kind WHEN 'state' THEN r.last_value WHEN 'counter' THEN r.increase
        ELSE r.value_sum / nullif(r.used_count, 0) END, 'NaN'))
    || int4send(r.row_count) || int4send(r.good_count), ''::bytea)
FROM unnest(%(asset_ids)s::int[]) AS a (asset_id)
CROSS JOIN LATERAL (
    SELECT asset_id, bucket_at, tag_code, param_id, last_value, increase, value_sum, used_count,
        row_count, good_count
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

_STEP: Final = np.dtype([("at_s", ">i8"), ("value", ">f8"), ("rows", ">i4"), ("good", ">i4")])

Channel = tuple[int, str]
"""Register id and tag."""


@dataclass(frozen=True, slots=True)
class FiveMinutes:
    """Channels on one grid of five minutes.

    Attributes:
        at_s: int64 (times,), begins of the five minutes, seconds since 1970 UTC.
        values: float64 (channels, times), NaN where nothing usable was there.
        rows: int32 (channels, times), how many readings there were; `good` how many were GOOD.
    """

    at_s: NDArray[np.int64]
    values: NDArray[np.float64]
    rows: NDArray[np.int32]
    good: NDArray[np.int32]


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
        shape = (len(channels), len(at_s))
        values = np.full(shape, np.nan)
        rows, good = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
        places = {channel: place for place, channel in enumerate(channels)}
        for asset_id, tag, content in await self._read(channels, from_at, until_at):
            place = places.get((asset_id, tag))
            if place is None:
                continue
            found = np.frombuffer(content, dtype=_STEP)
            step = (found["at_s"] - begin_s) // STEP_S
            values[place, step] = found["value"]
            rows[place, step] = found["rows"]
            good[place, step] = found["good"]
        return FiveMinutes(at_s, values, rows, good)

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
    ) -> list[tuple[int, str, bytes]]:
        """The steps of each channel that has any, and of some that were not asked for."""
        asked = {
            "asset_ids": sorted({asset_id for asset_id, _ in channels}),
            "tags": sorted({tag for _, tag in channels}), "from_at": from_at, "until_at": until_at,
        }  # fmt: skip
        async with self._database.connection() as connection:
            cursor = await connection.execute(FIVE_MINUTES, asked, binary=True)
            return await cursor.fetchall()
