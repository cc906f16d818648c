"""Large values in LMDB, cut into pieces with a checksum each.

LMDB keeps a value in pages that lie side by side, so a large one needs a large gap; pieces of at most
``PIECE_SIZE`` bytes (256 pages with the page header) find their place. Under the prefix of a value:

    prefix, 0        the index: the value's length (8 bytes), then the CRC-32 of every piece (4 bytes each)
    prefix, n >= 1   the nth piece

All integers are big-endian; a prefix is 8 bytes, a piece number 4.
"""

from __future__ import annotations

import struct
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any

from vecstore.errors import Corrupted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from vecstore.storage.environment import Database, Transaction

PIECE_SIZE = (1 << 20) - 16
JOINED = 1 << 16
"""Parts of a value that together have at most so many bytes make one piece."""
PREFIX_SIZE = 8
LENGTH = struct.Struct(">Q")
NUMBER = struct.Struct(">I")
ONE = struct.Struct(">QI")
"""The index of a value in one piece."""
FIRST_PIECE = NUMBER.pack(1)
FEW = 64
"""Up to so many records are read at once: a reader that follows a writer seldom finds more than two new values."""


class Pieces:
    """A database of large values under increasing 8-byte numbers."""

    def __init__(self, database: Database, path: Path, what: str) -> None:
        self._database = database
        self._path = path
        self._what = what

    def append(self, txn: Transaction, number: int, value: Iterable[Any]) -> int:
        """Keep ``value``, given in parts with a buffer each, under a ``number`` higher than all that are there.

        Returns its size in bytes.
        """
        prefix = LENGTH.pack(number)
        parts = list(value)
        if len(parts) != 1 or type(parts[0]) is not bytes or not 0 < len(parts[0]) <= PIECE_SIZE:
            parts = cut(parts)
        kept: list[bytes | memoryview] = [_index(parts), *parts]
        for n, part in enumerate(kept):
            txn.put(prefix + NUMBER.pack(n), part, db=self._database)
        return sum(map(len, parts))

    def items(self, txn: Transaction, start: int = 0) -> Iterable[tuple[int, bytes]]:
        """Every number from ``start`` on with its value, ascending. Raises ``Corrupted`` for a damaged one."""
        few = self._few(txn, start) if start else None  # who begins at the start has more to read
        return self._all(txn, start) if few is None else few

    def _few(self, txn: Transaction, start: int) -> list[tuple[int, bytes]] | None:
        """``items`` in a third of the time; None where there are many, or one is large or damaged."""
        with txn.cursor(db=self._database) as cursor:
            rows = list(islice(cursor.iternext(), FEW)) if cursor.set_range(LENGTH.pack(start)) else []
        if len(rows) == FEW or len(rows) % 2:
            return None
        found = []
        for (key, index), (piece, value) in zip(rows[::2], rows[1::2], strict=True):
            prefix = key[:PREFIX_SIZE]
            if piece != prefix + FIRST_PIECE or index != ONE.pack(len(value), zlib.crc32(value)):
                return None
            found.append((int.from_bytes(prefix, "big"), value))
        return found

    def _all(self, txn: Transaction, start: int) -> Iterator[tuple[int, bytes]]:
        for number, value in self.checked(txn, start):
            if value is None:
                raise self.damaged(number)
            yield number, value

    def damaged(self, number: int) -> Corrupted:
        """The error of a value that ``checked`` has no value for."""
        return self.corrupted(number, "is not what was written (length or checksum)")

    def corrupted(self, number: int, why: str) -> Corrupted:
        """The error of a value that is damaged."""
        return Corrupted(self._path, f"{self._what} {number} {why}")

    def checked(self, txn: Transaction, start: int = 0) -> Iterator[tuple[int, bytes | None]]:
        """Every number from ``start`` on with its value, None for a damaged one."""
        with txn.cursor(db=self._database) as cursor:
            prefix, rows = b"", list[bytes]()
            for key, value in cursor.iternext() if cursor.set_range(LENGTH.pack(start)) else ():
                if len(key) != PREFIX_SIZE + NUMBER.size:
                    raise Corrupted(self._path, f"a {self._what} has the key {key!r}")
                if not key.startswith(prefix) and rows:
                    yield LENGTH.unpack(prefix)[0], _joined(rows)
                    rows = []
                prefix = key[:PREFIX_SIZE]
                rows.append(value)
            if rows:
                yield LENGTH.unpack(prefix)[0], _joined(rows)

    def remove(self, txn: Transaction, first: int, last: int) -> None:
        """Remove the values under ``first`` to ``last``, both included."""
        end = LENGTH.pack(last + 1)
        with txn.cursor(db=self._database) as cursor:
            found = cursor.set_range(LENGTH.pack(first))
            while found and b"" < cursor.key() < end:
                found = cursor.delete()

    def numbers(self, txn: Transaction) -> tuple[int, int] | None:
        """The lowest and the highest number that is there; None when nothing is."""
        with txn.cursor(db=self._database) as cursor:
            if not cursor.first():
                return None
            first = LENGTH.unpack_from(cursor.key())[0]
            cursor.last()
            return first, LENGTH.unpack_from(cursor.key())[0]


def _joined(rows: list[bytes]) -> bytes | None:
    """A value from its index and its pieces; None where they do not fit each other."""
    index, *parts = rows
    if len(parts) == 1:  # as most values are
        return parts[0] if index == ONE.pack(len(parts[0]), zlib.crc32(parts[0])) else None
    return b"".join(parts) if index == _index(parts) else None


def _index(parts: Sequence[bytes | memoryview]) -> bytes:
    return LENGTH.pack(sum(map(len, parts))) + b"".join([NUMBER.pack(zlib.crc32(part)) for part in parts])


def cut(value: Iterable[Any]) -> list[memoryview]:
    """A value in pieces. Large parts are not copied, small ones that follow each other are joined."""
    pieces: list[memoryview] = []
    small = bytearray()
    for part in value:
        view = bytes_of(part)
        if len(small) + len(view) <= JOINED:
            small += view
            continue
        if small:
            pieces.append(memoryview(bytes(small)))
            small.clear()
        pieces += [view[i : i + PIECE_SIZE] for i in range(0, len(view), PIECE_SIZE)]
    return [*pieces, memoryview(bytes(small))] if small else pieces


def bytes_of(part: Any) -> memoryview:
    """The bytes of a C-contiguous buffer, where they are."""
    view = memoryview(part)
    return view.cast("B") if view.nbytes else memoryview(b"")
