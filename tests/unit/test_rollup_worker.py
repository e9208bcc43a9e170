"""The worker rolls up what was marked and rests in time."""

from typing import Any, cast

from ic3.observations import Observation, RolledUp
from ic3.store.rollups import RollupStore
from ic3.workers.rollup import Rollup


class Marked:
    """So many portions to roll up, each of some seconds."""

    def __init__(self, clock: Any, *changed: int, seconds: float = 1) -> None:
        self._clock = clock
        self._seconds = seconds
        self.waiting = list(changed)

    async def roll_up(self, now: object) -> int | None:
        assert now == self._clock.now()
        if not self.waiting:
            return None
        self._clock.advance(self._seconds)
        return self.waiting.pop(0)


async def round_of(marked: Marked, clock: Any) -> list[Observation]:
    told: list[Observation] = []
    worker = Rollup(rollups=cast(RollupStore, marked), clock=clock, observe=told.append)
    await worker.step()
    return told


async def test_a_round_rolls_up_all_that_is_marked(clock: Any) -> None:
    marked = Marked(clock, 5, 0, 7)
    assert await round_of(marked, clock) == [RolledUp(5), RolledUp(7)]
    assert marked.waiting == []
    assert await round_of(marked, clock) == []


async def test_after_a_backfill_the_rest_is_left_to_the_next_round(clock: Any) -> None:
    marked = Marked(clock, *[1] * 20, seconds=4)
    assert await round_of(marked, clock) == [RolledUp(1)] * 3
    assert len(marked.waiting) == 17
