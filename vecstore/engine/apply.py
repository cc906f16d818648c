"""Apply: what each operation does to the state. The one function for it, live and at recovery.

An operation decides by reading first, and is refused (``REFUSALS``) before it has written anything; all
its decisions use the state before it (invariant 5 of ``vecstore.engine``). Only an atomic batch has something to
take back when it is refused: a nested transaction of the store, and a mark of the state, do that.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore import operations as ops
from vecstore.encoding import pack
from vecstore.engine.filtering import Scan, Scope
from vecstore.engine.indexing import Upkeep
from vecstore.errors import InvalidPayload, PointNotFound, RequestTooLarge
from vecstore.ids import ids_of
from vecstore.models import UpdateMode
from vecstore.operations import Column, Ids, Operation, Selector, Single
from vecstore.paths import parse_path
from vecstore.payload_edits import delete_path, merge
from vecstore.payloads import EMPTY, MAX_PAYLOAD_BYTES, unpack_payload
from vecstore.storage.points import split_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vecstore.conditions import Filter
    from vecstore.engine.state import State
    from vecstore.storage.environment import Transaction
    from vecstore.storage.store import Store

Slots: TypeAlias = npt.NDArray[np.uint32]
Refused: TypeAlias = PointNotFound | InvalidPayload | RequestTooLarge

REFUSALS = (PointNotFound, InvalidPayload, RequestTooLarge)
"""Why an operation can be refused: its points are missing, a payload becomes too large, or indexes too many."""
MOST_INDEXES = 1000
"""The most payload indexes: every write pays for each of them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where operations are applied: a write transaction of the store, and the state in step with it."""

    txn: Transaction
    store: Store
    state: State

    def scan(self, condition: Filter) -> Scan:
        """The filter over the points as they are now."""
        slots = self.state.slots
        return Scan(Scope(self.txn, self.store, slots.size, lambda: slots.bitmap, self._present), condition)

    def _present(self, name: str) -> npt.NDArray[np.bool_] | None:
        rows = self.state.vectors.get(name)
        return None if rows is None else rows.present(self.state.slots.size)

    def select(self, selector: Selector) -> Slots:
        """The slots a selector means. Raises ``PointNotFound`` when it names an id that is not there."""
        if not isinstance(selector, Ids):
            return self.scan(selector).matching()
        return self.existing(selector.keys)

    def existing(self, keys: list[bytes]) -> Slots:
        """The slots of these points. Raises ``PointNotFound``."""
        slots = self.store.points.find(self.txn, keys)
        if missing := np.flatnonzero(slots < 0).tolist():
            raise PointNotFound(ids_of([keys[i] for i in missing]))
        return slots.astype(np.uint32)


def apply(place: Place, operation: Operation) -> Refused | None:
    """Apply one operation. Returns why it was refused, if it was; what is refused has no effect.

    The exception is a batch that is not atomic: it stops at the first part that is refused, Qdrant's way, and
    what came before that part stays.
    """
    try:
        if not isinstance(operation, ops.BatchUpdate):
            _APPLY[type(operation)](place, operation)
        elif operation.atomic:
            _together(place, operation.operations)
        else:
            _in_order(place, operation.operations)
    except REFUSALS as refused:
        return refused
    return None


def _in_order(place: Place, parts: Iterable[Single]) -> None:
    for part in parts:
        _APPLY[type(part)](place, part)


def _together(place: Place, parts: Iterable[Single]) -> None:
    mark = place.state.mark()
    try:
        with place.store.environment.nested(place.txn) as txn:
            _in_order(Place(txn, place.store, place.state), parts)
    except REFUSALS:
        place.state.back_to(mark)
        raise


def _upsert(place: Place, op: ops.Upsert) -> None:
    slots = place.store.points.find(place.txn, op.keys)
    if op.update_mode is not UpdateMode.UPSERT or op.update_filter is not None:
        chosen = _chosen(place, op, slots)
        op, slots = _only(op, chosen), slots[chosen]
    if not op.keys:
        return
    replaced = slots >= 0
    if not replaced.all():
        slots[~replaced] = _insert_new(place, list(compress(op.keys, (~replaced).tolist())))
    final = slots.astype(np.uint32)
    _keep_indexes(place, final, replaced, op.payloads)
    place.store.points.put_payloads(place.txn, final, op.keys, op.payloads)
    _take_vectors(place, final, replaced, op.columns)
    _put_vectors(place, final, op.columns)


def _keep_indexes(place: Place, slots: Slots, replaced: npt.NDArray[np.bool_], payloads: list[bytes]) -> None:
    """IMPORTANT: before the payloads are put; those that are replaced are read here."""
    upkeep = Upkeep(place.txn, place.store)
    if not upkeep:
        return
    old, new = np.flatnonzero(replaced), np.flatnonzero(~replaced)
    upkeep.insert(slots[new], [payloads[i] for i in new.tolist()])
    if len(old):
        before = [split_value(value)[1] for value in place.store.points.values(place.txn, slots[old])]
        upkeep.replace(slots[old], before, [payloads[i] for i in old.tolist()])


def _chosen(place: Place, op: ops.Upsert, slots: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which points of an upsert are written: see ``UpdateMode``."""
    exists = slots >= 0
    if op.update_mode is UpdateMode.INSERT_ONLY:
        return ~exists
    chosen = exists if op.update_mode is UpdateMode.UPDATE_ONLY else np.ones(len(slots), dtype=np.bool_)
    if op.update_filter is not None:
        chosen = chosen.copy()
        chosen[exists] = place.scan(op.update_filter).test(slots[exists].astype(np.uint32))
    return chosen


def _only(op: ops.Upsert, chosen: npt.NDArray[np.bool_]) -> ops.Upsert:
    places = np.flatnonzero(chosen).tolist()
    return ops.Upsert(
        keys=[op.keys[i] for i in places],
        columns=_columns_of(op.columns, chosen),
        payloads=[op.payloads[i] for i in places],
    )


def _columns_of(columns: dict[str, Column], chosen: npt.NDArray[np.bool_]) -> dict[str, Column]:
    """The columns of the chosen points alone."""
    moved = np.cumsum(chosen) - 1
    result = {}
    for name, column in columns.items():
        positions = np.arange(len(chosen)) if column.positions is None else column.positions
        stay = chosen[positions]
        result[name] = Column(column.matrix[stay], moved[positions[stay]])
    return result


def _insert_new(place: Place, keys: list[bytes]) -> Slots:
    taken = place.state.slots.take(len(keys))
    place.store.points.insert(place.txn, keys, taken)
    return taken


def _take_vectors(place: Place, slots: Slots, replaced: npt.NDArray[np.bool_], columns: dict[str, Column]) -> None:
    """Points that are replaced have no vector any more that they are not given again."""
    for name, rows in place.state.vectors.items():
        column = columns.get(name)
        if column is not None and column.positions is None:
            continue
        left_out = replaced.copy()
        if column is not None:
            left_out[column.positions] = False
        rows.kill(slots[left_out])


def _put_vectors(place: Place, slots: Slots, columns: dict[str, Column]) -> None:
    for name, column in columns.items():
        if len(column.matrix):
            mine = slots if column.positions is None else slots[column.positions]
            place.state.vectors[name].put(mine, column.matrix)


def _update_vectors(place: Place, op: ops.UpdateVectors) -> None:
    slots, columns = place.existing(op.keys), op.columns
    if op.update_filter is not None:
        chosen = place.scan(op.update_filter).test(slots)
        slots, columns = slots[chosen], _columns_of(columns, chosen)
    _put_vectors(place, slots, columns)


def _delete_vectors(place: Place, op: ops.DeleteVectors) -> None:
    slots = place.select(op.selector)
    for name in op.names:
        place.state.vectors[name].kill(slots)


def _rewrite(place: Place, selector: Selector, change: Callable[[bytes], bytes]) -> None:
    """Replace the packed payload of the selected points by what ``change`` makes of it."""
    slots = place.select(selector)
    if len(slots):
        rows = [split_value(value) for value in place.store.points.values(place.txn, slots)]
        keys, payloads = [key for key, _ in rows], [change(payload) for _, payload in rows]
        place.store.points.put_payloads(place.txn, slots, keys, payloads)
        Upkeep(place.txn, place.store).replace(slots, [payload for _, payload in rows], payloads)


def _edit(place: Place, selector: Selector, edit: Callable[[dict[str, Any]], None]) -> None:
    def change(packed: bytes) -> bytes:
        payload = unpack_payload(packed)
        edit(payload)
        return _packed(payload)

    _rewrite(place, selector, change)


def _packed(payload: dict[str, Any]) -> bytes:
    packed = pack(payload)
    if len(packed) > MAX_PAYLOAD_BYTES:
        raise InvalidPayload("", f"expected a payload of at most {MAX_PAYLOAD_BYTES} bytes, it would be {len(packed)}")
    return packed


def _set_payload(place: Place, op: ops.SetPayload) -> None:
    path = None if op.key is None else parse_path(op.key)
    _edit(place, op.selector, lambda payload: merge(payload, op.payload, path))


def _overwrite_payload(place: Place, op: ops.OverwritePayload) -> None:
    _rewrite(place, op.selector, lambda _: op.payload)


def _delete_payload(place: Place, op: ops.DeletePayload) -> None:
    paths = [parse_path(path) for path in op.paths]

    def edit(payload: dict[str, Any]) -> None:
        for path in paths:
            delete_path(payload, path)

    _edit(place, op.selector, edit)


def _clear_payload(place: Place, op: ops.ClearPayload) -> None:
    _rewrite(place, op.selector, lambda _: EMPTY)


def _delete(place: Place, op: ops.Delete) -> None:
    if isinstance(op.selector, Ids):
        found = place.store.points.find(place.txn, op.selector.keys)
        slots = found[found >= 0].astype(np.uint32)
    else:
        slots = place.select(op.selector)
    if len(slots):
        rows = [split_value(value) for value in place.store.points.values(place.txn, slots)]
        Upkeep(place.txn, place.store).remove(slots, [payload for _, payload in rows])
        place.store.points.remove(place.txn, [key for key, _ in rows], slots)
        place.state.free(slots)


def _create_index(place: Place, op: ops.CreateIndex) -> None:
    catalog = place.store.catalog.read(place.txn)
    if len(catalog.indexes) + len(catalog.dropped) >= MOST_INDEXES:
        raise RequestTooLarge(f"expected at most {MOST_INDEXES} payload indexes, got one more: {op.field_name!r}")
    # Where there are no points yet there is nothing to build.
    reached = 0 if place.store.points.count(place.txn) else None
    added = catalog.added(op.field_name, op.field_type, automatic=False, reached=reached)
    place.store.catalog.write(place.txn, added)


def _delete_index(place: Place, op: ops.DeleteIndex) -> None:
    place.store.catalog.write(place.txn, place.store.catalog.read(place.txn).without(op.field_name))


_APPLY: dict[type, Callable[[Place, Any], None]] = {
    ops.Upsert: _upsert,
    ops.UpdateVectors: _update_vectors,
    ops.DeleteVectors: _delete_vectors,
    ops.SetPayload: _set_payload,
    ops.OverwritePayload: _overwrite_payload,
    ops.DeletePayload: _delete_payload,
    ops.ClearPayload: _clear_payload,
    ops.Delete: _delete,
    ops.CreateIndex: _create_index,
    ops.DeleteIndex: _delete_index,
}
