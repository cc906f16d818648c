"""Places: geo conditions on an indexed field.

The index has places to within ``terms.PLACE_ERROR`` degrees (5 mm); what lies closer than that to a line, or is
not on the map at all, is left to be looked at. Of a polygon the index knows the box around it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.engine.answers import Node, Reader
from vecstore.engine.found import Found, exactly
from vecstore.filters.geo import EARTH_RADIUS
from vecstore.storage import terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from vecstore.conditions import GeoBoundingBox, GeoPolygon, GeoRadius
    from vecstore.storage.catalog import Index

Degrees: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Span: TypeAlias = tuple[float, float]

METRES = 1.0
"""Distances closer than this to a radius are looked at again. Near antipodes haversine is off by 0.2 m."""
AXIS_BITS = 12
"""A bucket of places is a square of 360 and 180 / 2**12 degrees."""
MOST_BUCKETS = 4096
"""Buckets that are named one by one (0.3 us each); more than that, and those that exist are walked."""

_EDGE = 4 * terms.PLACE_ERROR
_ALL_BUCKETS = (b"\0\0\0", b"\xff\xff\xff")


@dataclass(frozen=True, slots=True)
class Shape:
    """Where to look (spans of longitudes, a span of latitudes), and what is inside: for sure, and maybe."""

    lons: list[Span]
    lats: Span
    inside: Callable[[Degrees, Degrees], tuple[Mask, Mask]]


class Places(Node):
    """The points with a place inside a shape."""

    def __init__(self, reader: Reader, index: Index, shape: Shape) -> None:
        super().__init__(reader)
        self._index, self._shape = index, shape

    def found(self) -> Found:  # noqa: D102
        heads, slots = self.reader.indexes.entries(self.reader.txn, self._buckets())
        sure, maybe = self._shape.inside(*terms.places_of(heads))
        odd = self.reader.slots(self._index.prefix + terms.ODD)
        distinct = self.reader.space.distinct
        found = distinct([slots[sure]])
        if not len(odd) and sure.sum() == maybe.sum():
            return exactly(found)
        return Found(found, distinct([slots[maybe], odd]))

    def _buckets(self) -> list[bytes]:
        prefix = self._index.prefix + terms.PLACE
        keys = named_buckets(self._shape)
        if keys is not None:
            return [prefix + key for key in keys]
        return [key for key, _ in self.reader.indexes.buckets(self.reader.txn, prefix, *_ALL_BUCKETS)]


def named_buckets(shape: Shape) -> list[bytes] | None:
    """The buckets a shape touches, ascending; None when they are too many to name."""
    columns = np.unique(np.concatenate([_cells(span, 360.0) for span in shape.lons]))
    rows = _cells(shape.lats, 180.0)
    if len(columns) * len(rows) > MOST_BUCKETS:
        return None
    codes = terms.spread(columns)[:, None] << np.uint64(1) | terms.spread(rows)[None, :]
    return [int(code).to_bytes(3, "big") for code in np.sort(codes, axis=None)]


def _cells(span: Span, degrees: float) -> npt.NDArray[np.uint64]:
    """The columns or rows of buckets that a span touches; ``degrees``: from one end of the map to the other."""
    cells = 1 << AXIS_BITS
    first, last = (math.floor((at + degrees / 2) / degrees * cells) for at in (span[0] - _EDGE, span[1] + _EDGE))
    return np.arange(max(0, first), min(cells - 1, last) + 1, dtype=np.uint64)


def radius(condition: GeoRadius) -> Shape:
    """Less than the radius from the center."""
    lon, lat, limit = condition.center.lon, condition.center.lat, condition.radius

    def inside(lons: Degrees, lats: Degrees) -> tuple[Mask, Mask]:
        distances = _haversine(lon, lat, lons, lats)
        return distances < limit - METRES, distances < limit + METRES

    reach = math.degrees((limit + METRES) / EARTH_RADIUS) if math.isfinite(limit) else 360.0
    lats = (max(-90.0, lat - reach), min(90.0, lat + reach))
    return Shape(_around(lon, lat, reach), lats, inside)


def _around(lon: float, lat: float, reach: float) -> list[Span]:
    """The longitudes within ``reach`` degrees of a place, measured along the sphere."""
    if abs(lat) + reach >= 90:  # a pole is within reach
        return [(-180.0, 180.0)]
    wide = math.degrees(math.asin(math.sin(math.radians(reach)) / math.cos(math.radians(lat))))
    spans = [(lon - wide, lon + wide)]
    if lon - wide < -180:
        spans.append((lon - wide + 360, 180.0))
    if lon + wide > 180:
        spans.append((-180.0, lon + wide - 360))
    # 180 and -180 are one meridian, whichever of the two is said.
    return [*spans, (-180.0, -180.0), (180.0, 180.0)]


def _haversine(lon: float, lat: float, lons: Degrees, lats: Degrees) -> Degrees:
    lon1, lat1, lon2, lat2 = math.radians(lon), math.radians(lat), np.radians(lons), np.radians(lats)
    half = np.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    distances: Degrees = 2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))
    return distances


def box(condition: GeoBoundingBox) -> Shape:
    """Strictly inside two corners; a box whose left is east of its right spans the antimeridian."""
    left, top = condition.top_left.lon, condition.top_left.lat
    right, bottom = condition.bottom_right.lon, condition.bottom_right.lat

    def within(lons: Degrees, lats: Degrees, edge: float) -> Mask:
        east, west = lons > left + edge, lons < right - edge
        across: Mask = (east | west) if left > right else (east & west)
        return across & (lats > bottom + edge) & (lats < top - edge)

    spans = [(left, 180.0), (-180.0, right)] if left > right else [(left, right)]
    return Shape(spans, (bottom, top), lambda lons, lats: (within(lons, lats, _EDGE), within(lons, lats, -_EDGE)))


def polygon(condition: GeoPolygon) -> Shape:
    """The box around the exterior; none of it is sure."""
    corners = condition.exterior.points
    lons, lats = [corner.lon for corner in corners], [corner.lat for corner in corners]
    left, right, bottom, top = min(lons), max(lons), min(lats), max(lats)

    def inside(x: Degrees, y: Degrees) -> tuple[Mask, Mask]:
        maybe = (x > left - _EDGE) & (x < right + _EDGE) & (y > bottom - _EDGE) & (y < top + _EDGE)
        return np.zeros(len(x), dtype=np.bool_), maybe

    return Shape([(left, right)], (bottom, top), inside)
