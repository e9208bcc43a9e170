"""Runs: one whole, with which keys met with what; and a span of them, counted."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.rows import dict_row

from ic3.domain.envelope import KEY_PREFIX
from ic3.domain.sweeps import Equation, Sweep, mapping_equation
from ic3.store.pool import Database
from ic3.store.scope import for_everybody

RUN: Final = """
SELECT r.id, r.run_at, coalesce(r.duration_ms, 0) AS duration_ms, r.error_msg, r.sweep_id,
    s.id IS NOT NULL AS explained, s.begun_at, s.ended_at, s.keys_listed, s.keys_scanned, s.matched,
    s.unmatched, s.read_ok, s.unchanged, s.accepted, s.stored, s.duplicate, s.dead, s.gap,
    s.deferred_by, s.list_duplicates, s.list_rejected, s.failed, s.quarantined, s.tags_rejected,
    s.tags, s.rows_inserted, s.rows_duplicate, s.tags_skipped, s.tags_refused, s.phase_ms,
    s.simulated, k.keys
FROM ic3_ingest_run_log r
LEFT JOIN ic3_sweep s ON s.id = r.sweep_id
LEFT JOIN ic3_sweep_keys k ON k.sweep_id = r.sweep_id
WHERE r.id = %(run_id)s
"""

BUCKETS: Final = """
SELECT date_bin(%(bucket)s, run_at, '1970-01-01Z') AS at, count(*)::int,
    count(error_msg)::int, coalesce(max(duration_ms), 0), coalesce(sum(keys_scanned), 0)::bigint,
    coalesce(sum(matched), 0)::bigint, coalesce(sum(rows_inserted), 0)::bigint
FROM ic3_ingest_run_log WHERE run_at >= %(from_at)s AND run_at < %(until_at)s
GROUP BY 1 ORDER BY 1
"""
COUNTED: Final = """
WITH sweeps AS (
    SELECT s.*, r.duration_ms FROM ic3_ingest_run_log r JOIN ic3_sweep s ON s.id = r.sweep_id
    WHERE r.run_at >= %(from_at)s AND r.run_at < %(until_at)s
)
SELECT 'failed', key, sum(value::float8) FROM sweeps, jsonb_each_text(failed) GROUP BY key
UNION ALL
SELECT 'deferred', key, sum(value::float8) FROM sweeps, jsonb_each_text(deferred_by) GROUP BY key
UNION ALL
SELECT 'quarantined', key, sum(value::float8) FROM sweeps, jsonb_each_text(quarantined) GROUP BY key
UNION ALL
SELECT 'phase', key, avg(value::float8) FROM sweeps, jsonb_each_text(phase_ms) GROUP BY key
UNION ALL
SELECT 'phase', 'map_and_write',
    avg(duration_ms - (SELECT sum(value::float8) FROM jsonb_each_text(phase_ms)))
FROM sweeps HAVING count(*) > 0
ORDER BY 1, 3 DESC, 2
"""
FAILED: Final = """
SELECT id, run_at, error_msg FROM ic3_ingest_run_log
WHERE run_at >= %(from_at)s AND run_at < %(until_at)s AND error_msg IS NOT NULL
ORDER BY run_at DESC, id DESC LIMIT %(limit)s
"""
FAILING_KEYS: Final = """
SELECT key, count(*)::int, string_agg(DISTINCT substr(why, 8), ', ')
FROM ic3_sweep_keys, jsonb_each(keys) AS met (why, named), jsonb_array_elements_text(named) AS key
WHERE at >= %(from_at)s AND at < %(until_at)s AND why LIKE 'failed:%%'
GROUP BY key ORDER BY 2 DESC, 1
"""
COUNTERS: Final = (
    "keys_listed", "keys_scanned", "matched", "unmatched", "read_ok", "unchanged", "accepted",
    "stored", "duplicate", "dead", "gap", "list_duplicates",
)  # fmt: skip
REASONS: Final = ("list_rejected", "failed", "quarantined", "tags_rejected")
TAGS: Final = ("tags", "rows_inserted", "rows_duplicate", "tags_skipped", "tags_refused")


@dataclass(frozen=True, slots=True)
class ExplainedRun:
    """What became of every key of a run.

    Attributes:
        counters: By name; those of tags are absent before the run was mapped.
        reasons: Counter to reason to number.
        keys: What became of them to keys; None where they are no longer kept.
    """

    id: int
    run_at: datetime
    duration_ms: int
    error_msg: str | None
    sweep_id: int | None
    counters: dict[str, int]
    reasons: dict[str, dict[str, int]]
    phase_ms: dict[str, float]
    equations: list[Equation]
    keys: dict[str, list[str]] | None


class ActivityBucket(msgspec.Struct, frozen=True):
    """Runs that began within `bucket_s` from `at` on.

    Attributes:
        failed: Of them.
        longest_ms: The longest one.
        keys_scanned: Of all; matched and rows_inserted likewise.
    """

    at: datetime
    runs: int
    failed: int
    longest_ms: int
    keys_scanned: int
    matched: int
    rows_inserted: int


class FailedRun(msgspec.Struct, frozen=True):
    """A run that ended with an error."""

    id: int
    run_at: datetime
    error_msg: str


class FailingKey(NamedTuple):
    """A key that could not be read, in how many runs, and why."""

    serial: str
    runs: int
    reasons: str


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of keys over a span: reason to number; and the mean time of each phase."""

    failed: dict[str, int]
    deferred: dict[str, int]
    quarantined: dict[str, int]
    phase_ms: dict[str, float]


class RunStore:
    """Explains runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def explain(self, run_id: int) -> ExplainedRun | None:
        """A run, or None where there is none of this number."""
        # A run is of the whole plant; whoever shows it leaves out the keys of others.
        with for_everybody():
            row = await self._row(run_id)
        return _explained(row) if row else None

    async def buckets(
        self, from_at: datetime, until_at: datetime, *, bucket: timedelta
    ) -> list[ActivityBucket]:
        """Runs of a span, counted by when they began; a bucket without a run is left out."""
        span = {"from_at": from_at, "until_at": until_at, "bucket": bucket}
        return [ActivityBucket(*row) for row in await self._rows(BUCKETS, span)]

    async def counted(self, from_at: datetime, until_at: datetime) -> Counted:
        """What became of the keys of a span, the most frequent reason first."""
        rows = await self._rows(COUNTED, {"from_at": from_at, "until_at": until_at})
        found: dict[str, dict[str, float]] = {}
        for what, key, number in rows:
            found.setdefault(what, {})[key] = number
        failed, deferred, quarantined = (
            {key: round(number) for key, number in found.get(what, {}).items()}
            for what in ("failed", "deferred", "quarantined")
        )
        return Counted(failed, deferred, quarantined, found.get("phase", {}))

    async def failed(self, from_at: datetime, until_at: datetime, *, limit: int) -> list[FailedRun]:
        """Runs of a span that failed, newest first."""
        span = {"from_at": from_at, "until_at": until_at, "limit": limit}
        return [FailedRun(*row) for row in await self._rows(FAILED, span)]

    async def failing_keys(self, from_at: datetime, until_at: datetime) -> list[FailingKey]:
        """Keys that could not be read in a span, those of most runs first."""
        span = {"from_at": from_at, "until_at": until_at}
        rows = await self._rows(FAILING_KEYS, span)
        return [FailingKey(key.removeprefix(KEY_PREFIX), *rest) for key, *rest in rows]

    async def _rows(self, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        # A run is of the whole plant; whoever shows keys leaves out those of others.
        with for_everybody():
            async with self._database.connection() as connection:
                return await (await connection.execute(query, parameters)).fetchall()

    async def _row(self, run_id: int) -> dict[str, Any] | None:
        async with (
            self._database.connection() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(RUN, {"run_id": run_id})
            return await cursor.fetchone()


def _explained(row: dict[str, Any]) -> ExplainedRun:
    told = row["explained"]
    reasons = {name: row[name] for name in REASONS} if told else {}
    if told:
        reasons["deferred"] = row["deferred_by"]
    counters = {name: row[name] for name in COUNTERS} if told else {}
    counters |= {name: row[name] for name in TAGS if row[name] is not None}
    return ExplainedRun(
        row["id"], row["run_at"], row["duration_ms"], row["error_msg"] or None, row["sweep_id"],
        counters, reasons, row["phase_ms"] or {}, _equations(row) if told else [], row["keys"],
    )  # fmt: skip


def _equations(row: dict[str, Any]) -> list[Equation]:
    """Both sides, computed anew from what is stored."""
    sweep = Sweep(begun_at=row["begun_at"], started=0.0, simulated=row["simulated"])
    for name in COUNTERS:
        setattr(sweep, name, row[name])
    for name in REASONS:
        setattr(sweep, name, Counter(row[name]))
    sweep.deferred = Counter(row["deferred_by"])
    found = [*sweep.reading_equations(), sweep.storing_equation()]
    if row["tags"] is not None:
        found.append(mapping_equation(*(row[name] for name in TAGS)))
    return found
