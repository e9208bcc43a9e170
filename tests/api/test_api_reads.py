"""Telemetry, stats, the CMMS read and readiness, with the database and without it."""

import asyncio
from typing import Any

from serving import NOW, NOW_US, PANEL, Site, envelope, envelopes, fill, run, serving

from ic3.domain.sweeps import Sweep
from ic3.store.register import RegisterStore
from ic3.turns import at_once

FIELDS = {
    "asset_id", "serialnumber", "cmms_asset_id", "traceability_id", "barcode", "criticality",
    "capacity_rating", "in_charge_person", "status", "asset_live_status", "ticketcount",
    "schedulecount", "category", "dma_id", "name", "domain", "longitude", "latitude",
}  # fmt: skip
NAMES = [PANEL, "a/b", "a b", "a+b", "100%", "पम्प घर १", "'; DROP TABLE ic3_user; --", "..", "%2F"]


def swept(site: Site, *numbers: int, error: str | None = None) -> None:
    started = site.clock.monotonic()
    sweep = Sweep(begun_at=NOW, started=started, simulated=False, ended_at=NOW, error=error)
    sweep.envelopes = [envelope(f"asset {number}", number) for number in numbers]
    at_once(site.feed.taking(sweep))


async def test_telemetry_is_empty_at_first(site: Site) -> None:
    answer = await site.get("/api/telemetry")
    assert answer.body == b'{"count":0,"telemetry":[]}'


async def test_telemetry_is_newest_by_the_time_received(site: Site) -> None:
    swept(site, *range(1, 4))
    swept(site, *range(4, 8))
    answer = (await site.get("/api/telemetry?limit=5")).json()
    assert answer["count"] == 5
    assert [each["record_id"] for each in answer["telemetry"]] == [
        "r-7",
        "r-6",
        "r-5",
        "r-4",
        "r-3",
    ]


async def test_telemetry_shows_an_envelope_whole(site: Site) -> None:
    swept(site, 7)
    (shown,) = (await site.get("/api/telemetry")).json()["telemetry"]
    assert shown == {
        "record_id": "r-7", "system_id": "S1", "asset_id": "asset 7", "domain": "DEL-D07",
        "protocol": "MODBUS", "occurred_at": "2026-06-15T01:41:59.123456Z",
        "received_at": "2026-06-15T01:42:00.000007Z", "values": {"FLOW": 12.5, "NOTE": ""},
        "quality": "GOOD", "alarm": "NORMAL",
    }  # fmt: skip


async def test_telemetry_answers_a_hundred_unless_asked_and_keeps_five_hundred(site: Site) -> None:
    swept(site, *range(600))
    assert (await site.get("/api/telemetry")).json()["count"] == 100
    answer = (await site.get("/api/telemetry?limit=500")).json()
    assert answer["count"] == 500
    assert answer["telemetry"][0]["record_id"] == "r-599"


async def test_stats_count_what_is_in_memory(site: Site) -> None:
    site.runs.add(run(1))
    stats = (await site.get("/api/stats")).json()
    swept(site, 1, 2, 3)
    del stats["version"]
    assert stats == {
        "started_at": "2026-06-15T01:42:00Z", "plant": "real", "gateway": "http://gateway:3000",
        "breaker": "closed", "next_try_at": None,
        "database": {"state": "ok", "since": None},
        "spool": {"sweeps": 0, "envelopes": 0, "bytes": 0, "oldest_at": None},
        "assets": 0, "fresh": 0, "stale": 0,
        "in_alarm": 0, "ws_clients": 0,
        "live": {"clients": 0, "slow": 0, "frames_dropped": 0, "snapshots": 0, "resyncs": 0},
        "last_run": (await site.get("/api/monitoring/progress"))
        .json()["latest"], "last_good_at": None, "error": None,
        "states": {"fresh": 0, "stale": 0, "unreachable": 0, "vanished": 0, "clock_wrong": 0,
            "never_seen": 0}, "clock": None, "clock_offset_s": None,
    }  # fmt: skip
    # The assets are counted once a second.
    assert (await site.get("/api/stats")).json()["assets"] == 0
    site.clock.advance(1)
    stats = (await site.get("/api/stats")).json()
    assert (stats["assets"], stats["fresh"], stats["stale"]) == (3, 3, 0)
    site.clock.advance(45)
    stats = (await site.get("/api/stats")).json()
    assert (stats["assets"], stats["fresh"], stats["stale"]) == (3, 0, 3)


async def test_stats_count_alarms_and_clients_and_say_what_failed(site: Site) -> None:
    sweep = Sweep(begun_at=NOW, started=0.0, simulated=False, ended_at=NOW)
    alarms = ("NORMAL", "normal", "HIGH", "CRITICAL")
    sweep.envelopes = [
        envelope(f"asset {number}", number, alarm=alarm) for number, alarm in enumerate(alarms)
    ]
    at_once(site.feed.taking(sweep))
    swept(site, error="gateway: timeout")
    site.clock.advance(1)
    client = await site.live()
    stats = (await site.get("/api/stats")).json()
    assert (stats["in_alarm"], stats["ws_clients"], stats["error"]) == (2, 1, "gateway: timeout")
    await client.close()
    await site.settle(0)
    assert (await site.get("/api/stats")).json()["ws_clients"] == 0


async def imported(site: Site, *serials: str) -> None:
    rows = [
        {"serialnumber": serial, "barcode": f"B{number}", "ticketcount": number, "longitude": 77.25}
        for number, serial in enumerate(serials)
    ]
    registers = RegisterStore(site.database)
    await registers.import_rows({"register": rows})
    fill(site.latest, *serials)


def segment(serial: str) -> str:
    return "".join(f"%{byte:02X}" for byte in serial.encode())


async def test_cmms_answers_register_fields_and_newest_readings(stored: Site) -> None:
    await imported(stored, PANEL)
    answer = await stored.get("/api/cmms/assets/C%20Block%20Ranjeet%20Nagar_LT%20Panel_19")
    live = await stored.get("/api/monitoring/live?serial_number=" + segment(PANEL))
    assert answer.status == 200
    found = answer.json()
    assert set(found) == {"data", "monitoring"}
    assert set(found["data"]) == FIELDS
    kept = (found["data"][name] for name in ("serialnumber", "barcode", "longitude", "latitude"))
    assert tuple(kept) == (PANEL, "B0", 77.25, None)
    assert found["monitoring"] == live.json()["monitoring"]
    assert len(found["monitoring"]) == 3


async def test_cmms_takes_any_serial_number_as_one_segment(stored: Site) -> None:
    await imported(stored, *NAMES)
    for number, serial in enumerate(NAMES):
        answer = await stored.get("/api/cmms/assets/" + segment(serial))
        assert answer.status == 200, serial
        data = answer.json()["data"]
        assert (data["serialnumber"], data["barcode"]) == (serial, f"B{number}")
    # A plus is a plus in a path; what needs no encoding may stand as it is.
    assert (await stored.get("/api/cmms/assets/a+b")).json()["data"]["serialnumber"] == "a+b"
    assert (await stored.get("/api/cmms/assets/a%2fb")).json()["data"]["serialnumber"] == "a/b"
    assert (await stored.get("/api/cmms/assets/a/b")).status == 404


async def test_cmms_does_not_know_an_asset_that_is_not_there(stored: Site) -> None:
    await imported(stored, PANEL)
    for written in ("nobody", "%00", "a%00b", "%ff", "%F0%9F", "x" * 8000, "%252F", "'", "1%20OR"):
        answer = await stored.get("/api/cmms/assets/" + written)
        assert answer.status == 404
        assert answer.header("content-type") == "application/problem+json"
        assert answer.json()["error"] == "asset not found"


async def test_cmms_shows_an_asset_without_readings_with_an_empty_list(stored: Site) -> None:
    await imported(stored, "bare")
    stored.latest.replace({})
    assert (await stored.get("/api/cmms/assets/bare")).json()["monitoring"] == []


async def test_without_the_database_what_is_in_memory_goes_on(site: Site) -> None:
    fill(site.latest, PANEL)
    swept(site, 1)
    for path in ("/api/cmms/assets/x", "/api/cmms/assets/y"):
        answer = await site.get(path)
        assert answer.status == 503
        assert answer.header("content-type") == "application/problem+json"
        assert answer.json()["error"] == "database away"
        assert answer.header("retry-after") == "5"
        assert b"127.0.0.1" not in answer.body
    assert (await site.login("asha", "secret")).status == 503
    live = await site.get("/api/monitoring/live?serial_number=" + segment(PANEL))
    assert (live.status, live.json()["count"]) == (200, 3)
    assert (await site.get("/api/monitoring/progress")).status == 200
    assert (await site.get("/api/telemetry")).json()["count"] == 1
    stats = (await site.get("/api/stats")).json()
    assert stats["database"] == {"state": "away", "since": "2026-06-15T01:42:00Z"}
    client = await site.live()
    site.hub.publish([envelope("a")])
    assert await client.recv() == envelope("a").frame
    await client.close()


async def test_a_database_that_is_away_holds_a_request_for_seconds_only() -> None:
    begun = asyncio.get_running_loop().time()
    async with serving("host=127.0.0.1 port=1 dbname=ic3") as site:
        answers = await asyncio.gather(
            site.get("/api/cmms/assets/x"), site.login("asha", "secret"), site.get("/api/stats")
        )
        assert [each.status for each in answers] == [503, 503, 200]
        ready = await site.ask("GET", "/readyz")
        assert ready.json()["reasons"][0] == "database away since 2026-06-15T01:42:00+00:00"
        assert b"127.0.0.1" not in ready.body
    assert asyncio.get_running_loop().time() - begun < 30


async def test_readiness_says_each_reason(stored: Site) -> None:
    async def ready() -> tuple[int, list[str]]:
        answer = await stored.ask("GET", "/readyz")
        assert answer.header("content-type") == "application/json"
        assert answer.json()["ready"] is (answer.status == 200)
        return answer.status, answer.json()["reasons"]

    assert await ready() == (503, ["no sweep has ended yet"])
    swept(stored, error="gateway: refused")
    assert await ready() == (503, ["gateway: refused; last good sweep: never"])
    swept(stored, 1)
    assert await ready() == (200, [])
    swept(stored, error="gateway: timeout")
    assert await ready() == (
        503, ["gateway: timeout; last good sweep: 2026-06-15T01:42:00+00:00"],
    )  # fmt: skip
    swept(stored, 2)
    stored.database.availability.lost("database: connection to 10.0.0.1 as ic3 refused")
    assert await ready() == (503, ["database away since 2026-06-15T01:42:00+00:00"])
    # The next answer of the database ends it.
    assert (await stored.get("/api/cmms/assets/x")).status == 404
    assert await ready() == (200, [])
    stored.readiness.stopping = True
    assert await ready() == (503, ["the server is stopping"])
    assert (await stored.ask("GET", "/livez")).body == b'{"status":"ok"}'


async def test_readiness_ends_when_no_sweep_ends_and_hides_what_libpq_says(site: Site) -> None:
    async def reasons() -> Any:
        return (await site.ask("GET", "/readyz")).json()["reasons"]

    swept(site, 1)
    site.clock.advance(49)
    assert await reasons() == []
    site.clock.advance(2)
    assert await reasons() == [
        "no sweep has ended for 50 s; last good sweep: 2026-06-15T01:42:00+00:00"
    ]
    swept(site, error="database: connection to 10.0.0.1 as ic3 refused")
    assert await reasons() == [
        "the last sweep failed at the database; last good sweep: 2026-06-15T01:42:00+00:00"
    ]


async def test_a_reading_is_on_the_wire_as_soon_as_it_is_in_memory(site: Site) -> None:
    client = await site.live()
    for number in range(20):
        batch = envelopes([f"asset {n}" for n in range(5)], number)
        site.hub.publish(batch)
        assert [await client.recv() for _ in batch] == [each.frame for each in batch]
    assert site.clock.now_us() == NOW_US
    await client.close()
