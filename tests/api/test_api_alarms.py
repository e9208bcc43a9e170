"""Alarms over HTTP: lists, acts, holds; what each role may do; hostile words."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from serving import NOW_US, Answer, Site, serving, until

from ic3.api import alarm_acts
from ic3.domain.alarms import Finding, Hold, HoldKind, Priority, What
from ic3.domain.users import Role
from ic3.store.alarms import AlarmStore
from ic3.workers.alarm_log import AlarmLog
from ic3.workers.runner import run_worker

SECOND_US = 1_000_000
HOSTILE = ["\0", "a\0b", "x" * 5000, "", 7, None, [], {}, True, 1.5, -1, 10**30, "\ud800"]


@pytest.fixture
async def kept(fresh_dsn: str) -> AsyncIterator[Site]:
    """A server with a database, and the worker that writes alarms into it."""
    async with serving(fresh_dsn) as site:
        worker = AlarmLog(
            journal=site.journal, store=AlarmStore(site.database), clock=site.clock,
            observe=site.told.append,
        )  # fmt: skip
        task = asyncio.create_task(
            run_worker(worker, clock=site.clock, observe=site.told.append, back_off_limit_s=0.05)
        )
        yield site
        task.cancel()
        await asyncio.wait([task])


def report(site: Site, source: str = "Azadpur_PT_1", *, active: bool = True, **more: Any) -> int:
    """A finding; answers the number of its alarm."""
    fields = {
        "source_kind": "asset", "source": source, "condition": "PRESSURE.low", "active": active,
        "priority": Priority.HIGH, "text": "pressure is low", "value": 1.2, "domain": "DEL-D01",
        "dma_id": "D1",
    }  # fmt: skip
    finding = Finding(**{**fields, **more})
    before = site.alarms.find(finding.source_kind, finding.source, finding.condition)
    site.alarms.report(finding, at_us=site.clock.now_us())
    alarm = site.alarms.find(finding.source_kind, finding.source, finding.condition) or before
    assert alarm is not None
    return alarm.id


async def send(
    site: Site, path: str, body: object = None, role: Role = Role.OPERATOR, method: str = "POST"
) -> Answer:
    return await site.ask(
        method, path, token=site.token(role), headers=[("Content-Type", "application/json")],
        body=b"" if body is None else json.dumps(body).encode(),
    )  # fmt: skip


async def ask(site: Site, path: str) -> Any:
    answer = await site.get(path)
    assert answer.status == 200, answer.body
    return answer.json()


async def sources(site: Site, query: str) -> list[str]:
    return [each["source"] for each in (await ask(site, f"/api/alarms?{query}"))["alarms"]]


async def test_no_alarm_is_told_apart_from_nothing_judged(site: Site) -> None:
    unknown = await ask(site, "/api/alarms")
    assert (unknown["alarms"], unknown["count"], unknown["evaluated_at"]) == ([], 0, None)
    site.alarms.evaluated_us = NOW_US
    site.clock.advance(4)
    known = await ask(site, "/api/alarms")
    assert (known["evaluated_at"], known["evaluated_age_s"]) == ("2026-06-15T01:42:00.000000Z", 4.0)


async def test_open_alarms_come_worst_first_page_by_page(site: Site) -> None:
    for number, priority in enumerate([4, 1, 2, 1, 3]):
        report(site, f"S{number}", priority=Priority(priority))
        site.clock.advance(1)
    site.alarms.acknowledge(4, who="asha", at_us=NOW_US)
    whole = await ask(site, "/api/alarms")
    assert [each["source"] for each in whole["alarms"]] == ["S1", "S2", "S4", "S0", "S3"]
    assert (whole["count"], whole["cursor"], whole["stored"]) == (5, None, False)
    assert whole["counts"]["unacknowledged"] == {"1": 1, "2": 1, "3": 1, "4": 1}
    assert whole["counts"]["acknowledged"] == {"1": 1, "2": 0, "3": 0, "4": 0}
    found: list[Any] = []
    cursor: Any = ""
    while cursor is not None:
        page = await ask(site, f"/api/alarms?limit=2&cursor={cursor}")
        found += [each["source"] for each in page["alarms"]]
        assert page["count"] == 5
        cursor = page["cursor"]
    assert found == ["S1", "S2", "S4", "S0", "S3"]


async def test_lists_are_filtered(kept: Site) -> None:
    for number in range(6):
        report(
            kept, f"S{number}", priority=Priority(1 + number % 4), domain=f"DEL-D0{number % 2}",
            dma_id=f"D{number % 3}", condition=f"C{number % 2}", text=f"low {number}",
        )  # fmt: skip
        kept.clock.advance(1)
    await until(lambda: len(kept.journal) == 0)
    for state in ("open", "history"):
        query = f"state={state}&"
        assert sorted(await sources(kept, query + "priority=1&priority=3")) == ["S0", "S2", "S4"]
        assert sorted(await sources(kept, query + "domain=DEL-D00")) == ["S0", "S2", "S4"]
        assert sorted(await sources(kept, query + "dma=D1&dma=D2")) == ["S1", "S2", "S4", "S5"]
        assert sorted(await sources(kept, query + "source=S1&source=S4")) == ["S1", "S4"]
        assert await sources(kept, query + "source=S1&q=LOW%201") == ["S1"]
        assert await sources(kept, query + "q=low%203") == ["S3"]
        assert await sources(kept, query + "condition=C1&priority=2&domain=DEL-D01") != []
        assert await sources(kept, query + "q=%25") == []
    span = "state=history&from=2026-06-15T01:42:01Z&until=2026-06-15T07:12:03%2B05:30"
    assert await sources(kept, span) == ["S2", "S1"]


async def test_history_is_paged_newest_first(kept: Site) -> None:
    for number in range(5):
        report(kept, f"S{number}")
    await until(lambda: len(kept.journal) == 0)
    found: list[Any] = []
    cursor: Any = ""
    while cursor is not None:
        page = await ask(kept, f"/api/alarms?state=history&limit=2&cursor={cursor}")
        found += [each["id"] for each in page["alarms"]]
        cursor = page["cursor"]
    assert found == [5, 4, 3, 2, 1]


WRONG = (
    "state=lost", "priority=5", "priority=x", "limit=0", "limit=1001", "cursor=%00",
    "cursor=abc", "cursor=WzFd", "state=history&cursor=Wy0xLDFd", "q=%00", "source=a%00b",
    "source=" + "x" * 1025, "from=yesterday", "from=2026-06-15T00:00:00",
    "from=2026-06-15T00:00:00Z&until=2026-06-15T00:00:00Z", "&".join(["domain=x"] * 101),
)  # fmt: skip


async def test_a_wrong_question_is_refused(stored: Site) -> None:
    for query in WRONG:
        answer = await stored.get(f"/api/alarms?{query}")
        assert answer.status == 422, (query, answer.body)
        assert answer.header("content-type") == "application/problem+json"


async def test_an_alarm_is_acknowledged_commented_and_its_history_told(kept: Site) -> None:
    number = report(kept)
    done = (await send(kept, f"/api/alarms/{number}/ack", {"note": "seen"})).json()
    assert done["stored"] is True
    assert (done["alarm"]["state"], done["alarm"]["acknowledged_by"]) == ("acknowledged", "asha")
    await send(kept, f"/api/alarms/{number}/comment", {"note": "crew is on its way"})
    again = (await send(kept, f"/api/alarms/{number}/ack", {})).json()
    assert again["alarm"]["version"] == 3
    shown = await ask(kept, f"/api/alarms/{number}")
    assert [(each["what"], each["who"], each["note"]) for each in shown["events"]] == [
        ("new", None, None), ("ack", "asha", "seen"), ("comment", "asha", "crew is on its way"),
    ]  # fmt: skip
    assert shown["complete"] is True
    report(kept, active=False)
    await until(lambda: len(kept.journal) == 0)
    closed = await ask(kept, f"/api/alarms/{number}")
    assert (closed["alarm"]["state"], closed["events"][-1]["what"]) == ("cleared", "clear")
    for act in ("ack", "comment", "shelve"):
        body = {"note": "x"} if act != "shelve" else {"minutes": 1, "reason": "x"}
        late = await send(kept, f"/api/alarms/{number}/{act}", body)
        assert (late.status, late.json()["error"]) == (409, "alarm is closed")
    for path in ("/api/alarms/99", f"/api/alarms/{10**30}"):
        assert (await kept.get(path)).status == 404
        assert (await send(kept, f"{path}/ack", {})).status == 404


async def test_many_are_acknowledged_each_for_itself(kept: Site) -> None:
    for number in range(3):
        report(kept, f"S{number}")
    await send(kept, "/api/alarms/2/ack", {})
    done = (await send(kept, "/api/alarms/ack", {"ids": [3, 2, 99, 1, 1]})).json()
    assert [(each["id"], each["outcome"]) for each in done["results"]] == [
        (3, "acknowledged"), (2, "already acknowledged"), (99, "not open"), (1, "acknowledged"),
        (1, "already acknowledged"),
    ]  # fmt: skip
    assert done["stored"] is True
    assert (await send(kept, "/api/alarms/ack", {"ids": list(range(1, 1002))})).status == 422
    assert (await send(kept, "/api/alarms/ack", {"ids": []})).status == 422


async def test_an_act_works_while_the_database_is_away_and_says_that_it_is_not_stored(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_acts, "STORED_WITHIN_S", 0.05)
    number = report(site)
    done = (await send(site, f"/api/alarms/{number}/ack", {"note": "seen"})).json()
    assert (done["alarm"]["state"], done["stored"]) == ("acknowledged", False)
    assert site.alarms.get(number).acknowledged_by == "asha"
    shown = await ask(site, f"/api/alarms/{number}")
    assert ([each["what"] for each in shown["events"]], shown["complete"]) == (
        ["new", "ack"], False
    )  # fmt: skip
    assert (await ask(site, "/api/alarms"))["stored"] is False
    assert (await site.get("/api/alarms/99")).status == 503
    assert (await send(site, "/api/alarms/99/ack", {})).status == 404
    assert (await site.get("/api/alarms?state=history")).status == 503
    site.journal._limit = 1
    full = await send(site, f"/api/alarms/{number}/comment", {"note": "x"})
    assert (full.status, full.json()["error"]) == (503, "too many acts wait")
    assert site.alarms.get(number).comments == 0


async def test_shelving_is_bounded_by_role_and_ends_by_a_person(kept: Site) -> None:
    number = report(kept)
    path = f"/api/alarms/{number}/shelve"
    assert (await send(kept, path, {"minutes": 481, "reason": "x"})).status == 403
    assert (await send(kept, path, {"minutes": 129_601, "reason": "x"})).status == 422
    assert (await send(kept, path, {"minutes": 60})).status == 422
    long = {"minutes": 129_600, "reason": "noisy gauge"}
    done = (await send(kept, path, long, Role.ENGINEER)).json()
    assert (done["alarm"]["held"], done["stored"]) == ("shelved", True)
    assert (await send(kept, path, long, Role.ENGINEER)).status == 409
    assert await sources(kept, "state=open") == []
    shelved = await ask(kept, "/api/alarms?state=shelved")
    assert (shelved["count"], shelved["counts"]["shelved"]["2"]) == (1, 1)
    (hold,) = (await ask(kept, "/api/alarms/holds"))["holds"]
    assert (hold["kind"], hold["source"], hold["condition"], hold["who"]) == (
        "shelved", "Azadpur_PT_1", "PRESSURE.low", "asha",
    )  # fmt: skip
    assert hold["until_at"] == "2026-09-13T01:42:00.000000Z"
    back = (await send(kept, f"/api/alarms/{number}/unshelve")).json()
    assert (back["alarm"]["held"], back["alarm"]["state"]) == (None, "unacknowledged")
    assert (await send(kept, f"/api/alarms/{number}/unshelve")).status == 409
    assert (await ask(kept, "/api/alarms/holds"))["holds"] == []


async def test_out_of_service_is_an_engineers_and_no_shelf(kept: Site) -> None:
    number = report(kept)
    path = f"/api/alarms/{number}/out-of-service"
    assert (await send(kept, path, {"reason": "x"})).status == 403
    done = (await send(kept, path, {"reason": "being replaced"}, Role.ENGINEER)).json()
    assert done["alarm"]["held"] == "out_of_service"
    assert (await send(kept, f"/api/alarms/{number}/unshelve")).status == 409
    assert (await send(kept, f"/api/alarms/{number}/in-service")).status == 403
    back = await send(kept, f"/api/alarms/{number}/in-service", role=Role.ENGINEER)
    assert back.json()["alarm"]["held"] is None


async def test_a_maintenance_window_is_made_and_ended(kept: Site) -> None:
    number = report(kept)
    window: dict[str, Any] = {
        "reason": "main is flushed",
        "until": "2026-06-15T09:12:00+05:30",
        "dma_id": "D1",
    }
    assert (await send(kept, "/api/alarms/holds", window)).status == 403
    for change in (
        {"dma_id": None}, {"dma_id": None, "source_kind": "asset"}, {"until": "2026-06-15T01:00Z"},
        {"until": "2026-06-15T09:00:00"}, {"until": "2027-06-15T01:00:00Z"}, {"reason": ""},
        {"from": "2026-06-15T04:00:00Z"}, {"id": 7}, {"who": "x"}, {"kind": "shelved"},
        {"source_kind": "ship"}, {"until": "0001-01-01T00:00:00+14:00"},
    ):  # fmt: skip
        refused = await send(kept, "/api/alarms/holds", {**window, **change}, Role.ENGINEER)
        assert refused.status in {400, 422}, (change, refused.body)
    made = (await send(kept, "/api/alarms/holds", window, Role.ENGINEER)).json()
    assert (made["hold"]["kind"], made["stored"]) == ("suppressed", True)
    assert made["hold"]["until_at"] == "2026-06-15T03:42:00.000000Z"
    assert kept.alarms.get(number).held is HoldKind.SUPPRESSED
    path = f"/api/alarms/holds/{made['hold']['id']}"
    assert (await send(kept, path, role=Role.OPERATOR, method="DELETE")).status == 403
    ended = (await send(kept, path, role=Role.ENGINEER, method="DELETE")).json()
    assert (ended["hold"]["ended_by"], ended["stored"]) == ("asha", True)
    assert (await send(kept, path, role=Role.ENGINEER, method="DELETE")).status == 404
    later = {**window, "from": "2026-06-15T03:00:00Z"}
    assert (await send(kept, "/api/alarms/holds", later, Role.ENGINEER)).status == 200
    assert kept.alarms.get(number).held is None


async def test_too_many_holds_are_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("ic3.domain.alarms.HOLDS_LIMIT", 1)
    site.alarms.hold(
        Hold(id=0, kind=HoldKind.SHELVED, reason="x", who="x", from_us=0, until_us=None), at_us=1
    )
    report(site, "new")
    window = {"reason": "x", "until": "2026-06-15T09:00:00Z", "dma_id": "D1"}
    answer = await send(site, "/api/alarms/holds", window, Role.ENGINEER)
    assert (answer.status, answer.json()["error"]) == (409, "too many holds")


BODIES: dict[str, dict[str, Any]] = {
    "/api/alarms/1/ack": {"note": "x"},
    "/api/alarms/ack": {"ids": [1], "note": "x"},
    "/api/alarms/1/comment": {"note": "x"},
    "/api/alarms/1/shelve": {"minutes": 5, "reason": "x"},
    "/api/alarms/1/out-of-service": {"reason": "x"},
    "/api/alarms/holds": {
        "reason": "x", "until": "2026-06-15T09:00:00Z", "from": None, "source_kind": "asset",
        "source": "x", "condition": "x", "domain": "x", "dma_id": "x",
    },
}  # fmt: skip


@pytest.mark.parametrize("path", sorted(BODIES))
async def test_a_hostile_body_is_refused_or_stored_and_never_a_fault(
    kept: Site, path: str
) -> None:  # fmt: skip
    report(kept)
    good = BODIES[path]
    bodies: list[object] = [{**good, "id": 1}, [], "x", 7, {**good, "who": "x"}]
    bodies += [{**good, field: value} for field in good for value in HOSTILE]
    for body in bodies:
        answer = await send(kept, path, body, Role.ENGINEER)
        assert answer.status in {200, 400, 409, 422}, (body, answer.body)
        if "\\u0000" in json.dumps(body):
            assert answer.status == 422, body
    for field in good:
        unknown = await send(kept, path, {**good, field + "x": 1}, Role.ENGINEER)
        assert unknown.status in {400, 422}
    await until(lambda: len(kept.journal) == 0)
    for raw in (b"{", b"\xff", b"[" * 9999, b""):
        answer = await kept.ask(
            "POST", path, token=kept.token(Role.ENGINEER), body=raw,
            headers=[("Content-Type", "application/json")],
        )  # fmt: skip
        assert answer.status in {200, 400, 422}, raw


async def test_s26_csv_holds_the_filtered_history_and_no_formula(kept: Site) -> None:
    report(kept, "=cmd|' /C calc'!A0", text="@SUM(1)", value=-1.5)
    report(kept, "पम्प, \"A\"")  # fmt: skip
    await until(lambda: len(kept.journal) == 0)
    answer = await kept.get("/api/alarms.csv")
    assert (answer.status, answer.header("content-type")) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["source"] for row in rows] == ['पम्प, "A"', "'=cmd|' /C calc'!A0"]
    assert (rows[1]["text"], rows[1]["value"]) == ("'@SUM(1)", "-1.5")
    assert rows[0]["time_utc"] == "2026-06-15T01:42:00.000000Z"
    assert rows[0]["time_local"] == "2026-06-15T07:12:00.000000+05:30"
    only = await kept.get("/api/alarms.csv?source=" + quote('पम्प, "A"'))
    assert len(only.body.splitlines()) == 2
    assert (await kept.get("/api/alarms.csv?priority=9")).status == 422


async def test_a_long_csv_is_read_in_pages(kept: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ic3.api.alarms.CSV_PAGE", 2)
    for number in range(5):
        report(kept, f"S{number}")
    await until(lambda: len(kept.journal) == 0)
    rows = list(csv.DictReader(io.StringIO((await kept.get("/api/alarms.csv")).body.decode())))
    assert [row["alarm"] for row in rows] == ["5", "4", "3", "2", "1"]


async def test_figures_are_of_the_stored_history(kept: Site) -> None:
    number = report(kept)
    kept.clock.advance(30)
    await send(kept, f"/api/alarms/{number}/ack", {})
    kept.clock.advance(30)
    await until(lambda: len(kept.journal) == 0)
    found = await ask(kept, "/api/alarms/kpi?operators=2")
    assert (found["calls"], found["per_10_min"]["slots"], found["operators"]) == (1, 1008, 2)
    assert (found["from"], found["until"]) == (
        "2026-06-08T01:43:00Z", "2026-06-15T01:43:00Z",
    )  # fmt: skip
    assert found["acknowledgement"]["median_s"] == 30.0
    assert "within 60 s" in found["definitions"]["chattering"]
    for query in (
        "operators=0", "from=x", "from=2026-06-15T00:00:00Z&until=2026-06-14T00:00:00Z",
        "from=2020-06-15T00:00:00Z",
    ):  # fmt: skip
        assert (await kept.get(f"/api/alarms/kpi?{query}")).status == 422, query


async def test_acts_over_http_are_audited_with_whence(kept: Site, fresh_dsn: str) -> None:
    number = report(kept)
    await send(kept, f"/api/alarms/{number}/ack", {"note": "seen"})
    await send(kept, f"/api/alarms/{number}/shelve", {"minutes": 5, "reason": "noisy"})
    await send(kept, f"/api/alarms/{number}/unshelve")
    with psycopg.connect(fresh_dsn) as connection:
        found = connection.execute(
            "SELECT who, role, whence, what FROM audit_log ORDER BY id"
        ).fetchall()
    assert found == [
        ("asha", "operator", "127.0.0.1", what)
        for what in ("alarm acknowledged", "alarms shelved", "hold ended")
    ]


async def test_what_happens_is_told_to_those_that_listen(site: Site) -> None:
    heard: list[What] = []
    site.alarms.listen(lambda change: heard.append(change.what))
    number = report(site)
    site.alarms.acknowledge(number, who="x", at_us=NOW_US + SECOND_US)
    assert heard == [What.NEW, What.ACK]
