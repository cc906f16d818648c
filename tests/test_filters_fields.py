"""What field conditions match, rules 28 to 34 and 40, over payloads as they are stored."""

from __future__ import annotations

from typing import Any

import pytest
from strategies import Point, matches

from vecstore.conditions import (
    FieldCondition,
    Filter,
    IsEmptyCondition,
    IsNullCondition,
    MatchExcept,
    MatchValue,
    PayloadField,
    Range,
    ValuesCount,
)
from vecstore.errors import InvalidFilter

MISSING = object()
HERE, THERE = {"lon": 13.4, "lat": 52.5}, {"lon": 2.35, "lat": 48.86}
RED = FieldCondition("color", match=MatchValue("red"))
BIG = FieldCondition("size", range=Range(gt=10))


def payload_of(value: Any) -> dict[str, Any]:
    return {} if value is MISSING else {"a": value}


def field_matches(value: Any, key: str = "a", **clause: Any) -> bool:
    """Whether a field condition matches a payload with this value at ``a``."""
    return matches({"must": [{"key": key, **clause}]}, Point(payload_of(value)))


AROUND_HERE = {"geo_radius": {"center": HERE, "radius": 1000}}


@pytest.mark.parametrize(
    ("clause", "yes", "no"),
    [
        ({"match": {"value": 1}}, 1, 2),
        ({"match": {"any": ["x", "y"]}}, "y", "z"),
        ({"match": {"text": "red"}}, "Red wine", "wine"),
        ({"match": {"prefix": "re"}}, "red", "are"),
        ({"range": {"gte": 5}}, 5, 4),
        ({"range": {"gte": "2021-01-01"}}, "2021-01-01T00:00:00Z", "2020-01-01"),
        (AROUND_HERE, HERE, THERE),
    ],
)
def test_rule_28_an_array_matches_if_an_element_does_one_level_deep(clause: dict[str, Any], yes: Any, no: Any) -> None:
    assert field_matches(yes, **clause)
    assert not field_matches(no, **clause)
    assert field_matches([no, yes], **clause)
    assert not field_matches([no, no], **clause)
    assert not field_matches([[yes]], **clause)
    assert not field_matches([], **clause)
    assert field_matches([[no], [yes]], key="a[]", **clause)
    assert field_matches([no, yes], key="a[]", **clause)
    assert not field_matches(yes, key="a[]", **clause)
    assert not field_matches([[[yes]]], key="a[]", **clause)


def test_rule_28_a_path_leads_into_objects_and_elements() -> None:
    point = Point({"shops": [{"city": "Rome", "tags": ["x"]}, {"city": ["Oslo", "Bergen"]}], "at": {"n": {"m": 7}}})

    def found(key: str, value: Any) -> bool:
        return matches({"must": {"key": key, "match": {"value": value}}}, point)

    assert found("shops[].city", "Rome")
    assert found("shops[].city", "Bergen")
    assert found("shops[0].tags", "x")
    assert found("shops[1].city[1]", "Bergen")
    assert found("at.n.m", 7)
    assert not found("shops.city", "Rome")
    assert not found("shops[0].city", "Oslo")
    assert not found("at.n", 7)
    assert not found("at.n.m.k", 7)


VALUES = [1, 1.0, True, "1", 0, 0.0, False, "true", None, "", [], {}]


@pytest.mark.parametrize("wanted", [1, 0, True, False, "1", "", "true"])
def test_rule_29_match_value_is_strict_about_type(wanted: Any) -> None:
    found = [value for value in VALUES if field_matches(value, match={"value": wanted})]
    assert [(type(value), value) for value in found] == [(type(wanted), wanted)]


@pytest.mark.parametrize(("wanted", "found"), [([1, 0], [1, 0]), (["1", ""], ["1", ""])])
def test_rule_29_any_and_except_are_strict_about_type(wanted: list[Any], found: list[Any]) -> None:
    alike = [value for value in VALUES if field_matches(value, match={"any": wanted})]
    assert list(map(repr, alike)) == list(map(repr, found))
    others = [value for value in VALUES if field_matches(value, match={"except": wanted})]
    expected = [value for value in VALUES if repr(value) not in map(repr, found) and value is not None and value != []]
    assert list(map(repr, others)) == list(map(repr, expected))


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ({"gte": 1, "lte": 2}, [1, 1.0, 1.5, 2]),
        ({"gt": 1, "lt": 2}, [1.5]),
        ({"gt": 1}, [1.5, 2, 2**53 + 1]),
        ({"lte": 1.0}, [0, 1, 1.0, -3]),
        ({"gt": 2, "lt": 1}, []),
        ({}, [0, 1, 1.0, 1.5, 2, -3, 2**53 + 1]),
        ({"gte": float("-inf"), "lt": float("inf")}, [0, 1, 1.0, 1.5, 2, -3, 2**53 + 1]),
    ],
)
def test_rule_29_range_takes_numbers_only(bounds: dict[str, Any], found: list[Any]) -> None:
    values = [0, 1, 1.0, 1.5, 2, -3, 2**53 + 1, True, "1", "1.5", None, {}, "2021-01-01"]
    assert [value for value in values if field_matches(value, range=bounds)] == found


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        ({"gt": 2**53}, [2**53 + 1, 2**64 - 1, 1e300]),
        ({"gte": 2**53 + 1}, [2**53 + 1, 2**64 - 1, 1e300]),
        ({"lt": 2**53 + 1}, [2**53, float(2**53), -(2**63)]),
        ({"lt": float(2**53)}, [-(2**63)]),
        ({"gte": 2**64 - 1}, [2**64 - 1, 1e300]),
        ({"gt": 2**64 - 1}, [1e300]),
        ({"gte": 10**30}, [1e300]),
        ({"lt": 10**400, "gt": -(10**400)}, [2**53, float(2**53), 2**53 + 1, 2**64 - 1, 1e300, -(2**63)]),
        ({"gt": 10**400}, []),
    ],
)
def test_rule_29_large_numbers_compare_exactly(bounds: dict[str, Any], found: list[Any]) -> None:
    values = [2**53, float(2**53), 2**53 + 1, 2**64 - 1, 1e300, -(2**63)]
    assert [value for value in values if field_matches(value, range=bounds)] == found


@pytest.mark.parametrize("bound", [10**23, 10**22, 2**64 + 1, 2**65 + 2**12 + 1, -(10**23), -(2**63) - 1])
def test_rule_29_a_bound_of_more_than_64_bits_keeps_its_side_of_every_float(bound: int) -> None:
    near = float(bound)
    values = [near, near * (1 - 2**-53), near * (1 + 2**-52), 2**64 - 1, -(2**63)]
    for value in values:
        assert field_matches(value, range={"lt": bound}) == (value < bound)
        assert field_matches(value, range={"gt": bound}) == (value > bound)
        assert field_matches(value, range={"lte": bound}) == (value <= bound)
        assert field_matches(value, range={"gte": bound}) == (value >= bound)


def test_rule_30_any_of_nothing_matches_nothing() -> None:
    assert not any(field_matches(value, match={"any": []}) for value in [MISSING, *VALUES])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (MISSING, False),
        (None, False),
        ([], False),
        ([None], False),
        ("x", False),
        (["x", "x"], False),
        (["x", None], False),
        ("y", True),
        (["x", "y"], True),
        (1, True),
        ({}, True),
        ([[]], True),
    ],
)
def test_rule_30_except_needs_one_other_value(value: Any, found: bool) -> None:
    assert field_matches(value, match={"except": ["x"]}) == found


@pytest.mark.parametrize("value", [MISSING, None, [], [None]])
def test_rule_30_except_nothing_matches_every_value(value: Any) -> None:
    assert not field_matches(value, match={"except": []})
    for other in ("x", 0, False, {}, "", [None, 1]):
        assert field_matches(other, match={"except": []})


def test_rule_30_must_not_is_the_complement() -> None:
    condition = FieldCondition("a", match=MatchExcept(["x"]))
    for value in [MISSING, None, [], "x", "y", ["x", "y"]]:
        point = Point(payload_of(value))
        assert matches(Filter(must_not=[condition]), point) != matches(Filter(must=[condition]), point)
    assert matches(Filter(must_not=[RED]), Point({}))


@pytest.mark.parametrize(
    ("kind", "query", "text", "found"),
    [
        ("text", "wine RED", "A red, dry Wine", True),
        ("text", "red wine", "red", False),
        ("text", "wine", "winery", False),
        ("text", "a_b", "B a", True),
        ("text", "été", "L'ÉTÉ indien", True),
        ("text", "हि", "हिन्दी", False),
        ("text", "हिन", "हिन्दी", True),
        ("text", "", "red", False),
        ("text", "!?", "red !?", False),
        ("text_any", "blue red", "Red wine", True),
        ("text_any", "blue green", "red wine", False),
        ("text_any", "", "red", False),
        ("phrase", "red wine", "Some red-wine stains", True),
        ("phrase", "wine red", "Some red wine", False),
        ("phrase", "red stains", "red wine stains", False),
        ("phrase", "in", "wine", False),
        ("phrase", "wine", "wine", True),
        ("phrase", "", "red", False),
        ("phrase", "!", "?", False),
        ("prefix", "Red", "Red wine", True),
        ("prefix", "red", "Red wine", False),
        ("prefix", "wine", "Red wine", False),
        ("prefix", "", "Red", True),
        ("substring", "d w", "Red wine", True),
        ("substring", "D W", "Red wine", False),
        ("substring", "", "", True),
    ],
)
def test_rule_31_text(kind: str, query: str, text: str, found: bool) -> None:
    assert field_matches(text, match={kind: query}) == found


@pytest.mark.parametrize("kind", ["text", "text_any", "phrase", "prefix", "substring"])
def test_rule_31_only_strings_are_text(kind: str) -> None:
    assert field_matches("1", match={kind: "1"})
    for value in (1, 1.0, True, None, {"1": "1"}, MISSING):
        assert not field_matches(value, match={kind: "1"})


@pytest.mark.parametrize(
    "value",
    [
        "2021-06-15T12:30:00Z",
        "2021-06-15 12:30:00z",
        "2021-06-15t12:30:00.000Z",
        "2021-06-15T12:30",
        "2021-06-15 12:30:00",
        "2021-06-15T17:30:00+05",
        "2021-06-15T07:00:00-0530",
        "2021-06-15T12:30:00.0000009+00:00",
    ],
)
def test_rule_32_one_moment_in_many_spellings(value: str) -> None:
    bounds = {"gte": "2021-06-15T12:30:00Z", "lte": "2021-06-15T14:30:00+02:00"}
    assert field_matches(value, range=bounds)
    assert not field_matches(value, range={"gt": "2021-06-15T12:30:00Z"})
    assert not field_matches(value, range={"lt": "2021-06-15T12:30:00Z"})


@pytest.mark.parametrize("value", [1623760200, 1e300, True, "soon", "2021-06-31", "2021-06-15T12:30Z", "", {}, None])
def test_rule_32_what_is_no_datetime_is_in_no_range_of_them(value: Any) -> None:
    assert not field_matches(value, range={"gte": "0001-01-01"})
    assert field_matches("2021-06-15", range={"gte": "0001-01-01"})


EMPTY = [MISSING, None, []]
NOT_EMPTY = [{}, "", 0, False, [None], [[]], "x", [1]]


def test_rule_33_is_empty() -> None:
    condition = IsEmptyCondition(PayloadField("a"))
    for value in EMPTY + NOT_EMPTY:
        empty = matches(Filter(must=condition), Point(payload_of(value)))
        assert empty == any(value is one for one in EMPTY)
        assert field_matches(value, is_empty=True) == empty
        assert field_matches(value, is_empty=False) != empty


@pytest.mark.parametrize(
    ("value", "found"),
    [([{"b": None}, {"b": []}, {}], True), ([{"b": 1}, {"b": None}], False), ([], True), (1, True)],
)
def test_rule_33_empty_if_all_selected_values_are(value: Any, found: bool) -> None:
    assert field_matches(value, key="a[].b", is_empty=True) == found
    assert field_matches(value, key="a[].b", is_empty=False) != found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, True),
        ([None], True),
        ([1, None], True),
        (MISSING, False),
        ([], False),
        ([[None]], False),
        ("", False),
    ],
)
def test_rule_33_is_null(value: Any, found: bool) -> None:
    assert matches(Filter(must=IsNullCondition(PayloadField("a"))), Point(payload_of(value))) == found
    assert field_matches(value, is_null=True) == found
    assert field_matches(value, is_null=False) != found


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (MISSING, 0),
        (None, 0),
        ([], 0),
        ("abc", 1),
        (7, 1),
        ({"b": 1, "c": 2}, 1),
        ([1], 1),
        ([None, None], 2),
    ],
)
def test_rule_34_values_count(value: Any, count: int) -> None:
    for n in range(4):
        assert field_matches(value, values_count={"gte": n, "lte": n}) == (n == count)
        assert field_matches(value, values_count={"gt": n}) == (count > n)
        assert field_matches(value, values_count={"lt": n}) == (count < n)
    assert field_matches(value, values_count={})


def test_rule_34_one_count_satisfies_all_bounds() -> None:
    point = Point({"a": [{"b": [1]}, {"b": [1, 2, 3]}]})
    one_and_three = Filter(must=FieldCondition("a[].b", values_count=ValuesCount(gt=1, lt=3)))
    assert not matches(one_and_three, point)
    assert matches(Filter(must=FieldCondition("a[].b", values_count=ValuesCount(gt=1, lt=4))), point)


@pytest.mark.parametrize("clause", [{"match": {"value": 1}, "range": {"gte": 1}}, {"is_null": True, "is_empty": True}])
def test_rule_40_several_clauses_are_an_error(clause: dict[str, Any]) -> None:
    with pytest.raises(InvalidFilter, match=r"must\[0\].*exactly one of .*got (match and range|is_null and is_empty)"):
        field_matches(1, **clause)


def test_rule_40_no_clause_is_an_error() -> None:
    with pytest.raises(InvalidFilter, match=r"must: .*exactly one of .*got none"):
        matches({"must": FieldCondition("a")}, Point())
