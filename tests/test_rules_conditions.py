"""Rules 28 to 34, through the collection: what field conditions match. Whole tables are in test_filters_*."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import qdrant_client.models as theirs
from collecting import fill, ids
from spelling import check_filters, matching

from vecstore import (
    DatetimeRange,
    FieldCondition,
    Filter,
    InvalidFilter,
    MatchAny,
    MatchExcept,
    MatchPhrase,
    MatchText,
    MatchTextAny,
    MatchValue,
    Range,
    ValuesCount,
)

if TYPE_CHECKING:
    from collecting import Home

    from vecstore import Collection

MISSING: Any = object()


def values(*found: Any) -> dict[int, dict[str, Any]]:
    """Payloads of the points 1, 2, ... with these values at ``a``."""
    return {i: {} if value is MISSING else {"a": value} for i, value in enumerate(found, 1)}


def at(key: str, **clause: Any) -> dict[str, Any]:
    return {"key": key, **clause}


HERE, THERE = {"lon": 13.4, "lat": 52.5}, {"lon": 2.35, "lat": 48.86}
AROUND_HERE = {"center": HERE, "radius": 1000.0}


def test_rule_28_an_array_matches_if_any_element_does_one_level_deep(home: Home) -> None:
    col = home.make()
    fill(
        col,
        {
            **values(1, [2, 1], [[1]], [], "one", ["x", "one two"], [["one"]], HERE, [THERE, HERE], [[HERE]]),
            11: {"a": {"b": [1, 2]}},
            12: {"a": [{"b": 2}, {"b": [3, 1]}]},
            13: {"a": [{"b": [[1]]}]},
        },
    )
    cases: list[tuple[dict[str, Any], list[int]]] = [
        (at("a", match={"value": 1}), [1, 2]),
        (at("a[]", match={"value": 1}), [2, 3]),
        (at("a[][]", match={"value": 1}), [3]),
        (at("a[0]", match={"value": 2}), [2]),
        (at("a", range={"lt": 2.0}), [1, 2]),
        (at("a[]", range={"lt": 2.0}), [2, 3]),
        (at("a", match={"text": "one"}), [5, 6]),
        (at("a[]", match={"text": "one"}), [6, 7]),
        (at("a", geo_radius=AROUND_HERE), [8, 9]),
        (at("a[]", geo_radius=AROUND_HERE), [9, 10]),
        (at("a.b", match={"value": 1}), [11]),
        (at("a[].b", match={"value": 1}), [12]),
        (at("a[].b[]", match={"value": 1}), [12, 13]),
    ]
    check_filters(home.seen(col), cases)


def test_rule_29_match_and_range_are_strict_about_type(home: Home) -> None:
    col = home.make()
    fill(col, values(1, 1.0, True, "1", 0, False, 2**53 + 1, -0.5, 2**64 - 1))
    cases: list[tuple[dict[str, Any], list[int]]] = [
        (at("a", match={"value": 1}), [1]),
        (at("a", match={"value": "1"}), [4]),
        (at("a", match={"value": True}), [3]),
        (at("a", match={"value": False}), [6]),
        (at("a", match={"value": 0}), [5]),
        (at("a", match={"value": 2**53 + 1}), [7]),
        (at("a", match={"any": [1, 0]}), [1, 5]),
        (at("a", match={"any": ["1"]}), [4]),
        (at("a", range={"gte": 1.0}), [1, 2, 7, 9]),
        (at("a", range={"gt": 0.0, "lte": 1.0}), [1, 2]),
        (at("a", range={"lt": 0.5}), [5, 8]),
    ]
    check_filters(home.seen(col), cases)


def test_rule_29_with_models(col: Collection) -> None:
    fill(col, values(1, 1.0, True, "1"))
    for value, found in [(1, [1]), (True, [3]), ("1", [4])]:
        assert matching(col, Filter(must=FieldCondition("a", match=MatchValue(value)))) == found
    assert matching(col, Filter(must=[FieldCondition("a", range=Range(gte=1))])) == [1, 2]
    with pytest.raises(InvalidFilter, match=r"must\[0\].match.value: expected a string, an integer or a bool"):
        col.count({"must": [at("a", match={"value": 1.0})]})
    with pytest.raises(InvalidFilter, match=r"must.range.gte: expected a number, got bool True"):
        col.search([1, 0], filter=Filter(must=FieldCondition("a", range=Range(gte=True))))


def test_rule_30_any_except_and_must_not(home: Home) -> None:
    col = home.make()
    fill(col, values(1, 2, [1, 2], [1], [], None, MISSING, "x", [None], [None, 3], {}, True, 1.0))
    cases: list[tuple[dict[str, Any], list[int]]] = [
        (at("a", match={"any": [1, 5]}), [1, 3, 4]),
        (at("a", match={"any": []}), []),
        (at("a", match={"except": [1]}), [2, 3, 8, 10, 11, 12, 13]),
        (at("a", match={"except": [1, 2]}), [8, 10, 11, 12, 13]),
        (at("a", match={"except": ["x"]}), [1, 2, 3, 4, 10, 11, 12, 13]),
        (at("a", match={"except": []}), [1, 2, 3, 4, 8, 10, 11, 12, 13]),
    ]
    check_filters(home.seen(col), cases)


def test_rule_30_with_models(col: Collection) -> None:
    fill(col, values(1, 2, MISSING))
    assert matching(col, Filter(must=FieldCondition("a", match=MatchAny([1, 7])))) == [1]
    assert matching(col, Filter(must=FieldCondition("a", match=MatchExcept([1])))) == [2]
    theirs_except = theirs.FieldCondition(key="a", match=theirs.MatchExcept(**{"except": [1]}))
    assert matching(col, theirs.Filter(must=[theirs_except])) == [2]
    assert matching(col, theirs.Filter(must_not=[theirs_except])) == [1, 3]
    for mixed in (["a", 1], [True], [1.5], [None]):
        for kind in ("any", "except"):
            with pytest.raises(InvalidFilter, match=f"must\\[0\\].match.{kind}.*: expected "):
                col.count({"must": [at("a", match={kind: mixed})]})


def test_rule_31_text(home: Home) -> None:
    col = home.make()
    fill(col, values("Red wine", "a RED-ish wine, dry", "winered", ["white", "red"], "wine red", 5, "", "rED"))
    cases: list[tuple[dict[str, Any], list[int]]] = [
        (at("a", match={"text": "WINE red"}), [1, 2, 5]),
        (at("a", match={"text": "red red"}), [1, 2, 4, 5, 8]),
        (at("a", match={"text": "re"}), []),
        (at("a", match={"text": ""}), []),
        (at("a", match={"text": " -!"}), []),
        (at("a", match={"text_any": "dry Red rosé"}), [1, 2, 4, 5, 8]),
        (at("a", match={"text_any": ""}), []),
        (at("a", match={"phrase": "red wine"}), [1]),
        (at("a", match={"phrase": "ish wine"}), [2]),
        (at("a", match={"phrase": "ed win"}), []),
        (at("a", match={"phrase": ""}), []),
        (at("a", match={"prefix": "Red"}), [1]),
        (at("a", match={"prefix": "red"}), [4]),
        (at("a", match={"prefix": "w"}), [3, 4, 5]),
        (at("a", match={"substring": "red"}), [3, 4, 5]),
        (at("a", match={"substring": "RED-"}), [2]),
    ]
    check_filters(home.seen(col), cases)


def test_rule_31_with_models(col: Collection) -> None:
    fill(col, values("Red wine", "wine, red"))
    found = [MatchText("red WINE"), MatchTextAny("red beer"), MatchPhrase("red wine")]
    expected = [[1, 2], [1, 2], [1]]
    assert [matching(col, Filter(must=FieldCondition("a", match=match))) for match in found] == expected


NOON = [
    "2021-05-01T12:00:00Z",
    "2021-05-01T12:00:00z",
    "2021-05-01 12:00:00",
    "2021-05-01T12:00:00.000",
    "2021-05-01T14:00:00+02",
    "2021-05-01T14:00:00+0200",
    "2021-05-01T14:00:00+02:00",
    "2021-05-01T12:00",
]
ODD_TIMES: list[Any] = ["2021-05-01", "2021-05-01T12:00:00.000001Z", 1619870400, "noon", "2021-05-32", None]


def test_rule_32_datetimes(home: Home) -> None:
    col = home.make()
    fill(col, values(*NOON, *ODD_TIMES, ["noon", NOON[0]]))
    noons, morning, later, array = list(range(1, 9)), 9, 10, 15
    cases: list[tuple[dict[str, Any], list[int]]] = [
        (at("a", range={"gte": "2021-05-01T12:00:00Z", "lte": "2021-05-01T12:00:00Z"}), [*noons, array]),
        (at("a", range={"gt": "2021-05-01T12:00:00Z"}), [later]),
        (at("a", range={"lt": "2021-05-01T14:00:00+02:00"}), [morning]),
        (at("a", range={"gte": "2021-05-01T00:00:00Z"}), [*noons, morning, later, array]),
        (at("a", range={"gt": "2021-05-01T00:00:00Z"}), [*noons, later, array]),
        (at("a", range={"gte": 0.0}), [11]),
    ]
    check_filters(home.seen(col), cases)


@pytest.mark.parametrize("bound", [*NOON, datetime(2021, 5, 1, 12), datetime(2021, 5, 1, 12, tzinfo=timezone.utc)])
def test_rule_32_a_bound_in_every_spelling(bound: Any, col: Collection) -> None:
    fill(col, values("2021-05-01T11:59:59.999999", NOON[0], "2021-05-01T12:00:00.000001"))
    assert matching(col, {"must": [at("a", range={"gt": bound})]}) == [3]
    assert matching(col, Filter(must=FieldCondition("a", range=DatetimeRange(gte=bound)))) == [2, 3]


def test_rule_32_dates_are_bounds_and_their_client_sends_datetimes(col: Collection) -> None:
    fill(col, values("2021-05-01", "2021-04-30T23:30:00-01:00"))
    assert matching(col, Filter(must=FieldCondition("a", range=DatetimeRange(gt=date(2021, 5, 1))))) == [2]
    bound = datetime(2021, 5, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    ranged = theirs.FieldCondition(key="a", range=theirs.DatetimeRange(lte=bound))
    assert matching(col, theirs.Filter(must=[ranged])) == [1]
    for bad in ("noon", "2021-13-01"):
        with pytest.raises(InvalidFilter, match=rf"range.gt: expected a datetime .*, got str '{bad}'"):
            col.count({"must": [at("a", range={"gt": bad})]})


def test_rule_33_is_empty_and_is_null(home: Home) -> None:
    col = home.make()
    fill(
        col,
        {
            **values(MISSING, None, [], {}, "", 0, [None], [1, None], [[None]], [[]], False),
            12: {"a": [{"b": None}, {"b": []}]},
            13: {"a": [{"b": None}, {"b": 1}]},
        },
    )
    empty, null, everything = [1, 2, 3], [2, 7, 8], list(range(1, 14))
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({"is_empty": {"key": "a"}}, empty),
        ({"is_null": {"key": "a"}}, null),
        (at("a", is_empty=True), empty),
        (at("a", is_null=True), null),
        (at("a", is_empty=False), [i for i in everything if i not in empty]),
        (at("a", is_null=False), [i for i in everything if i not in null]),
        (at("a[].b", is_empty=True), [i for i in everything if i != 13]),
    ]
    check_filters(home.seen(col), cases)


def test_rule_34_values_count(home: Home) -> None:
    col = home.make()
    fill(col, values(MISSING, None, 5, "word", {"b": 1, "c": 2}, [], [None], [1, 2], [1, [2, 3], 4], False))
    cases: list[tuple[dict[str, Any], list[int]]] = [
        (at("a", values_count={"lt": 1}), [1, 2, 6]),
        (at("a", values_count={"gte": 1, "lte": 1}), [3, 4, 5, 7, 10]),
        (at("a", values_count={"gt": 1}), [8, 9]),
        (at("a", values_count={"gt": 1, "lt": 3}), [8]),
        (at("a", values_count={"gt": 1, "lt": 2}), []),
    ]
    check_filters(home.seen(col), cases)


def test_rule_34_one_count_satisfies_all_bounds(col: Collection) -> None:
    fill(col, {1: {"a": [{"b": [1]}, {"b": [1, 2, 3]}]}, 2: {"a": [{"b": [1, 2]}]}})
    two = Filter(must=FieldCondition("a[].b", values_count=ValuesCount(gte=2, lte=2)))
    assert matching(col, two) == [2]
    assert ids(col.scroll(Filter(must=FieldCondition("a[].b", values_count=ValuesCount(gte=3))))[0]) == [1]
