"""Search: exact, for every distance, over any data, with every option. numpy alone is the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from brute_force import best, check
from collecting import NAMED, fill, ids, plain

from vecstore import Batch, Distance, PointStruct, SearchParams, VectorParams

if TYPE_CHECKING:
    from collecting import Home

    from vecstore import Collection, ScoredPoint

SIZE, COUNT = 19, 400


def numbers(kind: str) -> tuple[Any, Any]:
    """Vectors and queries of a kind that is hard in its own way."""
    rng = np.random.default_rng(7)
    shape, asked = (COUNT, SIZE), (25, SIZE)  # FAISS takes another way from 20 queries on
    if kind == "few":  # many ties, all scores exact
        return rng.integers(-1, 2, shape), rng.integers(-2, 3, asked)
    if kind == "normal":
        return rng.normal(size=shape), rng.normal(size=asked)
    if kind == "far":  # differences that are lost when squared lengths are subtracted
        return 1000 + rng.integers(-3, 4, shape), 1000 + rng.integers(-3, 4, asked)
    # Next to one another: float32 can hardly tell them apart.
    near = rng.normal(size=SIZE)
    return near + 1e-6 * rng.normal(size=shape), near + 1e-6 * rng.normal(size=asked)


def hits_of(found: list[ScoredPoint]) -> list[tuple[Any, float]]:
    return [(hit.id, hit.score) for hit in found]


@pytest.mark.parametrize("kind", ["few", "normal", "far", "near"])
@pytest.mark.parametrize("distance", Distance)
def test_hits_are_those_of_brute_force(distance: Distance, kind: str, col: Collection, home_of: Any) -> None:
    matrix, queries = numbers(kind)
    numbered = np.random.default_rng(8).permutation(COUNT).tolist()
    col = home_of(VectorParams(SIZE, distance))
    col.upsert(Batch(numbered, matrix)).result()
    exact = distance is not Distance.COSINE and kind in ("few", "far")
    for limit in (1, 10, COUNT - 1):
        together = col.search_batch(queries, limit=limit)
        for query, found in zip(queries, together, strict=True):
            if exact:
                assert hits_of(found) == best(numbered, matrix, query, distance, limit)
            else:
                check(found, numbered, matrix, query, distance, limit)
        for query, found in list(zip(queries, together, strict=True))[:5]:
            assert hits_of(col.search(query, limit=limit)) == hits_of(found)
