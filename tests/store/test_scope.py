"""Row security: what the role of the API may see and do, whatever a statement forgets: S19, S34."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from samples import Sql

from ic3.clock import Clock
from ic3.errors import OutOfScope
from ic3.store.pool import Database
from ic3.store.scope import CALLER, enter, enter_as

FILL = """
INSERT INTO ic3_asset_master (serialnumber, domain) VALUES
    ('mine', 'DEL-D01'), ('other', 'DEL-D02'),
    ('nobody', NULL);
INSERT INTO assets (asset_id, domain, first_seen_at, last_seen_at)
    VALUES ('mine', 'DEL-D01', now(), now()), ('other', 'DEL-D02', now(), now());
INSERT INTO ic3_parameter_master (parameter_name, param_tag_code) VALUES ('Flow', 'FLOW');
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id)
    SELECT a.asset_id, 'FLOW', p.param_id FROM ic3_asset_master a, ic3_parameter_master p;
INSERT INTO ic3_asset_monitoring_data (asset_id, tag_code, param_id, value_num, recorded_at)
    SELECT asset_id, tag_code, param_id, 1, now() FROM ic3_asset_tag_map;
"""
SCOPED = {
    "ic3_asset_master": 1, "assets": 1, "ic3_asset_tag_map": 1, "ic3_asset_monitoring_data": 1
}  # fmt: skip
FORBIDDEN = [
    "UPDATE audit_log SET who = 'x'",
    "DELETE FROM audit_log",
    "TRUNCATE telemetry",
    "DROP TABLE ic3_user",
    "CREATE TABLE mine (a int)",
    "ALTER TABLE ic3_asset_master DISABLE ROW LEVEL SECURITY",
    "DROP POLICY scope ON ic3_asset_master",
    "UPDATE schema_migrations SET version = 99",
    "CREATE ROLE other_role",
    "COPY ic3_user TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
]


@pytest.fixture
def filled(own_sql: Sql) -> Iterator[Sql]:
    own_sql(FILL)
    before = CALLER.get()
    yield own_sql
    CALLER.set(before)


@pytest.fixture
async def scoped(fresh_dsn: str, filled: Sql, clock: Clock) -> AsyncIterator[Database]:
    pool = Database(
        fresh_dsn, name="scoped", size=2, statement_timeout_s=5, clock=clock, enter=enter
    )
    await pool.open()
    yield pool
    await pool.close()


async def count(database: Database, table: str) -> int:
    async with database.connection() as connection:
        row = await (await connection.execute(f"SELECT count(*) FROM {table}".encode())).fetchone()
        return int(row[0]) if row else -1


@pytest.mark.parametrize("table", SCOPED)
async def test_s19_a_caller_sees_the_rows_of_their_domains(scoped: Database, table: str) -> None:
    enter_as(None)
    everything = await count(scoped, table)
    enter_as({"DEL-D01"})
    assert await count(scoped, table) == SCOPED[table] < everything
    enter_as({"DEL-D01", "DEL-D02"})
    assert await count(scoped, table) == 2
    enter_as({"DEL-D99"})
    assert await count(scoped, table) == 0


@pytest.mark.parametrize("table", SCOPED)
async def test_s19_without_a_caller_nothing_is_seen_and_nothing_is_kept(
    scoped: Database, table: str
) -> None:
    enter_as(None)
    assert await count(scoped, table)
    CALLER.set("")
    for _ in range(3):  # whichever connection of the pool
        assert await count(scoped, table) == 0


@pytest.mark.parametrize("domain", ["*,DEL-D01", "DEL-D01,DEL-D02", "'; --", "DEL-D0%"])
async def test_s19_a_domain_is_a_word_and_nothing_else(scoped: Database, domain: str) -> None:
    enter_as({domain})
    assert await count(scoped, "ic3_asset_master") == len(
        {"DEL-D01", "DEL-D02"} & set(domain.split(","))
    )


async def test_s19_a_row_of_another_domain_cannot_be_written(scoped: Database) -> None:
    enter_as({"DEL-D01"})
    with pytest.raises(OutOfScope):
        async with scoped.connection() as connection:
            await connection.execute(
                "INSERT INTO ic3_asset_master (serialnumber, domain) VALUES ('x', 'DEL-D02')"
            )
    async with scoped.connection() as connection:
        changed = await connection.execute("UPDATE ic3_asset_master SET name = 'x'")
        assert changed.rowcount == 1


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_s34_what_the_role_of_the_api_may_not_do(scoped: Database, statement: str) -> None:
    enter_as(None)
    with pytest.raises(OutOfScope):
        async with scoped.connection() as connection:
            await connection.execute(statement.encode())


async def test_s34_a_partition_cannot_be_asked_past_its_parent(
    scoped: Database, filled: Sql
) -> None:
    ((partition,),) = filled(
        "SELECT tableoid::regclass::text FROM ic3_asset_monitoring_data LIMIT 1"
    )
    enter_as({"DEL-D01"})
    with pytest.raises(OutOfScope):
        await count(scoped, partition)


async def test_the_owner_is_not_concerned(filled: Sql) -> None:
    ((number,),) = filled("SELECT count(*) FROM ic3_asset_master")
    assert number == 3


def test_s34_the_role_cannot_log_in(filled: Sql, fresh_dsn: str) -> None:
    ((may,),) = filled("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'ic3_api'")
    assert may is False
    with pytest.raises(psycopg.Error):
        psycopg.connect(fresh_dsn, user="ic3_api").close()
