"""Noise that depends on nothing but seed, name and time: the same at any speed, in any order."""

import math
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def keys(seed: int, names: Iterable[str]) -> Keys:
    """One stream a name; a name added or taken away changes no other's.

    Returns:
        uint64 (names,).
    """
    digests = b"".join(blake2b(f"{seed}:{name}".encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, dtype=np.uint64)


def words(streams: Keys, count: int) -> Keys:
    """Evenly distributed words of 64 bits.

    Args:
        streams: uint64 (n,), from `keys`.
        count: Number of the draw, such as a tick.

    Source:
        The finalizer of splitmix64 (Steele, Lea and Flood, 2014).
    """
    mixed = streams ^ np.uint64((count * _GOLDEN) & _MASK)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def uniform(streams: Keys, count: int) -> Floats:
    """Numbers evenly distributed between 0 and 1."""
    return (words(streams, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(streams: Keys, count: int) -> Floats:
    """Numbers of mean 0 and standard deviation 1.

    Source:
        Box and Muller, 1958.
    """
    radius = np.sqrt(-2.0 * np.log1p(-uniform(streams, 2 * count)))
    angle = (2.0 * np.pi) * uniform(streams, 2 * count + 1)
    cosine: Floats = radius * np.cos(angle)
    return cosine


class Wander:
    """A slow wander of about standard deviation 1: new knots every period, cosine between.

    Args:
        streams: uint64 (n,), from `keys`.
        period_s: Time between two knots.
    """

    def __init__(self, streams: Keys, period_s: float) -> None:
        self._streams = streams
        self._period_s = period_s
        self._knot = -1
        self._before = self._after = np.zeros(len(streams))

    def at(self, at_s: float) -> Floats:
        """The wander at a moment, seconds since 1970; depends on nothing asked before."""
        knot, rest_s = divmod(at_s, self._period_s)
        if int(knot) != self._knot:
            self._knot = int(knot)
            self._before = normal(self._streams, self._knot)
            self._after = normal(self._streams, self._knot + 1)
        share = 0.5 - 0.5 * math.cos(math.pi * rest_s / self._period_s)
        # Between the knots two halves would have less spread than one.
        spread = math.hypot(1.0 - share, share)
        wander: Floats = ((1.0 - share) * self._before + share * self._after) / spread
        return wander
