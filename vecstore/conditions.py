"""The words of filters, with exactly the names and fields of Qdrant's API.

A filter is made of conditions, and a condition may itself be a filter. Every class here may be replaced by
the dict of the REST API of the same shape, or by the model of Qdrant's Python client. A ``key`` is a payload
path (``vecstore.paths``). A field that holds an array matches if any element of it does, one level deep;
``key[]`` goes a level deeper.

Nothing is checked here: ``vecstore.filters.parse_filter`` does that, for all spellings alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from vecstore.models import PointId


@dataclass
class Filter:
    """Matches when every ``must`` matches, some ``should``, no ``must_not``, and ``min_should`` does.

    Each of the first three is one condition or a list of them; None and ``[]`` ask for nothing.
    """

    must: Sequence[Condition] | Condition | None = None
    should: Sequence[Condition] | Condition | None = None
    must_not: Sequence[Condition] | Condition | None = None
    min_should: MinShould | None = None


@dataclass
class MinShould:
    """Matches when at least ``min_count`` (1 or more) of the conditions do."""

    conditions: Sequence[Condition]
    min_count: int


@dataclass
class FieldCondition:
    """A condition on the values at a payload path: exactly one of the clauses after ``key``.

    ``is_empty=False`` and ``is_null=False`` match what ``is_empty=True`` and ``is_null=True`` do not.
    """

    key: str
    match: Match | None = None
    range: Range | DatetimeRange | None = None
    geo_bounding_box: GeoBoundingBox | None = None
    geo_radius: GeoRadius | None = None
    geo_polygon: GeoPolygon | None = None
    values_count: ValuesCount | None = None
    is_empty: bool | None = None
    is_null: bool | None = None


@dataclass
class MatchValue:
    """Matches this very string, integer or bool: 1, 1.0, True and "1" are four different values."""

    value: str | int | bool


@dataclass
class MatchText:
    """Matches a string that has every word of ``text``, in any order and any case."""

    text: str


@dataclass
class MatchTextAny:
    """Matches a string that has at least one word of ``text_any``, in any case."""

    text_any: str


@dataclass
class MatchPhrase:
    """Matches a string that has the words of ``phrase`` in a row, in any case."""

    phrase: str


@dataclass
class MatchPrefix:
    """Matches a string that starts with ``prefix``, case-sensitive."""

    prefix: str


@dataclass
class MatchSubstring:
    """Matches a string that contains ``substring``, case-sensitive."""

    substring: str


@dataclass
class MatchAny:
    """Matches any of these values: all strings, or all integers. An empty list matches nothing."""

    any: Sequence[str] | Sequence[int]


@dataclass
class MatchExcept:
    """Matches a value, other than null, that is none of these: all strings, or all integers."""

    except_: Sequence[str] | Sequence[int]


Match: TypeAlias = (
    MatchValue | MatchText | MatchTextAny | MatchPhrase | MatchPrefix | MatchSubstring | MatchAny | MatchExcept
)


@dataclass
class Range:
    """Matches integers and floats within every bound that is given; never bools or strings."""

    lt: float | None = None
    gt: float | None = None
    gte: float | None = None
    lte: float | None = None


@dataclass
class DatetimeRange:
    """Matches datetime strings (RFC 3339) within every bound that is given.

    A bound is a datetime, a date, a string as RFC 3339 has them, or an int: microseconds since 1970.
    Where no offset is given it is UTC.
    """

    lt: datetime | date | str | int | None = None
    gt: datetime | date | str | int | None = None
    gte: datetime | date | str | int | None = None
    lte: datetime | date | str | int | None = None


@dataclass
class GeoPoint:
    """A place on earth: ``lon`` of -180 to 180 and ``lat`` of -90 to 90 degrees."""

    lon: float
    lat: float


@dataclass
class GeoRadius:
    """Matches places less than ``radius`` metres from ``center``, along the surface of the earth."""

    center: GeoPoint
    radius: float


@dataclass
class GeoBoundingBox:
    """Matches places strictly inside the box; one whose left is east of its right spans the antimeridian."""

    top_left: GeoPoint
    bottom_right: GeoPoint


@dataclass
class GeoLineString:
    """A closed line: at least four points, the last the same as the first."""

    points: Sequence[GeoPoint]


@dataclass
class GeoPolygon:
    """Matches places inside ``exterior`` and in none of the holes ``interiors``; the lines are not inside."""

    exterior: GeoLineString
    interiors: Sequence[GeoLineString] | None = None


@dataclass
class ValuesCount:
    """Matches a number of values within every bound: an array has its length, null 0, anything else 1."""

    lt: int | None = None
    gt: int | None = None
    gte: int | None = None
    lte: int | None = None


@dataclass
class PayloadField:
    """A payload path."""

    key: str


@dataclass
class IsEmptyCondition:
    """Matches when the field is missing, null or ``[]``."""

    is_empty: PayloadField


@dataclass
class IsNullCondition:
    """Matches when the field is null, or an array with a null in it; a missing field is not null."""

    is_null: PayloadField


@dataclass
class HasIdCondition:
    """Matches the points with these ids."""

    has_id: Sequence[PointId]


@dataclass
class HasVectorCondition:
    """Matches points that have a vector of this name; the unnamed vector's name is ``""``."""

    has_vector: str


@dataclass
class Nested:
    """The objects of the array at ``key``, and what one of them has to match."""

    key: str
    filter: Filter


@dataclass
class NestedCondition:
    """Matches when one and the same object of an array matches a whole filter."""

    nested: Nested


@dataclass
class Slice:
    """Part ``index`` (from 0) of ``total`` parts that all points are spread over by a hash of their id."""

    total: int
    index: int


@dataclass
class SliceCondition:
    """Matches the points of one slice."""

    slice: Slice


Condition: TypeAlias = (
    FieldCondition
    | IsEmptyCondition
    | IsNullCondition
    | HasIdCondition
    | HasVectorCondition
    | NestedCondition
    | SliceCondition
    | Filter
)
