"""Assets of one kind under one fleet detector, a row of five minutes at a time."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import numpy as np

from ic3.analytics.arrays import VERSION as DETECTOR_VERSION
from ic3.analytics.fleet import Explanation, FleetDetector, Verdicts
from ic3.analytics.similarity import Floats
from ic3.analytics.tuning import PLANT, Tag, Tuning
from ic3.errors import InputError

VERSION: Final = f"1.{DETECTOR_VERSION}"
# A row is the mean of five minutes: smooth already. The reference does not follow drift, which for
# what is now on, now off, leads between the two; models are fitted anew each week instead.
FIVE_MINUTES: Final[Tuning] = replace(
    PLANT, smoothing=1.0, trending=0.3, threshold=2.5, persistence=3, window=4, following=0.0
)
ROWS_A_DAY: Final = 288
LEAST_ROWS: Final = ROWS_A_DAY
MOST_ROWS: Final = 7 * ROWS_A_DAY
KEPT_ROWS: Final = 36
# One tag alone, with so many quiet relatives, is a matter of its sensor.
QUIET_RELATIVES: Final = 3


@dataclass(frozen=True, slots=True)
class Deviation:
    """An asset in alarm, by its last computed row.

    Attributes:
        asset: Index in the group.
        severity: 0 to 10.
        blame: Index of the tag that deviates most; -1 where it cannot be named.
        of_sensor: Whether one tag deviates alone, with quiet relatives.
        why: What was expected.
        trend: float64 (rows,): the blamed tag in the last rows, NaN where missing.
    """

    asset: int
    severity: float
    blame: int
    of_sensor: bool
    why: Explanation
    trend: Floats


class AssetState(msgspec.Struct, frozen=True):
    """What is kept of an asset: its detector, and how many rows it has learned from and seen."""

    detector: bytes
    fitted_rows: int
    seen_rows: int


class AssetGroup:
    """Assets that have, or could have, the same tags.

    Args:
        tags: What the columns are.
        assets: Register ids, one a row.
    """

    def __init__(self, tags: Sequence[Tag], assets: Sequence[int]) -> None:
        self.tags = list(tags)
        self.assets = list(assets)
        self.fleet = FleetDetector(tags, FIVE_MINUTES, assets=len(assets))
        self.fitted_rows = np.zeros(len(assets), dtype=np.int64)
        self.seen_rows = np.zeros(len(assets), dtype=np.int64)
        self.verdicts: Verdicts | None = None
        self._modes = np.flatnonzero([tag.mode for tag in tags])
        self._mode = np.full((len(assets), len(self._modes)), np.nan)
        self._recent: deque[Floats] = deque(maxlen=KEPT_ROWS)

    def due(self) -> list[int]:
        """Assets to fit: those that have seen twice as much, or a week; not while in alarm."""
        wanted = self.seen_rows >= 2 * np.maximum(self.fitted_rows, LEAST_ROWS // 2)
        if self.verdicts is not None:
            wanted &= ~self.verdicts.alarm
        found = np.flatnonzero(wanted)
        return [int(each) for each in found[np.argsort(self.fitted_rows[found], kind="stable")]]

    def fit(self, asset: int, rows: Floats) -> str:
        """Learn what is normal for an asset; answers why it cannot be, empty where it can.

        Args:
            asset: Index in the group.
            rows: float64 (rows, tags), of the past, oldest first; rows without any value are left
                out.
        """
        kept = self._settled(rows)
        kept = kept[np.isfinite(kept).any(axis=1)][-MOST_ROWS:]
        self.seen_rows[asset] = len(kept)
        if len(kept) < LEAST_ROWS:
            return "less than a day of readings"
        # Not again before it has seen twice as much, whether it can be learned from or not.
        self.fitted_rows[asset] = len(kept)
        try:
            self.fleet.fit(asset, kept)
        except InputError as error:
            return str(error).partition(";")[0].removeprefix("detector: ")
        return ""

    def update(self, values: Floats) -> Verdicts:
        """Take a row of every asset: float64 (assets, tags), NaN where missing or not good.

        Five minutes in which a state changed are of two modes, and not judged.
        """
        mode = values[:, self._modes]
        known = np.isfinite(mode) & np.isfinite(self._mode)
        moved = (known & (mode != self._mode)).any(axis=1)
        self._mode = np.where(np.isfinite(mode), mode, self._mode)
        values = np.where(moved[:, None], np.nan, values)
        self.seen_rows += np.isfinite(values).any(axis=1)
        self._recent.append(values)
        self.verdicts = self.fleet.update(values)
        return self.verdicts

    def deviations(self) -> Iterable[Deviation]:
        """Assets in alarm by the last row."""
        verdicts = self.verdicts
        if verdicts is None:
            return
        for asset in np.flatnonzero(verdicts.alarm & verdicts.computed).tolist():
            why = self.fleet.explain(asset)
            blame = int(verdicts.blame[asset])
            if blame < 0 and why.outside:
                blame = why.outside[0]
            alone = len(why.outside) == 1 and len(why.inside) >= QUIET_RELATIVES
            yield Deviation(
                asset, float(verdicts.severity[asset]), blame, alone and why.outside[0] == blame,
                why, self._trend(asset, blame),
            )  # fmt: skip

    def _settled(self, rows: Floats) -> Floats:
        """Rows without those in which a state changed."""
        mode = rows[:, self._modes]
        known = np.isfinite(mode[1:]) & np.isfinite(mode[:-1])
        moved = (known & (mode[1:] != mode[:-1])).any(axis=1)
        return rows[np.concatenate([[True], ~moved])] if len(rows) else rows

    def _trend(self, asset: int, tag: int) -> Floats:
        rows = self._recent if tag >= 0 else ()
        return np.array([row[asset, tag] for row in rows], dtype=np.float64)

    def inside(self) -> Floats:
        """Per asset and tag 1 inside its band, 0 outside, NaN where nothing was computed."""
        found = np.full((len(self.assets), len(self.tags)), np.nan)
        if self.verdicts is None:
            return found
        for asset in np.flatnonzero(self.verdicts.computed).tolist():
            why = self.fleet.explain(asset)
            found[asset, list(why.inside)] = 1.0
            found[asset, list(why.outside)] = 0.0
        return found

    def states(self) -> dict[int, AssetState]:
        """What is kept of each fitted asset, by register id."""
        fitted = self.fleet.fitted
        return {
            number: AssetState(
                self.fleet.state(asset), int(self.fitted_rows[asset]), int(self.seen_rows[asset])
            )
            for asset, number in enumerate(self.assets)
            if fitted[asset]
        }

    def restore(self, states: Mapping[int, AssetState]) -> None:
        """Go on where states were taken; one of other tags or another version is fitted anew."""
        for asset, number in enumerate(self.assets):
            state = states.get(number)
            if state is None:
                continue
            try:
                self.fleet.restore(asset, state.detector)
            except InputError:
                continue
            self.fitted_rows[asset] = state.fitted_rows
            self.seen_rows[asset] = state.seen_rows
