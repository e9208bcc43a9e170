"""`/ws/v1`, `/api/stream` and the snapshot on the wire."""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from following import Follower
from patience import PATIENCE_S
from serving import FRIEND, Answer, Site, serving, until
from test_api_live_socket import bearer, ending, refused
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from world import World, plain

from ic3.api.asyncapi import document
from ic3.hub.frames import Asked, Told
from ic3.observations import ClientClosed

SERIALS = [f"asset {number}" for number in range(8)]
PATIENT = {"close_timeout": 2}


def world_of(site: Site, *serials: str) -> World:
    made = World(
        clock=site.clock, feed=site.feed, latest=site.latest, alarms=site.alarms, runs=site.runs,
        hub=site.numbered,
    )  # fmt: skip
    made.serials = list(serials)
    made.sweep(*serials)
    made.settle()
    return made


async def dial(site: Site, *, name: str = "asha", more: str = "") -> ClientConnection:
    return await site.dial(f"/ws/v1?ticket={await site.ticket(name)}{more}")


async def frames(client: ClientConnection, number: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE_S):
        return [json.loads(await client.recv()) for _ in range(number)]


async def gone(site: Site) -> None:
    await until(lambda: site.numbered.clients == 0)


# Who gets in


async def test_a_ticket_opens_one_socket_once(site: Site) -> None:
    ticket = await site.ticket()
    client = await site.dial(f"/ws/v1?ticket={ticket}")
    assert [each["op"] for each in await frames(client, 2)] == ["hello", "snapshot"]
    assert await refused_v1(site, f"/ws/v1?ticket={ticket}") == 401
    assert await refused_v1(site, f"/ws?ticket={ticket}") == 401
    await client.close()
    await gone(site)


async def refused_v1(site: Site, target: str, **more: Any) -> int:
    return await refused(site, target, **more)


async def test_a_program_sends_its_token_and_may_say_what_it_has(site: Site) -> None:
    token = bearer(site.token())
    for target in ("/ws/v1", "/ws/v1?epoch=1&seq=2", "/ws/v1?epoch=x&seq="):
        client = await site.dial(target, headers=token)
        hello, snapshot = await frames(client, 2)
        assert (hello["role"], snapshot["op"]) == ("viewer", "snapshot")
        await client.close()
    await gone(site)


@pytest.mark.parametrize("target", ["/ws/v1", "/ws/v1?ticket=x", "/ws/v1?token=x", "/ws/v1?seq=1"])
async def test_who_has_neither_is_refused(site: Site, target: str) -> None:
    assert await refused_v1(site, target) == 401


async def test_a_token_in_the_address_is_refused(site: Site) -> None:
    headers = bearer(site.token())
    assert await refused_v1(site, f"/ws/v1?token={site.token()}", headers=headers) == 401
    assert await refused_v1(site, "/ws/v1?seq=1&x=2", headers=headers) == 401


async def test_s14_pages_of_other_origins_are_refused_and_friends_are_not(site: Site) -> None:
    target = f"/ws/v1?ticket={await site.ticket()}"
    assert await refused_v1(site, target, origin="https://evil.example") == 403
    client = await site.dial(target, origin=FRIEND)
    await client.close()
    await gone(site)


async def test_the_limits_count_every_way_in() -> None:
    async with serving(max_clients=3, max_per_user=2) as site:
        clients = [await dial(site), await site.live()]
        assert await refused_full(site) == 503
        answer = await site.get("/api/stream")
        assert (answer.status, answer.header("retry-after")) == (503, "5")
        clients.append(await dial(site, name="ben"))
        for client in clients:
            await client.close()
        await until(lambda: site.places.taken == 0)


async def refused_full(site: Site) -> int:
    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
               ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]  # fmt: skip
    answer = await site.ask("GET", f"/ws/v1?ticket={await site.ticket()}", headers=[*headers])
    return answer.status


# What may be said


async def test_a_client_watches_and_gets_the_present_values(site: Site) -> None:
    made = world_of(site, "a", "b")
    client = await dial(site)
    await frames(client, 2)
    await client.send('{"op":"sub","assets":[1],"page":"/map"}')
    (present,) = await frames(client, 1)
    assert (present["op"], present["i"], present["values"]) == ("asset", 1, {"FLOW": 12.5})
    made.sweep("a", "b", flow=3.0)
    (news,) = await frames(client, 1)
    assert news["values"] == {"FLOW": 3.0}
    await client.close()
    await gone(site)


@pytest.mark.parametrize(
    "said",
    ["x", "{}", '{"op":"ack","id":1}', '{"op":"sub"}', '{"op":"sub","assets":[-1]}',
     '{"op":"sub","assets":["a"]}', '{"op":"sub","assets":[1.5]}', '{"op":"resync","have":"1"}',
     json.dumps({"op": "sub", "assets": list(range(51))}), b'{"op":"sub","assets":[]}', "", "[]",
     '{"op":"hello"}', '{"op":"resync","have":1e400,"epoch":1}', "[" * 2000],
)  # fmt: skip
async def test_what_is_not_understood_closes_the_socket(site: Site, said: str | bytes) -> None:
    client = await dial(site)
    await client.send(said)
    assert await ending(client) == (1008, "only sub and resync are understood")
    await gone(site)
    assert ClientClosed("only sub and resync are understood") in site.told


async def test_fifty_assets_may_be_watched_and_unknown_ones_are_left_out(site: Site) -> None:
    world_of(site, *SERIALS)
    client = await dial(site)
    await frames(client, 2)
    await client.send(json.dumps({"op": "sub", "assets": list(range(6, 56))}))
    assert [each["i"] for each in await frames(client, 2)] == [6, 7]
    await client.close()
    await gone(site)


async def test_a_frame_above_4_kib_closes_the_socket(site: Site) -> None:
    client = await dial(site)
    await client.send(json.dumps({"op": "sub", "assets": [], "page": "x" * 4096}))
    found = await ending(client)
    assert found is not None
    assert found[0] == 1009
    await gone(site)


async def test_more_than_twenty_messages_a_second_close_the_socket(site: Site) -> None:
    client = await dial(site)
    for _ in range(21):
        await client.send('{"op":"sub","assets":[]}')
    assert await ending(client) == (1008, "too many messages")
    await gone(site)


async def test_the_end_of_the_login_closes_the_socket(site: Site) -> None:
    token = site.token()
    site.clock.advance(599.8)
    client = await site.dial("/ws/v1", headers=bearer(token))
    assert await ending(client) == (1008, "the login has ended")
    await gone(site)


async def test_at_stop_sockets_and_streams_are_told(site: Site) -> None:
    client = await dial(site)
    reader, writer = await open_stream(site)
    running = asyncio.create_task(site.numbered.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert await ending(client) == (1001, "the server is stopping")
    async with asyncio.timeout(PATIENCE_S):
        assert b": 1001 the server is stopping" in await reader.readuntil(b"\r\n0\r\n\r\n")
    writer.close()
    await gone(site)


# Frames


async def test_real_frames_are_what_the_document_says(site: Site) -> None:
    made, dice = world_of(site, *SERIALS), random.Random(3)
    client = await dial(site)
    read = msgspec.json.Decoder(Told, strict=True)
    await client.send('{"op":"sub","assets":[0,1,2,3]}')
    await until(lambda: bool(site.numbered._watchers))
    schemas = document()["components"]["schemas"]
    seen = set()
    for _ in range(120):
        made.change(dice)
    last = made.hub._channel_of(None).seq
    while True:
        text = await client.recv()
        frame = read.decode(text)
        name = type(frame).__name__
        assert json.loads(text).keys() <= schemas[name]["properties"].keys()
        assert set(schemas[name]["required"]) <= json.loads(text).keys()
        seen.add(name)
        if frame.seq >= last:
            break
    assert seen >= {"Hello", "Snapshot", "StateFrame", "AssetFrame", "RunFrame", "AlarmFrame"}
    await client.close()
    await gone(site)


def test_the_document_describes_every_frame_and_refers_to_nothing_that_is_not_there() -> None:
    found = document()
    text = json.dumps(found)
    for kind in (*Told.__args__, *Asked.__args__):
        assert kind.__name__ in found["components"]["schemas"]
    for each in text.split('"$ref": "#/')[1:]:
        place: Any = found
        for name in each.partition('"')[0].split("/"):
            place = place[name]
    addresses = {each["address"] for each in found["channels"].values()}
    assert addresses == {"/ws", "/ws/v1", "/api/stream"}


async def test_the_document_is_served(site: Site) -> None:
    assert (await site.get("/api/asyncapi.json")).json() == plain(document())


# Cut off


async def follow(
    site: Site, follower: Follower, client: ClientConnection, dice: random.Random
) -> None:
    """Read so many frames, then cut the wire in the middle of what comes."""
    follower.connected()
    try:
        async with asyncio.timeout(dice.random() * 0.02):
            for _ in range(dice.randrange(12)):
                asked = follower.take(await client.recv())
                if asked is not None:
                    await client.send(json.dumps(asked))
    except (TimeoutError, ConnectionClosed):
        pass
    client.transport.abort()


async def test_a_socket_cut_two_hundred_times_ends_with_the_servers_state() -> None:
    async with serving(max_clients=300, max_per_user=300) as site:
        made, dice, follower = world_of(site, *SERIALS), random.Random(4), Follower()
        headers = bearer(site.token())
        for _ in range(200):
            query = f"?{follower.point()[1:]}" if follower.seq >= 0 else ""
            client = await site.dial(f"/ws/v1{query}", headers=headers)
            following = asyncio.create_task(follow(site, follower, client, dice))
            while not following.done():
                made.change(dice)
                if site.clock.monotonic() > 1400:
                    headers = bearer(site.token())
                await asyncio.sleep(0)
            await following
            headers = bearer(site.token())
        client = await site.dial(f"/ws/v1?{follower.point()[1:]}", headers=headers)
        follower.connected()
        made.settle()
        async with asyncio.timeout(PATIENCE_S):
            while follower.waits or follower.seq < made.hub._channel_of(None).seq:
                asked = follower.take(await client.recv())
                if asked is not None:
                    await client.send(json.dumps(asked))
        assert follower.assets == made.states()
        assert follower.alarms == made.open_alarms()
        assert follower.runs == made.last_runs()
        await client.close()
        await gone(site)


# Server-sent events


async def open_stream(
    site: Site, query: str = "", **headers: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream, read up to the end of its head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    more = [(name.replace("_", "-"), value) for name, value in headers.items()]
    writer.write(site.request("GET", f"/api/stream{query}", token=site.token(), headers=more))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head
    assert b"text/event-stream" in head
    return reader, writer


async def events(reader: asyncio.StreamReader) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    """Id, name and data of each event."""
    text = ""
    while size := int(await reader.readline(), 16):
        text += (await reader.readexactly(size + 2))[:-2].decode()
        *whole, text = text.split("\n\n")
        for block in whole:
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            yield lines.get("id", ""), lines["event"], json.loads(lines["data"])


async def some(reader: asyncio.StreamReader, number: int) -> list[tuple[str, str, dict[str, Any]]]:
    found: list[tuple[str, str, dict[str, Any]]] = []
    async with asyncio.timeout(PATIENCE_S):
        async for each in events(reader):
            found.append(each)
            if len(found) == number:
                break
    return found


async def test_a_stream_says_what_the_socket_says(site: Site) -> None:
    made = world_of(site, "a", "b, half")
    reader, writer = await open_stream(site, "?assets=a")
    hello, snapshot, present = await some(reader, 3)
    assert [each[1] for each in (hello, snapshot, present)] == ["hello", "snapshot", "asset"]
    # Cut off before its snapshot, a client has nothing to go on from.
    assert hello[0] == ""
    assert snapshot[0] == f"{hello[2]['epoch']}-{snapshot[2]['seq']}"
    assert present[2]["values"] == {"FLOW": 12.5}
    made.alarm("a")
    made.sweep("a", flow=4.0)
    alarm, state, values = await some(reader, 3)
    assert [each[1] for each in (alarm, state, values)] == ["alarm", "state", "asset"]
    assert alarm[2]["alarm"]["source"] == "a"
    writer.close()
    await gone(site)


async def test_a_stream_goes_on_after_the_last_event_id(site: Site) -> None:
    made = world_of(site, "a")
    reader, writer = await open_stream(site)
    last = (await some(reader, 2))[-1][0]
    writer.close()
    made.alarm("a")
    made.run()
    reader, writer = await open_stream(site, last_event_id=last)
    assert [each[1] for each in await some(reader, 3)] == ["hello", "alarm", "run"]
    writer.close()
    made.clock.advance(301)
    made.run()
    reader, writer = await open_stream(site, last_event_id=last)
    assert [each[1] for each in await some(reader, 2)] == ["hello", "snapshot"]
    writer.close()
    await gone(site)


async def test_a_ticket_opens_a_stream_once(site: Site) -> None:
    target = f"/api/stream?ticket={await site.ticket()}"
    assert (await site.head("GET", target)).status == 200
    assert (await site.ask("GET", target)).status == 401
    assert (await site.ask("GET", "/api/stream")).status == 401
    assert (await site.get(f"/api/stream?token={site.token()}")).status == 401
    await gone(site)


async def test_s14_a_stream_of_another_origin_is_refused(site: Site) -> None:
    answer = await site.get("/api/stream", headers=[("Origin", "https://evil.example")])
    assert answer.status == 403


async def test_a_stream_watches_at_most_fifty(site: Site) -> None:
    many = ",".join(f"a{number}" for number in range(51))
    assert (await site.get(f"/api/stream?assets={many}")).status == 400
    await gone(site)


async def test_a_stream_ends_with_its_login(site: Site) -> None:
    token = site.token()
    site.clock.advance(599.8)
    async with asyncio.timeout(PATIENCE_S):
        answer = await site.ask("GET", "/api/stream", token=token)
    assert answer.body.endswith(b": the login has ended\n\n")
    await gone(site)


async def test_a_stream_that_takes_nothing_is_cut_off(site: Site) -> None:
    made = world_of(site, *(f"{number:05} {'x' * 200}" for number in range(4000)))
    _, writer = await open_stream(site)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of a socket
    for number in range(4000):
        made.alarm(made.serials[number])
        if number % 50 == 0:
            made.hub.tick()
            await asyncio.sleep(0)
    assert made.hub.slow == 1
    made.clock.advance(11)
    made.hub.tick()
    assert made.hub.clients == 0
    await until(lambda: not site.http.server_state.tasks)
    writer.transport.abort()


# The snapshot


async def test_the_snapshot_is_answered_with_its_tag_and_packed(site: Site) -> None:
    made = world_of(site, "a")
    first = await site.get("/api/ui/snapshot")
    body = first.json()
    assert [row[1] for row in body["assets"]] == ["a"]
    assert first.header("etag") == f'"{body["epoch"]}-{body["seq"]}"'
    assert first.header("vary") == "Accept-Encoding"
    packed = await site.get("/api/ui/snapshot", headers=[("Accept-Encoding", "br, gzip")])
    assert packed.header("content-encoding") == "gzip"
    assert gzip.decompress(packed.body) == first.body
    known = [("If-None-Match", str(first.header("etag")))]
    assert (await site.get("/api/ui/snapshot", headers=known)).status == 304
    assert made.hub.snapshot().packed is made.hub.snapshot().packed
    made.run()
    made.settle()
    again = await changed(site, known)
    assert again.json()["runs"] == [plain(each) for each in made.runs.progress().runs]


async def changed(site: Site, known: list[tuple[str, str]]) -> Answer:
    answer = await site.get("/api/ui/snapshot", headers=known)
    assert answer.status == 200
    return answer
