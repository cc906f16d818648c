"""The conformance suite, filters: every condition, with the points it matches."""

from __future__ import annotations

from typing import Any

import pytest

from vecstore.errors import InvalidRequest
from vecstore.testing.conforming import Conformance, fill, ids

BERLIN, POTSDAM, FIJI = ({"lon": lon, "lat": lat} for lon, lat in ((13.4, 52.52), (13.06, 52.4), (179.5, -17)))
POINTS: dict[int, Any] = {
    1: {"color": "red", "n": 1, "t": "2024-05-01T12:00:00Z", "place": BERLIN, "say": "Good cheap wine", "flag": True},
    2: {"color": ["red", "blue"], "n": 1.0, "t": "2024-05-01T14:00:00+02:00", "place": [POTSDAM, FIJI], "flag": 1},
    3: {"color": "green", "n": [0, 5], "t": "2024-05-02", "place": FIJI, "say": ["cheap good", "x"], "flag": "true"},
    4: {"color": None, "n": "1", "t": 1714564800, "say": "goodness, cheap"},
    5: {"color": [], "items": [{"x": 1, "y": 1}, {"x": 2, "y": 2}], "n": [None]},
    6: {"items": [{"x": 1, "y": 2}], "color": [None, "blue"], "n": True},
    7: {"items": {"x": 1, "y": 2}, "deep": {"l": [{"k": [1, 2]}, {"k": 3}]}, "color": {}},
}


def key(name: str, **clause: Any) -> dict[str, Any]:
    """A field condition."""
    return {"key": name, **clause}


def square(left: float, bottom: float, size: float) -> dict[str, Any]:
    """A line around a square, from its corner on the left at the bottom."""
    corners = ((0, 0), (size, 0), (size, size), (0, size), (0, 0))
    return {"points": [{"lon": left + x, "lat": bottom + y} for x, y in corners]}


def nested(*must: Any) -> dict[str, Any]:
    """One object of ``items`` has to match all of these."""
    return {"nested": {"key": "items", "filter": {"must": list(must)}}}


X, Y = key("x", match={"value": 1}), key("y", match={"value": 2})
BOX = {"top_left": {"lon": 13, "lat": 53}, "bottom_right": {"lon": 14, "lat": 52}}
ACROSS = {"top_left": {"lon": 179, "lat": 0}, "bottom_right": {"lon": -179, "lat": -20}}
RING = {"exterior": square(13, 52, 1), "interiors": [square(13.3, 52.45, 0.2)]}

CONDITIONS: list[tuple[str, dict[str, Any], list[int]]] = [
    ("28", key("deep.l[].k", match={"value": 2}), [7]),
    ("28", key("deep.l[0].k", match={"value": 3}), []),
    ("28", key("color", match={"value": "red"}), [1, 2]),
    ("29", key("n", match={"value": 1}), [1]),
    ("29", key("n", match={"value": "1"}), [4]),
    ("29", key("flag", match={"value": True}), [1]),
    ("29", key("flag", match={"value": 1}), [2]),
    ("29", key("n", range={"gte": 1}), [1, 2, 3]),
    ("29", key("n", range={"gt": 0, "lt": 5}), [1, 2]),
    ("30", key("color", match={"any": ["blue", "green"]}), [2, 3, 6]),
    ("30", key("color", match={"any": []}), []),
    ("30", key("color", match={"except": ["red"]}), [2, 3, 6, 7]),
    ("30", key("color", match={"except": []}), [1, 2, 3, 6, 7]),
    ("31", key("say", match={"text": "CHEAP good"}), [1, 3]),
    ("31", key("say", match={"text_any": "wine goodness"}), [1, 4]),
    ("31", key("say", match={"phrase": "good cheap"}), [1]),
    ("31", key("say", match={"text": ""}), []),
    ("31", key("say", match={"prefix": "good"}), [4]),
    ("31", key("say", match={"substring": "p w"}), [1]),
    ("32", key("t", range={"gte": "2024-05-01T12:00:00Z", "lt": "2024-05-02"}), [1, 2]),
    ("32", key("t", range={"gt": "2024-05-01 12:00"}), [3]),
    ("33", {"is_empty": {"key": "color"}}, [4, 5]),
    ("33", key("color", is_empty=False), [1, 2, 3, 6, 7]),
    ("33", {"is_null": {"key": "color"}}, [4, 6]),
    ("33", key("n", is_null=True), [5]),
    ("34", key("color", values_count={"gte": 1, "lt": 2}), [1, 3, 7]),
    ("34", key("color", values_count={"lte": 0}), [4, 5]),
    ("34", key("nowhere", values_count={"lt": 1}), [1, 2, 3, 4, 5, 6, 7]),
    ("35", nested(X, Y), [6]),
    ("35", {"must": [key("items[].x", match={"value": 1}), key("items[].y", match={"value": 2})]}, [5, 6]),
    ("35", nested({"has_id": [5, 6]}), []),
    ("36", {"should": [key("n", match={"value": 1}), {"has_id": [3]}]}, [1, 3]),
    ("36", {"must": {"has_id": [1, 2]}, "should": {"has_id": [2, 3]}}, [2]),
    ("36", {"must": [], "should": [], "must_not": []}, [1, 2, 3, 4, 5, 6, 7]),
    ("36", {"must_not": [{"must": [{"has_id": [1, 2, 3]}, {"has_id": [3, 4]}]}]}, [1, 2, 4, 5, 6, 7]),
    ("36", {"min_should": {"conditions": [{"has_id": [1, 2]}, {"has_id": [2]}, {"has_id": [3]}], "min_count": 2}}, [2]),
    ("36", {"min_should": {"conditions": [], "min_count": 1}}, []),
    ("37", {"has_vector": ""}, [1, 2, 3, 4, 5, 6, 7]),
    ("37", {"has_vector": "nowhere"}, []),
    ("37", {"has_id": []}, []),
    ("38", key("place", geo_radius={"center": BERLIN, "radius": 1}), [1]),
    ("38", key("place", geo_radius={"center": BERLIN, "radius": 50_000}), [1, 2]),
    ("38", key("place", geo_bounding_box=BOX), [1, 2]),
    ("38", key("place", geo_bounding_box=ACROSS), [2, 3]),
    ("38", key("place", geo_polygon=RING), [2]),
]
WRONG: list[Any] = [
    {"must": [key("n")]},
    {"must": [key("n", match={"value": 1}, range={"gt": 1})]},
    {"must": [key("n", match={"value": 1.5})]},
    {"must": [key("a..b", match={"value": 1})]},
    {"must": [key("n", range={"gt": True})]},
    {"min_should": {"conditions": [], "min_count": 0}},
    {"nothing": 1},
    {"must": [{"nothing": 1}]},
    "color = red",
]


class FilterConformance(Conformance):
    """Every condition of a filter."""

    @pytest.mark.parametrize(("rule", "condition", "found"), CONDITIONS)
    def test_filters(self, col: Any, rule: str, condition: Any, found: list[int]) -> None:
        """A condition matches these points, and ``must_not`` the others; scroll, count and search agree."""
        fill(col, POINTS)
        others = [i for i in POINTS if i not in found]
        for wanted, expected in (({"must": [condition]}, found), ({"must_not": [condition]}, others)):
            assert ids(col.scroll(wanted, limit=100)[0]) == expected, f"rule {rule}"
            assert col.count(wanted) == len(expected)
            assert ids(col.search([1, 0], filter=wanted, limit=100)) == expected

    @pytest.mark.parametrize("index", ["keyword", "integer", "float", "bool", "datetime", "geo", "text"])
    def test_an_index_changes_no_answer(self, col: Any, index: str) -> None:
        """Of whatever type it is."""
        fill(col, POINTS)
        for name in ("color", "n", "t", "place", "say", "flag", "deep.l[].k"):
            col.create_payload_index(name, index).result()
        for rule, condition, found in CONDITIONS:
            assert ids(col.scroll({"must": [condition]}, limit=100)[0]) == found, f"rule {rule}"

    def test_39_slices_are_parts_of_the_whole(self, col: Any) -> None:
        """Every point is in one."""
        fill(col, {i: {} for i in range(100)})
        parts = [ids(col.scroll({"must": [{"slice": {"index": i, "total": 3}}]}, limit=100)[0]) for i in range(3)]
        assert all(parts)
        assert sorted(i for part in parts for i in part) == list(range(100))

    @pytest.mark.parametrize("wrong", WRONG)
    def test_40_a_filter_that_cannot_be_read_is_refused(self, col: Any, wrong: Any) -> None:
        """At the call."""
        with pytest.raises(InvalidRequest):
            col.count(wrong)
