"""The optimizer where something is in its way: files that cannot be removed, old Versions, and numbers."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from collecting import Home
from optimizing import FLAT, GRAPH, PATIENCE, Points, eventually, files, in_thread, is_sealed, optimized, rows

from vecstore import StoreFailed
from vecstore.engine import optimizer, sealer
from vecstore.storage import library, segments

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    found = Home("disk", tmp_path)
    yield found
    found.close()


def test_a_failed_build_that_cannot_be_cleaned_up_is_told(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(5, "the disk has an error")

    col, points, write = place.make(GRAPH), Points(), segments.write
    points.upsert(col, range(100))
    with monkeypatch.context() as patch:
        patch.setattr(segments, "remove", fail)
        patch.setattr(segments, "write", lambda *a, **o: fail() if o.get("index") is not None else write(*a, **o))
        with pytest.raises(StoreFailed, match="the disk has an error"):
            in_thread(col.optimize).result(PATIENCE)
    points.check(optimized(col))


class NoThread:
    def __init__(self, **_: Any) -> None:
        pass

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_where_no_thread_can_be_started_the_caller_is_told(
    place: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    col, points = place.make(GRAPH), Points()
    points.upsert(col, range(100))
    with monkeypatch.context() as patch:
        patch.setattr(optimizer, "threading", SimpleNamespace(Thread=NoThread))
        with pytest.raises(StoreFailed, match="can't start new thread"):
            in_thread(col.optimize).result(PATIENCE)
    assert "can't start new thread" in caplog.text
    points.check(optimized(col))


def test_what_was_merged_is_among_what_a_call_finishes(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number is higher than that of the segment that is open, and here stays empty."""
    col, points = place.make(FLAT), Points()
    with monkeypatch.context() as patch:
        patch.setattr(sealer, "SEAL_BYTES", 1)
        for start in (0, 20, 40):
            points.upsert(col, range(start, start + 20))
        eventually(lambda: is_sealed(col))
    points.delete(col, range(10))
    eventually(lambda: rows(col) == (3, 50, 0, 0))
    assert rows(optimized(col)) == (1, 50, 0, 0)
    points.check(col)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the maps of the process")
def test_segments_that_were_merged_are_let_go(place: Home) -> None:
    col, points = place.make(GRAPH), Points()
    for start in range(0, 200, 50):
        points.upsert(col, range(start, start + 50))
        optimized(col)
    points.check(col)
    gc.collect()
    maps = Path("/proc/self/maps").read_text().splitlines()
    assert [line for line in maps if str(place.path) in line and "(deleted)" in line] == []


def test_a_dead_segment_that_cannot_be_mapped_goes_at_the_next_opening(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    col, points = place.make(GRAPH), Points()
    points.upsert(col, range(100))
    optimized(col).close()
    col = place.again()
    (damaged,) = (name for name in files(place) if name.endswith(".faiss"))
    with monkeypatch.context() as patch:
        patch.setattr(library, "library", lambda: SimpleNamespace(read_index=no_memory, IO_FLAG_MMAP_IFC=0))
        points.delete(col, range(100))
        eventually(lambda: rows(col) == (0, 0, 0, 0))
    points.upsert(col, range(50))
    points.check(col)
    assert damaged in files(place)
    col.close()
    points.check(place.again())
    assert damaged not in files(place)


def no_memory(*_: Any) -> NoReturn:
    raise MemoryError("std::bad_alloc")
