"""What to merge: which sealed segments of a vector become one, and whether that one has a graph.

A segment is immutable, so merging writes a new one and lets the old ones go. It is worth it when there is enough
for a graph, when a graph has fallen behind, when too much is dead, or when there are too many files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vecstore.engine.version import SegmentView
    from vecstore.models import VectorParams
    from vecstore.storage.segments import Sealed

DEAD_FRACTION, WORN_FRACTION = 0.2, 1 / 3
"""A segment of which more than the first is dead is written anew without it; one with a graph beside others' work when
it is more than the second. Building a graph is what costs most here, and dead rows in it cost a search next to nothing
(62,166 x 384, ef 88, k = 10, a third of them dead, half: .988, .987 found in the time without any, .988), but space."""
BEHIND = 0.25
"""A graph grows when what is not in it has more than this share of its rows: each row is then copied a few times."""
RESTED_BEHIND = 1 / 16
"""So it does already at this share where merging has rested (``optimizer.REST``): searches stay near to what they cost
without writes, and each row is copied more often. A 32nd, as long as rows in no graph were compared one by one: beside
a writer growing then took as much of the machine as the writer."""
MOST_FLAT = 6
"""More flat segments than this become one; beside a graph that has to rest only when it has rested."""


@dataclass(frozen=True)
class Merge:
    """``sources`` become one segment of the vector ``name``.

    ``grown``: the source whose graph is taken over, rows, dead ones too, in their order; the others' live rows
    are added to it. ``graph``: whether the result has one.
    """

    name: str
    sources: tuple[SegmentView, ...]
    grown: SegmentView | None
    graph: bool


def choose(
    name: str, params: VectorParams, views: Sequence[SegmentView], *, eager: bool, rested: bool, can_grow: bool
) -> Merge | None:
    """What is worth doing with sealed segments; ``eager``: whatever makes searches faster. None: nothing."""
    if empty := tuple(view for view in views if not view.live_count):
        return Merge(name, empty, None, graph=False)
    wants_graph = bool(views) and _bytes(views, params) >= params.graph.full_scan_threshold * 1024
    graphs = [view for view in views if _sealed(view).has_graph]
    flats = [view for view in views if not _sealed(view).has_graph]
    if not wants_graph:
        return _without_graph(name, views, eager=eager)
    bound = DEAD_FRACTION if eager else WORN_FRACTION
    if not graphs or any(_is_rotten(view, bound) for view in graphs):
        return Merge(name, tuple(views), None, graph=True)
    # A graph that grows in place can wait until it has to be written anew.
    waits = any(growing is not None and growing.left for growing in (_sealed(view).growing for view in graphs))
    behind = RESTED_BEHIND if rested and can_grow and not waits else BEHIND
    many = rested and len(flats) > MOST_FLAT
    if not flats or not (eager or many or _rows(flats) > behind * _rows(graphs)):
        return None
    largest = max(graphs, key=lambda view: view.rows)
    return Merge(name, tuple(views), largest if can_grow else None, graph=True)


def _without_graph(name: str, views: Sequence[SegmentView], *, eager: bool) -> Merge | None:
    rotten = [view for view in views if _is_rotten(view, DEAD_FRACTION)]
    many = len(views) > (1 if eager else MOST_FLAT)
    if many:
        return Merge(name, tuple(views), None, graph=False)
    return Merge(name, tuple(rotten), None, graph=False) if rotten else None


def _is_rotten(view: SegmentView, bound: float) -> bool:
    return view.dead_count > bound * view.rows


def _rows(views: Sequence[SegmentView]) -> int:
    return sum(view.live_count for view in views)


def _bytes(views: Sequence[SegmentView], params: VectorParams) -> int:
    return _rows(views) * 4 * params.size


def _sealed(view: SegmentView) -> Sealed:
    return view.source  # type: ignore[return-value]
