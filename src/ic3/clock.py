"""The only place that asks the time; handed to the parts, so that tests own it."""

import time
from datetime import UTC, datetime


class Clock:
    """Wall clock for stamps, monotonic clock for intervals."""

    def now(self) -> datetime:
        """The wall clock, aware and in UTC."""
        return datetime.now(UTC)

    def now_us(self) -> int:
        """The wall clock in whole microseconds since 1970, UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that only ever grow; for intervals and deadlines."""
        return time.monotonic()
