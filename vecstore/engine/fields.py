"""Field conditions: which index answers which clause, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from vecstore.conditions import (
    DatetimeRange,
    FieldCondition,
    Match,
    MatchAny,
    MatchExcept,
    MatchPhrase,
    MatchPrefix,
    MatchText,
    MatchTextAny,
    MatchValue,
    Range,
)
from vecstore.engine import places
from vecstore.engine.answers import Counts, Except, HeadRange, Node, Postings, Reader, Strings, Words
from vecstore.engine.found import Found, exactly
from vecstore.filters.matching import string_check, within
from vecstore.filters.text import words
from vecstore.models import PayloadSchemaType
from vecstore.storage import terms
from vecstore.storage.catalog import Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vecstore.storage.catalog import Catalog, Index
    from vecstore.storage.indexes import Interval

Wanted: TypeAlias = "tuple[str, PayloadSchemaType]"
"""The path and the type of an index that would have answered."""

_HIGHEST = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Fields:
    """The indexes of one state, and what was ``missing`` among them."""

    reader: Reader
    catalog: Catalog
    missing: list[Wanted] = field(default_factory=list)

    def index(self, path: str, wanted: PayloadSchemaType) -> Index | None:
        """The index that answers for a type, if it has all points."""
        found = self.catalog.find(path, kind_of(wanted))
        if found is None:
            self.missing.append((path, wanted))
        return found if found is not None and found.ready else None


class Opposite(Node):
    """The points that do not match another node."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.reader)
        self._node = node

    def found(self) -> Found:  # noqa: D102
        space = self.reader.space
        return space.excluded(exactly(space.live()), self._node.found())


def field_node(fields: Fields, condition: FieldCondition) -> Node:
    """The node of a field condition: by itself one of which nothing is known, where no index answers it."""
    index = fields.index(condition.key, type_for(condition))
    if index is not None:
        return _answered(fields.reader, index, condition)
    if isinstance(condition.match, MatchText | MatchTextAny | MatchPhrase):
        scalars = fields.catalog.find(condition.key, Kind.SCALARS)
        if scalars is not None and scalars.ready:
            return Strings(fields.reader, scalars, b"", string_check(condition.match))
    return Node(fields.reader)


def type_for(condition: FieldCondition) -> PayloadSchemaType:
    """What an index has to be to answer a condition."""
    if condition.match is not None:
        return _type_for_match(condition.match)
    if isinstance(condition.range, DatetimeRange):
        return PayloadSchemaType.DATETIME
    if condition.range is not None:
        bounds = (condition.range.lt, condition.range.gt, condition.range.gte, condition.range.lte)
        whole = all(bound is None or float(bound).is_integer() for bound in bounds)
        return PayloadSchemaType.INTEGER if whole else PayloadSchemaType.FLOAT
    if condition.geo_radius or condition.geo_bounding_box or condition.geo_polygon:
        return PayloadSchemaType.GEO
    return PayloadSchemaType.KEYWORD


def _type_for_match(match: Match) -> PayloadSchemaType:
    if isinstance(match, MatchText | MatchTextAny | MatchPhrase):
        return PayloadSchemaType.TEXT
    value: object = match.value if isinstance(match, MatchValue) else None
    if isinstance(match, MatchAny | MatchExcept):
        value = next(iter(match.any if isinstance(match, MatchAny) else match.except_), None)
    if isinstance(value, bool):
        return PayloadSchemaType.BOOL
    return PayloadSchemaType.INTEGER if isinstance(value, int) else PayloadSchemaType.KEYWORD


def _answered(reader: Reader, index: Index, condition: FieldCondition) -> Node:
    if condition.match is not None:
        return _match_node(reader, index, condition.match)
    if isinstance(condition.range, DatetimeRange):
        moments = _moments(condition.range)
        return HeadRange(reader, index, terms.DATETIME, moments, moments)
    if condition.range is not None:
        return HeadRange(reader, index, terms.NUMBER, *_numbers(condition.range))
    if condition.values_count is not None:
        return Counts(reader, index, within(condition.values_count))
    if condition.is_empty is not None:
        empty = Postings(reader, [index.prefix + terms.MISSING, index.prefix + terms.EMPTY])
        return empty if condition.is_empty else Opposite(empty)
    if condition.is_null is not None:
        null = Postings(reader, [index.prefix + terms.NULL])
        return null if condition.is_null else Opposite(null)
    return places.Places(reader, index, _shape(condition))


def _shape(condition: FieldCondition) -> places.Shape:
    if condition.geo_radius is not None:
        return places.radius(condition.geo_radius)
    if condition.geo_bounding_box is not None:
        return places.box(condition.geo_bounding_box)
    assert condition.geo_polygon is not None
    return places.polygon(condition.geo_polygon)


# -- matches ----------------------------------------------------------------------------------------------------


def _match_node(reader: Reader, index: Index, match: Match) -> Node:
    if isinstance(match, MatchValue):
        return Postings(reader, [_key(index, match.value)])
    if isinstance(match, MatchAny):
        return Postings(reader, _keys(index, match.any))
    if isinstance(match, MatchExcept):
        return Except(reader, index, _keys(index, match.except_))
    if isinstance(match, MatchText):
        return Words(reader, index, _words(index, match.text), phrase=False)
    if isinstance(match, MatchTextAny):
        return Postings(reader, _words(index, match.text_any))
    if isinstance(match, MatchPhrase):
        return Words(reader, index, _words(index, match.phrase), phrase=len(words(match.phrase)) > 1)
    start = match.prefix.encode() if isinstance(match, MatchPrefix) else b""
    return Strings(reader, index, start, string_check(match))


def _keys(index: Index, values: Sequence[str] | Sequence[int]) -> list[bytes]:
    return list(dict.fromkeys(_key(index, value) for value in values))


def _key(index: Index, value: str | int | bool) -> bytes:
    if isinstance(value, str):
        return index.prefix + terms.STRING + terms.cut(value.encode())
    if isinstance(value, bool):
        return index.prefix + terms.BOOL + bytes([value])
    return index.prefix + terms.INTEGER + terms.integer_key(value)


def _words(index: Index, text: str) -> list[bytes]:
    return [index.prefix + terms.WORD + terms.cut(word.encode()) for word in dict.fromkeys(words(text))]


# -- ranges -----------------------------------------------------------------------------------------------------


def _lower(bound: float, strict: bool) -> Interval:
    """The first head for sure, and the first that may be, above a bound on numbers."""
    head = terms.number_head(bound)
    # A large double stands for several integers, on both sides of the bound.
    return (head + 1, head) if abs(float(bound)) >= terms.EXACT_BELOW else (head + strict, head + strict)


def _upper(bound: float, strict: bool) -> Interval:
    head = terms.number_head(bound)
    return (head - 1, head) if abs(float(bound)) >= terms.EXACT_BELOW else (head - strict, head - strict)


def _numbers(bounds: Range) -> tuple[Interval, Interval]:
    """The heads that are in the range for sure, and those that may be."""
    lower = [_lower(bound, strict) for bound, strict in ((bounds.gte, False), (bounds.gt, True)) if bound is not None]
    upper = [_upper(bound, strict) for bound, strict in ((bounds.lte, False), (bounds.lt, True)) if bound is not None]
    sure = (max((first for first, _ in lower), default=0), min((last for last, _ in upper), default=_HIGHEST))
    maybe = (max((first for _, first in lower), default=0), min((last for _, last in upper), default=_HIGHEST))
    return sure, maybe


def _moments(bounds: DatetimeRange) -> Interval:
    """The heads in a range of microseconds."""
    lower = [bound + strict for bound, strict in ((bounds.gte, 0), (bounds.gt, 1)) if isinstance(bound, int)]
    upper = [bound - strict for bound, strict in ((bounds.lte, 0), (bounds.lt, 1)) if isinstance(bound, int)]
    first = max(map(terms.datetime_head, lower), default=0)
    return first, min(map(terms.datetime_head, upper), default=_HIGHEST)
