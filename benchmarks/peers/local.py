"""qdrant-client in its local mode: SQLite, and brute force over arrays in memory."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from qdrant_client import QdrantClient, models

from benchmarks.asking import in_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from benchmarks.asking import Conditions
    from benchmarks.data import Part
    from benchmarks.workload import Shape

NAME = "points"


class Peer:
    """Every upsert is a transaction of SQLite for each point, synced. It has neither vector nor payload indexes."""

    synced = True
    filters = True
    graph_first = True

    def __init__(self, folder: Path, shape: Shape) -> None:
        warnings.filterwarnings("ignore", "Local mode is not recommended")
        self._look = shape.looked_at
        self._client = QdrantClient(path=str(folder / "local"))
        if not self._client.collection_exists(NAME):
            params = models.VectorParams(size=shape.size, distance=models.Distance.COSINE)
            self._client.create_collection(NAME, vectors_config=params)

    def add(self, part: Part) -> None:
        batch = models.Batch(ids=part.ids.tolist(), vectors=part.matrix.tolist(), payloads=part.payloads)
        self._client.upsert(NAME, batch)

    add_one = add

    def finish(self) -> None:
        """Nothing is left to do."""

    def where(self, conditions: Conditions) -> models.Filter:
        return models.Filter(**in_json(conditions))

    def search(self, vector: npt.NDArray[np.float32], limit: int, where: Any = None) -> list[int]:
        hits = self._client.query_points(NAME, vector, query_filter=where, limit=limit).points
        for hit in hits:
            hit.payload[self._look]
        return [hit.id for hit in hits]

    def search_many(self, matrix: npt.NDArray[np.float32], limit: int) -> list[list[int]]:
        requests = [models.QueryRequest(query=row, limit=limit, with_payload=False) for row in matrix.tolist()]
        found = self._client.query_batch_points(NAME, requests)
        return [[hit.id for hit in hits.points] for hits in found]

    def count(self, where: Any) -> int:
        return self._client.count(NAME, count_filter=where).count

    def retrieve(self, ids: Sequence[int]) -> int:
        records = self._client.retrieve(NAME, ids)
        for record in records:
            record.payload[self._look]
        return len(records)

    def scroll(self, page: int, look: bool) -> int:
        found, offset = 0, 0
        while offset is not None:
            records, offset = self._client.scroll(NAME, limit=page, offset=offset)
            found += len(records)
            for record in records if look else ():
                record.payload[self._look]
        return found

    def close(self) -> None:
        self._client.close()
