"""Which slots are in use, and which one a new point gets.

A slot is a small number a point has while it lives; indexes and filters speak slots. A slot that a transaction
frees is given again only after that transaction has committed. What a transaction takes and frees can be
taken back to a mark, as long as it has not ended.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from vecstore.storage import bitmaps

if TYPE_CHECKING:
    from typing import TypeAlias

    from vecstore.storage.bitmaps import Bitmap

    Slot: TypeAlias = npt.NDArray[np.uint32]


class Mark(NamedTuple):
    """Where a transaction was: see ``Slots.mark``."""

    taken: int
    freed: int


_FEW = 64  # a set of so many numbers is made sooner than numpy begins


class Slots:
    """The slots of a collection: those in use, all under ``size``. Used by its writer alone."""

    def __init__(self, live: Bitmap, size: int) -> None:
        self._live = bitmaps.resized(live, size)
        self._size = size
        self._free = array("I", bitmaps.absent(live, self._size)[::-1].astype(np.uint32).tobytes())
        self._taken: list[tuple[Slot, int]] = []  # slots, and how many of them were new numbers
        self._freed: list[Slot] = []

    @property
    def size(self) -> int:
        """Every slot that was ever given is under this number."""
        return self._size

    @property
    def bitmap(self) -> Bitmap:
        """The slots in use, as the transaction has left them so far."""
        return self._live

    def take(self, count: int) -> Slot:
        """Slots for ``count`` new points: free ones first, then new numbers."""
        again = min(count, len(self._free))
        slots = np.empty(count, dtype=np.uint32)
        if again:
            slots[:again] = self._free[len(self._free) - again :][::-1]
            del self._free[len(self._free) - again :]
        slots[again:] = np.arange(self._size, self._size + count - again)
        self._size += count - again
        if self._size > 8 * len(self._live):
            self._live = bitmaps.resized(self._live, max(self._size, 16 * len(self._live), 8192))
        bitmaps.add(self._live, slots)
        self._taken.append((slots, count - again))
        return slots

    def free(self, slots: Slot) -> None:
        """Give slots back; they can be taken again after ``settle``."""
        bitmaps.discard(self._live, slots)
        self._freed.append(slots)

    def mark(self) -> Mark:
        """The present place in the transaction, for ``back_to``."""
        return Mark(len(self._taken), len(self._freed))

    def back_to(self, mark: Mark) -> None:
        """Undo what was taken and freed since ``mark``."""
        while len(self._freed) > mark.freed:
            bitmaps.add(self._live, self._freed.pop())
        while len(self._taken) > mark.taken:
            slots, new = self._taken.pop()
            bitmaps.discard(self._live, slots)
            self._size -= new
            self._free.extend(slots[: len(slots) - new][::-1].tolist())

    def changed(self, per_block: int) -> list[int]:
        """The blocks of ``per_block`` slots in which this transaction took or freed any."""
        blocks: set[int] = set()
        for slots in (*(taken for taken, _ in self._taken), *self._freed):
            numbers = slots // per_block
            blocks.update(numbers.tolist() if len(numbers) < _FEW else np.unique(numbers).tolist())
        return sorted(blocks)

    def settle(self) -> None:
        """The transaction has committed: what it freed is free."""
        for slots in self._freed:
            self._free.extend(slots[::-1].tolist())
        self._taken.clear()
        self._freed.clear()
