"""`Idempotency-Key`: every POST that heeds it acts once and gives its answer again."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from serving import NOW_US, Answer, Site, serving

from ic3.api import ROUTES, alarm_acts
from ic3.api.once import Repeats
from ic3.domain.alarms import Finding, Priority
from ic3.domain.users import Role

PUMP: Final = "A Block_Pump_1"
PASSWORD: Final = "correct horse battery"
FILL: Final = """
INSERT INTO ic3_asset_master (asset_id, serialnumber, category, domain)
VALUES (12, 'A Block_Pump_1', 'pump', 'DEL-D01');
INSERT INTO ic3_parameter_master (param_id, parameter_name, param_tag_code)
VALUES (101, 'Flow', 'FLOW');
INSERT INTO ic3_inbox (kind, serial, tag_code, first_seen_at, last_seen_at, times_seen, samples)
VALUES ('tag', 'A Block_Pump_1', 'FLOW_X', now(), now(), 1, '[1]'),
    ('asset', 'B Block_Pump_2', '', now(), now(), 1, '[]');
INSERT INTO assets (asset_id, domain, first_seen_at, last_seen_at)
VALUES ('B Block_Pump_2', 'DEL-D01', now(), now());
INSERT INTO dead_letter (scope, reason, key, raw, raw_length, raw_sha256, first_seen_at,
    last_seen_at, times_seen)
VALUES ('inner', 'bad_json', 'ic3:latest:x', 'x', 1, 'x', now(), now(), 1);
INSERT INTO ic3_delivery (route_id, route, alarm_id, alarm_version, what, priority, event, next_at,
    created_at, queued_at, state, ended_at)
VALUES (1, 'r', 1, 1, 'new', 1, '{}', now(), now(), now(), 'dead', now());
INSERT INTO ic3_replay (kind, created_by, reason, filter, registry_version)
VALUES ('map', 'boss', 'x', '{}', 1);
INSERT INTO ic3_register_conflict (subject, key, field, kept, offered, source, offered_by)
VALUES ('register', 'A Block_Pump_1', 'name', '"a"', '"b"', 'cmms', 'cmms');
INSERT INTO ic3_user (username, password_hash, role)
VALUES ('mira', 'x', 'viewer'),
    ('leela', 'x', 'admin');
INSERT INTO ic3_finding (kind, cause, asset_id, serial, domain, opened_at, since, last_seen_at,
    state, severity, peak_severity, confidence, peak_confidence, sentence)
VALUES ('pump', 'head', 12, 'A Block_Pump_1', 'DEL-D01', now(), now(), now(), 'open', 5, 5, 80, 80,
    'Head below the curve.');
"""
RULE: Final = {"name": "high", "kind": "high", "parameter": "FLOW", "limit": 5}
PLAN: Final = {
    "title": "Oil", "basis": "calendar", "every": 1, "unit": "month",
    "starts_at": "2026-07-01T08:00:00+05:30",
}  # fmt: skip
MAIL: Final = {"name": "mail", "kind": "email", "recipients": ["a@example.org"]}
NETWORK: Final = {"type": "FeatureCollection", "features": []}
USER: Final = {"username": "nita", "role": "viewer", "password": PASSWORD}
# Path of the table to the address and what is sent there, in an order that lets each be done.
REQUESTS: Final[dict[str, tuple[str, Any]]] = {
    "/api/alarms/{alarm_id:int}/comment": ("/api/alarms/1/comment", {"note": "hot"}),
    "/api/alarms/{alarm_id:int}/ack": ("/api/alarms/1/ack", {}),
    "/api/alarms/ack": ("/api/alarms/ack", {"ids": [1, 99]}),
    "/api/alarms/{alarm_id:int}/shelve": (
        "/api/alarms/1/shelve", {"minutes": 5, "reason": "known"},
    ),
    "/api/alarms/{alarm_id:int}/unshelve": ("/api/alarms/1/unshelve", None),
    "/api/alarms/{alarm_id:int}/out-of-service": (
        "/api/alarms/1/out-of-service", {"reason": "known"},
    ),
    "/api/alarms/{alarm_id:int}/in-service": ("/api/alarms/1/in-service", None),
    "/api/alarms/holds": (
        "/api/alarms/holds",
        {"reason": "works", "until": "2026-06-16T00:00:00Z", "domain": "DEL-D01"},
    ),
    "/api/alarm-rules": ("/api/alarm-rules", RULE),
    "/api/alarm-rules/import": ("/api/alarm-rules/import?dry_run=true", b"name,kind\r\n"),
    "/api/assets": ("/api/assets", {"serialnumber": "C_Pump_3"}),
    "/api/gis/network/import": ("/api/gis/network/import?format=geojson", NETWORK),
    "/api/register/import": (
        "/api/register/import?table=register", b"serialnumber,name\r\nD_Pump_4,Pump\r\n",
    ),
    "/api/register/conflicts/{conflict_id:int}": (
        "/api/register/conflicts/1", {"decision": "take"},
    ),
    "/api/inbox/ignore": (
        "/api/inbox/ignore", {"kind": "asset", "serial": "B Block_Pump_2", "reason": "test"},
    ),
    "/api/inbox/register": ("/api/inbox/register", {"serial": "B Block_Pump_2"}),
    "/api/inbox/map": (
        "/api/inbox/map", {"serial": PUMP, "tag_code": "FLOW_X", "param_id": 101},
    ),
    "/api/inbox/map-kind": (
        "/api/inbox/map-kind", {"category": "pump", "tag_code": "FLOW_Y", "param_id": 101},
    ),
    "/api/parameters": ("/api/parameters", {"param_tag_code": "P", "parameter_name": "Pressure"}),
    "/api/replays": ("/api/replays", {"reason": "again"}),
    "/api/replays/{replay_id:int}/cancel": ("/api/replays/1/cancel", None),
    "/api/quarantine/replay": ("/api/quarantine/replay", {"ids": [1]}),
    "/api/quarantine/purge": ("/api/quarantine/purge", {"ids": [1], "confirm": 1}),
    "/api/users": ("/api/users", USER),
    "/api/users/{username:str}/password": ("/api/users/mira/password", {"password": PASSWORD}),
    "/api/keys": ("/api/keys", {"name": "scada", "role": "viewer", "days": 30}),
    "/api/notifications/routes": ("/api/notifications/routes", MAIL),
    "/api/notifications/routes/{route_id:int}/test": ("/api/notifications/routes/1/test", None),
    "/api/notifications/deliveries/{delivery_id:int}/resend": (
        "/api/notifications/deliveries/1/resend", None,
    ),
    "/api/work-orders": ("/api/work-orders", {"title": "Leak"}),
    "/api/work-orders/{order_id:int}/transitions": (
        "/api/work-orders/1/transitions", {"to": "assigned", "team": "east"},
    ),
    "/api/work-orders/{order_id:int}/checklist": ("/api/work-orders/1/checklist", {"text": "Oil"}),
    "/api/work-orders/{order_id:int}/labour": ("/api/work-orders/1/labour", {"minutes": 30}),
    "/api/work-orders/{order_id:int}/parts": (
        "/api/work-orders/1/parts", {"name": "Seal", "quantity": 2, "unit_cost_minor": 100},
    ),
    "/api/work-orders/{order_id:int}/comments": ("/api/work-orders/1/comments", {"text": "done"}),
    "/api/work-orders/{order_id:int}/attachments": ("/api/work-orders/1/attachments", b"a,b\r\n"),
    "/api/maintenance-plans": ("/api/maintenance-plans", PLAN),
    "/api/ai/anomalies/{finding_id:int}/acknowledge": ("/api/ai/anomalies/1/acknowledge", None),
    "/api/ai/anomalies/{finding_id:int}/work-order": ("/api/ai/anomalies/1/work-order", {}),
    "/api/ai/anomalies/{finding_id:int}/verdict": (
        "/api/ai/anomalies/1/verdict", {"verdict": "true_alarm"},
    ),
}  # fmt: skip
REFUSED: Final = {each.path for each in ROUTES if each.repeats is Repeats.REFUSED}


@pytest.fixture
async def plant(fresh_dsn: str, tmp_path: Path) -> AsyncIterator[Site]:
    """A server with something to do for every act."""
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        connection.execute(FILL)
    async with serving(fresh_dsn, data_dir=tmp_path) as site:
        found = Finding(
            source_kind="asset", source=PUMP, condition="high", active=True,
            priority=Priority.HIGH, text="Bearing hot", domain="DEL-D01",
        )  # fmt: skip
        site.alarms.report(found, at_us=NOW_US)
        yield site


async def post(
    site: Site, target: str, body: Any, *, key: str = "k", who: str = "leela",
    role: Role = Role.ADMIN,
) -> Answer:  # fmt: skip
    is_file = isinstance(body, bytes)
    sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    kind = "text/csv" if is_file else "application/json"
    return await site.ask(
        "POST", target, token=site.token(role, who), body=sent,
        headers=[("Content-Type", kind), ("Idempotency-Key", key)],
    )  # fmt: skip


def test_every_post_that_heeds_a_key_is_tried_here() -> None:
    heeded = {
        each.path for each in ROUTES
        if each.method == "POST" and each.repeats is not Repeats.NOT_HEEDED
    }  # fmt: skip
    assert set(REQUESTS) == heeded


async def test_every_post_that_heeds_a_key_acts_once(
    plant: Site, fresh_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_acts, "STORED_WITHIN_S", 0)
    told: list[object] = []
    plant.alarms.listen(told.append)
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        for path, (target, body) in REQUESTS.items():
            first = await post(plant, target, body, key=path)
            assert first.status in {200, 201}, (path, first.body)
            acts, changes = _acts(connection), len(told)
            again = await post(plant, target, body, key=path)
            assert (_acts(connection), len(told)) == (acts, changes), path
            if path in REFUSED:
                assert (again.status, again.json()["error"]) == (409, "already done")
            else:
                assert again.status == first.status, (path, again.body)
                assert again.body == first.body
                assert again.header("etag") == first.header("etag")
                assert again.header("location") == first.header("location")
                other = await post(
                    plant, f"{target}{'&' if '?' in target else '?'}x=1", body, key=path
                )
                assert (other.status, other.json()["error"]) == (422, "key used before"), path


def _acts(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM audit_log").fetchone()
    assert row is not None
    return int(row[0])


async def test_no_secret_is_kept_with_a_key(plant: Site, fresh_dsn: str) -> None:
    made = await post(plant, "/api/keys", {"name": "scada", "role": "viewer", "days": 30})
    assert (await post(plant, "/api/users", USER, key="u")).status == 201
    with psycopg.connect(fresh_dsn) as connection:
        rows = connection.execute("SELECT answer FROM ic3_idempotency_key").fetchall()
    assert rows == [(b"",), (b"",)]
    assert made.json()["key"].startswith("ic3_")


async def test_what_was_refused_leaves_its_key_free(plant: Site) -> None:
    refused = await post(plant, "/api/work-orders", {"alarm_id": 99})
    assert refused.status == 404
    file = await post(plant, "/api/alarm-rules/import", b"nonsense\r\n1\r\n", key="f")
    assert file.status == 422
    assert (await post(plant, "/api/work-orders", {"title": "Leak"})).status == 201
    assert (await post(plant, "/api/work-orders", {"title": "Leak"}, key="f")).status == 201


async def test_a_key_is_of_its_user_and_of_the_rights_the_user_had(plant: Site) -> None:
    first = await post(plant, "/api/work-orders", {"title": "Leak"}, who="ravi")
    other = await post(plant, "/api/work-orders", {"title": "Leak"}, who="leela")
    assert first.json()["id"] != other.json()["id"]
    plant.scopes["ravi"] = frozenset({"DEL-D09"})
    since = await post(plant, "/api/work-orders", {"title": "Leak"}, who="ravi")
    assert (since.status, since.json()["error"]) == (422, "key used before")


async def test_of_many_at_the_same_time_one_acts(plant: Site, fresh_dsn: str) -> None:
    answers = await asyncio.gather(
        *(post(plant, "/api/work-orders", {"title": "Leak"}) for _ in range(8))
    )
    assert {each.status for each in answers} <= {201, 409}
    assert len({each.body for each in answers if each.status == 201}) == 1
    with psycopg.connect(fresh_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM ic3_work_order").fetchone() == (1,)


async def test_a_form_sent_again_with_another_boundary_is_the_same(plant: Site) -> None:
    await post(plant, "/api/work-orders", {"title": "Leak"}, key="o")
    target = "/api/work-orders/1/attachments"
    first = await form(plant, target, "one", b"a,b\r\n1,2\r\n")
    assert first.status == 201, first.body
    assert (await form(plant, target, "two", b"a,b\r\n1,2\r\n")).body == first.body
    other = await form(plant, target, "two", b"a,b\r\n1,3\r\n")
    assert other.json()["error"] == "key used before"
    order = await plant.ask("GET", "/api/work-orders/1", token=plant.token(Role.ADMIN))
    [file] = order.json()["attachments"]
    assert (file["file_name"], file["content_type"]) == ("पंप.csv", "text/csv")
    assert file["size_bytes"] == len(b"a,b\r\n1,2\r\n")


async def form(site: Site, target: str, boundary: str, content: bytes) -> Answer:
    body = b"--%b\r\n" % boundary.encode()
    body += 'Content-Disposition: form-data; name="file"; filename="पंप.csv"\r\n'.encode()
    body += b"Content-Type: text/csv\r\n\r\n" + content + b"\r\n--%b--\r\n" % boundary.encode()
    return await site.ask(
        "POST", target, token=site.token(Role.OPERATOR, "gopal"), body=body,
        headers=[
            ("Content-Type", f"multipart/form-data; boundary={boundary}"),
            ("Idempotency-Key", "k"),
        ],
    )  # fmt: skip
