"""Points as a data frame of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vecstore.extras import needs

with needs("pandas"):
    import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vecstore.records import Record, ScoredPoint

_EXACT = 2**53
"""Integers up to here are floats to the bit."""


def frame_of(points: Sequence[Record] | Sequence[ScoredPoint]) -> pd.DataFrame:
    """A row a point; see ``Records.to_pandas``."""
    ours = _attributes(points) | _vectors(points)
    fields: dict[str, list[Any]] = {}
    for row, point in enumerate(list[Any](points)):
        for field, value in (point.payload or {}).items():
            fields.setdefault(field, [None] * len(points))[row] = value
    payload = {f"payload.{field}" if field in ours else field: values for field, values in fields.items()}
    columns = {**ours, **{field: _series(values) for field, values in payload.items()}}
    frame = pd.DataFrame(dict(enumerate(columns.values())), index=range(len(points)))
    frame.columns = pd.Index(list(columns), dtype=object)
    frame.index = pd.Index(_series([point.id for point in points]), name="id")
    return frame


def _attributes(points: Sequence[Any]) -> dict[str, pd.Series]:
    found = {}
    for name in ("score", "order_value"):
        values = [getattr(point, name, None) for point in points]
        if any(value is not None for value in values):
            found[name] = _series(values)
    return found


def _vectors(points: Sequence[Any]) -> dict[str, pd.Series]:
    named = [v if isinstance(v, dict) else {"": v} for v in (point.vector for point in points)]
    names = dict.fromkeys(name for vectors in named for name, vector in vectors.items() if vector is not None)
    return {
        f"vector.{name}" if name else "vector": pd.Series([vectors.get(name) for vectors in named], dtype=object)
        for name in names
    }


def _series(values: list[Any]) -> pd.Series:
    """A column of the type that keeps its values: a missing one does not make a float of an integer."""
    kinds = {type(value) for value in values if value is not None}
    for kind, dtype in _DTYPES:
        if kinds == kind and (found := dtype(values)) is not None:
            return pd.Series(values, dtype=found)
    return pd.Series(values, dtype=object)


def _integers(values: list[Any]) -> str | None:
    present = [value for value in values if value is not None]
    name = "int64" if min(present) < 0 or max(present) < 2**63 else "uint64"
    if min(present) < 0 and max(present) >= 2**63:
        return None
    return name if len(present) == len(values) else {"int64": "Int64", "uint64": "UInt64"}[name]


def _numbers(values: list[Any]) -> str | None:
    fit = all(abs(value) <= _EXACT for value in values if isinstance(value, int))
    return "float64" if fit else None


_DTYPES: tuple[tuple[set[type], Callable[[list[Any]], str | None]], ...] = (
    ({int}, _integers),
    ({bool}, lambda values: "boolean" if None in values else "bool"),
    ({float}, lambda values: "float64"),
    ({int, float}, _numbers),
)
