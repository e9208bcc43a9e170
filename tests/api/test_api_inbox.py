"""Inbox, replays, quarantine and audit log over HTTP: what engineers may do, and hostile bodies."""

import base64
import hashlib
import json
from typing import Any

import psycopg
import pytest
from serving import Answer, Site, envelope, register_with

from ic3.domain.users import Role
from ic3.errors import Contended, TooSlow
from ic3.store.quarantine import QuarantineStore

PUMP = "A Block_Pump_1"
HOSTILE = ["\0", "a\0b", "x" * 5000, "", 7, None, [], {}, True, 1.5, -1, 10**30]
LINE = """
INSERT INTO ic3_inbox (kind, serial, tag_code, first_seen_at, last_seen_at, times_seen, samples)
VALUES (%s, %s, %s, now(), now(), 3, '[1]')
"""
ITEM = """
INSERT INTO dead_letter (scope, reason, key, raw, raw_length, raw_sha256, first_seen_at,
    last_seen_at, times_seen)
VALUES (%s, %s, %s, %s, %s, %s, now(), now(), 3) RETURNING id
"""


@pytest.fixture
def sql(fresh_dsn: str) -> Any:
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO ic3_asset_master (asset_id, serialnumber, category)"
            " VALUES (12, %s, 'pump')",
            [PUMP],
        )
        connection.execute(
            "INSERT INTO ic3_parameter_master (param_id, parameter_name, param_tag_code)"
            " VALUES (101, 'Flow', 'FLOW')"
        )
        connection.execute(LINE, ["tag", PUMP, "FLOW_X"])
        connection.execute(LINE, ["asset", "B Block_Pump_2", ""])
        yield connection


def keep(sql: Any, scope: str, reason: str, serial: str, raw: bytes, length: int = 0) -> int:
    key, sha256 = f"ic3:latest:{serial}".encode(), hashlib.sha256(raw).digest()
    values = [scope, reason, key, raw, length or len(raw), sha256]
    number = sql.execute(ITEM, values).fetchone()[0]
    assert isinstance(number, int)
    return number


async def send(
    site: Site, path: str, body: object, role: Role = Role.ENGINEER, method: str = "POST"
) -> Answer:
    return await site.ask(
        method, path, token=site.token(role), headers=[("Content-Type", "application/json")],
        body=json.dumps(body).encode(),
    )  # fmt: skip


async def ask(site: Site, path: str, role: Role = Role.ENGINEER) -> Any:
    answer = await site.ask("GET", path, token=site.token(role))
    assert answer.status == 200, answer.body
    return answer.json()


async def test_lines_are_listed_by_kind_and_state_page_by_page(stored: Site, sql: Any) -> None:
    first = await ask(stored, "/api/inbox?limit=1")
    assert [each["serial"] for each in first["lines"]] == ["B Block_Pump_2"]
    rest = await ask(stored, f"/api/inbox?limit=1&cursor={first['next']}")
    assert [each["tag_code"] for each in rest["lines"]] == ["FLOW_X"]
    assert first["counts"]["asset"] == {"open": 1, "ignored": 0, "mapped": 0}
    assert (await ask(stored, "/api/inbox?kind=tag&state=mapped"))["lines"] == []
    for query in ("kind=ship", "state=lost", "limit=0", "limit=1001", "cursor=%00", "cursor=abc"):
        answer = await stored.ask("GET", f"/api/inbox?{query}", token=stored.token(Role.ENGINEER))
        assert answer.status == 422, query


async def test_tags_are_grouped_by_the_category_of_their_assets(stored: Site, sql: Any) -> None:
    sql.execute(
        "INSERT INTO ic3_asset_master (asset_id, serialnumber, category) VALUES"
        " (13, 'B Block_Pump_3', 'pump'), (14, 'B Block_SV_4', 'valve')"
    )
    for serial, samples in (
        ("B Block_Pump_3", '[2.5, 9]'), ("B Block_SV_4", '["open"]'), ("B Block_Pump_5", "[null]")
    ):  # fmt: skip
        sql.execute(LINE, ["tag", serial, "FLOW"])
        sql.execute("UPDATE ic3_inbox SET samples = %s WHERE serial = %s", [samples, serial])
    sql.execute(LINE, ["tag", PUMP, "FLOW"])
    found = (await ask(stored, "/api/inbox/tags"))["groups"]
    short = [
        (each["tag_code"], each["category"], each["assets"], each["lowest"], each["highest"])
        for each in found
    ]
    assert short == [
        ("FLOW", "pump", 2, 1, 9), ("FLOW", "valve", 1, None, None), ("FLOW", None, 1, None, None),
        ("FLOW_X", "pump", 1, 1, 1),
    ]  # fmt: skip
    assert [each["parameter_name"] for each in found] == ["Flow", "Flow", "Flow", None]
    assert found[0]["times_seen"] == 6
    assert (await ask(stored, "/api/inbox/tags?state=ignored"))["groups"] == []
    of_pumps = await ask(stored, "/api/inbox?kind=tag&tag_code=FLOW&category=pump")
    assert [each["serial"] for each in of_pumps["lines"]] == [PUMP, "B Block_Pump_3"]


async def test_suggestions_for_a_tag_and_for_an_asset(stored: Site, sql: Any) -> None:
    stored.latest.register = register_with(PUMP)
    found = await ask(stored, "/api/inbox/suggestions?serial=A%20Block_Pump_1&tag_code=FLOWX")
    assert [each["param_tag_code"] for each in found["near_codes"]] == ["FLOW"]
    found = await ask(stored, "/api/inbox/suggestions?serial=a_block_pump_1")
    assert found["near_serials"] == [{"serial": PUMP, "likeness": 1.0}]
    assert found["category"] == "pump"
    for query in ("", "?serial=", "?serial=a%00b", "?serial=a&tag_code=%00"):
        answer = await stored.ask(
            "GET", f"/api/inbox/suggestions{query}", token=stored.token(Role.ENGINEER)
        )
        assert answer.status in {400, 422}, query


async def test_a_mapping_is_previewed_done_replayed_and_undone(stored: Site, sql: Any) -> None:
    body = {"serial": PUMP, "tag_code": "FLOW_X", "param_id": 101}
    preview = (await send(stored, "/api/inbox/map", {**body, "preview": True})).json()
    assert (preview["preview"], preview["added"], preview["rows"]) == (True, 1, 0)
    done = (await send(stored, "/api/inbox/map", body)).json()
    assert done["added"] == 1
    (job,) = (await ask(stored, "/api/replays"))["replays"]
    assert (job["id"], job["state"], job["created_by"]) == (done["replay_id"], "waiting", "asha")
    assert job["scope"] == {"register_ids": [12], "tag_codes": ["FLOW_X"]}
    cancel = f"/api/replays/{job['id']}/cancel"
    assert (await send(stored, cancel, {})).json() == {"id": job["id"], "state": "cancelled"}
    assert (await send(stored, cancel, {})).status == 404
    undo = "/api/inbox/map?serial=A%20Block_Pump_1&tag_code=FLOW_X"
    assert (await send(stored, undo, None, method="DELETE")).json() == {"assets": 1}
    assert (await send(stored, undo, None, method="DELETE")).status == 404
    acts = (await ask(stored, "/api/audit", Role.ADMIN))["acts"]
    assert [each["what"] for each in acts] == [
        "mapping undone", "replay cancelled", "replay asked for", "tag mapped"
    ]  # fmt: skip
    assert {(each["who"], each["role"], each["whence"]) for each in acts} == {
        ("asha", "engineer", "127.0.0.1")
    }


async def test_a_parameter_is_made_by_kind_mapped_and_a_line_ignored(
    stored: Site, sql: Any
) -> None:
    new = {"param_tag_code": "P9", "parameter_name": "Ninth", "unit": "bar"}
    number = (await send(stored, "/api/parameters", new)).json()["param_id"]
    again = await send(stored, "/api/parameters", new)
    assert again.status == 422
    assert "the code 'P9' is taken" in again.json()["detail"] + again.json()["error"]
    kind = {"category": "pump", "tag_code": "FLOW_X", "param_id": number}
    assert (await send(stored, "/api/inbox/map-kind", kind)).json()["added"] == 1
    line = {"kind": "asset", "serial": "B Block_Pump_2"}
    assert (await send(stored, "/api/inbox/ignore", line)).status == 422
    assert (await send(stored, "/api/inbox/ignore", {**line, "reason": "a toy"})).status == 200
    asset = {"serial": "B Block_Pump_2", "category": "pump"}
    assert (await send(stored, "/api/inbox/register", asset)).status == 200
    assert (await send(stored, "/api/inbox/register", asset)).status == 422


BODIES: dict[str, dict[str, Any]] = {
    "/api/inbox/map": {"serial": PUMP, "tag_code": "T", "param_id": 101, "preview": True},
    "/api/inbox/map-kind": {"category": "pump", "tag_code": "T", "param_id": 101},
    "/api/inbox/ignore": {"kind": "tag", "serial": PUMP, "tag_code": "T", "reason": "x"},
    "/api/inbox/register": {"serial": "S", "name": "x", "category": "x", "domain": "x"},
    "/api/parameters": {"param_tag_code": "Q", "parameter_name": "x", "unit": "x", "decimals": 1},
    "/api/replays": {"reason": "x", "kind": "map", "asset_ids": [1], "tag_codes": ["T"],
                     "from_at": "2026-06-15T00:00:00Z"},
    "/api/quarantine/replay": {"ids": [1], "scope": "inner", "reason": "x", "after": 1},
    "/api/quarantine/purge": {"ids": [1], "scope": "inner", "reason": "x", "confirm": 1},
}  # fmt: skip


@pytest.mark.parametrize("path", BODIES)
async def test_hostile_bodies_are_refused_and_never_an_error_of_ours(
    stored: Site, sql: Any, path: str
) -> None:
    good = BODIES[path]
    for name in good:
        for hostile in HOSTILE:
            answer = await send(stored, path, {**good, name: hostile}, Role.ADMIN)
            assert answer.status in {200, 422}, (name, hostile, answer.body)
            if isinstance(hostile, str) and hostile and name not in {"kind"}:
                assert answer.status == 422, (name, hostile)
    assert (await send(stored, path, {**good, "created_by": "me"}, Role.ADMIN)).status == 422
    assert (await send(stored, path, {}, Role.ADMIN)).status == 422
    surrogate = json.dumps(good).replace('"x"', '"\\ud800"').encode()
    answer = await stored.ask(
        "POST", path, token=stored.token(Role.ADMIN), body=surrogate,
        headers=[("Content-Type", "application/json")],
    )  # fmt: skip
    assert answer.status in {200, 400, 422}
    assert stored.told == []


async def test_quarantine_is_counted_in_words_and_shown_with_its_bytes(
    stored: Site, sql: Any
) -> None:
    raw = b'{"a": "\xff\x1b[31m\xe2\x80\xae"'
    number = keep(sql, "inner", "bad_json", PUMP, raw, 99)
    page = await ask(stored, "/api/quarantine?reason=bad_json&scope=inner&limit=1")
    assert page["counts"] == [
        {"scope": "inner", "reason": "bad_json", "words": "the value is not JSON", "items": 1,
         "times_seen": 3, "replayed": 0},
    ]  # fmt: skip
    assert [each["id"] for each in page["items"]] == [number]
    shown = await ask(stored, f"/api/quarantine/{number}")
    assert base64.b64decode(shown["raw_base64"]) == raw
    assert shown["raw_text"] == '{"a": "\\xff\\x1b[31m\\u202e"'
    assert shown["cut"] is True
    for missing in (number + 1, 0, 2**63, 2**70):
        answer = await stored.ask(
            "GET", f"/api/quarantine/{missing}", token=stored.token(Role.ENGINEER)
        )
        assert answer.status == 404


async def test_quarantine_is_replayed_by_the_same_path_and_twice_changes_nothing(
    stored: Site, sql: Any
) -> None:
    texts = [envelope(PUMP, number).frame for number in (1, 2)]
    good = [keep(sql, "envelope", "bad_time", PUMP, text.encode()) for text in texts]
    outer = {"key": f"ic3:latest:{PUMP} 2", "type": "string",
             "value": envelope(PUMP + " 2").frame}  # fmt: skip
    good.append(keep(sql, "outer", "wrong_type", PUMP + " 2", json.dumps(outer).encode()))
    refused = {
        keep(sql, "inner", "bad_json", PUMP, b"{"): "bad_json",
        keep(sql, "inner", "bad_json", PUMP, b"\xff"): "bad_unicode",
        keep(sql, "inner", "bad_json", PUMP, texts[0].encode(), 99_999): "cut",
        keep(sql, "list", "wrong_prefix", PUMP, b"x"): "no_value",
        keep(sql, "outer", "wrong_key", "other", json.dumps(outer).encode()): "wrong_key",
        keep(sql, "envelope", "asset_mismatch", "other", texts[0].encode()): "asset_mismatch",
    }
    ids = [*good, *refused]
    done = (await send(stored, "/api/quarantine/replay", {"ids": ids})).json()
    assert (done["stored"], done["duplicate"], done["refused"]) == (3, 0, 6)
    outcomes = {each["id"]: each["reason"] for each in done["items"]}
    assert outcomes == {**dict.fromkeys(good), **refused}
    assert all(each["words"] for each in done["items"] if each["reason"])
    rows = sql.execute("SELECT asset_id, record_id, origin FROM telemetry ORDER BY 1, 2").fetchall()
    assert rows == [
        (PUMP, "r-1", "replay"),
        (PUMP, "r-2", "replay"),
        (PUMP + " 2", "r-1", "replay"),
    ]
    marked = sql.execute("SELECT id FROM dead_letter WHERE replayed_at IS NOT NULL ORDER BY id")
    assert [row[0] for row in marked.fetchall()] == good
    (job,) = (await ask(stored, "/api/replays"))["replays"]
    assert (job["id"], job["scope"]["register_ids"]) == (done["replay_id"], [12])
    again = (await send(stored, "/api/quarantine/replay", {"ids": ids})).json()
    assert (again["stored"], again["duplicate"], again["refused"]) == (0, 3, 6)
    counts = sql.execute("SELECT count(*), sum(times_seen) FROM dead_letter").fetchone()
    assert counts == (9, 27)
    balance = "SELECT bool_and(keys_scanned = accepted AND accepted = stored + duplicate)"
    assert sql.execute(f"{balance} FROM ic3_sweep WHERE origin = 'replay'").fetchone() == (True,)


REPLAY = "/api/quarantine/replay"
OPEN = "SELECT id FROM dead_letter WHERE replayed_at IS NULL AND id = ANY(%s) ORDER BY id"


async def test_what_the_database_refuses_on_replay_is_said_and_stays_open(
    stored: Site, sql: Any
) -> None:
    sql.execute(
        "ALTER TABLE telemetry ADD CONSTRAINT no CHECK (asset_id NOT LIKE 'bad%') NOT VALID"
    )
    good = keep(sql, "envelope", "bad_time", PUMP, envelope(PUMP).frame.encode())
    bad = keep(sql, "envelope", "bad_time", "bad", envelope("bad").frame.encode())
    done = (await send(stored, REPLAY, {"ids": [good, bad]})).json()
    outcomes = {each["id"]: (each["outcome"], each["reason"]) for each in done["items"]}
    assert outcomes == {good: ("stored", None), bad: ("refused", "refused_by_database")}
    assert sql.execute(OPEN, [[good, bad]]).fetchall() == [(bad,)]
    serials = [f"bad {number}" for number in range(20)]
    many = [
        keep(sql, "envelope", "bad_time", each, envelope(each).frame.encode()) for each in serials
    ]
    done = (await send(stored, REPLAY, {"ids": many})).json()
    assert (done["refused"], done["replay_id"]) == (20, None)
    assert {each["reason"] for each in done["items"]} == {"refused_by_database"}
    assert len(sql.execute(OPEN, [many]).fetchall()) == 20
    assert stored.told == []


async def test_what_cannot_be_added_to_a_stored_record_is_refused(stored: Site, sql: Any) -> None:
    whole = envelope(PUMP, 1).frame
    first = keep(sql, "envelope", "bad_time", PUMP, whole.encode())
    assert (await send(stored, REPLAY, {"ids": [first]})).json()["stored"] == 1
    # As live it would have been stored: without the tag that was refused.
    sql.execute("UPDATE telemetry SET rejected = '{}'")
    nested = json.loads(envelope(PUMP, 2).frame)
    nested["values"]["NESTED"] = {}
    other = json.loads(whole)
    other["values"]["OTHER"] = 1
    refused = {
        keep(sql, "tag", "nested_value", PUMP, json.dumps(nested).encode()): "nested_value",
        keep(sql, "tag", "non_finite", PUMP, whole.encode()): "stored_without_it",
        keep(sql, "envelope", "key_conflict", PUMP, json.dumps(other).encode()): "key_conflict",
    }
    whole_tag = keep(sql, "tag", "non_finite", PUMP, envelope(PUMP, 3).frame.encode())
    done = (await send(stored, REPLAY, {"ids": [*refused, whole_tag]})).json()
    assert {each["id"]: each["reason"] for each in done["items"]} == {**refused, whole_tag: None}
    assert all(each["words"] for each in done["items"] if each["reason"])
    assert [row[0] for row in sql.execute(OPEN, [[*refused, whole_tag]])] == list(refused)
    assert sql.execute("SELECT count(*) FROM dead_letter").fetchone() == (5,)


@pytest.mark.parametrize(
    ("scope", "reason"), [("tag", "non_finite"), ("envelope", "key_conflict"), ("inner", "x")]
)
async def test_what_a_replay_has_stored_is_a_duplicate_when_it_is_replayed_again(
    stored: Site, sql: Any, scope: str, reason: str
) -> None:
    number = keep(sql, scope, reason, PUMP, envelope(PUMP).frame.encode())
    outcomes = [(await send(stored, REPLAY, {"ids": [number]})).json() for _ in range(3)]
    assert [each["stored"] for each in outcomes] == [1, 0, 0]
    assert [each["duplicate"] for each in outcomes] == [0, 1, 1]


async def test_of_two_texts_under_one_new_key_the_first_is_stored_and_the_second_refused(
    stored: Site, sql: Any
) -> None:
    first = json.loads(envelope(PUMP).frame)
    texts = [first, {**first, "values": {"OTHER": 1}}, first]
    ids = [
        keep(sql, "envelope", reason, PUMP, json.dumps(text).encode())
        for reason, text in zip("xyz", texts, strict=True)
    ]
    for outcome in ("stored", "duplicate"):
        done = (await send(stored, REPLAY, {"ids": ids})).json()
        assert [(each["id"], each["outcome"], each["reason"]) for each in done["items"]] == [
            (ids[0], outcome, None), (ids[1], "refused", "key_conflict"),
            (ids[2], "duplicate", None),
        ]  # fmt: skip
    assert sql.execute("SELECT count(*) FROM telemetry").fetchone() == (1,)
    assert sql.execute("SELECT count(*) FROM dead_letter").fetchone() == (3,)


async def test_a_replayed_time_of_no_calendar_of_ours_asks_for_no_job(
    stored: Site, sql: Any
) -> None:
    document = {**json.loads(envelope(PUMP).frame), "occurred_at": "9999-12-31T23:59:59.999999Z"}
    number = keep(sql, "envelope", "bad_time", PUMP, json.dumps(document).encode())
    answer = await send(stored, REPLAY, {"ids": [number]})
    assert answer.status == 200, answer.body
    assert (answer.json()["stored"], answer.json()["replay_id"]) == (1, None)


async def test_a_replay_by_reason_goes_on_behind_what_is_still_refused(
    stored: Site, sql: Any
) -> None:
    numbers = [keep(sql, "inner", "bad_json", PUMP, b"{" * n) for n in (1, 2, 3)]
    body = {"reason": "bad_json", "after": numbers[0]}
    done = (await send(stored, REPLAY, body)).json()
    assert [each["id"] for each in done["items"]] == numbers[1:]
    done = (await send(stored, REPLAY, {**body, "after": numbers[2]})).json()
    assert done["items"] == []


async def test_a_change_in_the_way_is_answered_with_when_to_try_again(
    stored: Site, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (Contended("database: x"), TooSlow("database: x")):

        async def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(QuarantineStore, "open_ids", fail)
        answer = await send(stored, REPLAY, {"reason": "x"})
        assert (answer.status, answer.header("retry-after")) == (503, "5")
        assert "try again" in answer.json()["detail"]
    assert stored.told == []


async def test_purging_needs_the_number_of_items_and_is_audited(stored: Site, sql: Any) -> None:
    numbers = [keep(sql, "inner", "bad_json", PUMP, b"{" * n) for n in (1, 2)]
    keep(sql, "envelope", "bad_time", PUMP, b"{")
    chosen = {"reason": "bad_json"}
    purge = "/api/quarantine/purge"
    assert (await send(stored, purge, {**chosen, "preview": True}, Role.ADMIN)).json() == {
        "items": 2, "preview": True,
    }  # fmt: skip
    for body in (chosen, {**chosen, "confirm": 3}, {"confirm": 3}):
        assert (await send(stored, purge, body, Role.ADMIN)).status == 422
    assert sql.execute("SELECT count(*) FROM dead_letter").fetchone() == (3,)
    done = await send(stored, purge, {**chosen, "confirm": 2}, Role.ADMIN)
    assert done.json() == {"items": 2, "preview": False}
    assert sql.execute("SELECT reason FROM dead_letter").fetchall() == [("bad_time",)]
    (act, *_) = (await ask(stored, "/api/audit?limit=1", Role.ADMIN))["acts"]
    assert (act["what"], act["object"]) == ("quarantine purged", "2 items")
    assert numbers
