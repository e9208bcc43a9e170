"""A server that hangs: every wait for it ends, and it is said to be away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ic3.clock import Clock
from ic3.errors import (
    Contended,
    DatabaseAway,
    OutOfScope,
    Refused,
    SchemaError,
    StoreError,
    TooSlow,
)
from ic3.observations import DatabaseBack, DatabaseLost, Observation
from ic3.store.pool import LIVENESS, SERVER_LIVENESS, Availability, Database, translate


class Wire:
    """Between the pool and the server; frozen, it takes everything and passes nothing on."""

    def __init__(self, dsn: str) -> None:
        self._to: dict[str, Any] = dict(conninfo_to_dict(dsn))
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: list[asyncio.Task[None]] = []

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.append(asyncio.create_task(self._join(reader, writer)))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._to["host"], self._to.get("port", 5432)
        far_reader, far_writer = await (
            asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
            if host.startswith("/") else asyncio.open_connection(host, port)
        )  # fmt: skip
        try:
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        finally:
            writer.close()
            far_writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while portion := await reader.read(65536):
                await self._open.wait()
                writer.write(portion)
            writer.close()


@pytest.fixture
async def wire(dsn: str, tmp_path: Path) -> AsyncIterator[Wire]:
    wire = Wire(dsn)
    server = await asyncio.start_unix_server(wire.accept, tmp_path / ".s.PGSQL.5432")
    yield wire
    server.close()
    await wire.close()


@asynccontextmanager
async def _pool(
    dsn: str, clock: Clock, tmp_path: Path, told: list[Observation]
) -> AsyncIterator[Database]:
    pool = Database(
        make_conninfo(dsn, host=str(tmp_path), port=5432), name="ic3 test", size=2,
        statement_timeout_s=20, clock=clock, availability=Availability(clock, told.append),
    )  # fmt: skip
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


def _seconds() -> float:
    return asyncio.get_running_loop().time()


async def _ask(pool: Database, *, first: Callable[[], None] = lambda: None) -> None:
    async with pool.connection() as connection:
        first()
        await connection.execute("SELECT pg_sleep(0.3)")


async def test_f10_a_server_that_hangs_in_a_statement_is_away_and_comes_back(
    wire: Wire, dsn: str, clock: Clock, tmp_path: Path
) -> None:
    told: list[Observation] = []
    async with _pool(dsn, clock, tmp_path, told) as pool:
        begun = _seconds()
        with pytest.raises(DatabaseAway, match="timeout expired"):
            await _ask(pool.limited(2.0), first=wire.freeze)
        # The limit, and the question whether others get through.
        assert _seconds() - begun < 15
        assert pool.away_since == clock.now()
        wire.thaw()
        await _ask(pool)
    assert [type(each) for each in told] == [DatabaseLost, DatabaseBack]


async def test_f10_a_connection_that_went_dead_while_idle_is_noticed_in_seconds(
    wire: Wire, dsn: str, clock: Clock, tmp_path: Path
) -> None:
    async with _pool(dsn, clock, tmp_path, []) as pool:
        await _ask(pool)
        wire.freeze()
        begun = _seconds()
        with pytest.raises(DatabaseAway):
            await _ask(pool)
        assert _seconds() - begun < 20
        assert pool.away_since is not None


async def test_a_slow_statement_of_a_server_that_answers_others_is_not_its_absence(
    database: Database,
) -> None:
    with pytest.raises(DatabaseAway, match=r"^database: no answer within 0.2 s$"):
        await _ask(database.limited(0.2))
    assert database.away_since is None
    await _ask(database)


async def test_a_cancelled_user_of_a_server_that_hangs_is_free_soon(
    wire: Wire, dsn: str, clock: Clock, tmp_path: Path
) -> None:
    async with _pool(dsn, clock, tmp_path, []) as pool:
        await _ask(pool)
        task = asyncio.create_task(_ask(pool, first=wire.freeze))
        await asyncio.sleep(0.1)
        begun = _seconds()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert _seconds() - begun < 10


async def test_closing_frees_those_who_wait_for_a_server_that_hangs(
    wire: Wire, dsn: str, clock: Clock, tmp_path: Path
) -> None:
    async with _pool(dsn, clock, tmp_path, []) as pool:
        await _ask(pool)
        task = asyncio.create_task(_ask(pool, first=wire.freeze))
        await asyncio.sleep(0.1)
        begun = _seconds()
        await pool.close()
        assert _seconds() - begun < 10
        with pytest.raises(DatabaseAway):
            await task


async def test_f10_every_connection_is_watched_and_every_statement_bounded(
    database: Database,
) -> None:
    async with database.connection() as connection:
        found = connection.info.get_parameters()
        bounds = await (
            await connection.execute(
                "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
                " current_setting('idle_in_transaction_session_timeout')"
            )
        ).fetchone()
    assert bounds == ("20s", "3s", "1min")
    assert SERVER_LIVENESS in found["options"]
    assert {name: found[name] for name in LIVENESS} == {
        name: str(value) for name, value in LIVENESS.items()
    }


@pytest.mark.parametrize(
    ("states", "kind"),
    [
        (["08006", "57P01", "57P02", "57P03", "53100", "53200", "53300", "25006"], DatabaseAway),
        (["40001", "40P01", "55P03", "23505"], Contended),
        (["22003", "22021", "23514", "23502", "54000"], Refused),
        (["57014"], TooSlow),
        (["42P01"], SchemaError),
        (["28P01", "3D000", "XX000"], StoreError),
        (["42501"], OutOfScope),
    ],
)
def test_f12_f16_f17_f18_each_word_of_postgresql_is_met_in_its_own_way(
    states: list[str], kind: type[StoreError]
) -> None:
    for state in states:
        assert type(translate(psycopg.errors.lookup(state)("some words"))) is kind, state
