"""Retrieve, scroll and count."""

from __future__ import annotations

import sys
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from vecstore.filters import parse_datetime
from vecstore.ids import id_of
from vecstore.models import Direction
from vecstore.paths import Path, values_at
from vecstore.payloads import unpack_payload
from vecstore.storage.points import split_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vecstore.conditions import Filter
    from vecstore.engine.view import View
    from vecstore.questions import Order
    from vecstore.records import Project, Record

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
    return view.scan(condition).count()


def scroll(
    view: View,
    condition: Filter | None,
    limit: int,
    start: bytes | None,
    project: Project,
    names: Sequence[str],
) -> tuple[list[Record], int | str | None]:
    """``limit`` points in the order of their ids from the key ``start`` on, and the first id that was left."""
    limit = min(limit, sys.maxsize - 1)  # ``islice`` counts no further
    rows = list(islice(_in_order(view, condition, start, limit + 1), limit + 1))
    rest = rows[limit:]
    slots = np.array([slot for slot, _ in rows[:limit]], dtype=np.uint32)
    records = view.records([value for _, value in rows[:limit]], slots, project, names)
    return records, id_of(split_value(rest[0][1])[0]) if rest else None


def _in_order(
    view: View, condition: Filter | None, start: bytes | None, limit: int | None
) -> Iterator[tuple[int, bytes]]:
    if condition is not None:
        return view.scan(condition).in_order(start, limit)
    return chain.from_iterable(
        zip(run.tolist(), view.points.values(view.txn, run), strict=True)
        for _, slots in view.points.walk(view.txn, start)
        for run in np.array_split(slots, range(CHUNK, len(slots), CHUNK))
    )


def scroll_by(
    view: View, condition: Filter | None, limit: int, order: Order, project: Project, names: Sequence[str]
) -> list[Record]:
    """``limit`` points in the order of their numbers or datetimes there; a point once for each of its values."""
    down = order.direction is Direction.DESC
    rows = sorted(_valued(view, condition, order), key=itemgetter(0, 1), reverse=down)[:limit]
    slots = np.array([slot for _, _, slot, _ in rows], dtype=np.uint32)
    records = view.records([value for *_, value in rows], slots, project, names)
    for record, (number, *_) in zip(records, rows, strict=True):
        record.order_value = number
    return records


def _valued(view: View, condition: Filter | None, order: Order) -> Iterator[tuple[int | float, bytes, int, bytes]]:
    """Value, id key, slot and stored value of every point and value that the order begins with or goes on to."""
    for slot, value in _in_order(view, condition, None, None):
        key, packed = split_value(value)
        for number in order_values(unpack_payload(packed), order.path):
            if _is_reached(number, order):
                yield number, key, slot, value


def _is_reached(number: int | float, order: Order) -> bool:
    if order.start_from is None:
        return True
    return number <= order.start_from if order.direction is Direction.DESC else number >= order.start_from


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
