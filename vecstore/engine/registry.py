"""The engines and readers that are open in this process, and how handles come by them and leave them.

Opening a path that is open already gives the same engine, or the same reader. The last handle that is closed closes
it, and what is still open when the interpreter exits is closed then.

A handle that is dropped without being closed is released by a thread of its own: the garbage collector may run
anywhere, also inside the transaction of a writer, and closing there would wait for itself. So it is with one that is
closed in the middle of another call: in a callback, a signal handler, or a ``__del__``.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import threading
import weakref
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from vecstore.engine import creation, recovery
from vecstore.engine.engine import Engine
from vecstore.engine.reader import Reader
from vecstore.errors import CollectionClosed, ConfigMismatch, NotACollection, WouldWaitForItself
from vecstore.storage import files
from vecstore.storage.environment import forget_inherited
from vecstore.storage.library import forget_threads
from vecstore.storage.lock import FolderLock
from vecstore.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from vecstore.models import VectorParams

logger = logging.getLogger("vecstore")

_lock = threading.Lock()
_paths: WeakValueDictionary[Path, threading.Lock] = WeakValueDictionary()  # who has it opens or closes alone
_engines: dict[Path, Engine] = {}
_readers: dict[Path, Reader] = {}
_all: weakref.WeakSet[Engine | Reader] = weakref.WeakSet()
_dropped: SimpleQueue[tuple[Engine | Reader, object, float | None]] = SimpleQueue()
_reaper: threading.Thread | None = None


def acquire(
    path: Path,
    vectors: Mapping[str, VectorParams] | None,
    durability: str | None,
    holder: object,
    nested_in: int | None = None,
) -> Engine:
    """The engine of the collection at ``path``: the one that is open in this process, or a new one.

    ``vectors``: what to create it with, and what it must have. Every ``holder`` wants one ``release``.
    ``nested_in``: the thread that asks, where it does so in the middle of another call: nothing is waited for that may
    wait for that call.
    """
    path = Path(os.path.realpath(path))
    _ensure_reaper()
    with _alone(path, at_once=nested_in is not None), files.reading(path):
        engine = _engines.get(path)
        if engine is not None and engine.is_closing:  # and was interrupted
            _check_can_wait(path, is_nested=nested_in is not None)
            engine.close()
            _forget(engine)
            engine = None
        if engine is None or engine.identity != creation.identity(path):  # or the folder was replaced by another
            reader = _readers.get(path)
            _check_can_wait(
                path, is_nested=nested_in is not None and reader is not None and reader.is_read_by(nested_in)
            )
            engine = _hosting(reader, path, vectors, durability)
            _engines[path] = engine
        else:
            _check_same(engine, vectors, durability)
        engine.holders.add(holder)
        return engine


def acquire_reader(
    path: Path, vectors: Mapping[str, VectorParams] | None, holder: object, nested_in: int | None = None
) -> Reader:
    """The reader of the collection at ``path``: the one that is open in this process, or a new one.

    ``vectors``: what it must have. Every ``holder`` wants one ``release``. ``nested_in``: as in ``acquire``.
    """
    path = Path(os.path.realpath(path))
    _ensure_reaper()
    with _alone(path, at_once=nested_in is not None), files.reading(path):
        if not creation.is_collection(path):
            raise NotACollection(path, f"there is no collection at {path} to be read")
        reader = _readers.get(path)
        if reader is None or not _is_current(reader):
            reader = Reader(path, _engines.get(path))
            _all.add(reader)
        try:
            recovery.check_vectors(reader.params, vectors, path)
        except BaseException:
            if not reader.holders:
                reader.close()
            raise
        _readers[path] = reader
        reader.holders.add(holder)
        return reader


def _is_current(reader: Reader) -> bool:
    with suppress(CollectionClosed):  # another collection may have taken the place of the one it reads
        return reader.source is not None
    return False


def _alone(path: Path, *, at_once: bool = False) -> AbstractContextManager[Any]:
    """Inside it nobody else opens or closes what is at ``path``. ``at_once``: who does is not waited for."""
    with _at_once(path, _lock) if at_once else _lock:
        found = _paths.get(path)
        if found is None:
            found = _paths[path] = threading.Lock()
    # A lock itself is entered and left in one step: no interrupt leaves it locked.
    return _at_once(path, found) if at_once else found


@contextmanager
def _at_once(path: Path, lock: threading.Lock) -> Iterator[None]:
    _check_can_wait(path, is_nested=not lock.acquire(blocking=False))
    try:
        yield
    finally:
        lock.release()


def _check_can_wait(path: Path, *, is_nested: bool) -> None:
    if is_nested:
        raise WouldWaitForItself(f"{path} is being opened or closed, or read, by the very call in which it is opened")


def _hosting(
    reader: Reader | None, path: Path, vectors: Mapping[str, VectorParams] | None, durability: str | None
) -> Engine:
    """An engine for ``path``, with whose store the reader of this process goes on."""
    if reader is None:
        return _created(path, vectors, durability)
    with reader.aside():
        reader.host = _created(path, vectors, durability)
    return reader.host


def _created(path: Path, vectors: Mapping[str, VectorParams] | None, durability: str | None) -> Engine:
    creation.remove_abandoned(path)
    creation.check_place(path)
    if not creation.is_collection(path):
        if vectors is None:
            raise NotACollection(path, f"there is no collection at {path}; give vectors= to create one")
        creation.create_folder(path, vectors, sync=durability != "os")
    return _open(path, vectors, durability or "fsync")


def _check_same(engine: Engine, vectors: Mapping[str, VectorParams] | None, durability: str | None) -> None:
    recovery.check_vectors(engine.params, vectors, engine.folder)
    if durability not in (None, engine.durability):
        has = f"{engine.folder} is open in this process with durability {engine.durability!r}"
        raise ConfigMismatch(f"{has}, got {durability!r}")


def acquire_private(vectors: Mapping[str, VectorParams], holder: object) -> Engine:
    """An engine for a collection in memory: its files have no names that outlive this process."""
    _ensure_reaper()
    with files.reading(Path(tempfile.gettempdir())):
        folder = Path(tempfile.mkdtemp(prefix="vecstore-"))
    try:
        with files.reading(folder):
            creation.fill_folder(folder / "private", vectors, sync=False)
            engine = _open(folder / "private", vectors, "os", private=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # LMDB and the lock have their files open, and need the names no more; the folder stays for segments.
    if os.name != "nt":
        for left in (*folder.glob("private/store/*"), *folder.glob("private/lock")):
            left.unlink()
    engine.holders.add(holder)
    return engine


def _open(path: Path, vectors: Mapping[str, VectorParams] | None, durability: str, *, private: bool = False) -> Engine:
    lock = FolderLock(path)
    try:
        store = Store(path / creation.STORE, sync=durability == "fsync", in_memory=private)
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


@contextmanager
def readers_aside(path: Path) -> Iterator[None]:
    """Inside it this process does not have the store at ``path`` open to read: who wants to read or open it waits.

    Only for who keeps writers out, those of this process, too.
    """
    path = Path(os.path.realpath(path))
    with _alone(path):
        reader = _readers.get(path)
        with nullcontext() if reader is None else reader.aside():
            yield


def release(opened: Engine | Reader, holder: object, timeout: float | None = None) -> None:
    """Give back what ``holder`` has acquired, if it has; the last one closes it.

    Where it is interrupted, it has to be called again. ``timeout``: see ``Engine.close``.
    """
    with _alone(opened.folder):
        if opened.holders == {holder}:
            opened.close(timeout)
            _forget(opened)
        opened.holders.discard(holder)


def _forget(closed: Engine | Reader) -> None:
    path = closed.folder
    reader = _readers.get(path)
    if _engines.get(path) is closed:
        del _engines[path]
    if reader is closed:
        del _readers[path]
    elif reader is not None and reader.host is closed:
        reader.host = None


def drop(opened: Engine | Reader, holder: object, timeout: float | None = None) -> None:
    """``release``, soon and on another thread: what may be called anywhere."""
    _dropped.put((opened, holder, timeout))


def _reap() -> None:
    while True:
        opened, holder, timeout = _dropped.get()
        try:
            release(opened, holder, timeout)
        except Exception:
            logger.exception("closing %s failed", opened.folder)
        del opened


def _ensure_reaper() -> None:
    global _reaper
    if _reaper is None:
        _reaper = threading.Thread(target=_reap, name="vecstore-reaper", daemon=True)
        _reaper.start()


def _close_all() -> None:
    for opened in list(_all):
        try:
            opened.close()
        except Exception:
            logger.exception("closing %s failed", opened.folder)


def _forget_all() -> None:
    # After a fork, in the child: the parent's threads are not there, and its locks may be held for ever.
    global _reaper, _lock, _dropped
    _reaper, _lock, _dropped = None, threading.Lock(), SimpleQueue()
    for opened in list(_all):
        opened.forget()
    _paths.clear()
    _engines.clear()
    _readers.clear()
    _all.clear()
    forget_inherited()
    forget_threads()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
