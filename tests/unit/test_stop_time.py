"""The stop: one deadline from the signal on, and no waiting for a database that hangs."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from patience import PATIENCE_S

from ic3.app.stop import STOP_LIMIT_S, StopTime, until_drained


async def test_the_deadline_counts_from_its_begin_and_begins_once() -> None:
    stop_time = StopTime()
    stop_time.begin()
    await asyncio.sleep(0.05)
    stop_time.begin()
    assert stop_time.left_s() <= STOP_LIMIT_S - 0.04


async def test_nothing_that_waits_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ic3.app.stop.DRAIN_PAUSE_S", 600.0)
    monkeypatch.setattr("ic3.app.stop.DRAIN_LIMIT_S", 600.0)
    async with asyncio.timeout(PATIENCE_S):
        await until_drained(lambda: 0)


def _each(*numbers: int) -> Iterator[int]:
    yield from numbers
    while True:
        yield numbers[-1]


@pytest.mark.parametrize("waiting", [(5,), (5, 6), (5, 4)])
async def test_a_database_that_hangs_ends_the_drain_early(
    monkeypatch: pytest.MonkeyPatch, waiting: tuple[int, ...]
) -> None:
    monkeypatch.setattr("ic3.app.stop.DRAIN_PAUSE_S", 0.05)
    monkeypatch.setattr("ic3.app.stop.DRAIN_LIMIT_S", 600.0)
    numbers = _each(*waiting)
    async with asyncio.timeout(PATIENCE_S):
        await until_drained(lambda: next(numbers))


async def test_one_that_stores_all_the_time_has_its_whole_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ic3.app.stop.DRAIN_LIMIT_S", 0.2)
    begun = time.monotonic()
    await until_drained(lambda: 10**9 - time.monotonic_ns() // 10**6)
    assert time.monotonic() - begun >= 0.2
