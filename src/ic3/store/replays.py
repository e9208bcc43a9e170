"""Jobs that map stored telemetry again, and the batches they are done in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.domain.envelope import Envelope
from ic3.domain.mapping import Moved, Reading
from ic3.domain.replays import Job, JobKind, JobState, Scope
from ic3.errors import InputError
from ic3.store.audit import record
from ic3.store.monitoring import insert_missing, latest_of, merge_into_latest
from ic3.store.pool import Connection, Database
from ic3.store.telemetry import microseconds

OPEN_JOBS_LIMIT: Final = 1000
# Beyond so few the list is looked through for every row: then all are read and most let go.
SERIALS_IN_QUERY: Final = 64

JOBS: Final = """
SELECT id, kind, state, created_at, created_by, reason, filter, registry_version, began_at, from_at,
    until_at, cursor_at, cursor_serial, cursor_record, rows_done, envelopes_done, envelopes_total,
    error, finished_at
FROM ic3_replay WHERE %(before)s::bigint IS NULL OR id < %(before)s
ORDER BY id DESC LIMIT %(limit)s
"""
JOB: Final = """
SELECT id, kind, state, created_at, created_by, reason, filter, registry_version, began_at, from_at,
    until_at, cursor_at, cursor_serial, cursor_record, rows_done, envelopes_done, envelopes_total,
    error, finished_at
FROM ic3_replay WHERE id = %(id)s
"""
CURRENT: Final = """
SELECT id, kind, state, created_at, created_by, reason, filter, registry_version, began_at, from_at,
    until_at, cursor_at, cursor_serial, cursor_record, rows_done, envelopes_done, envelopes_total,
    error, finished_at
FROM ic3_replay WHERE state IN ('waiting', 'running') ORDER BY state = 'running' DESC, id LIMIT 1
"""
COUNT_OPEN: Final = "SELECT count(*) FROM ic3_replay WHERE state IN ('waiting', 'running')"
# A flurry of mappings is one walk through telemetry. Assets or tags must be the same: otherwise
# the joined scope would hold pairs of them that nobody asked for.
LAST_WAITING: Final = """
SELECT id, filter FROM ic3_replay
WHERE state = 'waiting' AND kind = %(kind)s AND created_by = %(created_by)s
    AND filter -> 'from_at' IS NOT DISTINCT FROM %(scope)s::jsonb -> 'from_at'
    AND filter -> 'until_at' IS NOT DISTINCT FROM %(scope)s::jsonb -> 'until_at'
    AND (filter -> 'register_ids' IS NOT DISTINCT FROM %(scope)s::jsonb -> 'register_ids'
        OR filter -> 'tag_codes' IS NOT DISTINCT FROM %(scope)s::jsonb -> 'tag_codes')
ORDER BY id DESC LIMIT 1 FOR UPDATE
"""
WIDEN: Final = """
UPDATE ic3_replay SET filter = %(scope)s, envelopes_total = NULL,
    reason = left(reason || '; ' || %(reason)s, 500),
    registry_version = (SELECT version FROM ic3_registry_version)
WHERE id = %(id)s
"""
CREATE: Final = """
INSERT INTO ic3_replay (kind, created_by, reason, filter, registry_version, envelopes_total)
SELECT %(kind)s, %(created_by)s, %(reason)s, %(scope)s, version, %(total)s FROM ic3_registry_version
RETURNING id
"""
CANCEL: Final = """
UPDATE ic3_replay SET state = 'cancelled', finished_at = now()
WHERE id = %(id)s AND state IN ('waiting', 'running')
"""
RUN_BEGUN_AFTER: Final = """
SELECT max(run_at) > %(at)s FROM ic3_ingest_run_log
"""
BEGIN_JOB: Final = """
UPDATE ic3_replay SET state = 'running', began_at = now(), from_at = %(from_at)s,
    until_at = %(until_at)s, cursor_at = %(from_at)s, cursor_serial = '', cursor_record = ''
WHERE id = %(id)s AND state = 'waiting' AND registry_version = %(version)s
"""
NEXT_AT: Final = """
SELECT min(occurred_at) FROM telemetry
WHERE occurred_at >= %(from_at)s AND occurred_at < %(until_at)s
"""
# Judged by when it was received, as it was live: what was far ahead then stays without rows.
ENVELOPES: Final = """
SELECT asset_id, record_id, occurred_at, values, quality, alarm, domain, received_at
FROM telemetry
WHERE occurred_at >= %(from_at)s AND occurred_at < %(until_at)s
    AND occurred_at <= received_at + interval '5 minutes'
    AND (occurred_at, asset_id, record_id) > (%(from_at)s, %(serial)s, %(record)s)
    AND (%(serials)s::text[] IS NULL OR asset_id = ANY(%(serials)s::text[]))
    AND (%(tags)s::text[] IS NULL OR values ?| %(tags)s::text[])
ORDER BY occurred_at, asset_id, record_id LIMIT %(limit)s
"""
ADVANCE: Final = """
UPDATE ic3_replay SET cursor_at = %(at)s, cursor_serial = %(serial)s, cursor_record = %(record)s,
    rows_done = rows_done + %(rows)s, envelopes_done = envelopes_done + %(envelopes)s
WHERE id = %(id)s AND state = 'running'
"""
FINISH: Final = """
UPDATE ic3_replay SET state = %(state)s, error = %(error)s, finished_at = now()
WHERE id = %(id)s AND state IN ('waiting', 'running')
"""


class Cancelled(InputError):  # noqa: N818  a state
    """The job was cancelled while its batch was in work; the batch was not written."""


class ReplayStore:
    """Keeps the jobs, reads what they map again and writes what becomes of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def jobs(self, limit: int = 100, *, before: int | None = None) -> list[Job]:
        """The last jobs, newest first; only those before a number, where one is named."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(JOBS, {"limit": limit, "before": before})
            return [_job(row) for row in await cursor.fetchall()]

    async def job(self, number: int) -> Job | None:
        """One job, or None."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(JOB, {"id": number})).fetchone()
            return None if row is None else _job(row)

    async def current(self) -> Job | None:
        """The job in work, otherwise the one that waits longest."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(CURRENT)).fetchone()
            return None if row is None else _job(row)

    async def start(self, actor: Actor, kind: JobKind, scope: Scope, reason: str) -> int:
        """Ask for a job; answers its number.

        Raises:
            InputError: Too many wait already.
        """
        async with self._database.connection() as connection:
            return await create(connection, actor, kind, scope, reason)

    async def cancel(self, actor: Actor, number: int) -> bool:
        """End a job that waits or runs; what it has done stays. False where there is none."""
        async with self._database.connection() as connection:
            ended = (await connection.execute(CANCEL, {"id": number})).rowcount == 1
            if ended:
                await record(connection, actor, "replay cancelled", f"replay {number}")
            return ended

    async def run_begun_after(self, at: datetime) -> bool:
        """Whether a sweep that began later has its run."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(RUN_BEGUN_AFTER, {"at": at})).fetchone()
            return bool(row and row[0])

    async def begin(self, job: Job, *, from_at: datetime, until_at: datetime) -> Job | None:
        """Set a waiting job to its first envelope; None where it waits no longer, or for more."""
        async with self._database.connection() as connection:
            first = await _next_at(connection, from_at, until_at) or until_at
            span = {"from_at": first, "until_at": until_at}
            begun = {"id": job.id, "version": job.registry_version, **span}
            if (await connection.execute(BEGIN_JOB, begun)).rowcount == 0:
                return None
            row = await (await connection.execute(JOB, {"id": job.id})).fetchone()
            return None if row is None else _job(row)

    async def next_at(self, from_at: datetime, until_at: datetime) -> datetime | None:
        """The first time of the source within the span that telemetry has."""
        async with self._database.connection() as connection:
            return await _next_at(connection, from_at, until_at)

    async def envelopes(
        self, job: Job, serials: Sequence[str] | None, *, until_at: datetime, limit: int
    ) -> list[Envelope]:
        """Stored envelopes behind the job's cursor, in the order of the source's time.

        Only what the mapping asks for is filled.

        Args:
            job: A job that runs.
            serials: Only these assets, where they are few; None is all.
            until_at: Times before this.
            limit: How many at most.
        """
        few = list(serials) if serials is not None and len(serials) <= SERIALS_IN_QUERY else None
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                ENVELOPES,
                {
                    "from_at": job.cursor_at, "serial": job.cursor_serial,
                    "record": job.cursor_record, "until_at": until_at, "serials": few,
                    "tags": job.scope.tag_codes, "limit": limit,
                },
                binary=True,
            )  # fmt: skip
            return [_envelope(*row) for row in await cursor.fetchall()]

    async def write(
        self,
        job: Job,
        readings: Sequence[Reading],
        moved: Moved,
        cursor: tuple[datetime, str, str],
        *,
        envelopes: int,
    ) -> Moved:
        """Write a batch and move the cursor behind it, in one transaction.

        Args:
            job: A job that runs.
            readings: At most one a register id, tag and time.
            moved: The newest of them per asset and tag.
            cursor: Time, serial number and record of the last envelope.
            envelopes: How many were mapped.

        Returns:
            Rows of the latest table as they stand, of the assets that moved.

        Raises:
            Cancelled: The job is no longer to run; nothing was written.
            DatabaseAway: Nothing was written, or the outcome is unknown; the job says.
        """
        remap = job.kind is JobKind.REMAP
        at, serial, record_id = cursor
        async with self._database.connection() as connection:
            rows = await insert_missing(connection, readings, remap=remap) if readings else 0
            merged = await merge_into_latest(connection, moved, remap=remap) if moved else {}
            # Last, so that who cancels does not wait for the batch.
            advanced = await connection.execute(
                ADVANCE,
                {
                    "id": job.id, "at": at, "serial": serial, "record": record_id, "rows": rows,
                    "envelopes": envelopes,
                },
            )  # fmt: skip
            if advanced.rowcount == 0:
                raise Cancelled(f"replay: job {job.id} was cancelled")
            return merged

    async def latest_of(self, register_ids: Sequence[int]) -> Moved:
        """Rows of the latest table, as they stand."""
        async with self._database.connection() as connection:
            return await latest_of(connection, register_ids)

    async def finish(self, job: Job, *, error: str | None = None) -> None:
        """End a job: done, or failed for this reason."""
        state = "done" if error is None else "failed"
        async with self._database.connection() as connection:
            await connection.execute(FINISH, {"id": job.id, "state": state, "error": error})


async def create(
    connection: Connection, actor: Actor, kind: JobKind, scope: Scope, reason: str,
    *, total: int | None = None,
) -> int:  # fmt: skip
    """Ask for a job in the transaction of an act; joins one of theirs that waits.

    Args:
        connection: Of that transaction.
        actor: Who asks.
        kind: What is done to rows that are there.
        scope: What is mapped again.
        reason: Why.
        total: Envelopes that it is expected to map.

    Raises:
        InputError: Too many wait already.
    """
    document = Jsonb(_plain(scope))
    asked = {
        "kind": kind, "created_by": actor.who, "reason": reason, "scope": document, "total": total,
    }  # fmt: skip
    waiting = await (await connection.execute(LAST_WAITING, asked)).fetchone()
    if waiting is not None:
        number = int(waiting[0])
        scope = msgspec.convert(waiting[1], Scope).joined(scope)
        await connection.execute(
            WIDEN, {"id": number, "scope": Jsonb(_plain(scope)), "reason": reason}
        )
    else:
        count = await (await connection.execute(COUNT_OPEN)).fetchone()
        if count is not None and count[0] >= OPEN_JOBS_LIMIT:
            raise InputError(
                f"replay: {OPEN_JOBS_LIMIT} jobs wait already; cancel some or wait for them"
            )
        row = await (await connection.execute(CREATE, asked)).fetchone()
        assert row is not None
        number = int(row[0])
    after = {"kind": kind, "reason": reason, **_plain(scope)}
    await record(connection, actor, "replay asked for", f"replay {number}", after=after)
    return number


async def _next_at(
    connection: Connection, from_at: datetime, until_at: datetime
) -> datetime | None:
    span = {"from_at": from_at, "until_at": until_at}
    row = await (await connection.execute(NEXT_AT, span)).fetchone()
    return row[0] if row else None


def _plain(scope: Scope) -> dict[str, Any]:
    document = msgspec.to_builtins(scope)
    assert isinstance(document, dict)
    return document


def _job(row: Sequence[Any]) -> Job:
    number, kind, state, created_at, created_by, reason, scope, *rest = row
    return Job(
        number, JobKind(kind), JobState(state), created_at, created_by, reason,
        msgspec.convert(scope, Scope), *rest,
    )  # fmt: skip


def _envelope(
    serial: str, record_id: str, occurred_at: datetime, values: dict[str, Any],
    quality: str | None, alarm: str | None, domain: str | None, received_at: datetime,
) -> Envelope:  # fmt: skip
    return Envelope(
        serial, record_id, None, domain, None, microseconds(occurred_at), 0, values, {}, quality,
        alarm, microseconds(received_at), b"", "", "",
    )  # fmt: skip
