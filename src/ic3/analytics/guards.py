"""Guards before any model: what a value says of its sensor, for many assets of one shape.

What a guard marks is kept, marked and left out of models.
It may open a finding about the sensor and
never feeds an alarm about the process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from ic3.analytics.arrays import pack, unpack
from ic3.analytics.similarity import Bools, Floats
from ic3.analytics.tuning import Tag
from ic3.domain.quality import FROZEN_FACTOR, LEAST_FROZEN, Quality

Codes = npt.NDArray[np.int8]
# A value is stale from this multiple of its cadence.
GAP_FACTOR: Final = 3.0
_NEVER: Final = np.iinfo(np.int64).max


class Guard(IntEnum):
    """Which guard marked a value; the later the guard, the more it outranks those before."""

    NONE = 0
    FROZEN = 1
    RATE = 2
    SOURCE = 3
    OUT_OF_RANGE = 4
    GAP = 5


@dataclass(frozen=True, slots=True)
class Guarded:
    """What the guards say of a row.

    Attributes:
        guard: int8 (assets, tags): a `Guard`; NONE also where there is no value.
        quality: int8 (assets, tags): a `Quality`. A frozen or too fast value is UNCERTAIN, one that
            is too fast again BAD, a stale one UNCERTAIN, one outside its range BAD.
        clean: float64 (assets, tags): the values for the models, NaN where marked.
    """

    guard: Codes
    quality: Codes
    clean: Floats


@dataclass(slots=True)
class _Seen:
    """Running state, each array (assets, tags).

    Attributes:
        value: Last value, NaN before the first.
        repeats: How many rows it has been there.
        fast: Whether the last change was too fast.
        frozen_after: Repeats from which a value counts as frozen.
    """

    value: Floats
    repeats: npt.NDArray[np.int64]
    fast: Bools
    frozen_after: npt.NDArray[np.int64]


class SensorGuards:
    """Range, rate, flat line, gap and quality of the values of many assets.

    Args:
        tags: What the columns are. A mode tag is never frozen.
        assets: How many.
    """

    def __init__(self, tags: Sequence[Tag], *, assets: int) -> None:
        inf = np.inf
        self._low = np.array([-inf if tag.low is None else tag.low for tag in tags])
        self._high = np.array([inf if tag.high is None else tag.high for tag in tags])
        self._rate = np.array(
            [inf if tag.max_rate_per_s is None else tag.max_rate_per_s for tag in tags]
        )
        self._still = np.array([tag.mode for tag in tags])
        self._signature = ",".join(tag.name for tag in tags)
        shape = (assets, len(tags))
        self._seen = _Seen(
            np.full(shape, np.nan), np.zeros(shape, np.int64), np.zeros(shape, np.bool_),
            np.full(shape, _NEVER),
        )  # fmt: skip

    def fit(self, asset: int, rows: Floats) -> None:
        """Learn how often each tag of an asset repeats its value in normal running.

        Args:
            asset: Index of the asset.
            rows: float64 (rows, tags) in the order they came, NaN where missing.
        """
        usual = np.array([_longest_run(column) for column in rows.T])
        limit = np.maximum(LEAST_FROZEN, FROZEN_FACTOR * usual)
        # A tag that never moved while learning cannot freeze.
        limit = np.where(self._still | (usual >= len(rows)), _NEVER, limit)
        self._seen.frozen_after[asset] = limit

    def update(
        self, values: Floats, *, elapsed_s: float, source: Codes, age_s: Floats, cadence_s: Floats
    ) -> Guarded:
        """Judge a row of every asset.

        Args:
            values: float64 (assets, tags), NaN where missing.
            elapsed_s: Since the row before.
            source: int8 (assets, tags): the `Quality` the source and the parser gave.
            age_s: float64 (assets, tags): how old each value is.
            cadence_s: float64 (assets, tags): how often the tag usually speaks, inf if unknown.
        """
        seen, there = self._seen, np.isfinite(values)
        with np.errstate(invalid="ignore"):
            same = there & (values == seen.value)
            fast = np.abs(values - seen.value) > self._rate * elapsed_s
            outside = there & ((values < self._low) | (values > self._high))
        repeats = np.where(same, seen.repeats + 1, np.where(there, 1, seen.repeats))
        # Zero and the ends of the range are where an idle instrument stays.
        rests = (values == 0.0) | (values == self._low) | (values == self._high)
        frozen = there & ~rests & (repeats >= seen.frozen_after)
        late = there & (age_s > GAP_FACTOR * cadence_s)
        guard = np.zeros(values.shape, np.int8)
        quality = np.where(there, source, np.int8(Quality.GOOD)).astype(np.int8)
        for mark, where, worth in (
            (Guard.FROZEN, frozen, Quality.UNCERTAIN),
            (Guard.RATE, fast, Quality.UNCERTAIN),
            (Guard.RATE, fast & seen.fast, Quality.BAD),
            (Guard.SOURCE, there & (source != Quality.GOOD), Quality.GOOD),
            (Guard.OUT_OF_RANGE, outside, Quality.BAD),
            (Guard.GAP, late, Quality.UNCERTAIN),
        ):
            guard[where] = mark
            quality[where] = np.maximum(quality[where], worth)
        seen.value = np.where(there, values, seen.value)
        seen.repeats, seen.fast = repeats, np.where(there, fast, seen.fast)
        return Guarded(guard, quality, np.where(there & (guard == Guard.NONE), values, np.nan))

    def state(self, asset: int) -> bytes:
        """What is known of an asset, of a size that depends on the tags only."""
        return pack((self._seen,), asset, self._signature)

    def restore(self, asset: int, state: bytes) -> None:
        """Go on where `state` was taken.

        Args:
            asset: Index of the asset, whatever it was before.
            state: From `state`, of guards with the same tags.

        Raises:
            InputError: It is damaged or of other tags.
        """
        unpack((self._seen,), asset, self._signature, state)


def _longest_run(column: Floats) -> int:
    """Rows of the longest run of one value, missing rows left out."""
    known = column[np.isfinite(column)]
    if not known.size:
        return 0
    ends = np.flatnonzero(np.concatenate([known[1:] != known[:-1], [True]]))
    return int(np.diff(ends, prepend=-1).max())
