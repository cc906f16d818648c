"""Places on earth: which stored values are places, and which places lie inside a shape.

A stored value is a place if it is an object whose ``lon`` and ``lat`` are finite numbers. Distances are
metres along a sphere, by the haversine formula. What lies in a polygon is decided exactly, whatever the
rounding: in floating point with a bound on its error, and for places closer to a line in rational numbers.

Source: Qdrant and the ``geo`` crate it uses (winding numbers; a point on a line is not inside).
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vecstore.conditions import GeoBoundingBox, GeoLineString, GeoPoint, GeoPolygon, GeoRadius

Place: TypeAlias = tuple[float, float]
"""``(lon, lat)`` in degrees."""

Line: TypeAlias = tuple[Place, Place]

EARTH_RADIUS = 6_371_008.8

# J. R. Shewchuk's bound for the sign of a 2 x 2 determinant of differences: (3 + 16 e) e with e = 2**-53.
_ORIENTATION_ERROR = (3 + 16 * 2**-53) * 2**-53


def place_of(value: Any) -> Place | None:
    """The place a stored value is, or None."""
    if not isinstance(value, dict):
        return None
    lon, lat = value.get("lon"), value.get("lat")
    if _is_coordinate(lon) and _is_coordinate(lat):
        return lon, lat
    return None


def _is_coordinate(value: Any) -> TypeGuard[float]:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def within_radius(condition: GeoRadius) -> Callable[[Place], bool]:
    """Whether a place is less than the radius from the center."""
    center, radius = _place(condition.center), condition.radius
    return lambda place: haversine(center, place) < radius


def haversine(start: Place, end: Place) -> float:
    """The distance of two places in metres."""
    lon1, lat1, lon2, lat2 = map(math.radians, (*start, *end))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    half = min(max(half, 0.0), 1.0)  # rounding takes antipodes past 1
    return EARTH_RADIUS * 2 * math.asin(math.sqrt(half))


def within_box(condition: GeoBoundingBox) -> Callable[[Place], bool]:
    """Whether a place is strictly inside; a box whose left is east of its right spans the antimeridian."""
    left, top = _place(condition.top_left)
    right, bottom = _place(condition.bottom_right)
    if left > right:
        return lambda place: (place[0] > left or place[0] < right) and bottom < place[1] < top
    return lambda place: left < place[0] < right and bottom < place[1] < top


def within_polygon(condition: GeoPolygon) -> Callable[[Place], bool]:
    """Whether a place is inside the exterior, outside of every interior, and on none of the lines."""
    exterior = _ring(condition.exterior)
    interiors = [_ring(interior) for interior in condition.interiors or ()]

    def check(place: Place) -> bool:
        return _winding(place, exterior) not in (0, None) and all(
            _winding(place, interior) == 0 for interior in interiors
        )

    return check


def _ring(line: GeoLineString) -> list[Line]:
    return list(pairwise(_place(point) for point in line.points))


def _place(point: GeoPoint) -> Place:
    return point.lon, point.lat


def _winding(place: Place, ring: Sequence[Line]) -> int | None:
    """How often a closed ring goes round a place; None when the place is on it."""
    x, y = place
    winding = 0
    for start, end in ring:
        if not min(start[1], end[1]) <= y <= max(start[1], end[1]):
            continue
        side = _orientation(start, end, place)
        if side == 0 and min(start[0], end[0]) <= x <= max(start[0], end[0]):
            return None
        # Half-open: a corner at the height of the place belongs to one of its two lines only.
        if side > 0 and start[1] <= y < end[1]:
            winding += 1
        elif side < 0 and end[1] <= y < start[1]:
            winding -= 1
    return winding


def _orientation(start: Place, end: Place, place: Place) -> float:
    """More than 0 when ``place`` is left of the line from start to end, less when right of it, else 0."""
    left = (start[0] - place[0]) * (end[1] - place[1])
    right = (start[1] - place[1]) * (end[0] - place[0])
    side = left - right
    if abs(side) > _ORIENTATION_ERROR * (abs(left) + abs(right)):
        return side
    return _exact_orientation(start, end, place)


def _exact_orientation(start: Place, end: Place, place: Place) -> int:
    (x1, y1), (x2, y2), (x, y) = (map(Fraction, point) for point in (start, end, place))
    side = (x1 - x) * (y2 - y) - (y1 - y) * (x2 - x)
    return (side > 0) - (side < 0)
