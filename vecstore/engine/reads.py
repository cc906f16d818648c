"""Retrieve, scroll and count."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from vecstore.engine.view import Project, View
from vecstore.filters import parse_datetime
from vecstore.ids import id_of
from vecstore.models import Direction, Record
from vecstore.paths import Path, values_at
from vecstore.payloads import unpack_payload
from vecstore.storage.points import split_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vecstore.conditions import Filter
    from vecstore.requests.reads import Order

CHUNK = 256


def retrieve(view: View, keys: list[bytes], project: Project, names: Sequence[str]) -> list[Record]:
    """The points of these keys that are there, in the order of the keys."""
    found = view.points.find(view.txn, keys)
    slots = found[found >= 0].astype(np.uint32)
    return view.records(view.points.values(view.txn, slots), slots, project, names)


def count(view: View, condition: Filter | None) -> int:
    """How many points match."""
    if condition is None:
        return view.points.count(view.txn)
    return len(view.scan(condition).matching())


def scroll(
    view: View,
    condition: Filter | None,
    limit: int,
    start: bytes | None,
    project: Project,
    names: Sequence[str],
) -> tuple[list[Record], int | str | None]:
    """``limit`` points in the order of their ids from the key ``start`` on, and the first id that was left."""
    rows = list(islice(_in_order(view, condition, start), limit + 1))
    rest = rows[limit:]
    slots = np.array([slot for slot, _ in rows[:limit]], dtype=np.uint32)
    records = view.records([value for _, value in rows[:limit]], slots, project, names)
    return records, id_of(split_value(rest[0][1])[0]) if rest else None


def _in_order(view: View, condition: Filter | None, start: bytes | None) -> Iterator[tuple[int, bytes]]:
    if condition is not None:
        return view.scan(condition).in_order(start)
    return chain.from_iterable(
        zip(run.tolist(), view.points.values(view.txn, run), strict=True)
        for _, slots in view.points.walk(view.txn, start)
        for run in np.array_split(slots, range(CHUNK, len(slots), CHUNK))
    )


def scroll_by(
    view: View,
    condition: Filter | None,
    limit: int,
    order: Order,
    project: Project,
    names: Sequence[str],
) -> list[Record]:
    """``limit`` points in the order of their numbers or datetimes there; a point once for each of its values."""
    down, start_from = order.direction is Direction.DESC, order.start_from
    rows = []
    for slot, value in _in_order(view, condition, None):
        key, packed = split_value(value)
        for number in order_values(unpack_payload(packed), order.path):
            if start_from is None or (number <= start_from if down else number >= start_from):
                rows.append((-number if down else number, key, slot, value))
    rows.sort(key=lambda row: row[:2])
    chosen = rows[:limit]
    slots = np.array([slot for _, _, slot, _ in chosen], dtype=np.uint32)
    records = view.records([value for *_, value in chosen], slots, project, names)
    for record, (number, *_) in zip(records, chosen, strict=True):
        record.order_value = -number if down else number
    return records


def order_values(payload: dict[str, Any], path: Path) -> list[int | float]:
    """The distinct values at ``path`` that have an order: numbers, and datetimes as microseconds since 1970."""
    found: dict[int | float, None] = {}
    for value in values_at(payload, path):
        for one in value if isinstance(value, list) else [value]:
            number = _number(one)
            if number is not None:
                found[number] = None
    return list(found)


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        return parse_datetime(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value
