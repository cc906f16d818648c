"""Building payload indexes, and taking dropped ones away: upkeep of the writer's thread, a little between turns.

An index that is being built has *reached* a slot: the points under it are in the index, and every write keeps
it so; the others come to it here, in the order of their slots. A chunk of points and the new place are one
transaction, so a build goes on where it was when the collection is opened again, and no write is missed.

    1. catalog   what filters asked for is added                      (what users ask for is an operation)
    2. drop      some keys of an index that was dropped, or
    3. build     the next points of those indexes that are furthest behind
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from vecstore import futures
from vecstore.engine.indexing import entries_of
from vecstore.errors import CollectionClosed, StoreFailed
from vecstore.models import PayloadSchemaType
from vecstore.operations import CreateIndex, DeleteIndex
from vecstore.storage.catalog import kind_of
from vecstore.storage.points import split_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vecstore.deadline import Deadline
    from vecstore.engine.fields import Wanted
    from vecstore.engine.state import State
    from vecstore.errors import VecstoreError
    from vecstore.futures import UpdateFuture
    from vecstore.operations import Operation
    from vecstore.storage.catalog import Catalog
    from vecstore.storage.environment import Transaction
    from vecstore.storage.store import Store

logger = logging.getLogger("vecstore")

AUTOMATIC_FROM = 1000
"""Filters ask for indexes in collections of more points than this; fewer are decoded in some milliseconds."""
AUTOMATIC_FIELDS = 32
"""The most fields that filters ask for."""
CHUNK_SECONDS = 0.015
"""How long writes wait for a chunk."""
IDLE_SECONDS = 0.25
"""How long a transaction gathers chunks while no write comes.

Every commit writes the pages it touched: a keyword and a random integer of 1,000,000 points were indexed in
149 s with a commit for each chunk, in 33 s with a commit for each quarter of a second (on a busy machine).
"""
FIRST_CHUNK, SMALLEST_CHUNK, LARGEST_CHUNK = 512, 16, 16384


class IndexBuilder:
    """Builds the indexes of a collection.

    ``wake`` has the writer's thread look after its chores soon; ``is_busy`` tells whether writes are under way.

    All methods but ``suggest`` are for the writer's thread.
    """

    def __init__(self, store: Store, state: State, wake: Callable[[], None], is_busy: Callable[[], bool]) -> None:
        self._store, self._state = store, state
        self._wake, self._is_busy = wake, is_busy
        self._suggesting = threading.RLock()  # also a read in the middle of another may suggest
        self._seen: set[Wanted] = set()
        self._paths: set[str] = set()  # that filters have asked for: when they are many, they are not listened to
        self._suggested: list[Wanted] = []
        self._waiting: list[tuple[CreateIndex, UpdateFuture[Any]]] = []
        self._chunk = FIRST_CHUNK
        with store.environment.read() as txn:
            self.unfinished = _is_unfinished(store.catalog.read(txn))
            """Whether there is something to do that nobody has to ask for."""

    def suggest(self, wanted: Sequence[Wanted], points: int) -> None:
        """A filter over ``points`` points would have used these indexes. Each is made once, if it may be."""
        if points <= AUTOMATIC_FROM or self._seen.issuperset(wanted) or len(self._paths) >= AUTOMATIC_FIELDS:
            return
        with self._suggesting:
            new = [one for one in dict.fromkeys(wanted) if one not in self._seen]
            self._suggested += new
            self._seen.update(new)
            self._paths.update(path for path, _ in new)
        self._wake()

    def takes_over(self, operation: Operation, future: UpdateFuture[Any]) -> bool:
        """Told of every applied operation; returns whether its future is completed here, when its index is built."""
        if not isinstance(operation, CreateIndex | DeleteIndex):
            return False
        self.unfinished = True
        if isinstance(operation, CreateIndex):
            self._waiting.append((operation, future))
            return True
        with self._suggesting:  # what somebody deleted is not made again because of a filter
            self._seen.update((operation.field_name, wanted) for wanted in PayloadSchemaType)
            self._suggested = [one for one in self._suggested if one[0] != operation.field_name]
        return False

    def after_turn(self, sequence: int) -> float | None:
        """Build a little."""
        if self.unfinished or self._suggested:
            self._step()
        return 0 if self.unfinished else None

    def finish(self, deadline: Deadline) -> None:
        """Build what somebody waits for, until the ``deadline``."""
        try:
            while self._waiting and not deadline.is_over():
                self._step()
            self._tell(CollectionClosed, "the collection was closed")
        except StoreFailed as error:
            logger.warning("%s", error)
            self.abandon(error)

    def abandon(self, error: BaseException) -> None:
        """The store has failed: nobody has to wait any more."""
        self._tell(StoreFailed, f"writing failed ({error})", error)

    def _tell(self, kind: type[VecstoreError], what: str, cause: BaseException | None = None) -> None:
        waiting, self._waiting = self._waiting, []
        for operation, future in waiting:
            name = repr(operation.field_name)
            failure = kind(f"{what}; the index of {name} is built when the collection is opened again")
            failure.__cause__ = cause
            futures.fail(future, failure)

    # -- a step ----------------------------------------------------------------------------------------------

    def _step(self) -> None:
        with self._suggesting:
            suggested, self._suggested = self._suggested, []
        catalog = self._store.environment.write(lambda txn: self._work(txn, suggested))
        self.unfinished = _is_unfinished(catalog)
        self._complete(catalog)

    def _work(self, txn: Transaction, suggested: Sequence[Wanted]) -> Catalog:
        catalog = _with_suggested(self._store.catalog.read(txn), suggested)
        end = time.perf_counter() + IDLE_SECONDS
        while _is_unfinished(catalog):
            catalog = self._dropped(txn, catalog) if catalog.dropped else self._built(txn, catalog)
            if self._is_busy() or time.perf_counter() > end:
                break
        self._store.catalog.write(txn, catalog)
        self._state.offer(txn)
        return catalog

    def _dropped(self, txn: Transaction, catalog: Catalog) -> Catalog:
        number = catalog.dropped[0]
        return catalog.forgotten(number) if self._store.indexes.drop(txn, number) else catalog

    def _built(self, txn: Transaction, catalog: Catalog) -> Catalog:
        started = time.perf_counter()
        places = sorted({index.reached for index in catalog.indexes if index.reached is not None})
        start, bound = places[0], (places[1] if len(places) > 1 else None)
        behind = [index for index in catalog.indexes if index.reached == start]
        walk = self._store.points.walk_payloads(txn, start)
        rows = [(slot, value) for slot, value in islice(walk, self._chunk) if bound is None or slot < bound]
        keys = [slot.to_bytes(4, "big") for slot, _ in rows]
        self._store.indexes.put(txn, entries_of(behind, keys, (split_value(value)[1] for _, value in rows)))
        reached = rows[-1][0] + 1 if len(rows) == self._chunk else bound
        self._pace(time.perf_counter() - started)
        return catalog.changed(replace(index, reached=reached) for index in behind)

    def _pace(self, seconds: float) -> None:
        wanted = int(self._chunk * CHUNK_SECONDS / max(seconds, 1e-6))
        # At most twice as many at once: one quick chunk does not mean that the next one is.
        self._chunk = max(SMALLEST_CHUNK, min(wanted, 2 * self._chunk, LARGEST_CHUNK))

    def _complete(self, catalog: Catalog) -> None:
        waiting, self._waiting = self._waiting, []
        for operation, future in waiting:
            found = catalog.find(operation.field_name, kind_of(operation.field_type))
            if found is None or found.ready:  # None: it was deleted again
                futures.complete(future)
            else:
                self._waiting.append((operation, future))


def _is_unfinished(catalog: Catalog) -> bool:
    return bool(catalog.dropped) or not all(index.ready for index in catalog.indexes)


def _with_suggested(catalog: Catalog, suggested: Sequence[Wanted]) -> Catalog:
    for path, wanted in suggested:
        if len(catalog.automatic_paths() | {path}) > AUTOMATIC_FIELDS:
            continue
        if catalog.find(path, kind_of(wanted)) is None:
            catalog = catalog.added(path, wanted, automatic=True, reached=0)
    return catalog
