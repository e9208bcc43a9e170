"""Sweeps that cannot be stored for long while the database answers: F17, F21."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pipeline import INTERVAL_S, Pipeline, Plant
from samples import Sql, text_of

from ic3.errors import Contended
from ic3.store.pool import Database
from ic3.store.telemetry import TelemetryStore

SUMS = """
SELECT sum(accepted)::int, sum(stored)::int, sum(gap)::int, (SELECT count(*)::int FROM telemetry),
    (SELECT sum(readings)::int FROM data_gap)
FROM ic3_sweep
"""


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Lets somebody else hold the table, or let go of it."""
    save = TelemetryStore.save
    held = True

    async def tried(self: TelemetryStore, sweep: Any, **more: Any) -> None:
        if held:
            raise Contended("database: canceling statement due to lock timeout")
        await save(self, sweep, **more)

    def hold(now: bool) -> None:
        nonlocal held
        held = now

    monkeypatch.setattr(TelemetryStore, "save", tried)
    return hold


async def test_f17_f21_what_the_full_spool_gave_up_while_a_lock_was_held_is_not_stored_as_well(
    database: Database, sql: Sql, clock: Any, tmp_path: Path, locked: Callable[[bool], None]
) -> None:
    sql("DELETE FROM data_gap")
    plant = Plant()
    line = await Pipeline(tmp_path, database, plant, clock, cap_bytes=6000).open()
    for number in range(20):
        plant.texts = {
            f"ic3:latest:{serial}": text_of(
                serial, record=f"{serial}-{number}", at=f"2026-06-15T01:41:{number:02d}Z"
            )
            for serial in ("A", "B")
        }
        clock.advance(INTERVAL_S)
        await line.sweep()
        with pytest.raises(Contended):
            await line.store()
    locked(False)
    await line.store()
    ((accepted, stored, gap, rows, missing),) = sql(SUMS)
    assert (accepted, rows) == (40, stored)
    assert stored + gap == accepted
    assert missing == gap > 0
    await line.close()
