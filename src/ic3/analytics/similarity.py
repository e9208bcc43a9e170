"""Auto-associative kernel regression: what a row would be, judged by the remembered ones."""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
FAR: Final = 1e12
# Squared distances below this share of the squared norm are rounding.
_SAME: Final = 1e-12


def spread_out(rows: Floats, count: int) -> npt.NDArray[np.int64]:
    """Indices of at most `count` rows that cover all: each is the one farthest from those before.

    Args:
        rows: float64 (rows, tags), without NaN.
        count: How many at most; rows that equal a chosen one are not chosen.

    Source:
        Gonzalez' farthest-first traversal: within twice the best possible covering radius.
    """
    square = np.square(rows).sum(axis=1)
    chosen = [0]
    nearest = np.full(len(rows), np.inf)
    while len(chosen) < count:
        last = chosen[-1]
        nearest = np.minimum(nearest, square + square[last] - 2.0 * (rows @ rows[last]))
        farthest = int(nearest.argmax())
        if nearest[farthest] <= _SAME * square[farthest]:
            break
        chosen.append(farthest)
    return np.array(chosen)


def expected(
    row: Floats, present: Bools, memory: Floats32, square: Floats32, *, width: Floats, barred: Bools
) -> Floats:
    """The weighted mean of the remembered rows, by likeness in the tags that are present.

    Args:
        row: float64 (assets, tags), in spreads, 0 where absent.
        present: bool (assets, tags).
        memory: float32 (assets, memories, tags), in spreads; half the bytes to read, and likeness
            needs no more digits.
        square: float32 (assets, memories): the squared norm of each remembered row.
        width: float64 (assets,): standard deviation of the kernel, in spreads.
        barred: bool (assets, memories): slots that are empty or of another operating mode.

    Returns:
        float64 (assets, tags), in spreads, also for absent tags.
    """
    # The row's own norm is the same for each memory, and goes with the smallest distance.
    distance = square - 2.0 * np.matmul(memory, row.astype(np.float32)[:, :, None])[:, :, 0]
    part = np.flatnonzero(~present.all(axis=1))
    if part.size:
        seen = present[part].astype(np.float32)
        own = np.matmul(np.square(memory[part]), seen[:, :, None])[:, :, 0]
        share = np.maximum(seen.mean(axis=1, keepdims=True), np.float32(1e-9))
        distance[part] = (distance[part] - square[part] + own) / share
    distance[barred] = FAR
    distance -= distance.min(axis=1, keepdims=True)
    distance *= (-0.5 / np.square(width)).astype(np.float32)[:, None]
    weight = np.exp(distance, out=distance)
    weight /= weight.sum(axis=1, keepdims=True)
    mean: Floats = np.matmul(weight[:, None, :], memory)[:, 0, :].astype(np.float64)
    return mean
