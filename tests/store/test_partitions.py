import asyncio
from datetime import date, timedelta

import pytest
from samples import AT, NOW, NOW_US, Sql, envelope, save, swept

from ic3.domain.sweeps import Rejected
from ic3.store import dead_letter, partitions
from ic3.store.partitions import PartitionStore, partition_name
from ic3.store.pool import Database
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore

DAY = date(2027, 1, 10)
TABLES = ("telemetry", "ic3_asset_monitoring_data")
PARTITIONS = """
SELECT inhrelid::regclass::text FROM pg_inherits
WHERE inhparent = 'telemetry'::regclass AND inhrelid::regclass::text LIKE %s ORDER BY 1
"""
SHORT_OF_INDEXES = """
SELECT i.inhrelid::regclass FROM pg_inherits i
WHERE i.inhparent IN ('telemetry'::regclass, 'ic3_asset_monitoring_data'::regclass)
    AND (SELECT count(*) FROM pg_index x WHERE x.indrelid = i.inhrelid AND x.indisvalid) <> 2
"""


@pytest.fixture
def store(own_database: Database) -> PartitionStore:
    return PartitionStore(own_database, raw_days=3)


async def test_partitions_reach_from_the_horizon_to_two_days_ahead(
    store: PartitionStore, own_sql: Sql
) -> None:
    assert await store.make(DAY) == 16
    assert own_sql(PARTITIONS, "telemetry_202701%") == [
        (f"telemetry_202701{day:02d}",) for day in range(7, 13)
    ]
    assert own_sql(SHORT_OF_INDEXES) == []
    assert await store.make(DAY) == 0
    assert await store.make(DAY + timedelta(days=1)) == 2


async def test_two_programs_making_partitions_at_once_make_each_once(
    store: PartitionStore,
) -> None:
    made = await asyncio.gather(store.make(DAY), store.make(DAY), store.make(DAY))
    assert sum(made) == 16


async def test_a_stray_row_of_a_later_day_moves_into_its_partition(
    store: PartitionStore, own_database: Database, own_sql: Sql
) -> None:
    telemetry = TelemetryStore(own_database)
    sent = [
        envelope("first", at="2027-01-10T00:00:00Z"),
        envelope("last", at="2027-01-10T23:59:59.999999999Z"),
        envelope("next", at="2027-01-20T00:00:00Z"),
    ]
    sweep = await save(telemetry, *sent)
    own_sql(
        "INSERT INTO ic3_asset_monitoring_data VALUES (1, 't', 1, 2.5, NULL, '2027-01-10 12:00Z')"
    )
    before = own_sql("SELECT * FROM telemetry ORDER BY asset_id")
    await store.make(DAY)
    assert own_sql("SELECT * FROM telemetry ORDER BY asset_id") == before
    assert own_sql("SELECT asset_id FROM telemetry_20270110 ORDER BY 1") == [("first",), ("last",)]
    assert own_sql("SELECT asset_id FROM telemetry_default") == [("next",)]
    assert own_sql("SELECT value_num FROM ic3_asset_monitoring_data_20270110") == [(2.5,)]
    await telemetry.save(sweep, now_us=NOW_US)
    assert (sweep.stored, sweep.duplicate) == (0, 3)


async def test_partitions_beyond_the_horizon_are_dropped_with_their_rows(
    store: PartitionStore, own_database: Database, own_sql: Sql
) -> None:
    await save(
        TelemetryStore(own_database),
        envelope("kept", at="2026-06-14T00:00:00Z"),
        envelope("dropped", at="2026-06-13T23:59:59.999999Z"),
    )
    assert await store.drop_old(NOW + timedelta(days=2)) == 4
    assert own_sql("SELECT asset_id FROM telemetry") == [("kept",)]
    assert own_sql(PARTITIONS, "telemetry_20260615") == [("telemetry_20260615",)]
    assert own_sql(PARTITIONS, "telemetry_20260613") == []
    assert own_sql(PARTITIONS, "telemetry_default") == [("telemetry_default",)]
    assert await store.drop_old(NOW + timedelta(days=2)) == 0


async def test_roll_ups_have_a_partition_a_month_up_to_the_next(
    store: PartitionStore, own_sql: Sql
) -> None:
    await store.make(date(2027, 1, 2))
    months = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass" \
        " AND inhrelid::regclass::text ~ '_20(26(1[12])|27..)$' ORDER BY 1"  # fmt: skip
    for table in ("ic3_rollup_5m", "ic3_rollup_1h"):
        expected = [(f"{table}_{month}",) for month in ("202612", "202701", "202702")]
        assert own_sql(months, table)[-3:] == expected


async def test_five_minutes_are_kept_for_their_days_and_hours_for_good(
    own_database: Database, own_sql: Sql
) -> None:
    store = PartitionStore(own_database, raw_days=3, rollup_days=40)
    await store.make(DAY)
    for table in ("ic3_rollup_5m", "ic3_rollup_1h"):
        own_sql(
            f"INSERT INTO {table} SELECT at, 1, 't', 1, 1, 1, 1, 1, 1, 1, 1, at, 1, at, 0, 0"
            " FROM unnest(ARRAY['2027-01-01Z', '2027-02-01Z']::timestamptz[]) at"
        )
    await store.drop_old(NOW.replace(year=2027, month=3, day=12))  # 40 days after 31 January
    await store.make(date(2027, 3, 12))
    kept = "SELECT count(*), min(bucket_at)::date::text FROM "
    assert own_sql(kept + "ic3_rollup_5m") == [(2, "2027-01-01")]
    await store.drop_old(NOW.replace(year=2027, month=3, day=13))
    assert own_sql(kept + "ic3_rollup_5m") == [(1, "2027-02-01")]
    assert own_sql(kept + "ic3_rollup_1h") == [(2, "2027-01-01")]


async def test_what_was_made_for_today_is_never_dropped_today(store: PartitionStore) -> None:
    await store.make(DAY)
    at_midnight = NOW.replace(year=2027, month=1, day=10, hour=23, minute=59)
    await store.drop_old(at_midnight)
    assert await store.make(DAY) == 0


async def test_the_default_partition_is_trimmed_by_the_time_of_receipt(
    store: PartitionStore, own_database: Database, own_sql: Sql
) -> None:
    await RegisterStore(own_database).import_rows(
        {"register": [{"serialnumber": "A"}, {"serialnumber": "B"}]}
    )
    four_days_ago_us = NOW_US - 4 * 86_400_000_000
    await save(
        TelemetryStore(own_database),
        envelope("A", at="2010-01-01T00:00:00Z", received_us=four_days_ago_us),
        envelope("B", at="2010-01-01T00:00:00Z"),
        envelope("stranger", at="2099-01-01T00:00:00Z", received_us=four_days_ago_us),
        envelope("regular", at=AT, received_us=four_days_ago_us),
    )
    own_sql(
        "INSERT INTO ic3_asset_monitoring_data (asset_id, tag_code, param_id, recorded_at)"
        " SELECT asset_id, tag, 1, '2010-01-01Z' FROM ic3_asset_master, unnest(ARRAY['x', 'y']) tag"
    )
    await store.drop_old(NOW)
    assert own_sql("SELECT asset_id FROM telemetry ORDER BY 1") == [("B",), ("regular",)]
    assert own_sql(
        "SELECT DISTINCT serialnumber, count(*) FROM ic3_asset_monitoring_data"
        " JOIN ic3_asset_master USING (asset_id) GROUP BY 1"
    ) == [("B", 2)]


async def test_runs_and_sweeps_are_kept_for_a_bounded_time(
    store: PartitionStore, own_sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "RUN_LOG_DAYS", 1)
    own_sql(
        "INSERT INTO ic3_ingest_run_log (run_at, sweep_id)"
        " SELECT %s::timestamptz - n * interval '10 seconds', n FROM generate_series(0, 15000) n",
        NOW,
    )
    own_sql(
        "INSERT INTO ic3_sweep (id, begun_at, ended_at, keys_scanned, matched, unmatched,"
        " unchanged, accepted, stored, duplicate, deferred, list_duplicates, list_rejected,"
        " failed, quarantined, tags_rejected, phase_ms, simulated)"
        " SELECT sweep_id, run_at, run_at, 0, 0, 0, 0, 0, 0, 0, 0, 0, '{}', '{}', '{}', '{}',"
        " '{}', true FROM ic3_ingest_run_log"
    )
    await store.drop_old(NOW)
    for table in ("ic3_ingest_run_log", "ic3_sweep"):
        assert own_sql(f"SELECT count(*) FROM {table}") == [(8641,)]
    assert own_sql("SELECT min(run_at) FROM ic3_ingest_run_log") == [(NOW - timedelta(days=1),)]


async def test_dead_letter_keeps_the_items_seen_last(
    store: PartitionStore, own_database: Database, own_sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter, "KEPT_ROWS", 2)
    telemetry = TelemetryStore(own_database)
    for number, name in enumerate("abcda"):
        sweep = swept(begun_at=NOW + timedelta(seconds=number))
        sweep.reject(Rejected("inner", "bad_json", name, name.encode(), 1))
        await telemetry.save(sweep, now_us=NOW_US)
    await store.drop_old(NOW)
    assert own_sql("SELECT key FROM dead_letter ORDER BY 1") == [(b"a",), (b"d",)]


@pytest.mark.parametrize("table", TABLES)
def test_names_of_partitions_sort_by_day(table: str) -> None:
    days = [date(2026, 9, 30), date(2026, 10, 1), date(2027, 1, 1)]
    names = [partition_name(table, day) for day in days]
    assert names == sorted(names)
    assert names[0] == f"{table}_20260930"
