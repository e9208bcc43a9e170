"""How many requests a minute one caller may make: a bucket each, which fills steadily."""

from collections import OrderedDict
from typing import Final, NamedTuple

CALLERS_LIMIT: Final = 10_000
MINUTE_S: Final = 60.0


class Allowance(NamedTuple):
    """What is left for a caller.

    Attributes:
        left: Requests; below zero where this one was too many.
        wait_s: Seconds until the next is allowed; 0 where it is now.
    """

    left: int
    wait_s: float


class Rates:
    """Buckets by caller, for the 10,000 that asked last.

    Args:
        per_minute: Requests a caller may make a minute, and at once.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, now: float) -> Allowance:
        """Count a request.

        Args:
            caller: User name, or address of who has none.
            now: Monotonic seconds.
        """
        level, at = self._buckets.pop(caller, (float(self.per_minute), now))
        level = min(self.per_minute, level + (now - at) * self.per_minute / MINUTE_S)
        allowed = level >= 1
        self._buckets[caller] = (level - allowed, now)
        if len(self._buckets) > CALLERS_LIMIT:
            self._buckets.popitem(last=False)
        if allowed:
            return Allowance(int(level - 1), 0.0)
        return Allowance(-1, (1 - level) * MINUTE_S / self.per_minute)
