"""Codes: two bits a dimension beside rows of float32 that are in no graph, to choose those worth comparing.

A scan of float32 rows takes as long as fetching them, the longer the more want the caches. Codes are a sixteenth of
that, and FAISS compares 32 of them at once in registers (``IndexPQFastScan``). What is chosen by codes is scored from
the rows themselves, so that scores are right, and only where it is cut is not sure: for searches that ask a graph, too.

Each dimension has four levels, at the places that are best for a normal distribution with its mean and deviation (Max,
"Quantizing for minimum distortion", 1960); two dimensions make one subquantiser of 16 centroids. Nothing is trained: it
takes 1 ms and finds what trained centroids find, which take 1 s. Measured, 2,700 to 24,000 embeddings x 384, one
thread: of the 10 nearest, .9995 are among the 50 with the nearest codes, .996 among 30. A query takes 0.05 ms for 2,700
rows and 0.1 ms for 16,000, where a scan takes 0.15 and 2.5 ms; coding takes 7 us a row.

Of rows whose order codes do not keep (tight clusters far apart, a few very large numbers) there are none: the nearest
of some rows must be found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecstore.models import Distance
from vecstore.storage.flat import share_kept
from vecstore.storage.library import Threads, library, metric

if TYPE_CHECKING:
    Matrix = npt.NDArray[np.float32]
    Rows = npt.NDArray[np.int64]

LEVELS = np.array([-1.510, -0.4528, 0.4528, 1.510])
"""Where four levels lose least of a normal distribution, in deviations from its mean."""
MOST_DIMENSIONS = 4096
FEWEST_BYTES, MOST_BYTES = 1 << 19, 32 << 20
"""Codes are made of so many bytes of rows at least, and at most: fewer are scanned as soon, of more it takes long.

Where four processes search, 500 rows of 384 numbers cost .03 of a search less by codes than in a scan, and 800 rows .1:
what a scan reads puts all else out of the nearest cache.
"""
SCANS = 32
"""Codes are made when the rows have been scanned so often: making them takes as long as some tens of scans."""
BEHIND = 48
"""So many rows that came since are for the caller to look at; for more, codes are made."""
FEWEST_CHOSEN, NUMBERS_CHOSEN = 30, 11_520
"""Beside twice what is wanted so many rows are chosen, or those with so many numbers together: codes of few dimensions
tell less, and comparing the rows costs less."""
NEAREST = 10
ASKED, ASKED_MORE, ASKED_AGAIN = 32, 128, 8
ORDER_KEPT, ORDER_KEPT_AGAIN = 0.99, 0.9
"""Of so many rows the ``NEAREST`` ones must be, in this share, among those that are chosen. Where the first do not pass
more are asked, as one may stand among many that are as near as its nearest: of 360 samples of embeddings 5 did not pass
with 32, and all did with 128. Again are asked rows that came after the levels were measured."""
ASKED_EACH = 1 / 8
"""These are asked when there are so many more of them than of those before."""


def to_choose(depth: int, size: int) -> int:
    """How many rows of ``size`` dimensions are chosen by their codes, to find the best ``depth``."""
    return 2 * depth + max(FEWEST_CHOSEN, NUMBERS_CHOSEN // size)


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of the first ``rows`` rows of a block; the levels are those of the first ``measured``.

    Of the first ``known`` it is known that their order is kept.
    """

    index: Any
    rows: int
    measured: int
    known: int

    def nearest(self, query: Matrix, k: int) -> Rows | None:
        """The ``k`` rows with the nearest codes for a query of shape (1, size); None where their order overflows."""
        faiss = library()
        values, rows = np.empty(k, dtype=np.float32), np.empty(k, dtype=np.int64)
        # What ``search`` calls when it has looked at its arguments.
        self.index.search_c(1, faiss.swig_ptr(query), k, faiss.swig_ptr(values), faiss.swig_ptr(rows))
        return rows if rows[-1] >= 0 and math.isfinite(values[0]) else None

    def and_more(self, matrix: Matrix) -> Codes | None:
        """The codes of all these rows, of which the first have codes; None where the order of the others is lost."""
        index = library().clone_index(self.index)  # it cannot be searched while it grows
        with Threads(1):
            index.add(matrix[self.rows :])
        if len(matrix) < (1 + ASKED_EACH) * self.known:
            return Codes(index, len(matrix), self.measured, self.known)
        kept = _order_kept(index, matrix, _some(matrix[self.known :], ASKED_AGAIN))
        return Codes(index, len(matrix), self.measured, len(matrix)) if kept >= ORDER_KEPT_AGAIN else None


def codes_of(matrix: Matrix, distance: Distance) -> Codes | None:
    """The codes of these rows; None where their order would be lost."""
    size, centroids = matrix.shape[1], _centroids(matrix)
    if not np.isfinite(centroids).all():
        return None
    index = library().IndexPQFastScan(size, size // 2, 4, metric(distance))
    library().copy_array_to_vector(centroids.ravel(), index.pq.centroids)
    index.is_trained = True
    with Threads(1):
        index.add(matrix)
    kept = any(_order_kept(index, matrix, _some(matrix, asked)) >= ORDER_KEPT for asked in (ASKED, ASKED_MORE))
    count = len(matrix)
    return Codes(index, count, count, count) if kept else None


def _centroids(matrix: Matrix) -> Matrix:
    """Of each two dimensions, all pairs of a level of the one and a level of the other: shape (size / 2, 16, 2)."""
    means, deviations = matrix.mean(axis=0, dtype=np.float64), matrix.std(axis=0, dtype=np.float64)
    levels = means[:, None] + deviations[:, None] * LEVELS
    first, second = np.repeat(levels[0::2], 4, axis=1), np.tile(levels[1::2], 4)
    with np.errstate(over="ignore"):
        return np.stack([first, second], axis=2).astype(np.float32)


def _some(rows: Matrix, count: int) -> Matrix:
    return np.ascontiguousarray(rows[:: max(1, len(rows) // count)][:count])


def _order_kept(index: Any, matrix: Matrix, asked: Matrix) -> float:
    with Threads(1), np.errstate(over="ignore", invalid="ignore"):
        _, rows = index.search(asked, min(to_choose(NEAREST, index.d), len(matrix)))
        return share_kept(asked, matrix, rows, min(NEAREST, len(matrix)), index.metric_type)


class Coder:
    """Has the codes of a block of rows when they are worth it. For any thread: who comes last is right, too."""

    def __init__(self) -> None:
        self._made: Codes | None = None
        self._scans = 0
        self._useless = 0  # codes of so many rows did not keep their order

    def of(self, matrix: Matrix, distance: Distance) -> Codes | None:
        """Codes of the first rows of the block, of all in ``matrix`` but ``BEHIND`` or fewer; None: scan the rows."""
        made = self._made
        if made is None or len(matrix) - made.rows > BEHIND:
            made = self._made = self._again(made, matrix, distance)
        return made if made is not None and made.rows <= len(matrix) else None

    def _again(self, made: Codes | None, matrix: Matrix, distance: Distance) -> Codes | None:
        self._scans += 1
        if self._scans <= SCANS or len(matrix) < 2 * self._useless or not _may_be_coded(matrix, distance):
            return None
        try:
            found = _kept_up(made, matrix, distance)
        except MemoryError:  # the rows can be scanned without; some scans later there may be room
            self._scans = 0
            return None
        if found is None:
            self._useless = len(matrix)
        return found


def _kept_up(made: Codes | None, matrix: Matrix, distance: Distance) -> Codes | None:
    """Codes with the levels there are, or, where rows have doubled or become others, with new ones."""
    if made is not None and len(matrix) < 2 * made.measured and (more := made.and_more(matrix)) is not None:
        return more
    return codes_of(matrix, distance)


def _may_be_coded(matrix: Matrix, distance: Distance) -> bool:
    size = matrix.shape[1]
    fits = FEWEST_BYTES <= matrix.nbytes <= MOST_BYTES and size <= MOST_DIMENSIONS and not size % 2
    return fits and distance is not Distance.MANHATTAN
