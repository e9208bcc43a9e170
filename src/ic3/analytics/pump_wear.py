"""Wear of a pump, found in its daily indices by a cumulative sum."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ic3.analytics.pump_curves import LEARN_WITHIN_PERCENT, TRUSTED_DAYS

BASELINE_DAYS: Final = 10
# Raised by simulation from the textbook's .5 and 5: those gave 2 false alarms a pump-year and more.
ALLOWANCE: Final = 2.0
ALARM_SUM: Final = 7.0
MOST_A_DAY: Final = 4.0
HIGHEST_SUM: Final = 2 * ALARM_SUM
RECENT_DAYS: Final = 7
FLOORS_PERCENT: Final = {"head": 0.4, "efficiency": 0.6}
"""Least standard deviation of a day, by index: gauges and meters wander by so much over a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WearState:
    """What is kept of one index of one pump; plain, bounded, the same after any restart.

    Attributes:
        baseline: Indices of the first healthy days, % ; empty once mean and sigma are fixed.
        mean_percent: Of the baseline; None until it is whole.
        sigma_percent: Scatter of a day.
        sum: S = max(0, S - z - k), in sigmas.
        since_day: First day of the run that S is in; None while S is 0.
        in_alarm: S has passed the alarm's height and not come back to 0.
        recent: The last values, newest last.
        last_day: Of the newest value.
    """

    baseline: tuple[float, ...] = ()
    mean_percent: float | None = None
    sigma_percent: float | None = None
    sum: float = 0.0
    since_day: int | None = None
    in_alarm: bool = False
    recent: tuple[float, ...] = ()
    last_day: int | None = None

    @property
    def loss_percent(self) -> float | None:
        """How far the last week lies below the baseline; None before there is one."""
        if self.mean_percent is None or not self.recent:
            return None
        return self.mean_percent - float(np.median(self.recent))


def watch(
    state: WearState, *, day: int, index_percent: float | None, floor_percent: float
) -> WearState:
    """Take in the index of one day.

    The first 10 days with a value are the baseline and raise nothing; one over 2 % off the first
    three is left out of it. A new baseline begins only
    with a new `WearState`, after an overhaul on record. One odd day cannot raise the alarm alone.

    Args:
        state: After the day before.
        day: Its number; days go forward, one that does not is passed over.
        index_percent: Head or efficiency index; None where there was no steady running.
        floor_percent: Least scatter of a day, see `FLOORS_PERCENT`.
    """
    too_late = state.last_day is not None and day <= state.last_day
    if index_percent is None or too_late:
        return state
    recent = (*state.recent, index_percent)[-RECENT_DAYS:]
    if state.mean_percent is None or state.sigma_percent is None:
        baseline = (*state.baseline, index_percent)
        state = replace(state, baseline=baseline, recent=recent, last_day=day)
        return _with_baseline(state, floor_percent) if len(baseline) >= BASELINE_DAYS else state
    z = max(-MOST_A_DAY, (index_percent - state.mean_percent) / state.sigma_percent)
    total = min(HIGHEST_SUM, max(0.0, state.sum - z - ALLOWANCE))
    began = day if state.since_day is None else state.since_day
    return replace(
        state, sum=total, recent=recent, last_day=day,
        since_day=began if total > 0 else None,
        in_alarm=total > ALARM_SUM or (state.in_alarm and total > 0),
    )  # fmt: skip


def _with_baseline(state: WearState, floor_percent: float) -> WearState:
    values = np.array(state.baseline)
    # As the reference: wear that sets in meanwhile must not become the measure.
    first = np.median(values[:TRUSTED_DAYS])
    values = values[np.abs(values - first) <= LEARN_WITHIN_PERCENT]
    middle = float(np.median(values))
    scatter = 1.4826 * float(np.median(np.abs(values - middle)))
    return replace(
        state, baseline=(), mean_percent=float(values.mean()),
        sigma_percent=max(floor_percent, scatter),
    )  # fmt: skip
