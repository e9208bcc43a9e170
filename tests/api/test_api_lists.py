"""What all lists have in common: the next page is in `next` and in the header Link."""

import json
import re
from collections.abc import AsyncIterator
from inspect import signature
from typing import Any

import psycopg
import pytest
from serving import NOW_US, Site, register_with, serving

from ic3.api import ROUTES
from ic3.domain.alarms import Finding, Priority
from ic3.domain.users import Role
from ic3.store.register import RegisterStore

ROWS: list[dict[str, object]] = [
    {"serialnumber": serial, "domain": "DEL-D01", "name": "Pump"}
    for serial in ("A Block/Pump_1", "B & C_SV_2", "D+E_SV_3", "ü_SV_4")
]
CODES: list[dict[str, object]] = [
    {"param_tag_code": code, "parameter_name": code} for code in ("FLOW", "P/1", "Ü & +")
]
LISTS = [
    ("/api/assets?q=Pump&sort=-name", "assets", "serialnumber"),
    ("/api/assets/states", "states", "serial"),
    ("/api/cmms/assets", "data", "serialnumber"),
    ("/api/parameters", "parameters", "param_tag_code"),
    ("/api/alarms", "alarms", "id"),
    ("/api/inbox", "lines", "serial"),
    ("/api/notifications/deliveries", "deliveries", "id"),
    ("/api/quarantine", "items", "id"),
    ("/api/register/conflicts", "conflicts", "id"),
    ("/api/users", "users", "username"),
    ("/api/audit?what=work+order+created", "acts", "id"),
    ("/api/maintenance-plans", "plans", "plan"),
    ("/api/work-orders?sort=due", "orders", "id"),
    ("/api/work-orders/1/history", "events", "id"),
    ("/api/replays", "replays", "id"),
    ("/api/feed/events", "events", "id"),
    ("/api/ai/anomalies", "findings", "id"),
    ("/api/ai/runs", "runs", "id"),
    ("/api/ai/sensors", "sensors", "tag_code"),
]
FILL = """
INSERT INTO ic3_inbox (kind, serial, tag_code, first_seen_at, last_seen_at, times_seen, samples)
SELECT 'tag', 'S' || n, 'T', now(), now(), 1, '[1]' FROM generate_series(1, 3) n;
INSERT INTO dead_letter (scope, reason, key, raw, raw_length, raw_sha256, first_seen_at,
    last_seen_at, times_seen)
SELECT 'inner', 'bad_json', 'k', 'x', 1, convert_to(n::text, 'UTF8'), now(), now(), 1
FROM generate_series(1, 3) n;
INSERT INTO ic3_delivery (route_id, route, alarm_id, alarm_version, what, priority, event, next_at,
    created_at, queued_at)
SELECT 1, 'r', n, 1, 'new', 1, '{}', now(), now(), now() FROM generate_series(1, 3) n;
INSERT INTO ic3_register_conflict (subject, key, field, kept, offered, source, offered_by)
SELECT 'register', 'S' || n, 'name', '"a"', '"b"', 'cmms', 'cmms' FROM generate_series(1, 3) n;
INSERT INTO ic3_user (username, password_hash, role)
SELECT 'user ' || n, 'x', 'viewer' FROM generate_series(1, 3) n;
INSERT INTO ic3_asset_master (asset_id, serialnumber) VALUES (901, 'judged');
INSERT INTO ic3_finding (kind, cause, asset_id, serial, opened_at, since, last_seen_at, state,
    severity, peak_severity, confidence, peak_confidence, sentence)
SELECT 'sensor', 'cause ' || n, 901, 'judged', now(), now(), now(), 'open', 3, 3, 50, 50, 's'
FROM generate_series(1, 3) n;
INSERT INTO ic3_analytics_run (worker, run_at, origin, from_at, until_at)
SELECT 'nrw', now(), 'live', now(), now() FROM generate_series(1, 3);
INSERT INTO ic3_sensor_trust (asset_id, tag_code, computed_at, trust, completeness, timeliness,
    validity, liveness, consistency)
SELECT 901, 'T' || n, now(), n, 1, 1, 1, 1, 1 FROM generate_series(1, 3) n;
INSERT INTO ic3_feed_event (at, serial, event) SELECT now(), 'S' || n, 'appeared'
FROM generate_series(1, 3) n;
INSERT INTO ic3_replay (kind, state, created_by, reason, filter, registry_version)
SELECT 'map', 'done', 'leela', 'r', '{}', 1 FROM generate_series(1, 3) n;
"""
# Features by their own links, tested with the standard; figures of pumps and districts with those.
OTHERWISE = {
    "/api/ogc/collections/{collection:str}/items", "/api/ai/pump-health", "/api/ai/nrw",
    "/api/ai/pump-health/{serial_number:str}/history", "/api/ai/nrw/{dma_id:str}/history",
}  # fmt: skip


@pytest.fixture
async def site(fresh_dsn: str) -> AsyncIterator[Site]:
    """A server with more than one of everything that is asked for."""
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        connection.execute(FILL)
    async with serving(fresh_dsn) as site:
        await RegisterStore(site.database).import_rows({"register": ROWS, "parameters": CODES})
        site.latest.register = register_with(*(str(each["serialnumber"]) for each in ROWS))
        for number in range(3):
            found = Finding(
                source_kind="asset", source=f"S{number}", condition="high", active=True,
                priority=Priority.HIGH, text="high",
            )  # fmt: skip
            site.alarms.report(found, at_us=NOW_US)
            await post(site, "/api/work-orders", {"title": f"order {number}"})
            await post(site, "/api/work-orders/1/comments", {"text": f"comment {number}"})
            await post(
                site, "/api/maintenance-plans",
                {
                    "title": f"plan {number}", "basis": "calendar", "every": 1, "unit": "month",
                    "starts_at": "2026-07-01T08:00:00+05:30",
                },
            )  # fmt: skip
        yield site


async def post(site: Site, target: str, body: dict[str, Any]) -> None:
    answer = await site.ask(
        "POST", target, token=site.token(Role.ADMIN), body=json.dumps(body).encode(),
        headers=[("Content-Type", "application/json")],
    )  # fmt: skip
    assert answer.status in {200, 201}, answer.body


def test_every_list_with_a_cursor_is_followed_here() -> None:
    lists = {each.path for each in ROUTES if "cursor" in signature(each.handler).parameters}
    followed = {target.partition("?")[0].replace("/1/", "/{order_id:int}/") for target, *_ in LISTS}
    assert followed == lists - OTHERWISE


async def test_a_client_that_follows_the_links_has_all_of_it_once(site: Site) -> None:
    token = site.token(Role.ADMIN)
    for target, name, key in LISTS:
        whole = (await site.ask("GET", target, token=token)).json()[name]
        assert len(whole) > 2, target
        found: list[Any] = []
        following: str | None = f"{target}{'&' if '?' in target else '?'}limit=1"
        while following:
            answer = await site.ask("GET", following, token=token)
            assert answer.status == 200, answer.body
            found += answer.json()[name]
            link = re.fullmatch(r'<([^>]+)>; rel="next"', answer.header("link") or "")
            assert (link is None) is (answer.json()["next"] is None), target
            following = link and link[1]
        assert [each[key] for each in found] == [each[key] for each in whole], target


async def test_what_is_no_cursor_is_refused_by_name(site: Site) -> None:
    for target in ("/api/assets", "/api/inbox", "/api/work-orders", "/api/alarms", "/api/audit"):
        answer = await site.ask("GET", f"{target}?cursor=!!", token=site.token(Role.ADMIN))
        assert (answer.status, "cursor" in answer.body.decode()) == (422, True), target


async def test_a_time_without_a_zone_is_refused_and_the_parameter_named(site: Site) -> None:
    token = site.token(Role.ADMIN)
    for target in ("/api/audit", "/api/audit.csv", "/api/alarms?state=history"):
        for name in ("from", "until"):
            question = f"{target}{'&' if '?' in target else '?'}{name}="
            answer = await site.ask("GET", f"{question}2026-06-15T00:00:00", token=token)
            assert (answer.status, answer.json()["detail"][: len(name) + 1]) == (422, f"{name}:")
            answer = await site.ask("GET", f"{question}2026-06-15T00:00:00%2B05:30", token=token)
            assert answer.status == 200, answer.body


async def test_the_audit_log_is_half_open_in_time(site: Site) -> None:
    token = site.token(Role.ADMIN)
    at = (await site.ask("GET", "/api/audit?limit=1", token=token)).json()["acts"][0]["at"]
    inside = await site.ask("GET", f"/api/audit?from={at}&limit=1", token=token)
    assert [each["at"] for each in inside.json()["acts"]] == [at]
    outside = await site.ask("GET", f"/api/audit?until={at}", token=token)
    assert at not in {each["at"] for each in outside.json()["acts"]}
