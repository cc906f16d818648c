"""Rules 35 to 40, through the collection: conditions on more than one value. Whole tables are in test_filters_*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import qdrant_client.models as theirs
from collecting import NAMED, UUID_TEXT, check_filters, fill, ids, matching, spellings

from vecstore import (
    FieldCondition,
    Filter,
    GeoBoundingBox,
    GeoLineString,
    GeoPoint,
    GeoPolygon,
    GeoRadius,
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
    Slice,
    SliceCondition,
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


def place(lon: float, lat: float) -> dict[str, float]:
    return {"lon": lon, "lat": lat}


def ring(*corners: tuple[float, float]) -> dict[str, Any]:
    return {"points": [place(*corner) for corner in (*corners, corners[0])]}


PLACES: dict[Any, dict[str, Any]] = {
    1: {"a": place(0, 0)},
    2: {"a": place(0, 1)},  # 111,195.08 m from 1
    3: {"a": place(5, 5)},
    4: {"a": place(10, 5)},
    5: {"a": place(179.5, 5)},
    6: {"a": place(-179.5, 5)},
    7: {"a": [place(50, 50), place(5, 6)]},
    8: {"a": {"lon": 0}},
    9: {"a": "0,0"},
    10: {"a": None},
    11: {},
}
DEGREE = 111_195.08
SQUARE = ring((0, 0), (10, 0), (10, 10), (0, 10))


def box(west: float, north: float, east: float, south: float) -> dict[str, Any]:
    return {"top_left": place(west, north), "bottom_right": place(east, south)}


def geo(**clause: Any) -> dict[str, Any]:
    return {"key": "a", **clause}


def test_rule_38_geo(home: Home) -> None:
    col = home.make()
    fill(col, PLACES)
    around = {"center": place(0, 0)}
    hole = [ring((4, 4), (6, 4), (6, 5.5), (4, 5.5))]
    cases: list[tuple[dict[str, Any], list[int]]] = [
        (geo(geo_radius={**around, "radius": DEGREE + 1}), [1, 2]),
        (geo(geo_radius={**around, "radius": DEGREE - 1}), [1]),
        (geo(geo_radius={**around, "radius": 0.0}), []),
        (geo(geo_radius={"center": place(180, 5), "radius": DEGREE}), [5, 6]),
        (geo(geo_bounding_box=box(-1, 2, 1, -1)), [1, 2]),
        (geo(geo_bounding_box=box(-1, 1, 1, 0)), []),
        (geo(geo_bounding_box=box(0, 10, 10, 0)), [3, 7]),
        (geo(geo_bounding_box=box(179, 10, -179, 0)), [5, 6]),
        (geo(geo_bounding_box=box(9, 10, -179, 0)), [4, 5, 6]),
        (geo(geo_polygon={"exterior": SQUARE}), [3, 7]),
        (geo(geo_polygon={"exterior": SQUARE, "interiors": hole}), [7]),
    ]
    check_filters(home.seen(col), cases)


def test_rule_38_with_models(col: Collection) -> None:
    fill(col, PLACES)
    around = FieldCondition("a", geo_radius=GeoRadius(GeoPoint(lon=0, lat=0), DEGREE + 1))
    inside = FieldCondition("a", geo_bounding_box=GeoBoundingBox(GeoPoint(-1, 2), GeoPoint(1, -1)))
    corners = [GeoPoint(lon, lat) for lon, lat in [(-1, -1), (1, -1), (0, 0.5), (-1, -1)]]
    within = FieldCondition("a", geo_polygon=GeoPolygon(GeoLineString(corners)))
    assert [matching(col, Filter(must=c)) for c in (around, inside, within)] == [[1, 2], [1, 2], [1]]
    for bad in ({"center": place(181, 0), "radius": 1}, {"center": place(0, 0)}, {"radius": 1}):
        with pytest.raises(InvalidFilter, match=r"must\[0\].geo_radius.*: expected"):
            col.count({"must": [geo(geo_radius=bad)]})


THIRDS: list[list[Any]] = [  # as qdrant-edge 0.9 has them
    [2**63, UUID_TEXT],
    [3, 2**64 - 1],
    [0, 1, 2, "00000000-0000-0000-0000-000000000000"],
]


def test_rule_39_slices_hash_as_in_qdrant(home: Home) -> None:
    col = home.make()
    fill(col, {id_: {} for third in THIRDS for id_ in third})
    col = home.seen(col)
    assert [slice_of(col, 3, index) for index in range(3)] == THIRDS


def test_rule_39_slices_part_the_points(home: Home) -> None:
    col = home.make()
    everything = [*range(30), 2**63, 2**64 - 1, UUID_TEXT]
    fill(col, {id_: {} for id_ in everything})
    col = home.seen(col)
    for total in (1, 3, 7):
        parts = [slice_of(col, total, index) for index in range(total)]
        assert sorted((id_ for part in parts for id_ in part), key=str) == sorted(everything, key=str)
        assert all(parts)


def slice_of(col: Collection, total: int, index: int) -> list[Any]:
    """The ids in a slice, for which all spellings agree."""
    (found, *others) = (
        matching(col, condition)
        for condition in (
            {"must": [{"slice": {"total": total, "index": index}}]},
            Filter(must=SliceCondition(Slice(total, index))),
            theirs.Filter(must=[theirs.SliceCondition(slice=theirs.Slice(total=total, index=index))]),
        )
    )
    assert all(other == found for other in others)
    return found


@pytest.mark.parametrize("part", [{"total": 0, "index": 0}, {"total": 3, "index": 3}, {"total": 3}, {"index": -1}])
def test_rule_39_a_slice_is_one_of_them(part: Any, col: Collection) -> None:
    with pytest.raises(InvalidFilter, match=r"must\[0\].slice.*: expected"):
        col.count({"must": [{"slice": part}]})


TWO_CLAUSES: list[dict[str, Any]] = [
    {"match": {"value": 1}, "range": {"gt": 0}},
    {"is_empty": True, "is_null": True},
    {"values_count": {"gt": 0}, "geo_radius": {"center": place(0, 0), "radius": 1.0}},
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
