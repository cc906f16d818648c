"""Every call site that can fail does, in a collection that seals, merges, indexes, copies and compacts.

Some of them here; all of them in the long profile and in ``python -m tests.long faults``.
"""

from __future__ import annotations

import gc
import random
from typing import TYPE_CHECKING

import pytest
from failing import PARAMS, PATIENCE, Fault, check_met, faults, points, sites, small_limits, survived
from profiles import times
from sweeping import Site, Sweep

from vecstore import Collection, StoreFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHORT_RUNS = 8


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    with small_limits():
        yield
        gc.collect()


def plan(found: dict[Site, int]) -> list[Fault]:
    """All faults where there is time, else some."""
    every = faults(found)
    return every if times(1) > 1 else random.Random(4).sample(every, SHORT_RUNS)


def test_whatever_fails_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    found = sites(tmp_path / "whole")
    check_met(found)
    happened = [survived(tmp_path / "life", fault) for fault in plan(found)]
    assert sum(happened) > len(happened) // 2


def test_a_transaction_that_fails_poisons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Collection(tmp_path / "col", vectors=PARAMS) as col:
        col.upsert(points(0, 3)).result(PATIENCE)
        with monkeypatch.context() as patch:
            sweep = Sweep(patch)
            col.upsert(points(3, 3)).result(PATIENCE)
            [site] = [site for site in sweep.calls if site.boundary == "transaction"]
            sweep.arm(site, 1, lasting=False)
            assert isinstance(col.upsert(points(6, 3)).exception(PATIENCE), StoreFailed)
            assert sweep.happened == 1
        with pytest.raises(StoreFailed, match="open it again"):
            col.upsert(points(9, 3))
        assert len(col) == 6
