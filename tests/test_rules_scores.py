"""Rules 14 to 16, through the collection: how vectors are kept and read back, and what a score is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import COSINE, NAMED, contents, ids, plain

from vecstore import (
    Batch,
    Distance,
    InvalidRequest,
    PointStruct,
    PointVectors,
    VectorParams,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

    from vecstore import Collection

ALMOST_ONE = [0.6, 0.8000005]  # of a squared length of 1 + 8e-7


@pytest.mark.parametrize(
    ("vector", "stored"),
    [
        ([3, 4], [0.6, 0.8]),
        ([0, -2], [0, -1]),
        ([1e30, 1e30], [0.5**0.5, 0.5**0.5]),
        ([0, 0], [0, 0]),
        ([1e-4, 1e-4], [1e-4, 1e-4]),  # squared length below float32 epsilon: kept
        ([1e-3, 0], [1, 0]),
        (ALMOST_ONE, ALMOST_ONE),
    ],
)
def test_rule_14_cosine_vectors_are_normalised_and_read_back_so(vector: Any, stored: Any, home: Home) -> None:
    col = home.make(COSINE)
    col.upsert([PointStruct(1, vector)])
    col.upsert([PointStruct(2, [1, 0])])
    col.update_vectors([PointVectors(2, vector)])
    col.upsert(Batch([3], [vector]))
    col = home.seen(col)
    expected = np.array(stored, np.float32).tolist()
    assert [found for _, found in contents(col).values()] == [pytest.approx(expected, rel=1e-6)] * 3
    if vector is ALMOST_ONE:
        assert contents(col)[1][1] == expected


def test_rule_14_further_than_that_from_1_is_normalised(disk: Home) -> None:
    col = disk.make(COSINE)
    col.upsert([PointStruct(1, [0.6, 0.800005])]).result()
    assert contents(col)[1][1] != np.array([0.6, 0.800005], np.float32).tolist()


def test_rule_14_a_zero_vector_scores_0(home: Home) -> None:
    col = home.make(COSINE)
    col.upsert(Batch([1, 2, 3], [[0, 0], [3, 4], [-3, -4]]))
    col = home.seen(col)
    assert [(hit.id, hit.score) for hit in col.search([30, 40])] == [
        (2, pytest.approx(1)),
        (1, 0),
        (3, pytest.approx(-1)),
    ]
    assert [(hit.id, hit.score) for hit in col.search([0, 0])] == [(1, 0), (2, 0), (3, 0)]


def test_rule_15_vectors_read_back_as_float32_bit_for_bit(home: Home) -> None:
    matrix = np.random.default_rng(15).normal(scale=1e3, size=(20, 2))
    matrix[0] = [0.1, -0.0]
    col = home.make(COSINE)
    col.upsert(Batch(np.arange(20), matrix)).result()
    fresh = [r.vector for r in col.scroll(limit=20, with_vectors=True)[0]]
    col = home.seen(col)
    later = [r.vector for r in col.scroll(limit=20, with_vectors=True)[0]]
    hits = {hit.id: hit.vector for hit in col.search([1, 0], limit=20, with_vectors=True)}
    for i, (one, other) in enumerate(zip(fresh, later, strict=True)):
        assert isinstance(one, np.ndarray)
        assert (one.dtype, one.shape) == (np.float32, (2,))
        assert one.tobytes() == other.tobytes() == hits[i].tobytes()


def test_rule_15_what_is_not_normalised_is_float32_of_what_came(home: Home) -> None:
    matrix = np.random.default_rng(15).normal(scale=1e3, size=(20, 3))
    col = home.make({"text": VectorParams(3, "Euclid")})
    col.upsert(Batch(np.arange(20), {"text": matrix}))
    records, _ = home.seen(col).scroll(limit=20, with_vectors=["text"])
    for record, row in zip(records, matrix.astype(np.float32), strict=True):
        assert list(record.vector) == ["text"]
        assert record.vector["text"].tobytes() == row.tobytes()


# Along a line from the query: the scores of points 1 to 4 for each distance, best first.
ALONG = {
    Distance.DOT: ([[4, 0], [3, 0], [2, 0], [1, 0]], [4, 3, 2, 1]),
    Distance.EUCLID: ([[1, 0], [0, 0], [-1, 0], [-2, 0]], [0, 1, 2, 3]),
    Distance.MANHATTAN: ([[1, 0], [0, 0], [0, 1], [0, 2]], [0, 1, 2, 3]),
    Distance.COSINE: ([[9, 0], [3, 4], [0, 5], [-1, 0]], [1, 0.6, 0, -1]),
}


@pytest.mark.parametrize("distance", ALONG)
def test_rule_16_order_scores_and_strict_threshold(distance: Distance, home: Home) -> None:
    matrix, scores = ALONG[distance]
    col = home.make(VectorParams(2, distance))
    col.upsert(Batch([4, 3, 2, 1], matrix[::-1]))
    col = home.seen(col)
    hits = col.search([1, 0])
    assert ids(hits) == [1, 2, 3, 4]
    assert [hit.score for hit in hits] == pytest.approx(scores, abs=1e-7)
    for place, hit in enumerate(hits):
        assert ids(col.search([1, 0], score_threshold=hit.score)) == [1, 2, 3, 4][:place]
    worse = hits[2].score + (-1e-3 if distance.larger_is_better else 1e-3)
    assert ids(col.search([1, 0], score_threshold=worse)) == [1, 2, 3]


@pytest.mark.parametrize("distance", Distance)
def test_rule_16_equal_scores_by_smaller_id(distance: Distance, home: Home) -> None:
    col = home.make(VectorParams(2, distance))
    uuids = [f"{digit}0000000-0000-0000-0000-000000000000" for digit in "f1a"]
    col.upsert([PointStruct(id_, [3, 4]) for id_ in [uuids[0], 300, 2, 2**64 - 1, *uuids[1:], 1]])
    col = home.seen(col)
    expected = [1, 2, 300, 2**64 - 1, *sorted(uuids)]
    for limit in range(1, 9):
        assert ids(col.search([3, 4], limit=limit)) == expected[:limit]
    assert ids(col.search([3, 4], limit=2, offset=3)) == expected[3:5]


@pytest.mark.parametrize("distance", Distance)
def test_rule_16_a_search_by_id_leaves_the_point_out(distance: Distance, home: Home) -> None:
    col = home.make(VectorParams(2, distance))
    col.upsert(Batch([1, 2, 3, 4], [[1, 0], [1, 0], [1, 0.5], [0, 1]]))
    col.upsert([PointStruct(5, {})])
    col = home.seen(col)
    vector = plain(col.retrieve([2], with_vectors=True)[0].vector)
    by_vector = [(hit.id, hit.score) for hit in col.search(vector)]
    assert [(hit.id, hit.score) for hit in col.search(2)] == [hit for hit in by_vector if hit[0] != 2]
    assert ids(col.search(2, limit=1)) == ids(col.search(2))[:1]
    assert ids(col.search(np.int64(2), limit=1, offset=1)) == ids(col.search(2))[1:2]
    with pytest.raises(InvalidRequest, match="expected a point with the unnamed vector to search by, 5 has none"):
        col.search(5)


@pytest.mark.parametrize("search", [lambda col: col.search(1, using="text"), lambda col: col.search(2)])
def test_rule_16_a_search_by_id_uses_the_named_vector(search: Callable[[Collection], Any], disk: Home) -> None:
    col = disk.make(NAMED)
    both = {"image": [1, 2], "text": [3, 4, 5]}
    col.upsert([PointStruct(1, {"image": [1, 2]}), PointStruct(2, both), PointStruct(3, both)]).result()
    with pytest.raises(InvalidRequest, match="expected "):
        search(col)
    assert ids(col.search(2, using="text")) == [3]
    assert ids(col.search(2, using="image")) == [1, 3]
