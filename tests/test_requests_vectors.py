"""Updating and deleting vectors; and what is wrong with vectors, wherever they are sent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import qdrant_client.models as theirs
from hypothesis import given
from hypothesis import strategies as st
from requesting import NAMED, RED, RED_FILTER, TWO, UUID_TEXT, keys, rows
from same import same

import vecstore.models as ours
from vecstore.errors import (
    InvalidRequest,
    InvalidType,
    InvalidVector,
    UnknownVector,
)
from vecstore.models import Batch, PointStruct
from vecstore.operations import Ids
from vecstore.requests import (
    OMITTED,
    parse_delete_vectors,
    parse_update_vectors,
    parse_upsert,
)


def test_rule_10_the_same_id_twice_merges_and_the_later_wins_by_name() -> None:
    update = parse_update_vectors(
        [
            {"id": 1, "vector": {"image": [1, 1]}},
            {"id": 2, "vector": {"image": [2, 2], "text": [0, 0, 1]}},
            {"id": 1, "vector": {"text": [0, 1, 0]}},
            {"id": 2, "vector": {"image": [4, 4]}},
        ],
        NAMED,
    )
    assert update.keys == keys(1, 2)
    assert rows(update.columns, "image") == [[1, 1], [4, 4]]
    assert rows(update.columns, "text") == [[0, 1, 0], [0, 0, 1]]
    assert {column.positions for column in update.columns.values()} == {None}


@given(st.lists(st.tuples(st.integers(0, 4), st.sets(st.sampled_from(["image", "text"]), min_size=1)), min_size=1))
def test_rule_10_is_as_if_each_point_had_been_sent_once_merged(drawn: Any) -> None:
    points = [
        {"id": i, "vector": {name: [n] * NAMED[name].size for name in sorted(names)}}
        for n, (i, names) in enumerate(drawn)
    ]
    by_id: dict[int, dict[str, Any]] = {}
    for point in points:
        by_id.setdefault(point["id"], {}).update(point["vector"])
    found = parse_update_vectors(points, NAMED)
    wanted = parse_update_vectors([{"id": i, "vector": vector} for i, vector in by_id.items()], NAMED)
    assert found.keys == wanted.keys
    assert found.columns.keys() == wanted.columns.keys()
    assert all(same(found.columns[name], wanted.columns[name]) for name in found.columns)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"id": 1, "vector": {}}, "point 1: expected at least one vector, got {}"),
        ({"id": 1}, "expected 'vector' in new vectors of point 1, got only 'id'"),
        ({"vector": [1, 2]}, "expected 'id' in new vectors of a point, got only 'vector'"),
        ({"id": 1, "vector": []}, "point 1: the unnamed vector: expected 2 numbers, got none"),
        ({"id": 1, "vector": [1, 2], "payload": {}}, "new vectors of a point has no 'payload'"),
    ],
)
def test_rule_10_a_point_without_vectors_has_nothing_to_update(point: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse_update_vectors([point], TWO)


UPDATES: list[Any] = [
    [ours.PointVectors(1, [1, 2])],
    [{"id": 1, "vector": [1, 2]}],
    [PointStruct(1, {"": [1, 2]})],
    [theirs.PointVectors(id=1, vector=[1, 2])],
    {"points": [{"id": 1, "vector": [1, 2]}]},
    ours.UpdateVectors([ours.PointVectors(1, [1, 2])]),
    theirs.UpdateVectors(points=[theirs.PointVectors(id=1, vector=[1, 2])]),
    {"update_vectors": {"points": [{"id": 1, "vector": [1, 2]}]}},
    ours.UpdateVectorsOperation(ours.UpdateVectors([ours.PointVectors(1, [1, 2])])),
]


@pytest.mark.parametrize("form", UPDATES)
def test_update_vectors_reads_every_form_alike(form: Any) -> None:
    update = parse_update_vectors(form, TWO)
    assert update.keys == keys(1)
    assert rows(update.columns) == [[1, 2]]


DELETED_VECTORS: list[tuple[Any, Any]] = [
    (["text", "image"], [1, 2]),
    (("text", "image", "text"), np.array([1, 2, 1])),
    ({"vector": ["text", "image"], "points": [1, 2]}, OMITTED),
    ({"vectors": ["text", "image"], "points": [1, 2]}, OMITTED),
    (ours.DeleteVectors(["text", "image"], points=[1, 2]), OMITTED),
    (theirs.DeleteVectors(vector=["text", "image"], points=[1, 2]), OMITTED),
    ({"delete_vectors": {"vector": ["text", "image"], "points": [1, 2]}}, OMITTED),
]


@pytest.mark.parametrize(("vectors", "points"), DELETED_VECTORS)
def test_delete_vectors_reads_every_form_alike(vectors: Any, points: Any) -> None:
    operation = parse_delete_vectors(vectors, points, NAMED)
    assert operation.names == ("text", "image")
    assert operation.selector == Ids(keys(1, 2))


def test_rule_12_one_name_may_stand_alone_and_the_unnamed_vector_is_the_empty_one() -> None:
    assert parse_delete_vectors("text", [1], NAMED).names == ("text",)
    assert parse_delete_vectors("", [1], TWO).names == ("",)
    assert parse_delete_vectors({"vector": [""], "filter": RED}, OMITTED, TWO).selector == RED_FILTER


@pytest.mark.parametrize("names", [["image", "video"], "video", {"vector": ["video"], "points": [1]}])
def test_rule_12_an_unknown_name_is_an_error(names: Any) -> None:
    points = OMITTED if isinstance(names, dict) else [1]
    with pytest.raises(UnknownVector, match=r"\('image', 'text'\), got the vector 'video'"):
        parse_delete_vectors(names, points, NAMED)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (None, "expected vector names as a list, got NoneType"),
        (3, "expected vector names as a list, got int 3"),
        ([3], "expected vector names as strings, got int 3"),
        ([None], "expected vector names as strings, got NoneType"),
        ({"a": 1}, "expected vector names as a list, got dict"),
    ],
)
def test_rule_12_names_are_strings(names: Any, message: str) -> None:
    with pytest.raises(InvalidType, match=message):
        parse_delete_vectors(names, [1], NAMED)


@pytest.mark.parametrize(
    ("form", "schema", "error", "message"),
    [
        ([PointStruct(7, [1, 2])], NAMED, UnknownVector, r"^point 7: .*'text'\), got the unnamed vector$"),
        ([PointStruct(7, {"text": [1, 2]})], TWO, UnknownVector, "^point 7: .*got the vector 'text'$"),
        ([PointStruct(7, {"": [1, 2]})], NAMED, UnknownVector, "^point 7: .*got the unnamed vector$"),
        ([PointStruct(7, [1, 2])], {}, UnknownVector, "^point 7: .*the collection has none"),
        ([PointStruct(7, {3: [1, 2]})], NAMED, InvalidType, "^point 7: expected a vector name, got int 3"),
        (Batch([7], [[1, 2]]), NAMED, UnknownVector, "got the unnamed vector"),
        (Batch([7], {"video": [[1, 2]]}), NAMED, UnknownVector, "got the vector 'video'"),
        (
            [PointStruct(6, [1, 2]), PointStruct(UUID_TEXT, [1, 2, 3])],
            TWO,
            InvalidVector,
            f"^point '{UUID_TEXT}': the unnamed vector: expected 2 numbers, got 3",
        ),
        (
            [PointStruct(6, {"text": [1, 2, 3]}), PointStruct(7, {"text": [1, 2], "image": [1, 2]})],
            NAMED,
            InvalidVector,
            "^point 7: the vector 'text': expected 3 numbers, got 2",
        ),
        (
            [PointStruct(6, [1, 2]), PointStruct(7, [1, float("nan")])],
            TWO,
            InvalidVector,
            "^point 7: the unnamed vector: expected finite float32 numbers, got nan at position 1",
        ),
        (
            [PointStruct(6, np.ones(2)), PointStruct(7, np.array([1, np.inf]))],
            TWO,
            InvalidVector,
            "^point 7: .* got inf at position 1",
        ),
        (
            [PointStruct(6, [1, 2]), PointStruct(7, "ab")],
            TWO,
            InvalidVector,
            "^point 7: the unnamed vector: expected numbers, got str 'ab'",
        ),
        (
            [PointStruct(6, {"image": [1, 2]}), PointStruct(7, {"image": None})],
            NAMED,
            InvalidVector,
            "^point 7: the vector 'image': expected numbers, got NoneType",
        ),
        (Batch([6, 7], [[1, 2], [1, 2, 3]]), TWO, InvalidVector, "rows of 2 numbers, got 3 in row 1"),
        (Batch([6, 7], [[1, 2], None]), TWO, InvalidVector, "got NoneType None in row 1"),
        (Batch([6, 7], [[1, 2], [0, -np.inf]]), TWO, InvalidVector, "got -inf at position 1 in row 1"),
        (Batch([6, 7], np.ones((2, 3))), TWO, InvalidVector, "expected rows of 2 numbers, got 3"),
        (Batch([6, 7], [[1, 2]]), TWO, InvalidRequest, "expected 2 rows, one for each id, got 1"),
        (
            Batch([6], {"image": [[1, 2], [3, 4]]}),
            NAMED,
            InvalidRequest,
            "the vector 'image': expected 1 rows",
        ),
        (Batch([6], {"image": None}), NAMED, InvalidVector, "expected a matrix, got NoneType"),
        (Batch([6], {"image": 5}), NAMED, InvalidVector, "the vector 'image': expected a matrix, got int 5"),
        (Batch([6], np.float32(1)), TWO, InvalidVector, "expected a matrix, got float32"),
        (Batch([6], "a"), TWO, InvalidVector, "expected numbers, got str 'a'"),
        (Batch([6, 7], {"image": [None, [1, 2, 3]]}), NAMED, InvalidVector, "rows of 2 numbers, got 3"),
    ],
)
def test_rule_13_errors_name_what_was_expected_and_what_came(
    form: Any, schema: Any, error: type[InvalidRequest], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        parse_upsert(form, schema)
    assert type(caught.value) is error
