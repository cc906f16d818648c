"""A fault at every call site: what the engine asks of the disk fails, here or there, once or from then on.

A *boundary* is a function through which the engine reaches files, LMDB or FAISS; a *site* is a boundary and the line
of vecstore that calls it. Sites are not listed but met: a run without faults tells them.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import lmdb
import numpy as np

import vecstore
from vecstore.storage import environment, files
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

ROOT = str(Path(vecstore.__file__).parent)
FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")
DISK = lmdb.DiskError("mdb_txn_commit: No space left on device")
UNMAPPED = lmdb.MemoryError("mdb_env_set_mapsize: Cannot allocate memory")

BOUNDARIES: dict[str, tuple[Any, str, BaseException]] = {
    "transaction": (Environment, "_commit", DISK),
    "nested transaction": (Environment, "nested", DISK),
    "map": (Environment, "_grow", UNMAPPED),
    "read": (Environment, "begin", vecstore.StoreFailed("mdb_txn_begin: Input/output error")),
    "open": (environment.lmdb, "open", lmdb.Error("mdb_env_open: Input/output error")),
    "sync of the store": (Environment, "sync", vecstore.StoreFailed("mdb_env_sync: Input/output error")),
    "copy": (Environment, "copy", FULL),
    "compacted copy": (Environment, "copy_compacted", vecstore.StoreFailed("mdb_cursor_put: No space left on device")),
    "sync of a file": (files, "sync_file", BROKEN),
    "whole file": (files, "write_whole", FULL),
    "checksum": (files, "checksum", BROKEN),
    "index written": (faiss, "write_index", FULL),
    "index read": (faiss, "read_index", RuntimeError("could not open for reading: Too many open files")),
    "array mapped": (np, "memmap", OSError(errno.ENOMEM, "Cannot allocate memory")),
    "link": (os, "link", OSError(errno.EXDEV, "Invalid cross-device link")),
    "folder opened": (os, "open", BROKEN),
    "rename": (Path, "rename", FULL),
    "replace": (Path, "replace", FULL),
    "unlink": (Path, "unlink", BROKEN),
    "mkdir": (Path, "mkdir", FULL),
    "file opened": (Path, "open", BROKEN),
    "stat": (Path, "stat", BROKEN),
    "file written": (Path, "write_bytes", FULL),
    "files listed": (Path, "iterdir", BROKEN),
}


@dataclass(frozen=True, order=True)
class Site:
    """A boundary, and where it is called from."""

    boundary: str
    place: str

    def __str__(self) -> str:
        return f"{self.boundary} at {self.place}"


class Sweep:
    """Stands at every boundary: counts the calls of each site, and lets one of them fail."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: Counter[Site] = Counter()
        self.happened = 0
        self._site: Site | None = None
        self._nth, self._lasting = 0, False
        self._lock, self._pausing = threading.Lock(), False
        for boundary, (owner, name, error) in BOUNDARIES.items():
            patch.setattr(owner, name, self._standing(boundary, getattr(owner, name), error))

    def arm(self, site: Site, nth: int, *, lasting: bool) -> None:
        """Let the nth call of a site fail; ``lasting``: and every later call of its boundary, from anywhere."""
        with self._lock:
            self.calls.clear()
            self.happened, self._site, self._nth, self._lasting = 0, site, nth, lasting

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing fails while the body runs, and no call is counted."""
        self._pausing = True
        try:
            yield
        finally:
            self._pausing = False

    def disarm(self) -> None:
        """The fault is gone."""
        with self._lock:
            self._site = None

    def _standing(self, boundary: str, real: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
        def standing(*args: Any, **options: Any) -> Any:
            place = _place(sys._getframe(1))
            if place is not None and self._is_due(Site(boundary, place)):
                raise type(error)(*error.args)
            return real(*args, **options)

        return standing

    def _is_due(self, site: Site) -> bool:
        with self._lock:
            if self._pausing:
                return False
            self.calls[site] += 1
            if self._site is None or site.boundary != self._site.boundary:
                return False
            due = site == self._site and self.calls[site] == self._nth
            if due or (self._lasting and self.happened):
                self.happened += 1
                return True
            return False


def _place(frame: Any) -> str | None:
    """File and line of the nearest caller in vecstore; None where another library is nearer."""
    while frame is not None and frame.f_code.co_filename.endswith(("pathlib.py", "faiss/loader.py")):
        frame = frame.f_back
    if frame is None or not frame.f_code.co_filename.startswith(ROOT):
        return None
    return f"{os.path.relpath(frame.f_code.co_filename, ROOT)}:{frame.f_lineno}"
