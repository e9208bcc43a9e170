"""Rounds of the analytics workers, and how far sensors can be trusted."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final

import msgspec

STEP: Final = timedelta(minutes=5)
# Five minutes are rolled up within a round of the roll-up after their end.
SETTLED: Final = timedelta(seconds=60)
# Of the register, as utilities spell it: what a finding's severity is multiplied by.
CRITICALITY: Final[Mapping[str, float]] = {
    "low": 0.8, "medium": 1.0, "high": 1.2, "critical": 1.2, "c": 0.8, "b": 1.0, "a": 1.2,
}  # fmt: skip


Say = Callable[[int, int, datetime], None]
"""Told how much of how much is done, and up to when."""


class AnalyticsWorker(StrEnum):
    """Which of the three."""

    ANOMALY = "anomaly"
    PUMP_HEALTH = "pump-health"
    NRW = "nrw"


class Origin(StrEnum):
    """Whether a round judged what came, or the past; the past opens no finding."""

    LIVE = "live"
    HISTORY = "history"


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A round as it is logged.

    Attributes:
        from_at: Begin of the time that was judged, inside; `until_at` is outside.
        judged: Assets or districts; `not_computed` those that could not be, `reasons` why.
        opened: Findings opened; of history, those that would have been.
    """

    worker: AnalyticsWorker
    run_at: datetime
    origin: Origin
    from_at: datetime
    until_at: datetime
    judged: int = 0
    not_computed: int = 0
    reasons: Mapping[str, int] = {}
    opened: int = 0
    updated: int = 0
    closed: int = 0
    duration_ms: int = 0
    error_msg: str | None = None


class AnalyticsRun(NewRun, frozen=True, kw_only=True):
    """A round of the log."""

    id: int


class SensorTrust(msgspec.Struct, frozen=True, kw_only=True):
    """How far one sensor can be trusted, over 24 hours.

    Attributes:
        trust: 0 to 100: 60 times the least of the five shares, 40 times their mean.
        completeness: Share of the five minutes with a value.
        timeliness: Share of them that were there in time.
        validity: Share of values that were good.
        liveness: Share of the time in which the value was not frozen.
        consistency: Share of the time in which it was as the model expects; 1 where none judges it.
    """

    asset_id: int
    tag_code: str
    computed_at: datetime
    trust: float
    completeness: float
    timeliness: float
    validity: float
    liveness: float
    consistency: float


class SensorTrustView(SensorTrust, frozen=True, kw_only=True):
    """A sensor's trust as it is shown."""

    serial_number: str
    domain: str | None
    parameter_name: str | None
    unit: str | None
    age_s: float


@dataclass(slots=True)
class Tally:
    """What a round did, counted while it goes on.

    Attributes:
        reasons: Why something was not computed, to how often.
    """

    judged: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    opened: int = 0
    updated: int = 0
    closed: int = 0

    def report(self, opened: int, updated: int, closed: int) -> None:
        """Add what findings did."""
        self.opened += opened
        self.updated += updated
        self.closed += closed


def whole_until(now: datetime) -> datetime:
    """End of the newest five minutes that are over and rolled up."""
    seconds = int((now - SETTLED).timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(STEP.total_seconds()), UTC)


def criticality_factor(word: str | None) -> float:
    """What the severity of a finding is multiplied by; 1 where the register says nothing known."""
    return CRITICALITY.get((word or "").strip().lower(), 1.0)


def day_span(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """Begin and end of a day on the plant's clocks, in UTC."""
    begin = datetime.combine(day, time(), zone)
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    return begin.astimezone(UTC), end.astimezone(UTC)
