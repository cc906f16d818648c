"""From a filter to the slots of the points that match it.

This is the door payload indexes go through: ``candidates`` is what can be told without looking at payloads
(an upper bound, or None for "any"), and what it leaves is decoded and tested one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.filters import compile_filter, needs_payload, required_ids
from vecstore.payloads import unpack_payload
from vecstore.storage.points import split_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vecstore.conditions import Filter
    from vecstore.storage.environment import Transaction
    from vecstore.storage.points import Points

Slots: TypeAlias = npt.NDArray[np.uint32]
CHUNK = 1024


class Candidate:
    """The point a predicate looks at; one object serves a whole scan."""

    __slots__ = ("_present", "_vectors", "key", "payload", "slot")

    def __init__(self, present: Callable[[str], npt.NDArray[np.bool_] | None]) -> None:
        self.key = b""
        self.payload: dict[str, Any] = {}
        self.slot = 0
        self._present = present
        self._vectors: dict[str, npt.NDArray[np.bool_] | None] = {}

    def has_vector(self, name: str) -> bool:
        """Whether the point has a vector of this name."""
        if name not in self._vectors:
            self._vectors[name] = self._present(name)
        mask = self._vectors[name]
        return mask is not None and bool(mask[self.slot])


class Scan:
    """One filter over one state: a transaction, and ``present`` (name -> one bool a slot; None if unknown)."""

    def __init__(
        self,
        txn: Transaction,
        points: Points,
        condition: Filter,
        present: Callable[[str], npt.NDArray[np.bool_] | None],
    ) -> None:
        self._txn = txn
        self._points = points
        self._filter = condition
        self._test = compile_filter(condition)
        self._decode = needs_payload(condition)
        self._candidate = Candidate(present)

    def matching(self) -> Slots:
        """The slots of all points that match, ascending."""
        candidates = self.candidates()
        if candidates is not None:
            return candidates[self.test(candidates)]
        rows = self._points.walk_payloads(self._txn)
        return np.fromiter((slot for slot, value in rows if self._matches(slot, value)), dtype=np.uint32)

    def candidates(self) -> Slots | None:
        """Slots outside of which nothing matches, ascending; None when that cannot be told."""
        keys = required_ids(self._filter)
        if keys is None:
            return None
        found = self._points.find(self._txn, sorted(keys))
        return np.sort(found[found >= 0]).astype(np.uint32)

    def test(self, slots: Slots) -> npt.NDArray[np.bool_]:
        """For each of these slots, which must be in use, whether its point matches."""
        rows = zip(slots.tolist(), self._values(slots), strict=True)
        return np.fromiter((self._matches(slot, value) for slot, value in rows), dtype=np.bool_, count=len(slots))

    def _values(self, slots: Slots) -> Iterable[bytes]:
        for start in range(0, len(slots), CHUNK):
            yield from self._points.values(self._txn, slots[start : start + CHUNK])

    def in_order(self, start: bytes | None) -> Iterator[tuple[int, bytes]]:
        """Slot and stored value of the points that match, in the order of their ids from the key ``start`` on."""
        for _, slots in self._points.walk(self._txn, start):
            for slot, value in zip(slots.tolist(), self._values(slots), strict=True):
                if self._matches(slot, value):
                    yield slot, value

    def _matches(self, slot: int, value: bytes) -> bool:
        candidate = self._candidate
        candidate.key, packed = split_value(value)
        candidate.slot = slot
        if self._decode:
            candidate.payload = unpack_payload(packed)
        return self._test(candidate)
