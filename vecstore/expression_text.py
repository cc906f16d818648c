"""Filters as the Python that makes them: what expressions print. ``vecstore.expressions`` reads it back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from vecstore.conditions import (
    DatetimeRange,
    FieldCondition,
    Filter,
    GeoLineString,
    GeoPoint,
    IsEmptyCondition,
    IsNullCondition,
    Match,
    MatchAny,
    MatchExcept,
    MatchPhrase,
    MatchPrefix,
    MatchSubstring,
    MatchText,
    MatchTextAny,
    MatchValue,
    NestedCondition,
    Range,
    ValuesCount,
)
from vecstore.filters.datetimes import format_datetime

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vecstore.conditions import Condition

_METHODS = {
    MatchAny: ("any_of", "any"),
    MatchExcept: ("none_of", "except_"),
    MatchText: ("text", "text"),
    MatchTextAny: ("text_any", "text_any"),
    MatchPhrase: ("phrase", "phrase"),
    MatchPrefix: ("prefix", "prefix"),
    MatchSubstring: ("substring", "substring"),
}
_COMPARISONS = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


class _Text(NamedTuple):
    """A piece of Python. ``is_whole``: it needs no parentheses. ``negated``: a shorter way to write ``~`` of it."""

    text: str
    is_whole: bool = True
    negated: str | None = None

    @property
    def operand(self) -> str:
        return self.text if self.is_whole else f"({self.text})"


def written(filter: Filter) -> str:  # noqa: A002 - the name the API has for it
    """A canonical filter (``vecstore.filters.parse_filter``) as an expression."""
    return _filter(filter).text


def _filter(group: Filter) -> _Text:
    parts = [_condition(condition) for condition in _listed(group.must)]
    parts += [_not(_condition(condition)) for condition in _listed(group.must_not)]
    if group.should:
        parts.append(_joined(" | ", [_condition(condition) for condition in _listed(group.should)]))
    if group.min_should:
        conditions = ", ".join(_condition(condition).text for condition in group.min_should.conditions)
        parts.append(_Text(f"Expression(min_should=MinShould([{conditions}], {group.min_should.min_count}))"))
    return _joined(" & ", parts) if parts else _Text("Expression()")


def _joined(operator: str, parts: list[_Text]) -> _Text:
    return parts[0] if len(parts) == 1 else _Text(operator.join(part.operand for part in parts), is_whole=False)


def _not(part: _Text) -> _Text:
    return _Text("~" + part.operand) if part.negated is None else _Text(part.negated, is_whole=False)


def _condition(condition: Condition) -> _Text:
    if isinstance(condition, Filter):
        return _filter(condition)
    if isinstance(condition, FieldCondition):
        return _field_condition(condition)
    if isinstance(condition, IsEmptyCondition):
        return _Text(f"field({condition.is_empty.key!r}).is_empty()")
    if isinstance(condition, IsNullCondition):
        return _Text(f"field({condition.is_null.key!r}).is_null()")
    if isinstance(condition, NestedCondition):
        return _Text(f"field({condition.nested.key!r}).nested({written(condition.nested.filter)})")
    return _Text(f"Expression({condition!r})")


def _field_condition(condition: FieldCondition) -> _Text:
    name = f"field({condition.key!r})"
    if condition.match is not None:
        return _match(name, condition.match)
    if condition.range is not None:
        return _range(name, condition.range)
    if condition.values_count is not None:
        return _bounds(f"{name}.count", _given(condition.values_count), may_equal=True)
    if condition.is_empty is not None:
        return _given_or_not(f"{name}.is_empty()", condition.is_empty)
    if condition.is_null is not None:
        return _given_or_not(f"{name}.is_null()", condition.is_null)
    return _Text(f"{name}.{_geo(condition)}")


def _given_or_not(text: str, is_given: bool) -> _Text:
    return _Text(text if is_given else "~" + text)


def _match(name: str, match: Match) -> _Text:
    if isinstance(match, MatchValue):
        return _equals(name, match.value)
    method, value = _METHODS[type(match)]
    return _Text(f"{name}.{method}({getattr(match, value)!r})")


def _equals(name: str, value: object) -> _Text:
    return _Text(f"{name} == {_value(value)}", is_whole=False, negated=f"{name} != {_value(value)}")


def _range(name: str, bounds: Range | DatetimeRange) -> _Text:
    given = _given(bounds)
    if isinstance(bounds, DatetimeRange):
        return _bounds(name, {key: _moment(value) for key, value in given.items()}, may_equal=False)
    return _bounds(name, given, may_equal=all(isinstance(value, float) for value in given.values()))


def _bounds(name: str, given: dict[str, Any], *, may_equal: bool) -> _Text:
    if given.keys() == {"gte", "lte"}:
        low, high = given["gte"], given["lte"]
        return _equals(name, low) if may_equal and low == high else _Text(f"{name}.between({_values((low, high))})")
    if len(given) == 1:
        [(key, value)] = given.items()
        return _Text(f"{name} {_COMPARISONS[key]} {_value(value)}", is_whole=False)
    bounds = ", ".join(f"{key}={_value(value)}" for key, value in given.items())
    return _Text(f"{name}.range({bounds})")


def _given(bounds: Range | DatetimeRange | ValuesCount) -> dict[str, Any]:
    found = {key: getattr(bounds, key) for key in ("gt", "gte", "lt", "lte")}
    return {key: value for key, value in found.items() if value is not None}


def _geo(condition: FieldCondition) -> str:
    if (circle := condition.geo_radius) is not None:
        return f"within_radius({_place(circle.center)}, {_value(circle.radius)})"
    if (box := condition.geo_bounding_box) is not None:
        return f"within_box({_place(box.top_left)}, {_place(box.bottom_right)})"
    polygon = condition.geo_polygon
    assert polygon is not None
    holes = ", ".join(map(_line, polygon.interiors or ()))
    return f"within_polygon({_line(polygon.exterior)}{f', [{holes}]' if holes else ''})"


def _place(place: GeoPoint) -> str:
    return repr({"lon": place.lon, "lat": place.lat})


def _line(line: GeoLineString) -> str:
    return f"[{', '.join(map(_place, line.points))}]"


def _moment(microseconds: Any) -> str:
    return format_datetime(microseconds).replace(".000000Z", "Z")


def _values(values: Iterable[object]) -> str:
    return ", ".join(map(_value, values))


def _value(value: object) -> str:
    if isinstance(value, float) and math.isinf(value):
        return f"float({str(value)!r})"
    return repr(value)


def _listed(clause: Any) -> list[Any]:
    return list(clause) if isinstance(clause, list | tuple) else [] if clause is None else [clause]
