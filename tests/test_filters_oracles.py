"""Filters against two implementations of Qdrant's semantics: its engine (Edge), and its client's local mode.

Where an oracle departs from the semantics, its filter is written another way here, and the place says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unicodedata import ucd_3_2_0
from uuid import UUID

import pytest
import qdrant_edge as edge
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qdrant_client.http import models
from qdrant_client.local.payload_filters import check_filter
from strategies import FILTER_PAYLOADS, IDS, PLACES, Point, filters, matches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POINTS = st.builds(Point, FILTER_PAYLOADS, st.sampled_from(IDS), st.sampled_from([(), ("",)]))


@settings(max_examples=400, deadline=None)
@given(filters(), POINTS)
@example({"must": [{"key": "a[]", "is_null": False}]}, Point({"a": [None, 1]}))
def test_local_mode_agrees(wanted: dict[str, Any], point: Point) -> None:
    oracle = models.Filter.model_validate(wanted)
    expected = check_filter(oracle, point.payload, point.id, dict.fromkeys(point.vectors, True))

    assert matches(wanted, point) == expected
    assert matches(oracle, point) == expected


class Shard:
    """An Edge shard of one vector, holding the payloads it was last given under the ids 1, 2, ..."""

    def __init__(self, path: Path) -> None:
        vectors = edge.EdgeVectorParams(size=1, distance=edge.Distance.Dot)
        self._shard = edge.EdgeShard.create(str(path), edge.EdgeConfig(vectors=vectors))
        self._size = 0

    def fill(self, payloads: list[dict[str, Any]]) -> None:
        points = [edge.Point(id=i, vector=[1.0], payload=p) for i, p in enumerate(payloads, 1)]
        self._shard.update(edge.UpdateOperation.upsert_points(points))
        superfluous = list(range(len(payloads) + 1, self._size + 1))
        self._shard.update(edge.UpdateOperation.delete_points(superfluous))
        self._size = len(payloads)

    def put(self, ids: list[int | str]) -> None:
        points = [edge.Point(id=i, vector=[1.0], payload={}) for i in ids]
        self._shard.update(edge.UpdateOperation.upsert_points(points))

    def matching(self, wanted: edge.Filter) -> set[int | str]:
        records, _ = self._shard.scroll(edge.ScrollRequest(limit=10_000, filter=wanted))
        return {record.id if isinstance(record.id, int) else str(record.id) for record in records}

    def close(self) -> None:
        self._shard.close()


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shard]:
    opened = Shard(tmp_path_factory.mktemp("shard") / "edge")
    yield opened
    opened.close()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(FILTER_PAYLOADS, min_size=1, max_size=12),
    st.lists(filters(booleans=False), min_size=1, max_size=12),
)
@example([{"a": [None, 1]}, {"a": [[], 1]}], [{"must": {"key": "a[]", "is_null": False}}])
@example([{"a": [None, 1]}, {"a": [[], 1]}], [{"must": {"key": "a[]", "is_empty": True}}])
def test_edge_agrees(shard: Shard, payloads: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    shard.fill(payloads)
    for one in wanted:
        expected = shard.matching(to_edge(one))
        got = {i for i, payload in enumerate(payloads, 1) if matches(one, Point(payload, i))}
        assert got == expected, one


@settings(max_examples=60, deadline=None)
@given(st.lists(PLACES, min_size=3, max_size=7), st.lists(PLACES, min_size=1, max_size=12))
@example([{"lon": x, "lat": y} for x, y in [(0, 0), (5, 9.5), (0, 9.5)]], [{"lon": 1.5, "lat": 2.85}])
def test_edge_agrees_about_polygons_that_cross_themselves(
    shard: Shard, corners: list[dict[str, Any]], places: list[dict[str, Any]]
) -> None:
    # Local mode counts crossings, the engine windings: what is wound round twice is inside.
    shard.fill([{"at": place} for place in places])
    wanted = {"must": {"key": "at", "geo_polygon": {"exterior": {"points": [*corners, corners[0]]}}}}
    got = {i for i, place in enumerate(places, 1) if matches(wanted, Point({"at": place}, i))}
    assert got == shard.matching(to_edge(wanted))


# Characters of an old Unicode: the newest, Python and the engine may know in different versions.
CHARACTERS = st.characters(exclude_categories=["Cs"]).filter(lambda c: ucd_3_2_0.category(c) != "Cn")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(CHARACTERS, max_size=20), min_size=1, max_size=8),
    st.lists(st.text(CHARACTERS, max_size=5), max_size=8),
)
@example(["\u0130stanbul", "\u039f\u0394\u039f\u03a3 x"], ["i", "\u0130", "\u03bf\u03b4\u03bf\u03c2", "\u03c2"])
@example(["हिन्दी में", "naïve café"], ["ह", "हिन", "NAÏVE", "cafe", "cafe\u0301"])
def test_edge_agrees_about_words(shard: Shard, texts: list[str], queries: list[str]) -> None:
    shard.fill([{"t": text} for text in texts])
    for query in queries:
        for kind in ("text", "text_any", "phrase"):
            wanted = {"must": {"key": "t", "match": {kind: query}}}
            got = {i for i, text in enumerate(texts, 1) if matches(wanted, Point({"t": text}, i))}
            assert got == shard.matching(to_edge(wanted)), (kind, query)


@pytest.mark.parametrize("total", [1, 2, 3, 7, 100])
def test_rule_39_edge_agrees_about_slices(tmp_path: Path, total: int) -> None:
    ids: list[int | str] = [*IDS, *range(1000, 1100), *(str(UUID(int=i * 3**75)) for i in range(100))]
    shard = Shard(tmp_path / "edge")
    shard.put(ids)
    for index in range(min(total, 5)):
        wanted = {"must": {"slice": {"total": total, "index": index}}}
        got = {i for i in ids if matches(wanted, Point({}, i))}
        assert got == shard.matching(to_edge(wanted))
    shard.close()


def to_edge(wanted: dict[str, Any]) -> edge.Filter:
    """A filter in today's REST form as Edge's own objects."""
    # Inside `nested`, Edge takes `should: []` for a constraint that nothing meets. By rule 36 it is none, as it
    # is to Edge everywhere else and to local mode.
    given = {name: _list(wanted[name]) for name in CLAUSES if wanted.get(name, []) != []}
    clauses: dict[str, Any] = {name: [_condition(c) for c in parts] for name, parts in given.items()}
    if "min_should" in wanted:
        least = wanted["min_should"]
        clauses["min_should"] = edge.MinShould([_condition(c) for c in least["conditions"]], least["min_count"])
    return edge.Filter(**clauses)


CLAUSES = ("must", "should", "must_not")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _condition(condition: dict[str, Any]) -> Any:
    if "key" in condition:
        return _field(condition)
    for name, convert in CONDITIONS.items():
        if name in condition:
            return convert(condition[name])
    return to_edge(condition)


CONDITIONS = {
    "is_empty": lambda value: edge.IsEmptyCondition(value["key"]),
    "is_null": lambda value: edge.IsNullCondition(value["key"]),
    "has_id": lambda value: edge.HasIdCondition(set(value)),
    "has_vector": edge.HasVectorCondition,
    "nested": lambda value: edge.NestedCondition(value["key"], to_edge(value["filter"])),
    "slice": lambda value: edge.SliceCondition(**value),
}


def _field(condition: dict[str, Any]) -> Any:
    [(name, clause)] = [(name, clause) for name, clause in condition.items() if name != "key"]
    # Of several values, as `a[]` selects them in [null, 1], one is enough for Edge's clauses: `is_empty: true`
    # wants one that is empty, `is_null: false` one that is not null. Rule 33 wants all of them empty, as Edge's
    # own IsEmptyCondition does, and exact complements. Local mode is right in both.
    if (name, clause) == ("is_empty", True):
        return edge.IsEmptyCondition(condition["key"])
    if (name, clause) == ("is_null", False):
        return edge.Filter(must_not=[edge.FieldCondition(condition["key"], is_null=True)])
    return edge.FieldCondition(condition["key"], **{name: FIELDS[name](clause)})


def _match(match: dict[str, Any]) -> Any:
    [(kind, value)] = match.items()
    return MATCHES[kind](value)


MATCHES = {
    "value": edge.MatchValue,
    "any": edge.MatchAny,
    "except": edge.MatchExcept,
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
    "prefix": edge.MatchPrefix,
    "substring": edge.MatchSubstring,
}


def _range(bounds: dict[str, Any]) -> Any:
    kind = edge.RangeDateTime if isinstance(next(iter(bounds.values())), str) else edge.RangeFloat
    return kind(**bounds)


def _place(place: dict[str, Any]) -> edge.GeoPoint:
    return edge.GeoPoint(place["lon"], place["lat"])


def _line(line: dict[str, Any]) -> list[edge.GeoPoint]:
    return [_place(point) for point in line["points"]]


FIELDS = {
    "match": _match,
    "range": _range,
    "values_count": lambda value: edge.ValuesCount(**value),
    "geo_radius": lambda value: edge.GeoRadius(_place(value["center"]), value["radius"]),
    "geo_bounding_box": lambda value: edge.GeoBoundingBox(_place(value["top_left"]), _place(value["bottom_right"])),
    "geo_polygon": lambda value: edge.GeoPolygon(
        _line(value["exterior"]), [_line(line) for line in value.get("interiors", [])]
    ),
    "is_empty": bool,
    "is_null": bool,
}
