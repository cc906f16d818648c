"""Points of any form, cut into batches: one by one or side by side, of known length or a generator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from vecstore.errors import InvalidRequest, InvalidType
from vecstore.models import Batch, PointStruct
from vecstore.shapes import describe, length_of, members, only

Points: TypeAlias = "list[Any] | Batch"
"""What one upsert takes."""

_COLUMNS = frozenset({"ids", "payloads", "vectors"})
_BATCH_BYTES = 4 << 20
_MOST = 1000


def fitting(row_bytes: int) -> int:
    """How many points of so many bytes of vectors make a batch."""
    return max(1, min(_MOST, _BATCH_BYTES // max(1, row_bytes)))


def total(points: object) -> int | None:
    """How many points there are, if that is known without taking any."""
    if is_side_by_side(points):
        return _Columns(points).count
    return length_of(points)


def cut(points: object, size: int, skip: int) -> Iterator[tuple[Points, int]]:
    """Batches of at most ``size`` points and their lengths, without the first ``skip`` points.

    ``points``: side by side (``ids``, ``vectors`` and maybe ``payloads``), or an iterable of points; what is side
    by side may be among these. Raises ``InvalidRequest``.
    """
    if is_side_by_side(points):
        columns = _Columns(points)
        columns.take(min(skip, columns.count))
        return columns.batches(size)
    if isinstance(points, str | bytes | Mapping) or not isinstance(points, Iterable):
        raise InvalidType(f"expected points, as an iterable of points or a Batch, got {describe(points)}")
    return _cut_iterable(points, size, skip)


def _cut_iterable(points: Iterable[Any], size: int, skip: int) -> Iterator[tuple[Points, int]]:
    waiting: list[Any] = []
    try:
        for point in points:
            if is_side_by_side(point):
                if waiting:
                    yield waiting, len(waiting)
                    waiting = []
                columns = _Columns(point)
                passed = min(skip, columns.count)
                columns.take(passed)
                skip -= passed
                yield from columns.batches(size)
            elif skip:
                skip -= 1
            else:
                waiting.append(point)
                if len(waiting) == size:
                    yield waiting, size
                    waiting = []
    except Exception:
        if waiting:  # what came before the point that could not be read counts
            yield waiting, len(waiting)
        raise
    if waiting:
        yield waiting, len(waiting)


def is_side_by_side(points: object) -> bool:
    """Whether these are columns: a ``Batch``, or anything of its shape."""
    if isinstance(points, Mapping):
        return "ids" in points
    return isinstance(points, Batch) or (hasattr(points, "ids") and hasattr(points, "vectors"))


class _Columns:
    """Points side by side, taken from the front."""

    def __init__(self, batch: object) -> None:
        found = members(batch, "a batch")
        only(found, _COLUMNS, "a batch")
        vectors = found.get("vectors")
        if vectors is None:
            raise InvalidRequest("expected ids and vectors in a batch, got no vectors")
        self._named = isinstance(vectors, Mapping)
        named = vectors if isinstance(vectors, Mapping) else {"": vectors}
        self._ids = _Column(found.get("ids"), "ids")
        self._vectors = {name: _Column(rows, "vectors") for name, rows in named.items()}
        self._payloads = None if found.get("payloads") is None else _Column(found["payloads"], "payloads")
        self.count = self._common_length()

    def _common_length(self) -> int:
        columns = [self._ids, *self._vectors.values(), *([self._payloads] if self._payloads else [])]
        lengths = [(column.what, column.length) for column in columns if column.length is not None]
        if not lengths:
            raise InvalidRequest("expected ids or vectors of a known length in a batch, got only iterators")
        if len({length for _, length in lengths}) > 1:
            came = ", ".join(f"{length} {what}" for what, length in lengths)
            raise InvalidRequest(f"expected as many ids as vectors and payloads in a batch, got {came}")
        return lengths[0][1]

    def batches(self, size: int) -> Iterator[tuple[Batch, int]]:
        """What is left, in batches of at most ``size``."""
        while batch := self.take(min(size, self.count)):
            yield batch, len(batch.ids)

    def take(self, count: int) -> Batch | None:
        """The next ``count`` points; None for none."""
        if not count:
            return None
        self.count -= count
        vectors = {name: column.take(count) for name, column in self._vectors.items()}
        payloads = None if self._payloads is None else self._payloads.take(count)
        return Batch(self._ids.take(count), vectors if self._named else vectors[""], payloads)


class _Column:
    """One column. What can be sliced is sliced, so that of a mapped array only what is taken is read."""

    def __init__(self, values: Any, what: str) -> None:
        if getattr(values, "shape", None) == () or not (hasattr(values, "__array__") or _is_walked(values)):
            raise InvalidType(f"expected {what} as a list, an array or an iterator, got {describe(values)}")
        self.what = what
        self._sliced = values if isinstance(values, list | tuple | range) else _array(values)
        self._rest = iter(values) if self._sliced is None else None
        self.length: int | None = len(self._sliced) if self._sliced is not None else None
        self._taken = 0

    def take(self, count: int) -> Any:
        """The next ``count`` values. Raises ``InvalidRequest`` where there are fewer."""
        if self._rest is not None:
            found = list(islice(self._rest, count))
            if len(found) < count:
                raise InvalidRequest(f"expected {count} more {self.what}, got {len(found)}")
            return found
        self._taken += count
        return self._sliced[self._taken - count : self._taken]


def _is_walked(values: Any) -> bool:
    return isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping)


def _array(values: Any) -> Any:
    """As something that is sliced by position, None for what can only be walked through."""
    if isinstance(values, np.ndarray) and values.ndim:
        return values
    if hasattr(values, "shape") and hasattr(values, "dtype") and not hasattr(values, "iloc"):
        return values  # an array of another library, such as a dataset of HDF5
    if not hasattr(values, "__array__"):
        return None
    found = np.asarray(values)
    return list(found) if found.dtype == object else found


def halves(points: Points, count: int) -> list[tuple[Points, int]]:
    """A batch as two."""
    middle = count // 2
    if isinstance(points, list):
        return [(points[:middle], middle), (points[middle:], count - middle)]
    columns = _Columns(points)
    return list(columns.batches(count - middle))


def one_by_one(points: Points) -> list[Any]:
    """A batch as a list of points."""
    if isinstance(points, list):
        return points
    ids: Any = points.ids.tolist() if isinstance(points.ids, np.ndarray) else points.ids
    payloads = points.payloads if points.payloads is not None else [None] * len(ids)
    if not isinstance(points.vectors, Mapping):
        return [PointStruct(*row) for row in zip(ids, points.vectors, payloads, strict=True)]
    return [
        PointStruct(i, {n: rows[k] for n, rows in points.vectors.items() if rows[k] is not None}, payload)
        for k, (i, payload) in enumerate(zip(ids, payloads, strict=True))
    ]
