"""Churn for long: what a collection and its process take must not grow while its contents do not."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from soaking import Churn, small_segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from soaking import Cost

ROUND = 20_000
"""Operations between two openings."""
WARM = 10
"""Rounds until the allocator, the caches and the segments have the size they keep."""
MORE = 1.15
"""What is used at the end is at most so many times what was used when it was warm."""


def run(operations: int, folder: Path, say: Callable[[str], None]) -> dict[str, int]:
    """So many operations, in rounds, the collection opened anew in each; how many there were."""
    churn = Churn(folder / "churn.vecstore")
    costs: list[Cost] = []
    with small_segments():
        while churn.done < operations:
            costs.append(churn.round(min(ROUND, operations - churn.done)))
            say(f"{churn.done:,} of {operations:,} operations: {costs[-1]}")
    if len(costs) >= 3 * WARM:
        check(costs)
    return {"operations of churn": churn.done, "reopenings": len(costs)}


def check(costs: list[Cost]) -> None:
    """The last rounds cost what the first warm ones did."""
    warm, last = costs[WARM : 2 * WARM], costs[-WARM:]
    for what in ("disk", "memory"):
        before, after = (median(getattr(cost, what) for cost in some) for some in (warm, last))
        assert after <= MORE * before, f"{what} grew from {before:,} to {after:,} bytes"
    for what in ("descriptors", "threads"):
        before, after = (max(getattr(cost, what) for cost in some) for some in (warm, last))
        assert after <= before, f"there were {before} {what}, and in the end {after}"
