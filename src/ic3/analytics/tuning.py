"""What a detector is told of its tags, and the few numbers that say how it judges."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One column of the rows a detector reads.

    Attributes:
        unit: As values come, for words only.
        low: Below it a value is outside what the sensor can show; None where nobody knows.
        high: Likewise above.
        max_rate_per_s: Fastest change that can be true, in units a second; None where nobody knows.
        mode: Whether the tag tells an operating mode (a status): each mode gets its own memory.
        level: Whether the tag is a tank's level: its change is balanced against all other tags.
    """

    name: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    max_rate_per_s: float | None = None
    mode: bool = False
    level: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How a family of detectors judges, chosen once for all of it: docs/results/eval-tuning.md.

    Rates are shares a row, so a tuning belongs to a cadence. Distances are in spreads: the standard
    deviation of a tag's smoothed training rows.

    Attributes:
        smoothing: Share of a new row in the smoothed row, 1 for none.
        trending: Share of a new score in the trend that is judged.
        memories: Training rows an asset's model remembers.
        bandwidth: Width of the similarity kernel, in spreads, times the root of the tags used.
        folds: Contiguous blocks of the training rows; each is scored by a model of the others.
        threshold: An alarm opens at median + threshold · (q99 - median) of those scores.
        closing: Share of that excess below which an alarm ends.
        returning: An alarm also ends once the score is back to this share of its peak; 0 for never.
        relaxing: Rows until the memory of such a peak has faded to 1/e.
        persistence: How many of the last `window` rows must be above before an alarm opens.
        following: Share of a residual by which the reference follows a row that is no alarm.
        patience: Rows of an alarm after which the reference follows it all the same: what has
            lasted so long is known, and must not hide what comes next.
        shift_limit: How far the reference may move from the training rows, in spreads.
        accuracy: Share of a reading that counts as noise of the sensor, whatever the rows show.
        change_rows: Rows whose mean is compared with the mean before.
        change_before: Rows before them.
        change_threshold: A mark is set above this multiple of the training rows' q99.
        change_pause: Rows after a mark without another.
    """

    smoothing: float
    trending: float
    memories: int
    bandwidth: float
    folds: int = 5
    threshold: float
    closing: float
    returning: float = 0.0
    relaxing: float = 200.0
    persistence: int = 1
    window: int = 1
    following: float = 0.0
    patience: int = 0
    shift_limit: float = 0.0
    accuracy: float = 0.002
    change_rows: int = 30
    change_before: int = 60
    change_threshold: float = 2.0
    change_pause: int = 55


# Noisy rows once a second, experiments of minutes, slow drift in between.
RIG: Final = Tuning(
    smoothing=0.05, trending=0.12, memories=60, bandwidth=0.6, threshold=2.1, closing=0.7,
    returning=0.35, following=0.008, patience=600, shift_limit=50.0,
)  # fmt: skip
# A district's hourly rows, a year of them to learn from.
DISTRICT: Final = Tuning(
    smoothing=1.0, trending=0.1, memories=400, bandwidth=0.25, threshold=0.9, closing=0.6,
    change_rows=6, change_before=24, change_pause=24,
)  # fmt: skip
# Assets of a plant, a row every quarter of a minute to every five minutes, ten days to learn from.
# Many of them are on and off by turns: what is normal moves by learning anew, not by following.
PLANT: Final = Tuning(
    smoothing=0.2, trending=0.1, memories=100, bandwidth=0.5, threshold=2.0, closing=0.5,
    returning=0.3, persistence=6, window=8, change_rows=20, change_before=60,
    change_threshold=2.5,
)  # fmt: skip
