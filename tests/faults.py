"""What goes wrong at the transactions of a store, on purpose; and limits so small that a few points meet them all.

The process stops between two transactions in one of two ways. The store fails: a transaction raises before it
begins, in the middle, or after it has committed, and the writer writes no more. Or the process is killed: what is
on disk then is copied away, and whatever the collection does later never happened.
"""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vecstore import StoreFailed
from vecstore.engine import writer
from vecstore.storage import segments
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    Work = Callable[[Any], Any]

LIMITS = {
    "vecstore.engine.builder.AUTOMATIC_FROM": 0,
    "vecstore.engine.builder.FIRST_CHUNK": 2,
    "vecstore.engine.builder.IDLE_SECONDS": 0,
    "vecstore.engine.builder.LARGEST_CHUNK": 3,
    "vecstore.engine.builder.SMALLEST_CHUNK": 1,
    "vecstore.engine.filtering.CHUNK": 2,
    "vecstore.engine.grower.CALM": 1 << 40,
    "vecstore.engine.grower.FEWEST": 2,
    "vecstore.engine.grower.LOOK_SECONDS": 0,
    "vecstore.engine.grower.PAUSE": 0,
    "vecstore.engine.grower.STEP_ROWS": 1,
    "vecstore.engine.merger.CHUNK_ROWS": 2,
    "vecstore.engine.merging.MOST_FLAT": 2,
    "vecstore.engine.optimizer.REST": 0,
    "vecstore.engine.planner.EF_STEP": 1e-15,
    "vecstore.engine.planner.LOOK_ROWS": 2,
    "vecstore.engine.reads.CHUNK": 2,
    "vecstore.engine.recovery.GROUP_BYTES": 300,
    "vecstore.engine.search.MARGIN": 0,
    "vecstore.engine.sealer.SEAL_BYTES": 1000,
    "vecstore.engine.writer.GROUP_BYTES": 600,
    "vecstore.engine.writer.RESERVE": 128,
    "vecstore.storage.pieces.PIECE_SIZE": 64,
    "vecstore.storage.points.WALK": 3,
    "vecstore.storage.store.ON_DISK_MAP": 1 << 17,
    "vecstore.storage.tail.BLOCK_BYTES": 64,
}

FAILURES = ("before", "inside", "after")
DEATHS = ("killed before", "killed after")
HARMLESS = ("again", "watched")
"""A transaction is done once more, as where LMDB's map was full; or it is looked at before and after its commit."""


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Put ``LIMITS`` into force."""
    for name, value in LIMITS.items():
        patch.setattr(name, value)


class Faults:
    """Takes the place of ``Environment.write``. One fault at a time is armed, and happens once.

    ``at_once``: operations of so many bytes are logged and applied by one transaction; -1: none are.
    """

    def __init__(self, patch: pytest.MonkeyPatch, at_once: int = -1) -> None:
        self._write = Environment.write
        self._lock = threading.Lock()
        self._how: str | None = None
        self._countdown = 0
        self._then: Callable[[], None] = lambda: None
        self._gate = threading.Event()
        self._gate.set()
        self.happened: str | None = None
        self.slow_seals = False
        self._seal = segments.seal
        patch.setattr(Environment, "write", lambda env, work: self._faulty(env, work))
        patch.setattr(writer, "AT_ONCE_BYTES", at_once)
        patch.setattr(segments, "seal", self._slowly)

    def arm(self, how: str, after: int, then: Callable[[], None] = lambda: None) -> None:
        """Let ``how`` happen after this many more transactions; ``then`` is what dying or watching does."""
        with self._lock:
            self._how, self._countdown, self._then, self.happened = how, after, then, None

    @contextmanager
    def held(self) -> Iterator[None]:
        """No transaction begins while the body runs, so that what it writes is in the queue together."""
        self._gate.clear()
        try:
            yield
        finally:
            self._gate.set()

    def disarm(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._how = None

    def _slowly(self, *args: Any, **options: Any) -> Any:
        if self.slow_seals:  # so that there is writing meanwhile
            time.sleep(0.005)
        return self._seal(*args, **options)

    def _due(self) -> str | None:
        with self._lock:
            if self._how is None:
                return None
            self._countdown -= 1
            if self._countdown >= 0:
                return None
            self.happened, self._how = self._how, None
            return self.happened

    def _faulty(self, env: Environment, work: Work) -> Any:
        self._gate.wait()
        how = self._due()
        if how == "before":
            raise StoreFailed("on purpose")
        if how == "killed before":
            self._then()
        if how in ("inside", "again"):
            self._fail_inside(env, work, again=how == "again")
        result = self._write(env, self._watched(work) if how == "watched" else work)
        if how == "after":
            raise StoreFailed("on purpose")
        if how in ("killed after", "watched"):
            self._then()
        return result

    def _watched(self, work: Work) -> Work:
        def watched(txn: Any) -> Any:
            result = work(txn)
            self._then()
            return result

        return watched

    def _fail_inside(self, env: Environment, work: Work, *, again: bool) -> None:
        """Do the work, and take it back; ``again``: as LMDB does where its map was full."""

        def fail(txn: Any) -> None:
            work(txn)
            raise StoreFailed("on purpose")

        try:
            self._write(env, fail)
        except StoreFailed:
            if not again:
                raise


def copy_as_it_is(folder: Path, target: Path) -> None:
    """What a killed process leaves of a folder. Files of a seal may come and go meanwhile."""

    def copy(source: str, to: str) -> None:
        try:
            shutil.copyfile(source, to)
        except FileNotFoundError:
            return

    shutil.copytree(folder, target, copy_function=copy)
