"""From what users pass to frozen operations, rule by rule; and every way in which a request is wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
import qdrant_client.models as theirs
from hypothesis import given
from hypothesis import strategies as st
from requesting import NAMED, RED, RED_FILTER, RED_MODEL, RED_THEIRS, TWO, UUID_TEXT, keys, rows
from same import same

import vecstore.models as ours
from vecstore.errors import (
    EmptyRequest,
    InvalidId,
    InvalidPayload,
    InvalidRequest,
    InvalidType,
    InvalidVector,
    UnknownVector,
)
from vecstore.models import Batch, Distance, PointStruct, UpdateMode, VectorParams
from vecstore.payloads import EMPTY, unpack_payload
from vecstore.requests import (
    parse_batch,
    parse_delete,
    parse_delete_payload,
    parse_delete_vectors,
    parse_set_payload,
    parse_update_vectors,
    parse_upsert,
)

if TYPE_CHECKING:
    from collections.abc import Callable

COSINE = {"": VectorParams(2, Distance.COSINE)}


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


def test_rule_05_the_options_stay() -> None:
    upsert = parse_upsert([PointStruct(1, [1, 1]), PointStruct(1, [2, 2])], TWO, RED, "update_only")
    assert upsert.update_filter == RED_FILTER
    assert upsert.update_mode is UpdateMode.UPDATE_ONLY


def test_rule_05_a_vector_only_the_first_had_is_gone() -> None:
    upsert = parse_upsert([PointStruct(1, {"image": [1, 1]}), PointStruct(1, {})], NAMED)
    assert upsert.columns == {}


@given(st.lists(st.tuples(st.integers(0, 4), st.sets(st.sampled_from(["image", "text"]))), min_size=1))
def test_rule_05_is_as_if_the_earlier_ones_had_never_been_sent(drawn: Any) -> None:
    points = [
        PointStruct(i, {name: [n] * NAMED[name].size for name in names}, {"n": n}) for n, (i, names) in enumerate(drawn)
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
    assert parse_update_vectors({"points": vectors, "update_filter": condition}, TWO).update_filter == (RED_FILTER)


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
    ({"upsert": {"points": ONE_BY_ONE[0]}, "wait": True}, InvalidRequest, "an upsert has no 'upsert'"),
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
