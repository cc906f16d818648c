"""THE WRITE PATH: number, log, acknowledge, apply, complete.

One thread per collection, in turns. A turn is one transaction of the store, with one sync:

    1. apply   what the turn before has logged: state changes, its log entries go     -> completed
    2. log     what callers have queued since, up to ``GROUP_BYTES``                   -> acknowledged
    3. commit  and only then tell anybody

So many callers share a sync, and under load an operation is applied by the same sync that logs the next ones.
An operation is acknowledged only after the commit that logged it, and completed only after the commit that
applied it (invariant 1 of ``vecstore.engine``: at every commit it is in the log, or wholly applied, or refused).

Two kinds of failure, never mixed. *Refused*: the operation cannot be done; it has no effect, its log entry goes
with the transaction that found out, and its future carries the error. *Store failure*: a transaction did not
commit. The writer is poisoned, every later write raises ``StoreFailed``, and reads go on. What was acknowledged
is in the log and is applied at the next open; what was being logged is unknown.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from vecstore import futures, operations
from vecstore.engine.apply import Place, Refused, apply
from vecstore.errors import CollectionClosed, RequestTooLarge, StoreFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vecstore.engine.state import State
    from vecstore.futures import UpdateFuture
    from vecstore.operations import Operation
    from vecstore.storage.environment import Transaction
    from vecstore.storage.store import Store

logger = logging.getLogger("vecstore")

QUEUE_BYTES = 32 << 20
"""Callers wait while more than this is under way, so that a fast producer cannot fill the memory."""
GROUP_BYTES = 4 << 20
"""The most that one turn logs, unless a single operation is larger."""
MAX_OPERATION_BYTES = 512 << 20
"""The largest operation, in its form in the log. Larger ones raise ``RequestTooLarge``."""
OVERHEAD = 256
"""What an operation counts for in the queue beyond its bytes."""
RESERVE = 1 << 20
"""Operation ids are reserved on disk this many at a time: more than can be under way at once."""

assert RESERVE > 2 * QUEUE_BYTES // OVERHEAD


@dataclass(slots=True)
class Pending:
    """An operation under way: ``count`` operation ids from ``first_id`` on."""

    first_id: int
    count: int
    operation: Operation
    encoded: bytes
    future: UpdateFuture[Any]
    refused: Refused | None = None

    @property
    def last_id(self) -> int:
        """The id of its last operation."""
        return self.first_id + self.count - 1

    @property
    def weight(self) -> int:
        """What it counts for in the queue, in bytes."""
        return len(self.encoded) + OVERHEAD * self.count


class Chore(Protocol):
    """Upkeep that the writer's thread does between turns, a little at a time."""

    def after_turn(self, sequence: int) -> bool:
        """Do a little. ``sequence``: the last operation that was applied. Returns whether there is more to do."""


class Writer:
    """The queue and the thread behind it.

    ``reserved``: ids from here on have never been given out. ``chores`` are done by the thread after each turn;
    ``on_poison`` is called once, when the store has failed.
    """

    def __init__(
        self,
        store: Store,
        state: State,
        reserved: int,
        chores: Sequence[Chore],
        on_poison: Callable[[], None],
    ) -> None:
        self._store, self._state = store, state
        self._chores, self._on_poison = chores, on_poison
        self._next_id = self._reserved = reserved
        self._changed = threading.Condition()
        self._queue: deque[Pending] = deque()
        self._logged: list[Pending] = []  # acknowledged, to be applied in the next turn
        self._unknown: list[Pending] = []  # what was being logged when the store failed
        self._weight = 0
        self._done_before = reserved  # all operations under this id are completed or have failed
        self._woken = False
        self._closing = False
        self._poison: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="vecstore-writer", daemon=True)
        self._reserve()
        self._thread.start()

    # -- callers' threads ------------------------------------------------------------------------------------

    def submit(self, operation: Operation) -> UpdateFuture[Any]:
        """Queue an operation. Waits while the queue is full. Raises ``StoreFailed`` once the store has failed."""
        encoded = operations.encode(operation)
        if len(encoded) > MAX_OPERATION_BYTES:
            raise RequestTooLarge(
                f"expected an operation of at most {MAX_OPERATION_BYTES} bytes, got {len(encoded)}; "
                "send it in several calls"
            )
        count = len(operation.operations) if isinstance(operation, operations.BatchUpdate) else 1
        with self._changed:
            self._changed.wait_for(lambda: self._weight < QUEUE_BYTES or self._refuses())
            self._raise_if_refusing()
            pending = self._number(operation, encoded, count)
            self._queue.append(pending)
            self._weight += pending.weight
            self._changed.notify_all()
        return pending.future

    def _number(self, operation: Operation, encoded: bytes, count: int) -> Pending:
        first, self._next_id = self._next_id, self._next_id + count
        if isinstance(operation, operations.BatchUpdate):
            future: UpdateFuture[Any] = futures.batch_future(first, count)
        else:
            future = futures.single_future(first)
        return Pending(first, count, operation, encoded, future)

    def _refuses(self) -> bool:
        return self._closing or self._poison is not None

    def _raise_if_refusing(self) -> None:
        self.raise_if_poisoned()
        if self._closing:
            raise CollectionClosed("the collection is closed")

    def raise_if_poisoned(self) -> None:
        """Raise ``StoreFailed`` once the store has failed."""
        if self._poison is not None:
            raise StoreFailed(
                f"writing failed earlier ({self._poison}); close the collection and open it again to recover"
            ) from self._poison

    def wake(self) -> None:
        """Have the writer's thread look after its chores soon."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def drain(self) -> None:
        """Wait until everything queued before is completed or has failed."""
        with self._changed:
            waiting_for = self._next_id
            self._changed.wait_for(lambda: self._done_before >= waiting_for)

    @property
    def poison(self) -> BaseException | None:
        """Why the store has failed, None while it has not."""
        return self._poison

    @property
    def next_id(self) -> int:
        """The id the next operation gets."""
        return self._next_id

    def close(self) -> None:
        """Finish what is queued, then end the thread and note on disk which ids were given out."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join()
        if self._poison is None:
            try:
                self._store.environment.write(lambda txn: self._put_reserved(txn, self._next_id))
            except StoreFailed as error:  # then the next ids begin where they were reserved to
                logger.warning("%s", error)

    # -- the writer's thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._turn():
                more = [chore.after_turn(self._done_before - 1) for chore in self._chores]
                if any(more):
                    self.wake()
        except BaseException as error:  # noqa: BLE001 - whatever it is, nobody else would see it
            self._fail(error)

    def _turn(self) -> bool:
        fresh, applied = self._take(), self._logged
        if not fresh and not applied:
            return not self._closing
        mark = self._state.mark()
        try:
            self._store.environment.write(lambda txn: self._transaction(txn, mark, applied, fresh))
        except BaseException:
            self._state.back_to(mark)
            self._logged = [*applied, *fresh]
            self._unknown = fresh
            raise
        self._state.settle()
        self._logged = fresh
        self._resolve(applied, fresh)
        return True

    def _take(self) -> list[Pending]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._logged or self._woken or self._closing)
            self._woken = False
            fresh: list[Pending] = []
            size = 0
            while self._queue and (not fresh or size + len(self._queue[0].encoded) <= GROUP_BYTES):
                fresh.append(self._queue.popleft())
                size += len(fresh[-1].encoded)
        return fresh

    def _transaction(self, txn: Transaction, mark: Any, applied: list[Pending], fresh: list[Pending]) -> None:
        self._state.back_to(mark)  # LMDB may have begun again with a larger map
        if applied:
            place = Place(txn, self._store, self._state)
            for pending in applied:
                pending.refused = apply(place, pending.operation)
            finish(place, applied[0].first_id, applied[-1].last_id)
        for pending in fresh:
            self._store.log.append(txn, pending.first_id, pending.encoded)
        if fresh:
            self._keep_ahead(txn, fresh[-1].last_id)
        if not applied:
            self._state.offer(txn)

    def _keep_ahead(self, txn: Transaction, last_id: int) -> None:
        if self._reserved < last_id + RESERVE // 2:
            self._reserved = last_id + RESERVE
            self._put_reserved(txn, self._reserved)

    def _reserve(self) -> None:
        self._reserved = self._next_id + RESERVE
        self._store.environment.write(lambda txn: self._put_reserved(txn, self._reserved))

    def _put_reserved(self, txn: Transaction, reserved: int) -> None:
        self._store.meta.put_number(txn, b"reserved", reserved)
        self._state.offer(txn)

    def _resolve(self, applied: list[Pending], fresh: list[Pending]) -> None:
        # IMPORTANT: after the commit. What is told here must survive.
        for pending in fresh:
            futures.acknowledge(pending.future)
        for pending in applied:
            if pending.refused is None:
                futures.complete(pending.future)
            else:
                futures.fail(pending.future, pending.refused)
        self._lighten(applied)

    def _lighten(self, done: list[Pending]) -> None:
        with self._changed:
            self._weight -= sum(pending.weight for pending in done)
            if done:
                self._done_before = done[-1].last_id + 1
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        logger.error("writing to %s failed: %s", self._store.environment.path.parent, error, exc_info=error)
        with self._changed:
            self._poison = error
            pending = [*self._logged, *self._queue]
            self._queue.clear()
        self._on_poison()
        for p in pending:
            futures.fail(p.future, self._failure(p, error))
        self._lighten(pending)

    def _failure(self, pending: Pending, error: BaseException) -> StoreFailed:
        if pending in self._unknown:
            what = "it is unknown whether this operation is in the log"
        elif pending in self._logged:
            what = "this operation was acknowledged; it will be applied when the collection is opened again"
        else:
            what = "this operation was not logged"
        failure = StoreFailed(f"writing failed ({error}); {what}")
        failure.__cause__ = error
        return failure


def finish(place: Place, first_id: int, last_id: int) -> None:
    """End the apply step of operations ``first_id`` to ``last_id``: what they did is recorded, they leave the log."""
    place.state.record(place.txn, place.store, last_id)
    place.store.log.remove(place.txn, first_id, last_id)
    place.store.meta.put_number(place.txn, b"applied", last_id)
