"""Search where float32 ends: sums that overflow, numbers that underflow, and scores that are hardly told apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import ids

from vecstore import Batch, Distance, PointStruct, VectorParams

if TYPE_CHECKING:
    from collecting import Home

    from vecstore import Collection, ScoredPoint

HUGE = 3e38
VECTORS = [
    [HUGE, 0],
    [HUGE, HUGE],
    [-HUGE, 0],
    [0, 0],
    [1, 1],
    [HUGE, -HUGE],
    [2e38, -HUGE],
    [-1, 5],
    [1e-40, 0],
]
QUERIES = [[HUGE, HUGE], [-HUGE, HUGE], [1, 1], [-1e-40, 1e-45], [0, 0]]


def in_order(hits: list[ScoredPoint], distance: Distance) -> bool:
    """Whether the best come first, equal ones by id, and every score is a number."""
    sign = -1 if distance.larger_is_better else 1
    keys = [(sign * hit.score, hit.id) for hit in hits]
    return keys == sorted(keys) and not any(math.isnan(hit.score) for hit in hits)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("distance", Distance)
def test_what_overflows_is_still_found_and_in_order(distance: Distance, query: Any, home: Home) -> None:
    col = home.make(VectorParams(2, distance))
    col.upsert(Batch(np.arange(9), VECTORS))
    col = home.seen(col)
    everything = col.search(query)
    assert sorted(ids(everything)) == list(range(9))
    assert in_order(everything, distance)
    for limit in range(1, 9):
        found = [(hit.id, hit.score) for hit in col.search(query, limit=limit)]
        assert found == [(hit.id, hit.score) for hit in everything[:limit]]


@pytest.mark.parametrize(
    ("distance", "vectors", "query", "hits"),
    [
        ("Dot", [[HUGE], [-HUGE], [1], [0]], [HUGE], [(0, math.inf), (2, HUGE), (3, 0), (1, -math.inf)]),
        ("Euclid", [[1e30], [-1e30], [1e15], [2]], [1], [(3, 1), (2, 1e15), (0, 1e30), (1, 1e30)]),
        ("Manhattan", [[HUGE], [-HUGE], [0]], [HUGE], [(0, 0), (2, HUGE), (1, math.inf)]),
        ("Cosine", [[HUGE], [-HUGE], [0], [1e-5]], [HUGE], [(0, 1), (3, 1e-5), (2, 0), (1, -1)]),
    ],
)
def test_what_overflows_scores_infinity(
    distance: str, vectors: Any, query: Any, hits: list[tuple[int, float]], home: Home
) -> None:
    col = home.make(VectorParams(1, Distance(distance)))
    col.upsert(Batch(np.arange(len(vectors)), vectors))
    col = home.seen(col)
    found = [(hit.id, hit.score) for hit in col.search(query)]
    assert [(id_, pytest.approx(score, rel=1e-6)) for id_, score in hits] == found
    assert ids(col.search(query, limit=2)) == [id_ for id_, _ in hits[:2]]
    finite = {"must_not": [{"has_id": [id_ for id_, score in hits if math.isinf(score)]}]}
    assert ids(col.search(query, filter=finite)) == [id_ for id_, score in hits if math.isfinite(score)]


def test_infinite_scores_pass_no_threshold_they_do_not_beat(col: Collection) -> None:
    col.upsert(Batch([1, 2, 3], [[HUGE, 0], [-HUGE, 0], [1, 0]])).result()
    assert ids(col.search([HUGE, 0], score_threshold=HUGE / 2)) == [1, 3]
    assert ids(col.search([HUGE, 0], score_threshold=math.inf)) == []
    assert ids(col.search([HUGE, 0], score_threshold=-math.inf)) == [1, 3]


@pytest.mark.parametrize("home", ["memory", "sealed"], indirect=True)
@pytest.mark.parametrize("distance", Distance)
def test_many_overflows_in_many_queries(distance: Distance, home: Home) -> None:
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(200, 5)) * 10.0 ** rng.integers(-38, 38, (200, 1))
    # A dot product whose terms overflow to both infinities is no number to FAISS, which leaves the row out.
    largest = 0 if distance is Distance.DOT else 38
    queries = rng.normal(size=(30, 5)) * 10.0 ** rng.integers(-38, largest, (30, 1))
    col = home.make(VectorParams(5, distance))
    col.upsert(Batch(np.arange(200), matrix))
    col = home.seen(col)
    for query, found in zip(queries, col.search_batch(queries, limit=200), strict=True):
        assert sorted(ids(found)) == list(range(200))
        assert in_order(found, distance)
        assert ids(col.search(query, limit=20)) == ids(found)[:20]


IN_MEMORY = pytest.mark.parametrize("home", ["memory"], indirect=True)


@IN_MEMORY
@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("size", [4096, 65_536])
def test_sums_that_round_the_same_way_at_every_step(size: int, distance: Distance, home: Home) -> None:
    # Adding one and the same number again and again, float32 is off by far more than usual.
    steps = np.float32(0.7) + np.arange(40) // 3 * np.spacing(np.float32(0.7))
    col = home.make(VectorParams(size, distance))
    col.upsert(Batch(np.arange(40), np.repeat(steps[:, None], size, axis=1))).result()
    queries = np.full((25, size), 0.7)
    everything = [(hit.id, hit.score) for hit in col.search(queries[0], limit=40)]
    assert in_order(col.search(queries[0], limit=40), distance)
    for found in [col.search(queries[0], limit=5), *col.search_batch(queries, limit=5)]:
        assert [(hit.id, hit.score) for hit in found] == everything[:5]


@IN_MEMORY
@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("size", [384, 20_000])
def test_a_vector_is_stored_and_scored_the_same_alone_and_among_others(
    size: int, distance: Distance, home: Home
) -> None:
    rng = np.random.default_rng(4)
    matrix, queries = rng.normal(size=(7, size)), rng.normal(size=(3, size))
    col = home.make(VectorParams(size, distance))
    col.upsert(Batch(np.arange(7), matrix))
    for i, row in enumerate(matrix):
        col.upsert([PointStruct(100 + i, row)]).result()
    stored = {r.id: r.vector.tobytes() for r in col.scroll(limit=20, with_vectors=True)[0]}
    scores = {hit.id: hit.score for hit in col.search(queries[0], limit=20)}
    together = {hit.id: hit.score for hit in col.search_batch(queries, limit=20)[0]}
    for i in range(7):
        (alone,) = col.search(queries[0], filter={"must": [{"has_id": [i]}]})
        assert stored[i] == stored[100 + i]
        assert alone.score == scores[i] == scores[100 + i] == together[i]
