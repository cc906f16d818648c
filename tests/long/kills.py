"""Kills for long: processes that write are killed at random moments, again and again."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

from test_crash import Mother, World, undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIVES = 25
"""Kills of one collection."""


def run(kills: int, folder: Path, say: Callable[[str], None]) -> dict[str, int]:
    """So many kills; how many there were, and how much was looked at after them."""
    clock, counts, mother = random.Random(kills), Counter[str](), Mother()
    with undisturbed():
        try:
            for first in range(0, kills, LIVES):
                (folder / str(first)).mkdir()
                world = World(mother, folder / str(first))
                for n in range(first, min(kills, first + LIVES)):
                    counts["acknowledged operations found again"] += _killed(world, clock)
                    counts["kills"] += 1
                    say(f"kill {n + 1} of {kills}")
        finally:
            mother.close()
    return dict(counts)


def _killed(world: World, clock: random.Random) -> int:
    """One kill, and what must have been there after it."""
    moment = clock.choice([0.02, 0.1, 0.3, 1.0]) * clock.random()
    told = world.kill_after(moment, durability=clock.choice(["fsync", "os"]))
    world.check(told)
    return told.promised()
