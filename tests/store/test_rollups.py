"""Roll-ups equal what the raw rows make afresh, whatever the order of arrival."""

import asyncio
import random
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest
from samples import NOW, NOW_US, Sql, envelope, swept

from ic3.domain import counters
from ic3.domain.acts import Actor
from ic3.domain.envelope import Envelope
from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.mapping import Register
from ic3.errors import StartError
from ic3.store import migrate
from ic3.store.mappings import MappingStore
from ic3.store.migrate import migrations
from ic3.store.monitoring import MonitoringStore, NotStored
from ic3.store.parameters import ParameterStore
from ic3.store.pool import Database
from ic3.store.register import RegisterStore
from ic3.store.rollups import RollupStore

ZONE: Final = "Asia/Kolkata"
COLUMNS: Final = """bucket_at, asset_id, tag_code, param_id, row_count, good_count, used_count,
    value_sum, value_min, value_max, first_value, first_at, last_value, last_at, increase, resets"""
# The same figures by other means: no roll-up is read, and counters follow one after the other.
AFRESH: Final = """
WITH used AS (
    SELECT d.*, %(bucket)s AS bucket_at,
        CASE WHEN quality < 2 AND abs(value_num) < 1e300 THEN value_num END AS used,
        kind, range_high
    FROM ic3_asset_monitoring_data d JOIN ic3_parameter_master USING (param_id)
    WHERE recorded_at < %(end)s),
stepped AS (
    SELECT *, lag(used) OVER (PARTITION BY asset_id, tag_code, bucket_at, used IS NULL
        ORDER BY recorded_at) AS previous
    FROM used)
SELECT bucket_at, asset_id, tag_code, (array_agg(param_id ORDER BY recorded_at DESC))[1],
    count(*), count(*) FILTER (WHERE quality = 0), count(used),
    sum(used ORDER BY recorded_at), min(used), max(used),
    (array_agg(used ORDER BY recorded_at) FILTER (WHERE used IS NOT NULL))[1],
    min(recorded_at) FILTER (WHERE used IS NOT NULL),
    (array_agg(used ORDER BY recorded_at DESC) FILTER (WHERE used IS NOT NULL))[1],
    max(recorded_at) FILTER (WHERE used IS NOT NULL),
    sum(CASE WHEN previous IS NULL THEN 0 WHEN used >= previous THEN used - previous
        WHEN previous > 0.9 * range_high AND used < 0.1 * range_high
            THEN range_high - previous + used
        ELSE used END ORDER BY recorded_at) FILTER (WHERE kind = 'counter' AND used IS NOT NULL),
    count(*) FILTER (WHERE kind = 'counter' AND used < previous
        AND NOT (previous > 0.9 * range_high AND used < 0.1 * range_high))
FROM stepped GROUP BY bucket_at, asset_id, tag_code ORDER BY 1, 2, 3
"""
WRITTEN: Final = """
SELECT xmin, ctid FROM ic3_rollup_5m UNION ALL SELECT xmin, ctid FROM ic3_rollup_1h
"""
BUCKETS: Final = {
    "ic3_rollup_5m": "date_bin('5 minutes', recorded_at, 'epoch')",
    "ic3_rollup_1h": f"date_trunc('hour', recorded_at, '{ZONE}')",
}
ASHA: Final = Actor("asha", "engineer", "127.0.0.1")
CLOSED_AT: Final = datetime(2026, 6, 15, 1, 40, tzinfo=UTC)
REGISTER: Final[dict[str, list[dict[str, object]]]] = {
    "register": [{"serialnumber": name} for name in "ABC"],
    "parameters": [
        {"param_tag_code": "FLOW", "parameter_name": "Flow", "unit": "m3/h", "kind": "gauge"},
        {"param_tag_code": "VOLUME", "parameter_name": "Volume", "unit": "m3", "kind": "counter",
         "range_high": 1000},
        {"param_tag_code": "MODE", "parameter_name": "Mode", "kind": "text"},
    ],
    "tagmap": [
        {"serialnumber": name, "tag_code": tag, "param_tag_code": tag}
        for name in "ABC" for tag in ("FLOW", "VOLUME", "MODE")
    ],
}  # fmt: skip


@pytest.fixture
async def register(database: Database, sql: Sql) -> Register:
    sql("DELETE FROM ic3_rollup_5m")
    sql("DELETE FROM ic3_rollup_1h")
    sql("DELETE FROM ic3_rollup_dirty")
    sql("DELETE FROM ic3_rollup_zone")
    registers = RegisterStore(database)
    await registers.import_rows(REGISTER)
    return await registers.load_if_changed(Register())


@pytest.fixture
def monitoring(database: Database) -> MonitoringStore:
    return MonitoringStore(database)


@pytest.fixture
def rollups(database: Database) -> RollupStore:
    return RollupStore(database, zone=ZONE, raw_days=3)


def history(seed: int, moments: int = 400) -> list[Envelope]:
    """A day and a half before NOW: gaps, resets, rollovers, texts and huge numbers."""
    rng = random.Random(seed)
    volume = dict.fromkeys("ABC", 900.0)
    found = []
    at = NOW - timedelta(hours=36)
    for number in range(moments):
        at += timedelta(seconds=rng.choice([0.000001, 15, 15, 70, 900]))
        for name in rng.sample("ABC", rng.randint(0, 3)):
            volume[name] = (volume[name] + rng.choice([0, 0.25, 7, 40])) % 1000
            if rng.random() < 0.02:
                volume[name] = rng.choice([0.0, 5.0, 300.0])
            values: dict[str, object] = {
                "FLOW": rng.choice([0.1, -3.5, 1e299, 1.7e308, 12, None]),
                "VOLUME": volume[name], "MODE": rng.choice(["auto", "manual"]),
            }  # fmt: skip
            found.append(
                envelope(name, record=f"{name}-{number}", values=values, at=at.isoformat())
            )
    return found


async def write(store: MonitoringStore, register: Register, envelopes: Sequence[Envelope]) -> None:
    latest = LatestReadings()
    latest.register = register
    done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    done.set_result(True)
    sweep = swept(*envelopes)
    await store.fill(sweep, Movement(latest, envelopes, now_us=NOW_US), stored=done)


async def roll_up(rollups: RollupStore, now: datetime = NOW) -> int:
    """Roll up all that is marked; answers how many rows changed."""
    total = 0
    while (changed := await rollups.roll_up(now)) is not None:
        total += changed
    return total


def kept(sql: Sql, table: str) -> list[tuple[Any, ...]]:
    return sql(f"SELECT {COLUMNS} FROM {table} ORDER BY 1, 2, 3".encode())


def afresh(sql: Sql, table: str, end: datetime = CLOSED_AT) -> list[tuple[Any, ...]]:
    statement = AFRESH.replace("%(bucket)s", BUCKETS[table])
    return sql(statement.replace("%(end)s", f"'{end.isoformat()}'").encode())


def assert_equal_to_raw(sql: Sql) -> None:
    five, hour = (kept(sql, table) for table in BUCKETS)
    assert five == afresh(sql, "ic3_rollup_5m")
    expected = afresh(sql, "ic3_rollup_1h")
    assert len(hour) == len(expected) > 0
    for ours, theirs in zip(hour, expected, strict=True):
        assert ours == tuple(
            pytest.approx(each, rel=1e-12) if isinstance(each, float) else each for each in theirs
        )


@pytest.mark.parametrize("seed", range(3))
async def test_in_any_order_of_arrival_roll_ups_equal_the_raw_rows(
    monitoring: MonitoringStore, rollups: RollupStore, register: Register, sql: Sql, seed: int
) -> None:
    sent = history(seed)
    rng = random.Random(seed)
    rng.shuffle(sent)
    sent += rng.sample(sent, 30)
    while sent:
        number = rng.randint(1, 60)
        batch, sent = sent[:number], sent[number:]
        await write(monitoring, register, batch)
        if rng.random() < 0.5:
            await roll_up(rollups)
    sql(
        "UPDATE ic3_asset_monitoring_data SET quality = 2 WHERE recorded_at < %s"
        " AND asset_id = (SELECT min(asset_id) FROM ic3_asset_master)", NOW - timedelta(hours=30),
    )  # fmt: skip
    sql("INSERT INTO ic3_rollup_dirty (bucket_at) SELECT DISTINCT bucket_at FROM ic3_rollup_5m")
    await roll_up(rollups)
    assert_equal_to_raw(sql)
    assert sql("SELECT count(*) FROM ic3_rollup_5m WHERE resets > 0")[0][0] > 0


async def test_what_is_rolled_up_already_is_neither_marked_nor_written_again(
    monitoring: MonitoringStore, rollups: RollupStore, register: Register, sql: Sql
) -> None:
    sent = history(7, 60)
    await write(monitoring, register, sent)
    assert await roll_up(rollups) > 0
    versions = sql(
        "SELECT xmin, ctid FROM ic3_rollup_5m UNION ALL SELECT xmin, ctid FROM ic3_rollup_1h"
    )
    assert await rollups.roll_up(NOW) is None
    await write(monitoring, register, sent)
    assert await roll_up(rollups) == 0
    assert sql(WRITTEN) == versions


async def test_a_bucket_is_rolled_up_once_it_has_ended(
    monitoring: MonitoringStore, rollups: RollupStore, register: Register, sql: Sql
) -> None:
    await write(monitoring, register, [envelope("A", at=NOW.isoformat(), values={"FLOW": 2})])
    assert await rollups.roll_up(NOW + timedelta(minutes=2, seconds=59)) is None
    assert await rollups.roll_up(NOW + timedelta(minutes=3)) == 1
    (row,) = kept(sql, "ic3_rollup_5m")
    assert (row[0], row[4:10]) == (CLOSED_AT, (1, 1, 1, 2.0, 2.0, 2.0))
    (hour,) = kept(sql, "ic3_rollup_1h")
    assert hour[0] == datetime(2026, 6, 15, 1, 30, tzinfo=UTC)  # 07:00 in Delhi


async def test_times_of_the_future_and_from_before_the_horizon_never_enter(
    monitoring: MonitoringStore, rollups: RollupStore, register: Register, sql: Sql
) -> None:
    times = ["2026-06-25T00:00:00Z", "1999-12-31T23:59:59Z", "2026-06-11T23:59:59Z"]
    sent = [
        envelope("A", record=at, at=at, values={"FLOW": 1})
        for at in [*times, "2026-06-12T00:00:00Z"]
    ]
    await write(monitoring, register, sent)
    await roll_up(rollups)
    assert [row[0] for row in kept(sql, "ic3_rollup_5m")] == [datetime(2026, 6, 12, tzinfo=UTC)]
    await roll_up(rollups, NOW + timedelta(days=11))
    assert len(kept(sql, "ic3_rollup_5m")) == 1
    assert sql("SELECT count(*) FROM ic3_rollup_dirty") == [(0,)]


async def test_roll_ups_outlive_the_rows_they_were_made_of(
    monitoring: MonitoringStore, rollups: RollupStore, register: Register, sql: Sql
) -> None:
    await write(monitoring, register, history(3, 50))
    await roll_up(rollups)
    before = kept(sql, "ic3_rollup_5m")
    sql("DELETE FROM ic3_asset_monitoring_data")
    sql("INSERT INTO ic3_rollup_dirty (bucket_at) SELECT DISTINCT bucket_at FROM ic3_rollup_5m")
    await roll_up(rollups)
    assert kept(sql, "ic3_rollup_5m") == before


async def test_rows_that_are_not_committed_leave_no_mark(
    monitoring: MonitoringStore, register: Register, sql: Sql
) -> None:
    latest = LatestReadings()
    latest.register = register
    failed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    failed.set_result(False)
    sent = history(3, 20)
    with pytest.raises(NotStored):
        await monitoring.fill(swept(*sent), Movement(latest, sent, now_us=NOW_US), stored=failed)
    assert sql("SELECT count(*) FROM ic3_rollup_dirty") == [(0,)]


@pytest.mark.parametrize(
    "cells",
    [{"range_high": 1050}, {"kind": "gauge"}, {"kind": "text", "range_high": 1050}],
    ids=["another end", "no counter any more", "both"],
)
@pytest.mark.parametrize("by", ["file", "hand"])
async def test_a_counter_of_another_kind_or_range_is_rolled_up_again(
    database: Database, monitoring: MonitoringStore, rollups: RollupStore, register: Register,
    sql: Sql, by: str, cells: dict[str, object],
) -> None:  # fmt: skip
    await write(monitoring, register, history(11))
    # One that rolls over between two buckets of an hour: no five minutes differ, the hour does.
    await write(monitoring, register, [
        envelope("A", record=at, at=at, values={"VOLUME": number})
        for at, number in [("2026-06-15T01:34:59Z", 904), ("2026-06-15T01:35:00Z", 3)]
    ])  # fmt: skip
    await roll_up(rollups)
    assert_equal_to_raw(sql)
    before = [kept(sql, table) for table in BUCKETS]
    changed = {"param_tag_code": "VOLUME", "parameter_name": "Volume", **cells}
    if by == "file":
        await MappingStore(database).import_file(ASHA, "parameters", [changed])
    else:
        await ParameterStore(database).change(ASHA, "VOLUME", cells, if_match="*")
    await roll_up(rollups)
    assert_equal_to_raw(sql)
    assert [kept(sql, table) for table in BUCKETS] != before


async def test_what_does_not_enter_the_roll_ups_marks_nothing(
    database: Database, monitoring: MonitoringStore, rollups: RollupStore, register: Register,
    sql: Sql,
) -> None:  # fmt: skip
    await write(monitoring, register, history(11, 40))
    await roll_up(rollups)
    for code, cells in (
        ("FLOW", {"range_high": 7}), ("FLOW", {"kind": "state"}), ("MODE", {"unit": "x"}),
        ("VOLUME", {"unit": "l", "range_low": -5, "decimals": 2}),
        ("VOLUME", {"kind": "counter", "range_high": 1000}), ("NEW", {"kind": "counter"}),
    ):  # fmt: skip
        row = {"param_tag_code": code, "parameter_name": code, **cells}
        await MappingStore(database).import_file(ASHA, "parameters", [row])
    assert sql("SELECT count(*) FROM ic3_rollup_dirty") == [(0,)]


async def test_only_assets_with_the_parameter_are_rolled_up_again(
    database: Database, monitoring: MonitoringStore, rollups: RollupStore, register: Register,
    sql: Sql,
) -> None:  # fmt: skip
    at = "2026-06-15T01:20:00Z"
    await write(monitoring, register, [
        envelope("A", at=at, values={"VOLUME": 1}), envelope("B", at=at, values={"FLOW": 1}),
    ])  # fmt: skip
    await roll_up(rollups)
    sql("DELETE FROM ic3_asset_tag_map")  # what is stored keeps its parameter
    row = {"param_tag_code": "VOLUME", "parameter_name": "Volume", "kind": "gauge"}
    await MappingStore(database).import_file(ASHA, "parameters", [row])
    assert sql("SELECT bucket_at, asset_ids FROM ic3_rollup_dirty") == [
        (datetime(2026, 6, 15, 1, 20, tzinfo=UTC), [register.assets["A"].register_id])
    ]


async def test_rows_of_before_there_were_roll_ups_are_marked_by_the_migration(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: [e for e in every if e.version < 5])
    await migrate.migrate(empty_dsn, adopt_zone=ZONE)
    with psycopg.connect(empty_dsn, autocommit=True, options="-c timezone=UTC") as connection:
        connection.execute(
            "CREATE TABLE day PARTITION OF ic3_asset_monitoring_data"
            " FOR VALUES FROM ('2026-06-15Z') TO ('2026-06-16Z');"
            " INSERT INTO ic3_asset_monitoring_data (asset_id, tag_code, param_id, recorded_at)"
            " SELECT 1, 'P', 1, at FROM unnest(ARRAY['2001-01-01Z', '2026-06-15T00:01Z',"
            " '2026-06-15T00:12Z']::timestamptz[]) at"
        )
        monkeypatch.undo()
        await migrate.migrate(empty_dsn, adopt_zone=ZONE)
        marked = "SELECT to_char(bucket_at, 'DD HH24:MI'), asset_ids FROM ic3_rollup_dirty"
        assert sorted(connection.execute(marked).fetchall()) == [
            ("15 00:00", None), ("15 00:05", None), ("15 00:10", None),
        ]  # fmt: skip


ROLL_UP_FOR_EVER: Final = """
import asyncio, sys
from datetime import datetime
from ic3.clock import Clock
from ic3.store import rollups
from ic3.store.pool import Database
async def main():
    pool = Database(sys.argv[1], name="killed", size=1, statement_timeout_s=20, clock=Clock())
    await pool.open()
    store = rollups.RollupStore(pool, zone="Asia/Kolkata", raw_days=3)
    while await store.roll_up(datetime.fromisoformat(sys.argv[2])) is not None:
        print("one", flush=True)
asyncio.run(main())
"""


async def test_killed_at_any_point_the_roll_up_is_finished_by_the_next(
    monitoring: MonitoringStore, rollups: RollupStore, register: Register, sql: Sql, dsn: str
) -> None:
    await write(monitoring, register, history(5))
    for portions in (0, 1, 3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ROLL_UP_FOR_EVER, dsn, NOW.isoformat(),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        for _ in range(portions + 1):
            await process.stdout.readline()
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        assert sql("SELECT count(*) FROM ic3_rollup_dirty")[0][0] > 0
    await roll_up(rollups)
    assert_equal_to_raw(sql)


async def test_hours_of_another_minute_are_never_mixed_in(
    database: Database, rollups: RollupStore, monitoring: MonitoringStore, register: Register
) -> None:
    def of(zone: str) -> RollupStore:
        return RollupStore(database, zone=zone, raw_days=3)

    await of("UTC").settle_zone(NOW)
    await rollups.settle_zone(NOW)  # nothing is rolled up yet
    await write(monitoring, register, history(3, 20))
    await roll_up(rollups)
    await of("Asia/Colombo").settle_zone(NOW)  # half an hour, too
    with pytest.raises(StartError) as caught:
        await of("UTC").settle_zone(NOW)
    assert str(caught.value) == (
        "history: the hours kept in this database begin as in Asia/Colombo, those of UTC at another"
        " minute; set IC3_ZONE back"
    )


STEPS: Final = """
SELECT ic3_counter_step(previous, value, top), ic3_counter_reset(previous, value, top) IS TRUE
FROM unnest(%s::float8[], %s::float8[], %s::float8[]) WITH ORDINALITY
    AS given (previous, value, top, number) ORDER BY number
"""


def test_the_database_counts_as_the_program_does(sql: Sql) -> None:
    edges = [None, -5.0, 0.0, 9.99, 10.0, 50.0, 90.0, 90.1, 99.9, 100.0, 101.0, 1e299]
    cases = [
        (previous, value, top)
        for previous in edges for value in edges[1:] for top in (None, 0.0, -1.0, 100.0)
        if value is not None
    ]  # fmt: skip
    found = sql(STEPS, *(list(column) for column in zip(*cases, strict=True)))
    assert found == [
        (counters.step(previous, value, range_high=top),
         counters.was_reset(previous, value, range_high=top))
        for previous, value, top in cases
    ]  # fmt: skip
