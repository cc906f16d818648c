"""The one door to FAISS: flat files, and exact search over rows of float32.

FAISS is imported when it is first needed. A flat file is an ordinary ``IndexFlat`` as ``faiss.write_index``
writes it, so it can be read without vecstore; here it is mapped, not read. FAISS keeps its rows at an odd
offset of the file: a mapped matrix is unaligned, which FAISS and numpy indexing both take.

FAISS chooses the hits, and its sums depend on which of its routines ran. ``scores`` is the arithmetic users
see: float32, the same for a vector wherever it is kept.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecstore.errors import Corrupted, StoreFailed
from vecstore.models import Distance
from vecstore.vectors import dots

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from vecstore.storage.bitmaps import Bitmap

    Matrix = npt.NDArray[np.float32]

# The first bytes of a flat file: a four-letter code, the dimension, the number of rows.
HEADER = struct.Struct("<4siq")
WRITE_BYTES = 1 << 20
CODES = {
    Distance.COSINE: b"IxFI",
    Distance.DOT: b"IxFI",
    Distance.EUCLID: b"IxF2",
    Distance.MANHATTAN: b"IxFl",
}


@cache
def _faiss() -> ModuleType:
    import faiss

    return faiss


def _metric(distance: Distance) -> int:
    faiss = _faiss()
    metrics = {Distance.EUCLID: faiss.METRIC_L2, Distance.MANHATTAN: faiss.METRIC_L1}
    return int(metrics.get(distance, faiss.METRIC_INNER_PRODUCT))


def write(path: Path, blocks: list[Matrix], distance: Distance) -> None:
    """Write the rows of ``blocks`` as one flat file. Raises ``OSError``."""
    faiss = _faiss()
    index = faiss.IndexFlat(blocks[0].shape[1], _metric(distance))
    for block in blocks:
        index.add(block)
    # IMPORTANT: through a file of ours. FAISS closes its own without looking at what closing says, so that
    # the last bytes can be missing from a full disk and no error is raised.
    with path.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, WRITE_BYTES))


def check_header(path: Path, rows: int, size: int, distance: Distance) -> None:
    """Raise ``Corrupted`` unless the file begins as a flat file of this shape does."""
    with path.open("rb") as file:
        head = file.read(HEADER.size)
    expected = (CODES[distance], size, rows)
    if len(head) < HEADER.size or HEADER.unpack(head) != expected:
        raise Corrupted(path, f"expected a flat index of {rows} x {size} ({distance.value}), got another header")


def mapped(path: Path, rows: int, size: int) -> tuple[Matrix, object]:
    """The rows of a flat file, mapped: float32, shape (rows, size), read-only; and what keeps the map alive."""
    faiss = _faiss()
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    matrix = faiss.rev_swig_ptr(index.get_xb(), rows * size).reshape(rows, size)
    matrix.flags.writeable = False
    return matrix, index


def _unreadable(path: Path, error: RuntimeError) -> Exception:
    # FAISS says a damaged file and a lack of memory or descriptors alike.
    try:
        np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, MemoryError) as lack:
        return StoreFailed(f"{path}: cannot be mapped: {lack}")
    return Corrupted(path, f"FAISS cannot read it: {error}")


def nearest(
    queries: Matrix,
    matrix: Matrix,
    k: int,
    distance: Distance,
    *,
    rows: npt.NDArray[np.int64] | None = None,
    dead: Bitmap | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The ``k`` best rows for each query: what FAISS thought of them (larger is better), and their numbers.

    ``rows``: only among these. ``dead``: not among these. A place without a row has the number -1.
    """
    faiss = _faiss()
    found = np.full((len(queries), k), -1, dtype=np.int64)
    values = np.empty((len(queries), k), dtype=np.float32)
    selector = _selector(rows, dead)
    with _threads(len(queries)):
        _search(faiss, queries, matrix, k, distance, selector, values, found)
    if not distance.larger_is_better:
        np.negative(values, out=values)
    return values, found


def _selector(rows: npt.NDArray[np.int64] | None, dead: Bitmap | None) -> Any:
    faiss = _faiss()
    if rows is not None:
        return faiss.IDSelectorArray(rows)
    if dead is not None:
        bitmap = faiss.IDSelectorBitmap(dead)
        selector = faiss.IDSelectorNot(bitmap)
        selector.kept = (bitmap, dead)  # FAISS keeps pointers to them
        return selector
    return None


def _search(
    faiss: ModuleType,
    queries: Matrix,
    matrix: Matrix,
    k: int,
    distance: Distance,
    selector: Any,
    values: npt.NDArray[np.float32],
    found: npt.NDArray[np.int64],
) -> None:
    pointers = faiss.swig_ptr(queries), _pointer(matrix)
    shape = queries.shape[1], len(queries), len(matrix)
    out = k, faiss.swig_ptr(values), faiss.swig_ptr(found)
    if distance is Distance.EUCLID:
        faiss.knn_L2sqr(*pointers, *shape, *out, None, selector)
    elif distance is Distance.MANHATTAN:
        faiss.knn_extra_metrics(*pointers, *shape, faiss.METRIC_L1, 0.0, *out, selector)
    else:
        faiss.knn_inner_product(*pointers, *shape, *out, selector)


def _pointer(matrix: Matrix) -> Any:
    return _faiss().swig_ptr(matrix)


class _threads:  # noqa: N801 - reads as a verb at its one use
    """A single query is done sooner on one thread than by waking the others; the caller's setting is kept."""

    def __init__(self, queries: int) -> None:
        self._alone = queries == 1
        self._before = 0

    def __enter__(self) -> None:
        if self._alone:
            self._before = _faiss().omp_get_max_threads()
            _faiss().omp_set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        if self._alone:
            _faiss().omp_set_num_threads(self._before)


def scores(query: Matrix, rows: Matrix, distance: Distance) -> Matrix:
    """The scores of ``rows`` (n, size) for ``query`` (size,), in float32, as users see them.

    Where a sum overflows on the way it is made in float64: what is no number has no place in an order.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        result = _scores(query, rows, distance)
        odd = ~np.isfinite(result)
        if odd.any():
            result[odd] = _scores(query.astype(np.float64), rows[odd].astype(np.float64), distance)
    return result


def _scores(query: npt.NDArray[Any], rows: npt.NDArray[Any], distance: Distance) -> npt.NDArray[Any]:
    result: npt.NDArray[Any]
    if distance.larger_is_better:
        result = dots(rows, query)
    elif distance is Distance.EUCLID:
        difference = rows - query
        result = np.sqrt(dots(difference, difference))
    else:
        result = np.abs(rows - query).sum(axis=1)
    return result
