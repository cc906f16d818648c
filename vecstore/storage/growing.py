"""Graphs that grow in place: a copy of a segment's graph, with room for rows that came after it.

Rows that are in no graph cost every search, and merging them into one writes a whole segment anew. So, while single
rows come in, the writer adds them to a graph in its memory, and copies what has changed into a file that searches have
mapped, its own and those of readers in other processes:

    00000007.0.graph.growing    where neighbours begin at a multiple of 64:
                                the graph, as FAISS writes it, with ``room`` rows of zeros that no other leads to
                                place of each row in the room: segment << 32 | row, 8 bytes each
                                how many have one; how many of these are equal to each other; 0, or which operation
                                was to come next when the writer closed: 8 bytes each
                                a hash of each row in the room, 4 bytes each
                                footer (``FOOTER``)

Nobody waits for anybody. A row's code and neighbours are written before others lead to it, and it counts last; each
number of a row is four bytes that are changed at once, and never to none. So whoever searches meanwhile sees the graph
before, or after, or something between, in which every number is that of a row: some of the best may be missed for a
moment. New rows are entered at the lowest level alone; the graph above leads near to them.

The file is worth nothing but time: nothing in it is synced, and the manifest does not name it. The next writer goes on
with it if the last one closed and nothing has happened since, and deletes it otherwise. After a loss of power its pages
may be of any age, so it says in which run of the system it was written, and is not looked at in another. Only Linux
tells that; elsewhere other processes do without.
"""

from __future__ import annotations

import os
import struct
import uuid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vecstore.storage import graph
from vecstore.storage.files import write_whole
from vecstore.storage.library import array_at, content_of, index_in, index_of, read_index

if TYPE_CHECKING:
    Matrix = npt.NDArray[np.float32]
    Rows = npt.NDArray[np.int64]
    Places = npt.NDArray[np.uint64]
    Bytes = npt.NDArray[np.uint8]

MAGIC = b"vecgrow\x01"
FOOTER = struct.Struct("<8s16sQQQQ")
"""Magic; the run of the system; rows of the segment; room; where the graph begins, and its bytes."""
ALIGNMENT = 64
NUMBERS = 3
ADDED, COPIES, NEXT = range(NUMBERS)
LOWER = np.uint64(2**32 - 1)
HALF = np.uint64(32)
RUN = Path("/proc/sys/kernel/random/boot_id")


class Covered(NamedTuple):
    """What is in the room: the first ``added`` places; of each segment the rows before ``rows``, if they are alive.

    ``copies``: how many of them are equal to each other, in the largest group.
    """

    added: int
    copies: int
    rows: dict[int, int]


def path_of(graph_file: Path) -> Path:
    """Where the graph is that grows in place of the one in ``graph_file``."""
    return graph_file.with_name(f"{graph_file.name}.growing")


@cache
def this_run() -> bytes:
    """Which run of the system this is, 16 bytes; where it does not say, something no other process has."""
    try:
        return uuid.UUID(RUN.read_text().strip()).bytes
    except (OSError, ValueError):
        return os.urandom(16)


class Growing:
    """The file, mapped. ``rows``: those of the segment it grows from. Raises ``OSError``, ``ValueError``."""

    def __init__(self, path: Path, rows: int, *, writable: bool = False) -> None:
        self.identity = _identity(path)
        raw = np.memmap(path, dtype=np.uint8, mode="r+" if writable else "r").view(np.ndarray)
        magic, run, of_segment, room, begin, size = FOOTER.unpack(raw[-FOOTER.size :].tobytes())
        places = -(-(begin + size) // 8) * 8
        numbers = places + 8 * room
        hashes = numbers + 8 * NUMBERS
        if (magic, run, of_segment, hashes + 4 * room + FOOTER.size) != (MAGIC, this_run(), rows, len(raw)):
            raise ValueError(f"{path} is not what grows from a graph of {rows} rows in this run of the system")
        self.rows = rows
        self.room: int = room
        self.raw = raw
        self.places: Places = raw[places:numbers].view("<u8")
        self.numbers: Places = raw[numbers:hashes].view("<u8")
        self.hashes: npt.NDArray[np.uint32] = raw[hashes : hashes + 4 * room].view("<u4")
        self.content: Bytes = raw[begin : begin + size]
        self.index = index_in(self.content)
        self._covered = Covered(0, 0, {})

    @property
    def left(self) -> int:
        """For how many rows there is room."""
        return self.room - int(self.numbers[ADDED])

    def covered(self) -> Covered:
        """What is in the room now. More may come while it is used."""
        seen = self._covered
        added = int(self.numbers[ADDED])
        if added != seen.added:
            new, rows = self.places[seen.added : added], dict(seen.rows)
            segments = new >> HALF
            for number in np.unique(segments).tolist():
                rows[number] = int(new[segments == number][-1] & LOWER) + 1
            seen = self._covered = Covered(added, int(self.numbers[COPIES]), rows)
        return seen


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def attach(graph_file: Path, rows: int, known: Growing | None) -> Growing | None:
    """What grows from the graph in a file now, if it is another than the one ``known``; that one if there is none."""
    path = path_of(graph_file)
    try:
        return known if known is not None and _identity(path) == known.identity else Growing(path, rows)
    except (OSError, ValueError, RuntimeError, MemoryError):  # there is none, or it cannot be used: it is not needed
        return known


def adopt(graph_file: Path, rows: int, next_operation: int) -> Growing | None:
    """What a writer left that closed before this operation, for the next one; deleted if it is of no use."""
    path = path_of(graph_file)
    try:
        growing = Growing(path, rows, writable=True)
    except (OSError, ValueError, RuntimeError, MemoryError):
        growing = None
    if growing is not None and growing.numbers[NEXT] == next_operation:
        growing.numbers[NEXT] = 0  # until it is closed
        return growing
    path.unlink(missing_ok=True)
    return None


def make(graph_file: Path, rows: int, room: int) -> Growing:
    """A copy of a graph of so many rows with room for more. Raises ``OSError``, ``Corrupted``."""
    path = path_of(graph_file)
    write_whole(path, lambda path: _write(path, _with_room(graph_file, room), rows, room), sync=False)
    return Growing(path, rows, writable=True)


class Growth:
    """What lets a graph grow: its copy in memory, and the file."""

    def __init__(self, growing: Growing) -> None:
        self.growing = growing
        self.index = index_of(growing.content)
        graph.cut(self.index, growing.rows + int(growing.numbers[ADDED]))
        graph.ready_for_a_while(self.index)
        self._outside = 0.0  # so many rows' numbers, put together, lie outside of what the quantiser was trained for
        self._lists = _Lists(growing.index), _Lists(self.index)

    def fits(self, rows: Matrix) -> bool:
        """Whether these rows can be added: as ``graph.fits``, of all that came so far."""
        count = int(self.growing.numbers[ADDED])
        self._outside += len(rows) * graph.share_outside(self.index, rows)
        few_outside = self._outside <= graph.OUT_OF_RANGE * (count + len(rows))
        return few_outside and graph.keeps_order(self.index, rows)

    def add(self, rows: Matrix, places: Places) -> None:
        """Add rows that are at these places, ascending in each segment."""
        growing, count = self.growing, int(self.growing.numbers[ADDED])
        first, last = self.index.ntotal, self.index.ntotal + len(rows)
        graph.add(self.index, rows, None)
        theirs, ours = self._lists
        ours.look()
        theirs.codes[first:last] = ours.codes[first:last]
        new = np.arange(first, last)
        lists = ours.of(new)
        before = np.unique(lists[(lists >= 0) & (lists < first)])
        theirs.put(new, lists)
        theirs.put(before, ours.of(before))
        growing.places[count : count + len(rows)] = places
        growing.numbers[COPIES] = max(int(growing.numbers[COPIES]), self._most_copies(count, rows))
        growing.numbers[ADDED] = count + len(rows)  # IMPORTANT: last

    def _most_copies(self, count: int, rows: Matrix) -> int:
        hashes = self.growing.hashes[: count + len(rows)]
        hashes[count:] = graph.hashed(rows)
        most: np.int64 = (hashes[count:, None] == hashes).sum(axis=1).max()
        return int(most)


class _Lists:
    """The codes of a graph's rows, and at the lowest level the numbers of the rows each one leads to, as arrays."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self._width = index.hnsw.nb_neighbors(0)
        self.look()

    def look(self) -> None:
        """See where they lie: they move when rows are added."""
        hnsw, rows = self._index.hnsw, self._index.ntotal
        storage = graph.storage_index(self._index)
        self.codes = array_at(storage.codes).reshape(rows, -1)
        self._neighbours = array_at(hnsw.neighbors)
        self._begin = array_at(hnsw.offsets)

    def _at(self, rows: Rows) -> npt.NDArray[np.int64]:
        at: npt.NDArray[np.int64] = self._begin[rows].astype(np.int64)[:, None] + np.arange(self._width)
        return at

    def of(self, rows: Rows) -> npt.NDArray[np.int32]:
        """For each row the rows it leads to, -1 for none: shape (rows, width)."""
        lists: npt.NDArray[np.int32] = self._neighbours[self._at(rows)]
        return lists

    def put(self, rows: Rows, lists: npt.NDArray[np.int32]) -> None:
        """Change them, but where there would be none any more: what a row leads to, it goes on to lead to."""
        # IMPORTANT: FAISS looks how many there are, and reads them again. It would mark the row -1 as visited then, and
        # that is outside of its table.
        at = self._at(rows)
        self._neighbours[at] = np.where(lists < 0, self._neighbours[at], lists)


def _with_room(graph_file: Path, room: int) -> Bytes:
    """The content of a graph's file with so many rows more, to which no other leads, and which lead nowhere."""
    index = read_index(graph_file)
    graph.add_unreachable(index, room)
    return content_of(index)


def _write(path: Path, content: Bytes, rows: int, room: int) -> None:
    inside = array_at(index_in(content).hnsw.neighbors).ctypes.data - content.ctypes.data
    begin = -inside % ALIGNMENT
    with path.open("wb") as file:
        file.write(bytes(begin))
        file.write(content.data)
        file.write(bytes(-(begin + len(content)) % 8 + 8 * room + 8 * NUMBERS + 4 * room))
        file.write(FOOTER.pack(MAGIC, this_run(), rows, room, begin, len(content)))
