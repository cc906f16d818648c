"""What can be told of a filter without looking at payloads: which points match for sure, and which may.

The two are kept through every combination of conditions, so that what indexes cannot settle narrows what has
to be looked at, and never decides. Sets of slots are arrays without repetition, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Slots: TypeAlias = npt.NDArray[np.uint32]
Mask: TypeAlias = npt.NDArray[np.bool_]

NONE: Slots = np.empty(0, dtype=np.uint32)

SPARSE = 32
"""Sets that together hold less than a slot in this many are sorted to be intersected, others marked in a mask.

Two sets of 500, of 5,000 and of 20,000 in 1,000,000 slots: sorted 3, 19 and 77 us, marked 10, 23 and 66 us.
"""
DENSE = 2
"""Sets that together hold more than a slot in this many are united in a mask, others sorted.

10,000, 100,000 and 500,000 of 1,000,000 slots: sorted 20, 185 and 1,110 us, marked 290, 1,640 and 1,200 us.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """``sure``: points that match. ``maybe``: points outside of which none does; None: it could be any point."""

    sure: Slots
    maybe: Slots | None

    @property
    def exact(self) -> bool:
        """Whether nothing has to be looked at any more."""
        return self.maybe is self.sure


def exactly(slots: Slots) -> Found:
    """These points, and no others."""
    return Found(slots, slots)


ANYTHING = Found(NONE, None)
"""Nothing is known."""


class Space:
    """Set operations in one state: all slots in use are under ``size``; ``live`` finds which they are."""

    def __init__(self, size: int, live: Callable[[], Slots]) -> None:
        self.size = size
        self._find_live = live
        self._live: Slots | None = None

    def live(self) -> Slots:
        """The slots in use."""
        if self._live is None:
            self._live = self._find_live()
        return self._live

    def mask(self, *parts: Slots) -> Mask:
        """One bool a slot: whether it is in any of these."""
        mask = np.zeros(self.size, dtype=np.bool_)
        for slots in parts:
            mask[slots] = True
        return mask

    def distinct(self, parts: Sequence[Slots]) -> Slots:
        """What is in any of these arrays, which may repeat themselves, ascending."""
        if not parts:
            return NONE
        if DENSE * sum(map(len, parts)) < self.size:
            ascending = np.sort(np.concatenate(parts))
            return ascending[np.append(True, ascending[1:] != ascending[:-1])] if len(ascending) else NONE
        return np.flatnonzero(self.mask(*parts)).astype(np.uint32)

    def common(self, a: Slots, b: Slots) -> Slots:
        """What is in both."""
        if SPARSE * (len(a) + len(b)) < self.size:
            return np.intersect1d(a, b, assume_unique=True)
        return b[self.mask(a)[b]]

    def without(self, a: Slots, b: Slots) -> Slots:
        """What is in ``a`` and not in ``b``."""
        if not len(b) or not len(a):
            return a
        if SPARSE * (len(a) + len(b)) < self.size:
            return np.setdiff1d(a, b, assume_unique=True)
        return a[~self.mask(b)[a]]

    # -- of what is found ------------------------------------------------------------------------------------

    def both(self, a: Found, b: Found) -> Found:
        """What matches two conditions."""
        sure = self.common(a.sure, b.sure)
        if a.exact and b.exact:
            return exactly(sure)
        if a.maybe is None or b.maybe is None:
            return Found(sure, b.maybe if a.maybe is None else a.maybe)
        return Found(sure, self.common(a.maybe, b.maybe))

    def any_of(self, parts: Sequence[Found]) -> Found:
        """What matches one of these conditions, or several."""
        sure = self.distinct([part.sure for part in parts])
        if all(part.exact for part in parts):
            return exactly(sure)
        maybe = [part.maybe for part in parts if part.maybe is not None]
        return Found(sure, self.distinct(maybe) if len(maybe) == len(parts) else None)

    def excluded(self, a: Found, b: Found) -> Found:
        """What matches ``a`` and does not match ``b``."""
        first = self.live() if a.maybe is None else a.maybe
        if a.exact and b.exact:
            return exactly(self.without(a.sure, b.sure))
        sure = NONE if b.maybe is None else self.without(a.sure, b.maybe)
        return Found(sure, self.without(first, b.sure))

    def at_least(self, count: int, parts: Sequence[Found]) -> Found:
        """What matches ``count`` of these conditions or more."""
        sure = self._at_least(count, [part.sure for part in parts])
        if all(part.exact for part in parts):
            return exactly(sure)
        unknown = sum(part.maybe is None for part in parts)
        if unknown >= count:
            return Found(sure, None)
        return Found(sure, self._at_least(count - unknown, [part.maybe for part in parts if part.maybe is not None]))

    def _at_least(self, count: int, parts: Sequence[Slots]) -> Slots:
        if count > len(parts):
            return NONE
        times = np.zeros(self.size, dtype=np.uint32)
        for slots in parts:
            times[slots] += 1
        return np.flatnonzero(times >= count).astype(np.uint32)
