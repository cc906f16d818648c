"""The locks of a collection: one writer over all processes, and files that stay while others read them.

``lock`` holds the writer's process id, for the message to the second one; what locks is ``flock``, which the
system releases when the process ends, however it ends. The folder ``store`` is locked for sharing by every
process that reads, as long as it has the data file open: who gets it alone knows that nobody else has, and that
nobody will before it lets go. LMDB's own notes of readers cannot tell that: one who is about to begin is not there.
"""

from __future__ import annotations

import errno
import os
import sys
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from vecstore.errors import CollectionLocked, StoreFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHARES = sys.platform != "win32"
"""Whether the system has locks that are shared."""

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # far from the process id, which stays readable
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _share(descriptor: int, *, wait: bool) -> None:
        pass
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _share(descriptor: int, *, wait: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_SH if wait else fcntl.LOCK_SH | fcntl.LOCK_NB)


_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


class Held:
    """An open file or folder, whose lock goes when it is released."""

    def __init__(self, path: Path, flags: int) -> None:
        self.path = path
        try:
            self.descriptor: int | None = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o644)
        except OSError as error:
            raise StoreFailed(f"{path}: cannot be opened: {error}") from error
        _all_held.add(self)

    def release(self) -> None:
        """Let go. Also what a forked child does with the copy it inherited: the parent keeps the lock."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def failed(self, error: OSError) -> StoreFailed:
        """Let go, because there are no locks here."""
        self.release()
        failure = StoreFailed(f"{self.path}: cannot be locked: {error}")
        failure.__cause__ = error
        return failure


_all_held: weakref.WeakSet[Held] = weakref.WeakSet()


class FolderLock(Held):
    """The writer's lock, held from creation until ``release``. Raises ``CollectionLocked``, ``StoreFailed``."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "lock", os.O_RDWR | os.O_CREAT)
        assert self.descriptor is not None
        try:
            _take(self.descriptor)
        except OSError as error:
            if error.errno not in _HELD:
                raise self.failed(error) from error
            raise _locked(folder, self) from None
        with suppress(OSError):  # on a full disk: the process id is for messages alone
            os.ftruncate(self.descriptor, 0)
            os.lseek(self.descriptor, 0, os.SEEK_SET)
            os.write(self.descriptor, str(os.getpid()).encode())


def _locked(folder: Path, held: Held) -> CollectionLocked:
    assert held.descriptor is not None
    try:
        _share(held.descriptor, wait=False)
        shared = SHARES
    except OSError:
        shared = False
    pid = None if shared else _read_pid(held.descriptor)
    held.release()
    if shared:
        return CollectionLocked(None, f"{folder} is being read by a process that may not write to its files")
    owner = "another process" if pid is None else f"process {pid}"
    return CollectionLocked(pid, f"{folder} is open for writing in {owner}")


def _read_pid(descriptor: int) -> int | None:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return int(os.read(descriptor, 32))
    except ValueError:
        return None


def keep_writers_out(folder: Path) -> Held:
    """No writer can open the collection before this is released. Raises ``CollectionLocked``, ``StoreFailed``."""
    held = Held(folder / "lock", os.O_RDONLY)
    assert held.descriptor is not None
    try:
        _share(held.descriptor, wait=False)
    except OSError as error:
        if error.errno not in _HELD:
            raise held.failed(error) from error
        raise _locked(folder, held) from None
    return held


def attach(store: Path) -> Held | None:
    """This process reads the data file in the folder ``store``, until this is released. Raises ``StoreFailed``.

    Waits while another is alone with it. None where locks are not shared.
    """
    if not SHARES:
        return None
    held = Held(store, os.O_RDONLY)
    assert held.descriptor is not None
    try:
        _share(held.descriptor, wait=True)
    except OSError as error:
        raise held.failed(error) from error
    except BaseException:  # interrupted
        held.release()
        raise
    return held


@contextmanager
def alone_with(store: Path) -> Iterator[bool]:
    """Whether no other process reads the data file in the folder ``store``; inside, those that come wait.

    For the writer, when it is about to put another file in its place.
    """
    if not SHARES:
        yield True  # a file that is open cannot be replaced there
        return
    held = Held(store, os.O_RDONLY)
    assert held.descriptor is not None
    try:
        yield _is_taken(held.descriptor)
    finally:
        held.release()


def _is_taken(descriptor: int) -> bool:
    try:
        _take(descriptor)
    except OSError:
        return False
    return True


def _release_all() -> None:
    for held in list(_all_held):
        held.release()


if hasattr(os, "register_at_fork"):
    # A child inherits the descriptors, and would keep what the parent has locked when the parent is gone.
    os.register_at_fork(after_in_child=_release_all)
