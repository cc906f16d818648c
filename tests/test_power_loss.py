"""Power loss: what is named was synced before, what is promised is on the disk, and what is on the disk opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import damaging
import pytest
from collecting import contents
from optimizing import eventually
from powercuts import Disk

import vecstore
from vecstore import Collection
from vecstore.engine import sealer, writer
from vecstore.storage import files

if TYPE_CHECKING:
    from pathlib import Path

    Json = dict[str, Any]


@pytest.fixture(params=[-1, writer.AT_ONCE_BYTES], ids=["in steps", "at once"])
def disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(writer, "AT_ONCE_BYTES", request.param)
    damaging.with_both_graphs(monkeypatch)
    monkeypatch.setattr(sealer, "SEAL_BYTES", 3000)
    return Disk(monkeypatch, tmp_path / "col.vecstore")


def work(col: Collection, first: int) -> list[Json]:
    """Writes of all kinds, sealing and merging; returns the states a reader may find, the last one last."""
    states = [contents(col)]

    def wait(*operations: Any) -> None:
        for operation in operations:
            operation.result()
            states.append(contents(col))

    for n in range(first, first + 6):
        wait(col.upsert(damaging.points([*range(20 * n, 20 * n + 40)], shift=n)))
        wait(col.delete([20 * n, 20 * n + 1]), col.delete_vectors(["b"], [20 * n + 2]))
        wait(col.set_payload({"x": n}, [20 * n + 3]))
    col.create_payload_index("n", "integer").result()
    col.optimize()
    wait(col.upsert(damaging.points([*range(200)])))
    return states


def test_what_a_manifest_names_was_synced_before(disk: Disk) -> None:
    for life in range(2):
        with Collection(disk.path, vectors=damaging.VECTORS) as col:
            work(col, 3 * life)
            col.optimize()
    assert disk.broken == []
    assert disk.commits > 50
    assert {name.split(".")[-1] for name in disk.named} == {"faiss", "slots", "graph"}
    assert len(disk.named) > 20


def test_what_is_left_at_any_commit_opens_and_is_a_state(disk: Disk, tmp_path: Path) -> None:
    cuts: list[Path] = []

    def cut() -> None:
        if disk.commits % 4 == 0:
            cuts.append(disk.cut(tmp_path / f"cut{len(cuts)}"))

    disk.after_commit = cut
    with Collection(disk.path, vectors=damaging.VECTORS) as col:
        states = work(col, 0)
    disk.after_commit = lambda: None
    cuts.append(disk.cut(tmp_path / "last"))
    assert disk.broken == []
    assert len(cuts) > 5
    at = 0
    for left in cuts:
        report = vecstore.verify(left)
        assert report.ok, str(report)
        with Collection(left) as col:
            found = contents(col)
        at = states.index(found, at)  # never one from before
    assert at == len(states) - 1


def test_the_names_of_a_new_collection_are_synced(disk: Disk) -> None:
    with Collection(disk.path, vectors=damaging.VECTORS):
        for path in ("store", "segments", "store/data.mdb"):
            assert disk.is_named(disk.path / path), path


def test_a_snapshot_is_synced_before_it_has_its_name(disk: Disk, tmp_path: Path) -> None:
    with Collection(disk.path, vectors=damaging.VECTORS) as col:
        states = work(col, 0)
        disk.path = tmp_path / "copy"
        col.snapshot(disk.path)
        assert disk.is_named(disk.path / "store" / "data.mdb")
        left = disk.cut(tmp_path / "left")
        stored = disk._contents[(disk.path / "store" / "data.mdb").stat().st_ino]
        assert stored == (left / "store" / "data.mdb").read_bytes()
    assert vecstore.verify(left).ok
    with Collection(left) as col:
        assert contents(col) == states[-1]


@pytest.mark.parametrize("forgotten", ["sync_file", "sync_folder"])
def test_a_sync_that_is_forgotten_is_noticed(forgotten: str, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """That these tests can fail."""
    with Collection(disk.path, vectors=damaging.VECTORS) as col:
        if forgotten == "sync_folder":
            monkeypatch.setattr(files, "sync_folder", lambda path: None)
        else:
            real = files.sync_file
            monkeypatch.setattr(files, "sync_file", lambda path: real(path) if path.is_dir() else None)
        col.upsert(damaging.points([*range(100)])).result()
        eventually(lambda: disk.broken != [] or col.delete([10**6]).result() is None)
    assert any("not synced" in what for what in disk.broken)
