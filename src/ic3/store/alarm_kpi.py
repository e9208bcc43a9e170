"""The counts behind the figures of alarm management."""

from datetime import datetime, timedelta
from typing import Final

from ic3.domain.alarm_kpi import (
    CHATTER_S,
    SLOT_S,
    STANDING_S,
    WORST,
    Acknowledgement,
    ConditionCalls,
    Counted,
    CountedCondition,
    SlotCalls,
)
from ic3.store.pool import Database

SLOTS: Final = """
SELECT floor(extract(epoch FROM at - %(from_at)s) / %(slot_s)s)::bigint, priority, count(*)
FROM ic3_alarm_event
WHERE what = 'new' AND held IS NULL AND at >= %(from_at)s AND at < %(until_at)s
GROUP BY 1, 2
"""
# The third last call is two before: lag 2.
CONDITIONS: Final = """
WITH calls AS (
    SELECT a.source_kind, a.source, a.condition, e.at, lag(e.at, 2) OVER (
        PARTITION BY a.source_kind, a.source, a.condition ORDER BY e.at, e.alarm_id, e.version
    ) AS third_last
    FROM ic3_alarm_event e JOIN ic3_alarm a ON a.id = e.alarm_id
    WHERE e.what = 'new' AND e.held IS NULL AND e.at >= %(from_at)s AND e.at < %(until_at)s
), counted AS (
    SELECT source_kind, source, condition, count(*) AS calls,
        coalesce(bool_or(at - third_last <= make_interval(secs => %(chatter_s)s)), false)
            AS chatters
    FROM calls GROUP BY source_kind, source, condition
), placed AS (
    SELECT source_kind, source, condition, calls, chatters,
        row_number() OVER (ORDER BY calls DESC, source COLLATE "C", condition COLLATE "C",
            source_kind) AS place,
        row_number() OVER (PARTITION BY chatters ORDER BY calls DESC, source COLLATE "C",
            condition COLLATE "C", source_kind) AS place_of_its_kind,
        count(*) FILTER (WHERE chatters) OVER () AS chattering
    FROM counted
)
SELECT source_kind, source, condition, calls, place, chatters, chattering
FROM placed WHERE place <= %(worst)s OR (chatters AND place_of_its_kind <= %(worst)s)
"""
STANDING: Final = """
SELECT count(*) FILTER (WHERE active_since <= %(long_ago)s), count(*)
FROM ic3_alarm a
LEFT JOIN LATERAL (
    SELECT max(version) AS version FROM ic3_alarm_event
    WHERE alarm_id = a.id AND at < %(until_at)s AND NOT active
) break ON true
LEFT JOIN LATERAL (
    SELECT min(at) AS active_since FROM ic3_alarm_event
    WHERE alarm_id = a.id AND at < %(until_at)s AND active
        AND version > coalesce(break.version, 0)
) since ON true
WHERE raised_at < %(until_at)s AND (cleared_at IS NULL OR cleared_at >= %(until_at)s)
"""
# One whose first event was lost is taken to have called.
ACKNOWLEDGEMENT: Final = """
SELECT count(*), count(first.at),
    percentile_cont(0.5) WITHIN GROUP (
        ORDER BY extract(epoch FROM first.at - a.raised_at)::double precision),
    percentile_cont(0.9) WITHIN GROUP (
        ORDER BY extract(epoch FROM first.at - a.raised_at)::double precision)
FROM ic3_alarm a
LEFT JOIN ic3_alarm_event raise ON raise.alarm_id = a.id AND raise.version = 1
LEFT JOIN LATERAL (
    SELECT min(at) AS at FROM ic3_alarm_event WHERE alarm_id = a.id AND what = 'ack'
) first ON true
WHERE a.raised_at >= %(from_at)s AND a.raised_at < %(until_at)s AND raise.held IS NULL
"""


class KpiStore:
    """Counts what happened in a span."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, from_at: datetime, until_at: datetime) -> Counted:
        """Counts from a begin, inside, to an end, outside.

        Raises:
            TooSlow: There is too much of it.
        """
        span = {"from_at": from_at, "until_at": until_at}
        async with self._database.connection() as connection:
            cursor = await connection.execute(SLOTS, {**span, "slot_s": SLOT_S})
            slots = [SlotCalls(*row) for row in await cursor.fetchall()]
            cursor = await connection.execute(
                CONDITIONS, {**span, "chatter_s": CHATTER_S, "worst": WORST}
            )
            conditions = await cursor.fetchall()
            cursor = await connection.execute(
                STANDING,
                {"until_at": until_at, "long_ago": until_at - timedelta(seconds=STANDING_S)},
            )
            standing = await cursor.fetchone()
            cursor = await connection.execute(ACKNOWLEDGEMENT, span)
            acks = await cursor.fetchone()
        assert standing is not None
        assert acks is not None
        alarms, acknowledged, median_s, p90_s = acks
        return Counted(
            slots,
            [CountedCondition(ConditionCalls(*row[:4]), row[4], row[5]) for row in conditions],
            conditions[0][6] if conditions else 0, standing[0], standing[1],
            Acknowledgement(alarms, acknowledged, alarms - acknowledged, median_s, p90_s),
        )  # fmt: skip
