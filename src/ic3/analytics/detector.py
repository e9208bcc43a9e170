"""The detector of one asset: a fleet of one, with rows and answers of its own."""

from collections.abc import Sequence

from ic3.analytics.fleet import Explanation, FleetDetector
from ic3.analytics.similarity import Floats
from ic3.analytics.tuning import Tag, Tuning


class Detector:
    """Anomalies and change points of one asset.

    Args:
        tags: What the columns of a row are.
        tuning: How it judges.
    """

    def __init__(self, tags: Sequence[Tag], tuning: Tuning) -> None:
        self._fleet = FleetDetector(tags, tuning, assets=1)

    def fit(self, rows: Floats) -> None:
        """Learn what is normal, see `FleetDetector.fit`.

        Args:
            rows: float64 (rows, tags), NaN where missing.
        """
        self._fleet.fit(0, rows)

    def update(self, row: Floats) -> tuple[int, int, float, int]:
        """Take a row.

        Args:
            row: float64 (tags,), NaN where missing.

        Returns:
            Alarm 0 or 1; change 0 or 1, a mark on this row; severity 0 to 10, NaN where it could
            not be computed; blame, the index of the tag that deviates most, -1 if none.
        """
        told = self._fleet.update(row[None, :])
        return (
            int(told.alarm[0]), int(told.change[0]), float(told.severity[0]), int(told.blame[0])
        )  # fmt: skip

    def explain(self) -> Explanation:
        """Why the last row was judged as it was."""
        return self._fleet.explain(0)

    def state(self) -> bytes:
        """Model and running state, of bounded size."""
        return self._fleet.state(0)

    def restore(self, state: bytes) -> None:
        """Go on where `state` was taken.

        Raises:
            InputError: It is damaged, or of other tags or another tuning.
        """
        self._fleet.restore(0, state)
