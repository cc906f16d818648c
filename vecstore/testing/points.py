"""Random points: as good as real ones for trying things out, and the same in every run."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from vecstore.errors import InvalidRequest, InvalidType
from vecstore.models import Distance, PointStruct, VectorParams
from vecstore.shapes import describe
from vecstore.vectors import parse_vector_params

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vecstore.collection import Collection

COLORS = ("red", "green", "blue", "yellow")
WORDS = ("small", "large", "old", "new", "wooden", "round", "fast", "quiet", "table", "lamp", "chair", "clock")
ID_KINDS = ("integer", "uuid", "mixed")


def random_points(
    count: int,
    vectors: VectorParams | Mapping[str, VectorParams] | Collection | int = 4,
    *,
    seed: int = 0,
    ids: str = "integer",
    payloads: bool = True,
) -> list[PointStruct]:
    """``count`` points, always the same ones for the same arguments.

    Args:
        count: How many, 0 or more.
        vectors: What vectors they have: those of a collection; ``VectorParams`` or ``{name: VectorParams}``, as a
            collection is made with; or a size, for one unnamed vector. Their components are float32 numbers, drawn
            from a normal distribution.
        seed: Another one, 0 or more, gives other points (with the same integer ids).
        ids: ``"integer"`` (1, 2, 3, ...), ``"uuid"``, or ``"mixed"`` (either, in turn).
        payloads: Whether they have payloads: a ``number`` (1, 2, 3, ...), ``price``, ``color``, ``tags`` (0 to 3),
            ``active``, ``created`` (a datetime), ``place`` (lon and lat) and ``text`` (words); here and there a
            ``note`` that is null.

    Raises ``InvalidRequest``.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise InvalidRequest(f"expected a count of 0 or more, got {describe(count)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InvalidRequest(f"expected a seed of 0 or more, got {describe(seed)}")
    if not isinstance(ids, str) or ids not in ID_KINDS:
        raise InvalidRequest(f"expected ids as one of {', '.join(ID_KINDS)}, got {describe(ids)}")
    rng = np.random.default_rng(seed)
    schema = _schema(vectors)
    matrices = {name: rng.standard_normal((count, size)).astype(np.float32) for name, size in schema.items()}
    return [
        PointStruct(_id(n, ids, rng), _vectors(matrices, n), _payload(n, rng) if payloads else None)
        for n in range(count)
    ]


def _schema(vectors: Any) -> dict[str, int]:
    """The size of every vector, by name."""
    if isinstance(vectors, int) and not isinstance(vectors, bool):
        vectors = VectorParams(vectors, Distance.DOT)
    if hasattr(vectors, "info"):
        return {name: vector.size for name, vector in vectors.info().vectors.items()}
    if vectors is None:
        raise InvalidType("expected vectors of random points, got None")
    return {name: params.size for name, params in parse_vector_params(vectors).items()}


def _id(number: int, kind: str, rng: np.random.Generator) -> int | str:
    if kind == "integer" or (kind == "mixed" and number % 2 == 0):
        return number + 1
    return str(UUID(bytes=rng.bytes(16), version=4))


def _vectors(matrices: dict[str, Any], row: int) -> Any:
    found = {name: matrix[row] for name, matrix in matrices.items()}
    return found[""] if found.keys() == {""} else found


def _payload(number: int, rng: np.random.Generator) -> dict[str, Any]:
    created = datetime(2024, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=int(rng.integers(0, 500_000)))
    payload: dict[str, Any] = {
        "number": number + 1,
        "price": round(float(rng.uniform(0, 100)), 2),
        "color": str(rng.choice(COLORS)),
        "tags": [str(tag) for tag in rng.choice(WORDS, int(rng.integers(0, 4)), replace=False)],
        "active": bool(rng.integers(0, 2)),
        "created": created.isoformat().replace("+00:00", "Z"),
        "place": {"lon": round(float(rng.uniform(-180, 180)), 4), "lat": round(float(rng.uniform(-90, 90)), 4)},
        "text": " ".join(str(word) for word in rng.choice(WORDS, 5)),
    }
    if rng.integers(0, 4) == 0:
        payload["note"] = None
    return payload
