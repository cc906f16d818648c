"""Rules 26 and 27, through the collection: batches, and the numbers of operations."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import qdrant_client.models as theirs
from collecting import NAMED, contents, fill, payload

from vecstore import (
    Batch,
    ClearPayloadOperation,
    Collection,
    DeleteOperation,
    DeletePayload,
    DeletePayloadOperation,
    DeleteVectors,
    DeleteVectorsOperation,
    FilterSelector,
    InvalidRequest,
    OverwritePayloadOperation,
    PointIdsList,
    PointNotFound,
    PointsBatch,
    PointsList,
    PointStruct,
    PointVectors,
    SetPayload,
    SetPayloadOperation,
    UpdateResult,
    UpdateStatus,
    UpdateVectors,
    UpdateVectorsOperation,
    UpsertOperation,
)

if TYPE_CHECKING:
    from collecting import Home

BOTH = {"image": [1.0, 2.0], "text": [3.0, 4.0, 5.0]}
MODELS = [
    UpsertOperation(PointsList([PointStruct(i, BOTH, {"a": i}) for i in (1, 2, 3, 4)])),
    UpsertOperation(PointsBatch(Batch([5], {"image": [[1, 2]]}, [{"a": 5}]))),
    SetPayloadOperation(SetPayload({"b": 1}, points=[1, 2, 3])),
    SetPayloadOperation(SetPayload({"x": 1}, points=[1], key="deep")),
    OverwritePayloadOperation(SetPayload({"c": 1}, points=[2])),
    DeletePayloadOperation(DeletePayload(["b"], points=[1])),
    ClearPayloadOperation(PointIdsList([3])),
    UpdateVectorsOperation(UpdateVectors([PointVectors(4, {"image": [7, 7]})])),
    DeleteVectorsOperation(DeleteVectors(["text"], points=[4])),
    DeleteOperation(PointIdsList([5])),
]
DICTS: list[dict[str, Any]] = [
    {"upsert": {"points": [{"id": i, "vector": BOTH, "payload": {"a": i}} for i in (1, 2, 3, 4)]}},
    {"upsert": {"batch": {"ids": [5], "vectors": {"image": [[1, 2]]}, "payloads": [{"a": 5}]}}},
    {"set_payload": {"payload": {"b": 1}, "points": [1, 2, 3]}},
    {"set_payload": {"payload": {"x": 1}, "points": [1], "key": "deep"}},
    {"overwrite_payload": {"payload": {"c": 1}, "points": [2]}},
    {"delete_payload": {"keys": ["b"], "points": [1]}},
    {"clear_payload": {"points": [3]}},
    {"update_vectors": {"points": [{"id": 4, "vector": {"image": [7, 7]}}]}},
    {"delete_vectors": {"vector": ["text"], "points": [4]}},
    {"delete": {"points": [5]}},
]
THEIRS: list[Any] = [
    theirs.UpsertOperation(
        upsert=theirs.PointsList(points=[theirs.PointStruct(id=i, vector=BOTH, payload={"a": i}) for i in (1, 2, 3, 4)])
    ),
    theirs.UpsertOperation(
        upsert=theirs.PointsBatch(batch=theirs.Batch(ids=[5], vectors={"image": [[1, 2]]}, payloads=[{"a": 5}]))
    ),
    theirs.SetPayloadOperation(set_payload=theirs.SetPayload(payload={"b": 1}, points=[1, 2, 3])),
    theirs.SetPayloadOperation(set_payload=theirs.SetPayload(payload={"x": 1}, points=[1], key="deep")),
    theirs.OverwritePayloadOperation(overwrite_payload=theirs.SetPayload(payload={"c": 1}, points=[2])),
    theirs.DeletePayloadOperation(delete_payload=theirs.DeletePayload(keys=["b"], points=[1])),
    theirs.ClearPayloadOperation(clear_payload=theirs.PointIdsList(points=[3])),
    theirs.UpdateVectorsOperation(
        update_vectors=theirs.UpdateVectors(points=[theirs.PointVectors(id=4, vector={"image": [7, 7]})])
    ),
    theirs.DeleteVectorsOperation(delete_vectors=theirs.DeleteVectors(vector=["text"], points=[4])),
    theirs.DeleteOperation(delete=theirs.PointIdsList(points=[5])),
]
AFTER = {
    1: ({"a": 1, "deep": {"x": 1}}, BOTH),
    2: ({"c": 1}, BOTH),
    3: ({}, BOTH),
    4: ({"a": 4}, {"image": [7, 7]}),
}


@pytest.mark.parametrize("operations", [MODELS, DICTS, THEIRS, {"operations": DICTS}, tuple(DICTS)])
@pytest.mark.parametrize("atomic", [True, False])
def test_rule_26_operations_run_in_their_order(operations: Any, atomic: bool, home: Home) -> None:
    col = home.make(NAMED)
    results = col.batch(operations, atomic=atomic).result()
    assert [result.operation_id for result in results] == list(range(1, 11))
    assert {result.status for result in results} == {UpdateStatus.COMPLETED}
    assert contents(home.seen(col)) == AFTER


def test_rule_26_each_operation_sees_what_the_ones_before_it_did(home: Home) -> None:
    col = home.make()
    is_new = {"must": [{"key": "a", "match": {"value": 1}}]}
    col.batch(
        [
            {"upsert": {"points": [{"id": 1, "vector": [1, 0], "payload": {"a": 1}}]}},
            {"set_payload": {"payload": {"a": 2}, "filter": is_new}},
            {"set_payload": {"payload": {"seen": True}, "filter": is_new}},
            {"delete": {"points": [2]}},
            {"upsert": {"points": [{"id": 2, "vector": [2, 0]}], "update_mode": "insert_only"}},
            {"update_vectors": {"points": [{"id": 2, "vector": [3, 0]}]}},
            {"delete": {"filter": {"must": [{"has_id": [1]}, {"key": "a", "match": {"value": 2}}]}}},
            {"upsert": {"points": [{"id": 1, "vector": [4, 0]}], "update_mode": "insert_only"}},
        ]
    )
    assert contents(home.seen(col)) == {1: ({}, [4, 0]), 2: ({}, [3, 0])}


REFUSED_IN_THE_MIDDLE: list[dict[str, Any]] = [
    {"upsert": {"points": [{"id": 1, "vector": [5, 5], "payload": {"new": 1}}, {"id": 3, "vector": [5, 5]}]}},
    {"delete_vectors": {"vector": [""], "points": [2]}},
    {"set_payload": {"payload": {"b": 1}, "points": [1, 8, 2, 9]}},
    {"delete": {"points": [1]}},
]


def test_rule_26_all_or_nothing(home: Home) -> None:
    col = home.make()
    fill(col, {1: {"a": 1}, 2: {"a": 2}})
    before = contents(col)
    future = col.batch(REFUSED_IN_THE_MIDDLE)
    with pytest.raises(PointNotFound) as raised:
        future.result()
    assert raised.value.ids == [8, 9]
    assert contents(col) == before
    col.upsert([PointStruct(3, [7, 7])])
    assert contents(home.seen(col)) == {**before, 3: ({}, [7, 7])}


def test_rule_26_or_as_in_qdrant_where_the_earlier_ones_stay(home: Home) -> None:
    col = home.make()
    fill(col, {1: {"a": 1}, 2: {"a": 2}})
    future = col.batch(REFUSED_IN_THE_MIDDLE, atomic=False)
    with pytest.raises(PointNotFound) as raised:
        future.result()
    assert raised.value.ids == [8, 9]
    assert contents(home.seen(col)) == {1: ({"new": 1}, [5, 5]), 2: ({"a": 2}, {}), 3: ({}, [5, 5])}


@pytest.mark.parametrize("atomic", [True, False])
def test_rule_26_the_shape_of_all_is_checked_first(atomic: bool, col: Collection) -> None:
    fill(col, {1: {"a": 1}})
    before, good = contents(col), {"clear_payload": {"points": [1]}}
    wrong: list[tuple[Any, str]] = [
        ({"upsert": {"points": [{"id": 1, "vector": [1]}]}}, "expected .*2 numbers, got 1"),
        ({"clear_payloads": {"points": [1]}}, "there is no operation 'clear_payloads'; there are "),
        ({**good, "delete": {"points": [1]}}, "expected one operation such as .*, got "),
        ({}, "expected one operation such as .*, got none"),
        ({"delete": {"points": []}}, "got an empty list"),
        ("delete", "expected an operation, got str 'delete'"),
        (SetPayloadOperation(SetPayload({"a": {1}}, points=[1])), "a"),
        (DeleteOperation(FilterSelector(5)), "filter: expected"),  # type: ignore[arg-type]
    ]
    for operation, message in wrong:
        with pytest.raises(InvalidRequest, match=rf"operations\[1\]: .*{message}"):
            col.batch([good, operation, good], atomic=atomic)
    assert contents(col) == before


def test_rule_26_a_refused_batch_leaves_vectors_where_they_were(home: Home) -> None:
    col = home.make()
    fill(col, {1: {}, 2: {}, 3: {}})
    future = col.batch(
        [
            {"update_vectors": {"points": [{"id": 1, "vector": [0, 5]}]}},
            {"delete": {"points": [2]}},
            {"upsert": {"points": [{"id": 4, "vector": [0, 9]}]}},
            {"clear_payload": {"points": [99]}},
        ]
    )
    assert isinstance(future.exception(), PointNotFound)
    col.upsert([PointStruct(5, [0, 1])])
    col = home.seen(col)
    assert [(hit.id, hit.score) for hit in col.search([1, 1])] == [(1, 1), (2, 1), (3, 1), (5, 1)]
    assert [hit.id for hit in col.search([0, 1], limit=1)] == [5]


def test_rule_27_ids_increase_by_one_an_operation(col: Collection) -> None:
    futures: list[Any] = [
        col.upsert([PointStruct(1, [1, 0], {"a": 1})]),
        col.set_payload({"a": 2}, [1]),
        col.update_vectors([PointVectors(1, [2, 2])]),
        col.clear_payload([1]),
        col.overwrite_payload({"a": 2}, [1]),
        col.delete_payload(["a"], [1]),
        col.delete_vectors("", [1]),
        col.delete([1]),
    ]
    numbers = [future.operation_id for future in futures]
    assert numbers == list(range(1, 9))
    for number, future in zip(numbers, futures, strict=True):
        assert future.result() == UpdateResult(number, UpdateStatus.COMPLETED)
    assert [type(number) for number in numbers] == [int] * 8


def test_rule_27_refused_ones_and_batches_use_up_theirs(col: Collection) -> None:
    first = col.set_payload({"a": 1}, [9])
    several = col.batch([{"delete": {"points": [1]}}] * 3)
    refused = col.batch([{"delete": {"points": [1]}}, {"clear_payload": {"points": [9]}}])
    last = col.delete([1])
    assert isinstance(first.exception(), PointNotFound)
    assert isinstance(refused.exception(), PointNotFound)
    assert [result.operation_id for result in several.result()] == [2, 3, 4]
    assert [first.operation_id, several.operation_id, refused.operation_id, last.operation_id] == [1, 4, 6, 7]


def test_rule_27_never_reused_also_across_reopening(home: Home) -> None:
    col = home.make()
    given: list[int] = []
    for number in range(4):
        given.append(col.upsert([PointStruct(number, [1, 0])]).operation_id)
        given += [r.operation_id for r in col.batch([{"delete": {"points": [7]}}] * 2).acknowledged()]
        future = col.clear_payload([99])
        assert isinstance(future.exception(), PointNotFound)
        given.append(future.operation_id)
        col = home.seen(col)
    assert all(one < other for one, other in pairwise([0, *given]))


def test_rule_27_two_handles_count_together(disk: Home) -> None:
    col = disk.make()
    with Collection(disk.path) as other:
        one, two = col.upsert([PointStruct(1, [1, 0])]), other.set_payload({"a": 1}, [1])
        assert two.operation_id == one.operation_id + 1
        two.result()
    assert payload(col) == {"a": 1}
