"""Fitting: the model of one asset out of its own rows, and thresholds it was not fitted on."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.change_points import usual
from ic3.analytics.layers import ANY_MODE, EMPTY, Ints, Layers, Shape
from ic3.analytics.mass_balance import balance
from ic3.analytics.similarity import Bools, Floats, spread_out
from ic3.errors import InputError

# Values beyond the outer 2 % by more than the width of the inner 98 % are drawn in to there.
_TAILS: Final = (0.01, 0.99)
# A mode seen in fewer rows than this is judged by all rows.
_MODE_ROWS: Final = 50
# Rows before the smoothed row has forgotten its start, in multiples of 1/smoothing.
_SETTLING: Final = 1.0
_FLOOR: Final = 0.25


@dataclass(frozen=True, slots=True)
class Learnt:
    """The model of one asset.

    Attributes:
        layers: Of a fleet of one, as after the last row.
        middle: float64 (1 + tanks,): median of each component's trend out of fold.
        reach: float64 (1 + tanks,): q99 minus median of it.
        usual: Median of the score, the largest of the normalised components.
        on: Excess of the score over `usual` at which an alarm may open.
        band: float64 (tags,), in spreads: q99 of the residual out of fold.
        change_scale: float64 (tags,): q99 of the change statistic.
        rows: float64 (rows, tags), in spreads: the training rows, filled and drawn in.
    """

    layers: Layers
    middle: Floats
    reach: Floats
    usual: float
    on: float
    band: Floats
    change_scale: Floats
    rows: Floats


def learn(rows: Floats, shape: Shape) -> Learnt:
    """Fit an asset.

    Args:
        rows: float64 (rows, tags) in the order they came, NaN where missing; they need not be
            clean.
        shape: Tags and tuning.

    Raises:
        InputError: Too few rows, or no tag that varies and is there in half of them.
    """
    tuning = shape.tuning
    settling = int(_SETTLING / tuning.smoothing)
    if len(rows) < max(10 * tuning.folds, 2 * settling):
        raise InputError(
            f"detector: {len(rows)} rows are too few to learn from; at least"
            f" {max(10 * tuning.folds, 2 * settling)} are needed"
        )
    filled, used = _clean(rows)
    if not used.any():
        raise InputError(
            "detector: no tag varies and is there in half of the rows; let it learn from others"
        )
    # The median of each tag, and the spread that is left once its noise is smoothed.
    centre = np.median(filled, axis=0)
    smooth = ewma(filled, tuning.smoothing)
    spread = np.maximum(smooth[settling:].std(axis=0), tuning.accuracy * np.abs(centre))
    spread = np.where(used, np.maximum(spread, 1e-12), 1.0)
    scaled, smooth = (filled - centre) / spread * used, (smooth - centre) / spread * used
    whole = _layers(filled, smooth, np.arange(len(rows)) >= settling, shape, centre, spread, used)
    components, residual = _out_of_fold(filled, smooth, settling, shape, whole)
    trend = ewma(components, tuning.trending, start=np.median(components, axis=0))
    middle = np.median(trend, axis=0)
    reach = np.maximum(np.quantile(trend, 0.99, axis=0) - middle, _FLOOR)
    score = ((trend - middle) / reach).max(axis=1)
    usual_score = float(np.median(score))
    noise = np.sqrt(1.0 / tuning.change_rows + 1.0 / tuning.change_before)
    floor = 3.0 * tuning.accuracy * np.abs(centre) / spread / noise
    scale = np.where(used, np.maximum(usual(scaled, tuning), np.maximum(floor, 1e-9)), np.inf)
    _come_to(whole, filled, smooth, shape, used)
    return Learnt(
        layers=whole,
        middle=middle,
        reach=reach,
        usual=usual_score,
        on=max(tuning.threshold * (float(np.quantile(score, 0.99)) - usual_score), 1e-3),
        band=np.quantile(np.abs(residual), 0.99, axis=0),
        change_scale=scale,
        rows=scaled,
    )


def ewma(rows: Floats, share: float, *, start: Floats | None = None) -> Floats:
    """Exponentially weighted mean along the first axis.

    Args:
        rows: float64 (rows, …), without NaN.
        share: Of each new row.
        start: The mean before the first row; the first row itself by default.
    """
    if share == 1.0:
        return rows.copy()
    answer = np.empty_like(rows)
    mean = rows[0].copy() if start is None else start.copy()
    for at, row in enumerate(rows):
        mean = mean + share * (row - mean)
        answer[at] = mean
    return answer


def remember(layers: Layers, asset: int, rows: Floats, modes: Ints, shape: Shape) -> None:
    """Make rows the memory of an asset, spread over all of them and over the operating modes.

    Args:
        layers: Whose; the modes it remembers already keep a memory of their own.
        asset: Index in it.
        rows: float64 (rows, tags), smoothed, in spreads.
        modes: int64 (rows,).
        shape: Tags and tuning.
    """
    slots = shape.tuning.memories
    known = set(layers.memory_mode[asset].tolist()) - {ANY_MODE, EMPTY}
    common = known | {
        int(mode)
        for mode, count in zip(*np.unique(modes, return_counts=True), strict=True)
        if count >= _MODE_ROWS
    }
    if len(common) < 2:
        groups = [(ANY_MODE, np.arange(len(rows)))]
    else:
        groups = [(mode, np.flatnonzero(modes == mode)) for mode in sorted(common)]
        rare = np.flatnonzero(~np.isin(modes, list(common)))
        groups += [(ANY_MODE, rare)] if rare.size else []
    layers.memory_mode[asset] = EMPTY
    layers.memory[asset] = 0.0
    at = 0
    for number, (mode, members) in enumerate(groups):
        # What a small group leaves goes to those after it.
        room = (slots - at) // (len(groups) - number)
        chosen = members[spread_out(rows[members], room)]
        layers.memory[asset, at : at + len(chosen)] = rows[chosen]
        layers.memory_mode[asset, at : at + len(chosen)] = mode
        at += len(chosen)
    layers.square[asset] = np.square(layers.memory[asset]).sum(axis=1)


def _clean(rows: Floats) -> tuple[Floats, Bools]:
    """Rows without gaps and without extremes, and the tags worth using."""
    there = np.isfinite(rows)
    used = 2 * there.sum(axis=0) >= len(rows)
    safe = np.where(used, rows, 0.0)
    last = np.maximum.accumulate(
        np.where(np.isfinite(safe), np.arange(len(rows))[:, None], -1), axis=0
    )
    median = np.nanmedian(safe, axis=0)
    filled = np.where(last >= 0, np.take_along_axis(safe, np.maximum(last, 0), axis=0), median)
    low, high = np.quantile(filled, _TAILS, axis=0)
    width = high - low
    # A status that is rarely on has no width, and is no outlier.
    filled = np.where(width > 0.0, np.clip(filled, low - width, high + width), filled)
    return filled, used & (np.ptp(filled, axis=0) > 0.0)


def _layers(
    filled: Floats, smooth: Floats, member: Bools, shape: Shape,
    centre: Floats, spread: Floats, used: Bools,
) -> Layers:  # fmt: skip
    """A fleet of one, fitted on the rows that are members."""
    layers = Layers.empty(shape, 1)
    layers.centre[0], layers.spread[0], layers.used[0] = centre, spread, used
    remember(layers, 0, smooth[member], shape.mode(filled[member]), shape)
    if shape.levels.any():
        pair = np.flatnonzero(member[1:] & member[:-1]) + 1
        found = balance(filled[pair], filled[pair - 1], shape.levels)
        layers.coefficients[0], layers.constant[0] = found.coefficients, found.constant
        layers.scale[0] = found.scale
    return layers


def _out_of_fold(
    filled: Floats, smooth: Floats, settling: int, shape: Shape, whole: Layers
) -> tuple[Floats, Floats]:
    """Components (rows, 1 + tanks) and residuals (rows, tags), each block by the others' model."""
    folds = shape.tuning.folds
    long = (len(filled) - settling) // folds
    starts = len(filled) - long * np.arange(folds, 0, -1)
    models = []
    for start in starts:
        member = np.arange(len(filled)) >= settling
        member[start : start + long] = False
        one = _layers(
            filled, smooth, member, shape, whole.centre[0], whole.spread[0], whole.used[0]
        )
        one.held[0], one.smooth[0] = filled[start - 1], smooth[start - 1]
        one.seen[0], one.mode[0] = True, shape.mode(filled[start - 1])
        models.append(one)
    fleet = Layers(*(
        np.concatenate([getattr(one, name) for one in models]) for name in Layers.__slots__
    ))  # fmt: skip
    calm = np.zeros(folds, np.bool_)
    components, residual = [], []
    for at in range(long):
        scored = fleet.step(filled[starts + at], shape)
        fleet.follow(scored, calm, shape)
        components.append(scored.components)
        residual.append(scored.residual)
    # How far the rows had drifted at their end, as the last block's model followed them.
    whole.shift[0] = fleet.shift[-1]
    # From (rows, folds, …) to the order in which the rows came.
    return (
        np.concatenate(list(np.stack(components, axis=1))),
        np.concatenate(list(np.stack(residual, axis=1))),
    )


def _come_to(layers: Layers, filled: Floats, smooth: Floats, shape: Shape, used: Bools) -> None:
    """Bring the running state to where it would be after the training rows."""
    layers.held[0], layers.seen[0] = filled[-1], used
    layers.smooth[0], layers.mode[0] = smooth[-1], shape.mode(filled[-1])
