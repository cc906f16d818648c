"""The engines that are open in this process, and how handles come by them and leave them.

Opening a path that is open already gives the same engine. The last handle that is closed closes it, and what is
still open when the interpreter exits is closed then.

A handle that is dropped without being closed is released by a thread of its own: the garbage collector may run
anywhere, also inside the transaction of a writer, and closing there would wait for itself.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
import weakref
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from vecstore.engine import recovery
from vecstore.engine.engine import Engine
from vecstore.errors import ConfigMismatch, NotACollection
from vecstore.storage.lock import FolderLock
from vecstore.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vecstore.models import VectorParams

_engines: dict[tuple[int, int], Engine] = {}
_opening = threading.RLock()
_all: weakref.WeakSet[Engine] = weakref.WeakSet()
_dropped: SimpleQueue[Engine] = SimpleQueue()
_reaper: threading.Thread | None = None


def acquire(path: Path, vectors: Mapping[str, VectorParams] | None, durability: str | None) -> Engine:
    """The engine of the collection at ``path``: the one that is open in this process, or a new one.

    ``vectors``: what to create it with, and what it must have. Every call wants one ``release``.
    """
    path = Path(os.path.abspath(path))
    _ensure_reaper()
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
        engine.handles += 1
        return engine


def acquire_private(vectors: Mapping[str, VectorParams]) -> Engine:
    """An engine for a collection in memory: its files have no names that outlive this process."""
    _ensure_reaper()
    folder = Path(tempfile.mkdtemp(prefix="vecstore-"))
    try:
        recovery.fill_folder(folder / "private", vectors, sync=False)
        engine = _open(folder / "private", vectors, "os", private=True)
    finally:
        # LMDB and the lock have their files open, and need the names no more; the folder stays for segments.
        if os.name != "nt":
            for left in (*folder.glob("private/store/*"), *folder.glob("private/lock")):
                left.unlink()
    engine.handles += 1
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
    if engine.writer.queue.is_owner():
        drop(engine)  # called in a callback of an operation: closing would wait for itself
        return
    with _opening:
        engine.handles -= 1
        if engine.handles > 0:
            return
        try:
            engine.close()
        except BaseException:  # interrupted: the handle still has it
            engine.handles += 1
            raise
        for key in [key for key, known in _engines.items() if known is engine]:
            del _engines[key]


def drop(engine: Engine) -> None:
    """``release``, soon and on another thread: what the garbage collector may call."""
    _dropped.put(engine)


def _reap() -> None:
    while True:
        release(_dropped.get())


def _ensure_reaper() -> None:
    global _reaper
    if _reaper is None:
        _reaper = threading.Thread(target=_reap, name="vecstore-reaper", daemon=True)
        _reaper.start()


def _close_all() -> None:
    with _opening:
        for engine in list(_all):
            engine.close()


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _forget_all() -> None:
    global _reaper, _opening
    _reaper, _opening = None, threading.RLock()
    for engine in list(_all):
        engine.forget()
    _engines.clear()
    _all.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
