"""What the tests of files share: formats, a collection of everything, and all of it to the bit."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import numpy as np

from vecstore import Collection, Distance, PointStruct, VectorParams

ARROW = [".parquet", ".arrow"]
ENDINGS = [".jsonl", ".jsonl.gz", ".npz", *ARROW]
COSINE = VectorParams(3, Distance.COSINE)


def exact(col: Collection) -> list[Any]:
    """Every point: its id, the bytes of its vectors, and its payload with the types of all values."""
    records, _ = col.scroll(limit=10**6, with_vectors=True)
    return [(r.id, _bits(r.vector), json.dumps(r.payload)) for r in records]


def _bits(vector: Any) -> Any:
    if isinstance(vector, dict):
        return {name: row.tobytes() for name, row in vector.items()}
    return None if vector is None else vector.tobytes()


def sample(vectors: Any, number: int = 1234) -> Collection:
    """Ids of both kinds, points without vectors, payloads of every type."""
    col = Collection(vectors=vectors)
    rng = np.random.default_rng(3)
    schema = {"": vectors} if isinstance(vectors, VectorParams) else vectors
    rows = []
    for i in range(number):
        point_id: Any = UUID(int=i * 7919**9) if i % 3 == 0 else (i * 7919**4) % 2**64
        have = [name for k, name in enumerate(schema) if (i + k) % 5]
        vector = {name: rng.standard_normal(schema[name].size) * 10.0 ** (i % 20 - 10) for name in have}
        payload = {"n": i, "f": float(i), "u": 2**64 - 1, "z": None, "s": 'é"\u2028\n☃', "l": [1, 1.0, True, {"x": []}]}
        rows.append(PointStruct(point_id, vector, payload if i % 4 else None))
    col.upload(rows)
    return col
