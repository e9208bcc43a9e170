"""What all lists have in common: the next page is in `next` and in the header Link."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from serving import Site, register_with, serving

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
    ("/api/audit?what=work+order+created", "acts", "id"),
    ("/api/maintenance-plans", "plans", "plan"),
    ("/api/work-orders?sort=due", "orders", "id"),
    ("/api/work-orders/1/history", "events", "id"),
]


@pytest.fixture
async def site(fresh_dsn: str) -> AsyncIterator[Site]:
    """A server with more than one of everything that is asked for."""
    async with serving(fresh_dsn) as site:
        await RegisterStore(site.database).import_rows({"register": ROWS, "parameters": CODES})
        site.latest.register = register_with(*(str(each["serialnumber"]) for each in ROWS))
        for number in range(3):
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
