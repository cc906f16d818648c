"""From what users pass to frozen operations, rule by rule; and every way in which a request is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import qdrant_client.models as theirs
from hypothesis import given
from hypothesis import strategies as st
from same import same

import vecstore.models as ours
from vecstore.conditions import FieldCondition, Filter, MatchValue
from vecstore.errors import (
    EmptyRequest,
    InvalidFilter,
    InvalidId,
    InvalidPath,
    InvalidPayload,
    InvalidRequest,
    InvalidType,
    InvalidVector,
    UnknownVector,
)
from vecstore.filters import parse_filter
from vecstore.ids import key_of
from vecstore.models import Batch, Distance, PointStruct, UpdateMode, VectorParams
from vecstore.operations import KINDS, BatchUpdate, ClearPayload, Delete, Ids
from vecstore.payloads import EMPTY, pack_payload, unpack_payload
from vecstore.requests import (
    OMITTED,
    parse_batch,
    parse_clear_payload,
    parse_delete,
    parse_delete_payload,
    parse_delete_vectors,
    parse_overwrite_payload,
    parse_selector,
    parse_set_payload,
    parse_update_vectors,
    parse_upsert,
)

TWO = {"": VectorParams(2, Distance.DOT)}
COSINE = {"": VectorParams(2, Distance.COSINE)}
NAMED = {"image": VectorParams(2, Distance.DOT), "text": VectorParams(3, Distance.COSINE)}
UUID_TEXT = "936da01f-9abd-4d9d-80c7-02af85c822a8"
RED = {"must": [{"key": "color", "match": {"value": "red"}}]}
RED_MODEL = Filter(must=[FieldCondition(key="color", match=MatchValue(value="red"))])
RED_THEIRS = theirs.Filter(must=[theirs.FieldCondition(key="color", match=theirs.MatchValue(value="red"))])
RED_FILTER = parse_filter(RED)


def keys(*ids: Any) -> list[bytes]:
    return [key_of(i) for i in ids]


def rows(columns: Any, name: str = "") -> list[list[float]]:
    return columns[name].matrix.tolist()


def payloads(upsert: Any) -> list[dict[str, Any]]:
    return [unpack_payload(payload) for payload in upsert.payloads]


# Upsert: the forms it comes in

ONE_BY_ONE: list[Any] = [
    [PointStruct(1, [1, 2], {"a": 1}), PointStruct(UUID_TEXT, [3, 4])],
    (PointStruct(1, (1, 2), {"a": 1}), PointStruct(UUID(UUID_TEXT), (3, 4), None)),
    iter([PointStruct(1, [1, 2], {"a": 1}), PointStruct(UUID_TEXT, [3, 4])]),
    [{"id": 1, "vector": [1, 2], "payload": {"a": 1}}, {"id": UUID_TEXT, "vector": [3, 4], "payload": None}],
    [PointStruct(np.uint64(1), np.array([1, 2], np.float16), {"a": 1}), PointStruct(UUID_TEXT, [3.0, 4])],
    [PointStruct(1, {"": [1, 2]}, {"a": 1}), PointStruct(UUID_TEXT, [3, 4])],
    [SimpleNamespace(id=1, vector=[1, 2], payload={"a": 1}), SimpleNamespace(id=UUID_TEXT, vector=[3, 4])],
    [
        theirs.PointStruct(id=1, vector=[1, 2], payload={"a": 1}),
        theirs.PointStruct(id=UUID_TEXT, vector=[3, 4]),
    ],
]
SIDE_BY_SIDE: list[Any] = [
    Batch([1, UUID_TEXT], [[1, 2], [3, 4]], [{"a": 1}, None]),
    Batch((1, UUID_TEXT), np.array([[1, 2], [3, 4]]), ({"a": 1}, {})),
    Batch(np.array([1, UUID_TEXT], dtype=object), {"": [[1, 2], [3, 4]]}, [{"a": 1}, {}]),
    {"ids": [1, UUID_TEXT], "vectors": [[1, 2], [3, 4]], "payloads": [{"a": 1}, None]},
    SimpleNamespace(ids=[1, UUID_TEXT], vectors=[[1, 2], [3, 4]], payloads=[{"a": 1}, None]),
    theirs.Batch(ids=[1, UUID_TEXT], vectors=[[1, 2], [3, 4]], payloads=[{"a": 1}, {}]),
]
BODIES: list[Any] = [
    *({"points": points} for points in ONE_BY_ONE if isinstance(points, list)),
    *({"batch": batch} for batch in SIDE_BY_SIDE),
    {"points": ONE_BY_ONE[0], "update_filter": None, "update_mode": None, "batch": None},
    ours.PointsList(ONE_BY_ONE[0]),
    ours.PointsBatch(SIDE_BY_SIDE[0]),
    theirs.PointsList(points=ONE_BY_ONE[-1]),
    theirs.PointsBatch(batch=SIDE_BY_SIDE[-1]),
]
WRAPPED: list[Any] = [
    {"upsert": {"points": ONE_BY_ONE[0]}},
    {"upsert_points": {"batch": SIDE_BY_SIDE[0]}},
    ours.UpsertOperation(ours.PointsList(ONE_BY_ONE[0])),
    theirs.UpsertOperation(upsert=theirs.PointsBatch(batch=SIDE_BY_SIDE[-1])),
]


@pytest.mark.parametrize("form", [*ONE_BY_ONE, *SIDE_BY_SIDE, *BODIES, *WRAPPED])
def test_upsert_reads_every_form_alike(form: Any) -> None:
    upsert = parse_upsert(form, TWO)
    assert upsert.keys == keys(1, UUID_TEXT)
    assert rows(upsert.columns) == [[1, 2], [3, 4]]
    assert upsert.columns[""].positions is None
    assert payloads(upsert) == [{"a": 1}, {}]
    assert upsert.update_filter is None
    assert upsert.update_mode is UpdateMode.UPSERT


def test_upsert_of_a_matrix_makes_no_python_object_for_a_row() -> None:
    upsert = parse_upsert(Batch(np.arange(3), np.eye(3, 2)), TWO)
    assert upsert.keys == keys(0, 1, 2)
    assert upsert.payloads == [EMPTY] * 3
    matrix = upsert.columns[""].matrix
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous


@pytest.mark.parametrize("form", ["batch", "points", "update"])
@pytest.mark.parametrize("schema", [TWO, COSINE], ids=["dot", "cosine"])
def test_the_callers_memory_is_not_kept(form: str, schema: Any) -> None:
    matrix = np.array([[1, 0], [0, 1]], dtype=np.float32)
    payload = {"a": [1]}
    operation: Any = {
        "batch": lambda: parse_upsert(Batch([1, 2], matrix, [payload, payload]), schema),
        "points": lambda: parse_upsert([PointStruct(i, matrix[i], payload) for i in (0, 1)], schema),
        "update": lambda: parse_update_vectors([{"id": i, "vector": matrix[i]} for i in (0, 1)], schema),
    }[form]()
    assert not np.shares_memory(operation.columns[""].matrix, matrix)
    matrix[:] = 9
    payload["a"].append(2)
    assert rows(operation.columns) == [[1, 0], [0, 1]]
    if form != "update":
        assert payloads(operation) == [{"a": [1]}] * 2


def test_a_frozen_payload_is_not_the_callers() -> None:
    payload = {"a": [1]}
    operation = parse_set_payload(payload, [1])
    payload["a"].append(2)
    assert operation.payload == {"a": [1]}


# Named vectors

IMAGES, TEXTS = [[1, 2], [3, 4]], [[0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    "form",
    [
        [PointStruct(i, {"image": IMAGES[i], "text": TEXTS[i]}) for i in (0, 1)],
        [{"id": i, "vector": {"text": TEXTS[i], "image": np.array(IMAGES[i])}} for i in (0, 1)],
        Batch([0, 1], {"image": IMAGES, "text": np.array(TEXTS)}),
        theirs.Batch(ids=[0, 1], vectors={"image": IMAGES, "text": TEXTS}),
    ],
    ids=["points", "dicts", "batch", "their batch"],
)
def test_named_vectors_come_in_every_form(form: Any) -> None:
    upsert = parse_upsert(form, NAMED)
    assert rows(upsert.columns, "image") == IMAGES
    assert rows(upsert.columns, "text") == TEXTS
    assert {column.positions for column in upsert.columns.values()} == {None}


@pytest.mark.parametrize(
    "form",
    [
        [
            PointStruct(0, {"image": [1, 2]}),
            PointStruct(1, {}),
            PointStruct(2, {"text": [0, 0, 1], "image": [3, 4]}),
        ],
        Batch([0, 1, 2], {"image": [[1, 2], None, [3, 4]], "text": [None, None, [0, 0, 1]]}),
        Batch([0, 1, 2], {"image": [np.array([1, 2]), None, (3, 4)], "text": (None, None, [0, 0, 1])}),
    ],
    ids=["points", "batch", "batch of arrays"],
)
def test_a_point_need_not_have_every_vector(form: Any) -> None:
    upsert = parse_upsert(form, NAMED)
    image, text = upsert.columns["image"], upsert.columns["text"]
    assert image.matrix.tolist() == [[1, 2], [3, 4]]
    assert image.positions.tolist() == [0, 2]
    assert image.positions.dtype == np.int64
    assert text.matrix.tolist() == [[0, 0, 1]]
    assert text.positions.tolist() == [2]


def test_a_column_of_nothing_is_no_column() -> None:
    upsert = parse_upsert(Batch([0, 1], {"image": [None, None], "text": TEXTS}), NAMED)
    assert upsert.columns.keys() == {"text"}


def test_rule_14_vectors_are_stored_normalised() -> None:
    both = [PointStruct(1, [3, 4]), PointStruct(2, [0, 0])], Batch([1, 2], [[3, 4], [0, 0]])
    for form in both:
        upsert = parse_upsert(form, COSINE)
        assert rows(upsert.columns) == [pytest.approx([0.6, 0.8]), [0, 0]]
    update = parse_update_vectors([{"id": 1, "vector": [3, 4]}], COSINE)
    assert rows(update.columns) == [pytest.approx([0.6, 0.8])]


# Rules 4 to 9


def test_rule_04_no_payload_is_an_empty_one() -> None:
    upsert = parse_upsert([PointStruct(1, [1, 2]), {"id": 2, "vector": [1, 2]}], TWO)
    assert upsert.payloads == [EMPTY, EMPTY]


def test_rule_05_the_same_id_twice_the_last_wins_whole() -> None:
    points = [
        PointStruct(1, {"image": [1, 1], "text": [0, 0, 1]}, {"n": 0}),
        PointStruct(UUID_TEXT, {"image": [2, 2]}, {"n": 1}),
        PointStruct(1, {"text": [0, 1, 0]}, {"n": 2}),
        PointStruct(2, {}, {"n": 3}),
        PointStruct(UUID_TEXT.upper(), {"image": [5, 5]}),
    ]
    upsert = parse_upsert(points, NAMED)
    assert upsert.keys == keys(1, 2, UUID_TEXT)
    assert payloads(upsert) == [{"n": 2}, {"n": 3}, {}]
    assert upsert.columns["text"].positions.tolist() == [0]
    assert rows(upsert.columns, "text") == [[0, 1, 0]]
    assert upsert.columns["image"].positions.tolist() == [2]
    assert rows(upsert.columns, "image") == [[5, 5]]


def test_rule_05_side_by_side_too() -> None:
    upsert = parse_upsert(Batch(np.array([7, 8, 7]), np.array([[1, 1], [2, 2], [3, 3]])), TWO)
    assert upsert.keys == keys(8, 7)
    assert rows(upsert.columns) == [[2, 2], [3, 3]]
    assert upsert.columns[""].positions is None


def test_rule_05_a_vector_only_the_first_had_is_gone() -> None:
    upsert = parse_upsert([PointStruct(1, {"image": [1, 1]}), PointStruct(1, {})], NAMED)
    assert upsert.columns == {}


@given(st.lists(st.tuples(st.integers(0, 4), st.sets(st.sampled_from(["image", "text"]))), min_size=1))
def test_rule_05_is_as_if_the_earlier_ones_had_never_been_sent(drawn: Any) -> None:
    points = [
        PointStruct(i, {name: [n] * NAMED[name].size for name in names}, {"n": n})
        for n, (i, names) in enumerate(drawn)
    ]
    last = {point.id: n for n, point in enumerate(points)}
    alone = [point for n, point in enumerate(points) if n == last[point.id]]
    assert same(parse_upsert(points, NAMED), parse_upsert(alone, NAMED))


def test_rule_06_a_point_may_have_no_vectors() -> None:
    for form in ([PointStruct(1, {})], [{"id": 1, "vector": {}}], Batch([1], {})):
        upsert = parse_upsert(form, TWO)
        assert upsert.keys == keys(1)
        assert upsert.columns == {}


@pytest.mark.parametrize("vector", [[], (), np.array([]), {"": []}])
def test_rule_06_an_empty_list_is_no_vector(vector: Any) -> None:
    with pytest.raises(InvalidVector, match="point 1: the unnamed vector: expected 2 numbers, got none"):
        parse_upsert([PointStruct(1, vector)], TWO)


@pytest.mark.parametrize("point", [{"id": 1}, {"id": 1, "vector": None}, PointStruct(1, None)])
def test_rule_06_nothing_is_no_vector_either(point: Any) -> None:
    with pytest.raises(InvalidVector, match=r"^point 1: expected a vector \(or {} for none\), got None"):
        parse_upsert([point], TWO)
    with pytest.raises(InvalidVector, match="expected vectors in a batch, got only 'ids'"):
        parse_upsert({"ids": [1]}, TWO)


def test_rule_06_in_a_collection_without_vectors_nothing_needs_to_be_said() -> None:
    for form in ([PointStruct(1, None)], [{"id": 1}], Batch([1], None), {"batch": {"ids": [1]}}):
        assert parse_upsert(form, {}).keys == keys(1)


@pytest.mark.parametrize("condition", [RED, RED_MODEL, RED_THEIRS])
def test_rule_07_a_filter_comes_as_an_argument_or_in_the_body(condition: Any) -> None:
    points = [PointStruct(1, [1, 2])]
    assert parse_upsert(points, TWO, condition).update_filter == RED_FILTER
    body = {"points": points, "update_filter": condition}
    assert parse_upsert(body, TWO).update_filter == RED_FILTER
    vectors = [{"id": 1, "vector": [1, 2]}]
    assert parse_update_vectors(vectors, TWO, condition).update_filter == RED_FILTER
    assert parse_update_vectors({"points": vectors, "update_filter": condition}, TWO).update_filter == (
        RED_FILTER
    )


@pytest.mark.parametrize("mode", [UpdateMode.INSERT_ONLY, "insert_only", theirs.UpdateMode.INSERT_ONLY])
def test_rule_07_a_mode_comes_as_an_argument_or_in_the_body(mode: Any) -> None:
    points = [PointStruct(1, [1, 2])]
    for upsert in (
        parse_upsert(points, TWO, update_mode=mode),
        parse_upsert({"points": points, "update_mode": mode}, TWO),
        parse_upsert(ours.PointsBatch(Batch([1], [[1, 2]]), update_mode=mode), TWO),
    ):
        assert upsert.update_mode is UpdateMode.INSERT_ONLY


@pytest.mark.parametrize("option", [{"update_filter": RED}, {"update_mode": "insert_only"}])
def test_rule_07_but_not_as_both(option: Any) -> None:
    name = next(iter(option))
    with pytest.raises(InvalidRequest, match=f"expected {name} once, got it as an argument and in the body"):
        parse_upsert({"points": [PointStruct(1, [1, 2])], **option}, TWO, **option)


@pytest.mark.parametrize("mode", ["replace", "", 1, True, [], {}, np.array(["upsert", "x"]), object()])
def test_rule_07_a_mode_is_one_of_three(mode: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"an update_mode \(upsert, insert_only, update_only\), got"):
        parse_upsert([PointStruct(1, [1, 2])], TWO, update_mode=mode)


def test_rule_08_the_last_point_is_checked_like_the_first() -> None:
    good = [PointStruct(i, [1, 2], {"a": 1}) for i in range(5)]
    for bad, error in [
        (PointStruct(-1, [1, 2]), InvalidId),
        (PointStruct(9, [1, 2, 3]), InvalidVector),
        (PointStruct(9, [1, 2], {"a": object()}), InvalidPayload),
        (PointStruct(9, {"text": [1, 2]}), UnknownVector),
    ]:
        with pytest.raises(error):
            parse_upsert([*good, bad], TWO)


def test_rule_08_what_loses_to_a_later_point_is_checked_too() -> None:
    with pytest.raises(InvalidVector):
        parse_upsert([PointStruct(1, [1, 2, 3]), PointStruct(1, [1, 2])], TWO)


EMPTY_REQUESTS: list[tuple[Callable[[], Any], str]] = [
    (lambda: parse_upsert([], TWO), "points"),
    (lambda: parse_upsert({"points": []}, TWO), "points"),
    (lambda: parse_upsert(Batch([], []), TWO), "ids"),
    (lambda: parse_upsert(Batch(np.array([], dtype=int), np.empty((0, 2))), TWO), "ids"),
    (lambda: parse_update_vectors([], TWO), "points"),
    (lambda: parse_delete([]), "id"),
    (lambda: parse_delete(np.array([])), "id"),
    (lambda: parse_delete({"points": []}), "id"),
    (lambda: parse_delete({"points": [], "filter": RED}), "id"),
    (lambda: parse_set_payload({"a": 1}, []), "id"),
    (lambda: parse_delete_payload([], [1]), "payload keys"),
    (lambda: parse_delete_vectors([], [1], NAMED), "vector names"),
    (lambda: parse_batch([], TWO), "operation"),
]


@pytest.mark.parametrize(("call", "what"), EMPTY_REQUESTS, ids=[str(i) for i in range(len(EMPTY_REQUESTS))])
def test_rule_09_an_empty_list_is_an_error(call: Callable[[], Any], what: str) -> None:
    with pytest.raises(EmptyRequest, match=f"expected .*{what}.*, got an empty list"):
        call()


# Rules 10, 12 and 13


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


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sets(st.sampled_from(["image", "text"]), min_size=1)), min_size=1
    )
)
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
        (Batch([6], {"image": IMAGES}), NAMED, InvalidRequest, "the vector 'image': expected 1 rows"),
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


# Payload writes


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (({"a": None}, [1, 2]), None),
        (({"a": None}, np.array([1, 2]), "x.y"), "x.y"),
        (({"a": None}, {"points": [1, 2]}), None),
        (({"payload": {"a": None}, "points": [1, 2], "key": "x.y"},), "x.y"),
        (({"payload": {"a": None}, "points": [1, 2]}, OMITTED, "x.y"), "x.y"),
        ((ours.SetPayload({"a": None}, points=[1, 2], key='"x"[]'),), "x[]"),
        ((theirs.SetPayload(payload={"a": None}, points=[1, 2]),), None),
        (({"set_payload": {"payload": {"a": None}, "points": [1, 2]}},), None),
        ((ours.SetPayloadOperation(ours.SetPayload({"a": None}, points=[1, 2])),), None),
    ],
)
def test_set_payload_reads_every_form_alike(arguments: Any, key: str | None) -> None:
    operation = parse_set_payload(*arguments)
    assert operation.payload == {"a": None}
    assert operation.selector == Ids(keys(1, 2))
    assert operation.key == key


@pytest.mark.parametrize(
    "arguments",
    [
        ({"a": None}, [1, 2]),
        ({"payload": {"a": None}, "points": [1, 2]},),
        (ours.SetPayload({"a": None}, points=[1, 2]),),
        (theirs.SetPayload(payload={"a": None}, points=[1, 2]),),
        ({"overwrite_payload": {"payload": {"a": None}, "points": [1, 2]}},),
    ],
)
def test_overwrite_payload_reads_every_form_alike(arguments: Any) -> None:
    operation = parse_overwrite_payload(*arguments)
    assert operation.payload == pack_payload({"a": None})
    assert operation.selector == Ids(keys(1, 2))


@pytest.mark.parametrize(
    "arguments",
    [
        (["a", "b.c"], [1, 2]),
        (("a", '"b".c', "a"), [1, 2]),
        ({"keys": ["a", "b.c"], "points": [1, 2]},),
        (ours.DeletePayload(["a", "b.c"], points=[1, 2]),),
        (theirs.DeletePayload(keys=["a", "b.c"], points=[1, 2]),),
        ({"delete_payload": {"keys": ["a", "b.c"], "points": [1, 2]}},),
    ],
)
def test_delete_payload_reads_every_form_alike(arguments: Any) -> None:
    operation = parse_delete_payload(*arguments)
    assert operation.paths == ("a", "b.c")
    assert operation.selector == Ids(keys(1, 2))


def test_rule_17_a_payload_with_the_word_payload_in_it_is_a_payload_where_points_are_given() -> None:
    payload = {"payload": {"a": 1}, "points": [5]}
    assert parse_set_payload(payload, [1]).payload == payload
    assert parse_overwrite_payload(payload, [1]).payload == pack_payload(payload)


@pytest.mark.parametrize("path", ["", "a..b", "a[", "a.", 5, [], b"a"])
def test_rule_18_and_19_a_path_that_cannot_be_read_is_an_error(path: Any) -> None:
    with pytest.raises(InvalidPath):
        parse_set_payload({"a": 1}, [1], path)
    if isinstance(path, str):
        with pytest.raises(InvalidPath):
            parse_delete_payload(["ok", path], [1])


BAD_PAYLOAD_WRITES: list[tuple[Callable[[], Any], type[InvalidRequest], str]] = [
    (
        lambda: parse_set_payload({"a": float("nan")}, [1]),
        InvalidPayload,
        "finite number, got float nan at a",
    ),
    (lambda: parse_set_payload(None, [1]), InvalidPayload, "expected a payload"),
    (lambda: parse_set_payload([1], [1]), InvalidPayload, "expected a payload"),
    (lambda: parse_overwrite_payload(None, [1]), InvalidPayload, "expected a payload, got None"),
    (lambda: parse_overwrite_payload({1: 2}, [1]), InvalidPayload, "expected string keys"),
    (lambda: parse_set_payload({"points": [1]}), InvalidRequest, "expected 'payload' in .* only 'points'"),
    (lambda: parse_set_payload({}), InvalidRequest, "expected 'payload' in .*, got only nothing"),
    (lambda: parse_set_payload({"payload": {}}), InvalidRequest, "expected the points, .*, got neither"),
    (lambda: parse_set_payload({"a": 1}, None), InvalidType, "expected the points, .* got NoneType"),
    (lambda: parse_set_payload("abc"), InvalidType, "expected the body of set_payload, got str 'abc'"),
    (lambda: parse_set_payload([1]), InvalidType, "expected the body of set_payload, got list"),
    (
        lambda: parse_set_payload({"payload": {}, "points": [1], "shard_key": "a"}),
        InvalidRequest,
        "the body of set_payload has no 'shard_key'; it has filter, key, payload, points",
    ),
    (
        lambda: parse_set_payload({"payload": {}, "points": [1], "key": "a"}, OMITTED, "a"),
        InvalidRequest,
        "expected key once",
    ),
    (
        lambda: parse_overwrite_payload({"payload": {}, "points": [1], "key": "a"}),
        InvalidRequest,
        "the body of overwrite_payload has no 'key'",
    ),
    (lambda: parse_delete_payload({"points": [1]}), InvalidRequest, "expected 'keys' in"),
    (lambda: parse_delete_payload(None, [1]), InvalidType, "expected payload keys as a list, got NoneType"),
    (lambda: parse_delete_payload([1], [1]), InvalidType, "expected payload keys as strings, got int 1"),
    (lambda: parse_delete_vectors({"points": [1]}, OMITTED, TWO), InvalidRequest, "vector names once"),
    (
        lambda: parse_delete_vectors({"vector": [""], "vectors": [""], "points": [1]}, OMITTED, TWO),
        InvalidRequest,
        "vector names once",
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "message"), BAD_PAYLOAD_WRITES, ids=[str(i) for i in range(len(BAD_PAYLOAD_WRITES))]
)
def test_a_bad_body_is_an_error_that_says_so(
    call: Callable[[], Any], error: type[InvalidRequest], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


# Selectors


@dataclass
class ArrayOfIds:
    ids: list[int]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.ids, dtype=dtype)


ID_SELECTORS: list[Any] = [
    [3, 1, 3, UUID_TEXT],
    (3, 1, UUID(UUID_TEXT)),
    dict.fromkeys([3, 1, UUID_TEXT]).keys(),
    (i for i in [3, 1, 1, UUID_TEXT]),
    np.array([3, 1, UUID_TEXT], dtype=object),
    [np.int8(3), np.uint64(1), "{" + UUID_TEXT.upper() + "}"],
    {"points": [3, 1, UUID_TEXT]},
    {"points": [3, 1, UUID_TEXT], "filter": None},
    {"ids": [3, 1, UUID_TEXT]},
    {"points": [3, 1, UUID_TEXT], "filter": RED},
    ours.PointIdsList([3, 1, UUID_TEXT]),
    theirs.PointIdsList(points=[3, 1, UUID_TEXT]),
    SimpleNamespace(points=[3, 1, UUID_TEXT], filter=None),
]


@pytest.mark.parametrize("form", ID_SELECTORS, ids=lambda form: type(form).__name__)
def test_a_selector_of_ids_comes_in_every_form(form: Any) -> None:
    assert parse_selector(form) == Ids(keys(3, 1, UUID_TEXT))


@pytest.mark.parametrize("form", [range(3), {0, 1, 2}, np.arange(3), ArrayOfIds([0, 1, 2])])
def test_a_selector_may_be_anything_with_ids_in_it(form: Any) -> None:
    assert sorted(parse_selector(form).keys) == keys(0, 1, 2)


@pytest.mark.parametrize(
    "form",
    [
        RED,
        RED_MODEL,
        RED_THEIRS,
        {"filter": RED},
        {"filter": RED_MODEL, "points": None},
        ours.FilterSelector(RED_MODEL),
        theirs.FilterSelector(filter=RED_THEIRS),
    ],
    ids=lambda form: type(form).__name__,
)
def test_a_selector_by_filter_comes_in_every_form(form: Any) -> None:
    assert parse_selector(form) == RED_FILTER


@pytest.mark.parametrize("form", [Filter(), theirs.Filter(), {"filter": {}}, {"must": []}])
def test_an_empty_filter_selects_everything(form: Any) -> None:
    assert isinstance(parse_selector(form), Filter)


def test_rule_20_where_both_are_given_points_win_but_the_filter_has_to_be_one() -> None:
    assert parse_selector({"points": [1], "filter": RED}) == Ids(keys(1))
    with pytest.raises(InvalidFilter):
        parse_selector({"points": [1], "filter": {"most": []}})


@pytest.mark.parametrize(
    ("form", "error", "message"),
    [
        ({}, InvalidRequest, "as a list of ids or as a filter, got neither"),
        ({"points": None}, InvalidRequest, "got neither"),
        ({"must": None}, InvalidRequest, "got neither"),
        (None, InvalidType, "as a list of ids or as a filter, got NoneType"),
        (1.5, InvalidType, "as a list of ids or as a filter, got float 1.5"),
        (b"abc", InvalidType, "as a list of ids or as a filter, got bytes"),
        (7, InvalidType, r"expected a list of ids, got the single id 7: write \[7\]"),
        (True, InvalidType, "expected a list of ids, got the single id True"),
        (UUID_TEXT, InvalidType, "expected a list of ids, got the single id '936da01f"),
        (UUID(UUID_TEXT), InvalidType, "expected a list of ids, got the single id UUID"),
        ({"points": 7}, InvalidType, r"expected a list of ids, got the single id 7: write \[7\]"),
        ({"points": {"a": 1}}, InvalidType, "expected ids as a list, got dict"),
        ({"points": RED_MODEL}, InvalidType, "expected ids as a list, got Filter"),
        ({"points": [1], "ids": [1]}, InvalidRequest, "expected points or ids, got both"),
        ({"point": [1]}, InvalidRequest, "a selector of points has no 'point'; it has filter, ids, points"),
        ({"points": [1], "shard_key": "a"}, InvalidRequest, "has no 'shard_key'"),
        ({"key": "a", "match": {"value": 1}}, InvalidRequest, "a selector of points has no 'key'"),
        ({"filter": [RED]}, InvalidFilter, "expected a filter"),
        ({"must": [], "points": [1]}, InvalidFilter, "'points'"),
        ({1: [1]}, InvalidRequest, "with string keys, got the key 1"),
        ([1, -1], InvalidId, "got -1"),
        ([1, "30"], InvalidId, "got str '30'"),
        ([1, True], InvalidId, "got bool True"),
        ([1, 1.0], InvalidId, "got float 1.0"),
        ([[1]], InvalidId, "got list"),
        (np.array([[1]]), InvalidId, "one-dimensional array of ids"),
        (np.array(1), InvalidType, "expected ids as a list, got ndarray"),
        (np.float32(1), InvalidType, "expected ids as a list, got float32"),
        (np.array([1.0]), InvalidId, "got float 1.0"),
    ],
)
def test_rule_20_what_selects_nothing_is_an_error(
    form: Any, error: type[InvalidRequest], message: str
) -> None:
    with pytest.raises(error, match=message):
        parse_selector(form)


def test_an_array_that_fails_is_an_error_too() -> None:
    class Failing:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise RuntimeError("on another device")

    with pytest.raises(InvalidType, match="expected ids as a list, got Failing .*: on another device"):
        parse_selector(Failing())


@pytest.mark.parametrize(
    "form",
    [
        [1],
        {"points": [1]},
        {"delete": {"points": [1]}},
        {"delete_points": {"ids": [1]}},
        ours.DeleteOperation(ours.PointIdsList([1])),
    ],
)
def test_delete_reads_every_form_alike(form: Any) -> None:
    assert parse_delete(form) == Delete(Ids(keys(1)))


@pytest.mark.parametrize(
    "form",
    [
        RED,
        {"filter": RED},
        {"clear_payload": {"filter": RED}},
        ours.ClearPayloadOperation(ours.FilterSelector(RED_MODEL)),
    ],
)
def test_clear_payload_reads_every_form_alike(form: Any) -> None:
    assert parse_clear_payload(form) == ClearPayload(RED_FILTER)


# What is wrong with a whole upsert

BAD_UPSERTS = [
    (None, InvalidType, "expected points, as a list of points, .*, got NoneType"),
    (5, InvalidType, "expected points, as a list of points, .*, got int 5"),
    ("abc", InvalidType, "expected points, as a list of points, .*, got str 'abc'"),
    ({}, InvalidRequest, "expected points or batch, got neither"),
    ({"points": ONE_BY_ONE[0], "batch": SIDE_BY_SIDE[0]}, InvalidRequest, "points or batch, got both"),
    ({"points": ONE_BY_ONE[0], "wait": True}, InvalidRequest, "the body of an upsert has no 'wait'"),
    ({"points": ONE_BY_ONE[0], "shard_key": "a"}, InvalidRequest, "has no 'shard_key'"),
    ({"points": 5}, InvalidType, "expected points as a list, got int 5"),
    ({"points": {"id": 1}}, InvalidType, "expected points as a list, got dict"),
    (PointStruct(1, [1, 2]), InvalidType, "expected a list of points, got a single one"),
    ({"id": 1, "vector": [1, 2]}, InvalidType, "expected a list of points, got a single one"),
    ([5], InvalidType, "expected a point, got int 5"),
    ([[1, [1, 2]]], InvalidType, "expected a point, got list"),
    (np.ones((2, 2)), InvalidType, "expected a point, got ndarray"),
    ([{"vector": [1, 2]}], InvalidRequest, "expected 'id' in a point, got only 'vector'"),
    ([{"id": 1, "vectors": [1, 2]}], InvalidRequest, "a point has no 'vectors'; it has id, payload, vector"),
    ([{"id": 1, "vector": [1, 2], 5: 6}], InvalidRequest, "with string keys, got the key 5"),
    ([{"id": "30", "vector": [1, 2]}], InvalidId, "got str '30'"),
    ([{"id": 1, "vector": [1, 2], "payload": [1]}], InvalidPayload, "expected a payload"),
    ({"batch": [1]}, InvalidType, "expected a batch, got list"),
    ({"batch": {"vectors": [[1, 2]]}}, InvalidRequest, "expected 'ids' in a batch"),
    ({"ids": [1], "vectors": [[1, 2]], "payload": [{}]}, InvalidRequest, "a batch has no 'payload'"),
    (Batch(1, [[1, 2]]), InvalidType, "expected ids as a list, got int 1"),
    (Batch("ab", [[1, 2]]), InvalidType, "expected ids as a list, got str 'ab'"),
    (Batch([1], [[1, 2]], {"a": 1}), InvalidType, "expected a list of payloads"),
    (Batch([1], [[1, 2]], [{}, {}]), InvalidRequest, "expected a payload for each of the 1 points, got 2"),
]


@pytest.mark.parametrize(("form", "error", "message"), BAD_UPSERTS)
def test_a_bad_upsert_is_an_error_that_says_so(form: Any, error: type[InvalidRequest], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_upsert(form, TWO)


# Rule 26: batches

MODELS: list[Any] = [
    ours.UpsertOperation(ours.PointsList([PointStruct(1, [1, 2])])),
    ours.UpdateVectorsOperation(ours.UpdateVectors([ours.PointVectors(1, [1, 2])])),
    ours.DeleteVectorsOperation(ours.DeleteVectors([""], points=[1])),
    ours.SetPayloadOperation(ours.SetPayload({"a": 1}, points=[1])),
    ours.OverwritePayloadOperation(ours.SetPayload({"a": 1}, filter=RED_MODEL)),
    ours.DeletePayloadOperation(ours.DeletePayload(["a"], points=[1])),
    ours.ClearPayloadOperation(ours.FilterSelector(RED_MODEL)),
    ours.DeleteOperation(ours.PointIdsList([1])),
]
DICTS: list[Any] = [
    {"upsert": {"points": [{"id": 1, "vector": [1, 2]}]}},
    {"update_vectors": {"points": [{"id": 1, "vector": [1, 2]}]}},
    {"delete_vectors": {"vector": [""], "points": [1]}},
    {"set_payload": {"payload": {"a": 1}, "points": [1]}},
    {"overwrite_payload": {"payload": {"a": 1}, "filter": RED}},
    {"delete_payload": {"keys": ["a"], "points": [1]}},
    {"clear_payload": {"filter": RED}},
    {"delete": {"points": [1]}},
]
THEIRS: list[Any] = [
    theirs.UpsertOperation(
        upsert=theirs.PointsList(points=[theirs.PointStruct(id=1, vector=[1, 2], payload={})])
    ),
    theirs.UpdateVectorsOperation(
        update_vectors=theirs.UpdateVectors(points=[theirs.PointVectors(id=1, vector=[1, 2])])
    ),
    theirs.DeleteVectorsOperation(delete_vectors=theirs.DeleteVectors(vector=[""], points=[1])),
    theirs.SetPayloadOperation(set_payload=theirs.SetPayload(payload={"a": 1}, points=[1])),
    theirs.OverwritePayloadOperation(
        overwrite_payload=theirs.SetPayload(payload={"a": 1}, filter=RED_THEIRS)
    ),
    theirs.DeletePayloadOperation(delete_payload=theirs.DeletePayload(keys=["a"], points=[1])),
    theirs.ClearPayloadOperation(clear_payload=theirs.FilterSelector(filter=RED_THEIRS)),
    theirs.DeleteOperation(delete=theirs.PointIdsList(points=[1])),
]


def test_rule_26_a_batch_reads_models_dicts_and_their_models_alike() -> None:
    batch = parse_batch(MODELS, TWO)
    assert {type(operation) for operation in batch.operations} == KINDS.keys() - {BatchUpdate}
    assert batch.atomic is True
    for form in (DICTS, THEIRS, {"operations": DICTS}, tuple(MODELS), iter(DICTS)):
        assert same(parse_batch(form, TWO), batch)


def test_rule_26_a_batch_need_not_be_atomic() -> None:
    assert parse_batch(DICTS, TWO, atomic=False).atomic is False


@pytest.mark.parametrize("atomic", [None, 1, "no"])
def test_rule_26_atomic_is_a_bool(atomic: Any) -> None:
    with pytest.raises(InvalidType, match="expected atomic as True or False"):
        parse_batch(DICTS, TWO, atomic)


@pytest.mark.parametrize(
    ("operation", "error", "message"),
    [
        ({"upsert": {"points": [{"id": 1, "vector": [1]}]}}, InvalidVector, "point 1: the unnamed vector"),
        ({"upsert": {"points": [{"id": 1, "vector": {"a": [1]}}]}}, UnknownVector, "point 1: expected"),
        ({"set_payload": {"payload": {"a": {1}}, "points": [1]}}, InvalidPayload, "expected JSON"),
        ({"delete": {"points": []}}, EmptyRequest, "expected at least one id"),
        ({"delete": {"points": [-1]}}, InvalidId, "expected an id"),
        ({"delete": {"filter": {"must": [{}, 1]}}}, InvalidFilter, ""),
        ({}, InvalidRequest, "expected one operation such as {'upsert': ...}, got none"),
        (
            {"delete": {"points": [1]}, "upsert": {}},
            InvalidRequest,
            "expected one .*, got 'delete', 'upsert'",
        ),
        (
            {"remove": {"points": [1]}},
            InvalidRequest,
            "there is no operation 'remove'; there are upsert, del",
        ),
        ({"delete": None}, InvalidRequest, "expected one operation such as .*, got none"),
        (None, InvalidType, "expected an operation, got NoneType"),
        ("delete", InvalidType, "expected an operation, got str"),
        ([{"delete": {"points": [1]}}], InvalidType, "expected an operation, got list"),
        ({"operations": []}, InvalidRequest, "there is no operation 'operations'"),
    ],
)
def test_rule_26_errors_say_which_operation(
    operation: Any, error: type[InvalidRequest], message: str
) -> None:
    with pytest.raises(error, match=rf"^operations\[2\]: {message}") as caught:
        parse_batch([DICTS[0], MODELS[1], operation, DICTS[2]], TWO)
    assert type(caught.value) is error


def test_rule_26_an_error_with_a_place_keeps_what_it_knows() -> None:
    with pytest.raises(UnknownVector) as unknown:
        parse_batch([{"delete_vectors": {"vector": ["a"], "points": [1]}}], TWO)
    assert unknown.value.name == "a"
    with pytest.raises(InvalidPayload) as payload:
        parse_batch([{"set_payload": {"payload": {"a": {"b": {1}}}, "points": [1]}}], TWO)
    assert payload.value.path == "a.b"


@pytest.mark.parametrize(
    ("form", "error", "message"),
    [
        (None, InvalidType, "expected the body of a batch, got NoneType"),
        ({"upsert_points": {}}, InvalidRequest, "the body of a batch has no 'upsert_points'"),
        ({}, InvalidRequest, "expected 'operations' in the body of a batch, got only nothing"),
        ({"operations": 5}, InvalidType, "expected operations as a list, got int 5"),
        ({"operations": DICTS, "atomic": False}, InvalidRequest, "has no 'atomic'"),
    ],
)
def test_rule_26_a_batch_is_a_list_or_a_body(form: Any, error: type[InvalidRequest], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_batch(form, TWO)


# Hostile input

WORDS = sorted(
    {"points", "filter", "ids", "batch", "vectors", "vector", "payloads", "payload", "keys", "key", "id"}
    | {"upsert", "delete", "set_payload", "must", "must_not", "update_filter", "update_mode", "operations"}
    | {"text", "image", "", "color", "match", "value", "a.b", "insert_only"}
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2**64)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.sampled_from([UUID_TEXT, b"x", UUID(UUID_TEXT), object(), "\ud800", int, np.float32(1), np.eye(2)])
)
KEYS = st.sampled_from(WORDS) | st.integers(0, 2)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.builds(
            lambda found: SimpleNamespace(**{str(k): v for k, v in found.items()}),
            st.dictionaries(KEYS, inner, max_size=3),
        )
        | st.builds(PointStruct, inner, inner, inner)
        | st.builds(Batch, inner, inner, inner)
        | st.lists(inner, max_size=2).map(tuple)
    ),
    max_leaves=12,
)
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "upsert": lambda a, b: parse_upsert(a, NAMED, b),
    "upsert unnamed": lambda a, b: parse_upsert(a, TWO, update_mode=b),
    "upsert point": lambda a, b: parse_upsert([{"id": 1, "vector": a, "payload": b}], NAMED),
    "upsert batch": lambda a, b: parse_upsert({"ids": [1, 2], "vectors": a, "payloads": b}, NAMED),
    "upsert ids": lambda a, b: parse_upsert({"ids": a, "vectors": b}, TWO),
    "update_vectors": lambda a, b: parse_update_vectors(a, NAMED, b),
    "update_vectors point": lambda a, b: parse_update_vectors([{"id": a, "vector": b}], NAMED),
    "delete_vectors": lambda a, b: parse_delete_vectors(a, b, NAMED),
    "delete_vectors body": lambda a, _: parse_delete_vectors(a, OMITTED, NAMED),
    "set_payload": lambda a, b: parse_set_payload(a, b),
    "set_payload key": lambda a, b: parse_set_payload(a, [1], b),
    "set_payload body": lambda a, _: parse_set_payload(a),
    "overwrite_payload": lambda a, b: parse_overwrite_payload(a, b),
    "overwrite_payload body": lambda a, _: parse_overwrite_payload(a),
    "delete_payload": lambda a, b: parse_delete_payload(a, b),
    "delete_payload body": lambda a, _: parse_delete_payload(a),
    "clear_payload": lambda a, _: parse_clear_payload(a),
    "delete": lambda a, _: parse_delete(a),
    "batch": lambda a, b: parse_batch(a, NAMED, b),
    "batch of one": lambda a, _: parse_batch([a], NAMED),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@given(first=ANYTHING, second=ANYTHING)
def test_anything_is_an_operation_or_an_invalid_request(
    call: Callable[[Any, Any], Any], first: Any, second: Any
) -> None:
    try:
        operation = call(first, second)
    except InvalidRequest:
        return
    assert type(operation) in KINDS


def test_a_list_that_holds_itself_is_an_error() -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    for call in CALLS.values():
        with pytest.raises(InvalidRequest):
            call(cyclic, cyclic)
