"""The future of an operation: first acknowledged (it is in the log), then completed (it can be seen)."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar

from vecstore.deadline import LONGEST
from vecstore.errors import InvalidType, WouldWaitForItself
from vecstore.models import UpdateResult, UpdateStatus
from vecstore.nesting import is_mine
from vecstore.shapes import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

T = TypeVar("T")
logger = logging.getLogger("vecstore")

_OF_FUTURES = Future.result.__globals__


class UpdateFuture(Future[T]):
    """What a write returns: a ``concurrent.futures.Future`` that tells both moments of it.

    ``result()`` waits until the operation is applied and can be searched; ``acknowledged()`` until it is in the
    log and, with ``durability="fsync"``, on the disk. It can be awaited. The operation is under way from the
    start: ``cancel()`` returns False, and dropping the future cancels nothing. The failure of an operation that
    nobody asks for is logged as an error by the logger ``vecstore``.

    ``operation_id`` is the number of the operation, higher than that of every operation before it.
    """

    _is_looked_at = True  # as long as it is not made: that may be interrupted

    def __init__(self, operation_id: int, acknowledgement: T, would_wait_for_itself: Callable[[], bool]) -> None:
        super().__init__()
        self.operation_id = operation_id
        self._would_wait_for_itself = would_wait_for_itself
        self._acknowledgement = acknowledgement
        self._is_acknowledged = False
        self._is_settled = False  # acknowledged, or failed before that
        self._tell: list[Callable[[], object]] = []  # to be called then
        self._is_looked_at = False
        self.set_running_or_notify_cancel()

    def acknowledged(self, timeout: float | None = None) -> T:
        """Wait, at most ``timeout`` seconds, until the operation is not lost any more: a result as acknowledged.

        Raises what stopped the operation before it was in the log, or ``concurrent.futures.TimeoutError`` (the
        builtin one from Python 3.11 on).
        """
        if not self._is_settled:
            timeout = self._seconds_to_wait(timeout)
            settled = threading.Lock()  # no event: of that, whoever waits holds a lock at times, which the writer wants
            settled.acquire()
            tell = settled.release
            when_settled(self, tell)
            if not settled.acquire(timeout=-1 if timeout is None else timeout if timeout > 0 else 0):  # NaN is not
                with suppress(ValueError):  # it has just been told
                    self._tell.remove(tell)
                raise FutureTimeoutError
        if not self._is_acknowledged:
            self.result()
        return self._acknowledgement

    def result(self, timeout: float | None = None) -> T:
        """Wait, at most ``timeout`` seconds, until the operation is applied: a result as completed.

        Raises ``PointNotFound`` where it was refused, ``StoreFailed`` where writing failed, and
        ``concurrent.futures.TimeoutError`` (the builtin one from Python 3.11 on).
        """
        self._is_looked_at = True
        return super().result(self._seconds_to_wait(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait as ``result`` does, and return the error instead of raising it; None where there is none."""
        self._is_looked_at = True
        return super().exception(self._seconds_to_wait(timeout))

    def _seconds_to_wait(self, timeout: object) -> float | None:
        if timeout is None:
            if not self.done() and self._would_wait_for_itself():
                raise WouldWaitForItself(
                    f"operation {self.operation_id} cannot be waited for in a callback or in the middle of another"
                )
            return None
        if isinstance(timeout, bool) or not isinstance(timeout, Real):
            raise InvalidType(f"expected a timeout in seconds, or None, got {describe(timeout)}")
        seconds: Any = timeout
        return LONGEST if seconds > LONGEST else float(seconds)

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Call ``fn`` with this future once the operation is applied or has failed."""
        self._is_looked_at = True
        super().add_done_callback(partial(_shielded, fn))

    def __await__(self) -> Generator[Any, None, T]:
        was_looked_at = self._is_looked_at
        try:
            return (yield from asyncio.wrap_future(self).__await__())
        except asyncio.CancelledError:
            self._is_looked_at = was_looked_at  # whoever waited will not hear of a failure
            raise

    def __del__(self) -> None:
        if (error := unseen_error(self)) is not None:
            logger.error("operation %d failed and nobody asked: %s", self.operation_id, error, exc_info=error)


def _shielded(callback: Callable[[Future[T]], object], future: Future[T]) -> None:
    # What is no Exception would end the thread that writes, and keep later callbacks from being called.
    try:
        callback(future)
    except Exception:
        raise  # concurrent.futures logs it
    except BaseException:
        logger.exception("a callback of an operation raised")


def single_future(operation_id: int, would_wait_for_itself: Callable[[], bool]) -> UpdateFuture[UpdateResult]:
    """The future of one operation. ``would_wait_for_itself``: whether the thread that asks would wait for ever."""
    return UpdateFuture(operation_id, UpdateResult(operation_id, UpdateStatus.ACKNOWLEDGED), would_wait_for_itself)


def batch_future(
    first_id: int, count: int, would_wait_for_itself: Callable[[], bool]
) -> UpdateFuture[list[UpdateResult]]:
    """The future of a batch of ``count`` operations, numbered from ``first_id`` on."""
    ids = range(first_id, first_id + count)
    return UpdateFuture(ids[-1], [UpdateResult(i, UpdateStatus.ACKNOWLEDGED) for i in ids], would_wait_for_itself)


def when_settled(future: UpdateFuture[Any], call: Callable[[], object]) -> None:
    """Call ``call``, once and at once or on the thread that writes, when it is acknowledged or has failed before.

    It must not raise, and not wait.
    """
    future._tell.append(call)
    if future._is_settled:
        _tell_all(future)


def unseen_error(future: UpdateFuture[Any]) -> BaseException | None:
    """Why an operation failed, where it has failed and nobody has asked yet. This is not asking."""
    if future._is_looked_at or not future.done():
        return None
    return Future.exception(future)


def is_one_held() -> bool:
    """Whether this thread was interrupted inside the lock of a future: the writer may want it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals is _OF_FUTURES:
            future = frame.f_locals.get("self")
            if isinstance(future, UpdateFuture) and is_mine(future._condition):
                return True
        frame = frame.f_back
    return False


# What follows is for the writer.


def acknowledge(future: UpdateFuture[Any]) -> None:
    """The operation is in the log."""
    future._is_acknowledged = True
    _settle(future)


def complete(future: UpdateFuture[Any]) -> None:
    """The operation is applied."""
    future.set_result(_completed(future._acknowledgement))


def fail(future: UpdateFuture[Any], error: BaseException) -> None:
    """The operation was refused, or the store failed."""
    if not future.done():
        future.set_exception(error)
    _settle(future)


def _settle(future: UpdateFuture[Any]) -> None:
    future._is_settled = True
    _tell_all(future)


def _tell_all(future: UpdateFuture[Any]) -> None:
    while future._tell:
        try:
            call = future._tell.pop()
        except IndexError:  # another thread has just taken the last one
            return
        call()


def _completed(result: Any) -> Any:
    if isinstance(result, list):
        return [_completed(r) for r in result]
    return UpdateResult(result.operation_id, UpdateStatus.COMPLETED)
