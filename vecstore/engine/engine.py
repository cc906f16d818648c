"""The engine: one collection, open for writing in this process. Handles (``Collection``) share it."""

from __future__ import annotations

import logging
import shutil
import threading
from typing import TYPE_CHECKING, Any

from vecstore.engine import creation, recovery
from vecstore.engine.sealer import Sealer
from vecstore.engine.view import View
from vecstore.engine.writer import Writer
from vecstore.errors import CollectionClosed, StoreFailed, WouldWaitForItself
from vecstore.storage.environment import DATA_FILE
from vecstore.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore.futures import UpdateFuture
    from vecstore.operations import Operation
    from vecstore.storage.lock import FolderLock


logger = logging.getLogger("vecstore")


class Engine:
    """A store, the state derived from it, and the threads that change them. ``private``: nobody can open it again."""

    def __init__(self, folder: Path, lock: FolderLock, store: Store, durability: str, *, private: bool) -> None:
        self.folder = folder
        self.durability = durability
        self.private = private
        self._lock = lock
        self._store = store
        self.handles = 0
        self._closed: str | None = None
        self._replacing = threading.Lock()
        self._closing = threading.Lock()
        self.identity = identity(folder)
        with store.environment.read() as txn:
            self.params = store.meta.vectors(txn)
            reserved = max(1, store.meta.number(txn, b"reserved"), store.meta.number(txn, b"applied") + 1)
        self.state = recovery.recover(store, folder, self.params)
        self._sealer = Sealer(
            folder / creation.SEGMENTS, store, self.state, lambda: self.writer.queue.wake(), private=private
        )
        self.writer = Writer(store, self.state, reserved, [self._sealer], self.reopen_to_read)

    # -- what handles use ------------------------------------------------------------------------------------

    def submit(self, operation: Operation) -> UpdateFuture[Any]:
        """Queue an operation: see ``Queue.put``."""
        self.check_open()
        return self.writer.queue.put(operation)

    def view(self) -> View:
        """The present state, for reading: a context manager."""
        self.check_open()
        return View(self)

    @property
    def store(self) -> Store:
        """The store, as readers may use it."""
        return self._store

    def flush(self) -> None:
        """Wait until all operations queued so far are completed, then force everything to the disk."""
        self.check_open()
        if self.writer.queue.is_owner():
            raise WouldWaitForItself("flush cannot be called in a callback of an operation")
        self.writer.queue.drain()
        self.writer.queue.raise_if_refusing()
        try:
            self._store.environment.sync()
        except StoreFailed as error:
            self.writer.fail(error)  # the system may forget what it could not write, and the next sync succeed
            raise

    def check_open(self) -> None:
        """Raise ``CollectionClosed`` unless the engine can be used."""
        if self._closed is not None:
            raise CollectionClosed(self._closed)

    # -- the end ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Complete what is queued, then let go of the threads, the store and the lock.

        Where it is interrupted it can be called again.
        """
        with self._closing:
            if self._closed is None:
                self._close()

    def _close(self) -> None:
        try:
            self.writer.close()
            self._sealer.finish(publish=self.writer.queue.poison is None)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing that was acknowledged is lost
            logger.warning("%s; what was acknowledged is in the log or the journal", error)
        self._closed = "the collection is closed"
        self._store.environment.close()
        self._lock.release()
        if self.private:
            shutil.rmtree(self.folder.parent, ignore_errors=True)

    def forget(self) -> None:
        """After a fork, in the child: the engine stays the parent's."""
        self._closed = (
            "the collection was opened by the process this one was forked from; "
            "open it again here, or start processes with 'spawn'"
        )
        self._store.environment.forget()
        self._lock.release()

    def reopen_to_read(self) -> None:
        """After some failed writes LMDB refuses reads too; what was committed can still be read from a new store."""
        if self.private:
            return  # its files have no names to open them by
        with self._replacing:
            if not self._store.environment.readable():
                self._store.environment.close()
                self._store = Store(self.folder / creation.STORE, sync=False, readonly=True)

    def replaced(self, store: Store) -> bool:
        """Whether ``store`` was closed because another has taken its place."""
        with self._replacing:
            return self._store is not store


def identity(folder: Path) -> tuple[int, int] | None:
    """What tells a collection from another that takes its place; None where there is none."""
    try:
        found = (folder / creation.STORE / DATA_FILE).stat()  # open as long as the engine, so its number is not reused
    except OSError:
        return None
    return found.st_dev, found.st_ino
