"""``snapshot``: a copy of one state, made while the collection is used, that is a collection of its own."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Any

import damaging
import pytest
from collecting import Home, contents, fill, held
from faults import Faults
from optimizing import in_thread

import vecstore
from vecstore import Collection, CollectionClosed, Corrupted, InvalidRequest, InvalidType, StoreFailed
from vecstore.engine import snapshot as snapshots
from vecstore.storage import files
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 30


@pytest.fixture(autouse=True)
def both_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    damaging.with_both_graphs(monkeypatch)


def made(home: Home) -> Collection:
    col = home.make(damaging.VECTORS)
    damaging.fill(col)
    if home.kind == "sealed":
        col.optimize()  # so many files would be merged at any moment
    return col


def of(path: Path) -> Any:
    """What is in a snapshot, in which nothing is wrong."""
    report = vecstore.verify(path)
    assert report.ok, str(report)
    with Collection(path) as col:
        return contents(col)


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_snapshot_is_a_collection_of_its_own(home: Home, tmp_path: Path) -> None:
    col = home.seen(made(home))
    expected, target = contents(col), tmp_path / "new" / "folders" / "copy"
    assert col.snapshot(target) is None
    assert left_in(target.parent) == {"copy"}
    assert left_in(target) == {"lock", "segments", "store"}
    assert of(target) == expected
    with Collection(target) as copy:
        query = [1.0] * 8
        assert copy.search(query, using="a", limit=400) == col.search(query, using="a", limit=400)
        assert copy.info().vectors == col.info().vectors
        assert copy.info().payload_schema == col.info().payload_schema
        copy.delete([50]).result()
        assert contents(col) == expected
        col.delete([51]).result()
        assert 51 in copy
        copy.optimize()
    col.optimize()
    assert contents(col).keys() == expected.keys() - {51}
    assert of(target).keys() == expected.keys() - {50}


@pytest.mark.parametrize("vectors", [{}, {"size": 3, "distance": "Cosine"}])
def test_a_snapshot_of_nothing(vectors: Any, home: Home, tmp_path: Path) -> None:
    home.seen(home.make(vectors)).snapshot(str(tmp_path / "copy"))
    assert of(tmp_path / "copy") == {}


def test_files_get_a_second_name_where_they_can(disk: Home, tmp_path: Path) -> None:
    made(disk).snapshot(tmp_path / "copy")
    theirs = {path.name: path.stat().st_ino for path in (disk.path / "segments").iterdir()}
    mine = {path.name: path.stat().st_ino for path in (tmp_path / "copy" / "segments").iterdir()}
    assert mine == theirs
    assert len(mine) == 5


def test_files_are_copied_where_they_cannot(disk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    synced: list[str] = []
    sync_file = files.sync_file
    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(files, "sync_file", lambda path: [synced.append(path.name), sync_file(path)])
    col = made(disk)
    synced.clear()
    col.snapshot(tmp_path / "copy")
    copies = {path.name: path for path in (tmp_path / "copy" / "segments").iterdir()}
    assert len(copies) == 5
    assert {*copies, "data.mdb"} <= set(synced)
    for path in (disk.path / "segments").iterdir():
        assert copies[path.name].stat().st_ino != path.stat().st_ino
    assert of(tmp_path / "copy") == contents(col)


# -- while it is used -----------------------------------------------------------------------------------------------


def test_every_snapshot_is_one_state(home: Home, tmp_path: Path) -> None:
    """Each upsert gives all points the same number; a snapshot in which two differ is of no state."""
    col, over = home.make(damaging.VECTORS), threading.Event()

    def write() -> int:
        number = 0
        while not over.is_set():
            number += 1
            points = [{"id": i, "vector": {"a": [number] * 8}, "payload": {"n": number}} for i in range(100)]
            col.upsert(points).result()
            if number % 3 == 0:
                col.optimize()
        return number

    writing = in_thread(write)
    for n in range(8):
        col.snapshot(tmp_path / f"copy{n}")
    over.set()
    last = writing.result(PATIENCE)
    seen = [of(tmp_path / f"copy{n}") for n in range(8)]
    numbers = [{payload["n"] for payload, _ in found.values()} for found in seen]
    assert all(len(found) <= 1 for found in numbers)
    assert max(max(found, default=0) for found in numbers) <= last
    for found in seen:
        assert len(found) in (0, 100)
        assert all(vectors == {"a": [payload["n"]] * 8} for payload, vectors in found.values())


def merging(col: Collection) -> None:
    """Another state, in other files."""
    col.upsert(damaging.points([*range(150)], shift=3)).result()
    col.optimize()


@pytest.mark.parametrize("times", [1, 2])
def test_files_that_are_merged_away_meanwhile(
    times: int, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``times`` 1: after the pinned state was copied; 2: a state that was copied, and not pinned, is gone at once."""
    col = made(home)
    copy, manifest_of, left = Environment.copy, snapshots._manifest_of, [1, 1]
    states = []

    def copying(environment: Environment, folder: Path) -> None:
        if times == 2 and left[0]:
            left[0] -= 1
            merging(col)
        states.append(contents(col))
        copy(environment, folder)

    def looking(folder: Path) -> Any:
        if left[1]:
            left[1] -= 1
            merging(col)
        return manifest_of(folder)

    monkeypatch.setattr(Environment, "copy", copying)
    monkeypatch.setattr(snapshots, "_manifest_of", looking)
    col.snapshot(tmp_path / "copy")
    assert len(states) == times
    assert of(tmp_path / "copy") == states[-1]


def test_what_is_acknowledged_and_not_applied_is_applied_in_the_copy(
    disk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    col = disk.make()
    fill(col, {1: {"a": 1}})
    with held(monkeypatch, commits=1):
        operation = col.set_payload({"a": 2}, [1])
        operation.acknowledged()
        assert contents(col)[1][0] == {"a": 1}
        col.snapshot(tmp_path / "copy")
    assert of(tmp_path / "copy")[1][0] == {"a": 2}


def test_from_a_callback_of_an_operation(disk: Home, tmp_path: Path) -> None:
    col, done = disk.make(), threading.Event()
    operation = col.upsert([{"id": 1, "vector": [1, 2]}])
    operation.add_done_callback(lambda _: [col.snapshot(tmp_path / "copy"), done.set()])
    assert done.wait(PATIENCE)
    assert of(tmp_path / "copy") == {1: ({}, [1, 2])}


def test_a_collection_whose_store_has_failed_can_still_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    col = Collection(tmp_path / "col", vectors=damaging.VECTORS)
    damaging.fill(col)
    expected, faults = contents(col), Faults(monkeypatch)
    faults.arm("inside", 0)
    with pytest.raises(StoreFailed):
        col.delete([50]).result()
    monkeypatch.undo()
    col.snapshot(tmp_path / "copy")
    col.close()
    assert of(tmp_path / "copy") == expected


# -- what is refused, and what fails --------------------------------------------------------------------------------


def test_nothing_may_be_there(disk: Home, tmp_path: Path) -> None:
    col = disk.make()
    fill(col, {1: {}})
    file, folder, other = tmp_path / "file", tmp_path / "folder", tmp_path / "other"
    file.write_text("mine")
    folder.mkdir()
    Collection(other, vectors={}).close()
    for target in (file, folder, other, disk.path):
        with pytest.raises(InvalidRequest, match="exists"):
            col.snapshot(target)
    for target in (disk.path / "copy", disk.path / "segments" / "a" / "b"):
        with pytest.raises(InvalidRequest, match="outside the collection"):
            col.snapshot(target)
    assert file.read_text() == "mine"
    assert left_in(folder) == set()
    assert left_in(tmp_path) == {"file", "folder", "other", disk.path.name}
    with pytest.raises(InvalidType, match="expected a path"):
        col.snapshot(1)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="expected a path"):
        col.snapshot("a\0b")
    col.close()
    with pytest.raises(CollectionClosed):
        col.snapshot(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("place", [(Environment, "copy"), (files, "sync_file"), (files, "sync_folder")])
def test_what_cannot_be_written_is_not_there(
    place: Any, disk: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    col = made(disk)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(*place, fail)
        with pytest.raises(StoreFailed, match="no space"):
            col.snapshot(tmp_path / "copy")
    assert left_in(tmp_path) == {disk.path.name}
    col.snapshot(tmp_path / "copy")
    assert of(tmp_path / "copy") == contents(col)


def test_a_file_that_is_gone_for_no_reason(disk: Home, tmp_path: Path) -> None:
    col = made(disk)
    file = damaging.segment_file(disk.path, 0, "slots")
    file.unlink()
    with pytest.raises(Corrupted, match=file.name):
        col.snapshot(tmp_path / "copy")
    assert left_in(tmp_path) == {disk.path.name}


def test_what_a_killed_snapshot_left_is_removed_by_the_next(disk: Home, tmp_path: Path) -> None:
    left = tmp_path / ".copy.0123456789abcdef.new"
    (left / "store").mkdir(parents=True)
    os.utime(left, (0, 0))
    disk.make().snapshot(tmp_path / "copy")
    assert left_in(tmp_path) == {disk.path.name, "copy"}


@pytest.mark.parametrize("name", [".copy.other.0123456789abcdef.new", ".copy.backup.new", ".copy.0123456789ABCDEF.new"])
def test_what_only_looks_like_it_is_left_alone(name: str, disk: Home, tmp_path: Path) -> None:
    left = tmp_path / name
    (left / "store").mkdir(parents=True)
    os.utime(left, (0, 0))
    disk.make().snapshot(tmp_path / "copy")
    assert left_in(tmp_path) == {disk.path.name, "copy", name}
