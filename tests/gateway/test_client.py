"""The client against a right gateway and against every wrong one, on real loopback sockets."""

import asyncio
import gzip
import json
import random
import shutil
import socket
import ssl
import subprocess
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hostile import CLOSE, HANG, Asked, HostileGateway, Script, Step, http, value_of
from patience import PATIENCE_S

from ic3.clock import Clock
from ic3.errors import GatewayError, SettingsError
from ic3.gateway import client as client_module
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.errors import ContentError

KEYS = [f"ic3:latest:Patel Road_{n}" for n in range(60)]
VALUES = {key: json.dumps({"asset_id": key}) for key in KEYS}
X = KEYS[30]


@asynccontextmanager
async def client_of(gateway: HostileGateway, **settings: Any) -> AsyncIterator[RedisRESTClient]:
    settings = {"timeout_s": 1.0, **settings}
    client = RedisRESTClient(gateway.url, **settings)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def serving(
    gateway: HostileGateway, *, tls: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[tuple[HostileGateway, RedisRESTClient]]:
    async with gateway.running(tls), client_of(gateway, **settings) as client:
        yield gateway, client


async def read(
    client: RedisRESTClient, keys: list[str], deadline_s: float = PATIENCE_S
) -> tuple[dict[str, str], dict[str, GatewayError]]:
    values: dict[str, str] = {}
    failures = await client.read_all(keys, values.__setitem__, deadline_s=deadline_s)
    return values, dict(failures)


def only(key: str, *steps: Step) -> Script:
    return lambda asked: steps if asked.key == key else None


async def fault_of(*steps: Step, **settings: Any) -> GatewayError:
    """Sixty keys, one of them answered with these steps: the others must all be read."""
    async with serving(HostileGateway(VALUES, only(X, *steps)), **settings) as (_gateway, client):
        values, failures = await read(client, KEYS)
    assert values == {key: value for key, value in VALUES.items() if key != X}
    assert list(failures) == [X]
    return failures[X]


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that is never taken for a far one, however busy the machine."""
    monkeypatch.setattr("ic3.gateway.client.FAR_ANSWER_S", 60.0)
    monkeypatch.setattr("ic3.gateway.client.PROBE_ALONE_S", 60.0)


# the list call


@pytest.mark.parametrize("body", [json.dumps({"keys": KEYS}), json.dumps(KEYS)])
async def test_both_shapes_of_the_list_are_read(body: str) -> None:
    answer = http(body.encode(), headers="Date: Mon, 23 Nov 2026 02:15:00 GMT\r\n")
    async with serving(HostileGateway({}, lambda asked: [answer])) as (gateway, client):
        assert await client.scan_keys("ic3:latest:*") == KEYS
        found = await client.list_keys("ic3:latest:*")
    assert found.server_date == datetime(2026, 11, 23, 2, 15, tzinfo=UTC)
    assert gateway.heads[0].startswith(
        b"GET /api/redis/keys?pattern=ic3%3Alatest%3A%2A HTTP/1.1\r\n"
    )
    assert gateway.connections == 1


async def test_items_of_the_list_that_are_not_text_are_counted() -> None:
    answer = http(b'["a", 1, null, "a", ["b"]]')
    async with serving(HostileGateway({}, lambda asked: [answer])) as (_gateway, client):
        found = await client.list_keys("*")
    assert (found.keys, found.rejected, found.server_date) == (["a", "a"], 3, None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http(b"<html>"), "not_json"),
        (http(b"[" * 3000), "not_json"),
        (http(b'["\xff"]'), "not_json"),
        (http(b'{"keys": null}'), "wrong_shape"),
        (http(b"7"), "wrong_shape"),
        (http(b"[]", 302, "Location: /elsewhere\r\n"), "http_302"),
        (http(b"[" + b" " * 5000 + b"]"), "too_large"),
        (http(b"[0" + b",0" * 1000 + b"]"), "too_large"),
        (http(gzip.compress(b"[]", mtime=0), headers="Content-Encoding: gzip\r\n"), "bad_http"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "bad_http"),
        (b"SMTP\r\n", "bad_http"),
    ],
)
async def test_a_bad_list_fails_by_name(
    answer: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "LIST_ITEMS", 1000)
    async with serving(HostileGateway({}, lambda asked: [answer]), list_limit_bytes=4096) as (
        gateway,
        client,
    ):
        with pytest.raises(GatewayError) as caught:
            await client.scan_keys("*")
    assert caught.value.reason == reason
    assert str(caught.value).startswith("gateway: the key list ")
    assert len(gateway.heads) == 1


async def test_the_list_is_tried_three_times() -> None:
    flaky = lambda asked: None if asked.times == 3 else [http(b"", 503)]  # noqa: E731
    async with serving(HostileGateway(VALUES, flaky)) as (gateway, client):
        assert await client.scan_keys("*") == KEYS
    async with serving(HostileGateway(VALUES, lambda asked: [http(b"", 503)])) as (gateway, client):
        with pytest.raises(GatewayError, match="503"):
            await client.scan_keys("*")
    assert gateway.asked[""] == 3


@pytest.mark.parametrize("steps", [[HANG], [b"HTTP/1.1 200 OK\r\n", HANG]])
async def test_f10_a_hanging_list_ends_in_time(steps: list[Step]) -> None:
    async with serving(HostileGateway(VALUES, lambda asked: steps), timeout_s=0.2) as (
        _gateway,
        client,
    ):
        with pytest.raises(GatewayError) as caught:
            await client.scan_keys("*")
        assert caught.value.reason == "timeout"
        assert client.connections_open == 0


# keys and values


async def test_f11_hostile_key_names_go_there_and_back() -> None:
    names = [
        "a b",
        "a+b",
        "a/b",
        "a%20b",
        "a&k=b",
        "a#b",
        "a?b",
        "../x",
        "पटेल रोड",
        "a\r\nb: c",
        "*",
    ]
    names += ["\u202ekey", "\x00", "é" * 512, "k" * 10_000]
    async with serving(HostileGateway({name: name for name in names})) as (gateway, client):
        values, failures = await read(client, names)
    assert values == {name: name for name in names}
    assert not failures
    lines = [head.split(b"\r\n")[0] for head in gateway.heads]
    assert b"GET /api/redis/key?k=a%20b HTTP/1.1" in lines
    assert b"GET /api/redis/key?k=a%2Bb HTTP/1.1" in lines
    assert not [line for line in lines if b"+" in line]
    assert all(len(head.split(b"\r\n")) == 6 for head in gateway.heads)


async def test_single_key_and_many_keys() -> None:
    async with serving(HostileGateway(VALUES)) as (_gateway, client):
        assert await client.get_key(X) == VALUES[X]
        assert await client.mget_all([*KEYS, "gone"]) == VALUES
        with pytest.raises(GatewayError, match=r"^gateway: key 'gone' was .* status: 404$"):
            await client.get_key("gone")
        assert await client.mget_all([]) == {}


async def test_s41_messages_escape_what_could_deceive() -> None:
    name = "a\r\n\u202eb"
    async with serving(HostileGateway({}, lambda asked: [http(b"<")])) as (_gateway, client):
        with pytest.raises(GatewayError) as caught:
            await client.get_key(name)
    assert str(caught.value).startswith(r"gateway: key 'a\r\n\u202eb' is not JSON")


async def test_the_list_and_the_token_travel_under_a_path_prefix() -> None:
    gateway = HostileGateway(VALUES)
    gateway.prefix = "/plant%201"
    async with gateway.running():
        gateway.url += "/plant 1/".replace(" ", "%20")
        async with client_of(gateway, bearer_token="s3cret") as client:
            assert await client.scan_keys("*") == KEYS
            assert await client.get_key(X) == VALUES[X]
    assert all(b"\r\nAuthorization: Bearer s3cret\r\n" in head for head in gateway.heads)
    assert all(b"\r\nAccept-Encoding: identity\r\n" in head for head in gateway.heads)
    assert gateway.connections == 1


# what one key's answer can do


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>oops</html>", "not_json"),
        (b"", "not_json"),
        (value_of(X)[:-1], "not_json"),
        (b"\xef\xbb\xbf" + value_of(X), "not_json"),
        (value_of(X).replace(b'"v"', b'"\xff"'), "not_json"),
        (value_of(X).replace(b'"v"', b'"\\ud800"'), "not_json"),
        (value_of(X).replace(b'"v"', b"[" * 5000), "not_json"),
        (b"[]", "wrong_shape"),
        (b"{}", "wrong_shape"),
        (value_of(X, 5), "wrong_shape"),
        (json.dumps({"key": X, "type": "string"}).encode(), "wrong_shape"),
        (value_of(X, None), "null_value"),
        (value_of(X, {"f": "v"}, "hash"), "wrong_type"),
        (value_of(X, "v", "list"), "wrong_type"),
        (value_of("another"), "wrong_key"),
        (value_of(X, "x" * 3000), "too_large"),
        (gzip.compress(value_of(X), mtime=0), "not_json"),
    ],
)
async def test_f4_f5_f9_wrong_content_is_kept_aside_by_name(body: bytes, reason: str) -> None:
    error = await fault_of(http(body), body_limit_bytes=6000 if len(body) > 4000 else 2000)
    assert error.reason == reason
    assert isinstance(error, ContentError)
    assert (error.raw, error.raw_length) == (body, len(body))


async def test_only_the_first_16_kib_are_kept() -> None:
    error = await fault_of(http(b"<" * 100_000))
    assert isinstance(error, ContentError)
    assert (len(error.raw), error.raw_length) == (16384, 100_000)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([http(b"", 404)], "http_404"),
        ([http(b"", 500)], "http_500"),
        ([http(b"", 429)], "http_429"),
        ([http(b"", 302, "Location: /elsewhere\r\n")], "http_302"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], "http_204"),
        ([CLOSE], "reset"),
        ([http(value_of(X))[:-5], CLOSE], "truncated"),
        ([b"garbage\r\n\r\n"], "bad_http"),
        ([b"HTTP/1.1 100 Continue\r\nX: yyyyyyyyyyyyyyyy\r\n\r\n" * 9000], "bad_http"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", CLOSE], "reset"),
        ([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], "bad_http"),
        ([http(value_of(X), headers="Content-Length: 3\r\n")], "bad_http"),
        ([http(value_of(X), headers="Transfer-Encoding: chunked\r\n")], "bad_http"),
        ([b"HTTP/1.0 200 OK\r\n\r\n" + value_of(X)[:-5], CLOSE], "truncated"),
        ([b"HTTP/1.0 503 Sorry\r\n\r\nsorry", CLOSE], "http_503"),
    ],
)
async def test_f3_each_failure_has_its_reason(steps: list[Step], reason: str) -> None:
    error = await fault_of(*steps)
    assert error.reason == reason
    assert not isinstance(error, ContentError)


async def test_f4_an_answer_cut_at_any_byte_fails_by_name() -> None:
    answer = http(value_of(X), headers="Content-Type: application/json\r\n")
    reasons = [(await fault_of(answer[:at], CLOSE)).reason for at in range(len(answer))]
    assert reasons == ["reset"] + ["truncated"] * (len(answer) - 1)


@pytest.mark.parametrize(
    "steps",
    [
        [HANG],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", HANG],
        [http(value_of(X))[:-3], HANG],
        [step for byte in http(value_of(X)) * 9 for step in (bytes([byte]), 0.02)],
    ],
)
async def test_f10_what_hangs_or_drips_ends_by_its_deadline(steps: list[Step]) -> None:
    error = await fault_of(*steps, timeout_s=0.3)
    assert error.reason == "timeout"


async def test_f7_an_endless_body_is_cut_at_the_cap() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    endless = [b"10000\r\n" + b"x" * 65536 + b"\r\n"] * 4000
    tracemalloc.start()
    try:
        error = await fault_of(head, *endless)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.reason == "too_large"
    assert isinstance(error, ContentError)
    assert error.raw_length < 3 << 20
    assert most_bytes < 24 << 20


async def test_an_endless_head_is_cut() -> None:
    error = await fault_of(b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"x" * 65536 + b"\r\n"] * 4000)
    assert error.reason == "bad_http"


async def test_chunked_and_closing_and_old_answers_are_read() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = value_of(X)
    for byte in body:
        chunked += b"1\r\n" + bytes([byte]) + b"\r\n"
    answers: list[list[Step]] = [
        [chunked + b"0\r\n\r\n"],
        [http(body, headers="Connection: close\r\n"), CLOSE],
        [http(body, version="1.0"), CLOSE],
        [b"HTTP/1.0 200 OK\r\n\r\n" + body, CLOSE],
        [b"HTTP/1.1 200 OK\r\n\r\n" + body, CLOSE],
    ]
    for steps in answers:
        async with serving(HostileGateway(VALUES, only(X, *steps))) as (_gateway, client):
            values, failures = await read(client, KEYS)
        assert values == VALUES | {X: "v"}
        assert not failures


async def test_interim_answers_are_passed_over() -> None:
    def script(asked: Asked) -> list[Step]:
        right = asked.gateway.right(asked)
        return [
            b"HTTP/1.1 100 Continue\r\n\r\n" * 2,
            b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n",
            *right,
        ]

    async with serving(HostileGateway(VALUES, script)) as (gateway, client):
        assert (await client.list_keys("*")).keys == KEYS
        values, failures = await read(client, KEYS)
        assert (values, failures) == (VALUES, {})
        assert set(gateway.asked.values()) == {1}


async def test_a_gateway_that_closes_after_each_answer_is_read() -> None:
    script: Script = lambda asked: [  # noqa: E731
        http(value_of(asked.key), headers="Connection: close\r\n"),
        CLOSE,
    ]
    async with serving(HostileGateway(VALUES, script)) as (gateway, client):
        values, failures = await read(client, KEYS)
    assert values == dict.fromkeys(KEYS, "v")
    assert not failures
    assert len(gateway.heads) <= len(KEYS) + 20


async def test_more_than_was_asked_for_ends_the_connection() -> None:
    extra = only(X, http(value_of(X)) + http(value_of("stray")))
    async with serving(HostileGateway(VALUES, extra), max_in_flight=1) as (gateway, client):
        values, failures = await read(client, KEYS)
    assert values == VALUES | {X: "v"}
    assert not failures
    assert gateway.connections == 2


# retries


async def test_a_failing_key_is_asked_three_times_and_a_missing_one_is_not() -> None:
    script: Script = lambda asked: [http(b"", 503)] if asked.key == X else None  # noqa: E731
    async with serving(HostileGateway(VALUES, script), max_in_flight=1) as (gateway, client):
        values, _ = await read(client, [*KEYS, "gone"])
    assert values.keys() == VALUES.keys() - {X}
    assert (gateway.asked[X], gateway.asked["gone"]) == (3, 1)
    assert client.retries == 2


async def test_a_storm_of_errors_costs_a_tenth_more_requests() -> None:
    keys = [f"k{n}" for n in range(400)]
    async with serving(HostileGateway({}, lambda asked: [http(b"", 500)])) as (gateway, client):
        _, failures = await read(client, keys)
    assert {error.reason for error in failures.values()} == {"http_500"}
    assert len(failures) == 400
    assert len(gateway.heads) <= 440


async def test_a_key_that_recovers_is_read() -> None:
    script: Script = lambda asked: [CLOSE] if asked.key == X and asked.times == 1 else None  # noqa: E731
    async with serving(HostileGateway(VALUES, script)) as (_gateway, client):
        assert await read(client, KEYS) == (VALUES, {})


@pytest.mark.usefixtures("near")
async def test_a_stale_connection_costs_no_attempt_and_no_pipelining() -> None:
    async with serving(HostileGateway(VALUES)) as (gateway, client):
        assert await read(client, KEYS) == (VALUES, {})
        assert client.pipelining
        gateway.close_all()
        assert await read(client, KEYS) == (VALUES, {})
        assert await client.scan_keys("*") == KEYS
        gateway.close_all()
        assert await client.scan_keys("*") == KEYS
        assert (client.retries, client.pipelining) == (0, True)


# the gateway as a whole


async def test_a_refusing_gateway_ends_fast() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = RedisRESTClient(url)
    begun = asyncio.get_running_loop().time()
    _, failures = await read(client, KEYS)
    assert Counter(error.reason for error in failures.values()) == {"refused": 5, "breaker": 55}
    with pytest.raises(
        GatewayError, match=r"^gateway: not asked, it failed 5 times in a row; next try in \d s$"
    ):
        await client.scan_keys("*")
    assert asyncio.get_running_loop().time() - begun < 20
    assert client.requests_sent == 0


async def test_a_name_without_address_is_refused() -> None:
    client = RedisRESTClient("http://gateway.invalid")
    with pytest.raises(GatewayError) as caught:
        await client.get_key("k")
    assert caught.value.reason == "refused"


async def test_a_gateway_that_accepts_and_hangs_up_ends_fast() -> None:
    async with serving(HostileGateway(VALUES, lambda asked: [CLOSE])) as (gateway, client):
        _, failures = await read(client, KEYS)
    assert {error.reason for error in failures.values()} == {"reset", "breaker"}
    assert len(failures) == len(KEYS)
    assert gateway.connections <= 30


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.1.1]", "2852039166"]
)
async def test_link_local_addresses_are_never_asked(host: str) -> None:
    client = RedisRESTClient(f"http://{host}")
    with pytest.raises(GatewayError, match="link-local") as caught:
        await client.get_key("k")
    assert caught.value.reason == "refused"


async def test_the_deadline_names_what_was_under_way_and_what_was_not_reached() -> None:
    async with serving(HostileGateway(VALUES, lambda asked: [HANG]), max_in_flight=5) as (
        gateway,
        client,
    ):
        _, failures = await read(client, KEYS, deadline_s=0.6)
        assert client.connections_open == 0
    reasons = [error.reason for error in failures.values()]
    assert (reasons.count("timeout"), reasons.count("deadline")) == (
        len(gateway.heads),
        60 - len(gateway.heads),
    )


async def test_cancelling_leaves_nothing_in_flight() -> None:
    gateway = HostileGateway(VALUES, only(X, HANG))
    async with gateway.running(), client_of(gateway) as client:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(read(client, KEYS))
            await gateway.hanging.wait()
            task.cancel()
        assert task.cancelled()
        assert client.in_flight == 0
        gateway.script = lambda asked: None
        assert await read(client, KEYS) == (VALUES, {})


async def test_a_receiver_that_raises_is_not_hidden() -> None:
    def receive(key: str, value: str) -> None:
        raise ZeroDivisionError

    async with serving(HostileGateway(VALUES)) as (_gateway, client):
        with pytest.raises(ExceptionGroup) as caught:
            await client.read_all(KEYS, receive, deadline_s=5)
        assert caught.group_contains(ZeroDivisionError)
        assert await read(client, KEYS) == (VALUES, {})


# pipelining and the limit in flight

MANY = {f"key {n}": f"value {n}" for n in range(500)}


@pytest.mark.usefixtures("near")
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20, 64])
async def test_in_flight_is_never_above_the_limit(limit: int) -> None:
    chance = random.Random(7)
    flaky = {key for key in MANY if chance.random() < 0.04}
    script: Script = lambda asked: (  # noqa: E731
        [http(b"", 500)] if asked.key in flaky and asked.times < 3 else None
    )
    async with HostileGateway(MANY, script).running() as gateway:
        gateway.latency_s = 0.001
        async with client_of(gateway, max_in_flight=limit) as client:
            assert await read(client, list(MANY)) == (MANY, {})
            assert await read(client, list(MANY)) == (MANY, {})
            assert (client.in_flight, client.pipelining) == (0, limit > 1)
    assert gateway.most_in_flight <= limit
    assert gateway.connections <= min(limit, 20)


@pytest.mark.usefixtures("near")
async def test_pipelining_is_used_on_few_connections_when_it_works() -> None:
    async with serving(HostileGateway(MANY)) as (gateway, client):
        assert await read(client, list(MANY)) == (MANY, {})
        assert client.pipelining
    assert gateway.deepest >= 2
    assert gateway.connections <= 3
    assert len(gateway.heads) == len(MANY)


def _second_is_wrong(asked: Asked) -> list[Step] | None:
    return [http(value_of("other"))] if asked.queued else None


def _second_is_garbage(asked: Asked) -> list[Step] | None:
    return [b"\x00garbage\r\n\r\n"] if asked.queued else None


def _hangs_up_on_the_second(asked: Asked) -> list[Step] | None:
    return [*asked.gateway.right(asked), CLOSE] if asked.queued else None


def _says_close_on_the_second(asked: Asked) -> list[Step] | None:
    closing = http(value_of(asked.key, MANY[asked.key]), headers="Connection: close\r\n")
    return [closing, CLOSE] if asked.queued else None


def _not_found_on_the_second(asked: Asked) -> list[Step] | None:
    return [http(b"", 404)] if asked.queued else None


@pytest.mark.parametrize(
    "script",
    [_second_is_wrong, _second_is_garbage, _hangs_up_on_the_second, _says_close_on_the_second],
)
@pytest.mark.parametrize("known_good", [False, True])
async def test_pipelining_is_given_up_at_the_first_oddity(script: Script, known_good: bool) -> None:
    async with serving(HostileGateway(MANY, script)) as (gateway, client):
        client.pipelining = known_good
        assert await read(client, list(MANY)) == (MANY, {})
        assert (client.pipelining, client.pipelining_abandoned) == (False, 1)
        asked = len(gateway.heads)
        assert await read(client, list(MANY)) == (MANY, {})
        assert client.retries == 0
    assert len(gateway.heads) == asked + len(MANY)


async def test_swapped_answers_end_pipelining_and_every_key_is_right() -> None:
    gateway = HostileGateway(MANY)
    gateway.swap_pipelined = True
    async with gateway.running(), client_of(gateway) as client:
        assert await read(client, list(MANY)) == (MANY, {})
        assert not client.pipelining


async def test_a_pipelined_status_is_believed_only_when_asked_alone() -> None:
    script: Script = lambda asked: _not_found_on_the_second(asked) if asked.times == 1 else None  # noqa: E731
    keys = list(MANY)[:12]
    async with serving(HostileGateway(MANY, script)) as (_gateway, client):
        assert await read(client, keys) == ({key: MANY[key] for key in keys}, {})


async def test_a_gateway_that_drops_pipelined_requests_costs_a_quarter_of_the_timeout() -> None:
    script: Script = lambda asked: [HANG] if asked.queued else None  # noqa: E731
    async with serving(HostileGateway(MANY, script), timeout_s=4.0) as (_gateway, client):
        assert await read(client, list(MANY)) == (MANY, {})
        assert not client.pipelining


async def test_a_hanging_head_does_not_take_its_followers_along() -> None:
    async with serving(HostileGateway(MANY, only("key 250", HANG)), timeout_s=1.0) as (
        _gateway,
        client,
    ):
        client.pipelining = True
        values, failures = await read(client, list(MANY))
        assert client.pipelining
    assert len(values) == 499
    assert [error.reason for error in failures.values()] == ["timeout"]


async def test_a_slow_gateway_gets_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = HostileGateway(MANY)
    gateway.latency_s = 0.01
    async with gateway.running(), client_of(gateway) as client:
        assert await read(client, list(MANY)) == (MANY, {})
        assert gateway.connections == 20
        gateway.latency_s = 0.0
        # Quick by comparison, however busy the machine.
        monkeypatch.setattr("ic3.gateway.client.FAR_ANSWER_S", 60.0)
        for _ in range(3):
            assert await read(client, list(MANY)) == (MANY, {})
        assert client.pipelined_connections == 2


async def test_pipelining_is_tried_again_after_ten_minutes() -> None:
    class Later(Clock):
        ahead = 0.0

        def monotonic(self) -> float:
            return super().monotonic() + self.ahead

    clock = Later()
    async with serving(HostileGateway(MANY), clock=clock) as (_gateway, client):
        client.abandon_pipelining("a test")
        await read(client, list(MANY))
        assert not client.pipelining
        clock.ahead = 601.0
        await read(client, list(MANY))
        assert client.pipelining


# TLS and settings


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=DNS:localhost -keyout {key} -out {cert}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return cert, key


def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


async def test_an_own_authority_is_accepted(certificate: tuple[Path, Path]) -> None:
    async with serving(
        HostileGateway(VALUES), tls=server_tls(certificate), ca_file=certificate[0]
    ) as (_gateway, client):
        assert await client.scan_keys("*") == KEYS
        assert await read(client, KEYS) == (VALUES, {})


@pytest.mark.parametrize(
    ("host", "ca", "why"), [("localhost", False, "self"), ("127.0.0.1", True, "IP address")]
)
async def test_s31_a_certificate_that_does_not_prove_the_host_is_refused(
    certificate: tuple[Path, Path], host: str, ca: bool, why: str
) -> None:
    async with HostileGateway(VALUES).running(server_tls(certificate)) as gateway:
        gateway.url = gateway.url.replace("localhost", host)
        async with client_of(gateway, ca_file=certificate[0] if ca else None) as client:
            _, failures = await read(client, KEYS)
            with pytest.raises(GatewayError, match=why):
                await client.scan_keys("*")
    assert {error.reason for error in failures.values()} == {"tls"}
    assert not gateway.heads


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hunter2@plant",
        "http://hunter2@plant",
        "ftp://plant",
        "plant:8181",
        "http://",
        "http://plant:hunter2",
        "http://plant/?x=1",
        "http://plant/#x",
        "http://plant\r\nX: y",
        "http://[::1",
    ],
)
def test_an_unusable_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^gateway: ") as caught:
        RedisRESTClient(url)
    assert "hunter2" not in str(caught.value)


def test_unusable_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        RedisRESTClient("http://plant", max_in_flight=0)
    with pytest.raises(SettingsError):
        RedisRESTClient("http://plant", bearer_token="a\r\nb")
    with pytest.raises(SettingsError):
        RedisRESTClient("https://plant", ca_file=tmp_path / "none.pem")
