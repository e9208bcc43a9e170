"""Make partitions ahead, drop old ones, keep the bounded tables bounded."""

from ic3.clock import Clock
from ic3.observations import Observe, PartitionsKept
from ic3.store.partitions import PartitionStore


class Retention:
    """One round a quarter of an hour: late enough for the disk, early enough for midnight."""

    name = "retention"
    every_s: float | None = 900.0

    def __init__(self, *, partitions: PartitionStore, clock: Clock, observe: Observe) -> None:
        self._partitions = partitions
        self._clock = clock
        self._observe = observe

    async def step(self) -> None:
        """Make what is missing, then drop what is old."""
        now = self._clock.now()
        made = await self._partitions.make(now.date())
        dropped = await self._partitions.drop_old(now)
        if made or dropped:
            self._observe(PartitionsKept(made, dropped))
