"""Calls in the middle of another call of the same thread: from a signal handler, or from a ``__del__`` that the garbage
collector has run. What the interrupted call holds it lets go only when the nested one has returned, so whoever waited
for that would wait for ever.
"""

from __future__ import annotations

import sys
from typing import Any


def is_inside(*names: str) -> bool:
    """Whether this thread is in the middle of functions whose names, with their module's, begin with one of these."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        if f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}".startswith(names):
            return True
    return False


def is_mine(lock: Any) -> bool:
    """Whether this thread is inside an ``RLock``, or one's condition: what ``threading.Condition`` asks it, too."""
    return bool(lock._is_owned())
