"""Search: a question is planned segment by segment, asked, and its hits are merged by score.

    filter  ->  candidate slots  ->  candidate rows of each segment  ->  FAISS  ->  merge by score  ->  hits

FAISS's own sums differ from ours by rounding, and it settles ties as it likes. So a part that is searched exactly
and may hold more rows as good as the last place is asked again for more, and ties at the cut go to the smaller id.
What a graph does not find is not there; the hits it brings keep that order.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.engine import planner
from vecstore.engine.grown import Covering
from vecstore.engine.parts import Flat, Found, Graph, flats, look_in
from vecstore.errors import InvalidRequest, PointNotFound
from vecstore.ids import are_integers, id_of, ids_of, integers_of
from vecstore.models import Distance
from vecstore.records import hit_of
from vecstore.reports import PartExplanation, SearchExplanation
from vecstore.storage import flat
from vecstore.storage.points import split_value
from vecstore.storage.segments import Sealed
from vecstore.vectors import dots, label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vecstore.engine.version import SegmentView, Wanted
    from vecstore.engine.view import View
    from vecstore.questions import Question
    from vecstore.records import Project, ScoredPoint

Floats: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.int64]
Slots: TypeAlias = npt.NDArray[np.uint32]

MARGIN = 4
"""Rows asked for beyond the limit, so that near ties at the cut seldom ask again."""
ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""How far two float32 sums may be apart: this, times the root of the number of terms, times their size.

FAISS sums side by side in some tens of lanes; in thousands of dimensions that are all alike it is off by more.
"""


class Plan(NamedTuple):
    """A question in one state. ``wanted``: None for every point; ``without``: a slot to leave out.

    ``depth`` of the best points have to be known. ``taken`` tells, after the search, how each segment was searched.
    """

    question: Question
    views: tuple[SegmentView, ...]
    wanted: Wanted | None
    without: int | None
    depth: int
    taken: list[tuple[SegmentView, planner.Method, Sequence[Flat | Graph]]]


def plan(view: View, question: Question, without: int | None = None) -> Plan:
    """How to answer a question in the state of ``view``."""
    wanted = None
    if question.condition is not None:
        wanted = view.wanted(question.condition)
    depth = question.limit + question.offset + (without is not None)
    return Plan(question, view.version.vectors[question.name], wanted, without, depth, [])


class Hits(NamedTuple):
    """What was found for a query, best first: slots, what the store holds of them, scores."""

    slots: Slots
    values: list[bytes]
    scores: list[float]


def search_many(
    view: View, queries: Floats, question: Question, project: Project, names: Sequence[str]
) -> list[list[ScoredPoint]]:
    """For each query (a row of a float32 matrix) the points it finds, best first."""
    return [_points(view, hits, project, names) for hits in search(view, queries, plan(view, question))]


def search_arrays(view: View, queries: Floats, question: Question) -> tuple[npt.NDArray[Any], Floats]:
    """For each query a row of ids and a row of scores, best first, as long as the longest; the rest is 0 and NaN.

    The ids are uint64, or, where there are UUIDs among them, objects (int, str, and None for the rest).
    """
    found = search(view, queries, plan(view, question))
    counts = np.array([len(hits.values) for hits in found], dtype=np.int64)
    there = np.arange(counts.max(initial=0)) < counts[:, None]
    keys = [split_value(value)[0] for hits in found for value in hits.values]
    ids = np.zeros(there.shape, dtype=np.uint64) if are_integers(keys) else np.full(there.shape, None, dtype=object)
    ids[there] = integers_of(keys) if are_integers(keys) else ids_of(keys)
    scores = np.full(there.shape, np.nan, dtype=np.float32)
    scores[there] = [score for hits in found for score in hits.scores]
    return ids, scores


def search_by_id(
    view: View, key: bytes, question: Question, project: Project, names: Sequence[str]
) -> list[ScoredPoint]:
    """The points nearest to the point of ``key``, without itself. Raises ``PointNotFound``, ``InvalidRequest``."""
    slot = int(view.points.find(view.txn, [key])[0])
    if slot < 0:
        raise PointNotFound([id_of(key)])
    positions, matrix = view.version.gather(question.name, np.array([slot], dtype=np.uint32))
    if not len(positions):
        raise InvalidRequest(f"expected a point with {label(question.name)} to search by, {id_of(key)!r} has none")
    (hits,) = search(view, matrix[:1], plan(view, question, without=slot))
    return _points(view, hits, project, names)


def explain(view: View, query: Floats, question: Question) -> SearchExplanation:
    """Search for one query, and tell how it was done."""
    points, start = view.points.count(view.txn), time.perf_counter()
    planned = plan(view, question)
    middle = time.perf_counter()
    (hits,) = search(view, query[None, :], planned)
    end = time.perf_counter()
    matches = points if planned.wanted is None else len(planned.wanted.slots)
    share = matches / points if points else 0.0
    parts = [_explained(*taken) for taken in planned.taken]
    return SearchExplanation(matches, share, parts, middle - start, end - middle, len(hits.slots))


def _explained(view: SegmentView, method: planner.Method, parts: Sequence[Flat | Graph]) -> PartExplanation:
    by_codes = any(isinstance(part, Flat) and part.codes is not None for part in parts)
    return PartExplanation(view.source.number, view.live_count, "codes" if by_codes else method.name, method.ef)


def _points(view: View, hits: Hits, project: Project, names: Sequence[str]) -> list[ScoredPoint]:
    points = [hit_of(value, score, project) for value, score in zip(hits.values, hits.scores, strict=True)]
    view.add_vectors(points, hits.slots, names)
    return points


def search(view: View, queries: Floats, plan: Plan) -> list[Hits]:
    """For each query (a row of a float32 matrix) its hits, best first."""
    if plan.wanted is not None and any(map(_has_graph, plan.views)):
        # How a graph is searched with a filter depends on where the query is.
        each = [(query, _asked(query[None, :], _parts(plan, query), plan)[0]) for query in queries]
    elif len(queries) == 1 and plan.wanted is None:
        each = [(queries[0], _asked_alone(queries, plan))]
    else:
        each = list(zip(queries, _asked(queries, _parts(plan, None), plan), strict=True))
    return [_ranked(view, plan, *_best(query, plan, found)) for query, found in each]


def _asked(queries: Floats, parts: Iterable[Flat | Graph], plan: Plan) -> list[list[Found]]:
    """What is found in each part, for each query: one call of FAISS a part."""
    distance = plan.question.distance
    each = [look_in(part, queries, plan.depth, MARGIN, distance) for part in parts if part.candidates]
    return [[in_part[i] for in_part in each] for i in range(len(queries))]


def _asked_alone(query: Floats, plan: Plan) -> list[Found]:
    """What a single query without a filter finds: in a graph that grows, where there is one."""
    covering, found = None if plan.question.exact else Covering.of(plan.views), None
    if covering is not None and (method := _method(plan, covering.base, None)).name == "graph":
        found = covering.search(query, plan.depth, method.ef, plan.question.distance)
    if covering is None or found is None:
        return _asked(query, _parts(plan, None, single=True), plan)[0]
    plan.taken.extend([(view, method, ()) for view in plan.views if covering.stands_for(view)])
    rest = tuple([view for view in plan.views if not covering.stands_for(view)])
    parts = _parts(plan._replace(views=rest), None, single=True, beside=True) if rest else ()
    return [found, *_asked(query, parts, plan)[0]]


def _has_graph(view: SegmentView) -> bool:
    return isinstance(view.source, Sealed) and view.source.has_graph


def _parts(plan: Plan, query: Floats | None, *, single: bool = False, beside: bool = False) -> Iterable[Flat | Graph]:
    """Where to look, and how; ``query`` is needed where there are both a filter and a graph.

    ``single``: there is one query, and no filter. Beside a graph, which finds most of the best and not surely all,
    other rows are chosen by codes then, where there are. ``beside``: it is beside a graph that is not among these.
    """
    methods = [_method(plan, view, query) for view in plan.views]
    beside = beside or "graph" in [method.name for method in methods]
    coded = plan.question.distance if single and beside else None
    for view, method in zip(plan.views, methods, strict=True):
        parts: Sequence[Flat | Graph]
        if method.name == "graph" and isinstance(view.source, Sealed):
            parts = [Graph(view, view.source, plan.wanted, method.ef)]
        else:
            parts = flats(view, plan.wanted, coded)
        plan.taken.append((view, method, parts))
        yield from parts


def _method(plan: Plan, view: SegmentView, query: Floats | None) -> planner.Method:
    segment, asked = view.source, plan.question
    if not isinstance(segment, Sealed) or not segment.has_graph or asked.exact:
        return planner.Method("full" if plan.wanted is None else "exact")
    if plan.wanted is None:
        return planner.without_filter(segment, plan.depth, asked.ef)
    candidates = len(plan.wanted.rows_in(view))
    method = planner.before_look(segment, candidates, plan.depth, asked.ef)
    if method is None:
        assert query is not None
        look = Graph(view, segment, None, 0).neighbours(query, planner.LOOK_ROWS, planner.LOOK_EF, asked.distance)
        passed = int(plan.wanted.mask[view.slots()[look[look >= 0]]].sum())
        method = planner.after_look(segment, candidates, plan.depth, asked.ef, passed, len(look))
    return method


def _best(query: Floats, plan: Plan, found: list[Found]) -> tuple[Slots, Floats]:
    """Slots and scores of everything as good as the last place that is wanted, in any order."""
    distance = plan.question.distance
    while True:
        scores = _scored(query, distance, found)
        goodness = scores if distance.larger_is_better else -scores
        last = _last_place(goodness, plan.depth)
        hiding = _hiding(query, distance, last, found)
        if not hiding:
            break
        for f in hiding:
            f.ask_again(query, distance)
    keep = goodness >= last
    slots = np.concatenate([np.empty(0, np.uint32), *[f.slots for f in found]])
    return slots[keep], scores[keep]


def _scored(query: Floats, distance: Distance, found: list[Found]) -> Floats:
    # Part by part: rows are fetched once, and it is not they that are put side by side.
    each = [flat.scores(query, f.vectors, distance) for f in found]
    return each[0] if len(each) == 1 else np.concatenate([np.empty(0, np.float32), *each])


def _hiding(query: Floats, distance: Distance, last: float, found: list[Found]) -> list[Found]:
    """The parts that may hold more rows as good as the last place."""
    may = [f for f in found if f.may_hide]
    if not may:
        return []
    cut = _in_faiss_terms(last, distance) - _slack(query, found, last, distance)
    return [f for f in may if f.worst is not None and f.worst >= cut]


def _last_place(goodness: Floats, depth: int) -> float:
    if len(goodness) <= depth:
        return -np.inf
    ascending = goodness.copy()
    ascending.partition(len(goodness) - depth)
    return float(ascending[len(goodness) - depth])


def _in_faiss_terms(goodness: float, distance: Distance) -> float:
    return -(goodness**2) if distance is Distance.EUCLID else goodness


def _slack(query: Floats, found: list[Found], last: float, distance: Distance) -> float:
    """How far FAISS's goodness of a row as good as the last place may be from ours."""
    if not np.isfinite(last):
        return 0.0
    if distance is Distance.COSINE:
        size = 1.0
    elif distance is Distance.MANHATTAN:
        size = abs(last)
    else:
        with np.errstate(over="ignore"):
            longest = max(float(dots(rows, rows).max(initial=0)) for rows in (f.vectors for f in found))
            mine = float(query @ query)
        size = mine + longest if distance is Distance.EUCLID else (mine * longest) ** 0.5
    slack = ROUNDING * max(len(query) ** 0.5, len(query) / 64) * size
    return slack if np.isfinite(slack) else np.inf


def _ranked(view: View, plan: Plan, slots: Slots, scores: Floats) -> Hits:
    """The hits that were asked for, best first, equal scores by smaller id."""
    question = plan.question
    slots, scores = _passing(plan, slots, scores)
    badness = -scores if question.distance.larger_is_better else scores
    order = badness.argsort()
    ascending, page = badness[order], slice(question.offset, question.offset + question.limit)
    if (ascending[1:] == ascending[:-1]).any():
        values = view.points.values(view.txn, slots)
        keys = [split_value(value)[0] for value in values]
        best = sorted(range(len(keys)), key=list(zip(badness.tolist(), keys, strict=True)).__getitem__)[page]
        return Hits(slots[best], [values[i] for i in best], scores[best].tolist())
    chosen = slots[order[page]]
    return Hits(chosen, view.points.values(view.txn, chosen), scores[order[page]].tolist())


def _passing(plan: Plan, slots: Slots, scores: Floats) -> tuple[Slots, Floats]:
    """Without the slot that is left out, and without what is not better than the threshold."""
    threshold = plan.question.threshold
    if threshold is None and plan.without is None:
        return slots, scores
    keep = slots != plan.without if plan.without is not None else np.ones(len(slots), dtype=np.bool_)
    if threshold is not None:
        exact = scores.astype(np.float64)  # the threshold is one
        keep &= exact > threshold if plan.question.distance.larger_is_better else exact < threshold
    return slots[keep], scores[keep]
