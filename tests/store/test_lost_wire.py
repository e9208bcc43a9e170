"""The wire to PostgreSQL is cut or falls silent at the worst moments: F10, F14, F15."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fault_proxy import End, Fault, FaultProxy
from patience import PATIENCE_S
from pipeline import Pipeline, Plant
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from samples import Sql, text_of

from ic3.clock import Clock
from ic3.errors import DatabaseAway
from ic3.observations import ConservationBroken
from ic3.store.pool import Database

ENVELOPES = 3000
MID_COPY = 500_000  # of about 690 kB; the server has written some rows by then
SUMS = """
SELECT count(*)::int, sum(accepted)::int, sum(stored)::int, sum(duplicate)::int,
    (SELECT count(*)::int FROM telemetry), (SELECT count(*)::int FROM asset_latest)
FROM ic3_sweep
"""

COPYING = """
SELECT pid FROM pg_stat_progress_copy
WHERE datname = current_database() AND bytes_processed > 100000
"""
END_COPY = """
SELECT pg_terminate_backend(pid) FROM pg_stat_progress_copy WHERE datname = current_database()
"""


async def until_copying(sql: Sql) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not sql(COPYING):  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.01)


def target(dsn: str) -> Path | tuple[str, int]:
    found = conninfo_to_dict(dsn)
    host, port = str(found["host"]), int(found.get("port") or 5432)
    return Path(f"{host}/.s.PGSQL.{port}") if host.startswith("/") else (host, port)


@asynccontextmanager
async def pipeline_on(
    wire: FaultProxy, dsn: str, place: Path, clock: Clock
) -> AsyncIterator[Pipeline]:
    """A pipeline behind the wire, with a sweep accepted and its connections made."""
    behind = make_conninfo(dsn, host="127.0.0.1", port=wire.port, sslmode="disable")
    pool = Database(behind, name="ic3 test", size=3, statement_timeout_s=20, clock=clock)
    plant = Plant()
    plant.texts = {f"ic3:latest:A{n:04d}": text_of(f"A{n:04d}") for n in range(ENVELOPES)}
    await pool.open()
    line = await Pipeline(place, pool, plant, clock).open()
    try:
        await line.sweep()
        assert line.spool.level.envelopes == ENVELOPES
        yield line
        assert not [each for each in line.told if isinstance(each, ConservationBroken)]
    finally:
        await line.close()
        await pool.close()


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET, End.HALF_CLOSE])
async def test_f15_a_connection_lost_in_mid_copy_leaves_nothing_and_the_sweep_is_sent_again(
    dsn: str, sql: Sql, clock: Clock, tmp_path: Path, end: End
) -> None:
    async with (
        FaultProxy(target(dsn)).running() as wire,
        pipeline_on(wire, dsn, tmp_path, clock) as line,
    ):
        wire.set(up=Fault(cut_at=MID_COPY, end=end))
        with pytest.raises(DatabaseAway):
            await line.store()
        assert wire.struck.is_set()
        assert sql(SUMS) == [(0, None, None, None, 0, 0)]
        assert line.spool.level.envelopes == ENVELOPES
        wire.set()
        await line.store()
        assert sql(SUMS) == [(1, ENVELOPES, ENVELOPES, 0, ENVELOPES, ENVELOPES)]
        assert line.spool.level.sweeps == 0


async def test_f12_a_server_that_shuts_down_in_mid_copy_is_away_and_not_a_fault_of_ours(
    dsn: str, sql: Sql, clock: Clock, tmp_path: Path
) -> None:
    async with (
        FaultProxy(target(dsn)).running() as wire,
        pipeline_on(wire, dsn, tmp_path, clock) as line,
    ):
        wire.set(up=Fault(delay_s=0.05))
        storing = asyncio.create_task(line.store())
        await until_copying(sql)
        sql(END_COPY)
        with pytest.raises(DatabaseAway):
            await storing
        wire.set()
        await line.store()
        assert sql(SUMS) == [(1, ENVELOPES, ENVELOPES, 0, ENVELOPES, ENVELOPES)]


async def test_f10_while_the_server_keeps_rows_of_a_silent_wire_each_try_ends_and_none_is_lost(
    dsn: str, sql: Sql, clock: Clock, tmp_path: Path
) -> None:
    """It lets go of them once its keepalives, which each session asks for, find nobody there."""
    loop = asyncio.get_running_loop()
    async with (
        FaultProxy(target(dsn)).running() as wire,
        pipeline_on(wire, dsn, tmp_path, clock) as line,
    ):
        line.database._limit_s = 2.0
        wire.set(up=Fault(cut_at=MID_COPY, end=End.BLACK_HOLE))
        for _ in range(2):
            begun = loop.time()
            with pytest.raises(DatabaseAway):
                await line.store()
            assert loop.time() - begun < 15
            wire.set()
        assert sql(COPYING) != []
        assert line.spool.level.envelopes == ENVELOPES
        wire.cut_all()
        line.database._limit_s = 20.0
        await line.store()
        assert sql(SUMS) == [(1, ENVELOPES, ENVELOPES, 0, ENVELOPES, ENVELOPES)]
        assert line.spool.level.sweeps == 0


@pytest.mark.parametrize("end", [End.RESET, End.BLACK_HOLE])
async def test_f14_a_commit_whose_answer_is_lost_is_found_again_and_nothing_is_twice(
    dsn: str, sql: Sql, clock: Clock, tmp_path: Path, end: End
) -> None:
    async with (
        FaultProxy(target(dsn)).running() as wire,
        pipeline_on(wire, dsn, tmp_path, clock) as line,
    ):
        line.database._limit_s = 3.0
        wire.set(up=Fault(after=b"COMMIT", end=end))
        with pytest.raises(DatabaseAway):
            await line.store()
        assert wire.struck.is_set()
        assert sql(SUMS) == [(1, ENVELOPES, ENVELOPES, 0, ENVELOPES, ENVELOPES)]
        assert line.spool.level.envelopes == ENVELOPES
        wire.set()
        await line.store()
        assert sql(SUMS) == [(1, ENVELOPES, ENVELOPES, 0, ENVELOPES, ENVELOPES)]
        assert sql("SELECT count(*) FROM ic3_ingest_run_log") == [(1,)]
        assert line.spool.level.sweeps == 0
