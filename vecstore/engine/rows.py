"""The rows of one vector name, as the writer knows them: where each point's vector is, and what has died.

Invariant 2 of ``vecstore.engine``: every live vector is in exactly one live row of one segment. ``append`` and
``kill`` keep it; the journal entry of the transaction (``change``) is the two of them on disk. What a
transaction did can be taken back to a mark, as long as it has not ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.engine.version import Rows, SegmentView
from vecstore.storage import bitmaps
from vecstore.storage.journal import Change
from vecstore.storage.segments import Sealed
from vecstore.storage.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vecstore.engine.replay import Replay
    from vecstore.storage.bitmaps import Bitmap

Slots: TypeAlias = npt.NDArray[np.uint32]
Places: TypeAlias = npt.NDArray[np.uint64]
Numbers: TypeAlias = npt.NDArray[np.uint32]
Matrix: TypeAlias = npt.NDArray[np.float32]

NOWHERE = np.uint64(2**64 - 1)
LOWER = 2**32 - 1
NEWS = 64
"""The optimizer looks at a segment again whenever another one in so many of its rows has died, and after the last."""
FIRST = 8
"""Of vectors that may be equal, so many numbers are looked at first: the rest is seldom read for nothing."""
SAMPLE = 8
"""Of about so many old vectors, evenly spread, one must be what it was, or the others are not looked at: where segments
are not in memory each look is a read of the disk (20,000 new vectors for old points took 2.7 times as long)."""
_NO_ROWS = np.empty(0, dtype=np.uint32)


class Mark(NamedTuple):
    """Where a transaction was: see ``VectorRows.mark``."""

    rows: int
    dead: dict[int, Bitmap]
    dead_counts: dict[int, int]
    deaths: int
    moves: int


class VectorRows:
    """The segments of one vector name; the last one is the open tail."""

    def __init__(self, replayed: Replay) -> None:
        views = replayed.views()
        self.field = replayed.field
        self.params = replayed.params
        self.segments: list[Rows] = [view.source for view in views]
        self.dead: dict[int, Bitmap] = {view.source.number: view.dead for view in views if view.dead is not None}
        self._dead_counts = {number: view.dead_count for view in views if (number := view.source.number) in self.dead}
        self.looks = False  # whether files of segments may be read to see what has not changed: see ``put``
        self.sealed_changes = 0  # how often a sealed segment came, went, or lost many rows: see ``Optimizer``
        self._own: set[int] = set()  # segments whose bitmap this transaction has already copied
        self._locations: npt.NDArray[np.uint64] | None = None
        self._deaths: list[tuple[Numbers, Numbers]] = []  # segments, and rows beside them
        self._moves: list[tuple[Slots, Places | np.uint64]] = []  # slots, and where they were
        self._seen: dict[int, tuple[SegmentView, Bitmap | None]] = {}  # the last views, and of which dead rows
        self._tail = replayed.tail
        self._settled_rows = self._tail.rows
        if self._tail not in self.segments:
            self.segments.append(self._tail)

    def open(self, number: int) -> None:
        """Begin a new tail. The one before, if it has rows, grows no more."""
        if self.segments and not self.segments[-1].rows:
            self.segments.pop()
        self._tail = Tail(number, self.params.size)
        self._settled_rows = 0
        self.segments.append(self._tail)

    def sealed(self) -> list[Sealed]:
        """The segments that are in files."""
        return [segment for segment in self.segments if isinstance(segment, Sealed)]

    def closed_tails(self) -> list[Tail]:
        """The segments that grow no more and are not in files yet."""
        return [segment for segment in self.segments[:-1] if isinstance(segment, Tail)]

    @property
    def tail(self) -> Tail:
        """The open end."""
        return self._tail

    # -- a transaction ---------------------------------------------------------------------------------------

    def put(self, slots: Slots, matrix: Matrix) -> None:
        """Give points, each once, a vector. One that has this very vector keeps its row.

        So points that are sent again, as pipelines and notebooks do, cost no row, and no place in a graph.
        """
        if len(slots) == 1:
            self._put_one(slots, matrix)
            return
        if self.looks and (kept := self._holds(slots, matrix)).any():
            slots, matrix = slots[~kept], matrix[~kept]
        self.kill(slots)
        self.append(slots, matrix)

    def _put_one(self, slots: Slots, matrix: Matrix) -> None:
        """``put`` for one slot: with numbers in the place of arrays it takes a third of the time."""
        slot = int(slots[0])
        locations = self.locations(slot + 1)
        place = int(locations[slot])
        if place != NOWHERE:
            segment, row = self._segment(place >> 32), place & LOWER
            assert segment is not None
            if self.looks and _is_equal(segment, row, matrix[0]):
                return
            dying = np.array([place >> 32, row], dtype=np.uint32)
            self._deaths.append((dying[:1], dying[1:]))
            self._note_dead(segment, bitmaps.put(self._own_bitmap(segment), row))
        self._moves.append((slots, np.uint64(place)))
        locations[slot] = self._tail.number << 32 | self._tail.rows
        self._tail.append_row(slot, matrix[0])

    def _segment(self, number: int) -> Rows | None:
        for segment in self.segments:
            if segment.number == number:
                return segment
        return None

    def _holds(self, slots: Slots, matrix: Matrix) -> npt.NDArray[np.bool_]:
        """For each slot whether its vector is the same, bit for bit."""
        places = self._locations_of(slots)[slots]
        there = (places != NOWHERE).nonzero()[0]
        looked_at = there[:: 1 + len(there) // SAMPLE]
        equal = self._compare(places[looked_at], matrix[looked_at])
        if len(looked_at) < len(there) and equal.any():
            looked_at, equal = there, self._compare(places[there], matrix[there])
        same = np.zeros(len(slots), dtype=np.bool_)
        same[looked_at] = equal
        return same

    def _compare(self, places: Places, matrix: Matrix) -> npt.NDArray[np.bool_]:
        """For each place whether the row there is the same as the one in ``matrix``."""
        segments, rows = _parts(places)
        equal = np.zeros(len(places), dtype=np.bool_)
        for segment in self.segments:
            here = (segments == segment.number).nonzero()[0]
            if len(here):
                equal[here] = _are_equal(segment, rows[here], matrix[here])
        return equal

    def append(self, slots: Slots, matrix: Matrix) -> None:
        """Give points that have no vector here one."""
        if not len(slots):
            return
        locations = self._locations_of(slots)  # IMPORTANT: before there are new rows, so that they can be taken back
        place = self._tail.number << 32 | self._tail.append(slots, matrix)
        self._moves.append((slots, NOWHERE))
        locations[slots] = place if len(slots) == 1 else np.arange(place, place + len(slots), dtype=np.uint64)

    def kill(self, slots: Slots) -> None:
        """Take the vectors of these points away, where they have one."""
        locations = self._locations_of(slots)
        places = locations[slots]
        if len(slots) > 1 and not (there := places != NOWHERE).all():
            slots, places = slots[there], places[there]
        if len(slots) > 1 or (len(slots) == 1 and places[0] != NOWHERE):
            self._moves.append((slots, places))
            locations[slots] = NOWHERE
            dying = _parts(places)
            self._deaths.append(dying)
            self._bury(*dying)

    def _bury(self, segments: Numbers, rows: Numbers) -> None:
        for number in set(segments.tolist()):
            segment = self._segment(number)
            assert segment is not None
            mine = rows if len(rows) == 1 else rows[segments == number]
            self._note_dead(segment, bitmaps.add(self._own_bitmap(segment), mine))

    def _note_dead(self, segment: Rows, more: int) -> None:
        """So many rows more of a segment are in the bitmap of its dead ones."""
        before = self._dead_counts[segment.number]
        self._dead_counts[segment.number] = after = before + more
        if isinstance(segment, Sealed) and before * NEWS // segment.rows != after * NEWS // segment.rows:
            self.sealed_changes += 1

    def _own_bitmap(self, segment: Rows) -> Bitmap:
        number = segment.number
        bitmap = self.dead.get(number)
        if bitmap is None:
            bitmap, self._dead_counts[number] = bitmaps.empty(segment.rows), 0
        elif 8 * len(bitmap) < segment.rows:
            bitmap = bitmaps.resized(bitmap, segment.rows)
        elif number not in self._own:
            bitmap = bitmap.copy()
        self._own.add(number)
        self.dead[number] = bitmap
        return bitmap

    def mark(self) -> Mark:
        """The present place in the transaction, for ``back_to``."""
        self._own.clear()  # the bitmaps of the mark must not change any more
        return Mark(self._tail.rows, dict(self.dead), dict(self._dead_counts), len(self._deaths), len(self._moves))

    def back_to(self, mark: Mark) -> None:
        """Undo everything since ``mark``."""
        if (len(self._moves), self._tail.rows) == (mark.moves, mark.rows):
            return
        while len(self._moves) > mark.moves:
            slots, places = self._moves.pop()
            self.locations(0)[slots] = places
        del self._deaths[mark.deaths :]
        self._tail.truncate(mark.rows)
        self.dead, self._dead_counts = dict(mark.dead), dict(mark.dead_counts)
        self._own.clear()

    def change(self) -> Change | None:
        """What the transaction did so far, for the journal; None for nothing."""
        first, last = self._settled_rows, self._tail.rows
        if first == last and not self._deaths:
            return None
        segments, rows = self._all_deaths()
        return Change(
            field=self.field,
            segment=self._tail.number,
            first=first,
            slots=self._tail.slots(last)[first:],
            matrix=self._tail.span(first, last),
            dead_segments=segments,
            dead_rows=rows,
        )

    def _all_deaths(self) -> tuple[Numbers, Numbers]:
        if len(self._deaths) == 1:
            return self._deaths[0]
        segments, rows = zip((_NO_ROWS, _NO_ROWS), *self._deaths, strict=True)
        return np.concatenate(segments), np.concatenate(rows)

    def settle(self) -> None:
        """The transaction has committed."""
        self._settled_rows = self._tail.rows
        self._own.clear()
        self._deaths.clear()
        self._moves.clear()

    # -- sealing and merging ---------------------------------------------------------------------------------

    def _set_dead(self, number: int, bitmap: Bitmap) -> None:
        self.dead[number] = bitmap
        self._dead_counts[number] = bitmaps.count(bitmap)

    def replace(self, tail: Tail, sealed: Sealed) -> None:
        """A tail that grew no more is now in files. Rows keep their numbers."""
        sealed.keep_codes(tail)
        self.segments[self.segments.index(tail)] = sealed
        self.sealed_changes += 1

    def merge(self, sources: Sequence[Rows], merged: Sealed | None, slots: Slots, places: Places) -> None:
        """``merged`` takes the place of ``sources``; None where no row of them was alive.

        ``slots`` and ``places`` (segment << 32 | row) are those of its rows in the sources. Rows that have died
        since, or were dead, are dead in it too.
        """
        locations = self.locations(int(slots.max(initial=0)) + 1)  # IMPORTANT: where rows were before
        gone = {id(source) for source in sources}
        kept = [segment for segment in self.segments if id(segment) not in gone]
        self.segments = kept if merged is None else [merged, *kept]
        self.sealed_changes += 1
        for source in sources:
            self.dead.pop(source.number, None)
            self._dead_counts.pop(source.number, None)
        if merged is None:
            return
        alive = locations[slots] == places
        locations[slots[alive]] = (np.uint64(merged.number) << np.uint64(32)) | np.flatnonzero(alive).astype(np.uint64)
        if not alive.all():
            self._set_dead(merged.number, np.packbits(~alive, bitorder="little"))

    # -- what readers and the writer ask -----------------------------------------------------------------------

    def _locations_of(self, slots: Slots) -> Places:
        """``locations``, with room for these slots."""
        return self.locations(1 + (int(slots[0]) if len(slots) == 1 else int(slots.max(initial=0))))

    def locations(self, size: int) -> npt.NDArray[np.uint64]:
        """Where the vector of each slot is (segment << 32 | row, or ``NOWHERE``), with room for ``size``."""
        if self._locations is None:
            self._locations = self._locate_all()
        if len(self._locations) < size:
            grown = np.full(max(size, 2 * len(self._locations), 1024), NOWHERE)
            grown[: len(self._locations)] = self._locations
            self._locations = grown
        return self._locations

    def _locate_all(self) -> npt.NDArray[np.uint64]:
        views = self.views()
        size = max((int(v.slots().max(initial=0)) + 1 for v in views), default=0)
        locations = np.full(size, NOWHERE)
        for view in views:
            rows = np.arange(view.rows) if view.dead is None else bitmaps.absent(view.dead, view.rows)
            number = np.uint64(view.source.number) << np.uint64(32)
            locations[view.slots()[rows]] = number | rows.astype(np.uint64)
        return locations

    def present(self, size: int) -> npt.NDArray[np.bool_]:
        """One bool for each of ``size`` slots: whether its point has this vector, as the transaction left it."""
        there: npt.NDArray[np.bool_] = self.locations(size)[:size] != NOWHERE
        return there

    def views(self) -> tuple[SegmentView, ...]:
        """What a reader may see after this transaction."""
        self._seen = {segment.number: self._view(segment) for segment in self.segments if segment.rows}
        return tuple([view for view, _ in self._seen.values()])

    def _view(self, segment: Rows) -> tuple[SegmentView, Bitmap | None]:
        """The view of a segment, the same as long as nothing has changed in it, and the dead rows it was made of."""
        dead, count = self.dead.get(segment.number), self._dead_counts.get(segment.number, 0)
        seen = self._seen.get(segment.number)
        if seen is not None:
            view = seen[0]
            if seen[1] is dead and view.source is segment and (view.rows, view.dead_count) == (segment.rows, count):
                return seen
        wide = bitmaps.resized(dead, segment.rows) if dead is not None and 8 * len(dead) < segment.rows else dead
        return SegmentView(segment, segment.rows, wide, count), dead


def _are_equal(segment: Rows, rows: Numbers, matrix: Matrix) -> npt.NDArray[np.bool_]:
    """For each row of a segment whether it is the same as the one in ``matrix``; False where it cannot be read."""
    try:
        equal = _same_bits(segment.gather(rows, FIRST), matrix[:, :FIRST])
        maybe = equal.nonzero()[0]
        if len(maybe):
            equal[maybe] = _same_bits(segment.gather(rows[maybe]), matrix[maybe])
    except Exception:  # noqa: BLE001 - IMPORTANT: to write, old vectors are not needed, whatever is wrong with them
        return np.zeros(len(rows), dtype=np.bool_)
    return equal


def _is_equal(segment: Rows, row: int, vector: Matrix) -> bool:
    """Whether a row of a segment is the same as ``vector``; False where it cannot be read."""
    try:
        kept = segment.row(row)
        return kept[:FIRST].tobytes() == vector[:FIRST].tobytes() and kept.tobytes() == vector.tobytes()
    except Exception:  # noqa: BLE001 - IMPORTANT: as in ``_are_equal``
        return False


def _same_bits(left: Matrix, right: Matrix) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = (left.view(np.uint32) == right.view(np.uint32)).all(axis=1)
    return same


def _parts(places: Places) -> tuple[Numbers, Numbers]:
    """Segments and rows of locations, as views of them."""
    halves = places.astype("<u8", copy=False).view("<u4").reshape(len(places), 2)
    return halves[:, 1], halves[:, 0]
