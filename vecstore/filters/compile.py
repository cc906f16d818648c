"""Compiling a filter to one function of a point: its closures are built once and run for every point.

What is about the payload alone becomes a function of the payload, so that a candidate's payload is fetched
(and decoded) as late and as seldom as possible: conditions on ids and vector names are asked first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias, TypeVar

from vecstore.conditions import (
    Condition,
    FieldCondition,
    Filter,
    HasIdCondition,
    HasVectorCondition,
    IsEmptyCondition,
    IsNullCondition,
    Nested,
    NestedCondition,
    Slice,
)
from vecstore.filters.matching import PayloadCheck, field_check, is_empty, is_null
from vecstore.filters.scope import Identity, clause, needs_identity, needs_payload
from vecstore.filters.siphash import siphash24
from vecstore.ids import INTEGER_KEY_SIZE, keys_of
from vecstore.paths import ALL, parse_path, values_at

T = TypeVar("T")


class Candidate(Protocol):
    """A point, as far as a filter looks at it."""

    @property
    def key(self) -> bytes:
        """The key of its id (``vecstore.ids``)."""

    @property
    def payload(self) -> dict[str, Any]:
        """Its payload: decoded JSON."""

    def has_vector(self, name: str) -> bool:
        """Whether it has a vector of this name."""


Predicate: TypeAlias = Callable[[Candidate], bool]


def compile_filter(filter: Filter) -> Predicate:  # noqa: A002 - the name the API has for it
    """The function that tells whether a point matches a canonical filter."""
    return _candidate_check(filter)


def _candidate_check(condition: Condition) -> Predicate:
    if isinstance(condition, Identity):
        return _identity_check(condition)
    if isinstance(condition, Filter) and (needs_identity(condition) or not needs_payload(condition)):
        return _combined(condition, _candidate_check)
    check = _payload_check(condition)
    return lambda candidate: check(candidate.payload)


def _identity_check(condition: Identity) -> Predicate:
    if isinstance(condition, HasIdCondition):
        keys = frozenset(keys_of(condition.has_id))
        return lambda candidate: candidate.key in keys
    if isinstance(condition, HasVectorCondition):
        name = condition.has_vector
        return lambda candidate: candidate.has_vector(name)
    return _in_slice(condition.slice)


def _in_slice(part: Slice) -> Predicate:
    total, index = part.total, part.index
    return lambda candidate: siphash24(_hashed_bytes(candidate.key)) % total == index


def _hashed_bytes(key: bytes) -> bytes:
    """What Qdrant hashes: an integer's 8 bytes little-endian, or the 16 bytes of a UUID."""
    return key[:0:-1] if len(key) == INTEGER_KEY_SIZE else key[1:]


def _payload_check(condition: Condition) -> PayloadCheck:
    if isinstance(condition, FieldCondition):
        return field_check(condition)
    if isinstance(condition, IsEmptyCondition):
        return is_empty(condition.is_empty.key)
    if isinstance(condition, IsNullCondition):
        return is_null(condition.is_null.key)
    if isinstance(condition, NestedCondition):
        return _nested_check(condition.nested)
    if isinstance(condition, Filter):
        return _combined(condition, _payload_check)
    # An object in a payload has no id and no vectors.
    return lambda payload: False


def _nested_check(nested: Nested) -> PayloadCheck:
    path = parse_path(nested.key)
    path = path if path[-1] is ALL else (*path, ALL)
    check = _payload_check(nested.filter)
    return lambda payload: any(isinstance(value, dict) and check(value) for value in values_at(payload, path))


def _combined(group: Filter, check: Callable[[Condition], Callable[[T], bool]]) -> Callable[[T], bool]:
    parts = _checks(clause(group.must), check)
    if group.should:
        parts.append(_some(_checks(clause(group.should), check)))
    if group.must_not:
        parts.append(_none(_checks(clause(group.must_not), check)))
    if group.min_should:
        least = group.min_should
        parts.append(_at_least(least.min_count, _checks(least.conditions, check)))
    return _every(parts)


def _checks(
    conditions: Iterable[Condition], check: Callable[[Condition], Callable[[T], bool]]
) -> list[Callable[[T], bool]]:
    return [check(condition) for condition in sorted(conditions, key=needs_payload)]


def _every(checks: list[Callable[[T], bool]]) -> Callable[[T], bool]:
    if len(checks) == 1:
        return checks[0]

    def every(point: T) -> bool:
        for check in checks:  # noqa: SIM110 - a generator costs as much as the checks
            if not check(point):
                return False
        return True

    return every


def _some(checks: list[Callable[[T], bool]]) -> Callable[[T], bool]:
    if len(checks) == 1:
        return checks[0]

    def some(point: T) -> bool:
        for check in checks:  # noqa: SIM110 - a generator costs as much as the checks
            if check(point):
                return True
        return False

    return some


def _none(checks: list[Callable[[T], bool]]) -> Callable[[T], bool]:
    some = _some(checks)
    return lambda point: not some(point)


def _at_least(count: int, checks: list[Callable[[T], bool]]) -> Callable[[T], bool]:
    return lambda point: sum(check(point) for check in checks) >= count
