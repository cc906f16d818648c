"""Whether what a collection returns agrees with what a model holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from model import LARGER_IS_BETTER, order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model import Id, Model

    from vecstore import Collection, Record, ScoredPoint

TOLERANCE = 2e-6
"""For cosines, the one distance whose sums the small integers of these tests do not make exact."""


def text(payload: Any) -> str:
    """Payloads of one text have the same values of the same types; the order of keys is nobody's promise."""
    return json.dumps(payload, sort_keys=True)


def same_vectors(got: Any, expected: Any, tolerance: float = TOLERANCE) -> bool:
    """Vectors by name, or one unnamed vector."""
    got, expected = _named(got), _named(expected)
    return got.keys() == expected.keys() and all(
        v.dtype == np.float32 and np.allclose(v, expected[name], rtol=0, atol=tolerance) for name, v in got.items()
    )


def _named(vectors: Any) -> dict[str, Any]:
    return vectors if isinstance(vectors, dict) else {"": vectors}


def agree_on_points(got: Sequence[Record | ScoredPoint], ids: Sequence[Id], model: Model) -> None:
    """These points in this order, with all that they hold."""
    assert [r.id for r in got] == list(ids)
    for record in got:
        point = model.points[record.id]
        assert text(record.payload) == text(point.payload)
        assert same_vectors(record.vector, point.vectors)


def everything(col: Collection) -> list[Record]:
    records, rest = col.scroll(limit=1000, with_vectors=True)
    assert rest is None
    return records


def holds(col: Collection, model: Model) -> bool:
    """Whether a collection is in this very state."""
    return are(everything(col), model)


def are(records: list[Record], model: Model) -> bool:
    """Whether these are all points of a state."""
    try:
        agree_on_points(records, model.matching(), model)
    except AssertionError:
        return False
    return True


def bits(col: Collection) -> list[Any]:
    """Everything in a collection, to the last bit."""
    return [(r.id, text(r.payload), _bytes(r.vector)) for r in everything(col)]


def _bytes(vectors: Any) -> dict[str, bytes]:
    return {name: v.tobytes() for name, v in _named(vectors).items()}


def agree_on_hits(
    hits: Sequence[ScoredPoint],
    expected: list[tuple[Id, float]],
    distance: str,
    scores: dict[Id, float],
    *,
    exact: bool = True,
) -> None:
    """Hits in their order, ties by the smaller id; cosines that are as good as equal may come in any order.

    ``scores``: of all points that could have been among the hits. ``exact``: False where a graph is asked, which
    finds any of those that tie for the last place.
    """
    if exact and distance != "Cosine":
        assert [(h.id, h.score) for h in hits] == expected
        return
    assert len({h.id for h in hits}) == len(hits) == len(expected)
    sign = -1 if distance in LARGER_IS_BETTER else 1
    assert [(sign * h.score, order(h.id)) for h in hits] == sorted((sign * h.score, order(h.id)) for h in hits)
    for hit, (_, score) in zip(hits, expected, strict=True):
        assert abs(hit.score - scores[hit.id]) < TOLERANCE
        assert abs(hit.score - score) < TOLERANCE


def better(score: float, threshold: float | None, distance: str) -> bool:
    """Whether a score is strictly better than a threshold."""
    if threshold is None:
        return True
    return score > threshold if distance in LARGER_IS_BETTER else score < threshold
