"""Counters, such as a meter's volume: how much was counted, across resets and rollovers.

`ic3_counter_step` and `ic3_counter_reset` of the database follow the same rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

ROLLS_OVER_ABOVE: Final = 0.9
ROLLS_OVER_BELOW: Final = 0.1


@dataclass(frozen=True, slots=True)
class Counted:
    """What a counter did from its first to its last value.

    Attributes:
        first: None where there was no value; then so is `last`.
        increase: In the counter's unit, never below zero.
        resets: How often it began again from zero; what it counted before that is not known whole.
    """

    first: float | None = None
    last: float | None = None
    increase: float = 0.0
    resets: int = 0


def rolled_over(previous: float, value: float, *, range_high: float | None) -> bool:
    """Whether a fall is the counter's going round: from its top tenth to its lowest.

    Args:
        previous: The value before.
        value: The value that followed, lower.
        range_high: Where the counter ends; None where that is not known.
    """
    if range_high is None or range_high <= 0:
        return False
    return (
        ROLLS_OVER_ABOVE * range_high < previous <= range_high
        and 0 <= value < ROLLS_OVER_BELOW * range_high
    )


def step(previous: float | None, value: float, *, range_high: float | None) -> float:
    """How much was counted from one value to the next; a reset counts from zero."""
    if previous is None:
        return 0.0
    if value >= previous:
        return value - previous
    if range_high is not None and rolled_over(previous, value, range_high=range_high):
        return range_high - previous + value
    return max(value, 0.0)


def was_reset(previous: float | None, value: float, *, range_high: float | None) -> bool:
    """Whether the counter began again from zero between two values."""
    return (
        previous is not None
        and value < previous
        and not rolled_over(previous, value, range_high=range_high)
    )


def count(values: Iterable[float], *, range_high: float | None) -> Counted:
    """What a counter did over values in the order of time."""
    counted = Counted()
    for value in values:
        counted = join(counted, Counted(value, value), range_high=range_high)
    return counted


def join(earlier: Counted, later: Counted, *, range_high: float | None) -> Counted:
    """Two stretches as one: what was counted between them is counted, too."""
    if later.first is None:
        return earlier
    if earlier.first is None or earlier.last is None:
        return later
    between = step(earlier.last, later.first, range_high=range_high)
    fell = was_reset(earlier.last, later.first, range_high=range_high)
    return Counted(
        earlier.first,
        later.last,
        earlier.increase + between + later.increase,
        earlier.resets + fell + later.resets,
    )
