"""The lock of a collection's folder: one writer over all processes.

``lock`` holds the writer's process id, for the message to the second one; what locks is ``flock``, which the
system releases when the process ends, however it ends.
"""

from __future__ import annotations

import errno
import os
import sys
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

from vecstore.errors import CollectionLocked, StoreFailed

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # far from the process id, which stays readable
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_locks: weakref.WeakSet[FolderLock] = weakref.WeakSet()
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


class FolderLock:
    """The lock, held from creation until ``release``. Raises ``CollectionLocked``, ``StoreFailed``."""

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        self._descriptor: int | None = _open(path)
        _locks.add(self)
        try:
            _take(self._descriptor)
        except OSError as error:
            pid = _read_pid(self._descriptor)
            self.release()
            if error.errno not in _HELD:
                raise StoreFailed(f"{path}: cannot be locked: {error}") from error
            owner = "another process" if pid is None else f"process {pid}"
            raise CollectionLocked(pid, f"{folder} is open for writing in {owner}") from None
        with suppress(OSError):  # on a full disk: the process id is for messages alone
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Let go. Also what a forked child does with the copy it inherited: the parent keeps the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _release_all() -> None:
    for lock in list(_locks):
        lock.release()


if hasattr(os, "register_at_fork"):
    # A child inherits the descriptors, and would keep what the parent has locked when the parent is gone.
    os.register_at_fork(after_in_child=_release_all)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as error:
        raise StoreFailed(f"{path}: cannot be opened: {error}") from error


def _read_pid(descriptor: int) -> int | None:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return int(os.read(descriptor, 32))
    except ValueError:
        return None
