"""What each role of the database may do and what it may not: S19, S34."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from samples import Sql

from ic3.clock import Clock
from ic3.errors import OutOfScope
from ic3.store.migrate import migrate
from ic3.store.pool import Database
from ic3.store.roles import API, INGEST, MIGRATE, READER, held, missing
from ic3.store.scope import CALLER, enter, enter_as

FILL = """
INSERT INTO ic3_dma (dma_id, name, domain) VALUES
    ('D1', 'One', 'DEL-D01'), ('D2', 'Two', 'DEL-D02');
INSERT INTO ic3_asset_master (serialnumber, domain) VALUES
    ('mine', 'DEL-D01'), ('other', 'DEL-D02');
INSERT INTO assets (asset_id, domain, first_seen_at, last_seen_at)
    VALUES ('mine', 'DEL-D01', now(), now()), ('other', 'DEL-D02', now(), now());
INSERT INTO ic3_asset_state (serial, state, since)
    VALUES ('mine', 'fresh', now()), ('other', 'fresh', now());
INSERT INTO ic3_feed_event (at, serial, event) VALUES (now(), 'mine', 'state'),
    (now(), 'other', 'state');
INSERT INTO data_gap VALUES ('s', 'c', 'mine', now(), now(), 1, false),
    ('s', 'c', 'other', now(), now(), 1, false);
INSERT INTO ic3_alarm_hold (id, kind, reason, who, from_at, source_kind, source) VALUES
    (1, 'shelved', 'r', 'w', now(), 'asset', 'mine'),
    (2, 'shelved', 'r', 'w', now(), 'asset', 'other');
INSERT INTO ic3_register_conflict (subject, key, field, offered, source, offered_by) VALUES
    ('register', 'mine', 'name', '1', 'cmms', 'w'), ('register', 'other', 'name', '1', 'cmms', 'w');
INSERT INTO ic3_alarm_rule (name, kind, enabled, domain, serial, states, priority, deadband,
    on_delay_s, off_delay_s, notify, text) VALUES
    ('mine', 'high', true, 'DEL-D01', NULL, '[]', 1, 0, 0, 0, '[]', ''),
    ('other', 'high', true, NULL, 'other', '[]', 1, 0, 0, 0, '[]', '');
INSERT INTO ic3_network_node (node_id, kind, dma_id) VALUES ('n1', 'junction', 'D1'),
    ('n2', 'junction', 'D2');
INSERT INTO ic3_network_link (link_id, kind, from_node, to_node, status, dma_id) VALUES
    ('l1', 'pipe', 'n1', 'n1', 'open', 'D1'), ('l2', 'pipe', 'n2', 'n2', 'open', 'D2');
INSERT INTO ic3_network_valve (valve_id, link_id, node_id) VALUES ('v1', 'l1', 'n1'),
    ('v2', 'l2', 'n2');
"""
SCOPED = [
    "ic3_asset_master", "ic3_dma", "assets", "ic3_asset_state", "ic3_feed_event", "data_gap",
    "ic3_alarm_hold", "ic3_alarm_rule", "ic3_network_node", "ic3_network_link",
    "ic3_network_valve",
]  # fmt: skip
NOT_OF_INGEST = [
    "DELETE FROM telemetry",
    "DELETE FROM asset_latest",
    "DELETE FROM ic3_sweep",
    "DELETE FROM ic3_asset_monitoring_data",
    "DELETE FROM ic3_ingest_run_log",
    "DELETE FROM dead_letter",
    "TRUNCATE telemetry",
    "DROP TABLE telemetry",
    "CREATE TABLE mine (a int)",
    "CREATE INDEX ON telemetry (received_at)",
    "SELECT FROM ic3_user",
    "INSERT INTO ic3_user (username, password_hash, role) VALUES ('x', 'x', 'admin')",
    "SELECT FROM ic3_login",
    "SELECT FROM ic3_refresh_token",
    "SELECT FROM ic3_api_key",
    "SELECT FROM ic3_route_secret",
    "SELECT FROM audit_log",
    "INSERT INTO audit_log (who, role, what) VALUES ('x', 'x', 'x')",
    "SELECT ic3_audit_trim(now(), 10)",
    "UPDATE ic3_asset_master SET domain = 'DEL-D09'",
    "DELETE FROM ic3_asset_tag_map",
    "UPDATE ic3_alarm_rule SET enabled = false",
    "UPDATE schema_migrations SET version = 99",
    "CREATE ROLE other_role",
]
NOT_OF_THE_API = [
    "INSERT INTO telemetry DEFAULT VALUES",
    "UPDATE telemetry SET quality = 'GOOD'",
    "DELETE FROM telemetry",
    "DELETE FROM ic3_asset_monitoring_data",
    "UPDATE asset_latest SET quality = 'GOOD'",
    "DELETE FROM ic3_ingest_run_log",
    "DELETE FROM ic3_rollup_1h",
    "SELECT FROM ic3_reader",
    "SELECT ic3_audit_trim(now(), 10)",
]
NOT_OF_A_READER = [
    "INSERT INTO ic3_asset_master (serialnumber, domain) VALUES ('x', 'DEL-D01')",
    "UPDATE ic3_asset_master SET name = 'x'",
    "DELETE FROM ic3_asset_master",
    "TRUNCATE ic3_asset_master",
    "DELETE FROM telemetry",
    "UPDATE ic3_alarm SET text = 'x'",
    "INSERT INTO ic3_reader VALUES ('x', '*')",
    "SELECT FROM ic3_reader",
    "SELECT FROM ic3_user",
    "SELECT FROM ic3_login",
    "SELECT FROM ic3_api_key",
    "SELECT FROM audit_log",
    "SELECT FROM dead_letter",
    "SELECT FROM ic3_route_secret",
    "SELECT ic3_audit_trim(now(), 10)",
    "CREATE TABLE mine (a int)",
    "DROP POLICY reader ON ic3_asset_master",
    "SET ROLE ic3_api",
    "CREATE ROLE other_role",
]
NOT_OF_THE_OWNER = [
    "CREATE ROLE other_role",
    "ALTER ROLE ic3_ingest SUPERUSER",
    "GRANT pg_read_all_data TO ic3_ro",
    "COPY assets TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
]


@pytest.fixture
def filled(sql: Sql) -> Iterator[Sql]:
    sql(FILL)
    before = CALLER.get()
    yield sql
    CALLER.set(before)


async def pool_of(dsn: str, clock: Clock, role: str | None) -> AsyncIterator[Database]:
    pool = Database(dsn, name="role", size=1, statement_timeout_s=5, clock=clock, role=role)
    await pool.open()
    yield pool
    await pool.close()


@pytest.fixture
async def ingest(dsn: str, filled: Sql, clock: Clock) -> AsyncIterator[Database]:
    async for pool in pool_of(dsn, clock, INGEST):
        yield pool


@pytest.fixture
async def owner(dsn: str, filled: Sql, clock: Clock) -> AsyncIterator[Database]:
    async for pool in pool_of(dsn, clock, MIGRATE):
        yield pool


@pytest.fixture
async def api(dsn: str, filled: Sql, clock: Clock) -> AsyncIterator[Database]:
    async for pool in pool_of(dsn, clock, None):
        pool.enter = enter
        yield pool


@pytest.fixture
def reader(dsn: str, filled: Sql) -> Iterator[psycopg.Connection]:
    """A login of another program that reads DEL-D01."""
    filled("DROP ROLE IF EXISTS ic3_test_reader")
    filled("CREATE ROLE ic3_test_reader LOGIN PASSWORD 'planted' IN ROLE ic3_ro")
    filled("ALTER ROLE ic3_test_reader SET ic3.domains = 'DEL-D01'")
    filled("INSERT INTO ic3_reader VALUES ('ic3_test_reader', 'DEL-D01')")
    # As `session_user`, which no statement of the reader's own can change.
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET SESSION AUTHORIZATION ic3_test_reader")
        connection.execute("SET ic3.domains = 'DEL-D01'")
        yield connection
    filled("DROP ROLE ic3_test_reader")


async def refused(database: Database, statement: str) -> None:
    with pytest.raises(OutOfScope):
        async with database.connection() as connection:
            await connection.execute(statement.encode())


@pytest.mark.parametrize("statement", NOT_OF_INGEST)
async def test_s34_what_ingest_may_not_do(ingest: Database, statement: str) -> None:
    await refused(ingest, statement)


@pytest.mark.parametrize("statement", NOT_OF_THE_API)
async def test_s34_the_api_writes_nothing_that_was_measured(api: Database, statement: str) -> None:
    enter_as(None)
    await refused(api, statement)


@pytest.mark.parametrize("statement", NOT_OF_THE_OWNER)
async def test_s34_what_the_owner_of_the_tables_may_not_do(owner: Database, statement: str) -> None:
    await refused(owner, statement)


@pytest.mark.parametrize("statement", NOT_OF_A_READER)
def test_s34_what_a_reader_may_not_do(reader: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(statement.encode())


@pytest.mark.parametrize("table", SCOPED)
async def test_s19_each_table_shows_the_rows_of_the_callers_domains(
    api: Database, table: str
) -> None:
    async def seen() -> int:
        async with api.connection() as connection:
            cursor = await connection.execute(f"SELECT FROM {table}".encode())
            return cursor.rowcount

    enter_as(None)
    assert await seen() == 2
    enter_as({"DEL-D01"})
    assert await seen() == 1
    enter_as({"DEL-D09"})
    assert await seen() == 0
    CALLER.set("")
    assert await seen() == 0


@pytest.mark.parametrize("table", SCOPED)
def test_s19_a_reader_sees_what_is_registered_and_cannot_widen_it(
    reader: psycopg.Connection, table: str
) -> None:
    question = f"SELECT FROM {table}".encode()
    assert reader.execute(question).rowcount == 1
    reader.execute("SET ic3.domains = '*'")
    assert reader.execute(question).rowcount == 0
    reader.execute("SET ic3.domains = 'DEL-D01,DEL-D02'")
    assert reader.execute(question).rowcount == 0
    reader.execute("RESET ROLE")
    assert reader.execute(question).rowcount == 0


def test_s19_a_reader_whom_nobody_registered_sees_nothing(
    reader: psycopg.Connection, filled: Sql
) -> None:
    filled("DELETE FROM ic3_reader")
    assert reader.execute("SELECT FROM ic3_asset_master").rowcount == 0


async def test_s19_a_rule_for_all_is_seen_by_everybody_and_changed_by_nobody_of_one_domain(
    api: Database, filled: Sql
) -> None:
    filled("UPDATE ic3_alarm_rule SET domain = NULL, serial = NULL")
    enter_as({"DEL-D01"})
    async with api.connection() as connection:
        assert (await connection.execute("SELECT FROM ic3_alarm_rule")).rowcount == 2
        changed = await connection.execute("UPDATE ic3_alarm_rule SET enabled = false")
        assert changed.rowcount == 0
        gone = await connection.execute("DELETE FROM ic3_alarm_rule")
        assert gone.rowcount == 0


async def test_s34_ingest_sees_all_domains_and_stores_by_copying(
    ingest: Database, filled: Sql
) -> None:
    async with ingest.connection() as connection:
        assert (await connection.execute("SELECT FROM ic3_asset_master")).rowcount == 2
        async with connection.cursor().copy("COPY ic3_sweep_keys FROM STDIN") as copy:
            await copy.write_row((7, "2026-06-15T00:00:00Z", "{}"))
    assert filled("SELECT sweep_id FROM ic3_sweep_keys") == [(7,)]


@pytest.mark.parametrize("role", [MIGRATE, INGEST, API, READER])
def test_s34_no_role_can_log_in_or_is_more_than_it_must_be(filled: Sql, role: str) -> None:
    ((logs_in, is_super, makes_roles, makes_databases),) = filled(
        "SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = %s",
        role,
    )
    assert (logs_in, is_super, makes_roles, makes_databases) == (False, False, False, False)


def test_s34_all_that_is_ours_belongs_to_the_owner_and_only_ingest_passes_row_security(
    filled: Sql,
) -> None:
    assert filled(
        "SELECT DISTINCT relowner::regrole::text FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND NOT relispartition AND relkind IN"
        " ('r', 'p', 'v')"
    ) == [(MIGRATE,)]
    assert filled(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'ic3\\_%%' AND rolbypassrls"
        " AND rolname <> %s", "",
    ) == [(INGEST,)]  # fmt: skip


async def test_s34_a_login_without_the_roles_works_on_and_is_told(dsn: str, filled: Sql) -> None:
    assert await held(dsn) == {MIGRATE, INGEST, API}
    assert missing(await held(dsn)) is None
    words = missing(frozenset({MIGRATE}))
    assert words is not None
    assert "ic3_ingest, ic3_api" in words
    assert "row security is off" in words


async def test_s34_a_login_that_makes_no_roles_migrates_and_keeps_what_it_owns(
    dsn: str, sql: Sql
) -> None:
    sql("DROP ROLE IF EXISTS ic3_test_plain")
    sql("CREATE ROLE ic3_test_plain LOGIN PASSWORD 'planted'")
    sql("CREATE DATABASE ic3_test_plain OWNER ic3_test_plain TEMPLATE template0")
    plain = make_conninfo(dsn, dbname="ic3_test_plain", options="-c role=ic3_test_plain")
    try:
        await migrate(plain, adopt_zone="Asia/Kolkata")
        assert await migrate(plain, adopt_zone="Asia/Kolkata") == []
    finally:
        sql("DROP DATABASE ic3_test_plain WITH (FORCE)")
        sql("DROP ROLE ic3_test_plain")
