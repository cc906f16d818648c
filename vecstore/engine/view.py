"""A view: one state of the collection, read from one LMDB snapshot and the Version of the same transaction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.engine.filtering import Scan, Scope
from vecstore.engine.version import Wanted
from vecstore.errors import CollectionClosed, StoreFailed
from vecstore.records import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vecstore.conditions import Filter
    from vecstore.engine import fields
    from vecstore.engine.memo import Memo, Memos
    from vecstore.engine.version import Version
    from vecstore.models import Array
    from vecstore.records import Project, Record, ScoredPoint
    from vecstore.storage.environment import Reading, Transaction
    from vecstore.storage.points import Points
    from vecstore.storage.store import Store

Slots: TypeAlias = npt.NDArray[np.uint32]
Suggest: TypeAlias = "Callable[[Sequence[fields.Wanted], int], None]"


class Source(Protocol):
    """Where the states come from that views show: an engine, or the follower of another process's."""

    memos: Memos

    @property
    def store(self) -> Store:
        """The store, as readers may use it."""

    def version_of(self, txn: Transaction) -> Version | None:
        """The Version of a transaction of the store; None where it is no longer kept."""

    def replaced(self, store: Store) -> bool:
        """Whether ``store`` was closed because another has taken its place."""

    def reopen_to_read(self) -> None:
        """Have another store take its place, if the store refuses reads because of a failed write."""


class Opened(Protocol):
    """What a handle has open. Its source may change."""

    @property
    def source(self) -> Source:
        """The present source. Raises ``CollectionClosed``."""

    def replaced(self, store: Store) -> bool:
        """Whether ``store`` was closed because another has taken its place."""


class View:
    """A context manager: inside it ``txn`` and ``version`` are one state. Nothing it gives out points into it.

    ``suggest``: is told the payload indexes a filter would have used, and how many points there are.
    ``long``: see ``Environment.read``.
    """

    txn: Transaction
    version: Version
    points: Points
    store: Store
    _memos: Memos

    def __init__(self, opened: Opened, suggest: Suggest | None = None, *, long: bool = False) -> None:
        self._opened = opened
        self._suggest = suggest
        self._long = long
        self._inside: Reading | None = None

    def __enter__(self) -> View:
        while not self._begin():
            time.sleep(0)
        return self

    def _begin(self) -> bool:
        source = self._opened.source
        store = source.store
        inside = self._inside = store.environment.read(long=self._long)
        try:
            self.txn = inside.__enter__()
        except CollectionClosed:
            if not self._opened.replaced(store):
                raise
            return False
        except StoreFailed:  # LMDB has given up on a failed write, and the writer may not have got to it yet
            source.reopen_to_read()
            if not source.replaced(store):
                raise
            return False
        try:
            version = source.version_of(self.txn)
        except BaseException as error:
            inside.__exit__(type(error), error, error.__traceback__)
            raise
        if version is None:  # it took so long to get here that the Version is no longer kept
            inside.end()
            return False
        self.version, self.store, self.points = version, store, store.points
        self._memos = source.memos
        return True

    def __exit__(self, *error: Any) -> None:
        assert self._inside is not None
        self._inside.__exit__(*error)
        self._inside = None  # there is nothing left to ``end``

    def end(self) -> None:
        """End it if it has not ended: an interrupt may have kept Python from calling ``__exit__``."""
        if self._inside is not None:
            self._inside.end()

    # -- filters ---------------------------------------------------------------------------------------------

    def scan(self, condition: Filter) -> Scan:
        """The filter over this state."""
        store, txn = self.store, self.txn
        scope = Scope(txn, store, self.version.slots, lambda: store.meta.live_slots(txn), self._present, self._memo())
        scan = Scan(scope, condition)
        self._suggest_missing(scan.missing)
        return scan

    def _suggest_missing(self, missing: Sequence[fields.Wanted]) -> None:
        if missing and self._suggest is not None:
            self._suggest(missing, self.points.count(self.txn))

    def wanted(self, condition: Filter) -> Wanted:
        """The points that match, as a search wants them."""
        found = self._memo().wanted(condition, lambda: self._wanted(condition))
        self._suggest_missing(found.missing)  # also where a handle found it that does not ask for indexes
        return found

    def _wanted(self, condition: Filter) -> Wanted:
        scan = self.scan(condition)
        return Wanted(scan.matching(), self.version.slots, scan.missing)

    def _memo(self) -> Memo:
        return self._memos.of(self.txn.id())

    def _present(self, name: str) -> npt.NDArray[np.bool_] | None:
        return self.version.present(name) if name in self.version.vectors else None

    # -- records ---------------------------------------------------------------------------------------------

    def records(self, values: Sequence[bytes], slots: Slots, project: Project, names: Sequence[str]) -> list[Record]:
        """The records of stored values; ``slots`` beside them are needed for the vectors ``names`` alone."""
        records = [record_of(value, project) for value in values]
        self.add_vectors(records, slots, names)
        return records

    def add_vectors(self, records: Sequence[Record | ScoredPoint], slots: Slots, names: Sequence[str]) -> None:
        """Give the records of these slots their vectors ``names``, if there are any."""
        if names and records:
            for record, vector in zip(records, self.vectors(slots, names), strict=True):
                record.vector = vector

    def vectors(self, slots: Slots, names: Sequence[str]) -> list[Array | dict[str, Array]]:
        """For each slot its vectors by name, or the one unnamed vector."""
        found: list[dict[str, Array]] = [{} for _ in range(len(slots))]
        for name in names:
            positions, matrix = self.version.gather(name, slots)
            for position, row in zip(positions.tolist(), matrix, strict=True):
                # A copy of its own, so that one kept vector does not keep the others.
                found[position][name] = row.copy()
        if list(self.version.vectors) == [""]:
            return [vectors.get("", vectors) for vectors in found]
        return list(found)
