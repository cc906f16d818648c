"""Opening: what may be at a path, and what must agree with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from collecting import COSINE, DOT, NAMED, contents, fill, ids

from vecstore import (
    Collection,
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
        (lambda path: Collection("", vectors=DOT), InvalidRequest, "expected a path, got str ''"),
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
