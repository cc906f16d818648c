"""Whether an operation that was read back is one that could have been written: what ``vecstore.requests`` sees to.

A checksum says that a value of the log is what was written, by whom ever. What is applied must also be sound: an
operation that does not fit the collection would stop in the middle of its transaction, at every opening anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vecstore import operations as ops
from vecstore.ids import INTEGER, INTEGER_KEY_SIZE, UUID_KEY_SIZE, UUID_TAG
from vecstore.paths import parse_path
from vecstore.payloads import pack_payload, unpack_payload
from vecstore.shapes import describe
from vecstore.vectors import known

if TYPE_CHECKING:
    from collections.abc import Callable

    from vecstore.operations import Column, Operation, Selector
    from vecstore.vectors import Schema


def check(operation: Operation, schema: Schema) -> None:
    """Raise ``ValueError`` (its ``InvalidRequest``, where one says more) unless the operation is sound."""
    _CHECKS[type(operation)](operation, schema)


def _check_keys(keys: object) -> None:
    if not isinstance(keys, list) or not keys or not all(map(_is_key, keys)):
        raise ValueError(f"expected the keys of ids, got {describe(keys)}")
    if len(set(keys)) < len(keys):
        raise ValueError("expected every id once")


def _is_key(key: object) -> bool:
    size = {INTEGER: INTEGER_KEY_SIZE, UUID_TAG: UUID_KEY_SIZE}
    return isinstance(key, bytes) and len(key) == size.get(key[:1])


def _check_selector(selector: Selector) -> None:
    if isinstance(selector, ops.Ids):  # a filter was parsed when it was read
        _check_keys(selector.keys)


def _check_columns(columns: dict[str, Column], count: int, schema: Schema) -> None:
    for name, column in columns.items():
        rows, size = column.matrix.shape
        if size != known(schema, name).size or not np.isfinite(column.matrix).all():
            raise ValueError(f"expected rows of {schema[name].size} finite numbers for the vector {name!r}")
        positions = np.arange(rows) if column.positions is None else column.positions
        ascending = bool((np.diff(positions) > 0).all())
        if not ascending or (positions >= count).any() or (column.positions is None and rows != count):
            raise ValueError(f"the vectors {name!r} are not those of {count} points")


def _check_packed(payload: object) -> None:
    if not isinstance(payload, bytes):
        raise ValueError(f"expected a packed payload, got {describe(payload)}")  # noqa: TRY004 - what ``check`` raises
    pack_payload(unpack_payload(payload))


def _check_paths(found: object) -> None:
    if not found or not isinstance(found, tuple):
        raise ValueError(f"expected payload paths, got {describe(found)}")
    for path in found:
        parse_path(path)


def _check_upsert(op: ops.Upsert, schema: Schema) -> None:
    _check_keys(op.keys)
    _check_columns(op.columns, len(op.keys), schema)
    if not isinstance(op.payloads, list) or len(op.payloads) != len(op.keys):
        raise ValueError("expected a payload for each point")
    for payload in op.payloads:
        _check_packed(payload)


def _check_update(op: ops.UpdateVectors, schema: Schema) -> None:
    _check_keys(op.keys)
    _check_columns(op.columns, len(op.keys), schema)


def _check_delete_vectors(op: ops.DeleteVectors, schema: Schema) -> None:
    if not op.names:
        raise ValueError("expected the names of vectors, got none")
    for name in op.names:
        known(schema, name)
    _check_selector(op.selector)


def _check_set_payload(op: ops.SetPayload, _: Schema) -> None:
    pack_payload({} if op.payload is None else op.payload)
    if not isinstance(op.payload, dict):
        raise ValueError(f"expected a payload, got {describe(op.payload)}")  # noqa: TRY004 - as above
    if op.key is not None:
        parse_path(op.key)
    _check_selector(op.selector)


def _check_overwrite_payload(op: ops.OverwritePayload, _: Schema) -> None:
    _check_packed(op.payload)
    _check_selector(op.selector)


def _check_delete_payload(op: ops.DeletePayload, _: Schema) -> None:
    _check_paths(op.paths)
    _check_selector(op.selector)


def _check_selected(op: ops.ClearPayload | ops.Delete, _: Schema) -> None:
    _check_selector(op.selector)


def _check_index(op: ops.CreateIndex | ops.DeleteIndex, _: Schema) -> None:
    parse_path(op.field_name)


def _check_batch(op: ops.BatchUpdate, schema: Schema) -> None:
    if not op.operations or not isinstance(op.atomic, bool):
        raise ValueError("expected operations, all or nothing or not")
    for operation in op.operations:
        if type(operation) not in _PARTS:
            raise ValueError(f"expected an operation that may stand in a batch, got {type(operation).__name__}")
        check(operation, schema)


_PARTS: Final[dict[type, Callable[[Any, Schema], None]]] = {
    ops.Upsert: _check_upsert,
    ops.UpdateVectors: _check_update,
    ops.DeleteVectors: _check_delete_vectors,
    ops.SetPayload: _check_set_payload,
    ops.OverwritePayload: _check_overwrite_payload,
    ops.DeletePayload: _check_delete_payload,
    ops.ClearPayload: _check_selected,
    ops.Delete: _check_selected,
}
_CHECKS: Final[dict[type, Callable[[Any, Schema], None]]] = {
    **_PARTS,
    ops.BatchUpdate: _check_batch,
    ops.CreateIndex: _check_index,
    ops.DeleteIndex: _check_index,
}
