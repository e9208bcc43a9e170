"""The state of every asset and the events of the feed, as the API answers them."""

import csv
import io
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from serving import NOW, NOW_US, Site, envelope, fill, register_with

from ic3.domain.alarms import Finding, Priority
from ic3.domain.asset_states import Sort
from ic3.domain.freshness import FeedEvent, Happened
from ic3.domain.mapping import Register, RegisteredAsset
from ic3.domain.sweeps import Sweep
from ic3.store.states import StateStore
from ic3.store.telemetry import TelemetryStore
from ic3.turns import at_once

STRANGE = "पम्प घर/१ +%"


def take(site: Site, *serials: str, future: int = 0) -> None:
    sweep = Sweep(
        begun_at=NOW, started=site.clock.monotonic(), simulated=False, ended_at=NOW,
        server_date=NOW + timedelta(days=10),
    )  # fmt: skip
    sweep.envelopes = [envelope(serial, number) for number, serial in enumerate(serials)]
    for made in sweep.envelopes[:future]:
        made.occurred_us = NOW_US + 86_400_000_000
    site.feed.judge_times(sweep)
    at_once(site.feed.taking(sweep))


def taken(site: Site, serial: str) -> Sweep:
    """A sweep of one asset whose key was listed."""
    sweep = Sweep(begun_at=NOW, started=site.clock.monotonic(), simulated=False, ended_at=NOW)
    sweep.envelopes = [envelope(serial)]
    sweep.listed = {f"ic3:latest:{serial}": serial}
    at_once(site.feed.taking(sweep))
    return sweep


def register(site: Site) -> None:
    assets = {
        "silent": RegisteredAsset(
            1, "silent", {}, "DEL-D01", category="pump", dma_id="DMA-1", name="Quiet, =1"
        ),
        STRANGE: RegisteredAsset(2, STRANGE, {}, "DEL-D01"),
    }
    site.latest.register = Register(1, assets, {})


def finding(serial: str, priority: Priority) -> Finding:
    return Finding(
        source_kind="asset", source=serial, condition="c", priority=priority, active=True, text="t"
    )


async def states(site: Site, query: str = "") -> Any:
    answer = await site.get("/api/assets/states" + query)
    assert answer.status == 200, answer.body
    return answer.json()


async def test_every_asset_of_feed_and_register_has_its_state(site: Site) -> None:
    register(site)
    take(site, STRANGE, "B")
    site.clock.advance(20)
    assert await states(site) == {
        "count": 3,
        "states": [
            {"serial": "B", "domain": "DEL-D07", "state": "fresh",
             "since": "2026-06-15T01:42:20.000000Z", "age_s": 20.0, "cadence_s": None,
             "skew_s": 0.877, "last_value_at": "2026-06-15T01:41:59.123456Z", "name": None,
             "kind": None, "dma_id": None, "received_at": "2026-06-15T01:42:00.000001Z",
             "quality": "GOOD", "priority": 0, "unacknowledged": False},
            {"serial": "silent", "domain": "DEL-D01", "state": "never_seen", "since": None,
             "age_s": None, "cadence_s": None, "skew_s": None, "last_value_at": None,
             "name": "Quiet, =1", "kind": "pump", "dma_id": "DMA-1", "received_at": None,
             "quality": None, "priority": 0, "unacknowledged": False},
            {"serial": STRANGE, "domain": "DEL-D01", "state": "fresh",
             "since": "2026-06-15T01:42:20.000000Z", "age_s": 20.0, "cadence_s": None,
             "skew_s": 0.877, "last_value_at": "2026-06-15T01:41:59.123456Z", "name": None,
             "kind": None, "dma_id": None, "received_at": "2026-06-15T01:42:00.000000Z",
             "quality": "GOOD", "priority": 0, "unacknowledged": False},
        ],
        "next": None, "cursor": None, "total": 3,
    }  # fmt: skip


async def test_states_are_chosen_by_state_and_domain(site: Site) -> None:
    register(site)
    take(site, "A", "B")
    site.clock.advance(30)
    take(site, "C")
    site.clock.advance(30)
    stale = await states(site, "?state=stale")
    assert [each["serial"] for each in stale["states"]] == ["A", "B"]
    silent = await states(site, "?state=never_seen&domain=DEL-D01")
    assert silent["count"] == 2
    assert (await states(site, "?domain=nowhere"))["states"] == []
    assert (await site.get("/api/assets/states?state=asleep")).status == 422


async def test_pages_follow_one_another_without_gap_or_repeat(site: Site) -> None:
    register(site)
    names = [f"A{number:02}" for number in range(25)]
    take(site, *names, STRANGE)
    seen = list[str]()
    cursor: str | None = ""
    while cursor is not None:
        page = await states(site, f"?limit=10&cursor={quote(cursor)}")
        seen += [each["serial"] for each in page["states"]]
        cursor = page["cursor"]
    assert seen == sorted([*names, STRANGE, "silent"])
    for limit in (0, 1001):
        assert (await site.get(f"/api/assets/states?limit={limit}")).status == 422


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=pump", ["silent"]),
        ("kind=", ["A", "B", STRANGE]),
        ("dma=DMA-1&dma=DMA-2", ["silent"]),
        ("domain=DEL-D07&domain=nowhere", ["A", "B"]),
        ("state=stale&state=never_seen", ["silent"]),
        ("priority=1", ["A"]),
        ("priority=2&priority=0", ["B", "silent", STRANGE]),
        ("unacknowledged=true", ["A", "B"]),
        ("good=false", ["silent"]),
        ("q=QUIET", ["silent"]),
        (f"q={quote('घर/')}", [STRANGE]),
        ("sort=-priority", ["A", "B", "silent", STRANGE]),
        ("sort=worst", ["A", "B", STRANGE, "silent"]),
        ("sort=-state", ["silent", "A", "B", STRANGE]),
        ("sort=kind", ["A", "B", STRANGE, "silent"]),
        ("sort=received_at", ["silent", "A", "B", STRANGE]),
        ("sort=-serial", [STRANGE, "silent", "B", "A"]),
    ],
)
async def test_assets_are_chosen_and_ordered_by_what_is_live(
    site: Site, query: str, found: list[str]
) -> None:
    register(site)
    take(site, "A", "B", STRANGE)
    site.alarms.report(finding("A", Priority.CRITICAL), at_us=NOW_US)
    site.alarms.report(finding("B", Priority.HIGH), at_us=NOW_US)
    page = await states(site, f"?{query}")
    assert [each["serial"] for each in page["states"]] == found
    assert page["total"] == len(found)


@pytest.mark.parametrize("sort", list(Sort))
async def test_pages_of_every_order_hold_each_asset_once(site: Site, sort: Sort) -> None:
    register(site)
    take(site, *(f"A{number}" for number in range(7)))
    site.alarms.report(finding("A3", Priority.LOW), at_us=NOW_US)
    whole = await states(site, f"?sort={sort}")
    seen = list[str]()
    cursor: str | None = ""
    while cursor is not None:
        page = await states(site, f"?limit=2&sort={sort}&cursor={cursor}")
        seen += [each["serial"] for each in page["states"]]
        cursor = page["next"]
    assert seen == [each["serial"] for each in whole["states"]]
    assert len(seen) == 9


async def test_a_cursor_of_another_order_is_refused(site: Site) -> None:
    take(site, "A", "B")
    cursor = (await states(site, "?limit=1&sort=name"))["next"]
    refused = await site.get(f"/api/assets/states?sort=state&cursor={cursor}")
    assert (refused.status, refused.json()["error"]) == (422, "bad cursor")


async def test_the_list_as_csv_has_its_filters_and_runs_nothing(site: Site) -> None:
    register(site)
    take(site, "A", "B")
    answer = await site.get("/api/assets/states.csv?state=never_seen&state=fresh&sort=-kind")
    assert answer.header("content-type") == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [each["serial"] for each in rows] == ["silent", "A", "B", STRANGE]
    assert rows[0]["name"] == "Quiet, =1"
    assert rows[0]["time_utc"] == ""
    assert rows[1]["time_utc"] == "2026-06-15T01:42:00.000000Z"
    assert rows[1]["time_local"] == "2026-06-15T07:12:00+05:30"


async def test_who_has_a_scope_sees_its_states_only(site: Site) -> None:
    register(site)
    take(site, "A")
    token = site.token(domains=frozenset({"DEL-D01"}))
    page = (await site.ask("GET", "/api/assets/states", token=token)).json()
    assert [each["serial"] for each in page["states"]] == ["silent", STRANGE]
    answer = await site.ask("GET", "/api/assets/states.csv", token=token)
    assert answer.body.count(b"\r\n") == 3


async def test_the_newest_envelope_of_an_asset_is_shown_as_it_was_taken(stored: Site) -> None:
    register(stored)
    sweep = taken(stored, STRANGE)
    await TelemetryStore(stored.database).save(sweep, now_us=NOW_US)
    answer = (await stored.get(f"/api/assets/{quote(STRANGE, safe='')}/envelope")).json()
    assert answer["key"] == f"ic3:latest:{STRANGE}"
    assert answer["listed_at"] == "2026-06-15T01:42:00.000000Z"
    assert answer["envelope"]["values"] == {"FLOW": 12.5, "NOTE": ""}
    assert answer["envelope"]["occurred_at"] == "2026-06-15T01:41:59.123456Z"
    silent = (await stored.get("/api/assets/silent/envelope")).json()
    assert silent == {
        "serial": "silent", "key": "ic3:latest:silent", "state": "never_seen", "listed_at": None,
        "envelope": None,
    }  # fmt: skip


async def test_the_envelope_of_a_stranger_is_not_found(stored: Site) -> None:
    register(stored)
    taken(stored, "A")
    token = stored.token(domains=frozenset({"DEL-D01"}))
    for serial in ("A", "nobody"):
        answer = await stored.ask("GET", f"/api/assets/{serial}/envelope", token=token)
        assert (answer.status, answer.json()["error"]) == (404, "asset not found")


async def test_an_asset_that_joins_the_register_is_in_the_next_answer(site: Site) -> None:
    take(site, "A")
    assert (await states(site))["count"] == 1
    site.latest.register = register_with("new")
    assert (await states(site))["count"] == 2


async def test_stats_count_states_and_the_silent_of_the_register(site: Site) -> None:
    register(site)
    take(site, "A", "B")
    site.clock.advance(46)
    take(site, "C")
    site.clock.advance(1)
    stats = (await site.get("/api/stats")).json()
    assert stats["states"] == {
        "fresh": 1, "stale": 2, "unreachable": 0, "vanished": 0, "clock_wrong": 0, "never_seen": 2,
    }  # fmt: skip
    assert (stats["assets"], stats["fresh"], stats["stale"]) == (3, 1, 2)


async def test_f22_suspected_clock_is_said_in_readiness_and_stats(site: Site) -> None:
    take(site, *(f"A{number}" for number in range(25)), future=20)
    site.clock.advance(1)
    stats = (await site.get("/api/stats")).json()
    assert stats["clock"].startswith("clock: 20 of 25 records")
    assert stats["clock_offset_s"] == -864_000
    ready = await site.get("/readyz")
    assert ready.status == 503
    assert stats["clock"] in ready.json()["reasons"]


async def test_live_says_when_a_value_is_stale(site: Site) -> None:
    site.latest.register = register_with("A")
    take(site, "A")
    fill(site.latest, "A")
    body = (await site.get("/api/monitoring/live?serial_number=A")).json()
    assert {row["stale_after_s"] for row in body["monitoring"]} == {45.0}


async def test_events_come_newest_first(stored: Site) -> None:
    assert (await stored.get("/api/feed/events")).json() == {"count": 0, "events": [], "next": None}
    await StateStore(stored.database).keep(
        [],
        [
            Happened(NOW_US, STRANGE, FeedEvent.APPEARED),
            Happened(NOW_US + 1, None, FeedEvent.GATEWAY_LOST, "gateway: refused"),
        ],
    )
    found = (await stored.get("/api/feed/events?limit=5")).json()
    assert found["count"] == 2
    assert [each.pop("id") for each in found["events"]] == [2, 1]
    assert found["events"] == [
        {"at": "2026-06-15T01:42:00.000001Z", "serial": None, "event": "gateway_lost",
         "detail": "gateway: refused"},
        {"at": "2026-06-15T01:42:00.000000Z", "serial": STRANGE, "event": "appeared",
         "detail": None},
    ]  # fmt: skip
