"""What each type of payload index answers: tables of values at the edges of types, checked against payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from collecting import fill, ids
from strategies import Point, matches

from vecstore.engine import filtering

if TYPE_CHECKING:
    from vecstore import Collection

LONG = "x" * 400
NUMBERS = [0, -0.0, 1, 1.0, True, "1", 2**53, 2**53 + 1, 2.0**53, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 1e300, -1e-300]
STRINGS = ["", "a", "A", "é", LONG, LONG + "x", LONG + "y", LONG[:-1] + "é", "red wine", "Wine, red", "wine" * 101]
SHAPES = [
    None,
    [],
    [None],
    [None, None],
    [1, 2],
    [1, 1.0],
    [2, "2"],
    [[1]],
    [[], 1],
    {},
    {"b": 1},
    [{"b": 1}, {"b": 2}],
]
PLACES = [(0, 0), (0.5, 10), (180, 0), (-180, 0), (179.999, 1), (-179.999, 1), (0, 90), (500, 3), (0.001, 0), (3, -91)]
MOMENTS = ["2021-01-01", "2021-01-01T00:00:00.000001Z", "0001-01-01", "9999-12-31T23:59:59.999999Z", "2021-02-29", "x"]


def at(lon: float, lat: float) -> dict[str, float]:
    return {"lon": lon, "lat": lat}


def ring(*corners: tuple[float, float]) -> dict[str, Any]:
    return {"exterior": {"points": [at(*corner) for corner in (*corners, corners[0])]}}


def bounds_of(values: list[Any]) -> list[dict[str, Any]]:
    pairs = [{low: a, high: b} for a in values for b in values for low in ("gt", "gte") for high in ("lt", "lte")]
    return [{name: value} for value in values for name in ("lt", "gt", "gte", "lte")] + pairs


WORDS = ["red", "wine red", "red red", "x", "", "wine" * 101, LONG + "x"]
CLAUSES: dict[str, tuple[str, list[Any], list[dict[str, Any]]]] = {
    "numbers": (
        "integer",
        [*NUMBERS, *SHAPES],
        [{"match": {"value": v}} for v in NUMBERS if not isinstance(v, float)]
        + [{"range": found} for found in bounds_of([0, 1, 1.5, 2.0**53, 2**53 + 1, 2**63, 2**64 - 1, float("inf")])]
        + [{"match": {kind: [1, 2**63]}} for kind in ("any", "except")],
    ),
    "strings": (
        "keyword",
        [*STRINGS, *SHAPES, [LONG + "x", "a"], ["a", "a"]],
        [{"match": {kind: v}} for v in STRINGS for kind in ("value", "prefix", "substring", "text", "phrase")]
        + [{"match": {kind: [v, "a"]}} for v in STRINGS for kind in ("any", "except")]
        + [{"match": {kind: []}} for kind in ("any", "except")],
    ),
    "shapes": (
        "bool",
        [*SHAPES, True, False, 0, [True], [[], None], [1, [2, 3]]],
        [{"is_empty": flag} for flag in (True, False)]
        + [{"is_null": flag} for flag in (True, False)]
        + [{"match": {"value": flag}} for flag in (True, False)]
        + [{"values_count": {name: n}} for n in range(4) for name in ("lt", "gt", "gte", "lte")],
    ),
    "words": (
        "text",
        [*STRINGS, ["red", "wine"], ["red wine", "x"], 1, None],
        [{"match": {kind: text}} for text in WORDS for kind in ("text", "text_any", "phrase")],
    ),
    "moments": (
        "datetime",
        [*MOMENTS, MOMENTS[:2], 5, None, [MOMENTS[0], MOMENTS[0]]],
        [{"range": found} for found in bounds_of(MOMENTS[:4])],
    ),
    "places": (
        "geo",
        [*(at(*place) for place in PLACES), [at(0, 0), at(0.5, 10)], {"lon": 1}, "x", None],
        [{"geo_radius": {"center": at(*c), "radius": r}} for c in PLACES[:7] for r in (0, 0.5, 112.0, 1200, 2e6, 2.1e7)]
        + [
            {"geo_bounding_box": {"top_left": at(*a), "bottom_right": at(*b)}}
            for a in [(-1, 11), (0, 90), (179, 5), (-180, 90), (0.001, 1)]
            for b in [(1, -1), (0.5, 10), (-179, -5), (180, -90), (3, 0)]
        ]
        + [{"geo_polygon": ring((-1, -1), (1, -1), (1, 11))}, {"geo_polygon": ring((0, 0), (1, 0), (0, 10))}],
    ),
}


@pytest.mark.parametrize("name", CLAUSES)
def test_every_clause_as_payloads_have_it(col: Collection, name: str) -> None:
    kind, values, clauses = CLAUSES[name]
    payloads: dict[int, Any] = {i: {"a": value} for i, value in enumerate(values)} | {len(values): {}}
    col.create_payload_index("a", kind).result()
    fill(col, payloads)
    for clause in clauses:
        for wanted in ({"must": {"key": "a", **clause}}, {"must_not": {"key": "a", **clause}}):
            expected = [i for i, payload in payloads.items() if matches(wanted, Point(payload, i))]
            assert ids(col.scroll(wanted, limit=1000)[0]) == expected, wanted
            assert col.count(wanted) == len(expected), wanted


@pytest.mark.parametrize("name", CLAUSES)
def test_most_is_settled_without_payloads(col: Collection, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, values, clauses = CLAUSES[name]
    col.create_payload_index("a", kind).result()
    fill(col, {i: {"a": value} for i, value in enumerate(values)})
    tested = []
    monkeypatch.setattr(filtering.Scan, "_matches", lambda scan, slot, value: tested.append(slot) or False)
    for clause in clauses:
        col.count({"must": {"key": "a", **clause}})
    assert len(tested) < 0.35 * len(values) * len(clauses)


def test_nested_conditions_narrow(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    col.create_payload_index("a[].b", "integer").result()
    fill(col, {i: {"a": [{"b": i, "c": 1}, {"b": i + 1}]} for i in range(100)})
    wanted = {"must": {"nested": {"key": "a", "filter": {"must": [
        {"key": "b", "match": {"value": 7}}, {"key": "c", "match": {"value": 1}}
    ]}}}}  # fmt: skip
    looked_at = []
    test = filtering.Scan._matches
    monkeypatch.setattr(filtering.Scan, "_matches", lambda *args: looked_at.append(args[1]) or test(*args))
    assert ids(col.scroll(wanted)[0]) == [7]
    assert len(looked_at) == 2


def test_a_large_index_is_not_read_for_few_candidates(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    col.create_payload_index("a", "integer").result()
    fill(col, {i: {"a": 1, "rare": i == 5} for i in range(3000)})
    col.create_payload_index("rare", "bool").result()
    looked_at = []
    test = filtering.Scan._matches
    monkeypatch.setattr(filtering.Scan, "_matches", lambda *args: looked_at.append(args[1]) or test(*args))
    wanted = {"must": [{"key": "a", "match": {"value": 1}}, {"key": "rare", "match": {"value": True}}]}
    assert (col.count(wanted), len(looked_at)) == (1, 1)
