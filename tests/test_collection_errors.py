"""Every class of error: when it comes, what it says, what it knows, and that nothing has happened."""

from __future__ import annotations

import copy
import pickle
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import DOT, NAMED, contents, fill

from vecstore import (
    Batch,
    Collection,
    CollectionLocked,
    Corrupted,
    EmptyRequest,
    InvalidFilter,
    InvalidId,
    InvalidPath,
    InvalidPayload,
    InvalidRequest,
    InvalidType,
    InvalidVector,
    NotACollection,
    PointNotFound,
    PointStruct,
    RequestTooLarge,
    StoreFailed,
    UnknownVector,
    UnsupportedFormat,
    VecstoreError,
)
from vecstore.engine import queue
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collecting import Home

ONE = [PointStruct(1, [5, 5])]
WRONG: list[tuple[Callable[[Collection], Any], type[InvalidRequest], str]] = [
    (lambda col: col.upsert(5), InvalidType, "expected points, as a list of points, .*got int 5"),
    (lambda col: col.upsert("abc"), InvalidType, "expected points, .*got str 'abc'"),
    (lambda col: col.upsert(None), InvalidType, "expected points, .*got NoneType None"),
    (lambda col: col.upsert(PointStruct(1, [5, 5])), InvalidType, r"got a single one: write \["),
    (lambda col: col.upsert([5]), InvalidType, "expected a point, got int 5"),
    (lambda col: col.upsert([{"id": 1}]), InvalidVector, "point 1: expected a vector .*, got None"),
    (lambda col: col.upsert(ONE, update_mode="all"), InvalidRequest, r"expected an update_mode \(.*got str 'all'"),
    (lambda col: col.upsert(Batch([1], [[5, 5]], [{}, {}])), InvalidRequest, "each of the 1 points, got 2"),
    (lambda col: col.upsert(Batch([1, 2], [[5, 5]])), InvalidRequest, "expected 2 rows, one for each id, got 1"),
    (lambda col: col.upsert([{"id": 1, "vector": [1, 2, 3]}]), InvalidVector, "point 1: .* 2 numbers, got 3"),
    (lambda col: col.upsert(Batch([1], 5)), InvalidVector, "expected a matrix, got int 5"),
    (lambda col: col.upsert(Batch(1, [[5, 5]])), InvalidType, "expected ids as a list, got int 1"),
    (lambda col: col.upsert([PointStruct(1, [5, 5], 7)]), InvalidPayload, "got int 7"),
    (lambda col: col.upsert(ONE, update_filter=5), InvalidFilter, "filter: expected a filter, got int 5"),
    (
        lambda col: col.update_vectors([PointStruct(1, [5, 5], {})]),
        InvalidRequest,
        "has no 'payload'; it has id, vector",
    ),
    (lambda col: col.update_vectors([{"id": 1}]), InvalidRequest, "expected 'vector' in new vectors of point 1"),
    (lambda col: col.delete_vectors(5, [1]), InvalidType, "expected vector names as a list, got int 5"),
    (lambda col: col.delete_vectors([5], [1]), InvalidType, "expected vector names as strings, got int 5"),
    (lambda col: col.set_payload(5, [1]), InvalidPayload, "got int 5"),
    (lambda col: col.set_payload(None, [1]), InvalidPayload, "got NoneType None|got None"),
    (lambda col: col.set_payload({"a": 1}, [1], key=5), InvalidPath, "got int 5"),
    (
        lambda col: col.set_payload({"a": 1}, 1),
        InvalidType,
        r"expected a list of ids, got the single id 1: write \[1\]",
    ),
    (lambda col: col.overwrite_payload(None, [1]), InvalidPayload, "expected a payload, got None"),
    (lambda col: col.delete_payload(5, [1]), InvalidType, "expected payload keys as a list, got int 5"),
    (lambda col: col.delete_payload([5], [1]), InvalidType, "expected payload keys as strings, got int 5"),
    (lambda col: col.clear_payload("all"), InvalidType, "got the single id 'all'"),
    (lambda col: col.delete(1), InvalidType, r"got the single id 1: write \[1\]"),
    (lambda col: col.delete({"should": [5]}), InvalidFilter, r"should\[0\]: expected a condition, got int 5"),
    (lambda col: col.batch(5), InvalidType, "expected the body of a batch, got int 5"),
    (lambda col: col.batch([{"delete": {"points": [1]}}], atomic=1), InvalidType, "expected atomic as True or False"),
    (lambda col: col.retrieve(5), InvalidType, r"got the single id 5: write \[5\]"),
    (lambda col: col.retrieve("abc"), InvalidType, "got the single id 'abc'"),
    (lambda col: col.retrieve(None), InvalidType, "expected ids as a list, got NoneType None"),
    (lambda col: col.scroll(5), InvalidFilter, "filter: expected a filter, got int 5"),
    (lambda col: col.scroll(limit="3"), InvalidType, "expected limit as an integer, got str '3'"),
    (lambda col: col.count({"must": [{"key": 5, "match": {"value": 1}}]}), InvalidPath, r"must\[0\]\.key: .*int 5"),
    (lambda col: col.count({"musst": []}), InvalidFilter, "a filter has no 'musst'; it has min_should, must,"),
    (lambda col: col.search(None), InvalidVector, "expected .*2 numbers|expected numbers, got NoneType None"),
    (lambda col: col.search([1, 2, 3]), InvalidVector, "the query for the unnamed vector: expected 2 numbers, got 3"),
    (lambda col: col.search(True), InvalidVector, "expected numbers, got bool True"),
    (lambda col: col.search([1, 0], using="x"), UnknownVector, "expected the unnamed vector, .*got the vector 'x'"),
    (lambda col: col.search([1, 0], using=5), InvalidType, "expected a vector name, got int 5"),
    (lambda col: col.search([1, 0], limit=0), InvalidRequest, "expected limit of at least 1, got 0"),
    (lambda col: col.search([1, 0], offset=-1), InvalidRequest, "expected offset of at least 0, got -1"),
    (lambda col: col.search([1, 0], offset=1.5), InvalidType, "expected offset as an integer, got float 1.5"),
    (lambda col: col.search([1, 0], score_threshold="x"), InvalidType, "score_threshold as a number, got str 'x'"),
    (lambda col: col.search([1, 0], score_threshold=np.nan), InvalidRequest, "score_threshold as a number, got NaN"),
    (lambda col: col.search([1, 0], params={"speed": 9}), InvalidRequest, "search parameters has no 'speed'"),
    (lambda col: col.search([1, 0], params={"exact": 1}), InvalidType, "expected exact as a bool, got int 1"),
    (lambda col: col.search_batch([1, 0]), InvalidVector, "expected rows of 2 numbers, got an array of shape"),
    (lambda col: col.search_batch([[1, 0], [1]]), InvalidVector, "expected rows of 2 numbers, got 1 in row 1"),
    (lambda col: col.search_batch(5), InvalidVector, "expected .*rows of 2 numbers|expected numbers"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG, ids=[f"{e.__name__}-{m}" for _, e, m in WRONG])
def test_a_wrong_call_says_what_was_expected_and_what_came(
    call: Callable[[Collection], Any], error: type[InvalidRequest], message: str, col: Collection
) -> None:
    fill(col, {1: {"a": 1}})
    before, applied = contents(col), col.info().applied
    with pytest.raises(error, match=message) as raised:
        call(col)
    assert type(raised.value) is error
    assert isinstance(raised.value, VecstoreError)
    assert isinstance(raised.value, ValueError)
    assert isinstance(raised.value, TypeError) == issubclass(error, InvalidType)
    assert raised.value.__context__ is None or raised.value.__suppress_context__, "a traceback tells of one error"
    col.flush()
    assert contents(col) == before
    assert col.info().applied == applied
    assert col.upsert([PointStruct(2, [1, 1])]).result().operation_id > applied


def test_errors_know_what_is_wrong(disk: Home) -> None:
    col = disk.make(NAMED)
    with pytest.raises(UnknownVector) as unknown:
        col.upsert([PointStruct(1, {"imge": [1, 2]})])
    assert unknown.value.name == "imge"
    with pytest.raises(InvalidPayload) as payload:
        col.batch([{"set_payload": {"payload": {"a": [{"b": {1}}]}, "points": [1]}}])
    assert payload.value.path == "a[0].b"
    assert str(payload.value).startswith("operations[0]: ")
    with pytest.raises(PointNotFound) as missing:
        col.set_payload({"a": 1}, range(20)).result()
    assert missing.value.ids == list(range(20))
    assert str(missing.value) == "no point with id 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 10 more"


def test_an_operation_that_is_too_large_is_refused_before_it_has_a_number(
    monkeypatch: pytest.MonkeyPatch, col: Collection
) -> None:
    monkeypatch.setattr(queue, "MAX_OPERATION_BYTES", 1000)
    first = col.upsert([PointStruct(1, [1, 2], {"a": "x" * 800})]).result()
    before = contents(col)
    with pytest.raises(
        RequestTooLarge, match=r"expected an operation of at most 1000 bytes, got 1[0-9]{3}; send it in"
    ):
        col.upsert([PointStruct(2, [1, 2], {"a": "x" * 1000})])
    monkeypatch.setattr(queue, "MAX_BATCH", 2)
    with pytest.raises(RequestTooLarge, match="expected a batch of at most 2 operations, got 3"):
        col.batch([{"delete": {"points": [1]}}] * 3)
    assert contents(col) == before
    assert col.delete([1]).operation_id == first.operation_id + 1


def test_a_payload_that_would_become_too_large_is_refused(monkeypatch: pytest.MonkeyPatch, col: Collection) -> None:
    monkeypatch.setattr("vecstore.engine.apply.MAX_PAYLOAD_BYTES", 100)
    fill(col, {1: {"a": "x" * 50}, 2: {}})
    before = contents(col)
    future = col.set_payload({"b": "y" * 50}, [2, 1])
    with pytest.raises(InvalidPayload, match="expected a payload of at most 100 bytes, it would be "):
        future.result()
    assert contents(col) == before


class DiskFull(OSError):
    pass


def test_a_store_that_failed_takes_no_writes_and_goes_on_reading(
    monkeypatch: pytest.MonkeyPatch, disk: Home, errors_logged: list[str]
) -> None:
    col = disk.make()
    fill(col, {1: {"a": 1}})
    before = contents(col)

    def full(*_: Any) -> None:
        raise DiskFull("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(Environment, "write", full)
        future = col.upsert([PointStruct(2, [1, 1])])
        with pytest.raises(StoreFailed, match=r"no space left.*unknown whether this operation is kept"):
            future.result()
    with pytest.raises(StoreFailed, match=r"writing failed earlier .*no space left.*open it again to recover") as later:
        col.upsert([PointStruct(3, [1, 1])])
    assert isinstance(later.value.__cause__, DiskFull)
    with pytest.raises(StoreFailed):
        col.flush()
    assert contents(col) == before
    assert [hit.id for hit in col.search([1, 1])] == [1]
    errors_logged[:] = [message for message in errors_logged if "no space left" not in message]
    col.close()
    again = disk.again()
    assert contents(again) == before
    fill(again, {3: {}})


def test_another_format_is_refused_and_left_alone(monkeypatch: pytest.MonkeyPatch, disk: Home) -> None:
    fill(disk.make(), {1: {}})
    disk.close()
    monkeypatch.setattr("vecstore.storage.store.FORMAT", 7)
    with pytest.raises(UnsupportedFormat, match="was written in format 2; this version of vecstore knows format 7"):
        Collection(disk.path)
    monkeypatch.undo()
    assert len(disk.again()) == 1


@pytest.mark.parametrize("kept", [100, 5000])
def test_a_store_that_was_cut_is_corrupted(kept: int, disk: Home) -> None:
    fill(disk.make(), {1: {}})
    disk.close()
    data: Path = disk.path / "store" / "data.mdb"  # type: ignore[operator]
    data.write_bytes(data.read_bytes()[:kept])
    with pytest.raises(Corrupted, match=r"data\.mdb") as raised:
        Collection(disk.path, vectors=DOT)
    assert str(raised.value.path).endswith("data.mdb")
    assert len(data.read_bytes()) == kept


@pytest.mark.parametrize("suffix", ["faiss", "slots"])
@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_segment_file_that_is_not_what_was_written_is_corrupted(
    suffix: str, damage: str, disk: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vecstore.engine.sealer.SEAL_BYTES", 1)
    fill(disk.make(), {1: {}, 2: {}})
    disk.close()
    (path,) = (disk.path / "segments").glob(f"*.{suffix}")  # type: ignore[operator]
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] if damage == "cut" else bytes(path.stat().st_size))
    with pytest.raises(Corrupted) as raised:
        Collection(disk.path)
    assert str(raised.value.path) == str(path)
    assert str(path) in str(raised.value)


def test_a_file_of_something_else_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    sqlite3.connect(tmp_path / "store" / "data.mdb").execute("create table t (a)").connection.close()
    with pytest.raises((Corrupted, NotACollection)) as raised:
        Collection(tmp_path)
    assert str(tmp_path) in str(raised.value)


ERRORS: list[VecstoreError] = [
    InvalidRequest("m"),
    InvalidType("m"),
    EmptyRequest("m"),
    InvalidId("m"),
    UnknownVector("name", "m"),
    InvalidPayload("a.b", "m"),
    NotACollection("path", "m"),
    PointNotFound([1, "x"]),
    CollectionLocked(42, "m"),
    Corrupted("path", "m"),
    StoreFailed("m"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling(error: VecstoreError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))
