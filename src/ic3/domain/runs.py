"""Monitoring runs and the newest of them."""

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType


class Run(msgspec.Struct, frozen=True):
    """One row of the run log, as the progress endpoint answers it."""

    id: int
    run_at: datetime
    keys_scanned: int
    matched: int
    unmatched: int
    rows_inserted: int
    tags_skipped: int
    duration_ms: int
    error_msg: str | UnsetType = UNSET


class Progress(msgspec.Struct, frozen=True):
    """The last runs, newest first."""

    runs: list[Run]
    latest: Run | None


class RecentRuns:
    """The last 20 runs in memory; `version` grows with every change."""

    def __init__(self, runs: list[Run] | None = None) -> None:
        self._runs = (runs or [])[:20]
        self.version = 0

    def replace(self, runs: list[Run]) -> None:
        """Take the newest runs as the database has them, newest first."""
        self._runs = runs[:20]
        self.version += 1

    def add(self, run: Run) -> None:
        """Take a run that has just been logged."""
        newest = sorted([run, *self._runs], key=lambda each: (each.run_at, each.id), reverse=True)
        self.replace(newest)

    def follows(self, run: Run) -> bool:
        """Whether it is the next after those known; if not, another process has logged some."""
        return run.id == max((each.id for each in self._runs), default=0) + 1

    def progress(self) -> Progress:
        """What the progress endpoint answers."""
        return Progress(list(self._runs), self._runs[0] if self._runs else None)
