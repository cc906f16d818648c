"""The journal: what applied transactions did to vectors since the last seal.

The vectors of the open segment live nowhere else on disk. One entry a transaction, under increasing sequence
numbers, in pieces (see ``pieces``). An entry is, for each vector name that changed, one after the other,

    head             field, segment, first row, rows, size, dead rows
    slots            one for each of its rows
    dead segments    one for each dead row
    dead rows
    rows             float32: rows x size

All of it are numbers of 4 bytes, little-endian, so that a reader, who replays every entry, has them at once.
``field`` is the number the collection gave to the vector name.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from vecstore.errors import Corrupted
    from vecstore.storage.environment import Transaction
    from vecstore.storage.pieces import Pieces

HEAD = struct.Struct("<6I")
HEAD_NUMBERS = 6
ONE_ROW = struct.Struct("<9I")
"""The head of an entry, the slot of its one row, and segment and number of its one dead row, if there is one."""
U32 = np.dtype("<u4")
F32 = np.dtype("<f4")


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


Row: TypeAlias = "tuple[int, int, int, int, npt.NDArray[np.float32], int | None, int]"
"""An entry of one row: field, segment, number of the row, slot, vector; and of a row that died the segment and the
number, or None and any."""


def encode(changes: Sequence[Change]) -> list[Any]:
    """The form of an entry, in parts that have a buffer each; large blocks are not copied."""
    if len(changes) == 1 and len(changes[0].slots) == 1 >= len(changes[0].dead_rows):
        return [_encode_row(changes[0])]
    parts: list[Any] = []
    for c in changes:
        rows, size = c.matrix.shape
        head = HEAD.pack(c.field, c.segment, c.first, rows, size, len(c.dead_rows))
        numbers = [np.ascontiguousarray(array, dtype=U32) for array in (c.slots, c.dead_segments, c.dead_rows)]
        parts += [head, *numbers, np.ascontiguousarray(c.matrix, dtype=F32)]
    return parts


def _encode_row(c: Change) -> bytes:
    """The same in one part, and in a third of the time."""
    dead = len(c.dead_rows)
    row = (c.field, c.segment, c.first, 1, c.matrix.shape[1], dead, int(c.slots[0]))
    vector = c.matrix.astype(F32, copy=False).tobytes()
    if not dead:
        return ONE_ROW.pack(*row, 0, 0)[:-8] + vector
    return ONE_ROW.pack(*row, int(c.dead_segments[0]), int(c.dead_rows[0])) + vector


def decode_row(value: bytes) -> Row | None:
    """An entry from its form, where it is one row and at most one that died; None where it is another, or none.

    The vector is a view of ``value``.
    """
    if len(value) < ONE_ROW.size:
        return None
    field, segment, first, rows, size, dead, slot, dead_segment, dead_row = ONE_ROW.unpack_from(value)
    vector_at = ONE_ROW.size if dead else ONE_ROW.size - 8
    if rows != 1 or dead > 1 or len(value) != vector_at + 4 * size:
        return None
    vector = np.frombuffer(value, F32, size, vector_at)
    return field, segment, first, slot, vector, dead_segment if dead else None, dead_row


def decode(value: bytes) -> list[Change]:
    """An entry from its form; the arrays are views of ``value``. Raises ``ValueError`` for what is none."""
    numbers = np.frombuffer(value, dtype=U32)
    changes, at = [], 0
    while at < len(numbers):
        field, segment, first, rows, size, dead = numbers[at : at + HEAD_NUMBERS].tolist()
        slots = at + HEAD_NUMBERS
        segments = slots + rows
        dead_rows = segments + dead
        block = dead_rows + dead
        at = block + rows * size
        if at > len(numbers):
            raise ValueError(f"expected {at} numbers or more, got {len(numbers)}")
        changes.append(
            Change(
                field=field,
                segment=segment,
                first=first,
                slots=numbers[slots:segments],
                matrix=numbers[block:at].view(F32).reshape(rows, size),
                dead_segments=numbers[segments:dead_rows],
                dead_rows=numbers[dead_rows:block],
            )
        )
    return changes


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

    def entries(self, txn: Transaction, start: int = 0) -> Iterable[tuple[int, bytes]]:
        """Sequence number and form of every entry from ``start`` on."""
        return self._pieces.items(txn, start)

    def unreadable(self, sequence: int, error: Exception) -> Corrupted:
        """The error of an entry whose form is none."""
        return self._pieces.corrupted(sequence, f"cannot be read: {error}")

    def checked(self, txn: Transaction) -> Iterator[tuple[int, list[Change] | None]]:
        """Sequence number and changes of every entry, None for a damaged one."""
        for sequence, value in self._pieces.checked(txn):
            yield sequence, None if value is None else _decoded(value)

    def drop(self, txn: Transaction, last: int) -> None:
        """Forget the entries up to ``last``: they are in sealed segments now."""
        self._pieces.remove(txn, 0, last)

    def last(self, txn: Transaction) -> int | None:
        """The highest sequence number, or None when the journal is empty."""
        numbers = self._pieces.numbers(txn)
        return numbers and numbers[1]
