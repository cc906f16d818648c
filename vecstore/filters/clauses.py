"""Parsing the clauses of a field condition: match, range, geo and values_count, in all their spellings.

The first generation of the API wrote ``match: {"keyword": ...}`` and ``{"integer": ...}`` for what is now
``{"value": ...}``.
"""

from __future__ import annotations

import math
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from vecstore.conditions import (
    DatetimeRange,
    GeoBoundingBox,
    GeoLineString,
    GeoPoint,
    GeoPolygon,
    GeoRadius,
    Match,
    MatchAny,
    MatchExcept,
    MatchPhrase,
    MatchPrefix,
    MatchSubstring,
    MatchText,
    MatchTextAny,
    MatchValue,
    Range,
    ValuesCount,
)
from vecstore.errors import InvalidFilter
from vecstore.filters import reading
from vecstore.filters.datetimes import EARLIEST, LATEST, microseconds_of, parse_datetime
from vecstore.limits import MAX_FILTER_BYTES
from vecstore.shapes import describe

if TYPE_CHECKING:
    from collections.abc import Callable

_BOUNDS = frozenset({"lt", "gt", "gte", "lte"})
_MINIMUM_LINE = 4
MAX_POLYGON_POINTS = MAX_FILTER_BYTES // 16

_MATCHES: dict[str, Callable[[Any, str], Match]] = {
    "value": lambda value, where: MatchValue(reading.match_value(value, where)),
    "keyword": lambda value, where: MatchValue(reading.text(value, where)),
    "integer": lambda value, where: MatchValue(reading.integer(value, where)),
    "text": lambda value, where: MatchText(reading.text(value, where)),
    "text_any": lambda value, where: MatchTextAny(reading.text(value, where)),
    "phrase": lambda value, where: MatchPhrase(reading.text(value, where)),
    "prefix": lambda value, where: MatchPrefix(reading.text(value, where)),
    "substring": lambda value, where: MatchSubstring(reading.text(value, where)),
    "any": lambda value, where: MatchAny(reading.match_values(value, where)),
    "except": lambda value, where: MatchExcept(reading.match_values(value, where)),
}
_MATCH_NAMES = frozenset(_MATCHES)


def parse_match(value: object, where: str) -> Match:
    """A match of any kind."""
    found = reading.fields(value, _MATCH_NAMES, "a match", where)
    kind, wanted = reading.one_of(found, _MATCH_NAMES, "a match", where)
    return _MATCHES[kind](wanted, f"{where}.{kind}")


def parse_range(value: object, where: str) -> Range | DatetimeRange:
    """A range of numbers, or of datetimes if its bounds are datetimes or strings."""
    found = reading.fields(value, _BOUNDS, "a range", where)
    if isinstance(value, DatetimeRange):
        # Without a bound it would be a range of numbers in the log.
        return _datetime_range(found or {"gte": EARLIEST}, where)
    of_datetimes = [isinstance(bound, str | date | np.datetime64) for bound in found.values()]
    if any(of_datetimes) and not all(of_datetimes):
        raise reading.refusal(where, "either only numbers or only datetimes", found)
    return _datetime_range(found, where) if any(of_datetimes) else _number_range(found, where)


def _number_range(found: dict[str, Any], where: str) -> Range:
    numbers = {name: reading.number(bound, f"{where}.{name}") for name, bound in found.items()}
    return Range(**{name: _of_64_bits(number, name) for name, number in numbers.items()})


def _of_64_bits(number: int | float, name: str) -> int | float:
    """A larger integer as the float that bounds the same values: no stored number lies between the two."""
    if isinstance(number, float) or reading.LOWEST <= number <= reading.HIGHEST:
        return number
    try:
        nearest = float(number)
    except OverflowError:
        nearest = math.inf if number > 0 else -math.inf
    if name in ("gt", "lte"):
        return nearest if nearest <= number else math.nextafter(nearest, -math.inf)
    return nearest if nearest >= number else math.nextafter(nearest, math.inf)


def _datetime_range(found: dict[str, Any], where: str) -> DatetimeRange:
    return DatetimeRange(**{name: _moment(bound, f"{where}.{name}") for name, bound in found.items()})


def _moment(value: object, where: str) -> int:
    found = _microseconds(value, where)
    if found is None:
        raise reading.refusal(where, "a datetime of the years 1 to 9999 (as in RFC 3339)", value)
    return found


def _microseconds(value: object, where: str) -> int | None:
    if isinstance(value, date | np.datetime64):
        return microseconds_of(value)
    if isinstance(value, str):
        return parse_datetime(reading.text(value, where))
    return reading.integer(value, where, EARLIEST, LATEST)


def parse_values_count(value: object, where: str) -> ValuesCount:
    """Bounds on a number of values."""
    found = reading.fields(value, _BOUNDS, "a values_count", where)
    return ValuesCount(**{name: reading.integer(bound, f"{where}.{name}", lowest=0) for name, bound in found.items()})


def parse_geo_radius(value: object, where: str) -> GeoRadius:
    """A center and a radius of 0 metres or more."""
    found = reading.fields(value, frozenset({"center", "radius"}), "a geo_radius", where)
    center = parse_geo_point(reading.required(found, "center", where), f"{where}.center")
    radius = reading.number(reading.required(found, "radius", where), f"{where}.radius")
    if radius < 0:
        raise reading.refusal(f"{where}.radius", "0 metres or more", radius)
    return GeoRadius(center, _of_64_bits(radius, "lt"))


def parse_geo_bounding_box(value: object, where: str) -> GeoBoundingBox:
    """Two corners."""
    names = ("top_left", "bottom_right")
    found = reading.fields(value, frozenset(names), "a geo_bounding_box", where)
    return GeoBoundingBox(*(parse_geo_point(reading.required(found, name, where), f"{where}.{name}") for name in names))


def parse_geo_polygon(value: object, where: str) -> GeoPolygon:
    """An exterior, and any number of interiors."""
    found = reading.fields(value, frozenset({"exterior", "interiors"}), "a geo_polygon", where)
    exterior = _line(reading.required(found, "exterior", where), f"{where}.exterior")
    if "interiors" not in found:
        return GeoPolygon(exterior)
    interiors: list[GeoLineString] = []
    points = 0
    for i, item in enumerate(reading.items(found["interiors"], f"{where}.interiors")):
        interiors.append(_line(item, f"{where}.interiors[{i}]"))
        points += len(interiors[-1].points)
        if points > MAX_POLYGON_POINTS:  # one line may stand here any number of times
            raise InvalidFilter(f"{where}: expected at most {MAX_POLYGON_POINTS} points, got more")
    return GeoPolygon(exterior, interiors)


def _line(value: object, where: str) -> GeoLineString:
    found = reading.fields(value, frozenset({"points"}), "a line", where)
    given = reading.items(reading.required(found, "points", where), f"{where}.points")
    points = [parse_geo_point(p, f"{where}.points[{i}]") for i, p in enumerate(islice(given, MAX_POLYGON_POINTS + 1))]
    if len(points) > MAX_POLYGON_POINTS:
        raise InvalidFilter(f"{where}.points: expected at most {MAX_POLYGON_POINTS} points, got more")
    if len(points) < _MINIMUM_LINE or points[0] != points[-1]:
        raise InvalidFilter(
            f"{where}.points: expected {_MINIMUM_LINE} points or more, the last the same as the first, "
            f"got {len(points)}: {describe(points)}"
        )
    return GeoLineString(points)


def parse_geo_point(value: object, where: str) -> GeoPoint:
    """A place on earth."""
    found = reading.fields(value, frozenset({"lon", "lat"}), "a geo point", where)
    lon = _degrees(reading.required(found, "lon", where), 180, f"{where}.lon")
    return GeoPoint(lon, _degrees(reading.required(found, "lat", where), 90, f"{where}.lat"))


def _degrees(value: object, limit: int, where: str) -> float:
    degrees = reading.number(value, where)
    if not -limit <= degrees <= limit:
        raise reading.refusal(where, f"-{limit} to {limit} degrees", value)
    return float(degrees)
