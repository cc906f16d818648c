"""chromadb, persistent, in process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import chromadb

from benchmarks.asking import Equal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from benchmarks.asking import Between, Conditions
    from benchmarks.data import Part
    from benchmarks.workload import Shape

HNSW = {"space": "cosine", "max_neighbors": 16, "ef_construction": 100, "ef_search": 128}


class Peer:
    """Every upsert is a transaction of SQLite, synced. It has no index to ask for: all are kept up as it is written."""

    synced = True
    filters = True
    graph_first = True

    def __init__(self, folder: Path, shape: Shape) -> None:
        self._look = shape.looked_at
        settings = chromadb.Settings(anonymized_telemetry=False)
        self._client = chromadb.PersistentClient(folder / "database", settings)
        self._col = self._client.get_or_create_collection(
            "points", configuration={"hnsw": HNSW}, embedding_function=None
        )

    def add(self, part: Part) -> None:
        self._col.upsert(ids=list(map(str, part.ids.tolist())), embeddings=part.matrix, metadatas=part.payloads)

    add_one = add

    def finish(self) -> None:
        """Nothing is left to do."""

    def where(self, conditions: Conditions) -> dict[str, Any]:
        clauses = [clause for condition in conditions for clause in clauses_of(condition)]
        return {"$and": clauses} if len(clauses) > 1 else clauses[0]

    def search(self, vector: npt.NDArray[np.float32], limit: int, where: Any = None) -> list[int]:
        found = self._col.query(query_embeddings=vector[None], n_results=limit, where=where, include=["metadatas"])
        for payload in found["metadatas"][0]:
            payload[self._look]
        return [int(number) for number in found["ids"][0]]

    def search_many(self, matrix: npt.NDArray[np.float32], limit: int) -> list[list[int]]:
        found = self._col.query(query_embeddings=matrix, n_results=limit, include=["distances"])
        return [[int(number) for number in ids] for ids in found["ids"]]

    def count(self, where: Any) -> int:
        """By the ids that match: it counts nothing but the whole."""
        return len(self._col.get(where=where, include=[])["ids"])

    def retrieve(self, ids: Sequence[int]) -> int:
        return self._looked_at(self._col.get(ids=list(map(str, ids)), include=["metadatas"]), look=True)

    def scroll(self, page: int, look: bool) -> int:
        found = 0
        while got := self._looked_at(self._col.get(limit=page, offset=found, include=["metadatas"]), look):
            found += got
        return found

    def _looked_at(self, got: Any, look: bool) -> int:
        for payload in got["metadatas"] if look else ():
            payload[self._look]
        return len(got["ids"])

    def close(self) -> None:
        self._client.close()


def clauses_of(condition: Equal | Between) -> list[dict[str, Any]]:
    if isinstance(condition, Equal):
        return [{condition.field: condition.value}]
    return [{condition.field: {"$gte": condition.low}}, {condition.field: {"$lte": condition.high}}]
