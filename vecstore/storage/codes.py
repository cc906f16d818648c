"""Codes: a signed byte a dimension beside rows of float32, so that comparing a query with all of them moves a quarter
of the memory.

A scan of float32 rows takes as long as fetching them, the longer the more want the caches. Measured, 2,600 x 384 beside
a graph: four processes on two cores spent 0.53 ms of a search on them, and 0.26 ms by codes; one alone about the same.

Nothing is lost. What rounding may have moved is known, and a row's goodness is told as what it is at the most; so a
search sees where a better row may hide, and asks again.

    row        x = c / s + e     c: whole numbers from -127 to 127; s: one scale for all rows; |e| <= error
    query      q = b / t + d     the same
    products   <q, x>  = <b, c> / (s t) + <b / t, e> + <d, x>
                      <= <b, c> / (s t) + |b / t| error + |d| longest
    distances  |q - x| >= |b - c| / s - |d| - error                                  where t = s

The query is rounded, too, because FAISS computes with whole numbers where the dimension allows it, and would round it
without a word. Whole numbers have the same sum in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecstore.models import Distance
from vecstore.storage.library import Threads, library, metric

if TYPE_CHECKING:
    Matrix = npt.NDArray[np.float32]
    Floats = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.int64]

LARGEST = 127
MOST_DIMENSIONS = 8192
"""FAISS sums in 32 bits: 8,192 times 254 squared is a quarter of what they hold."""
FEWEST_BYTES, MOST_BYTES = 3 << 19, 8 << 20
"""Codes are made of so many bytes of rows at least, and at most: fewer cost as little, more are shared by all cores."""
SCANS = 32
"""Codes are made when the rows have been scanned so often: making them takes as long as some tens of scans."""
BEHIND = 48
"""So many rows that came since are for the caller to look at; for more, codes are made."""
LOST = 0.04
"""Where rounding takes more than this share of the longest row, as beside a few very large numbers, too many rows may
be the best, and codes are of no use."""
LARGEST_SCALE = 1e30
CHUNK_ROWS = 256
UNSURE = 1e-5
"""What a number up to ``LARGEST`` may be off in float32."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of the first ``rows`` rows of a block."""

    index: Any
    euclid: bool
    rows: int
    scale: float
    error: float
    longest: float

    @property
    def are_close(self) -> bool:
        """Whether so little is lost that they are of use."""
        return self.error <= LOST * self.longest < math.inf

    def nearest(self, query: Matrix, k: int, chosen: Any) -> tuple[Floats, Rows]:
        """The ``k`` best rows for a query of shape (1, size): goodness at the most (larger is better), and number.

        ``chosen``: a selector of ``flat.selector``, or None. A place without a row has the number -1.
        """
        scale = self.scale if self.euclid else _scale(query)
        rounded, lost, length = _rounded_whatever(query, scale) if self.euclid else _rounded(query, scale)
        params = None if chosen is None else library().SearchParameters(sel=chosen)
        with Threads(1):  # FAISS would wake the others for a single query
            values, rows = self.index.search(rounded, k, params=params)
        found = values[0].astype(np.float64)  # in which nothing that is made of float32 overflows
        if self.euclid:
            return -(np.maximum(np.sqrt(found) / scale - (lost + self.error), 0) ** 2), rows[0]
        return found / (self.scale * scale) + (length * self.error + lost * self.longest), rows[0]

    def and_more(self, matrix: Matrix) -> Codes:
        """The codes of all these rows, of which the first are those that have codes already."""
        index, error, longest = library().clone_index(self.index), self.error, self.longest
        for first in range(self.rows, len(matrix), CHUNK_ROWS):
            rounded, lost, length = _rounded_whatever(matrix[first : first + CHUNK_ROWS], self.scale)
            with Threads(1):
                index.add(rounded)
            error, longest = max(error, lost), max(longest, length + lost)
        return Codes(index, self.euclid, len(matrix), self.scale, error, longest)


def codes_of(matrix: Matrix, distance: Distance) -> Codes:
    """The codes of these rows."""
    size = matrix.shape[1]
    index = library().IndexScalarQuantizer(size, library().ScalarQuantizer.QT_8bit_direct_signed, metric(distance))
    return Codes(index, distance is Distance.EUCLID, 0, _scale(matrix), 0.0, 0.0).and_more(matrix)


def _scale(rows: Matrix) -> float:
    return LARGEST / max(float(rows.max()), -float(rows.min()), LARGEST / LARGEST_SCALE)


def _rounded(rows: Matrix, scale: float) -> tuple[Matrix, float, float]:
    """The whole numbers that stand for rows; what a row loses by it, and the length of what is left, at the most."""
    scaled = rows * np.float32(scale)
    rounded = np.rint(scaled)
    np.clip(rounded, -LARGEST, LARGEST, out=rounded)
    scaled -= rounded
    lost = (_longest(scaled) + UNSURE * math.sqrt(rows.shape[1])) / scale
    return rounded, lost, _longest(rounded) * (1 + UNSURE) / scale


def _rounded_whatever(rows: Matrix, scale: float) -> tuple[Matrix, float, float]:
    """The same, where the scale is not that of these rows: what overflows loses without measure."""
    with np.errstate(over="ignore"):
        return _rounded(rows, scale)


def _longest(rows: Matrix) -> float:
    """The length of the longest."""
    squared = rows[0].dot(rows[0]) if len(rows) == 1 else np.einsum("ij,ij->i", rows, rows).max()
    return math.sqrt(squared)


class Coder:
    """Has the codes of a block of rows when they are worth it. For any thread: who comes last is right, too."""

    def __init__(self) -> None:
        self._made: Codes | None = None
        self._scans = 0

    def of(self, matrix: Matrix, distance: Distance) -> Codes | None:
        """Codes of the first rows of the block, of all in ``matrix`` but ``BEHIND`` or fewer; None: scan the rows."""
        made = self._made
        if made is None or len(matrix) - made.rows > (BEHIND if made.are_close else made.rows):
            made = self._made = self._again(made, matrix, distance)
        return made if made is not None and made.are_close and made.rows <= len(matrix) else None

    def _again(self, made: Codes | None, matrix: Matrix, distance: Distance) -> Codes | None:
        self._scans += 1
        if self._scans <= SCANS or not _may_be_coded(matrix, distance):
            return None
        try:
            return _kept_up(made, matrix, distance)
        except MemoryError:  # the rows can be scanned without; some scans later there may be room
            self._scans = 0
            return None


def _kept_up(made: Codes | None, matrix: Matrix, distance: Distance) -> Codes:
    if made is not None and made.are_close:
        more = made.and_more(matrix)
        if more.are_close:
            return more
    return codes_of(matrix, distance)


def _may_be_coded(matrix: Matrix, distance: Distance) -> bool:
    fits = FEWEST_BYTES <= 4 * matrix.size <= MOST_BYTES and matrix.shape[1] <= MOST_DIMENSIONS
    return fits and distance is not Distance.MANHATTAN
