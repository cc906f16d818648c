"""Upload: any source of points, in batches, with a count that says how far it came."""

from __future__ import annotations

import tracemalloc
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import DOT, NAMED, contents, failure, ids

from vecstore import (
    Batch,
    Collection,
    CollectionClosed,
    Distance,
    InvalidRequest,
    InvalidType,
    MissingExtra,
    PointStruct,
    StoreFailed,
    UploadStopped,
    VectorParams,
)
from vecstore.bulk import batches, upload
from vecstore.engine import queue
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MATRIX = np.arange(20, dtype=np.float32).reshape(10, 2)


def points(number: int, first: int = 0) -> list[PointStruct]:
    return [PointStruct(i, [i, 1], {"n": i}) for i in range(first, first + number)]


def expected(number: int) -> dict[Any, Any]:
    return {i: ({"n": i}, [float(i), 1.0]) for i in range(number)}


@pytest.mark.parametrize("size", [None, 1, 3, 10, 1000])
def test_every_kind_of_source_of_points(col: Collection, size: int | None) -> None:
    for source in (points(10), tuple(points(10)), iter(points(10)), (vars(point) for point in points(10))):
        assert col.upload(source, batch_size=size) == 10
        assert contents(col) == expected(10)
        col.delete(range(10)).result()


def sources() -> dict[str, Any]:
    payloads = [{"n": i} for i in range(10)]
    return {
        "a batch": Batch(np.arange(10), MATRIX, payloads),
        "a dict": {"ids": list(range(10)), "vectors": MATRIX.tolist(), "payloads": payloads},
        "iterators": Batch(count(), MATRIX, iter(payloads)),  # type: ignore[arg-type]
        "batches": iter([Batch(range(4), MATRIX[:4], payloads[:4]), Batch(range(4, 10), MATRIX[4:], payloads[4:])]),
        "a mixture": [
            *[PointStruct(i, MATRIX[i], payloads[i]) for i in range(3)],
            Batch(range(3, 9), MATRIX[3:9], payloads[3:9]),
            PointStruct(9, MATRIX[9], payloads[9]),
        ],
        "series": {"ids": Series(range(10)), "vectors": Series(list(MATRIX)), "payloads": Series(payloads)},
    }


class Series:
    """As of pandas: slices of it go by label, which may be anything."""

    iloc = None
    dtype = object
    shape = (10,)

    def __init__(self, values: Any) -> None:
        self.values = list(values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        found = np.empty(len(self.values), dtype=object)
        found[:] = self.values
        return found


@pytest.mark.parametrize("size", [None, 1, 4])
@pytest.mark.parametrize("name", list(sources()))
def test_columns(col: Collection, name: str, size: int | None) -> None:
    assert col.upload(sources()[name], batch_size=size) == 10
    assert contents(col) == {i: ({"n": i}, MATRIX[i].tolist()) for i in range(10)}
    assert col.upload(sources()[name], batch_size=size, skip=7) == 10


@pytest.mark.parametrize("skip", [0, 3, 4, 9, 10, 12])
@pytest.mark.parametrize("name", [*sources(), "points"])
def test_what_is_skipped_is_not_written(col: Collection, name: str, skip: int) -> None:
    source = points(10) if name == "points" else sources()[name]
    assert col.upload(source, batch_size=4, skip=skip) == max(skip, 10 if skip <= 10 else skip)
    assert ids(col.scroll(limit=100)[0]) == list(range(skip, 10))


def test_named_vectors_some_of_them_missing() -> None:
    with Collection(vectors=NAMED) as col:
        rows = [[1.0, 2.0, 3.0], None, [4.0, 5.0, 6.0]]
        assert col.upload(Batch([1, 2, 3], {"image": MATRIX[:3], "text": rows}), batch_size=2) == 3
        found = contents(col)
        assert [sorted(vector) for _, vector in found.values()] == [["image", "text"], ["image"], ["image", "text"]]
        assert found[3][1]["text"] == [4.0, 5.0, 6.0]


def test_mapped_arrays_are_read_as_they_are_taken(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", MATRIX)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with Collection(vectors=DOT) as col:
        assert col.upload(Batch(range(len(mapped)), mapped), batch_size=3) == 10
        assert contents(col)[9] == ({}, [18.0, 19.0])


def test_nothing_is_fine(col: Collection) -> None:
    assert col.upload([]) == 0
    assert col.upload(iter(())) == 0
    assert col.upload(Batch([], np.empty((0, 2)))) == 0
    assert len(col) == 0


def test_a_batch_is_smaller_for_large_vectors() -> None:
    assert batches.fitting(4 * 384) == 1000
    assert batches.fitting(4 * 65_536) == 16
    assert batches.fitting(10**9) == 1
    assert batches.fitting(0) == 1000


# What is wrong is named, and what came before it stays


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize("bad", [0, 5, 9])
def test_a_row_that_does_not_fit(col: Collection, bad: int, size: int) -> None:
    source = points(10)
    source[bad].vector = [1, 2, 3]
    with pytest.raises(
        UploadStopped, match=rf"stopped at row {bad}: point {bad}: .*expected 2 numbers, got 3"
    ) as caught:
        col.upload(iter(source), batch_size=size)
    assert caught.value.count == bad
    assert isinstance(caught.value.__cause__, InvalidRequest)
    assert contents(col) == expected(bad)
    source[bad] = points(1, bad)[0]
    assert col.upload(iter(source), batch_size=size, skip=caught.value.count) == 10
    assert contents(col) == expected(10)


@pytest.mark.parametrize("size", [3, 1000])
def test_a_row_among_columns_that_does_not_fit(col: Collection, size: int) -> None:
    payloads: list[Any] = [{"n": i} for i in range(10)]
    payloads[6] = {"n": float("nan")}
    with pytest.raises(UploadStopped, match=r"stopped at row 6: .*n") as caught:
        col.upload(Batch(range(10), MATRIX, payloads), batch_size=size)
    assert caught.value.count == len(col) == 6
    bad = MATRIX.copy()
    bad[7, 1] = np.inf
    with pytest.raises(UploadStopped, match=r"stopped at row 7: point 7: .*finite") as caught:
        col.upload(Batch(range(10), bad), batch_size=size)
    assert caught.value.count == len(col) == 7


def test_a_source_that_fails_on_the_way(col: Collection) -> None:
    def source() -> Iterator[PointStruct]:
        yield from points(5)
        raise RuntimeError("the network is gone")

    with pytest.raises(UploadStopped, match="stopped at row 5: the network is gone") as caught:
        col.upload(source(), batch_size=2)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert caught.value.count == 5
    assert contents(col) == expected(5)


def test_an_iterator_that_ends_too_soon(col: Collection) -> None:
    with pytest.raises(UploadStopped, match="stopped at row 8: expected 2 more payloads, got 0"):
        col.upload(Batch(range(10), MATRIX, iter([{}] * 8)), batch_size=2)  # type: ignore[arg-type]
    assert len(col) == 8


def test_a_batch_too_large_for_one_operation_is_sent_in_parts(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_OPERATION_BYTES", 2000)
    source = [PointStruct(i, [i, 1], {"text": "x" * 300}) for i in range(20)]
    assert col.upload(source) == 20
    assert len(col) == 20
    source[13].payload = {"text": "x" * 3000}
    with pytest.raises(UploadStopped, match="stopped at row 13") as caught:
        col.upload(source)
    assert caught.value.count == 13


def test_a_store_that_fails(col: Collection, monkeypatch: pytest.MonkeyPatch, errors_logged: list[str]) -> None:
    write, left = Environment.write, [3]

    def failing(environment: Environment, work: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise StoreFailed("no space")
        return write(environment, work)

    monkeypatch.setattr(Environment, "write", failing)
    with pytest.raises(UploadStopped) as caught:
        col.upload((point for point in points(1000)), batch_size=10)
    assert isinstance(caught.value.__cause__, StoreFailed)
    assert caught.value.count == len(col) < 1000
    assert caught.value.count % 10 == 0
    assert [message.rpartition(": ")[2] for message in errors_logged] == ["no space"]
    errors_logged.clear()


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (7, InvalidType, "expected points, as an iterable of points or a Batch, got int 7"),
        ("points", InvalidType, "expected points"),
        ({"points": []}, InvalidType, "expected points"),
        ({"ids": [1]}, InvalidRequest, "got no vectors"),
        ({"ids": [1], "vectors": [[1, 2]], "payload": []}, InvalidRequest, "has no 'payload'"),
        ({"ids": [1, 2], "vectors": MATRIX}, InvalidRequest, "got 2 ids, 10 vectors"),
        ({"ids": [1], "vectors": {"": MATRIX[:1]}, "payloads": [{}, {}]}, InvalidRequest, "2 payloads"),
        ({"ids": iter([1]), "vectors": iter(MATRIX)}, InvalidRequest, "known length"),
        ({"ids": 3, "vectors": MATRIX}, InvalidType, "expected ids as a list, an array or an iterator, got int 3"),
        ({"ids": "abc", "vectors": MATRIX}, InvalidType, "expected ids as"),
        ({"ids": np.array(1), "vectors": MATRIX}, InvalidType, r"expected ids as .*, got ndarray array\(1\)"),
        ({"ids": [1], "vectors": {"": np.float32(1)}}, InvalidType, "expected vectors as .*, got float32"),
    ],
)
def test_what_is_no_source_is_refused_at_once(
    col: Collection, source: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        col.upload(source)
    assert len(col) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "expected batch_size of at least 1, got 0"),
        ({"batch_size": "many"}, "expected batch_size as an integer"),
        ({"skip": -1}, "expected skip of at least 0, got -1"),
        ({"progress": 1}, "expected progress as a bool, got int 1"),
    ],
)
def test_wrong_options(col: Collection, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        col.upload(points(1), **options)


def test_a_closed_collection(col: Collection) -> None:
    col.close()
    assert isinstance(failure(lambda: col.upload([])), CollectionClosed)


# How it goes about it


def test_no_more_than_a_few_batches_are_under_way(col: Collection) -> None:
    taken, most = 0, 0

    def source() -> Iterator[PointStruct]:
        nonlocal taken, most
        for point in points(400):
            most = max(most, taken - len(col))
            taken += 1
            yield point

    assert col.upload(source(), batch_size=10) == 400
    assert most <= 10 * (upload.UNDER_WAY + 1)


def test_memory_does_not_grow_with_the_number_of_points() -> None:
    def peak(number: int) -> int:
        with Collection(vectors=VectorParams(256, Distance.DOT)) as col:
            rows = (PointStruct(i, np.full(256, i, dtype=np.float32), {"text": "x" * 500}) for i in range(number))
            tracemalloc.start()
            col.upload(rows, batch_size=50)
            found = tracemalloc.get_traced_memory()[1] - 1024 * number  # the open rows, which are in memory
            tracemalloc.stop()
            return found

    peak(100)
    assert peak(4000) < peak(1000) + (1 << 20)


def test_a_bar_counts_the_points(col: Collection, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    col.upload(points(10), batch_size=3, progress=True)
    assert "upload: 100%" in (shown := capsys.readouterr().err)
    assert "10.0/10.0" in shown
    col.upload(islice(points(10), 5), batch_size=3, skip=2, progress=True)
    assert "5.00 points" in capsys.readouterr().err


def test_a_bar_needs_its_extra(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    with pytest.raises(MissingExtra, match=r"pip install 'vecstore\[progress\]'") as caught:
        col.upload(points(1), progress=True)
    assert isinstance(caught.value, ImportError)
    assert caught.value.extra == "progress"
    assert len(col) == 0
    assert col.upload(points(1)) == 1
