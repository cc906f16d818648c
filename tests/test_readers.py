"""``read_only=True``: what it refuses, what it shares in a process, and what it makes of what lies at its path."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import lives
import lmdb
import pytest
from collecting import DOT, Home, contents, failure, fill, ids

from vecstore import (
    Collection,
    CollectionClosed,
    ConfigMismatch,
    InvalidRequest,
    InvalidType,
    NotACollection,
    ReadOnly,
    VectorParams,
)
from vecstore.engine import builder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 30
POINT = {"id": 9, "vector": [1, 1]}
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where there is a collection with the points 1, 2 and 3."""
    with Collection(tmp_path / "col", vectors=DOT) as col:
        fill(col, {1: {"n": 1}, 2: {"n": 2}, 3: {"n": 3}})
    return tmp_path / "col"


@pytest.fixture
def reader(path: Path) -> Iterator[Collection]:
    with Collection(path, read_only=True) as col:
        yield col


def listing(folder: Path) -> list[str]:
    return sorted(str(found.relative_to(folder)) for found in folder.rglob("*"))


# -- arguments ----------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[Collection], Any]] = {
    "upsert": lambda col: col.upsert([POINT]),
    "update_vectors": lambda col: col.update_vectors([POINT]),
    "delete_vectors": lambda col: col.delete_vectors([""], [1]),
    "set_payload": lambda col: col.set_payload({"n": 0}, [1]),
    "overwrite_payload": lambda col: col.overwrite_payload({"n": 0}, [1]),
    "delete_payload": lambda col: col.delete_payload(["n"], [1]),
    "clear_payload": lambda col: col.clear_payload([1]),
    "delete": lambda col: col.delete([1]),
    "batch": lambda col: col.batch([{"delete": {"points": [1]}}]),
    "create_payload_index": lambda col: col.create_payload_index("n", "integer"),
    "delete_payload_index": lambda col: col.delete_payload_index("n"),
    "flush": lambda col: col.flush(),
    "optimize": lambda col: col.optimize(),
    "upload": lambda col: col.upload([POINT]),
    "verify": lambda col: col.verify(),
    "snapshot": lambda col: col.snapshot("nowhere"),
}


@pytest.mark.parametrize("hosted", [False, True])
def test_every_write_is_refused(path: Path, reader: Collection, hosted: bool) -> None:
    writer = Collection(path) if hosted else None
    before = contents(reader)
    for name, write in WRITES.items():
        with pytest.raises(ReadOnly, match="read_only=True") as raised:
            write(reader)
        assert str(path) in str(raised.value), name
    assert contents(reader) == before
    if writer is not None:
        assert writer.info().applied == 1
        writer.close()


def test_every_method_that_is_not_a_read_is_tried() -> None:
    reads = {"retrieve", "get", "scroll", "count", "explain", "search", "search_batch", "info", "close"}
    reads |= {"export", "load", "to_pandas"}
    assert {name for name in dir(Collection) if not name.startswith("_")} == reads | set(WRITES)


@pytest.mark.parametrize("hosted", [False, True])
def test_every_read_works(path: Path, reader: Collection, hosted: bool) -> None:
    writer = Collection(path) if hosted else None
    query = {"must": [{"key": "n", "range": {"gte": 2}}]}
    assert ids(reader.retrieve([3, 1, 7])) == [3, 1]
    assert reader.get(2, with_vectors=True) is not None
    assert (1 in reader, 7 in reader, len(reader), bool(reader)) == (True, False, 3, True)
    assert ids(reader.scroll(query)[0]) == [2, 3]
    assert ids(reader.scroll(order_by={"key": "n", "direction": "desc"})[0]) == [3, 2, 1]
    assert reader.count(query) == 2
    assert ids(reader.search([1, 0], filter=query)) == ids(reader.search(1, filter=query)) == [2, 3]
    assert list(map(ids, reader.search_batch([[1, 0], [0, 1]], limit=1))) == [[1], [1]]
    assert reader.explain([1, 0]).hits == 3
    info = reader.info()
    assert (info.path, info.points, info.durability, info.applied) == (str(path), 3, None, 1)
    assert repr(reader) == f"<Collection {str(path)!r}, read-only, 3 points, vector: 2 Dot>"
    if writer is not None:
        writer.close()


def test_nothing_is_made_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    before = listing(tmp_path)
    for name in ("missing", "missing/deeper", "empty", "file"):
        for vectors in (None, DOT):
            with pytest.raises(NotACollection, match="there is no collection"):
                Collection(tmp_path / name, vectors=vectors, read_only=True)
    assert listing(tmp_path) == before


def test_arguments_that_do_not_go_with_it(path: Path) -> None:
    for arguments in ({"durability": "os"}, {"durability": "fsync"}):
        with pytest.raises(InvalidRequest, match="expected no durability"):
            Collection(path, read_only=True, **arguments)
    with pytest.raises(InvalidRequest, match="expected a path"):
        Collection(vectors=DOT, read_only=True)
    with pytest.raises(InvalidType, match="expected read_only as a bool"):
        Collection(path, read_only=1)  # type: ignore[arg-type]
    with pytest.raises(ConfigMismatch):
        Collection(path, vectors=VectorParams(3, "Dot"), read_only=True)
    Collection(path, vectors=DOT, read_only=True).close()


def test_what_only_reads_changes_no_file(path: Path) -> None:
    def kept() -> dict[str, bytes]:
        return {str(f): f.read_bytes() for f in path.rglob("*") if f.is_file() and f.name != "lock.mdb"}

    before = kept()
    with Collection(path, read_only=True) as reader:
        assert len(reader.search([1, 0])) == 3
    assert kept() == before


# -- handles in one process ---------------------------------------------------------------------------------


def test_handles_share_a_reader(path: Path) -> None:
    one, other = Collection(path, read_only=True), Collection(path, read_only=True)
    assert one._engine is other._engine
    one.close()
    assert len(other) == 3
    with pytest.raises(CollectionClosed):
        len(one)
    with pytest.raises(CollectionClosed):
        one.delete([1])
    other.close()
    with Collection(path, read_only=True) as later:
        assert later._engine is not other._engine


def test_a_reader_goes_on_while_writers_come_and_go(path: Path, reader: Collection) -> None:
    for n in range(4, 8):
        with Collection(path) as writer:
            assert len(reader) == n - 1
            writer.upsert([{**POINT, "id": n}]).result(PATIENCE)
            assert ids(reader.search([1, 1], limit=1)) == [4 if n > 4 else n]
            assert len(reader) == n
            if n % 2:
                writer.optimize()
        assert len(reader) == len(reader.search([1, 1])) == n


def test_a_writer_goes_on_while_readers_come_and_go(path: Path) -> None:
    with Collection(path) as writer:
        for n in range(4, 7):
            with Collection(path, read_only=True) as reader:
                writer.upsert([{**POINT, "id": n}]).result(PATIENCE)
                assert len(reader) == n
        assert len(writer) == 6


def test_a_reader_keeps_nobody_from_writing(path: Path, reader: Collection) -> None:
    writer = Collection(path)
    assert len(reader) == 3
    writer.close()
    assert lives.run(lives.TRY, path) == "free"


def test_reads_in_threads_while_writers_come_and_go(path: Path, reader: Collection) -> None:
    failures: list[BaseException] = []
    over = threading.Event()

    def read() -> None:
        try:
            while not over.is_set():
                count = len(reader)
                assert 3 <= count <= len(reader.search([1, 1], limit=100)) <= len(reader)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(4, 20):
        with Collection(path) as writer:
            writer.upsert([{**POINT, "id": n}]).result(PATIENCE)
    over.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert failures == []
    assert len(reader) == 19


def test_a_writer_that_cannot_open_leaves_readers_as_they_were(path: Path, reader: Collection) -> None:
    with pytest.raises(ConfigMismatch):
        Collection(path, vectors=VectorParams(3, "Dot"))
    assert len(reader) == 3


def test_a_reader_in_a_callback_of_its_host(path: Path, reader: Collection) -> None:
    """Closing waits for the callback, which opens, reads and closes."""
    seen: list[Any] = []

    def look(_: object) -> None:
        seen.append(len(reader))
        seen.append(failure(lambda: Collection(path, read_only=True).close()))
        reader.close()

    writer = Collection(path)
    for n in range(4, 40):
        future = writer.upsert([{**POINT, "id": n}])
    future.add_done_callback(look)
    writer.close()
    assert seen[0] == 39


def test_filters_of_a_reader_ask_for_no_index(path: Path, reader: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "AUTOMATIC_FROM", 1)
    writer = Collection(path)
    assert reader.count({"must": [{"key": "n", "match": {"value": 1}}]}) == 1
    writer.upsert([POINT]).result(PATIENCE)
    assert writer.info().payload_schema == {}
    writer.close()


# -- what lies at the path ----------------------------------------------------------------------------------


def test_a_collection_that_is_made_anew(path: Path, reader: Collection) -> None:
    shutil.rmtree(path)
    with pytest.raises(NotACollection, match="there is no collection"):
        len(reader)
    with Collection(path, vectors=DOT) as writer:
        assert len(reader) == 0
        fill(writer, {7: {}})
        assert ids(reader.scroll()[0]) == [7]
    assert ids(reader.scroll()[0]) == [7]


@pytest.mark.parametrize("hosted", [False, True])
def test_another_collection_in_its_place(path: Path, reader: Collection, hosted: bool) -> None:
    shutil.rmtree(path)
    other = Collection(path, vectors=VectorParams(3, "Dot"))
    if not hosted:
        other.close()
    with pytest.raises(CollectionClosed, match="another collection has taken the place"):
        len(reader)
    with Collection(path, read_only=True) as again:
        assert len(again) == 0
        assert again.info().vectors[""].size == 3
    other.close()


def test_a_data_file_that_is_replaced(path: Path, reader: Collection) -> None:
    """By a compacted copy: transactions are numbered anew in it, so nothing that was kept of the old one is used."""
    condition = {"must": [{"key": "n", "range": {"gte": 10}}]}
    with Collection(path) as writer:
        fill(writer, {n: {"n": n} for n in range(4, 20)})
    (path.parent / "copy").mkdir()
    with _copied_store(path) as env:
        env.copy(str(path.parent / "copy"), compact=True)
    with Collection(path) as writer:
        writer.delete(list(range(4, 20))).result(PATIENCE)
        writer.create_payload_index("n", "integer").result(PATIENCE)
    assert (len(reader), len(reader.search([1, 0])), reader.count(condition)) == (3, 3, 0)
    (path.parent / "copy" / "data.mdb").replace(path / "store" / "data.mdb")
    for _ in range(2):
        assert (len(reader), len(reader.search([1, 0], limit=99)), reader.count(condition)) == (19, 19, 10)
    with Collection(path) as writer:
        writer.delete([19]).result(PATIENCE)
        assert (len(reader), reader.count(condition)) == (18, 9)
    assert (len(reader), reader.count(condition)) == (18, 9)


def _copied_store(path: Path) -> lmdb.Environment[bytes]:
    """The store of a collection, copied, because a process opens one only once."""
    shutil.copytree(path / "store", path.parent / "store")
    return lmdb.open(str(path.parent / "store"), lib_version=0, max_dbs=16)


# -- other processes ----------------------------------------------------------------------------------------


def _count(col: Collection) -> tuple[int, list[int]]:
    return len(col), ids(col.search([1, 1], limit=2))


_given: list[Collection] = []


def _take(col: Collection) -> None:
    _given.append(col)


def _found(point_id: int) -> Any:
    return point_id in _given[0], repr(failure(lambda: _given[0].delete([1])))[:8]


def test_a_collection_is_passed_to_workers(path: Path) -> None:
    with (
        Collection(path) as writer,
        ProcessPoolExecutor(2, get_context("spawn"), initializer=_take, initargs=(writer,)) as pool,
    ):
        assert pool.submit(_count, writer).result(PATIENCE) == (3, [1, 2])
        writer.upsert([POINT]).result(PATIENCE)
        assert list(pool.map(_found, [9, 3, 7])) == [(True, "ReadOnly"), (True, "ReadOnly"), (False, "ReadOnly")]
        assert pool.submit(_count, Collection(path, read_only=True)).result(PATIENCE) == (4, [9, 1])


def test_what_is_unpickled_reads(path: Path, reader: Collection, col: Collection) -> None:
    with Collection(path) as writer:
        for given in (writer, reader):
            for again in (pickle.loads(pickle.dumps(given)), copy.copy(given)):
                assert contents(again) == contents(writer)
                assert isinstance(failure(lambda again=again: again.delete([1])), ReadOnly)
                again.close()
    for closed in (writer, col):
        with pytest.raises(CollectionClosed if closed is writer else InvalidType):
            pickle.dumps(closed)


def test_a_relative_path_is_pickled_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    with Collection(path.name, read_only=True) as reader:
        packed = pickle.dumps(reader)
    monkeypatch.chdir("/")
    with pickle.loads(packed) as again:
        assert len(again) == 3


@FORKS
def test_a_forked_child_opens_its_own(path: Path) -> None:
    program = """
    signal.alarm(30)
    path = sys.argv[1]
    col = Collection(path, read_only=True); assert len(col) == 3
    if (child := os.fork()) == 0:
        import pickle
        for use in (lambda: len(col), lambda: col.get(1), lambda: col.search([1, 1]), col.info, col.flush,
                    lambda: col.delete([1]), lambda: pickle.dumps(col)):
            try: use(); print("no error")
            except CollectionClosed as error: assert "open it again here" in str(error)
        col.close()
        with Collection(path, read_only=True) as mine: print(len(mine), flush=True)
        with Collection(path) as mine: upsert(mine, 8).result(); print(len(mine), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(len(col), len(col.search([1, 1])))
    """
    assert lives.run(program, path).split() == ["3", "4", "4", "4"]


def test_readers_at_the_end_of_the_interpreter(disk: Home) -> None:
    fill(disk.make(), {1: {}})
    disk.close()
    assert disk.path is not None
    program = """
    col = Collection(sys.argv[1], read_only=True)
    def read():
        while True: len(col)
    for _ in range(3): threading.Thread(target=read, daemon=True).start()
    print(len(col))
    """
    assert lives.run(program, disk.path) == "1"
