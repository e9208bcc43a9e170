"""An engineer of one domain works through lists that hold other domains too: S19, S20."""

import json
from typing import Any

import pytest
from serving import Site
from test_api_scope import DOMAINS, MINE, OTHER, known

from ic3.api.alarms import FIRST_PAGE
from ic3.domain.alarm_history import AlarmFilter
from ic3.domain.users import Role
from ic3.store.alarms import AlarmStore
from ic3.store.register import RegisterStore

STRAY = "stray"
FILL = """
INSERT INTO assets (asset_id, domain, first_seen_at, last_seen_at)
    VALUES ('stray', 'DEL-D02', now(), now());
INSERT INTO ic3_inbox (kind, serial, tag_code, domain, first_seen_at, last_seen_at, times_seen,
    samples)
VALUES ('tag', 'mine', 'T', 'DEL-D02', now(), now(), 1, '[1]'),
    ('tag', 'other''s', 'T', 'DEL-D01', now(), now(), 1, '[42]'),
    ('asset', 'stray', '', 'DEL-D02', now(), now(), 1, '[]');
INSERT INTO dead_letter (scope, reason, key, raw, raw_length, raw_sha256, first_seen_at,
    last_seen_at, times_seen)
SELECT 'inner', 'bad_json', convert_to('ic3:latest:' || serial, 'UTF8'), 'secret', 6,
    convert_to(serial, 'UTF8'), now(), now(), 1
FROM unnest(ARRAY['mine', 'other''s', 'stray', 'unheard of']) AS serial;
INSERT INTO ic3_alarm (id, version, source_kind, source, condition, domain, priority, state, active,
    text, notify, raised_at, flaps, comments)
SELECT n, 1, 'asset', 'asset ' || n, 'stale', 'DEL-D0' || n, 1, 'unacknowledged', true, '', '[]',
    now(), 0, 0
FROM generate_series(1, 2) AS n;
INSERT INTO ic3_delivery (route_id, route, alarm_id, alarm_version, what, priority, event, next_at,
    created_at, queued_at)
SELECT 1, 'r', id, 1, 'new', 1, '{}', now(), now(), now() FROM ic3_alarm;
INSERT INTO ic3_replay (kind, created_by, reason, filter, registry_version)
SELECT 'map', 'boss', serialnumber, jsonb_build_object('register_ids', jsonb_build_array(asset_id)),
    1 FROM ic3_asset_master;
INSERT INTO ic3_replay (kind, created_by, reason, filter, registry_version)
VALUES ('map', 'boss', 'everything', '{}', 1)
"""


async def filled(site: Site) -> None:
    """Something of each of two domains in every list."""
    await RegisterStore(site.database).import_rows(
        {"register": [{"serialnumber": MINE, "domain": "DEL-D01"},
                      {"serialnumber": OTHER, "domain": "DEL-D02"}]}
    )  # fmt: skip
    known(site)
    async with site.database.connection() as connection:
        await connection.execute(FILL)


async def call(
    site: Site, method: str, path: str, body: object = None, *,
    domains: frozenset[str] | None = DOMAINS,
) -> tuple[int, Any]:  # fmt: skip
    """A request of an engineer."""
    answer = await site.ask(
        method, path, token=site.token(Role.ENGINEER, domains=domains),
        headers=[("Content-Type", "application/json")],
        body=b"" if body is None else json.dumps(body).encode(),
    )  # fmt: skip
    return answer.status, answer.json()


async def test_s20_the_inbox_counts_and_lists_only_what_is_in_scope(stored: Site) -> None:
    await filled(stored)
    _, found = await call(stored, "GET", "/api/inbox")
    assert [each["serial"] for each in found["lines"]] == [MINE]
    assert (found["counts"]["tag"]["open"], found["counts"]["asset"]["open"]) == (1, 0)
    _, everything = await call(stored, "GET", "/api/inbox", domains=None)
    assert len(everything["lines"]) == 3


async def test_s19_a_line_of_another_domain_cannot_be_ignored(stored: Site) -> None:
    await filled(stored)
    line = {"kind": "tag", "serial": OTHER, "tag_code": "T", "reason": "x"}
    status, other = await call(stored, "POST", "/api/inbox/ignore", line)
    _, stranger = await call(stored, "POST", "/api/inbox/ignore", {**line, "serial": "nobody's"})
    assert status == 422
    assert other["detail"].replace(OTHER, "?") == stranger["detail"].replace("nobody's", "?")
    assert (await call(stored, "POST", "/api/inbox/ignore", {**line, "serial": MINE}))[0] == 200


@pytest.mark.parametrize("serial", [STRAY, "of no domain"])
async def test_s19_an_asset_of_another_domain_cannot_be_claimed(stored: Site, serial: str) -> None:
    await filled(stored)
    async with stored.database.connection() as connection:
        await connection.execute(
            "INSERT INTO assets (asset_id, first_seen_at, last_seen_at)"
            " VALUES ('of no domain', now(), now())"
        )
    mine = {"domain": "DEL-D01"}
    for path, name in (("/api/assets", "serialnumber"), ("/api/inbox/register", "serial")):
        status, _ = await call(stored, "POST", path, {name: serial, **mine})
        assert status == 403, path
        status, _ = await call(stored, "POST", path, {name: f"new by {path}", **mine})
        assert status in {200, 201}, path
    answer = await stored.ask(
        "POST", "/api/register/import?table=register",
        token=stored.token(Role.ENGINEER, domains=DOMAINS), headers=[("Content-Type", "text/csv")],
        body=f"serialnumber,domain\n{serial},DEL-D01\n".encode(),
    )  # fmt: skip
    assert answer.status == 403
    status, _ = await call(stored, "POST", "/api/assets", {"serialnumber": serial}, domains=None)
    assert status == 201


async def test_s20_quarantine_shows_and_replays_only_what_is_in_scope(stored: Site) -> None:
    await filled(stored)
    _, found = await call(stored, "GET", "/api/quarantine")
    (item,) = found["items"]
    assert (item["key"], found["counts"][0]["items"]) == (f"ic3:latest:{MINE}", 1)
    _, everything = await call(stored, "GET", "/api/quarantine", domains=None)
    assert everything["counts"][0]["items"] == 4
    for each in everything["items"]:
        status, _ = await call(stored, "GET", f"/api/quarantine/{each['id']}")
        assert status == (200 if each["id"] == item["id"] else 404)
    ids = [each["id"] for each in everything["items"]]
    _, replayed = await call(stored, "POST", "/api/quarantine/replay", {"ids": ids})
    assert [each["id"] for each in replayed["items"]] == [item["id"]]


async def test_s19_jobs_over_another_domain_are_neither_seen_nor_made_nor_ended(
    stored: Site,
) -> None:
    await filled(stored)
    _, everything = await call(stored, "GET", "/api/replays", domains=None)
    numbers = {each["reason"]: each["id"] for each in everything["replays"]}
    assert len(numbers) == 3
    _, found = await call(stored, "GET", "/api/replays")
    assert [each["reason"] for each in found["replays"]] == [MINE]
    for reason, number in numbers.items():
        status, _ = await call(stored, "POST", f"/api/replays/{number}/cancel", {})
        assert status == (200 if reason == MINE else 404)
    mine, other = (
        next(
            each["scope"]["register_ids"] for each in everything["replays"] if each["reason"] == of
        )
        for of in (MINE, OTHER)
    )
    for ids, expected in ((mine, 200), (other, 403), ([*mine, *other], 403), (None, 403)):
        wanted = {"reason": "x"} if ids is None else {"reason": "x", "asset_ids": ids}
        status, _ = await call(stored, "POST", "/api/replays", wanted)
        assert status == expected, ids


async def test_s20_deliveries_of_alarms_of_another_domain_are_not_listed(stored: Site) -> None:
    await filled(stored)
    _, found = await call(stored, "GET", "/api/notifications/deliveries")
    assert [each["alarm_id"] for each in found["deliveries"]] == [1]


@pytest.mark.parametrize("path", ["/api/inbox", "/api/quarantine", "/api/replays"])
async def test_s20_who_sees_all_sees_all_lists(stored: Site, path: str) -> None:
    await filled(stored)
    status, found = await call(stored, "GET", path, domains=None)
    assert status == 200
    assert len(next(each for each in found.values() if isinstance(each, list))) > 0


async def test_s19_nobody_decides_over_the_alarm_rules_of_another_domain(stored: Site) -> None:
    await filled(stored)
    path, plain = "/api/alarm-rules", {"kind": "high", "limit": 1, "parameter": "FLOW"}
    selectors: dict[str, dict[str, str]] = {
        "all": {}, "mine": {"domain": "DEL-D01"}, "other": {"domain": "DEL-D02"},
        "my asset": {"serial": MINE}, "other asset": {"serial": OTHER},
    }  # fmt: skip
    numbers = {}
    for name, selector in selectors.items():
        rule: dict[str, object] = {**plain, **selector}
        status, _ = await call(stored, "POST", path, {**rule, "name": f"try {name}"})
        assert status == (200 if name.startswith("m") else 403), name
        _, made = await call(stored, "POST", path, {**rule, "name": name}, domains=None)
        numbers[name] = made["id"]
    _, found = await call(stored, "GET", path)
    shown = {each["name"] for each in found["rules"]}
    assert shown == {"all", "mine", "my asset", "try mine", "try my asset"}
    expectations = {"all": 403, "mine": 200, "other": 404, "other asset": 404}
    for name, expected in expectations.items():
        for method in ("PATCH", "DELETE"):
            change = {"version": 1, "enabled": False}
            status, _ = await call(stored, method, f"{path}/{numbers[name]}", change)
            assert status == expected, (method, name)
    away = {"version": 1, "domain": "DEL-D02"}
    assert (await call(stored, "PATCH", f"{path}/{numbers['my asset']}", away))[0] == 403
    answer = await stored.ask(
        "POST", f"{path}/import", token=stored.token(Role.ENGINEER, domains=DOMAINS), body=b"x"
    )
    assert answer.status == 403


@pytest.mark.parametrize("sources", [(), ("asset 1", "asset 2")])
async def test_s20_the_past_of_alarms_is_scoped_without_row_security_too(
    stored: Site, sources: tuple[str, ...]
) -> None:
    await filled(stored)
    store = AlarmStore(stored.database)  # of the owner, whom no policy binds
    for scope, ids in ((DOMAINS, [1]), (None, [2, 1]), (frozenset[str](), list[int]())):
        wanted = AlarmFilter(sources=sources, scope=scope)
        page = await store.page(wanted, limit=9, before=FIRST_PAGE)
        assert [each.id for each in page] == ids
    answer = await stored.ask("GET", "/api/alarms.csv", token=stored.token(domains=DOMAINS))
    assert (answer.body.count(b"asset 1"), answer.body.count(b"asset 2")) == (1, 0)


async def test_s20_routes_of_notification_name_nothing_of_another_domain(stored: Site) -> None:
    await filled(stored)
    wanted: dict[str, dict[str, list[str]]] = {
        "all": {}, "mine": {"domains": ["DEL-D01", "DEL-D02"], "sources": [MINE, OTHER]},
        "other": {"domains": ["DEL-D02"]}, "other asset": {"sources": [OTHER]},
    }  # fmt: skip
    for name, selectors in wanted.items():
        made = await stored.ask(
            "POST", "/api/notifications/routes", token=stored.token(Role.ADMIN),
            headers=[("Content-Type", "application/json")],
            body=json.dumps(
                {"name": name, "kind": "email", "recipients": ["a@b.example"], **selectors}
            ).encode(),
        )  # fmt: skip
        assert made.status == 200
    _, found = await call(stored, "GET", "/api/notifications/routes")
    shown = {each["name"]: (each["domains"], each["sources"]) for each in found["routes"]}
    assert shown == {"all": ([], []), "mine": (["DEL-D01"], [MINE])}
    _, everything = await call(stored, "GET", "/api/notifications/routes", domains=None)
    assert len(everything["routes"]) == 4
