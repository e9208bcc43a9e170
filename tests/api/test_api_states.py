"""The state of every asset and the events of the feed, as the API answers them."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from serving import NOW, NOW_US, Site, envelope, fill, register_with

from ic3.domain.freshness import FeedEvent, Happened
from ic3.domain.mapping import Register, RegisteredAsset
from ic3.domain.sweeps import Sweep
from ic3.store.states import StateStore

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
    site.feed.take(sweep)


def register(site: Site) -> None:
    assets = {
        "silent": RegisteredAsset(1, "silent", {}, "DEL-D01"),
        STRANGE: RegisteredAsset(2, STRANGE, {}, "DEL-D01"),
    }
    site.latest.register = Register(1, assets, {})


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
             "skew_s": 0.877, "last_value_at": "2026-06-15T01:41:59.123456Z"},
            {"serial": "silent", "domain": "DEL-D01", "state": "never_seen", "since": None,
             "age_s": None, "cadence_s": None, "skew_s": None, "last_value_at": None},
            {"serial": STRANGE, "domain": "DEL-D01", "state": "fresh",
             "since": "2026-06-15T01:42:20.000000Z", "age_s": 20.0, "cadence_s": None,
             "skew_s": 0.877, "last_value_at": "2026-06-15T01:41:59.123456Z"},
        ],
        "next": None, "cursor": None,
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
    assert (await stored.get("/api/feed/events")).json() == {"count": 0, "events": []}
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
