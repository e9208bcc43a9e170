import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
import pytest
from original import PLAIN, VARIED
from psycopg.conninfo import make_conninfo
from samples import AT, NOW, NOW_US, envelope, save, until_blocked

from ic3.clock import Clock
from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.mapping import Register
from ic3.domain.runs import Run
from ic3.errors import DatabaseAway, SchemaError, StoreError
from ic3.store.migrate import migrate, migrations, pending
from ic3.store.monitoring import MonitoringStore
from ic3.store.partitions import PartitionStore
from ic3.store.pool import Connection, Database
from ic3.store.register import Imported, RegisterStore
from ic3.store.telemetry import TelemetryStore

ZONE: Final = "Asia/Kolkata"
APPLY: Final = [f"apply {each.version:04d}_{each.name}" for each in migrations()]
ADOPT_PLAIN: Final = [
    "rename table asset_latest to asset_latest_before",
    "rename table assets to assets_before",
    "rename table ic3_asset_monitoring_data to ic3_asset_monitoring_data_before",
    "rename table telemetry to telemetry_before",
    "give ic3_ingest_run_log.run_at a zone, read as Asia/Kolkata",
    "number new rows of ic3_asset_master.asset_id",
    "number new rows of ic3_parameter_master.param_id",
]
# Everything that makes a schema what it is, one line each, and the tables' rows where few.
SCHEMA: Final = """
SELECT concat_ws(' | ', 'column', table_name, column_name, data_type, is_nullable, column_default,
    is_identity, identity_generation, character_maximum_length)
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT concat_ws(' | ', 'index', indexdef) FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT concat_ws(' | ', 'constraint', conrelid::regclass, conname,
    pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT concat_ws(' | ', 'relation', relname, relkind, reloptions,
    pg_get_expr(relpartbound, oid), obj_description(oid, 'pg_class'))
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT concat_ws(' | ', 'comment', attrelid::regclass, attname,
    col_description(attrelid, attnum)) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT concat_ws(' | ', 'trigger', pg_get_triggerdef(oid)) FROM pg_trigger
    WHERE NOT tgisinternal
UNION ALL SELECT concat_ws(' | ', 'function', pg_get_functiondef(oid)) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT concat_ws(' | ', 'view', viewname, definition) FROM pg_views
    WHERE schemaname = 'public'
UNION ALL SELECT concat_ws(' | ', 'version', version) FROM ic3_registry_version
ORDER BY 1
"""
TABLES: Final = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
MIGRATE: Final = (
    "import asyncio, sys; from ic3.store.migrate import migrate;"
    " asyncio.run(migrate(sys.argv[1], adopt_zone='Asia/Kolkata'))"
)


def _run(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True, options="-c timezone=UTC") as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
async def pool(empty_dsn: str, clock: Clock) -> AsyncIterator[Database]:
    """A pool on the database that a test begins empty."""
    pool = Database(empty_dsn, name="ic3 test", size=2, statement_timeout_s=20, clock=clock)
    yield pool
    await pool.close()


async def test_an_empty_database_gets_every_table_and_the_next_call_does_nothing(
    empty_dsn: str,
) -> None:
    said: list[str] = []
    assert await migrate(empty_dsn, adopt_zone=ZONE, say=said.append) == APPLY
    assert said == APPLY
    schema = _run(empty_dsn, SCHEMA)
    assert await migrate(empty_dsn, adopt_zone=ZONE) == []
    assert _run(empty_dsn, SCHEMA) == schema
    tables = {row[0] for row in _run(empty_dsn, TABLES)}
    assert tables >= {
        "assets", "asset_latest", "telemetry", "ic3_asset_master", "ic3_dma",
        "ic3_parameter_master", "ic3_asset_tag_map", "ic3_asset_monitoring_data",
        "ic3_ingest_run_log", "ic3_sweep", "dead_letter", "schema_migrations",
    }  # fmt: skip


async def test_of_two_programs_starting_together_one_migrates(empty_dsn: str) -> None:
    taken = await asyncio.gather(
        migrate(empty_dsn, adopt_zone=ZONE), migrate(empty_dsn, adopt_zone=ZONE)
    )
    assert sorted(taken) == [[], APPLY]


async def test_a_newer_schema_is_refused_in_one_clear_line(fresh_dsn: str) -> None:
    _run(fresh_dsn, "INSERT INTO schema_migrations VALUES (9999, 'later', 'x')")
    schema = _run(fresh_dsn, SCHEMA)
    with pytest.raises(SchemaError) as caught:
        await migrate(fresh_dsn, adopt_zone=ZONE)
    assert str(caught.value) == (
        "database: its schema has migration 9999 (later), which is newer than this program;"
        " install the newer ic3 again"
    )
    with pytest.raises(SchemaError):
        await migrate(fresh_dsn, adopt_zone=ZONE, dry_run=True)
    assert _run(fresh_dsn, SCHEMA) == schema


async def test_an_altered_migration_is_refused_in_one_clear_line(fresh_dsn: str) -> None:
    _run(fresh_dsn, "UPDATE schema_migrations SET checksum = 'x' WHERE version = 1")
    with pytest.raises(SchemaError) as caught:
        await migrate(fresh_dsn, adopt_zone=ZONE)
    assert str(caught.value) == (
        "database: migration 1 (initial) was applied with another text; the database belongs to"
        " another build of ic3"
    )


async def test_a_dry_run_tells_the_plan_and_writes_nothing(empty_dsn: str) -> None:
    assert await migrate(empty_dsn, adopt_zone=ZONE, dry_run=True) == APPLY
    assert _run(empty_dsn, TABLES) == []


async def test_what_is_pending_can_be_asked(empty_dsn: str, fresh_dsn: str) -> None:
    async with await Connection.connect(empty_dsn) as connection:
        assert await pending(connection) == migrations()
    async with await Connection.connect(fresh_dsn) as connection:
        assert await pending(connection) == []


async def test_a_server_that_is_not_there_is_away(empty_dsn: str) -> None:
    with pytest.raises(DatabaseAway):
        await migrate(make_conninfo(empty_dsn, host="/nowhere"), adopt_zone=ZONE)


@pytest.mark.parametrize(
    ("before", "blocker"),
    [
        ("", "CREATE TABLE ic3_dma (x int)"),
        ("", "CREATE TABLE telemetry_default (x int)"),
        ("", "CREATE TABLE ic3_user (x int)"),
        (PLAIN, "LOCK TABLE telemetry"),
        (PLAIN, "LOCK TABLE ic3_ingest_run_log"),
        (PLAIN, "CREATE TABLE ic3_user (x int)"),
    ],
)
async def test_f30_killed_in_the_middle_the_next_migration_makes_the_same_schema(
    empty_dsn: str, before: str, blocker: str
) -> None:
    _run(empty_dsn, before or "SELECT")
    with psycopg.connect(empty_dsn, autocommit=True) as watcher, psycopg.connect(empty_dsn) as lock:
        lock.execute(blocker.encode())
        program = await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, empty_dsn)
        await until_blocked(lambda each, *_: watcher.execute(each).fetchall())
        program.kill()
        assert await program.wait() == -signal.SIGKILL
        lock.rollback()
    assert (await migrate(empty_dsn, adopt_zone=ZONE))[-len(APPLY) :] == APPLY
    killed = _run(empty_dsn, SCHEMA)
    assert killed == await _schema_without_a_kill(empty_dsn, before)


async def _schema_without_a_kill(dsn: str, before: str) -> list[tuple[Any, ...]]:
    _run(dsn, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    _run(dsn, before or "SELECT")
    await migrate(dsn, adopt_zone=ZONE)
    return _run(dsn, SCHEMA)


async def test_a_lock_in_the_way_for_too_long_leaves_everything_as_it_was(
    empty_dsn: str,
) -> None:
    _run(empty_dsn, PLAIN)
    before = sorted(_run(empty_dsn, TABLES))
    with psycopg.connect(empty_dsn) as lock:
        lock.execute("LOCK TABLE ic3_ingest_run_log")
        impatient = make_conninfo(empty_dsn, options="-c statement_timeout=300")
        with pytest.raises(StoreError, match="statement timeout"):
            await migrate(impatient, adopt_zone=ZONE)
    assert sorted(_run(empty_dsn, TABLES)) == before


async def test_the_plan_for_the_originals_database_is_told_and_nothing_written(
    empty_dsn: str,
) -> None:
    _run(empty_dsn, PLAIN)
    before = sorted(_run(empty_dsn, TABLES))
    plan = await migrate(empty_dsn, adopt_zone=ZONE, dry_run=True)
    assert plan == ADOPT_PLAIN + APPLY
    assert sorted(_run(empty_dsn, TABLES)) == before
    said: list[str] = []
    assert await migrate(empty_dsn, adopt_zone=ZONE, say=said.append) == plan
    assert said == plan
    assert await migrate(empty_dsn, adopt_zone=ZONE) == []


async def test_the_originals_rows_are_kept(empty_dsn: str) -> None:
    _run(empty_dsn, PLAIN)
    await migrate(empty_dsn, adopt_zone=ZONE)
    register = (
        "SELECT asset_id, serialnumber, barcode, ticketcount FROM ic3_asset_master ORDER BY 1"
    )
    assert _run(empty_dsn, register) == [(12, "A", "b-12", 3), (40, "B", None, None)]
    assert _run(empty_dsn, "SELECT dma_id, name, domain FROM ic3_dma") == [
        ("DMA-1", "One", "DEL-D08")
    ]
    assert _run(
        empty_dsn, "SELECT param_id, parameter_name, param_tag_code, unit FROM ic3_parameter_master"
    ) == [(7, "Pressure", "P", "m")]
    assert _run(empty_dsn, "SELECT asset_id, tag_code, param_id FROM ic3_asset_tag_map") == [
        (12, "P", 7)
    ]
    assert _run(empty_dsn, "SELECT id, run_at, matched FROM ic3_ingest_run_log ORDER BY id") == [
        (1, NOW - timedelta(seconds=30), 1),
        (2, NOW - timedelta(seconds=15), 2),
    ]
    assert _run(empty_dsn, "SELECT record_id FROM telemetry_before") == [("r",)]
    assert _run(empty_dsn, "SELECT value_num FROM ic3_asset_monitoring_data_before") == [(1.0,)]
    assert _run(empty_dsn, "SELECT asset_id FROM assets_before") == [("A",)]
    assert _run(empty_dsn, "SELECT record_id FROM asset_latest_before") == [("r",)]
    assert _run(empty_dsn, "SELECT count(*) FROM telemetry") == [(0,)]


async def test_run_times_are_read_in_the_zone_that_is_set(empty_dsn: str) -> None:
    _run(empty_dsn, PLAIN)
    await migrate(empty_dsn, adopt_zone="UTC")
    assert _run(empty_dsn, "SELECT min(run_at) FROM ic3_ingest_run_log") == [
        (datetime.fromisoformat("2026-06-15T07:11:30Z"),)
    ]


async def test_an_unknown_zone_changes_nothing(empty_dsn: str) -> None:
    _run(empty_dsn, PLAIN)
    before = sorted(_run(empty_dsn, TABLES))
    with pytest.raises(StoreError, match="Asia/Nowhere"):
        await migrate(empty_dsn, adopt_zone="Asia/Nowhere")
    assert sorted(_run(empty_dsn, TABLES)) == before


async def test_an_adopted_plain_database_works_on(empty_dsn: str, pool: Database) -> None:
    _run(empty_dsn, PLAIN)
    await migrate(empty_dsn, adopt_zone=ZONE)
    await pool.open()
    run = await _work_on(pool)
    assert (run.id, run.matched, run.rows_inserted, run.tags_skipped) == (3, 1, 1, 1)
    assert [each.id for each in await MonitoringStore(pool).recent_runs()] == [3, 2, 1]
    assert _run(empty_dsn, "SELECT max(asset_id) FROM ic3_asset_master") == [(41,)]
    assert _run(empty_dsn, "SELECT max(param_id) FROM ic3_parameter_master") == [(8,)]


async def test_an_adopted_database_of_other_types_and_names_works_on(
    empty_dsn: str, pool: Database
) -> None:
    _run(empty_dsn, VARIED)
    steps = await migrate(empty_dsn, adopt_zone=ZONE)
    assert "rename table schema_migrations to schema_migrations_before" in steps
    await pool.open()
    run = await _work_on(pool)
    assert (run.id, run.matched, run.rows_inserted, run.tags_skipped) == (501, 1, 1, 1)
    assert [each.id for each in await MonitoringStore(pool).recent_runs()] == [501, 500]
    asset = await RegisterStore(pool).asset("A")
    assert asset is not None
    assert (asset["ticketcount"], asset["schedulecount"], asset["longitude"]) == (3, "2", 77.2)
    assert (asset["traceability_id"], asset["dma_id"]) == (73841, 4)
    # Numbers 13 to 90 may have been given to assets since deleted.
    assert _run(empty_dsn, "SELECT max(asset_id) FROM ic3_asset_master") == [(91,)]
    assert _run(empty_dsn, "SELECT version FROM schema_migrations_before") == [(14,)]
    assert _run(empty_dsn, "SELECT count(*) FROM v_recent") == [(1,)]


async def _work_on(pool: Database) -> Run:
    """A day's work on an adopted database: import, load, save a sweep, log its run."""
    registers, telemetry = RegisterStore(pool), TelemetryStore(pool)
    done = await registers.import_rows(
        {
            "register": [
                {"serialnumber": "new", "ticketcount": 1, "schedulecount": 2, "longitude": 77.1},
                {"serialnumber": "A", "status": "In use"},
            ],
            "parameters": [
                {"param_tag_code": "Q", "parameter_name": "Flow", "kind": "gauge"},
                {"param_tag_code": "P", "parameter_name": "Pressure"},
            ],
            "tagmap": [{"serialnumber": "A", "tag_code": "P", "param_tag_code": "P"}],
        }
    )
    assert done == Imported(added=2, updated=3)
    await PartitionStore(pool, raw_days=1).make(NOW.date())
    register = await registers.load_if_changed(Register())
    sweep = await save(telemetry, envelope("A", at=AT, values={"P": 2, "x": 3}), envelope("C"))
    sweep.matched = register.count_matched(["A", "C"])
    latest = LatestReadings()
    latest.register = register
    movement = Movement(latest, sweep.envelopes, now_us=NOW_US)
    run = await MonitoringStore(pool).save(sweep, movement, measure_ms=lambda: 1, stored=_durable())
    assert run is not None
    return run


async def _durable() -> bool:
    return True


async def test_a_register_that_holds_a_serial_number_twice_is_named_and_left_alone(
    empty_dsn: str,
) -> None:
    _run(empty_dsn, "CREATE TABLE ic3_asset_master (asset_id int, serialnumber text)")
    _run(empty_dsn, "INSERT INTO ic3_asset_master VALUES (1, 'A'), (2, 'A')")
    with pytest.raises(SchemaError, match=r"\(serialnumber\)=\(A\) is duplicated") as caught:
        await migrate(empty_dsn, adopt_zone=ZONE)
    assert "\n" not in str(caught.value)
    assert _run(empty_dsn, TABLES) == [("ic3_asset_master",)]
