"""The state: everything in memory that is derived from the store, and the transaction that changes both.

Only the writer uses it. A transaction is ``begin``, any number of changes through ``slots`` and ``vectors``,
``record`` (what was done goes into the LMDB transaction), ``offer`` (the Version after it is registered under
that transaction's id), and, after the commit, ``settle``; or ``back_to`` where it began, when it did not commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vecstore.engine.version import Version, Versions
from vecstore.storage import journal
from vecstore.storage.meta import SLOTS_PER_BLOCK

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from vecstore.engine.rows import Mark as RowsMark
    from vecstore.engine.rows import VectorRows
    from vecstore.models import VectorParams
    from vecstore.storage.environment import Transaction
    from vecstore.storage.meta import Manifest
    from vecstore.storage.slots import Mark as SlotsMark
    from vecstore.storage.slots import Slots
    from vecstore.storage.store import Store


class Mark(NamedTuple):
    """A place in a transaction: see ``State.mark``."""

    slots: SlotsMark
    vectors: dict[str, RowsMark]


class State:
    """Slots in use and rows of every vector name, in step with the store."""

    def __init__(
        self, params: Mapping[str, VectorParams], slots: Slots, vectors: dict[str, VectorRows], next_segment: int
    ) -> None:
        self.params = dict(params)
        self.slots = slots
        self.vectors = vectors
        self.versions = Versions()
        self.journal_bytes = 0
        self.next_segment = next_segment

    def new_number(self) -> int:
        """The number of a new segment: one that no segment has had."""
        self.next_segment += 1
        return self.next_segment - 1

    def record_manifest(self, txn: Transaction, store: Store) -> None:
        """Name the files of every sealed segment in ``txn``, with the rows of them that are dead."""
        manifest: Manifest = {}
        for rows in self.vectors.values():
            for segment in rows.sealed():
                manifest.setdefault(segment.number, {})[rows.field] = segment.files
                if (dead := rows.dead.get(segment.number)) is not None:
                    store.meta.put_dead_rows(txn, segment.number, rows.field, dead)
        store.meta.put_manifest(txn, manifest)
        store.meta.put_number(txn, b"next_segment", self.next_segment)

    def mark(self) -> Mark:
        """The present place in the transaction."""
        return Mark(self.slots.mark(), {name: rows.mark() for name, rows in self.vectors.items()})

    def back_to(self, mark: Mark) -> None:
        """Undo what was done in memory since ``mark``; the caller undoes it in the store."""
        self.slots.back_to(mark.slots)
        for name, rows in self.vectors.items():
            rows.back_to(mark.vectors[name])

    def let_go(self) -> None:
        """Hold no file any more. Who reads or builds keeps what it has until it has done."""
        self.vectors, self.versions = {}, Versions()

    def free(self, slots: npt.NDArray[np.uint32]) -> None:
        """Points are gone: so are their vectors, and their slots can be given again."""
        for rows in self.vectors.values():
            rows.kill(slots)
        self.slots.free(slots)

    def record(self, txn: Transaction, store: Store, sequence: int) -> None:
        """Put what was done into ``txn``; ``offer`` is still to come."""
        changes = [change for rows in self.vectors.values() if (change := rows.change())]
        if changes:
            self.journal_bytes += store.journal.append(txn, sequence, journal.encode(changes))
        if blocks := self.slots.changed(SLOTS_PER_BLOCK):
            store.meta.put_live_slots(txn, self.slots.bitmap, blocks)
            store.meta.put_number(txn, b"slots", self.slots.size)

    def offer(self, txn: Transaction, *, changed: bool = True) -> None:
        """Register the Version that readers see once ``txn`` has committed; the last one where nothing ``changed``."""
        self.versions.register(txn.id(), self.version() if changed else self.versions.latest)

    def version(self) -> Version:
        """The Version of the present place."""
        return Version({name: rows.views() for name, rows in self.vectors.items()}, self.slots.size)

    def settle(self) -> None:
        """The transaction has committed."""
        self.slots.settle()
        for rows in self.vectors.values():
            rows.settle()
