"""Sensors that slowly leave what they showed weeks ago while their relatives do not."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ic3.analytics.similarity import Bools, Floats

Ints = NDArray[np.int64]

DAYS: Final = 28
# What is recent must not be what it is compared with.
APART_DAYS: Final = 7
RECENT_DAYS: Final = 2
LEAST_REFERENCE_DAYS: Final = 4
# Ours: half of what must be found within a week, of the range.
LEAST_SHARE: Final = 0.025
SCATTERS: Final = 6.0
# So many of a kind tell what season and weekday do to all of them; so many of one asset, its load.
FEWEST_ALIKE: Final = 5
FEWEST_SIBLINGS: Final = 3


@dataclass(frozen=True, slots=True)
class Relatives:
    """Who a channel is compared with; each int64 (channels,), equal numbers belong together.

    Attributes:
        kind: What it measures: season and weekday move all of a kind alike.
        asset: Where two gauges of one asset move, the process did.
        place: The same where two of a kind in one district do; a number of its own for a channel
            that is in none.
        siblings: Gauges of one asset in one unit: three phases carry one load.
    """

    kind: Ints
    asset: Ints
    place: Ints
    siblings: Ints


@dataclass(frozen=True, slots=True)
class Drift:
    """A channel that left its reference alone; both levels in its own unit."""

    channel: int
    reference: float
    recent: float


def drifts(days: Floats, span: Floats, relatives: Relatives) -> list[Drift]:
    """Channels whose recent days have left the weeks before while relatives have not.

    Args:
        days: float64 (channels, days), level of each whole day, oldest first, NaN where unknown.
        span: float64 (channels,), width of the range; a channel without one is not judged.
        relatives: Of the channels.
    """
    if days.shape[1] <= APART_DAYS:
        return []
    with np.errstate(invalid="ignore", divide="ignore"):
        share = days / np.where(span > 0, span, np.nan)[:, None]
    found: dict[int, Drift] = {}
    for group, fewest, whole in (
        (relatives.kind, FEWEST_ALIKE, relatives.asset),
        (relatives.siblings, FEWEST_SIBLINGS, relatives.siblings),
    ):
        usual, judged = _without_common(share, group, fewest)
        reference, recent, moved = _moved(usual)
        moved &= judged
        alone = moved & _only(moved, whole) & _only(moved, relatives.place)
        for at in np.flatnonzero(alone).tolist():
            level = float(np.nanmedian(days[at, :-APART_DAYS]))
            drift = Drift(at, level, level + float((recent[at] - reference[at]) * span[at]))
            found.setdefault(at, drift)
    return list(found.values())


def _moved(share: Floats) -> tuple[Floats, Floats, Bools]:
    """Reference and recent level of each channel, and whether the one has left the other."""
    early, recent = share[:, :-APART_DAYS], _median(share[:, -RECENT_DAYS:])
    reference = _median(early)
    scatter = 1.4826 * _median(np.abs(early - reference[:, None]))
    enough = np.isfinite(early).sum(axis=1) >= LEAST_REFERENCE_DAYS
    limit = np.maximum(LEAST_SHARE, SCATTERS * scatter)
    with np.errstate(invalid="ignore"):
        return reference, recent, enough & (np.abs(recent - reference) > limit)


def _without_common(share: Floats, group: Ints, fewest: int) -> tuple[Floats, Bools]:
    """What is left of each channel without what moved its group, and whether that is known.

    Of a kind that is too few the channel itself is judged; a load of too few siblings is not known.
    """
    change = share - _median(share)[:, None]
    common, judged = np.zeros_like(change), np.ones(len(share), dtype=np.bool_)
    for number in np.unique(group):
        alike = group == number
        if alike.sum() >= fewest:
            common[alike] = np.nan_to_num(_median(change[alike].T))
        elif fewest == FEWEST_SIBLINGS:
            judged[alike] = False
    return share - common, judged


def _only(moved: Bools, group: Ints) -> Bools:
    """Whether a channel is the only one of its group that moved."""
    _, number = np.unique(group, return_inverse=True)
    single: Bools = np.bincount(number, weights=moved)[number] == 1
    return single


def _median(rows: Floats) -> Floats:
    """Of what is known in each row, NaN where nothing is."""
    known = np.isfinite(rows).any(axis=1)
    found = np.full(len(rows), np.nan)
    found[known] = np.nanmedian(rows[known], axis=1)
    return found
