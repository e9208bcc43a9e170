"""Sensors by five minutes: bad, missing and jumping values, and how far each can be trusted."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ic3.analytics.similarity import Bools, Floats
from ic3.analytics.trust import Trust, TrustWindow

STEPS_AN_HOUR: Final = 12
# So many five minutes in a row make a finding.
BAD_STEPS: Final = 2
GAP_STEPS: Final = 6
# Of a sensor that is usually there.
USUAL_SHARE: Final = 0.75
# With more of them missing at once the feed is silent, not the sensors.
FEED_SHARE: Final = 0.5
# Five minutes with less than this share of the usual readings are late.
LATE_SHARE: Final = 0.5
# A reading that stands out from those before and after it: by so much of the range, and so many
# times of what is usual for this sensor.
SPIKE_SHARE: Final = 0.05
SPIKE_TIMES: Final = 6.0
# So many five minutes with one, of the last two hours, make a finding.
SPIKE_STEPS: Final = 3
SPIKE_WINDOW: Final = 24
_FORGETTING: Final = 0.02

Counts = NDArray[np.int32]


class SensorWatch:
    """What the readings of channels say of their sensors.

    Args:
        span: float64 (channels,): width of each range; of one without, spikes are not looked for.

    Attributes:
        present: bool (channels,): whether readings came in the last five minutes.
    """

    def __init__(self, span: Floats) -> None:
        channels = len(span)
        self._least_spike = np.where(np.isfinite(span), SPIKE_SHARE * span, np.inf)
        self._usual_beyond = np.zeros(channels)
        self._spiked = np.zeros((SPIKE_WINDOW, channels), dtype=np.bool_)
        self._window = TrustWindow(assets=channels, tags=1)
        self._steps = 0
        self._usual_rows = np.zeros(channels)
        self._bad_run = np.zeros(channels, dtype=np.int64)
        self._gap_run = np.zeros(channels, dtype=np.int64)
        self.present: Bools = np.zeros(channels, dtype=np.bool_)

    def spikes(self, beyond: Floats) -> Bools:
        """Take how far readings went beyond their first and last in five minutes; comes first.

        Args:
            beyond: float64 (channels,), in the unit of each.

        Returns:
            bool (channels,): where a reading jumped and came back; no model should see its mean.
        """
        spiked = beyond > np.maximum(self._least_spike, SPIKE_TIMES * self._usual_beyond)
        self._usual_beyond += np.where(
            spiked, 0.0, _FORGETTING * (beyond - self._usual_beyond)
        )  # fmt: skip
        self._spiked[self._steps % SPIKE_WINDOW] = spiked
        return np.asarray(spiked)

    def take(self, rows: Counts, good: Counts, inside: Floats) -> None:
        """Take five minutes of all channels.

        Args:
            rows: int32 (channels,): readings that came; `good` those that were good.
            good: Likewise.
            inside: float64 (channels,): 1 inside the model's band, 0 outside, NaN where no model
                has judged.
        """
        if self._steps % STEPS_AN_HOUR == 0 and self._steps:
            self._window.next_hour()
        self._steps += 1
        self.present = came = rows > 0
        bad = came & (good == 0)
        self._bad_run = np.where(bad, self._bad_run + 1, 0)
        self._gap_run = np.where(came, 0, self._gap_run + 1)
        follow = np.where(self._usual_rows > 0, _FORGETTING, 1.0)
        self._usual_rows += np.where(came, follow * (rows - self._usual_rows), 0.0)
        judged = np.isfinite(inside)
        self._window.add(
            expected=np.ones((len(rows), 1)), came=_column(came), valid=_column(came & ~bad),
            timely=_column(came & (rows >= LATE_SHARE * self._usual_rows)),
            live=_column(came & ~self.bad), judged=_column(judged),
            inside=_column(judged & (inside > 0)),
        )  # fmt: skip

    @property
    def feed_is_silent(self) -> bool:
        """Whether most of what is usually there is missing in the last five minutes."""
        usual = self._usual()
        return bool(usual.any()) and bool((self._gap_run[usual] > 0).mean() > FEED_SHARE)

    @property
    def bad(self) -> Bools:
        """Channels whose readings came and were not good for a while."""
        flags: Bools = self._bad_run >= BAD_STEPS
        return flags

    @property
    def jumping(self) -> Bools:
        """Channels with readings that jump and come back, again and again."""
        flags: Bools = self._spiked.sum(axis=0) >= SPIKE_STEPS
        return flags

    @property
    def missing(self) -> Bools:
        """Channels that are usually there and have not been for half an hour."""
        flags: Bools = (self._gap_run >= GAP_STEPS) & self._usual()
        return flags

    def steps_of(self, channel: int) -> int:
        """For how many five minutes a channel has been bad or missing."""
        return int(max(self._bad_run[channel], self._gap_run[channel]))

    def trust(self) -> Trust:
        """How far each channel can be trusted over 24 hours: shares are float64 (channels, 1)."""
        return self._window.trust()

    def _usual(self) -> Bools:
        share = self._window.trust().completeness[:, 0]
        flags: Bools = np.nan_to_num(share) >= USUAL_SHARE
        return flags


def _column(flags: Bools) -> Floats:
    return flags[:, None].astype(np.float64)
