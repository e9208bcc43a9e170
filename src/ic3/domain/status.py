"""What is known of the feed right now, in memory: freshness, alarms, the newest envelopes."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ic3.domain.envelope import Envelope, Plausibility, plausibility
from ic3.domain.sweeps import Sweep

NEWEST_LIMIT = 500
STALE_AFTER_INTERVALS = 3


@dataclass(slots=True)
class AssetState:
    """The newest news of one asset; `occurred_us` is 0 where the source's time is not known."""

    received_us: int
    quality: str | None
    alarm: str | None
    occurred_us: int = 0

    @property
    def in_alarm(self) -> bool:
        """Whether the source says so; an absent alarm is unknown, not one."""
        return self.alarm is not None and self.alarm.upper() != "NORMAL"


@dataclass(frozen=True, slots=True)
class FeedCounts:
    """How many assets are in which state."""

    assets: int
    fresh: int
    stale: int
    in_alarm: int


class Feed:
    """The feed as this process has seen it; rebuilt from the database at start."""

    def __init__(self, *, interval_s: float) -> None:
        self._stale_after_us = int(STALE_AFTER_INTERVALS * interval_s * 1_000_000)
        self._assets: dict[str, AssetState] = {}
        self._newest: deque[Envelope] = deque(maxlen=NEWEST_LIMIT)
        self.last_sweep_at: datetime | None = None
        self.last_good_at: datetime | None = None
        self.last_error: str | None = None
        self.restored = False

    def restore(self, assets: Iterable[tuple[str, AssetState]], newest: list[Envelope]) -> None:
        """Take what the database knows, newest envelope first."""
        self._assets.update(assets)
        self._newest.clear()
        self._newest.extend(reversed(newest))
        self.restored = True

    def take(self, sweep: Sweep) -> None:
        """Take a sweep that has ended; a failed one brings what it read before it failed."""
        self.last_sweep_at = sweep.ended_at or sweep.begun_at
        self.last_error = sweep.error
        if sweep.error is None:
            self.last_good_at = self.last_sweep_at
        for envelope in sweep.envelopes:
            self._move(envelope)
        self._newest.extend(sweep.envelopes[-NEWEST_LIMIT:])

    def _move(self, envelope: Envelope) -> None:
        """Late news neither refreshes nor alarms; of an impossible time only the asset counts."""
        serial, received_us, occurred_us = (
            envelope.asset_id, envelope.received_us, envelope.occurred_us,
        )  # fmt: skip
        if plausibility(occurred_us, now_us=received_us) is not Plausibility.PLAUSIBLE:
            self._assets.setdefault(serial, AssetState(received_us, None, None))
            return
        before = self._assets.get(serial)
        if before is None or before.occurred_us <= occurred_us:
            self._assets[serial] = AssetState(
                received_us, envelope.quality, envelope.alarm, occurred_us
            )

    def newest(self, limit: int) -> list[Envelope]:
        """The envelopes received last, newest first."""
        return list(reversed(self._newest))[:limit]

    def counts(self, *, now_us: int) -> FeedCounts:
        """Assets by state; stale is one without a new record for three intervals."""
        horizon = now_us - self._stale_after_us
        states = self._assets.values()
        fresh = sum(state.received_us >= horizon for state in states)
        in_alarm = sum(state.in_alarm for state in states)
        return FeedCounts(len(states), fresh, len(states) - fresh, in_alarm)
