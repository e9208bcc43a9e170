"""How far a sensor deserves trust: five shares of the last 24 hours."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.similarity import Floats
from ic3.errors import InputError

HOURS: Final = 24
LOW_TRUST: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The five shares, each float64 (assets, tags) from 0 to 1, NaN where nothing was expected.

    Attributes:
        completeness: Values that came, of those expected.
        timeliness: Values not older than three cadences, of those that came.
        validity: Values of the right type, inside their range and rate and GOOD at the source.
        liveness: Values that were not frozen.
        consistency: Values inside the model's band; 1 where no model has judged.
    """

    completeness: Floats
    timeliness: Floats
    validity: Floats
    liveness: Floats
    consistency: Floats

    def percent(self) -> Floats:
        """100 · (0.6 · worst share + 0.4 · mean share), float64 (assets, tags)."""
        shares = np.stack([
            self.completeness, self.timeliness, self.validity, self.liveness, self.consistency
        ])  # fmt: skip
        answer: Floats = 100.0 * (0.6 * shares.min(axis=0) + 0.4 * shares.mean(axis=0))
        return answer


class TrustWindow:
    """Counts of what sensors did, an hour a slot, for many assets of one shape.

    Args:
        assets: How many assets.
        tags: How many tags each has.
    """

    _COUNTS: Final = ("expected", "came", "timely", "valid", "live", "judged", "inside")

    def __init__(self, *, assets: int, tags: int) -> None:
        self._counts = np.zeros((assets, HOURS, len(self._COUNTS), tags), np.int32)
        self._hour = 0

    def add(
        self, *, expected: Floats, came: Floats, timely: Floats, valid: Floats, live: Floats,
        judged: Floats, inside: Floats,
    ) -> None:  # fmt: skip
        """Count one row; all are whole numbers or booleans (assets, tags).

        Args:
            expected: Whether a value was due.
            came: Whether there is one.
            timely: Of those that came: not stale.
            valid: Of those that came: no mark of range, rate, type or source.
            live: Of those that came: not frozen.
            judged: Whether the model has judged it.
            inside: Of those judged: inside the band.
        """
        row = (expected, came, timely, valid, live, judged, inside)
        for number, counted in enumerate(row):
            self._counts[:, self._hour, number] += np.asarray(counted, np.int32)

    def next_hour(self) -> None:
        """Begin a new hour; the one 24 hours ago is forgotten."""
        self._hour = (self._hour + 1) % HOURS
        self._counts[:, self._hour] = 0

    def trust(self) -> Trust:
        """The shares of the window."""
        expected, came, timely, valid, live, judged, inside = self._counts.sum(axis=1).swapaxes(
            0, 1
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            return Trust(
                completeness=np.minimum(came / expected, 1.0),
                timeliness=_share(timely, came, expected),
                validity=_share(valid, came, expected),
                liveness=_share(live, came, expected),
                consistency=np.where(judged > 0, inside / np.maximum(judged, 1), 1.0),
            )

    def state(self, asset: int) -> bytes:
        """The counts of an asset, the current hour first."""
        counts = np.roll(self._counts[asset], -self._hour, axis=0)
        return bytes(counts.tobytes())

    def restore(self, asset: int, state: bytes) -> None:
        """Go on where `state` was taken, as if it were the same hour.

        Args:
            asset: Index of the asset.
            state: From `state`, of a window with the same number of tags.

        Raises:
            InputError: It is of another size.
        """
        held = self._counts[asset]
        if len(state) != held.nbytes:
            raise InputError("trust: the saved counts are of other tags; begin anew")
        counts = np.frombuffer(state, held.dtype).reshape(held.shape)
        self._counts[asset] = np.roll(counts, self._hour, axis=0)


def _share(part: Floats, whole: Floats, expected: Floats) -> Floats:
    """part/whole; where nothing came although it was due, 0; where nothing was due, NaN."""
    share = np.where(whole > 0, part / np.maximum(whole, 1), 0.0)
    return np.where(expected > 0, share, np.nan)
