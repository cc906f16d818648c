"""vecstore.testing: random points, and what a comparison of points says."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from collecting import COSINE, DOT, NAMED

from vecstore import Batch, Collection, InvalidRequest, PointStruct, Record, ScoredPoint, VectorParams
from vecstore.testing import assert_same_points, random_points

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

# Random points


def test_points_are_the_same_for_the_same_seed() -> None:
    one, other = random_points(50, 3, seed=1, ids="mixed"), random_points(50, 3, seed=1, ids="mixed")
    assert_same_points(one, other)
    assert [point.id for point in one] == [point.id for point in other]
    with pytest.raises(AssertionError):
        assert_same_points(one, random_points(50, 3, seed=2, ids="mixed"))


def test_a_collection_takes_them(home: Home) -> None:
    col = home.make(NAMED)
    points = random_points(30, col)
    col.upsert(points).result()
    assert_same_points(home.seen(col), points)


@pytest.mark.parametrize(
    ("vectors", "sizes"),
    [(5, 5), (DOT, 2), (NAMED, {"image": 2, "text": 3}), ({"a": {"size": 3, "distance": "Dot"}}, {"a": 3})],
)
def test_vectors_are_those_that_are_asked_for(vectors: Any, sizes: Any) -> None:
    (point,) = random_points(1, vectors)
    found: Any = point.vector
    assert ({n: len(v) for n, v in found.items()} if isinstance(found, dict) else len(found)) == sizes
    with Collection(vectors=VectorParams(vectors, "Dot") if isinstance(vectors, int) else vectors) as col:
        assert_same_points(random_points(9, col), random_points(9, vectors))


def test_ids_are_of_the_kind_that_is_asked_for() -> None:
    assert [point.id for point in random_points(3)] == [1, 2, 3]
    uuids = [point.id for point in random_points(100, ids="uuid")]
    assert len({UUID(str(i)) for i in uuids}) == 100
    assert [isinstance(point.id, int) for point in random_points(4, ids="mixed")] == [True, False, True, False]


def test_payloads_have_a_value_of_every_kind(col: Collection) -> None:
    points = random_points(200, col)
    payloads: list[Any] = [point.payload for point in points]
    assert {name for payload in payloads for name in payload} == {
        *("number", "price", "color", "tags", "active", "created", "place", "text", "note")
    }
    assert any("note" in payload for payload in payloads)
    assert {len(payload["tags"]) for payload in payloads} == {0, 1, 2, 3}
    col.upsert(points).result()
    for kind, clause in {
        "number": {"range": {"lte": 50}},
        "created": {"range": {"lt": "2024-06-01"}},
        "place": {"geo_radius": {"center": {"lon": 0, "lat": 0}, "radius": 6e6}},
        "text": {"match": {"text": "lamp"}},
        "active": {"match": {"value": True}},
        "color": {"match": {"value": "red"}},
    }.items():
        assert 0 < col.count({"must": [{"key": kind, **clause}]}) < 200
    assert random_points(2, payloads=False)[1].payload is None
    assert random_points(0) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": -1}, "expected a count of 0 or more, got int -1"),
        ({"count": True}, "expected a count"),
        ({"count": 1, "ids": "x"}, "expected ids as one of integer, uuid, mixed, got str 'x'"),
        ({"count": 1, "ids": np.array(["x", "y"])}, "expected ids as one of"),
        ({"count": 1, "seed": -1}, "expected a seed of 0 or more, got int -1"),
        ({"count": 1, "seed": "x"}, "expected a seed of 0 or more, got str 'x'"),
        ({"count": 1, "vectors": None}, "expected vectors of random points"),
        ({"count": 1, "vectors": 0}, "expected a vector size"),
        ({"count": 1, "vectors": "x"}, "expected"),
    ],
)
def test_wrong_arguments_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        random_points(**arguments)


# Comparing

ONE = {"id": 1, "vector": [1, 2], "payload": {"a": {"b": [1, 2]}, "n": None}}


def read(**parts: Any) -> Record:
    found: dict[str, Any] = {"vector": np.array([1, 2], dtype=np.float32), "payload": ONE["payload"], **parts}
    return Record(1, **found)


@pytest.mark.parametrize(
    "same",
    [
        [ONE],
        iter([ONE]),
        [PointStruct(1, [1.0, 2.0], ONE["payload"])],  # type: ignore[arg-type]
        [PointStruct(np.int64(1), np.array([1, 2]), ONE["payload"])],  # type: ignore[arg-type]
        [read()],
        [read(payload=None)],
        [read(vector=None)],
        [ScoredPoint(1, 0.5, ONE["payload"], np.array([1, 2], dtype=np.float32))],  # type: ignore[arg-type]
        [{"id": 1, "vector": {"": [1, 2 + 1e-7]}, "payload": {"n": None, "a": {"b": (1, 2)}}}],
    ],
)
def test_the_same_point_in_every_form(same: Any) -> None:
    assert_same_points(same, [ONE])


def test_payloads_are_compared_as_json() -> None:
    moment = datetime(2024, 1, 1, tzinfo=timezone.utc)
    given = PointStruct(1, {}, {"at": moment, "n": np.int64(3)})
    assert_same_points([given], [PointStruct(1, {}, {"at": "2024-01-01T00:00:00+00:00", "n": 3})])
    assert_same_points([PointStruct(1, {}, None)], [PointStruct(1, {}, {})])


@pytest.mark.parametrize(
    ("actual", "message"),
    [
        ([], r"0 actual, 1 expected\):\n  1 missing: 1"),
        ([ONE, {**ONE, "id": 7}], r"2 actual, 1 expected\):\n  1 unexpected: 7"),
        (
            [{**ONE, "vector": [1, 3]}],
            r"point 1: vector: ndarray array\(\[1., 3.\]\) is not ndarray",
        ),
        ([{**ONE, "vector": [1, 2, 3]}], r"point 1: vector: \(3,\) is not \(2,\)"),
        ([{**ONE, "vector": {"x": [1, 2]}}], r"point 1: vectors: 'x' is not ''"),
        ([{**ONE, "vector": {}}], "point 1: vectors: none is not ''"),
        ([{**ONE, "payload": {}}], "point 1: payload.a: only expected has it"),
        ([{**ONE, "payload": {"z": 1, **ONE["payload"]}}], "point 1: payload.z: only actual has it, int 1"),
        ([read(payload={"a": {"b": [1, 3]}, "n": None})], r"point 1: payload.a.b\[1\]: int 3 is not int 2"),
        ([read(payload={"a": {"b": [1, 2.0]}, "n": None})], r"payload.a.b\[1\]: float 2.0 is not int 2"),
        ([read(payload={"a": {"b": [True, 2]}, "n": None})], r"payload.a.b\[0\]: bool True is not int 1"),
        ([read(payload={"a": {"b": [1]}, "n": None})], "payload.a.b: 1 values are not 2"),
        ([read(payload={"a": {"b": [1, 2]}, "n": 0})], "payload.n: int 0 is not NoneType None"),
        ([ONE, ONE], "actual: the point 1 is there twice"),
    ],
)
def test_a_difference_is_named(actual: Any, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert_same_points(actual, [ONE])


def test_a_tolerance_can_be_given() -> None:
    assert_same_points([{"id": 1, "vector": [1.05]}], [{"id": 1, "vector": [1]}], tolerance=0.1)
    with pytest.raises(AssertionError):
        assert_same_points([{"id": 1, "vector": [1.05]}], [{"id": 1, "vector": [1]}])


def test_many_differences_are_cut_short() -> None:
    points = [{"id": n, "vector": [n]} for n in range(100)]
    with pytest.raises(AssertionError, match=r"100 missing: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, \.\.\.$"):
        assert_same_points([], points)
    with pytest.raises(AssertionError, match="and more") as raised:
        assert_same_points([{"id": n, "vector": [-1]} for n in range(100)], points)
    assert len(str(raised.value).splitlines()) == 12


@pytest.mark.parametrize("turned", [False, True])
def test_a_collection_may_have_normalised_its_vectors(turned: bool, make: Callable[[Any], Collection]) -> None:
    col, rows = make(COSINE), [[3, 4], [0, 0], [-1, 5]]
    col.upsert(Batch([1, 2, 3], np.array(rows))).result()
    given = [PointStruct(i, row) for i, row in zip((1, 2, 3), rows, strict=True)]
    assert_same_points(*((given, col) if turned else (col, given)))
    with pytest.raises(AssertionError, match="point 1: vector"):
        assert_same_points(col, [PointStruct(1, [4, 3]), *given[1:]])
    plain = make(DOT)
    plain.upsert(Batch([1], np.array([[3, 4]]))).result()
    with pytest.raises(AssertionError, match="point 1: vector"):
        assert_same_points(plain, [PointStruct(1, [0.6, 0.8])])


def test_collections_are_compared_page_by_page(make: Callable[[Any], Collection], monkeypatch: Any) -> None:
    monkeypatch.setattr("vecstore.testing.compare.PAGE", 7)
    one, other = make(DOT), make(DOT)
    for col in (one, other):
        col.upsert(random_points(50, col)).result()
    assert_same_points(one, other)
    other.delete([49]).result()
    with pytest.raises(AssertionError, match="1 unexpected: 49"):
        assert_same_points(one, other)


@pytest.fixture
def make(tmp_path: Any) -> Any:
    opened: list[Collection] = []

    def make(vectors: Any) -> Collection:
        opened.append(Collection(vectors=vectors))
        return opened[-1]

    yield make
    for col in opened:
        col.close()
