"""When an alarm opens and when it ends."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ic3.analytics.similarity import Bools, Floats
from ic3.analytics.tuning import Tuning

# A score that has just come back to `returning` of its peak must rise by this factor to open again.
_REOPEN: Final = 1.3
# How fast the remembered peak rises to a higher score: one spike does not set it.
_PEAK_SHARE: Final = 0.1


@dataclass(slots=True)
class Hysteresis:
    """The alarms of many assets.

    Attributes:
        alarm: bool (assets,).
        peak: float64 (assets,): excess the alarm reached, fading once it is over.
        lasted: int64 (assets,): rows of the alarm so far.
        above: uint64 (assets,): the last rows, newest in the lowest bit: 1 where above *on*.
    """

    alarm: Bools
    peak: Floats
    lasted: npt.NDArray[np.int64]
    above: npt.NDArray[np.uint64]

    @classmethod
    def empty(cls, assets: int) -> "Hysteresis":
        """No alarm."""
        return cls(
            np.zeros(assets, np.bool_), np.zeros(assets), np.zeros(assets, np.int64),
            np.zeros(assets, np.uint64),
        )  # fmt: skip

    def judge(
        self, excess: Floats, on: Floats, *, judged: Bools, restart: Bools, tuning: Tuning
    ) -> Bools:
        """Take the excess of a row over the usual score.

        Args:
            excess: float64 (assets,).
            on: float64 (assets,): where an alarm may open.
            judged: bool (assets,): the others stand still; a gap ends no alarm.
            restart: bool (assets,): where earlier rows no longer count towards opening.
            tuning: Persistence and how an alarm ends.

        Returns:
            bool (assets,): in alarm.
        """
        left = tuning.returning * self.peak
        window = np.uint64((1 << tuning.window) - 1)
        earlier = np.where(restart, np.uint64(0), self.above)
        above = (earlier << np.uint64(1)) | (excess > np.maximum(on, _REOPEN * left))
        above &= window
        often = np.bitwise_count(above) >= tuning.persistence
        lasting = excess > np.maximum(tuning.closing * on, left)
        alarm = np.where(self.alarm, lasting, often)
        risen = np.maximum(self.peak, on)
        risen = risen + _PEAK_SHARE * np.maximum(excess - self.peak, 0.0)
        peak = np.where(alarm, risen, self.peak * (1.0 - 1.0 / tuning.relaxing))
        self.alarm = np.where(judged, alarm, self.alarm)
        self.peak = np.where(judged, peak, self.peak)
        self.lasted = np.where(self.alarm, self.lasted + judged, 0)
        self.above = np.where(judged, above, self.above)
        return self.alarm
