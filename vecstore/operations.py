"""THE OPERATION: a write, validated and frozen, as the queue, the log and ``apply`` know it.

An operation is made by ``vecstore.requests`` on the caller's thread and never changes afterwards: ids are
keys, payloads are packed, vectors are float32 matrices as they will be stored, points that were named twice
are settled.

Its form in the log:

    prefix   1 byte VERSION, 3 bytes 0, 4 bytes size of the header
    arrays   for each column its matrix (float32), and its positions (uint32) if it has any
    header   msgpack: [kind, the fields of the operation in the order of its class]

    kind           1 Upsert, 2 UpdateVectors, 3 DeleteVectors, 4 SetPayload, 5 OverwritePayload,
                   6 DeletePayload, 7 ClearPayload, 8 Delete, 9 BatchUpdate, 10 CreateIndex,
                   11 DeleteIndex
    columns        [[name, rows, size, whether it has positions], ...], in the order of the arrays
    selector       a list of keys, or the filter as JSON
    update_filter  null, or the filter as JSON
    update_mode    0 upsert, 1 insert_only, 2 update_only
    field_type     the name of the type
    operations     [[kind, ...], ...]

Any other field is as it is, a tuple as a list. All numbers outside msgpack are little-endian. The arrays
stand before the header so that they are aligned: every one of them is made of 4-byte numbers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.conditions import Filter
from vecstore.encoding import pack, unpack
from vecstore.errors import UnsupportedFormat
from vecstore.filters import filter_to_json, parse_filter
from vecstore.models import PayloadSchemaType, UpdateMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Column:
    """The vectors of one name in an operation.

    ``matrix``: float32, shape (n, size), C-contiguous, normalised where the distance wants it.
    ``positions``: for each row, the position of its point in the operation's ``keys``, strictly ascending;
    None when every point has a row.
    """

    matrix: npt.NDArray[np.float32]
    positions: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Ids:
    """The points an operation is for, by key, each once."""

    keys: list[bytes]


Selector: TypeAlias = Ids | Filter


@dataclass(frozen=True, slots=True)
class Upsert:
    """Insert or replace whole points. ``keys`` are unique; ``payloads`` are packed, one for each key."""

    keys: list[bytes]
    columns: dict[str, Column]
    payloads: list[bytes]
    update_filter: Filter | None = None
    update_mode: UpdateMode = UpdateMode.UPSERT


@dataclass(frozen=True, slots=True)
class UpdateVectors:
    """Replace the given vectors of existing points. ``keys`` are unique."""

    keys: list[bytes]
    columns: dict[str, Column]
    update_filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class DeleteVectors:
    """Take vectors away from points."""

    names: tuple[str, ...]
    selector: Selector


@dataclass(frozen=True, slots=True)
class SetPayload:
    """Merge ``payload`` into the payload, or into the object at the path ``key``. Its nulls remove keys."""

    payload: dict[str, Any]
    selector: Selector
    key: str | None = None


@dataclass(frozen=True, slots=True)
class OverwritePayload:
    """Replace the whole payload with this packed one."""

    payload: bytes
    selector: Selector


@dataclass(frozen=True, slots=True)
class DeletePayload:
    """Delete the values at these payload paths."""

    paths: tuple[str, ...]
    selector: Selector


@dataclass(frozen=True, slots=True)
class ClearPayload:
    """Make the payload empty."""

    selector: Selector


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete points."""

    selector: Selector


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """Have a payload index of a type at a path. ``field_name``: the path in its canonical spelling."""

    field_name: str
    field_type: PayloadSchemaType


@dataclass(frozen=True, slots=True)
class DeleteIndex:
    """Have no payload index at a path."""

    field_name: str


Single: TypeAlias = (
    Upsert | UpdateVectors | DeleteVectors | SetPayload | OverwritePayload | DeletePayload | ClearPayload | Delete
)


@dataclass(frozen=True, slots=True)
class BatchUpdate:
    """Several operations in order; ``atomic``: all of them or none."""

    operations: tuple[Single, ...] = field(default_factory=tuple)
    atomic: bool = True


Operation: TypeAlias = Single | BatchUpdate | CreateIndex | DeleteIndex


def is_of_its_size(operation: Operation) -> bool:
    """Whether the work of applying it is in proportion to its size: it names its points, and filters none."""
    if isinstance(operation, Upsert | UpdateVectors):
        return operation.update_filter is None
    if isinstance(operation, BatchUpdate):
        return all(map(is_of_its_size, operation.operations))
    return isinstance(getattr(operation, "selector", None), Ids)


def size_of_few(operation: Operation) -> int | None:
    """About how many bytes the log would need for an upsert of few points; None for what has to be encoded to know.

    Most often such an operation is applied at once, and no form of it is needed.
    """
    if type(operation) is not Upsert or operation.update_filter is not None or len(operation.keys) > FEW_POINTS:
        return None
    vectors = sum([column.matrix.nbytes for column in operation.columns.values()])
    return vectors + sum(map(len, operation.payloads)) + sum(map(len, operation.keys))


FEW_POINTS: Final = 8
VERSION: Final = 1
"""The version of the form in the log."""

KINDS: Final[Mapping[type[Operation], int]] = {
    Upsert: 1,
    UpdateVectors: 2,
    DeleteVectors: 3,
    SetPayload: 4,
    OverwritePayload: 5,
    DeletePayload: 6,
    ClearPayload: 7,
    Delete: 8,
    BatchUpdate: 9,
    CreateIndex: 10,
    DeleteIndex: 11,
}

MODES: Final[Mapping[UpdateMode, int]] = {
    UpdateMode.UPSERT: 0,
    UpdateMode.INSERT_ONLY: 1,
    UpdateMode.UPDATE_ONLY: 2,
}

_PREFIX: Final = struct.Struct("<B3xI")
_CLASSES: Final = {kind: made for made, kind in KINDS.items()}
_FIELDS: Final = {made: [field.name for field in fields(made)] for made in KINDS}
_MODES: Final = {number: mode for mode, number in MODES.items()}

_Arrays: TypeAlias = list[Any]  # what join takes: anything with a buffer


def encode(operation: Operation) -> bytes:
    """The form of an operation in the log."""
    return b"".join(encoded(operation))


def encoded(operation: Operation) -> list[Any]:
    """The form of an operation in the log, in parts that have a buffer each; vectors are not copied."""
    arrays: _Arrays = []
    header = pack(_encoded(operation, arrays))
    return [_PREFIX.pack(VERSION, len(header)), *arrays, header]


def size_of(operation: Operation) -> int:
    """The bytes of an operation in the log."""
    return sum(memoryview(part).nbytes for part in encoded(operation))


def decode(data: bytes) -> Operation:
    """The operation that was encoded; its matrices are read-only views on ``data``.

    Raises ``UnsupportedFormat`` for a form that this version does not know, ``ValueError`` for what is none.
    """
    try:
        version, size = _PREFIX.unpack_from(data)
        if version != VERSION:
            raise UnsupportedFormat(f"expected operations of version {VERSION} in the log, got version {version}")
        end = len(data) - size
        reader = _Reader(data)
        operation: Operation = _decoded(unpack(memoryview(data)[end:]), reader)
    except (struct.error, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise ValueError(f"it is no operation: {error}") from error
    if reader.position != end:
        raise ValueError(f"expected arrays of {end - _PREFIX.size} bytes, got {reader.position - _PREFIX.size}")
    return operation


def _encoded(operation: Operation, arrays: _Arrays) -> list[Any]:
    names = _FIELDS[type(operation)]
    return [KINDS[type(operation)], *[_FORMS[name].encode(getattr(operation, name), arrays) for name in names]]


def _decoded(header: list[Any], reader: _Reader) -> Any:
    made = _CLASSES[header[0]]
    return made(*(_FORMS[name].decode(v, reader) for name, v in zip(_FIELDS[made], header[1:], strict=True)))


class _Reader:
    """The arrays, in the order they were written."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = _PREFIX.size

    def take(self, count: int, dtype: str) -> npt.NDArray[Any]:
        if count < 0:  # which numpy takes for everything that is left
            raise ValueError(f"expected an array of some length, got {count}")
        array: npt.NDArray[Any] = np.frombuffer(self._data, dtype, count, self.position)
        self.position += array.nbytes
        return array


def _encode_column(name: str, column: Column, arrays: _Arrays) -> list[Any]:
    arrays.append(column.matrix.astype("<f4", copy=False))
    if column.positions is not None:
        arrays.append(column.positions.astype("<u4"))
    return [name, *column.matrix.shape, column.positions is not None]


def _decode_column(reader: _Reader, rows: int, size: int, partial: bool) -> Column:
    if type(rows) is not int or type(size) is not int:  # a product of bytes and a number is more bytes
        raise ValueError("expected the shape of a matrix in numbers")
    matrix = reader.take(rows * size, "<f4").reshape(rows, size)
    return Column(matrix, reader.take(rows, "<u4").astype(np.int64) if partial else None)


def _encode_selector(selector: Selector, _: _Arrays) -> list[bytes] | dict[str, Any]:
    return selector.keys if isinstance(selector, Ids) else filter_to_json(selector)


def _decode_selector(found: list[bytes] | dict[str, Any], _: _Reader) -> Selector:
    return Ids(found) if isinstance(found, list) else parse_filter(found)


class _Form(NamedTuple):
    encode: Callable[[Any, _Arrays], Any] = lambda value, _: value
    decode: Callable[[Any, _Reader], Any] = lambda value, _: value


_AS_IT_IS: Final = _Form()
_STRINGS: Final = _Form(lambda value, _: list(value), lambda value, _: tuple(value))

_FORMS: Final[Mapping[str, _Form]] = {
    "atomic": _AS_IT_IS,
    "columns": _Form(
        lambda columns, arrays: [_encode_column(name, c, arrays) for name, c in columns.items()],
        lambda found, reader: {name: _decode_column(reader, *shape) for name, *shape in found},
    ),
    "field_name": _AS_IT_IS,
    "field_type": _Form(lambda found, _: found.value, lambda name, _: PayloadSchemaType(name)),
    "key": _AS_IT_IS,
    "keys": _AS_IT_IS,
    "names": _STRINGS,
    "operations": _Form(
        lambda operations, arrays: [_encoded(each, arrays) for each in operations],
        lambda found, reader: tuple(_decoded(each, reader) for each in found),
    ),
    "paths": _STRINGS,
    "payload": _AS_IT_IS,
    "payloads": _AS_IT_IS,
    "selector": _Form(_encode_selector, _decode_selector),
    "update_filter": _Form(
        lambda found, _: None if found is None else filter_to_json(found),
        lambda found, _: None if found is None else parse_filter(found),
    ),
    "update_mode": _Form(lambda mode, _: MODES[mode], lambda number, _: _MODES[number]),
}
