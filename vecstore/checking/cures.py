"""Cures: what mends each kind of damage, or gives up what cannot be mended. Each is done whole, or not at all."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vecstore.engine.indexing import entries_of
from vecstore.errors import Corrupted
from vecstore.storage import bitmaps, files, graph, journal, segments
from vecstore.storage.catalog import EMPTY
from vecstore.storage.journal import Change
from vecstore.storage.library import write_index
from vecstore.storage.meta import SLOTS_PER_BLOCK
from vecstore.storage.points import SLOT_SIZE, split_value
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore.checking.held import Held
    from vecstore.checking.mending import Mending
    from vecstore.storage.bitmaps import Bitmap
    from vecstore.storage.environment import Transaction
    from vecstore.storage.meta import Manifest

CHUNK = 4096
SAMPLE_ROWS = 20_000


@dataclass(frozen=True)
class PutNumber:
    """A counter becomes ``number``."""

    name: bytes
    number: int

    def apply(self, mending: Mending) -> None:
        """Do it."""
        mending.write(lambda txn: mending.store.meta.put_number(txn, self.name, self.number))


@dataclass(frozen=True)
class RaiseSlots:
    """Slots are given from ``number`` on, at least; there may be several that say so, and none that can be read."""

    number: int

    def apply(self, mending: Mending) -> None:
        """Do it."""

        def work(txn: Transaction) -> None:
            meta = mending.store.meta
            number, bitmap = self.number, bitmaps.empty(0)
            with suppress(Corrupted):
                number = max(number, meta.number(txn, b"slots"))
            with suppress(Corrupted):  # or the next look finds that it lacks what is in use
                bitmap = meta.live_slots(txn)
            bitmap = bitmaps.resized(bitmap, number)
            meta.put_live_slots(txn, bitmap, _blocks_of(bitmap))
            meta.put_number(txn, b"slots", number)

        mending.write(work)


@dataclass(frozen=True)
class DropLogged:
    """A logged operation is forgotten."""

    first_id: int

    def apply(self, mending: Mending) -> None:
        """Do it."""
        mending.write(lambda txn: mending.store.log.remove(txn, self.first_id, self.first_id))


# -- points -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PutPoints:
    """Id keys get the slots that their payloads are under."""

    rows: list[tuple[bytes, int]]

    def apply(self, mending: Mending) -> None:
        """Do it."""
        mending.write(lambda txn: _put_points(txn, mending, self.rows))


def _put_points(txn: Transaction, mending: Mending, rows: list[tuple[bytes, int]]) -> None:
    slots = np.array([slot for _, slot in rows], dtype=np.uint32)
    mending.store.points.remove(txn, [key for key, _ in rows], slots[:0])
    mending.store.points.insert(txn, [key for key, _ in rows], slots)


@dataclass(frozen=True)
class DropPoints:
    """Id keys and slots are forgotten; ``kept`` keys get slots."""

    keys: list[bytes]
    slots: list[int]
    kept: list[tuple[bytes, int]] = field(default_factory=list)

    def apply(self, mending: Mending) -> None:
        """Do it."""

        def work(txn: Transaction) -> None:
            mending.store.points.remove(txn, self.keys, np.array(self.slots, dtype=np.uint32))
            _put_points(txn, mending, self.kept)

        mending.write(work)


@dataclass(frozen=True)
class PutLiveSlots:
    """The slots in use are these."""

    slots: npt.NDArray[np.uint32]

    def apply(self, mending: Mending) -> None:
        """Do it."""

        def work(txn: Transaction) -> None:
            bitmap = bitmaps.resized(bitmaps.empty(0), int(self.slots.max(initial=0)) + 1)
            bitmaps.add(bitmap, self.slots)
            mending.store.meta.drop_live_slots(txn)
            mending.store.meta.put_live_slots(txn, bitmap, _blocks_of(bitmap))

        mending.write(work)


def _blocks_of(bitmap: Bitmap) -> range:
    return range(-(-8 * len(bitmap) // SLOTS_PER_BLOCK))


# -- payload indexes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RebuildIndex:
    """A payload index is built again from the payloads; of one that does not exist all keys go."""

    number: int

    def apply(self, mending: Mending) -> None:
        """Do it."""
        mending.write(lambda txn: self._rebuild(txn, mending))

    def _rebuild(self, txn: Transaction, mending: Mending) -> None:
        store = mending.store
        while not store.indexes.drop(txn, self.number):
            pass
        for index in store.catalog.read(txn).indexes:
            if index.number == self.number:
                rows = store.points.walk_payloads(txn)
                while chunk := list(islice(rows, CHUNK)):
                    mine = [(slot, value) for slot, value in chunk if index.reached is None or slot < index.reached]
                    slots = [slot.to_bytes(SLOT_SIZE, "big") for slot, _ in mine]
                    store.indexes.put(txn, entries_of([index], slots, (split_value(value)[1] for _, value in mine)))


@dataclass(frozen=True)
class ForgetIndexes:
    """All payload indexes are gone."""

    def apply(self, mending: Mending) -> None:
        """Do it."""

        def work(txn: Transaction) -> None:
            mending.store.catalog.write(txn, EMPTY)
            for number in mending.store.indexes.totals(txn):
                while not mending.store.indexes.drop(txn, number):
                    pass

        mending.write(work)


# -- segment files ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RewriteSlots:
    """A slots file gets the content the manifest has the checksum of."""

    path: Path
    content: bytes

    def apply(self, mending: Mending) -> None:
        """Do it."""
        files.write_whole(self.path, lambda path: segments.write_bytes(path, self.content), sync=True)
        files.sync_folder(self.path.parent)


@dataclass(frozen=True)
class RebuildGraph:
    """A graph is built again from the rows beside it. Until that is done the segment has none."""

    number: int
    field_number: int

    def apply(self, mending: Mending) -> None:
        """Do it."""
        params = list(mending.params.values())[self.field_number]
        self._name(mending, graph.NONE, 0, 0)
        with mending.store.environment.read() as txn:
            said = mending.store.meta.manifest(txn)[self.number][self.field_number]
        rows = Sealed(mending.folder, self.number, self.field_number, params, said).blocks(said.rows)[0]
        index = graph.new(params, rows[:: max(1, len(rows) // SAMPLE_ROWS)].copy())
        if graph.storage_of(index) != graph.SQ8:
            return  # which holds the rows, too, and belongs into another segment: the optimizer makes it
        for first in range(0, len(rows), CHUNK):
            graph.add(index, rows[first : first + CHUNK].copy(), None)
        path = segments.graph_path(mending.folder, self.number, self.field_number)
        files.write_whole(path, lambda temporary: write_index(index, temporary), sync=True)
        files.sync_folder(mending.folder)
        self._name(mending, graph.SQ8, path.stat().st_size, files.checksum(path))

    def _name(self, mending: Mending, storage: int, size: int, checksum: int) -> None:
        def change(manifest: Manifest) -> None:
            fields = manifest[self.number]
            fields[self.field_number] = replace(
                fields[self.field_number], storage=storage, graph_size=size, graph_checksum=checksum
            )

        mending.change_manifest(change)


@dataclass(frozen=True)
class DropSegment:
    """A segment's rows of one vector are given up."""

    number: int
    field_number: int

    def apply(self, mending: Mending) -> None:
        """Do it."""

        def work(txn: Transaction) -> None:
            manifest = mending.store.meta.manifest(txn)
            manifest.get(self.number, {}).pop(self.field_number, None)
            mending.store.meta.put_manifest(txn, {number: fields for number, fields in manifest.items() if fields})
            mending.store.meta.drop_dead_rows(txn, self.number, self.field_number)

        mending.write(work)
        mending.held[self.field_number].parts.pop(self.number, None)


# -- rows and journal ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KillRows:
    """Rows are dead."""

    field_number: int
    number: int
    rows: npt.NDArray[np.int64]

    def apply(self, mending: Mending) -> None:
        """Do it in memory; ``rewrite_journal`` is to follow."""
        if (part := mending.held[self.field_number].parts.get(self.number)) is not None:
            part.dead[self.rows] = True
            mending.journal_changed = True


@dataclass(frozen=True)
class RewriteJournal:
    """The journal becomes what could be read of it. Of several rows of a point the newest counts."""

    def apply(self, mending: Mending) -> None:
        """Do it in memory; ``rewrite_journal`` is to follow."""
        for held in mending.held:
            held.let_the_newest_live()
        mending.journal_changed = True


def rewrite_journal(mending: Mending) -> None:
    """Put the rows as ``mending`` holds them into one entry and the bitmaps of dead rows, in one transaction.

    What is alive of the open segment is then in a segment with a number that no other has had.
    """

    def work(txn: Transaction) -> None:
        meta = mending.store.meta
        used = [number for held in mending.held for number in held.parts]
        number = max([meta.number(txn, b"next_segment"), *(n + 1 for n in used)])
        meta.put_number(txn, b"next_segment", number + 1)
        if (last := mending.store.journal.last(txn)) is not None:
            mending.store.journal.drop(txn, last)
        changes = [change for held in mending.held if len((change := _change(held, number)).slots)]
        if changes:
            mending.store.journal.append(txn, meta.number(txn, b"applied"), journal.encode(changes))
        for held in mending.held:
            for part in held.parts.values():
                if part.sealed and part.dead.any():
                    meta.put_dead_rows(txn, part.number, held.field, np.packbits(part.dead, bitorder="little"))

    mending.write(work)


def _change(held: Held, number: int) -> Change:
    slots, matrix = held.tail_rows()
    none = np.empty(0, dtype=np.uint32)
    return Change(held.field, number, 0, slots, matrix, none, none)
