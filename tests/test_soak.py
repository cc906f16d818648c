"""A collection that is churned and opened again and again takes no more than at first. The long run: ``tests.long``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soaking import Churn, small_segments

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS, OPERATIONS = 4, 300


def test_churn_leaves_nothing_behind(tmp_path: Path) -> None:
    churn = Churn(tmp_path / "col")
    with small_segments(bytes_=1 << 14):
        costs = [churn.round(OPERATIONS) for _ in range(ROUNDS)]
    warm, last = costs[1], costs[-1]
    assert churn.done == ROUNDS * OPERATIONS
    assert last.descriptors <= warm.descriptors
    assert last.threads <= warm.threads
    assert last.disk < 2 * warm.disk
