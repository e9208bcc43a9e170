"""Monitoring rows, their latest table and the run log."""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import UNSET
from psycopg.types.json import Jsonb

from ic3.domain.envelope import Envelope
from ic3.domain.inbox import Taken
from ic3.domain.latest import Movement
from ic3.domain.mapping import Moved, Reading, TagsOfAsset
from ic3.domain.rollups import touched
from ic3.domain.runs import Run
from ic3.domain.sweeps import KEPT_KEYS, Sweep
from ic3.errors import Contended, StoreError
from ic3.store import copy_rows as rows
from ic3.store.inbox import write_taken
from ic3.store.pool import Connection, Database
from ic3.store.rollups import mark
from ic3.store.telemetry import read_envelopes

COPY_READINGS: Final = """
COPY ic3_asset_monitoring_data (asset_id, tag_code, param_id, value_num, value_text, recorded_at,
    quality, quality_reason)
FROM STDIN (FORMAT binary)
"""
STAGE_READINGS: Final = """
CREATE TEMPORARY TABLE staged_readings (LIKE ic3_asset_monitoring_data INCLUDING DEFAULTS)
    ON COMMIT DROP
"""
COPY_STAGED: Final = """
COPY staged_readings (asset_id, tag_code, param_id, value_num, value_text, recorded_at,
    quality, quality_reason)
FROM STDIN (FORMAT binary)
"""
INSERT_STAGED: Final = """
INSERT INTO ic3_asset_monitoring_data
    (asset_id, tag_code, param_id, value_num, value_text, recorded_at, quality, quality_reason)
SELECT asset_id, tag_code, param_id, value_num, value_text, recorded_at, quality, quality_reason
FROM staged_readings ORDER BY recorded_at, asset_id, tag_code
ON CONFLICT DO NOTHING
"""
# A tag that was given another parameter: its rows follow only where that is asked for.
REMAP_STAGED: Final = """
INSERT INTO ic3_asset_monitoring_data AS kept
    (asset_id, tag_code, param_id, value_num, value_text, recorded_at, quality, quality_reason)
SELECT asset_id, tag_code, param_id, value_num, value_text, recorded_at, quality, quality_reason
FROM staged_readings ORDER BY recorded_at, asset_id, tag_code
ON CONFLICT (recorded_at, asset_id, tag_code) DO UPDATE
SET param_id = excluded.param_id, quality = excluded.quality,
    quality_reason = excluded.quality_reason
WHERE kept.param_id <> excluded.param_id
"""

LATEST_OF: Final = """
SELECT asset_id, readings::text FROM ic3_asset_monitoring_latest
WHERE asset_id = ANY(%(register_ids)s::int[])
"""
# For history, which may bring what is newer than the latest table has, tag by tag.
LOCK_LATEST: Final = """
SELECT asset_id, readings::text FROM ic3_asset_monitoring_latest
WHERE asset_id = ANY(%(register_ids)s) ORDER BY asset_id FOR UPDATE
"""
MOVE_LATEST: Final = """
INSERT INTO ic3_asset_monitoring_latest (asset_id, readings)
SELECT moved.asset_id, moved.readings
FROM unnest(%(register_ids)s, %(readings)s) AS moved (asset_id, readings)
ON CONFLICT (asset_id) DO UPDATE SET readings = excluded.readings
"""
ALL_LATEST: Final = "SELECT asset_id, readings::text FROM ic3_asset_monitoring_latest"

INSERT_RUN: Final = """
INSERT INTO ic3_ingest_run_log (run_at, keys_scanned, matched, unmatched, rows_inserted,
    tags_skipped, duration_ms, error_msg, sweep_id)
VALUES (%(run_at)s, %(keys_scanned)s, %(matched)s, %(unmatched)s, %(rows_inserted)s,
    %(tags_skipped)s, %(duration_ms)s, %(error_msg)s, %(sweep_id)s)
ON CONFLICT (sweep_id) DO NOTHING
RETURNING id
"""
RECENT_RUNS: Final = """
SELECT id, run_at, coalesce(keys_scanned, 0), coalesce(matched, 0), coalesce(unmatched, 0),
    coalesce(rows_inserted, 0), coalesce(tags_skipped, 0), coalesce(duration_ms, 0), error_msg
FROM ic3_ingest_run_log WHERE run_at IS NOT NULL ORDER BY run_at DESC, id DESC LIMIT %(limit)s
"""
# E6 of the sweep, beside its run.
SETTLE_SWEEP: Final = """
UPDATE ic3_sweep SET tags = %(tags)s, rows_inserted = %(rows_inserted)s,
    rows_duplicate = %(rows_duplicate)s, tags_skipped = %(tags_skipped)s,
    tags_refused = %(tags_refused)s
WHERE id = %(sweep_id)s
"""
NAME_UNMAPPED: Final = """
INSERT INTO ic3_sweep_keys AS kept (sweep_id, at, keys)
VALUES (%(sweep_id)s, %(at)s, %(keys)s)
ON CONFLICT (sweep_id) DO UPDATE SET keys = kept.keys || excluded.keys
"""
# Sweeps that a crash left without a run; looked for at start, and where the queue overflowed.
UNLOGGED_SWEEPS: Final = """
SELECT id, begun_at, ended_at, keys_scanned, matched, unmatched, accepted, simulated, error
FROM ic3_sweep s
WHERE id > coalesce((SELECT max(id) - 20000 FROM ic3_sweep), 0)
    AND origin = 'live' AND NOT EXISTS (SELECT FROM ic3_ingest_run_log r WHERE r.sweep_id = s.id)
ORDER BY id
"""

_encode_json = msgspec.json.Encoder().encode
_decode_readings = msgspec.json.Decoder(list[Reading]).decode
_COLUMNS: Final = struct.pack(">hi", 8, 4)
_EIGHT: Final = struct.pack(">i", 8)
_NO_TEXT: Final = struct.pack(">ii", -1, 8)
_GOOD: Final = struct.pack(">ihi", 2, 0, -1)
_HEAD = struct.Struct(">hii").pack
_PARAM = struct.Struct(">i").pack
_NUMBER = struct.Struct(">id").pack
_TAIL = struct.Struct(">iqih").pack


class NotStored(StoreError):  # noqa: N818  a state
    """The telemetry of the sweep was not stored, so its monitoring rows are not either."""


class MonitoringStore:
    """Writes what the monitoring worker made of a sweep and reads it back.

    Attributes:
        latest_turn: Held from reading the newest values in memory to moving them: whoever moves
            the latest table writes an asset's whole row.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.latest_turn = asyncio.Lock()

    async def save(
        self,
        sweep: Sweep,
        movement: Movement,
        *,
        measure_ms: Callable[[], int],
        stored: Awaitable[bool],
        taken: Taken | None = None,
    ) -> Run | None:
        """Write monitoring rows, latest table and run row in one transaction.

        Rows are copied beside the save of the sweep's telemetry; they are committed after it.

        Args:
            sweep: The sweep, with its `sweep_id`.
            movement: What the mapping makes of it.
            measure_ms: Duration of the run, asked for at its end.
            stored: Ends once the sweep's telemetry is durable (True) or has failed (False).
            taken: What it means for the inbox.

        Returns:
            The run as logged, or None where an earlier try had logged it after all.

        Raises:
            DatabaseAway: Nothing was written, or the outcome is unknown; saving again is safe.
            NotStored: The telemetry was not stored; nothing was written.
            StoreError: PostgreSQL refused; nothing was written.
        """
        try:
            return await self._save(sweep, movement, measure_ms, stored, taken, staged=False)
        except Contended:
            return await self._save(sweep, movement, measure_ms, stored, taken, staged=True)

    async def fill(self, sweep: Sweep, movement: Movement, *, stored: Awaitable[bool]) -> int:
        """Write the monitoring rows of a batch of history: no run row, and latest stays.

        Returns:
            How many rows were new.

        Raises:
            DatabaseAway, NotStored, StoreError: As `save`.
        """
        try:
            return await self._fill(movement, stored, staged=False)
        except Contended:
            return await self._fill(movement, stored, staged=True)

    async def merge_latest(self, moved: Moved) -> None:
        """Bring newest readings of history into the latest table, where they are newer."""
        if not moved:
            return
        async with self._database.connection() as connection:
            await merge_into_latest(connection, moved)

    async def save_failed(self, sweep: Sweep, *, duration_ms: int) -> Run | None:
        """Write the run row of a sweep that failed."""
        async with self._database.connection() as connection:
            return await self._insert_run(
                connection, sweep, inserted=0, tags_skipped=0, duration_ms=duration_ms
            )

    async def recent_runs(self, limit: int = 20) -> list[Run]:
        """The last runs, newest first."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(RECENT_RUNS, {"limit": limit})
            return [_run(*row) for row in await cursor.fetchall()]

    async def all_latest(self) -> dict[int, TagsOfAsset]:
        """The latest table whole."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(ALL_LATEST)
            return {
                register_id: {each.tag_code: each for each in _decode_readings(document)}
                for register_id, document in await cursor.fetchall()
            }

    async def unlogged_sweeps(self) -> list[Sweep]:
        """Sweeps without a run row, oldest first, without their envelopes."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(UNLOGGED_SWEEPS)
            return [_sweep(*row) for row in await cursor.fetchall()]

    async def envelopes_of(self, sweep_id: int) -> list[Envelope]:
        """What a sweep stored."""
        async with self._database.connection() as connection:
            return await read_envelopes(
                connection, after=sweep_id - 1, last=sweep_id, limit=10_000_000
            )

    async def _save(
        self,
        sweep: Sweep,
        movement: Movement,
        measure_ms: Callable[[], int],
        stored: Awaitable[bool],
        taken: Taken | None,
        *,
        staged: bool,
    ) -> Run | None:
        """One transaction: copied straight into the partitions, or through a staging table."""
        async with self._database.connection() as connection:
            movement.inserted = await _copy(connection, movement, staged=staged)
            if movement.moved:
                rows.register_arrays(connection)
                await connection.execute(MOVE_LATEST, _encode_latest(movement.moved))
            if not await stored:
                raise NotStored("database: the sweep's telemetry was not stored")
            run = await self._insert_run(
                connection, sweep, inserted=movement.inserted, tags_skipped=movement.tags_skipped,
                duration_ms=measure_ms(),
            )  # fmt: skip
            # Where an earlier try had logged it after all, it had counted it too.
            if run is not None:
                await _settle(connection, sweep, movement)
                if taken is not None:
                    await write_taken(connection, taken)
            return run

    async def _fill(self, movement: Movement, stored: Awaitable[bool], *, staged: bool) -> int:
        async with self._database.connection() as connection:
            movement.inserted = inserted = await _copy(connection, movement, staged=staged)
            if not await stored:
                raise NotStored("database: the batch's telemetry was not stored")
            return inserted

    @staticmethod
    async def _insert_run(
        connection: Connection, sweep: Sweep, *, inserted: int, tags_skipped: int, duration_ms: int
    ) -> Run | None:
        row: dict[str, Any] = {
            "run_at": sweep.begun_at,
            "keys_scanned": sweep.keys_scanned,
            "matched": sweep.matched,
            "unmatched": sweep.unmatched,
            "rows_inserted": inserted,
            "tags_skipped": tags_skipped,
            "duration_ms": duration_ms,
            "error_msg": sweep.error,
        }
        cursor = await connection.execute(INSERT_RUN, {**row, "sweep_id": sweep.sweep_id})
        found = await cursor.fetchone()
        return _run(found[0], *row.values()) if found else None


async def _settle(connection: Connection, sweep: Sweep, movement: Movement) -> None:
    """Complete the sweep's own row, and name what was not mapped."""
    await connection.execute(
        SETTLE_SWEEP,
        {
            "sweep_id": sweep.sweep_id,
            "tags": movement.tags,
            "rows_inserted": movement.inserted,
            "rows_duplicate": movement.readings - movement.inserted,
            "tags_skipped": movement.tags_skipped,
            "tags_refused": movement.tags_refused,
        },
    )
    if movement.unmapped:
        keys = {"unmapped": movement.unmapped[:KEPT_KEYS]}
        row = {"sweep_id": sweep.sweep_id, "at": sweep.begun_at, "keys": Jsonb(keys)}
        await connection.execute(NAME_UNMAPPED, row)


async def merge_into_latest(connection: Connection, moved: Moved, *, remap: bool = False) -> Moved:
    """Bring newest readings of history into the latest table, where they are newer.

    Args:
        connection: Whose transaction it joins.
        moved: Register id to newest reading per tag.
        remap: Whether a reading also replaces the one of the same time.

    Returns:
        The rows that changed, as they stand.
    """
    cursor = await connection.execute(LOCK_LATEST, {"register_ids": sorted(moved)})
    merged = {number: dict(tags) for number, tags in moved.items()}
    for register_id, document in await cursor.fetchall():
        tags = merged[register_id]
        for kept in _decode_readings(document):
            ours = tags.get(kept.tag_code)
            if ours is None or ours.recorded_us < kept.recorded_us + (not remap):
                tags[kept.tag_code] = kept
        if all(moved[register_id][tag] is not tags[tag] for tag in moved[register_id]):
            del merged[register_id]
    if not merged:
        return {}
    rows.register_arrays(connection)
    await connection.execute(MOVE_LATEST, _encode_latest(merged))
    return merged


async def latest_of(connection: Connection, register_ids: Sequence[int]) -> Moved:
    """The rows of some assets in the latest table, as they stand."""
    cursor = await connection.execute(LATEST_OF, {"register_ids": list(register_ids)})
    return {
        register_id: {each.tag_code: each for each in _decode_readings(document)}
        for register_id, document in await cursor.fetchall()
    }


async def insert_missing(
    connection: Connection, readings: Sequence[Reading], *, remap: bool = False
) -> int:
    """Write readings of history: what is there stays, or with `remap` gets their parameter.

    Returns:
        How many rows were added or changed.
    """
    await connection.execute(STAGE_READINGS)
    await rows.copy(connection, COPY_STAGED, [encode_readings(readings)])
    statement = REMAP_STAGED if remap else INSERT_STAGED
    changed = (await connection.execute(statement)).rowcount
    await mark(connection, touched(readings))
    return changed


async def _copy(connection: Connection, movement: Movement, *, staged: bool) -> int:
    """Copy the readings straight into the partitions, or through a staging table.

    The same transaction marks what is to be rolled up again.
    """
    marks: set[tuple[int, int]] = set()
    batches = _encoded(movement, marks)
    if not staged:
        inserted = await rows.copy(connection, COPY_READINGS, batches)
    else:
        await connection.execute(STAGE_READINGS)
        await rows.copy(connection, COPY_STAGED, batches)
        inserted = (await connection.execute(INSERT_STAGED)).rowcount
    await mark(connection, marks)
    return inserted


def _encoded(movement: Movement, marks: set[tuple[int, int]]) -> Iterator[list[bytes]]:
    for batch in movement.batches():
        marks |= touched(batch)
        yield encode_readings(batch)


def encode_readings(readings: Iterable[Reading]) -> list[bytes]:
    """Monitoring rows for the binary COPY; good numbers, which most are, in one call each."""
    encoded: list[bytes] = []
    add, forms, epoch_us = encoded.append, _forms, rows.EPOCH_US
    columns, eight, no_text, good = _COLUMNS, _EIGHT, _NO_TEXT, _GOOD
    for reading in readings:
        if reading.value_num is None or reading.quality:
            add(encode_reading(reading))
            continue
        tag, pack = forms(reading.tag_code)
        add(
            pack(
                columns, reading.register_id, tag, reading.param_id, eight, reading.value_num,
                no_text, reading.recorded_us - epoch_us, good,
            )
        )  # fmt: skip
    return encoded


def encode_reading(reading: Reading) -> bytes:
    """Any monitoring row for the binary COPY."""
    tag, _ = _forms(reading.tag_code)
    return b"".join(
        (
            _HEAD(8, 4, reading.register_id),
            tag,
            _PARAM(reading.param_id),
            rows.NULL if reading.value_num is None else _NUMBER(8, reading.value_num),
            rows.text(reading.value_text),
            _TAIL(8, reading.recorded_us - rows.EPOCH_US, 2, reading.quality),
            rows.text(reading.quality_reason),
        )
    )


@lru_cache(maxsize=8192)
def _forms(tag: str) -> tuple[bytes, Callable[..., bytes]]:
    """A tag as a field with the length of what follows, and what packs a good number of it."""
    field = rows.text(tag) + struct.pack(">i", 4)
    # In one call: columns and length of the register id, register id, tag and length of the
    # parameter, parameter, length of the number, number, no text and length of the time, time, and
    # both columns of a good value.
    return field, struct.Struct(f">6si{len(field)}si4sd8sq10s").pack


def _encode_latest(moved: Moved) -> dict[str, object]:
    ordered = sorted(moved)
    readings = [rows.binary(_encode_json(list(moved[number].values()))) for number in ordered]
    return {
        "register_ids": rows.Int4Array([rows.int4(number) for number in ordered]),
        "readings": rows.JsonArray(readings),
    }


def _run(number: int, run_at: Any, *rest: Any) -> Run:
    keys, matched, unmatched, inserted, skipped, duration_ms, error = rest
    error_msg = error or UNSET  # an adopted row says '' where it did not fail
    return Run(number, run_at, keys, matched, unmatched, inserted, skipped, duration_ms, error_msg)


def _sweep(number: int, begun_at: Any, ended_at: Any, *rest: Any) -> Sweep:
    keys_scanned, matched, unmatched, accepted, simulated, error = rest
    return Sweep(
        begun_at=begun_at, started=0.0, simulated=simulated, sweep_id=number, ended_at=ended_at,
        keys_scanned=keys_scanned, matched=matched, unmatched=unmatched, accepted=accepted,
        error=error,
    )  # fmt: skip
