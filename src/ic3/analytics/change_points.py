"""Change points: the mean of the last rows against the mean of the rows before them.

The generalised likelihood ratio of two windows, G = |mean of the last a - mean of the b before|
/ sqrt(1/a + 1/b), per tag.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ic3.analytics.similarity import Bools, Floats
from ic3.analytics.tuning import Tuning

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Windows:
    """Running sums of the rows of many assets, as far back as both windows reach.

    Attributes:
        sums: float64 (assets, rows kept, tags), a ring; sums of rows in spreads.
        rows: int64 (assets,): rows taken, the last one sits at `rows % rows kept`.
        unmarked: int64 (assets,): rows since the last mark.
    """

    sums: Floats
    rows: Ints
    unmarked: Ints

    @classmethod
    def empty(cls, assets: int, tags: int, tuning: Tuning) -> "Windows":
        """Nothing taken yet."""
        kept = tuning.change_rows + tuning.change_before + 1
        return cls(
            np.zeros((assets, kept, tags)), np.zeros(assets, np.int64), np.zeros(assets, np.int64)
        )

    def take(self, row: Floats, scale: Floats, taken: Bools, tuning: Tuning) -> Bools:
        """Take a row and tell on which assets it sets a mark.

        Args:
            row: float64 (assets, tags), in spreads, without NaN.
            scale: float64 (assets, tags): q99 of G on training rows; infinite for unused tags.
            taken: bool (assets,): the others stand still.
            tuning: Window lengths and threshold.

        Returns:
            bool (assets,).
        """
        every, kept = np.arange(len(row)), self.sums.shape[1]
        last, before = tuning.change_rows, tuning.change_before
        newest = self.sums[every, self.rows % kept] + row
        self.rows += taken
        self.unmarked += taken
        at = self.rows % kept
        self.sums[every, at] = np.where(taken[:, None], newest, self.sums[every, at])
        middle = self.sums[every, (self.rows - last) % kept]
        oldest = self.sums[every, (self.rows - last - before) % kept]
        rise = (newest - middle) / last - (middle - oldest) / before
        ratio = np.abs(rise) / np.sqrt(1.0 / last + 1.0 / before)
        ready = taken & (self.rows >= last + before) & (self.unmarked >= tuning.change_pause)
        marked: Bools = ready & ((ratio / scale).max(axis=1) > tuning.change_threshold)
        self.unmarked[marked] = 0
        return marked


def usual(rows: Floats, tuning: Tuning) -> Floats:
    """q99 of G on training rows.

    Args:
        rows: float64 (rows, tags), in spreads, without NaN.
        tuning: Window lengths.

    Returns:
        float64 (tags,); infinite where there are fewer rows than both windows take.
    """
    last, before = tuning.change_rows, tuning.change_before
    if len(rows) <= last + before:
        return np.full(rows.shape[1], np.inf)
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    middle = sums[before:-last]
    rise = (sums[before + last :] - middle) / last - (middle - sums[: -last - before]) / before
    ratio = np.abs(rise) / np.sqrt(1.0 / last + 1.0 / before)
    limit: Floats = np.quantile(ratio, 0.99, axis=0)
    return limit
