"""How long until a worn pump reaches its limit: an interval, never one date."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.pump_samples import Floats

LIMIT_PERCENT: Final = -10.0
HORIZON_DAYS: Final = 1825
LONGEST_HISTORY_DAYS: Final = 728
WEEK_DAYS: Final = 7
LEAST_DAYS_A_WEEK: Final = 2
LEAST_WEEKS: Final = 6
LEAST_COVERAGE: Final = 0.5
SURE_OF_TREND: Final = 0.9
LEAST_NOISE_PERCENT: Final = 0.1
LEVEL_SPREAD_PERCENT: Final = 0.7
LOSS_SPREAD_PERCENT: Final = 30.0
NEGLIGIBLE: Final = 1e-3
# What wear can look like: its power of time, where in the history it set in, and how much of its
# scatter from week to week is wear that stays rather than noise that goes, with how likely that is.
POWERS: Final = (1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
ONSETS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
LASTING_SHARES: Final = {0.0: 4.0, 0.2: 2.0, 0.5: 1.0, 0.8: 1.0}
_AHEAD: Final[Floats] = np.unique(np.round(np.geomspace(1, HORIZON_DAYS, 240)))
_erf = np.vectorize(math.erf, otypes=[np.float64])


@dataclass(frozen=True, slots=True, kw_only=True)
class RemainingLife:
    """Days until the limit: 5 %, 50 % and 95 % of the chance lie below.

    Attributes:
        low_days: None where hidden, and then `reason` says why; median_days likewise.
        high_days: None also where it lies beyond five years.
        coverage: Share of the days that have an index.
        weeks: Weeks of history behind it.
        limit_percent: The index at which the pump counts as worn out.
    """

    low_days: float | None = None
    median_days: float | None = None
    high_days: float | None = None
    coverage: float = 0.0
    weeks: int = 0
    limit_percent: float = LIMIT_PERCENT
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Paths:
    """Courses that the wear may take, each with its weight: float64 (courses, ahead)."""

    weights: Floats
    means: Floats
    deviations: Floats
    towards_limit: Floats


def remaining_life(index_percent: Floats, *, limit_percent: float = LIMIT_PERCENT) -> RemainingLife:
    """When the index will pass the limit, from all days since the last overhaul.

    A Wiener process with drift in the wear's own time: index = level - loss * age ** p + B(age).
    Power, onset and the share of B are mixed by how well each explains the history, drift and
    level by their posterior; the chance to be past the limit after so many days is the weighted
    sum. On simulated wear that is linear, accelerating, late or wandering the 90 % band held 84 to
    98 % of the truths; it is widest for wear that only began.

    Args:
        index_percent: float64 (days,), one a calendar day, NaN for a day without; the oldest of
            more than 728 days are left out.
        limit_percent: Below 0.
    """
    history = index_percent[-LONGEST_HISTORY_DAYS:]
    age, weekly = _weeks(history)
    coverage = float(np.isfinite(history).mean()) if len(history) else 0.0

    def hidden(why: str) -> RemainingLife:
        return RemainingLife(
            coverage=coverage, weeks=len(weekly), limit_percent=limit_percent,
            reason=f"not computed: {why}",
        )  # fmt: skip

    if len(weekly) < LEAST_WEEKS:
        return hidden(f"{len(weekly)} weeks of daily indices, {LEAST_WEEKS} are needed")
    if coverage < LEAST_COVERAGE:
        return hidden(f"only {coverage:.0%} of the days have an index, half are needed")
    if float(np.median(weekly[-3:])) <= limit_percent:
        return hidden(f"the limit of {limit_percent:g} % is already passed")
    paths = _paths(age, weekly, float(len(history)))
    if float(paths.weights @ paths.towards_limit) < SURE_OF_TREND:
        return hidden("there is no sure trend towards the limit")
    passed = _chance(paths, limit_percent)
    low, median, high = (_quantile(passed, share) for share in (0.05, 0.5, 0.95))
    if low is None or median is None:
        return hidden("the limit is more likely than not over five years away")
    return RemainingLife(
        low_days=low, median_days=median, high_days=high, coverage=coverage, weeks=len(weekly),
        limit_percent=limit_percent,
    )  # fmt: skip


def _weeks(history: Floats) -> tuple[Floats, Floats]:
    """Age in days and mean index of each week that has enough days, counted from the newest."""
    first = len(history) % WEEK_DAYS
    weeks = history[first:].reshape(-1, WEEK_DAYS)
    ages = np.arange(first, len(history), dtype=np.float64).reshape(-1, WEEK_DAYS)
    known = np.isfinite(weeks)
    kept = known.sum(axis=1) >= LEAST_DAYS_A_WEEK
    count = known.sum(axis=1)[kept]
    means: Floats = np.where(known, weeks, 0.0).sum(axis=1)[kept] / count
    return np.where(known, ages, 0.0).sum(axis=1)[kept] / count, means


def _paths(age: Floats, weekly: Floats, now: float) -> _Paths:
    """All courses, weighted by how likely they make the history."""
    steps = np.diff(weekly)
    spread = 1.4826 * float(np.median(np.abs(steps - np.median(steps))))
    variance = max(spread, LEAST_NOISE_PERCENT) ** 2
    each = [_gaussian(age, weekly, now, variance, share) for share in LASTING_SHARES]
    chances = np.log(list(LASTING_SHARES.values()))
    likely = np.concatenate([log + chance for (log, _), chance in zip(each, chances, strict=True)])
    weights = np.exp(likely - likely.max())
    weights /= weights.sum()
    keep = weights > NEGLIGIBLE
    return _Paths(
        weights[keep] / weights[keep].sum(),
        np.concatenate([paths.means for _, paths in each])[keep],
        np.concatenate([paths.deviations for _, paths in each])[keep],
        np.concatenate([paths.towards_limit for _, paths in each])[keep],
    )


def _gaussian(
    age: Floats, weekly: Floats, now: float, variance: float, lasting: float
) -> tuple[Floats, _Paths]:
    """Log likelihood and forecast of every shape, for one share of lasting scatter.

    Generalised least squares with a prior, by whitening; the lasting part is carried on from its
    value today, which the history tells in part.
    """
    diffusion = lasting * variance / WEEK_DAYS
    noise = (1 - lasting) * variance / 2
    covariance = noise * np.eye(len(age)) + diffusion * np.minimum.outer(age, age)
    white = np.linalg.inv(np.linalg.cholesky(covariance))
    own = _own_time(age, now)
    loads = white @ np.stack([np.ones_like(own), own], axis=2)
    seen = white @ weekly
    turned = np.swapaxes(loads, 1, 2)
    precision = turned @ loads + np.diag([LEVEL_SPREAD_PERCENT**-2, LOSS_SPREAD_PERCENT**-2])
    posterior = np.linalg.inv(precision)
    pull = turned @ seen
    fit = np.einsum("sij,sj->si", posterior, pull)
    log = (
        0.5 * np.einsum("si,si->s", fit, pull)
        - 0.5 * np.linalg.slogdet(precision)[1]
        - 0.5 * seen @ seen
        + np.log(np.diag(white)).sum()
    )
    carried = white @ (diffusion * age)
    rest = (seen - np.einsum("swi,si->sw", loads, fit)) @ carried
    shift = np.einsum("swi,w->si", loads, carried)
    ahead = _own_time(now + _AHEAD, now)
    level, slope = 1 - shift[:, :1], ahead - shift[:, 1:]
    spread = (
        level**2 * posterior[:, 0, 0, None]
        + 2 * level * slope * posterior[:, 0, 1, None]
        + slope**2 * posterior[:, 1, 1, None]
        + diffusion * (now + _AHEAD)
        - carried @ carried
    )
    means = fit[:, :1] + fit[:, 1:] * ahead + rest[:, None]
    towards = _normal(-fit[:, 1] / np.sqrt(posterior[:, 1, 1]))
    return log, _Paths(np.ones(len(log)), means, np.sqrt(np.maximum(spread, 1e-12)), towards)


def _own_time(age: Floats, now: float) -> Floats:
    """Age in the time of each shape: float64 (shapes, ages), 1 today where it set in at once."""
    power, onset = (each.ravel()[:, None] for each in np.meshgrid(POWERS, ONSETS))
    own: Floats = np.maximum(age / now - onset, 0.0) ** power
    return own


def _chance(paths: _Paths, limit_percent: float) -> Floats:
    """Chance to be past the limit, by days ahead; what is past stays past."""
    past = _normal((limit_percent - paths.means) / paths.deviations)
    chance: Floats = np.maximum.accumulate(paths.weights @ past)
    return chance


def _quantile(passed: Floats, share: float) -> float | None:
    if passed[-1] < share:
        return None
    return float(np.interp(share, passed, _AHEAD))


def _normal(z: Floats) -> Floats:
    probability: Floats = 0.5 * (1 + _erf(z / math.sqrt(2)))
    return probability
