"""Keep the roll-ups in step with the monitoring rows."""

from typing import Final

from ic3.clock import Clock
from ic3.observations import Observe, RolledUp
from ic3.store.rollups import RollupStore

EVERY_S: Final = 15.0
ROUND_SHARE: Final = 0.8


class Rollup:
    """One round rolls up what was marked, a portion after the other, and then rests.

    Where much was marked, as after a backfill, the rest is left to the next round.
    """

    name = "rollup"
    every_s: float | None = EVERY_S

    def __init__(self, *, rollups: RollupStore, clock: Clock, observe: Observe) -> None:
        self._rollups = rollups
        self._clock = clock
        self._observe = observe

    async def step(self) -> None:
        """Roll up until nothing is marked, or the round's time is over."""
        ends = self._clock.monotonic() + ROUND_SHARE * EVERY_S
        while (changed := await self._rollups.roll_up(self._clock.now())) is not None:
            if changed:
                self._observe(RolledUp(changed))
            if self._clock.monotonic() >= ends:
                break
