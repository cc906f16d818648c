"""What a filter asks about, without running it: does it need payloads, or ids and vector names?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from vecstore.conditions import Condition, Filter, HasIdCondition, HasVectorCondition, SliceCondition

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
