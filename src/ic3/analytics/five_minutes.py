"""Channels of readings on one grid of five minutes: what the workers judge."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

STEP_S: Final = 300

Channel = tuple[int, str]
"""Register id and tag."""


@dataclass(frozen=True, slots=True)
class FiveMinutes:
    """Channels on one grid of five minutes.

    Attributes:
        at_s: int64 (times,), begins of the five minutes, seconds since 1970 UTC.
        values: float64 (channels, times), NaN where nothing usable was there.
        rows: int32 (channels, times), how many readings there were; `good` how many were GOOD.
        beyond: float64 (channels, times), how far a gauge went beyond both its first and its last
            reading of the five minutes, in its unit; 0 with fewer than three readings.
    """

    at_s: NDArray[np.int64]
    values: NDArray[np.float64]
    rows: NDArray[np.int32]
    good: NDArray[np.int32]
    beyond: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DayLevels:
    """Gauges on whole days, each float64 (channels, days), oldest first, NaN where unknown.

    Attributes:
        mean: Of the day.
        upper: A tenth of its hours had a higher mean.
    """

    mean: NDArray[np.float64]
    upper: NDArray[np.float64]
