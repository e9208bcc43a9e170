"""The client and the sweep against gateways in trouble: how much they are asked, and when again."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from hostile import CLOSE, HANG, Asked, HostileGateway, Script, Step, http
from patience import PATIENCE_S

from ic3.clock import Clock
from ic3.domain.mapping import Register
from ic3.domain.sweeps import Sweep
from ic3.errors import GatewayError
from ic3.gateway.breaker import BreakerState
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.errors import NotAsked
from ic3.gateway.sweep import Sweeper
from ic3.observations import (
    BreakerClosed,
    BreakerOpened,
    CapTooLow,
    Observation,
    UpstreamAsked,
)

KEYS = [f"ic3:latest:Azadpur_{number}" for number in range(500)]
VALUES = {
    key: json.dumps(
        {"record_id": "r", "asset_id": key[11:], "occurred_at": "2026-06-15T01:41:43Z",
         "values": {"LEVEL": 1.0}}
    )
    for key in KEYS
}  # fmt: skip
OVERLOADED = http(b"", 503)
INTERVAL_S = 15.0


class Later(Clock):
    """The clock, ahead by what the test says."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Plant:
    """A hostile gateway, a client and its sweeper."""

    def __init__(self, gateway: HostileGateway, **settings: Any) -> None:
        self.gateway = gateway
        self.told: list[Observation] = []
        self.clock = Later()
        settings = {"timeout_s": 5.0, "interval_s": INTERVAL_S, **settings}
        self.client = RedisRESTClient(
            gateway.url, clock=self.clock, observe=self.told.append, **settings
        )
        self.sweeper = Sweeper(self.client, simulated=False, clock=self.clock)

    async def sweep(self, deadline_s: float = 5.0) -> Sweep:
        """One that has ended; it must add up."""
        sweep = self.sweeper.begin()
        await self.sweeper.run(sweep, Register(), deadline_s=deadline_s)
        assert [each for each in sweep.reading_equations() if not each.holds] == []
        self.sweeper.accept(sweep.envelopes)
        return sweep

    def read(self, sweep: Sweep) -> int:
        return sweep.accepted + sweep.unchanged

    async def quiet(self) -> None:
        """Wait until the gateway has noticed what was cut off, then forget."""
        async with asyncio.timeout(PATIENCE_S):
            while self.gateway.in_flight:  # noqa: ASYNC110  the socket has no event for it
                await asyncio.sleep(0.005)
        self.forget()

    def forget(self) -> None:
        self.gateway.heads.clear()
        self.gateway.asked.clear()
        self.gateway.most_in_flight = 0


@asynccontextmanager
async def plant(script: Script = lambda asked: None, **settings: Any) -> AsyncIterator[Plant]:
    async with HostileGateway(VALUES, script).running() as gateway:
        found = Plant(gateway, **settings)
        try:
            yield found
        finally:
            await found.client.aclose()


def after(number: int, *steps: Step) -> Script:
    """Right answers to the list and so many keys, then these steps for ever."""
    return lambda asked: (
        steps if not asked.is_list and len(asked.gateway.heads) > number + 1 else None
    )


def always(*steps: Step) -> Script:
    return lambda asked: steps


def healed(asked: Asked) -> None:
    return None


# a gateway that is down (F1)


async def test_f1_a_gateway_that_goes_down_in_mid_sweep_keeps_what_was_read() -> None:
    async with plant() as site:
        await site.sweep()
        site.forget()
        site.gateway.script = after(200, CLOSE)
        sweep = await site.sweep()
    assert 150 <= site.read(sweep) <= 200
    assert sweep.deferred["breaker"] >= 250
    assert sweep.error == (
        f"gateway: it failed 5 times in a row; {site.read(sweep)} of 500 keys were read"
    )
    assert site.told.count(BreakerOpened("it failed 5 times in a row")) == 1
    assert len(site.gateway.heads) < 200 + 60


async def test_f1_while_down_it_costs_one_request_a_probe_and_is_found_again() -> None:
    async with plant() as site:
        await site.sweep()
        site.gateway.script = after(0, CLOSE)
        site.forget()
        await site.sweep()
        site.gateway.script = always(CLOSE)
        site.forget()
        with pytest.raises(NotAsked, match=r"not asked, it failed 5 times in a row; next try in"):
            await site.sweep()
        assert not site.gateway.heads
        for number in range(1, 4):
            site.clock.ahead_s += INTERVAL_S
            with pytest.raises(GatewayError, match="connection lost"):
                await site.sweep()
            assert len(site.gateway.heads) == number
        site.gateway.script = healed
        site.clock.ahead_s += INTERVAL_S
        sweep = await site.sweep()
        assert (site.read(sweep), sweep.error) == (500, None)
        assert isinstance(next(e for e in site.told if isinstance(e, BreakerClosed)), BreakerClosed)
        assert site.client.breaker.state is BreakerState.CLOSED


async def test_f1_a_list_that_fails_again_and_again_opens_it() -> None:
    async with plant(always(CLOSE)) as site:
        for _ in range(2):
            with pytest.raises(GatewayError):
                await site.sweep()
        assert len(site.gateway.heads) == 5
        with pytest.raises(NotAsked):
            await site.sweep()
        assert len(site.gateway.heads) == 5


@pytest.mark.parametrize(
    "steps",
    [[http(b"", 404)], [http(b"<html>")], [http(b"", 500)], [CLOSE], [b"garbage\r\n\r\n"],
     [OVERLOADED], [HANG]],
)  # fmt: skip
async def test_f1_faults_of_single_keys_never_open_it(steps: list[Step]) -> None:
    bad = set(random.Random(7).sample(KEYS, 4))
    script: Script = lambda asked: steps if asked.key in bad else None  # noqa: E731
    async with plant(script, timeout_s=1.0) as site:
        limits = []
        for _ in range(3):
            sweep = await site.sweep()
            assert (site.read(sweep), sweep.error) == (496, None)
            assert site.client.breaker.closed
            limits.append(site.client.pace.limit)
        # A key that fails in each sweep says nothing of the gateway: only its first time counts.
        assert limits[0] < limits[1] < limits[2] or limits == [20, 20, 20]


async def test_f1_opening_with_nothing_left_to_ask_fails_nothing() -> None:
    async with plant() as site:
        await site.sweep()
        site.forget()
        site.gateway.script = after(460, OVERLOADED)
        sweep = await site.sweep()
    assert not sweep.deferred
    assert sweep.error is None
    assert site.read(sweep) + sweep.failed["http_503"] == 500
    assert not site.client.breaker.closed


# a gateway that is slow (F2)


async def test_f2_more_hanging_keys_than_may_be_in_flight_fail_one_sweep_at_most() -> None:
    bad = set(random.Random(7).sample(KEYS, 10))
    script: Script = lambda asked: [HANG] if asked.key in bad else None  # noqa: E731
    async with plant(script, timeout_s=1.0) as site:
        await site.sweep()
        for _ in range(2):
            site.clock.ahead_s += INTERVAL_S
            sweep = await site.sweep()
            assert (site.read(sweep), sweep.error) == (490, None)


async def test_f2_in_flight_falls_within_two_sweeps_and_recovers() -> None:
    async with plant() as site:
        await site.sweep()
        site.gateway.latency_s = 0.05
        for _ in range(2):
            slow = await site.sweep(0.3)
            assert slow.deferred["deadline"] > 0
        await site.quiet()
        await site.sweep(0.3)
        assert site.gateway.most_in_flight <= 5
        await site.quiet()
        site.gateway.latency_s = 0.0
        for more in (1, 2, 3):
            site.forget()
            assert site.read(await site.sweep()) == 500
            assert site.gateway.most_in_flight <= 3 + more
            assert site.client.pace.limit == 4 + more


async def test_f2_a_gateway_that_serves_60_percent_reads_each_key_every_second_sweep() -> None:
    served: list[set[str]] = []

    def some(asked: Asked) -> list[Step] | None:
        if asked.is_list:
            served.append(set())
            return None
        if len(served[-1]) >= 300:
            return [HANG]
        served[-1].add(asked.key)
        return None

    async with plant(some) as site:
        for _ in range(6):
            sweep = await site.sweep(0.5)
            assert sweep.error is None
    for one, two in pairwise(served):
        assert one | two == set(KEYS)


async def test_f2_a_hanging_key_holds_up_others_in_one_sweep_only() -> None:
    script: Script = lambda asked: [HANG] if asked.key == KEYS[100] else None  # noqa: E731
    async with plant(script) as site:
        await site.sweep(0.4)
        for _ in range(3):
            sweep = await site.sweep(0.4)
            assert (site.read(sweep), sweep.failed) == (499, {"timeout": 1})


async def test_f2_a_cap_that_is_too_low_is_told_once_with_the_figure() -> None:
    async with plant(max_in_flight=4) as site:
        site.gateway.latency_s = 0.02
        for _ in range(3):
            await site.sweep(0.5)
        told = [each for each in site.told if isinstance(each, CapTooLow)]
        assert len(told) <= 2
        assert (told[0].keys, told[0].in_flight) == (500, 4)
        assert 15 <= told[0].needed <= 60
        site.gateway.latency_s = 0.0
        await site.sweep()
        assert [each for each in site.told if isinstance(each, CapTooLow)] == told


# answers that ask for less (F3)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_f3_a_storm_costs_at_most_a_tenth_more_and_500_alone_opens_nothing(
    status: int,
) -> None:
    async with plant(after(0, http(b"", status))) as site:
        sweep = await site.sweep()
        opened = not site.client.breaker.closed
    assert len(site.gateway.heads) <= 1 + 1.1 * 500
    assert opened is (status != 500)
    if opened:
        assert len(site.gateway.heads) < 100
        assert sweep.deferred["breaker"] > 400
        assert sweep.error == "gateway: 51 of the last 100 requests failed; 0 of 500 keys were read"
    else:
        assert sweep.failed == {"http_500": 500}
        assert sweep.error == "gateway: none of 500 keys could be read (http_500)"
        assert site.client.pace.limit == 4


SPLIT = b"HTTP/1.1 503 X\r\nContent-Length: 40\r\nretry-AFTER:  30 \r\n\r\n" + b"x" * 40


@pytest.mark.parametrize(
    "steps",
    [
        [http(b"", 429, "Retry-After: 30\r\n")],
        [http(b"<h1>later</h1>", 503, "Server: x\r\nRetry-After: 30\r\n")],
        [step for at in range(0, len(SPLIT), 9) for step in (SPLIT[at : at + 9], 0.005)],
    ],
)
async def test_f3_nothing_is_asked_before_the_time_is_up(steps: list[Step]) -> None:
    async with plant() as site:
        await site.sweep()
        site.forget()
        site.gateway.script = after(200, *steps)
        sweep = await site.sweep()
        assert sweep.deferred["retry_after"] > 200
        assert sweep.error == (
            f"gateway: it asked for 30 s of rest; {site.read(sweep)} of 500 keys were read"
        )
        site.gateway.script = healed
        site.forget()
        for ahead_s in (0.0, 29.0):
            site.clock.ahead_s = ahead_s
            with pytest.raises(NotAsked, match=r"it asked for 30 s of rest; next try in \d+ s"):
                await site.sweep()
            with pytest.raises(GatewayError, match="left for the next sweep"):
                await site.client.get_key(KEYS[0])
        assert not site.gateway.heads
        site.clock.ahead_s = 31.0
        assert site.read(await site.sweep()) == 500


async def test_f3_rest_is_asked_for_by_the_list_too_and_as_a_date() -> None:
    until = format_datetime(Clock().now() + timedelta(seconds=90), usegmt=True)
    async with plant(always(http(b"", 503, f"Retry-After: {until}\r\n"))) as site:
        with pytest.raises(GatewayError, match="503"):
            await site.sweep()
        assert len(site.gateway.heads) == 1
        assert 85 <= (site.client.breaker.next_try_s or 0) <= 90


@pytest.mark.parametrize("text", ["soon", "0", "-3", "Mon, 01 Jan 2001 00:00:00 GMT", ""])
async def test_f3_rest_that_is_not_understood_is_none(text: str) -> None:
    script: Script = lambda asked: (  # noqa: E731
        [http(b"", 503, f"Retry-After: {text}\r\n")] if asked.key == KEYS[3] else None
    )
    async with plant(script) as site:
        assert site.read(await site.sweep()) == 499
        assert site.client.breaker.closed


async def test_f3_a_value_that_talks_of_rest_is_only_a_value() -> None:
    script: Script = lambda asked: (  # noqa: E731
        [http(b"\r\nRetry-After: 30\r\n", 404)] if asked.key == KEYS[3] else None
    )
    async with plant(script) as site:
        assert site.read(await site.sweep()) == 499
        assert site.client.breaker.closed


async def test_f3_requests_are_told_by_operation_and_code() -> None:
    codes = {KEYS[1]: 404, KEYS[2]: 500, KEYS[3]: 418}
    script: Script = lambda asked: (  # noqa: E731
        [http(b"", codes[asked.key])] if asked.key in codes else None
    )
    async with plant(script, max_in_flight=1) as site:
        await site.sweep()
    told: Counter[tuple[str, str]] = Counter()
    for each in site.told:
        assert isinstance(each, UpstreamAsked)
        told.update(each.requests)
    assert told == {
        ("list", "200"): 1, ("key", "200"): 497, ("key", "404"): 1, ("key", "500"): 3,
        ("key", "4xx"): 1,
    }  # fmt: skip
    assert sum(told.values()) == len(site.gateway.heads)


# a gateway that falls silent (F10)


@pytest.mark.parametrize("number", [0, 200])
async def test_f10_a_gateway_that_falls_silent_is_left_alone_after_two_timeouts(
    number: int,
) -> None:
    async with plant(timeout_s=1.0) as site:
        await site.sweep()
        site.forget()
        site.gateway.script = after(number, HANG)
        sweep = await site.sweep()
    assert sweep.deferred["breaker"] > 200
    assert sweep.error is not None
    assert len(site.gateway.heads) <= number + 60
    assert not site.client.breaker.closed


async def test_f10_silence_up_to_the_deadline_opens_it_too() -> None:
    async with plant(after(0, HANG)) as site:
        sweep = await site.sweep(0.8)
        assert sweep.error == "gateway: none of 500 keys could be read (timeout)"
        assert not site.client.breaker.closed
        assert site.client.pace.limit < 20


# the bound


@pytest.mark.parametrize("cap", [1, 3, 20])
async def test_f1_f2_f3_the_gateway_never_sees_more_than_the_cap(cap: int) -> None:
    chance = random.Random(11)
    faults: list[list[Step]] = [
        [http(b"", 500)], [http(b"", 429)], [CLOSE], [http(b"<")], [0.02, http(b"", 404)],
    ]  # fmt: skip
    script: Script = lambda asked: (  # noqa: E731
        chance.choice(faults) if not asked.is_list and chance.random() < 0.06 else None
    )
    async with plant(script, max_in_flight=cap) as site:
        site.gateway.latency_s = 0.0005
        for _ in range(3):
            await site.sweep()
            assert site.client.breaker.closed
    assert site.gateway.most_in_flight <= cap
