"""Which storage a graph takes: a byte a dimension only where that keeps the order of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from vecstore import Distance, HnswConfig, VectorParams
from vecstore.storage import graph

RNG = np.random.default_rng(5)
ROWS = RNG.normal(size=(2500, 24)).astype(np.float32)
OUTLIERS = ROWS.copy()
OUTLIERS[0], OUTLIERS[1] = 1e4, -1e4
TIGHT = (1000 * RNG.normal(size=(50, 24))[np.arange(2500) % 50] + ROWS).astype(np.float32)
EQUAL = np.ones((2500, 24), np.float32)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "SQ8_FROM", 24)


@pytest.mark.parametrize("distance", [Distance.COSINE, Distance.DOT, Distance.EUCLID])
@pytest.mark.parametrize(
    ("rows", "expected"),
    [(ROWS, graph.SQ8), (OUTLIERS, graph.SQ8), (EQUAL, graph.SQ8), (ROWS[:3], graph.SQ8)],
    ids=["ordinary", "two outliers", "equal", "few"],
)
def test_ordinary_rows_are_quantised(distance: Distance, rows: np.ndarray, expected: int) -> None:
    if rows is OUTLIERS and distance is not Distance.EUCLID:
        pytest.skip("every nearest row is an outlier then")
    assert graph.storage_of(graph.new(VectorParams(24, distance), rows)) == expected


def test_rows_whose_order_would_be_lost_are_not() -> None:
    """Clusters so tight, and so far apart, that a cluster is one code."""
    assert graph.storage_of(graph.new(VectorParams(24, Distance.EUCLID), TIGHT)) == graph.FLOAT32


def test_short_rows_and_manhattan_are_not() -> None:
    assert graph.storage_of(graph.new(VectorParams(23, Distance.DOT), ROWS[:, :23].copy())) == graph.FLOAT32
    assert graph.storage_of(graph.new(VectorParams(24, Distance.MANHATTAN), ROWS)) == graph.FLOAT32


def test_a_graph_grows_by_rows_like_its_own_alone() -> None:
    index = graph.new(VectorParams(24, Distance.EUCLID, HnswConfig(ef_construct=40)), ROWS)
    assert index.hnsw.efConstruction == 40
    assert graph.fits(index, ROWS[::-1].copy())
    assert not graph.fits(index, ROWS + 100)
    assert not graph.fits(index, np.clip(TIGHT, -3, 3))
