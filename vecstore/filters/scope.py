"""What a filter asks about, without running it: does it need payloads, and which ids bound it?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import TypeAlias

from vecstore.conditions import Condition, Filter, HasIdCondition, HasVectorCondition, SliceCondition
from vecstore.ids import keys_of

Identity: TypeAlias = HasIdCondition | HasVectorCondition | SliceCondition
"""The conditions that are not about the payload."""


def clause(conditions: Sequence[Condition] | Condition | None) -> Sequence[Condition]:
    """A clause of a filter as a list."""
    if conditions is None:
        return []
    return conditions if isinstance(conditions, Sequence) else [conditions]


def conditions_of(group: Filter) -> Iterator[Condition]:
    """All conditions of a filter, not those of the filters in it."""
    yield from clause(group.must)
    yield from clause(group.should)
    yield from clause(group.must_not)
    if group.min_should:
        yield from group.min_should.conditions


def needs_payload(condition: Condition) -> bool:
    """Whether the payload has a say; False when only ids and vector names do."""
    if isinstance(condition, Filter):
        return any(map(needs_payload, conditions_of(condition)))
    return not isinstance(condition, Identity)


def needs_identity(condition: Condition) -> bool:
    """Whether the id or the vector names have a say; False when only the payload does."""
    if isinstance(condition, Filter):
        return any(map(needs_identity, conditions_of(condition)))
    return isinstance(condition, Identity)


def required_ids(condition: Condition) -> frozenset[bytes] | None:
    """The id keys outside of which nothing can match; None where there is no such bound."""
    if isinstance(condition, HasIdCondition):
        return frozenset(keys_of(condition.has_id))
    if not isinstance(condition, Filter):
        return None
    bounds = [required_ids(part) for part in clause(condition.must)]
    bounds.append(_union([required_ids(part) for part in clause(condition.should)]))
    known = [bound for bound in bounds if bound is not None]
    return reduce(frozenset.intersection, known) if known else None


def _union(bounds: list[frozenset[bytes] | None]) -> frozenset[bytes] | None:
    known = [bound for bound in bounds if bound is not None]
    if not bounds or len(known) < len(bounds):
        return None
    return frozenset().union(*known)
