"""From the vectors of many points to one matrix for each vector name.

Vectors come row by row (a vector, or ``{name: vector}``, for each point) or side by side (a matrix, or
``{name: matrix}``). Either way numpy takes all rows of a name at once; they are looked at one by one only to
say which is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.errors import InvalidRequest, InvalidVector
from vecstore.operations import Column
from vecstore.requests.bodies import located
from vecstore.shapes import describe, length_of, shown
from vecstore.vectors import Schema, as_matrix, as_vector, known, label, normalised

if TYPE_CHECKING:
    from vecstore.models import Array, VectorParams

Positions: TypeAlias = npt.NDArray[np.int64]
_Gathered: TypeAlias = dict[str, tuple[list[int], list[Any]]]


def from_rows(vectors: list[Any], ids: Sequence[Any], schema: Schema) -> dict[str, Column]:
    """The vectors of points that came one by one; ``ids`` name them in errors. Raises ``InvalidRequest``."""
    if set(map(type, vectors)) <= {list, tuple, np.ndarray}:
        return {"": _rows_column("", list(range(len(ids))), vectors, ids, schema)}
    return {name: _rows_column(name, *found, ids, schema) for name, found in _gather(vectors).items()}


def _gather(vectors: list[Any]) -> _Gathered:
    gathered: _Gathered = {}
    for position, vector in enumerate(vectors):
        for name, row in vector.items() if isinstance(vector, Mapping) else [("", vector)]:
            positions, rows = gathered.setdefault(name, ([], []))
            positions.append(position)
            rows.append(row)
    return gathered


def _rows_column(name: str, positions: list[int], rows: list[Any], ids: Sequence[Any], schema: Schema) -> Column:
    with located(f"point {shown(ids[positions[0]])}"):
        params = known(schema, name)
    try:
        matrix = as_matrix(rows, params, label(name))
    except InvalidVector as error:
        refusal = error
    else:
        return _column(matrix, params, positions, len(ids))
    for position, row in zip(positions, rows, strict=True):  # which of them it is
        as_vector(row, params, f"point {shown(ids[position])}: {label(name)}")
    raise refusal


def from_matrices(vectors: Any, count: int, schema: Schema) -> dict[str, Column]:
    """The vectors of ``count`` points that came side by side. Raises ``InvalidRequest``."""
    if not isinstance(vectors, Mapping):
        return {"": _matrix_column("", vectors, count, schema)}
    columns = {name: _matrix_column(name, rows, count, schema) for name, rows in vectors.items()}
    return {name: column for name, column in columns.items() if len(column.matrix)}


def _matrix_column(name: str, rows: Any, count: int, schema: Schema) -> Column:
    params = known(schema, name)
    _check_count(name, rows, count)
    if name and isinstance(rows, list | tuple) and any(row is None for row in rows):
        return _gapped_column(name, rows, params)
    return _column(as_matrix(rows, params, label(name)), params, None, count)


def _check_count(name: str, rows: Any, count: int) -> None:
    came = length_of(rows)
    if came is None:
        raise InvalidVector(f"{label(name)}: expected a matrix, got {describe(rows)}")
    if came != count:
        raise InvalidRequest(f"{label(name)}: expected {count} rows, one for each id, got {came}")


def _gapped_column(name: str, rows: Sequence[Any], params: VectorParams) -> Column:
    """A column in which None stands for a point without this vector."""
    positions = [position for position, row in enumerate(rows) if row is not None]
    if not positions:
        return Column(np.empty((0, params.size), np.float32), np.empty(0, np.int64))
    matrix = as_matrix([rows[position] for position in positions], params, label(name))
    return _column(matrix, params, positions, len(rows))


def _column(matrix: Array, params: VectorParams, positions: list[int] | None, count: int) -> Column:
    partial = positions is not None and len(positions) < count
    return Column(normalised(matrix, params.distance), np.array(positions, dtype=np.int64) if partial else None)


def picked(columns: Mapping[str, Column], points: Positions, count: int) -> dict[str, Column]:
    """Of the columns of ``count`` points, what belongs to ``points`` (positions, ascending)."""
    found = {name: _pick(column, points, count) for name, column in columns.items()}
    return {name: column for name, column in found.items() if len(column.matrix)}


def _pick(column: Column, points: Positions, count: int) -> Column:
    positions = _positions(column, count)
    rows = np.flatnonzero(np.isin(positions, points))
    return _placed(column.matrix[rows], np.searchsorted(points, positions[rows]), len(points))


def merged(columns: Mapping[str, Column], targets: Positions, count: int) -> dict[str, Column]:
    """The columns with points made one: ``targets`` has for each position which of ``count`` it becomes.

    Where several rows fall on one point the last one stays.
    """
    return {name: _merge(column, targets, count) for name, column in columns.items()}


def _merge(column: Column, targets: Positions, count: int) -> Column:
    falls = targets[_positions(column, len(targets))]
    points, backwards = np.unique(falls[::-1], return_index=True)
    return _placed(column.matrix[len(falls) - 1 - backwards], points, count)


def _positions(column: Column, count: int) -> Positions:
    return np.arange(count) if column.positions is None else column.positions


def _placed(matrix: Array, positions: Positions, count: int) -> Column:
    return Column(matrix, None if len(positions) == count else positions.astype(np.int64))
