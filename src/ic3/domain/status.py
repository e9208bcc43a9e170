"""What is known of the feed right now, in memory: freshness, alarms, the newest envelopes."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import msgspec

from ic3.domain.envelope import Envelope, Plausibility, Value, plausibility
from ic3.domain.freshness import Freshness, State
from ic3.domain.quality import of_source
from ic3.domain.sweeps import Sweep, batches
from ic3.turns import Turns

NEWEST_LIMIT = 500
TAGS_LIMIT = 2_000


class AssetState(msgspec.Struct, gc=False):
    """The newest news of one asset.

    Attributes:
        occurred_us: 0 where the source's time is not known.
        values: The newest of every tag this process has seen; none at its start.
    """

    received_us: int
    quality: str | None
    alarm: str | None
    occurred_us: int = 0
    values: Mapping[str, Value] = msgspec.field(default_factory=dict)

    @property
    def in_alarm(self) -> bool:
        """Whether the source says so; an absent alarm is unknown, not one."""
        return self.alarm is not None and self.alarm.upper() != "NORMAL"

    @property
    def is_good(self) -> bool:
        """Whether the source vouches for it; an absent word does not."""
        return of_source(self.quality) is None


@dataclass(frozen=True, slots=True)
class FeedCounts:
    """How many assets are in which state.

    Attributes:
        stale: All that are not fresh; `states` tells them apart.
    """

    assets: int
    fresh: int
    stale: int
    in_alarm: int
    states: Mapping[State, int] = field(default_factory=dict, compare=False)


class Feed:
    """The feed as this process has seen it; rebuilt from the database at start.

    Args:
        interval_s: Between two sweeps.
        raw_days: How far the retained past reaches.
    """

    def __init__(self, *, interval_s: float, raw_days: int = 30) -> None:
        self.freshness = Freshness(interval_s=interval_s, raw_days=raw_days)
        self._assets: dict[str, AssetState] = {}
        self._newest: deque[Envelope] = deque(maxlen=NEWEST_LIMIT)
        self.last_sweep_at: datetime | None = None
        self.last_good_at: datetime | None = None
        self.last_error: str | None = None
        self.restored = False

    def restore(self, assets: Iterable[tuple[str, AssetState]], newest: list[Envelope]) -> None:
        """Take what the database knows, newest envelope first."""
        for serial, state in assets:
            self._assets[serial] = state
            self.freshness.note_moved(serial)
            self.freshness.remember(
                serial, occurred_us=state.occurred_us, received_us=state.received_us
            )
        self._newest.clear()
        self._newest.extend(reversed(newest))
        self.restored = True

    def taking(self, sweep: Sweep) -> Turns[list[Envelope]]:
        """Take a sweep that has ended; a failed one brings what it read before it failed.

        Returns:
            Its envelopes of plausible time that are newer than all known of their assets.
        """
        self.last_sweep_at = sweep.ended_at or sweep.begun_at
        self.last_error = sweep.error
        yield from self.freshness.taking(sweep)
        if sweep.error is None:
            self.last_good_at = self.last_sweep_at
        news: list[Envelope] = []
        for portion in batches(sweep.envelopes):
            news += filter(self._move, portion)
            yield
        self._newest.extend(sweep.envelopes[-NEWEST_LIMIT:])
        return news

    def judge_times(self, sweep: Sweep) -> None:
        """Count what is late or of a suspect time in a sweep that is not taken yet."""
        sweep.times = self.freshness.times_of(sweep)

    def _move(self, envelope: Envelope) -> bool:
        """Late news neither refreshes nor alarms; of an impossible time only the asset counts."""
        serial, received_us, occurred_us = (
            envelope.asset_id, envelope.received_us, envelope.occurred_us,
        )  # fmt: skip
        if plausibility(occurred_us, now_us=received_us) is not Plausibility.PLAUSIBLE:
            self._assets.setdefault(serial, AssetState(received_us, None, None))
            return False
        before = self._assets.get(serial)
        if before is None or before.occurred_us <= occurred_us:
            after = AssetState(
                received_us, envelope.quality, envelope.alarm, occurred_us,
                _newest_values(before, envelope),
            )  # fmt: skip
            self._assets[serial] = after
            if before is None or (
                before.quality != after.quality and before.is_good != after.is_good
            ):
                self.freshness.note_moved(serial)
        return before is None or before.occurred_us < occurred_us

    def state_of(self, serial: str) -> AssetState | None:
        """The newest news of an asset; None where there is none."""
        return self._assets.get(serial)

    def newest(self, limit: int, sees: Callable[[str], bool] = lambda _: True) -> list[Envelope]:
        """The envelopes received last of the assets that somebody sees, newest first."""
        found = (each for each in reversed(self._newest) if sees(each.asset_id))
        return list(islice(found, limit))

    def counts_of(self, sees: Callable[[str], bool]) -> FeedCounts:
        """The assets that somebody sees by state, as last judged."""
        assets, states = self.freshness.counts_of(sees)
        in_alarm = sum(state.in_alarm and sees(serial) for serial, state in self._assets.items())
        fresh = states.get(State.FRESH, 0)
        return FeedCounts(assets, fresh, assets - fresh, in_alarm, states)

    def counts(self, *, now: float, now_us: int) -> FeedCounts:
        """Assets by state.

        Args:
            now: Monotonic seconds: freshness is our receipt of a new record.
            now_us: The wall clock, for stamps.
        """
        states = self.freshness.judge(now=now, now_us=now_us)
        fresh = states.get(State.FRESH, 0)
        in_alarm = sum(state.in_alarm for state in self._assets.values())
        assets = len(self._assets)
        return FeedCounts(assets, fresh, assets - fresh, in_alarm, dict(states))


def _newest_values(before: AssetState | None, envelope: Envelope) -> Mapping[str, Value]:
    """A tag that an envelope leaves out keeps its value; names nobody bounds are not gathered."""
    values = envelope.values
    if before is None or before.values.keys() <= values.keys():
        return values
    merged = {**before.values, **values}
    return merged if len(merged) <= TAGS_LIMIT else values
