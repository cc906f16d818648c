"""Rules 10 to 16, through the collection: changing vectors, what a vector may be, and what a score is.

Rule 11, for all calls together, is in test_rules_ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import COSINE, NAMED, NOTHING, contents, fill, ids, plain

from vecstore import (
    Batch,
    Distance,
    InvalidRequest,
    InvalidVector,
    PointNotFound,
    PointStruct,
    PointVectors,
    UnknownVector,
    VectorParams,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

    from vecstore import Collection

IMAGE, TEXT = [1.0, 2.0], [3.0, 4.0, 5.0]
BOTH = {"image": IMAGE, "text": TEXT}


def test_rule_10_names_that_are_not_given_stay(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(i, BOTH, {"a": i}) for i in (1, 2)] + [PointStruct(3, {})])
    col.update_vectors([PointVectors(1, {"image": [7, 8]}), PointVectors(3, {"text": [7, 8, 9]})])
    assert contents(home.seen(col)) == {
        1: ({"a": 1}, {"image": [7, 8], "text": TEXT}),
        2: ({"a": 2}, BOTH),
        3: ({}, {"text": [7, 8, 9]}),
    }


def test_rule_10_the_same_id_twice_merges_and_the_later_wins_by_name(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(1, {"image": IMAGE}), PointStruct(2, BOTH)])
    col.update_vectors(
        [
            PointVectors(1, {"text": [1, 1, 1]}),
            PointVectors(2, {"image": [9, 9]}),
            PointVectors(1, {"image": [3, 3], "text": [2, 2, 2]}),
            PointVectors(1, {"image": [4, 4]}),
        ]
    )
    assert contents(home.seen(col)) == {
        1: ({}, {"image": [4, 4], "text": [2, 2, 2]}),
        2: ({}, {"image": [9, 9], "text": TEXT}),
    }


@pytest.mark.parametrize("points", [[PointVectors(1, IMAGE), PointVectors(1, {})], [{"id": 1, "vector": {}}]])
def test_rule_10_an_empty_vector_dict_is_an_error(points: Any, col: Collection) -> None:
    fill(col, {1: {}})
    with pytest.raises(InvalidVector, match=r"point 1: expected at least one vector, got \{\}"):
        col.update_vectors(points)
    assert contents(col) == {1: ({}, [1, 0])}


def test_rule_10_a_search_finds_the_new_vectors_and_not_the_old(home: Home) -> None:
    col = home.make()
    fill(col, {1: {}, 2: {}})
    col.update_vectors([PointVectors(1, [0, 1])])
    col = home.seen(col)
    assert [(hit.id, hit.score) for hit in col.search([1, 0])] == [(2, 1), (1, 0)]
    assert [(hit.id, hit.score) for hit in col.search([0, 1])] == [(1, 1), (2, 0)]


def test_rule_10_an_update_filter_chooses_among_the_points(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(i, BOTH, {"v": i}) for i in (1, 2, 3)])
    points = [PointVectors(1, {"image": [7, 7]}), PointVectors(2, {"text": [8, 8, 8]})]
    second = {"must": [{"key": "v", "range": {"gte": 2}}]}
    col.update_vectors(points, update_filter=second)
    col.update_vectors({"points": points, "update_filter": NOTHING})
    assert contents(home.seen(col)) == {
        1: ({"v": 1}, BOTH),
        2: ({"v": 2}, {"image": IMAGE, "text": [8, 8, 8]}),
        3: ({"v": 3}, BOTH),
    }


def test_rule_11_a_missing_point_keeps_its_neighbours_from_being_updated(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(1, BOTH)])
    future = col.update_vectors([PointVectors(i, {"image": [7, 7]}) for i in (5, 1, 4, 5)])
    with pytest.raises(PointNotFound) as raised:
        future.result()
    assert raised.value.ids == [5, 4]
    assert contents(home.seen(col)) == {1: ({}, BOTH)}


def test_rule_12_deleting_vectors_keeps_the_points_and_may_be_repeated(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(i, BOTH, {"a": i}) for i in (1, 2, 3)])
    for _ in range(2):
        col.delete_vectors(["image"], [1]).result()
        col.delete_vectors(["text", "image", "text"], {"points": [2, 2]}).result()
        col.delete_vectors("text", {"must": [{"has_id": [3]}]}).result()
    col = home.seen(col)
    assert contents(col) == {
        1: ({"a": 1}, {"text": TEXT}),
        2: ({"a": 2}, {}),
        3: ({"a": 3}, {"image": IMAGE}),
    }
    assert ids(col.search(IMAGE, using="image")) == [3]
    assert len(col) == 3


@pytest.mark.parametrize("names", [[""], "", ("", "")])
def test_rule_12_the_name_of_the_unnamed_vector_is_empty(names: Any, home: Home) -> None:
    col = home.make()
    fill(col, {1: {}, 2: {}})
    col.delete_vectors(names, [1])
    col = home.seen(col)
    assert contents(col) == {1: ({}, {}), 2: ({}, [1, 0])}
    assert ids(col.search([1, 1])) == [2]


@pytest.mark.parametrize(
    ("vectors", "names", "message"),
    [
        (None, ["audio"], "expected the unnamed vector, .*, got the vector 'audio'"),
        (NAMED, ["image", "audio"], r"by name \('image', 'text'\), got the vector 'audio'"),
        (NAMED, [""], r"by name \('image', 'text'\), got the unnamed vector"),
    ],
)
def test_rule_12_an_unknown_name_is_an_error(vectors: Any, names: Any, message: str, disk: Home) -> None:
    col = disk.make(vectors or VectorParams(2, "Dot"))
    col.upsert([PointStruct(1, {"image": IMAGE} if vectors else IMAGE)]).result()
    before = contents(col)
    with pytest.raises(UnknownVector, match=message) as raised:
        col.delete_vectors(names, [1])
    assert raised.value.name == names[-1]
    assert contents(col) == before


SPEAKING: list[tuple[Any, Any, type[InvalidRequest], str]] = [
    (None, [1, 2, 3], InvalidVector, "point 7: the unnamed vector: expected 2 numbers, got 3"),
    (None, 5, InvalidVector, "point 7: .*expected .*2 numbers, got "),
    (None, "no", InvalidVector, "point 7: .*expected numbers, got .*'no'"),
    (None, [1, float("nan")], InvalidVector, "point 7: .*finite float32 numbers, got nan at position 1"),
    (None, [float("-inf"), 1], InvalidVector, "point 7: .*finite float32 numbers, got -inf at position 0"),
    (None, [1e39, 1], InvalidVector, r"point 7: .*finite float32 numbers, got 1e\+39 at position 0"),
    (None, {"image": [1, 2]}, UnknownVector, "point 7: expected the unnamed vector, .*got the vector 'image'"),
    (NAMED, [1, 2], UnknownVector, r"point 7: .*by name \('image', 'text'\), got the unnamed vector"),
    (NAMED, {"image": [1, 2, 3]}, InvalidVector, "point 7: the vector 'image': expected 2 numbers, got 3"),
    (NAMED, {"images": [1, 2]}, UnknownVector, r"point 7: .*'image', 'text'\), got the vector 'images'"),
]


@pytest.mark.parametrize(("vectors", "vector", "error", "message"), SPEAKING)
def test_rule_13_errors_name_what_was_expected_and_what_came(
    vectors: Any, vector: Any, error: type[InvalidRequest], message: str, disk: Home
) -> None:
    col = disk.make(vectors or VectorParams(2, "Dot"))
    good = {"image": [1, 2]} if vectors else [1, 2]
    col.upsert([PointStruct(7, good)]).result()
    before = contents(col)
    for call in (col.upsert, col.update_vectors):
        with pytest.raises(error, match=message):
            call([{"id": 7, "vector": good}, {"id": 7, "vector": vector}])
    assert contents(col) == before


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, 2], [3]], "expected rows of 2 numbers, got 1 in row 1"),
        ([[1, 2, 3], [1, 2, 3]], "expected rows of 2 numbers, got 3"),
        ([[1, 2], [1, float("inf")]], "got inf at position 1 in row 1"),
        (np.ones((2, 2, 2)), r"got an array of shape \(2, 2, 2\)"),
        (np.array([[1, 2], [1, np.nan]]), "got nan at position 1 in row 1"),
    ],
)
def test_rule_13_a_bad_matrix_names_the_row(matrix: Any, message: str, col: Collection) -> None:
    with pytest.raises(InvalidVector, match=f"the unnamed vector: .*{message}"):
        col.upsert(Batch([1, 2], matrix))
    assert len(col) == 0


@pytest.mark.parametrize(
    ("query", "using", "message"),
    [
        ([1, 2, 3], "image", "the query for the vector 'image': expected .*2 numbers, got 3"),
        ([1, float("nan")], "image", "got nan at position 1"),
        ([1, 2], "audio", "got the vector 'audio'"),
        ([1, 2], "", "got the unnamed vector"),
    ],
)
def test_rule_13_queries_are_checked_like_points(query: Any, using: str, message: str, disk: Home) -> None:
    col = disk.make(NAMED)
    with pytest.raises(InvalidRequest, match=message):
        col.search(query, using=using)
    with pytest.raises(InvalidRequest, match=message.replace("query", "queries")):
        col.search_batch([query], using=using)


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
    col.upsert([PointStruct(1, {"image": IMAGE}), PointStruct(2, BOTH), PointStruct(3, BOTH)]).result()
    with pytest.raises(InvalidRequest, match="expected "):
        search(col)
    assert ids(col.search(2, using="text")) == [3]
    assert ids(col.search(2, using="image")) == [1, 3]
