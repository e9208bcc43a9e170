"""The past of an asset is read from its partitions only, by index, however large they are."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest

from ic3.clock import Clock
from ic3.store import history, rollups
from ic3.store.partitions import PartitionStore
from ic3.store.pool import Database

NOW: Final = datetime(2026, 6, 15, 12, tzinfo=UTC)
BEGIN: Final = NOW - timedelta(days=30)
FIGURES: Final = "1, 1, 1, 1, 1, 1, 1, at, 1, at, 0, 0"
FILL: Final = f"""
INSERT INTO ic3_parameter_master (parameter_name, param_tag_code)
    SELECT 'Parameter ' || n, 'P' || n FROM generate_series(1, 60) n;
INSERT INTO ic3_asset_monitoring_data (asset_id, tag_code, param_id, value_num, recorded_at)
    SELECT asset, 'P1', 1, 1, at FROM generate_series(1, 50) asset,
        generate_series('{BEGIN}'::timestamptz, '{NOW}', '30 minutes') at;
INSERT INTO ic3_rollup_5m SELECT at, asset, 'P1', 1, {FIGURES} FROM generate_series(1, 50) asset,
        generate_series('{BEGIN}'::timestamptz, '{NOW}', '30 minutes') at;
INSERT INTO ic3_rollup_1h SELECT at, asset, 'P1', 1, {FIGURES} FROM generate_series(1, 50) asset,
        generate_series('{BEGIN}'::timestamptz, '{NOW}', '1 hour') at;
"""
PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")
STATEMENTS: Final = {
    "RAW_PAGE": history.RAW_PAGE, "BUCKETS": history.BUCKETS, "ROLL_UP": rollups.ROLL_UP,
    "ROLL_UP_HOURS": rollups.ROLL_UP_HOURS,
}  # fmt: skip


def raw_page(begin: datetime, end: datetime) -> dict[str, Any]:
    return {"register_id": 7, "from_at": begin, "to_at": end, "after_tag": "", "tags": None,
            "limit": 4000}  # fmt: skip


def buckets(begin: datetime, end: datetime, unit: str | None) -> dict[str, Any]:
    hours_to = begin if unit is None else NOW - timedelta(hours=1)
    return {
        "register_id": 7, "back_to": begin - timedelta(days=1), "hours_to": hours_to,
        "tags": ["P1"], "minutes_to": NOW - timedelta(minutes=5), "to_at": end, "unit": unit,
        "zone": "Asia/Kolkata", "from_at": begin,
    }  # fmt: skip


SPANS: Final[dict[str, Any]] = {
    "register_ids": [7, 8], "from_at": [NOW - timedelta(hours=5)] * 2,
    "to_at": [NOW - timedelta(hours=4)] * 2,
}  # fmt: skip
HOURS: Final = {"zone": "Asia/Kolkata", "register_ids": [7, 8], "from_at": SPANS["from_at"]}


QUESTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "RAW_PAGE": raw_page(BEGIN, NOW), "BUCKETS": buckets(BEGIN, NOW, None), "ROLL_UP": SPANS,
    "ROLL_UP_HOURS": HOURS,
}  # fmt: skip


@pytest.fixture(scope="module")
def connection(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """With partitions, all of them empty, as the pool plans."""
    asyncio.run(_make_partitions(dsn))
    with psycopg.connect(
        dsn, cursor_factory=psycopg.ClientCursor, options="-c timezone=UTC", autocommit=True
    ) as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection


@pytest.fixture(scope="module")
def unfilled(connection: psycopg.Connection[Any]) -> dict[str, dict[str, str]]:
    """What is read by plans made before there was a row."""
    return {name: scans(connection, name, values) for name, values in QUESTIONS.items()}


@pytest.fixture(scope="module")
def filled(
    connection: psycopg.Connection[Any], unfilled: dict[str, dict[str, str]]
) -> psycopg.Connection[Any]:
    assert unfilled
    connection.execute(FILL)
    connection.execute("ANALYZE")
    return connection


async def _make_partitions(dsn: str) -> None:
    pool = Database(dsn, name="ic3 test", size=1, statement_timeout_s=20, clock=Clock())
    await pool.open()
    await PartitionStore(pool, raw_days=31).make(NOW.date())
    await pool.close()


def scans(
    connection: psycopg.Connection[Any], name: str, values: Mapping[str, Any]
) -> dict[str, str]:
    """Partitions that a statement reads by the plan that holds for any parameters, and how."""
    numbers = {given: f"${number}" for number, given in enumerate(values, 1)}
    statement = PLACEHOLDER.sub(lambda found: numbers[found[1]], STATEMENTS[name])
    connection.execute(f"PREPARE planned AS {statement}".encode())
    arguments = ", ".join(["%s"] * len(values))
    cursor = connection.execute(
        f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE planned ({arguments})".encode(),
        list(values.values()),
    )
    [row] = cursor.fetchall()
    connection.execute("DEALLOCATE planned")
    return dict(_scans(row[0][0]["Plan"]))


def _scans(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    relation, kind = plan.get("Relation Name", ""), plan["Node Type"]
    if re.fullmatch(r"ic3_\w+_(\d+|default)", relation) and plan["Actual Loops"]:
        yield relation, kind
    if kind == "Bitmap Heap Scan":
        return  # its index is named by itself
    for child in plan.get("Plans", ()):
        yield from _scans(child)


def days(first: date, last: date) -> set[str]:
    number = (last - first).days + 1
    return {
        f"ic3_asset_monitoring_data_{first + timedelta(days=each):%Y%m%d}" for each in range(number)
    }


def without_default(found: Mapping[str, str]) -> set[str]:
    """DEFAULT is always looked into; it holds next to nothing."""
    return {name for name in found if not name.endswith("_default")}


def ways(found: Mapping[str, str]) -> set[str]:
    return {found[name] for name in without_default(found)}


BY_INDEX: Final = {"Index Scan", "Bitmap Heap Scan"}


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_plans_made_while_the_partitions_were_empty_read_by_index(
    unfilled: dict[str, dict[str, str]], name: str
) -> None:
    assert without_default(unfilled[name])
    assert ways(unfilled[name]) <= BY_INDEX


@pytest.mark.parametrize("first", [BEGIN, NOW - timedelta(days=1)])
def test_raw_readings_of_an_asset_are_read_by_index_from_the_days_asked_for(
    filled: psycopg.Connection[Any], first: datetime
) -> None:
    found = scans(filled, "RAW_PAGE", raw_page(first, NOW))
    assert without_default(found) == days(first.date(), NOW.date())
    assert ways(found) <= BY_INDEX


@pytest.mark.parametrize(("unit", "table"), [(None, "ic3_rollup_5m"), ("day", "ic3_rollup_1h")])
def test_buckets_of_an_asset_are_read_by_index(
    filled: psycopg.Connection[Any], unit: str | None, table: str
) -> None:
    found = scans(filled, "BUCKETS", buckets(BEGIN, NOW, unit))
    assert {f"{table}_202605", f"{table}_202606"} <= set(found)
    raw = {name for name in without_default(found) if name.startswith("ic3_asset_monitoring")}
    assert raw <= days(NOW.date(), NOW.date())
    assert ways(found) <= BY_INDEX


def test_the_roll_up_reads_the_days_of_its_spans_by_index(
    filled: psycopg.Connection[Any],
) -> None:
    found = scans(filled, "ROLL_UP", SPANS)
    assert without_default(found) == days(NOW.date(), NOW.date())
    assert ways(found) <= BY_INDEX
    found = scans(filled, "ROLL_UP_HOURS", HOURS)
    assert without_default(found) == {"ic3_rollup_5m_202606"}
    assert ways(found) <= BY_INDEX
