"""Many keys a request: used only where its path is set, and judged key by key."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ic3.gateway.client import RedisRESTClient

PATH = "/api/redis/mget"
KEYS = [f"ic3:latest:Azadpur +/%_{number}" for number in range(450)]
Answer = Callable[[list[str]], bytes]


def right(keys: list[str]) -> bytes:
    return json.dumps({"values": {key: f"value of {key}" for key in keys}}).encode()


class BatchGateway:
    """Answers the batch form as it is told to."""

    def __init__(self, answer: Answer = right, *, status: int = 200, headers: bytes = b"") -> None:
        self.answer = answer
        self.status = status
        self.headers = headers
        self.heads: list[str] = []
        self.batches: list[int] = []
        self.at_once = self.most_at_once = 0
        self.hold = asyncio.Event()
        self.hold.set()

    @asynccontextmanager
    async def serving(self, **settings: Any) -> AsyncIterator[RedisRESTClient]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = RedisRESTClient(
            f"http://127.0.0.1:{port}/base", mget_path=PATH, timeout_s=1.0, **settings
        )
        try:
            yield client
        finally:
            await client.aclose()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            self.heads.append(head.decode())
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            keys = json.loads(await reader.readexactly(length))["keys"]
            self.batches.append(len(keys))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await self.hold.wait()
            body = self.answer(keys)
            self.at_once -= 1
            writer.write(
                b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%b\r\n%b"
                % (self.status, len(body), self.headers, body)
            )


async def read(client: RedisRESTClient, deadline_s: float = 5.0) -> tuple[dict[str, str], Any]:
    values: dict[str, str] = {}
    failures = await client.read_all(KEYS, values.__setitem__, deadline_s=deadline_s)
    return values, failures


async def test_all_keys_come_in_few_requests_on_the_path_of_the_setting() -> None:
    gateway = BatchGateway()
    async with gateway.serving(bearer_token="secret") as client:
        values, failures = await read(client)
    assert values == {key: f"value of {key}" for key in KEYS}
    assert failures == {}
    assert sorted(gateway.batches) == [50, 200, 200]
    assert all(head.startswith(f"POST /base{PATH} HTTP/1.1\r\n") for head in gateway.heads)
    assert all("Authorization: Bearer secret\r\n" in head for head in gateway.heads)


async def test_batches_at_once_stay_under_the_bound() -> None:
    gateway = BatchGateway()
    async with gateway.serving(max_in_flight=1) as client:
        await read(client)
    assert gateway.most_at_once == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda keys: b"<html>", "not_json"),
        (lambda keys: b"[]", "wrong_shape"),
        (lambda keys: b'{"values":[]}', "wrong_shape"),
        (lambda keys: b'{"values":{}}', "wrong_shape"),
        (lambda keys: json.dumps({"values": dict.fromkeys(keys)}).encode(), "null_value"),
        (lambda keys: json.dumps({"values": dict.fromkeys(keys, 1)}).encode(), "wrong_shape"),
        (lambda keys: json.dumps({"values": dict.fromkeys(keys, "x" * 20)}).encode(), "too_large"),
    ],
)
async def test_wrong_answer_has_one_reason_a_key(answer: Answer, reason: str) -> None:
    async with BatchGateway(answer).serving(body_limit_bytes=10) as client:
        values, failures = await read(client)
    assert values == {}
    assert failures.keys() == set(KEYS)
    assert {error.reason for error in failures.values()} == {reason}


async def test_one_bad_key_costs_no_other() -> None:
    def answer(keys: list[str]) -> bytes:
        return json.dumps(
            {"values": {key: key if key != KEYS[7] else None for key in keys}}
        ).encode()

    async with BatchGateway(answer).serving() as client:
        values, failures = await read(client)
    assert len(values) == len(KEYS) - 1
    assert {key: error.reason for key, error in failures.items()} == {KEYS[7]: "null_value"}


async def test_status_is_counted_and_two_tries_more_are_made_of_all_batches() -> None:
    gateway = BatchGateway(status=503)
    async with gateway.serving() as client:
        values, failures = await read(client)
    assert values == {}
    assert {error.reason for error in failures.values()} == {"http_503"}
    assert len(gateway.batches) == 3 + 2


async def test_f3_rest_that_a_batch_asks_for_defers_those_behind_it() -> None:
    gateway = BatchGateway(status=429, headers=b"Retry-After: 20\r\n")
    async with gateway.serving(max_in_flight=1) as client:
        _, failures = await read(client)
        assert len(gateway.batches) == 1
        reasons = [failures[key].reason for key in KEYS]
        assert reasons == ["http_429"] * 200 + ["retry_after"] * 250
        _, failures = await read(client)
        assert {error.reason for error in failures.values()} == {"retry_after"}
        assert 19 <= (client.breaker.next_try_s or 0) <= 20
    assert len(gateway.batches) == 1


async def test_f10_silence_up_to_the_deadline_is_a_failure_of_each_batch_under_way() -> None:
    gateway = BatchGateway()
    gateway.hold.clear()
    async with gateway.serving() as client:
        for _ in range(2):
            await read(client, deadline_s=0.1)
        gateway.hold.set()
        assert not client.breaker.closed


async def test_deadline_ends_the_reading_and_says_what_was_not_reached() -> None:
    gateway = BatchGateway()
    gateway.hold.clear()
    async with gateway.serving(max_in_flight=1) as client:
        _, failures = await read(client, deadline_s=0.2)
        gateway.hold.set()
    reasons = [failures[key].reason for key in KEYS]
    assert reasons == ["timeout"] * 200 + ["deadline"] * 250


async def test_unset_path_never_asks_for_batches() -> None:
    gateway = BatchGateway()
    async with gateway.serving() as client:
        assert client is not None
        plain = RedisRESTClient("http://127.0.0.1:9", timeout_s=0.2)
        await plain.mget_all(KEYS[:3])
        await plain.aclose()
    assert gateway.batches == []
