"""Rules over HTTP: made, changed as they were read, imported all or nothing."""

import json
from typing import Any

import psycopg
from serving import Answer, Site

from ic3.domain.users import Role

HOSTILE = ["\0", "a\0b", "x" * 5000, "", 7, None, [], {}, True, -1, 10**30, 1e308, "\ud800", "'"]
LOW: dict[str, Any] = {
    "name": "low pressure", "kind": "low", "parameter": "PRESSURE", "limit": 1.5, "priority": 2,
    "notify": ["ops"], "category": "pump", "domain": None, "dma_id": None, "serial": None,
    "enabled": True, "states": [], "deadband": 0.25, "on_delay_s": 30, "off_delay_s": 0,
    "text": "x",
}  # fmt: skip
FILE = "name,kind,parameter,limit,priority\nlow pressure,low,PRESSURE,2.5,1\nnew,stale,,,3\n"


async def send(
    site: Site, path: str, body: object = None, method: str = "POST", role: Role = Role.ENGINEER
) -> Answer:
    return await site.ask(
        method, path, token=site.token(role), headers=[("Content-Type", "application/json")],
        body=b"" if body is None else json.dumps(body).encode(),
    )  # fmt: skip


async def upload(site: Site, text: str | bytes, query: str = "") -> Answer:
    return await site.ask(
        "POST", "/api/alarm-rules/import" + query, token=site.token(Role.ENGINEER),
        headers=[("Content-Type", "text/csv")],
        body=text if isinstance(text, bytes) else text.encode(),
    )  # fmt: skip


async def rules(site: Site) -> list[dict[str, Any]]:
    found = (await site.get("/api/alarm-rules")).json()["rules"]
    assert isinstance(found, list)
    return found


async def test_a_rule_is_made_changed_and_deleted(stored: Site) -> None:
    made = (await send(stored, "/api/alarm-rules", LOW)).json()
    assert (made["name"], made["version"], made["changed_by"]) == ("low pressure", 1, "asha")
    assert await rules(stored) == [made]
    path = f"/api/alarm-rules/{made['id']}"
    changed = await send(stored, path, {"version": 1, "limit": 2.0, "category": None}, "PATCH")
    assert (changed.json()["limit"], changed.json()["category"], changed.json()["version"]) == (
        2.0, None, 2,
    )  # fmt: skip
    late = await send(stored, path, {"version": 1, "limit": 3.0}, "PATCH")
    assert (late.status, late.json()["error"]) == (409, "rule has changed")
    assert late.json()["detail"] == "it is of version 2 by asha; read it again"
    assert (await send(stored, path, method="DELETE")).json()["deleted"] is True
    assert (await send(stored, path, method="DELETE")).status == 404
    assert (await send(stored, path, {"version": 2}, "PATCH")).status == 404


USELESS: tuple[dict[str, Any], ...] = (
    {"limit": None}, {"kind": "wet"}, {"parameter": None}, {"priority": 5}, {"name": ""},
    {"name": "a\0b"}, {"deadband": -1}, {"on_delay_s": 1e9}, {"states": [1]}, {"id": 7},
    {"rule_id": 7}, {"version": 1}, {"changed_by": "x"}, {"notify": ["x"] * 11},
)  # fmt: skip


async def test_a_rule_that_cannot_be_used_is_refused(stored: Site) -> None:
    for change in USELESS:
        answer = await send(stored, "/api/alarm-rules", {**LOW, **change})
        assert answer.status in {400, 422}, (change, answer.body)
    assert await rules(stored) == []


async def test_two_rules_have_not_one_name(stored: Site) -> None:
    await send(stored, "/api/alarm-rules", LOW)
    again = await send(stored, "/api/alarm-rules", LOW)
    assert again.status == 422
    assert "another one has the name 'low pressure'" in again.json()["detail"]


async def test_a_hostile_rule_is_refused_or_stored_and_never_a_fault(stored: Site) -> None:
    made = (await send(stored, "/api/alarm-rules", {**LOW, "name": "kept"})).json()
    path = f"/api/alarm-rules/{made['id']}"
    for field in LOW:
        for value in HOSTILE:
            answer = await send(stored, "/api/alarm-rules", {**LOW, field: value})
            assert answer.status in {200, 400, 422}, (field, value, answer.body)
            change = {"version": 1, field: value}
            changed = await send(stored, path, change, "PATCH")
            assert changed.status in {200, 400, 409, 422}, (field, value, changed.body)
    for number in (0, 10**30):
        assert (await send(stored, f"/api/alarm-rules/{number}", method="DELETE")).status == 404


async def test_a_file_is_tried_then_imported_all_or_nothing(stored: Site, fresh_dsn: str) -> None:
    await send(stored, "/api/alarm-rules", {**LOW, "category": None, "notify": []})
    dry = (await upload(stored, FILE, "?dry_run=true")).json()
    assert (dry["dry_run"], dry["diff"]["added"], dry["diff"]["untouched"]) == (True, ["new"], 0)
    (changed,) = dry["diff"]["changed"]
    assert changed["before"]["limit"] == 1.5
    assert changed["after"]["limit"] == 2.5
    assert len(await rules(stored)) == 1
    bad = await upload(stored, FILE + "worse,low,,,9\nbad,wet,,,\n")
    assert (bad.status, bad.json()["problems"]) == (
        422,
        [
            "line 4: priority must be 1 (critical), 2, 3 or 4 (low)",
            "line 5: Invalid enum value 'wet' - at $.kind",
        ],
    )
    assert len(await rules(stored)) == 1
    done = (await upload(stored, FILE)).json()
    assert (done["dry_run"], done["diff"]) == (False, dry["diff"])
    assert [(each["name"], each["limit"]) for each in await rules(stored)] == [
        ("low pressure", 2.5), ("new", None)
    ]  # fmt: skip
    with psycopg.connect(fresh_dsn) as connection:
        acts = connection.execute("SELECT what, who FROM audit_log ORDER BY id").fetchall()
    assert acts == [("rule made", "asha"), ("rules imported", "asha")]


async def test_a_hostile_file_is_refused(stored: Site) -> None:
    for body in (b"", b"\xff", b"\0", b"name\n", b'"', b"name,kind\n\0,x\n"):
        answer = await upload(stored, body)
        assert answer.status == 422, body
        assert answer.json()["problems"]
        assert answer.header("content-type") == "application/problem+json"


async def test_what_is_exported_is_imported_again_as_the_same(stored: Site) -> None:
    await send(stored, "/api/alarm-rules", {**LOW, "name": "=HYPERLINK()", "text": "-1"})
    state = {"name": "s", "kind": "state", "parameter": "M", "states": [1, "Hand;Auto", "2"]}
    assert (await send(stored, "/api/alarm-rules", state)).status == 200
    answer = await stored.get("/api/alarm-rules.csv")
    assert answer.header("content-type") == "text/csv; charset=utf-8"
    assert "'=HYPERLINK()" in answer.body.decode()
    done = (await upload(stored, answer.body)).json()
    assert (done["diff"]["same"], done["diff"]["added"], done["diff"]["changed"]) == (2, [], [])


async def test_who_may_not_change_a_rule_may_read_it(stored: Site) -> None:
    for role in (Role.VIEWER, Role.OPERATOR):
        assert (await send(stored, "/api/alarm-rules", LOW, role=role)).status == 403
        assert (await stored.get("/api/alarm-rules")).json() == {"count": 0, "rules": []}
