"""The database ``meta``: what the collection is, how far it is, and which files belong to it.

    vectors             msgpack: [[name, size, distance, hnsw], ...]; a name's place in the list is its field number
    reserved            8 bytes: operation ids under this one may have been given out
    manifest            msgpack: [[segment, [[field, *SealedFiles], ...]], ...], see ``segments``
    manifests           8 bytes: how many manifests there have been, so that a reader knows that there is another
    slots               4 bytes: every slot that was ever given, and so every slot of a row, is under this one
    next_segment        4 bytes: the number of the next segment to open
    dead, segment, field    4 bytes each: bitmap of the dead rows of a segment, as of the last seal
    live, block         4 bytes: bitmap of the slots in use, ``BLOCK_BYTES`` of it
    indexes             see ``vecstore.storage.catalog``

All integers are big-endian. Every value is followed by its CRC-32 (4 bytes): LMDB's pages have none, and what is
here decides which files are deleted, and which rows are alive. Two things are kept outside, in the environment's
unnamed database: the first so that it can be read before anything else is opened; the second because whatever applies
operations writes it, and writes the page of that database anyway:

    format              4 bytes, no checksum: the version of everything on disk; a collection of another is refused
    applied             8 bytes: the highest operation id that was applied (or refused)
"""

from __future__ import annotations

import struct
import zlib
from contextlib import contextmanager
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from vecstore.encoding import pack, unpack
from vecstore.errors import Corrupted, InvalidRequest
from vecstore.models import Distance, HnswConfig, VectorParams
from vecstore.storage.segments import SealedFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TypeAlias

    from vecstore.storage.bitmaps import Bitmap
    from vecstore.storage.environment import Database, Transaction

    Manifest: TypeAlias = dict[int, dict[int, SealedFiles]]

FORMAT = 2
U32 = struct.Struct(">I")
U64 = struct.Struct(">Q")
DEAD = struct.Struct(">4sII")
LIVE = struct.Struct(">4sI")
BLOCK_BYTES = 1024
SLOTS_PER_BLOCK = 8 * BLOCK_BYTES
MOST_BLOCKS = (1 << 32) // SLOTS_PER_BLOCK

_NUMBERS = {b"applied": U64, b"reserved": U64, b"manifests": U64, b"next_segment": U32, b"slots": U32}


def guarded(value: bytes) -> bytes:
    """A value with its checksum."""
    return value + U32.pack(zlib.crc32(value))


def unguarded(kept: bytes, path: Path, name: bytes) -> bytes:
    """A value without its checksum. Raises ``Corrupted`` where it is not what was written."""
    value = kept[: -U32.size]
    if U32.pack(zlib.crc32(value)) != kept[-U32.size :]:
        raise Corrupted(path, f"{name!r} is not what was written (checksum)")
    return value


def read_format(txn: Transaction) -> int:
    """The format of what is on disk; 0 for a store whose making did not end."""
    value = txn.get(b"format")
    return 0 if value is None else int(U32.unpack(value)[0])


def put_format(txn: Transaction) -> None:
    """Declare that what is on disk has this version's format."""
    txn.put(b"format", U32.pack(FORMAT))


def _checked(said: SealedFiles) -> SealedFiles:
    if not all(type(number) is int and number >= 0 for number in astuple(said)):
        raise ValueError(f"expected numbers, got {said}")
    return said


class Meta:
    """Typed reading and writing of the database. Every call is inside a transaction of the caller."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path
        self._numbers: dict[bytes, tuple[bytes, int]] = {}  # by name, the last ones read: kept form, number

    def _get(self, txn: Transaction, name: bytes) -> bytes | None:
        value = txn.get(name, db=self._database)
        return None if value is None else unguarded(value, self._path, name)

    def _put(self, txn: Transaction, name: bytes, value: bytes) -> None:
        txn.put(name, guarded(value), db=self._database)

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except (
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            OverflowError,
            struct.error,
            InvalidRequest,
        ) as error:
            raise Corrupted(self._path, f"{what} cannot be read: {error}") from error

    def number(self, txn: Transaction, name: bytes) -> int:
        """The number kept under ``name``, 0 when there is none."""
        kept = txn.get(name, db=self._home(name))
        if kept is None:
            return 0
        last = self._numbers.get(name)
        if last is None or last[0] != kept:  # a reader asks again and again
            last = self._numbers[name] = kept, self._read_number(name, kept)
        return last[1]

    def _read_number(self, name: bytes, kept: bytes) -> int:
        value = unguarded(kept, self._path, name)
        if len(value) != _NUMBERS[name].size:
            raise Corrupted(self._path, f"the number {name.decode()!r} cannot be read: it has {len(value)} bytes")
        return int.from_bytes(value, "big")

    def put_number(self, txn: Transaction, name: bytes, number: int) -> None:
        """Keep a number."""
        txn.put(name, guarded(_NUMBERS[name].pack(number)), db=self._home(name))

    def _home(self, name: bytes) -> Database | None:
        return None if name == b"applied" else self._database

    def vectors(self, txn: Transaction) -> dict[str, VectorParams]:
        """The vectors of the collection, in the order of their field numbers."""
        value = self._get(txn, b"vectors") or pack([])
        with self._reading("the vectors of the collection"):
            return {n: VectorParams(s, Distance(d), hnsw and HnswConfig(*hnsw)) for n, s, d, hnsw in unpack(value)}

    def put_vectors(self, txn: Transaction, vectors: Mapping[str, VectorParams]) -> None:
        """Keep the vectors of the collection; done once, when it is created."""
        rows = [[name, p.size, p.distance.value, p.hnsw and astuple(p.hnsw)] for name, p in vectors.items()]
        self._put(txn, b"vectors", pack(rows))

    def manifest(self, txn: Transaction) -> Manifest:
        """The files of every sealed segment, by segment and field."""
        value = self._get(txn, b"manifest") or pack([])
        with self._reading("the manifest"):
            return {int(n): {int(field): _checked(SealedFiles(*f)) for field, *f in fs} for n, fs in unpack(value)}

    def put_manifest(self, txn: Transaction, manifest: Manifest) -> None:
        """Name the files that belong to the collection.

        IMPORTANT: whatever takes entries out of the journal does this in the same transaction, though the files
        be the same: readers in other processes go on in the journal where they were until there is another manifest.
        """
        rows = [[n, [[field, *astuple(f)] for field, f in fields.items()]] for n, fields in manifest.items()]
        self._put(txn, b"manifest", pack(rows))
        self.put_number(txn, b"manifests", self.number(txn, b"manifests") + 1)

    def dead_rows(self, txn: Transaction, segment: int, field: int) -> Bitmap | None:
        """The dead rows of a segment as of the last seal; None when there are none."""
        value = self._get(txn, DEAD.pack(b"dead", segment, field))
        return None if value is None else np.frombuffer(value, dtype=np.uint8)

    def put_dead_rows(self, txn: Transaction, segment: int, field: int, bitmap: Bitmap) -> None:
        """Keep the dead rows of a segment."""
        self._put(txn, DEAD.pack(b"dead", segment, field), bitmap.tobytes())

    def drop_dead_rows(self, txn: Transaction, segment: int, field: int) -> None:
        """Forget the dead rows of a segment that is gone."""
        txn.delete(DEAD.pack(b"dead", segment, field), db=self._database)

    def live_slots(self, txn: Transaction) -> Bitmap:
        """The slots in use."""
        blocks: dict[int, bytes] = {}
        with txn.cursor(db=self._database) as cursor:
            if cursor.set_range(LIVE.pack(b"live", 0)):
                for key, value in cursor.iternext():
                    if len(key) != LIVE.size or key[:4] != b"live":
                        break
                    blocks[LIVE.unpack(key)[1]] = unguarded(value, self._path, key)
        count = max(blocks, default=-1) + 1
        if count > MOST_BLOCKS or any(len(block) != BLOCK_BYTES for block in blocks.values()):
            raise Corrupted(self._path, "the slots in use cannot be read")
        return np.frombuffer(b"".join(blocks.get(n, bytes(BLOCK_BYTES)) for n in range(count)), np.uint8).copy()

    def drop_live_slots(self, txn: Transaction) -> None:
        """Forget the slots in use."""
        with txn.cursor(db=self._database) as cursor:
            found = cursor.set_range(LIVE.pack(b"live", 0))
            while found and cursor.key()[:4] == b"live":
                found = cursor.delete()

    def put_live_slots(self, txn: Transaction, bitmap: Bitmap, blocks: Iterable[int]) -> None:
        """Keep these blocks of the slots in use."""
        for n in blocks:
            part = bitmap[n * BLOCK_BYTES : (n + 1) * BLOCK_BYTES].tobytes().ljust(BLOCK_BYTES, b"\0")
            self._put(txn, LIVE.pack(b"live", n), part)
