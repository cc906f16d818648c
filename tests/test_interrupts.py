"""Interrupts: a KeyboardInterrupt at any step of a call leaves a collection that works and closes.

Python raises it where a function of Python's begins or a function in C returns, and so does ``Interrupts``: at the
nth of these steps that vecstore does. What Python's own locks and futures do inside is Python's.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from optimizing import in_thread
from profiles import times

from vecstore import Collection, PointNotFound, VectorParams, verify
from vecstore.engine import sealer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

# Python cannot let an interrupt out of a generator that it is closing.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PATIENCE = 30
DOT = VectorParams(2, "Dot")
POINTS = 20
FILTER = {"must": [{"key": "n", "range": {"gte": 5}}]}
STEPS_AT_A_TIME = 40


class Interrupts:
    """Raises KeyboardInterrupt at the nth step of vecstore inside a call, and counts them."""

    def __init__(self) -> None:
        self.steps = 0
        self._due = 0
        self._profiler = self._step  # kept: Python 3.11 may call a profiler that it has just let go

    def happens(self, call: Callable[[], Any], step: int) -> KeyboardInterrupt | None:
        """Do ``call``; the interrupt, if it came so far. Its traceback keeps everything alive that was under way."""
        self.steps, self._due = 0, step
        sys.setprofile(self._profiler)
        try:
            call()
        except KeyboardInterrupt as error:
            return error
        finally:
            sys.setprofile(None)
        return None

    def _step(self, frame: FrameType, event: str, _: Any) -> None:
        if event not in ("call", "c_return") or not _is_ours(frame):
            return
        self.steps += 1
        if self.steps == self._due:
            raise KeyboardInterrupt

    def all_steps(self, call: Callable[[], Any], most: int = STEPS_AT_A_TIME) -> range:
        """Steps spread over the call: about ``most`` of them, all where there is time."""
        call()  # what is done once is done
        assert self.happens(call, 0) is None
        return range(1, self.steps + 1, max(1, self.steps // times(most)))


def _is_ours(frame: FrameType) -> bool:
    # IMPORTANT: not in comprehensions. What a profiler raises there confuses Python 3.11.
    # Out of a finaliser Python lets none.
    if frame.f_code.co_name.startswith("<") or frame.f_code.co_name == "__del__":
        return False
    name = frame.f_code.co_filename
    return "/vecstore/" in name or name.endswith("/contextlib.py")


def points(first: int) -> list[dict[str, Any]]:
    return [{"id": n, "vector": [n, 1], "payload": {"n": n}} for n in range(first, first + POINTS)]


def check(col: Collection) -> None:
    """Reads see everything, and the writer can still do, refuse and wait."""
    col.upsert(points(0)).result(PATIENCE)
    spoil = {"upsert": {"points": [{"id": 1, "vector": [-1, -1]}]}}
    missing = {"set_payload": {"payload": {"n": -1}, "points": [10**9]}}
    with pytest.raises(PointNotFound):
        col.batch([spoil, missing]).result(PATIENCE)
    col.flush()
    assert [hit.id for hit in col.search([1, 0], filter={"must": [{"has_id": list(range(POINTS))}]}, limit=3)] == [
        POINTS - 1,
        POINTS - 2,
        POINTS - 3,
    ]


CALLS: dict[str, Callable[[Collection], Any]] = {
    "search": lambda col: col.search([1, 0], filter=FILTER, with_vectors=True),
    "scroll": lambda col: col.scroll(FILTER, limit=5),
    "retrieve": lambda col: col.retrieve([1, 2, 3], with_vectors=True),
    "count": lambda col: col.count(FILTER),
    "upsert": lambda col: col.upsert(points(5)).result(PATIENCE),
    "acknowledged": lambda col: col.set_payload({"n": 1}, [1]).acknowledged(PATIENCE),
    "flush": lambda col: col.flush(),
    "optimize": lambda col: col.optimize(),
    "upload": lambda col: col.upload(points(0), batch_size=5),
    "info": lambda col: col.info(),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupted_call_leaves_a_collection_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(sealer, "SEAL_BYTES", 500)
    col, interrupts, kept = Collection(tmp_path / "col", vectors=DOT, durability="os"), Interrupts(), []
    col.upsert(points(0)).result(PATIENCE)
    for step in interrupts.all_steps(lambda: CALLS[call](col)):
        kept.append(interrupts.happens(lambda: CALLS[call](col), step))
        CALLS[call](col)
    assert sum(one is not None for one in kept) > len(kept) // 2
    in_thread(lambda: check(col)).result(PATIENCE)
    close(col)
    assert verify(tmp_path / "col").ok


def close(col: Collection) -> None:
    in_thread(col.close).result(PATIENCE)


def test_reading_alone_can_be_interrupted(tmp_path: Path) -> None:
    with Collection(tmp_path / "col", vectors=DOT, durability="os") as col:
        col.upsert(points(0)).result(PATIENCE)
    reader, interrupts, kept = Collection(tmp_path / "col", read_only=True), Interrupts(), []

    def read() -> None:
        assert reader.count(FILTER) == len(reader) - 5

    for step in interrupts.all_steps(read):
        kept.append(interrupts.happens(read, step))
        read()
    close(reader)
    Collection(tmp_path / "col").close()


@pytest.mark.parametrize("read_only", [False, True])
def test_an_interrupted_closing_can_be_gone_on_with(tmp_path: Path, read_only: bool) -> None:
    interrupts, kept, path = Interrupts(), [], tmp_path / "col"
    Collection(path, vectors=DOT, durability="os").close()

    def opened() -> Collection:
        col = Collection(path, read_only=read_only)
        len(col)
        if not read_only:
            col.upsert(points(0))
        return col

    close(opened())
    for step in interrupts.all_steps(lambda: opened().close(), most=10):
        col = opened()
        kept.append(interrupts.happens(col.close, step))
        if step % 2:
            close(col)
        other = in_thread(opened).result(PATIENCE)
        assert len(other) == (0 if read_only else POINTS)
        close(other)
        close(col)
    Collection(path).close()


@pytest.mark.parametrize("read_only", [False, True])
def test_an_interrupted_opening_can_be_tried_again(tmp_path: Path, read_only: bool) -> None:
    interrupts, kept, path = Interrupts(), [], tmp_path / "col"
    with Collection(path, vectors=DOT, durability="os") as col:
        col.upsert(points(0))
    opened: list[Collection] = []

    def open_it() -> None:
        opened.append(Collection(path, read_only=read_only))

    for step in [*interrupts.all_steps(open_it)]:
        while opened:
            close(opened.pop())
        kept.append(interrupts.happens(open_it, step))
        with in_thread(lambda: Collection(path, read_only=read_only)).result(PATIENCE) as again:
            assert len(again) == POINTS
