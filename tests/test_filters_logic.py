"""What is around and beside field conditions, rules 35 to 37: nested objects, clauses, ids and vectors."""

from __future__ import annotations

from typing import Any

import pytest
from strategies import Point, matches

from vecstore.conditions import (
    FieldCondition,
    Filter,
    HasIdCondition,
    HasVectorCondition,
    MatchValue,
    MinShould,
    Nested,
    NestedCondition,
    Range,
)
from vecstore.errors import InvalidFilter

RED = FieldCondition("color", match=MatchValue("red"))
BIG = FieldCondition("size", range=Range(gt=10))


def nested(key: str, **clauses: Any) -> Filter:
    return Filter(must=[NestedCondition(Nested(key, Filter(**clauses)))])


def test_rule_35_one_object_meets_all_conditions() -> None:
    apart = Point({"items": [{"color": "red", "size": 5}, {"color": "blue", "size": 50}]})
    together = Point({"items": [{"color": "red", "size": 50}]})
    for key in ("items", "items[]"):
        assert not matches(nested(key, must=[RED, BIG]), apart)
        assert matches(nested(key, must=[RED, BIG]), together)
        assert matches(nested(key, must=[RED], must_not=[BIG]), apart)
        assert not matches(nested(key, must=[RED], must_not=[BIG]), together)


@pytest.mark.parametrize("value", [{"color": "red"}, [], [1, None, "red"], [[{"color": "red"}]], None])
def test_rule_35_only_objects_in_an_array_match(value: Any) -> None:
    point = Point({"a": value})
    assert not matches(nested("a", must=RED), point)
    assert not matches(nested("a", must_not=BIG), point)
    assert not matches(nested("a"), point)
    assert matches(nested("a"), Point({"a": [1, {}]}))


@pytest.mark.parametrize(
    "condition", [HasIdCondition([1]), HasVectorCondition(""), {"slice": {"total": 1, "index": 0}}]
)
def test_rule_35_an_object_has_no_id_and_no_vector(condition: Any) -> None:
    point = Point({"a": [{}]}, id=1)
    assert matches(Filter(must=condition), point)
    assert not matches(nested("a", must=condition), point)
    assert matches(nested("a", must_not=condition), point)


def test_rule_35_nested_nests() -> None:
    inner = NestedCondition(Nested("cities", Filter(must=[RED, BIG])))
    wanted = nested("countries", must=[inner, FieldCondition("name", match=MatchValue("x"))])
    good = {"color": "red", "size": 50}
    assert matches(wanted, Point({"countries": [{"name": "x", "cities": [{}, good]}]}))
    assert not matches(wanted, Point({"countries": [{"name": "x", "cities": []}, {"cities": [good]}]}))


YES, NO = {"has_id": [1]}, {"has_id": [2]}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, True),
        ({"must": [], "should": [], "must_not": []}, True),
        ({"must": YES}, True),
        ({"must": NO}, False),
        ({"must": [YES, NO]}, False),
        ({"should": NO}, False),
        ({"should": [NO, YES]}, True),
        ({"must": YES, "should": [NO]}, False),
        ({"must": YES, "should": []}, True),
        ({"must_not": NO}, True),
        ({"must_not": [NO, YES]}, False),
        ({"must": {"should": [NO, {"must_not": {"must": NO}}]}}, True),
        ({"must_not": {}}, False),
        ({"min_should": {"conditions": [YES, NO, YES], "min_count": 2}}, True),
        ({"min_should": {"conditions": [YES, NO, YES], "min_count": 3}}, False),
        ({"min_should": {"conditions": [], "min_count": 1}}, False),
        ({"must": NO, "min_should": {"conditions": [YES], "min_count": 1}}, False),
    ],
)
def test_rule_36_clauses(wanted: dict[str, Any], found: bool) -> None:
    assert matches(wanted, Point(id=1)) == found


@pytest.mark.parametrize("min_count", [0, -1, 1.0, True, None, "1"])
def test_rule_36_min_count_is_1_or_more(min_count: Any) -> None:
    with pytest.raises(InvalidFilter, match="min_should"):
        matches(Filter(min_should=MinShould([RED], min_count)), Point())


def test_rule_37_has_vector() -> None:
    point = Point(vectors=("", "image"))
    assert matches(Filter(must=HasVectorCondition("")), point)
    assert matches(Filter(must=HasVectorCondition("image")), point)
    assert not matches(Filter(must=HasVectorCondition("text")), point)
    assert not matches(Filter(must=HasVectorCondition("")), Point(vectors=()))


def test_rule_37_has_id() -> None:
    spelled = "urn:uuid:F47AC10B-58CC-4372-A567-0E02B2C3D479"
    assert not matches(Filter(must=HasIdCondition([])), Point(id=1))
    assert matches(Filter(must=HasIdCondition([5, spelled])), Point(id="f47ac10b-58cc-4372-a567-0e02b2c3d479"))
    assert matches(Filter(must=HasIdCondition([5, spelled])), Point(id=5))
    assert not matches(Filter(must=HasIdCondition([5, spelled])), Point(id=6))
