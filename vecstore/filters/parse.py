"""Parsing filters: our models, REST dicts of both generations or any object like them, to one canonical tree.

The tree is new and fully checked: clauses are lists or None, ids and paths are in their canonical spelling,
bounds of datetimes are microseconds, values are plain Python. ``filter_to_json`` writes it as the log has it.
"""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from vecstore.conditions import (
    Condition,
    DatetimeRange,
    FieldCondition,
    Filter,
    HasIdCondition,
    HasVectorCondition,
    IsEmptyCondition,
    IsNullCondition,
    MinShould,
    Nested,
    NestedCondition,
    PayloadField,
    Slice,
    SliceCondition,
)
from vecstore.encoding import pack, unpack
from vecstore.errors import InvalidFilter, InvalidRequest
from vecstore.filters import clauses, reading
from vecstore.filters.datetimes import format_datetime
from vecstore.ids import ids_of, keys_of
from vecstore.limits import MAX_CONDITIONS, MAX_DEPTH, MAX_FILTER_BYTES
from vecstore.shapes import describe

if TYPE_CHECKING:
    from collections.abc import Callable

C = TypeVar("C", bound=Condition)

REMEMBERED, SMALL_VALUES, SMALL_TEXT = 256, 64, 256
"""How many filters that came as dicts are remembered, each of how many values and how long strings at the most."""

_FILTER = frozenset({"must", "should", "must_not", "min_should"})
_CONDITIONS = frozenset({"is_empty", "is_null", "has_id", "has_vector", "nested", "slice"})
_CLAUSES: dict[str, Callable[[Any, str], Any]] = {
    "match": clauses.parse_match,
    "range": clauses.parse_range,
    "geo_bounding_box": clauses.parse_geo_bounding_box,
    "geo_radius": clauses.parse_geo_radius,
    "geo_polygon": clauses.parse_geo_polygon,
    "values_count": clauses.parse_values_count,
    "is_empty": reading.boolean,
    "is_null": reading.boolean,
}
_CLAUSE_NAMES = frozenset(_CLAUSES)


def parse_filter(value: object) -> Filter:
    """The canonical filter that ``value`` stands for.

    Raises ``InvalidFilter``, ``InvalidId`` or ``InvalidPath``; the message says where in the filter.
    """
    if type(value) is dict and (packed := _packed(value)) is not None:
        # What cannot be parsed is parsed as it was given, for the message.
        with suppress(InvalidRequest, ValueError):
            return _parse_packed(packed)
    return _Parser().filter(value, "", 0)


def _packed(value: dict[str, Any]) -> bytes | None:
    """A filter of plain values, small enough to be remembered. msgpack tells 1, 1.0, True and "1" apart."""
    if not _is_small(value):
        return None
    try:
        return pack(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _is_small(value: object) -> bool:
    # IMPORTANT: before packing. One object may stand in a filter any number of times, and be packed as often.
    left, values = SMALL_VALUES, [value]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values.extend(value.values())
        elif isinstance(value, list | tuple):
            values.extend(value[: left + 1])
        elif isinstance(value, str | bytes) and len(value) > SMALL_TEXT:
            return False
        left -= 1
        if left < len(values):
            return False
    return True


@lru_cache(maxsize=REMEMBERED)
def _parse_packed(packed: bytes) -> Filter:
    """The tree of a filter. It is shared, as nobody changes one."""
    return _Parser().filter(unpack(packed), "", 0)


class _Parser:
    """One parse: it counts the conditions, as one object may stand in a filter any number of times."""

    def __init__(self) -> None:
        self._conditions = 0
        self._bytes = 0

    def filter(self, value: object, where: str, depth: int) -> Filter:
        here = where or "filter"
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"{here}: expected filters at most {MAX_DEPTH} deep, got deeper ones")
        found = reading.fields(value, _FILTER, "a filter", here)
        inside = f"{where}." if where else ""
        parsed: dict[str, Any] = {
            name: self._clause(found[name], inside + name, depth)
            for name in ("must", "should", "must_not")
            if name in found
        }
        if "min_should" in found:
            parsed["min_should"] = self._min_should(found["min_should"], f"{inside}min_should", depth)
        return Filter(**parsed)

    def _clause(self, value: object, where: str, depth: int) -> list[Condition]:
        if isinstance(value, list | tuple):
            return self._all(value, where, depth)
        return [self._condition(value, where, depth)]

    def _all(self, values: list[Any] | tuple[Any, ...], where: str, depth: int) -> list[Condition]:
        return [self._condition(value, f"{where}[{i}]", depth) for i, value in enumerate(values)]

    def _min_should(self, value: object, where: str, depth: int) -> MinShould:
        found = reading.fields(value, frozenset({"conditions", "min_count"}), "a min_should", where)
        conditions = reading.required(found, "conditions", where)
        if not isinstance(conditions, list | tuple):
            raise reading.refusal(f"{where}.conditions", "a list of conditions", conditions)
        min_count = reading.required(found, "min_count", where)
        return MinShould(
            self._all(conditions, f"{where}.conditions", depth),
            reading.integer(min_count, f"{where}.min_count", lowest=1),
        )

    def _condition(self, value: object, where: str, depth: int) -> Condition:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise InvalidFilter(f"{where}: expected at most {MAX_CONDITIONS} conditions, got more")
        found = reading.named(value, "a condition", where)
        if "key" in found:
            return self._weighed(_field_condition(value, where), where)
        kind = next((name for name in found if name in _CONDITIONS), None)
        if kind is not None:
            return self._other_condition(kind, value, where, depth)
        if not _FILTER.issuperset(found):
            names = ", ".join(["key", *sorted(_CONDITIONS), *sorted(_FILTER)])
            raise InvalidFilter(f"{where}: expected a condition with one of {names}, got {describe(value)}")
        return self.filter(value, where, depth + 1)

    def _other_condition(self, kind: str, value: object, where: str, depth: int) -> Condition:
        found = reading.fields(value, frozenset({kind}), f"a {kind} condition", where)
        item, where = reading.required(found, kind, where), f"{where}.{kind}"
        if kind == "nested":
            return self._nested(item, where, depth)
        return self._weighed(_LEAVES[kind](item, where), where)

    def _weighed(self, condition: C, where: str) -> C:
        self._bytes += _weight(condition)
        if self._bytes > MAX_FILTER_BYTES:
            raise InvalidFilter(f"{where}: expected at most {MAX_FILTER_BYTES} bytes of values in a filter, got more")
        return condition

    def _nested(self, value: object, where: str, depth: int) -> NestedCondition:
        found = reading.fields(value, frozenset({"key", "filter"}), "a nested condition", where)
        key = reading.path(reading.required(found, "key", where), f"{where}.key")
        inner = self.filter(reading.required(found, "filter", where), f"{where}.filter", depth + 1)
        return NestedCondition(Nested(key, inner))


def _weight(value: Any) -> int:
    """What a condition comes to: see ``MAX_FILTER_BYTES``."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_weight, value))
    if dataclasses.is_dataclass(value):
        return sum(map(_weight, vars(value).values()))
    return 0 if value is None else 8


def _field_condition(value: object, where: str) -> FieldCondition:
    found = reading.fields(value, _CLAUSE_NAMES | {"key"}, "a field condition", where)
    key = reading.path(reading.required(found, "key", where), f"{where}.key")
    name, clause = reading.one_of(found, _CLAUSE_NAMES, "a field condition", where)
    return FieldCondition(key, **{name: _CLAUSES[name](clause, f"{where}.{name}")})


def _payload_field(value: object, where: str) -> PayloadField:
    found = reading.fields(value, frozenset({"key"}), "a payload field", where)
    return PayloadField(reading.path(reading.required(found, "key", where), f"{where}.key"))


def _has_id(value: object, where: str) -> HasIdCondition:
    try:
        keys = keys_of(reading.items(value, where))
    except InvalidFilter:
        raise
    except InvalidRequest as error:
        raise reading.located(where, error) from None
    return HasIdCondition(ids_of(list(dict.fromkeys(keys))))


def _slice(value: object, where: str) -> SliceCondition:
    found = reading.fields(value, frozenset({"index", "total"}), "a slice", where)
    total = reading.integer(reading.required(found, "total", where), f"{where}.total", lowest=1)
    index = reading.required(found, "index", where)
    return SliceCondition(Slice(total, reading.integer(index, f"{where}.index", 0, total - 1)))


_LEAVES: dict[str, Callable[[Any, str], Condition]] = {
    "is_empty": lambda value, where: IsEmptyCondition(_payload_field(value, where)),
    "is_null": lambda value, where: IsNullCondition(_payload_field(value, where)),
    "has_id": _has_id,
    "has_vector": lambda value, where: HasVectorCondition(reading.text(value, where)),
    "slice": _slice,
}


def filter_to_json(filter: Filter) -> dict[str, Any]:  # noqa: A002 - the name the API has for it
    """A canonical filter as plain values, for the log: ``parse_filter`` reads it back."""
    return _members_to_json(filter)


def _members_to_json(node: Any) -> dict[str, Any]:
    write = format_datetime if isinstance(node, DatetimeRange) else _to_json
    given = {f.name.rstrip("_"): getattr(node, f.name) for f in dataclasses.fields(node)}
    return {name: write(item) for name, item in given.items() if item is not None}


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    return _members_to_json(value) if dataclasses.is_dataclass(value) else value
