"""The engine: one collection, open for writing in this process. Handles (``Collection``) share it.

Invariants of the whole, each kept by the module named:

1. Every acknowledged operation is in the log or wholly applied (or refused); never half.        ``writer``
2. Every live vector is in exactly one live row of one segment. One transaction moves it.        ``rows``
3. Segment files are immutable, and synced with their folder before the manifest names them.     ``sealer``
4. There is one applied position; all in memory is derived from the same transactions.           ``state``
5. ``apply`` is one function, live and at recovery; it decides by reading, then writes.          ``apply``
6. A reader sees the state between two operations, never inside one.                             ``version``
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vecstore.engine import recovery
from vecstore.engine.sealer import Sealer
from vecstore.engine.view import View
from vecstore.engine.writer import Writer
from vecstore.errors import CollectionClosed, ConfigMismatch, NotACollection
from vecstore.storage.lock import FolderLock
from vecstore.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vecstore.futures import UpdateFuture
    from vecstore.models import VectorParams
    from vecstore.operations import Operation


class Engine:
    """A store, the state derived from it, and the threads that change them. ``private``: nobody can open it again."""

    def __init__(self, folder: Path, lock: FolderLock, store: Store, durability: str, *, private: bool) -> None:
        self.folder = folder
        self.durability = durability
        self.private = private
        self._lock = lock
        self._store = store
        self._handles = 0
        self._closed: str | None = None
        self._replacing = threading.Lock()
        with store.environment.read() as txn:
            self.params = store.meta.vectors(txn)
            reserved = max(1, store.meta.number(txn, b"reserved"))
        self.state = recovery.recover(store, folder, self.params)
        self._sealer = Sealer(
            folder / recovery.SEGMENTS, store, self.state, lambda: self.writer.wake(), private=private
        )
        self.writer = Writer(store, self.state, reserved, [self._sealer], self._reopen_to_read)

    # -- what handles use ------------------------------------------------------------------------------------

    def submit(self, operation: Operation) -> UpdateFuture[Any]:
        """Queue an operation: see ``Writer.submit``."""
        self.check_open()
        return self.writer.submit(operation)

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
        self.writer.drain()
        self.writer.raise_if_poisoned()
        self._store.environment.sync()

    def check_open(self) -> None:
        """Raise ``CollectionClosed`` unless the engine can be used."""
        if self._closed is not None:
            raise CollectionClosed(self._closed)

    # -- the end ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Complete what is queued, then let go of the threads, the store and the lock."""
        if self._closed is not None:
            return
        self.writer.close()
        self._sealer.finish(publish=self.writer.poison is None)
        self._closed = "the collection is closed"
        self._store.environment.close()
        self._lock.release()
        if self.private:
            shutil.rmtree(self.folder, ignore_errors=True)

    def forget(self) -> None:
        """After a fork, in the child: the engine stays the parent's."""
        self._closed = (
            "the collection was opened by the process this one was forked from; "
            "open it again here, or start processes with 'spawn'"
        )
        self._store.environment.forget()
        self._lock.release()

    def _reopen_to_read(self) -> None:
        # After some failed writes LMDB refuses reads too. What was committed can still be read anew.
        with self._replacing:
            if not self._store.environment.readable():
                self._store.environment.close()
                self._store = Store(self.folder / recovery.STORE, sync=False, readonly=True)

    def replaced(self, store: Store) -> bool:
        """Whether ``store`` was closed because another has taken its place."""
        with self._replacing:
            return self._store is not store


# -- opening ------------------------------------------------------------------------------------------------

_engines: dict[tuple[int, int], Engine] = {}
_opening = threading.RLock()
_all: weakref.WeakSet[Engine] = weakref.WeakSet()


def acquire(path: Path, vectors: Mapping[str, VectorParams] | None, durability: str | None) -> Engine:
    """The engine of the collection at ``path``: the one that is open in this process, or a new one.

    ``vectors``: what to create it with, and what it must have. Every call wants one ``release``.
    """
    path = Path(os.path.abspath(path))
    with _opening:
        recovery.check_place(path)
        if not recovery.is_collection(path):
            if vectors is None:
                raise NotACollection(path, f"there is no collection at {path}; give vectors= to create one")
            recovery.create_folder(path, vectors, sync=durability != "os")
        key = _identity(path)
        engine = _engines.get(key)
        if engine is None:
            engine = _open(path, vectors, durability or "fsync")
            _engines[key] = engine
        else:
            recovery.check_vectors(engine.params, vectors, path)
            if durability not in (None, engine.durability):
                raise ConfigMismatch(
                    f"{path} is open in this process with durability {engine.durability!r}, got {durability!r}"
                )
        engine._handles += 1
        return engine


def acquire_private(vectors: Mapping[str, VectorParams]) -> Engine:
    """An engine for a collection in memory: its files have no names that outlive this process."""
    folder = Path(tempfile.mkdtemp(prefix="vecstore-"))
    try:
        recovery.fill_folder(folder / "private", vectors, sync=False)
        engine = _open(folder / "private", vectors, "os", private=True)
    finally:
        # LMDB and the lock have their files open, and need the names no more; the folder stays for segments.
        if os.name != "nt":
            for left in (*folder.glob("private/store/*"), *folder.glob("private/lock")):
                left.unlink()
    engine._handles += 1
    return engine


def _open(path: Path, vectors: Mapping[str, VectorParams] | None, durability: str, *, private: bool = False) -> Engine:
    lock = FolderLock(path)
    try:
        store = Store(path / recovery.STORE, sync=durability == "fsync", in_memory=private)
        try:
            store.environment.clear_dead_readers()
            with store.environment.read() as txn:
                recovery.check_vectors(store.meta.vectors(txn), vectors, path)
            engine = Engine(path, lock, store, durability, private=private)
        except BaseException:
            store.environment.close()
            raise
    except BaseException:
        lock.release()
        raise
    _all.add(engine)
    return engine


def release(engine: Engine) -> None:
    """Give back what ``acquire`` gave; the last one closes the engine."""
    with _opening:
        engine._handles -= 1
        if engine._handles > 0:
            return
        for key in [key for key, known in _engines.items() if known is engine]:
            del _engines[key]
        engine.close()


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _forget_all() -> None:
    for engine in list(_all):
        engine.forget()
    _engines.clear()
    _all.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
