"""Rules 38 and 39, through the collection: geo conditions and slices. Whole tables are in test_filters_*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import qdrant_client.models as theirs
from collecting import UUID_TEXT, fill
from spelling import check_filters, matching

from vecstore import (
    FieldCondition,
    Filter,
    GeoBoundingBox,
    GeoLineString,
    GeoPoint,
    GeoPolygon,
    GeoRadius,
    InvalidFilter,
    Slice,
    SliceCondition,
)

if TYPE_CHECKING:
    from collecting import Home

    from vecstore import Collection


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
