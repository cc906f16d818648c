"""Filters in every spelling, and in every question that takes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qdrant_client.models as theirs
from collecting import ids

from vecstore.filters import parse_filter

if TYPE_CHECKING:
    from vecstore import Collection


def spellings(condition: dict[str, Any]) -> list[Any]:
    """A filter of the REST API, as it is, as our models and as those of Qdrant's client."""
    return [condition, parse_filter(condition), theirs.Filter.model_validate(condition)]


def matching(col: Collection, condition: Any) -> list[Any]:
    """The ids of the points that match, all of which have the unnamed vector: every way to ask agrees."""
    records, rest = col.scroll(condition, limit=1000)
    assert rest is None
    assert col.count(condition) == len(records)
    assert ids(col.search([0, 0], filter=condition, limit=1000)) == ids(records)
    return ids(records)


def check_filters(col: Collection, cases: list[tuple[dict[str, Any], list[Any]]]) -> None:
    """Every condition matches the points it is said to match, and ``must_not`` the others, however spelled."""
    everything = ids(col.scroll(limit=1000)[0])
    for condition, expected in cases:
        for spelled in spellings({"must": [condition]}):
            assert matching(col, spelled) == expected, condition
        for spelled in spellings({"must_not": [condition]}):
            assert matching(col, spelled) == [id_ for id_ in everything if id_ not in expected], condition
