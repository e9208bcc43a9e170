"""The sweep's own rules, with a gateway that answers as told."""

from collections.abc import Callable, Iterable
from typing import Any, cast

from ic3.clock import Clock
from ic3.domain.mapping import Register
from ic3.errors import GatewayError
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.errors import Timeout, WrongType
from ic3.gateway.sweep import Sweeper


class Hand(Clock):
    """A clock moved by hand."""

    at_s = 1000.0

    def monotonic(self) -> float:
        return self.at_s


class Listed:
    """What the client answers for a list."""

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
        self.rejected = 0
        self.server_date = None


class Gateway:
    """Lists these keys, answers with these texts, and notes how long a read may take."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.deadlines_s: list[float] = []
        self.failures: dict[str, GatewayError] = {}

    async def list_keys(self, _pattern: str, *, within_s: float | None = None) -> Listed:
        return Listed(list(self.texts))

    async def read_all(
        self, keys: Iterable[str], receive: Callable[[str, str], None], *, deadline_s: float
    ) -> dict[str, GatewayError]:
        self.deadlines_s.append(deadline_s)
        for key in keys:
            if key not in self.failures:
                receive(key, self.texts[key])
        return self.failures


def sweeper(gateway: Gateway, clock: Clock) -> Sweeper:
    return Sweeper(cast("RedisRESTClient", cast("Any", gateway)), simulated=True, clock=clock)


async def test_the_first_three_keys_of_each_reason_are_named() -> None:
    texts = {f"ic3:latest:{number}": "[]" for number in range(5)}
    gateway = Gateway({**texts, "other:A": "", "ic3:latest:late": "{}", "ic3:latest:wrong": "{}"})
    gateway.failures = {
        "ic3:latest:late": Timeout("ic3:latest:late"),
        "ic3:latest:wrong": WrongType("ic3:latest:wrong", b"{}", "hash"),
    }
    sweep = sweeper(gateway, Hand()).begin()
    await sweeper(gateway, Hand()).run(sweep, Register(), deadline_s=12)
    assert sweep.named == {
        "rejected:wrong_prefix": ["other:A"],
        "quarantined:not_an_object": [str(number) for number in range(3)],
        "failed:timeout": ["late"],
        "quarantined:wrong_type": ["wrong"],
    }
    assert [each.detail for each in sweep.rejected if each.scope == "outer"] == ["hash"]


async def test_waiting_for_the_register_takes_nothing_from_the_gateways_time() -> None:
    clock = Hand()
    gateway = Gateway({"ic3:latest:A": "{}"})
    sweeps = sweeper(gateway, clock)
    sweep = sweeps.begin()
    clock.at_s += 100
    await sweeps.run(sweep, Register(), deadline_s=12)
    assert gateway.deadlines_s == [12]


async def test_f8_a_key_that_stands_twice_in_the_list_is_read_once_and_counted() -> None:
    class Twice(Gateway):
        async def list_keys(self, _pattern: str, *, within_s: float | None = None) -> Listed:
            return Listed([*self.texts, *self.texts, "ic3:latest:A"])

    gateway = Twice({"ic3:latest:A": "[]", "ic3:latest:B": "[]"})
    sweeps = sweeper(gateway, Hand())
    sweep = sweeps.begin()
    await sweeps.run(sweep, Register(), deadline_s=12)
    assert (sweep.keys_listed, sweep.keys_scanned, sweep.list_duplicates) == (5, 2, 3)
    assert sweep.read_ok == 2
    assert all(equation.holds for equation in sweep.reading_equations())
