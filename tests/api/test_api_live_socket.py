"""`/ws` on the wire: who gets in, what comes out, and that nobody who goes leaves anything."""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from patience import PATIENCE_S
from serving import (
    FRIEND,
    NOW,
    PANEL,
    Answer,
    Site,
    StillClock,
    envelope,
    envelopes,
    fill,
    read_answer,
    serving,
    until,
)
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close

from ic3.api.auth import Tickets, Tokens
from ic3.api.live import Admission, LiveSocket
from ic3.domain.sweeps import Sweep
from ic3.domain.users import Role
from ic3.errors import ApiError
from ic3.hub.local import BUFFERED_LIMIT_BYTES
from ic3.observations import ClientClosed
from ic3.turns import at_once

ASSETS = [f"asset {number}" for number in range(20)]
UPGRADE = [
    ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]  # fmt: skip


def bearer(token: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {token}")]


async def refused(site: Site, target: str, **more: Any) -> int:
    """The status instead of the upgrade; always a problem, never a client."""
    with pytest.raises(InvalidStatus) as caught:
        await site.dial(target, **more)
    response = caught.value.response
    assert response.headers["content-type"] == "application/problem+json"
    document = json.loads(response.body or b"")
    assert document["status"] == response.status_code
    assert document["error"]
    assert site.hub.clients == 0
    return response.status_code


async def ending(client: ClientConnection) -> tuple[int, str] | None:
    """Read to the end: the close frame of the server, or None where it was cut off."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            while True:
                await client.recv()
        except ConnectionClosed as closed:
            found: Close | None = closed.rcvd
            return (found.code, found.reason) if found else None


# Who gets in


async def test_a_ticket_opens_one_socket_once(site: Site) -> None:
    ticket = await site.ticket()
    assert len(ticket) >= 22  # 128 bits
    client = await site.dial(f"/ws?ticket={ticket}")
    await client.close()
    await site.settle(0)
    assert await refused(site, f"/ws?ticket={ticket}") == 401


async def test_s13_a_ticket_ends_after_thirty_seconds(site: Site) -> None:
    early, late = await site.ticket(), await site.ticket()
    site.clock.advance(29.9)
    client = await site.dial(f"/ws?ticket={early}")
    await client.close()
    await site.settle(0)
    site.clock.advance(0.1)
    assert await refused(site, f"/ws?ticket={late}") == 401


async def test_a_ticket_is_made_for_logged_in_users_only(site: Site) -> None:
    assert (await site.ask("POST", "/api/ws-ticket")).status == 401
    answer = await site.ask("POST", "/api/ws-ticket", token=site.token())
    assert set(answer.json()) == {"ticket", "expires_in"}
    assert answer.json()["expires_in"] == 30
    assert answer.header("cache-control") == "no-store"


async def test_a_program_may_send_its_token_as_a_header(site: Site) -> None:
    for headers in (bearer(site.token()), [("authorization", f"bearer {site.token()}")]):
        client = await site.dial("/ws", headers=headers)
        await client.close()
    await site.settle(0)


@pytest.mark.parametrize(
    "target",
    ["/ws", "/ws?", "/ws?ticket=", "/ws?ticket=x", "/ws?ticket=%00", "/ws?ticket=%ff", "/ws?x=1",
     "/ws?TICKET=x", "/ws?ticket=a&ticket=b", "/ws?ticket=" + "x" * 7000],
)  # fmt: skip
async def test_without_a_login_the_door_is_closed(site: Site, target: str) -> None:
    assert await refused(site, target) == 401


async def test_s13_a_token_in_the_query_is_refused_and_written_nowhere(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    token = site.token()
    for name in ("token", "access_token", "ticket", "jwt"):
        assert await refused(site, f"/ws?{name}={token}") == 401
    assert await refused(site, f"/ws?token={token}", headers=bearer(token)) == 401
    ticket = await site.ticket()
    await (await site.dial(f"/ws?ticket={ticket}")).close()
    await site.settle(0)
    # The test's own client logs under another name.
    server_says = " ".join(
        each.getMessage() for each in caplog.records if "client" not in each.name
    )
    assert token not in server_says
    assert ticket not in server_says


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
async def test_a_bad_token_in_the_header_is_refused(site: Site, token: str) -> None:
    assert await refused(site, "/ws", headers=bearer(token)) == 401


async def test_s13_a_ticket_twice_in_the_query_is_refused(site: Site) -> None:
    ticket = await site.ticket()
    assert await refused(site, f"/ws?ticket={ticket}&ticket={ticket}") == 401


async def test_s13_two_that_come_with_one_ticket_at_once_are_one_client(site: Site) -> None:
    ticket = await site.ticket()
    tries = [site.dial(f"/ws?ticket={ticket}") for _ in range(10)]
    opened = await asyncio.gather(*tries, return_exceptions=True)
    clients = [each for each in opened if isinstance(each, ClientConnection)]
    assert len(clients) == 1
    await clients[0].close()
    await site.settle(0)


@pytest.mark.parametrize(
    "origin",
    ["null", "https://evil.example", FRIEND + ".evil.example", "https://sub.maps.example.org",
     "http://maps.example.org", FRIEND + ":8443", FRIEND.upper(), "http://127.0.0.1",
     "http://127.0.0.1:1", "http://localhost", "file://", "*", "ws://127.0.0.1"],
)  # fmt: skip
async def test_s14_a_foreign_page_is_refused_before_the_upgrade(site: Site, origin: str) -> None:
    ticket = await site.ticket()
    assert await refused(site, f"/ws?ticket={ticket}", origin=origin) == 403
    assert await refused(site, "/ws", origin=origin, headers=bearer(site.token())) == 403
    # Its ticket was not asked for.
    await (await site.dial(f"/ws?ticket={ticket}")).close()


async def test_own_pages_and_those_of_the_list_may_connect(site: Site) -> None:
    here = f"127.0.0.1:{site.port}"
    for origin in (f"http://{here}", f"https://{here}", FRIEND, None):
        client = await site.live(origin=origin)
        site.hub.publish([envelope("a")])
        assert await client.recv() == envelope("a").frame
        await client.close()
        await site.settle(0)


@pytest.mark.parametrize("target", ["/", "/nope", "/ws/", "/ws%00", "/api/stats", "/WS", "/ws/v2"])
async def test_there_is_no_socket_elsewhere(site: Site, target: str) -> None:
    assert await refused(site, target, headers=bearer(site.token())) == 404


@pytest.mark.parametrize(
    "more",
    [[("X", "y" * 9000)], [(f"X-{n}", "y") for n in range(300)], bearer("x" * 9000)],
    ids=["long", "many", "long token"],
)
async def test_a_handshake_that_is_too_large_is_answered(
    site: Site, more: list[tuple[str, str]]
) -> None:
    answer = await site.ask("GET", "/ws", headers=[*UPGRADE, *more])
    assert answer.status == 431
    answer = await site.ask("GET", "/ws?ticket=" + "x" * 9000, headers=UPGRADE)
    assert answer.status == 414
    await until(lambda: not site.http.server_state.connections)


@pytest.mark.parametrize("left_out", range(4))
async def test_half_a_handshake_is_refused(site: Site, left_out: int) -> None:
    headers = bearer(site.token()) + UPGRADE[:left_out] + UPGRADE[left_out + 1 :]
    answer: Answer = await site.ask("GET", "/ws", headers=headers)
    assert 400 <= answer.status < 500
    assert site.hub.clients == 0


@pytest.mark.parametrize(
    ("host", "scheme", "insecure", "status"),
    [("10.0.0.5", "ws", False, 403), ("10.0.0.5", "wss", False, 401), ("10.0.0.5", "ws", True, 401),
     ("127.0.0.1", "ws", False, 401), ("::1", "ws", False, 401), ("::1:5", "ws", False, 403)],
)  # fmt: skip
async def test_s15_off_this_machine_only_wss_is_taken(
    site: Site, host: str, scheme: str, insecure: bool, status: int
) -> None:
    admission = Admission(
        verify=site.tokens.verify, use_ticket=site.tickets.use, origins=(), insecure=insecure,
        access=site.access, observe=site.told.append,
    )  # fmt: skip
    door = LiveSocket(hub=site.hub, admission=admission, clock=site.clock, observe=site.told.append)
    scope: Any = {"client": (host, 1), "scheme": scheme, "headers": [], "query_string": b""}

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(_: Any) -> None:
        raise AssertionError("refused by an exception, not by a message")

    with pytest.raises(ApiError) as caught:
        await door(scope, receive, send)
    assert caught.value.status == status


async def test_s16_a_user_and_all_users_have_a_limit() -> None:
    async with serving(max_clients=3, max_per_user=2) as site:
        clients = [await site.live(name="asha"), await site.live(name="asha")]
        with pytest.raises(InvalidStatus) as caught:
            await site.live(name="asha")
        assert caught.value.response.status_code == 503
        assert b"2 clients of this user" in (caught.value.response.body or b"")
        clients.append(await site.live(name="ben"))
        with pytest.raises(InvalidStatus) as caught:
            await site.live(name="chen")
        assert b"3 clients are connected" in (caught.value.response.body or b"")
        await clients[0].close()
        await site.settle(2)
        clients.append(await site.live(name="asha"))
        for client in clients:
            await client.close()
        await site.settle(0)


# What comes out


async def test_nothing_is_sent_at_connect(site: Site) -> None:
    fill(site.latest, PANEL)
    sweep = Sweep(begun_at=NOW, started=0.0, simulated=False, ended_at=NOW)
    sweep.envelopes = envelopes(ASSETS)
    at_once(site.feed.taking(sweep))
    site.hub.publish(sweep.envelopes)
    client = await site.live()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.15):
            await client.recv()
    await client.close()
    await site.settle(0)


async def test_each_envelope_is_one_text_message_as_the_source_wrote_it(site: Site) -> None:
    clients = [await site.live() for _ in range(3)]
    batches = [envelopes(ASSETS, number, size=number) for number in range(1, 6)]
    batches.append([envelope("पम्प", 9, note='"½" \\ 😀')])
    for batch in batches:
        site.hub.publish(batch)
    for client in clients:
        taken = [await client.recv() for batch in batches for _ in batch]
        assert taken == [each.frame for batch in batches for each in batch]
        assert '"occurred_at":"2026-06-15T01:41:59.123456789Z"' in str(taken[0])
        await client.close()
    await site.settle(0)


async def test_f28_nothing_is_compressed_for_a_client_that_asks_for_it(site: Site) -> None:
    offered = [("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")]
    client = await site.dial(f"/ws?ticket={await site.ticket()}", headers=offered)
    assert client.response is not None
    assert client.response.headers.get("Sec-WebSocket-Extensions") is None
    site.hub.publish([envelope("a")])
    assert await client.recv() == envelope("a").frame
    await client.close()


async def test_a_message_of_the_client_changes_nothing(site: Site) -> None:
    client = await site.live()
    for said in ("hello", b"\x00\xff", "", "x" * 4096, '{"subscribe":"*"}'):
        await client.send(said)
    await (await client.ping())
    site.hub.publish([envelope("a")])
    assert await client.recv() == envelope("a").frame
    await client.close()
    await site.settle(0)


# Clients that are slow


async def publish_until_stalled(site: Site) -> int:
    """Sweeps of 600 kB until somebody is behind; how many there were."""
    for number in range(1, 100):
        site.hub.publish(envelopes(ASSETS, number, size=30_000))
        await asyncio.sleep(0.005)
        if any(each.stalled_since is not None for each in site.hub._clients):
            return number
    raise AssertionError("nobody stalls")


async def stalled(site: Site, name: str = "slow") -> ClientConnection:
    """A client that does not read."""
    return await site.live(name=name, receive_buffer=16_384, max_queue=1)


async def test_f27_f29_a_stalled_client_delays_nobody_and_is_kept_bounded(site: Site) -> None:
    slow, quick = await stalled(site), await site.live(name="quick")
    newest = await publish_until_stalled(site)
    for _ in range(newest * 20):
        await quick.recv()
    for number in range(newest + 1, newest + 31):
        batch = envelopes(ASSETS, number, size=500)
        site.hub.publish(batch)
        assert [await quick.recv() for _ in batch] == [each.frame for each in batch]
    (behind,) = (each for each in site.hub._clients if each.user == "slow")
    assert behind.writer.buffered() < BUFFERED_LIMIT_BYTES + 700_000
    assert len(behind._kept) == len(ASSETS)
    site.clock.advance(10.1)
    site.hub.check()
    assert site.hub.clients == 1
    assert site.told == [ClientClosed("stalled")]
    site.hub.publish([envelope("a", 99)])
    assert await quick.recv() == envelope("a", 99).frame
    slow.transport.abort()
    await quick.close()
    await site.settle(0)


async def test_a_stalled_client_that_reads_on_learns_why_it_is_closed(site: Site) -> None:
    slow = await stalled(site)
    await publish_until_stalled(site)
    site.clock.advance(10.1)
    site.hub.check()
    assert site.hub.clients == 0
    assert await ending(slow) == (1013, "too slow; connect again")


async def test_a_stalled_client_that_never_reads_is_cut_off(site: Site) -> None:
    slow = await stalled(site)
    await publish_until_stalled(site)
    site.clock.advance(10.1)
    site.hub.check()
    await until(lambda: not site.http.server_state.connections)
    assert site.hub.clients == 0
    assert await ending(slow) is None


async def test_a_client_that_recovers_gets_the_newest_of_each_asset(site: Site) -> None:
    slow = await stalled(site)
    newest = await publish_until_stalled(site) + 5
    for number in range(newest - 4, newest + 1):
        site.hub.publish(envelopes(ASSETS, number, size=30_000))
    seen: dict[str, list[int]] = {}
    async with asyncio.timeout(PATIENCE_S):
        while not (len(seen) == 20 and all(each[-1] == newest for each in seen.values())):
            site.hub.check()
            message = json.loads(await slow.recv())
            number = int(message["record_id"].removeprefix("r-"))
            seen.setdefault(message["asset_id"], []).append(number)
        site.hub.check()
        site.hub.publish([envelope("a", 1000)])
        assert await slow.recv() == envelope("a", 1000).frame
    for numbers in seen.values():
        assert numbers == sorted(set(numbers))
        assert len(numbers) < newest
    site.clock.advance(20)
    site.hub.check()
    assert site.hub.clients == 1
    await slow.close()
    await site.settle(0)


async def test_s16_a_client_that_answers_no_ping_leaves_the_hub() -> None:
    async with serving(ping_s=1.0) as site:
        frozen, alive = await stalled(site), await site.live(name="quick")
        # Less than the limit of the hub, more than the wire takes.
        site.hub.publish(envelopes(ASSETS, size=30_000))
        for _ in ASSETS:
            await alive.recv()
        await site.settle(1)
        await until(lambda: len(site.http.server_state.connections) == 1)
        site.hub.publish([envelope("a")])
        assert await alive.recv() == envelope("a").frame
        frozen.transport.abort()
        await alive.close()
        await site.settle(0)


async def test_a_client_that_answers_pings_stays() -> None:
    async with serving(ping_s=1.0) as site:
        client = await site.live()
        await asyncio.sleep(2.5)
        assert site.hub.clients == 1
        await client.close()
        await site.settle(0)


async def raw(site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that speaks frames by hand."""
    head = [f"GET /ws?ticket={await site.ticket()} HTTP/1.1", f"Host: 127.0.0.1:{site.port}"]
    head += [f"{name}: {value}" for name, value in UPGRADE]
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    wire.setblocking(False)
    await asyncio.get_running_loop().sock_connect(wire, ("127.0.0.1", site.port))
    reader, writer = await asyncio.open_connection(sock=wire, limit=4096)
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n")
    assert (await read_answer(reader)).status == 101
    return reader, writer


async def test_pings_of_a_client_that_does_not_read_fill_no_memory(site: Site) -> None:
    _, writer = await raw(site)
    ping = b"\x89\xfd\0\0\0\0" + b"p" * 125
    for _ in range(60):
        writer.write(ping * 1000)
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.1)
    (client,) = site.hub._clients
    assert 0 < client.writer.buffered() < BUFFERED_LIMIT_BYTES + 300_000
    writer.transport.abort()
    await site.settle(0)


# Clients that are closed


async def too_large(client: ClientConnection) -> None:
    await client.send("x" * 4097)


async def too_large_in_parts(client: ClientConnection) -> None:
    await client.send(["x" * 1000] * 5)


async def too_many(client: ClientConnection) -> None:
    for _ in range(21):
        await client.send("x")


async def too_many_empty_ones(client: ClientConnection) -> None:
    for _ in range(21):
        await client.send(b"")


@pytest.mark.parametrize(
    ("misbehave", "code"),
    [(too_large, 1009), (too_large_in_parts, 1009), (too_many, 1008), (too_many_empty_ones, 1008)],
)
async def test_s16_a_client_that_says_too_much_is_closed(
    site: Site, misbehave: Callable[[ClientConnection], Awaitable[None]], code: int
) -> None:
    client, other = await site.live(), await site.live()
    await misbehave(client)
    found = await ending(client)
    assert found is not None
    assert found[0] == code
    await site.settle(1)
    site.hub.publish([envelope("a")])
    assert await other.recv() == envelope("a").frame
    await other.close()
    await site.settle(0)


async def test_twenty_messages_a_second_are_fine(site: Site) -> None:
    client = await site.live()
    for _ in range(5):
        for _ in range(20):
            await client.send("x")
        await (await client.ping())
        await asyncio.sleep(0.02)
        site.clock.advance(1)
    assert site.hub.clients == 1
    await client.close()
    await site.settle(0)


async def test_the_end_of_the_login_closes_the_socket(site: Site) -> None:
    token = site.token()
    site.clock.advance(599.8)
    client = await site.dial("/ws", headers=bearer(token))
    assert site.hub.clients == 1
    assert await ending(client) == (1008, "the login has ended")
    await site.settle(0)
    assert site.told == [ClientClosed("the login has ended")]


async def test_a_ticket_lasts_no_longer_than_the_login_it_came_from(site: Site) -> None:
    answer = await site.ask("POST", "/api/ws-ticket", token=site.token())
    ticket = answer.json()["ticket"]
    principal = site.tickets.use(ticket)
    assert principal is not None
    verified = site.tokens.verify(site.token().encode())
    assert verified is not None
    assert principal.expires_s == verified.expires_s


async def test_at_stop_every_client_is_told(site: Site) -> None:
    clients = [await site.live() for _ in range(3)]
    slow = await stalled(site)
    await publish_until_stalled(site)
    running = asyncio.create_task(site.hub.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert site.hub.clients == 0
    async with asyncio.timeout(PATIENCE_S):
        stopping = asyncio.create_task(site.stop())
        for client in clients:
            assert await ending(client) == (1001, "the server is stopping")
        await stopping
    slow.transport.abort()


async def test_a_server_that_stops_takes_no_more_clients(site: Site) -> None:
    running = asyncio.create_task(site.hub.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert await refused(site, f"/ws?ticket={await site.ticket()}") == 503


async def leave_politely(site: Site) -> None:
    await (await site.live()).close()


async def leave_without_a_word(site: Site) -> None:
    (await site.live()).transport.abort()


async def leave_while_much_is_on_the_way(site: Site) -> None:
    client = await stalled(site)
    await publish_until_stalled(site)
    client.transport.abort()


async def say_goodbye_but_read_nothing(site: Site) -> None:
    _, writer = await raw(site)
    site.hub.publish(envelopes(ASSETS, size=100_000))
    writer.write(b"\x88\x82\0\0\0\0\x03\xe8")
    await until(lambda: not site.http.server_state.connections)
    writer.transport.abort()


async def half_close(site: Site) -> None:
    reader, writer = await raw(site)
    writer.write_eof()
    await reader.read()
    writer.close()


async def break_the_protocol(site: Site) -> None:
    reader, writer = await raw(site)
    writer.write(b"\xff\xff\xff\xff")
    await reader.read()
    writer.close()


async def send_unmasked(site: Site) -> None:
    reader, writer = await raw(site)
    writer.write(b"\x81\x01x")
    await reader.read()
    writer.close()


async def send_bad_utf8(site: Site) -> None:
    reader, writer = await raw(site)
    writer.write(b"\x81\x82\0\0\0\0\xff\xfe")
    await reader.read()
    writer.close()


async def go_during_the_handshake(site: Site) -> None:
    for wait_s in (0, 0, 0, 0.001, 0.002, 0.005):
        wire = socket.create_connection(("127.0.0.1", site.port))
        head = [f"GET /ws?ticket={await site.ticket()} HTTP/1.1", "Host: x"]
        head += [f"{name}: {value}" for name, value in UPGRADE]
        wire.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
        await asyncio.sleep(wait_s)
        wire.close()
    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "go",
    [leave_politely, leave_without_a_word, leave_while_much_is_on_the_way, half_close,
     say_goodbye_but_read_nothing, break_the_protocol, send_unmasked, send_bad_utf8,
     go_during_the_handshake],
    ids=lambda go: go.__name__,
)  # fmt: skip
async def test_nobody_who_goes_leaves_anything(
    go: Callable[[Site], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(max_per_user=1) as site:
        await go(site)
        await site.settle(0)
        await until(
            lambda: not (site.http.server_state.connections or site.http.server_state.tasks)
        )
        client = await site.live()
        site.hub.publish([envelope("a")])
        assert await client.recv() == envelope("a").frame
        await client.close()
        await site.settle(0)
    assert not [each for each in caplog.records if "Exception in ASGI" in each.getMessage()]


async def test_a_hundred_that_come_and_go_leave_nothing() -> None:
    async with serving(max_clients=100, max_per_user=100) as site:
        clients = await asyncio.gather(*(site.live(name=f"user {n % 7}") for n in range(100)))
        assert site.hub.clients == 100
        site.hub.publish([envelope("a")])
        assert {await each.recv() for each in clients} == {envelope("a").frame}
        for number, client in enumerate(clients):
            if number % 2:
                client.transport.abort()
            else:
                await client.close()
        await site.settle(0)
        assert not site.places._users


def test_f29_open_tickets_are_kept_in_a_bounded_number() -> None:
    clock = StillClock()
    tickets, tokens = Tickets(clock), Tokens("k" * 32, life_s=600, clock=clock)
    principal = tokens.verify(tokens.make("asha", Role.VIEWER).encode())
    assert principal is not None
    made = [tickets.make(principal) for _ in range(10_001)]
    assert len(set(made)) == len(made)
    assert tickets.use(made[0]) is None
    assert tickets.use(made[-1]) == principal
