"""One PostgreSQL a run, one template database, a clone per test module."""

import asyncio
import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from ic3.clock import Clock
from ic3.embedded.postgres import EmbeddedPostgres
from ic3.store.migrate import migrate
from ic3.store.partitions import PartitionStore
from ic3.store.pool import Database

NOW = datetime(2026, 6, 15, 1, 42, tzinfo=UTC)
TEMPLATE = f"ic3_template_{os.getpid()}"
_numbers = count(1)


def pytest_configure() -> None:
    """Collecting leaves no garbage, and looking for it takes a third of its time."""
    gc.disable()
    # An example is wrong or right, never too slow.
    settings.register_profile(
        "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """What has been collected stays: nobody need look through it again with each test."""
    gc.freeze()
    gc.enable()


class FakeClock(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def now_us(self) -> int:
        return int(self._now.timestamp()) * 1_000_000 + self._now.microsecond

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory that PostgreSQL's unprivileged account can reach."""
    place = Path(tempfile.mkdtemp(prefix="ic3-test-"))
    place.chmod(0o755)
    yield place / "data"
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """A PostgreSQL server: the one of IC3_TEST_DATABASE_URL, or an embedded one for this run."""
    given = os.environ.get("IC3_TEST_DATABASE_URL")
    if given:
        yield given
        return
    place = Path(tempfile.mkdtemp(prefix="ic3-test-"))
    place.chmod(0o755)
    postgres = EmbeddedPostgres(place / "data", shared_buffers_mib=64)
    dsn = asyncio.run(postgres.start())
    # Nobody pulls its plug: a test must not wait for a disk that others keep busy.
    for setting in ("fsync", "full_page_writes"):
        _execute(dsn, "ALTER SYSTEM SET {} = off", setting)
    _execute(dsn, "SELECT pg_reload_conf()")
    yield dsn
    asyncio.run(postgres.stop())
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server_dsn: str) -> Iterator[str]:
    """A migrated database with partitions around NOW and around today, to be cloned."""
    _execute(server_dsn, "CREATE DATABASE {}", TEMPLATE)
    dsn = make_conninfo(server_dsn, dbname=TEMPLATE)
    asyncio.run(_prepare(dsn))
    yield TEMPLATE
    _execute(server_dsn, "DROP DATABASE {} WITH (FORCE)", TEMPLATE)


@pytest.fixture(scope="module")
def dsn(server_dsn: str, template: str) -> Iterator[str]:
    """A database of this test module's own."""
    yield from _clone(server_dsn, template)


@pytest.fixture
def fresh_dsn(server_dsn: str, template: str) -> Iterator[str]:
    """A database of this test's own."""
    yield from _clone(server_dsn, template)


@pytest.fixture
def empty_dsn(server_dsn: str) -> Iterator[str]:
    """A database of this test's own without any table."""
    yield from _clone(server_dsn, "template0")


@pytest.fixture
async def database(fresh_dsn: str, clock: FakeClock) -> AsyncIterator[Database]:
    """A pool on a database of this test's own."""
    pool = Database(fresh_dsn, name="ic3 test", size=3, statement_timeout_s=20, clock=clock)
    await pool.open()
    yield pool
    await pool.close()


def _clone(server_dsn: str, template: str) -> Iterator[str]:
    name = f"ic3_test_{os.getpid()}_{next(_numbers)}"
    _execute(server_dsn, "CREATE DATABASE {} TEMPLATE {}", name, template)
    yield make_conninfo(server_dsn, dbname=name)
    _execute(server_dsn, "DROP DATABASE {} WITH (FORCE)", name)


async def _prepare(dsn: str) -> None:
    await migrate(dsn, adopt_zone="Asia/Kolkata")
    pool = Database(dsn, name="ic3 test", size=1, statement_timeout_s=20, clock=Clock())
    await pool.open()
    await PartitionStore(pool, raw_days=3).make(NOW.date())
    await PartitionStore(pool, raw_days=3).make(Clock().now().date())
    await pool.close()


def _execute(dsn: str, statement: str, *names: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL(statement).format(*map(Identifier, names)))
