"""The queue between callers and the writer: numbered, and bounded by bytes, so that a fast producer waits."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vecstore import futures, operations
from vecstore.errors import CollectionClosed, RequestTooLarge, StoreFailed
from vecstore.limits import MAX_BATCH, MAX_OPERATION_BYTES
from vecstore.nesting import is_mine
from vecstore.storage.pieces import bytes_of

if TYPE_CHECKING:
    from vecstore.engine.apply import Refused
    from vecstore.futures import UpdateFuture
    from vecstore.operations import Operation

QUEUE_BYTES = 32 << 20
"""Callers wait while more than this is under way, so that a fast producer cannot fill the memory."""
PRESSED_BYTES = 4 << 20
"""With more than this under way, background work makes room."""
OVERHEAD = 256
"""What an operation counts for beyond its bytes."""
MOST_UNDER_WAY = QUEUE_BYTES // OVERHEAD + MAX_BATCH
"""More operation ids than this are never given out and not yet logged."""


@dataclass(slots=True)
class Pending:
    """An operation under way: ``count`` operation ids from ``first_id`` on; about ``size`` bytes in the log.

    ``encoded``: its form there; None where it is little work to make it when it is wanted (``form``).
    """

    first_id: int
    count: int
    operation: Operation
    encoded: list[Any] | None
    size: int
    future: UpdateFuture[Any]
    refused: Refused | None = None

    @property
    def last_id(self) -> int:
        """The id of its last operation."""
        return self.first_id + self.count - 1

    def form(self) -> list[Any]:
        """The operation in the form of the log."""
        return operations.encoded(self.operation) if self.encoded is None else self.encoded

    @property
    def weight(self) -> int:
        """What it counts for in the queue, in bytes."""
        return self.size + OVERHEAD * self.count


class Queue:
    """Operations on their way to the writer. ``next_id``: the id the first one gets."""

    def __init__(self, next_id: int) -> None:
        self.next_id = next_id
        self.poison: BaseException | None = None
        self.closing = False
        self.given_up = False
        """Whether what is under way is not waited for any more: the collection closes."""
        # A lock that is itself entered and left, and not the condition: only so an interrupt cannot leave it locked.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[Pending] = deque()
        self._weight = 0
        self._done_before = next_id  # all operations under this id are completed or have failed
        self._woken = False
        self._owner: threading.Thread | None = None

    # -- callers' threads ------------------------------------------------------------------------------------

    def put(self, operation: Operation) -> UpdateFuture[Any]:
        """Number and queue an operation. Waits while the queue is full. Raises what ``raise_if_refusing`` does."""
        encoded, size = None, operations.size_of_few(operation)
        if size is None:
            encoded = operations.encoded(operation)
            size = sum(len(bytes_of(part)) for part in encoded)
        count = len(operation.operations) if isinstance(operation, operations.BatchUpdate) else 1
        _check_size(size, count)
        with self._lock:
            self._changed.wait_for(self._has_room)
            self.raise_if_refusing()
            # IMPORTANT: whatever allocates may run the garbage collector, or a signal handler, and these may write,
            # too. So the number is taken when all is made, in steps that call nothing of theirs.
            while True:
                pending = self._numbered(operation, encoded, size, count)
                weight = pending.weight
                if pending.first_id == self.next_id:
                    break
            self.next_id += count
            self._weight += weight
            self._waiting.append(pending)
            self._changed.notify_all()
        return pending.future

    def _has_room(self) -> bool:
        # A callback of a future runs on the writer's own thread, and nobody else would make room for it.
        full = self._weight >= QUEUE_BYTES and not self.is_owner()
        return not full or self.closing or self.poison is not None

    def _numbered(self, operation: Operation, encoded: list[Any] | None, size: int, count: int) -> Pending:
        first = self.next_id
        if isinstance(operation, operations.BatchUpdate):
            future: UpdateFuture[Any] = futures.batch_future(first, count, self.would_wait_for_itself)
        else:
            future = futures.single_future(first, self.would_wait_for_itself)
        return Pending(first, count, operation, encoded, size, future)

    def raise_if_refusing(self) -> None:
        """Raise ``StoreFailed`` once the store has failed, ``CollectionClosed`` once the queue is closed."""
        if self.poison is not None:
            raise StoreFailed(
                f"writing failed earlier ({self.poison}); close the collection and open it again to recover"
            ) from self.poison
        if self.closing:
            raise CollectionClosed("the collection is closed")

    def would_wait_for_itself(self) -> bool:
        """Whether this thread could wait for the writer for ever.

        It is the writer's own, or it was interrupted inside a lock the writer wants: that of ``put``, or a future's.
        """
        return self.is_owner() or is_mine(self._lock) or futures.is_one_held()

    def drain(self) -> None:
        """Wait until everything queued before is completed or has failed."""
        with self._lock:
            waiting_for = self.next_id
            self._changed.wait_for(lambda: self._done_before >= waiting_for or not self._weight)

    def wake(self) -> None:
        """Have the writer look up, though there may be nothing in the queue."""
        with self._lock:
            self._woken = True
            self._changed.notify_all()

    def refuse(self, poison: BaseException) -> None:
        """Take nothing more, because the store has failed, and have the writer look up."""
        with self._lock:
            self.poison = poison
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            self.closing = True
            self._changed.notify_all()

    def give_up(self) -> list[Pending]:
        """Everything that is not being logged yet; the writer ends after the transaction it is in."""
        with self._lock:
            self.given_up = True
            return self._rest()

    def is_pressed(self) -> bool:
        """Whether callers write faster than the writer can follow: background work had better wait."""
        return self._weight > PRESSED_BYTES

    # -- the writer's thread ---------------------------------------------------------------------------------

    def own(self, owner: threading.Thread) -> None:
        """Say which thread will call what follows."""
        self._owner = owner

    @property
    def is_busy(self) -> bool:
        """Whether an operation is under way."""
        return self._weight > 0

    def is_owner(self) -> bool:
        """Whether this is the writer's thread."""
        return threading.current_thread() is self._owner

    def take(self, most_bytes: int, patience: float | None) -> list[Pending]:
        """The next operations: of at most so many bytes together, but one at least if there is one.

        Waits for one so many seconds (None: as long as it takes), or until the writer is woken or told to end.
        """
        with self._lock:
            if patience != 0:
                self._changed.wait_for(lambda: self._waiting or self._woken or self.closing, patience)
            self._woken = False
            taken: list[Pending] = []
            size = 0
            while self._waiting and (not taken or size + self._waiting[0].size <= most_bytes):
                taken.append(self._waiting.popleft())
                size += taken[-1].size
            return taken

    def take_rest(self, poison: BaseException) -> list[Pending]:
        """Everything that is left; from now on nothing is taken any more, because of ``poison``."""
        with self._lock:
            self.poison = poison
            return self._rest()

    def _rest(self) -> list[Pending]:
        rest = list(self._waiting)
        self._waiting.clear()
        self._changed.notify_all()
        return rest

    def done(self, finished: list[Pending]) -> None:
        """These are completed or have failed: there is room for others."""
        if finished:
            with self._lock:
                self._weight -= sum([pending.weight for pending in finished])
                self._done_before = finished[-1].last_id + 1
                self._changed.notify_all()


def _check_size(size: int, count: int) -> None:
    if size > MAX_OPERATION_BYTES:
        raise RequestTooLarge(
            f"expected an operation of at most {MAX_OPERATION_BYTES} bytes, got {size}; send it in several calls"
        )
    if count > MAX_BATCH:
        raise RequestTooLarge(f"expected a batch of at most {MAX_BATCH} operations, got {count}")
