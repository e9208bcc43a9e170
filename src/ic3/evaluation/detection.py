"""Scores of alarms and change marks against labels, and what a blind answer scores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows counted by truth and alarm, pooled over files."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @classmethod
    def of(cls, pairs: Iterable[tuple[Bools, Bools]]) -> "Confusion":
        """Count pairs of alarm and truth, bool (rows,) each."""
        alarm, truth = (np.concatenate(each) for each in zip(*pairs, strict=True))
        return cls(
            int((alarm & truth).sum()), int((alarm & ~truth).sum()),
            int((~alarm & truth).sum()), int((~alarm & ~truth).sum()),
        )  # fmt: skip

    @property
    def f1(self) -> float:
        """2TP / (2TP + FP + FN)."""
        twice = 2 * self.true_positive
        return twice / max(twice + self.false_positive + self.false_negative, 1)

    @property
    def false_alarm_rate(self) -> float:
        """FP / (FP + TN)."""
        return self.false_positive / max(self.false_positive + self.true_negative, 1)

    @property
    def missing_alarm_rate(self) -> float:
        """FN / (FN + TP)."""
        return self.false_negative / max(self.false_negative + self.true_positive, 1)

    def always(self) -> "Confusion":
        """What an alarm on every row scores."""
        return Confusion(
            self.true_positive + self.false_negative,
            self.false_positive + self.true_negative, 0, 0,
        )  # fmt: skip

    def at_random(self) -> float:
        """F1 expected of alarms on as many rows, drawn by lot."""
        truth = self.true_positive + self.false_negative
        alarms = self.true_positive + self.false_positive
        rows = truth + self.false_positive + self.true_negative
        return 2.0 * truth * alarms / rows / max(truth + alarms, 1)


@dataclass(frozen=True, slots=True)
class Matching:
    """Marks against labelled points, pooled over files."""

    hits: int
    false: int
    missed: int

    @property
    def f1(self) -> float:
        """2TP / (2TP + FP + FN)."""
        return 2 * self.hits / max(2 * self.hits + self.false + self.missed, 1)


def match_marks(pairs: Iterable[tuple[Floats, Floats]], *, within_s: float) -> Matching:
    """Match marks to labelled points, one to one, each mark to the earliest it can serve.

    Args:
        pairs: Times of marks and of labelled points in seconds, ascending, one pair a file.
        within_s: How long after a point a mark counts.
    """
    hits = false = missed = 0
    for marks, points in pairs:
        free = list(points)
        for mark in marks:
            served = next((point for point in free if 0.0 <= mark - point <= within_s), None)
            if served is None:
                false += 1
            else:
                free.remove(served)
                hits += 1
        missed += len(free)
    return Matching(hits, false, missed)


def stretches(flags: Bools) -> list[tuple[int, int]]:
    """Begin and end (exclusive) of each run of true rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def events_hit(alarm: Bools, truth: Bools) -> list[bool]:
    """For each anomalous stretch, whether one of its rows is alarmed."""
    return [bool(alarm[begin:end].any()) for begin, end in stretches(truth)]


def false_episodes(alarm: Bools, truth: Bools) -> int:
    """Alarmed stretches that touch no anomalous row."""
    return sum(not truth[begin:end].any() for begin, end in stretches(alarm))


def detection_shares(alarm: Bools, truth: Bools) -> list[float]:
    """For each attack, the time to its first alarm over its length; 1 where there is none."""
    return [
        (int(alarm[begin:end].argmax()) if alarm[begin:end].any() else end - begin) / (end - begin)
        for begin, end in stretches(truth)
    ]


def batadal_s(alarm: Bools, truth: Bools) -> float:
    """S = ½·S_TTD + ½·(TPR + TNR)/2, S_TTD = 1 - mean(time to detect / attack length).

    Source:
        Taormina et al. 2018, Battle of the Attack Detection Algorithms.
    """
    counted = Confusion.of([(alarm, truth)])
    speed = 1.0 - float(np.mean(detection_shares(alarm, truth)))
    rates = (2.0 - counted.missing_alarm_rate - counted.false_alarm_rate) / 2.0
    return 0.5 * speed + 0.5 * rates


def block_resampled(rows: Floats, *, count: int, block: int, seed: int) -> Floats:
    """`count` rows made of blocks drawn from `rows`: normal by construction, without a timetable.

    Args:
        rows: float64 (rows, tags).
        count: Rows to make.
        block: Length of a block.
        seed: Of the draw.
    """
    draw = np.random.default_rng(seed)
    starts = draw.integers(0, len(rows) - block + 1, size=-(-count // block))
    return np.concatenate([rows[start : start + block] for start in starts])[:count]


def words(hit: Sequence[bool]) -> str:
    """How many of how many."""
    return f"{sum(hit)} of {len(hit)}"
