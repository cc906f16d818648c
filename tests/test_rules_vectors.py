"""Rules 10 to 13, through the collection: changing vectors, and what a vector may be.

Rule 11, for all calls together, is in test_rules_ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import NAMED, NOTHING, contents, fill, ids

from vecstore import (
    Batch,
    InvalidRequest,
    InvalidVector,
    PointNotFound,
    PointStruct,
    PointVectors,
    UnknownVector,
    VectorParams,
)

if TYPE_CHECKING:
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
