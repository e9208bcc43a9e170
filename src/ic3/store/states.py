"""States of assets and events of the feed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from psycopg.types.json import Jsonb

from ic3.domain.envelope import Envelope, time_text
from ic3.domain.freshness import FeedEvent, Happened, KnownState, State
from ic3.store.pool import Connection, Database
from ic3.store.telemetry import microseconds, newest_envelope

KEPT_DAYS: Final = 30
KEPT_EVENTS: Final = 100_000
BATCH: Final = 5000

KNOWN_STATES: Final = """
SELECT s.serial, s.state, s.since, s.last_new_at, s.cadence_s, s.skew_s, a.domain
FROM ic3_asset_state s LEFT JOIN assets a ON a.asset_id = s.serial
"""
KEEP_STATES: Final = """
INSERT INTO ic3_asset_state (serial, state, since, last_new_at, cadence_s, skew_s)
SELECT serial, state, since, last_new_at, cadence_s, skew_s
FROM jsonb_to_recordset(%(rows)s) AS given (serial text, state text, since timestamptz,
    last_new_at timestamptz, cadence_s double precision, skew_s double precision)
ORDER BY serial
ON CONFLICT (serial) DO UPDATE SET
    state = excluded.state, since = excluded.since, last_new_at = excluded.last_new_at,
    cadence_s = excluded.cadence_s, skew_s = excluded.skew_s
"""
KEEP_EVENTS: Final = """
INSERT INTO ic3_feed_event (at, serial, event, detail)
SELECT at, serial, event, detail
FROM jsonb_to_recordset(%(rows)s) AS given (at timestamptz, serial text, event text, detail text)
"""
RECENT_EVENTS: Final = """
SELECT id, at, serial, event, detail FROM ic3_feed_event
WHERE (%(serials)s::text[] IS NULL OR serial IS NULL OR serial = ANY(%(serials)s))
    AND (%(before)s::bigint IS NULL OR id < %(before)s)
ORDER BY id DESC LIMIT %(limit)s
"""
TRIM_EVENTS: Final = """
DELETE FROM ic3_feed_event WHERE id IN (
    SELECT id FROM ic3_feed_event WHERE at < %(before)s ORDER BY at LIMIT 5000)
"""
# By number: the newest are kept.
TRIM_MANY_EVENTS: Final = """
DELETE FROM ic3_feed_event WHERE id IN (
    SELECT id FROM ic3_feed_event
    WHERE id < (SELECT id FROM ic3_feed_event ORDER BY id DESC LIMIT 1 OFFSET %(keep)s)
    ORDER BY id LIMIT 5000)
"""


class StateStore:
    """Writes what the states worker knows and reads it back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self) -> list[KnownState]:
        """Every asset that was written."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(KNOWN_STATES)
            return [_known(*row) for row in await cursor.fetchall()]

    async def keep(self, states: Sequence[KnownState], events: Sequence[Happened]) -> None:
        """Write states and events, all or nothing.

        Raises:
            DatabaseAway: Nothing was written, or the outcome is unknown; again is safe for states,
                and may tell an event twice.
            StoreError: PostgreSQL refused; nothing was written.
        """
        async with self._database.connection() as connection:
            for start in range(0, len(states), BATCH):
                rows = [_state_row(each) for each in states[start : start + BATCH]]
                await connection.execute(KEEP_STATES, {"rows": Jsonb(rows)})
            for start in range(0, len(events), BATCH):
                rows = [_event_row(each) for each in events[start : start + BATCH]]
                await connection.execute(KEEP_EVENTS, {"rows": Jsonb(rows)})

    async def recent_events(
        self, limit: int, serials: Sequence[str] | None = None, *, before: int | None = None
    ) -> list[tuple[int, Happened]]:
        """The last events with their numbers, newest first.

        Args:
            limit: How many at most.
            serials: Only of these assets and of the whole gateway; None is all.
            before: Only those before this number; None is all.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                RECENT_EVENTS,
                {
                    "limit": limit,
                    "serials": None if serials is None else list(serials),
                    "before": before,
                },
            )
            return [
                (number, Happened(microseconds(at), serial, FeedEvent(event), detail))
                for number, at, serial, event, detail in await cursor.fetchall()
            ]

    async def newest_envelope(self, serial: str) -> Envelope | None:
        """The newest envelope of an asset; None where none has arrived."""
        async with self._database.connection() as connection:
            return await newest_envelope(connection, serial)

    async def trim(self, now: datetime) -> None:
        """Let go of events that are old or too many, in small batches."""
        before = {"before": now - timedelta(days=KEPT_DAYS)}
        full = True
        while full:
            async with self._database.connection() as connection:
                old = (await connection.execute(TRIM_EVENTS, before)).rowcount
                full = max(old, await _trim_many(connection)) == BATCH


async def _trim_many(connection: Connection) -> int:
    # `keep` rows are newer than the one that the offset finds.
    cursor = await connection.execute(TRIM_MANY_EVENTS, {"keep": KEPT_EVENTS - 1})
    return cursor.rowcount


def _known(
    serial: str, state: str, since: datetime, last_new_at: datetime | None,
    cadence_s: float | None, skew_s: float | None, domain: str | None,
) -> KnownState:  # fmt: skip
    last_new_us = None if last_new_at is None else microseconds(last_new_at)
    return KnownState(
        serial, State(state), microseconds(since), last_new_us, cadence_s, skew_s, domain
    )


def _state_row(each: KnownState) -> dict[str, object]:
    return {
        "serial": each.serial, "state": each.state, "since": time_text(each.since_us),
        "last_new_at": None if each.last_new_us is None else time_text(each.last_new_us),
        "cadence_s": each.cadence_s, "skew_s": each.skew_s,
    }  # fmt: skip


def _event_row(each: Happened) -> dict[str, object]:
    return {
        "at": time_text(each.at_us), "serial": each.serial, "event": each.event,
        "detail": each.detail,
    }  # fmt: skip
