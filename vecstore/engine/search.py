"""Search: exact, over the rows of every segment.

    filter  ->  candidate slots  ->  candidate rows of each segment  ->  FAISS  ->  merge by score  ->  hits

FAISS finds the rows that can be among the best; their scores are then computed again in one arithmetic
(``flat.scores``), so that a vector has the same score wherever it lies and however many queries are asked
together. FAISS's own sums differ from these by rounding, and it settles ties as it likes. So a part of the
collection that may hold more rows as good as the last place is asked again for more, and ties at the cut go to
the smaller id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.errors import InvalidRequest, PointNotFound
from vecstore.ids import id_of
from vecstore.models import Distance, ScoredPoint
from vecstore.storage import bitmaps, flat
from vecstore.storage.points import split_value
from vecstore.vectors import label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vecstore.engine.version import SegmentView, Version
    from vecstore.engine.view import Project, View
    from vecstore.questions import Question
    from vecstore.storage.bitmaps import Bitmap

Floats: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.int64]
Slots: TypeAlias = npt.NDArray[np.uint32]

MARGIN = 4
"""Rows asked for beyond the limit, so that near ties at the cut seldom ask again."""
ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""How far two float32 sums may be apart: this, times the root of the number of terms, times their size.

FAISS sums side by side in some tens of lanes; in thousands of dimensions that are all alike it is off by more.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """A question in one state. ``wanted``: one bool a slot, None for every point; ``without``: a slot to leave out."""

    question: Question
    wanted: npt.NDArray[np.bool_] | None
    without: int | None

    @property
    def depth(self) -> int:
        """How many of the best points have to be known."""
        return self.question.limit + self.question.offset + (self.without is not None)


def plan(view: View, question: Question, without: int | None = None) -> Plan:
    """How to answer a question in the state of ``view``."""
    if question.condition is None:
        return Plan(question, None, without)
    wanted = np.zeros(view.version.slots, dtype=np.bool_)
    wanted[view.scan(question.condition).matching()] = True
    return Plan(question, wanted, without)


@dataclass(frozen=True, slots=True)
class Hit:
    """A point that was found: its slot, what the store holds of it, its score."""

    slot: int
    value: bytes
    score: float


@dataclass(frozen=True, slots=True)
class Part:
    """A block of a segment's rows, and which of them are candidates: ``rows``, or all but the ``dead``."""

    matrix: Floats
    slots: Slots
    rows: Rows | None
    dead: Bitmap | None
    candidates: int

    def nearest(self, queries: Floats, k: int, distance: Distance) -> tuple[Floats, Rows]:
        """The best ``k`` candidates for each query: goodness (larger is better) and row (-1: none)."""
        return flat.nearest(queries, self.matrix, k, distance, rows=self.rows, dead=self.dead)

    def everything(self) -> Rows:
        """All candidates."""
        if self.rows is not None:
            return self.rows
        return np.arange(len(self.matrix)) if self.dead is None else bitmaps.absent(self.dead, len(self.matrix))


def parts(version: Version, plan: Plan) -> list[Part]:
    """Where to look."""
    found = [part for view in version.vectors[plan.question.name] for part in _parts(view, plan.wanted)]
    return [part for part in found if part.candidates]


def _parts(view: SegmentView, wanted: npt.NDArray[np.bool_] | None) -> Iterator[Part]:
    rows, slots, first = None if wanted is None else view.rows_of(wanted), view.slots(), 0
    for matrix in view.source.blocks(view.rows):
        last = first + len(matrix)
        mine = slots[first:last]
        if rows is not None:
            here = rows[np.searchsorted(rows, first) : np.searchsorted(rows, last)] - first
            yield Part(matrix, mine, here, None, len(here))
        elif view.dead is None:
            yield Part(matrix, mine, None, None, len(matrix))
        else:
            # Blocks begin at multiples of 8, so the bitmap can be cut between bytes.
            dead = view.dead[first // 8 : (last + 7) // 8]
            yield Part(matrix, mine, None, dead, len(bitmaps.absent(dead, len(matrix))))
        first = last


def search_many(
    view: View, queries: Floats, question: Question, project: Project, names: Sequence[str]
) -> list[list[ScoredPoint]]:
    """For each query (a row of a float32 matrix) the points it finds, best first."""
    return [_points(view, hits, project, names) for hits in search(view, queries, plan(view, question))]


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


def _points(view: View, hits: list[Hit], project: Project, names: Sequence[str]) -> list[ScoredPoint]:
    slots = np.array([hit.slot for hit in hits], dtype=np.uint32)
    records = view.records([hit.value for hit in hits], slots, project, names)
    return [ScoredPoint(r.id, hit.score, r.payload, r.vector) for r, hit in zip(records, hits, strict=True)]


def search(view: View, queries: Floats, plan: Plan) -> list[list[Hit]]:
    """For each query (a row of a float32 matrix) its hits, best first."""
    places, distance = parts(view.version, plan), plan.question.distance
    k = plan.depth + MARGIN
    found = [(part, *part.nearest(queries, min(k, part.candidates), distance)) for part in places]
    return [
        _hits(view, plan, *_best(query, plan, [_Found(part, g[i], rows[i]) for part, g, rows in found]))
        for i, query in enumerate(queries)
    ]


class _Found:
    """What FAISS found in one part for one query, and its scores as users see them."""

    def __init__(self, part: Part, goodness: Floats, rows: Rows) -> None:
        self.part = part
        self.worst = float(goodness[-1])
        self.rows = rows
        if rows[-1] < 0:  # FAISS leaves out what overflows float32
            self.rows, self.worst = part.everything(), -np.inf

    def ask_again(self, query: Floats, distance: Distance) -> None:
        """Find twice as many."""
        k = min(2 * len(self.rows), self.part.candidates)
        goodness, rows = self.part.nearest(query[None, :], k, distance)
        self.__init__(self.part, goodness[0], rows[0])  # type: ignore[misc]

    def hides(self, cut: float) -> bool:
        """Whether there may be rows at ``cut`` or better that were not returned."""
        return len(self.rows) < self.part.candidates and self.worst >= cut


def _best(query: Floats, plan: Plan, found: list[_Found]) -> tuple[Slots, Floats]:
    """Slots and scores of everything as good as the last place that is wanted, in any order."""
    distance = plan.question.distance
    while True:
        matrices = [f.part.matrix[f.rows] for f in found]
        scored = [flat.scores(query, matrix, distance) for matrix in matrices]
        scores = np.concatenate([np.empty(0, np.float32), *scored])
        goodness = scores if distance.larger_is_better else -scores
        last = _last_place(goodness, plan.depth)
        cut = _in_faiss_terms(last, distance) - _slack(query, matrices, last, distance)
        hiding = [f for f in found if f.hides(cut)]
        if not hiding:
            break
        for f in hiding:
            f.ask_again(query, distance)
    keep = goodness >= last
    slots = np.concatenate([np.empty(0, np.uint32), *(f.part.slots[f.rows] for f in found)])
    return slots[keep], scores[keep]


def _last_place(goodness: Floats, depth: int) -> float:
    if len(goodness) <= depth:
        return -np.inf
    return float(np.partition(goodness, len(goodness) - depth)[len(goodness) - depth])


def _in_faiss_terms(goodness: float, distance: Distance) -> float:
    return -(goodness**2) if distance is Distance.EUCLID else goodness


def _slack(query: Floats, matrices: list[Floats], last: float, distance: Distance) -> float:
    """How far FAISS's goodness of a row as good as the last place may be from ours."""
    if not np.isfinite(last):
        return 0.0
    if distance is Distance.COSINE:
        size = 1.0
    elif distance is Distance.MANHATTAN:
        size = abs(last)
    else:
        with np.errstate(over="ignore"):
            longest = max(float(np.einsum("ij,ij->i", m, m).max(initial=0)) for m in matrices)
            mine = float(query @ query)
        size = mine + longest if distance is Distance.EUCLID else (mine * longest) ** 0.5
    slack = ROUNDING * max(len(query) ** 0.5, len(query) / 64) * size
    return slack if np.isfinite(slack) else np.inf


def _hits(view: View, plan: Plan, slots: Slots, scores: Floats) -> list[Hit]:
    question = plan.question
    hits = [
        Hit(slot, value, score)
        for slot, value, score in zip(slots.tolist(), view.points.values(view.txn, slots), scores.tolist(), strict=True)
        if slot != plan.without and _passes(score, question)
    ]
    sign = -1.0 if question.distance.larger_is_better else 1.0
    hits.sort(key=lambda hit: (sign * hit.score, split_value(hit.value)[0]))
    return hits[question.offset : question.offset + question.limit]


def _passes(score: float, question: Question) -> bool:
    if question.threshold is None:
        return True
    if question.distance.larger_is_better:
        return score > question.threshold
    return score < question.threshold
