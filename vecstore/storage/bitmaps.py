"""Bitmaps: one bit a row or a slot, lowest bit first in each byte (the order FAISS reads them in)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bitmap: TypeAlias = npt.NDArray[np.uint8]
Numbers: TypeAlias = npt.NDArray[np.uint32] | npt.NDArray[np.int64]

_FEW = 4
"""So many numbers are put in one by one in less time than numpy takes to begin."""
_BITS = (1 << np.arange(8)).astype(np.uint8)


def empty(size: int) -> Bitmap:
    """A bitmap for ``size`` numbers with none in it."""
    return np.zeros((size + 7) // 8, dtype=np.uint8)


def resized(bitmap: Bitmap, size: int) -> Bitmap:
    """A copy with room for ``size`` numbers, at least as many as before."""
    copy = np.zeros(max(len(bitmap), (size + 7) // 8), dtype=np.uint8)
    copy[: len(bitmap)] = bitmap
    return copy


def put(bitmap: Bitmap, number: int) -> int:
    """Put one ``number`` in, in place. Returns 1 if it was not in, and 0 if it was."""
    place, bit = number >> 3, 1 << (number & 7)
    byte = int(bitmap[place])
    bitmap[place] = byte | bit
    return 0 if byte & bit else 1


def add(bitmap: Bitmap, numbers: Numbers) -> int:
    """Put ``numbers`` in, in place. Returns how many were not in, where each is given once."""
    if len(numbers) <= _FEW:
        return sum([put(bitmap, number) for number in numbers.tolist()])
    places, bits = numbers >> 3, _BITS[numbers & 7]
    new = int(np.count_nonzero(bitmap[places] & bits == 0))
    np.bitwise_or.at(bitmap, places, bits)
    return new


def discard(bitmap: Bitmap, numbers: Numbers) -> None:
    """Take ``numbers`` out, in place."""
    np.bitwise_and.at(bitmap, numbers >> 3, ~_BITS[numbers & 7])


def contains(bitmap: Bitmap, numbers: Numbers) -> npt.NDArray[np.bool_]:
    """For each of ``numbers``, whether it is in."""
    found: npt.NDArray[np.bool_] = (bitmap[numbers >> 3] & _BITS[numbers & 7]) != 0
    return found


def members(bitmap: Bitmap, size: int) -> npt.NDArray[np.int64]:
    """The numbers under ``size`` that are in, ascending."""
    return np.flatnonzero(np.unpackbits(bitmap, count=size, bitorder="little"))


def absent(bitmap: Bitmap, size: int) -> npt.NDArray[np.int64]:
    """The numbers under ``size`` that are not in, ascending."""
    return np.flatnonzero(np.unpackbits(bitmap, count=size, bitorder="little") == 0)


def count(bitmap: Bitmap) -> int:
    """How many numbers are in."""
    return int(np.unpackbits(bitmap).sum(dtype=np.int64))
