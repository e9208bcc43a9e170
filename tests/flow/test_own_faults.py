"""A fault of ours in one round costs that round only."""

import asyncio
from typing import Any

import psycopg
import pytest
from patience import PATIENCE_S

from ic3.app.serve import serve
from ic3.clock import Clock
from ic3.observations import Observation, WorkerFailed
from ic3.settings import load
from ic3.store.telemetry import TelemetryStore


async def test_an_unforeseen_fault_of_a_save_is_told_and_the_sweep_is_stored_all_the_same(
    fresh_dsn: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = TelemetryStore.save
    calls = 0

    async def save(self: TelemetryStore, sweep: Any, **more: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ValueError("planted")
        await whole(self, sweep, **more)

    monkeypatch.setattr(TelemetryStore, "save", save)
    settings = load(
        {
            "DATABASE_URL": fresh_dsn, "IC3_DATA_DIR": str(tmp_path), "IC3_PORT": "0",
            "MONITORING_POLL_INTERVAL": "0.5", "IC3_ADMIN_PASSWORD": "flow-password-of-admin",
        }
    )  # fmt: skip
    told: list[Observation] = []
    stop = asyncio.Event()
    runs: list[tuple[Any, ...]] = []
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(serve(settings, clock=Clock(), observe=told.append, stop=stop))
        async with await psycopg.AsyncConnection.connect(fresh_dsn, autocommit=True) as connection:
            while len(runs) < 4:
                await asyncio.sleep(0.05)
                cursor = await connection.execute(
                    "SELECT keys_scanned, error_msg FROM ic3_ingest_run_log ORDER BY run_at"
                )
                runs = await cursor.fetchall()
        stop.set()
    assert runs[:4] == [(557, None)] * 4
    failures = [each for each in told if isinstance(each, WorkerFailed)]
    assert [(each.worker, each.unforeseen) for each in failures] == [("save", True)]
    assert "planted" in failures[0].error
