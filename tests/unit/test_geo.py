"""Positions, rings, boxes."""

from itertools import pairwise
from math import nan

import pytest

from ic3.domain.geo import (
    Box,
    distance_to_line_m,
    fault_of,
    is_within,
    middle,
    polygon_geometry,
    polygons_of,
)

SQUARE = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0], [0.0, 0.0]]
HOLE = [[1.0, 1.0], [3.0, 1.0], [3.0, 3.0], [1.0, 3.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("longitude", "latitude", "why"),
    [
        (None, 28.6, "no coordinates"),
        (77.1, None, "no coordinates"),
        (nan, 28.6, "not a number"),
        (float("inf"), 28.6, "not a number"),
        (181.0, 28.6, "out of range"),
        (77.1, -90.1, "out of range"),
        (0.0, 0.0, "zero"),
        (28.6, 77.1, "outside the service area"),
        (77.1, 28.6, None),
    ],
)
def test_absurd_positions_have_a_reason(
    longitude: float | None, latitude: float | None, why: str | None
) -> None:
    assert fault_of(longitude, latitude, Box(76, 28, 78, 29)) == why


def test_exterior_rings_run_counter_clockwise_and_holes_clockwise() -> None:
    for outer in (SQUARE, SQUARE[::-1], SQUARE[:-1]):
        for inner in (HOLE, HOLE[::-1]):
            [polygon] = polygons_of({"type": "Polygon", "coordinates": [outer, inner]})
            assert [_area(each) > 0 for each in polygon] == [True, False]
            assert all(each[0] == each[-1] for each in polygon)


def test_several_polygons_stay_several() -> None:
    given = {"type": "MultiPolygon", "coordinates": [[SQUARE], [HOLE[::-1]]]}
    found = polygon_geometry(polygons_of(given))
    assert found is not None
    assert found["type"] == "MultiPolygon"
    assert polygon_geometry(()) is None


@pytest.mark.parametrize(
    "geometry",
    [
        None, 3, [], {}, {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": None}, {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[]]}, {"type": "Polygon", "coordinates": [[[1, 2]]]},
        {"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [1, 2], [1, 2]]]},
        {"type": "Polygon", "coordinates": [[["a", 2], [3, 4], [1, 9]]]},
        {"type": "Polygon", "coordinates": [[[200, 2], [3, 4], [1, 9]]]},
        {"type": "MultiPolygon", "coordinates": [1]}, {"type": "Polygon", "coordinates": "x"},
    ],
)  # fmt: skip
def test_what_is_no_polygon_is_none(geometry: object) -> None:
    assert polygons_of(geometry) == ()


def test_a_hole_is_not_inside() -> None:
    [polygon] = polygons_of({"type": "Polygon", "coordinates": [SQUARE, HOLE]})
    assert is_within((0.5, 0.5), polygon)
    assert not is_within((2, 2), polygon)
    assert not is_within((5, 2), polygon)


def test_boxes_meet_lines_that_only_pass_through() -> None:
    box = Box(1, 1, 2, 2)
    assert box.meets_line(((0, 0), (3, 3)))
    assert box.meets_line(((1.5, 1.5),))
    assert not box.meets_line(((0, 0), (0, 3)))
    assert not box.meets_line(((0, 2.5), (2.5, 5)))


def test_boxes_meet_areas_that_surround_them_and_not_their_holes() -> None:
    [polygon] = polygons_of({"type": "Polygon", "coordinates": [SQUARE, HOLE]})
    assert Box(0.2, 0.2, 0.8, 0.8).meets_polygon(polygon)
    assert not Box(1.5, 1.5, 2.5, 2.5).meets_polygon(polygon)
    assert Box(-9, -9, 9, 9).meets_polygon(polygon)


def test_a_box_across_the_date_line() -> None:
    box = Box(170, -20, -170, 20)
    assert box.holds((175, 0))
    assert box.holds((-175, 0))
    assert not box.holds((0, 0))
    assert box.meets_line(((-172, 0), (-160, 0)))
    assert not box.meets_line(((-160, 0), (-150, 0)))


def test_the_sign_of_an_area_stands_in_its_middle() -> None:
    assert middle(polygons_of({"type": "Polygon", "coordinates": [SQUARE]})) == (2.0, 2.0)


def test_metres_to_a_line() -> None:
    line = ((77.0, 28.0), (77.1, 28.0))
    assert distance_to_line_m((77.05, 28.001), line) == pytest.approx(111.3, abs=0.1)
    assert distance_to_line_m((77.05, 28.0), line) == pytest.approx(0, abs=0.1)


def _area(ring: tuple[tuple[float, float], ...]) -> float:
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring))
