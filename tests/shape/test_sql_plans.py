"""Every SQL constant of the store is planned by PostgreSQL, on data large enough for an index.

A constant that is new stands in PARAMETERS with what it is run with, or in NOT_PLANNED with the
reason.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest
from psycopg.types.json import Jsonb

import ic3.store

NOW: Final = datetime(2026, 6, 15, 12, tzinfo=UTC)
LAST_SWEEP: Final = 500

FILL: Final = """
INSERT INTO ic3_asset_master (serialnumber, domain)
    SELECT 'asset ' || n, 'DEL-D08' FROM generate_series(1, 20000) n;
INSERT INTO ic3_parameter_master (parameter_name, param_tag_code)
    SELECT 'Parameter ' || n, 'P' || n FROM generate_series(1, 200) n;
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id)
    SELECT asset_id, 'P' || n, n FROM ic3_asset_master, generate_series(1, 2) n;
INSERT INTO telemetry (occurred_at, asset_id, record_id, values, occurred_nanoseconds, received_at,
    content_hash, sweep_id)
    SELECT '2026-06-13Z'::timestamptz + n * interval '5 seconds', 'asset ' || n % 20000 + 1,
        'r' || n, '{"P1": 1, "P2": 2}', 0,
        '2026-06-13Z'::timestamptz + n * interval '5 seconds', '\\x00', n / 100 + 1
    FROM generate_series(0, 49999) n;
INSERT INTO asset_latest (asset_id, record_id, occurred_at, values, occurred_nanoseconds,
    received_at, content_hash, sweep_id)
    SELECT DISTINCT ON (asset_id) asset_id, record_id, occurred_at, values, 0, received_at,
        content_hash, sweep_id FROM telemetry ORDER BY asset_id, occurred_at DESC;
INSERT INTO assets (asset_id, first_seen_at, last_seen_at)
    SELECT asset_id, received_at, received_at FROM asset_latest;
INSERT INTO ic3_sweep (id, begun_at, ended_at, keys_scanned, matched, unmatched, unchanged,
    accepted, stored, duplicate, deferred, list_duplicates, list_rejected, failed, quarantined,
    tags_rejected, phase_ms, simulated)
    SELECT n, '2026-06-15Z'::timestamptz - (20000 - n) * interval '15 seconds', now(), 0, 0, 0, 0,
        0, 0, 0, 0, 0, '{}', '{}', '{}', '{}', '{}', true FROM generate_series(1, 20000) n;
INSERT INTO ic3_ingest_run_log (run_at, sweep_id) SELECT begun_at, id FROM ic3_sweep;
INSERT INTO ic3_asset_monitoring_data (asset_id, tag_code, param_id, value_num, recorded_at)
    SELECT m.asset_id, 'P1', 1, 1, t.occurred_at
    FROM telemetry t JOIN ic3_asset_master m ON m.serialnumber = t.asset_id;
INSERT INTO ic3_asset_monitoring_latest (asset_id, readings)
    SELECT asset_id, '[]' FROM ic3_asset_master;
INSERT INTO dead_letter (scope, reason, key, raw, raw_length, raw_sha256, first_seen_at,
    last_seen_at, times_seen)
    SELECT 'inner', 'bad_json', '\\x00', '\\x00', 1, sha256(n::text::bytea), now(),
        now() - n * interval '1 second', 1 FROM generate_series(1, 5000) n;
INSERT INTO ic3_asset_state (serial, state, since) SELECT asset_id, 'fresh', now() FROM assets;
INSERT INTO ic3_feed_event (at, serial, event)
    SELECT '2026-06-15Z'::timestamptz - (20000 - n) * interval '15 seconds', 'asset ' || n, 'state'
    FROM generate_series(1, 20000) n;
INSERT INTO ic3_user (username, password_hash, role)
    SELECT 'user ' || n, 'hash', 'viewer' FROM generate_series(1, 3000) n;
"""
ANALYZE: Final = "ANALYZE"

SPAN: Final = {"first": NOW - timedelta(days=1), "last": NOW}
TEXTS_OF_AN_ASSET: Final = {"rows": Jsonb([{"serialnumber": "asset 1"}])}
SWEEP_ROW: Final[Mapping[str, object]] = {
    "id": 1, "begun_at": NOW, "ended_at": NOW, "keys_scanned": 0, "matched": 0, "unmatched": 0,
    "unchanged": 0, "accepted": 0, "stored": 0, "duplicate": 0, "deferred": 0,
    "list_duplicates": 0, "list_rejected": Jsonb({}), "failed": Jsonb({}),
    "quarantined": Jsonb({}), "tags_rejected": Jsonb({}), "phase_ms": Jsonb({}),
    "simulated": True, "error": None, "origin": "live", "times": Jsonb({}),
}  # fmt: skip
RUN_ROW: Final[Mapping[str, object]] = {
    "run_at": NOW, "keys_scanned": 0, "matched": 0, "unmatched": 0, "rows_inserted": 0,
    "tags_skipped": 0, "duration_ms": 0, "error_msg": None, "sweep_id": 1,
}  # fmt: skip

PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "dead_letter.KEEP": {
        "scope": "inner", "reason": "bad_json", "detail": None, "key": b"k", "raw": b"{",
        "raw_length": 1, "sha256": b"x", "sweep_id": 1, "seen_at": NOW,
    },
    "dead_letter.TRIM": {"keep": 4000},
    "migrate.APPLIED": {},
    "migrate.IN_THE_WAY": {},
    "migrate.LOCK": {"key": 1},
    "migrate.LOG_EXISTS": {},
    "migrate.NUMBER_ON": {},
    "migrate.RECORD": {"version": 1, "name": "initial", "checksum": "x"},
    "migrate.SERVER_VERSION": {},
    "migrate.WITHOUT_NUMBERING": {},
    "migrate.ZONELESS_RUNS": {},
    "monitoring.ALL_LATEST": {},
    "monitoring.INSERT_RUN": RUN_ROW,
    "monitoring.INSERT_STAGED": {},
    "monitoring.LOCK_LATEST": {"register_ids": [1]},
    "monitoring.MOVE_LATEST": {"register_ids": [1], "readings": ["[]"]},
    "monitoring.RECENT_RUNS": {"limit": 20},
    "monitoring.UNLOGGED_SWEEPS": {},
    "partitions.EXISTING": {"table": "telemetry"},
    "partitions.TAKE_TURN": {},
    "partitions.TRIM_DEFAULT": {"before": NOW},
    "partitions.TRIM_DEFAULT_READINGS": {"before": NOW},
    "partitions.TRIM_RUNS": {"before": NOW - timedelta(days=3)},
    "partitions.TRIM_SWEEPS": {"before": NOW - timedelta(days=3)},
    "register.ASSETS": {},
    "register.ASSET_BY_SERIAL": {"serial": "asset 4711"},
    "register.COUNT_ASSETS": {},
    "register.IMPORT_ASSETS": TEXTS_OF_AN_ASSET,
    "register.IMPORT_DMAS": {"rows": Jsonb([{"dma_id": "DEL-D01-A1"}])},
    "register.IMPORT_PARAMETERS": {"rows": Jsonb([{"param_tag_code": "P1"}])},
    "register.IMPORT_TAGS": TEXTS_OF_AN_ASSET,
    "register.PARAMETERS": {},
    "register.SERIALS": {"codes": ["asset 1", "asset 2"]},
    "register.TAG_CODES": {"codes": ["P1"]},
    "register.TAG_MAP": {},
    "register.VERSION": {},
    "states.KEEP_EVENTS": {"rows": Jsonb([])},
    "states.KEEP_STATES": {"rows": Jsonb([])},
    "states.KNOWN_STATES": {},
    "states.RECENT_EVENTS": {"limit": 100},
    "states.TRIM_EVENTS": {"before": NOW - timedelta(days=3)},
    "states.TRIM_MANY_EVENTS": {"keep": 4000},
    "telemetry.ENVELOPES_OF_SWEEPS": {"after": LAST_SWEEP - 1, "last": LAST_SWEEP, "limit": 10**7},
    "telemetry.INSERT_STAGED": {},
    "telemetry.INSERT_SWEEP": SWEEP_ROW,
    "telemetry.LAST_SWEEP_ID": {},
    "telemetry.LATEST_ASSETS": {},
    "telemetry.MOVE_LATEST": {"sweep_id": LAST_SWEEP, **SPAN},
    "telemetry.NEXT_SWEEP_ID": {},
    "telemetry.READS_ANOTHER_PLANT": {},
    "telemetry.SEE_ASSETS": {"sweep_id": LAST_SWEEP, **SPAN},
    "users.ADD": {"username": "asha", "password_hash": "x", "role": "viewer"},
    "users.ANY_ADMIN": {},
    "users.BY_NAME": {"username": "user 4711"},
    "users.REHASH": {"password_hash": "x", "user_id": 1},
}  # fmt: skip

# Where PostgreSQL cannot tell them from the statement.
TYPES: Final = {"monitoring.MOVE_LATEST": "(int[], json[])"}
PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")

STAGING: Final = ("monitoring.STAGE_READINGS", "telemetry.STAGE_TELEMETRY")
DEFINES: Final = "defines a table; EXPLAIN takes no definitions"
COPIES: Final = "COPY; EXPLAIN takes none, and it has no plan"
NOT_PLANNED: Final[Mapping[str, str]] = {
    "migrate.COMMENT_LOG": DEFINES,
    "migrate.CREATE_LOG": DEFINES,
    "monitoring.COPY_READINGS": COPIES,
    "monitoring.COPY_STAGED": COPIES,
    "monitoring.STAGE_READINGS": DEFINES,
    "telemetry.COPY_STAGED": COPIES,
    "telemetry.COPY_TELEMETRY": COPIES,
    "telemetry.STAGE_TELEMETRY": DEFINES,
}
# Read once a sweep, a request or a login: never by reading a large table from end to end.
HOT: Final[Mapping[str, Mapping[str, Any]]] = {
    name: PARAMETERS[name]
    for name in (
        "telemetry.ENVELOPES_OF_SWEEPS", "telemetry.MOVE_LATEST", "telemetry.LAST_SWEEP_ID",
        "monitoring.RECENT_RUNS", "register.ASSET_BY_SERIAL", "register.SERIALS", "users.BY_NAME",
        "users.REHASH", "states.RECENT_EVENTS",
    )
}  # fmt: skip
NEWEST_ENVELOPES: Final = {"after": LAST_SWEEP - 5760, "last": LAST_SWEEP, "limit": 500}


def _sql_constants() -> dict[str, str]:
    found = {}
    for module in pkgutil.iter_modules(ic3.store.__path__):
        content = vars(importlib.import_module(f"ic3.store.{module.name}"))
        for name, text in content.items():
            if name.isupper() and isinstance(text, str):
                found[f"{module.name}.{name}"] = text
    return found


CONSTANTS: Final = _sql_constants()


@pytest.fixture(scope="module")
def filled(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(
        dsn, cursor_factory=psycopg.ClientCursor, options="-c timezone=UTC"
    ) as connection:
        connection.execute(FILL)
        connection.execute(ANALYZE)
        connection.execute("SET plan_cache_mode = force_generic_plan")  # as the pool does
        for name in STAGING:
            connection.execute(CONSTANTS[name].encode())
        yield connection


@pytest.fixture(scope="module")
def large(filled: psycopg.Connection[Any]) -> set[str]:
    found = filled.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > 1000")
    return {row[0] for row in found}


def _explain(connection: psycopg.Connection[Any], name: str, values: Mapping[str, Any]) -> Any:
    """The generic plan of a statement, which holds for any parameters."""
    numbers = {given: f"${number}" for number, given in enumerate(values, 1)}
    statement = PLACEHOLDER.sub(lambda found: numbers[found[1]], CONSTANTS[name])
    connection.execute(f"PREPARE planned {TYPES.get(name, '')} AS {statement}".encode())
    arguments = f"({', '.join(['%s'] * len(values))})" if values else ""
    cursor = connection.execute(
        f"EXPLAIN (FORMAT JSON) EXECUTE planned {arguments}".encode(), list(values.values()) or None
    )
    [row] = cursor.fetchall()
    connection.execute("DEALLOCATE planned")
    return row[0][0]["Plan"]


def _read_whole(plan: Mapping[str, Any]) -> set[str]:
    """Relations that a plan reads from end to end."""
    here = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return here.union(*(_read_whole(child) for child in plan.get("Plans", ())))


def test_every_sql_constant_is_planned_or_says_why_not() -> None:
    assert sorted(CONSTANTS) == sorted([*PARAMETERS, *NOT_PLANNED])


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_postgresql_understands_and_plans(filled: psycopg.Connection[Any], name: str) -> None:
    assert _explain(filled, name, PARAMETERS[name])["Total Cost"] >= 0


@pytest.mark.parametrize("name", sorted(HOT))
def test_a_hot_statement_reads_no_large_table_whole(
    filled: psycopg.Connection[Any], large: set[str], name: str
) -> None:
    assert _read_whole(_explain(filled, name, HOT[name])) & large == set()


def test_the_newest_envelopes_are_read_by_index(
    filled: psycopg.Connection[Any], large: set[str]
) -> None:
    plan = _explain(filled, "telemetry.ENVELOPES_OF_SWEEPS", NEWEST_ENVELOPES)
    assert _read_whole(plan) & large == set()


def test_who_was_seen_is_looked_up_by_sweep(
    filled: psycopg.Connection[Any], large: set[str]
) -> None:
    telemetry = {name for name in large if name.startswith("telemetry")}
    assert len(telemetry) == 3
    plan = _explain(filled, "telemetry.SEE_ASSETS", PARAMETERS["telemetry.SEE_ASSETS"])
    assert _read_whole(plan) & telemetry == set()


def test_the_rows_are_enough_for_an_index_to_pay(large: set[str]) -> None:
    assert large >= {
        "ic3_asset_master", "ic3_asset_tag_map", "ic3_ingest_run_log", "ic3_sweep", "ic3_user",
        "asset_latest", "assets", "dead_letter", "telemetry_20260614",
        "ic3_asset_monitoring_data_20260614",
    }  # fmt: skip
