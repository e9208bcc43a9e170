"""The plant's own clock: the wall's, or one that plays the past faster until it has caught up."""

import time
from collections.abc import Callable
from typing import Final

SECOND_NS: Final = 1_000_000_000


class PlantClock:
    """Never ahead of the wall clock: readings from the future would be refused, rightly.

    Args:
        speed: Seconds of the plant a second of the wall.
        behind_s: How far in the past it begins.
        wall_ns: The wall clock, for tests.
    """

    def __init__(
        self, *, speed: float = 1.0, behind_s: float = 0.0,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        self._wall_ns = wall_ns
        self._began_ns = wall_ns()
        self._start_ns = self._began_ns - int(behind_s * SECOND_NS)
        self._speed = speed

    def now_ns(self) -> int:
        """The plant's time, ns since 1970 UTC."""
        wall_ns = self._wall_ns()
        played = self._start_ns + int((wall_ns - self._began_ns) * self._speed)
        return min(wall_ns, played)

    def wait_s(self, until_ns: int) -> float:
        """Seconds of the wall until the plant's clock shows that; 0 if it does."""
        behind_ns = max(0, until_ns - self.now_ns())
        caught_up = self.now_ns() >= self._wall_ns() - SECOND_NS
        return behind_ns / SECOND_NS / (1.0 if caught_up else self._speed)
