"""Points that are sent again: a vector that is the same, bit for bit, keeps its row, wherever that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pytest
from collecting import Home, contents
from damaging import change, log
from optimizing import optimized, rows

from vecstore import (
    Batch,
    Distance,
    HnswConfig,
    PointNotFound,
    PointStruct,
    PointVectors,
    StoreFailed,
    VectorParams,
)
from vecstore.engine import merging, optimizer, planner
from vecstore.engine.rows import FIRST, SAMPLE
from vecstore.requests import parse_upsert
from vecstore.storage import segments
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from vecstore import Collection

SIZE = 2 * FIRST
PARAMS = VectorParams(SIZE, Distance.EUCLID, HnswConfig(full_scan_threshold=1))
MANY = 100
IDS = list(range(MANY))


@pytest.fixture(autouse=True)
def only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead rows stay where they can be counted: nothing is merged but by ``optimize``."""

    def choose(*args: Any, eager: bool, **more: Any) -> Any:
        return merging.choose(*args, eager=True, **more) if eager else None

    monkeypatch.setattr(optimizer, "choose", choose)


@pytest.fixture
def matrix() -> Any:
    return np.random.default_rng(5).standard_normal((MANY, SIZE)).astype(np.float32)


def dead_rows(col: Collection, name: str = "") -> int:
    return rows(col, name)[2]


def loaded(home: Home, matrix: Any) -> Collection:
    col = home.make(PARAMS)
    col.upsert(Batch(IDS, matrix, [{"round": 1}] * MANY))
    return home.seen(col)


ALONE_TOO = pytest.mark.parametrize("many", [1, MANY])
"""One point is compared in another way than several."""


def send(col: Collection, matrix: Any, number: int, many: int) -> None:
    """Upsert all points, so many at a time."""
    for start in range(0, MANY, many):
        part = slice(start, start + many)
        col.upsert(Batch(IDS[part], matrix[part], [{"round": number}] * many)).result()


@ALONE_TOO
def test_the_same_points_again_take_no_row(home: Home, matrix: Any, many: int) -> None:
    col = loaded(home, matrix)
    before = rows(col), contents(col)
    send(col, matrix, 1, many)
    assert (rows(col), contents(col)) == before
    assert dead_rows(col) == 0


def test_their_payloads_are_replaced(home: Home, matrix: Any) -> None:
    col = loaded(home, matrix)
    vectors = {i: vector for i, (_, vector) in contents(col).items()}
    col.upsert(Batch(IDS, matrix)).result()
    col = home.seen(col)
    assert contents(col) == {i: ({}, vectors[i]) for i in IDS}
    assert dead_rows(col) == 0


@ALONE_TOO
@pytest.mark.parametrize("place", [0, FIRST - 1, FIRST, SIZE - 1])
def test_a_vector_that_differs_in_one_number_takes_a_new_row(home: Home, matrix: Any, place: int, many: int) -> None:
    col = loaded(home, matrix)
    changed = matrix.copy()
    changed[[3, 70], place] += 1
    send(col, changed, 2, many)
    col = home.seen(col)
    assert dead_rows(col) == 2
    assert np.array_equal([contents(col)[i][1] for i in IDS], changed)
    assert [hit.id for row in changed for hit in col.search(row, limit=1)] == IDS


def test_zeros_of_another_sign_are_another_vector(home: Home) -> None:
    col = home.make(VectorParams(2, Distance.DOT))
    col.upsert([PointStruct(1, [0.0, 1.0])])
    col = home.seen(col)
    col.upsert([PointStruct(1, [-0.0, 1.0])]).result()
    assert np.signbit(col.get(1, with_vectors=True).vector).tolist() == [True, False]
    assert dead_rows(col) == 1


def test_new_points_and_old_ones_together(home: Home, matrix: Any) -> None:
    col = loaded(home, matrix[: MANY // 2].repeat(2, axis=0))
    col.delete([4, 5]).result()
    col.upsert(Batch([*IDS, MANY], np.concatenate([matrix[: MANY // 2].repeat(2, axis=0), matrix[:1]]))).result()
    col = home.seen(col)
    assert (rows(col)[1], dead_rows(col)) == (MANY + 1, 2)
    assert sorted(hit.id for hit in col.search(matrix[0], limit=3)) == [0, 1, MANY]


def test_names_that_are_left_out_are_taken_and_others_stay(home: Home, matrix: Any) -> None:
    col = home.make({"a": PARAMS, "b": PARAMS})
    col.upsert([PointStruct(i, {"a": matrix[i], "b": matrix[i]}) for i in range(4)])
    col = home.seen(col)
    again = [{"a": matrix[0], "b": matrix[0]}, {"a": matrix[1]}, {"b": -matrix[2]}, {}]
    col.upsert([PointStruct(i, vector) for i, vector in enumerate(again)]).result()
    col = home.seen(col)
    assert [sorted(vector) for _, vector in contents(col).values()] == [["a", "b"], ["a"], ["b"], []]
    assert (rows(col, "a")[1], dead_rows(col, "a")) == (2, 2)
    assert (rows(col, "b")[1], dead_rows(col, "b")) == (2, 3)


def test_the_same_vectors_are_no_update(home: Home, matrix: Any) -> None:
    col = loaded(home, matrix)
    col.update_vectors([PointVectors(i, matrix[i] if i else -matrix[i]) for i in IDS]).result()
    col = home.seen(col)
    assert dead_rows(col) == 1
    assert col.search(-matrix[0], limit=1)[0].id == 0


def test_a_vector_that_came_back_within_a_batch(home: Home, matrix: Any) -> None:
    col = loaded(home, matrix)
    turns = [-matrix[1], matrix[1], matrix[1]]
    col.batch([{"upsert": {"points": [PointStruct(1, vector)]}} for vector in turns]).result()
    col = home.seen(col)
    assert dead_rows(col) == 2
    assert col.search(matrix[1], limit=1)[0].id == 1


def test_a_batch_that_is_refused_leaves_every_row_where_it_was(home: Home, matrix: Any) -> None:
    col = loaded(home, matrix)
    before = rows(col), contents(col)
    points = [PointStruct(1, matrix[1]), PointStruct(2, -matrix[2])]
    future = col.batch([{"upsert": {"points": points}}, {"delete_vectors": {"points": [10**6], "vector": [""]}}])
    with pytest.raises(PointNotFound):
        future.result()
    assert (rows(col), contents(col)) == before
    col.upsert(points).result()
    assert dead_rows(col) == 1


def test_rows_in_a_graph_stay_in_it(disk: Home, matrix: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "EF_STEP", 1e-15)
    col = optimized(loaded(disk, matrix))
    assert col.info().vectors[""].graph_rows == MANY
    col.upsert(Batch(IDS, matrix, [{"round": 2}] * MANY)).result()
    assert rows(col) == (1, MANY, 0, 0)
    assert [(hit.id, hit.payload) for row in matrix for hit in col.search(row, limit=1)] == [
        (i, {"round": 2}) for i in IDS
    ]


@ALONE_TOO
@pytest.mark.parametrize("error", [StoreFailed("cannot be mapped"), MemoryError("std::bad_alloc"), OSError("no disk")])
def test_rows_that_cannot_be_read_keep_nobody_from_writing(
    disk: Home, matrix: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, many: int
) -> None:
    optimized(loaded(disk, matrix)).close()
    col = disk.again()
    with monkeypatch.context() as patch:
        patch.setattr(segments, "map_index", refusing(error))
        send(col, matrix, 2, many)
    assert (rows(col)[1], dead_rows(col)) == (MANY, MANY)
    assert [hit.id for row in matrix for hit in col.search(row, limit=1, params={"exact": True})] == IDS


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows of segments were looked at, a number a look."""
    found: list[int] = []
    gather = Sealed.gather

    def counted(segment: Sealed, some: Any, size: int | None = None) -> Any:
        found.append(len(some))
        return gather(segment, some, size)

    monkeypatch.setattr(Sealed, "gather", counted)
    return found


def test_what_is_logged_is_applied_without_a_look_at_segments(disk: Home, matrix: Any, looks: list[int]) -> None:
    optimized(loaded(disk, matrix)).close()
    assert disk.path is not None
    upsert = parse_upsert(Batch(IDS, matrix), {"": PARAMS})
    change(disk.path, lambda store, txn: log(store, txn, upsert))
    looks.clear()
    col = disk.again()
    assert (looks, rows(col)[1], dead_rows(col)) == ([], MANY, MANY)
    col.upsert(Batch(IDS, matrix)).result()  # and from then on there is a look at each
    assert (rows(col)[1], dead_rows(col)) == (MANY, MANY)


def test_of_many_new_vectors_few_old_ones_are_looked_at(disk: Home, matrix: Any, looks: list[int]) -> None:
    col = optimized(loaded(disk, matrix))
    looks.clear()
    col.upsert(Batch(IDS, -matrix)).result()
    assert 0 < sum(looks) <= 2 * SAMPLE
    assert dead_rows(col) == MANY


def refusing(error: Exception) -> Callable[..., NoReturn]:
    def refuse(*_: object) -> NoReturn:
        raise error

    return refuse
