"""Faults for long: every call of every site that reaches files, LMDB or FAISS fails, once and from then on."""

from __future__ import annotations

import gc
import random
from typing import TYPE_CHECKING

from failing import check_met, faults, sites, small_limits, survived

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def run(share: float, folder: Path, say: Callable[[str], None]) -> dict[str, int]:
    """This share of the faults; how many there were, at how many sites, and how many of them happened.

    One that does not happen is one that something else was quicker than: threads do not always do the same.
    """
    with small_limits():
        found = sites(folder / "whole")
        check_met(found)
        every = faults(found)
        chosen = every if share >= 1 else random.Random(4).sample(every, max(1, round(share * len(every))))
        happened = 0
        for number, fault in enumerate(chosen, 1):
            happened += survived(folder / "life", fault)
            gc.collect()  # what failed and was not asked for
            say(f"fault {number} of {len(chosen)}: {fault[0]}")
    return {"faults": len(chosen), "call sites": len({site for site, _, _ in chosen}), "faults that happened": happened}
