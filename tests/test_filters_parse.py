"""Parsing filters: every spelling there is, what is refused and where, and the form in the log."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client.http import models
from strategies import filters

from vecstore import conditions as c
from vecstore.errors import InvalidFilter, InvalidId, InvalidPath
from vecstore.filters import filter_to_json, parse, parse_filter
from vecstore.filters.parse import MAX_DEPTH

NAME = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
MOMENT = 1_609_459_200_000_000  # 2021-01-01T00:00:00Z


def one(**clause: Any) -> dict[str, Any]:
    return {"must": [{"key": "a", **clause}]}


def parsed_clause(name: str, value: Any) -> Any:
    """What a clause of a field condition is parsed to."""
    [condition] = parse_filter(one(**{name: value})).must
    return getattr(condition, name)


@settings(max_examples=150, deadline=None)
@given(filters())
def test_models_of_the_client_and_dumps_of_them_are_the_same_filter(wanted: dict[str, Any]) -> None:
    model = models.Filter.model_validate(wanted)
    expected = parse_filter(wanted)
    assert parse_filter(model) == expected
    assert parse_filter(model.model_dump()) == expected
    assert parse_filter(model.model_dump(mode="json", by_alias=True, exclude_none=True)) == expected


@settings(max_examples=150, deadline=None)
@given(filters())
def test_the_form_in_the_log_reads_back(wanted: dict[str, Any]) -> None:
    parsed = parse_filter(wanted)
    written = filter_to_json(parsed)
    for copy in (json.loads(json.dumps(written)), msgpack.unpackb(msgpack.packb(written))):
        assert repr(parse_filter(copy)) == repr(parsed)  # == alone takes True for 1


@settings(max_examples=100, deadline=None)
@given(filters())
def test_a_parsed_filter_is_canonical_and_new(wanted: dict[str, Any]) -> None:
    parsed = parse_filter(wanted)
    again = parse_filter(parsed)
    assert repr(again) == repr(parsed)
    assert again is not parsed
    assert all(clause is None or isinstance(clause, list) for clause in (parsed.must, parsed.should, parsed.must_not))


def test_dict_models_and_objects_are_one_filter() -> None:
    @dataclass
    class Anything:
        has_id: Any

    condition = c.HasIdCondition([1, NAME])
    expected = c.Filter(must=[condition])
    for spelling in (condition, {"has_id": [1, NAME]}, Anything([1, NAME]), models.HasIdCondition(has_id=[1, NAME])):
        assert parse_filter({"must": spelling}) == expected
        assert parse_filter(c.Filter(must=(spelling,))) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [({"keyword": "red"}, "red"), ({"integer": 5}, 5), ({"value": "red"}, "red"), ({"value": True}, True)],
)
def test_both_generations_of_match(old: dict[str, Any], new: Any) -> None:
    match = parsed_clause("match", old)
    assert match == c.MatchValue(new)
    assert type(match.value) is type(new)


class Color(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (Color.RED, "red"),
        (Word.RED, "red"),
        (np.str_("red"), "red"),
        (np.int8(5), 5),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), True),
        (UUID(NAME), NAME),
        (-(2**63), -(2**63)),
    ],
)
def test_match_values_are_made_plain(given_value: Any, expected: Any) -> None:
    value = parsed_clause("match", {"value": given_value}).value
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize("values", [[1, 2], (1, 2), range(1, 3), np.array([1, 2]), {1: "x", 2: "y"}.keys()])
def test_lists_come_in_many_kinds(values: Any) -> None:
    assert parsed_clause("match", {"any": values}) == c.MatchAny([1, 2])
    assert parsed_clause("match", {"except": values}) == c.MatchExcept([1, 2])
    assert parsed_clause("match", {"except_": values}) == c.MatchExcept([1, 2])
    assert parse_filter({"must": {"has_id": values}}) == c.Filter(must=[c.HasIdCondition([1, 2])])


def test_ids_and_paths_are_canonical() -> None:
    parsed = parse_filter({"must": [{"has_id": [NAME.upper(), UUID(NAME), np.int64(7)]}, one(is_null=True)["must"][0]]})
    assert parsed.must[0] == c.HasIdCondition([NAME, 7])
    assert parse_filter({"must": {"is_null": {"key": '"a"."b.c"[]'}}}).must == [
        c.IsNullCondition(c.PayloadField('a."b.c"[]'))
    ]


@pytest.mark.parametrize(
    "bound",
    [
        "2021-01-01",
        "2021-01-01T01:00:00+01:00",
        date(2021, 1, 1),
        datetime(2021, 1, 1),
        datetime(2021, 1, 1, 5, tzinfo=timezone(timedelta(hours=5))),
        np.datetime64("2021-01-01"),
        np.datetime64("2021-01-01T00:00:00", "ns"),
    ],
)
def test_datetime_bounds(bound: Any) -> None:
    expected = c.DatetimeRange(gte=MOMENT)
    assert parsed_clause("range", {"gte": bound}) == expected
    assert parsed_clause("range", c.DatetimeRange(gte=bound)) == expected
    assert parsed_clause("range", c.Range(gte=bound)) == expected
    assert filter_to_json(parse_filter(one(range={"gte": bound}))) == one(range={"gte": "2021-01-01T00:00:00.000000Z"})


def test_an_int_is_a_datetime_in_our_datetime_range_only() -> None:
    assert parsed_clause("range", c.DatetimeRange(lt=MOMENT)) == c.DatetimeRange(lt=MOMENT)
    assert parsed_clause("range", {"lt": MOMENT}) == c.Range(lt=MOMENT)


def test_a_range_without_bounds_stays_what_it_is_in_the_log() -> None:
    for given_range, kind in ((c.Range(), c.Range), (c.DatetimeRange(), c.DatetimeRange), ({}, c.Range)):
        parsed = parse_filter(one(range=given_range))
        assert type(parsed.must[0].range) is kind
        assert parse_filter(filter_to_json(parsed)) == parsed


@pytest.mark.parametrize("bound", [np.float32(0.5), np.int64(2), np.longdouble(0.5), 10**400, float("inf")])
def test_numbers_are_made_plain(bound: Any) -> None:
    assert type(parsed_clause("range", {"lt": bound}).lt) in (int, float)


def test_none_is_not_given() -> None:
    assert parse_filter({"must": None, "should": [], "min_should": None}) == c.Filter(should=[])
    assert parse_filter({"must": {"key": "a", "match": None, "is_null": False}}) == c.Filter(
        must=[c.FieldCondition("a", is_null=False)]
    )


POINT = {"lon": 0, "lat": 0}
LOOP = [POINT, {"lon": 1, "lat": 0}, {"lon": 1, "lat": 1}, POINT]


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        (None, "filter"),
        (5, "filter"),
        ("red", "filter"),
        ([], "filter"),
        (c.Filter, "filter"),
        (lambda: None, "filter"),
        ({"musst": []}, "filter"),
        ({"must_": []}, "filter"),
        ({1: []}, "filter"),
        ({"must": 5}, "must"),
        ({"must": "a"}, "must"),
        ({"must": [[]]}, r"must\[0\]"),
        ({"must": [None]}, r"must\[0\]"),
        ({"must": {"ky": "a"}}, "must"),
        ({"must": [{}, {"must_not": [{"unknown": 1}]}]}, r"must\[1\]\.must_not\[0\]"),
        ({"must": lambda: None}, "must"),
        ({"must": iter([])}, "must"),
        ({"must": {"has_id": None}}, "must"),
        ({"must": {"has_id": 5}}, r"must\.has_id"),
        ({"must": {"has_id": "30"}}, r"must\.has_id"),
        ({"must": {"has_id": {"x": 1}}}, r"must\.has_id"),
        ({"must": c.HasIdCondition(None)}, "must"),
        ({"must": {"has_vector": 5}}, r"must\.has_vector"),
        ({"must": {"has_vector": None}}, "must"),
        ({"must": {"has_id": [1], "has_vector": ""}}, "must"),
        ({"must": {"is_empty": "a"}}, r"must\.is_empty"),
        ({"must": {"is_null": {"key": None}}}, r"must\.is_null"),
        ({"must": {"is_null": {}}}, r"must\.is_null"),
        ({"should": {"nested": {"key": "a"}}}, r"should\.nested"),
        ({"should": {"nested": {"filter": {}}}}, r"should\.nested"),
        ({"should": {"nested": {"key": "a", "filter": {"must": [3]}}}}, r"should\.nested\.filter\.must\[0\]"),
        ({"should": {"nested": {"key": "a", "filter": None}}}, r"should\.nested"),
        ({"must_not": {"slice": {"total": 2}}}, r"must_not\.slice"),
        ({"must_not": {"slice": {"total": 2, "index": 2}}}, r"must_not\.slice\.index"),
        ({"must_not": {"slice": {"total": 2, "index": -1}}}, r"must_not\.slice\.index"),
        ({"must_not": {"slice": {"total": 0, "index": 0}}}, r"must_not\.slice\.total"),
        ({"must_not": {"slice": {"total": 2.0, "index": 0}}}, r"must_not\.slice\.total"),
        ({"min_should": []}, "min_should"),
        ({"min_should": {"min_count": 1}}, "min_should"),
        ({"min_should": {"conditions": []}}, "min_should"),
        ({"min_should": {"conditions": {}, "min_count": 1}}, r"min_should\.conditions"),
        ({"min_should": {"conditions": [3], "min_count": 1}}, r"min_should\.conditions\[0\]"),
        ({"min_should": {"conditions": [], "min_count": 0}}, r"min_should\.min_count"),
        (one(), r"must\[0\]"),
        (one(mach={"value": 1}), r"must\[0\]"),
        (one(is_null=1), r"must\[0\]\.is_null"),
        (one(is_empty="yes"), r"must\[0\]\.is_empty"),
        (one(match="red"), r"must\[0\]\.match"),
        (one(match={}), r"must\[0\]\.match"),
        (one(match={"value": None}), r"must\[0\]\.match"),
        (one(match={"value": 1.0}), r"must\[0\]\.match\.value"),
        (one(match={"value": [1]}), r"must\[0\]\.match\.value"),
        (one(match={"value": 2**64}), r"must\[0\]\.match\.value"),
        (one(match={"value": "\ud800"}), r"must\[0\]\.match\.value"),
        (one(match={"value": np.datetime64("2021-01-01", "ns")}), r"must\[0\]\.match\.value"),
        (one(match={"value": 1, "any": [1]}), r"must\[0\]\.match"),
        (one(match={"keyword": 1}), r"must\[0\]\.match\.keyword"),
        (one(match={"integer": "1"}), r"must\[0\]\.match\.integer"),
        (one(match={"integer": True}), r"must\[0\]\.match\.integer"),
        (one(match={"text": 1}), r"must\[0\]\.match\.text"),
        (one(match={"any": "red"}), r"must\[0\]\.match\.any"),
        (one(match={"any": {"a": 1}}), r"must\[0\]\.match\.any"),
        (one(match={"any": [1, "a"]}), r"must\[0\]\.match\.any"),
        (one(match={"any": [True]}), r"must\[0\]\.match\.any"),
        (one(match={"any": [1, None]}), r"must\[0\]\.match\.any\[1\]"),
        (one(match={"any": np.zeros((2, 2), int)}), r"must\[0\]\.match\.any\[0\]"),
        (one(match={"any": np.array(5)}), r"must\[0\]\.match\.any"),
        (one(match={"except": [1.5]}), r"must\[0\]\.match\.except\[0\]"),
        (one(range=5), r"must\[0\]\.range"),
        (one(range={"from": 1}), r"must\[0\]\.range"),
        (one(range={"gte": float("nan")}), r"must\[0\]\.range\.gte"),
        (one(range={"gte": np.float64("nan")}), r"must\[0\]\.range\.gte"),
        (one(range={"gte": True}), r"must\[0\]\.range\.gte"),
        (one(range={"gte": 1j}), r"must\[0\]\.range\.gte"),
        (one(range={"gte": "5"}), r"must\[0\]\.range\.gte"),
        (one(range={"gte": 5, "lt": "2021-01-01"}), r"must\[0\]\.range"),
        (one(range={"gte": "2021-13-01"}), r"must\[0\]\.range\.gte"),
        (one(range={"gte": np.datetime64("NaT", "s")}), r"must\[0\]\.range\.gte"),
        (
            one(range={"gte": np.datetime64(584_542, "Y")}),
            r"must\[0\]\.range\.gte",
        ),  # 2**64 microseconds
        (one(range={"gte": datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))}), r"must\[0\]\.range\.gte"),
        (one(range=c.DatetimeRange(gte=1.5)), r"must\[0\]\.range\.gte"),
        (one(range=c.DatetimeRange(gte=10**40)), r"must\[0\]\.range\.gte"),
        (one(values_count={"gte": -1}), r"must\[0\]\.values_count\.gte"),
        (one(values_count={"gte": 1.0}), r"must\[0\]\.values_count\.gte"),
        (one(values_count={"gte": 10**5000}), r"must\[0\]\.values_count\.gte"),
        (one(geo_radius={"center": POINT}), r"must\[0\]\.geo_radius"),
        (one(geo_radius={"center": POINT, "radius": -1}), r"must\[0\]\.geo_radius\.radius"),
        (one(geo_radius={"center": POINT, "radius": "1"}), r"must\[0\]\.geo_radius\.radius"),
        (one(geo_radius={"center": {"lon": 0}, "radius": 1}), r"must\[0\]\.geo_radius\.center"),
        (one(geo_radius={"center": {"lon": 181, "lat": 0}, "radius": 1}), r"must\[0\]\.geo_radius\.center\.lon"),
        (one(geo_radius={"center": [0, 0], "radius": 1}), r"must\[0\]\.geo_radius\.center"),
        (one(geo_bounding_box={"top_left": POINT}), r"must\[0\]\.geo_bounding_box"),
        (
            one(geo_bounding_box={"top_left": POINT, "bottom_right": {"lon": 0, "lat": -91}}),
            r"must\[0\]\.geo_bounding_box\.bottom_right\.lat",
        ),
        (one(geo_polygon={}), r"must\[0\]\.geo_polygon"),
        (one(geo_polygon={"exterior": LOOP}), r"must\[0\]\.geo_polygon\.exterior"),
        (one(geo_polygon={"exterior": {"points": LOOP[:3]}}), r"must\[0\]\.geo_polygon\.exterior\.points"),
        (
            one(geo_polygon={"exterior": {"points": [*LOOP[:3], {"lon": 0, "lat": 1}]}}),
            r"must\[0\]\.geo_polygon\.exterior\.points",
        ),
        (
            one(geo_polygon={"exterior": {"points": LOOP}, "interiors": [{"points": []}]}),
            r"must\[0\]\.geo_polygon\.interiors\[0\]\.points",
        ),
    ],
)
def test_what_is_malformed_is_refused_with_its_place(wanted: Any, where: str) -> None:
    with pytest.raises(InvalidFilter, match=rf"^{where}: .*(expected|has no).*"):
        parse_filter(wanted)


@pytest.mark.parametrize("point_id", [-1, 2**64, "30", 1.0, True, None])
def test_an_id_that_is_none_is_refused_with_its_place(point_id: Any) -> None:
    with pytest.raises(InvalidId, match=r"^must\[1\]\.has_id: expected an id"):
        parse_filter({"must": [{}, {"has_id": [point_id]}]})


@pytest.mark.parametrize("path", ["", "a..b", "a[", 5, None.__class__, "\ud800", '"\ud800"'])
def test_a_path_that_is_none_is_refused_with_its_place(path: Any) -> None:
    with pytest.raises(InvalidPath, match=r"^must\.key: expected a payload path"):
        parse_filter({"must": {"key": path, "is_null": True}})
    with pytest.raises(InvalidPath, match=r"^must\.nested\.key: expected a payload path"):
        parse_filter({"must": {"nested": {"key": path, "filter": {}}}})


def deep(levels: int) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    for level in range(levels):
        wanted = {"must": wanted} if level % 2 else {"must": {"nested": {"key": "a", "filter": wanted}}}
    return wanted


def test_depth_has_a_limit() -> None:
    parsed = parse_filter(deep(MAX_DEPTH))
    assert parse_filter(filter_to_json(parsed)) == parsed
    for levels in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(InvalidFilter, match=f"at most {MAX_DEPTH} deep"):
            parse_filter(deep(levels))


def test_filters_that_hold_themselves_are_refused() -> None:
    wanted: dict[str, Any] = {"should": []}
    wanted["should"] += [wanted, wanted]
    with pytest.raises(InvalidFilter, match="deep"):
        parse_filter(wanted)
    model = c.Filter()
    model.must = c.NestedCondition(c.Nested("a", model))
    with pytest.raises(InvalidFilter, match="deep"):
        parse_filter(model)


def test_the_number_of_conditions_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "MAX_CONDITIONS", 3)
    wanted = {"should": [{"must": {}}], "must": {}}  # the filter in the filter counts too
    assert parse_filter(wanted).must == [c.Filter()]
    with pytest.raises(InvalidFilter, match=r"must_not: expected at most 3 conditions"):
        parse_filter({**wanted, "must_not": {}})


def test_one_filter_in_many_places_counts_every_time() -> None:
    wanted: dict[str, Any] = {"must": []}
    for _ in range(40):
        wanted = {"must": [wanted, wanted]}
    with pytest.raises(InvalidFilter, match=f"at most {parse.MAX_CONDITIONS} conditions"):
        parse_filter(wanted)


WORDS = st.sampled_from(
    [
        "must",
        "should",
        "must_not",
        "min_should",
        "conditions",
        "min_count",
        "key",
        "match",
        "value",
        "any",
        "range",
        "gte",
        "nested",
        "filter",
        "slice",
        "total",
        "index",
        "has_id",
        "geo_radius",
        "center",
        "radius",
        "lon",
        "lat",
        "is_null",
    ]
)
GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(Color.RED),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(WORDS, parts, max_size=4),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(GARBAGE)
def test_garbage_is_a_filter_or_refused(garbage: Any) -> None:
    try:
        parsed = parse_filter(garbage)
    except (InvalidFilter, InvalidId, InvalidPath):
        return
    assert repr(parse_filter(filter_to_json(parsed))) == repr(parsed)
