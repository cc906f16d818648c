"""Many threads at one collection for minutes: writers, readers, the optimizer, indexes, snapshots, other handles."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from typing import TYPE_CHECKING

from crowd import everybody, small_limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_SECONDS = 60.0
"""Then a new collection is begun, and the old one checked and opened again."""
DURABILITIES = ("os", "fsync")


def run(minutes: float, folder: Path, say: Callable[[str], None]) -> dict[str, int]:
    """Let the crowd work for so long in ``folder``: how many rounds there were, by kind. Raises what they find.

    It puts small limits into force in this process.
    """
    small_limits(setattr)
    rounds: Counter[str] = Counter()
    until, number = time.monotonic() + 60 * minutes, 0
    while (left := until - time.monotonic()) > 0:
        place = folder / f"crowd {number}"
        place.mkdir(parents=True)
        durability = DURABILITIES[number % len(DURABILITIES)]
        rounds.update(everybody(place, durability, min(left, MOST_SECONDS)))
        shutil.rmtree(place)
        number += 1
        say(f"threads: {sum(rounds.values()):,} rounds, {max(0.0, until - time.monotonic()) / 60:.1f} minutes left")
    return dict(rounds)
