"""Routes and deliveries over HTTP: what is taken, refused, shown, audited."""

import json
from typing import Any

import psycopg
import pytest
from serving import NOW, Answer, Site, serving

from ic3.domain.users import Role

ROUTES = "/api/notifications/routes"
DELIVERIES = "/api/notifications/deliveries"
URL = "https://hooks.example.org:8443/planted-path?planted=query"
# Nobody is there, and nothing is asked of a name.
CLOSED = "http://127.0.0.1:1/planted-path?planted=query"
KEY = "planted-secret-of-a-webhook"
HOOK = {"name": "control room", "kind": "webhook", "url": URL, "secret": KEY}
PEOPLE = {"name": "on call", "kind": "email", "recipients": ["asha@example.org"]}
DEAD = """
INSERT INTO ic3_delivery (route_id, route, alarm_id, alarm_version, what, priority, event, state,
    attempts, next_at, status, error, created_at, queued_at, ended_at)
SELECT %s, 'control room', n, 1, 'new', 1, '{"id":"x"}', CASE WHEN n %% 2 = 0 THEN 'sent' ELSE
    'dead' END, 3, now(), 410, 'answered 410', now(), now(), now() FROM generate_series(1, 10) n
"""


async def act(
    site: Site, method: str, path: str, body: object = None, role: Role = Role.ADMIN
) -> Answer:
    sent = b"" if body is None else json.dumps(body).encode()
    return await site.ask(
        method, path, token=site.token(role), body=sent,
        headers=[("Content-Type", "application/json")] if sent else [],
    )  # fmt: skip


@pytest.fixture
def sql(fresh_dsn: str) -> Any:
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        yield connection


async def test_a_route_is_made_changed_and_deleted_and_each_act_is_audited(
    stored: Site, sql: Any
) -> None:
    made = (await act(stored, "POST", ROUTES, {**HOOK, "changes": ["new", "new", "ack"]})).json()
    assert made == {
        "id": 1, "name": "control room", "kind": "webhook",
        "address": "https://hooks.example.org:8443", "recipients": [], "enabled": True,
        "least_priority": 4, "domains": [], "sources": [], "conditions": [],
        "changes": ["new", "ack"], "quiet": None, "version": 1,
    }  # fmt: skip
    quiet = {"begin": "22:00", "end": "06:00", "priority": 1}
    change = {"quiet": quiet, "domains": ["DEL-D07"], "enabled": False, "version": 1}
    changed = (await act(stored, "PATCH", f"{ROUTES}/1", change)).json()
    assert (changed["quiet"], changed["domains"], changed["enabled"], changed["version"]) == (
        quiet, ["DEL-D07"], False, 2,
    )  # fmt: skip
    assert (await act(stored, "PATCH", f"{ROUTES}/1", change)).status == 422
    hours = {"quiet": {"begin": "22:00", "end": "06:00"}}
    assert (await act(stored, "PATCH", f"{ROUTES}/1", hours)).json()["quiet"] == quiet
    assert (await act(stored, "PATCH", f"{ROUTES}/1", {"quiet": "none"})).json()["quiet"] is None
    listed = await act(stored, "GET", ROUTES, role=Role.ENGINEER)
    assert [each["version"] for each in listed.json()["routes"]] == [4]
    assert (await act(stored, "DELETE", f"{ROUTES}/1")).json() == {"done": True}
    assert (await act(stored, "DELETE", f"{ROUTES}/1")).status == 404
    assert sql.execute("SELECT count(*) FROM ic3_route_secret").fetchone() == (0,)
    acts = sql.execute("SELECT what, who, object FROM audit_log ORDER BY id").fetchall()
    assert acts == [
        (what, "asha", "control room")
        for what in ("route made", *["route changed"] * 3, "route deleted")
    ]


async def test_s33_url_and_secret_are_in_no_answer_log_or_audit_row(stored: Site, sql: Any) -> None:
    answers = [
        await act(stored, "POST", ROUTES, {**HOOK, "url": CLOSED}),
        await act(stored, "POST", ROUTES, {**HOOK, "url": CLOSED}),
        await act(stored, "POST", ROUTES, {**HOOK, "name": "b", "url": f"ftp://{KEY}@h/{KEY}"}),
        await act(stored, "POST", ROUTES, {**HOOK, "name": "c", "unknown": 1}),
        await act(stored, "PATCH", f"{ROUTES}/1", {"url": CLOSED + "2", "secret": KEY + "2"}),
        await act(stored, "GET", ROUTES),
        await act(stored, "GET", "/api/audit"),
        await act(stored, "POST", f"{ROUTES}/1/test"),
        await act(stored, "GET", DELIVERIES),
        await act(stored, "DELETE", f"{ROUTES}/1"),
    ]
    assert [each.status for each in answers[:5]] == [200, 422, 422, 422, 200]
    for each in answers:
        assert b"planted" not in each.body, each
    assert "planted" not in repr(sql.execute("SELECT * FROM audit_log").fetchall())
    assert "planted" not in repr(stored.told)


BAD: list[dict[str, Any]] = [
    {**HOOK, "url": "file:///etc/passwd"}, {**HOOK, "url": "gopher://x/"},
    {**HOOK, "url": "http://user:pw@example.org/"}, {**HOOK, "url": "http://example.org:99999/"},
    {**HOOK, "url": "http://example.org/\r\nX: y"}, {**HOOK, "url": "http:///nothing"},
    {**HOOK, "url": "http://169.254.169.254/latest"}, {**HOOK, "url": "http://[fe80::1]/"},
    {**HOOK, "url": "http://example.org/#x"}, {**HOOK, "url": "http://½.example/"},
    {**HOOK, "secret": "short"}, {**HOOK, "secret": None}, {**HOOK, "url": None},
    {**HOOK, "name": "x\r\ny"}, {**HOOK, "name": ""}, {**HOOK, "name": "x\n"},
    {**HOOK, "name": "x" * 65},
    {**HOOK, "recipients": ["a@b.c"]}, {**HOOK, "least_priority": 0}, {**HOOK, "changes": []},
    {**HOOK, "changes": ["shout"]}, {**HOOK, "domains": ["a\0"]}, {**HOOK, "id": 7},
    {**HOOK, "quiet": {"begin": "22:00", "end": "22:00"}},
    {**HOOK, "quiet": {"begin": "24:00", "end": "06:00"}},
    {**HOOK, "quiet": {"begin": "22:00\n", "end": "06:00"}},
    {**PEOPLE, "recipients": []}, {**PEOPLE, "secret": KEY}, {**PEOPLE, "url": URL},
    {**PEOPLE, "recipients": ["a@b.c\r\nBcc: d@e.f"]}, {**PEOPLE, "recipients": ["a@b.c\n"]},
    {**PEOPLE, "recipients": ["<a@b.c>"]}, {**PEOPLE, "recipients": ["a@b.c, d@e.f"]},
    {**PEOPLE, "recipients": ["ü@b.c"]}, {**PEOPLE, "kind": "sms"},
]  # fmt: skip


async def test_what_is_wrong_with_a_route_is_refused(stored: Site) -> None:
    for body in BAD:
        answer = await act(stored, "POST", ROUTES, body)
        assert answer.status in {400, 422}, (body, answer)
    assert (await act(stored, "GET", ROUTES)).json()["routes"] == []
    assert stored.told == []


async def test_private_addresses_are_refused_unless_allowed(fresh_dsn: str) -> None:
    async with serving(fresh_dsn, allow_private=False) as site:
        for host in ("127.0.0.1", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]"):
            answer = await act(site, "POST", ROUTES, {**HOOK, "url": f"http://{host}/x"})
            assert (answer.status, answer.json()["error"]) == (422, "this address is not called")
        local = {**HOOK, "url": f"http://localhost:{site.port}/livez"}
        assert (await act(site, "POST", ROUTES, local)).status == 200
        outcome = (await act(site, "POST", f"{ROUTES}/1/test")).json()
        assert (outcome["sent"], outcome["status"]) == (False, None)
        assert outcome["why"] == "its host is a private address, which is not called"


async def test_a_test_says_what_the_receiver_answered(stored: Site) -> None:
    local = {**HOOK, "url": f"http://127.0.0.1:{stored.port}/api/auth/login"}
    assert (await act(stored, "POST", ROUTES, local)).status == 200
    outcome = (await act(stored, "POST", f"{ROUTES}/1/test")).json()
    assert (outcome["sent"], outcome["status"] in {400, 415, 422}) == (False, True)
    assert (await act(stored, "POST", ROUTES, PEOPLE)).status == 200
    outcome = (await act(stored, "POST", f"{ROUTES}/2/test")).json()
    assert (outcome["sent"], outcome["why"]) == (
        False, "no mail server is set; set IC3_SMTP_URL",
    )  # fmt: skip
    assert (await act(stored, "POST", f"{ROUTES}/3/test")).status == 404
    assert (await act(stored, "POST", f"{ROUTES}/{10**30}/test")).status == 404


async def test_deliveries_are_paged_filtered_and_sent_again(stored: Site, sql: Any) -> None:
    await act(stored, "POST", ROUTES, HOOK)
    sql.execute(DEAD, [1])
    page = (await act(stored, "GET", f"{DELIVERIES}?limit=4", role=Role.ENGINEER)).json()
    assert [each["id"] for each in page["deliveries"]] == [10, 9, 8, 7]
    page = (await act(stored, "GET", f"{DELIVERIES}?limit=100&cursor={page['next']}")).json()
    assert ([each["id"] for each in page["deliveries"]], page["next"]) == ([*range(6, 0, -1)], None)
    dead = (await act(stored, "GET", f"{DELIVERIES}?state=dead&route=1")).json()["deliveries"]
    assert [each["id"] for each in dead] == [9, 7, 5, 3, 1]
    assert (dead[0]["status"], dead[0]["error"]) == (410, "answered 410")
    assert "event" not in dead[0]
    assert (await act(stored, "GET", f"{DELIVERIES}?route=2")).json()["deliveries"] == []
    for bad in ("state=lost", "limit=1001", "cursor=0", "route=x"):
        assert (await act(stored, "GET", f"{DELIVERIES}?{bad}")).status in {400, 422}
    again = f"{DELIVERIES}/9/resend"
    assert (await act(stored, "POST", again)).json() == {"done": True}
    state = sql.execute("SELECT state, attempts, queued_at FROM ic3_delivery WHERE id = 9")
    assert state.fetchone() == ("waiting", 0, NOW)
    assert (await act(stored, "POST", again)).status == 422
    assert (await act(stored, "POST", f"{DELIVERIES}/11/resend")).status == 404
    (audited,) = sql.execute(
        "SELECT after FROM audit_log WHERE what = 'notification sent again'"
    ).fetchall()
    assert audited[0] == {"delivery": 9, "event": "9-1", "was": "dead"}
    await act(stored, "DELETE", f"{ROUTES}/1")
    given_up = sql.execute("SELECT state, error FROM ic3_delivery WHERE id = 9").fetchone()
    assert given_up == ("dead", "the route was deleted")
    assert (await act(stored, "POST", again)).status == 422


async def test_names_are_unique_also_after_a_change(stored: Site) -> None:
    assert (await act(stored, "POST", ROUTES, HOOK)).status == 200
    assert (await act(stored, "POST", ROUTES, PEOPLE)).status == 200
    taken = await act(stored, "PATCH", f"{ROUTES}/2", {"name": "control room"})
    assert (taken.status, "is taken" in taken.body.decode()) == (422, True)
    assert (await act(stored, "PATCH", f"{ROUTES}/2", {"name": "on call"})).status == 200
    bodies: list[dict[str, Any]] = [
        {"url": URL}, {"secret": KEY}, {"recipients": []}, {"kind": "webhook"},
    ]  # fmt: skip
    for body in bodies:
        assert (await act(stored, "PATCH", f"{ROUTES}/2", body)).status in {400, 422}
