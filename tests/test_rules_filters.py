"""Rules 35 to 37 and 40, through the collection: conditions beside one another. Whole tables are in test_filters_*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import qdrant_client.models as theirs
from collecting import NAMED, UUID_TEXT, fill, ids
from spelling import check_filters, matching, spellings

from vecstore import (
    FieldCondition,
    Filter,
    HasIdCondition,
    HasVectorCondition,
    InvalidFilter,
    InvalidId,
    MatchValue,
    MinShould,
    Nested,
    NestedCondition,
    PointStruct,
    Range,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

    from vecstore import Collection

RED, BIG = {"key": "color", "match": {"value": "red"}}, {"key": "size", "range": {"gt": 10.0}}
ITEMS = {
    1: {"items": [{"color": "red", "size": 5}, {"color": "blue", "size": 50}]},
    2: {"items": [{"color": "red", "size": 50}]},
    3: {"items": {"color": "red", "size": 50}},
    4: {"items": []},
    5: {},
    6: {"items": ["red", None, 50]},
    7: {"items": [{"color": ["blue", "red"]}]},
    8: {"boxes": [{"items": [{"color": "red"}, {"size": 50}]}, {"items": [{"color": "red", "size": 11}]}]},
    9: {"boxes": [{"items": [{"color": "red"}]}, {"items": [{"size": 50}]}]},
}


def nested(key: str, **clauses: Any) -> dict[str, Any]:
    return {"nested": {"key": key, "filter": clauses}}


def test_rule_35_all_conditions_hold_for_one_and_the_same_object(home: Home) -> None:
    col = home.make()
    fill(col, ITEMS)
    cases: list[tuple[dict[str, Any], list[int]]] = [
        (nested("items", must=[RED, BIG]), [2]),
        (nested("items[]", must=[RED, BIG]), [2]),
        (nested("items", must=[RED]), [1, 2, 7]),
        (nested("items", must=[RED], must_not=[BIG]), [1, 7]),
        (nested("items", must_not=[RED]), [1]),
        (nested("items", should=[RED, BIG]), [1, 2, 7]),
        (nested("items"), [1, 2, 7]),
        (nested("items", must=[{"has_id": [1, 2]}]), []),
        (nested("items", must=[{"has_vector": ""}]), []),
        (nested("items", must_not=[{"has_id": [1]}]), [1, 2, 7]),
        (nested("boxes", must=[nested("items", must=[RED, BIG])]), [8]),
        (nested("boxes[].items", must=[RED, BIG]), [8]),
        (nested("boxes", must=[nested("items", must=[RED]), nested("items", must=[BIG])]), [8]),
    ]
    check_filters(home.seen(col), cases)


def test_rule_35_with_models(col: Collection) -> None:
    fill(col, ITEMS)
    red, big = FieldCondition("color", match=MatchValue("red")), FieldCondition("size", range=Range(gt=10))
    found = Filter(must=[NestedCondition(Nested("items", Filter(must=[red, big])))])
    assert matching(col, found) == [2]


COLORS = {i: {name: True for name, bit in [("a", 1), ("b", 2), ("c", 4)] if i & bit} for i in range(8)}
A, B, C = ({"key": name, "match": {"value": True}} for name in "abc")
CLAUSES: list[tuple[dict[str, Any], Callable[[bool, bool, bool], bool]]] = [
    ({}, lambda a, b, c: True),
    ({"must": [], "should": [], "must_not": []}, lambda a, b, c: True),
    ({"must": A}, lambda a, b, c: a),
    ({"must": [A, B]}, lambda a, b, c: a and b),
    ({"should": A}, lambda a, b, c: a),
    ({"should": [A, B]}, lambda a, b, c: a or b),
    ({"must_not": A}, lambda a, b, c: not a),
    ({"must_not": [A, B]}, lambda a, b, c: not a and not b),
    ({"must": [A], "should": [B, C]}, lambda a, b, c: a and (b or c)),
    ({"must": [A], "should": []}, lambda a, b, c: a),
    ({"must": [A], "should": [B], "must_not": [C]}, lambda a, b, c: a and b and not c),
    ({"min_should": {"conditions": [A, B, C], "min_count": 2}}, lambda a, b, c: a + b + c >= 2),
    ({"min_should": {"conditions": [A, A, B], "min_count": 2}}, lambda a, b, c: a),
    ({"min_should": {"conditions": [A], "min_count": 2}}, lambda a, b, c: False),
    ({"min_should": {"conditions": [], "min_count": 1}}, lambda a, b, c: False),
    ({"must": [C], "min_should": {"conditions": [A, B], "min_count": 1}}, lambda a, b, c: c and (a or b)),
    ({"must": [{"should": [A, B]}, {"must_not": [C]}]}, lambda a, b, c: (a or b) and not c),
    ({"must_not": [{"must": [A, B]}]}, lambda a, b, c: not (a and b)),
    ({"should": [{"must": [A, {"should": [B, C]}]}, {"must_not": A}]}, lambda a, b, c: not a or b or c),
]


def test_rule_36_clauses(home: Home) -> None:
    col = home.make()
    fill(col, COLORS)
    col = home.seen(col)
    for condition, holds in CLAUSES:
        expected = [i for i in COLORS if holds(bool(i & 1), bool(i & 2), bool(i & 4))]
        for spelled in spellings(condition):
            assert matching(col, spelled) == expected, condition


def test_rule_36_with_models(col: Collection) -> None:
    fill(col, COLORS)
    a, b = (FieldCondition(name, match=MatchValue(True)) for name in "ab")
    assert matching(col, Filter(must=a, must_not=Filter(must=[b]))) == [1, 5]
    assert matching(col, Filter(min_should=MinShould([a, b], 2))) == [3, 7]


@pytest.mark.parametrize("min_count", [0, -1, 1.0, None, True])
def test_rule_36_min_count_under_1_is_an_error(min_count: Any, col: Collection) -> None:
    found = {"min_should": {"conditions": [A], "min_count": min_count}}
    for call in (col.count, col.scroll, col.delete, lambda f: col.search([1, 0], filter=f)):
        with pytest.raises(InvalidFilter, match=r"min_should.*: expected"):
            call(found)


def test_rule_37_has_vector_and_has_id(home: Home) -> None:
    col = home.make(NAMED)
    image, text = {"image": [1.0, 2.0]}, {"text": [1.0, 2.0, 3.0]}
    col.upsert([PointStruct(i, v) for i, v in enumerate([image, text, image | text, {}, image])])
    col.delete_vectors("image", [4])
    col.upsert([PointStruct(UUID_TEXT, {})])
    col = home.seen(col)
    cases: list[tuple[dict[str, Any], list[Any]]] = [
        ({"has_vector": "image"}, [0, 2]),
        ({"has_vector": "text"}, [1, 2]),
        ({"has_vector": "audio"}, []),
        ({"has_vector": ""}, []),
        ({"has_id": [3, 99, 1, 3]}, [1, 3]),
        ({"has_id": []}, []),
        ({"has_id": [UUID_TEXT, 0]}, [0, UUID_TEXT]),
    ]
    for condition, expected in cases:
        for spelled in spellings({"must": [condition]}):
            assert ids(col.scroll(spelled)[0]) == expected
            assert col.count(spelled) == len(expected)
            assert col.count({"must_not": [condition]}) == 6 - len(expected)
            hits = col.search([1, 1], using="image", filter=spelled)
            assert sorted(ids(hits)) == [id_ for id_ in expected if id_ in (0, 2)]


def test_rule_37_the_unnamed_vector_and_models(home: Home) -> None:
    col = home.make()
    col.upsert([PointStruct(1, [1, 0]), PointStruct(2, {}), PointStruct(3, [1, 0])])
    col = home.seen(col)
    assert ids(col.scroll({"must": [{"has_vector": ""}]})[0]) == [1, 3]
    assert matching(col, Filter(must=[HasVectorCondition(""), HasIdCondition([2, 3])])) == [3]
    assert matching(col, Filter(must=HasVectorCondition("other"))) == []
    for bad in ("x", -1, 1.5):
        with pytest.raises(InvalidId, match=r"must\[0\].has_id.*expected an id"):
            col.count({"must": [{"has_id": [1, bad]}]})


TWO_CLAUSES: list[dict[str, Any]] = [
    {"match": {"value": 1}, "range": {"gt": 0}},
    {"is_empty": True, "is_null": True},
    {"values_count": {"gt": 0}, "geo_radius": {"center": {"lon": 0, "lat": 0}, "radius": 1.0}},
    {"match": {"value": 1, "any": [1]}},
    {},
]


@pytest.mark.parametrize("clauses", TWO_CLAUSES)
def test_rule_40_several_clauses_are_an_error(clauses: dict[str, Any], col: Collection) -> None:
    fill(col, {1: {"a": 1}})
    found = {"must": [{"key": "a", **clauses}]}
    calls: list[Callable[[Any], Any]] = [
        col.count,
        col.scroll,
        lambda condition: col.search([1, 0], filter=condition),
        lambda condition: col.search_batch([[1, 0]], filter=condition),
        col.delete,
        lambda condition: col.set_payload({"b": 1}, {"filter": condition}),
        lambda condition: col.upsert([PointStruct(1, [1, 0])], update_filter=condition),
    ]
    for call in calls:
        with pytest.raises(InvalidFilter, match=r"must\[0\].*: expected .* with exactly one of .*, got "):
            call(found)
    assert ids(col.scroll({"must": [{"key": "a", "match": {"value": 1}}]})[0]) == [1]


def test_rule_40_with_models(col: Collection) -> None:
    ours = FieldCondition("a", match=MatchValue(1), range=Range(gt=0))
    other = theirs.FieldCondition(key="a", match=theirs.MatchValue(value=1), range=theirs.Range(gt=0))
    for condition in (Filter(must=ours), theirs.Filter(must=[other])):
        with pytest.raises(InvalidFilter, match="got match and range"):
            col.count(condition)
