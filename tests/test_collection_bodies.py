"""Whole request bodies of the REST API as the one argument of a call, as dicts and as their client's objects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import documentation
import pytest
import qdrant_client.models as theirs
from collecting import NAMED, contents, fill, ids, plain

from vecstore import (
    Batch,
    Collection,
    DeletePayload,
    DeleteVectors,
    InvalidRequest,
    PointsBatch,
    PointsList,
    PointStruct,
    PointVectors,
    SetPayload,
    UpdateVectors,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

IS_1 = {"must": [{"has_id": [1]}]}
OLD = {1: ({"a": {"b": 1}}, [1, 0]), 2: ({"a": {"b": 2}}, [1, 0])}
NEW = {"id": 1, "vector": [5.0, 5.0], "payload": {"n": 1}}
WRITES: list[tuple[str, list[Any], dict[Any, Any]]] = [
    (
        "upsert",
        [
            {"points": [NEW]},
            {"batch": {"ids": [1], "vectors": [[5, 5]], "payloads": [{"n": 1}]}},
            {"upsert": {"points": [NEW]}},
            {"upsert_points": {"batch": {"ids": [1], "vectors": [[5, 5]], "payloads": [{"n": 1}]}}},
            PointsList([PointStruct(1, [5, 5], {"n": 1})]),
            PointsBatch(Batch([1], [[5, 5]], [{"n": 1}])),
            theirs.PointsList(points=[theirs.PointStruct(**NEW)]),
            theirs.PointsBatch(batch=theirs.Batch(ids=[1], vectors=[[5, 5]], payloads=[{"n": 1}])),
            {"points": [NEW, {**NEW, "id": 2}], "update_filter": IS_1, "update_mode": "update_only"},
        ],
        {**OLD, 1: ({"n": 1}, [5, 5])},
    ),
    (
        "update_vectors",
        [
            {"points": [{"id": 1, "vector": [5, 5]}]},
            {"update_vectors": {"points": [{"id": 1, "vector": {"": [5, 5]}}]}},
            {"points": [{"id": i, "vector": [5, 5]} for i in (1, 2)], "update_filter": IS_1},
            UpdateVectors([PointVectors(1, [5, 5])]),
            theirs.UpdateVectors(points=[theirs.PointVectors(id=1, vector=[5, 5])]),
        ],
        {**OLD, 1: (OLD[1][0], [5, 5])},
    ),
    (
        "delete_vectors",
        [
            {"points": [1], "vector": [""]},
            {"filter": IS_1, "vectors": [""]},
            {"delete_vectors": {"points": [1], "vector": [""]}},
            DeleteVectors([""], [1]),
            theirs.DeleteVectors(points=[1], vector=[""]),
        ],
        {**OLD, 1: (OLD[1][0], {})},
    ),
    (
        "set_payload",
        [
            {"payload": {"c": 3}, "points": [1], "key": "a"},
            {"payload": {"c": 3}, "filter": IS_1, "key": "a"},
            {"payload": {"a": {"b": 1, "c": 3}}, "points": [1]},
            {"set_payload": {"payload": {"c": 3}, "points": [1], "key": "a"}},
            SetPayload({"c": 3}, [1], key="a"),
            theirs.SetPayload(payload={"c": 3}, filter=theirs.Filter.model_validate(IS_1), key="a"),
        ],
        {**OLD, 1: ({"a": {"b": 1, "c": 3}}, [1, 0])},
    ),
    (
        "overwrite_payload",
        [
            {"payload": {"n": 1}, "points": [1]},
            {"payload": {"n": 1}, "filter": IS_1},
            {"overwrite_payload": {"payload": {"n": 1}, "points": [1]}},
            SetPayload({"n": 1}, [1]),
            theirs.SetPayload(payload={"n": 1}, points=[1]),
        ],
        {**OLD, 1: ({"n": 1}, [1, 0])},
    ),
    (
        "delete_payload",
        [
            {"keys": ["a.b"], "points": [1]},
            {"keys": ["a.b"], "filter": IS_1},
            {"delete_payload": {"keys": ["a.b"], "points": [1]}},
            DeletePayload(["a.b"], [1]),
            theirs.DeletePayload(keys=["a.b"], points=[1]),
        ],
        {**OLD, 1: ({"a": {}}, [1, 0])},
    ),
    (
        "clear_payload",
        [
            {"points": [1]},
            {"filter": IS_1},
            {"clear_payload": {"points": [1]}},
            theirs.PointIdsList(points=[1]),
            theirs.FilterSelector(filter=theirs.Filter.model_validate(IS_1)),
        ],
        {**OLD, 1: ({}, [1, 0])},
    ),
    (
        "delete",
        [
            {"points": [1, 9]},
            {"filter": IS_1},
            {"delete": {"points": [1]}},
            {"delete_points": {"ids": [1]}},
            theirs.PointIdsList(points=[1]),
            theirs.FilterSelector(filter=theirs.Filter.model_validate(IS_1)),
        ],
        {2: OLD[2]},
    ),
    ("batch", [{"operations": [{"delete": {"points": [1]}}]}, [{"delete": {"points": [1]}}]], {2: OLD[2]}),
]


@pytest.mark.parametrize(("name", "bodies", "after"), WRITES, ids=[name for name, *_ in WRITES])
def test_the_body_of_a_write(name: str, bodies: list[Any], after: dict[Any, Any], col: Collection) -> None:
    for body in bodies:
        fill(col, {id_: payload for id_, (payload, _) in OLD.items()})
        assert contents(col) == OLD
        getattr(col, name)(body).result()
        assert contents(col) == after, body


HITS = [2, 1, 0]
READS: list[tuple[str, dict[str, Any], Any]] = [
    ("retrieve", {"ids": [2, 0]}, [2, 0]),
    ("retrieve", {"ids": [2, 0], "with_payload": False, "with_vector": True}, [2, 0]),
    ("scroll", {"limit": 2}, [0, 1]),
    ("scroll", {"filter": {"must_not": [{"has_id": [1]}]}}, [0, 2]),
    ("scroll", {"offset": 1}, [1, 2]),
    ("scroll", {"with_vector": True}, [0, 1, 2]),
    ("scroll", {"order_by": {"key": "n", "direction": "desc"}, "limit": 1}, [2]),
    ("scroll", {"filter": None, "limit": 3, "offset": 0, "with_payload": ["n"], "with_vector": False}, [0, 1, 2]),
    ("count", {"filter": {"must": [{"has_id": [1]}]}}, 1),
    ("count", {"exact": True}, 3),
    ("count", {"filter": {"must": [{"has_id": [1]}]}, "exact": False}, 1),
    ("search", {"vector": [1, 0]}, HITS),
    ("search", {"vector": [1, 0], "limit": 1, "offset": 1}, [1]),
    ("search", {"vector": [1, 0], "limit": 3, "score_threshold": 0.5, "with_payload": True}, [2, 1]),
    ("search", {"query": [1, 0]}, HITS),
    ("search", {"query": 1, "limit": 1, "with_vector": True}, [2]),
    ("search", {"query": [1, 0], "filter": {"must": [{"key": "n", "range": {"lt": 1}}]}, "using": ""}, [0]),
    ("search", {"vector": [1, 0], "params": {"exact": True}, "limit": 2}, [2, 1]),
]


def found(answer: Any) -> Any:
    """The ids of whatever a read returns; of a count the number."""
    return answer if isinstance(answer, int) else ids(answer[0] if isinstance(answer, tuple) else answer)


@pytest.mark.parametrize(("name", "body", "expected"), READS, ids=[f"{name}-{body}" for name, body, _ in READS])
def test_the_body_of_a_read(name: str, body: dict[str, Any], expected: Any, col: Collection) -> None:
    col.upsert([PointStruct(i, [i, 1], {"n": i}) for i in range(3)]).result()
    assert found(getattr(col, name)(body)) == expected


@pytest.mark.parametrize(
    ("name", "body", "options", "same"),
    [
        ("retrieve", {"ids": [2]}, {"with_vectors": True}, {"ids": [2], "with_vector": True}),
        ("scroll", {"limit": 2}, {"offset": 1}, {"limit": 2, "offset": 1}),
        ("scroll", {"limit": 2}, {"with_payload": False}, {"limit": 2, "with_payload": False}),
        ("search", {"vector": [1, 0]}, {"limit": 1}, {"vector": [1, 0], "limit": 1}),
        ("search", {"query": [1, 0], "limit": 1}, {"with_vectors": True}, {"vector": [1, 0], "limit": 1}),
    ],
)
def test_an_option_beside_a_body_counts(name: str, body: Any, options: Any, same: Any, col: Collection) -> None:
    col.upsert([PointStruct(i, [i, 1], {"n": i}) for i in range(3)]).result()
    beside, inside = getattr(col, name)(body, **options), getattr(col, name)(same)
    assert found(beside) == found(inside)
    if "with_vectors" in options:
        assert plain(beside[0].vector) == [2, 1]


@pytest.mark.parametrize(
    ("call", "option"),
    [
        (lambda col: col.retrieve({"ids": [1], "with_payload": True}, with_payload=False), "with_payload"),
        (lambda col: col.scroll({"limit": 2}, limit=3), "limit"),
        (lambda col: col.search({"vector": [1, 0], "limit": 2}, limit=3), "limit"),
        (lambda col: col.search({"vector": [1, 0], "using": ""}, using="x"), "using"),
        (lambda col: col.upsert({"points": [NEW], "update_mode": "upsert"}, update_mode="upsert"), "update_mode"),
        (lambda col: col.upsert({"points": [NEW], "update_filter": {}}, update_filter={}), "update_filter"),
        (lambda col: col.update_vectors({"points": [NEW], "update_filter": {}}, update_filter={}), "has no"),
        (lambda col: col.set_payload({"payload": {}, "points": [1], "key": "a"}, key="b"), "key"),
    ],
)
def test_the_same_option_twice_is_an_error(call: Callable[[Collection], Any], option: str, col: Collection) -> None:
    fill(col, {1: {}})
    with pytest.raises(InvalidRequest, match=option):
        call(col)
    assert contents(col) == {1: ({}, [1, 0])}


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("retrieve", {"ids": [1], "limit": 3}, "the request has no 'limit'"),
        ("scroll", {"limit": 3, "vector": [1, 0]}, "the request has no 'vector'"),
        ("count", {"filter": {}, "limit": 3}, "the request has no 'limit'"),
        ("search", {"vector": [1, 0], "with_payloads": True}, "the request has no 'with_payloads'"),
        ("search", {"vector": [1, 0], "query": [1, 0]}, "vector|query"),
        ("search", {"limit": 3}, "vector"),
        ("upsert", {"points": [NEW], "batch": {"ids": [1], "vectors": [[1, 0]]}}, "expected points or batch, got both"),
        ("upsert", {"points": [NEW], "wait": True}, "the body of an upsert has no 'wait'"),
        ("delete", {"points": [1], "ids": [1]}, "expected points or ids, got both"),
        ("delete", {"point": [1]}, "has no 'point'"),
        ("set_payload", {"points": [1]}, "expected 'payload' in the body of set_payload"),
        ("delete_payload", {"points": [1], "payload": {}}, "the body of delete_payload has no 'payload'"),
        ("delete_vectors", {"points": [1]}, "expected vector names once"),
        ("update_vectors", {"update_filter": {}}, "expected 'points' in the body of update_vectors"),
        ("batch", {"ops": []}, "the body of a batch has no 'ops'"),
    ],
)
def test_a_bad_body_is_an_error_that_says_so(name: str, body: Any, message: str, col: Collection) -> None:
    fill(col, {1: {}})
    with pytest.raises(InvalidRequest, match=message):
        getattr(col, name)(body)
    assert contents(col) == {1: ({}, [1, 0])}


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("retrieve", theirs.PointRequest(ids=[2, 0]), [2, 0]),
        ("scroll", theirs.ScrollRequest(limit=2, offset=1), [1, 2]),
        ("scroll", SimpleNamespace(filter={"must": [{"has_id": [1]}]}, with_payload=False), [1]),
        ("count", theirs.CountRequest(filter=theirs.Filter(must=[theirs.HasIdCondition(has_id=[1, 9])])), 1),
        ("search", theirs.QueryRequest(query=[1, 0], limit=2, with_vector=True), [2, 1]),
        ("search", SimpleNamespace(query=1, limit=1), [2]),
        ("search", {"vector": [1, 0], "top": 1}, [2]),
        ("search", {"vector": {"name": "", "vector": [1, 0]}, "limit": 1}, [2]),
    ],
)
def test_bodies_of_reads_as_their_client_and_the_first_generation_have_them(
    name: str, body: Any, expected: Any, col: Collection
) -> None:
    col.upsert([PointStruct(i, [i, 1], {"n": i}) for i in range(3)]).result()
    assert found(getattr(col, name)(body)) == expected


def test_any_object_with_the_attributes_will_do(col: Collection) -> None:
    point = SimpleNamespace(id=1, vector=[1, 2], payload={"a": 1})
    col.upsert(SimpleNamespace(points=[point]))
    col.set_payload(SimpleNamespace(payload={"b": 2}, points=[1])).result()
    assert contents(col) == {1: ({"a": 1, "b": 2}, [1, 2])}
    match = SimpleNamespace(key="a", match=SimpleNamespace(value=1))
    assert col.count(SimpleNamespace(must=[match])) == 1


@pytest.mark.parametrize("schema", documentation.SCHEMAS)
def test_every_operation_of_the_documentation_runs(schema: str, disk: Home) -> None:
    col = disk.make(documentation.SCHEMAS[schema])
    col.batch([documentation.setup(schema)]).result()
    operations = [example.operation for example in documentation.OPERATIONS if example.schema == schema]
    results = col.batch(operations, atomic=False).result()
    assert len(results) == len(operations)
    for operation in [documentation.setup(schema), *operations]:
        ((name, body),) = operation.items()
        call = name.replace("upsert_points", "upsert").replace("delete_points", "delete").replace("_by_filter", "")
        getattr(col, call)({"filter": body} if name.endswith("by_filter") else body).result()
    if schema == "three":  # what deletes points comes last there
        assert set(ids(col.scroll(limit=1000)[0])).isdisjoint({0, 3, 100})


def test_named_vectors_in_bodies(disk: Home) -> None:
    col = disk.make(NAMED)
    col.upsert({"batch": {"ids": [1, 2], "vectors": {"image": [[1, 2], [3, 4]], "text": [[1, 1, 1], [2, 2, 2]]}}})
    col.delete_vectors({"points": [1], "vector": ["text"]}).result()
    hits = col.search({"query": [1, 0], "using": "image", "with_vector": ["image"], "limit": 1})
    assert [(hit.id, plain(hit.vector)) for hit in hits] == [(2, {"image": [3, 4]})]
    assert ids(col.search({"query": 2, "using": "image"})) == [1]
    assert col.search({"query": 2, "using": "text"}) == []
