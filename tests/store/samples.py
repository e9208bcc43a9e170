"""Envelopes and sweeps as the gateway brings them, and what tests read back."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from patience import PATIENCE_S

from ic3.domain.envelope import Envelope, Value, parse
from ic3.domain.sweeps import Sweep
from ic3.store.telemetry import TelemetryStore

Sql = Callable[..., list[tuple[Any, ...]]]

NOW: Final = datetime(2026, 6, 15, 1, 42, tzinfo=UTC)
NOW_US: Final = int(NOW.timestamp()) * 1_000_000
MINUTE_US: Final = 60_000_000
AT: Final = "2026-06-15T01:41:43.267609313Z"
VALUES: Final[dict[str, Value]] = {"HEALTH_SCORE": 94.8, "MAINT_FLAG": 0}


def envelope(
    serial: str = "Patel Road_SV_92",
    *,
    record: str = "r-1",
    at: str = AT,
    values: Mapping[str, object] = VALUES,
    quality: str | None = "GOOD",
    alarm: str | None = "NORMAL",
    domain: str | None = "DEL-D08",
    received_us: int = NOW_US,
) -> Envelope:
    text = text_of(
        serial, record=record, at=at, values=values, quality=quality, alarm=alarm, domain=domain
    )
    content_hash = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return parse(serial, text, received_us=received_us, content_hash=content_hash)


def text_of(
    serial: str = "Patel Road_SV_92",
    *,
    record: str = "r-1",
    at: str = AT,
    values: Mapping[str, object] = VALUES,
    quality: str | None = "GOOD",
    alarm: str | None = "NORMAL",
    domain: str | None = "DEL-D08",
) -> str:
    """What the gateway answers for it."""
    document = {
        "record_id": record, "system_id": serial.replace(" ", "_"), "asset_id": serial,
        "domain": domain, "protocol": "rest", "occurred_at": at, "values": values,
        "quality": quality, "alarm": alarm,
    }  # fmt: skip
    return json.dumps(document, ensure_ascii=False)


def swept(*envelopes: Envelope, begun_at: datetime = NOW) -> Sweep:
    """A sweep whose reading has ended."""
    return Sweep(
        begun_at=begun_at, started=0.0, simulated=True, ended_at=begun_at,
        keys_listed=len(envelopes), keys_scanned=len(envelopes), unmatched=len(envelopes),
        read_ok=len(envelopes), accepted=len(envelopes), envelopes=list(envelopes),
    )  # fmt: skip


async def save(store: TelemetryStore, *envelopes: Envelope, now_us: int = NOW_US) -> Sweep:
    """Save a sweep of these envelopes."""
    return await save_sweep(store, swept(*envelopes), now_us=now_us)


async def save_sweep(store: TelemetryStore, sweep: Sweep, *, now_us: int = NOW_US) -> Sweep:
    await store.save(sweep, now_us=now_us)
    return sweep


async def until_blocked(sql: Sql) -> int:
    """The process id of the backend of this database that waits for a lock of a table."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            waiting = sql(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock' AND wait_event <> 'advisory'"
            )
            if waiting:
                return int(waiting[0][0])
            await asyncio.sleep(0.01)


async def kill_blocked(sql: Sql) -> None:
    sql("SELECT pg_terminate_backend(%s)", await until_blocked(sql))
