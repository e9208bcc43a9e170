"""A right gateway behind a wire that is not: cut at every byte, dripping, silent, reset."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from fault_proxy import End, Fault, FaultProxy
from hostile import HostileGateway, http, value_of
from patience import PATIENCE_S

from ic3.clock import Clock
from ic3.domain.mapping import Register
from ic3.errors import GatewayError
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.sweep import Sweeper

KEYS = [f"ic3:latest:Patel Road_{n}" for n in range(3)]
X = KEYS[0]
VALUES = {key: json.dumps({"asset_id": key}) for key in KEYS}
LIST_ANSWER = http(json.dumps({"keys": KEYS}).encode())
KEY_ANSWER = http(value_of(X, VALUES[X]))
# What a wire alone can bring about; none of them says anything about the plant.
OF_THE_WIRE = {"reset", "truncated"}
OF_BAD_BYTES = {"bad_http", "not_json", "wrong_shape", "wrong_key", "wrong_type", "timeout"}

Ask = Callable[[RedisRESTClient], Any]


def ask_list(client: RedisRESTClient) -> Any:
    return client.scan_keys("ic3:latest:*")


def ask_key(client: RedisRESTClient) -> Any:
    return client.get_key(X)


ANSWERS: list[tuple[Ask, bytes, Any]] = [
    (ask_list, LIST_ANSWER, KEYS), (ask_key, KEY_ANSWER, VALUES[X])
]  # fmt: skip
asked = pytest.mark.parametrize(("ask", "answer", "right"), ANSWERS, ids=["list", "key"])
SILENCES = [
    pytest.param(Fault(drip_s=0.05), id="drip"),
    pytest.param(Fault(cut_at=0, end=End.BLACK_HOLE), id="black hole"),
    pytest.param(Fault(cut_at=40, end=End.BLACK_HOLE), id="black hole within the answer"),
    pytest.param(Fault(delay_s=5), id="delay"),
]


@asynccontextmanager
async def wired() -> AsyncIterator[tuple[HostileGateway, FaultProxy]]:
    async with HostileGateway(VALUES).running() as gateway:
        parts = urlsplit(gateway.url)
        assert parts.hostname is not None
        assert parts.port is not None
        async with FaultProxy((parts.hostname, parts.port)).running() as wire:
            yield gateway, wire


@asynccontextmanager
async def client_of(wire: FaultProxy, **more: Any) -> AsyncIterator[RedisRESTClient]:
    client = RedisRESTClient(f"http://127.0.0.1:{wire.port}", **{"timeout_s": PATIENCE_S, **more})
    try:
        yield client
    finally:
        await client.aclose()


async def outcome(wire: FaultProxy, ask: Ask, **more: Any) -> Any:
    """What is answered to a new client, or the reason for which nothing is."""
    async with client_of(wire, **more) as client:
        try:
            return await ask(client)
        except GatewayError as error:
            return error.reason


async def at_every_byte(
    answer: bytes, ask: Ask, fault: Callable[[int], Fault], *, timeout_s: float = PATIENCE_S
) -> list[Any]:
    """The outcomes, by the byte at which the answer is struck; each on a wire of its own."""

    async def at(byte: int) -> Any:
        async with wired() as (_, wire):
            wire.set(down=fault(byte))
            return await outcome(wire, ask, timeout_s=timeout_s)

    return await asyncio.gather(*(at(byte) for byte in range(len(answer))))


@asked
async def test_f4_an_answer_cut_at_any_byte_is_no_answer_and_says_why(
    ask: Ask, answer: bytes, right: Any
) -> None:
    found = await at_every_byte(answer, ask, lambda byte: Fault(cut_at=byte))
    assert found == ["reset"] + ["truncated"] * (len(answer) - 1)
    async with wired() as (_, wire):
        wire.set(down=Fault(cut_at=len(answer)))
        assert await outcome(wire, ask) == right


@asked
async def test_f4_f10_an_answer_reset_at_any_byte_is_no_answer_and_says_why(
    ask: Ask, answer: bytes, right: Any
) -> None:
    found = await at_every_byte(answer, ask, lambda byte: Fault(cut_at=byte, end=End.RESET))
    assert set(found) <= OF_THE_WIRE


@asked
async def test_f4_a_byte_turned_over_anywhere_never_makes_another_value(
    ask: Ask, answer: bytes, right: Any
) -> None:
    found = await at_every_byte(answer, ask, lambda byte: Fault(corrupt_at=byte), timeout_s=3.0)
    assert [each for each in found if each != right and each not in OF_BAD_BYTES] == []
    assert "not_json" in found
    assert "bad_http" in found


@asked
@pytest.mark.parametrize("fault", SILENCES)
async def test_f10_whatever_does_not_come_ends_by_its_deadline(
    ask: Ask, answer: bytes, right: Any, fault: Fault
) -> None:
    async with wired() as (_, wire):
        wire.set(down=fault)
        assert await outcome(wire, ask, timeout_s=0.3) == "timeout"
        wire.set()
        assert await outcome(wire, ask) == right


@asked
@pytest.mark.parametrize("fault", SILENCES)
async def test_f10_a_request_that_does_not_arrive_ends_by_its_deadline(
    ask: Ask, answer: bytes, right: Any, fault: Fault
) -> None:
    async with wired() as (gateway, wire):
        wire.set(up=fault)
        assert await outcome(wire, ask, timeout_s=0.3) == "timeout"
        assert gateway.heads == []
        wire.set()
        assert await outcome(wire, ask) == right


@asked
async def test_f10_a_half_closed_wire_is_no_answer(ask: Ask, answer: bytes, right: Any) -> None:
    async with wired() as (_, wire):
        for at in (0, 20, len(answer) - 1):
            wire.set(down=Fault(cut_at=at, end=End.HALF_CLOSE))
            assert await outcome(wire, ask) == ("truncated" if at else "reset")
        wire.set(down=Fault(cut_at=len(answer), end=End.HALF_CLOSE))
        assert await outcome(wire, ask) == right


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        (Fault(drip_s=0.05), {"timeout", "deadline", "breaker"}),
        (Fault(cut_at=0, end=End.BLACK_HOLE), {"timeout", "deadline", "breaker"}),
        (Fault(cut_at=0, end=End.RESET), {"reset", "breaker", "deadline"}),
        (Fault(cut_at=30, end=End.HALF_CLOSE), {"truncated", "breaker", "deadline"}),
        (Fault(cut_at=30), {"truncated", "breaker", "deadline"}),
    ],
    ids=["drip", "black hole", "reset", "half-close", "cut"],
)  # fmt: skip
async def test_f10_a_wire_that_fails_in_mid_sweep_ends_the_sweep_in_time_and_all_is_accounted_for(
    fault: Fault, reasons: set[str]
) -> None:
    loop = asyncio.get_running_loop()
    values = {f"ic3:latest:asset {n}": json.dumps({"n": n}) for n in range(200)}
    async with wired() as (gateway, wire):
        gateway.values = values
        gateway.latency_s = 0.002
        async with client_of(wire, timeout_s=0.3) as client:
            sweeper = Sweeper(client, simulated=True, clock=Clock())
            sweep = sweeper.begin()
            running = loop.create_task(sweeper.run(sweep, Register(), deadline_s=5.0))
            await gateway.until_asked(60)
            wire.set(down=fault)
            begun = loop.time()
            await asyncio.wait({running})
            assert loop.time() - begun < 20
            assert [each for each in sweep.reading_equations() if not each.holds] == []
            assert sweep.keys_scanned == 200
            assert 0 < sweep.read_ok < 200
            assert {*sweep.failed, *sweep.deferred} <= reasons
            assert client.in_flight == 0
            assert running.exception() is None
        wire.set()
        async with client_of(wire) as client:
            assert await client.mget_all(list(values)) == values
