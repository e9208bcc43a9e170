"""Tank mass balance without a drawing: each level's change out of flows and pressures, by ridge.

A spoofed level breaks it even where each tag looks normal.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.similarity import Bools, Floats

# Shrinks the coefficients as much as this share of the rows would with unit features.
RIDGE: Final = 0.0115
CLIP: Final = 10.0
_MAD: Final = 1.4826


@dataclass(frozen=True, slots=True)
class Balance:
    """What was learnt of the tanks of one asset.

    Attributes:
        coefficients: float64 (tanks, features), level units per unit of the feature.
        constant: float64 (tanks,), level units a row.
        scale: float64 (tanks,): robust standard deviation of the residual, level units a row.
    """

    coefficients: Floats
    constant: Floats
    scale: Floats


def features(now: Floats, before: Floats, levels: Bools) -> Floats:
    """Flows and pressures now and one row back, and the levels one row back.

    Args:
        now: float64 (…, tags).
        before: Likewise, of the row before.
        levels: bool (tags,): which tags are levels.

    Returns:
        float64 (…, 2 · other tags + levels).
    """
    return np.concatenate([now[..., ~levels], before[..., ~levels], before[..., levels]], axis=-1)


def balance(now: Floats, before: Floats, levels: Bools) -> Balance:
    """Learn how the levels change.

    Args:
        now: float64 (rows, tags), without NaN.
        before: Likewise: the row before each.
        levels: bool (tags,).
    """
    seen = features(now, before, levels)
    change = now[:, levels] - before[:, levels]
    middle, width = seen.mean(axis=0), seen.std(axis=0)
    scaled = (seen - middle) / np.where(width > 0.0, width, 1.0)
    gram = scaled.T @ scaled + RIDGE * len(scaled) * np.eye(scaled.shape[1])
    mean = change.mean(axis=0)
    slopes = np.linalg.solve(gram, scaled.T @ (change - mean)).T
    coefficients = np.where(width > 0.0, slopes / np.where(width > 0.0, width, 1.0), 0.0)
    constant = mean - coefficients @ middle
    residual = change - seen @ coefficients.T - constant
    scale = _MAD * np.median(np.abs(residual - np.median(residual, axis=0)), axis=0)
    return Balance(coefficients, constant, np.maximum(scale, 1e-9))


def imbalance(
    now: Floats, before: Floats, levels: Bools,
    *, coefficients: Floats, constant: Floats, scale: Floats,
) -> Floats:  # fmt: skip
    """How far each level's change is from what the other tags explain.

    Args:
        now: float64 (assets, tags), without NaN.
        before: Likewise, of the row before.
        levels: bool (tags,).
        coefficients: float64 (assets, tanks, features).
        constant: float64 (assets, tanks).
        scale: float64 (assets, tanks).

    Returns:
        float64 (assets, tanks), robust standard deviations, at most CLIP.
    """
    seen = features(now, before, levels)
    told = np.matmul(coefficients, seen[:, :, None])[:, :, 0] + constant
    change = now[:, levels] - before[:, levels]
    off: Floats = np.minimum(np.abs(change - told) / scale, CLIP)
    return off
