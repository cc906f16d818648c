"""vecstore as a subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecstore import Batch, Collection, Distance, PointStruct, UpdateFuture, VectorParams

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from benchmarks.data import Part

EXACT = {"exact": True}


class Vecstore:
    def __init__(self, folder: Path, size: int, durability: str = "fsync") -> None:
        self._path = folder / "points.vecstore"
        self._col = Collection(self._path, vectors=VectorParams(size, Distance.COSINE), durability=durability)
        self._futures: list[UpdateFuture] = []

    def add(self, part: Part) -> None:
        batch = Batch(ids=part.ids, vectors=part.matrix, payloads=part.payloads)
        self._futures.append(self._col.upsert(batch))

    def finish(self) -> None:
        for future in self._futures:
            future.result()
        self._futures.clear()
        self._col.flush()

    def add_one(self, part: Part) -> None:
        point = PointStruct(id=int(part.ids[0]), vector=part.matrix[0], payload=part.payloads[0])
        self._col.upsert([point]).result()

    def search(self, vector: npt.NDArray[np.float32], limit: int) -> list[int]:
        hits = self._col.search(vector, limit=limit, params=EXACT)
        assert all(hit.payload["name"] for hit in hits)
        return [hit.id for hit in hits]

    def close(self) -> None:
        self._col.close()

    def open_again(self) -> int:
        self._col = Collection(self._path)
        return len(self._col)
