"""Which points an operation is for: a list of ids, or a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from vecstore.errors import EmptyRequest, InvalidRequest, InvalidType
from vecstore.filters import parse_filter
from vecstore.ids import keys_of
from vecstore.operations import Ids, Selector
from vecstore.requests.bodies import as_list, is_list, present
from vecstore.shapes import only, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPECTED = "the points, as a list of ids or as a filter"
SELECTOR = frozenset({"filter", "ids", "points"})
CLAUSES = frozenset({"min_should", "must", "must_not", "should"})


def _is_id(value: object) -> bool:
    return isinstance(value, int | str | UUID | np.integer)


def parse_selector(points: object) -> Selector:
    """The points: ids, a filter, or a body with ``points`` (once called ``ids``) or ``filter``.

    Raises ``InvalidRequest``.
    """
    if is_list(points) or _is_id(points):
        return parse_ids(points)
    found = present(points, EXPECTED)
    if found.keys() & CLAUSES or hasattr(points, "must"):
        return parse_filter(points)
    only(found, SELECTOR, "a selector of points")
    return selected(found)


def selected(found: Mapping[str, Any]) -> Selector:
    """The points of a body; where both are given the ids count, not the filter. Raises ``InvalidRequest``."""
    if "points" in found and "ids" in found:
        raise InvalidRequest("expected points or ids, got both")
    condition = parse_filter(found["filter"]) if "filter" in found else None
    ids = found.get("points", found.get("ids"))
    if ids is not None:
        return parse_ids(ids)
    if condition is None:
        raise InvalidRequest(f"expected {EXPECTED}, got neither")
    return condition


def parse_ids(ids: object) -> Ids:
    """A list of ids of any kind, each id once. Raises ``InvalidRequest``."""
    if _is_id(ids):
        raise InvalidType(f"expected a list of ids, got the single id {shown(ids)}: write [{shown(ids)}]")
    keys = keys_of(as_list(ids, "ids"))
    if not keys:
        raise EmptyRequest("expected at least one id, got an empty list")
    return Ids(list(dict.fromkeys(keys)))
