"""What all analytics workers share: their log, the state of their models, trust in sensors."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.json import Jsonb

from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.domain.analytics_runs import (
    AnalyticsRun,
    AnalyticsWorker,
    NewRun,
    Origin,
    SensorTrust,
    SensorTrustView,
    Tally,
)
from ic3.errors import StoreError
from ic3.observations import AnalyticsRan, Observe
from ic3.store.audit import record
from ic3.store.pool import Database

MODELS: Final = Actor("analytics", "worker", "server")
KEPT_DAYS: Final = 30
AT_A_TIME: Final = 500
BEYOND: Final = 2**63 - 1

LOG_RUN: Final = """
INSERT INTO ic3_analytics_run (worker, run_at, origin, from_at, until_at, judged, not_computed,
    reasons, opened, updated, closed, duration_ms, error_msg)
VALUES (%(worker)s, %(run_at)s, %(origin)s, %(from_at)s, %(until_at)s, %(judged)s,
    %(not_computed)s, %(reasons)s, %(opened)s, %(updated)s, %(closed)s, %(duration_ms)s,
    %(error_msg)s)
RETURNING id
"""
RUNS: Final = """
SELECT worker, run_at, origin, from_at, until_at, judged, not_computed, reasons, opened, updated,
    closed, duration_ms, error_msg, id
FROM ic3_analytics_run
WHERE id < %(before)s AND (%(worker)s::text IS NULL OR worker = %(worker)s::text)
ORDER BY id DESC LIMIT %(limit)s
"""
TRIM_RUNS: Final = """
DELETE FROM ic3_analytics_run WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ic3_analytics_run WHERE run_at < %(before)s ORDER BY run_at LIMIT 5000))
"""
KEEP_STATE: Final = """
INSERT INTO ic3_model_state AS kept (worker, subject, model_version, seen_until, saved_at, state)
VALUES (%(worker)s, %(subject)s, %(model_version)s, %(seen_until)s, %(saved_at)s, %(state)s)
ON CONFLICT (worker, subject) DO UPDATE SET model_version = excluded.model_version,
    seen_until = excluded.seen_until, saved_at = excluded.saved_at, state = excluded.state
"""
STATES: Final = """
SELECT subject, model_version, seen_until, saved_at, state FROM ic3_model_state
WHERE worker = %(worker)s ORDER BY subject
"""
FORGET_STATES: Final = """
DELETE FROM ic3_model_state WHERE worker = %(worker)s AND NOT subject = ANY(%(subjects)s::text[])
"""
KEEP_TRUST: Final = """
INSERT INTO ic3_sensor_trust AS kept (asset_id, tag_code, computed_at, trust, completeness,
    timeliness, validity, liveness, consistency)
SELECT asset_id, tag_code, computed_at, trust, completeness, timeliness, validity, liveness,
    consistency
FROM jsonb_to_recordset(%(rows)s) AS given (asset_id int, tag_code text, computed_at timestamptz,
    trust double precision, completeness double precision, timeliness double precision,
    validity double precision, liveness double precision, consistency double precision)
ORDER BY asset_id, tag_code
ON CONFLICT (asset_id, tag_code) DO UPDATE SET computed_at = excluded.computed_at,
    trust = excluded.trust, completeness = excluded.completeness,
    timeliness = excluded.timeliness, validity = excluded.validity, liveness = excluded.liveness,
    consistency = excluded.consistency
WHERE kept.computed_at <= excluded.computed_at
"""
TRUST: Final = """
SELECT t.asset_id, t.tag_code, t.computed_at, t.trust, t.completeness, t.timeliness, t.validity,
    t.liveness, t.consistency, m.serialnumber, m.domain, p.parameter_name, p.unit,
    extract(epoch FROM %(now)s - t.computed_at)::float8
FROM ic3_sensor_trust t JOIN ic3_asset_master m ON m.asset_id = t.asset_id
LEFT JOIN ic3_asset_tag_map g ON g.asset_id = t.asset_id AND g.tag_code = t.tag_code
LEFT JOIN ic3_parameter_master p ON p.param_id = g.param_id
WHERE (t.trust, t.asset_id, t.tag_code) > (%(trust)s, %(asset_id)s, %(tag_code)s)
    AND (%(below)s::float8 IS NULL OR t.trust < %(below)s::float8)
    AND (%(serial)s::text IS NULL OR m.serialnumber = %(serial)s::text)
    AND (%(scope)s::text[] IS NULL OR m.domain = ANY(%(scope)s::text[]))
ORDER BY t.trust, t.asset_id, t.tag_code LIMIT %(limit)s
"""
ALL_TRUST: Final = "SELECT asset_id, tag_code, trust FROM ic3_sensor_trust"


CRITICALITIES: Final = """
SELECT asset_id, criticality FROM ic3_asset_master WHERE criticality IS NOT NULL
"""


class ModelState(NamedTuple):
    """What a model has learned.

    Attributes:
        seen_until: End of what it has seen, outside.
    """

    subject: str
    model_version: str
    seen_until: datetime
    saved_at: datetime
    state: bytes


class TrustPlace(NamedTuple):
    """Where a page of sensors ended."""

    trust: float
    asset_id: int
    tag_code: str


class AnalyticsStore:
    """Reads and writes what the analytics workers share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def log(self, run: NewRun) -> int:
        """Log a round; answers its number."""
        values = {**msgspec.structs.asdict(run), "reasons": Jsonb(dict(run.reasons))}
        async with self._database.connection() as connection:
            row = await (await connection.execute(LOG_RUN, values)).fetchone()
        assert row is not None
        return int(row[0])

    @asynccontextmanager
    async def round(
        self, worker: AnalyticsWorker, origin: Origin, from_at: datetime, until_at: datetime, *,
        clock: Clock, observe: Observe,
    ) -> AsyncIterator[Tally]:  # fmt: skip
        """A round that is logged however it ends; what it did is counted on the tally.

        Args:
            worker: Whose.
            origin: Whether it judges what came, or the past.
            from_at: Begin of the time it judges.
            until_at: Its end.
            clock: Says how long it takes.
            observe: Told of it.
        """
        tally, began, run_at = Tally(), clock.monotonic(), clock.now()
        error: str | None = None
        try:
            yield tally
        except Exception as failure:
            error = str(failure) or type(failure).__name__
            raise
        finally:
            run = NewRun(
                worker=worker, run_at=run_at, origin=origin, from_at=from_at, until_at=until_at,
                judged=tally.judged, not_computed=tally.reasons.total(), reasons=tally.reasons,
                opened=tally.opened, updated=tally.updated, closed=tally.closed,
                duration_ms=int((clock.monotonic() - began) * 1000), error_msg=error,
            )  # fmt: skip
            observe(
                AnalyticsRan(
                    worker.value, origin.value, run.judged, run.not_computed, run.opened,
                    run.closed, run.duration_ms, error,
                )
            )  # fmt: skip
            # Where the database is away, that ended the round: its row cannot be written either.
            with suppress(StoreError):
                await self.log(run)

    async def runs(
        self, *, worker: str | None, limit: int, before: int | None = None
    ) -> list[AnalyticsRun]:
        """Rounds, newest first."""
        asked = {"worker": worker, "limit": limit, "before": before or BEYOND}
        async with self._database.connection() as connection:
            cursor = await connection.execute(RUNS, asked)
            names = [each.name for each in cursor.description or ()]
            return [
                msgspec.convert(dict(zip(names, row, strict=True)), AnalyticsRun)
                for row in await cursor.fetchall()
            ]

    async def trim(self, before: datetime) -> int:
        """Let go of rounds that are older, five thousand at most."""
        async with self._database.connection() as connection:
            return (await connection.execute(TRIM_RUNS, {"before": before})).rowcount

    async def states(self, worker: str) -> list[ModelState]:
        """What the models of a worker have learned."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(STATES, {"worker": worker}, binary=True)
            return [ModelState(*row) for row in await cursor.fetchall()]

    async def keep_states(self, worker: str, states: Sequence[ModelState]) -> None:
        """Save what models have learned, one after the other in one transaction."""
        async with self._database.connection() as connection:
            for each in states:
                await connection.execute(KEEP_STATE, {"worker": worker, **each._asdict()})

    async def forget_states(self, worker: str, but: Sequence[str]) -> None:
        """Forget the models of a worker that there are no more."""
        async with self._database.connection() as connection:
            await connection.execute(FORGET_STATES, {"worker": worker, "subjects": list(but)})

    async def keep_trust(self, sensors: Sequence[SensorTrust]) -> None:
        """Write how far sensors can be trusted."""
        async with self._database.connection() as connection:
            for start in range(0, len(sensors), AT_A_TIME):
                rows: list[Any] = msgspec.to_builtins(sensors[start : start + AT_A_TIME])
                await connection.execute(KEEP_TRUST, {"rows": Jsonb(rows)})

    async def trust(
        self, scope: list[str] | None, *, now: datetime, below: float | None, serial: str | None,
        limit: int, after: TrustPlace | None,
    ) -> list[SensorTrustView]:  # fmt: skip
        """Sensors, the least trusted first.

        Args:
            scope: Domains that may be seen; None is all.
            now: Says how old each figure is.
            below: Only those with less trust.
            serial: Only those of this asset.
            limit: How many at most.
            after: Where the page before ended.
        """
        place = after or TrustPlace(-1.0, 0, "")
        asked = {
            **place._asdict(), "now": now, "below": below, "serial": serial, "scope": scope,
            "limit": limit,
        }  # fmt: skip
        async with self._database.connection() as connection:
            rows = await (await connection.execute(TRUST, asked)).fetchall()
        return [
            SensorTrustView(
                asset_id=row[0], tag_code=row[1], computed_at=row[2], trust=row[3],
                completeness=row[4], timeliness=row[5], validity=row[6], liveness=row[7],
                consistency=row[8], serial_number=row[9], domain=row[10], parameter_name=row[11],
                unit=row[12], age_s=row[13],
            )
            for row in rows
        ]  # fmt: skip

    async def all_trust(self) -> dict[tuple[int, str], float]:
        """Register id and tag to trust, 0 to 100."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(ALL_TRUST)).fetchall()
        return {(asset_id, tag): trust for asset_id, tag, trust in rows}

    async def criticalities(self) -> dict[int, str]:
        """Register id to criticality, as the register spells it."""
        async with self._database.connection() as connection:
            return dict(await (await connection.execute(CRITICALITIES)).fetchall())

    async def note_learned(self, serial: str, finding_id: int, rows: int) -> None:
        """Note in the audit log that a model learned what somebody judged to be normal."""
        async with self._database.connection() as connection:
            await record(
                connection, MODELS, "model learned", f"asset {serial}",
                after={"finding": finding_id, "rows": rows},
            )  # fmt: skip
