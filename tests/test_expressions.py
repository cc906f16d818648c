"""Filter expressions: the same as the filters of the REST API, wherever a filter is taken."""

from __future__ import annotations

import copy
import pickle
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import qdrant_client.models as theirs
from expressing import evaluated
from strategies import Point, matches

from vecstore import (
    Expression,
    FieldCondition,
    Filter,
    HasIdCondition,
    InvalidFilter,
    MatchValue,
    MinShould,
    field,
)
from vecstore.filters import filter_to_json, parse_filter

Json = dict[str, Any]
PLACE = {"lon": 13.4, "lat": 52.5}
ELSEWHERE = {"lon": 13.5, "lat": 52.4}
RING = [{"lon": x, "lat": y} for x, y in ((0, 0), (20, 0), (20, 60), (0, 60), (0, 0))]
HOLE = [{"lon": x, "lat": y} for x, y in ((1, 1), (2, 1), (2, 2), (1, 2), (1, 1))]
NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
NOON_TEXT = "2024-05-01T12:00:00Z"
IDENTITY = UUID("936da01f-9abd-4d9d-80c7-02af85c822a8")


class Color(Enum):
    RED = "red"


def a(**clause: Any) -> Json:
    return {"key": "a", **clause}


def must(*conditions: Json) -> Json:
    return {"must": list(conditions)}


A, B, C = field("a") == 1, field("b") == 2, field("c") == 3
A_DICT, B_DICT, C_DICT = ({"key": key, "match": {"value": n}} for key, n in (("a", 1), ("b", 2), ("c", 3)))
HAS_ID = {"has_id": [1]}
COUNT = "field('a').count"

WRITTEN: list[tuple[Any, Json, str]] = [
    (field("a") == "red", must(a(match={"value": "red"})), "field('a') == 'red'"),
    (field("a") == 1, must(a(match={"value": 1})), "field('a') == 1"),
    (field("a") == True, must(a(match={"value": True})), "field('a') == True"),  # noqa: E712
    (field("a") == IDENTITY, must(a(match={"value": str(IDENTITY)})), f"field('a') == '{IDENTITY}'"),
    (field("a") == Color.RED, must(a(match={"value": "red"})), "field('a') == 'red'"),
    (field("a") == np.int8(1), must(a(match={"value": 1})), "field('a') == 1"),
    (field("a") == 1.5, must(a(range={"gte": 1.5, "lte": 1.5})), "field('a') == 1.5"),
    (field("a") == np.float32(1.5), must(a(range={"gte": 1.5, "lte": 1.5})), "field('a') == 1.5"),
    (
        field("a") == NOON,
        must(a(range={"gte": NOON_TEXT, "lte": NOON_TEXT})),
        f"field('a').between('{NOON_TEXT}', '{NOON_TEXT}')",
    ),
    (field("a") == NOON_TEXT, must(a(match={"value": NOON_TEXT})), f"field('a') == '{NOON_TEXT}'"),
    (field("a") != "red", {"must_not": [a(match={"value": "red"})]}, "field('a') != 'red'"),
    (field("a") != 1.5, {"must_not": [a(range={"gte": 1.5, "lte": 1.5})]}, "field('a') != 1.5"),
    (field("a") < 1, must(a(range={"lt": 1})), "field('a') < 1"),
    (field("a") <= 1.5, must(a(range={"lte": 1.5})), "field('a') <= 1.5"),
    (field("a") > np.int64(1), must(a(range={"gt": 1})), "field('a') > 1"),
    (field("a") >= 1, must(a(range={"gte": 1})), "field('a') >= 1"),
    (field("a") > 1, must(a(range={"gt": 1})), "field('a') > 1"),
    (np.float64(1.5) >= field("a"), must(a(range={"lte": 1.5})), "field('a') <= 1.5"),
    (np.float32(1.5) == field("a"), must(a(range={"gte": 1.5, "lte": 1.5})), "field('a') == 1.5"),
    (field("a") < float("inf"), must(a(range={"lt": float("inf")})), "field('a') < float('inf')"),
    (field("a") < NOON, must(a(range={"lt": NOON_TEXT})), f"field('a') < '{NOON_TEXT}'"),
    (field("a") < NOON_TEXT, must(a(range={"lt": NOON_TEXT})), f"field('a') < '{NOON_TEXT}'"),
    (
        field("a") < NOON + timedelta(microseconds=7),
        must(a(range={"lt": "2024-05-01T12:00:00.000007Z"})),
        "field('a') < '2024-05-01T12:00:00.000007Z'",
    ),
    (date(2024, 5, 1) <= field("a"), must(a(range={"gte": "2024-05-01"})), "field('a') >= '2024-05-01T00:00:00Z'"),
    (
        np.datetime64("2024-05-01") <= field("a"),
        must(a(range={"gte": "2024-05-01"})),
        "field('a') >= '2024-05-01T00:00:00Z'",
    ),
    (field("a").between(1, 2), must(a(range={"gte": 1, "lte": 2})), "field('a').between(1, 2)"),
    (field("a").between(1, 1), must(a(range={"gte": 1, "lte": 1})), "field('a').between(1, 1)"),
    (field("a").range(gt=1, lt=2), must(a(range={"gt": 1, "lt": 2})), "field('a').range(gt=1, lt=2)"),
    (
        field("a").range(gt=0, gte=1, lt=5, lte=6),
        must(a(range={"gt": 0, "gte": 1, "lt": 5, "lte": 6})),
        "field('a').range(gt=0, gte=1, lt=5, lte=6)",
    ),
    (field("a").range(), must(a(range={})), "field('a').range()"),
    (field("a").any_of(["x", "y"]), must(a(match={"any": ["x", "y"]})), "field('a').any_of(['x', 'y'])"),
    (field("a").any_of((1, 2)), must(a(match={"any": [1, 2]})), "field('a').any_of([1, 2])"),
    (field("a").any_of(np.array([1, 2])), must(a(match={"any": [1, 2]})), "field('a').any_of([1, 2])"),
    (field("a").any_of([]), must(a(match={"any": []})), "field('a').any_of([])"),
    (field("a").none_of(["x"]), must(a(match={"except": ["x"]})), "field('a').none_of(['x'])"),
    (field("a").text("x y"), must(a(match={"text": "x y"})), "field('a').text('x y')"),
    (field("a").text_any("x y"), must(a(match={"text_any": "x y"})), "field('a').text_any('x y')"),
    (field("a").phrase("x y"), must(a(match={"phrase": "x y"})), "field('a').phrase('x y')"),
    (field("a").prefix("x"), must(a(match={"prefix": "x"})), "field('a').prefix('x')"),
    (field("a").substring("x"), must(a(match={"substring": "x"})), "field('a').substring('x')"),
    (field("a").is_empty(), must({"is_empty": {"key": "a"}}), "field('a').is_empty()"),
    (~field("a").is_null(), {"must_not": [{"is_null": {"key": "a"}}]}, "~field('a').is_null()"),
    (
        field("a").within_radius(PLACE, 1000),
        must(a(geo_radius={"center": PLACE, "radius": 1000})),
        f"field('a').within_radius({PLACE}, 1000)",
    ),
    (
        field("a").within_box({"lon": 0, "lat": 60}, {"lon": 20, "lat": 0}),
        must(a(geo_bounding_box={"top_left": {"lon": 0, "lat": 60}, "bottom_right": {"lon": 20, "lat": 0}})),
        "field('a').within_box({'lon': 0.0, 'lat': 60.0}, {'lon': 20.0, 'lat': 0.0})",
    ),
    (field("a").count >= 2, must(a(values_count={"gte": 2})), "field('a').count >= 2"),
    (field("a").count < 2, must(a(values_count={"lt": 2})), "field('a').count < 2"),
    (field("a").count <= 2, must(a(values_count={"lte": 2})), "field('a').count <= 2"),
    (field("a").count > 2, must(a(values_count={"gt": 2})), "field('a').count > 2"),
    (field("a").count == 2, must(a(values_count={"gte": 2, "lte": 2})), "field('a').count == 2"),
    (field("a").count != 2, {"must_not": [a(values_count={"gte": 2, "lte": 2})]}, "field('a').count != 2"),
    (field("a").count.between(1, 2), must(a(values_count={"gte": 1, "lte": 2})), "field('a').count.between(1, 2)"),
    (
        field("a").count.range(gt=0, lt=3),
        must(a(values_count={"gt": 0, "lt": 3})),
        "field('a').count.range(gt=0, lt=3)",
    ),
    (
        field("a[]").nested((field("x") == 1) & (field("y") < 2)),
        must(
            {
                "nested": {
                    "key": "a[]",
                    "filter": must({"key": "x", "match": {"value": 1}}, {"key": "y", "range": {"lt": 2}}),
                }
            }
        ),
        "field('a[]').nested((field('x') == 1) & (field('y') < 2))",
    ),
    (field('a."b c"') == 1, must({"key": 'a."b c"', "match": {"value": 1}}), "field('a.\"b c\"') == 1"),
    (A & B, must(A_DICT, B_DICT), "(field('a') == 1) & (field('b') == 2)"),
    (A & B & C, must(A_DICT, B_DICT, C_DICT), "(field('a') == 1) & (field('b') == 2) & (field('c') == 3)"),
    (A | B, {"should": [A_DICT, B_DICT]}, "(field('a') == 1) | (field('b') == 2)"),
    (A | B | C, {"should": [A_DICT, B_DICT, C_DICT]}, "(field('a') == 1) | (field('b') == 2) | (field('c') == 3)"),
    (A & ~B, {"must": [A_DICT], "must_not": [B_DICT]}, "(field('a') == 1) & (field('b') != 2)"),
    (~(A & B), {"must_not": [must(A_DICT, B_DICT)]}, "~((field('a') == 1) & (field('b') == 2))"),
    (~(A | B), {"must_not": [{"should": [A_DICT, B_DICT]}]}, "~((field('a') == 1) | (field('b') == 2))"),
    (~~A, must(A_DICT), "field('a') == 1"),
    (~~(A | B), {"should": [A_DICT, B_DICT]}, "(field('a') == 1) | (field('b') == 2)"),
    (
        (A | B) & C,
        must({"should": [A_DICT, B_DICT]}, C_DICT),
        "((field('a') == 1) | (field('b') == 2)) & (field('c') == 3)",
    ),
    (
        (A & B) | C,
        {"should": [must(A_DICT, B_DICT), C_DICT]},
        "((field('a') == 1) & (field('b') == 2)) | (field('c') == 3)",
    ),
    (
        ~A | C,
        {"should": [{"must_not": [A_DICT]}, C_DICT]},
        "(field('a') != 1) | (field('c') == 3)",
    ),
    (
        (A & ~B) | C,
        {"should": [{"must": [A_DICT], "must_not": [B_DICT]}, C_DICT]},
        "((field('a') == 1) & (field('b') != 2)) | (field('c') == 3)",
    ),
    (
        ~(A & ~B),
        {"must_not": [{"must": [A_DICT], "must_not": [B_DICT]}]},
        "~((field('a') == 1) & (field('b') != 2))",
    ),
    (A & HasIdCondition([1]), must(A_DICT, HAS_ID), "(field('a') == 1) & Expression(HasIdCondition(has_id=[1]))"),
    (HAS_ID & A, must(HAS_ID, A_DICT), "Expression(HasIdCondition(has_id=[1])) & (field('a') == 1)"),
    (must(HAS_ID) | A, {"should": [HAS_ID, A_DICT]}, "Expression(HasIdCondition(has_id=[1])) | (field('a') == 1)"),
    (
        Filter(min_should=MinShould([A, B], 2)) | C,
        {"should": [{"min_should": {"conditions": [must(A_DICT), must(B_DICT)], "min_count": 2}}, C_DICT]},
        "Expression(min_should=MinShould([field('a') == 1, field('b') == 2], 2)) | (field('c') == 3)",
    ),
    (
        theirs.FieldCondition(key="b", match=theirs.MatchValue(value=2)) & A,
        must(B_DICT, A_DICT),
        "(field('b') == 2) & (field('a') == 1)",
    ),
    (Expression(), {}, "Expression()"),
]


@pytest.mark.parametrize(("expression", "wanted", "text"), WRITTEN, ids=[text for *_, text in WRITTEN])
def test_an_expression_is_a_filter_and_prints_as_it_is_written(expression: Any, wanted: Json, text: str) -> None:
    assert isinstance(expression, Filter)
    assert filter_to_json(parse_filter(expression)) == filter_to_json(parse_filter(wanted))
    assert repr(expression) == str(expression) == text
    assert filter_to_json(parse_filter(evaluated(text))) == filter_to_json(parse_filter(expression))


def test_a_polygon_is_made_of_lines() -> None:
    wanted = must(a(geo_polygon={"exterior": {"points": RING}, "interiors": [{"points": HOLE}]}))
    for expression in (field("a").within_polygon(RING, [HOLE]), field("a").within_polygon(tuple(RING), (HOLE,))):
        assert parse_filter(expression) == parse_filter(wanted)
        assert parse_filter(evaluated(repr(expression))) == parse_filter(wanted)
    alone = must(a(geo_polygon={"exterior": {"points": RING}}))
    assert parse_filter(field("a").within_polygon(RING)) == parse_filter(alone)
    assert parse_filter(evaluated(repr(field("a").within_polygon(RING)))) == parse_filter(alone)


def test_conditions_that_are_joined_print_as_expressions() -> None:
    for is_so, text in ((True, ""), (False, "~")):
        joined = A & FieldCondition("c", is_null=is_so) & {"key": "d", "is_empty": is_so}
        assert repr(joined) == f"(field('a') == 1) & {text}field('c').is_null() & {text}field('d').is_empty()"
        for payload in ({"a": 1, "c": 1, "d": 1}, {"a": 1, "c": None}):
            assert matches(joined, Point(payload)) == matches(evaluated(repr(joined)), Point(payload))


def test_parts_print_too() -> None:
    assert repr(field('"a b".c')) == "field('\"a b\".c')"
    assert repr(field("a").count) == "field('a').count"


def test_an_expression_does_not_change_with_what_it_was_made_of() -> None:
    listed = [1, 2]
    one = field("a").any_of(listed)
    both = one & B
    listed.append(3)
    assert repr(one) == "field('a').any_of([1, 2])"
    assert repr(both) == "field('a').any_of([1, 2]) & (field('b') == 2)"
    for joined in (both | C, both & C, ~both):
        assert repr(joined) != repr(both)
    assert repr(both) == "field('a').any_of([1, 2]) & (field('b') == 2)"
    given_model = Filter(must=[FieldCondition("a", match=MatchValue(1))])
    joined = B & given_model
    given_model.must = []
    assert repr(joined) == "(field('b') == 2) & (field('a') == 1)"


def test_an_expression_can_be_compared_copied_and_pickled() -> None:
    expression = (A & B) | ~C
    assert expression == (field("a") == 1) & (field("b") == 2) | (field("c") != 3)
    assert (expression == A) is False
    for other in (copy.deepcopy(expression), pickle.loads(pickle.dumps(expression))):
        assert repr(other) == repr(expression)


def test_a_clause_may_be_one_expression() -> None:
    both, neither, some = Expression(must=A, must_not=B), Expression(must_not=A), Expression(should=B)
    for one, written in ((~both, "~((field('a') == 1) & (field('b') != 2))"), (~neither, "field('a') == 1")):
        assert repr(one) == written
    assert repr(some & A) == "(field('b') == 2) & (field('a') == 1)"
    assert repr(some | A) == "(field('b') == 2) | (field('a') == 1)"
    assert repr(both | some) == "((field('a') == 1) & (field('b') != 2)) | (field('b') == 2)"


def test_of_what_is_too_large_the_beginning_is_printed() -> None:
    wide, nested, deep = A, A, A
    for _ in range(60):
        wide = (wide & B) | (wide & C)  # each time in two places
        nested = field("a").nested(nested) & field("b").nested(nested)
    for n in range(2000):
        deep = ~(deep | (field("c") == n))
    for one in (wide, nested, deep):
        assert repr(one).startswith("Expression(must")
        assert len(repr(one)) < 1100
        with pytest.raises(InvalidFilter):
            parse_filter(one)


def test_what_is_no_filter_prints_all_the_same() -> None:
    assert repr(Expression(must=5)) == "Expression(must=5, should=None, must_not=None, min_should=None)"  # type: ignore[arg-type]
