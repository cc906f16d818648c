"""A deadline: how long somebody is still willing to wait."""

from __future__ import annotations

import sys
import time


class Deadline:
    """In ``seconds`` from now; never, where there are none."""

    def __init__(self, seconds: float | None = None) -> None:
        self._at = None if seconds is None else time.monotonic() + min(seconds, sys.float_info.max)

    def left(self) -> float | None:
        """The seconds that are left, 0 where it has passed; None where it never does."""
        return None if self._at is None else max(0.0, min(self._at - time.monotonic(), LONGEST))

    def is_over(self) -> bool:
        """Whether it has passed."""
        return self.left() == 0


LONGEST = 1e6
"""Locks take no more seconds than fit their clock; a caller may give any number."""
