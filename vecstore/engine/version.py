"""Versions: what a reader may see of the vectors, for each state the store has committed.

A Version is immutable. It is registered under the id of the LMDB transaction that commits the same state to
disk, before that commit; a reader begins a read transaction and takes the Version with its id, so what it
reads from both is one state, between two operations (invariant 6 of ``vecstore.engine``). Nothing is copied:
rows never move or change, so a Version is counts of rows and bitmaps of the dead ones.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from vecstore.storage import bitmaps
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vecstore.engine import fields
    from vecstore.storage.bitmaps import Bitmap
    from vecstore.storage.codes import Coder

FEW = 8
"""So many times fewer wanted slots than rows are looked up one by one; more are picked out of all rows."""
KEPT = 32
"""How many Versions are kept for readers that have begun and not yet asked. One that is gone begins again."""


class Rows(Protocol):
    """A segment's rows of one vector name: ``Tail`` or ``Sealed``."""

    number: int
    size: int
    rows: int

    @property
    def nbytes(self) -> int:
        """Bytes in memory, or in files."""

    def slots(self, rows: int) -> npt.NDArray[np.uint32]:
        """The slots of the first ``rows`` rows."""

    def blocks(self, rows: int) -> list[npt.NDArray[np.float32]]:
        """The first ``rows`` rows, in one matrix or several."""

    def coder(self, first: int) -> Coder:
        """What makes codes of the block that begins with the row ``first``."""

    def row(self, number: int) -> npt.NDArray[np.float32]:
        """One row, where it lies: not to be kept."""

    def gather(self, rows: npt.NDArray[np.integer[Any]], size: int | None = None) -> npt.NDArray[np.float32]:
        """A copy of these rows, or of the first ``size`` numbers of each."""

    def last_rows(self, slots: npt.NDArray[np.uint32], rows: int) -> npt.NDArray[np.int64]:
        """For each slot its last row among the first ``rows``, -1 for none."""


class Wanted:
    """The slots a search of one Version is confined to, ascending; all slots of the Version are under ``size``.

    Which rows they are in each segment is found once, as one filter is often asked with many queries. ``missing``:
    the payload indexes that would have helped to find them.
    """

    def __init__(self, slots: npt.NDArray[np.uint32], size: int, missing: Sequence[fields.Wanted] = ()) -> None:
        self.slots = slots
        self.missing = missing
        self._size = size
        self._rows: WeakKeyDictionary[Rows, npt.NDArray[np.int64]] = WeakKeyDictionary()
        self._bitmaps: WeakKeyDictionary[Rows, Bitmap] = WeakKeyDictionary()

    @property
    def nbytes(self) -> int:
        """About how much memory this takes once it was used."""
        return 13 * len(self.slots) + 2 * self._size

    def rows_in(self, view: SegmentView) -> npt.NDArray[np.int64]:
        """The live rows of a segment whose slots are wanted, ascending."""
        rows = self._rows.get(view.source)
        if rows is None:
            rows = self._rows[view.source] = view.rows_of(self)
        return rows

    def bitmap_in(self, view: SegmentView) -> Bitmap:
        """The same as a bitmap."""
        bitmap = self._bitmaps.get(view.source)
        if bitmap is None:
            chosen = np.zeros(view.rows, dtype=np.bool_)
            chosen[self.rows_in(view)] = True
            bitmap = self._bitmaps[view.source] = np.packbits(chosen, bitorder="little")
        return bitmap

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """One bool a slot: whether it is wanted."""
        mask = np.zeros(self._size, dtype=np.bool_)
        mask[self.slots] = True
        return mask


def _places_of(ascending: npt.NDArray[np.uint32], wanted: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """Where the ``wanted`` numbers are among ``ascending`` ones; those that are not there are left out."""
    first = int(ascending[0])
    if int(ascending[-1]) - first + 1 == len(ascending):  # without a gap: the place is the number itself
        inside = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + len(ascending))]
        return inside.astype(np.int64) - first
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    here: npt.NDArray[np.int64] = places[ascending[places] == wanted]
    return here


class SegmentView(NamedTuple):
    """The first ``rows`` rows of a segment, without the ``dead`` ones (at least ``rows`` bits; None: none)."""

    source: Rows
    rows: int
    dead: Bitmap | None
    dead_count: int

    @property
    def live_count(self) -> int:
        """How many rows are alive."""
        return self.rows - self.dead_count

    def slots(self) -> npt.NDArray[np.uint32]:
        """The slot of every row, dead ones too."""
        return self.source.slots(self.rows)

    def live(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """For each of these rows whether it is alive."""
        if self.dead is None:
            return np.ones(len(rows), dtype=np.bool_)
        return ~bitmaps.contains(self.dead, rows)

    def live_rows(self) -> npt.NDArray[np.int64]:
        """The rows that are alive, ascending."""
        return np.arange(self.rows) if self.dead is None else bitmaps.absent(self.dead, self.rows)

    def live_slots(self) -> npt.NDArray[np.uint32]:
        """The slots of the rows that are alive."""
        if self.dead is None:
            return self.slots()
        return self.slots()[bitmaps.absent(self.dead, self.rows)]

    def rows_of(self, wanted: Wanted) -> npt.NDArray[np.int64]:
        """The live rows whose slots are ``wanted``, ascending."""
        if isinstance(self.source, Sealed) and self.source.ascending and len(wanted.slots) * FEW < self.rows:
            rows = _places_of(self.slots(), wanted.slots)
        else:
            rows = np.flatnonzero(wanted.mask[self.slots()])
        return rows if self.dead is None else rows[self.live(rows)]

    def locate(self, slots: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        """For each slot the live row that holds its vector, -1 where it is not here."""
        rows = self.source.last_rows(slots, self.rows)
        here = np.flatnonzero(rows >= 0)
        rows[here[~self.live(rows[here])]] = -1
        return rows


class Version(NamedTuple):
    """The vectors of one state: the segments of every vector name. Every slot of a row is under ``slots``."""

    vectors: Mapping[str, tuple[SegmentView, ...]]
    slots: int

    def present(self, name: str) -> npt.NDArray[np.bool_]:
        """One bool a slot: whether its point has the vector ``name``."""
        mask = np.zeros(self.slots, dtype=np.bool_)
        for view in self.vectors[name]:
            mask[view.live_slots()] = True
        return mask

    def gather(self, name: str, slots: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The vectors ``name`` of these slots: the positions in ``slots`` that have one, and a matrix of them."""
        positions, parts = [], []
        for view in self.vectors[name]:
            rows = view.locate(slots)
            here = np.flatnonzero(rows >= 0)
            if len(here):
                positions.append(here)
                parts.append(view.source.gather(rows[here]))
        if not parts:
            return np.empty(0, np.int64), np.empty((0, 0), np.float32)
        return np.concatenate(positions), np.concatenate(parts)


class Versions:
    """The Versions of the last transactions, by transaction id."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, Version] = OrderedDict()
        self.latest: Version = Version({}, 0)

    def register(self, transaction: int, version: Version) -> None:
        """Offer ``version`` to readers of ``transaction``. IMPORTANT: before the transaction commits."""
        self._kept[transaction] = version
        self.latest = version
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def keep_latest(self) -> None:
        """Forget all but the last one, so that segments which are not in it are let go when nobody searches them."""
        for transaction in list(self._kept)[:-1]:
            self._kept.pop(transaction, None)

    def of(self, transaction: int) -> Version | None:
        """The Version of a transaction, None when it is no longer kept."""
        return self._kept.get(transaction)
