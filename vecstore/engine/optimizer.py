"""The optimizer: merges sealed segments, in its own thread, while searches and writes go on.

    1. choose    on the writer's thread: what to merge (``merging``), as it is now
    2. build     on the optimizer's thread (``merger``): the new segment's files, synced, renamed, their folder synced
    3. publish   on the writer's thread, in one transaction: the manifest names the new files and not the old ones.
                 A row that has died or moved since 1 is dead in the new segment: it is not where it was.

A search uses the old segments until 3, and those it holds stay mapped after that, though their files are unlinked.
A kill before 3 leaves files the manifest does not name, which the next open deletes. A merge that cannot be
written (a full disk) costs nothing but time: the old segments stay, and it is tried again later.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vecstore.engine.merger import Abandoned, Build, write
from vecstore.engine.merging import choose
from vecstore.errors import Corrupted, StoreFailed
from vecstore.storage import segments
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore.engine.merging import Merge
    from vecstore.engine.queue import Queue
    from vecstore.engine.sealer import Sealer
    from vecstore.engine.state import State
    from vecstore.engine.version import SegmentView
    from vecstore.storage.environment import Transaction
    from vecstore.storage.store import Store

logger = logging.getLogger("vecstore")

LONGEST_PAUSE = 0.05
"""Seconds the building of a graph pauses, at the most, at each look up while writes are queued up."""
REST = 60.0
"""Seconds after a merge in which none is worth it unless a good deal has changed; as many as it took of a core at
least, so that merging takes half of one at the most. Each merge writes the segment with the graph anew, and who reads
maps it anew: for what 200 single upserts a second bring in 20 seconds that took as much of the machine as half of these
upserts, and 8,000 rows more that are searched by codes make a search .6 slower, most of it however few they are. So it
is after the opening, too: many a collection is closed soon, and what was being merged then is lost."""
RETRY_SECONDS = 60.0
"""After a merge that could not be written none is tried for so long, unless ``optimize`` is called."""


@dataclass
class Goal:
    """What callers of ``optimize`` wait for: that the segments there were at their call are as few as is worth it.

    ``before``: these are the ones with lower numbers, and those ``made`` of them.
    """

    requests: list[Future[None]]
    before: int
    made: set[int] = field(default_factory=set)

    def covers(self, view: SegmentView) -> bool:
        """Whether a segment is one of these. What is written later is for later calls, or they would never end."""
        return view.source.number < self.before or view.source.number in self.made


class Optimizer:
    """Keeps the segments of a collection few and fast. ``private``: files lose their names at once."""

    def __init__(
        self, folder: Path, store: Store, state: State, sealer: Sealer, queue: Queue, *, private: bool
    ) -> None:
        self._folder, self._store, self._state, self._private = folder, store, state, private
        self._sealer, self._queue = sealer, queue
        self._build: Build | None = None
        self._goal: Goal | None = None
        self._not_before = 0.0
        self._now = time.monotonic()
        self._rested_at = self._now + REST
        self._seen = (-1, False)
        self._lock = threading.RLock()
        self._requests: list[Future[None]] = []
        self._over = False

    # -- callers' threads ------------------------------------------------------------------------------------

    def optimize(self) -> None:
        """Seal what is open, merge what is worth it, and wait until it is done.

        Raises ``StoreFailed`` when the merged segment could not be written, ``CollectionClosed``.
        """
        request: Future[None] = Future()
        with self._lock:
            self._requests.append(request)
            if self._over:
                request.set_exception(Abandoned())
        self._queue.wake()
        try:
            request.result()
        except Abandoned:
            self._queue.raise_if_refusing()
            raise

    # -- the writer's thread ---------------------------------------------------------------------------------

    def after_turn(self, sequence: int) -> float | None:
        """Publish what is built, and begin with the next."""
        self._now = time.monotonic()  # once: a moment that passes during a turn is to come, or has come, in all of it
        if self._build is not None and self._build.done.is_set():
            build, self._build = self._build, None
            self._finish(build)
        if self._goal is None:
            self._goal = self._next_goal(sequence)
        if self._build is None and not self._waits_for_seals():
            self._begin()
            if self._build is None and self._goal is not None:
                self._answer(None)
                return 0  # there may be another call, or work of less hurry
        return self._seconds_left()

    def is_merging(self) -> bool:
        """Whether a segment is being built."""
        return self._build is not None

    def _seconds_left(self) -> float | None:
        """When to look again; None: when there is something new. The threads that seal and build wake the writer."""
        later = [at - self._now for at in (self._rested_at, self._not_before) if at > self._now]
        return min(later, default=None) if self._build is None else None

    def _next_goal(self, sequence: int) -> Goal | None:
        with self._lock:
            requests, self._requests = self._requests, []
        if not requests:
            return None
        if self._sealer.has_open_rows():
            self._sealer.freeze(sequence)
        return Goal(requests, before=self._state.next_segment)

    def _waits_for_seals(self) -> bool:
        return self._goal is not None and self._sealer.under_way(self._goal.before)

    def _begin(self) -> None:
        goal = self._goal
        if goal is None and (self._has_seen_all() or self._now < self._not_before):
            return
        rested = self._is_rested()
        for name, rows in self._state.vectors.items():
            views = [v for v in rows.views() if isinstance(v.source, Sealed) and (goal is None or goal.covers(v))]
            merge = choose(name, rows.params, views, eager=goal is not None, rested=rested, can_grow=not self._private)
            if merge is not None:
                self._build = self._started(merge)
                return
        if goal is None:
            self._seen = self._changes(), rested

    def _is_rested(self) -> bool:
        return self._now >= self._rested_at

    def _has_seen_all(self) -> bool:
        """Whether nothing has happened to sealed segments since there was nothing to do."""
        return self._seen == (self._changes(), self._is_rested())

    def _changes(self) -> int:
        return sum([rows.sealed_changes for rows in self._state.vectors.values()])

    def _started(self, merge: Merge) -> Build:
        build = Build(merge, self._state.new_number())
        if self._goal is not None:
            self._goal.made.add(build.number)
        thread = threading.Thread(target=self._work, args=(build,), name="vecstore-optimizer", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # there are too many threads, or the interpreter is ending and starts no more
            build.error = Abandoned() if self._queue.closing else error
            build.done.set()
            self._queue.wake()
        return build

    def _finish(self, build: Build) -> None:
        self._rested_at = self._now + max(REST, build.seconds)
        if build.error is None:
            self._publish(build)
        elif not isinstance(build.error, Abandoned):
            logger.warning("merging segments of %s failed: %s", self._folder.parent, build.error)
            self._not_before = self._now + RETRY_SECONDS
            if self._goal is not None:
                self._answer(build.error)

    def _answer(self, error: BaseException | None) -> None:
        assert self._goal is not None
        goal, self._goal = self._goal, None
        for request in goal.requests:
            if error is None:
                request.set_result(None)
            else:
                failure = StoreFailed(f"merging segments failed, and nothing has changed: {error}")
                failure.__cause__ = error
                request.set_exception(failure)

    def _publish(self, build: Build) -> None:
        rows = self._state.vectors[build.merge.name]
        sources = [view.source for view in build.merge.sources]
        merged = None
        if build.written is not None:
            in_place = self._sealer.check_in_place
            merged = Sealed(self._folder, build.number, rows.field, rows.params, build.written, in_place)
            if self._private:
                merged.unlink()
        rows.merge(sources, merged, build.slots, build.places)
        self._store.environment.write(lambda txn: self._put(txn, build, rows.field))
        self._state.versions.keep_latest()  # or they would be mapped as long as nobody writes
        for source in sources:
            if not self._private and isinstance(source, Sealed):
                with suppress(Corrupted, StoreFailed):  # what cannot be mapped stays until the next opening
                    self._sealer.check_in_place()
                    source.unlink()

    def _put(self, txn: Transaction, build: Build, field_number: int) -> None:
        for view in build.merge.sources:
            self._store.meta.drop_dead_rows(txn, view.source.number, field_number)
        self._state.record_manifest(txn, self._store)
        self._state.offer(txn)

    def abandon(self) -> None:
        """Nothing more will be built: the writer's thread ends. Those who wait are told."""
        with self._lock:
            self._over = True
            waiting = self._requests + (self._goal.requests if self._goal is not None else [])
        for request in waiting:
            if not request.done():
                request.set_exception(Abandoned())

    def close(self) -> None:
        """Leave what is being built, and wait until its thread has seen it."""
        self.abandon()
        if self._build is not None:
            self._build.done.wait()
            self._build = None

    # -- the optimizer's thread --------------------------------------------------------------------------------

    def _work(self, build: Build) -> None:
        rows, began = self._state.vectors[build.merge.name], time.thread_time()
        try:
            self._sealer.check_in_place()
            write(build, self._folder, rows.field, rows.params, self._look_up, sync=not self._private)
        except Exception as error:  # noqa: BLE001 - told on the writer's thread
            build.error = error
            with suppress(OSError, StoreFailed):  # what is left is deleted by the next open
                self._sealer.check_in_place()
                segments.remove(self._folder, build.number, rows.field)
        finally:
            build.seconds = time.thread_time() - began
            build.done.set()
            self._queue.wake()

    def _look_up(self) -> bool:
        """Whether somebody waits for the end. Raises ``Abandoned``; pauses where writes need the machine."""
        until = time.monotonic() + LONGEST_PAUSE
        while not self._goal and not self._over and self._queue.is_pressed() and time.monotonic() < until:
            time.sleep(0.005)
        if self._over:
            raise Abandoned
        return self._goal is not None
