"""What a request may come as: a model of ours, a dict of the REST API, or any object with the same attributes.

``members`` reads all three alike, so that every parser is written once, over a mapping.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from vecstore.errors import InvalidRequest, InvalidType

_PLAIN = (str, bytes, bytearray, int, float, bool, list, tuple, set, frozenset, type(None))


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
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    found = getattr(value, "__dict__", None)
    if found is None:
        return None
    return {name: item for name, item in found.items() if not name.startswith("_")}


def _check_names(value: Mapping[Any, Any], what: str) -> None:
    for name in value:
        if not isinstance(name, str):
            raise InvalidRequest(f"expected {what} with string keys, got the key {name!r}")


def only(found: Mapping[str, Any], allowed: frozenset[str], what: str) -> None:
    """Refuse names that ``what`` does not have: a misspelt option must not be ignored."""
    unknown = [name for name in found if name not in allowed]
    if unknown:
        names = ", ".join(sorted(allowed))
        raise InvalidRequest(f"{what} has no {unknown[0]!r}; it has {names}")


def describe(value: object, limit: int = 60) -> str:
    """A value for an error message: its type and a short form of it."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a repr that fails must not hide the error being reported
        text = "..."
    return f"{type(value).__name__} {text if len(text) <= limit else text[: limit - 3] + '...'}"
