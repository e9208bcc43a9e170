import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from ic3.simulator.gateway import PlantGateway
from ic3.simulator.plant import Plant

VALVE = "Patel Road_Baljeet Nagar_SV_92"
PANEL = "C Block Ranjeet Nagar_LT Panel_19"
PLUS = "Pitampura AU+BU Block_SV_1"
LIST = "/api/redis/keys?pattern=ic3%3Alatest%3A*"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A connection that reads what comes, right or wrong."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, method: str, target: str, content: object = None) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    async def read(self) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers["Content-Length"]))
        return Answer(int(status.split()[1]), headers, body)

    async def ask(self, method: str, target: str, content: object = None) -> Answer:
        self.send(method, target, content)
        return await self.read()

    async def key(self, serial: str) -> Answer:
        return await self.ask("GET", target(serial))


class Server(NamedTuple):
    gateway: PlantGateway
    port: int

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()


def begun() -> Plant:
    """A plant at the present, whose tanks have had no time to settle."""
    plant = Plant()
    plant.begin(int(time.time()) // 15 * 15, warm_up=())
    return plant


def target(serial: str) -> str:
    return f"/api/redis/key?k=ic3%3Alatest%3A{quote(serial, safe='')}"


@asynccontextmanager
async def serving(*, bare_list: bool = False) -> AsyncIterator[Server]:
    gateway = PlantGateway(begun(), interval_s=0, bare_list=bare_list)
    server = await gateway.listen("127.0.0.1", 0)
    try:
        yield Server(gateway, server.sockets[0].getsockname()[1])
    finally:
        gateway.close(server)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as started:
        yield started


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with server.client() as connected:
        yield connected


async def test_list_names_every_key(client: Client) -> None:
    answer = await client.ask("GET", LIST)
    assert len(answer.json["keys"]) == len(set(answer.json["keys"])) == 557
    assert f"ic3:latest:{VALVE}" in answer.json["keys"]


async def test_list_is_bare_when_asked_for() -> None:
    async with serving(bare_list=True) as server, server.client() as client:
        answer = await client.ask("GET", LIST)
        assert len(answer.json) == 557


async def test_list_turns_bare_by_the_admin_path_and_back(client: Client) -> None:
    await client.ask("POST", "/admin/set", {"bare_list": True})
    assert isinstance((await client.ask("GET", LIST)).json, list)
    await client.ask("DELETE", "/admin/set")
    assert isinstance((await client.ask("GET", LIST)).json, dict)


@pytest.mark.parametrize(
    ("pattern", "count"), [("other:*", 0), ("*_SV_9?", 10), ("ic3:latest:Patel*", 9), ("*", 557)]
)
async def test_list_keeps_to_the_pattern(client: Client, pattern: str, count: int) -> None:
    answer = await client.ask("GET", f"/api/redis/keys?pattern={quote(pattern, safe='')}")
    assert len(answer.json["keys"]) == count


async def test_key_answers_its_envelope_as_text(server: Server, client: Client) -> None:
    answer = await client.key(VALVE)
    gateway = server.gateway
    index = gateway.plant.serials.index(VALVE)
    assert answer.status == 200
    assert answer.json == {
        "key": f"ic3:latest:{VALVE}",
        "type": "string",
        "value": gateway.plant.envelope(index),
    }


async def test_answers_carry_the_date(client: Client) -> None:
    for asked in (target(VALVE), LIST, "/nowhere"):
        date = (await client.ask("GET", asked)).headers["Date"]
        assert parsedate_to_datetime(date).tzinfo is not None


async def test_plus_in_a_query_is_a_space_unless_encoded(client: Client) -> None:
    asked = target(PLUS)
    assert (await client.ask("GET", asked)).json["key"] == f"ic3:latest:{PLUS}"
    assert (await client.ask("GET", asked.replace("%2B", "+"))).status == 404
    assert (await client.ask("GET", asked.replace("%20", "+"))).status == 200


@pytest.mark.parametrize(
    ("method", "asked", "status"),
    [
        ("GET", "/api/redis/key?k=ic3%3Alatest%3Anobody", 404),
        ("GET", "/api/redis/key", 404),
        ("GET", "/nowhere", 404),
        ("POST", LIST, 405),
    ],
)
async def test_wrong_requests_are_refused(
    client: Client, method: str, asked: str, status: int
) -> None:
    assert (await client.ask(method, asked)).status == status


async def test_pipelined_requests_are_answered_in_order(client: Client) -> None:
    asked = [VALVE, "nobody", PANEL, PLUS] * 5
    for serial in asked:
        client.send("GET", target(serial))
    answers = [await client.read() for _ in asked]
    assert [a.json.get("key", "ic3:latest:nobody") for a in answers] == [
        f"ic3:latest:{serial}" for serial in asked
    ]


async def test_request_in_single_bytes_is_answered(client: Client) -> None:
    for byte in f"GET {target(VALVE)} HTTP/1.1\r\nHost: x\r\n\r\n".encode():
        client.writer.write(bytes([byte]))
        await client.writer.drain()
    assert (await client.read()).status == 200


async def test_what_is_not_http_is_refused_after_the_answers_due(client: Client) -> None:
    client.send("GET", target(VALVE))
    client.writer.write(b"what?\r\n\r\n")
    assert (await client.read()).status == 200
    assert (await client.read()).status == 400
    assert await client.reader.read() == b""


async def test_connection_close_is_honoured(client: Client) -> None:
    client.writer.write(f"GET {target(VALVE)} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
    assert (await client.read()).status == 200
    assert await client.reader.read() == b""


async def test_tick_moves_the_plant(client: Client) -> None:
    before = await client.key(VALVE)
    assert (await client.key(VALVE)).body == before.body
    await client.ask("POST", "/admin/tick")
    after = json.loads((await client.key(VALVE)).json["value"])
    was = json.loads(before.json["value"])
    assert after["record_id"] != was["record_id"]
    assert after["occurred_at"] > was["occurred_at"]


async def test_plant_ticks_by_itself() -> None:
    gateway = PlantGateway(begun(), interval_s=0.01)
    ticked, advance = asyncio.Event(), gateway.advance
    gateway.advance = lambda: (advance(), ticked.set())[1]  # type: ignore[method-assign, func-returns-value]
    first = gateway.tick
    task = asyncio.create_task(gateway.run_ticks())
    await ticked.wait()
    task.cancel()
    assert gateway.tick > first


@pytest.mark.parametrize(
    ("fault", "member", "value"),
    [
        ("wrong_key", "key", "ic3:latest:Somewhere else_SV_0"),
        ("wrong_type", "type", "list"),
        ("null_value", "value", None),
    ],
)
async def test_fault_of_one_member(client: Client, fault: str, member: str, value: object) -> None:
    right = (await client.key(VALVE)).json
    await client.ask("POST", "/admin/faults", {"fault": fault})
    assert (await client.key(VALVE)).json == right | {member: value}


@pytest.mark.parametrize("status", [500, 429, 404, 302, 599])
async def test_fault_status(client: Client, status: int) -> None:
    await client.ask("POST", "/admin/faults", {"fault": "status", "status": status})
    answer = await client.key(VALVE)
    assert answer.status == status
    assert ("Location" in answer.headers) is (status == 302)


@pytest.mark.parametrize("asked", [LIST, target(VALVE)])
async def test_faults_of_the_body(client: Client, asked: str) -> None:
    to = {"target": "list" if asked == LIST else "key", "count": 1}
    await client.ask("POST", "/admin/faults", {"fault": "wrong_shape", **to})
    await client.ask("POST", "/admin/faults", {"fault": "not_json", **to})
    await client.ask("POST", "/admin/faults", {"fault": "too_large", **to})
    shape, page, large, right = [await client.ask("GET", asked) for _ in range(4)]
    assert shape.json in (["not", "an", "object"], {"keys": "none"})
    assert page.headers["Content-Type"] == "text/html"
    assert page.body.startswith(b"<!doctype html>")
    assert len(large.body) > 1 << 20
    assert right.json.keys() in ({"keys"}, {"key", "type", "value"})


async def test_fault_truncated(client: Client) -> None:
    await client.ask("POST", "/admin/faults", {"fault": "truncated"})
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        await client.key(VALVE)
    assert caught.value.expected is not None
    assert 0 < len(caught.value.partial) < caught.value.expected


async def test_fault_delay_holds_back_what_follows_on_the_connection(client: Client) -> None:
    await client.ask("POST", "/admin/faults", {"fault": "delay", "key": VALVE, "seconds": 0.1})
    start = asyncio.get_running_loop().time()
    client.send("GET", target(VALVE))
    client.send("GET", target(PANEL))
    assert (await client.read()).json["key"] == f"ic3:latest:{VALVE}"
    assert (await client.read()).json["key"] == f"ic3:latest:{PANEL}"
    assert asyncio.get_running_loop().time() - start >= 0.09


async def test_fault_hang_never_answers_and_others_go_on(server: Server, client: Client) -> None:
    await client.ask("POST", "/admin/faults", {"fault": "hang", "key": VALVE})
    client.send("GET", target(PANEL))
    client.send("GET", target(VALVE))
    client.send("GET", target(PANEL))
    assert (await client.read()).status == 200
    async with server.client() as other:
        assert (await other.key(PANEL)).status == 200
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.read(), 0.05)


async def test_fault_reset_comes_after_the_answers_due(client: Client) -> None:
    await client.ask("POST", "/admin/faults", {"fault": "reset", "key": VALVE})
    client.send("GET", target(PANEL))
    client.send("GET", target(VALVE))
    assert (await client.read()).status == 200
    with pytest.raises(ConnectionResetError):
        await client.read()


@pytest.mark.parametrize("silent", [False, True])
async def test_fault_unpipelined_answers_one_and_closes(client: Client, silent: bool) -> None:
    await client.ask("POST", "/admin/faults", {"fault": "unpipelined", "silent": silent})
    client.send("GET", target(VALVE))
    client.send("GET", target(PANEL))
    answer = await client.read()
    assert answer.json["key"] == f"ic3:latest:{VALVE}"
    assert ("Connection" in answer.headers) is not silent
    assert await client.reader.read() == b""


async def test_fault_ends_after_its_count(client: Client) -> None:
    await client.ask("POST", "/admin/faults", {"fault": "status", "key": VALVE, "count": 2})
    assert (await client.key(PANEL)).status == 200
    assert [(await client.key(VALVE)).status for _ in range(3)] == [500, 500, 200]
    assert (await client.ask("GET", "/admin/faults")).json == []


async def test_faults_are_shown_and_cleared(client: Client) -> None:
    await client.ask("POST", "/admin/faults", {"fault": "hang", "target": "list"})
    shown = (await client.ask("GET", "/admin/faults")).json
    assert [(fault["fault"], fault["target"]) for fault in shown] == [("hang", "list")]
    assert (await client.key(VALVE)).status == 200
    await client.ask("DELETE", "/admin/faults")
    assert (await client.ask("GET", LIST)).status == 200


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"fault": "flood"},
        {"fault": "hang", "x": 1},
        {"fault": "hang", "count": 0},
        {"fault": "wrong_key", "target": "list"},
    ],
)
async def test_fault_that_cannot_be_played_is_refused(client: Client, content: object) -> None:
    answer = await client.ask("POST", "/admin/faults", content)
    assert answer.status == 400
    assert answer.json["error"]


async def test_key_answers_what_it_was_set_to(client: Client) -> None:
    await client.key(VALVE)
    hostile = '{"a":NaN}\x00"\ud800'
    await client.ask("POST", "/admin/set", {"key": VALVE, "value": hostile})
    await client.ask("POST", "/admin/set", {"key": "New/1", "value": None, "type": "hash"})
    assert (await client.key(VALVE)).json["value"] == hostile
    new = (await client.key("New/1")).json
    assert (new["type"], new["value"]) == ("hash", None)
    await client.ask("DELETE", "/admin/set")
    assert json.loads((await client.key(VALVE)).json["value"])["asset_id"] == VALVE
    assert (await client.key("New/1")).status == 404


async def test_list_has_the_keys_added_to_it(client: Client) -> None:
    await client.ask("POST", "/admin/set", {"keys": ["ic3:latest:Ü/1", "odd"]})
    assert (await client.ask("GET", LIST)).json["keys"][557:] == ["ic3:latest:Ü/1", "odd"]
    assert (await client.key("Ü/1")).status == 404


async def test_seen_counts_requests_connections_and_those_in_flight(
    server: Server, client: Client
) -> None:
    await client.ask("POST", "/admin/faults", {"fault": "delay", "key": VALVE, "seconds": 0.05})
    async with server.client() as one, server.client() as two:
        one.send("GET", target(VALVE))
        two.send("GET", target(VALVE))
        two.send("GET", target(PANEL))
        await asyncio.gather(one.read(), two.read())
        await two.read()
        await one.ask("GET", LIST)
    assert (await client.ask("GET", "/admin/seen")).json == {
        "requests": {"GET /api/redis/key": 3, "GET /api/redis/keys": 1},
        "max_in_flight": 3,
        "connections": 2,
        "beside": {"POST /admin/faults": 1, "GET /admin/seen": 1},
    }
    assert server.gateway.in_flight == 0
    await client.ask("DELETE", "/admin/seen")
    assert (await client.ask("GET", "/admin/seen")).json == {
        "requests": {},
        "max_in_flight": 0,
        "connections": 0,
        "beside": {"GET /admin/seen": 1},
    }


async def test_lost_connection_leaves_nothing_in_flight(server: Server, client: Client) -> None:
    await client.ask("POST", "/admin/faults", {"fault": "reset"})
    with pytest.raises(ConnectionResetError):
        await client.key(VALVE)
    assert server.gateway.in_flight == 0
    assert server.gateway.max_in_flight == 1


def start(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ic3.simulator", "--interval", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_process_says_where_it_listens_and_ends_cleanly(number: signal.Signals) -> None:
    with start("--bare-list") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        said = "ic3 simulator listening on http://127.0.0.1:"
        assert line.startswith(said)
        async with Server(PlantGateway(begun()), int(line.removeprefix(said))).client() as client:
            assert len((await client.ask("GET", LIST)).json) == 557
            process.send_signal(number)
            rest, errors = process.communicate()
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::"])
def test_process_refuses_a_host_that_is_not_loopback(host: str) -> None:
    with start("--host", host) as process:
        out, errors = process.communicate()
    assert process.returncode == 2
    assert errors == f"ic3 simulator: {host} is not a loopback address\n"
    assert out == ""


async def test_process_says_when_its_port_is_taken(server: Server) -> None:
    with start("--port", str(server.port)) as process:
        _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith("ic3 simulator: cannot listen")
    assert errors.count("\n") == 1


def test_process_ends_with_its_parent_when_told_to_watch_it() -> None:
    parent = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-m', 'ic3.simulator', '--watch-parent'])\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ic3 simulator listening on")
        process.kill()
        # The pipe ends when the child, its last holder, is gone.
        assert process.stdout.read() == ""


async def test_batch_form_answers_text_or_null(client: Client) -> None:
    await client.ask("POST", "/admin/set", {"key": "New/1", "value": "x", "type": "hash"})
    keys = [f"ic3:latest:{VALVE}", "ic3:latest:nobody", "ic3:latest:New/1"]
    answer = await client.ask("POST", "/api/redis/mget", {"keys": keys})
    values = answer.json["values"]
    assert values[keys[0]] == (await client.key(VALVE)).json["value"]
    assert (values[keys[1]], values[keys[2]]) == (None, None)


@pytest.mark.parametrize("content", [None, [], {}, {"keys": "x"}, {"keys": [1]}])
async def test_batch_form_refuses_what_is_no_list_of_keys(client: Client, content: object) -> None:
    assert (await client.ask("POST", "/api/redis/mget", content)).status == 400
    assert (await client.ask("GET", "/api/redis/mget")).status == 405


async def test_unchanged_key_is_not_sent_again_to_who_names_its_etag(client: Client) -> None:
    first = await client.key(VALVE)
    head = f"GET {target(VALVE)} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {first.headers['ETag']}\r\n"
    client.writer.write(f"{head}\r\n".encode())
    again = await client.read()
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    await client.ask("POST", "/admin/tick")
    client.writer.write(f"{head}\r\n".encode())
    after = await client.read()
    assert after.status == 200
    assert after.headers["ETag"] != first.headers["ETag"]


async def test_fault_of_the_plant_is_listed_started_and_ended(client: Client) -> None:
    kinds = (await client.ask("GET", "/plant/kinds")).json
    assert {"leak", "worn_pump", "drift", "gateway_outage"} <= {each["name"] for each in kinds}
    begun = await client.ask("POST", "/plant/faults", {"kind": "leak", "where": "Azadpur"})
    assert begun.json["magnitude"] == 15
    listed = (await client.ask("GET", "/plant/faults")).json
    assert [each["kind"] for each in listed["faults"]] == ["leak"]
    number = {"number": begun.json["number"]}
    assert (await client.ask("POST", "/plant/faults/end", number)).status == 200
    assert (await client.ask("GET", "/plant/faults")).json["faults"] == []
    assert (await client.ask("POST", "/plant/faults/end", number)).status == 400


async def test_outage_of_the_gateway_hits_its_own_paths_only_and_ends(client: Client) -> None:
    outage = {"kind": "gateway_outage", "where": "gateway"}
    number = (await client.ask("POST", "/plant/faults", outage)).json["number"]
    assert (await client.ask("GET", LIST)).status == (await client.key(VALVE)).status == 503
    assert (await client.ask("GET", "/plant/truth")).status == 200
    await client.ask("POST", "/plant/faults/end", {"number": number})
    assert (await client.key(VALVE)).status == 200


async def test_slow_gateway_answers_late(client: Client) -> None:
    slow = {"kind": "gateway_slow", "where": "gateway", "magnitude": 0.1}
    await client.ask("POST", "/plant/faults", slow)
    began = asyncio.get_running_loop().time()
    assert (await client.key(VALVE)).status == 200
    assert asyncio.get_running_loop().time() - began > 0.09


async def test_truth_names_events_and_values(client: Client) -> None:
    await client.ask("POST", "/plant/faults", {"kind": "burst", "where": "Azadpur"})
    truth = (await client.ask("GET", "/plant/truth")).json
    assert [(each["kind"], each["where"]) for each in truth["events"]] == [("burst", "Azadpur")]
    assert len(truth["true"]) == 2918
    assert len(truth["leakage_m3_h"]) == 40
