"""Collections whose folder is moved, deleted or replaced while they are open: they leave what is there then alone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from vecstore import Batch, Collection, StoreFailed, VectorParams, verify
from vecstore.storage import compaction

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore import UpdateFuture

PATIENCE = 30
DOT = VectorParams(2, "Dot")
READS = [
    lambda col: col.get(5, with_vectors=True),
    lambda col: col.search([1, 1], limit=1),
    lambda col: col.scroll(with_vectors=True),
]


def upsert(col: Collection, point_id: int) -> UpdateFuture[Any]:
    return col.upsert([{"id": point_id, "vector": [point_id, 1], "payload": {"n": point_id}}])


def made(path: Path, value: float) -> Path:
    """A collection whose vectors are in files, all of this value."""
    with Collection(path, vectors=DOT) as col:
        col.upsert(Batch(np.arange(100), np.full((100, 2), value, dtype=np.float32))).result(PATIENCE)
        col.optimize()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "col"


def test_a_collection_that_was_moved_spares_the_one_in_its_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "FREE_BYTES", 0)
    monkeypatch.setattr(compaction, "FREE_SHARE", -1)
    moved, sealing = path.with_name("moved"), path.with_name("sealing")
    for there, work in ((moved, Collection.close), (sealing, Collection.optimize)):
        old = Collection(path, vectors=DOT)
        upsert(old, 1).result(PATIENCE)
        path.rename(there)
        with Collection(path, vectors=DOT) as new:
            upsert(new, 2).result(PATIENCE)
            new.optimize()
            if work is Collection.optimize:
                with pytest.raises(StoreFailed, match=r"not at .* any more"):
                    old.optimize()
            old.close()
        for where, ids in ((path, [2]), (there, [1])):
            assert verify(where).ok
            with Collection(where) as col:
                assert [record.id for record in col.scroll()[0]] == ids
        shutil.rmtree(path)


@pytest.mark.parametrize("read", READS)
def test_what_was_moved_is_not_read_from_what_took_its_place(path: Path, read: Any) -> None:
    """Files are mapped when they are first wanted, by their names."""
    with Collection(made(path, 1)) as old:
        path.rename(path.with_name("moved"))
        made(path, 2)
        with pytest.raises(StoreFailed, match=r"not at .* any more"):
            read(old)
        with pytest.raises(StoreFailed, match=r"not at .* any more"):
            old.snapshot(path.with_name("snapshot"))
        with pytest.raises(StoreFailed, match=r"not at .* any more"):
            old.verify()
        assert not path.with_name("snapshot").exists()
    assert verify(path).ok


@pytest.mark.parametrize("read", READS)
def test_what_was_deleted_is_not_read(path: Path, read: Any) -> None:
    with Collection(made(path, 1)) as old:
        shutil.rmtree(path)
        with pytest.raises(StoreFailed, match=r"not at .* any more"):
            read(old)
        with pytest.raises(StoreFailed, match=r"not at .* any more"):
            old.snapshot(path.with_name("snapshot"))


@pytest.mark.parametrize("away", [shutil.rmtree, lambda path: path.rename(path.with_name("moved"))])
def test_nothing_is_acknowledged_where_nobody_would_find_it(path: Path, away: Any) -> None:
    with Collection(made(path, 1)) as old:
        away(path)
        future = upsert(old, 7)
        with pytest.raises(StoreFailed, match=r"not at .* any more"):
            future.acknowledged(PATIENCE)
        with pytest.raises(StoreFailed, match="open it again"):
            upsert(old, 8)


def test_a_reader_of_what_is_gone_can_be_printed(path: Path) -> None:
    with Collection(made(path, 1), read_only=True) as reader:
        shutil.rmtree(path)
        assert (
            repr(reader)
            == f"<Collection {str(path)!r}, read-only, which cannot be read: there is no collection at {path}>"
        )


def test_what_was_mapped_before_is_still_read(path: Path) -> None:
    with Collection(made(path, 1)) as old:
        assert old.search([1, 1], limit=1)[0].score == 2
        path.rename(path.with_name("moved"))
        made(path, 2)
        assert old.search([1, 1], limit=1)[0].score == 2
        assert np.array_equal(old.get(5, with_vectors=True).vector, [1, 1])  # type: ignore[union-attr]
