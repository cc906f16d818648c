"""The rows of a vector name as files, bitmaps and journal say they are: read tolerantly, whatever does not fit is told.

Recovery (``vecstore.engine.recovery``) does the same and stops at the first thing that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from vecstore.checking.files import FilesOfSegment
    from vecstore.models import VectorParams
    from vecstore.storage.bitmaps import Bitmap
    from vecstore.storage.journal import Change

Slots: TypeAlias = npt.NDArray[np.uint32]
Rows: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Matrix: TypeAlias = npt.NDArray[np.float32]

MOST_BYTES = 1 << 29
"""No entry of the journal has more bytes of rows: an operation may not be larger."""


@dataclass
class Part:
    """A segment's rows of one name. ``slots``: None where they cannot be told; ``damage``: see ``FilesOfSegment``.

    ``dead_known``: whether its bitmap of dead rows could be read. ``blocks``: the rows themselves, of a segment that
    is in the journal; those of a sealed one are in its files.
    """

    number: int
    rows: int
    slots: Slots | None
    dead: Mask
    sealed: bool
    damage: list[tuple[str, str]] = field(default_factory=list)
    dead_known: bool = True
    blocks: list[Matrix] = field(default_factory=list)

    def live_rows(self) -> Rows:
        """The rows that are not known to be dead."""
        return np.flatnonzero(~self.dead)

    def live_slots(self) -> Slots:
        """Their slots; none where they cannot be told."""
        return np.empty(0, np.uint32) if self.slots is None else self.slots[~self.dead]

    def bury(self, bitmap: Bitmap) -> None:
        """The rows in ``bitmap`` are dead. It may be shorter, and then the rest is alive. Raises ``ValueError``."""
        bits = np.unpackbits(bitmap, bitorder="little")
        if bits[self.rows :].any() or len(bitmap) > (self.rows + 7) // 8:
            raise ValueError(f"segment {self.number} has {self.rows} rows, and more are said to be dead")
        bits = bits[: self.rows]
        self.dead[: len(bits)] |= bits.astype(np.bool_)

    def append(self, slots: Slots, matrix: Matrix) -> None:
        """More rows, from the journal."""
        assert self.slots is not None
        self.slots = np.concatenate([self.slots, slots])
        self.dead = np.concatenate([self.dead, np.zeros(len(slots), dtype=np.bool_)])
        self.blocks.append(matrix)
        self.rows += len(slots)

    def leave_out(self, count: int, size: int) -> None:
        """There were so many rows of which nothing is known: they count as dead."""
        first = self.rows
        self.append(np.zeros(count, dtype=np.uint32), np.zeros((count, size), dtype=np.float32))
        self.dead[first:] = True


class Held:
    """All rows of one vector name, by segment."""

    def __init__(self, name: str, number: int, params: VectorParams) -> None:
        self.name, self.field, self.params = name, number, params
        self.parts: dict[int, Part] = {}

    def seal(self, number: int, rows: int, found: FilesOfSegment) -> Part:
        """There is a sealed segment."""
        part = Part(number, rows, found.slots, np.zeros(rows, dtype=np.bool_), sealed=True, damage=found.damage)
        self.parts[number] = part
        return part

    def tails(self) -> list[Part]:
        """The segments that are in the journal, in their order."""
        return [part for number, part in sorted(self.parts.items()) if not part.sealed]

    def in_order(self) -> list[Part]:
        """All segments, those with the newest rows last."""
        return [*(part for part in self.parts.values() if part.sealed), *self.tails()]

    def replay(self, change: Change, *, after_damage: bool) -> None:
        """Do what a journal entry says was done. Raises ``ValueError`` where that does not follow.

        ``after_damage``: there were entries before it that could not be read, and rows of theirs may be missing.
        """
        if change.matrix.shape[1] != self.params.size or not np.isfinite(change.matrix).all():
            raise ValueError(f"rows of {self.params.size} numbers were expected")
        if len(change.slots):
            self._append(change, after_damage=after_damage)
        for number in np.unique(change.dead_segments).tolist():
            # A segment that is gone was merged into another after the entry was written, and its dead rows with it.
            if (part := self.parts.get(number)) is not None:
                dead = change.dead_rows[change.dead_segments == number]
                if after_damage:
                    dead = dead[dead < part.rows]
                elif int(dead.max()) >= part.rows:
                    raise ValueError(f"row {dead.max()} of segment {number} is said to be dead, and it is not there")
                part.dead[dead] = True

    def _append(self, change: Change, *, after_damage: bool) -> None:
        number, last = change.segment, max((part.number for part in self.tails()), default=-1)
        part = self.parts.get(number)
        if part is None:
            part = Part(number, 0, np.empty(0, np.uint32), np.empty(0, np.bool_), sealed=False)
            self.parts[number] = part
        missing = change.first - part.rows
        if after_damage and 0 < 4 * self.params.size * missing <= MOST_BYTES and not part.sealed:
            part.leave_out(missing, self.params.size)
        if part.sealed or number < last or change.first != part.rows:
            raise ValueError(f"rows from {change.first} on of segment {number} do not follow those that are there")
        part.append(change.slots, change.matrix)

    def let_the_newest_live(self) -> None:
        """Of several live rows of a slot only the newest stays alive."""
        parts = [part for part in self.in_order() if part.slots is not None]
        slots = np.concatenate([np.empty(0, np.uint32), *(part.live_slots() for part in parts)])
        is_last = np.zeros(len(slots), dtype=np.bool_)
        is_last[len(slots) - 1 - np.unique(slots[::-1], return_index=True)[1]] = True
        first = 0
        for part in parts:
            rows = part.live_rows()
            part.dead[rows[~is_last[first : first + len(rows)]]] = True
            first += len(rows)

    def tail_rows(self) -> tuple[Slots, Matrix]:
        """The live rows that are in the journal, with their slots."""
        parts = self.tails()
        matrices = [np.concatenate(part.blocks)[~part.dead] for part in parts if part.blocks]
        none = np.empty((0, self.params.size), dtype=np.float32)
        slots = [part.live_slots() for part in parts]
        return np.concatenate([np.empty(0, np.uint32), *slots]), np.concatenate([none, *matrices])
