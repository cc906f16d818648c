"""Sealed segments: immutable files of rows that are mapped when they are first wanted.

A segment has a number, and for each vector name (by its field number, so that no name becomes a path) that has
rows in it two files in ``segments/``:

    00000007.0.faiss    the rows: a flat index (see ``flat``), or a graph that holds them (see ``graph``)
    00000007.0.graph    only beside a graph that does not hold the rows itself
    00000007.0.slots    8 bytes magic; number of rows, 8 bytes; slot of each row, 4 bytes each;
                        the rows sorted by slot, then row, 4 bytes each; all little-endian

Files are written under a temporary name, synced, renamed, their folder synced, and only then named in the
manifest with size and checksum (invariant 3 of ``vecstore.engine``). A file the manifest does not name is
garbage. At open only size and header are looked at; the checksum is for ``verify``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecstore.errors import Corrupted
from vecstore.storage import files, flat, graph
from vecstore.storage.codes import Coder
from vecstore.storage.growing import attach
from vecstore.storage.library import map_index, write_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from vecstore.models import VectorParams
    from vecstore.storage.growing import Growing
    from vecstore.storage.tail import Tail

MAGIC = b"vecslot\x01"
HEADER = struct.Struct("<8sQ")
U32 = np.dtype("<u4")


@dataclass(frozen=True, slots=True)
class SealedFiles:
    """What the manifest says of the files of one segment and name: rows, size and CRC-32 of each file.

    ``storage`` is that of the graph (``graph.NONE``: there is no graph); the graph file is there for ``SQ8`` alone.
    ``copies``: how many rows with a graph are equal to each other, in the largest group of them.
    """

    rows: int
    index_size: int
    index_checksum: int
    slots_size: int
    slots_checksum: int
    storage: int = graph.NONE
    graph_size: int = 0
    graph_checksum: int = 0
    copies: int = 0


def index_path(folder: Path, number: int, field: int) -> Path:
    """Where the rows of a segment are."""
    return folder / f"{number:08d}.{field}.faiss"


def slots_path(folder: Path, number: int, field: int) -> Path:
    """Where the slots of a segment's rows are."""
    return folder / f"{number:08d}.{field}.slots"


def graph_path(folder: Path, number: int, field: int) -> Path:
    """Where the graph of a segment is, if it does not hold the rows."""
    return folder / f"{number:08d}.{field}.graph"


def paths_of(folder: Path, number: int, field: int, said: SealedFiles) -> list[Path]:
    """The files of a segment and name."""
    paths = [index_path(folder, number, field), slots_path(folder, number, field)]
    return [*paths, graph_path(folder, number, field)] if said.storage == graph.SQ8 else paths


def seal(folder: Path, tail: Tail, field: int, params: VectorParams, *, sync: bool) -> SealedFiles:
    """Write the rows of a tail that grows no more. The folder is for the caller to sync. Raises ``OSError``."""
    return write(folder, tail.number, field, params, tail.slots(tail.rows), tail.blocks(tail.rows), sync=sync)


def write(
    folder: Path,
    number: int,
    field: int,
    params: VectorParams,
    slots: npt.NDArray[np.uint32],
    blocks: Iterable[npt.NDArray[np.float32]],
    *,
    index: Any = None,
    copies: int = 0,
    sync: bool,
) -> SealedFiles:
    """Write a segment: its ``slots``, its rows in ``blocks``, and ``index``, the graph of these rows, if it has one.

    ``copies``: as in ``SealedFiles``. A graph that holds the rows takes the place of the blocks. Raises ``OSError``.
    """
    storage = graph.NONE if index is None else graph.storage_of(index)
    said = SealedFiles(len(slots), 0, 0, 0, 0, storage)
    paths = paths_of(folder, number, field, said)
    if storage == graph.FLOAT32:
        files.write_whole(paths[0], lambda path: write_index(index, path), sync=sync)
    else:
        files.write_whole(paths[0], lambda path: flat.write(path, blocks, params.size, params.distance), sync=sync)
    files.write_whole(paths[1], lambda path: write_bytes(path, slots_file(slots)), sync=sync)
    if storage == graph.SQ8:
        files.write_whole(paths[2], lambda path: write_index(index, path), sync=sync)
    sizes = [path.stat().st_size for path in paths] + [0]
    sums = [files.checksum(path) for path in paths] + [0]
    return SealedFiles(len(slots), sizes[0], sums[0], sizes[1], sums[1], storage, sizes[2], sums[2], copies)


def remove(folder: Path, number: int, field: int) -> None:
    """Delete what there is of a segment that could not be written whole."""
    for path in folder.glob(f"{number:08d}.{field}.*"):
        path.unlink(missing_ok=True)


def slots_file(slots: npt.NDArray[np.uint32]) -> bytes:
    """The content of the slots file of these rows: the slots say all that is in it."""
    by_slot = np.argsort(slots, kind="stable")
    return HEADER.pack(MAGIC, len(slots)) + slots.astype(U32).tobytes() + by_slot.astype(U32).tobytes()


def slots_in(content: bytes, rows: int) -> npt.NDArray[np.uint32]:
    """The slots of ``rows`` rows from the content of a slots file that has at least these."""
    return np.frombuffer(content, dtype=U32, count=rows, offset=HEADER.size)


def gone(path: Path) -> Corrupted:
    """The error of a file that should be there."""
    return Corrupted(path, "the manifest names this file, and it is not there")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file. Raises ``OSError``."""
    path.write_bytes(content)


class Sealed:
    """The rows of one name in one sealed segment; the same reading methods as ``Tail``.

    ``in_place`` raises where another collection has taken the folder's place: its files have the same names.
    Raises ``Corrupted`` where a file is not what was written, ``StoreFailed`` where it cannot be read or mapped now.
    """

    def __init__(
        self,
        folder: Path,
        number: int,
        field: int,
        params: VectorParams,
        said: SealedFiles,
        in_place: Callable[[], None] | None = None,
    ) -> None:
        self.number = number
        self.size = params.size
        self.rows = said.rows
        self.files = said
        self.paths = paths_of(folder, number, field, said)
        self._distance = params.distance
        self._in_place = in_place
        self._coder = Coder()
        self.growing: Growing | None = None
        """What grows in place of the graph: it has rows of later segments, too. For those who write, or follow."""
        with files.reading(self.paths[0]):
            self._check()

    def _check(self) -> None:
        """IMPORTANT: again before a file is mapped. FAISS may end the process at one that is not what it was."""
        sizes = (self.files.index_size, self.files.slots_size, self.files.graph_size)
        if self._in_place is not None:
            self._in_place()
        for path, size in zip(self.paths, sizes, strict=False):
            try:
                found = path.stat().st_size
            except FileNotFoundError:
                raise gone(path) from None
            if found != size:
                raise Corrupted(path, f"expected {size} bytes, the file has {found}")
        holds_rows = self.files.storage == graph.FLOAT32
        code = graph.CODES[graph.FLOAT32] if holds_rows else flat.CODES[self._distance]
        flat.check_header(self.paths[0], code, self.rows, self.size)
        if self.files.storage == graph.SQ8:
            flat.check_header(self.paths[2], graph.CODES[graph.SQ8], self.rows, self.size)
        with self.paths[1].open("rb") as file:
            if file.read(HEADER.size) != HEADER.pack(MAGIC, self.rows):
                raise Corrupted(self.paths[1], "the header is not that of a slots file of this many rows")

    def keep_codes(self, tail: Tail) -> None:
        """Go on with the codes of the tail that became this segment: its rows are the first here, in the same order.

        To make them again takes 12 us a row, after ``codes.SCANS`` scans of all rows without.
        """
        if (coder := tail.only_coder()) is not None:
            self._coder = coder

    @property
    def nbytes(self) -> int:
        """The bytes of the files."""
        return self.files.index_size + self.files.slots_size + self.files.graph_size

    @property
    def has_graph(self) -> bool:
        """Whether there is a graph of the rows."""
        return self.files.storage != graph.NONE

    @property
    def graph_file(self) -> Path:
        """The file the graph is in; only where there is one."""
        return self.paths[0] if self.files.storage == graph.FLOAT32 else self.paths[2]

    @cached_property
    def graph(self) -> Any:
        """The graph, mapped; only where there is one. Raises ``Corrupted``, ``StoreFailed``."""
        with files.reading(self.graph_file):
            self._check()
            return map_index(self.graph_file)

    def find_growing(self) -> None:
        """See whether another process has a graph that grows in place of this one."""
        if self.has_graph:
            self.growing = attach(self.graph_file, self.rows, self.growing)

    @cached_property
    def _matrix(self) -> npt.NDArray[np.float32]:
        if self.files.storage != graph.FLOAT32:
            with files.reading(self.paths[0]):
                self._check()
                return flat.mapped(self.paths[0])
        owner = self.graph
        return flat.rows_of(graph.storage_index(owner), owner)

    @cached_property
    def _columns(self) -> npt.NDArray[np.uint32]:
        with files.reading(self.paths[1]):
            self._check()
            data = np.memmap(self.paths[1], dtype=U32, mode="r", offset=HEADER.size, shape=(2, self.rows))
            return data.view(np.ndarray)

    @cached_property
    def ascending(self) -> bool:
        """Whether slots ascend with the rows, each once."""
        slots = self._columns[0]
        return bool((slots[1:] > slots[:-1]).all())

    def is_sorted(self) -> bool:
        """Whether the file lists the rows in the order of their slots, as it should."""
        slots, by_slot = self._columns
        return bool(np.array_equal(by_slot, np.argsort(slots, kind="stable")))

    def load(self) -> None:
        """Map all files now: their names may be taken away after that."""
        assert len(self._matrix) == self._columns.shape[1]
        assert not self.has_graph or self.graph.ntotal == self.rows

    def unlink(self) -> None:
        """Take the files' names away; they live on as long as this object does."""
        self.load()
        for path in self.paths:
            path.unlink()

    def slots(self, rows: int) -> npt.NDArray[np.uint32]:
        """The slots of the first ``rows`` rows."""
        return self._columns[0, :rows]

    def blocks(self, rows: int) -> list[npt.NDArray[np.float32]]:
        """The first ``rows`` rows."""
        return [self._matrix[:rows]]

    def coder(self, first: int) -> Coder:
        """What makes codes of the rows, which are one block."""
        assert not first
        return self._coder

    def row(self, number: int) -> npt.NDArray[np.float32]:
        """One row, where it lies."""
        row: npt.NDArray[np.float32] = self._matrix[number]
        return row

    def gather(self, rows: npt.NDArray[np.integer[Any]], size: int | None = None) -> npt.NDArray[np.float32]:
        """A copy of these rows, or of the first ``size`` numbers of each."""
        copy: npt.NDArray[np.float32] = self._matrix[:, :size][rows]
        return copy

    def last_rows(self, slots: npt.NDArray[np.uint32], rows: int) -> npt.NDArray[np.int64]:
        """For each slot its last row here, -1 for none. Only a slot's last row can be alive."""
        assert rows == self.rows
        of_row, by_slot = self._columns
        places = np.searchsorted(of_row, slots, side="right", sorter=by_slot) - 1
        rows = by_slot[np.maximum(places, 0)].astype(np.int64)
        return np.where((places >= 0) & (of_row[rows] == slots), rows, -1)
