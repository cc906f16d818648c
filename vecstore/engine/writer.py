"""THE WRITE PATH: number, log, acknowledge, apply, complete.

One thread per collection, in turns. A turn is one transaction of the store, with one sync:

    1. apply   what the turn before has logged: state changes, its log entries go     -> completed
    2. log     what callers have queued since, up to ``GROUP_BYTES``                   -> acknowledged
    3. commit  and only then tell anybody

So many callers share a sync, and under load an operation is applied by the same sync that logs the next ones.
Where nothing waits to be applied and little was queued (``AT_ONCE_BYTES``), a turn takes both steps in its one
transaction: the entry in the log would come and go in it, so none is written. A caller who waits for a single
upsert then waits for one sync instead of two (0.72 of the time).

An operation is acknowledged only after the commit that logged it, and completed only after the commit that
applied it (invariant 1 of ``vecstore.engine``: at every commit it is in the log, or wholly applied, or refused).

Two kinds of failure, never mixed. *Refused*: the operation cannot be done; it has no effect, its log entry goes
with the transaction that found out, and its future carries the error. *Store failure*: a transaction did not
commit. The writer is poisoned, every later write raises ``StoreFailed``, and reads go on. What was acknowledged
is in the log and is applied at the next open; what was being logged is unknown.

Closing completes everything that is queued. Where the closer does not wait so long, the writer ends after the
transaction it is in: what is acknowledged by then is in the log, and the rest is not and never will be.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Protocol

from vecstore import futures
from vecstore.engine.apply import Place, apply
from vecstore.engine.queue import MOST_UNDER_WAY, Pending, Queue
from vecstore.errors import CollectionClosed, StoreFailed
from vecstore.operations import is_of_its_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vecstore.deadline import Deadline
    from vecstore.engine.state import Mark, State
    from vecstore.errors import VecstoreError
    from vecstore.futures import UpdateFuture
    from vecstore.operations import Operation
    from vecstore.storage.environment import Transaction
    from vecstore.storage.store import Store

logger = logging.getLogger("vecstore")

GROUP_BYTES = 4 << 20
"""The most that one turn logs, unless a single operation is larger."""
AT_ONCE_BYTES = 64 << 10
"""Operations of at most so many bytes together are applied by the turn that would log them, if they filter nothing."""
RESERVE = 1 << 20
"""Operation ids are reserved on disk this many at a time, so that none is given out twice, whatever happens."""
LATER = "it will be applied at the next open"

assert RESERVE // 2 > MOST_UNDER_WAY


class Chore(Protocol):
    """Upkeep that the writer's thread does between turns, a little at a time."""

    def after_turn(self, sequence: int) -> float | None:
        """Do a little. ``sequence``: the last operation that was applied.

        Returns in how many seconds there is more to do, though nobody writes or wakes the writer; None for nothing.
        """


class Writer:
    """The thread behind the queue.

    The ids from the queue's first on have never been given out. ``chores`` are done by the thread after each turn.
    ``takes_over`` is asked of every applied operation whether it will complete the future itself, later.
    ``on_poison`` is called once, with the reason, when the store has failed. ``check_in_place`` raises where the folder
    was moved or deleted: what was written to a file without a name would be acknowledged, and lost.
    """

    def __init__(
        self,
        store: Store,
        state: State,
        queue: Queue,
        chores: Sequence[Chore],
        takes_over: Callable[[Operation, UpdateFuture[Any]], bool],
        on_poison: Callable[[BaseException], None],
        check_in_place: Callable[[], None],
    ) -> None:
        self.queue = queue
        reserved = queue.next_id
        self._store, self._state = store, state
        self._chores, self._takes_over, self._on_poison = chores, takes_over, on_poison
        self._check_in_place = check_in_place
        self._applied = reserved - 1
        self._applying: list[Pending] = []  # acknowledged, being applied
        self._logging: list[Pending] = []  # being logged
        self._pause: float | None = 0  # for so many seconds there is no chore
        self._failed_from_outside: BaseException | None = None
        self._reserve(reserved + RESERVE)
        self._thread = threading.Thread(target=self._run, name="vecstore-writer", daemon=True)
        self.queue.own(self._thread)
        self._thread.start()

    def fail(self, error: BaseException) -> None:
        """From any thread: the store has failed elsewhere than in a transaction."""
        self._failed_from_outside = error
        self.queue.refuse(error)

    def close(self, deadline: Deadline) -> None:
        """Finish what is queued, then end the thread and note on disk which ids were given out.

        After the ``deadline`` what is not acknowledged is given up, and what is not applied is left in the log.
        """
        self.queue.close()
        self._thread.join(deadline.left())
        if self._thread.is_alive() and self.queue.is_busy:
            self._give_up()
        self._thread.join()
        if self.queue.poison is None and not self.queue.given_up:
            self._reserve(self.queue.next_id)

    def _give_up(self) -> None:
        rest = self.queue.give_up()
        _tell(rest, CollectionClosed, "the collection was closed before this operation was logged; it was not done")
        self.queue.done(rest)

    def _reserve(self, reserved: int) -> None:
        self._store.environment.write(lambda txn: self._put_reserved(txn, reserved))
        self._reserved = reserved

    def _put_reserved(self, txn: Transaction, reserved: int) -> None:
        self._store.meta.put_number(txn, b"reserved", reserved)
        self._state.offer(txn)

    # -- the writer's thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._turn() and not self.queue.given_up:
                wishes = [chore.after_turn(self._applied) for chore in self._chores]
                self._pause = min((wish for wish in wishes if wish is not None), default=None)
            self._leave()
        except BaseException as error:  # noqa: BLE001 - whatever it is, nobody else would see it
            self._poisoned(error)

    def _turn(self) -> bool:
        self._logging = self.queue.take(GROUP_BYTES, 0 if self._applying else self._pause)
        if self._failed_from_outside is not None:
            raise self._failed_from_outside
        if not self._logging and not self._applying:
            return not self.queue.closing
        applying, logging = self._steps()
        reserved = self._wanted_reserve()
        mark = self._state.mark()
        try:
            self._check_in_place()
            self._store.environment.write(lambda txn: self._transaction(txn, mark, applying, logging, reserved))
        except BaseException:
            self._state.back_to(mark)
            raise
        self._reserved = reserved
        self._state.settle()
        self._resolve(applying, logging)
        return True

    def _steps(self) -> tuple[list[Pending], list[Pending]]:
        """What this turn applies, and what it logs."""
        if not self._applying and _is_little(self._logging):
            return self._logging, []
        return self._applying, self._logging

    def _wanted_reserve(self) -> int:
        if self._logging and self._reserved < self._logging[-1].last_id + RESERVE // 2:
            return self._logging[-1].last_id + RESERVE
        return self._reserved

    def _transaction(
        self, txn: Transaction, mark: Mark, applying: list[Pending], logging: list[Pending], reserved: int
    ) -> None:
        self._state.back_to(mark)  # where the map was full, LMDB begins again with a larger one
        if applying:
            place = Place(txn, self._store, self._state)
            for pending in applying:
                pending.refused = apply(place, pending.operation)
            at_once = applying is self._logging  # it never was in the log
            finish(place, None if at_once else applying[0].first_id, applying[-1].last_id)
        for pending in logging:
            self._store.log.append(txn, pending.first_id, pending.form())
        if reserved != self._reserved:
            self._store.meta.put_number(txn, b"reserved", reserved)
        self._state.offer(txn, changed=bool(applying))

    def _resolve(self, applied: list[Pending], logged: list[Pending]) -> None:
        # IMPORTANT: after the commit. What is told here must survive.
        for pending in self._logging:
            futures.acknowledge(pending.future)
        self._applying, self._logging = logged, []
        for pending in applied:
            if pending.refused is not None:
                futures.fail(pending.future, pending.refused)
            elif not self._takes_over(pending.operation, pending.future):
                futures.complete(pending.future)
        if applied:
            self._applied = applied[-1].last_id
        self.queue.done(applied)

    def _leave(self) -> None:
        """Nobody waits for what is acknowledged and not applied; there is nothing else left."""
        _tell(self._applying, CollectionClosed, "the collection was closed; this operation was acknowledged; " + LATER)
        self.queue.done(self._applying)

    def _poisoned(self, error: BaseException) -> None:
        logger.error("writing to %s failed: %s", self._store.environment.path.parent, error, exc_info=error)
        rest = self.queue.take_rest(error)
        try:
            self._on_poison(error)
        except Exception:
            logger.exception("%s cannot be read any more", self._store.environment.path.parent)
        failed = f"writing failed ({error}); "
        _tell(self._applying, StoreFailed, f"{failed}this operation was acknowledged; {LATER}", error)
        _tell(self._logging, StoreFailed, f"{failed}it is unknown whether this operation is kept", error)
        _tell(rest, StoreFailed, f"{failed}this operation was not logged", error)
        self.queue.done([*self._applying, *self._logging, *rest])


def _is_little(pending: Sequence[Pending]) -> bool:
    size = 0
    for p in pending:
        size += p.size
        if size > AT_ONCE_BYTES or not is_of_its_size(p.operation):
            return False
    return True


def _tell(pending: Sequence[Pending], kind: type[VecstoreError], what: str, cause: BaseException | None = None) -> None:
    for p in pending:
        failure = kind(what)
        failure.__cause__ = cause
        futures.fail(p.future, failure)


def finish(place: Place, first_id: int | None, last_id: int) -> None:
    """End the apply step of operations up to ``last_id``: what they did is recorded.

    They leave the log, in which they are from ``first_id`` on; None: they are not in it.
    """
    place.state.record(place.txn, place.store, last_id)
    if first_id is not None:
        place.store.log.remove(place.txn, first_id, last_id)
    place.store.meta.put_number(place.txn, b"applied", last_id)
