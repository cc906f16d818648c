"""What goes in is copied, what comes out is the caller's own; retrieve, get, in and len."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import COSINE, NAMED, UUID_TEXT, contents, fill, ids

from vecstore import Batch, Collection, Filter, PointStruct, PointVectors, Record, ScoredPoint, VectorParams

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home


ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
EXPECTED = {1: ({"n": 1}, [1, 2]), 2: ({}, [3, 4]), 3: ({"n": 3}, [5, 6])}
PAYLOADS = [{"n": 1}, None, {"n": 3}]


@pytest.mark.parametrize(
    "points",
    [
        Batch([1, 2, 3], ROWS, PAYLOADS),
        Batch(np.array([1, 2, 3]), np.array(ROWS), PAYLOADS),
        Batch(np.array([1, 2, 3], np.uint64), np.array(ROWS, np.float32), PAYLOADS),
        Batch(np.array([1, 2, 3], np.int8), np.array(ROWS, np.float16), np.array(PAYLOADS)),
        Batch((1, 2, 3), tuple(map(tuple, ROWS)), tuple(PAYLOADS)),
        Batch(range(1, 4), np.array(ROWS, order="F"), PAYLOADS),
        Batch([1, 2, 3], np.array(ROWS, int).astype(">i4"), PAYLOADS),
        Batch([1, 2, 3], np.repeat(np.array(ROWS), 2, axis=0)[::2], PAYLOADS),
        Batch([1, 2, 3], [np.array(row) for row in ROWS], PAYLOADS),
        Batch([1, 2, 3], {"": ROWS}, PAYLOADS),
        {"ids": [1, 2, 3], "vectors": ROWS, "payloads": PAYLOADS},
        [PointStruct(i, row, payload) for i, row, payload in zip((1, 2, 3), ROWS, PAYLOADS, strict=True)],
        [PointStruct(i, np.array(ROWS[i - 1]), PAYLOADS[i - 1]) for i in (3, 2, 1)],
    ],
)
def test_points_come_in_rows_columns_lists_and_arrays(points: Any, col: Collection) -> None:
    col.upsert(points).result()
    assert contents(col) == EXPECTED


def test_generators_are_taken_too(col: Collection) -> None:
    col.upsert(PointStruct(i, row, payload) for i, row, payload in zip((1, 2, 3), ROWS, PAYLOADS, strict=True))
    col.flush()
    assert contents(col) == EXPECTED


def test_a_large_matrix_comes_back_row_for_row(home: Home) -> None:
    matrix = np.random.default_rng(5).normal(size=(3000, 7)).astype(np.float32)
    col = home.make({"text": VectorParams(7, "Dot")})
    col.upsert(Batch(np.arange(3000), {"text": matrix}))
    records = home.seen(col).retrieve(np.arange(2999, -1, -1), with_payload=False, with_vectors=True)
    assert np.array_equal(np.array([record.vector["text"] for record in records]), matrix[::-1])


def test_what_the_caller_does_to_arguments_afterwards_changes_nothing(home: Home) -> None:
    col = home.make()
    matrix, numbered = np.array(ROWS, np.float32), np.array([1, 2, 3], np.uint64)
    payloads: list[Any] = [{"a": [1, {"b": 2}]}, {}, {}]
    condition = {"must": [{"has_id": [2]}]}
    update, names = {"c": {"d": [4]}}, ["a"]
    col.upsert(Batch(numbered, matrix, payloads))
    matrix[:], numbered[:] = 9, 7
    payloads[0]["a"][1]["b"] = 99
    col.set_payload(update, condition)
    update["c"]["d"].append(5)
    condition["must"][0]["has_id"][0] = 3
    vector = np.array([8, 8], np.float32)
    col.update_vectors([PointVectors(3, vector)])
    vector[:] = 0
    col.delete_payload(names, [3])
    names[0] = "c"
    assert contents(home.seen(col)) == {
        1: ({"a": [1, {"b": 2}]}, [1, 2]),
        2: ({"c": {"d": [4]}}, [3, 4]),
        3: ({}, [8, 8]),
    }


def test_arguments_are_left_as_they_were(col: Collection) -> None:
    matrix, payload = np.array([[3.0, 4.0]]), {"a": None, "b": (1, 2)}
    point = PointStruct(1, [3, 4], payload)
    query, condition = np.array([3.0, 4.0]), Filter(must=[])
    col.upsert(Batch([1], matrix, [payload]))
    col.upsert([point]).result()
    col.search(query, filter=condition)
    assert (matrix.tolist(), query.tolist()) == ([[3, 4]], [3, 4])
    assert (payload, condition) == ({"a": None, "b": (1, 2)}, Filter(must=[]))
    assert point == PointStruct(1, [3, 4], {"a": None, "b": (1, 2)})


READS: dict[str, Callable[[Collection], list[Any]]] = {
    "retrieve": lambda col: col.retrieve([1, 2], with_vectors=True),
    "get": lambda col: [col.get(1, with_vectors=True)],
    "scroll": lambda col: col.scroll(with_vectors=True)[0],
    "scroll in an order": lambda col: col.scroll(order_by="n", with_vectors=True)[0],
    "search": lambda col: col.search([1, 1], with_vectors=True),
    "search by id": lambda col: col.search(2, with_vectors=True),
    "search_batch": lambda col: col.search_batch([[1, 1]], with_vectors=True)[0],
}


@pytest.mark.parametrize("read", READS.values(), ids=list(READS))
def test_what_is_returned_is_a_copy(read: Callable[[Collection], list[Any]], home: Home) -> None:
    col = home.make()
    col.upsert([PointStruct(i, [i, 1], {"n": i, "l": [{}]}) for i in (1, 2)])
    col = home.seen(col)
    before = contents(col)
    for record in read(col):
        assert record.vector.flags.writeable
        assert record.vector.base is None
        record.vector[:] = 77
        record.payload["l"][0]["new"] = 1
        del record.payload["n"]
    assert contents(col) == before
    assert contents(home.seen(col)) == before


def test_one_kept_vector_does_not_keep_the_others(col: Collection) -> None:
    col.upsert(Batch(np.arange(100), np.ones((100, 2)))).result()
    vector = col.retrieve([5], with_vectors=True)[0].vector
    assert vector.nbytes == 8
    assert vector.base is None


def test_results_outlive_the_collection(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(1, {"image": [1, 2]}, {"a": [1]})])
    col = home.seen(col)
    (hit,), (record,) = col.search([1, 0], using="image", with_vectors=True), col.retrieve([1], with_vectors=True)
    col.close()
    for found in (hit, record):
        assert found.vector["image"].tolist() == [1, 2]
        assert found.payload == {"a": [1]}


def test_get_in_and_len(home: Home) -> None:
    col = home.make(COSINE)
    assert (len(col), bool(col), 1 in col, col.get(1)) == (0, True, False, None)
    col.upsert([PointStruct(1, [3, 4], {"a": 1}), PointStruct(UUID_TEXT, [1, 0])])
    col = home.seen(col)
    assert (len(col), bool(col), 1 in col, 2 in col, UUID_TEXT.upper() in col) == (2, True, True, False, True)
    assert col.get(1) == Record(1, {"a": 1})
    assert col.get(1, with_payload=False) == Record(1)
    assert col.get(UUID_TEXT.upper(), with_payload=["b"]) == Record(UUID_TEXT, {})
    assert col.get(1, with_vectors=True).vector.tolist() == np.array([0.6, 0.8], np.float32).tolist()
    assert col.get(2) is None


def test_records_and_hits_say_what_was_asked_for(col: Collection) -> None:
    fill(col, {1: {"a": 1}, 2: {}})
    assert col.retrieve([1, 2]) == [Record(1, {"a": 1}), Record(2, {})]
    assert col.retrieve([1], with_payload=False) == [Record(1, None, None, None)]
    assert col.search([1, 0], limit=1) == [ScoredPoint(1, 1.0, {"a": 1})]
    assert col.search([1, 0], limit=1, with_payload=False) == [ScoredPoint(1, 1.0)]
    records, _ = col.scroll(with_payload=False, with_vectors=[])
    assert records == [Record(1), Record(2)]


def test_points_that_come_and_go_and_come(home: Home) -> None:
    col = home.make()
    for turn in range(5):
        col.upsert(Batch(np.arange(50), np.full((50, 2), turn), [{"turn": turn}] * 50))
        col.delete(np.arange(turn, 50, 3))
        col.upsert([PointStruct(turn, [9, turn], {"again": turn})])
    col = home.seen(col)
    left = [i for i in range(50) if (i - 4) % 3 != 0 or i < 4]
    assert ids(col.scroll(limit=100)[0]) == sorted({*left, 4})
    assert contents(col)[4] == ({"again": 4}, [9, 4])
    assert contents(col)[0] == ({"turn": 4}, [4, 4])
    assert ids(col.search([1, 0], limit=1)) == [4]
    assert sorted(ids(col.search([1, 0], limit=100))) == sorted({*left, 4})


@pytest.mark.parametrize("queries", [[], (), np.empty((0, 2)), np.empty((0, 2), np.float32)])
def test_no_queries_find_nothing(queries: Any) -> None:
    with Collection(vectors=VectorParams(2, "Dot")) as col:
        assert col.search_batch(queries) == []
