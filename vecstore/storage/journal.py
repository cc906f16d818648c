"""The journal: what applied transactions did to vectors since the last seal.

The vectors of the open segment live nowhere else on disk. One entry a transaction, under increasing sequence
numbers, in pieces (see ``pieces``). An entry is

    4 bytes      length of the head, little-endian
    head         msgpack: one list a vector name that changed:
                 [field, segment, first row, slots (u32 each), size, segments of dead rows, dead rows (u32 each)]
    blocks       for each of these lists in turn, its rows as float32: len(slots) x size

All arrays are little-endian. ``field`` is the number the collection gave to the vector name.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecstore.encoding import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vecstore.storage.environment import Transaction
    from vecstore.storage.pieces import Pieces

HEAD = struct.Struct("<I")
U32 = np.dtype("<u4")
F32 = np.dtype("<f4")
HIGHEST = (1 << 32) - 1


@dataclass(slots=True)
class Change:
    """What one transaction did to the vectors of one name.

    ``slots`` and ``matrix`` (float32, rows x size) were appended to ``segment`` from row ``first`` on;
    the rows ``dead_rows`` of ``dead_segments`` (side by side) died.
    """

    field: int
    segment: int
    first: int
    slots: npt.NDArray[np.uint32]
    matrix: npt.NDArray[np.float32]
    dead_segments: npt.NDArray[np.uint32]
    dead_rows: npt.NDArray[np.uint32]


def encode(changes: Sequence[Change]) -> list[Any]:
    """The form of an entry, in parts that have a buffer each; blocks are not copied."""
    head = pack(
        [
            [
                c.field,
                c.segment,
                c.first,
                c.slots.astype(U32, copy=False).tobytes(),
                int(c.matrix.shape[1]),
                c.dead_segments.astype(U32, copy=False).tobytes(),
                c.dead_rows.astype(U32, copy=False).tobytes(),
            ]
            for c in changes
        ]
    )
    return [HEAD.pack(len(head)), head, *(np.ascontiguousarray(c.matrix, dtype=F32) for c in changes)]


def decode(value: bytes) -> list[Change]:
    """An entry from its form; the arrays are views of ``value``. Raises ``ValueError`` for what is none."""
    try:
        (length,) = HEAD.unpack_from(value)
        at = HEAD.size + length
        changes = []
        for row in unpack(value[HEAD.size : at]):
            changes.append(_change(row, value, at))
            at += changes[-1].matrix.nbytes
    except (struct.error, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise ValueError(f"it is no entry: {error}") from error
    if at != len(value):
        raise ValueError(f"expected {at} bytes, got {len(value)}")
    return changes


def _change(row: list[Any], value: bytes, at: int) -> Change:
    field, segment, first, slots, size, dead_segments, dead_rows = row
    for number in (field, segment, first, size):
        if type(number) is not int or not 0 <= number <= HIGHEST:
            raise ValueError(f"expected numbers of 32 bits, got {field}, {segment}, {first}, {size}")
    if not (type(slots) is type(dead_segments) is type(dead_rows) is bytes):
        raise ValueError("expected slots and rows as bytes")
    if len(dead_segments) != len(dead_rows):
        raise ValueError("expected a segment for each dead row")
    appended = np.frombuffer(slots, dtype=U32)
    block = np.frombuffer(value, dtype=F32, count=len(appended) * size, offset=at)
    return Change(
        field=field,
        segment=segment,
        first=first,
        slots=appended,
        matrix=block.reshape(len(appended), size),
        dead_segments=np.frombuffer(dead_segments, dtype=U32),
        dead_rows=np.frombuffer(dead_rows, dtype=U32),
    )


def _decoded(value: bytes) -> list[Change] | None:
    try:
        return decode(value)
    except ValueError:
        return None


class Journal:
    """The entries, in the order of their transactions."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    def append(self, txn: Transaction, sequence: int, entry: Sequence[Any]) -> int:
        """Keep an entry under a sequence number higher than all before. Returns its size in bytes."""
        return self._pieces.append(txn, sequence, entry)

    def entries(self, txn: Transaction, start: int = 0) -> Iterator[tuple[int, int, list[Change]]]:
        """Sequence number, size in bytes and changes of every entry from ``start`` on."""
        for sequence, value in self._pieces.checked(txn, start):
            if value is None:
                raise self._pieces.damaged(sequence)
            try:
                yield sequence, len(value), decode(value)
            except ValueError as error:
                raise self._pieces.corrupted(sequence, f"cannot be read: {error}") from error

    def checked(self, txn: Transaction) -> Iterator[tuple[int, list[Change] | None]]:
        """Sequence number and changes of every entry, None for a damaged one."""
        for sequence, value in self._pieces.checked(txn):
            yield sequence, None if value is None else _decoded(value)

    def drop(self, txn: Transaction, last: int) -> None:
        """Forget the entries up to ``last``: they are in sealed segments now."""
        self._pieces.remove(txn, 0, last)

    def records(self, txn: Transaction) -> int:
        """How many records the entries are kept in: more with each one, until some are dropped."""
        return self._pieces.records(txn)

    def last(self, txn: Transaction) -> int | None:
        """The highest sequence number, or None when the journal is empty."""
        numbers = self._pieces.numbers(txn)
        return numbers and numbers[1]
