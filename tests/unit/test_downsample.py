"""Fewer points with the same outline."""

from hypothesis import given
from hypothesis import strategies as st

from ic3.domain.downsample import Outline

NUMBERS = st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=300)
LIMITS = st.integers(4, 60)


def outline(numbers: list[float | None], limit: int, *, width: int = 0) -> Outline[int]:
    """Of points one apart; each is its own place."""
    made: Outline[int] = Outline(limit, from_us=0, to_us=max(width, len(numbers)))
    for place, number in enumerate(numbers):
        made.add(place, number, place)
    return made


@given(NUMBERS, LIMITS)
def test_never_more_points_than_asked_for_each_once_and_in_order(
    numbers: list[float | None], limit: int
) -> None:
    points = outline(numbers, limit).points()
    assert len(points) <= limit
    assert points == sorted(set(points))


@given(NUMBERS, LIMITS)
def test_first_last_lowest_and_highest_are_kept(numbers: list[float | None], limit: int) -> None:
    points = outline(numbers, limit).points()
    assert {0, len(numbers) - 1} <= set(points)
    known = [each for each in numbers if each is not None]
    kept = [each for each in map(numbers.__getitem__, points) if each is not None]
    if known:
        assert (min(kept), max(kept)) == (min(known), max(known))


@given(NUMBERS, LIMITS)
def test_what_fits_is_kept_whole_and_says_so(numbers: list[float | None], limit: int) -> None:
    made = outline(numbers, limit)
    assert made.count == len(numbers)
    assert made.thinned == (len(numbers) > limit)
    if not made.thinned:
        assert made.points() == list(range(len(numbers)))


def test_every_slot_keeps_its_own_peak_so_that_the_shape_stays() -> None:
    numbers: list[float | None] = [0.0] * 1000
    peaks = [50, 333, 600, 901]
    for place in peaks:
        numbers[place] = 1.0
    assert set(peaks) <= set(outline(numbers, 40).points())


def test_the_memory_is_bounded_by_the_limit() -> None:
    made = outline([float(place % 13) for place in range(50_000)], 40)
    assert len(made._slots) == 10
    assert made._all is None
