import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from msgspec import UNSET
from samples import AT, MINUTE_US, NOW, NOW_US, Sql, envelope, kill_blocked, save, save_sweep, swept

from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.mapping import Mapped, Reading, Register, map_envelopes
from ic3.domain.runs import Run
from ic3.domain.sweeps import Sweep
from ic3.errors import DatabaseAway, StoreError
from ic3.store.monitoring import MonitoringStore, NotStored
from ic3.store.pool import Database
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore

COUNTS = """
SELECT (SELECT count(*) FROM ic3_asset_monitoring_data),
    (SELECT count(*) FROM ic3_asset_monitoring_latest), (SELECT count(*) FROM ic3_ingest_run_log)
"""
ROWS = """
SELECT asset_id, tag_code, param_id, value_num, value_text, recorded_at
FROM ic3_asset_monitoring_data ORDER BY recorded_at, asset_id, tag_code
"""
VIEW = """
SELECT asset_id, tag_code, param_id, value_num, value_text, recorded_at
FROM ic3_asset_latest_reading ORDER BY recorded_at, asset_id, tag_code
"""
TAGS = ("HEALTH_SCORE", "MAINT_FLAG", "NOTE", "नाम")
AT_TIME = datetime(2026, 6, 15, 1, 41, 43, 267609, UTC)


@pytest.fixture
def store(database: Database) -> MonitoringStore:
    return MonitoringStore(database)


@pytest.fixture
def telemetry(database: Database) -> TelemetryStore:
    return TelemetryStore(database)


@pytest.fixture
async def register(database: Database) -> Register:
    registers = RegisterStore(database)
    await registers.import_rows(
        {
            "register": [{"serialnumber": serial} for serial in ("A", "B", "C")],
            "parameters": [{"param_tag_code": tag, "parameter_name": tag} for tag in TAGS],
            "tagmap": [
                {"serialnumber": serial, "tag_code": tag, "param_tag_code": tag}
                for serial in ("A", "B", "C")
                for tag in TAGS
            ],
        }
    )
    return await registers.load_if_changed(Register())


async def _outcome(stored: bool) -> bool:
    return stored


class _Ready(Movement):
    """What has been mapped already, as one batch."""

    def __init__(self, latest: LatestReadings, mapped: Mapped) -> None:
        super().__init__(latest, [], now_us=NOW_US)
        self._mapped = mapped

    def batches(self) -> Iterator[list[Reading]]:
        self.moved = self._mapped.moved
        self.tags_skipped = self._mapped.tags_skipped
        yield self._mapped.readings


async def _log(
    store: MonitoringStore,
    sweep: Sweep,
    mapped: Mapped,
    *,
    latest: LatestReadings | None = None,
    stored: bool = True,
) -> Run | None:
    """Save what was made of a sweep, as the worker does."""
    latest = latest or LatestReadings()
    ready = _Ready(latest, mapped)
    run = await store.save(sweep, ready, measure_ms=lambda: 42, stored=_outcome(stored))
    latest.apply(ready.moved)
    return run


def _sorted(readings: list[Reading]) -> list[Reading]:
    return sorted(readings, key=lambda each: (each.register_id, each.recorded_us, each.tag_code))


async def test_a_sweep_becomes_rows_a_latest_table_and_a_run(
    store: MonitoringStore, telemetry: TelemetryStore, register: Register, sql: Sql
) -> None:
    values = {"HEALTH_SCORE": 94.8, "MAINT_FLAG": True, "NOTE": "पानी 💧", "नाम": None, "else": 1}
    sweep = await save(telemetry, envelope("A", values=values), envelope("stranger"))
    sweep.matched, sweep.unmatched = 1, 1
    run = await _log(store, sweep, map_envelopes(register, sweep.envelopes, now_us=NOW_US))
    number = register.assets["A"].register_id
    ids = {tag: each.param_id for tag, each in register.assets["A"].parameters.items()}
    rows = [
        (number, "HEALTH_SCORE", ids["HEALTH_SCORE"], 94.8, None, AT_TIME),
        (number, "MAINT_FLAG", ids["MAINT_FLAG"], 1.0, None, AT_TIME),
        (number, "NOTE", ids["NOTE"], None, "पानी 💧", AT_TIME),
        (number, "नाम", ids["नाम"], None, None, AT_TIME),
    ]
    assert sql(ROWS) == rows
    assert sql(VIEW) == rows
    assert run is not None
    assert run == Run(run.id, NOW, 2, 1, 1, 4, 1, 42, UNSET)
    assert await store.recent_runs() == [run]
    assert sql("SELECT sweep_id, error_msg FROM ic3_ingest_run_log") == [(sweep.sweep_id, None)]


async def test_extreme_numbers_reach_rows_and_view_unchanged(
    store: MonitoringStore, telemetry: TelemetryStore, register: Register, sql: Sql
) -> None:
    values = {"HEALTH_SCORE": 1.7976931348623157e308, "MAINT_FLAG": 5e-324, "NOTE": 2**53 - 1}
    sweep = await save(telemetry, envelope("A", values=values))
    await _log(store, sweep, map_envelopes(register, sweep.envelopes, now_us=NOW_US))
    numbers = [1.7976931348623157e308, 5e-324, float(2**53 - 1)]
    assert [row[3] for row in sql(ROWS)] == numbers
    assert [row[3] for row in sql(VIEW)] == numbers


async def test_a_sweep_without_news_is_a_run_too(
    store: MonitoringStore, telemetry: TelemetryStore, register: Register, sql: Sql
) -> None:
    run = await _log(store, await save(telemetry), Mapped())
    assert run is not None
    assert run.rows_inserted == 0
    assert sql(COUNTS) == [(0, 0, 1)]


async def test_the_latest_table_keeps_the_newest_of_each_tag(
    store: MonitoringStore, telemetry: TelemetryStore, register: Register, sql: Sql
) -> None:
    latest = LatestReadings()
    for record, at, values in (
        ("new", AT, {"HEALTH_SCORE": 2.0, "NOTE": "kept"}),
        ("late", "2026-06-15T01:00:00Z", {"HEALTH_SCORE": 1.0, "MAINT_FLAG": 1}),
    ):
        sweep = await save(telemetry, envelope("A", record=record, at=at, values=values))
        mapped = map_envelopes(register, sweep.envelopes, now_us=NOW_US, past=latest.past({}))
        await _log(store, sweep, mapped, latest=latest)
    assert [(row[1], row[3], row[4]) for row in sql(VIEW)] == [
        ("MAINT_FLAG", 1.0, None),
        ("HEALTH_SCORE", 2.0, None),
        ("NOTE", None, "kept"),
    ]
    assert len(sql(ROWS)) == 4
    restored = LatestReadings()
    restored.replace(await store.all_latest())
    number = register.assets["A"].register_id
    latest.register = restored.register = register
    assert restored.state_of("A") == latest.state_of("A")
    assert sorted(await store.all_latest()) == [number]


async def test_a_sweep_logged_twice_changes_nothing_the_second_time(
    store: MonitoringStore, telemetry: TelemetryStore, register: Register, sql: Sql
) -> None:
    sweep = await save(telemetry, envelope("A"), envelope("B"))
    mapped = map_envelopes(register, sweep.envelopes, now_us=NOW_US)
    await _log(store, sweep, mapped)
    before = sql(ROWS), sql(VIEW), sql("SELECT * FROM ic3_ingest_run_log")
    assert await _log(store, sweep, mapped) is None
    assert (sql(ROWS), sql(VIEW), sql("SELECT * FROM ic3_ingest_run_log")) == before


async def test_a_row_of_the_same_instant_is_kept_and_not_counted(
    store: MonitoringStore, telemetry: TelemetryStore, register: Register, sql: Sql
) -> None:
    first = await save(telemetry, envelope("A", record="1", values={"HEALTH_SCORE": 1}))
    await _log(store, first, map_envelopes(register, first.envelopes, now_us=NOW_US))
    second = await save(
        telemetry,
        envelope("A", record="2", values={"HEALTH_SCORE": 2, "MAINT_FLAG": 1}),
        envelope("B", values={"HEALTH_SCORE": 3}),
    )
    mapped = map_envelopes(register, second.envelopes, now_us=NOW_US)
    run = await _log(store, second, mapped)
    assert run is not None
    assert run.rows_inserted == 2
    assert [row[3] for row in sql(ROWS)] == [1.0, 1.0, 3.0]


async def test_nothing_is_written_where_the_telemetry_was_not_stored(
    store: MonitoringStore, register: Register, sql: Sql
) -> None:
    sweep = swept(envelope("A"))
    sweep.sweep_id = 1
    mapped = map_envelopes(register, sweep.envelopes, now_us=NOW_US)
    with pytest.raises(NotStored):
        await _log(store, sweep, mapped, stored=False)
    assert sql(COUNTS) == [(0, 0, 0)]


async def test_nothing_shows_before_the_telemetry_is_durable(
    store: MonitoringStore, register: Register, sql: Sql
) -> None:
    sweep = swept(envelope("A"))
    sweep.sweep_id = 1
    mapped = map_envelopes(register, sweep.envelopes, now_us=NOW_US)
    seen: list[list[tuple[object, ...]]] = []

    async def durable_after_a_look() -> bool:
        seen.append(sql(COUNTS))
        return True

    ready = _Ready(LatestReadings(), mapped)
    await store.save(sweep, ready, measure_ms=lambda: 1, stored=durable_after_a_look())
    assert seen == [[(0, 0, 0)]]
    assert sql(COUNTS) == [(2, 1, 1)]


async def test_a_run_that_the_database_refuses_leaves_nothing_behind(
    store: MonitoringStore, telemetry: TelemetryStore, register: Register, sql: Sql
) -> None:
    sweep = await save(telemetry, envelope("A"))
    sweep.matched = 2**40
    with pytest.raises(StoreError, match="22003"):
        await _log(store, sweep, map_envelopes(register, sweep.envelopes, now_us=NOW_US))
    assert sql(COUNTS) == [(0, 0, 0)]


async def test_a_connection_killed_in_the_middle_of_a_run_leaves_nothing_behind(
    store: MonitoringStore,
    telemetry: TelemetryStore,
    register: Register,
    sql: Sql,
    dsn: str,
) -> None:
    sweep = await save(telemetry, envelope("A"))
    mapped = map_envelopes(register, sweep.envelopes, now_us=NOW_US)
    with psycopg.connect(dsn) as blocker:
        blocker.execute("LOCK TABLE ic3_ingest_run_log IN ACCESS EXCLUSIVE MODE")
        outcome, _ = await asyncio.gather(
            _log(store, sweep, mapped), kill_blocked(sql), return_exceptions=True
        )
    assert isinstance(outcome, DatabaseAway)
    assert sql(COUNTS) == [(0, 0, 0)]
    run = await _log(store, sweep, mapped)
    assert run is not None
    assert run.rows_inserted == 2


async def test_a_failed_sweep_is_a_row_and_a_failed_run(
    store: MonitoringStore, telemetry: TelemetryStore, sql: Sql
) -> None:
    sweep = swept()
    sweep.error = "gateway: refused"
    sweep.failed["refused"] = 3
    await telemetry.save(sweep, now_us=NOW_US)
    run = await store.save_failed(sweep, duration_ms=7)
    assert run is not None
    assert run == Run(run.id, NOW, 0, 0, 0, 0, 0, 7, "gateway: refused")
    assert await store.recent_runs() == [run]
    assert sql("SELECT id, failed, error FROM ic3_sweep") == [
        (sweep.sweep_id, {"refused": 3}, "gateway: refused")
    ]
    assert await store.save_failed(sweep, duration_ms=8) is None
    assert sql("SELECT count(*) FROM ic3_sweep") == [(1,)]


async def test_recent_runs_are_the_newest_by_their_time(
    store: MonitoringStore, telemetry: TelemetryStore, sql: Sql
) -> None:
    sql(
        "INSERT INTO ic3_ingest_run_log (run_at, keys_scanned, error_msg)"
        " SELECT %s::timestamptz - n * interval '15 seconds', n, CASE n WHEN 3 THEN 'why' END"
        " FROM generate_series(1, 30) n",
        NOW,
    )
    runs = await store.recent_runs()
    assert [run.keys_scanned for run in runs] == list(range(1, 21))
    assert [run.error_msg for run in runs[1:4]] == [UNSET, "why", UNSET]
    assert len(await store.recent_runs(3)) == 3


async def test_rows_of_the_original_backend_are_runs_like_others(
    own_database: Database, own_sql: Sql
) -> None:
    store, sql = MonitoringStore(own_database), own_sql
    sql("ALTER TABLE ic3_ingest_run_log ALTER run_at DROP NOT NULL")
    sql("INSERT INTO ic3_ingest_run_log (run_at, error_msg) VALUES (%s, '')", NOW)
    sql("INSERT INTO ic3_ingest_run_log (run_at, matched) VALUES (NULL, NULL)")
    [run] = await store.recent_runs()
    assert run == Run(run.id, NOW, 0, 0, 0, 0, 0, 0, UNSET)


async def test_a_sweep_that_a_crash_left_without_a_run_is_mapped_from_the_database(
    store: MonitoringStore, telemetry: TelemetryStore, register: Register, sql: Sql
) -> None:
    logged = await save(telemetry, envelope("C", record="logged"))
    await _log(store, logged, Mapped())
    left = swept(
        envelope("A", values={"HEALTH_SCORE": 1e20, "MAINT_FLAG": -0.0, "x": 1, "NOTE": "पानी"}),
        envelope("B", values={"HEALTH_SCORE": 2**53 - 1, "MAINT_FLAG": False, "नाम": None}),
        envelope("C", at="2026-06-15T02:42:00Z"),
        envelope("stranger"),
    )
    left.matched, left.unmatched = 3, 1
    await save_sweep(telemetry, left)
    direct = map_envelopes(register, left.envelopes, now_us=NOW_US)
    [found] = await store.unlogged_sweeps()
    assert (found.sweep_id, found.begun_at, found.ended_at) == (left.sweep_id, NOW, NOW)
    assert (found.keys_scanned, found.matched, found.unmatched) == (4, 3, 1)
    assert found.error is None
    assert found.sweep_id is not None
    again = map_envelopes(register, await store.envelopes_of(found.sweep_id), now_us=NOW_US)
    assert _sorted(again.readings) == _sorted(direct.readings)
    assert (again.tags_skipped, again.implausible_times) == (1, 1)
    run = await _log(store, found, again)
    assert run is not None
    assert (run.keys_scanned, run.matched, run.rows_inserted) == (4, 3, 6)
    assert await store.unlogged_sweeps() == []


async def test_an_implausible_envelope_makes_no_rows(
    store: MonitoringStore, telemetry: TelemetryStore, register: Register, sql: Sql
) -> None:
    sweep = await save(
        telemetry,
        envelope("A", at="2099-01-01T00:00:00Z"),
        envelope("B", at="1999-12-31T23:59:59.999999999Z"),
        envelope("C", at="2000-01-01T00:00:00Z"),
    )
    mapped = map_envelopes(register, sweep.envelopes, now_us=NOW_US + MINUTE_US)
    await _log(store, sweep, mapped)
    assert {row[0] for row in sql(ROWS)} == {register.assets["C"].register_id}
    assert sql("SELECT count(*) FROM ic3_asset_monitoring_data_default") == [(2,)]
