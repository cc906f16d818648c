"""Parts: where a search looks, each a block of rows or a graph, and what it finds there.

FAISS finds the rows that can be among the best; their scores are then computed again in one arithmetic
(``flat.scores``), so that a vector has the same score wherever it lies and however many queries are asked
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.storage import bitmaps, flat, graph
from vecstore.storage.codes import to_choose

if TYPE_CHECKING:
    from vecstore.engine.version import SegmentView, Wanted
    from vecstore.models import Distance
    from vecstore.storage.bitmaps import Bitmap
    from vecstore.storage.codes import Codes
    from vecstore.storage.segments import Sealed

Floats: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.int64]
Slots: TypeAlias = npt.NDArray[np.uint32]

TRAP, TRAP_ROWS, TRAP_SEEN = 32, 10, 4
"""From so many equal rows in a segment on, a graph is asked for so many rows at least, and not believed when so
many of them are equally good. Without this, 5,000 copies among 20,000 rows hid all neighbours from 9 % of queries
that were elsewhere; 500 copies from none."""
FEW_DEAD, SPARE = 4, 6
"""Where fewer than a row in so many is dead, a graph is searched as if none were, for so many rows more, unless for
these its beam would have to be wider."""
ALIVE = 10
"""Of the rows chosen by their codes so many must be alive beside twice those that are wanted."""
FEW_CANDIDATES = 48
"""So few rows are all scored at once: that takes less time than having FAISS choose first."""


class Flat(NamedTuple):
    """A block of a segment's rows, and which of them are candidates: ``rows``, or all but the ``dead``.

    ``codes``: by which the candidates may be chosen, most of them surely; None: it is to be searched exactly.
    """

    matrix: Floats
    slots: Slots
    rows: Rows | None
    dead: Bitmap | None
    candidates: int
    codes: Codes | None = None

    def nearest(self, queries: Floats, depth: int, margin: int, distance: Distance) -> tuple[Floats, Rows]:
        """The best ``depth + margin`` candidates for each query: goodness (larger is better), row (-1: none)."""
        return self.best(queries, min(depth + margin, self.candidates), distance)

    def best(self, queries: Floats, k: int, distance: Distance) -> tuple[Floats, Rows]:
        """The best ``k`` candidates for each query."""
        return flat.nearest(queries, self.matrix, k, distance, rows=self.rows, dead=self.dead)

    def chosen(self, codes: Codes, query: Floats, depth: int) -> Rows | None:
        """Candidates with the best ``depth`` among them, but for very few, by their codes.

        None: many of the nearest are dead, or no codes can tell.
        """
        uncoded = len(self.matrix) - codes.rows
        k = min(to_choose(depth, query.shape[1]) * len(self.matrix) // self.candidates, codes.rows)
        rows = codes.nearest(query, k)
        if rows is None:
            return None
        if uncoded:
            rows = np.concatenate([rows, np.arange(codes.rows, len(self.matrix))])
        if self.dead is not None:
            rows = rows[~bitmaps.contains(self.dead, rows)]
        return rows if len(rows) >= uncoded + 2 * depth + ALIVE or k == codes.rows else None

    def everything(self) -> Rows:
        """All candidates."""
        if self.rows is not None:
            return self.rows
        return np.arange(len(self.matrix)) if self.dead is None else bitmaps.absent(self.dead, len(self.matrix))


class Graph(NamedTuple):
    """A segment searched through its graph with the beam ``ef``: most of the best candidates, not surely all.

    ``wanted``: the slots of the candidates; None for every live row.
    """

    view: SegmentView
    segment: Sealed
    wanted: Wanted | None
    ef: int

    @property
    def rows(self) -> Rows | None:
        """The candidates, ascending; None for every live row."""
        return None if self.wanted is None else self.wanted.rows_in(self.view)

    @property
    def matrix(self) -> Floats:
        """The rows of the segment."""
        return self.segment.blocks(self.segment.rows)[0]

    @property
    def slots(self) -> Slots:
        """The slots of the rows."""
        return self.view.slots()

    @property
    def candidates(self) -> int:
        """How many rows are candidates."""
        return self.view.live_count if self.wanted is None else len(self.wanted.rows_in(self.view))

    def nearest(self, queries: Floats, depth: int, _: int, distance: Distance) -> tuple[Floats, Rows]:
        """About the best ``depth`` candidates for each query, or fewer: see ``look_in``."""
        k = min(rows_to_score(depth, self.segment.files.storage, self.segment.files.copies), self.candidates)
        if len(queries) == 1 and self._has_few_dead and (found := self._among_dead(queries, k, distance)):
            return found
        params = graph.parameters(max(self.ef, k), self._selector())
        return graph.nearest(self.segment.graph, queries, k, distance, params)

    @property
    def _has_few_dead(self) -> bool:
        view = self.view
        return self.wanted is None and view.dead is not None and FEW_DEAD * view.dead_count < view.rows

    def _among_dead(self, query: Floats, k: int, distance: Distance) -> tuple[Floats, Rows] | None:
        """What a selector of the living would bring, without the time it takes to make one; None: it is to be made.

        FAISS goes the same way through a graph either way: it only leaves out what is not selected.
        """
        dead = self.view.dead
        assert dead is not None
        more = min(k + 2 * k * self.view.dead_count // self.view.live_count + SPARE, self.view.rows)
        if more > (beam := max(self.ef, k)):
            return None
        params = graph.parameters(beam, None)
        goodness, rows = graph.nearest(self.segment.graph, query, more, distance, params)
        alive = ((rows[0] >= 0) & ~bitmaps.contains(dead, rows[0])).nonzero()[0][:k]
        return (goodness[:, alive], rows[:, alive]) if len(alive) == k else None

    def may_be_lost(self, goodness: Floats, rows: Rows, depth: int) -> npt.NDArray[np.bool_]:
        """For each query whether the graph found too few rows, or came to a trap.

        Many equal rows are a trap: each one's neighbours are the others, and they fill the beam.
        """
        lost: npt.NDArray[np.bool_] = rows[:, min(depth, self.candidates) - 1] < 0
        return lost | are_traps(goodness) if self.segment.files.copies >= TRAP else lost

    def _selector(self) -> object:
        if self.wanted is None:
            return flat.selector(None, self.view.dead)
        return flat.only(self.wanted.bitmap_in(self.view))

    def exactly(self) -> Flat:
        """The same candidates without the graph."""
        dead = self.view.dead if self.wanted is None else None
        return Flat(self.matrix, self.slots, self.rows, dead, self.candidates)

    def neighbours(self, query: Floats, k: int, ef: int, distance: Distance) -> Rows:
        """The rows nearest to the query, candidates or not."""
        _, rows = graph.nearest(self.segment.graph, query[None, :], k, distance, graph.parameters(max(ef, k), None))
        nearest: Rows = rows[0]
        return nearest


def are_traps(goodness: Floats) -> npt.NDArray[np.bool_]:
    """For each row of values, best first, whether ``TRAP_SEEN`` of them are equal."""
    traps: npt.NDArray[np.bool_] = (goodness[:, TRAP_SEEN - 1 :] == goodness[:, : 1 - TRAP_SEEN]).any(axis=1)
    return traps if goodness.shape[1] >= TRAP_SEEN else np.zeros(len(goodness), dtype=np.bool_)


def rows_to_score(depth: int, storage: int, copies: int) -> int:
    """How many rows a graph is asked for: a quantised one needs some more to choose from."""
    wanted = 2 * depth + 10 if storage == graph.SQ8 else depth
    return max(wanted, TRAP_ROWS) if copies >= TRAP else wanted


def flats(view: SegmentView, wanted: Wanted | None, coded: Distance | None = None) -> list[Flat]:
    """The blocks of a segment, to be searched exactly; by codes, where there are, if a distance is given for them."""
    rows, slots, first = None if wanted is None else wanted.rows_in(view), view.slots(), 0
    parts = []
    for matrix in view.source.blocks(view.rows):
        last = first + len(matrix)
        mine = slots[first:last]
        if rows is not None:
            here = rows[np.searchsorted(rows, first) : np.searchsorted(rows, last)] - first
            parts.append(Flat(matrix, mine, here, None, len(here)))
        else:
            # Blocks begin at multiples of 8, so the bitmap can be cut between bytes.
            dead = None if view.dead is None else view.dead[first // 8 : (last + 7) // 8]
            codes = None if coded is None else view.source.coder(first).of(matrix, coded)
            parts.append(Flat(matrix, mine, None, dead, _alive(view, matrix, dead), codes))
        first = last
    return parts


def _alive(view: SegmentView, matrix: Floats, dead: Bitmap | None) -> int:
    if dead is None:
        return len(matrix)
    return view.live_count if len(matrix) == view.rows else len(bitmaps.absent(dead, len(matrix)))


def look_in(part: Flat | Graph, queries: Floats, depth: int, margin: int, distance: Distance) -> list[Found]:
    """What is in a part for each query: at least ``depth`` rows, or all candidates. With codes: for a single one."""
    if isinstance(part, Flat) and part.candidates <= FEW_CANDIDATES:
        return [Found.everything(part) for _ in queries]
    if isinstance(part, Flat) and part.codes is not None:
        rows = part.chosen(part.codes, queries, depth)
        if rows is not None:
            return [Found(part, None, rows)]
    goodness, rows = part.nearest(queries, depth, margin, distance)
    found = [Found.of(part, *each) for each in zip(goodness, rows, strict=True)]
    if isinstance(part, Graph):
        for i in part.may_be_lost(goodness, rows, depth).nonzero()[0].tolist():
            (found[i],) = look_in(part.exactly(), queries[i : i + 1], depth, margin, distance)
    return found


class Piece(NamedTuple):
    """Rows from several places, side by side, and their slots."""

    matrix: Floats
    slots: Slots


class Found:
    """What FAISS found in one part for one query: ``rows``, and how good others may be at the most, ``worst``.

    None: others are not looked for.
    """

    def __init__(self, part: Flat | Graph | Piece, worst: float | None, rows: Rows) -> None:
        self.part = part
        self.worst = worst
        self.rows = rows

    @classmethod
    def of(cls, part: Flat | Graph, goodness: Floats, rows: Rows) -> Found:
        """What FAISS answered."""
        if rows[-1] >= 0:
            return cls(part, float(goodness[-1]), rows)
        if isinstance(part, Graph):
            return cls(part, float(goodness[-1]), rows[rows >= 0])
        return cls.everything(part)  # FAISS leaves out what overflows float32

    @classmethod
    def everything(cls, part: Flat) -> Found:
        """All candidates of a part, without asking FAISS which are the best."""
        return cls(part, None, part.everything())

    def ask_again(self, query: Floats, distance: Distance) -> None:
        """Find twice as many. Only where rows are hidden."""
        assert isinstance(self.part, Flat)
        k = min(2 * len(self.rows), self.part.candidates)
        goodness, rows = self.part.best(query[None, :], k, distance)
        again = Found.of(self.part, goodness[0], rows[0])
        self.worst, self.rows = again.worst, again.rows

    @property
    def slots(self) -> Slots:
        """The slots of the rows."""
        return self.part.slots if isinstance(self.part, Piece) else self.part.slots[self.rows]

    @property
    def vectors(self) -> Floats:
        """The rows themselves."""
        return self.part.matrix if isinstance(self.part, Piece) else self.part.matrix[self.rows]

    @property
    def may_hide(self) -> bool:
        """Whether an exact search would find more rows if it were asked for more."""
        return self.worst is not None and isinstance(self.part, Flat) and len(self.rows) < self.part.candidates
