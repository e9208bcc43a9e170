"""Counters across resets and rollovers."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic3.domain.counters import Counted, count, join, step, was_reset

# Whole numbers, so that sums are exact in any grouping.
READINGS = st.lists(st.integers(0, 1000).map(float))
TOPS = st.none() | st.sampled_from([0.0, 100.0, 1000.0])


def test_a_rising_counter_counts_the_differences() -> None:
    assert count([5, 7.5, 7.5, 20], range_high=None) == Counted(5, 20, 15.0, 0)


def test_a_fall_from_the_top_tenth_to_the_lowest_is_a_rollover() -> None:
    assert count([950, 990, 5, 10], range_high=1000) == Counted(950, 10, 60.0, 0)


@pytest.mark.parametrize("range_high", [None, 0.0, 10_000.0])
def test_any_other_fall_is_a_reset_that_counts_from_zero(range_high: float | None) -> None:
    assert count([950, 990, 5, 10], range_high=range_high) == Counted(950, 10, 50.0, 1)


@pytest.mark.parametrize(("previous", "value"), [(900, 5), (990, 100), (1001, 5), (990, -1)])
def test_at_the_edges_a_fall_is_no_rollover(previous: float, value: float) -> None:
    assert was_reset(previous, value, range_high=1000)
    assert step(previous, value, range_high=1000) == max(value, 0)


def test_no_value_and_one_value_count_nothing() -> None:
    assert count([], range_high=None) == Counted()
    assert count([3], range_high=None) == Counted(3, 3, 0.0, 0)


@given(READINGS, TOPS)
def test_what_is_counted_is_never_below_zero(values: list[float], top: float | None) -> None:
    assert count(values, range_high=top).increase >= 0


@given(READINGS, READINGS, TOPS)
def test_two_stretches_joined_count_as_one(
    earlier: list[float], later: list[float], top: float | None
) -> None:
    joined = join(count(earlier, range_high=top), count(later, range_high=top), range_high=top)
    assert joined == count([*earlier, *later], range_high=top)


@given(st.lists(st.integers(0, 99), min_size=1), st.integers(0, 999))
def test_however_often_it_goes_round_all_is_counted(steps: list[int], start: int) -> None:
    """A meter that ends at 1,000 and moves by less than a tenth of that at a time."""
    totals = list(accumulate(steps, initial=start))
    shown = [float(total % 1000) for total in totals]
    counted = count(shown, range_high=1000)
    assert counted.resets == 0
    assert counted.increase == totals[-1] - start


@given(st.lists(st.floats(-1e12, 1e12)), TOPS)
def test_every_fall_is_a_reset_or_a_rollover(values: list[float], top: float | None) -> None:
    falls = sum(b < a for a, b in pairwise(values))
    assert 0 <= count(values, range_high=top).resets <= falls
