"""Where in a DMA a leak may be: the change of its night pressures against those of a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.inflow import Floats
from ic3.errors import InputError

# Ours: candidates whose match is at least this share of the best one's are told with it.
NEAR_SHARE: Final = 0.98
FEWEST_POINTS: Final = 3
WEAKEST_M: Final = 1e-6

Solve = Callable[[str | None], Floats]


@dataclass(frozen=True, slots=True)
class SignatureLibrary:
    """How a leak at each candidate node shows.

    Attributes:
        nodes: The candidates.
        change_m: float64 (nodes, points), change of night pressure at each point by a unit leak.
    """

    nodes: tuple[str, ...]
    change_m: Floats


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node the leak may be near to; `match` is the cosine, 1 at best."""

    node: str
    match: float


def signature_library(nodes: Sequence[str], solve: Solve) -> SignatureLibrary:
    """One steady night solve a candidate node, less the one without a leak.

    Args:
        nodes: The candidates.
        solve: Pressures in m at the pressure points, float64 (points,), with a leak of one size at
            this node; at none for None.
    """
    base = solve(None)
    changes = np.array([solve(node) - base for node in nodes]).reshape(len(nodes), len(base))
    return SignatureLibrary(tuple(nodes), changes)


def locate(
    library: SignatureLibrary, before_m: Floats, after_m: Floats, *, near_share: float = NEAR_SHARE
) -> list[Candidate]:
    """The area a leak is in, as its nodes, the best first: a signature does not name one pipe.

    Empty where pressures changed the other way of every signature.

    Args:
        library: Of the DMA's candidates.
        before_m: float64 (nights, points), mean pressure of the night windows before the leak, NaN
            where missing.
        after_m: The same of nights with it.
        near_share: Nodes whose match is at least this share of the best are in the area.

    Raises:
        InputError: Fewer than three points were read both before and after.
    """
    both = np.isfinite(before_m).any(axis=0) & np.isfinite(after_m).any(axis=0)
    if both.sum() < FEWEST_POINTS:
        raise InputError(
            f"localisation: {both.sum()} pressure points were read before and after the leak,"
            f" {FEWEST_POINTS} are needed; only the DMA can be named"
        )
    change = np.nanmean(after_m[:, both], axis=0) - np.nanmean(before_m[:, both], axis=0)
    signatures = library.change_m[:, both]
    lengths = np.linalg.norm(signatures, axis=1) * np.linalg.norm(change)
    match = np.where(lengths > WEAKEST_M**2, signatures @ change, 0.0) / np.maximum(lengths, 1e-12)
    order = np.argsort(-match, kind="stable")
    best = float(match[order[0]])
    return [
        Candidate(library.nodes[at], float(match[at]))
        for at in order.tolist() if match[at] >= near_share * best > 0
    ]  # fmt: skip
