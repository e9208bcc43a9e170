"""Our own judgement of a value: good, uncertain or bad, and why; a mark never changes a value."""

import math
from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Final, Literal, NamedTuple

import msgspec

Kind = Literal["gauge", "counter", "state", "text", "date"]

LEAST_FROZEN: Final = 10
FROZEN_FACTOR: Final = 3
LEARNED_FROM: Final = 20
ENDED_RUNS: Final = 5
WATCHED_TAGS: Final = 1_000_000


class Quality(IntEnum):
    """How far a value can be trusted; the greater the worse."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


class Reason(StrEnum):
    """Why a value is not good."""

    SOURCE_NOT_GOOD = "source_not_good"
    SOURCE_UNKNOWN = "source_unknown"
    OUT_OF_RANGE = "out_of_range"
    RATE = "rate"
    NOT_A_NUMBER = "not_a_number"
    NO_VALUE = "no_value"
    FROZEN = "frozen"


class Mark(NamedTuple):
    """A judgement that is not good."""

    quality: Quality
    reason: Reason


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is plausible for the values of a parameter; infinite where nothing is known."""

    kind: Kind | None = None
    range_low: float = -math.inf
    range_high: float = math.inf
    rate_max_per_s: float = math.inf

    def rests_at(self, number: float) -> bool:
        """Whether a number is where an idle instrument stays: zero, or an end of its range."""
        return number == 0.0 or number == self.range_low or number == self.range_high


def of_source(word: str | None) -> Mark | None:
    """What the quality of an envelope says of each of its values."""
    if word is None:
        return Mark(Quality.UNCERTAIN, Reason.SOURCE_UNKNOWN)
    match word.upper():
        case "GOOD":
            return None
        case "BAD":
            return Mark(Quality.BAD, Reason.SOURCE_NOT_GOOD)
        case _:
            return Mark(Quality.UNCERTAIN, Reason.SOURCE_NOT_GOOD)


def of_value(value: float | str | None, limits: Limits) -> Mark | None:
    """What the value alone says."""
    if value is None:
        return Mark(Quality.UNCERTAIN, Reason.NO_VALUE)
    if isinstance(value, str):
        numeric = limits.kind in {"gauge", "counter"}
        return Mark(Quality.BAD, Reason.NOT_A_NUMBER) if numeric else None
    if limits.range_low <= value <= limits.range_high:
        return None
    return Mark(Quality.BAD, Reason.OUT_OF_RANGE)


def of_change(change: float, elapsed_s: float, limits: Limits, *, again: bool) -> Mark | None:
    """What the change since the newest value before says.

    Args:
        change: In the unit of the parameter. A counter that falls was set back, which is no rate.
        elapsed_s: Between the two, by the source's time, above zero.
        limits: Of the parameter.
        again: Whether the value before was too fast already.
    """
    if limits.kind == "counter":
        change = max(0.0, change)
    if abs(change) <= limits.rate_max_per_s * elapsed_s:
        return None
    return Mark(Quality.BAD if again else Quality.UNCERTAIN, Reason.RATE)


def worst(*marks: Mark | None) -> Mark | None:
    """The worst of the marks; of equally bad ones the first."""
    given = [mark for mark in marks if mark is not None]
    return max(given, key=lambda mark: mark.quality) if given else None


class _Run:
    """Equal values of a tag in a row: the last run, and for how long they may repeat.

    Attributes:
        at: Number of the asset's record that made it longer.
        ended: Runs that ended, as far as they are counted.
        learned: Length up to which a run teaches nothing new.
        most: The limit as learned so far.
        limit: Length from which it is no longer usual; infinite while little is known.
    """

    __slots__ = ("at", "ended", "learned", "length", "limit", "most")

    def __init__(self, records: int) -> None:
        self.at = -1
        self.length = 1
        self.ended = self.learned = self.most = 0
        self.limit: float = math.inf
        if records >= LEARNED_FROM:
            # It has changed with each of so many records: it does not usually repeat at all.
            self.ended, self.limit = ENDED_RUNS, LEAST_FROZEN

    def learn(self) -> None:
        """The tag lives, so this long was usual; the limit doubles at most once it is known."""
        limit = max(LEAST_FROZEN, FROZEN_FACTOR * self.length)
        self.most = max(self.most, int(min(limit, 2 * self.limit)))
        self.ended += 1
        if self.ended >= ENDED_RUNS:
            self.limit = self.most
            self.learned = self.most // FROZEN_FACTOR


Repeated = tuple[int, str, bool]
"""Register id and tag of a gauge that shows its number once more, and whether it rests there."""


class Repeats:
    """Learns per tag for how long its numbers usually repeat, apart for those at which it rests.

    A stopped pump shows the same zero for hours. A tag whose number has never changed, or of which
    little has been seen, is not judged: neither are the first five runs of one that repeats. Six
    numbers are kept for each tag that ever repeated, for a million tags at most.
    """

    def __init__(self) -> None:
        self._records: dict[int, int] = {}
        self._runs: dict[Repeated, _Run] = {}

    def usual(self, repeated: Repeated, reason_before: str | None) -> bool:
        """Whether a tag may show its number once more.

        Args:
            repeated: The tag.
            reason_before: Of the number before: that mark outlives a restart, what was learned
                does not.
        """
        if reason_before == Reason.FROZEN:
            return False
        run = self._runs.get(repeated)
        if run is None or run.length + 1 < run.limit:
            return True
        return run.at != self._records[repeated[0]]

    def learn(self, register_ids: Iterable[int], repeated: Iterable[Repeated]) -> None:
        """Take new records.

        Args:
            register_ids: Assets that brought one each.
            repeated: Of them, the gauges whose number is that of the record before.
        """
        records, runs = self._records, self._runs
        for register_id in register_ids:
            records[register_id] = records.get(register_id, 0) + 1
        for key in repeated:
            number = records[key[0]]
            run = runs.get(key)
            if run is None:
                if len(runs) >= WATCHED_TAGS:
                    continue
                run = runs[key] = _Run(0 if key[2] else number)
            elif run.at != number - 1:
                if run.length > run.learned:
                    run.learn()
                run.length = 1
            run.at = number
            run.length += 1
