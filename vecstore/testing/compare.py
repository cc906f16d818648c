"""Whether two sets of points are the same, and where they are not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vecstore.ids import id_of, key_of
from vecstore.models import Distance
from vecstore.payloads import freeze_payload
from vecstore.requests.bodies import required
from vecstore.shapes import describe, members

if TYPE_CHECKING:
    from vecstore.collection import Collection

    Points = Collection | Iterable[Any]

PAGE = 1000
SHOWN = 10
"""How many ids a message lists."""


class _Point(NamedTuple):
    """What is known of a point: a payload, or vectors by name, that were not asked for are None."""

    payload: dict[str, Any] | None
    vectors: dict[str, Any] | None


def assert_same_points(actual: Points, expected: Points, *, tolerance: float = 1e-6) -> None:
    """Fail with an ``AssertionError`` that says where they differ, unless both have the same points.

    Args:
        actual, expected: A collection, or any points: ``PointStruct``, ``Record``, ``ScoredPoint``, or dicts of that
            shape. Their order is of no account; scores are not compared.
        tolerance: By how much components of vectors may differ, as a part of the larger one and as it is.

    Payloads are the same when they are the same JSON: 1 is not 1.0, and ``{}`` is as good as none. Where one of both
    is a collection, the vectors of the other may be as they were before it normalised them. What a record was read
    without (its payload or vectors are None) is not compared.
    """
    one, other = _points(actual, "actual"), _points(expected, "expected")
    problems = _different_ids(one, other)
    unit = _normalised(actual) | _normalised(expected)
    for key in sorted(one.keys() & other.keys()):
        problems += _differences(id_of(key), one[key], other[key], unit, tolerance)
        if len(problems) >= SHOWN:
            problems = [*problems[:SHOWN], "and more"]
            break
    if problems:
        raise AssertionError(
            f"the points differ ({len(one)} actual, {len(other)} expected):\n  " + "\n  ".join(problems)
        )


def _different_ids(one: dict[bytes, _Point], other: dict[bytes, _Point]) -> list[str]:
    missing, unexpected = sorted(other.keys() - one.keys()), sorted(one.keys() - other.keys())
    return [
        f"{what}: {', '.join(repr(id_of(key)) for key in keys[:SHOWN])}{', ...' if len(keys) > SHOWN else ''}"
        for what, keys in ((f"{len(missing)} missing", missing), (f"{len(unexpected)} unexpected", unexpected))
        if keys
    ]


def _points(found: Any, what: str) -> dict[bytes, _Point]:
    points: dict[bytes, _Point] = {}
    for point in _all(found):
        key, parts = _read(point, what)
        if key in points:
            raise AssertionError(f"{what}: the point {id_of(key)!r} is there twice")
        points[key] = parts
    return points


def _all(found: Any) -> Iterable[Any]:
    if not hasattr(found, "scroll"):
        yield from found
        return
    offset = None
    while True:
        records, offset = found.scroll(limit=PAGE, offset=offset, with_payload=True, with_vectors=True)
        yield from records
        if offset is None:
            return


def _read(point: Any, what: str) -> tuple[bytes, _Point]:
    found = members(point, f"a point in {what}")
    # A point that was made has an empty payload, where one that was read was read without.
    was_read = hasattr(point, "score") or hasattr(point, "order_value")
    payload = found.get("payload")
    if payload is None and not was_read:
        payload = {}
    key = key_of(required(found, "id", f"a point in {what}"))
    return key, _Point(None if payload is None else freeze_payload(payload), _by_name(found.get("vector")))


def _by_name(vector: Any) -> dict[str, Any] | None:
    if vector is None:
        return None
    named = vector if isinstance(vector, Mapping) else {"": vector}
    return {name: np.asarray(row, dtype=np.float64) for name, row in named.items() if row is not None}


def _normalised(found: Any) -> frozenset[str]:
    """The names of the vectors a collection normalises."""
    if not hasattr(found, "info"):
        return frozenset()
    return frozenset(n for n, vector in found.info().vectors.items() if vector.distance == Distance.COSINE.value)


def _differences(
    point_id: int | str, one: _Point, other: _Point, unit: frozenset[str], tolerance: float
) -> Iterable[str]:
    found = []
    if one.payload is not None and other.payload is not None:
        found += [f"point {point_id!r}: {text}" for text in _json(one.payload, other.payload, "payload")]
    if one.vectors is not None and other.vectors is not None:
        found += [f"point {point_id!r}: {text}" for text in _rows(one.vectors, other.vectors, unit, tolerance)]
    return found


def _json(one: Any, other: Any, path: str) -> list[str]:
    """Where two JSON values differ, first of all."""
    if type(one) is not type(other):
        return [f"{path}: {describe(one)} is not {describe(other)}"]
    if isinstance(one, dict):
        for key in [*one, *other]:
            if key not in one or key not in other:
                has, value = ("only actual", one[key]) if key in one else ("only expected", other[key])
                return [f"{path}.{key}: {has} has it, {describe(value)}"]
            if found := _json(one[key], other[key], f"{path}.{key}"):
                return found
        return []
    if isinstance(one, list):
        if len(one) != len(other):
            return [f"{path}: {len(one)} values are not {len(other)}: {describe(one)}, {describe(other)}"]
        return next(
            (found for i, pair in enumerate(zip(one, other, strict=True)) if (found := _json(*pair, f"{path}[{i}]"))),
            [],
        )
    return [] if one == other else [f"{path}: {describe(one)} is not {describe(other)}"]


def _rows(one: dict[str, Any], other: dict[str, Any], unit: frozenset[str], tolerance: float) -> Iterable[str]:
    if one.keys() != other.keys():
        yield f"vectors: {_names(one)} is not {_names(other)}"
        return
    for name, row in one.items():
        label, wanted = f"vector {name!r}" if name else "vector", other[name]
        if row.shape != wanted.shape:
            yield f"{label}: {row.shape} is not {wanted.shape}"
        elif not _close(*((_unit(row), _unit(wanted)) if name in unit else (row, wanted)), tolerance):
            yield f"{label}: {describe(row)} is not {describe(wanted)}"


def _names(vectors: dict[str, Any]) -> str:
    return ", ".join(map(repr, sorted(vectors))) or "none"


def _close(one: Any, other: Any, tolerance: float) -> bool:
    return bool(np.allclose(one, other, rtol=tolerance, atol=tolerance))


def _unit(row: Any) -> Any:
    length = math.sqrt(float(row @ row))
    return row / length if length else row
