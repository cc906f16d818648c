"""Request bodies: which fields are there, what is wrapped in an operation's name, and what was left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sized
from contextlib import contextmanager
from enum import Enum
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vecstore.errors import EmptyRequest, InvalidRequest, InvalidType, RequestTooLarge
from vecstore.limits import MAX_POINTS
from vecstore.shapes import describe, is_masked, listed_names, members, only


class Omitted(Enum):
    """The type of ``OMITTED``."""

    OMITTED = "omitted"


OMITTED: Final = Omitted.OMITTED
"""Stands for an argument that was not given: the one before it is then the whole body of the request."""
LISTS: Final = (list, tuple, np.ndarray)
"""What is a list and no body: to ask abstract classes takes longer."""


def body(value: object, what: str, fields: frozenset[str]) -> dict[str, Any]:
    """The fields of ``value`` that are set. Raises ``InvalidRequest`` for one that is none of ``fields``."""
    found = present(value, what)
    only(found, fields, what)
    return found


def whole_body(value: object, what: str, fields: frozenset[str], beside: str) -> dict[str, Any]:
    """``body``, of an argument that is read as one because ``beside`` was not given: an error says so."""
    try:
        return body(value, what, fields)
    except InvalidRequest as error:
        error.args = (f"{error}; without {beside} beside it the first argument is the whole body",)
        raise


def present(value: object, what: str) -> dict[str, Any]:
    """The fields of ``value`` that are set: null is the same as left out, as in JSON bodies."""
    return {name: item for name, item in members(value, what).items() if item is not None}


def required(found: Mapping[str, Any], name: str, what: str) -> Any:
    """The field ``name`` of a body. Raises ``InvalidRequest`` where it is missing."""
    if name not in found:
        raise InvalidRequest(
            f"expected {name!r} in {what}, got {'only ' + listed_names(found) if found else 'nothing'}"
        )
    return found[name]


def once(name: str, argument: Any, found: Mapping[str, Any]) -> Any:
    """An option that may come beside a body or inside it, but not both."""
    if argument is not None and name in found:
        raise InvalidRequest(f"expected {name} once, got it as an argument and in the body")
    return found.get(name, argument)


def unwrapped(value: Any, *names: str) -> Any:
    """The body inside ``{"upsert": ...}`` and the like (``names``); anything else as it is."""
    fields = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    if len(fields) == 1:
        return next((fields[name] for name in names if name in fields), value)
    return value


def is_list(value: object) -> bool:
    """Whether this is a list of any kind, and not a body."""
    if type(value) in LISTS:
        return True
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping):
        return False
    return isinstance(value, Collection | Iterator) or hasattr(value, "__array__")


def as_list(value: Any, what: str) -> list[Any] | npt.NDArray[Any]:
    """A list of any kind as a list or an array. Raises ``InvalidType`` for what is none."""
    if not is_list(value):
        raise InvalidType(f"expected {what} as a list, got {describe(value)}")
    found = _array(value, what) if hasattr(value, "__array__") else _listed(value)
    if found is None or len(found) > MAX_POINTS:
        raise RequestTooLarge(f"expected at most {MAX_POINTS} {what} in one call, got more; send them in several")
    return found


def _listed(value: Any) -> list[Any] | None:
    """One more than may be, at most: an iterator need not have an end. None for what says that it has too many."""
    try:
        if isinstance(value, Sized) and len(value) > MAX_POINTS:
            return None
    except OverflowError:  # more than can be counted
        return None
    return list(value if isinstance(value, list | tuple) else islice(value, MAX_POINTS + 1))


def _array(value: Any, what: str) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value)
    except Exception as error:  # noqa: BLE001 - an array-like can fail in any way
        raise InvalidType(f"expected {what} as a list, got {describe(value)}: {error}") from None
    if array.ndim == 0 or is_masked(value):
        raise InvalidType(f"expected {what} as a list, got {describe(value)}")
    return array


def strings(value: object, what: str) -> list[str]:
    """One string or a list of them, each once, in order. Raises ``InvalidRequest``."""
    found = [value] if isinstance(value, str) else list(as_list(value, what))
    if not found:
        raise EmptyRequest(f"expected {what}, got an empty list")
    for item in found:
        if not isinstance(item, str):
            raise InvalidType(f"expected {what} as strings, got {describe(item)}")
    return list(dict.fromkeys(map(str.__str__, found)))


@contextmanager
def located(where: str) -> Iterator[None]:
    """Put ``where`` in front of the message of an ``InvalidRequest`` that is raised inside."""
    try:
        yield
    except InvalidRequest as error:
        error.args = (f"{where}: {error}",)
        raise
