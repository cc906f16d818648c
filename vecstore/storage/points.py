"""Points on disk: which slot an id has, and what a slot holds.

Two databases:

    points     id key (see ``vecstore.ids``)  ->  slot, 4 bytes little-endian
    payloads   slot, 4 bytes big-endian       ->  id key, then the packed payload

A walk over ``points`` is scroll order; one look-up in ``payloads`` turns a hit into a record. An id key tells
its own length by its first byte.
"""

from __future__ import annotations

from itertools import islice
from operator import add
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vecstore.errors import Corrupted
from vecstore.ids import INTEGER_KEY_SIZE, UUID_KEY_SIZE, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from vecstore.storage.environment import Database, Transaction

SLOT_SIZE = 4
STORED_SLOT = np.dtype("<u4")
SLOT_KEY = np.dtype(">u4")
WALK = 1024


def slot_keys(slots: npt.NDArray[np.uint32]) -> list[bytes]:
    """The keys of slots in ``payloads``."""
    return split(slots.astype(SLOT_KEY).tobytes(), SLOT_SIZE)


def split_value(value: bytes) -> tuple[bytes, bytes]:
    """Id key and packed payload of a value of ``payloads``."""
    size = UUID_KEY_SIZE if value[0] else INTEGER_KEY_SIZE
    return value[:size], value[size:]


def _in_order(slots: npt.NDArray[np.uint32], rows: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Rows by slot, so that LMDB finds the next place beside the last one; new slots ascend already."""
    return list(rows) if len(slots) == 1 or (slots[1:] > slots[:-1]).all() else sorted(rows)


class Points:
    """Reading and writing the two databases. Every call is inside a transaction of the caller."""

    def __init__(self, points: Database, payloads: Database, path: Path) -> None:
        self._points = points
        self._payloads = payloads
        self._path = path

    def count(self, txn: Transaction) -> int:
        """How many points there are."""
        return int(txn.stat(self._points)["entries"])

    def find(self, txn: Transaction, keys: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """The slot of each id key, -1 where there is no such point."""
        if len(keys) == 1:  # without a cursor in a fifth of the time
            slot = txn.get(keys[0], db=self._points)
            return np.array([-1 if slot is None else int.from_bytes(slot, "little")], dtype=np.int64)
        slots = np.full(len(keys), -1, dtype=np.int64)
        with txn.cursor(db=self._points) as cursor:
            # Loading new points in the order of their ids needs no look-up for each of them.
            if not cursor.last() or min(keys, default=b"") > cursor.key():
                return slots
            found = cursor.getmulti(keys)
        if len(found) == len(keys):
            return np.frombuffer(b"".join([v for _, v in found]), dtype=STORED_SLOT).astype(np.int64)
        if found:
            have = dict(found)
            places = [i for i, key in enumerate(keys) if key in have]
            slots[places] = np.frombuffer(b"".join([have[keys[i]] for i in places]), dtype=STORED_SLOT)
        return slots

    def insert(self, txn: Transaction, keys: Sequence[bytes], slots: npt.NDArray[np.uint32]) -> None:
        """Give new id keys their slots."""
        values = split(slots.astype(STORED_SLOT).tobytes(), SLOT_SIZE)
        # In order, so that LMDB finds the next place beside the last one.
        rows = sorted(zip(keys, values, strict=True))
        with txn.cursor(db=self._points) as cursor:
            after = not cursor.last() or (bool(rows) and rows[0][0] > cursor.key())
            cursor.putmulti(rows, append=after)

    def remove(self, txn: Transaction, keys: Iterable[bytes], slots: npt.NDArray[np.uint32]) -> None:
        """Forget points: their ids and their payloads."""
        for key in keys:
            txn.delete(key, db=self._points)
        for slot in slot_keys(slots):
            txn.delete(slot, db=self._payloads)

    def put_payloads(
        self,
        txn: Transaction,
        slots: npt.NDArray[np.uint32],
        keys: Sequence[bytes],
        payloads: Sequence[bytes],
    ) -> None:
        """Set the id key and the packed payload of each slot."""
        if len(keys) == 1:
            slot, value = int(slots[0]).to_bytes(SLOT_SIZE, "big"), keys[0] + payloads[0]
            if txn.get(slot, db=self._payloads) != value:  # what is there already need not be synced again
                txn.put(slot, value, db=self._payloads)
            return
        rows = _in_order(slots, zip(slot_keys(slots), map(add, keys, payloads), strict=True))
        with txn.cursor(db=self._payloads) as cursor:
            after = not cursor.last() or (bool(rows) and rows[0][0] > cursor.key())
            cursor.putmulti(rows, append=after)

    def values(self, txn: Transaction, slots: npt.NDArray[np.uint32]) -> list[bytes]:
        """For each slot, which must be in use, its value: id key and packed payload. Raises ``Corrupted``."""
        with txn.cursor(db=self._payloads) as cursor:
            found = cursor.getmulti(slot_keys(slots))
        if len(found) != len(slots):
            what = f"{len(slots) - len(found)} slots that ids, vectors or indexes name have no payload"
            raise Corrupted(self._path, what)
        return [value for _, value in found]

    def value(self, txn: Transaction, slot: int) -> bytes | None:
        """The value of one slot; None when it is not in use."""
        value: bytes | None = txn.get(slot.to_bytes(SLOT_SIZE, "big"), db=self._payloads)
        return value

    def walk_payloads(self, txn: Transaction, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Every slot in use from ``start`` on, ascending, with its value."""
        with txn.cursor(db=self._payloads) as cursor:
            if not cursor.set_range(start.to_bytes(SLOT_SIZE, "big")):
                return
            for key, value in cursor.iternext():
                yield int.from_bytes(key, "big"), value

    def walk(self, txn: Transaction, start: bytes | None) -> Iterator[tuple[list[bytes], npt.NDArray[np.uint32]]]:
        """Id keys and slots in the order of ids, from the key ``start`` on (inclusive), in runs."""
        with txn.cursor(db=self._points) as cursor:
            found = cursor.set_range(start) if start else cursor.first()
            rows = cursor.iternext() if found else iter(())
            while run := list(islice(rows, WALK)):
                slots = np.frombuffer(b"".join([v for _, v in run]), dtype=STORED_SLOT)
                yield [k for k, _ in run], slots.astype(np.uint32)
