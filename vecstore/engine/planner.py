"""The planner: how the candidates of a segment are searched, by what it costs.

    full     every live row, with FAISS's flat search
    exact    the candidate rows alone, with FAISS's flat search: cost in proportion to their number
    graph    the graph, with a bitmap of the candidates and a beam as wide as the filter is narrow

A graph is entered where the query is, and has to find ``k`` candidates there. Where few of the query's nearest
neighbours pass the filter, though many points do (a filter that follows the clusters of the data, and a query
outside of them), no beam is wide enough. So a look at the unfiltered neighbourhood comes first: how many of the
nearest pass tells how wide the beam must be, and none of them, that the candidates are better searched exactly.

Constants measured on 62,666 x 384 (cosine, SQ8 graph) and 1,000,000 x 128 (cosine, FLOAT32 graph), one thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vecstore.storage import graph

if TYPE_CHECKING:
    from vecstore.storage.segments import Sealed

EF = {graph.FLOAT32: 144, graph.SQ8: 88}
"""The beam without a filter for a recall of .98 to .99 at k = 10."""
EF_STEP = 1.6e-6
"""Seconds a graph search takes for each step of its beam."""
ROW_BASE, ROW_DIMENSION = 12e-9, 0.1e-9
"""Seconds an exact search takes for each candidate row, and for each of its dimensions."""
BOLD = 0.5
"""An exact search is not put off for a look when it costs less than this share of a graph search whose filter does
not follow clusters: what a look may gain is not worth its price then."""
WIDENING = 0.48
"""A beam is widened by the share of the query's neighbours that pass the filter, to the power of minus this."""
LOOK_ROWS, LOOK_EF = 32, 48
"""How many of the query's nearest neighbours are looked at first, and with which beam."""
MIN_SHARE = 0.25
"""Where fewer of them pass than this times the filter's share of all points, the search is exact."""
EDGE_OVER, EDGE_UNDER = 3.0, 0.6
"""So it is where more of them pass than this times that share, and fewer than this: the query is at the edge of what
the filter follows, and a beam finds one side of it alone (recall .77 at 1,000,000 x 128)."""


class Method(NamedTuple):
    """How a segment is searched: ``name`` is full, exact or graph; ``ef`` is the beam in a graph."""

    name: str
    ef: int = 0


def exact_seconds(rows: int, size: int) -> float:
    """What comparing one query with so many rows costs."""
    return rows * (ROW_BASE + ROW_DIMENSION * size)


def without_filter(segment: Sealed, depth: int, ef: int | None) -> Method:
    """How to search a segment with a graph for its best rows."""
    beam = ef or max(EF[segment.files.storage], depth + depth // 2)
    return _cheaper(segment, segment.rows, beam, Method("full"))


def before_look(segment: Sealed, candidates: int, depth: int, ef: int | None) -> Method | None:
    """How to search candidates among the rows of a segment; None: look at the neighbourhood first."""
    share = candidates / segment.rows
    if candidates <= depth:
        return Method("exact")
    if share == 1.0:
        return without_filter(segment, depth, ef)
    beam = ef or EF[segment.files.storage]
    exact, at_best = exact_seconds(candidates, segment.size), (LOOK_EF + beam) * EF_STEP
    expected = (LOOK_EF + beam * _widening(share)) * EF_STEP
    return Method("exact") if exact < max(at_best, BOLD * expected) else None


def after_look(segment: Sealed, candidates: int, depth: int, ef: int | None, passed: int, looked: int) -> Method:
    """How to search, when ``passed`` of the ``looked`` at neighbours are candidates."""
    share = candidates / segment.rows
    near = passed / max(looked, 1)
    if near < MIN_SHARE * share or not passed or EDGE_OVER * share < near < EDGE_UNDER:
        return Method("exact")
    beam = int(max(ef or EF[segment.files.storage], depth + depth // 2) * _widening(near))
    return _cheaper(segment, candidates, beam, Method("exact"))


def _widening(near: float) -> float:
    """How many times wider a beam is where this share of the neighbours pass."""
    return float(near**-WIDENING)


def _cheaper(segment: Sealed, candidates: int, beam: int, otherwise: Method) -> Method:
    if exact_seconds(candidates, segment.size) < beam * EF_STEP:
        return otherwise
    return Method("graph", beam)
