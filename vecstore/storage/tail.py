"""The open end of one vector name: rows in memory that a search can use while more are added.

Rows are kept in blocks of a fixed capacity that never move, and a row is never changed once it is written, so
a reader that knows how many rows it may see needs no lock. The rows of a tail are on disk in the journal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vecstore.storage.codes import Coder

BLOCK_BYTES = 1 << 24
"""A block is this large, in bytes of float32: what a segment is sealed at. The system gives pages as they fill."""


class Tail:
    """The rows of one vector name in one open (or not yet sealed) segment."""

    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self.size = size
        self.rows = 0
        # A multiple of 8, so that a bitmap of dead rows can be cut between bytes where a block ends.
        self._capacity = max(8, BLOCK_BYTES // (4 * size) // 8 * 8)
        self._blocks: list[npt.NDArray[np.float32]] = []
        self._coders: list[Coder] = []
        self._slots = np.empty(self._capacity, dtype=np.uint32)
        self._none = np.empty((0, size), dtype=np.float32)

    @property
    def nbytes(self) -> int:
        """The bytes of the rows that are there."""
        return 4 * self.size * self.rows

    def append(self, slots: npt.NDArray[np.uint32], matrix: npt.NDArray[np.float32]) -> int:
        """Add rows after the last one; returns the number of the first. Nobody sees them yet."""
        first, done = self.rows, 0
        if first + len(slots) > len(self._slots):
            self._make_room(first + len(slots))
        self._slots[first : first + len(slots)] = slots
        while done < len(matrix):
            block, at = divmod(self.rows, self._capacity)
            if block == len(self._blocks):
                self._coders.append(Coder())
                self._blocks.append(np.empty((self._capacity, self.size), dtype=np.float32))
            take = min(len(matrix) - done, self._capacity - at)
            self._blocks[block][at : at + take] = matrix[done : done + take]
            self.rows += take
            done += take
        return first

    def append_row(self, slot: int, vector: npt.NDArray[np.float32]) -> None:
        """``append`` for one row, in a third of the time."""
        rows = self.rows
        block, at = divmod(rows, self._capacity)
        if block == len(self._blocks) or rows == len(self._slots):
            self.append(np.array([slot], dtype=np.uint32), vector[None])
        else:
            self._slots[rows] = slot
            self._blocks[block][at] = vector
            self.rows = rows + 1

    def _make_room(self, rows: int) -> None:
        grown = np.empty(max(rows, 2 * len(self._slots)), dtype=np.uint32)
        grown[: self.rows] = self._slots[: self.rows]
        self._slots = grown  # readers keep the one they have

    def truncate(self, rows: int) -> None:
        """Take back the rows from ``rows`` on, which no reader has seen."""
        self.rows = rows

    def slots(self, rows: int) -> npt.NDArray[np.uint32]:
        """The slots of the first ``rows`` rows."""
        return self._slots[:rows]

    def blocks(self, rows: int) -> list[npt.NDArray[np.float32]]:
        """The first ``rows`` rows, block by block."""
        starts = range(0, rows, self._capacity)
        return [self._blocks[s // self._capacity][: rows - s] for s in starts]

    def coder(self, first: int) -> Coder:
        """What makes codes of the block that begins with the row ``first``."""
        return self._coders[first // self._capacity]

    def only_coder(self) -> Coder | None:
        """The one for all rows; None where they are in several blocks, or there are none."""
        return self._coders[0] if len(self._coders) == 1 else None

    def span(self, first: int, last: int) -> npt.NDArray[np.float32]:
        """The rows from ``first`` up to ``last``; copied only where they lie in several blocks."""
        block, at = divmod(first, self._capacity)
        if first < last <= first - at + self._capacity:
            return self._blocks[block][at : at + last - first]
        parts = [
            block[max(0, first - start) :]
            for start, block in zip(range(0, last, self._capacity), self.blocks(last), strict=True)
            if start + len(block) > first
        ]
        return np.concatenate([self._none, *parts])

    def row(self, number: int) -> npt.NDArray[np.float32]:
        """One row, where it lies."""
        block, at = divmod(number, self._capacity)
        row: npt.NDArray[np.float32] = self._blocks[block][at]
        return row

    def gather(self, rows: npt.NDArray[np.integer[Any]], size: int | None = None) -> npt.NDArray[np.float32]:
        """A copy of these rows, or of the first ``size`` numbers of each."""
        result: npt.NDArray[np.float32]
        if len(self._blocks) == 1:
            result = self._blocks[0][:, :size][rows]
            return result
        result = np.empty((len(rows), self.size), dtype=np.float32)[:, :size]
        block, at = np.divmod(rows, self._capacity)
        for number in np.unique(block):
            here = block == number
            result[here] = self._blocks[number][at[here], :size]
        return result

    def last_rows(self, slots: npt.NDArray[np.uint32], rows: int) -> npt.NDArray[np.int64]:
        """For each slot its last row among the first ``rows``, -1 for none."""
        mine = self._slots[:rows]
        here = np.flatnonzero(np.isin(mine, slots))
        table = np.full(int(slots.max(initial=0)) + 1, -1, dtype=np.int64)
        table[mine[here]] = here  # ascending, so the last row of a slot stays
        return table[slots]
