"""qdrant-edge-py: Qdrant's own engine, in process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qdrant_edge as qdrant

from benchmarks.asking import Equal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from benchmarks.asking import Between, Conditions
    from benchmarks.data import Part
    from benchmarks.workload import Shape

KINDS = {"keyword": qdrant.PayloadSchemaType.Keyword, "integer": qdrant.PayloadSchemaType.Integer}


class Peer:
    """An update is written to a log that is not synced; ``flush`` syncs it."""

    synced = False
    filters = True
    graph_first = False  # its graph gets links of its own for the fields that are indexed when it is built

    def __init__(self, folder: Path, shape: Shape) -> None:
        self._shape, self._look = shape, shape.looked_at
        path = folder / "shard"
        if path.exists():
            self._shard = qdrant.EdgeShard.load(str(path))
            return
        path.mkdir()
        vectors = qdrant.EdgeVectorParams(size=shape.size, distance=qdrant.Distance.Cosine)
        self._shard = qdrant.EdgeShard.create(str(path), qdrant.EdgeConfig(vectors=vectors))

    def add(self, part: Part) -> None:
        columns = zip(part.ids.tolist(), part.matrix.tolist(), part.payloads, strict=True)
        points = [qdrant.Point(number, vector, payload) for number, vector, payload in columns]
        self._shard.update(qdrant.UpdateOperation.upsert_points(points))

    add_one = add

    def finish(self) -> None:
        self._shard.flush()

    def optimize(self) -> None:
        while self._shard.optimize():
            pass
        self._shard.flush()

    def index_payloads(self) -> None:
        for field in self._shape.indexed:
            kind = KINDS[self._shape.fields[field]]
            self._shard.update(qdrant.UpdateOperation.create_field_index(field, kind))

    def where(self, conditions: Conditions) -> qdrant.Filter:
        return qdrant.Filter(must=[condition_of(one) for one in conditions])

    def search(self, vector: npt.NDArray[np.float32], limit: int, where: Any = None) -> list[int]:
        query = qdrant.Query.Nearest(vector.tolist())
        request = qdrant.QueryRequest(limit=limit, query=query, filter=where, with_payload=True)
        hits = self._shard.query(request)
        for hit in hits:
            hit.payload[self._look]
        return [hit.id for hit in hits]

    def search_many(self, matrix: npt.NDArray[np.float32], limit: int) -> list[list[int]]:
        queries = [qdrant.QueryRequest(limit=limit, query=qdrant.Query.Nearest(row)) for row in matrix.tolist()]
        found = self._shard.query_batch(qdrant.QueryBatchRequest(queries))
        return [[hit.id for hit in hits] for hits in found]

    def count(self, where: Any) -> int:
        return int(self._shard.count(qdrant.CountRequest(exact=True, filter=where)))

    def retrieve(self, ids: Sequence[int]) -> int:
        records = self._shard.retrieve(list(ids), with_payload=True, with_vector=False)
        for record in records:
            record.payload[self._look]
        return len(records)

    def scroll(self, page: int, look: bool) -> int:
        found, offset = 0, 0
        while offset is not None:
            request = qdrant.ScrollRequest(limit=page, offset=offset, with_payload=True)
            records, offset = self._shard.scroll(request)
            found += len(records)
            for record in records if look else ():
                record.payload[self._look]
        return found

    def close(self) -> None:
        self._shard.close()


def condition_of(condition: Equal | Between) -> qdrant.FieldCondition:
    if isinstance(condition, Equal):
        return qdrant.FieldCondition(key=condition.field, match=qdrant.MatchValue(condition.value))
    return qdrant.FieldCondition(key=condition.field, range=qdrant.RangeFloat(gte=condition.low, lte=condition.high))
