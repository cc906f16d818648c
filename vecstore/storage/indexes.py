"""Payload indexes on disk: from a term (``vecstore.storage.terms``) to the slots of the points that have it.

Two databases, both with sorted duplicates of one size:

    index      key of a term without a head   ->  slots, 4 bytes big-endian each
    numbers    key of a term with a head      ->  head (8 bytes) and slot (4 bytes), so sorted by value

The slots of a key are contiguous in LMDB's pages: a posting list is one bulk read, its length one look-up. A
range of heads is the buckets between two keys; all of the inner ones lie in it.

A slot is under a key at most once. An index has the terms of every point whose slot it has reached
(``vecstore.storage.catalog``), as of the same transaction.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.storage.terms import HEAD_SIZE, bucket, head_bytes, number_of, prefix_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vecstore.storage.environment import Database, Transaction

Slots: TypeAlias = npt.NDArray[np.uint32]
Heads: TypeAlias = npt.NDArray[np.uint64]
Interval: TypeAlias = tuple[int, int]
"""The first and the last head of a range; empty where the first is larger."""

SLOT_SIZE = 4
STORED_SLOT = np.dtype(">u4")
STORED_HEAD = np.dtype(">u8")
ENTRY_SIZE = HEAD_SIZE + SLOT_SIZE
DROP_KEYS = 2000
"""Keys that one step of ``drop`` removes: 5 ms at most."""

_NONE = np.empty(0, dtype=np.uint32)

assert STORED_HEAD.itemsize + STORED_SLOT.itemsize == ENTRY_SIZE


class Entries:
    """Entries to be put or removed together: values by key, of ``postings`` and of ``numbers``."""

    def __init__(self) -> None:
        self.postings: defaultdict[bytes, list[bytes]] = defaultdict(list)
        self.numbers: defaultdict[bytes, list[bytes]] = defaultdict(list)

    def add_head(self, prefix: bytes, tag: bytes, head: int, slot: bytes) -> None:
        """Add a head of a slot to the index whose keys begin with ``prefix``."""
        self.numbers[prefix + tag + bucket(tag, head)].append(head_bytes(head) + slot)

    def without(self, others: Entries) -> Entries:
        """Those that are not among ``others``."""
        left = Entries()
        left.postings.update(_difference(self.postings, others.postings))
        left.numbers.update(_difference(self.numbers, others.numbers))
        return left


def _difference(groups: Mapping[bytes, list[bytes]], others: Mapping[bytes, list[bytes]]) -> dict[bytes, list[bytes]]:
    left = {key: [*set(values).difference(others.get(key, ()))] for key, values in groups.items()}
    return {key: values for key, values in left.items() if values}


class Indexes:
    """Reading and writing the two databases. Every call is inside a transaction of the caller."""

    def __init__(self, postings: Database, numbers: Database) -> None:
        self._postings = postings
        self._numbers = numbers

    # -- writing ---------------------------------------------------------------------------------------------

    def put(self, txn: Transaction, entries: Entries) -> None:
        """Keep these entries; those that are there already change nothing."""
        for database, groups in ((self._postings, entries.postings), (self._numbers, entries.numbers)):
            if groups:
                # In order, so that LMDB finds the next place beside the last one.
                rows = [(key, value) for key in sorted(groups) for value in sorted(groups[key])]
                with txn.cursor(db=database) as cursor:
                    cursor.putmulti(rows, dupdata=True)

    def remove(self, txn: Transaction, entries: Entries) -> None:
        """Forget these entries."""
        for database, groups in ((self._postings, entries.postings), (self._numbers, entries.numbers)):
            for key in sorted(groups):
                for value in sorted(groups[key]):
                    txn.delete(key, value, db=database)

    def drop(self, txn: Transaction, number: int) -> bool:
        """Forget some of an index; returns whether nothing of it is left."""
        prefix, left = prefix_of(number), DROP_KEYS
        for database in (self._postings, self._numbers):
            with txn.cursor(db=database) as cursor:
                while cursor.set_range(prefix) and cursor.key().startswith(prefix):
                    if not left:
                        return False
                    cursor.delete(dupdata=True)
                    left -= 1
        return True

    # -- checking --------------------------------------------------------------------------------------------

    def check(self, txn: Transaction, entries: Entries) -> tuple[Counter[int], Counter[int]]:
        """For each index, by number: how many different entries these are, and how many of them are not kept."""
        wanted: Counter[int] = Counter()
        missing: Counter[int] = Counter()
        for database, groups in ((self._postings, entries.postings), (self._numbers, entries.numbers)):
            with txn.cursor(db=database) as cursor:
                for key in sorted(groups):
                    values = sorted(set(groups[key]))
                    wanted[number_of(key)] += len(values)
                    missing[number_of(key)] += sum(not cursor.set_key_dup(key, value) for value in values)
        return wanted, missing

    def totals(self, txn: Transaction) -> Counter[int]:
        """How many entries there are of each index, by number."""
        totals: Counter[int] = Counter()
        for database in (self._postings, self._numbers):
            with txn.cursor(db=database) as cursor:
                found = cursor.first()
                while found:
                    totals[number_of(cursor.key())] += int(cursor.count())
                    found = cursor.next_nodup()
        return totals

    # -- terms without a head --------------------------------------------------------------------------------

    def count(self, txn: Transaction, key: bytes) -> int:
        """How many slots have a term."""
        with txn.cursor(db=self._postings) as cursor:
            return int(cursor.count()) if cursor.set_key(key) else 0

    def slots(self, txn: Transaction, key: bytes) -> Slots:
        """The slots that have a term, ascending."""
        with txn.cursor(db=self._postings) as cursor:
            return _slots(cursor.getmulti([key], dupdata=True, dupfixed_bytes=SLOT_SIZE, keyfixed=True), len(key))

    def each(self, txn: Transaction, keys: Iterable[bytes]) -> list[Slots]:
        """The slots that have any of these terms, in several arrays; a slot may be in more than one place."""
        by_length: defaultdict[int, list[bytes]] = defaultdict(list)
        for key in keys:
            by_length[len(key)].append(key)
        with txn.cursor(db=self._postings) as cursor:
            return [
                _slots(cursor.getmulti(same, dupdata=True, dupfixed_bytes=SLOT_SIZE, keyfixed=True), length)
                for length, same in by_length.items()
            ]

    def keys(self, txn: Transaction, prefix: bytes) -> Iterator[bytes]:
        """The keys that begin with ``prefix``, ascending."""
        with txn.cursor(db=self._postings) as cursor:
            if cursor.set_range(prefix):
                for key in cursor.iternext_nodup(keys=True, values=False):
                    if not key.startswith(prefix):
                        return
                    yield key

    # -- terms with a head -----------------------------------------------------------------------------------

    def buckets(self, txn: Transaction, prefix: bytes, first: bytes, last: bytes) -> list[tuple[bytes, int]]:
        """The keys of ``prefix`` and a rest from ``first`` to ``last``, with their lengths."""
        found = []
        with txn.cursor(db=self._numbers) as cursor:
            if cursor.set_range(prefix + first):
                for key in cursor.iternext_nodup(keys=True, values=False):
                    if key > prefix + last:
                        break
                    found.append((key, int(cursor.count())))
        return found

    def range_of(self, txn: Transaction, prefix: bytes, interval: Interval) -> Range:
        """The slots whose heads are in an interval; ``prefix``: what their keys begin with, tag included."""
        first, last = interval
        if first > last:
            return Range(self, txn, interval, [], (b"", b""))
        low, high = bucket(prefix[-1:], first), bucket(prefix[-1:], last)
        return Range(self, txn, interval, self.buckets(txn, prefix, low, high), (prefix + low, prefix + high))

    def entries(self, txn: Transaction, keys: list[bytes]) -> tuple[Heads, Slots]:
        """Heads and slots under keys (those that are not there are skipped), in their order."""
        if not keys:
            return np.empty(0, dtype=np.uint64), _NONE
        with txn.cursor(db=self._numbers) as cursor:
            data = cursor.getmulti(keys, dupdata=True, dupfixed_bytes=ENTRY_SIZE, keyfixed=True)
        rows = np.frombuffer(data, dtype=_row(len(keys[0]), (("head", STORED_HEAD), ("slot", STORED_SLOT))))
        return rows["head"].astype(np.uint64), rows["slot"].astype(np.uint32)


class Range:
    """The slots whose heads lie in an interval: its buckets, of which only those at the ends are looked into."""

    def __init__(
        self,
        indexes: Indexes,
        txn: Transaction,
        interval: Interval,
        buckets: list[tuple[bytes, int]],
        ends: tuple[bytes, bytes],
    ) -> None:
        self._indexes, self._txn, self._interval = indexes, txn, interval
        self._inner = [(key, count) for key, count in buckets if key not in ends]
        self._outer = [(key, count) for key, count in buckets if key in ends]

    @property
    def buckets(self) -> int:
        """How many buckets there are."""
        return len(self._inner) + len(self._outer)

    def estimate(self) -> int:
        """How many entries there are at most."""
        return sum(count for _, count in self._inner) + sum(count for _, count in self._outer)

    def count(self) -> int:
        """How many entries there are; a slot with several values in the interval counts as often."""
        return sum(count for _, count in self._inner) + len(self._at_ends())

    def slots(self) -> Slots:
        """The slots, by value; one with several values in the interval comes as often."""
        inner = self._indexes.entries(self._txn, [key for key, _ in self._inner])[1]
        return np.concatenate([inner, self._at_ends()])

    def _at_ends(self) -> Slots:
        heads, slots = self._indexes.entries(self._txn, [key for key, _ in self._outer])
        first, last = self._interval
        return slots[(heads >= np.uint64(first)) & (heads <= np.uint64(last))]


def _slots(data: memoryview, key_size: int) -> Slots:
    return np.frombuffer(data, dtype=_row(key_size, (("slot", STORED_SLOT),)))["slot"].astype(np.uint32)


def _row(key_size: int, fields: tuple[tuple[str, np.dtype[np.generic]], ...]) -> np.dtype[np.void]:
    """A row as LMDB returns them in bulk: the key, then the duplicate."""
    return np.dtype([("key", f"V{key_size}"), *fields])
