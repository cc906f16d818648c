"""Versions: what a reader may see of the vectors, for each state the store has committed.

A Version is immutable. It is registered under the id of the LMDB transaction that commits the same state to
disk, before that commit; a reader begins a read transaction and takes the Version with its id, so what it
reads from both is one state, between two operations (invariant 6 of ``vecstore.engine``). Nothing is copied:
rows never move or change, so a Version is counts of rows and bitmaps of the dead ones.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from vecstore.storage import bitmaps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vecstore.storage.bitmaps import Bitmap

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

    def gather(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """A copy of these rows."""

    def last_rows(self, slots: npt.NDArray[np.uint32], rows: int) -> npt.NDArray[np.int64]:
        """For each slot its last row among the first ``rows``, -1 for none."""


@dataclass(frozen=True, slots=True)
class SegmentView:
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

    def live_slots(self) -> npt.NDArray[np.uint32]:
        """The slots of the rows that are alive."""
        if self.dead is None:
            return self.slots()
        return self.slots()[bitmaps.absent(self.dead, self.rows)]

    def rows_of(self, wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """The live rows whose slots are ``wanted`` (one bool a slot), ascending."""
        rows = np.flatnonzero(wanted[self.slots()])
        return rows if self.dead is None else rows[self.live(rows)]

    def locate(self, slots: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        """For each slot the live row that holds its vector, -1 where it is not here."""
        rows = self.source.last_rows(slots, self.rows)
        here = np.flatnonzero(rows >= 0)
        rows[here[~self.live(rows[here])]] = -1
        return rows


@dataclass(frozen=True, slots=True)
class Version:
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

    def of(self, transaction: int) -> Version | None:
        """The Version of a transaction, None when it is no longer kept."""
        return self._kept.get(transaction)
