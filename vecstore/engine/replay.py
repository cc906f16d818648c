"""Replay: the rows of one vector name, as files and the journal tell of them.

A reader in another process replays every operation of the writer, one or two between two searches, when nothing of it
is in the processor's caches any more. So an entry of one row, as most are, is replayed in plain numbers, and only the
views of the segments it speaks of are made again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecstore.engine.version import SegmentView
from vecstore.storage import bitmaps
from vecstore.storage.tail import Tail

if TYPE_CHECKING:
    from vecstore.models import VectorParams
    from vecstore.storage.bitmaps import Bitmap
    from vecstore.storage.journal import Change, Row

NO_SEGMENT = -1
"""The number of a tail before the first segment is opened; it never has rows."""


class Replay:
    """``sealed``: the views of the segments in files, as of the last seal.

    ``row`` and ``change`` take entries in the order of the journal. They raise ``ValueError`` or ``LookupError`` for
    what does not follow.
    """

    def __init__(self, field: int, params: VectorParams, sealed: list[SegmentView]) -> None:
        self.field = field
        self.params = params
        self._views = sealed  # and the open tail's at the end, with as many rows as it had when it was last asked for
        self._places = {view.source.number: place for place, view in enumerate(sealed)}
        self._own: set[int] = set()  # places of the bitmaps that nobody has seen yet
        self._begin(NO_SEGMENT)

    def views(self) -> tuple[SegmentView, ...]:
        """What there is now. It does not change when more is replayed."""
        self._see_tail()
        self._own.clear()
        return tuple(self._views if self.tail.rows else self._views[:-1])

    def tails(self) -> list[Tail]:
        """The segments that were not in files yet."""
        return [view.source for view in self._views if isinstance(view.source, Tail)]

    def row(self, row: Row) -> None:
        """Do again what an entry of one row says."""
        _, segment, first, slot, vector, dead_segment, dead_row = row
        self._follow(segment, first, len(vector))
        self.tail.append_row(slot, vector)
        if dead_segment is not None and (place := self._places.get(dead_segment)) is not None:
            bitmap = self._own_bitmap(place)
            self._bury(place, bitmap, bitmaps.put(bitmap, dead_row))

    def change(self, change: Change) -> None:
        """Do again what any entry says of this vector name."""
        if len(change.slots):
            self._follow(change.segment, change.first, change.matrix.shape[1])
            self.tail.append(change.slots, change.matrix)
        elif change.segment > self.tail.number:
            self._open(change.segment)
        for number in set(change.dead_segments.tolist()):
            if (place := self._places.get(number)) is not None:
                bitmap, rows = self._own_bitmap(place), change.dead_rows[change.dead_segments == number]
                self._bury(place, bitmap, bitmaps.add(bitmap, rows))

    def _follow(self, segment: int, first: int, size: int) -> None:
        """Have the tail open that goes on with the row ``first``."""
        if segment > self.tail.number:
            self._open(segment)
        tail = self.tail
        if segment != tail.number or first != tail.rows or size != tail.size:
            expected = f"rows of {tail.size} for segment {tail.number} from {tail.rows} on"
            raise ValueError(f"expected {expected}, got rows of {size} for segment {segment} from {first} on")

    def _open(self, number: int) -> None:
        """The tail grows no more, and another one does."""
        self._see_tail()
        if not self.tail.rows:
            self._views.pop()
            del self._places[self.tail.number]
        self._begin(number)

    def _begin(self, number: int) -> None:
        self.tail = Tail(number, self.params.size)
        self._places[number] = len(self._views)
        self._views.append(SegmentView(self.tail, 0, None, 0))

    def _see_tail(self) -> None:
        _, _, dead, count = self._views[-1]
        rows = self.tail.rows
        if dead is not None and 8 * len(dead) < rows:
            dead = bitmaps.resized(dead, rows)
        self._views[-1] = SegmentView(self.tail, rows, dead, count)

    # An entry may speak of a segment that is gone: it was merged later, its dead rows with it. And what it says of rows
    # in files their dead rows as of the last seal may say already.

    def _own_bitmap(self, place: int) -> Bitmap:
        """The dead rows of a segment, where they may be changed."""
        source, _, dead, _ = self._views[place]
        if dead is None:
            dead = bitmaps.empty(source.rows)
        elif 8 * len(dead) < source.rows:
            dead = bitmaps.resized(dead, source.rows)
        elif place not in self._own:
            dead = dead.copy()
        self._own.add(place)
        return dead

    def _bury(self, place: int, dead: Bitmap, more: int) -> None:
        source, rows, _, count = self._views[place]
        self._views[place] = SegmentView(source, rows, dead, count + more)
