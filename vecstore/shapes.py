"""What a request may come as: a model of ours, a dict of the REST API, or any object with the same attributes.

``members`` reads all three alike, so that every parser is written once, over a mapping.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from enum import Enum
from itertools import islice
from types import SimpleNamespace
from typing import Any, TypeGuard, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from vecstore.errors import InvalidRequest, InvalidType

E = TypeVar("E", bound=Enum)

_PLAIN = (str, bytes, bytearray, int, float, bool, list, tuple, set, frozenset, type(None))
_INTEGERS, _NO_INTEGERS = (int, np.integer), (bool, np.timedelta64)
_SHORT = (str, bytes, bytearray, memoryview, range)
_BRACKETS: Mapping[type, str] = {tuple: "()", set: "{}", frozenset: "{}"}
_FIELDS: WeakKeyDictionary[type, tuple[str, ...]] = WeakKeyDictionary()
_LONG = 256
"""Integers of more bits are not written out: Python refuses to, at some length."""


def members(value: object, what: str) -> Mapping[str, Any]:
    """The fields of ``value`` that are set, by name; ``what`` says in an error what was expected."""
    if isinstance(value, Mapping):
        _check_names(value, what)
        return value
    found = _attributes(value)
    if found is None:
        raise InvalidType(f"expected {what}, got {describe(value)}")
    # A trailing underscore is how Python clients spell a reserved word: `except_`.
    return {name.rstrip("_"): item for name, item in found.items() if item is not None}


def _attributes(value: object) -> dict[str, Any] | None:
    if isinstance(value, (_PLAIN, type)):
        return None
    if dataclasses.is_dataclass(value):
        return {name: getattr(value, name) for name in _fields(type(value))}
    found = getattr(value, "__dict__", None)
    if found is None:
        return None
    return {name: item for name, item in found.items() if not name.startswith("_")}


def _fields(kind: Any) -> tuple[str, ...]:
    """The names of the fields of a dataclass."""
    names = _FIELDS.get(kind)
    if names is None:
        names = _FIELDS[kind] = tuple(field.name for field in dataclasses.fields(kind))
    return names


def _check_names(value: Mapping[Any, Any], what: str) -> None:
    for name in value:
        if not isinstance(name, str):
            raise InvalidRequest(f"expected {what} with string keys, got the key {shown(name)}")


def only(found: Mapping[str, Any], allowed: frozenset[str], what: str) -> None:
    """Refuse names that ``what`` does not have: a misspelt option must not be ignored."""
    unknown = [name for name in found if name not in allowed]
    if unknown:
        names = ", ".join(sorted(allowed))
        raise InvalidRequest(f"{what} has no {shown(unknown[0])}; it has {names}")


def member_of(kind: type[E], value: object) -> E | None:
    """The member of an enum of strings that ``value`` is, or has the value of, or is the value of; None for others.

    IMPORTANT: not by calling the enum, which would write out what it does not know.
    """
    found = value.value if isinstance(value, Enum) else value
    return next((member for member in kind if isinstance(found, str) and member.value == str.__str__(found)), None)


def is_integer(value: object) -> TypeGuard[int]:
    """Whether this is an integer of Python or numpy: no bool, and no time, which numpy counts as one."""
    return isinstance(value, _INTEGERS) and not isinstance(value, _NO_INTEGERS)


def is_masked(value: object) -> bool:
    """Whether this is an array with masked values, or a list of some: ``numpy.asarray`` would bring them to light."""
    # numpy imports the module when it is first wanted, maybe just now in another thread: before that there are none.
    kind = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    if kind is None:
        return False
    rows = value if isinstance(value, list | tuple) and kind in set(map(type, value)) else (value,)
    return any(isinstance(row, kind) and np.ascontiguousarray(row.mask).view(np.bool_).any() for row in rows)


def length_of(value: Any) -> int | None:
    """How long it is; None for what has no length, or one past all counting."""
    try:
        return len(value)
    except (TypeError, OverflowError):
        return None


def describe(value: object, limit: int = 60) -> str:
    """A value for an error message: its type and a short form of it."""
    return f"{type(value).__name__} {shown(value, limit)}"


def shown(value: object, limit: int = 60) -> str:
    """A value as ``repr`` writes it, cut to ``limit`` characters.

    IMPORTANT: no more of it is looked at than is shown. One small list may be written out to more than there is
    memory for, where it holds another many times that does the same.
    """
    text = ""
    try:
        for piece in _pieces(value, limit):
            text += piece
            if len(text) > limit:
                return f"{text[: limit - 3]}..."
    except Exception:  # noqa: BLE001 - a repr that fails must not hide the error being reported
        return f"{text[: limit - 3]}..."
    return text


def listed_names(found: Iterable[str], most: int = 10) -> str:
    """The first of some names, for an error message."""
    return ", ".join(map(shown, islice(found, most)))


def _pieces(value: Any, limit: int) -> Iterator[str]:
    """The text of a value, a piece before each value that is in it."""
    kind = type(value)
    if isinstance(value, str | bytes | bytearray) and len(value) > limit:
        yield repr(value[:limit])
    elif isinstance(value, int) and value.bit_length() > _LONG:
        yield f"of {value.bit_length()} bits"
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        yield f"array of the shape {value.shape} and the dtype {value.dtype}"
    elif isinstance(value, Mapping):
        items = ((shown(key, limit), item) for key, item in value.items())
        yield from _between("{}", ((f"{key}: ", item) for key, item in items), limit)
    elif isinstance(value, Sequence | Set) and not isinstance(value, _SHORT):
        yield from _between(_BRACKETS.get(kind, "[]"), (("", item) for item in value), limit)
    elif dataclasses.is_dataclass(value) and hasattr(kind.__repr__, "__wrapped__"):  # the one that is made for it
        fields = ((f"{f.name}=", getattr(value, f.name)) for f in dataclasses.fields(value))
        yield from _between(f"{kind.__qualname__}()", fields, limit)
    elif isinstance(value, SimpleNamespace):
        yield from _between("namespace()", ((f"{name}=", item) for name, item in vars(value).items()), limit)
    else:
        yield repr(value)


def _between(brackets: str, parts: Iterable[tuple[str, object]], limit: int) -> Iterator[str]:
    before, count = brackets[:-1], 0
    for count, (said, item) in enumerate(parts, start=1):  # noqa: B007 - how many there were
        yield before + said
        yield from _pieces(item, limit)
        before = ", "
    yield ("" if count else before) + ("," if count == 1 and brackets == "()" else "") + brackets[-1]
