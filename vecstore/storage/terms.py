"""Terms: what a payload index keeps of a value, as keys that LMDB sorts the way values are compared.

A term is a key and a head. The key is 2 bytes of index number, 1 byte of tag, and what the tag says; all
integers are big-endian:

    tag          rest of the key                                                       head
    S string     UTF-8; past ``CUT`` bytes the first ``CUT`` and their hash            none
    W word       the same                                                              none
    I integer    9 bytes: the value + 2**63                                            none
    B bool       1 byte                                                                none
    M missing    none: the path selects no value                                       none
    E empty      none: every value there is null or []                                 none
    N null       none: a null is among the values                                      none
    C count      4 bytes: the length of a value there; not kept for points with one
                 value that is neither null nor an array, whose count is 1             none
    V several    none: there is more than one value of the kind the index is for       none
    O odd        none: a place that is not on the map                                  none
    F number     the first 20 bits of the head, 4 bits 0                               the double, in its order
    D datetime   the first 3 bytes of the head                                         microseconds + 2**63
    P place      the first 3 bytes of the head                                         lon and lat, bits in turn

A head is 8 bytes. A double is in its order when a positive one has its first bit set and a negative one all its
bits turned; integers past 2**53 become the nearest double, so those beside a bound are looked at again. A place
is cut to squares of 360 and 180 / 2**32 degrees: those beside a line are looked at again too. A string that was
cut is looked at again.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final

import numpy as np
import numpy.typing as npt

CUT: Final = 400
HASH_SIZE: Final = 16
NUMBER_SIZE: Final = 2
KEY_HEAD: Final = NUMBER_SIZE + 1
HEAD_SIZE: Final = 8
LONGEST_KEY: Final = 511  # LMDB's bound

STRING, WORD, INTEGER, BOOL = b"S", b"W", b"I", b"B"
MISSING, EMPTY, NULL, COUNT, SEVERAL, ODD = b"M", b"E", b"N", b"C", b"V", b"O"
NUMBER, DATETIME, PLACE = b"F", b"D", b"P"

EXACT_BELOW: Final = 2.0**53
"""Under this size a double is one number, not several integers."""

_DOUBLE = struct.Struct(">d")
_HEAD = struct.Struct(">Q")
_SIGN, _ALL = 1 << 63, (1 << 64) - 1

assert KEY_HEAD + CUT + HASH_SIZE <= LONGEST_KEY


def prefix_of(number: int, tag: bytes = b"") -> bytes:
    """What the keys of an index begin with; with a tag, those of that tag."""
    return number.to_bytes(NUMBER_SIZE, "big") + tag


def number_of(key: bytes) -> int:
    """The number of the index a key is of."""
    return int.from_bytes(key[:NUMBER_SIZE], "big")


def cut(text: bytes) -> bytes:
    """A string or word as it stands in a key."""
    if len(text) <= CUT:
        return text
    return text[:CUT] + hashlib.blake2b(text, digest_size=HASH_SIZE).digest()


def was_cut(key: bytes) -> bool:
    """Whether a key of a string or word does not hold all of it."""
    return len(key) > KEY_HEAD + CUT


def integer_key(value: int) -> bytes:
    """An integer of 64 bits, signed or unsigned, as it stands in a key."""
    return (value + _SIGN).to_bytes(9, "big")


def count_key(count: int) -> bytes:
    """The length of an array as it stands in a key."""
    return count.to_bytes(4, "big")


def number_head(value: float) -> int:
    """The head of a number: larger for a larger one, the same for integers that are one double."""
    (bits,) = _HEAD.unpack(_DOUBLE.pack(float(value) + 0.0))  # + 0.0: -0.0 and 0.0 are equal
    return int(bits ^ _ALL if bits & _SIGN else bits | _SIGN)


def datetime_head(microseconds: int) -> int:
    """The head of a datetime."""
    return microseconds + _SIGN


def head_bytes(head: int) -> bytes:
    """A head as it is stored."""
    return _HEAD.pack(head)


def bucket(tag: bytes, head: int) -> bytes:
    """The rest of the key under which a head is kept."""
    return ((head >> 44) << 4 if tag == NUMBER else head >> 40).to_bytes(3, "big")


# -- places ---------------------------------------------------------------------------------------------------

_SQUARES: Final = float(1 << 32)
PLACE_ERROR: Final = 360.0 / _SQUARES
"""By how many degrees a kept place may be off, at most."""


def place_head(lon: float, lat: float) -> int | None:
    """The head of a place; None for one that is not on the map."""
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        return None
    last = (1 << 32) - 1
    x, y = min(int((lon + 180) / 360 * _SQUARES), last), min(int((lat + 90) / 180 * _SQUARES), last)
    return _spread(x) << 1 | _spread(y)


def _spread(value: int) -> int:
    """The bits of ``value`` (32) at the even places of the result."""
    for shift, mask in _SPREADS:
        value = (value | value << shift) & mask
    return value


_SPREADS: Final = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def spread(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """``_spread`` for an array."""
    for shift, mask in _SPREADS:
        values = (values | values << np.uint64(shift)) & np.uint64(mask)
    return values


def gathered(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The bits at the even places: the inverse of ``spread``."""
    masks = [mask for _, mask in _SPREADS]
    values = values & np.uint64(masks[-1])
    for (shift, _), mask in zip(reversed(_SPREADS), [*reversed(masks[:-1]), (1 << 32) - 1], strict=True):
        values = (values | values >> np.uint64(shift)) & np.uint64(mask)
    return values


def places_of(heads: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Longitudes and latitudes of heads: the middles of their squares."""
    lon, lat = gathered(heads >> np.uint64(1)).astype(np.float64), gathered(heads).astype(np.float64)
    return (lon + 0.5) / _SQUARES * 360 - 180, (lat + 0.5) / _SQUARES * 180 - 90
