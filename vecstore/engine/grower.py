"""The grower: adds rows that come in one by one to a graph that grows in place (``storage.growing``).

    1. choose   on the writer's thread, some times a second: rows of the last segments that are not in the graph yet
    2. add      on a thread of its own: a step of some tens, or a few hundred where it has fallen behind

Where rows come by the thousands it leaves them to the optimizer, whose work is kept. What is added here is gone when
the segment is merged: adding takes 0.3 ms a row, once for a search and once for good, where a search of 60,000 points
beside 10,000 rows in no graph takes twice as long as beside none.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.errors import StoreFailed
from vecstore.storage.growing import NEXT, Growth, adopt, make, path_of
from vecstore.storage.library import Threads
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vecstore.engine.queue import Queue
    from vecstore.engine.rows import VectorRows
    from vecstore.engine.state import State
    from vecstore.engine.version import SegmentView

Rows: TypeAlias = npt.NDArray[np.int64]

logger = logging.getLogger("vecstore")

LOOK_SECONDS = 0.1
"""How often it is looked whether there is something to add, at the most."""
FEWEST = 256
"""A graph begins to grow when so many rows are in none; fewer are looked at one by one in little time."""
STEP_ROWS, MOST_STEP_ROWS = 32, 256
"""Rows are added when there are so many, and not more than so many at once."""
PAUSE = 4
"""Between two steps so many times as long as the last one took: a fifth of a core at the most."""
CALM = 1000
"""Rows a second. While more come, searches wait for nothing that could be kept up with here."""
ROOM = 0.3
"""There is room for so many rows, as a share of those in the graph: for more than it is merged at
(``merging.BEHIND``)."""
MOST_BYTES = 256 << 20
"""Graphs of larger segments do not grow in place: they would be in the writer's memory too, and in a second file."""
RETRY_SECONDS = 60.0
"""After a failure none grows for so long."""


@dataclass
class Grown:
    """A graph that grows from ``base``. ``growth`` is None until the first step.

    ``stopped``: rows that came do not fit it, and it grows no more.
    """

    base: Sealed
    growth: Growth | None = None
    stopped: bool = False

    def covered(self) -> dict[int, int]:
        """Of each segment, by its number, how many rows are in the graph, or dead."""
        return {} if self.base.growing is None else self.base.growing.covered().rows


@dataclass
class Step:
    """Rows to add: of each segment some, ascending."""

    grown: Grown
    parts: Sequence[tuple[SegmentView, Rows]]
    seconds: float = 0.0
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Grower:
    """Grows the graphs of a collection. ``is_merging``: whether its segments are being merged.

    ``check_in_place`` raises where the collection's folder is another's now.
    """

    def __init__(
        self,
        state: State,
        queue: Queue,
        is_merging: Callable[[], bool],
        check_in_place: Callable[[], None],
        *,
        private: bool,
    ) -> None:
        self._state, self._queue = state, queue
        self._is_merging, self._check_in_place = is_merging, check_in_place
        self._can = not private and os.name == "posix"  # elsewhere a file that is mapped cannot be deleted
        self._grown: dict[str, Grown] = {}
        self._step: Step | None = None
        self._next = 0.0
        self._came: dict[str, tuple[float, int]] = {}  # when it was last looked, and how many rows there were
        self._adopt()

    def _adopt(self) -> None:
        """Go on with what the last writer left: it is searched at once, and grows when there is something to add."""
        for name, rows in self._state.vectors.items():
            if self._can and (base := _largest(rows)) is not None:
                with suppress(OSError):  # it is only not used then
                    base.growing = adopt(base.graph_file, base.rows, self._queue.next_id)
                    self._grown[name] = Grown(base)

    # -- the writer's thread ---------------------------------------------------------------------------------

    def after_turn(self, sequence: int) -> float | None:
        """End the step under way, and begin another."""
        now = time.monotonic()
        if not self._can or now < self._next or not (self._step is None or self._step.done.is_set()):
            return None
        self._next = now + LOOK_SECONDS
        ended, self._step = self._step, None
        if ended is not None:
            self._end(ended, now)
        for name, rows in self._state.vectors.items():
            if self._step is None and (step := self._wanted(name, rows, now)) is not None:
                self._start(step)
        return None

    def _end(self, step: Step, now: float) -> None:
        self._next = now + max(LOOK_SECONDS, PAUSE * step.seconds)
        if step.error is not None:
            logger.warning("the graph in %s does not grow: %s", step.grown.base.graph_file, step.error)
            self._next = now + RETRY_SECONDS
            self._drop(step.grown)
        elif step.grown.stopped:
            self._unlink(step.grown)

    def _wanted(self, name: str, rows: VectorRows, now: float) -> Step | None:
        """What is to be added to the graph of a vector name."""
        base, later = _largest(rows), [view for view in rows.views() if not _has_graph(view)]
        grown = self._present(name, base, later)
        if base is None or not self._is_calm(name, sum([view.rows for view in later]), now):
            return None
        if grown is None:
            grown = Grown(base)
        parts = _missing(later, grown.covered())
        count = sum([len(missing) for _, missing in parts])
        if count < STEP_ROWS or not self._may_grow(grown, count):
            return None
        self._grown[name] = grown
        return Step(grown, _first(parts, min(MOST_STEP_ROWS, self._room(grown))))

    def _present(self, name: str, base: Sealed | None, later: Sequence[SegmentView]) -> Grown | None:
        """The graph that grows; None where there is none any more, or it is full of rows that are dead."""
        grown = self._grown.get(name)
        if grown is None:
            return None
        growing, alive = grown.base.growing, sum([view.live_count for view in later])
        if grown.base is base and (growing is None or growing.left or 2 * alive > growing.room):
            return grown
        self._drop(grown)
        return None

    def _is_calm(self, name: str, rows: int, now: float) -> bool:
        before, had = self._came.get(name, (now, -1))
        self._came[name] = now, rows
        return had >= 0 and rows - had <= CALM * (now - before) and not self._queue.is_pressed()

    def _may_grow(self, grown: Grown, missing: int) -> bool:
        if grown.stopped or grown.base.growing is not None:
            return not grown.stopped and self._room(grown) > 0
        small = grown.base.nbytes <= MOST_BYTES
        return small and FEWEST <= missing <= self._room(grown) and not self._is_merging()

    def _room(self, grown: Grown) -> int:
        growing = grown.base.growing
        return int(ROOM * grown.base.rows) if growing is None else growing.left

    def _start(self, step: Step) -> None:
        self._step = step
        thread = threading.Thread(target=self._work, args=(step,), name="vecstore-grower", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there are too many threads, or the interpreter is ending and starts no more
            step.done.set()

    def _drop(self, grown: Grown) -> None:
        self._grown = {name: other for name, other in self._grown.items() if other is not grown}
        self._unlink(grown)

    def _unlink(self, grown: Grown) -> None:
        grown.growth, grown.base.growing = None, None
        with suppress(OSError, StoreFailed):  # what is left is deleted by the next open
            self._check_in_place()
            path_of(grown.base.graph_file).unlink(missing_ok=True)

    def close(self) -> None:
        """Wait for the step under way, and leave what there is to the next writer. The writer's thread has ended."""
        self._can = False
        if self._step is not None:
            self._step.done.wait()
            self._step = None
        for grown in list(self._grown.values()):
            growing = grown.base.growing
            if growing is None or self._queue.poison is not None:
                self._drop(grown)
            else:
                growing.numbers[NEXT] = self._queue.next_id

    # -- the grower's thread -----------------------------------------------------------------------------------

    def _work(self, step: Step) -> None:
        began = time.thread_time()
        try:
            with Threads(1):  # others would be waked for little, and wait for more on a core that searches could use
                self._add(step)
        except Exception as error:  # noqa: BLE001 - told on the writer's thread
            step.error = error
        finally:
            step.seconds = time.thread_time() - began
            step.done.set()

    def _add(self, step: Step) -> None:
        grown = step.grown
        matrix = np.concatenate([view.source.gather(rows) for view, rows in step.parts])
        places = np.concatenate([_places(view, rows) for view, rows in step.parts])
        if grown.base.growing is None:
            self._check_in_place()
            grown.base.growing = make(grown.base.graph_file, grown.base.rows, self._room(grown))
        if grown.growth is None:
            grown.growth = Growth(grown.base.growing)
        grown.stopped = not grown.growth.fits(matrix)
        if not grown.stopped:
            grown.growth.add(matrix, places)


def _largest(rows: VectorRows) -> Sealed | None:
    """The segment with the largest graph."""
    return max([segment for segment in rows.sealed() if segment.has_graph], key=lambda base: base.rows, default=None)


def _has_graph(view: SegmentView) -> bool:
    return isinstance(view.source, Sealed) and view.source.has_graph


def _missing(views: Sequence[SegmentView], covered: dict[int, int]) -> list[tuple[SegmentView, Rows]]:
    """The living rows of segments that are not in a graph yet."""
    missing = []
    for view in views:
        first = covered.get(view.source.number, 0)
        if first < view.rows:
            rows = np.arange(first, view.rows)
            missing.append((view, rows[view.live(rows)]))
    return missing


def _first(parts: Sequence[tuple[SegmentView, Rows]], count: int) -> list[tuple[SegmentView, Rows]]:
    first = []
    for view, rows in parts:
        if len(rows) and count > 0:
            first.append((view, rows[:count]))
            count -= len(rows)
    return first


def _places(view: SegmentView, rows: Rows) -> npt.NDArray[np.uint64]:
    return (np.uint64(view.source.number) << np.uint64(32)) | rows.astype(np.uint64)
