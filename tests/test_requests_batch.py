"""Batches; and requests of all kinds that are made to break the parsers."""

from __future__ import annotations

from copy import deepcopy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
import qdrant_client.models as theirs
from documentation import OPERATIONS, SCHEMAS
from hypothesis import given
from hypothesis import strategies as st
from requesting import NAMED, RED, RED_MODEL, RED_THEIRS, TWO, UUID_TEXT
from same import same

import vecstore.models as ours
from vecstore.errors import (
    EmptyRequest,
    InvalidFilter,
    InvalidId,
    InvalidPayload,
    InvalidRequest,
    InvalidType,
    InvalidVector,
    UnknownVector,
)
from vecstore.models import Batch, PointStruct
from vecstore.operations import KINDS, BatchUpdate, CreateIndex, DeleteIndex, decode, encode
from vecstore.requests import (
    OMITTED,
    parse_batch,
    parse_clear_payload,
    parse_delete,
    parse_delete_payload,
    parse_delete_vectors,
    parse_overwrite_payload,
    parse_set_payload,
    parse_update_vectors,
    parse_upsert,
)
from vecstore.vectors import parse_vector_params

if TYPE_CHECKING:
    from collections.abc import Callable


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
    theirs.UpsertOperation(upsert=theirs.PointsList(points=[theirs.PointStruct(id=1, vector=[1, 2], payload={})])),
    theirs.UpdateVectorsOperation(
        update_vectors=theirs.UpdateVectors(points=[theirs.PointVectors(id=1, vector=[1, 2])])
    ),
    theirs.DeleteVectorsOperation(delete_vectors=theirs.DeleteVectors(vector=[""], points=[1])),
    theirs.SetPayloadOperation(set_payload=theirs.SetPayload(payload={"a": 1}, points=[1])),
    theirs.OverwritePayloadOperation(overwrite_payload=theirs.SetPayload(payload={"a": 1}, filter=RED_THEIRS)),
    theirs.DeletePayloadOperation(delete_payload=theirs.DeletePayload(keys=["a"], points=[1])),
    theirs.ClearPayloadOperation(clear_payload=theirs.FilterSelector(filter=RED_THEIRS)),
    theirs.DeleteOperation(delete=theirs.PointIdsList(points=[1])),
]


def test_rule_26_a_batch_reads_models_dicts_and_their_models_alike() -> None:
    batch = parse_batch(MODELS, TWO)
    assert {type(operation) for operation in batch.operations} == KINDS.keys() - {BatchUpdate, CreateIndex, DeleteIndex}
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
def test_rule_26_errors_say_which_operation(operation: Any, error: type[InvalidRequest], message: str) -> None:
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
        ({}, InvalidRequest, "expected 'operations' in the body of a batch, got nothing"),
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


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """An operation of the documentation in which one thing, somewhere, is another or is gone."""
    example = draw(st.sampled_from(OPERATIONS))
    whole = deepcopy(example.operation)
    node: Any = whole
    while True:
        place = draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        inner = node[place]
        if not isinstance(inner, dict | list) or not inner or draw(st.integers(0, 3)) == 0:
            break
        node = inner
    if draw(st.booleans()):
        node[place] = draw(ANYTHING)
    else:
        del node[place]
    return whole, example.schema


@given(spoiled())
def test_a_spoiled_request_is_an_operation_or_an_invalid_request(found: Any) -> None:
    operation, schema = found
    try:
        batch = parse_batch([operation], parse_vector_params(SCHEMAS[schema]))
    except InvalidRequest:
        return
    assert same(decode(encode(batch)), batch)


def test_a_list_that_holds_itself_is_an_error() -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    for call in CALLS.values():
        with pytest.raises(InvalidRequest):
            call(cyclic, cyclic)
