"""A band for a single tag that follows the week; no training set, past weeks only."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.similarity import Bools, Floats

# Weeks with a value in the slot before there is a band.
LEAST_WEEKS: Final = 3
# Half the band in robust standard deviations; neighbours that are this far out alike excuse a tag.
WIDTH: Final = 4.0
ALIKE: Final = 2.0
_MAD: Final = 1.4826


@dataclass(frozen=True, slots=True)
class SeasonalBand:
    """What a slot of the week usually holds; NaN where there are too few weeks.

    Attributes:
        expected: float64 (tags,): median of the same slot in past weeks.
        scale: float64 (tags,): robust standard deviation of it.
    """

    expected: Floats
    scale: Floats

    def deviation(self, values: Floats) -> Floats:
        """float64 (tags,): how far values are from usual, in robust standard deviations."""
        away: Floats = (values - self.expected) / self.scale
        return away


def seasonal_band(past: Floats, *, accuracy: float) -> SeasonalBand:
    """The band of a slot of the week.

    Args:
        past: float64 (weeks, tags): the slot in past weeks, NaN where missing.
        accuracy: Share of a value that counts as noise, whatever the weeks show.
    """
    weeks = np.isfinite(past).sum(axis=0)
    enough = weeks >= LEAST_WEEKS
    known = np.where(enough, past, 0.0)
    expected = np.nanmedian(known, axis=0)
    spread = _MAD * np.nanmedian(np.abs(known - expected), axis=0)
    scale = np.maximum(spread, np.maximum(accuracy * np.abs(expected), 1e-12))
    return SeasonalBand(np.where(enough, expected, np.nan), np.where(enough, scale, np.nan))


def unusual(deviation: Floats, related: Bools) -> Bools:
    """Which tags are outside their band while their relatives are not.

    Args:
        deviation: float64 (tags,), see `SeasonalBand.deviation`; NaN where there is no band.
        related: bool (tags, tags): which tags follow the same demand; the diagonal is ignored.

    Returns:
        bool (tags,).
    """
    known = np.nan_to_num(deviation)
    others = related & ~np.eye(len(known), dtype=np.bool_)
    alike = (np.sign(known)[:, None] == np.sign(known)[None, :]) & (np.abs(known) >= ALIKE)[None, :]
    excused = (others & alike).sum(axis=1) * 2 > others.sum(axis=1)
    alone: Bools = (np.abs(known) > WIDTH) & ~excused
    return alone
