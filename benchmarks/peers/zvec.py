"""zvec: Alibaba's embedded store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import zvec

from benchmarks.asking import in_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from benchmarks.asking import Conditions
    from benchmarks.data import Part
    from benchmarks.workload import Shape

M, EF_CONSTRUCT, EF = 16, 100, 128  # as the limit's; its own defaults (50, 500, 300) build far longer
KINDS = {
    "keyword": zvec.DataType.STRING,
    "keywords": zvec.DataType.ARRAY_STRING,
    "integer": zvec.DataType.INT64,
}


class Peer:
    """A write goes to a log that is not synced; ``flush`` syncs it."""

    synced = False
    filters = True
    graph_first = True

    def __init__(self, folder: Path, shape: Shape) -> None:
        zvec.init(log_level=zvec.LogLevel.ERROR)
        self._shape, self._look = shape, shape.looked_at
        path = folder / "collection"
        if path.exists():
            self._col = zvec.open(str(path))
        else:
            self._col = zvec.create_and_open(str(path), schema_of(shape))

    def add(self, part: Part) -> None:
        columns = zip(part.ids.tolist(), part.matrix, part.payloads, strict=True)
        docs = [zvec.Doc(id=str(number), vectors={"vector": row}, fields=fields) for number, row, fields in columns]
        assert all(status.ok() for status in self._col.upsert(docs))

    add_one = add

    def finish(self) -> None:
        self._col.flush()

    def optimize(self) -> None:
        self._col.optimize()

    def index_payloads(self) -> None:
        for field in self._shape.indexed:
            ordered = self._shape.fields[field] == "integer"
            self._col.create_index(field, zvec.InvertIndexParam(enable_range_optimization=ordered))

    def where(self, conditions: Conditions) -> str:
        return in_sql(conditions)

    def search(self, vector: npt.NDArray[np.float32], limit: int, where: str | None = None) -> list[int]:
        hits = self._col.query(query(vector), topk=limit, filter=where)
        for hit in hits:
            hit.fields[self._look]
        return [int(hit.id) for hit in hits]

    def search_many(self, matrix: npt.NDArray[np.float32], limit: int) -> list[list[int]]:
        """One by one: it takes several queries only to merge their hits."""
        found = (self._col.query(query(row), topk=limit, output_fields=[]) for row in matrix)
        return [[int(hit.id) for hit in hits] for hits in found]

    def retrieve(self, ids: Sequence[int]) -> int:
        found = self._col.fetch(list(map(str, ids)), include_vector=False)
        for doc in found.values():
            doc.fields[self._look]
        return len(found)

    def scroll(self, page: int, look: bool) -> int:
        found = 0
        with self._col.iter_docs(include_vector=False) as docs:
            for doc in docs:
                found += 1
                if look:
                    doc.fields[self._look]
        return found

    def close(self) -> None:
        self._col.close()


def schema_of(shape: Shape) -> zvec.CollectionSchema:
    graph = zvec.HnswIndexParam(metric_type=zvec.MetricType.COSINE, m=M, ef_construction=EF_CONSTRUCT)
    fields = [zvec.FieldSchema(name, KINDS[kind], nullable=True) for name, kind in shape.fields.items()]
    vector = zvec.VectorSchema("vector", zvec.DataType.VECTOR_FP32, shape.size, index_param=graph)
    return zvec.CollectionSchema("points", fields=fields, vectors=vector)


def query(vector: npt.NDArray[np.float32]) -> zvec.Query:
    return zvec.Query("vector", vector=vector, param=zvec.HnswQueryParam(ef=EF))
