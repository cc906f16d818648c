"""Sealed segments: immutable files of rows that are mapped when they are first wanted.

A segment has a number, and for each vector name (by its field number, so that no name becomes a path) that has
rows in it two files in ``segments/``:

    00000007.0.faiss    the rows, a FAISS flat index (see ``flat``)
    00000007.0.slots    8 bytes magic; number of rows, 8 bytes; slot of each row, 4 bytes each;
                        the rows sorted by slot, then row, 4 bytes each; all little-endian

Files are written under a temporary name, synced, renamed, their folder synced, and only then named in the
manifest with size and checksum (invariant 3 of ``vecstore.engine``). A file the manifest does not name is
garbage. At open only size and header are looked at; the checksum is for ``verify``.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vecstore.errors import Corrupted
from vecstore.storage import files, flat

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore.models import VectorParams
    from vecstore.storage.tail import Tail

MAGIC = b"vecslot\x01"
HEADER = struct.Struct("<8sQ")
U32 = np.dtype("<u4")


@dataclass(frozen=True, slots=True)
class SealedFiles:
    """What the manifest says of the files of one segment and name: rows, and size and CRC-32 of both files."""

    rows: int
    index_size: int
    index_checksum: int
    slots_size: int
    slots_checksum: int


def index_path(folder: Path, number: int, field: int) -> Path:
    """Where the rows of a segment are."""
    return folder / f"{number:08d}.{field}.faiss"


def slots_path(folder: Path, number: int, field: int) -> Path:
    """Where the slots of a segment's rows are."""
    return folder / f"{number:08d}.{field}.slots"


def seal(folder: Path, tail: Tail, field: int, params: VectorParams, *, sync: bool) -> SealedFiles:
    """Write the rows of a tail that grows no more. The folder is for the caller to sync. Raises ``OSError``."""
    index = index_path(folder, tail.number, field)
    slots = slots_path(folder, tail.number, field)
    blocks = tail.blocks(tail.rows)
    files.write_whole(index, lambda path: flat.write(path, blocks, params.distance), sync=sync)
    sidecar = _sidecar(tail.slots(tail.rows))
    files.write_whole(slots, lambda path: _write_bytes(path, sidecar), sync=sync)
    return SealedFiles(
        rows=tail.rows,
        index_size=index.stat().st_size,
        index_checksum=files.checksum(index),
        slots_size=len(sidecar),
        slots_checksum=files.checksum(slots),
    )


def _sidecar(slots: npt.NDArray[np.uint32]) -> bytes:
    by_slot = np.argsort(slots, kind="stable")
    return HEADER.pack(MAGIC, len(slots)) + slots.astype(U32).tobytes() + by_slot.astype(U32).tobytes()


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


class Sealed:
    """The rows of one name in one sealed segment; the same reading methods as ``Tail``."""

    def __init__(self, folder: Path, number: int, field: int, params: VectorParams, said: SealedFiles) -> None:
        self.number = number
        self.size = params.size
        self.rows = said.rows
        self.files = said
        self._index = index_path(folder, number, field)
        self._slots = slots_path(folder, number, field)
        self._distance = params.distance
        self._opening = threading.Lock()
        self._check()

    def _check(self) -> None:
        for path, size in ((self._index, self.files.index_size), (self._slots, self.files.slots_size)):
            if not path.exists():
                raise Corrupted(path, "the manifest names this file, and it is not there")
            if path.stat().st_size != size:
                raise Corrupted(path, f"expected {size} bytes, the file has {path.stat().st_size}")
        flat.check_header(self._index, self.rows, self.size, self._distance)
        with self._slots.open("rb") as file:
            if file.read(HEADER.size) != HEADER.pack(MAGIC, self.rows):
                raise Corrupted(self._slots, "the header is not that of a slots file of this many rows")

    @property
    def nbytes(self) -> int:
        """The bytes of the files."""
        return self.files.index_size + self.files.slots_size

    @cached_property
    def _mapped(self) -> tuple[npt.NDArray[np.float32], object]:
        with self._opening:
            return flat.mapped(self._index, self.rows, self.size)

    @cached_property
    def _columns(self) -> npt.NDArray[np.uint32]:
        data = np.memmap(self._slots, dtype=U32, mode="r", offset=HEADER.size, shape=(2, self.rows))
        return data.view(np.ndarray)

    def unlink(self) -> None:
        """Take the files' names away; they live on as long as this object does."""
        assert len(self._mapped[0]) == self._columns.shape[1]  # mapped now, or never again
        self._index.unlink()
        self._slots.unlink()

    def slots(self, rows: int) -> npt.NDArray[np.uint32]:
        """The slots of the first ``rows`` rows."""
        return self._columns[0, :rows]

    def blocks(self, rows: int) -> list[npt.NDArray[np.float32]]:
        """The first ``rows`` rows."""
        return [self._mapped[0][:rows]]

    def gather(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """A copy of these rows."""
        return self._mapped[0][rows]

    def last_rows(self, slots: npt.NDArray[np.uint32], rows: int) -> npt.NDArray[np.int64]:
        """For each slot its last row here, -1 for none. Only a slot's last row can be alive."""
        assert rows == self.rows
        of_row, by_slot = self._columns
        places = np.searchsorted(of_row, slots, side="right", sorter=by_slot) - 1
        rows = by_slot[np.maximum(places, 0)].astype(np.int64)
        return np.where((places >= 0) & (of_row[rows] == slots), rows, -1)
