"""The careful way into a payload: one walk that copies it into plain JSON values and knows where it is.

``vecstore.payloads`` says what a payload may hold, and comes here only with what is not plainly JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from math import isfinite
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, cast
from uuid import UUID

import numpy as np
import numpy.typing as npt

from vecstore.errors import InvalidPayload
from vecstore.limits import MAX_DEPTH, MAX_PAYLOAD_BYTES
from vecstore.paths import Step, format_path
from vecstore.shapes import describe

T = TypeVar("T")

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**64 - 1

_FINER_THAN_DATETIME: Final = frozenset({"ns", "ps", "fs", "as"})


def moment_of(value: np.datetime64) -> date | None:
    """A datetime of numpy as one of Python, or a date; None for NaT, and outside of the years 1 to 9999."""
    moment = value.item()
    if np.datetime_data(value.dtype)[0] in _FINER_THAN_DATETIME:
        moment = value.astype("datetime64[us]").item()
    return moment if isinstance(moment, date) else None


class Normaliser:
    """The walk through one payload. ``number`` is its position in the request, for the error message."""

    def __init__(self, number: int | None = None) -> None:
        self._number = number
        self._steps: list[Step] = []
        self._size = 0  # no more than it will be when it is packed: a byte a value, and one a character
        self._copies: dict[int, tuple[object, Any, int, int]] = {}
        self._deepest = 0

    def payload(self, value: object) -> dict[str, Any]:
        """A copy of the payload in plain JSON values. Raises ``InvalidPayload``."""
        if not isinstance(value, Mapping):
            raise self._error(f"expected a payload (an object with string keys), got {describe(value)}")
        return self._object(value)

    def _once(self, value: object, copied: Callable[[], T]) -> T:
        """The copy of an object or array; one that was here before is not copied again, but counts again."""
        steps, size = len(self._steps), self._size
        if id(value) in self._copies:
            _, copy, added, levels = self._copies[id(value)]
            self._enter(added, levels)
            return cast("T", copy)
        before, self._deepest = self._deepest, steps
        copy = copied()
        # IMPORTANT: with the value itself, as long as this lasts, so that no other gets its id.
        self._copies[id(value)] = (value, copy, self._size - size, self._deepest - steps)
        self._deepest = max(before, self._deepest)
        return copy

    def _value(self, value: Any) -> Any:
        for kinds, convert in _CONVERSIONS:
            if isinstance(value, kinds):
                return convert(self, value)
        return self._refused(value)

    def _refused(self, value: object) -> NoReturn:
        raise self._error(
            "expected JSON (null, bool, integer, float, string, array or object), a datetime, a UUID or a "
            f"numpy scalar, got {describe(value)}"
        )

    def _null(self, value: None) -> None:
        return value

    def _bool(self, value: bool | np.bool_) -> bool:
        return bool(value)

    def _integer(self, value: int | np.integer[Any]) -> int:
        number = int(value)
        if MIN_INTEGER <= number <= MAX_INTEGER:
            return number
        raise self._error(f"expected an integer of -2**63 to 2**64 - 1, got {describe(value)}")

    def _float(self, value: float | np.floating[Any]) -> float:
        number = float(value)
        if isfinite(number):
            return number
        raise self._error(f"expected a finite number, got {describe(value)}")

    def _text(self, value: str) -> str:
        self._grow(len(value))
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self._error(f"expected Unicode text, got a lone surrogate in {describe(value)}") from None
        return str.__str__(value)  # of a subclass, the plain string it holds

    def _uuid(self, value: UUID) -> str:
        return str(value)

    def _date(self, value: date) -> str:
        return value.isoformat()

    def _datetime(self, value: datetime) -> str:
        if value != value:  # pandas has a NaT that is a datetime
            self._refused(value)
        offset = value.utcoffset()
        try:
            # RFC 3339 has no seconds in an offset; local mean times do.
            exact = value.astimezone(timezone.utc) if offset and offset % timedelta(minutes=1) else value
        except OverflowError:
            raise self._error(f"expected a datetime of the years 1 to 9999, got {describe(value)}") from None
        return exact.isoformat()

    def _datetime64(self, value: np.datetime64) -> str:
        moment = moment_of(value)
        if moment is None:
            self._refused(value)
        return moment.isoformat()

    def _object(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        return self._once(value, lambda: self._copied_object(value))

    def _copied_object(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        self._enter(len(value))
        copy = {}
        for key, item in value.items():
            name = self._key(key)
            self._steps.append(name)
            copy[name] = self._value(item)
            self._steps.pop()
        return copy

    def _key(self, key: object) -> str:
        if isinstance(key, str):
            return self._text(key)
        raise self._error(f"expected string keys, got the key {describe(key)}")

    def _array(self, value: Sequence[Any]) -> list[Any]:
        return self._once(value, lambda: self._copied_array(value))

    def _copied_array(self, value: Sequence[Any]) -> list[Any]:
        self._enter(len(value))
        copy = []
        for index, item in enumerate(value):
            self._steps.append(index)
            copy.append(self._value(item))
            self._steps.pop()
        return copy

    def _ndarray(self, value: npt.NDArray[Any]) -> Any:
        kind = value.dtype.kind
        if kind not in "biufUOM" or (kind == "O" and value.ndim == 0):
            self._refused(value)
        self._enter(value.size, value.ndim)
        if kind == "M":  # tolist would make plain integers of nanoseconds
            return self._value(list(value) if value.ndim else value[()])
        plain = kind in "biuf" and value.itemsize <= 8 and np.isfinite(value).all()
        return value.tolist() if plain else self._value(value.tolist())

    def _enter(self, size: int, levels: int = 1) -> None:
        """Count what is below, so that neither a cycle nor an array that holds itself many times gets far."""
        self._deepest = max(self._deepest, len(self._steps) + levels)
        if self._deepest > MAX_DEPTH:
            raise self._error(f"expected at most {MAX_DEPTH} levels of objects and arrays, got more (or a cycle)")
        self._grow(size)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MAX_PAYLOAD_BYTES:
            raise too_large(self._size, self._number)

    def _error(self, message: str) -> InvalidPayload:
        path = format_path(tuple(self._steps))
        place = f" at {path[:200]}" if path else ""
        return InvalidPayload(path, f"{message}{place}{_of_payload(self._number)}")


def too_large(size: int, number: int | None) -> InvalidPayload:
    """The error for a payload that packs to ``size`` bytes or more."""
    limit = f"expected a payload of at most {MAX_PAYLOAD_BYTES} bytes packed"
    return InvalidPayload("", f"{limit}, got {size} or more{_of_payload(number)}")


def _of_payload(number: int | None) -> str:
    return "" if number is None else f" in payload {number}"


_Conversion: TypeAlias = tuple["type | tuple[type, ...]", Callable[[Normaliser, Any], Any]]

# IMPORTANT: in this order. bool is an int, datetime is a date, timedelta64 is a numpy integer.
_CONVERSIONS: Final[Sequence[_Conversion]] = (
    (str, Normaliser._text),
    (type(None), Normaliser._null),
    ((bool, np.bool_), Normaliser._bool),
    (np.timedelta64, Normaliser._refused),
    ((int, np.integer), Normaliser._integer),
    ((float, np.floating), Normaliser._float),
    ((list, tuple), Normaliser._array),
    ((dict, Mapping), Normaliser._object),
    (datetime, Normaliser._datetime),
    (date, Normaliser._date),
    (UUID, Normaliser._uuid),
    (np.ndarray, Normaliser._ndarray),
    (np.datetime64, Normaliser._datetime64),
)
