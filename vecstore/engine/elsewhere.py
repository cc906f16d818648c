"""Work that no interrupt may stop halfway: done on another thread, for the main thread waits for it.

Python raises KeyboardInterrupt in the main thread alone, at any step of it: also between the opening of a file and
the line that would have it closed again.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def elsewhere(work: Callable[[], T], unwanted: Callable[[T], object]) -> T:
    """What ``work`` returns or raises. Where the waiting is interrupted it goes on, and its result is ``unwanted``."""
    # At the end of the interpreter threads that are started never run, and nobody is interrupted.
    if threading.current_thread() is not threading.main_thread() or sys.is_finalizing():
        return work()
    task = _Task(work, unwanted)
    try:
        task.start()
        task.finished.acquire()
    except BaseException as error:
        if isinstance(error, RuntimeError) and not task.begun:  # the interpreter is ending and starts no more threads
            return work()
        task.leave()
        raise
    return task.outcome()


class _Task(Generic[T]):
    def __init__(self, work: Callable[[], T], unwanted: Callable[[T], object]) -> None:
        self.begun = False
        self.finished = threading.Lock()
        self.finished.acquire()
        self._work, self._unwanted = work, unwanted
        self._lock = threading.Lock()
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._left = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="vecstore-opener", daemon=True).start()

    def _run(self) -> None:
        self.begun = True
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 - for the one who waits
            self._error = error
        self.finished.release()
        with self._lock:
            self._give_back()

    def leave(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._left = True
            self._give_back()

    def _give_back(self) -> None:
        if self._left and self._results:
            self._unwanted(self._results.pop())

    def outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._results[0]
