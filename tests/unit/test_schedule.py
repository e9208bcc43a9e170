"""Rounds are due by the monotonic clock: a step of the wall clock moves none of them."""

import asyncio
from datetime import datetime, timedelta

import pytest
from builders import NOW

from ic3.clock import Clock
from ic3.observations import Observation
from ic3.workers import runner

STEPS_S = (3600, -3600, 864_000, -864_000, 0)


class SteppedClock(Clock):
    """Sleeping moves it; its wall clock is also set, by somebody."""

    def __init__(self) -> None:
        self.wall = NOW
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.wall

    def now_us(self) -> int:
        return int(self.wall.timestamp() * 1_000_000)

    def monotonic(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall += timedelta(seconds=seconds)


class Rounds:
    """A worker whose every round takes two seconds, in which the wall clock steps."""

    name = "rounds"
    every_s: float | None = 15.0

    def __init__(self, clock: SteppedClock) -> None:
        self.clock = clock
        self.begun: list[float] = []

    async def step(self) -> None:
        self.begun.append(self.clock.seconds)
        self.clock.pass_by(2)
        self.clock.wall += timedelta(seconds=STEPS_S[len(self.begun) % len(STEPS_S)])
        if len(self.begun) == 20:
            raise asyncio.CancelledError


async def test_f22_steps_of_the_wall_clock_neither_double_nor_skip_a_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, told = SteppedClock(), list[Observation]()
    worker = Rounds(clock)

    async def sleep(seconds: float) -> None:
        clock.pass_by(seconds)

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            await runner.run_worker(worker, clock=clock, observe=told.append)

    assert worker.begun == [1000 + 15 * number for number in range(20)]
    assert told == []
