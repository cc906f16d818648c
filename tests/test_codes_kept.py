"""Codes of rows outlive the tail the rows were in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from following import asked as asked_apart
from optimizing import eventually, is_sealed
from test_storage_codes import ROWS, embedded, with_graph

from vecstore import Batch, Distance
from vecstore.engine import planner, sealer
from vecstore.storage import codes

if TYPE_CHECKING:
    from pathlib import Path

EARLY = """
from vecstore.engine import planner
from vecstore.storage import codes
codes.FEWEST_BYTES, codes.SCANS, planner.EF_STEP = 0, 1, 1e-15
"""
METHODS = "sorted([part.method for part in col.explain([1.0] * 384).parts])"


def test_rows_keep_their_codes_when_they_are_sealed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whether they are sealed here or by another process, and though no codes could be made any more."""
    monkeypatch.setattr(codes, "FEWEST_BYTES", 0)
    monkeypatch.setattr(codes, "SCANS", 1)
    monkeypatch.setattr(planner, "EF_STEP", 1e-15)
    others = embedded(400, 384, seed=5)
    with with_graph(tmp_path / "col", ROWS, Distance.DOT) as col, asked_apart(tmp_path / "col", EARLY) as reader:
        col.upsert(Batch(range(1000, 1400), others)).result()
        for _ in range(2):
            col.search(ROWS[0])
            reader(METHODS)
        reader("setattr(codes, 'SCANS', 1 << 40)")
        monkeypatch.setattr(codes, "SCANS", 1 << 40)
        monkeypatch.setattr(sealer, "SEAL_BYTES", 1)
        col.upsert(Batch([1400], others[:1])).result()
        eventually(lambda: is_sealed(col))
        assert sorted(part.method for part in col.explain(ROWS[0]).parts) == ["codes", "graph"]
        assert reader(METHODS) == ["codes", "graph"]
        for query in (others[7], ROWS[3]):
            (hit,) = col.search(query, limit=1)
            assert reader(f"ids(col.search({query.tolist()}, limit=1))") == [hit.id]
            assert hit.score == pytest.approx(float(query @ query), rel=1e-5)
