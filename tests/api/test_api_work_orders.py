"""Work orders over HTTP: lists, acts, who may what, scope, and what is hostile."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from serving import NOW_US, Answer, Site, fill, read_answer, serving

from ic3.api import once
from ic3.domain.alarms import Finding, Priority
from ic3.domain.users import Role

PUMP = "A Block_Pump_1"
FOREIGN = "Z Block_Pump_9"
ORDERS = "/api/work-orders"
SCOPES = {"ravi": frozenset({"DEL-D01"}), "zoya": frozenset({"DEL-D09"})}
ASSETS = """
INSERT INTO ic3_asset_master (serialnumber, category, domain)
VALUES (%s, 'pump', 'DEL-D01'), (%s, 'pump', 'DEL-D09')
"""
USERS = """
INSERT INTO ic3_user (username, password_hash, role, domains, disabled_at) VALUES
    ('gopal', 'x', 'operator', NULL, NULL), ('x', 'x', 'operator', NULL, NULL),
    ('zoya', 'x', 'engineer', '{DEL-D09}', NULL), ('vina', 'x', 'viewer', NULL, NULL),
    ('gone', 'x', 'operator', NULL, now())
"""
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


@pytest.fixture
def sql(fresh_dsn: str) -> Iterator[Any]:
    with psycopg.connect(fresh_dsn, autocommit=True, options="-c timezone=UTC") as connection:
        connection.execute(ASSETS, [PUMP, FOREIGN])
        connection.execute(USERS)

        def run(statement: Any, *values: object) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

        yield run


@pytest.fixture
async def plant(fresh_dsn: str, sql: Any, tmp_path: Path) -> AsyncIterator[Site]:
    """A server with two assets in two domains, and users of one domain."""
    async with serving(
        fresh_dsn, data_dir=tmp_path, attachments_cap_bytes=1000, scopes=SCOPES
    ) as site:
        yield site


async def send(
    site: Site, method: str, path: str, body: object = None, *, role: Role = Role.ENGINEER,
    who: str = "leela", headers: tuple[tuple[str, str], ...] = (),
) -> Answer:  # fmt: skip
    content = b"" if body is None else json.dumps(body).encode()
    return await site.ask(
        method, path, token=site.token(role, who), body=content,
        headers=[("Content-Type", "application/json"), *headers],
    )  # fmt: skip


async def read(site: Site, path: str, who: str = "leela", role: Role = Role.VIEWER) -> Any:
    answer = await send(site, "GET", path, role=role, who=who)
    assert answer.status == 200, answer.body
    return answer.json()


async def made(site: Site, **body: Any) -> dict[str, Any]:
    answer = await send(site, "POST", ORDERS, {"title": "Leak", **body})
    assert answer.status == 201, answer.body
    found = answer.json()["order"]
    assert isinstance(found, dict)
    return found


async def step(site: Site, number: int, to: str, **more: Any) -> Answer:
    role, who = more.pop("role", Role.ENGINEER), more.pop("who", "leela")
    path = f"{ORDERS}/{number}/transitions"
    return await send(site, "POST", path, {"to": to, **more}, role=role, who=who)


def alarm(site: Site, serial: str = PUMP, domain: str = "DEL-D01", *, active: bool = True) -> int:
    site.alarms.report(
        Finding(
            source_kind="asset", source=serial, condition="high", active=active,
            priority=Priority.HIGH, text="Bearing hot", domain=domain, value=91.5, limit=80.0,
        ),
        at_us=NOW_US - 3_600_000_000,
    )  # fmt: skip
    found = site.alarms.find("asset", serial, "high")
    return 0 if found is None else found.id


async def test_from_an_alarm_to_closure(plant: Site, sql: Any) -> None:
    fill(plant.latest, PUMP)
    number = alarm(plant)
    answer = await send(plant, "POST", ORDERS, {"alarm_id": number})
    assert answer.status == 201
    order = answer.json()["order"]
    assert (order["title"], order["priority"], order["domain"], order["category"]) == (
        "Bearing hot", 2, "DEL-D01", "pump"
    )  # fmt: skip
    assert order["failed_at"] == "2026-06-15T00:42:00Z"
    assert (order["state"], order["returned"]) == ("open", False)
    found = await read(plant, f"{ORDERS}/{order['id']}")
    assert found["evidence"]["alarm"]["value"] == 91.5
    assert [each["tag_code"] for each in found["evidence"]["readings"]] == [
        "FLOW", "HEALTH_SCORE", "mode"
    ]  # fmt: skip
    second = await send(plant, "POST", ORDERS, {"alarm_id": number, "title": "Again"})
    assert second.status == 409
    assert f"work order {order['id']}" in second.json()["detail"]

    ours = order["id"]
    assert (await step(plant, ours, "assigned", assignee="gopal")).status == 200
    operator = {"role": Role.OPERATOR, "who": "gopal"}
    assert (await step(plant, ours, "in_progress", **operator)).status == 200
    assert (await step(plant, ours, "done", **operator)).status == 200
    assert (await step(plant, ours, "verified", **operator)).status == 403
    refused = await step(plant, ours, "verified")
    assert refused.status == 409
    assert "has not returned" in refused.json()["detail"]
    assert alarm(plant, active=False) == number
    view = (await read(plant, f"{ORDERS}/{ours}"))["order"]
    assert view["returned"] is True
    assert (await step(plant, ours, "verified")).status == 200
    closed = await step(plant, ours, "closed")
    assert closed.json()["order"]["next_states"] == ["reopened"]
    assert (await read(plant, f"{ORDERS}/{ours}"))["evidence"]["alarm"]["active"] is True

    events = (await read(plant, f"{ORDERS}/{ours}/history"))["events"]
    assert [each["what"] for each in events] == [
        "created", "assigned", "in_progress", "done", "verified", "closed"
    ]  # fmt: skip
    acts = sql("SELECT what, who, object FROM audit_log ORDER BY id")
    assert [each[0] for each in acts] == [f"work order {each['what']}" for each in events]
    assert {each[2] for each in acts} == {f"work order {ours}"}
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        sql("DELETE FROM ic3_work_order_event")


async def test_a_closed_order_makes_room_for_the_next_of_its_alarm(plant: Site, sql: Any) -> None:
    number = alarm(plant)
    first = (await send(plant, "POST", ORDERS, {"alarm_id": number})).json()["order"]["id"]
    assert (await step(plant, first, "cancelled", note="a test")).status == 200
    second = await send(plant, "POST", ORDERS, {"alarm_id": number})
    assert second.status == 201
    for sent in ({"alarm_id": 4711}, {"alarm_id": number, "serial_number": PUMP}):
        assert (await send(plant, "POST", ORDERS, sent)).status in {404, 422}


async def test_an_operators_order_is_a_draft_that_an_engineer_opens(plant: Site, sql: Any) -> None:
    answer = await send(
        plant, "POST", ORDERS, {"title": "Leak", "serial_number": PUMP}, role=Role.OPERATOR,
        who="gopal",
    )  # fmt: skip
    order = answer.json()["order"]
    assert (order["state"], order["created_by"]) == ("draft", "gopal")
    path = f"{ORDERS}/{order['id']}"
    match = (("If-Match", str(answer.header("etag"))),)
    changed = await send(
        plant, "PATCH", path, {"title": "Big leak"}, role=Role.OPERATOR, who="gopal", headers=match
    )
    assert changed.json()["order"]["title"] == "Big leak"
    seen = await read(plant, path, who="gopal", role=Role.OPERATOR)
    assert (seen["moves"], seen["may_work"]) == ([{"to": "cancelled", "noted": False}], True)
    seen = await read(plant, path, who="mira", role=Role.VIEWER)
    assert (seen["moves"], seen["may_work"]) == ([], False)
    fresh = (("If-Match", str(changed.header("etag"))),)
    for body in ({"priority": 1}, {"assignee": "gopal"}):
        assert (await send(
            plant, "PATCH", path, body, role=Role.OPERATOR, who="gopal", headers=fresh
        )).status == 403  # fmt: skip
    assert (await step(plant, order["id"], "open", role=Role.OPERATOR, who="gopal")).status == 403
    assert (await step(plant, order["id"], "open")).status == 200
    sent = {"title": "x", "assignee": "gopal"}
    assert (await send(plant, "POST", ORDERS, sent, role=Role.OPERATOR)).status == 403


@pytest.mark.parametrize(
    ("name", "why"),
    [("nobody", "no user"), ("gone", "no user"), ("vina", "no user"), ("zoya", "DEL-D01")],
)
async def test_work_is_given_only_to_who_may_do_it(
    plant: Site, sql: Any, name: str, why: str
) -> None:
    order = await made(plant, serial_number=PUMP, assignee="gopal")
    match = (("If-Match", '"1"'),)
    plan = {
        "title": "x", "basis": "calendar", "every": 1, "unit": "day", "serial_number": PUMP,
        "starts_at": "2026-07-01T00:00:00Z", "assignee": name,
    }  # fmt: skip
    new = {"title": "x", "serial_number": PUMP, "assignee": name}
    body = {"assignee": name}
    for answer in (
        await send(plant, "POST", ORDERS, new),
        await send(plant, "PATCH", f"{ORDERS}/{order['id']}", body, headers=match),
        await send(plant, "POST", "/api/maintenance-plans", plan),
    ):
        assert (answer.status, why in answer.json()["detail"]) == (422, True), answer.body


async def test_who_may_be_given_work_is_listed(plant: Site, sql: Any) -> None:
    found = await read(plant, f"{ORDERS}/assignees", who="ravi", role=Role.OPERATOR)
    assert [each["username"] for each in found["assignees"]] == ["gopal", "x"]
    everybody = await read(plant, f"{ORDERS}/assignees", role=Role.OPERATOR)
    assert [each["username"] for each in everybody["assignees"]] == ["gopal", "x", "zoya"]


async def test_an_order_is_changed_only_as_it_was_seen(plant: Site, sql: Any) -> None:
    order = await made(plant, priority=4)
    path = f"{ORDERS}/{order['id']}"
    seen = await send(plant, "GET", path)
    etag = str(seen.header("etag"))
    assert (await send(plant, "PATCH", path, {"priority": 1})).status == 428
    urgent = await send(plant, "PATCH", path, {"priority": 1}, headers=(("If-Match", etag),))
    assert urgent.json()["order"]["due_at"] == "2026-06-15T05:42:00Z"
    stale = await send(plant, "PATCH", path, {"priority": 2}, headers=(("If-Match", etag),))
    assert (stale.status, stale.json()["error"]) == (412, "changed meanwhile")
    assert (await send(plant, "POST", f"{path}/transitions", {"to": "cancelled", "note": "x"},
                       headers=(("If-Match", etag),))).status == 412  # fmt: skip
    fresh = (("If-Match", str(urgent.header("etag"))),)
    given = {"due_at": "2026-07-01T10:00:00+05:30"}
    dated = await send(plant, "PATCH", path, given, headers=fresh)
    assert dated.json()["order"]["due_at"] == "2026-07-01T04:30:00Z"
    again = (("If-Match", str(dated.header("etag"))),)
    back = await send(plant, "PATCH", path, {"due_at": None}, headers=again)
    assert back.json()["order"]["due_at"] == "2026-06-15T05:42:00Z"
    for name in ("id", "domain", "created_by", "state", "version", "role"):
        body = {name: 1}
        assert (await send(plant, "PATCH", path, body, headers=again)).status == 422


async def test_the_same_key_answers_the_same_and_acts_once(plant: Site, sql: Any) -> None:
    key = (("Idempotency-Key", "k-1"),)
    first = await send(plant, "POST", ORDERS, {"title": "Leak"}, headers=key)
    again = await send(plant, "POST", ORDERS, {"title": "Leak"}, headers=key)
    assert (first.status, again.status) == (201, 201)
    assert again.json()["order"]["id"] == first.json()["order"]["id"]
    other = await send(plant, "POST", ORDERS, {"title": "Other"}, headers=key)
    assert (other.status, other.json()["error"]) == (422, "key used before")
    stranger = await send(plant, "POST", ORDERS, {"title": "Leak"}, headers=key, who="mira")
    assert stranger.json()["order"]["id"] != first.json()["order"]["id"]
    assert sql("SELECT count(*) FROM ic3_work_order") == [(2,)]
    assert sql("SELECT count(*) FROM audit_log") == [(2,)]
    path = f"{ORDERS}/{first.json()['order']['id']}/labour"
    for _ in range(2):
        spent = await send(
            plant, "POST", path, {"minutes": 30}, headers=(("Idempotency-Key", "l"),)
        )
        assert spent.json()["order"]["labour_minutes"] == 30
    plant.clock.advance(25 * 3600)
    # Its token has run out too: a new one is made for each request.
    late = await send(plant, "POST", ORDERS, {"title": "Other"}, headers=key)
    assert late.status == 201
    for bad in ("", "x" * 201, "a b"):
        refused = await send(
            plant, "POST", ORDERS, {"title": "x"}, headers=(("Idempotency-Key", bad),)
        )
        assert refused.status in {201, 422}


async def test_what_belongs_to_the_work_is_entered_and_summed(plant: Site, sql: Any) -> None:
    order = await made(plant, serial_number=PUMP, assignee="gopal", checklist=["Isolate", "Drain"])
    path = f"{ORDERS}/{order['id']}"
    gopal: dict[str, Any] = {"role": Role.OPERATOR, "who": "gopal"}
    other: dict[str, Any] = {"role": Role.OPERATOR, "who": "mohan"}
    item = (await read(plant, path))["checklist"][0]["id"]
    ticked = await send(plant, "PATCH", f"{path}/checklist/{item}", {"done": True}, **gopal)
    assert ticked.status == 200
    assert (await send(plant, "PATCH", f"{path}/checklist/99999", {"done": True})).status == 404
    assert (
        await send(plant, "POST", f"{path}/checklist", {"text": "Refill"}, **gopal)
    ).status == 200
    assert (await send(plant, "POST", f"{path}/labour", {"minutes": 45}, **gopal)).status == 200
    assert (await send(plant, "POST", f"{path}/labour", {"minutes": 45}, **other)).status == 403
    part = {"name": "Seal", "quantity": "2.5", "unit_cost_minor": 33333, "number": "S-1"}
    assert (await send(plant, "POST", f"{path}/parts", part, **gopal)).status == 200
    more = {"name": "Oil", "quantity": 1, "unit_cost_minor": 10}
    assert (await send(plant, "POST", f"{path}/parts", more, **gopal)).status == 200
    said = await send(plant, "POST", f"{path}/comments", {"text": "done\nsoon"}, **other)
    assert said.status == 200
    found = await read(plant, path)
    assert [(each["text"], each["done"]) for each in found["checklist"]] == [
        ("Isolate", True), ("Drain", False), ("Refill", False)
    ]  # fmt: skip
    assert found["order"]["labour_minutes"] == 45
    # 2.5 x 333.33 is 833.325: half a paisa is rounded up.
    assert found["order"]["parts_cost_minor"] == 83333 + 10
    assert [each["quantity"] for each in found["parts"]] == ["2.5", "1"]
    assert found["comments"][0]["who"] == "mohan"
    for quantity in ("0", "-1", "NaN", "Infinity", "1e30", "1.0001", "x", 1e308, None):
        bad = {**part, "quantity": quantity}
        assert (await send(plant, "POST", f"{path}/parts", bad, **gopal)).status in {400, 422}
    assert (await step(plant, order["id"], "cancelled", note="no")).status == 200
    assert (await send(plant, "POST", f"{path}/comments", {"text": "late"})).status == 409


async def test_pages_follow_each_other_in_every_order(plant: Site, sql: Any) -> None:
    for number in range(7):
        await made(plant, title=f"Leak {number}", priority=number % 4 + 1)
        plant.clock.advance(1)
    for sort in ("created", "due", "priority", "updated"):
        whole = (await read(plant, f"{ORDERS}?sort={sort}&limit=1000"))["orders"]
        ids: list[int] = []
        target = f"{ORDERS}?sort={sort}&limit=2&q=leak"
        while target:
            answer = await send(plant, "GET", target)
            ids += [each["id"] for each in answer.json()["orders"]]
            link = answer.header("link")
            target = "" if link is None else link.partition("<")[2].partition(">")[0]
            assert (link is None) == (answer.json()["next"] is None)
        assert ids == [each["id"] for each in whole], sort
        assert len(ids) == 7
    by_priority = (await read(plant, f"{ORDERS}?sort=priority"))["orders"]
    assert [each["priority"] for each in by_priority] == [1, 1, 2, 2, 3, 3, 4]
    first = (await read(plant, f"{ORDERS}?sort=due&limit=2"))["next"]
    for bad in (f"sort=created&cursor={first}", "cursor=%00", "cursor=abc", "cursor=W10", "limit=0",
                "limit=1001", "sort=x", "state=lost", "priority=9", "overdue=maybe",
                "q=" + "x" * 201, "q=%00", "serial_number=a%00b",
                "cursor=" + "x" * 5000):  # fmt: skip
        assert (await send(plant, "GET", f"{ORDERS}?{bad}")).status in {400, 422}, bad


async def test_filters_and_counts(plant: Site, sql: Any) -> None:
    pump = await made(plant, serial_number=PUMP, priority=1, assignee="gopal")
    other = await made(plant, serial_number=FOREIGN, team="north", title="100% _ broken")
    late = await made(plant, due_at="2026-06-15T01:00:00Z")

    async def ids(query: str) -> set[int]:
        return {each["id"] for each in (await read(plant, f"{ORDERS}?{query}"))["orders"]}

    assert await ids("state=assigned") == {pump["id"], other["id"]}
    assert await ids("state=assigned&state=open") == {pump["id"], other["id"], late["id"]}
    assert await ids("priority=1") == {pump["id"]}
    assert await ids(f"serial_number={quote(PUMP)}") == {pump["id"]}
    assert await ids("domain=DEL-D09") == {other["id"]}
    assert await ids("assignee=gopal") == {pump["id"]}
    assert await ids("team=north") == {other["id"]}
    assert await ids("overdue=true") == {late["id"]}
    assert await ids("overdue=false&sort=due") == {pump["id"], other["id"]}
    assert await ids("q=0%25%20_") == {other["id"]}
    assert await ids("q=a%20block") == {pump["id"]}
    found = await read(plant, f"{ORDERS}/counts")
    assert (found["total"], found["overdue"]) == (3, 1)


async def test_csv_runs_nothing_and_has_every_page(
    plant: Site, sql: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ic3.store.work_orders.EXPORT_PAGE", 2)
    for title in ("=1+1", "@SUM(A1)", '-2,"x"', "plain", "+91"):
        await made(plant, title=title)
    answer = await send(plant, "GET", "/api/work-orders.csv")
    assert answer.header("content-type") == "text/csv; charset=utf-8"
    lines = answer.body.decode().split("\r\n")
    assert lines[0].startswith("id,kind,state,priority,overdue,title,serial_number")
    assert len(lines) == 7
    assert "'=1+1" in lines[5]
    assert "'@SUM(A1)" in lines[4]
    assert "'-2," in lines[3]
    assert "'+91" in lines[1]


async def test_a_user_of_one_domain_sees_nothing_of_another(plant: Site, sql: Any) -> None:
    foreign = await made(plant, serial_number=FOREIGN)
    nobodys = await made(plant)
    ours = await made(plant, serial_number=PUMP)
    number = alarm(plant, FOREIGN, "DEL-D09")
    path = f"{ORDERS}/{foreign['id']}"
    attached = await attach(plant, foreign["id"], PNG, who="leela")
    file = attached.json()["id"]
    for role in (Role.OPERATOR, Role.ENGINEER):
        ravi: dict[str, Any] = {"role": role, "who": "ravi"}
        for method, tail, body in (
            ("GET", "", None), ("GET", "/history", None), ("GET", f"/attachments/{file}", None),
            ("POST", "/transitions", {"to": "cancelled", "note": "x"}),
            ("POST", "/checklist", {"text": "x"}), ("POST", "/labour", {"minutes": 1}),
            ("POST", "/parts", {"name": "x", "quantity": 1, "unit_cost_minor": 1}),
            ("POST", "/comments", {"text": "x"}), ("PATCH", "/checklist/1", {"done": True}),
        ):  # fmt: skip
            foreign_answer = await send(plant, method, path + tail, body, **ravi)
            unknown = await send(plant, method, f"{ORDERS}/99999" + tail, body, **ravi)
            assert (foreign_answer.status, unknown.status) == (404, 404), tail
            assert without_id(foreign_answer) == without_id(unknown)
        patched = await send(
            plant, "PATCH", path, {"title": "x"}, headers=(("If-Match", "*"),), **ravi
        )
        assert patched.status == 404
        for body in ({"title": "x", "serial_number": FOREIGN}, {"alarm_id": number}):
            refused = await send(plant, "POST", ORDERS, body, **ravi)
            unknown_body = {"alarm_id": 4711} if "alarm_id" in body else {
                "title": "x", "serial_number": "nowhere"}  # fmt: skip
            unknown = await send(plant, "POST", ORDERS, unknown_body, **ravi)
            assert refused.status == 404
            assert without_id(refused) == without_id(unknown)
        assert (await send(plant, "POST", ORDERS, {"title": "x"}, **ravi)).status == 422
    deleted = await send(plant, "DELETE", f"{path}/attachments/{file}", who="ravi")
    assert deleted.status == 404
    assert [each["id"] for each in (await read(plant, ORDERS, "ravi"))["orders"]] == [ours["id"]]
    assert (await read(plant, f"{ORDERS}?domain=DEL-D09", "ravi"))["orders"] == []
    assert (await read(plant, f"{ORDERS}/counts", "ravi"))["total"] == 1
    csv = (await send(plant, "GET", "/api/work-orders.csv", who="ravi")).body.decode()
    assert FOREIGN not in csv
    assert len(csv.split("\r\n")) == 3
    figures = (await read(plant, f"{ORDERS}/kpi?by=domain", "ravi"))["figures"]
    assert {each["name"] for each in figures} <= {"DEL-D01"}
    seen = {each["id"] for each in (await read(plant, ORDERS, "zoya"))["orders"]}
    assert seen == {foreign["id"]}
    assert nobodys["id"] not in seen


def without_id(answer: Answer) -> dict[str, Any]:
    document: dict[str, Any] = answer.json()
    return {name: value for name, value in document.items() if name != "request_id"}


async def attach(
    site: Site, number: int, content: bytes, *, kind: str = "image/png", name: str = "a.png",
    who: str = "gopal", role: Role = Role.OPERATOR, key: str | None = None,
) -> Answer:  # fmt: skip
    headers = [("Content-Type", kind), ("X-Filename", name)]
    if key is not None:
        headers.append(("Idempotency-Key", key))
    return await site.ask(
        "POST", f"{ORDERS}/{number}/attachments", token=site.token(role, who), body=content,
        headers=headers,
    )  # fmt: skip


async def test_uploads_that_stand_still_do_not_keep_others_out(
    plant: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "FILE_LIMIT_S", 1.5)
    order = await made(plant)
    path = f"{ORDERS}/{order['id']}/attachments"
    half = plant.request(
        "POST", path, token=plant.token(Role.OPERATOR, "gopal"), body=PNG,
        headers=[("Content-Type", "image/png")],
    )[:-1]  # fmt: skip
    still = [await asyncio.open_connection("127.0.0.1", plant.port) for _ in range(4)]
    for _, writer in still:
        writer.write(half)
        await writer.drain()
    await asyncio.sleep(0.1)
    assert (await attach(plant, order["id"], PNG)).status == 201
    answer = await read_answer(still[0][0])
    assert (answer.status, answer.json()["error"]) == (408, "too slow")
    for _, writer in still:
        writer.close()


async def test_a_photo_is_kept_outside_every_route_and_handed_out_as_a_file(
    plant: Site, sql: Any, tmp_path: Path
) -> None:
    order = await made(plant, serial_number=PUMP)
    name = quote("../../पंप\r\n.PNG")
    answer = await attach(plant, order["id"], PNG, name=name, key="p1")
    assert answer.status == 201
    assert (await attach(plant, order["id"], PNG, name=name, key="p1")).json() == answer.json()
    [file] = (await read(plant, f"{ORDERS}/{order['id']}"))["attachments"]
    assert (file["file_name"], file["size_bytes"]) == ("पंप__.png", 72)
    assert "place" not in file
    [path] = [each for each in (tmp_path / "attachments").rglob("*") if each.is_file()]
    assert path.parent.name == file["sha256"][:2]
    assert path.read_bytes() == PNG
    got = await plant.get(f"{ORDERS}/{order['id']}/attachments/{file['id']}")
    assert got.body == PNG
    assert got.header("content-type") == "image/png"
    assert str(got.header("content-disposition")).startswith("attachment; filename=")
    assert got.all("x-content-type-options") == ["nosniff"]
    assert (await send(plant, "DELETE", f"{ORDERS}/{order['id']}/attachments/{file['id']}",
                       role=Role.OPERATOR)).status == 403  # fmt: skip
    gone = await send(plant, "DELETE", f"{ORDERS}/{order['id']}/attachments/{file['id']}")
    assert gone.status == 204
    assert not path.exists()
    assert (await plant.get(f"{ORDERS}/{order['id']}/attachments/{file['id']}")).status == 404
    assert [each[0] for each in sql("SELECT what FROM audit_log ORDER BY id")] == [
        "work order created", "work order file attached", "work order file deleted"
    ]  # fmt: skip


async def test_files_that_lie_or_are_too_many_are_refused(
    plant: Site, sql: Any, tmp_path: Path
) -> None:
    order = await made(plant)
    number = order["id"]
    for kind, content in (
        ("image/png", b"<html>"), ("text/html", b"<html>"), ("image/svg+xml", b"<svg/>"),
        ("application/pdf", PNG), ("text/plain", b"a\0b"), ("text/csv", b"\xff\xfe"), ("", PNG),
        ("image/jpeg", b"\xff\xd8"), ("text/plain", b""),
    ):  # fmt: skip
        assert (await attach(plant, number, content, kind=kind)).status == 415, kind
    assert (await attach(plant, number, PNG, role=Role.VIEWER)).status == 403
    assert (await attach(plant, 99999, PNG)).status == 404
    full = await attach(plant, number, b"x" * 990, kind="text/plain")
    assert full.status == 201
    over = await attach(plant, number, PNG)
    assert (over.status, over.json()["error"]) == (413, "attachments full")
    kept = [each for each in (tmp_path / "attachments").rglob("*") if each.is_file()]
    assert len(kept) == 1
    kept[0].unlink()
    lost = await plant.get(f"{ORDERS}/{number}/attachments/{full.json()['id']}")
    assert lost.status == 410


async def test_a_file_may_be_longer_than_other_bodies_and_not_longer_than_25_mib(
    fresh_dsn: str, sql: Any, tmp_path: Path
) -> None:
    async with serving(fresh_dsn, data_dir=tmp_path) as site:
        order = await made(site)
        large = await attach(site, order["id"], PNG + b"\0" * (3 << 20))
        assert large.status == 201
        [file] = (await read(site, f"{ORDERS}/{order['id']}"))["attachments"]
        got = await site.get(f"{ORDERS}/{order['id']}/attachments/{file['id']}")
        assert len(got.body) == file["size_bytes"] == len(PNG) + (3 << 20)
        over = await site.ask(
            "POST", f"{ORDERS}/{order['id']}/attachments", token=site.token(Role.OPERATOR),
            headers=[("Content-Type", "image/png"), ("Content-Length", str((25 << 20) + 1))],
        )  # fmt: skip
        assert over.status == 413
        comment = {"text": "x" * (1 << 20)}
        long = await send(site, "POST", f"{ORDERS}/{order['id']}/comments", comment)
        assert long.status == 413


HOSTILE: list[Any] = [
    "\0", "a\0b", "x" * (1 << 20), "\r\nX: y", "\u202egnp.exe", "../../etc/passwd", "=1+1",
    "<script>alert(1)</script>", "'; DROP TABLE ic3_work_order; --", "\ud800",
    "\x1b[31m", "%00", "", 7, -1, 10**30, 1.5, 1e308, None, True, [], {},
    "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
]  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "": {"title": "x", "description": "x", "priority": 1, "serial_number": PUMP, "domain": "x",
         "assignee": "x", "team": "x", "due_at": "2026-07-01T00:00:00Z", "alarm_id": 1,
         "failed_at": "2026-06-01T00:00:00Z", "draft": False, "checklist": ["x"]},
    "/{}/transitions": {"to": "cancelled", "note": "x", "assignee": "x", "team": "x"},
    "/{}/checklist": {"text": "x"},
    "/{}/labour": {"minutes": 1, "person": "x", "note": "x"},
    "/{}/parts": {"name": "x", "quantity": 1, "unit_cost_minor": 1, "number": "x"},
    "/{}/comments": {"text": "x"},
    "/../maintenance-plans": {
        "title": "x", "basis": "calendar", "every": 1, "unit": "day", "tag_code": "x",
        "starts_at": "2026-06-01T00:00:00Z", "lead_days": 1, "description": "x",
        "serial_number": PUMP, "domain": "x", "priority": 1, "team": "x", "assignee": "x",
        "checklist": ["x"],
    },
}  # fmt: skip


@pytest.mark.parametrize("tail", BODIES)
async def test_hostile_bodies_are_refused_or_kept_as_text(plant: Site, sql: Any, tail: str) -> None:
    order = await made(plant, team="north")
    path = ORDERS + tail.format(order["id"])
    if tail.startswith("/.."):
        path = "/api/maintenance-plans"
    for field in BODIES[tail]:
        for value in HOSTILE:
            answer = await send(plant, "POST", path, {**BODIES[tail], field: value})
            assert answer.status < 500, f"{field}={str(value)[:40]!r}: {answer.body[:300]!r}"
    for raw in (b"", b"{", b"[]", b"null", b"\xff", b'{"title": NaN}', b"[" * 5000):
        answer = await plant.ask(
            "POST", path, token=plant.token(Role.ENGINEER), body=raw,
            headers=[("Content-Type", "application/json")],
        )  # fmt: skip
        assert 400 <= answer.status < 500
    for field in ("id", "created_by", "role", "version"):
        assert (await send(plant, "POST", path, {**BODIES[tail], field: 1})).status == 422


async def test_hostile_numbers_and_headers_are_refused(plant: Site, sql: Any) -> None:
    order = await made(plant)
    for number in ("0", "-1", "9" * 30, "x", "%00", "..", "1%2F2", "1e3", "१"):
        answer = await plant.get(f"{ORDERS}/{quote(number, safe='%')}")
        assert 400 <= answer.status < 500, number
    path = f"{ORDERS}/{order['id']}"
    for value in ("x" * 2000, '"', 'W/"1"', "", "\u00ff"):
        answer = await plant.ask(
            "PATCH", path, token=plant.token(Role.ENGINEER), body=b'{"title": "x"}',
            headers=[("Content-Type", "application/json"), ("If-Match", value)],
        )  # fmt: skip
        assert answer.status in {400, 412, 422, 428}
    for query in ("from=x", "until=x", "from=2026-06-16T00:00:00Z&until=2026-06-15T00:00:00Z",
                  "by=ship", "from=2001-01-01T00:00:00Z", "limit=0", "from=%00"):  # fmt: skip
        assert (await plant.get(f"{ORDERS}/kpi?{query}")).status == 422, query


async def test_the_times_by_priority_are_data(plant: Site, sql: Any) -> None:
    body = {"start_minutes": 10, "done_minutes": 20}
    assert (await send(plant, "PUT", f"{ORDERS}/sla/1", body, role=Role.OPERATOR)).status == 403
    answer = await send(plant, "PUT", f"{ORDERS}/sla/1", body)
    assert answer.json()["sla"][0] == {"priority": 1, **body}
    order = await made(plant, priority=1)
    assert order["due_at"] == "2026-06-15T02:02:00Z"
    assert order["overdue"] is False
    plant.clock.advance(11 * 60)
    assert (await read(plant, f"{ORDERS}/{order['id']}"))["order"]["overdue"] is True
    backwards = {"start_minutes": 20, "done_minutes": 10}
    assert (await send(plant, "PUT", f"{ORDERS}/sla/1", backwards)).status == 422
    assert (await send(plant, "PUT", f"{ORDERS}/sla/5", body)).status in {404, 422}


async def test_plans_are_made_changed_and_scoped(plant: Site, sql: Any) -> None:
    plans = "/api/maintenance-plans"
    body = {
        "title": "Oil", "basis": "calendar", "every": 1, "unit": "month",
        "starts_at": "2026-07-01T02:30:00Z", "serial_number": PUMP, "checklist": ["Drain"],
    }  # fmt: skip
    assert (await send(plant, "POST", plans, body, role=Role.OPERATOR)).status == 403
    made_plan = await send(plant, "POST", plans, body)
    assert made_plan.status == 201
    view = made_plan.json()
    assert view["next_due_at"] == "2026-07-01T02:30:00Z"
    assert view["plan"]["domain"] == "DEL-D01"
    path = f"{plans}/{view['plan']['id']}"
    assert (await send(plant, "PATCH", path, {"active": False})).status == 428
    etag = (("If-Match", str(made_plan.header("etag"))),)
    stopped = await send(plant, "PATCH", path, {"active": False}, headers=etag)
    assert (stopped.status, stopped.json()["next_due_at"]) == (200, None)
    assert (await send(plant, "PATCH", path, {"active": True}, headers=etag)).status == 412
    assert (await send(plant, "GET", path, who="zoya", role=Role.VIEWER)).status == 404
    assert (await read(plant, plans, "zoya"))["plans"] == []
    assert (await read(plant, plans, "ravi"))["plans"][0]["plan"]["id"] == view["plan"]["id"]
    assert (await send(plant, "POST", plans, body, who="zoya")).status == 404
    for wrong in ({"unit": None}, {"tag_code": "X"}, {"basis": "run_hours"}, {"every": 1001}):
        assert (await send(plant, "POST", plans, {**body, **wrong})).status == 422
    acts = [each[0] for each in sql("SELECT what FROM audit_log ORDER BY id")]
    assert acts == ["maintenance plan created", "maintenance plan changed"]
