"""The engine: one collection, open for writing in this process. Handles (``Collection``) share it."""

from __future__ import annotations

import logging
import shutil
import threading
from typing import TYPE_CHECKING, Any

from vecstore.deadline import Deadline
from vecstore.engine import creation, recovery
from vecstore.engine.builder import IndexBuilder
from vecstore.engine.dead_readers import DeadReaders
from vecstore.engine.grower import Grower
from vecstore.engine.memo import Memos
from vecstore.engine.optimizer import Optimizer
from vecstore.engine.queue import Queue
from vecstore.engine.sealer import Sealer
from vecstore.engine.view import View
from vecstore.engine.writer import Writer
from vecstore.errors import CollectionClosed, StoreFailed, WouldWaitForItself
from vecstore.storage import compaction
from vecstore.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore.engine.version import Version
    from vecstore.futures import UpdateFuture
    from vecstore.operations import Operation
    from vecstore.storage.environment import Transaction
    from vecstore.storage.lock import FolderLock


logger = logging.getLogger("vecstore")

FORKED = (
    "the collection was opened by the process this one was forked from; "
    "open it again here, or start processes with 'spawn'"
)
"""What a child is told that uses what its parent has opened."""


class Engine:
    """A store, the state derived from it, and the threads that change them. ``private``: nobody can open it again."""

    def __init__(self, folder: Path, lock: FolderLock, store: Store, durability: str, *, private: bool) -> None:
        self.folder = folder
        self.durability = durability
        self.private = private
        self._lock = lock
        self._store = store
        self.holders: set[object] = set()  # one for each handle
        self._closed: str | None = None
        self._gone = False
        self._replacing, self._closing = threading.RLock(), threading.RLock()
        self.identity = creation.identity(folder)
        with store.environment.read() as txn:
            self.params = store.meta.vectors(txn)
            reserved = max(1, store.meta.number(txn, b"reserved"), store.meta.number(txn, b"applied") + 1)
        self.state = recovery.recover(store, folder, self.params)
        queue = Queue(reserved)
        segments = folder / creation.SEGMENTS
        self._sealer = Sealer(segments, store, self.state, queue.wake, private=private)
        self._optimizer = Optimizer(segments, store, self.state, self._sealer, queue, private=private)
        self._grower = Grower(
            self.state, queue, self._optimizer.is_merging, self._sealer.check_in_place, private=private
        )
        self._builder = IndexBuilder(store, self.state, queue.wake, lambda: queue.is_busy)
        self.memos = Memos()
        self.writer = Writer(
            store,
            self.state,
            queue,
            chores=[self._sealer, self._optimizer, self._grower, self._builder, DeadReaders(store)],
            takes_over=self._builder.takes_over,
            on_poison=self._poisoned,
            check_in_place=self._sealer.check_in_place,
        )
        if self._builder.unfinished:
            queue.wake()

    # -- what handles use ------------------------------------------------------------------------------------

    def submit(self, operation: Operation) -> UpdateFuture[Any]:
        """Queue an operation: see ``Queue.put``."""
        self.check_open()
        return self.writer.queue.put(operation)

    def view(self, *, auto_index: bool = False) -> View:
        """The present state, for reading: a context manager. ``auto_index``: filters may ask for indexes."""
        self.check_open()
        return View(self, self._builder.suggest if auto_index else None)

    @property
    def source(self) -> Engine:
        """Where states come from: this engine itself."""
        return self

    @property
    def store(self) -> Store:
        """The store, as readers may use it."""
        return self._store

    def version_of(self, txn: Transaction) -> Version | None:
        """The Version of a transaction of the store; None where it is no longer kept."""
        return self.state.versions.of(txn.id())

    def flush(self) -> None:
        """Wait until all operations queued so far are completed, then force everything to the disk."""
        self.check_open()
        self._check_can_wait("flush")
        self.writer.queue.drain()
        self.writer.queue.raise_if_refusing()
        try:
            self._store.environment.sync()
        except StoreFailed as error:
            self.writer.fail(error)  # the system may forget what it could not write, and the next sync succeed
            raise

    def optimize(self) -> None:
        """Seal and merge until nothing is left to do: see ``Optimizer``."""
        self.check_open()
        self._check_can_wait("optimize")
        self.writer.queue.drain()
        self._optimizer.optimize()

    def _check_can_wait(self, call: str) -> None:
        if self.writer.queue.would_wait_for_itself():
            raise WouldWaitForItself(f"{call} cannot be called in a callback or in the middle of an operation")

    def check_open(self) -> None:
        """Raise ``CollectionClosed`` unless the engine can be used."""
        if self._closed is not None:
            raise CollectionClosed(self._closed)

    def is_open(self) -> bool:
        """Whether the engine can be used. Where not, it has let everything go when this returns."""
        if self._closed is None:
            return True
        with self._closing:
            return False

    # -- the end ---------------------------------------------------------------------------------------------

    def close(self, timeout: float | None = None) -> None:
        """Complete what is queued, then let go of the threads, the store and the lock.

        After ``timeout`` seconds what is not completed is given up: see ``Writer.close``. What the threads are
        writing then is waited for, and so are reads that have begun. Where it is interrupted it can be called again,
        and has to be: nothing more is taken.
        """
        with self._closing:
            if not self._gone:
                self._close(Deadline(timeout))
                self._gone = True

    @property
    def is_closing(self) -> bool:
        """Whether closing has begun, and may have been interrupted: writes are taken no more."""
        return self.writer.queue.closing

    def _close(self, deadline: Deadline) -> None:
        if self._closed is None:
            self._end_threads(deadline)
            self._closed = "the collection is closed"
        self._close_store(compact=not deadline.is_over())
        self._lock.release()
        self.state.let_go()
        if self.private:
            shutil.rmtree(self.folder.parent, ignore_errors=True)

    def _end_threads(self, deadline: Deadline) -> None:
        queue = self.writer.queue
        try:
            self.writer.close(deadline)
            self._optimizer.close()
            self._grower.close()
            self._builder.finish(deadline)
            self._sealer.finish(publish=queue.poison is None and not queue.given_up)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing that was acknowledged is lost
            logger.warning("%s; what was acknowledged is in the log or the journal", error)

    def _close_store(self, *, compact: bool) -> None:
        environment = self._store.environment
        healthy = not self.private and self.writer.queue.poison is None and not environment.is_closed
        # IMPORTANT: where the folder was moved, a copy would take the place of another collection's file.
        healthy = healthy and self.identity == creation.identity(self.folder)
        if compact and healthy and compaction.is_worth_it(environment):
            compaction.close_compacted(environment)
        else:
            environment.close()

    def forget(self) -> None:
        """After a fork, in the child: the engine stays the parent's."""
        self._closed, self._gone = FORKED, True
        self._store.environment.forget()
        self._lock.release()

    def _poisoned(self, error: BaseException) -> None:
        self._optimizer.abandon()
        self._builder.abandon(error)
        self.reopen_to_read()

    def reopen_to_read(self) -> None:
        """After some failed writes LMDB refuses reads too; what was committed can still be read from a new store."""
        if self.private or self.identity != creation.identity(self.folder):
            return  # its files have no names to open them by, or others have these names
        with self._replacing:
            if self._store.environment.refuses_reads():
                self._store.environment.close()
                self._store = Store(self.folder / creation.STORE, sync=False, readonly=True)

    def replaced(self, store: Store) -> bool:
        """Whether ``store`` was closed because another has taken its place."""
        with self._replacing:
            return self._store is not store
