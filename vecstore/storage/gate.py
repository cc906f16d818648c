"""The gate of an environment: reads pass it, and what no read may see waits until none is inside.

An interrupt in the main thread can hit between any two steps of a call. So a lock is entered and left itself here,
and no condition around it: Python does that in one step.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from vecstore.errors import WouldWaitForItself

if TYPE_CHECKING:
    from collections.abc import Callable

LOST_NEWS = 0.1
"""Seconds after which one who waits for reads looks again: a reader that was interrupted may not have told."""


class Inside:
    """A read, as the gate knows it. ``long``: it may take minutes."""

    def __init__(self, *, long: bool = False) -> None:
        self.long = long
        self.thread = threading.get_ident()


class Gate:
    """Reads enter and leave; while it is shut they wait outside."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self.inside: set[Inside] = set()
        self._shut_by: int | None = None  # the thread

    @property
    def shut(self) -> bool:
        """Whether somebody waits, or works, alone."""
        return self._shut_by is not None

    def enter(self, read: Inside, check: Callable[[], None]) -> None:
        """Wait while it is shut, and be inside. Raises what ``check`` does; ``WouldWaitForItself``."""
        with self._lock:
            while self.shut:
                if self._shut_by == read.thread:  # a signal handler, or a ``__del__``, in the middle of ``alone``
                    raise WouldWaitForItself("this cannot be read while the thread that reads maps or closes the store")
                self._changed.wait()
            check()
            self.inside.add(read)

    def has(self, thread: int) -> bool:
        """Whether a read of this thread is inside."""
        return any(read.thread == thread for read in self.inside.copy())

    def leave(self, read: Inside) -> None:
        """The read has ended, if it had begun."""
        self.inside.discard(read)
        with self._lock:
            if self.shut:
                self._changed.notify_all()

    def alone(self, work: Callable[[], object], *, long_too: bool = False) -> None:
        """Do ``work`` while no read is inside, and none comes. ``long_too``: also no long one."""
        with self._lock:
            self._shut_by = threading.get_ident()
            try:
                self._wait(long_too=long_too)
                work()
            finally:
                self._shut_by = None
                self._changed.notify_all()

    def _wait(self, *, long_too: bool) -> None:
        # Not for those of this very thread: it cannot be inside of them, and they were interrupted.
        me = threading.get_ident()
        while any((long_too or not read.long) and read.thread != me for read in self.inside.copy()):
            self._changed.wait(LOST_NEWS)
