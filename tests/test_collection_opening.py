"""Opening, sharing and closing: what may be at a path, what must agree, and what a closed handle says."""

from __future__ import annotations

import gc
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from collecting import COSINE, DOT, NAMED, contents, fill, ids

from vecstore import (
    Collection,
    CollectionClosed,
    CollectionLocked,
    ConfigMismatch,
    Distance,
    InvalidRequest,
    InvalidType,
    NotACollection,
    PointStruct,
    VectorParams,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home


def test_a_path_alone_opens_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a" / "new" / "folder"
    with Collection(path, vectors=NAMED) as col:
        col.upsert([PointStruct(1, {"image": [1, 2]}, {"a": 1})])
    for form in (path, str(path), os.fspath(path), path / ".." / "folder"):
        with Collection(form) as col:
            assert contents(col) == {1: ({"a": 1}, {"image": [1, 2]})}


def test_a_relative_path_and_a_link_are_the_same_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    with Collection("real", vectors=DOT) as col, Collection(tmp_path / "link") as other:
        col.upsert([PointStruct(1, [1, 2])]).result()
        assert ids(other.scroll()[0]) == [1]


@pytest.mark.parametrize(
    "vectors",
    [
        DOT,
        {"": DOT},
        {"size": 2, "distance": "Dot"},
        {"": {"size": 2, "distance": Distance.DOT}},
    ],
)
def test_vectors_may_be_said_again(vectors: Any, disk: Home) -> None:
    col = disk.make()
    with Collection(disk.path, vectors=vectors) as other:
        assert repr(other) == repr(col)
    col.close()
    with Collection(disk.path, vectors=vectors) as again:
        assert len(again) == 0


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (VectorParams(3, "Dot"), "{'': 3 Dot}"),
        (COSINE, "{'': 2 Cosine}"),
        (NAMED, "{'image': 2 Dot, 'text': 3 Dot}"),
        ({"other": DOT}, "{'other': 2 Dot}"),
        ({}, "{}"),
    ],
)
def test_other_vectors_are_an_error(vectors: Any, said: str, is_open: bool, disk: Home) -> None:
    col = disk.make()
    fill(col, {1: {}})
    if not is_open:
        col.close()
    with pytest.raises(ConfigMismatch) as raised:
        Collection(disk.path, vectors=vectors)
    assert str(raised.value) == f"{disk.path} has the vectors {{'': 2 Dot}}, and was opened with {said}"
    with Collection(disk.path) as again:
        assert len(again) == 1


def test_names_in_another_order_are_the_same_vectors(disk: Home) -> None:
    col = disk.make(NAMED)
    col.upsert([PointStruct(1, {"image": [1, 2], "text": [1, 2, 3]})]).result()
    before = contents(col)
    col.close()
    with Collection(disk.path, vectors=dict(reversed(NAMED.items()))) as again:
        assert contents(again) == before


def test_durability(disk: Home, tmp_path: Path) -> None:
    col = disk.make()
    assert col.info().durability == "fsync"
    Collection(disk.path, durability="fsync").close()
    with pytest.raises(ConfigMismatch, match="is open in this process with durability 'fsync', got 'os'"):
        Collection(disk.path, durability="os")
    col.close()
    with Collection(disk.path, durability="os") as again:
        assert again.info().durability == "os"
        fill(again, {1: {}})
        again.flush()
    with Collection(disk.path) as again:
        assert (again.info().durability, len(again)) == ("fsync", 1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda path: Collection(), InvalidRequest, "expected vectors= for a collection in memory"),
        (lambda path: Collection(durability="os"), InvalidRequest, "expected vectors="),
        (lambda path: Collection(vectors=DOT, durability="fsync"), InvalidRequest, "in memory has durability 'os'"),
        (lambda path: Collection(path, vectors=DOT, durability="no"), InvalidRequest, "'fsync' or 'os', got str 'no'"),
        (lambda path: Collection(path, vectors=DOT, durability=True), InvalidRequest, "'fsync' or 'os', got bool"),
        (lambda path: Collection(path, vectors=5), InvalidType, "expected .*size and a distance, got int 5"),
        (lambda path: Collection(path, vectors=VectorParams(0, "Dot")), InvalidRequest, "size of 1 to 65536, got 0"),
        (lambda path: Collection(path, vectors=VectorParams(1, "dot")), InvalidRequest, "expected a distance .*'dot'"),
        (lambda path: Collection(path, vectors={"size": 4}), InvalidRequest, "as a size and a distance, got"),
        (lambda path: Collection(path, vectors={"": DOT, "a": DOT}), InvalidRequest, "got both"),
        (lambda path: Collection(5, vectors=DOT), InvalidType, "expected a path, got int 5"),
        (lambda path: Collection("", vectors=DOT), InvalidRequest, "expected a path, got ''"),
        (lambda path: Collection("a\0b", vectors=DOT), InvalidRequest, "expected a path, got"),
    ],
)
def test_wrong_arguments(make: Callable[[Any], Any], error: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        make(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_nothing_there_and_no_vectors(tmp_path: Path) -> None:
    path = tmp_path / "missing"
    with pytest.raises(
        NotACollection, match=r"there is no collection at .*missing; give vectors= to create one"
    ) as raised:
        Collection(path)
    assert raised.value.path == path
    assert not path.exists()


def test_a_file_is_no_collection(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"precious")
    for vectors in (None, DOT):
        with pytest.raises(NotACollection, match="file is a file, not a vecstore collection") as raised:
            Collection(path, vectors=vectors)
        assert raised.value.path == path
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "store"])
def test_a_folder_with_other_things_is_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("precious")
    for vectors in (None, DOT):
        with pytest.raises(NotACollection, match="holds something else than a vecstore collection") as raised:
            Collection(tmp_path, vectors=vectors)
        assert raised.value.path == tmp_path
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_an_empty_folder_becomes_a_collection_if_there_are_vectors(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.mkdir()
    with pytest.raises(NotACollection, match="give vectors= to create one"):
        Collection(path)
    with Collection(path, vectors=DOT) as col:
        fill(col, {1: {}})
    with Collection(path) as col:
        assert len(col) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["empty"]


def test_a_collection_that_another_process_has_open_is_locked(disk: Home) -> None:
    fcntl = pytest.importorskip("fcntl")
    disk.make().close()
    assert isinstance(disk.path, Path)
    with (disk.path / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a lock belongs to the opened file: this is as good as another process
        lock.write("4242 ")
        lock.truncate()
        lock.flush()
        with pytest.raises(CollectionLocked, match=r"home\.vecstore is open for writing in process 4242") as raised:
            Collection(disk.path)
        assert raised.value.pid == 4242
    with Collection(disk.path) as col:
        assert len(col) == 0
        assert (disk.path / "lock").read_text() == str(os.getpid())


# Handles


def test_two_handles_on_one_path_are_one_collection(disk: Home) -> None:
    col = disk.make()
    other = disk.again()
    fill(col, {1: {"a": 1}})
    assert contents(other) == contents(col)
    other.upsert([PointStruct(2, [3, 4])]).result()
    assert ids(col.search([1, 1])) == [2, 1]
    col.close()
    col.close()
    other.set_payload({"b": 2}, [1]).result()
    with pytest.raises(CollectionClosed):
        len(col)
    other.close()
    assert contents(disk.again()) == {1: ({"a": 1, "b": 2}, [1, 0]), 2: ({}, [3, 4])}


def test_collections_in_memory_share_nothing() -> None:
    with Collection(vectors=DOT) as one, Collection(vectors=DOT) as other:
        fill(one, {1: {}})
        assert (len(one), len(other)) == (1, 0)
        assert one.info().path is None


def test_a_handle_that_is_dropped_lets_go_and_loses_nothing(disk: Home) -> None:
    col = Collection(disk.path, vectors=DOT)
    future = col.upsert([PointStruct(1, [1, 2], {"a": 1})])
    del col
    gc.collect()
    future.result()
    assert contents(disk.again()) == {1: ({"a": 1}, [1, 2])}


def test_closing_completes_what_is_queued(disk: Home) -> None:
    col = disk.make()
    futures = [col.upsert([PointStruct(i, [i, 0])]) for i in range(100)]
    col.close()
    assert all(future.done() for future in futures)
    assert len(disk.again()) == 100


def test_a_context_manager_closes_also_after_an_error(disk: Home) -> None:
    with suppress(ZeroDivisionError), Collection(disk.path, vectors=DOT) as col:
        col.upsert([PointStruct(1, [1, 2])])
        col.search([1 / 0, 2])
    with pytest.raises(CollectionClosed, match="the collection is closed"):
        col.get(1)
    with Collection(disk.path) as again:
        assert len(again) == 1


CALLS: dict[str, Callable[[Collection], Any]] = {
    "upsert": lambda col: col.upsert([PointStruct(1, [1, 2])]),
    "update_vectors": lambda col: col.update_vectors([{"id": 1, "vector": [1, 2]}]),
    "delete_vectors": lambda col: col.delete_vectors([""], [1]),
    "set_payload": lambda col: col.set_payload({"a": 1}, [1]),
    "overwrite_payload": lambda col: col.overwrite_payload({"a": 1}, [1]),
    "delete_payload": lambda col: col.delete_payload(["a"], [1]),
    "clear_payload": lambda col: col.clear_payload([1]),
    "delete": lambda col: col.delete([1]),
    "batch": lambda col: col.batch([{"delete": {"points": [1]}}]),
    "retrieve": lambda col: col.retrieve([1]),
    "get": lambda col: col.get(1),
    "in": lambda col: 1 in col,
    "len": len,
    "scroll": lambda col: col.scroll(),
    "scroll in an order": lambda col: col.scroll(order_by="a"),
    "count": lambda col: col.count(),
    "search": lambda col: col.search([1, 2]),
    "search by id": lambda col: col.search(1),
    "search_batch": lambda col: col.search_batch([[1, 2]]),
    "flush": lambda col: col.flush(),
    "info": lambda col: col.info(),
}


@pytest.mark.parametrize("path", [None, "col"])
def test_a_closed_collection_says_so_whatever_is_called(path: str | None, tmp_path: Path) -> None:
    col = Collection(None if path is None else tmp_path / path, vectors=DOT)
    fill(col, {1: {}})
    for call in CALLS.values():  # every one of them works while it is open
        fill(col, {1: {}})
        call(col)
    col.close()
    for call in CALLS.values():
        with pytest.raises(CollectionClosed, match="the collection is closed"):
            call(col)
    col.close()
    assert bool(col)


@pytest.mark.parametrize(
    ("vectors", "said"),
    [(DOT, "vector: 2 Dot"), (NAMED, "image: 2 Dot, text: 3 Dot"), ({}, "no vectors")],
)
def test_the_repr_says_where_how_much_and_what(vectors: Any, said: str, home: Home) -> None:
    col = home.make(vectors)
    place = "in memory" if home.path is None else repr(str(home.path))
    assert repr(col) == f"<Collection {place}, 0 points, {said}>"
    col.upsert([PointStruct(1, {}), PointStruct(2, {})])
    col = home.seen(col)
    assert repr(col) == f"<Collection {place}, 2 points, {said}>"
    col.close()
    assert repr(col) == f"<Collection {place}, closed>"


def test_info(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(i, {"image": [1, 2]}) for i in range(5)])
    col.upsert([PointStruct(9, {"text": [1, 2, 3]})])
    col.delete([0]).result()
    col = home.seen(col)
    info = col.info()
    assert info.path == (None if home.path is None else str(home.path))
    assert (info.points, info.applied, list(info.vectors)) == (5, 3, ["image", "text"])
    image, text = info.vectors["image"], info.vectors["text"]
    assert (image.size, image.distance, image.live_rows, text.live_rows) == (2, "Dot", 4, 1)
    assert image.live_rows + image.dead_rows == 5
    assert (image.segments > 0, image.open_rows == 0) == ((True, True) if home.kind == "sealed" else (False, False))
    assert (info.segment_bytes > 0) == (home.kind == "sealed")
    assert info.store_bytes > 0
