"""A user of one domain asks everywhere for what is another's: S17, S19, S20."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from patience import PATIENCE_S
from serving import NOW, NOW_US, Site, envelope, read_answer, run, serving, until
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ic3.api import ROUTES
from ic3.api.server import EVERYBODY, Route
from ic3.domain.access import Known
from ic3.domain.alarms import Finding, SourceKind
from ic3.domain.freshness import FeedEvent, Happened
from ic3.domain.mapping import Parameter, Reading, Register, RegisteredAsset
from ic3.domain.sweeps import Sweep
from ic3.domain.users import Principal, Role
from ic3.store.register import RegisterStore
from ic3.store.scope import CALLER
from ic3.store.states import StateStore
from ic3.turns import at_once

MINE, OTHER, STRANGER = "mine", "other's", "nobody's"
DOMAINS = frozenset({"DEL-D01"})
FLOW = Parameter(3, "Flow", "FLOW", "m³/h")


def known(site: Site) -> None:
    """One asset of each of two domains, with a reading and a place on the feed."""
    site.latest.register = Register(
        1,
        {
            MINE: RegisteredAsset(1, MINE, {"FLOW": FLOW}, "DEL-D01"),
            OTHER: RegisteredAsset(2, OTHER, {"FLOW": FLOW}, "DEL-D02"),
        },
        {3: FLOW},
    )
    site.latest.replace(
        {number: {"FLOW": Reading(number, "FLOW", 3, 1.5, None, NOW_US)} for number in (1, 2)}
    )
    sweep = Sweep(
        begun_at=NOW, started=site.clock.monotonic(), simulated=False, ended_at=NOW, server_date=NOW
    )
    sweep.envelopes = [envelope(serial, number) for number, serial in enumerate((MINE, OTHER))]
    sweep.envelopes[0].domain, sweep.envelopes[1].domain = "DEL-D01", "DEL-D02"
    site.feed.judge_times(sweep)
    at_once(site.feed.taking(sweep))


async def asked(site: Site, path: str, *, domains: frozenset[str] | None = DOMAINS) -> Any:
    answer = await site.ask("GET", path, token=site.token(domains=domains))
    return answer.status, json.loads(answer.body)


def without_id(answer: tuple[int, dict[str, Any]], serial: str) -> tuple[int, str]:
    """The answer but for what names the request and the asset asked for."""
    status, body = answer
    body.pop("request_id", None)
    return status, json.dumps(body).replace(json.dumps(serial)[1:-1], "?")


async def test_s20_lists_and_counts_hold_only_what_is_in_scope(site: Site) -> None:
    known(site)
    _, states = await asked(site, "/api/assets/states")
    assert [each["serial"] for each in states["states"]] == [MINE]
    _, newest = await asked(site, "/api/telemetry")
    assert [each["asset_id"] for each in newest["telemetry"]] == [MINE]
    _, stats = await asked(site, "/api/stats")
    assert (stats["assets"], stats["states"]["fresh"], stats["states"]["never_seen"]) == (1, 1, 0)
    _, everything = await asked(site, "/api/stats", domains=None)
    assert everything["assets"] == 2


@pytest.mark.parametrize("path", ["/api/monitoring/live?serial_number={}", "/api/cmms/assets/{}"])
async def test_s19_what_is_anothers_is_as_what_does_not_exist(stored: Site, path: str) -> None:
    await RegisterStore(stored.database).import_rows(
        {"register": [{"serialnumber": MINE, "domain": "DEL-D01"},
                      {"serialnumber": OTHER, "domain": "DEL-D02"}]}
    )  # fmt: skip
    known(stored)
    mine, other, stranger = [
        without_id(await asked(stored, path.format(quote(serial, safe=""))), serial)
        for serial in (MINE, OTHER, STRANGER)
    ]
    assert other == stranger
    assert mine != other
    status, _ = await asked(stored, path.format(quote(OTHER, safe="")), domains=None)
    assert status == 200


async def test_s19_history_of_anothers_asset_is_that_of_none(stored: Site) -> None:
    await RegisterStore(stored.database).import_rows(
        {"register": [{"serialnumber": MINE, "domain": "DEL-D01"},
                      {"serialnumber": OTHER, "domain": "DEL-D02"}]}
    )  # fmt: skip
    known(stored)
    path = "/api/monitoring/history?from=2026-06-14T00:00:00Z&to=2026-06-15T00:00:00Z"
    found = {
        serial: without_id(await asked(stored, f"{path}&serial_number={quote(serial)}"), serial)
        for serial in (MINE, OTHER, STRANGER)
    }
    assert found[OTHER] == found[STRANGER]
    assert '"asset_id": null' in found[OTHER][1]
    assert '"asset_id": null' not in found[MINE][1]


async def test_s20_events_of_anothers_assets_are_not_told(stored: Site) -> None:
    known(stored)
    async with stored.database.connection() as connection:
        await connection.execute(
            "INSERT INTO assets (asset_id, domain, first_seen_at, last_seen_at) VALUES"
            " (%s, 'DEL-D01', now(), now()), (%s, 'DEL-D02', now(), now())", (MINE, OTHER),
        )  # fmt: skip
    happened = [
        Happened(NOW_US, serial, FeedEvent.APPEARED, None) for serial in (MINE, OTHER, None)
    ]
    await StateStore(stored.database).keep([], happened)
    _, found = await asked(stored, "/api/feed/events")
    assert {each["serial"] for each in found["events"]} == {MINE, None}


async def test_s20_a_run_names_only_keys_in_scope(stored: Site) -> None:
    known(stored)
    async with stored.database.connection() as connection:
        await connection.execute(
            "INSERT INTO ic3_sweep (id, begun_at, ended_at, keys_scanned, matched, unmatched,"
            " unchanged, accepted, stored, duplicate, deferred, list_duplicates, list_rejected,"
            " failed, quarantined, tags_rejected, phase_ms, simulated) VALUES"
            " (1, now(), now(), 2, 0, 0, 0, 0, 0, 0, 0, 0, '{}', '{}', '{}', '{}', '{}', false)"
        )
        await connection.execute(
            "INSERT INTO ic3_sweep_keys (sweep_id, at, keys) VALUES (1, %s, %s)",
            (
                NOW,
                json.dumps(
                    {"failed:timeout": [f"ic3:latest:{MINE}", f"ic3:latest:{OTHER}"],
                     "unmapped": [f"{MINE}\nX", f"{OTHER}\nX"], "unmatched": [STRANGER]}
                ),
            ),
        )  # fmt: skip
        cursor = await connection.execute(
            "INSERT INTO ic3_ingest_run_log (run_at, sweep_id) VALUES (now(), 1) RETURNING id"
        )
        (run_id,) = await cursor.fetchone() or (0,)
    _, found = await asked(stored, f"/api/monitoring/runs/{run_id}")
    assert found["keys"] == {"failed:timeout": [f"ic3:latest:{MINE}"], "unmapped": [f"{MINE}\nX"]}
    assert found["counters"]["keys_scanned"] == 2
    _, everything = await asked(stored, f"/api/monitoring/runs/{run_id}", domains=None)
    assert len(everything["keys"]["failed:timeout"]) == 2
    _, activity = await asked(stored, "/api/monitoring/activity")
    assert [each["serial"] for each in activity["failing_keys"]] == [MINE]


async def test_an_asset_without_a_domain_is_only_in_the_scope_of_all(site: Site) -> None:
    known(site)
    site.latest.register.assets = {
        **site.latest.register.assets, "x": RegisteredAsset(9, "x", {}, None)
    }  # fmt: skip
    _, states = await asked(site, "/api/assets/states")
    assert "x" not in {each["serial"] for each in states["states"]}
    _, everything = await asked(site, "/api/assets/states", domains=None)
    assert "x" in {each["serial"] for each in everything["states"]}


def raised(site: Site) -> dict[str, int]:
    """An alarm of each of two domains and one of the program."""
    sources: tuple[tuple[SourceKind, str, str | None], ...] = (
        ("asset", MINE, "DEL-D01"), ("asset", OTHER, "DEL-D02"), ("system", "gateway", None)
    )  # fmt: skip
    for kind, source, domain in sources:
        site.alarms.report(
            Finding(
                source_kind=kind, source=source, condition="stale", active=True, text="silent",
                domain=domain,
            ),
            at_us=NOW_US,
        )  # fmt: skip
    return {each.source: each.id for each in site.alarms.open}


async def test_s20_alarms_of_another_domain_are_not_there(stored: Site) -> None:
    numbers = raised(stored)
    _, listed = await asked(stored, "/api/alarms")
    assert {each["source"] for each in listed["alarms"]} == {MINE, "gateway"}
    assert sum(listed["counts"]["unacknowledged"].values()) == 2
    other = without_id(await asked(stored, f"/api/alarms/{numbers[OTHER]}"), str(numbers[OTHER]))
    stranger = without_id(await asked(stored, "/api/alarms/999"), "999")
    assert other[0] == stranger[0] == 404
    assert other[1].replace(str(numbers[OTHER]), "?") == stranger[1].replace("999", "?")


@pytest.mark.parametrize("act", ["ack", "comment", "shelve", "unshelve"])
async def test_s19_nobody_acts_on_an_alarm_of_another_domain(stored: Site, act: str) -> None:
    numbers = raised(stored)
    bodies = {"ack": {}, "comment": {"note": "x"}, "shelve": {"minutes": 5, "reason": "x"}}
    answer = await stored.ask(
        "POST", f"/api/alarms/{numbers[OTHER]}/{act}",
        token=stored.token(Role.OPERATOR, domains=DOMAINS),
        headers=[("Content-Type", "application/json")],
        body=json.dumps(bodies.get(act)).encode(),
    )  # fmt: skip
    assert (answer.status, answer.json()["error"]) == (404, "alarm not found")
    assert stored.alarms.get(numbers[OTHER]).version == 1


async def test_s19_acknowledging_many_leaves_those_of_another_domain(stored: Site) -> None:
    numbers = raised(stored)
    answer = await stored.ask(
        "POST", "/api/alarms/ack", token=stored.token(Role.OPERATOR, domains=DOMAINS),
        headers=[("Content-Type", "application/json")],
        body=json.dumps({"ids": sorted(numbers.values())}).encode(),
    )  # fmt: skip
    outcomes = {each["id"]: each["outcome"] for each in answer.json()["results"]}
    assert outcomes[numbers[OTHER]] == "not open"
    assert outcomes[numbers[MINE]] == "acknowledged"


async def test_s17_a_socket_tells_only_of_what_is_in_scope(site: Site) -> None:
    known(site)
    ticket = site.tickets.make(Principal("asha", Role.VIEWER, 2e9, DOMAINS))
    async with await site.dial(f"/ws?ticket={ticket}") as wire:
        await site.settle(1)
        site.hub.publish([envelope(OTHER, 7), envelope(MINE, 8)])
        assert json.loads(await wire.recv())["asset_id"] == MINE
        site.hub.publish([envelope(OTHER, 9)])
        site.hub.publish([envelope(MINE, 10)])
        assert json.loads(await wire.recv())["record_id"] == "r-10"


async def test_s17_the_numbered_protocol_tells_only_of_what_is_in_scope(site: Site) -> None:
    known(site)
    site.numbered.start_over()
    ticket = site.tickets.make(Principal("asha", Role.VIEWER, 2e9, DOMAINS))
    async with await site.dial(f"/ws/v1?ticket={ticket}") as wire:
        hello, snapshot = [json.loads(await wire.recv()) for _ in range(2)]
        assert hello["scope"] == "DEL-D01"
        ((index, serial, *_),) = snapshot["assets"]
        assert serial == MINE
        await wire.send(json.dumps({"op": "sub", "assets": [0, 1, 2]}))
        watched = json.loads(await wire.recv())
        assert (watched["op"], watched["i"]) == ("asset", index)
        raised(site)
        told = [json.loads(await wire.recv())["alarm"]["source"] for _ in range(2)]
        assert told == [MINE, "gateway"]
        site.clock.advance(1)
        site.numbered.flush()
        state = json.loads(await wire.recv())
        assert (state["op"], [each[0] for each in state["s"]]) == ("state", [index])


async def test_s17_an_asset_that_moves_to_another_domain_is_told_no_more(site: Site) -> None:
    known(site)
    site.numbered.start_over()
    ticket = site.tickets.make(Principal("asha", Role.VIEWER, 2e9, DOMAINS))
    async with await site.dial(f"/ws/v1?ticket={ticket}") as wire:
        _, snapshot = [json.loads(await wire.recv()) for _ in range(2)]
        await wire.send(json.dumps({"op": "sub", "assets": [snapshot["assets"][0][0]]}))
        assert json.loads(await wire.recv())["op"] == "asset"
        moved = RegisteredAsset(1, MINE, {"FLOW": FLOW}, "DEL-D02")
        site.latest.register = Register(2, {MINE: moved}, {3: FLOW})
        site.clock.advance(2)
        site.numbered.start_over()
        site.numbered.run_ended(run(1), {})
        told = [json.loads(await wire.recv()) for _ in range(2)]
    assert [each["op"] for each in told] == ["snapshot", "run"]
    assert told[0]["assets"] == []


async def test_s17_the_snapshot_of_a_scope_is_its_own(site: Site) -> None:
    known(site)
    site.numbered.start_over()
    _, mine = await asked(site, "/api/ui/snapshot")
    _, everything = await asked(site, "/api/ui/snapshot", domains=None)
    assert [each[1] for each in mine["assets"]] == [MINE]
    assert {each[1] for each in everything["assets"]} == {MINE, OTHER}


async def to_the_end(wire: ClientConnection) -> None:
    while True:
        await wire.recv()


@pytest.mark.parametrize("path", ["/ws", "/ws/v1"])
async def test_s12_an_open_socket_ends_with_its_login(site: Site, path: str) -> None:
    site.access.replace(Known({"asha": 1}, frozenset(), {}))
    ticket = site.tickets.make(Principal("asha", Role.VIEWER, 2e9, None, "login", 1))
    async with await site.dial(f"{path}?ticket={ticket}") as wire:
        await until(lambda: site.hub.clients + site.numbered.clients == 1)
        site.access.replace(Known({"asha": 2}, frozenset(), {}))
        with pytest.raises(ConnectionClosed) as ended:
            await to_the_end(wire)
    assert ended.value.rcvd is not None
    assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (1008, "the login has ended")


async def whose() -> dict[str, str]:
    """On whose behalf the database would be asked."""
    return {"caller": CALLER.get()}


async def test_s19_a_request_of_nobody_is_not_asked_on_behalf_of_the_one_before() -> None:
    async with serving(routes=(*ROUTES, Route("GET", "/api/whose", whose, EVERYBODY))) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        # In one packet: the second is begun where the first ends.
        writer.write(
            site.request("GET", "/api/whose", token=site.token())
            + site.request("GET", "/api/whose")
        )
        async with asyncio.timeout(PATIENCE_S):
            first, second = [(await read_answer(reader)).json()["caller"] for _ in range(2)]
        writer.close()
    assert (first, second) == ("*", "")
