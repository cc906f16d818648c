"""vecstore."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import faiss  # noqa: F401 - vecstore imports it when first needed; here before any clock starts

from benchmarks.asking import in_json
from benchmarks.store import Vecstore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from benchmarks.asking import Conditions
    from benchmarks.workload import Shape


class Peer(Vecstore):
    """Durable, unless asked not to be: an upsert is synced before its future is done."""

    filters = True
    graph_first = True

    def __init__(self, folder: Path, shape: Shape, durability: str = "fsync") -> None:
        super().__init__(folder, shape.size, durability)
        self.synced = durability == "fsync"
        self._shape, self._look = shape, shape.looked_at

    @classmethod
    def unsynced(cls, folder: Path, shape: Shape) -> Peer:
        """The same points, opened so that an upsert survives the death of the process, not always a loss of power."""
        return cls(folder, shape, "os")

    def optimize(self) -> None:
        getattr(self._col, "optimize", self._col.flush)()

    def index_payloads(self) -> None:
        for field in self._shape.indexed if hasattr(self._col, "create_payload_index") else ():
            self._col.create_payload_index(field, self._shape.fields[field]).result()

    def where(self, conditions: Conditions) -> dict[str, Any]:
        return in_json(conditions)

    def search(self, vector: npt.NDArray[np.float32], limit: int, where: Any = None) -> list[int]:
        hits = self._col.search(vector, limit=limit, filter=where)
        for hit in hits:
            hit.payload[self._look]
        return [hit.id for hit in hits]

    def search_many(self, matrix: npt.NDArray[np.float32], limit: int) -> list[list[int]]:
        if "as_arrays" in signature(self._col.search_batch).parameters:
            ids, _ = self._col.search_batch(matrix, limit=limit, as_arrays=True)
            return ids.tolist()
        found = self._col.search_batch(matrix, limit=limit, with_payload=False)
        return [[hit.id for hit in hits] for hits in found]

    def count(self, where: Any) -> int:
        return self._col.count(where)

    def retrieve(self, ids: Sequence[int]) -> int:
        records = self._col.retrieve(ids)
        for record in records:
            record.payload[self._look]
        return len(records)

    def scroll(self, page: int, look: bool) -> int:
        found, offset = 0, 0
        while offset is not None:
            records, offset = self._col.scroll(limit=page, offset=offset)
            found += len(records)
            for record in records if look else ():
                record.payload[self._look]
        return found
