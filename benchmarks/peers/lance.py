"""lancedb: tables of Lance files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lancedb
import pyarrow as pa
from lancedb.index import BTree, HnswSq

from benchmarks.asking import in_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from benchmarks.asking import Conditions
    from benchmarks.data import Part
    from benchmarks.workload import Shape

M, EF_CONSTRUCT, EF = 16, 100, 128
KINDS = {"keyword": pa.string(), "keywords": pa.list_(pa.string()), "integer": pa.int64()}


class Peer:
    """Every add is a new version of the table: files written and renamed, none of them synced."""

    synced = False
    filters = True
    graph_first = True

    def __init__(self, folder: Path, shape: Shape) -> None:
        self._shape, self._look = shape, shape.looked_at
        self._columns = ["id", *shape.fields]
        database = lancedb.connect(folder / "database")
        if database.list_tables().tables:
            self._table = database.open_table("points")
        else:
            self._table = database.create_table("points", schema=schema_of(shape))

    def add(self, part: Part) -> None:
        self._table.add(self._rows(part))

    def add_one(self, part: Part) -> None:
        upsert = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        upsert.execute(self._rows(part))

    def _rows(self, part: Part) -> pa.Table:
        rows = pa.FixedSizeListArray.from_arrays(pa.array(part.matrix.ravel()), self._shape.size)
        columns = [[payload.get(name) for payload in part.payloads] for name in self._shape.fields]
        return pa.table([pa.array(part.ids), rows, *columns], schema=schema_of(self._shape))

    def finish(self) -> None:
        """Nothing more can be done."""

    def optimize(self) -> None:
        self._table.optimize()
        graph = HnswSq(distance_type="cosine", num_partitions=1, m=M, ef_construction=EF_CONSTRUCT)
        self._table.create_index("vector", config=graph)

    def index_payloads(self) -> None:
        for field in ("id", *self._shape.indexed):
            self._table.create_index(field, config=BTree())

    def where(self, conditions: Conditions) -> str:
        return in_sql(conditions)

    def search(self, vector: npt.NDArray[np.float32], limit: int, where: str | None = None) -> list[int]:
        asked = self._query(vector, limit).select([*self._columns, "_distance"])
        hits = (asked.where(where) if where else asked).to_list()
        for hit in hits:
            hit[self._look]
        return [hit["id"] for hit in hits]

    def search_many(self, matrix: npt.NDArray[np.float32], limit: int) -> list[list[int]]:
        found = self._query(matrix, limit).select(["id", "_distance"]).to_arrow()
        hits: list[list[int]] = [[] for _ in matrix]
        for query, number in zip(found["query_index"].to_pylist(), found["id"].to_pylist(), strict=True):
            hits[query].append(number)
        return hits

    def _query(self, vectors: npt.NDArray[np.float32], limit: int) -> Any:
        return self._table.search(vectors).distance_type("cosine").limit(limit).ef(EF)

    def count(self, where: str) -> int:
        return self._table.count_rows(where)

    def retrieve(self, ids: Sequence[int]) -> int:
        wanted = f"id IN ({', '.join(map(str, ids))})"
        rows = self._table.search().where(wanted).select(self._columns).limit(len(ids)).to_list()
        for row in rows:
            row[self._look]
        return len(rows)

    def scroll(self, page: int, look: bool) -> int:
        found = 0
        for batch in self._table.search().select(self._columns).to_batches(batch_size=page):
            rows = batch.to_pylist()
            found += len(rows)
            for row in rows if look else ():
                row[self._look]
        return found

    def close(self) -> None:
        del self._table


def schema_of(shape: Shape) -> pa.Schema:
    vector = pa.list_(pa.float32(), shape.size)
    fields = [(name, KINDS[kind]) for name, kind in shape.fields.items()]
    return pa.schema([("id", pa.uint64()), ("vector", vector), *fields])
