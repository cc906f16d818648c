"""Answers: a condition on an indexed field, as a node that finds the points from the index.

A node tells cheaply how many points there can be (``estimate``), sometimes how many there are (``count``), and
which they are (``found``). Every node answers as ``vecstore.filters.matching`` would, or leaves points between
"for sure" and "maybe".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.engine.found import ANYTHING, NONE, Found, Space, exactly
from vecstore.engine.memo import BUCKET_COST, RANGE_COST
from vecstore.storage import terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vecstore.engine.memo import Memo
    from vecstore.storage.catalog import Index
    from vecstore.storage.environment import Transaction
    from vecstore.storage.indexes import Indexes, Interval

Slots: TypeAlias = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Reader:
    """The indexes of one state, its ``points``, and the space of its slots.

    ``memo``: what was read of it before; None inside a write.
    """

    txn: Transaction
    indexes: Indexes
    space: Space
    points: int
    memo: Memo | None

    def count(self, key: bytes) -> int:
        """How many points have a term."""
        return self.indexes.count(self.txn, key)

    def slots(self, key: bytes) -> Slots:
        """The points that have a term."""
        if self.memo is None:
            return self.indexes.slots(self.txn, key)
        return self.memo.slots(key, lambda: self.indexes.slots(self.txn, key))

    def any_of(self, keys: Iterable[bytes]) -> Slots:
        """The points that have any of these terms."""
        return self.space.distinct(self.indexes.each(self.txn, keys))

    def entries(self, index: Index, tag: bytes, interval: Interval) -> InMemory | InBuckets:
        """The entries whose heads are in an interval."""
        prefix = index.prefix + tag
        column = None if self.memo is None else self.memo.column(prefix)
        return InBuckets(self, prefix, interval) if column is None else InMemory(column.within(interval))

    def several(self, index: Index) -> bytes:
        """The key of the points with several values."""
        return index.prefix + terms.SEVERAL


class InMemory:
    """The entries of a range, from a column."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def estimate(self) -> int:
        """How many there are."""
        return len(self._slots)

    count = estimate

    def slots(self) -> Slots:
        """Their slots; one with several values comes as often."""
        return self._slots


class InBuckets:
    """The entries of a range, from the store."""

    def __init__(self, reader: Reader, prefix: bytes, interval: Interval) -> None:
        self._reader, self._prefix = reader, prefix
        self._range = reader.indexes.range_of(reader.txn, prefix, interval)
        self._spend(RANGE_COST + BUCKET_COST * self._range.buckets)

    def _spend(self, entries: int) -> None:
        memo = self._reader.memo
        if memo is not None and memo.spend(self._prefix, entries, self._reader.space.size):
            memo.fetch_column(self._reader.indexes, self._reader.txn, self._prefix)

    def estimate(self) -> int:
        """How many there are at most."""
        return self._range.estimate()

    def count(self) -> int:
        """How many there are."""
        return self._range.count()

    def slots(self) -> Slots:
        """Their slots; one with several values comes as often."""
        self._spend(self._range.estimate())
        return self._range.slots()


class Node:
    """A condition, or a combination of some; by itself, one of which nothing is known."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def estimate(self) -> int:
        """How many points match at most, roughly."""
        return self.reader.space.size

    def count(self) -> int | None:
        """How many points match, if that is cheaper to tell than which."""
        return None

    def found(self) -> Found:
        """Which points match."""
        return ANYTHING


class Fixed(Node):
    """Points that are known."""

    def __init__(self, reader: Reader, slots: Slots) -> None:
        super().__init__(reader)
        self._slots = slots

    def estimate(self) -> int:  # noqa: D102
        return len(self._slots)

    def found(self) -> Found:  # noqa: D102
        return exactly(self._slots)


class Postings(Node):
    """The points with any of these terms. A key that was cut is no more than likely."""

    def __init__(self, reader: Reader, keys: Sequence[bytes]) -> None:
        super().__init__(reader)
        self._sure = [key for key in keys if not terms.was_cut(key)]
        self._unsure = [key for key in keys if terms.was_cut(key)]

    def estimate(self) -> int:  # noqa: D102
        return sum(map(self.reader.count, self._sure)) + sum(map(self.reader.count, self._unsure))

    def count(self) -> int | None:  # noqa: D102
        if self._unsure or len(self._sure) > 1:
            return None
        return sum(map(self.reader.count, self._sure))

    def found(self) -> Found:  # noqa: D102
        if not self._unsure:
            return exactly(self.reader.slots(self._sure[0]) if len(self._sure) == 1 else self.reader.any_of(self._sure))
        return Found(self.reader.any_of(self._sure), self.reader.any_of([*self._sure, *self._unsure]))


class Strings(Node):
    """The points with a string that passes: every distinct string that begins with ``start`` is tried once."""

    def __init__(self, reader: Reader, index: Index, start: bytes, check: Callable[[str], bool]) -> None:
        super().__init__(reader)
        self._prefix = index.prefix + terms.STRING + start[: terms.CUT]
        self._check = check

    def found(self) -> Found:  # noqa: D102
        keys = list(self.reader.indexes.keys(self.reader.txn, self._prefix))
        whole = [key for key in keys if not terms.was_cut(key) and self._check(key[terms.KEY_HEAD :].decode())]
        return Postings(self.reader, [*whole, *filter(terms.was_cut, keys)]).found()


class HeadRange(Node):
    """The points with a value whose head is in ``sure``; those in ``maybe`` alone lie beside a bound."""

    def __init__(self, reader: Reader, index: Index, tag: bytes, sure: Interval, maybe: Interval) -> None:
        super().__init__(reader)
        self._index, self._exact = index, sure == maybe
        self._sure = reader.entries(index, tag, sure)
        self._maybe = self._sure if self._exact else reader.entries(index, tag, maybe)

    def estimate(self) -> int:  # noqa: D102
        return self._maybe.estimate()

    def count(self) -> int | None:  # noqa: D102
        return self._sure.count() if self._exact and not self._repeats() else None

    def _repeats(self) -> bool:
        return self.reader.count(self.reader.several(self._index)) > 0

    def found(self) -> Found:  # noqa: D102
        slots = self._distinct(self._sure.slots())
        return exactly(slots) if self._exact else Found(slots, self._distinct(self._maybe.slots()))

    def _distinct(self, slots: Slots) -> Slots:
        return self.reader.space.distinct([slots]) if self._repeats() else slots


class Except(Node):
    """The points with a value, other than null, that is none of the listed terms."""

    def __init__(self, reader: Reader, index: Index, keys: Sequence[bytes]) -> None:
        super().__init__(reader)
        self._index, self._keys = index, keys

    def found(self) -> Found:  # noqa: D102
        space, prefix = self.reader.space, self._index.prefix
        valued = space.without(space.live(), self.reader.any_of([prefix + terms.MISSING, prefix + terms.EMPTY]))
        listed = self.reader.any_of([*self._keys, prefix + terms.NULL])
        # A point with one value has nothing beside what is listed; one with several may.
        open_ones = space.common(listed, self.reader.slots(self.reader.several(self._index)))
        sure = space.without(valued, listed)
        return Found(sure, np.concatenate([sure, open_ones])) if len(open_ones) else exactly(sure)


class Counts(Node):
    """The points of which one value has a count that is within bounds."""

    def __init__(self, reader: Reader, index: Index, within: Callable[[int], bool]) -> None:
        super().__init__(reader)
        self._index, self._within = index, within

    def found(self) -> Found:  # noqa: D102
        space, prefix = self.reader.space, self._index.prefix
        counted = list(self.reader.indexes.keys(self.reader.txn, prefix + terms.COUNT))
        keys = [key for key in counted if self._within(int.from_bytes(key[terms.KEY_HEAD :], "big"))]
        if self._within(0):
            keys.append(prefix + terms.MISSING)
        found = self.reader.any_of(keys)
        if not self._within(1):
            return exactly(found)
        # All others have one value that is neither null nor an array.
        others = self.reader.any_of([*counted, prefix + terms.MISSING])
        return exactly(np.concatenate([found, space.without(space.live(), others)]))


class Words(Node):
    """The points with a string that has all of these words; ``phrase``: in a row, some maybe more than once."""

    def __init__(self, reader: Reader, index: Index, keys: Sequence[bytes], *, phrase: bool) -> None:
        super().__init__(reader)
        self._index, self._phrase = index, phrase
        self._parts = [Postings(reader, [key]) for key in keys]

    def estimate(self) -> int:  # noqa: D102
        return min((part.estimate() for part in self._parts), default=0)

    def count(self) -> int | None:  # noqa: D102
        return self._parts[0].count() if len(self._parts) == 1 and not self._phrase else None

    def found(self) -> Found:  # noqa: D102
        found = self._together()
        if self._phrase:
            return Found(NONE, found.maybe)
        if len(self._parts) < 2:
            return found
        # Of several strings one must have all the words.
        several = self.reader.slots(self.reader.several(self._index))
        return Found(self.reader.space.without(found.sure, several), found.maybe) if len(several) else found

    def _together(self) -> Found:
        parts = sorted(self._parts, key=lambda part: part.estimate())
        found = parts[0].found() if parts else exactly(NONE)
        for part in parts[1:]:
            found = self.reader.space.both(found, part.found())
        return found
