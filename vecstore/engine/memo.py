"""What reads of one state have fetched from the indexes, kept for the next reads of the same state.

A state is the id of the transaction that committed it, so nothing here can be stale: after the next commit
reading begins with an empty memo. Writes do not use one, as they see what their own transaction changes.

Numbers are kept as a column sorted by value, in which a range is two binary searches. Fetching it costs as much
as reading all of its buckets, so that is done once reads of ranges have cost as much.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.storage import terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from vecstore.conditions import Filter
    from vecstore.engine.version import Wanted
    from vecstore.storage.environment import Transaction
    from vecstore.storage.indexes import Indexes, Interval

Slots: TypeAlias = npt.NDArray[np.uint32]
Heads: TypeAlias = npt.NDArray[np.uint64]

BYTES = 64 << 20
"""The most that is kept of a state."""
BUCKET_COST, RANGE_COST = 40, 1000
"""What walking a bucket, and beginning a range, cost in entries read (8 ns): 0.3 and 8 us."""

FILTERS = 64
"""The most filters that are remembered with the points that match them."""

_FIRST, _LAST = b"\0\0\0", b"\xff\xff\xff"


class Column:
    """The heads of one index, ascending, and the slots beside them."""

    def __init__(self, heads: Heads, slots: Slots) -> None:
        self._heads, self._slots = heads, slots

    def within(self, interval: Interval) -> Slots:
        """The slots whose heads are in an interval; one with several comes as often."""
        first, last = interval
        if first > last:
            return self._slots[:0]
        start = self._heads.searchsorted(np.uint64(first), "left")
        return self._slots[start : self._heads.searchsorted(np.uint64(last), "right")]


class Memo:
    """What has been fetched in one state. Safe from any thread: at worst something is fetched twice."""

    def __init__(self, state: int) -> None:
        self.state = state
        self._left = BYTES
        self._slots: dict[bytes, Slots] = {}
        self._columns: dict[bytes, Column] = {}
        self._spent: dict[bytes, int] = {}
        self._wanted: OrderedDict[int, tuple[Filter, Wanted]] = OrderedDict()

    def slots(self, key: bytes, fetch: Callable[[], Slots]) -> Slots:
        """The slots that are kept under ``key``, fetched if need be."""
        found = self._slots.get(key)
        if found is None:
            found = fetch()
            if self._has_room(found.nbytes):
                self._slots[key] = found
        return found

    def wanted(self, condition: Filter, find: Callable[[], Wanted]) -> Wanted:
        """The points that match a filter. Filters that come again as equal dicts are the same object."""
        if (kept := self._wanted.get(id(condition))) is not None:
            return kept[1]
        found = find()
        while self._wanted and (len(self._wanted) >= FILTERS or found.nbytes > self._left):
            with suppress(KeyError):  # another thread was quicker
                self._left += self._wanted.popitem(last=False)[1][1].nbytes
        if self._has_room(found.nbytes):
            self._wanted[id(condition)] = condition, found  # which keeps the condition, and so its number
        return found

    def _has_room(self, size: int) -> bool:
        if size > self._left:
            return False
        self._left -= size
        return True

    def column(self, prefix: bytes) -> Column | None:
        """The column of the heads whose keys begin with ``prefix``, if it has been fetched."""
        return self._columns.get(prefix)

    def spend(self, prefix: bytes, entries: int, size: int) -> bool:
        """Note that ``entries`` were read; returns whether a column of ``size`` entries would have paid."""
        self._spent[prefix] = spent = self._spent.get(prefix, 0) + entries
        return spent > size

    def fetch_column(self, indexes: Indexes, txn: Transaction, prefix: bytes) -> None:
        """Fetch a column, if there is room for it."""
        buckets = indexes.buckets(txn, prefix, _FIRST, _LAST)
        if self._has_room(sum(count for _, count in buckets) * (terms.HEAD_SIZE + 4)):
            self._columns[prefix] = Column(*indexes.entries(txn, [key for key, _ in buckets]))


class Memos:
    """The memo of the newest state that was read."""

    def __init__(self) -> None:
        self._newest = Memo(0)

    def of(self, state: int) -> Memo:
        """The memo of a state; an older one than the newest has a memo of its own each time."""
        newest = self._newest
        if newest.state == state:
            return newest
        memo = Memo(state)
        if state > newest.state:
            self._newest = memo
        return memo
