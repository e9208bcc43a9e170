"""One run whole: its row, its sweep's counters, and which keys met with what."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row

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
