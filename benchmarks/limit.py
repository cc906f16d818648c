"""The limit: what LMDB, msgpack and FAISS need for the same bytes in a bare loop, with no store around them.

A batch is packed, logged in one synced transaction and applied in a second: id -> slot, slot -> id and
payload, vectors into the journal, the log entry deleted. Then the vectors are added to a flat index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import faiss
import lmdb
import msgpack
import numpy as np
import numpy.typing as npt

from benchmarks.data import normalised

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.data import Part

PIECE = 1 << 20
MAP_SIZE = 1 << 36


class Limit:
    def __init__(self, folder: Path, size: int) -> None:
        self._env = lmdb.open(str(folder), map_size=MAP_SIZE, max_dbs=4)
        names = (b"wal", b"points", b"payloads", b"journal")
        self._wal, self._points, self._payloads, self._journal = map(self._env.open_db, names)
        self._index = faiss.IndexFlatIP(size)
        self._operation = self._slots = 0

    def add(self, part: Part) -> None:
        pack = msgpack.Packer().pack
        payloads = [pack(payload) for payload in part.payloads]
        keys = [b"\0" + number.to_bytes(8, "big") for number in part.ids.tolist()]
        rows = normalised(part.matrix)
        block = rows.tobytes()
        log = self._log(b"".join([*keys, block, *payloads]))
        self._apply(keys, payloads, block, log)
        self._index.add(rows)
        self._operation += 1

    add_one = add

    def _log(self, packed: bytes) -> list[bytes]:
        log = pieces(self._operation, packed)
        with self._env.begin(write=True) as txn:
            txn.cursor(self._wal).putmulti(log, append=True)
        return [key for key, _ in log]

    def _apply(self, keys: list[bytes], payloads: list[bytes], block: bytes, log: list[bytes]) -> None:
        first, self._slots = self._slots, self._slots + len(keys)
        slots = split(np.arange(first, self._slots, dtype=">u4").tobytes(), 4)
        records = zip(slots, map(bytes.__add__, keys, payloads), strict=True)
        with self._env.begin(write=True) as txn:
            txn.cursor(self._points).putmulti(zip(keys, slots, strict=True), append=True)
            txn.cursor(self._payloads).putmulti(records, append=True)
            txn.cursor(self._journal).putmulti(pieces(self._operation, block), append=True)
            for key in log:
                txn.delete(key, db=self._wal)

    def finish(self) -> None:
        self._env.sync(True)

    def search(self, vector: npt.NDArray[np.float32], limit: int) -> list[int]:
        _, rows = self._index.search(normalised(vector[None]), min(limit, self._index.ntotal))
        return rows[0].tolist()

    def close(self) -> None:
        self._env.close()

    def open_again(self) -> None:
        return None


def split(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def pieces(operation: int, data: bytes) -> list[tuple[bytes, bytes]]:
    head = operation.to_bytes(8, "big")
    return [(head + i.to_bytes(4, "big"), piece) for i, piece in enumerate(split(data, PIECE))]
