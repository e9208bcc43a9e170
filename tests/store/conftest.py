"""What the store's tests share: a database a module, emptied for each test, and plain SQL."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final, LiteralString

import psycopg
import pytest

from ic3.clock import Clock
from ic3.store.pool import Database

Sql = Callable[..., list[tuple[Any, ...]]]

# Deleting a test's few rows costs a tenth of a clone.
EMPTY: Final = """
DELETE FROM telemetry; DELETE FROM asset_latest; DELETE FROM assets; DELETE FROM ic3_sweep;
DELETE FROM dead_letter; DELETE FROM ic3_asset_monitoring_data;
DELETE FROM ic3_asset_monitoring_latest; DELETE FROM ic3_ingest_run_log;
DELETE FROM ic3_asset_tag_map; DELETE FROM ic3_asset_master; DELETE FROM ic3_parameter_master;
DELETE FROM ic3_user; DELETE FROM ic3_inbox; DELETE FROM ic3_replay;
DELETE FROM ic3_asset_state; DELETE FROM ic3_feed_event; DELETE FROM ic3_alarm;
DELETE FROM ic3_alarm_event; DELETE FROM ic3_alarm_hold; DELETE FROM ic3_alarm_rule;
DELETE FROM ic3_register_conflict; DELETE FROM ic3_cmms_sync; DELETE FROM ic3_dma;
DELETE FROM data_gap; DELETE FROM ic3_reader; DELETE FROM ic3_sweep_keys;
UPDATE ic3_alarm_rule_version SET version = 0;
BEGIN; DELETE FROM ic3_network_valve; DELETE FROM ic3_network_link; DELETE FROM ic3_network_node;
COMMIT
"""


@pytest.fixture
def sql(dsn: str) -> Iterator[Sql]:
    """Runs one statement on this test's database, empty at first, and answers its rows."""
    with psycopg.connect(dsn, autocommit=True, options="-c timezone=UTC") as connection:
        connection.execute(EMPTY)
        yield _runner(connection)


@pytest.fixture
async def database(dsn: str, sql: Sql, clock: Clock) -> AsyncIterator[Database]:
    """A pool on this test's database."""
    async with _pool(dsn, clock) as pool:
        yield pool


@pytest.fixture
def own_sql(fresh_dsn: str) -> Iterator[Sql]:
    """The same on a database of this test's own, for tests that change the schema."""
    with psycopg.connect(fresh_dsn, autocommit=True, options="-c timezone=UTC") as connection:
        yield _runner(connection)


@pytest.fixture
async def own_database(fresh_dsn: str, clock: Clock) -> AsyncIterator[Database]:
    """A pool on that database."""
    async with _pool(fresh_dsn, clock) as pool:
        yield pool


@asynccontextmanager
async def _pool(dsn: str, clock: Clock) -> AsyncIterator[Database]:
    pool = Database(dsn, name="ic3 test", size=3, statement_timeout_s=20, clock=clock)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


def _runner(connection: psycopg.Connection[tuple[Any, ...]]) -> Sql:
    def run(statement: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        cursor = connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []

    return run
