"""Places on the earth: positions that can be true, rings the right way round, boxes.

Source:
    RFC 7946: longitude before latitude, exterior rings counter-clockwise, no other reference
    system than WGS 84.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import cos, hypot, isfinite, radians
from typing import Any, Final, NamedTuple

METRES_A_DEGREE: Final = 111_320.0
# Of a box of the plant, when none is configured: what lies further off was typed wrongly.
AROUND_DEGREES: Final = 0.5

Position = tuple[float, float]
Ring = tuple[Position, ...]
Polygon = tuple[Ring, ...]


class Box(NamedTuple):
    """West, south, east, north in degrees; one whose west is greater crosses the date line."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, position: Position) -> bool:
        """Whether a position lies in it or on its edge."""
        longitude, latitude = position
        if not self.south <= latitude <= self.north:
            return False
        if self.west <= self.east:
            return self.west <= longitude <= self.east
        return longitude >= self.west or longitude <= self.east

    def parts(self) -> "tuple[Box, ...]":
        """Itself, or its two halves on either side of the date line."""
        if self.west <= self.east:
            return (self,)
        return (self._replace(east=180.0), self._replace(west=-180.0))

    def grown(self, degrees: float) -> "Box":
        """The same with a margin."""
        return Box(
            self.west - degrees, self.south - degrees, self.east + degrees, self.north + degrees
        )

    def meets_line(self, line: Sequence[Position]) -> bool:
        """Whether any part of a line lies in it."""
        if len(line) == 1:
            return self.holds(line[0])
        return any(
            _crosses(part, start, end) for part in self.parts() for start, end in pairwise(line)
        )

    def meets_polygon(self, polygon: Polygon) -> bool:
        """Whether any part of a polygon's surface lies in it."""
        if any(self.meets_line(ring) for ring in polygon):
            return True
        return any(is_within((part.west, part.south), polygon) for part in self.parts())


def box_of(positions: Iterable[Position]) -> Box | None:
    """The smallest box around positions; None around nothing."""
    found = list(positions)
    if not found:
        return None
    xs, ys = [each[0] for each in found], [each[1] for each in found]
    return Box(min(xs), min(ys), max(xs), max(ys))


def fault_of(longitude: float | None, latitude: float | None, area: Box | None) -> str | None:
    """Why a position cannot be drawn; None where it can.

    Args:
        longitude: Degrees east.
        latitude: Degrees north.
        area: Where the plant is; None where that is not known.
    """
    if longitude is None or latitude is None:
        return "no coordinates"
    if not (isfinite(longitude) and isfinite(latitude)):
        return "not a number"
    if abs(longitude) > 180 or abs(latitude) > 90:
        return "out of range"
    if longitude == 0 and latitude == 0:
        return "zero"
    if area is not None and not area.holds((longitude, latitude)):
        return "outside the service area"
    return None


def is_position(longitude: object, latitude: object) -> bool:
    """Whether two figures of a document are degrees."""
    return (
        type(longitude) in {int, float}
        and type(latitude) in {int, float}
        and fault_of(float(longitude), float(latitude), None) in {None, "zero"}  # type: ignore[arg-type]
    )


def polygons_of(geometry: Any) -> tuple[Polygon, ...]:
    """The polygons of a GeoJSON Polygon or MultiPolygon, rings closed and the right way round.

    Returns:
        Nothing where it is not such a geometry, or has a ring that bounds no surface.
    """
    if not isinstance(geometry, dict):
        return ()
    coordinates = geometry.get("coordinates")
    if geometry.get("type") == "Polygon":
        coordinates = [coordinates]
    elif geometry.get("type") != "MultiPolygon":
        return ()
    try:
        found = tuple(_polygon(each) for each in coordinates or ())
    except (TypeError, ValueError, IndexError):
        return ()
    return found if all(found) else ()


def polygon_geometry(polygons: Sequence[Polygon]) -> dict[str, object] | None:
    """GeoJSON of polygons; None of none."""
    if not polygons:
        return None
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def is_within(position: Position, polygon: Polygon) -> bool:
    """Whether a position lies on a polygon's surface, its holes left out."""
    return sum(_is_around(ring, position) for ring in polygon) % 2 == 1


def middle(polygons: Sequence[Polygon]) -> Position:
    """A position for a sign: the centroid of the largest exterior ring."""
    ring = max((each[0] for each in polygons), key=lambda each: abs(_area(each)))
    area = _area(ring)
    x0, y0 = ring[0]
    x = y = 0.0
    for (x1, y1), (x2, y2) in _sides(ring):
        cross = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        x += (x1 + x2 - 2 * x0) * cross
        y += (y1 + y2 - 2 * y0) * cross
    return round(x0 + x / (6 * area), 7), round(y0 + y / (6 * area), 7)


def distance_m(start: Position, end: Position) -> float:
    """Metres between two positions that are near each other."""
    return hypot(*_metres(start, end))


def distance_to_line_m(position: Position, line: Sequence[Position]) -> float:
    """Metres from a position to the nearest point of a line near it."""
    places = [_metres(position, each) for each in line]
    if len(places) == 1:
        return hypot(*places[0])
    return min(_to_origin_m(a, b) for a, b in pairwise(places))


def _metres(origin: Position, position: Position) -> Position:
    scale = METRES_A_DEGREE * cos(radians(origin[1]))
    return (position[0] - origin[0]) * scale, (position[1] - origin[1]) * METRES_A_DEGREE


def _to_origin_m(start: Position, end: Position) -> float:
    x, y = end[0] - start[0], end[1] - start[1]
    length = x * x + y * y
    at = 0.0 if length == 0 else min(1.0, max(0.0, -(start[0] * x + start[1] * y) / length))
    return hypot(start[0] + at * x, start[1] + at * y)


def _polygon(rings: Any) -> Polygon:
    return tuple(_ring(ring, clockwise=number > 0) for number, ring in enumerate(rings))


def _ring(coordinates: Any, *, clockwise: bool) -> Ring:
    """One ring, closed and turned.

    Raises:
        ValueError: It is none.
    """
    if not all(is_position(each[0], each[1]) for each in coordinates):
        raise ValueError("not degrees")
    ring = [(float(each[0]), float(each[1])) for each in coordinates]
    if ring[0] != ring[-1]:
        ring.append(ring[0])
    area = _area(ring)
    if len(ring) < 4 or area == 0:
        raise ValueError("no surface")
    return tuple(ring if (area < 0) == clockwise else reversed(ring))


def _area(ring: Sequence[Position]) -> float:
    """Signed surface in square degrees, positive where the ring runs counter-clockwise."""
    x0, y0 = ring[0]
    return 0.5 * sum(
        (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0) for (x1, y1), (x2, y2) in _sides(ring)
    )


def _sides(ring: Sequence[Position]) -> Iterator[tuple[Position, Position]]:
    return pairwise(ring)


def _is_around(ring: Ring, position: Position) -> bool:
    """Whether a ray eastwards crosses the ring an odd number of times."""
    x, y = position
    inside = False
    for (x1, y1), (x2, y2) in _sides(ring):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def _crosses(box: Box, start: Position, end: Position) -> bool:
    """Whether a segment meets a box, by clipping it at the four edges (Liang and Barsky)."""
    enters, leaves = 0.0, 1.0
    for from_, to, low, high in (
        (start[0], end[0], box.west, box.east),
        (start[1], end[1], box.south, box.north),
    ):
        run = to - from_
        if run == 0:
            if not low <= from_ <= high:
                return False
            continue
        near, far = sorted(((low - from_) / run, (high - from_) / run))
        enters, leaves = max(enters, near), min(leaves, far)
    return enters <= leaves
