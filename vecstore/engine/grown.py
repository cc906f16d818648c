"""Searching a graph that grows in place (``storage.growing``): for one query, without a filter.

    graph      the best rows, of its segment and of those after it       ->  places  ->  the living ones
    the rest   rows that came since it last grew, some tens              ->  all of them
    others     segments of which it has nothing, or lacks many           ->  as ever

What is found is put into one matrix, and scored there. Where the graph brings too little (many of the nearest are dead,
or equal to each other) it is not believed, and everything is searched as if it were not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.engine.parts import TRAP, Found, Piece, are_traps, rows_to_score
from vecstore.storage import graph
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vecstore.engine.version import SegmentView
    from vecstore.models import Distance
    from vecstore.storage.growing import Covered, Growing

Floats: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.int64]

LOWER = 2**32 - 1
MOST_REST = 256
"""Of a segment that lacks more rows in the graph all are searched as if none were in it."""
SPARE = 6
"""So many more rows are asked for than the share of the dead says."""


class Covering(NamedTuple):
    """What a growing graph stands for in one state: the ``segment`` it grows from, and ``others`` by their numbers."""

    base: SegmentView
    segment: Sealed
    growing: Growing
    covered: Covered
    others: dict[int, SegmentView]

    @classmethod
    def of(cls, views: Sequence[SegmentView]) -> Covering | None:
        """What the graph that grows here stands for; None where none does, or it has nothing yet."""
        for base in views:
            segment = base.source
            if isinstance(segment, Sealed) and segment.growing is not None:
                covered = segment.growing.covered()
                others = {view.source.number: view for view in views if _is_covered(view, covered)}
                return cls(base, segment, segment.growing, covered, others) if covered.added else None
        return None

    def stands_for(self, view: SegmentView) -> bool:
        """Whether a segment needs no search of its own."""
        return view is self.base or view.source.number in self.others

    def search(self, query: Floats, depth: int, ef: int, distance: Distance) -> Found | None:
        """What there is for a query of shape (1, size); None where the graph cannot tell."""
        copies = max(self.segment.files.copies, self.covered.copies)
        k = rows_to_score(depth, self.segment.files.storage, copies)
        total, alive = self._counts()
        if alive < k:
            return None
        more = k + 2 * k * (total - alive) // alive + SPARE
        if more > total or more > 2 * max(ef, k):
            return None
        params = graph.parameters(max(ef, more), None)
        goodness, rows = graph.nearest(self.growing.index, query, more, distance, params)
        if rows[0, -1] < 0:
            return None
        if copies >= TRAP and are_traps(goodness).any():
            return None
        living = self._first(rows[0], k)
        return None if living is None else _together(living)

    def _first(self, rows: Rows, k: int) -> list[_Living] | None:
        """The first ``k`` living ones among rows of the graph, and those in no graph yet; None: they are fewer.

        In plain numbers: for some tens of rows that takes a quarter of the time.
        """
        base, before = _Living(self.base), self.base.rows
        last, places = before + self.covered.added, self.growing.places.data
        others = {number: _Living(view) for number, view in self.others.items()}
        for row in rows.tolist():
            if row < before:
                k -= base.take(row)
            elif row < last:  # what came since is in the rest
                place = places[row - before]
                if (there := others.get(place >> 32)) is not None:
                    k -= there.take(place & LOWER)
            if not k:
                break
        for number, each in others.items():
            for row in range(self.covered.rows.get(number, 0), each.view.rows):
                each.take(row)
        return None if k else [base, *others.values()]

    def _counts(self) -> tuple[int, int]:
        """Rows in the graph, about, and how many are alive."""
        alive = self.base.live_count + sum([view.live_count for view in self.others.values()])
        total = self.base.rows + self.covered.added
        return total, min(alive, total)


class _Living:
    """Those of some rows of a segment that are alive in a view."""

    def __init__(self, view: SegmentView) -> None:
        self.view = view
        self.rows: list[int] = []
        self._dead = None if view.dead is None else view.dead.data

    def take(self, row: int) -> bool:
        """Have a row, and say whether it is alive."""
        if row >= self.view.rows or (self._dead is not None and self._dead[row >> 3] >> (row & 7) & 1):
            return False
        self.rows.append(row)
        return True


def _is_covered(view: SegmentView, covered: Covered) -> bool:
    has_graph = isinstance(view.source, Sealed) and view.source.has_graph
    return not has_graph and view.rows - covered.rows.get(view.source.number, 0) <= MOST_REST


def _together(living: Sequence[_Living]) -> Found:
    parts = [(each.view, np.array(each.rows)) for each in living if each.rows]
    matrix = np.concatenate([view.source.gather(rows) for view, rows in parts])
    slots = np.concatenate([view.slots()[rows] for view, rows in parts])
    return Found(Piece(matrix, slots), None, np.arange(len(slots)))
