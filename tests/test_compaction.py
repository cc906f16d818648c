"""Closing gives free pages back, whatever happens on the way."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from collecting import contents

from vecstore import Collection, VectorParams
from vecstore.storage import compaction
from vecstore.storage.data_file import DATA_FILE
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from pathlib import Path

    from collecting import Home

RANDOM = random.Random(1)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "FREE_BYTES", 1 << 18)


def fill(col: Collection, *, left: int = 20) -> None:
    """Points with payloads of a kilobyte, of which few are left; an index with duplicates; a log and a journal."""
    col.create_payload_index("n", "integer").result()
    col.create_payload_index("text", "keyword").result()
    payloads = [{"n": n % 7, "text": RANDOM.randbytes(500).hex()} for n in range(2000)]
    col.upsert([{"id": n, "vector": [n, 1], "payload": payloads[n]} for n in range(2000)]).result()
    col.delete({"filter": {"must_not": [{"has_id": list(range(left))}]}}).result()


def data(home: Home) -> Path:
    assert home.path is not None
    return home.path / "store" / DATA_FILE


def state(col: Collection) -> Any:
    where = {"must": [{"key": "n", "range": {"gte": 3}}]}
    hits = [hit.id for hit in col.search([1, 0], filter=where)]
    return contents(col), col.count(where), hits, col.info().payload_schema


def test_closing_compacts_what_is_mostly_free(disk: Home) -> None:
    col = disk.make(VectorParams(2, "Dot"))
    fill(col)
    before, size, info = state(col), data(disk).stat().st_size, col.info()
    assert info.store_bytes == size
    assert 0.5 * size < info.store_free_bytes < size
    operation = col.set_payload({"n": 1}, [1]).operation_id
    col.clear_payload([1]).result()
    before = state(col)
    col.close()
    assert data(disk).stat().st_size < 0.2 * size
    assert sorted(path.name for path in data(disk).parent.iterdir()) == ["data.mdb", "lock.mdb"]
    again = disk.again()
    assert state(again) == before
    assert again.info().store_free_bytes < again.info().store_bytes < 0.2 * size
    assert again.set_payload({"n": 1}, [1]).operation_id == operation + 2


@pytest.mark.parametrize(("bound", "value"), [("FREE_BYTES", 1 << 30), ("FREE_SHARE", 0.999)])
def test_a_store_with_little_to_gain_is_left_as_it_is(
    disk: Home, monkeypatch: pytest.MonkeyPatch, bound: str, value: float
) -> None:
    col = disk.make(VectorParams(2, "Dot"))
    fill(col)
    monkeypatch.setattr(compaction, bound, value)
    number = data(disk).stat().st_ino
    col.close()
    assert data(disk).stat().st_ino == number


def test_a_private_collection_is_not_compacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Environment, "copy_compacted", None)
    with Collection(vectors=VectorParams(2, "Dot")) as col:
        fill(col)


@pytest.mark.parametrize("step", ["copy", "rename", "sync of the folder"])
@pytest.mark.parametrize("after", [False, True])
def test_killed_on_the_way(disk: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, after: bool) -> None:
    """What is there before or after a step opens, and is the same; the unfinished copy goes."""
    col, copy = disk.make(VectorParams(2, "Dot")), tmp_path / "copy"
    fill(col)
    before = state(col)
    owner: Any = {"copy": Environment, "rename": type(data(disk)), "sync of the folder": compaction.files}[step]
    name = {"copy": "copy_compacted", "rename": "replace", "sync of the folder": "sync_folder"}[step]
    real = getattr(owner, name)

    def die(*args: Any) -> Any:
        done = real(*args) if after else None
        assert disk.path is not None
        if not copy.exists():
            shutil.copytree(disk.path, copy)
        return done if after else real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        col.close()
    assert copy.exists()
    with Collection(copy) as again:
        assert state(again) == before
        assert not (copy / "store" / compaction.COPY).exists()


def test_what_cannot_be_copied_stays(
    disk: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    col = disk.make(VectorParams(2, "Dot"))
    fill(col)
    before = state(col)

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "copy_compacted", full)
        col.close()
    assert "was not compacted: no space left" in caplog.text
    assert state(disk.again()) == before
