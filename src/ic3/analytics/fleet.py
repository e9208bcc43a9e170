"""The detector of many assets of one shape, a row of all of them at a time.

It sees values only: no clock, no row number, no name. What it says of a row depends on that row and
on rows before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ic3.analytics.arrays import pack, put, unpack
from ic3.analytics.change_points import Windows
from ic3.analytics.hysteresis import Hysteresis
from ic3.analytics.layers import EMPTY, Ints, Layers, Shape
from ic3.analytics.learning import ewma, learn, remember
from ic3.analytics.severity import severity
from ic3.analytics.similarity import Bools, Floats
from ic3.analytics.tuning import Tag, Tuning
from ic3.errors import InputError


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a row says of each asset.

    Attributes:
        alarm: bool (assets,). It stays as it was where nothing could be computed.
        change: bool (assets,): the level of some tag has changed lately.
        severity: float64 (assets,), 0 to 10, see `severity`; NaN where not computed.
        blame: int64 (assets,): index of the tag that deviates most; -1 where severity is 0 or
            nothing could be computed.
        computed: bool (assets,): the asset is fitted, and at least half of its used tags had a
            value.
    """

    alarm: Bools
    change: Bools
    severity: Floats
    blame: Ints
    computed: Bools


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the detector said what it said of an asset's last computed row.

    All arrays are float64 (tags,), in units, NaN for tags the model does not use.

    Attributes:
        observed: The smoothed row.
        expected: What the remembered rows say it should be, given the other tags.
        band: How far off is usual: `expected` ± `band` holds 99 % of rows it was not fitted on.
        residual: observed - expected.
        score: The judged excess over the usual score.
        on: Score at which an alarm may open.
        off: Score below which it ends.
        deviating_rows: Rows since the score rose above `off`; 0 where it is not.
        outside: Indices of tags outside their band, the farthest first.
        inside: Indices of tags inside: peers that agree with the model.
        pooled: Whether the operating mode was too rare to have a memory of its own.
        coverage: Share of the used tags that had a value, 0 to 1.
    """

    observed: Floats
    expected: Floats
    band: Floats
    residual: Floats
    score: float
    on: float
    off: float
    deviating_rows: int
    outside: tuple[int, ...]
    inside: tuple[int, ...]
    pooled: bool
    coverage: float

    @property
    def suspects_sensor(self) -> bool:
        """Whether one tag alone deviates while at least two relatives agree."""
        return len(self.outside) == 1 and len(self.inside) >= 2


@dataclass(slots=True)
class Judging:
    """Thresholds and running scores; each array has the assets first.

    Attributes:
        fitted: bool (assets,).
        middle, reach: float64 (assets, 1 + tanks): usual trend of each component, and how far
            above it is unusual.
        usual, on: float64 (assets,).
        band: float64 (assets, tags), in spreads.
        change_scale: float64 (assets, tags).
        trend: float64 (assets, 1 + tanks): the running components.
        residual: float64 (assets, tags), in spreads, of the last computed row.
        excess: float64 (assets,), of the last computed row.
        deviating: int64 (assets,): rows above *off*.
    """

    fitted: Bools
    middle: Floats
    reach: Floats
    usual: Floats
    on: Floats
    band: Floats
    change_scale: Floats
    trend: Floats
    residual: Floats
    excess: Floats
    deviating: Ints

    @classmethod
    def empty(cls, shape: Shape, assets: int) -> "Judging":
        """Nothing fitted."""
        tags, parts = len(shape.tags), 1 + int(shape.levels.sum())
        return cls(
            fitted=np.zeros(assets, np.bool_),
            middle=np.zeros((assets, parts)),
            reach=np.ones((assets, parts)),
            usual=np.zeros(assets),
            on=np.ones(assets),
            band=np.zeros((assets, tags)),
            change_scale=np.full((assets, tags), np.inf),
            trend=np.zeros((assets, parts)),
            residual=np.zeros((assets, tags)),
            excess=np.zeros(assets),
            deviating=np.zeros(assets, np.int64),
        )


class FleetDetector:
    """Anomalies and change points of `assets` assets that have the same tags.

    Args:
        tags: What the columns of each row are.
        tuning: How it judges; RIG, DISTRICT and PLANT are there.
        assets: How many. Each is fitted on its own rows; until then nothing is computed of it.
    """

    def __init__(self, tags: Sequence[Tag], tuning: Tuning, *, assets: int) -> None:
        self._shape = Shape.of(tags, tuning)
        self._assets = assets
        self._layers = Layers.empty(self._shape, assets)
        self._judging = Judging.empty(self._shape, assets)
        self._hysteresis = Hysteresis.empty(assets)
        self._windows = Windows.empty(assets, len(tags), tuning)
        tanks = np.flatnonzero(self._shape.levels)
        self._blamed = np.concatenate([[-1], tanks]).astype(np.int64)

    @property
    def fitted(self) -> Bools:
        """Bool (assets,): which assets have a model."""
        return self._judging.fitted.copy()

    def fit(self, asset: int, rows: Floats) -> None:
        """Learn what is normal for an asset; its running state begins anew after these rows.

        Args:
            asset: Index of the asset.
            rows: float64 (rows, tags) in the order they came, NaN where missing. A tag that never
                varies, or is missing in more than half of the rows, is not used.

        Raises:
            InputError: Too few rows, or no tag that can be used.
        """
        learnt = learn(rows, self._shape)
        judging, windows = self._judging, self._windows
        put((self._layers, self._hysteresis), asset, (learnt.layers, Hysteresis.empty(1)))
        judging.fitted[asset] = True
        judging.middle[asset] = judging.trend[asset] = learnt.middle
        judging.reach[asset], judging.usual[asset] = learnt.reach, learnt.usual
        judging.on[asset], judging.band[asset] = learnt.on, learnt.band
        judging.change_scale[asset] = learnt.change_scale
        judging.residual[asset] = judging.excess[asset] = judging.deviating[asset] = 0
        kept = windows.sums.shape[1]
        sums = np.cumsum(learnt.rows[-kept:], axis=0)
        windows.sums[asset] = 0.0
        windows.sums[asset, 1 : 1 + len(sums)] = sums[: kept - 1]
        windows.sums[asset, len(sums) % kept] = sums[-1]
        windows.rows[asset] = len(sums)
        windows.unmarked[asset] = self._shape.tuning.change_pause

    def learn(self, asset: int, rows: Floats) -> None:
        """Add a stretch that was judged normal to an asset's memory, which keeps its size.

        Args:
            asset: Index of a fitted asset.
            rows: float64 (rows, tags) in the order they came, NaN where missing.
        """
        layers, shape = self._layers, self._shape
        filled = np.where(np.isfinite(rows), rows, layers.centre[asset])
        scaled = (filled - layers.centre[asset]) / layers.spread[asset] * layers.used[asset]
        smooth = ewma(scaled, shape.tuning.smoothing) - layers.shift[asset]
        old = layers.memory[asset][layers.memory_mode[asset] != EMPTY]
        whole = np.concatenate([old, smooth])
        modes = shape.mode(layers.centre[asset] + layers.spread[asset] * whole)
        remember(layers, asset, whole, modes, shape)

    def update(self, values: Floats) -> Verdicts:
        """Take a row of every asset.

        Args:
            values: float64 (assets, tags), NaN where missing, stale or not good. An asset with less
                than half of its tags stands still: no alarm opens and none ends.
        """
        layers, judging, tuning = self._layers, self._judging, self._shape.tuning
        scored = layers.step(values, self._shape)
        computed = scored.computed
        score, worst = self._trend(scored.components)
        excess = np.where(computed, score - judging.usual, judging.excess)
        alarm = self._hysteresis.judge(
            excess, judging.on, judged=computed, restart=scored.new_mode, tuning=tuning
        )
        layers.follow(scored, alarm & (self._hysteresis.lasted <= tuning.patience), self._shape)
        change = self._windows.take(scored.row, judging.change_scale, computed, tuning)
        deviates = excess > tuning.closing * judging.on
        judging.deviating = np.where(
            computed, np.where(deviates, judging.deviating + 1, 0), judging.deviating
        )
        judging.residual = np.where(computed[:, None], scored.residual, judging.residual)
        judging.excess = excess
        severe = severity(excess / judging.on, off=tuning.closing)
        # The level whose balance is worst, or the tag with the largest residual.
        tank = self._blamed[worst]
        deviant = np.where(tank >= 0, tank, np.abs(scored.residual).argmax(axis=1))
        blame = np.where(computed & (severe > 0.0), deviant, -1)
        return Verdicts(alarm.copy(), change, np.where(computed, severe, np.nan), blame, computed)

    def explain(self, asset: int) -> Explanation:
        """Why the last computed row of an asset was judged as it was.

        Raises:
            InputError: The asset is not fitted.
        """
        layers, judging = self._layers, self._judging
        if not judging.fitted[asset]:
            raise InputError(f"detector: asset {asset} is not fitted; give it rows to learn from")
        used, spread = (
            layers.used[asset],
            np.where(layers.used[asset], layers.spread[asset], np.nan),
        )
        residual = judging.residual[asset]
        observed = layers.centre[asset] + spread * layers.smooth[asset]
        share = np.abs(residual) / np.maximum(judging.band[asset], 1e-12)
        seen = layers.seen[asset] & used
        outside = [int(tag) for tag in np.argsort(-share) if seen[tag] and share[tag] > 1.0]
        inside = [int(tag) for tag in np.flatnonzero(seen) if share[tag] <= 1.0]
        own = layers.memory_mode[asset] == layers.mode[asset]
        return Explanation(
            observed=observed,
            expected=observed - spread * residual,
            band=spread * judging.band[asset],
            residual=spread * residual,
            score=float(judging.excess[asset]),
            on=float(judging.on[asset]),
            off=float(judging.on[asset]) * self._shape.tuning.closing,
            deviating_rows=int(judging.deviating[asset]),
            outside=tuple(outside),
            inside=tuple(inside),
            pooled=bool(self._shape.modes.size) and not bool(own.any()),
            coverage=float(seen.sum() / used.sum()),
        )

    def shift(self, asset: int) -> Floats:
        """How far the reference of an asset has followed drift: float64 (tags,), in units."""
        moved: Floats = self._layers.shift[asset] * self._layers.spread[asset]
        return moved

    def roll_back(self, asset: int) -> None:
        """Put the reference of an asset back to the training rows."""
        self._layers.shift[asset] = 0.0

    def state(self, asset: int) -> bytes:
        """Model and running state of an asset, of a size that depends on the shape only."""
        return pack(self._parts(), asset, self._signature())

    def restore(self, asset: int, state: bytes) -> None:
        """Go on where `state` was taken; the same rows then give the same answers.

        Args:
            asset: Index of the asset, whatever it was before.
            state: From `state`, of a detector with the same tags and tuning.

        Raises:
            InputError: It is damaged, of another version, or of other tags or another tuning.
        """
        unpack(self._parts(), asset, self._signature(), state)

    def _trend(self, components: Floats) -> tuple[Floats, Ints]:
        """The largest normalised component of each asset, and which it is."""
        judging = self._judging
        known = np.isfinite(components)
        moved = judging.trend + self._shape.tuning.trending * (components - judging.trend)
        judging.trend = np.where(known, moved, judging.trend)
        normalised = (judging.trend - judging.middle) / judging.reach
        return normalised.max(axis=1), normalised.argmax(axis=1)

    def _parts(self) -> tuple[Any, ...]:
        return self._layers, self._judging, self._hysteresis, self._windows

    def _signature(self) -> str:
        shape = self._shape
        names = ",".join(f"{tag.name}:{tag.mode:d}{tag.level:d}" for tag in shape.tags)
        return f"{names}|{shape.tuning}"
