"""From a filter to nodes: what the indexes of a state can tell of it, and which indexes would have told more.

A condition that no index answers becomes a node of which nothing is known; whatever stands beside it in a filter
still narrows down where to look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from vecstore.conditions import (
    Condition,
    FieldCondition,
    Filter,
    HasIdCondition,
    HasVectorCondition,
    IsEmptyCondition,
    IsNullCondition,
    NestedCondition,
)
from vecstore.engine.answers import Fixed, Node
from vecstore.engine.fields import field_node
from vecstore.engine.found import NONE, Found, exactly
from vecstore.filters.scope import clause
from vecstore.ids import keys_of
from vecstore.limits import MAX_STEPS
from vecstore.paths import ALL, Path, format_path, parse_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vecstore.engine.fields import Fields
    from vecstore.engine.found import Mask
    from vecstore.storage.points import Points

    Present: TypeAlias = Callable[[str], Mask | None]

CHECKED = 1000
"""Entries of an index that are read in the time in which the payload of one candidate is looked at.

8 ns for an entry, as a posting or in a range, with its place in the intersection; 8 us for a payload.
"""


class All(Node):
    """Every one of ``parts``, and none of ``without``."""

    def __init__(self, parts: Sequence[Node], without: Sequence[Node]) -> None:
        super().__init__((*parts, *without)[0].reader)
        self._parts, self._without = parts, without

    def estimate(self) -> int:  # noqa: D102
        return min((part.estimate() for part in self._parts), default=self.reader.space.size)

    def count(self) -> int | None:  # noqa: D102
        if self._parts or len(self._without) > 1:
            return None
        counted = self._without[0].count()
        return None if counted is None else self.reader.points - counted

    def found(self) -> Found:  # noqa: D102
        space, found = self.reader.space, None
        for estimate, part in sorted(((p.estimate(), p) for p in self._parts), key=lambda pair: pair[0]):
            if found is None:
                found = part.found()
            elif _is_dear(found, estimate):
                found = Found(NONE, found.maybe)
            else:
                found = space.both(found, part.found())
        found = exactly(space.live()) if found is None else found
        for part in self._without:
            if _is_dear(found, part.estimate()):
                found = Found(NONE, found.maybe)
            else:
                found = space.excluded(found, part.found())
        return found


def _is_dear(found: Found, estimate: int) -> bool:
    """Whether it is cheaper to look at all payloads that are left than to read an index."""
    return found.maybe is not None and CHECKED * len(found.maybe) < estimate


class AnyOf(Node):
    """At least one of ``parts``."""

    def __init__(self, parts: Sequence[Node]) -> None:
        super().__init__(parts[0].reader)
        self._parts = parts

    def estimate(self) -> int:  # noqa: D102
        return min(sum(part.estimate() for part in self._parts), self.reader.space.size)

    def found(self) -> Found:  # noqa: D102
        return self.reader.space.any_of([part.found() for part in self._parts])


class AtLeast(AnyOf):
    """At least ``least`` of ``parts``."""

    def __init__(self, least: int, parts: Sequence[Node]) -> None:
        super().__init__(parts)
        self._least = least

    def found(self) -> Found:  # noqa: D102
        return self.reader.space.at_least(self._least, [part.found() for part in self._parts])


class UpperBound(Node):
    """The points outside of which a condition does not match; none is sure."""

    def __init__(self, bound: Node) -> None:
        super().__init__(bound.reader)
        self._bound = bound

    def estimate(self) -> int:  # noqa: D102
        return self._bound.estimate()

    def found(self) -> Found:  # noqa: D102
        return Found(NONE, self._bound.found().maybe)


class Narrowing:
    """Makes the nodes of filters in one state."""

    def __init__(self, fields: Fields, points: Points, present: Present) -> None:
        self._fields, self._points, self._present = fields, points, present

    def node(self, condition: Condition) -> Node:
        """The node of a condition or of a whole filter."""
        if isinstance(condition, Filter):
            return self._group(condition)
        if isinstance(condition, FieldCondition):
            return field_node(self._fields, condition)
        if isinstance(condition, IsEmptyCondition):
            return field_node(self._fields, FieldCondition(condition.is_empty.key, is_empty=True))
        if isinstance(condition, IsNullCondition):
            return field_node(self._fields, FieldCondition(condition.is_null.key, is_null=True))
        if isinstance(condition, NestedCondition):
            return UpperBound(self._group(outside(condition.nested.filter, parse_path(condition.nested.key))))
        if isinstance(condition, HasIdCondition):
            return self._with_ids(condition)
        if isinstance(condition, HasVectorCondition):
            return self._with_vector(condition.has_vector)
        return Node(self._fields.reader)

    def _group(self, group: Filter) -> Node:
        parts = self._nodes(clause(group.must))
        if group.should:
            some = self._nodes(clause(group.should))
            parts.append(some[0] if len(some) == 1 else AnyOf(some))
        if least := group.min_should:
            conditions = self._nodes(least.conditions)
            parts.append(AtLeast(least.min_count, conditions) if conditions else Fixed(self._fields.reader, NONE))
        without = self._nodes(clause(group.must_not))
        if len(parts) == 1 and not without:
            return parts[0]
        return All(parts, without) if parts or without else Everything(self._fields.reader)

    def _nodes(self, conditions: Sequence[Condition]) -> list[Node]:
        return [self.node(condition) for condition in conditions]

    def _with_ids(self, condition: HasIdCondition) -> Node:
        found = self._points.find(self._fields.reader.txn, sorted(keys_of(condition.has_id)))
        return Fixed(self._fields.reader, found[found >= 0].astype(np.uint32))

    def _with_vector(self, name: str) -> Node:
        mask = self._present(name)
        return Fixed(self._fields.reader, NONE if mask is None else np.flatnonzero(mask).astype(np.uint32))


class Everything(Node):
    """Every point."""

    def found(self) -> Found:  # noqa: D102
        return exactly(self.reader.space.live())


def outside(nested: Filter, path: Path) -> Filter:
    """What a point must match as a whole if an object of its array at ``path`` matches ``nested``.

    Only conditions that ask for a value that is there carry over; all others are left out.
    """
    steps = path if path[-1] is ALL else (*path, ALL)
    must = [found for part in clause(nested.must) if (found := _outside(part, steps)) is not None]
    should = [_outside(part, steps) for part in clause(nested.should)]
    known = [part for part in should if part is not None]
    return Filter(must=must, should=known if len(known) == len(should) else None)


def _outside(condition: Condition, path: Path) -> Condition | None:
    if isinstance(condition, Filter):
        return outside(condition, path)
    if isinstance(condition, NestedCondition):
        inner = (*path, *parse_path(condition.nested.key))
        return outside(condition.nested.filter, inner) if len(inner) < MAX_STEPS else None
    if not isinstance(condition, FieldCondition):
        return None
    steps = (*path, *parse_path(condition.key))
    if len(steps) > MAX_STEPS or not _asks_for_a_value(condition):
        return None
    return FieldCondition(
        format_path(steps),
        match=condition.match,
        range=condition.range,
        geo_bounding_box=condition.geo_bounding_box,
        geo_radius=condition.geo_radius,
        geo_polygon=condition.geo_polygon,
    )


def _asks_for_a_value(condition: FieldCondition) -> bool:
    return condition.values_count is None and condition.is_empty is None and condition.is_null is None
