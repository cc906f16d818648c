"""Search: exact, for every distance, over any data, with every option. numpy alone is the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from brute_force import best, check
from collecting import NAMED, fill, ids, plain

from vecstore import Batch, Distance, PointStruct, SearchParams, VectorParams

if TYPE_CHECKING:
    from collecting import Home

    from vecstore import Collection, ScoredPoint

SIZE, COUNT = 19, 300
IN_MEMORY_AND_IN_FILES = pytest.mark.parametrize("home", ["memory", "sealed"], indirect=True)


def numbers(kind: str) -> tuple[Any, Any]:
    """Vectors and queries of a kind that is hard in its own way."""
    rng = np.random.default_rng(7)
    shape, asked = (COUNT, SIZE), (25, SIZE)  # FAISS takes another way from 20 queries on
    if kind == "few":  # many ties, all scores exact
        return rng.integers(-1, 2, shape), rng.integers(-2, 3, asked)
    if kind == "normal":
        return rng.normal(size=shape), rng.normal(size=asked)
    if kind == "far":  # differences that are lost when squared lengths are subtracted
        return 1000 + rng.integers(-3, 4, shape), 1000 + rng.integers(-3, 4, asked)
    # Next to one another: float32 can hardly tell them apart.
    near = rng.normal(size=SIZE)
    return near + 1e-6 * rng.normal(size=shape), near + 1e-6 * rng.normal(size=asked)


def hits_of(found: list[ScoredPoint]) -> list[tuple[Any, float]]:
    return [(hit.id, hit.score) for hit in found]


@IN_MEMORY_AND_IN_FILES
@pytest.mark.parametrize("kind", ["few", "normal", "far", "near"])
@pytest.mark.parametrize("distance", Distance)
def test_hits_are_those_of_brute_force(distance: Distance, kind: str, home: Home) -> None:
    matrix, queries = numbers(kind)
    numbered = np.random.default_rng(8).permutation(COUNT).tolist()
    col = home.make(VectorParams(SIZE, distance))
    for part in np.array_split(np.arange(COUNT), 3):
        col.upsert(Batch([numbered[i] for i in part], matrix[part])).result()
    col = home.seen(col)
    for limit, asked in [(1, queries[:2]), (10, queries), (COUNT - 1, queries[:2])]:
        together = col.search_batch(asked, limit=limit)
        assert hits_of(col.search(queries[0], limit=limit)) == hits_of(together[0])
        for query, found in zip(asked, together, strict=True):
            if is_exact(kind, distance):
                assert hits_of(found) == best(numbered, matrix, query, distance, limit)
            else:
                check(found, numbered, matrix, query, distance, limit)


def is_exact(kind: str, distance: Distance) -> bool:
    """Whether float32 has the true scores, so that ties are ties."""
    if kind == "far":
        return distance in (Distance.EUCLID, Distance.MANHATTAN)
    return kind == "few" and distance is not Distance.COSINE


@IN_MEMORY_AND_IN_FILES
@pytest.mark.parametrize("distance", Distance)
def test_of_many_equal_vectors_the_smallest_ids_are_found(distance: Distance, home: Home) -> None:
    col = home.make(VectorParams(3, distance))
    numbered = np.random.default_rng(1).permutation(3000)
    for part in np.array_split(numbered, 3):
        col.upsert(Batch(part, np.tile([0.1, 0.7, 0.3], (len(part), 1)))).result()
    col.upsert(Batch([5000, 4000], [[0.2, 1.4, 0.6]] * 2))
    col.delete(np.arange(0, 40, 2)).result()
    col = home.seen(col)
    alive = [*range(1, 40, 2), *range(40, 3000)]
    better = [] if distance is Distance.COSINE else [4000, 5000]  # for the cosine all are equal
    asked = [2.1, 4.7, 1.5]
    for limit in (1, 2, 5, 30, 1000):
        assert ids(col.search(asked, limit=limit)) == (better + alive)[:limit]
    even = {"must": [{"has_id": list(range(0, 3000, 2))}]}
    assert ids(col.search(asked, filter=even, limit=3)) == [40, 42, 44]


@IN_MEMORY_AND_IN_FILES
@pytest.mark.parametrize("distance", Distance)
def test_with_a_filter_hits_are_the_best_of_those_that_match(distance: Distance, home: Home) -> None:
    matrix, queries = numbers("few")
    col = home.make(VectorParams(SIZE, distance))
    col.upsert(Batch(np.arange(COUNT), matrix, [{"n": i} for i in range(COUNT)]))
    col.delete([1, 3]).result()
    col = home.seen(col)
    for low in (0, 100, COUNT - 5, COUNT):
        condition = {"must": [{"key": "n", "range": {"gte": low}}]}
        numbered = [i for i in range(low, COUNT) if i not in (1, 3)]
        together = col.search_batch(queries, filter=condition, limit=7)
        assert hits_of(col.search(queries[0], filter=condition, limit=7)) == hits_of(together[0])
        for query, found in zip(queries, together, strict=True):
            if distance is Distance.COSINE:
                check(found, numbered, matrix[numbered], query, distance, 7)
            else:
                assert hits_of(found) == best(numbered, matrix[numbered], query, distance, 7)


def line(col: Collection) -> Collection:
    """Ten points in a row: the larger the id the better."""
    col.upsert([PointStruct(i, [i, 0], {"n": i}) for i in range(10)]).result()
    return col


def test_ten_hits_with_payload_and_without_vectors_if_not_asked_otherwise(col: Collection) -> None:
    line(col)
    col.upsert([PointStruct(10, [10, 0])]).result()
    hits = col.search([1, 0])
    assert hits_of(hits) == [(i, i) for i in range(10, 0, -1)]
    assert [hit.payload for hit in hits[:2]] == [{}, {"n": 9}]
    assert [hit.vector for hit in hits] == [None] * 10
    assert type(hits[0].score) is float


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"limit": 3}, [9, 8, 7]),
        ({"limit": 3, "offset": 2}, [7, 6, 5]),
        ({"limit": 3, "offset": 8}, [1, 0]),
        ({"limit": 3, "offset": 10}, []),
        ({"limit": 3, "offset": 2**62}, []),
        ({"limit": 2**62}, list(range(9, -1, -1))),
        ({"limit": np.int64(1), "offset": np.uint8(1)}, [8]),
        ({"score_threshold": 7}, [9, 8]),
        ({"score_threshold": 6.5, "offset": 1}, [8, 7]),
        ({"score_threshold": np.float32(8.5)}, [9]),
        ({"score_threshold": 9}, []),
        ({"score_threshold": float("-inf"), "limit": 1}, [9]),
        ({"score_threshold": float("inf")}, []),
        ({"filter": {"must": [{"key": "n", "range": {"lt": 5}}]}, "limit": 2, "offset": 1}, [3, 2]),
        ({"filter": {}, "limit": 1}, [9]),
        ({"params": {"exact": True}, "limit": 1}, [9]),
        ({"params": SearchParams(exact=False), "limit": 1}, [9]),
        ({"params": SearchParams(), "using": "", "limit": 1}, [9]),
    ],
)
def test_options(options: dict[str, Any], found: list[int], col: Collection) -> None:
    line(col)
    assert ids(col.search([1, 0], **options)) == found
    assert [ids(hits) for hits in col.search_batch([[1, 0], [1, 0]], **options)] == [found, found]


def test_an_offset_walks_through_all_hits(home: Home) -> None:
    matrix, queries = numbers("few")
    col = home.make(VectorParams(SIZE, Distance.DOT))
    col.upsert(Batch(np.arange(COUNT), matrix))
    col = home.seen(col)
    everything = ids(col.search(queries[0], limit=COUNT))
    pages = [ids(col.search(queries[0], limit=37, offset=start)) for start in range(0, COUNT, 37)]
    assert [id_ for page in pages for id_ in page] == everything


def test_named_vectors_are_searched_by_name_and_returned_as_asked(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(i, {"image": [i, 0], "text": [-i, 0, 0]}) for i in range(4)])
    col.upsert([PointStruct(9, {"text": [9, 9, 9]})])
    col = home.seen(col)
    assert ids(col.search([1, 0], using="image")) == [3, 2, 1, 0]
    assert ids(col.search([1, 0, 0], using="text", limit=2)) == [9, 0]
    hits = col.search([1, 0], using="image", limit=1, with_vectors=True, with_payload=False)
    assert [(plain(hit.vector), hit.payload) for hit in hits] == [({"image": [3, 0], "text": [-3, 0, 0]}, None)]
    (hits,) = col.search_batch([[1, 0, 0]], using="text", limit=1, with_vectors=["image"])
    assert [plain(hit.vector) for hit in hits] == [{}]


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_by_the_id_of_a_point_is_by_its_vector_without_the_point(limit: int, home: Home) -> None:
    matrix, _ = numbers("few")
    matrix[7] = matrix[3]
    col = home.make(VectorParams(SIZE, Distance.DOT))
    col.upsert(Batch(np.arange(COUNT), matrix))
    col = home.seen(col)
    for point_id in (0, 3, 7, COUNT - 1):
        others = [i for i in range(COUNT) if i != point_id]
        expected = best(others, matrix[others], matrix[point_id], Distance.DOT, limit)
        assert hits_of(col.search(point_id, limit=limit)) == expected
    assert 7 in ids(col.search(3, filter={"must": [{"has_id": [3, 7]}]}))
    assert col.search(3, filter={"must": [{"has_id": [3]}]}) == []


@pytest.mark.parametrize("distance", Distance)
def test_zero_vectors_have_a_score_and_a_place(distance: Distance, home: Home) -> None:
    col = home.make(VectorParams(2, distance))
    col.upsert(Batch([3, 1, 2, 4], [[0, 0], [0, 0], [3, 4], [-3, -4]]))
    col = home.seen(col)
    scores = {Distance.COSINE: [1, 0, 0, -1], Distance.DOT: [25, 0, 0, -25]}
    scores |= {Distance.EUCLID: [0, 5, 5, 10], Distance.MANHATTAN: [0, 7, 7, 14]}
    hits = col.search([3, 4])
    assert ids(hits) == [2, 1, 3, 4]
    assert [hit.score for hit in hits] == pytest.approx(scores[distance], abs=1e-6)
    if distance.larger_is_better:
        assert hits_of(col.search([0, 0])) == [(1, 0), (2, 0), (3, 0), (4, 0)]
    else:
        assert ids(col.search([0, 0])) == [1, 3, 2, 4]


def test_nothing_to_find(col: Collection) -> None:
    assert col.search([1, 0]) == []
    assert col.search_batch([[1, 0], [0, 1]]) == [[], []]
    assert col.search_batch([]) == []
    fill(col, {1: {}})
    col.delete([1]).result()
    assert col.search([1, 0]) == []


@pytest.mark.parametrize("query", [[1, 0], (1, 0), np.array([1, 0]), np.array([1, 0, 7], np.float16)[:2]])
def test_a_query_is_anything_that_is_a_vector(query: Any, col: Collection) -> None:
    line(col)
    assert ids(col.search(query, limit=1)) == [9]
    for queries in ([query, query], np.array([query, query]), (query, query)):
        assert [ids(hits) for hits in col.search_batch(queries, limit=1)] == [[9], [9]]
