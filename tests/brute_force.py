"""The oracle of searches: every score in float64, by numpy alone, and what a list of hits has to be beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vecstore import Distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from vecstore import ScoredPoint

Matrix = Any


def true_scores(matrix: Matrix, query: Matrix, distance: Distance) -> npt.NDArray[np.float64]:
    """The score of every row for a query, both as float32 has them."""
    rows, wanted = (np.asarray(given, np.float32).astype(np.float64) for given in (matrix, query))
    if distance is Distance.EUCLID:
        return np.sqrt(((rows - wanted) ** 2).sum(axis=1))
    if distance is Distance.MANHATTAN:
        return np.abs(rows - wanted).sum(axis=1)
    if distance is Distance.COSINE:
        rows, wanted = _unit(rows), _unit(wanted[None, :])[0]
    return rows @ wanted


def _unit(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def best(ids: Sequence[Any], matrix: Matrix, query: Matrix, distance: Distance, limit: int) -> list[tuple[Any, float]]:
    """The best ids and their scores, ties by the smaller id: for data whose scores float32 has exactly."""
    sign = -1 if distance.larger_is_better else 1
    scores = true_scores(matrix, query, distance).astype(np.float32).tolist()
    return sorted(zip(ids, scores, strict=True), key=lambda one: (sign * one[1], one[0]))[:limit]


def check(
    hits: list[ScoredPoint], ids: Sequence[Any], matrix: Matrix, query: Matrix, distance: Distance, limit: int
) -> None:
    """The hits are the best there are: right scores, in order, and none that was left out is better.

    For data whose scores are rounded: two scores closer than ``tolerance`` may be in either order.
    """
    truth = dict(zip(ids, true_scores(matrix, query, distance).tolist(), strict=True))
    sign = -1.0 if distance.larger_is_better else 1.0
    assert len(hits) == min(limit, len(truth))
    assert [hit.id for hit in hits] == [hit.id for hit in sorted(hits, key=lambda h: (sign * h.score, h.id))]
    largest = max(map(abs, truth.values()), default=0.0)
    tolerance = 1e-5 * (1.0 if distance is Distance.COSINE else largest)
    for hit in hits:
        assert abs(hit.score - truth.pop(hit.id)) <= tolerance
    if truth:
        assert min(sign * score for score in truth.values()) >= sign * hits[-1].score - tolerance
