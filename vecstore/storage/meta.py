"""The database ``meta``: what the collection is, how far it is, and which files belong to it.

    vectors             msgpack: [[name, size, distance], ...]; a name's place in the list is its field number
    applied             8 bytes: the highest operation id that was applied (or refused)
    reserved            8 bytes: operation ids under this one may have been given out
    manifest            msgpack: [[segment, [[field, rows, index size, index CRC, slots size, slots CRC], ...]], ...]
    slots               4 bytes: every slot that was ever given, and so every slot of a row, is under this one
    next_segment        4 bytes: the number of the next segment to open
    dead, segment, field    4 bytes each: bitmap of the dead rows of a segment, as of the last seal
    live, block         4 bytes: bitmap of the slots in use, ``BLOCK_BYTES`` of it

All integers are big-endian. One thing is kept outside, in the environment's unnamed database, so that it can be
read before anything else is opened:

    format              4 bytes: the version of everything on disk; a collection of another is refused
"""

from __future__ import annotations

import struct
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from vecstore.encoding import pack, unpack
from vecstore.models import Distance, VectorParams
from vecstore.storage.segments import SealedFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    from vecstore.storage.bitmaps import Bitmap
    from vecstore.storage.environment import Database, Transaction

    Manifest: TypeAlias = dict[int, dict[int, SealedFiles]]

FORMAT = 1
U32 = struct.Struct(">I")
U64 = struct.Struct(">Q")
DEAD = struct.Struct(">4sII")
LIVE = struct.Struct(">4sI")
BLOCK_BYTES = 1024
SLOTS_PER_BLOCK = 8 * BLOCK_BYTES

_NUMBERS = {b"applied": U64, b"reserved": U64, b"next_segment": U32, b"slots": U32}


def read_format(txn: Transaction) -> int:
    """The format of what is on disk; 0 for a store whose making did not end."""
    value = txn.get(b"format")
    return 0 if value is None else int(U32.unpack(value)[0])


def put_format(txn: Transaction) -> None:
    """Declare that what is on disk has this version's format."""
    txn.put(b"format", U32.pack(FORMAT))


class Meta:
    """Typed reading and writing of the database. Every call is inside a transaction of the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def number(self, txn: Transaction, name: bytes) -> int:
        """The number kept under ``name``, 0 when there is none."""
        value = txn.get(name, db=self._database)
        return 0 if value is None else int(_NUMBERS[name].unpack(value)[0])

    def put_number(self, txn: Transaction, name: bytes, number: int) -> None:
        """Keep a number."""
        txn.put(name, _NUMBERS[name].pack(number), db=self._database)

    def vectors(self, txn: Transaction) -> dict[str, VectorParams]:
        """The vectors of the collection, in the order of their field numbers."""
        rows = unpack(txn.get(b"vectors", db=self._database) or pack([]))
        return {name: VectorParams(size, Distance(distance)) for name, size, distance in rows}

    def put_vectors(self, txn: Transaction, vectors: Mapping[str, VectorParams]) -> None:
        """Keep the vectors of the collection; done once, when it is created."""
        rows = [[name, p.size, p.distance.value] for name, p in vectors.items()]
        txn.put(b"vectors", pack(rows), db=self._database)

    def manifest(self, txn: Transaction) -> Manifest:
        """The files of every sealed segment, by segment and field."""
        rows = unpack(txn.get(b"manifest", db=self._database) or pack([]))
        return {number: {field: SealedFiles(*f) for field, *f in fields} for number, fields in rows}

    def put_manifest(self, txn: Transaction, manifest: Manifest) -> None:
        """Name the files that belong to the collection."""
        rows = [[n, [[field, *astuple(f)] for field, f in fields.items()]] for n, fields in manifest.items()]
        txn.put(b"manifest", pack(rows), db=self._database)

    def dead_rows(self, txn: Transaction, segment: int, field: int) -> Bitmap | None:
        """The dead rows of a segment as of the last seal; None when there are none."""
        value = txn.get(DEAD.pack(b"dead", segment, field), db=self._database)
        return None if value is None else np.frombuffer(value, dtype=np.uint8)

    def put_dead_rows(self, txn: Transaction, segment: int, field: int, bitmap: Bitmap) -> None:
        """Keep the dead rows of a segment."""
        txn.put(DEAD.pack(b"dead", segment, field), bitmap.tobytes(), db=self._database)

    def live_slots(self, txn: Transaction) -> Bitmap:
        """The slots in use."""
        blocks: dict[int, bytes] = {}
        with txn.cursor(db=self._database) as cursor:
            if cursor.set_range(LIVE.pack(b"live", 0)):
                for key, value in cursor.iternext():
                    if len(key) != LIVE.size or key[:4] != b"live":
                        break
                    blocks[LIVE.unpack(key)[1]] = value
        count = max(blocks, default=-1) + 1
        return np.frombuffer(b"".join(blocks.get(n, bytes(BLOCK_BYTES)) for n in range(count)), np.uint8).copy()

    def put_live_slots(self, txn: Transaction, bitmap: Bitmap, blocks: Iterable[int]) -> None:
        """Keep these blocks of the slots in use."""
        for n in blocks:
            part = bitmap[n * BLOCK_BYTES : (n + 1) * BLOCK_BYTES].tobytes().ljust(BLOCK_BYTES, b"\0")
            txn.put(LIVE.pack(b"live", n), part, db=self._database)
