import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from samples import (
    MINUTE_US,
    NOW,
    NOW_US,
    Sql,
    envelope,
    kill_blocked,
    save,
    save_sweep,
    swept,
)

from ic3.domain.envelope import Envelope, Reject
from ic3.domain.sweeps import Rejected, Sweep
from ic3.errors import Contended, DatabaseAway, StoreError
from ic3.store.pool import Database
from ic3.store.telemetry import TelemetryStore

COUNTS = """
SELECT (SELECT count(*) FROM telemetry), (SELECT count(*) FROM asset_latest),
    (SELECT count(*) FROM assets), (SELECT count(*) FROM ic3_sweep),
    (SELECT count(*) FROM dead_letter)
"""
LATEST = "SELECT record_id FROM asset_latest"


@pytest.fixture
def store(database: Database) -> TelemetryStore:
    return TelemetryStore(database)


def _content(each: Envelope) -> dict[str, Any]:
    fields = msgspec.structs.asdict(each)
    return {name: fields[name] for name in fields if name not in {"frame", "rejected", "text"}}


def _dead(raw: bytes, *, key: str = "ic3:latest:A", detail: str = "") -> Rejected:
    return Rejected("inner", Reject.BAD_JSON, key, raw, len(raw), detail)


async def test_a_saved_sweep_fills_all_four_tables(store: TelemetryStore, sql: Sql) -> None:
    sweep = await save(store, envelope("A"), envelope("B"))
    assert (sweep.stored, sweep.duplicate) == (2, 0)
    assert sql(COUNTS) == [(2, 2, 2, 1, 0)]
    row = sql(
        "SELECT occurred_at, record_id, values, quality, alarm, domain, system_id, protocol,"
        " occurred_nanoseconds, received_at, content_hash, sweep_id, rejected"
        " FROM telemetry WHERE asset_id = 'A'"
    )
    assert row == [
        (
            datetime(2026, 6, 15, 1, 41, 43, 267609, UTC), "r-1",
            {"HEALTH_SCORE": 94.8, "MAINT_FLAG": 0}, "GOOD", "NORMAL", "DEL-D08", "A", "rest",
            313, NOW, sweep.envelopes[0].content_hash, sweep.sweep_id, None,
        )
    ]  # fmt: skip
    columns = (
        "asset_id, record_id, occurred_at, values, quality, alarm, domain, system_id, protocol,"
        " occurred_nanoseconds, received_at, content_hash, sweep_id"
    )
    assert sql(f"SELECT {columns} FROM asset_latest ORDER BY 1") == sql(
        f"SELECT {columns} FROM telemetry ORDER BY 1"
    )
    assert sql("SELECT * FROM assets ORDER BY 1") == [
        ("A", "A", "DEL-D08", "rest", NOW, NOW),
        ("B", "B", "DEL-D08", "rest", NOW, NOW),
    ]


async def test_the_sweeps_row_holds_every_counter(store: TelemetryStore, sql: Sql) -> None:
    sweep = swept(envelope("A"), envelope("B"))
    sweep.ended_at = NOW + timedelta(seconds=2)
    sweep.keys_scanned, sweep.matched, sweep.unmatched = 9, 7, 2
    sweep.unchanged, sweep.list_duplicates = 3, 4
    sweep.deferred["deadline"] = 1
    sweep.gap, sweep.accepted, sweep.read_ok, sweep.keys_listed = 1, 3, 6, 18
    sweep.list_rejected[Reject.WRONG_PREFIX] = 5
    sweep.failed["timeout"] = 2
    sweep.quarantined[Reject.BAD_JSON] = 1
    sweep.tags_rejected[Reject.NON_FINITE] = 6
    sweep.phase_ms = {"list": 1.5}
    await save_sweep(store, sweep)
    assert sql(
        "SELECT begun_at, ended_at, keys_scanned, matched, unmatched, unchanged, accepted, stored,"
        " duplicate, deferred, list_duplicates, list_rejected, failed, quarantined, tags_rejected,"
        " phase_ms, simulated, error, gap, dead, read_ok, keys_listed, deferred_by, origin"
        " FROM ic3_sweep WHERE id = %s",
        sweep.sweep_id,
    ) == [
        (
            NOW, NOW + timedelta(seconds=2), 9, 7, 2, 3, 3, 2, 0, 1, 4, {"wrong_prefix": 5},
            {"timeout": 2}, {"bad_json": 1}, {"non_finite": 6}, {"list": 1.5}, True, None,
            1, 0, 6, 18, {"deadline": 1}, "live",
        )
    ]  # fmt: skip


async def test_a_sweep_without_news_is_a_row_too(store: TelemetryStore, sql: Sql) -> None:
    sweep = await save(store)
    assert (sweep.stored, sweep.duplicate) == (0, 0)
    assert sql(COUNTS) == [(0, 0, 0, 1, 0)]


async def test_an_envelope_saved_twice_is_counted_and_its_neighbours_stored(
    store: TelemetryStore, sql: Sql
) -> None:
    await save(store, envelope("B"))
    again = await save(store, envelope("A"), envelope("B"), envelope("C"))
    assert (again.stored, again.duplicate) == (2, 1)
    assert sql("SELECT asset_id FROM telemetry ORDER BY 1") == [("A",), ("B",), ("C",)]
    assert sql("SELECT accepted, stored, duplicate FROM ic3_sweep WHERE id = %s", again.sweep_id)[
        0
    ] == (3, 2, 1)
    assert sql("SELECT asset_id FROM asset_latest ORDER BY 1") == [("A",), ("B",), ("C",)]


async def test_a_sweep_saved_twice_changes_nothing_the_second_time(
    store: TelemetryStore, sql: Sql
) -> None:
    sweep = await save(store, envelope("A"), envelope("B"))
    before = sql("SELECT * FROM telemetry ORDER BY asset_id")
    await store.save(sweep, now_us=NOW_US)
    assert (sweep.stored, sweep.duplicate) == (0, 2)
    assert sql(COUNTS) == [(2, 2, 2, 1, 0)]
    assert sql("SELECT * FROM telemetry ORDER BY asset_id") == before


async def test_two_records_of_one_microsecond_are_two_rows(store: TelemetryStore, sql: Sql) -> None:
    await save(store, envelope(record="r-1"))
    await save(store, envelope(record="r-2"))
    assert sql("SELECT record_id FROM telemetry ORDER BY 1") == [("r-1",), ("r-2",)]


async def test_f23_a_late_envelope_is_stored_and_never_moves_latest(
    store: TelemetryStore, sql: Sql
) -> None:
    await save(store, envelope(record="new"))
    late = await save(store, envelope(record="late", at="2026-06-14T12:00:00Z"))
    assert late.stored == 1
    assert sql("SELECT tableoid::regclass::text FROM telemetry WHERE record_id = 'late'") == [
        ("telemetry_20260614",)
    ]
    assert sql(LATEST) == [("new",)]


async def test_at_an_equal_time_the_greater_record_id_is_latest(
    store: TelemetryStore, sql: Sql
) -> None:
    await save(store, envelope(record="m"))
    await save(store, envelope(record="a"))
    assert sql(LATEST) == [("m",)]
    await save(store, envelope(record="z"))
    assert sql(LATEST) == [("z",)]


async def test_f24_five_minutes_ahead_is_latest_and_a_microsecond_more_is_not(
    store: TelemetryStore, sql: Sql
) -> None:
    await save(store, envelope(record="limit", at="2026-06-15T01:47:00Z"))
    await save(store, envelope(record="future", at="2026-06-15T01:47:00.000001Z"))
    assert sql(LATEST) == [("limit",)]
    assert sql("SELECT count(*) FROM telemetry") == [(2,)]


async def test_a_future_envelope_stays_out_of_latest_when_its_time_has_come(
    store: TelemetryStore, sql: Sql
) -> None:
    await save(store, envelope(record="future", at="2026-06-15T02:00:00Z"))
    await save(
        store,
        envelope(record="new", at="2026-06-15T01:59:00Z"),
        now_us=NOW_US + 30 * MINUTE_US,
    )
    assert sql(LATEST) == [("new",)]


async def test_f24_times_far_away_lie_in_the_default_partition_and_not_in_latest(
    store: TelemetryStore, sql: Sql
) -> None:
    sweep = await save(
        store,
        envelope("first", at="0001-01-01T00:00:00.000000001Z"),
        envelope("absurd", at="1999-12-31T23:59:59.999999Z"),
        envelope("far", at="2099-01-01T00:00:00Z"),
        envelope("last", at="9999-12-31T23:59:59.999999999Z"),
        envelope("good"),
    )
    assert sweep.stored == 5
    assert sql("SELECT asset_id FROM asset_latest") == [("good",)]
    assert sql("SELECT asset_id FROM telemetry_default ORDER BY occurred_at") == [
        ("first",), ("absurd",), ("far",), ("last",),
    ]  # fmt: skip
    assert sql("SELECT count(*) FROM assets") == [(5,)]


async def test_a_silent_assets_old_reading_is_latest_from_the_year_2000_on(
    store: TelemetryStore, sql: Sql
) -> None:
    await save(store, envelope("old", at="2000-01-01T00:00:00Z"))
    assert sql("SELECT tableoid::regclass::text FROM telemetry") == [("telemetry_default",)]
    assert sql("SELECT asset_id FROM asset_latest") == [("old",)]


async def test_every_time_of_the_calendar_reads_back_as_sent(store: TelemetryStore) -> None:
    times = [
        "0001-01-01T00:00:00.000000001Z",
        "1969-12-31T23:59:59.999999999Z",
        "2026-06-15T01:41:43.267609313Z",
        "9999-12-31T23:59:59.999999999Z",
    ]
    sent = [envelope(f"asset {number}", at=at) for number, at in enumerate(times)]
    await save(store, *sent)
    back = sorted(await store.newest(10), key=lambda each: each.asset_id)
    assert [_content(each) for each in back] == [_content(each) for each in sent]
    assert [msgspec.json.decode(each.frame)["occurred_at"] for each in back] == times


async def test_f25_nanoseconds_are_cut_off_and_kept_aside(store: TelemetryStore, sql: Sql) -> None:
    await save(store, envelope(at="2026-06-15T01:41:59.999999999Z"))
    assert sql("SELECT occurred_at, occurred_nanoseconds FROM telemetry") == [
        (datetime(2026, 6, 15, 1, 41, 59, 999999, UTC), 999)
    ]


async def test_text_of_any_script_reads_back(store: TelemetryStore, sql: Sql) -> None:
    sent = envelope(
        "पटेल रोड_SV 💧/+%&#?",
        record="नं १",
        values={"स्थिति": "पानी चालू 💧", "tab": "a\tb\\", "quote": "\"'", "empty": ""},
        quality="ठीक",
        domain="दिल्ली",
    )
    await save(store, sent)
    [back] = await store.newest(1)
    assert _content(back) == _content(sent)
    assert sql("SELECT asset_id FROM assets") == [("पटेल रोड_SV 💧/+%&#?",)]


async def test_values_of_every_kind_read_back(store: TelemetryStore) -> None:
    values = {
        "float": 94.8, "tiny": 5e-324, "minus": -0.5, "int": 7,
        "safe": 2**53 - 1, "yes": True, "no": False, "none": None, "text": "x" * 4096,
    }  # fmt: skip
    await save(store, envelope(values=values))
    [back] = await store.newest(1)
    assert back.values == values
    assert back.values["yes"] is True


async def test_a_number_beyond_whole_doubles_reads_back_as_the_same_double(
    store: TelemetryStore,
) -> None:
    await save(store, envelope(values={"huge": 1.7976931348623157e308, "large": -1e20}))
    [back] = await store.newest(1)
    assert float(back.values["huge"] or 0) == 1.7976931348623157e308
    assert float(back.values["large"] or 0) == -1e20


async def test_absent_fields_are_null(store: TelemetryStore) -> None:
    await save(store, envelope(quality=None, alarm=None, domain=None, values={}))
    [back] = await store.newest(1)
    assert (back.quality, back.alarm, back.domain, back.values) == (None, None, None, {})


async def test_rejected_tags_stand_beside_the_values_that_were_taken(
    store: TelemetryStore, sql: Sql
) -> None:
    nul = "nul\0name"
    values = {"good": 1, "deep": {"a": 1}, "big": 2**60, nul: 1, "": 2, "t": "\0"}
    await save(store, envelope(values=values))
    assert sql("SELECT values, rejected FROM telemetry") == [
        (
            {"good": 1},
            {
                "deep": "nested_value",
                "big": "integer_out_of_range",
                "nul\\u0000name": "nul_character",
                "": "bad_tag_name",
                "t": "nul_character",
            },
        )
    ]


async def test_the_longest_names_that_are_taken_fit_every_index(
    store: TelemetryStore, sql: Sql
) -> None:
    serial = "".join(chr(0x10000 + 97 * number % 5000) for number in range(253))
    record = "".join(chr(0x12000 + 89 * number % 900) for number in range(256))
    await save(store, envelope(serial, record=record))
    assert sql(COUNTS) == [(1, 1, 1, 1, 0)]


async def test_what_was_not_taken_lies_in_dead_letter_once_with_a_count(
    store: TelemetryStore, sql: Sql
) -> None:
    later = NOW + timedelta(seconds=15)
    item = _dead(b"{\0\xff", detail="half a \ud800 and \0")
    first, second = swept(), swept(begun_at=later)
    first.reject(item)
    second.reject(item)
    await save_sweep(store, first)
    await save_sweep(store, second)
    assert sql(
        "SELECT scope, reason, key, raw, raw_length, detail, times_seen, first_seen_at,"
        " last_seen_at, sweep_id FROM dead_letter"
    ) == [
        (
            "inner", "bad_json", b"ic3:latest:A", b"{\0\xff", 3, "half a \\ud800 and \\0", 2, NOW,
            later, second.sweep_id,
        )
    ]  # fmt: skip


async def test_another_text_key_or_reason_is_another_row(store: TelemetryStore, sql: Sql) -> None:
    sweep = swept()
    sweep.reject(_dead(b"{"))
    sweep.reject(_dead(b"["))
    sweep.reject(_dead(b"{", key="ic3:latest:B"))
    sweep.reject(Rejected("inner", Reject.TOO_DEEP, "ic3:latest:A", b"{", 1))
    sweep.reject(_dead(b"{"))
    await save_sweep(store, sweep)
    assert sql("SELECT times_seen FROM dead_letter ORDER BY id DESC") in (
        [(1,), (1,), (1,), (2,)],
        [(1,), (1,), (2,), (1,)],
        [(1,), (2,), (1,), (1,)],
    )


async def test_a_hostile_key_of_any_length_never_stops_a_sweep(
    store: TelemetryStore, sql: Sql
) -> None:
    key = "".join(chr(33 + number * number * 7919 % 20011) for number in range(10_000))
    raw = key.encode()
    sweep = swept(envelope("A"))
    sweep.reject(Rejected("list", Reject.KEY_TOO_LONG, key, raw, len(raw)))
    sweep.reject(Rejected("list", Reject.WRONG_PREFIX, "\ud800\0", b"\xed\xa0\x80\0", 4))
    await save_sweep(store, sweep)
    assert sql("SELECT raw_length, octet_length(raw) FROM dead_letter ORDER BY 1") == [
        (4, 4),
        (len(raw), 16 * 1024),
    ]
    assert sql("SELECT count(*) FROM telemetry") == [(1,)]


async def test_last_seen_moves_once_a_minute_and_first_seen_never(
    store: TelemetryStore, sql: Sql
) -> None:
    seen = "SELECT first_seen_at, last_seen_at FROM assets"
    await save(store, envelope(record="1"))
    await save(store, envelope(record="2", received_us=NOW_US + MINUTE_US))
    assert sql(seen) == [(NOW, NOW)]
    await save(store, envelope(record="3", received_us=NOW_US + MINUTE_US + 1))
    moved = NOW + timedelta(minutes=1, microseconds=1)
    assert sql(seen) == [(NOW, moved)]
    await save(store, envelope(record="4", received_us=NOW_US))
    assert sql(seen) == [(NOW, moved)]


async def test_a_changed_domain_shows_at_once(store: TelemetryStore, sql: Sql) -> None:
    await save(store, envelope(record="1"))
    await save(store, envelope(record="2", domain=None, received_us=NOW_US + 1))
    assert sql("SELECT domain FROM assets") == [(None,)]


async def test_a_new_process_knows_again_what_was_accepted(store: TelemetryStore) -> None:
    sent = envelope("A", quality=None, alarm="HIGH")
    await save(store, sent, envelope("B"))
    known = {each.serial: each for each in await store.known_assets()}
    assert sorted(known) == ["A", "B"]
    assert known["A"].content_hash == sent.content_hash
    assert (known["A"].received_us, known["A"].quality, known["A"].alarm) == (NOW_US, None, "HIGH")


async def test_newest_answers_the_newest_sweeps_up_to_the_limit(store: TelemetryStore) -> None:
    assert await store.newest(500) == []
    await save(store, envelope("A", record="1"), envelope("B", record="1"))
    await save(store, envelope("A", record="2"))
    await save(store)
    assert [each.record_id for each in await store.newest(2)] == ["2", "1"]
    assert len(await store.newest(500)) == 3


async def test_only_a_sweep_of_a_real_gateway_makes_the_store_one_of_a_real_plant(
    store: TelemetryStore,
) -> None:
    await save(store, envelope("A"))
    assert not await store.holds_a_real_plant()
    sweep = swept(envelope("B"))
    sweep.simulated = False
    await save_sweep(store, sweep)
    assert await store.holds_a_real_plant()


async def test_five_thousand_envelopes_are_one_transaction(store: TelemetryStore, sql: Sql) -> None:
    sent = [envelope(f"asset {number:04d}", values={"v": number}) for number in range(5000)]
    sweep = await save(store, *sent)
    assert sweep.stored == 5000
    assert sql(COUNTS) == [(5000, 5000, 5000, 1, 0)]
    assert sql("SELECT count(DISTINCT xmin::text) FROM telemetry") == [(1,)]
    back = {each.asset_id: _content(each) for each in await store.newest(5000)}
    assert back == {each.asset_id: _content(each) for each in sent}


async def test_another_text_under_a_stored_key_is_kept_aside(
    store: TelemetryStore, sql: Sql
) -> None:
    await save(store, envelope("A", values={"T": 1}), envelope("B", values={"T": 1}))
    sent = envelope("A", values={"T": 2}), envelope("B", values={"T": 1}), envelope("C")
    for times in (1, 2):
        again = await save(store, *sent[:2], envelope("C", record=f"r-{times + 1}"))
        assert (again.stored, again.duplicate) == (1, 2)
        assert [each.asset_id for each in again.duplicates] == ["A", "B"]
        assert again.named == {"quarantined:key_conflict": ["A"]}
        kept = "SELECT scope, reason, convert_from(key, 'UTF8'), times_seen FROM dead_letter"
        assert sql(kept) == [("envelope", "key_conflict", "ic3:latest:A", times)]
    assert sql("SELECT values FROM telemetry WHERE asset_id = 'A'") == [({"T": 1},)]
    assert sql("SELECT convert_from(raw, 'UTF8')::jsonb -> 'values' FROM dead_letter") == [
        ({"T": 2},)
    ]


async def test_a_sweep_that_the_database_refuses_leaves_nothing_behind(
    store: TelemetryStore, sql: Sql
) -> None:
    sweep = swept(envelope("A"))
    sweep.reject(_dead(b"{"))
    sweep.keys_scanned = 2**40
    with pytest.raises(StoreError, match=r"^database: refused with 22003"):
        await save_sweep(store, sweep)
    assert sql(COUNTS) == [(0, 0, 0, 0, 0)]


async def test_f12_a_connection_killed_in_the_middle_leaves_nothing_behind(
    store: TelemetryStore, database: Database, sql: Sql, dsn: str
) -> None:
    sweep = swept(envelope("A"))
    sweep.reject(_dead(b"{"))
    with psycopg.connect(dsn) as blocker:
        blocker.execute("LOCK TABLE ic3_sweep IN ACCESS EXCLUSIVE MODE")
        outcome, _ = await asyncio.gather(
            save_sweep(store, sweep), kill_blocked(sql), return_exceptions=True
        )
    assert isinstance(outcome, DatabaseAway)
    assert database.away_since is not None
    assert sql(COUNTS) == [(0, 0, 0, 0, 0)]
    await store.save(sweep, now_us=NOW_US)
    assert sql(COUNTS) == [(1, 1, 1, 1, 1)]
    assert database.away_since is None


async def test_f17_a_locked_table_is_waited_for_three_seconds_and_nothing_is_written(
    store: TelemetryStore, sql: Sql, dsn: str
) -> None:
    with psycopg.connect(dsn) as blocker:
        blocker.execute("LOCK TABLE asset_latest IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Contended, match="lock timeout"):
            await save(store, envelope("A"))
    assert sql(COUNTS) == [(0, 0, 0, 0, 0)]


async def test_f31_two_programs_on_one_plant_store_each_envelope_once(
    store: TelemetryStore, sql: Sql
) -> None:
    envelopes = [envelope(f"asset {number:03d}") for number in range(200)]
    one, other = await asyncio.gather(save(store, *envelopes), save(store, *reversed(envelopes)))
    assert one.stored + other.stored == 200
    assert one.duplicate + other.duplicate == 200
    assert sql(COUNTS) == [(200, 200, 200, 2, 0)]


async def test_a_sweep_has_a_number_of_its_own(store: TelemetryStore) -> None:
    first: Sweep = await save(store)
    assert first.sweep_id is not None
    second: Sweep = await save(store)
    assert second.sweep_id is not None
    assert second.sweep_id > first.sweep_id
