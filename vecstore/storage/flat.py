"""Flat files, and exact search over rows of float32.

A flat file is an ordinary ``IndexFlat`` as ``faiss.write_index`` writes it, so it can be read without vecstore;
here it is mapped, not read. FAISS keeps its rows at an odd offset of the file: a mapped matrix is unaligned,
which FAISS and numpy indexing both take.

FAISS chooses the hits, and its sums depend on which of its routines ran. ``scores`` is the arithmetic users
see: float32, the same for a vector wherever it is kept.
"""

from __future__ import annotations

import struct
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecstore.errors import Corrupted
from vecstore.models import Distance
from vecstore.storage.library import for_queries, library, map_index, metric, side_by_side, write_index
from vecstore.vectors import dots

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from vecstore.storage.bitmaps import Bitmap

    Matrix = npt.NDArray[np.float32]

# The first bytes of an index file: a four-letter code, the dimension, the number of rows.
HEADER = struct.Struct("<4siq")
SHARED_BYTES = 8 << 20
"""One query over more bytes of rows than this is shared by all cores: starting a thread takes about 0.1 ms."""
CODES = {
    Distance.COSINE: b"IxFI",
    Distance.DOT: b"IxFI",
    Distance.EUCLID: b"IxF2",
    Distance.MANHATTAN: b"IxFl",
}


def write(path: Path, blocks: Iterable[Matrix], size: int, distance: Distance) -> None:
    """Write the rows of ``blocks``, of dimension ``size``, as one flat file. Raises ``OSError``."""
    index = library().IndexFlat(size, metric(distance))
    for block in blocks:
        index.add(block)
    write_index(index, path)


def check_header(path: Path, code: bytes, rows: int, size: int) -> None:
    """Raise ``Corrupted`` unless the file begins as an index of this code and shape does."""
    with path.open("rb") as file:
        head = file.read(HEADER.size)
    if len(head) < HEADER.size or HEADER.unpack(head) != (code, size, rows):
        raise Corrupted(path, f"expected an index {code.decode()} of {rows} x {size}, got another header")


def mapped(path: Path) -> Matrix:
    """The rows of a flat file, mapped: float32, shape (rows, size), read-only."""
    index = map_index(path)
    return rows_of(index, index)


def rows_of(index: Any, owner: Any) -> Matrix:
    """The rows of a flat index where they lie, read-only; ``owner`` is what must live as long as they are used."""
    matrix: Matrix = np.asarray(_Rows(index, owner)).reshape(index.ntotal, index.d)
    matrix.flags.writeable = False
    return matrix


class _Rows:
    """What numpy asks for the rows of an index. The array keeps this alive, and this keeps the map.

    IMPORTANT: a bare view of FAISS's memory would point nowhere as soon as nobody else held the index.
    """

    def __init__(self, index: Any, owner: Any) -> None:
        self._owner = owner
        self.__array_interface__ = library().rev_swig_ptr(index.get_xb(), index.ntotal * index.d).__array_interface__


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

    ``rows``: only among these, ascending. ``dead``: not among these. A place without a row has the number -1.
    """
    cores = library().omp_get_max_threads()
    looked_at = matrix.shape[1] * matrix.itemsize * (len(matrix) if rows is None else len(rows))
    if len(queries) == 1 < cores and looked_at >= SHARED_BYTES:
        parts = _parts(matrix, rows, dead, cores)
        return _best_of(k, side_by_side([partial(_alone, queries, k, distance, *part) for part in parts]))
    return _nearest(queries, matrix, k, distance, rows, dead)


def _parts(
    matrix: Matrix, rows: npt.NDArray[np.int64] | None, dead: Bitmap | None, count: int
) -> list[tuple[int, Matrix, npt.NDArray[np.int64] | None, Bitmap | None]]:
    """First row, matrix, candidates and dead rows of each of about ``count`` parts with equally many candidates."""
    ends = [(len(matrix) * i // count if rows is None else int(rows[len(rows) * i // count])) for i in range(1, count)]
    bounds = [0, *(end // 8 * 8 for end in ends), len(matrix)]  # so that a bitmap can be cut between bytes
    parts = []
    for first, last in pairwise(bounds):
        mine = None if rows is None else rows[np.searchsorted(rows, first) : np.searchsorted(rows, last)] - first
        if first < last and (mine is None or len(mine)):
            cut = None if dead is None else dead[first // 8 : (last + 7) // 8]
            parts.append((first, matrix[first:last], mine, cut))
    return parts


def _alone(
    query: Matrix,
    k: int,
    distance: Distance,
    first: int,
    matrix: Matrix,
    rows: npt.NDArray[np.int64] | None,
    dead: Bitmap | None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    values, found = _nearest(query, matrix, k, distance, rows, dead)
    found[found >= 0] += first
    return values, found


def _best_of(
    k: int, parts: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    values = np.concatenate([values for values, _ in parts], axis=1)
    found = np.concatenate([found for _, found in parts], axis=1)
    values[found < 0] = -np.inf
    best = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(values, best, axis=1), np.take_along_axis(found, best, axis=1)


def _nearest(
    queries: Matrix,
    matrix: Matrix,
    k: int,
    distance: Distance,
    rows: npt.NDArray[np.int64] | None,
    dead: Bitmap | None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    found = np.full((len(queries), k), -1, dtype=np.int64)
    values = np.empty((len(queries), k), dtype=np.float32)
    chosen = selector(rows, dead)
    with for_queries(len(queries)):
        _search(queries, matrix, k, distance, chosen, values, found)
    if not distance.larger_is_better:
        np.negative(values, out=values)
    return values, found


def selector(rows: npt.NDArray[np.int64] | None, dead: Bitmap | None) -> Any:
    """What tells FAISS to look at ``rows`` only, or not at the ``dead`` ones; None for every row."""
    if rows is not None:
        return library().IDSelectorArray(rows)
    return None if dead is None else only(~dead)  # which it looks at faster than at what is not in ``dead``


def only(chosen: Bitmap) -> Any:
    """What tells FAISS to look at the rows in a bitmap only."""
    selected = library().IDSelectorBitmap(chosen)
    selected.kept = chosen  # FAISS keeps a pointer to it
    return selected


def _search(
    queries: Matrix,
    matrix: Matrix,
    k: int,
    distance: Distance,
    chosen: Any,
    values: npt.NDArray[np.float32],
    found: npt.NDArray[np.int64],
) -> None:
    faiss = library()
    pointers = faiss.swig_ptr(queries), faiss.swig_ptr(matrix)
    shape = queries.shape[1], len(queries), len(matrix)
    out = k, faiss.swig_ptr(values), faiss.swig_ptr(found)
    if distance is Distance.EUCLID:
        faiss.knn_L2sqr(*pointers, *shape, *out, None, chosen)
    elif distance is Distance.MANHATTAN:
        faiss.knn_extra_metrics(*pointers, *shape, faiss.METRIC_L1, 0.0, *out, chosen)
    else:
        faiss.knn_inner_product(*pointers, *shape, *out, chosen)


def scores(query: Matrix, rows: Matrix, distance: Distance) -> Matrix:
    """The scores of ``rows`` (n, size) for ``query`` (size,), in float32, as users see them.

    Where a sum overflows on the way it is made in float64: what is no number has no place in an order.
    """
    if distance is Distance.COSINE:  # of vectors that are no longer than 1
        return dots(rows, query)
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


def share_kept(asked: Matrix, matrix: Matrix, rows: npt.NDArray[np.int64], k: int, kind: int) -> float:
    """The share of the ``k`` nearest rows of ``matrix`` that are among the ``rows`` found for each of ``asked``.

    By their values, so that equal rows may stand for each other. What overflows is in no order, and is not kept.
    ``kind``: FAISS's metric.
    """
    best, _ = library().knn(asked, matrix, k, metric=kind)
    kept = [
        library().knn(query[None], matrix[found], k, metric=kind)[0][0]
        for query, found in zip(asked, rows, strict=True)
    ]
    return float(np.isclose(kept, best, rtol=1e-5, atol=0).mean())
