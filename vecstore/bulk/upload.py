"""Batches into a collection: several under way at once, no more than that, and how far it came."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from vecstore.bulk.batches import halves, one_by_one
from vecstore.errors import InvalidRequest, UploadStopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vecstore.bulk.batches import Points
    from vecstore.bulk.progress import Bar
    from vecstore.futures import UpdateFuture

    Send: TypeAlias = "Callable[[Points], UpdateFuture[Any]]"

UNDER_WAY = 4
"""How many batches are not applied yet: enough that the writer never waits for the next one."""


def upload(send: Send, batches: Iterable[tuple[Points, int]], progress: Bar, start: int) -> int:
    """Send every batch, and wait until all are applied: how many points are in, the first ``start`` included.

    Raises ``UploadStopped`` with the number of points before the one that could not be read or written.
    """
    work = _Upload(send, progress, start)
    try:
        for points, count in batches:
            work.put(points, count)
        work.settle(0)
    except Exception as error:
        work.give_up()
        raise UploadStopped(work.count, f"stopped at row {work.count}: {error}") from error
    return work.count


class _Upload:
    def __init__(self, send: Send, progress: Bar, count: int) -> None:
        self.count = count
        self._send = send
        self._progress = progress
        self._under_way: deque[tuple[UpdateFuture[Any], int]] = deque()

    def put(self, points: Points, count: int) -> None:
        """Send a batch. Of one that is refused, what comes before the first bad point is sent."""
        self.settle(UNDER_WAY - 1)
        try:
            future = self._send(points)
        except InvalidRequest:
            if count > 1:
                for half, length in halves(points, count):
                    self.put(half, length)
                return
            future = self._send(one_by_one(points))  # raises an error that names the point
        self._under_way.append((future, count))

    def settle(self, left: int) -> None:
        """Wait until no more than ``left`` batches are under way."""
        while len(self._under_way) > left:
            future, count = self._under_way[0]
            future.result()
            self._under_way.popleft()
            self.count += count
            self._progress.update(count)

    def give_up(self) -> None:
        """Wait for what is under way; what comes after a failure does not count."""
        while self._under_way and self._under_way[0][0].exception() is None:
            self.settle(len(self._under_way) - 1)
        for future, _ in self._under_way:
            future.exception()
