"""Readers in processes beside the writer: what they hold, whom they keep from what, and what they need to read."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import lives
import pytest
from collecting import fill
from following import GRAPH, asked, points
from optimizing import eventually, optimized

from vecstore import Collection, CollectionLocked
from vecstore.engine import dead_readers
from vecstore.storage import compaction, environment
from vecstore.storage.lock import alone_with

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30
UNIX = pytest.mark.skipif(sys.platform == "win32", reason="locks are not shared there")
HOLD = """
import signal
from vecstore.engine.view import View
def hold():
    inside = col._view(); inside.__enter__(); held.append(inside); return len(held)
held = []
"""
"""In a reader: ``hold()`` begins a read that does not end."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "col"


@pytest.fixture
def writer(path: Path) -> Iterator[Collection]:
    with Collection(path, vectors=GRAPH, durability="os") as col:
        yield col


# -- deaths -------------------------------------------------------------------------------------------------


def test_what_a_killed_reader_was_reading_does_not_make_the_store_grow(path: Path, writer: Collection) -> None:
    writer.upsert(points(range(300))).result(PATIENCE)

    def grown(turns: int) -> int:
        before = (path / "store" / "data.mdb").stat().st_size
        for n in range(turns):
            writer.set_payload({"turn": n}, list(range(300))).result(PATIENCE)
        return (path / "store" / "data.mdb").stat().st_size - before

    turns = 3 * dead_readers.EVERY
    grown(turns)
    with asked(path, HOLD) as reader:
        assert grown(turns) < 1 << 20  # one that only sits there holds nothing
        assert reader("hold()") == 1
        pinned = grown(turns)
        assert pinned > 1 << 20
        reader.kill()
    grown(dead_readers.EVERY)
    assert grown(turns) == 0


def test_killed_readers_take_no_room_from_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither from a reader nor from the writer, whoever needs some first."""
    monkeypatch.setattr(environment, "MAX_READERS", 8)
    monkeypatch.setattr(dead_readers, "EVERY", 1 << 30)
    with Collection(path, vectors=GRAPH) as writer:
        writer.upsert(points(range(3))).result(PATIENCE)
        with asked(path, HOLD) as reader:

            def reads_twice() -> int:
                with writer._view(), writer._view():
                    return len(writer)

            for who in (lambda: reader("hold() + hold()"), reads_twice):
                with asked(path, HOLD) as greedy:
                    assert "MDB_READERS_FULL" in greedy("[hold() for _ in range(8)]")[1]
                    greedy.kill()
                assert who() == 3
            reader.kill()


# -- the store ----------------------------------------------------------------------------------------------


def test_a_reader_with_a_small_map_follows_one_that_grows(path: Path, writer: Collection) -> None:
    before = """
from vecstore.storage import environment, store
store.ON_DISK_MAP, environment.SMALLEST_MAP = 1 << 17, 1 << 16
"""
    fill(writer, {1: {}}, [1, 1, 1, 1])
    with asked(path, before) as reader:
        for n in range(2, 6):
            fill(writer, {n: {"text": "x" * 2_000_000}}, [1, 1, 1, 1])
            assert reader(f"[len(col), len(col.get({n}).payload['text'])]") == [n, 2_000_000]


@UNIX
def test_the_writer_knows_whether_it_is_alone(path: Path) -> None:
    with Collection(path, vectors=GRAPH) as col:
        fill(col, {1: {}}, [1, 1, 1, 1])
    store = path / "store"

    def is_alone() -> bool:
        with alone_with(store) as alone:
            return alone

    assert is_alone()
    with asked(path) as reader, asked(path) as other:
        assert not is_alone()
        other.kill()
        assert not is_alone()
        reader.tell("col.close()")
        reader.answer()
        eventually(is_alone)
    with alone_with(store) as alone, alone_with(store) as second:
        assert (alone, second) == (True, False)
    assert is_alone()


@UNIX
def test_a_reader_waits_while_the_data_file_is_replaced(path: Path) -> None:
    with Collection(path, vectors=GRAPH) as col:
        fill(col, {1: {}}, [1, 1, 1, 1])
    data = path / "store" / "data.mdb"
    with ExitStack() as stack:
        with alone_with(path / "store") as alone:
            assert alone
            waiting = stack.enter_context(asked(path, "print('\"up\"', flush=True)\n", opened=False))
            assert waiting.answer() == "up"
            other = Path(shutil.copy(data, path / "store" / "other"))
            before = data.stat().st_ino
            other.replace(data)
        assert waiting.answer() == "open"
        seen, inode = waiting("[len(col), col._engine.source.identity[1]]")
        assert (seen, inode) == (1, data.stat().st_ino)
        assert inode != before


def test_the_store_is_compacted_when_nobody_else_reads_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "FREE_BYTES", 1)
    monkeypatch.setattr(compaction, "FREE_SHARE", 0.0)
    data = path / "store" / "data.mdb"
    with Collection(path, vectors=GRAPH) as col:
        fill(col, {n: {"text": "x" * 1000} for n in range(200)}, [1, 1, 1, 1])
        col.delete(list(range(199))).result(PATIENCE)
        with asked(path) as other, Collection(path, read_only=True) as mine:
            before = data.stat().st_ino
            col.close()
            assert data.stat().st_ino == before
            assert (other("len(col)"), len(mine)) == (1, 1)
            other("col.close()")
            with Collection(path):
                assert len(mine) == 1
            assert data.stat().st_ino != before
            assert len(mine) == len(mine.search([1, 1, 1, 1])) == 1


# -- folders that cannot be written -------------------------------------------------------------------------

NOBODY = """
import faiss, json, mmap
if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""


@pytest.fixture
def unwritable() -> Iterator[Path]:
    """A collection which those who are not root may only read."""
    folder = Path(tempfile.mkdtemp(prefix="vecstore-test-"))
    with Collection(folder / "col", vectors=GRAPH) as col:
        col.upsert(points(range(80))).result(PATIENCE)
        optimized(col)
    for found in (folder, *folder.rglob("*")):
        found.chmod(0o555 if found.is_dir() else 0o444)
    yield folder / "col"
    for found in (folder, *folder.rglob("*")):
        found.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


@UNIX
def test_a_collection_that_may_only_be_read(unwritable: Path) -> None:
    with asked(unwritable, NOBODY) as reader, asked(unwritable, NOBODY) as other:
        for one in (reader, other):
            assert one("[len(col), len(col.search([1, 1, 1, 1], limit=100, params={'exact': True}))]") == [80, 80]
        assert reader("bool(Collection(sys.argv[1]))")[0] in ("StoreFailed", "CollectionLocked")
        assert reader("verify(sys.argv[1]).ok") is True
        if os.getuid() == 0:
            with pytest.raises(CollectionLocked, match="is being read by a process that may not write") as locked:
                Collection(unwritable)
            assert locked.value.pid is None
            for one in (reader, other):
                one("col.close()")
            Collection(unwritable).close()


@UNIX
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="nobody else may write there")
def test_who_may_not_note_what_is_read_is_told_of_the_writer(unwritable: Path) -> None:
    program = NOBODY + "try: Collection(sys.argv[1], read_only=True)\nexcept CollectionLocked as e: print(e.pid, e)"
    with Collection(unwritable):
        said = lives.run(program, unwritable)
    assert said == f"{os.getpid()} {unwritable} is open for writing in process {os.getpid()}"
