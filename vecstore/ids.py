"""Point ids, and the keys they are kept under.

An id is an unsigned 64-bit integer or a UUID. Its key sorts as ids do (all integers ascending, then UUIDs by
their 16 bytes), so that walking the keys in order is scrolling:

    integer   0x00, 8 bytes big-endian
    UUID      0x01, 16 bytes

Source of the rules: Qdrant's ``ExtendedPointId``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid5

import numpy as np
import numpy.typing as npt

from vecstore.errors import InvalidId, InvalidType
from vecstore.shapes import describe, is_integer

INTEGER, UUID_TAG = b"\x00", b"\x01"
INTEGER_KEY_SIZE, UUID_KEY_SIZE = 9, 17
MAX_INTEGER = 2**64 - 1
FEW = 4
"""So many keys are made one by one in less time than numpy takes to begin."""

NAMESPACE = UUID("e00cebcc-ad77-5107-8675-b09c9c807f84")
"""The namespace of ``point_id``: uuid5 of "vecstore:point_id" in the namespace of URLs. It never changes."""

_HEX = "[0-9a-fA-F]"
_HYPHENATED = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_UUID = re.compile(rf"(?:{_HYPHENATED}|{_HEX}{{32}}|\{{{_HYPHENATED}\}}|(?i:urn:uuid:){_HYPHENATED})", re.ASCII)


def point_id(name: str) -> str:
    """The id for a name of any kind, as ids are read back: a lower-case hyphenated UUID, always the same one.

        col.upsert([PointStruct(id=point_id("readme.md#3"), vector=..., payload={"name": "readme.md#3"})])

    It is ``str(uuid.uuid5(uuid.UUID("e00cebcc-ad77-5107-8675-b09c9c807f84"), name))``, which every language has. The
    name is taken letter for letter: case, spaces and forms of Unicode count, and one that is a UUID already is a name
    like any other. It cannot be had back from the id: keep it in the payload.

    Raises ``InvalidType`` for what is no string, ``InvalidId`` for one with lone surrogates, which has no UTF-8.
    """
    if not isinstance(name, str):
        raise InvalidType(f"expected a name as a string, got {describe(name)}")
    try:
        return str(uuid5(NAMESPACE, str.__str__(name)))
    except UnicodeEncodeError:
        raise InvalidId(f"expected a name of Unicode text, got {describe(name)}") from None


def key_of(point_id: object) -> bytes:
    """The key of one id. Raises ``InvalidId``."""
    if is_integer(point_id):
        if 0 <= point_id <= MAX_INTEGER:
            return INTEGER + int(point_id).to_bytes(8, "big")
        raise InvalidId(f"expected an id of 0 to 2**64 - 1, got {describe(point_id)}")
    if isinstance(point_id, UUID):
        return UUID_TAG + point_id.bytes
    if isinstance(point_id, str) and _UUID.fullmatch(point_id):
        return UUID_TAG + UUID(point_id.lower()).bytes  # the prefix of a URN may be of any case
    raise InvalidId(f"expected an id (an integer of 0 to 2**64 - 1, or a UUID), got {describe(point_id)}")


def keys_of(ids: object) -> list[bytes]:
    """The keys of many ids: a numpy array of integers, or any iterable of ids.

    Raises ``InvalidId``, or ``InvalidType`` where ``ids`` is no list of ids at all.
    """
    if isinstance(ids, np.ndarray):
        if ids.ndim != 1:
            raise InvalidId(f"expected a one-dimensional array of ids, got the shape {ids.shape}")
        if ids.dtype.kind in "ui" and len(ids) > FEW:
            return _integer_keys(ids)
        ids = ids.tolist()
    if isinstance(ids, str | bytes | dict) or not isinstance(ids, Iterable):
        raise InvalidType(f"expected a list of ids, got {describe(ids)}")
    ids = list(ids)
    # A list of plain integers that fit is the common case, and needs no Python code per id.
    if len(ids) > FEW and set(map(type, ids)) == {int} and min(ids) >= 0 and max(ids) <= MAX_INTEGER:
        return _integer_keys(np.array(ids, dtype=np.uint64))
    return [key_of(i) for i in ids]


def _integer_keys(ids: npt.NDArray[Any]) -> list[bytes]:
    if ids.dtype.kind == "i" and ids.size and ids.min() < 0:
        raise InvalidId(f"expected an id of 0 to 2**64 - 1, got {ids.min()}")
    keys = np.zeros((len(ids), INTEGER_KEY_SIZE), dtype=np.uint8)
    keys[:, 1:] = ids.astype(">u8").view(np.uint8).reshape(len(ids), 8)
    return split(keys.tobytes(), INTEGER_KEY_SIZE)


def split(data: bytes, size: int) -> list[bytes]:
    """``data`` cut into pieces of ``size`` bytes."""
    return [data[i : i + size] for i in range(0, len(data), size)]


def id_of(key: bytes) -> int | str:
    """The id a key stands for: an int, or a lower-case hyphenated UUID."""
    if len(key) == INTEGER_KEY_SIZE:
        return int.from_bytes(key[1:], "big")
    return str(UUID(bytes=bytes(key[1:])))


def are_integers(keys: Sequence[bytes]) -> bool:
    """Whether all of these keys stand for integers."""
    return set(map(len, keys)) <= {INTEGER_KEY_SIZE}


def integers_of(keys: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    """The ids that keys of integers stand for."""
    table = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), INTEGER_KEY_SIZE)
    return table[:, 1:].copy().view(">u8").ravel().astype(np.uint64)


def ids_of(keys: Sequence[bytes]) -> list[int | str]:
    """The ids that keys stand for."""
    return [id_of(key) for key in keys]
