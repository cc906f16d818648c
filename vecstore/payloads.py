"""JSON payloads: what a payload may hold, and its packed form.

A payload is an object with string keys. Its values are null, bool, integers of -2**63 to 2**64 - 1, finite
floats, strings, arrays and objects, at most ``MAX_DEPTH`` levels deep. What JSON has a form for, is kept so:

    tuple, numpy array        array
    any Mapping               object
    datetime                  RFC 3339: "2024-05-01T12:00:00+02:00"; without an offset it is read as UTC
    date                      "2024-05-01"
    UUID                      "c56a4180-65aa-42ec-a945-5fd21dec0538"
    numpy scalar              bool, integer, float, string; a datetime64 as a datetime or date
    subclass of str, int or float, such as an enum of strings    the plain value it holds

Anything else, NaN and infinity included, is an ``InvalidPayload`` that says where.

Source of the rule: Qdrant, whose payloads are JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from math import isfinite
from typing import Any, Final, TypeVar

from vecstore.encoding import pack, pack_all, unpack
from vecstore.errors import InvalidRequest, InvalidType, RequestTooLarge
from vecstore.json_values import Normaliser, too_large
from vecstore.limits import MAX_DEPTH, MAX_OPERATION_BYTES, MAX_PAYLOAD_BYTES
from vecstore.shapes import describe, length_of

__all__ = [
    "EMPTY",
    "MAX_DEPTH",
    "MAX_PAYLOAD_BYTES",
    "freeze_payload",
    "pack_payload",
    "pack_payloads",
    "unpack_payload",
]

EMPTY: Final = pack({})
"""The empty payload, packed."""

T = TypeVar("T")

_STRING: Final = frozenset({str})
_PLAIN: Final = frozenset({type(None), bool, int, float, str, list, dict})
_NUMBERS: Final = frozenset({type(None), bool, int})
_CHUNK: Final = 256  # payloads checked together: enough to be cheap, few enough to stay in the cache
_FEW, _SHORT = 32, 4096  # so few values are looked at one by one, if strings among them have no more characters
_MANY: Final = 200_000  # more values than this on one level are not listed at once to be checked


def pack_payload(payload: object) -> bytes:
    """A payload, checked, normalised and packed; None is the empty one. Raises ``InvalidPayload``."""
    return EMPTY if payload is None else _pack_chunk([payload], None)[0]


def pack_payloads(payloads: object, count: int) -> list[bytes]:
    """The payloads of ``count`` points, packed. None, for one or for all of them, is the empty payload.

    Raises ``InvalidPayload``; ``InvalidType`` when it is no list at all; ``InvalidRequest`` when it has not
    ``count`` entries.
    """
    if payloads is None:
        return [EMPTY] * count
    rows = _rows(payloads, count)
    if len(rows) != count:
        raise InvalidRequest(f"expected a payload for each of the {count} points, got {_came(payloads, rows, count)}")
    if count == 1:
        return _pack_chunk(rows, 0)
    packed: list[bytes] = []
    size = 0
    for start in range(0, count, _CHUNK):
        for chunk in _packed_parts(rows[start : start + _CHUNK], start):
            packed += chunk
            size += sum(map(len, chunk))
            if size > MAX_OPERATION_BYTES:
                raise RequestTooLarge(f"expected at most {MAX_OPERATION_BYTES} bytes of payloads in one call, got more")
    return packed


def _came(payloads: object, rows: list[object], count: int) -> str:
    length = length_of(payloads)
    return f"{len(rows)} or more" if length is None and len(rows) > count else str(length or len(rows))


def _rows(payloads: object, count: int) -> list[object]:
    if isinstance(payloads, str | bytes | Mapping) or not isinstance(payloads, Iterable):
        raise InvalidType(f"expected a list of payloads, got {describe(payloads)}")
    try:
        # One more than may be, at most: an iterator need not have an end.
        return [{} if payload is None else payload for payload in islice(payloads, count + 1)]
    except TypeError:  # a numpy array of no dimension says it can be iterated
        raise InvalidType(f"expected a list of payloads, got {describe(payloads)}") from None


def freeze_payload(payload: object) -> dict[str, Any]:
    """A copy of a payload in plain JSON values that shares nothing with it. Raises ``InvalidPayload``."""
    return unpack_payload(_pack_chunk([payload], None)[0])


def unpack_payload(data: bytes | memoryview) -> dict[str, Any]:
    """The payload that was packed; every call makes a new one."""
    payload: dict[str, Any] = unpack(data)
    return payload


def _packed_parts(payloads: list[Any], start: int) -> Iterator[list[bytes]]:
    """A chunk at once, if it is plain and not large; or else payload by payload."""
    packed = _pack_plain(payloads)
    if packed is not None:
        yield _checked(packed, start)
        return
    for number, payload in enumerate(payloads, start=start):
        yield _pack_chunk([payload], number)


def _pack_chunk(payloads: list[Any], start: int | None) -> list[bytes]:
    packed = _pack_plain(payloads)
    if packed is None:
        packed = [_pack_odd(p, None if start is None else start + i) for i, p in enumerate(payloads)]
    return _checked(packed, start)


def _checked(packed: list[bytes], start: int | None) -> list[bytes]:
    largest = max(packed, key=len)
    if len(largest) > MAX_PAYLOAD_BYTES:
        raise too_large(len(largest), None if start is None else start + packed.index(largest))
    return packed


def _pack_odd(payload: object, number: int | None) -> bytes:
    return pack(Normaliser(number).payload(payload))


def _pack_plain(payloads: list[Any]) -> list[bytes] | None:
    """The payloads packed, if all of them are JSON as they stand."""
    is_small = len(payloads) == 1 and type(payloads[0]) is dict and _is_small(payloads[0])
    if not is_small and (set(map(type, payloads)) != {dict} or not _is_plain(payloads)):
        return None
    try:
        return pack_all(payloads)
    except (OverflowError, UnicodeEncodeError):  # an integer over 64 bits, a lone surrogate
        return None


def _is_small(payload: dict[Any, Any]) -> bool:
    """``_is_plain`` for one payload of few fields, each a value or a few strings, in a third of the time."""
    if len(payload) > _FEW:
        return False
    for name, value in payload.items():
        kind = type(value)
        if kind is str:
            is_small = len(value) <= _SHORT
        elif kind is float:
            is_small = isfinite(value)
        elif kind is list:
            is_small = len(value) <= _FEW and all(type(one) is str and len(one) <= _SHORT for one in value)
        else:
            is_small = kind in _NUMBERS
        if not is_small or type(name) is not str:
            return False
    return True


def _is_plain(objects: list[dict[Any, Any]]) -> bool:
    """Whether these hold nothing but the exact types of JSON: level by level, no Python code for each value.

    False only means that somebody has to look closer. It costs about 1 us for a payload of twelve fields.
    """
    arrays: list[list[Any]] = []
    characters = 0
    for _ in range(MAX_DEPTH):
        if sum(map(len, objects)) + sum(map(len, arrays)) > _MANY:
            return False
        names = set().union(*objects)
        if not _STRING.issuperset(map(type, names)) or _too_long(names, objects):
            return False
        values = [*chain.from_iterable(map(dict.values, objects)), *chain.from_iterable(arrays)]
        kinds = set(map(type, values))
        if not kinds <= _PLAIN or (float in kinds and not _are_finite(values)):
            return False
        if str in kinds:
            characters += sum(map(len, _of_type(str, values, kinds)))
            if characters > MAX_PAYLOAD_BYTES:
                return False
        objects = _of_type(dict, values, kinds)
        arrays = _of_type(list, values, kinds)
        if not objects and not arrays:
            return True
    return False


def _too_long(names: set[str], objects: list[dict[str, Any]]) -> bool:
    """Whether the names in objects could be more than a payload may have."""
    return max(map(len, names), default=0) * sum(map(len, objects)) > MAX_PAYLOAD_BYTES


def _are_finite(values: list[Any]) -> bool:
    return all(map(isfinite, [value for value in values if type(value) is float]))


def _of_type(kind: type[T], values: list[Any], kinds: set[type]) -> list[T]:
    return [value for value in values if type(value) is kind] if kind in kinds else []
