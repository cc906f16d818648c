"""What the clauses of a field condition do with the values at its path.

A *check* takes one stored value. The values of a path are looked into one level deep: an array matches if any
of its elements does, and an array in that array is a value like any other. Nulls, and so missing fields, pass
no check.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

from vecstore.conditions import (
    DatetimeRange,
    FieldCondition,
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
from vecstore.filters import geo
from vecstore.filters.datetimes import parse_datetime
from vecstore.filters.text import phrase, words
from vecstore.paths import Path, parse_path, values_at

Payload: TypeAlias = dict[str, Any]
Check: TypeAlias = Callable[[Any], bool]
PayloadCheck: TypeAlias = Callable[[Payload], bool]


def field_check(condition: FieldCondition) -> PayloadCheck:
    """The check of a whole payload that a field condition stands for."""
    if condition.is_empty is not None:
        return _equals(is_empty(condition.key), condition.is_empty)
    if condition.is_null is not None:
        return _equals(is_null(condition.key), condition.is_null)
    if condition.values_count is not None:
        return values_count(condition.key, condition.values_count)
    return _any_value(parse_path(condition.key), _value_check(condition))


def _equals(check: PayloadCheck, wanted: bool) -> PayloadCheck:
    return check if wanted else lambda payload: not check(payload)


def is_empty(key: str) -> PayloadCheck:
    """Whether every value at the path, if there is one, is null or ``[]``."""
    values = _selector(parse_path(key))
    return lambda payload: all(value is None or value == [] for value in values(payload))


def is_null(key: str) -> PayloadCheck:
    """Whether a value at the path is null, or an array with a null in it."""
    values = _selector(parse_path(key))
    return lambda payload: any(
        value is None or (isinstance(value, list) and None in value) for value in values(payload)
    )


def values_count(key: str, condition: ValuesCount) -> PayloadCheck:
    """Whether one value at the path has a count within all bounds; a missing field has the count 0."""
    values, check = _selector(parse_path(key)), within(condition)
    return lambda payload: any(check(_count(value)) for value in values(payload) or (None,))


def _count(value: Any) -> int:
    if value is None:
        return 0
    return len(value) if isinstance(value, list) else 1


def _selector(path: Path) -> Callable[[Payload], list[Any]]:
    return lambda payload: values_at(payload, path)


def _any_value(path: Path, check: Check) -> PayloadCheck:
    if len(path) == 1:
        return _any_at_key(path[0], check)
    if all(isinstance(step, str) for step in path):
        return _any_at_keys(path, check)
    return lambda payload: any(_holds(value, check) for value in values_at(payload, path))


def _any_at_key(key: Any, check: Check) -> PayloadCheck:
    def at_key(payload: Payload) -> bool:
        value = payload.get(key)
        return any(map(check, value)) if isinstance(value, list) else check(value)

    return at_key


def _any_at_keys(keys: tuple[Any, ...], check: Check) -> PayloadCheck:
    def at_keys(payload: Payload) -> bool:
        value: Any = payload
        for key in keys:
            if not isinstance(value, dict):
                return False
            value = value.get(key)
        return _holds(value, check)

    return at_keys


def _holds(value: Any, check: Check) -> bool:
    return any(map(check, value)) if isinstance(value, list) else check(value)


def _value_check(condition: FieldCondition) -> Check:
    if condition.match is not None:
        return _match_check(condition.match)
    if condition.range is not None:
        return _range_check(condition.range)
    if condition.geo_radius is not None:
        return _place_check(geo.within_radius(condition.geo_radius))
    if condition.geo_bounding_box is not None:
        return _place_check(geo.within_box(condition.geo_bounding_box))
    assert condition.geo_polygon is not None
    return _place_check(geo.within_polygon(condition.geo_polygon))


def _place_check(inside: Callable[[geo.Place], bool]) -> Check:
    def check(value: Any) -> bool:
        place = geo.place_of(value)
        return place is not None and inside(place)

    return check


def _range_check(condition: Range | DatetimeRange) -> Check:
    inside = within(condition)
    if isinstance(condition, Range):
        return lambda value: type(value) in (int, float) and inside(value)

    def check(value: Any) -> bool:
        moment = parse_datetime(value) if isinstance(value, str) else None
        return moment is not None and inside(moment)

    return check


def within(bounds: Range | DatetimeRange | ValuesCount) -> Check:
    """Whether a number is within all bounds that are given."""
    given = [
        (compare, bound)
        for compare, bound in (
            (operator.lt, bounds.lt),
            (operator.gt, bounds.gt),
            (operator.ge, bounds.gte),
            (operator.le, bounds.lte),
        )
        if bound is not None
    ]

    def check(value: Any) -> bool:
        for compare, bound in given:  # noqa: SIM110 - a generator costs more than the comparisons
            if not compare(value, bound):
                return False
        return True

    return check


def _match_check(match: Match) -> Check:
    if isinstance(match, MatchValue):
        return _is_value(match.value)
    if isinstance(match, MatchAny):
        return _is_one_of(match.any)
    if isinstance(match, MatchExcept):
        listed = _is_one_of(match.except_)
        return lambda value: value is not None and not listed(value)
    return _of_strings(string_check(match))


def _is_value(wanted: str | int | bool) -> Check:
    if isinstance(wanted, bool):
        return lambda value: value is wanted
    kind = type(wanted)
    return lambda value: type(value) is kind and value == wanted


def _is_one_of(wanted: Any) -> Check:
    listed = frozenset(wanted)
    kind = str if any(isinstance(item, str) for item in listed) else int
    return lambda value: type(value) is kind and value in listed


def _of_strings(check: Callable[[str], bool]) -> Check:
    return lambda value: isinstance(value, str) and check(value)


def string_check(
    match: MatchText | MatchTextAny | MatchPhrase | MatchPrefix | MatchSubstring,
) -> Callable[[str], bool]:
    """What a match that is about strings alone asks of one."""
    if isinstance(match, MatchPrefix):
        return lambda value: value.startswith(match.prefix)
    if isinstance(match, MatchSubstring):
        return lambda value: match.substring in value
    if isinstance(match, MatchText):
        return _all_words(words(match.text))
    if isinstance(match, MatchTextAny):
        wanted = frozenset(words(match.text_any))
        return lambda value: not wanted.isdisjoint(words(value))
    return _has_phrase(words(match.phrase))


def _all_words(found: list[str]) -> Callable[[str], bool]:
    wanted = frozenset(found)
    return lambda value: bool(wanted) and wanted.issubset(words(value))


def _has_phrase(found: list[str]) -> Callable[[str], bool]:
    wanted = phrase(found)
    return lambda value: bool(found) and wanted in phrase(words(value))
