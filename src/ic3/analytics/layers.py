"""The layers of many assets of one shape: what each row scores against what is normal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ic3.analytics.mass_balance import imbalance
from ic3.analytics.similarity import Bools, Floats, Floats32, expected
from ic3.analytics.tuning import Tag, Tuning

Ints = npt.NDArray[np.int64]
EMPTY: Final = -2
ANY_MODE: Final = -1
# A reading that is further away says no more, and would swamp the sums.
_LIMIT: Final = 1e4
# The reference follows a row by at most this many spreads; in an alarm, only tags nearer than the
# first of the pair wholly, those beyond the second not at all.
_FOLLOWED: Final = 3.0
_CALM: Final = (2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Shape:
    """What all assets of a fleet have in common.

    Attributes:
        levels: bool (tags,): the levels that are balanced.
        modes: int64 (mode tags,): columns that tell the operating mode.
    """

    tags: tuple[Tag, ...]
    tuning: Tuning
    levels: Bools
    modes: Ints

    @classmethod
    def of(cls, tags: Sequence[Tag], tuning: Tuning) -> "Shape":
        """Read the shape off the tags."""
        return cls(
            tuple(tags),
            tuning,
            np.array([tag.level for tag in tags], dtype=np.bool_),
            np.flatnonzero([tag.mode for tag in tags]),
        )

    def mode(self, rows: Floats) -> Ints:
        """The operating mode of rows (…, tags), one bit a mode tag."""
        if not self.modes.size:
            return np.zeros(rows.shape[:-1], np.int64)
        bits: Ints = (rows[..., self.modes] > 0.5) @ (1 << np.arange(self.modes.size))
        return bits


@dataclass(frozen=True, slots=True)
class Scored:
    """What one row scored.

    Attributes:
        components: float64 (assets, 1 + tanks): distance from the memory, then each tank's
            imbalance; NaN where it could not be computed.
        residual: float64 (assets, tags), in spreads; 0 where absent or unused.
        row: float64 (assets, tags): the row itself, in spreads, absent tags as last known.
        computed: bool (assets,): at least half of the used tags are there.
        new_mode: bool (assets,): the operating mode is another than before.
    """

    components: Floats
    residual: Floats
    row: Floats
    computed: Bools
    new_mode: Bools


@dataclass(slots=True)
class Layers:
    """Model and running state of the layers; each array has the assets first.

    Attributes:
        centre, spread: float64 (assets, tags), in units.
        used: bool (assets, tags): tags that varied while learning.
        memory: float32 (assets, memories, tags), in spreads.
        square: float32 (assets, memories): squared norms of the memory.
        memory_mode: int64 (assets, memories): operating mode, ANY_MODE or EMPTY.
        coefficients, constant, scale: The mass balance, see `mass_balance`.
        held: float64 (assets, tags), in units: last known values.
        seen: bool (assets, tags): which of them came with the last row.
        smooth, shift: float64 (assets, tags), in spreads: the smoothed row, and how far the
            reference has followed drift.
        mode: int64 (assets,): operating mode of the last row.
    """

    centre: Floats
    spread: Floats
    used: Bools
    memory: Floats32
    square: Floats32
    memory_mode: Ints
    coefficients: Floats
    constant: Floats
    scale: Floats
    held: Floats
    seen: Bools
    smooth: Floats
    shift: Floats
    mode: Ints

    @classmethod
    def empty(cls, shape: Shape, assets: int) -> "Layers":
        """Nothing learnt yet."""
        tags, memories = len(shape.tags), shape.tuning.memories
        tanks = int(shape.levels.sum())
        inputs = 2 * (tags - tanks) + tanks
        return cls(
            centre=np.zeros((assets, tags)),
            spread=np.ones((assets, tags)),
            used=np.zeros((assets, tags), np.bool_),
            memory=np.zeros((assets, memories, tags), np.float32),
            square=np.zeros((assets, memories), np.float32),
            memory_mode=np.full((assets, memories), EMPTY),
            coefficients=np.zeros((assets, tanks, inputs)),
            constant=np.zeros((assets, tanks)),
            scale=np.ones((assets, tanks)),
            held=np.zeros((assets, tags)),
            seen=np.zeros((assets, tags), np.bool_),
            smooth=np.zeros((assets, tags)),
            shift=np.zeros((assets, tags)),
            mode=np.zeros(assets, np.int64),
        )

    def step(self, values: Floats, shape: Shape) -> Scored:
        """Take a row of every asset; an asset whose row is not computed stands still.

        Args:
            values: float64 (assets, tags), NaN where missing.
            shape: What the assets have in common.
        """
        present = np.isfinite(values) & self.used
        wanted = self.used.sum(axis=1)
        computed = (2 * present.sum(axis=1) >= wanted) & (wanted > 0)
        present &= computed[:, None]
        before = self.held
        now = np.where(present, values, before)
        row = np.clip((now - self.centre) / self.spread, -_LIMIT, _LIMIT) * self.used
        mode = np.where(computed, shape.mode(now), self.mode)
        new_mode = mode != self.mode
        share = np.where(new_mode[:, None], 1.0, shape.tuning.smoothing)
        self.smooth += np.where(present, share * (row - self.smooth), 0.0)
        self.mode = mode
        residual = self._residual(present, wanted, shape)
        rescaled = wanted / np.maximum(present.sum(axis=1), 1)
        distance = np.sqrt(np.square(residual).sum(axis=1) * rescaled)
        components = np.concatenate([distance[:, None], self._tanks(now, present, shape)], axis=1)
        components[~computed] = np.nan
        self.held = now
        self.seen = np.where(computed[:, None], present, self.seen)
        return Scored(components, residual, row, computed, new_mode)

    def follow(self, scored: Scored, alarmed: Bools, shape: Shape) -> None:
        """Let the reference follow drift: each tag while all is well, calm tags in an alarm.

        Args:
            scored: What the row scored.
            alarmed: bool (assets,).
            shape: What the assets have in common.
        """
        if shape.tuning.following == 0.0:
            return
        away = scored.residual
        calm, wild = _CALM
        weight = np.clip((wild - np.abs(away)) / (wild - calm), 0.0, 1.0)
        step = np.where(alarmed[:, None], weight * away, np.clip(away, -_FOLLOWED, _FOLLOWED))
        limit = shape.tuning.shift_limit
        self.shift = np.clip(self.shift + shape.tuning.following * step, -limit, limit)

    def _residual(self, present: Bools, wanted: Ints, shape: Shape) -> Floats:
        row = np.where(present, self.smooth - self.shift, 0.0)
        own = self.memory_mode == self.mode[:, None]
        pooled = (self.memory_mode != EMPTY) & ~own.any(axis=1)[:, None]
        width = shape.tuning.bandwidth * np.sqrt(np.maximum(wanted, 1))
        told = expected(
            row, present | ~self.used, self.memory, self.square, width=width,
            barred=~(own | pooled),
        )  # fmt: skip
        return np.where(present, row - told, 0.0)

    def _tanks(self, now: Floats, present: Bools, shape: Shape) -> Floats:
        if not shape.levels.any():
            return np.empty((len(now), 0))
        answer = imbalance(
            now, self.held, shape.levels,
            coefficients=self.coefficients, constant=self.constant, scale=self.scale,
        )  # fmt: skip
        known = (present & self.seen)[:, shape.levels]
        return np.where(known, answer, np.nan)
