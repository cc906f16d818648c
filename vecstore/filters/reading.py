"""Reading the parts of a filter: a function takes a value and ``where`` it stands, and returns plain Python.

What comes may be a numpy scalar, an enum or a subclass; what is returned is exactly str, int, float or bool.
Everything else raises ``InvalidFilter`` with the place, what was expected and what came.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from enum import Enum
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np

from vecstore.errors import InvalidFilter, InvalidId, InvalidPath, InvalidRequest
from vecstore.limits import MAX_POINTS
from vecstore.paths import format_path, parse_path
from vecstore.shapes import describe, length_of, members, only

LOWEST, HIGHEST = -(2**63), 2**64 - 1
"""The integers of 64 bits, signed and unsigned: what a payload can hold."""


def refusal(where: str, expected: str, value: object) -> InvalidFilter:
    """The error for ``value`` at ``where``."""
    return InvalidFilter(f"{where}: expected {expected}, got {describe(value)}")


def located(where: str, error: InvalidRequest) -> InvalidRequest:
    """``error`` with the place in the filter: of an id or a path as before, of anything else an InvalidFilter."""
    kind = type(error) if isinstance(error, InvalidId | InvalidPath) else InvalidFilter
    return kind(f"{where}: {error}")


def fields(value: object, names: frozenset[str], what: str, where: str) -> dict[str, Any]:
    """The members of ``value`` that are not None, all of them among ``names``."""
    found = named(value, what, where)
    try:
        only(found, names, what)
    except InvalidRequest as error:
        raise located(where, error) from None
    if not found and not isinstance(value, Mapping) and not any(_has(value, name) for name in names):
        raise refusal(where, what, value)
    return {name: item for name, item in found.items() if item is not None}


def named(value: object, what: str, where: str) -> dict[str, Any]:
    """The members of ``value`` by their names in the REST API."""
    try:
        found = members(value, what)
    except InvalidRequest as error:
        raise located(where, error) from None
    # `except_` is what a dump of a Python model has for `except`.
    return {"except" if name == "except_" else name: item for name, item in found.items()}


def _has(value: object, name: str) -> bool:
    return hasattr(value, name) or hasattr(value, name + "_")


def required(found: Mapping[str, Any], name: str, where: str) -> Any:
    """The member ``name``, which has to be there."""
    if name not in found:
        raise InvalidFilter(f"{where}: expected {name!r}, got none")
    return found[name]


def one_of(found: Mapping[str, Any], names: frozenset[str], what: str, where: str) -> tuple[str, Any]:
    """The one member among ``names`` that is there."""
    given = [name for name in found if name in names]
    if len(given) != 1:
        choice, got = ", ".join(sorted(names)), " and ".join(given) or "none"
        raise InvalidFilter(f"{where}: expected {what} with exactly one of {choice}, got {got}")
    return given[0], found[given[0]]


def plain(value: object) -> object:
    """``value`` without an enum or a numpy scalar around it."""
    if isinstance(value, Enum):
        value = value.value
    # A time in numpy comes out as a bare count of its units.
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        return value.item()
    return value


def text(value: object, where: str) -> str:
    """A string that can be stored: Unicode without lone surrogates."""
    found = plain(value)
    if not isinstance(found, str):
        raise refusal(where, "a string", value)
    try:
        found.encode()
    except UnicodeEncodeError:
        raise refusal(where, "a string of Unicode text", value) from None
    return str.__str__(found)


def boolean(value: object, where: str) -> bool:
    """True or False."""
    found = plain(value)
    if not isinstance(found, bool):
        raise refusal(where, "true or false", value)
    return found


def integer(value: object, where: str, lowest: int = LOWEST, highest: int = HIGHEST) -> int:
    """An integer within bounds; a bool is none."""
    found = plain(value)
    if isinstance(found, bool) or not isinstance(found, int):
        raise refusal(where, "an integer", value)
    if not lowest <= found <= highest:
        raise refusal(where, f"an integer of {lowest} to {highest}", value)
    return int(found)


def number(value: object, where: str) -> int | float:
    """An integer of any size, or a float other than NaN."""
    found = plain(value)
    if isinstance(found, int) and not isinstance(found, bool):
        return int(found)
    if isinstance(found, float | np.floating) and not math.isnan(found):
        return float(found)
    raise refusal(where, "a number", value)


def match_value(value: object, where: str) -> str | int | bool:
    """What a match compares with. A UUID is the string that payloads hold for it."""
    found = plain(value)
    if isinstance(found, UUID):
        return str(found)
    if isinstance(found, bool):
        return found
    if isinstance(found, str):
        return text(found, where)
    if isinstance(found, int):
        return integer(found, where)
    raise refusal(where, "a string, an integer or a bool", value)


def match_values(value: object, where: str) -> list[str] | list[int]:
    """What any and except compare with: all strings, or all integers."""
    given = [plain(item) for item in items(value, where)]
    for i, item in enumerate(given):
        if isinstance(item, float):
            raise refusal(f"{where}[{i}]", "a string or an integer, for a float is compared with a range", item)
    found = [match_value(item, f"{where}[{i}]") for i, item in enumerate(given)]
    strings = [item for item in found if isinstance(item, str)]
    integers = [item for item in found if isinstance(item, int) and not isinstance(item, bool)]
    if len(found) not in (len(strings), len(integers)):
        raise refusal(where, "either only strings or only integers", value)
    return strings or integers


def items(value: object, where: str) -> list[Any]:
    """The items of a list, tuple, set or one-dimensional array."""
    if isinstance(value, np.ndarray) and value.size <= MAX_POINTS:
        value = value.tolist()
    if isinstance(value, str | bytes | bytearray | Mapping | np.ndarray) or not isinstance(value, Collection):
        raise refusal(where, "a list", value)
    too_many = (length_of(value) or 0) > MAX_POINTS
    found = [] if too_many else list(islice(value, MAX_POINTS + 1))
    if too_many or len(found) > MAX_POINTS:
        raise InvalidFilter(f"{where}: expected at most {MAX_POINTS} values, got more")
    return found


def path(value: object, where: str) -> str:
    """A payload path in its canonical spelling."""
    try:
        return format_path(parse_path(plain(value)))
    except InvalidPath as error:
        raise located(where, error) from None
