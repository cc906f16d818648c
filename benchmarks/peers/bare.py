"""The limit: FAISS and LMDB with no store around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faiss
import msgpack
import numpy as np
import numpy.typing as npt

from benchmarks.asking import passing
from benchmarks.data import normalised
from benchmarks.limit import Limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from benchmarks.asking import Conditions
    from benchmarks.workload import Shape

M, EF_CONSTRUCT, EF = 16, 100, 128
GRAPH = "points.hnsw"
KEY = 9  # bytes before a payload: the key of its point
FLAT = 20_000  # candidates up to which searching all of them is quicker than the graph, or finds more


class Peer(Limit):
    """Durable: every commit is synced. It cannot filter by itself: ``where`` hands it the rows that match."""

    synced = True
    filters = False
    graph_first = True

    def __init__(self, folder: Path, shape: Shape) -> None:
        (folder / "store").mkdir(exist_ok=True)
        super().__init__(folder / "store", shape.size)
        self._graph, self._look = folder / GRAPH, shape.looked_at
        if self._graph.exists():
            self._hnsw = self._open()

    def _open(self) -> Any:
        hnsw = faiss.read_index(str(self._graph), faiss.IO_FLAG_MMAP_IFC)
        self._operation = self._slots = hnsw.ntotal
        hnsw.hnsw.efSearch = EF
        return hnsw

    def optimize(self) -> None:
        hnsw = faiss.IndexHNSWFlat(self._index.d, M, faiss.METRIC_INNER_PRODUCT)
        hnsw.hnsw.efConstruction = EF_CONSTRUCT
        hnsw.add(
            faiss.rev_swig_ptr(self._index.get_xb(), self._index.ntotal * self._index.d).reshape(-1, self._index.d)
        )
        faiss.write_index(hnsw, str(self._graph))
        self._hnsw = self._open()

    def where(self, conditions: Conditions) -> npt.NDArray[np.int64]:
        with self._env.begin() as txn:
            payloads = (msgpack.unpackb(value[KEY:]) for _, value in txn.cursor(self._payloads))
            return np.flatnonzero(passing(payloads, conditions))

    def search(
        self, vector: npt.NDArray[np.float32], limit: int, where: npt.NDArray[np.int64] | None = None
    ) -> list[int]:
        index, params = self._plan(where)
        _, rows = index.search(normalised(vector[None]), min(limit, index.ntotal), params=params)
        ids = [row for row in rows[0].tolist() if row >= 0]
        assert self.retrieve(ids) == len(ids)
        return ids

    def _plan(self, rows: npt.NDArray[np.int64] | None) -> tuple[Any, Any]:
        if rows is None:
            return self._hnsw, None
        if len(rows) <= FLAT:
            return self._hnsw.storage, faiss.SearchParameters(sel=faiss.IDSelectorArray(rows))
        bits = np.zeros(self._hnsw.ntotal, dtype=bool)
        bits[rows] = True
        selector = faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))
        return self._hnsw, faiss.SearchParametersHNSW(sel=selector, efSearch=EF)

    def search_many(self, matrix: npt.NDArray[np.float32], limit: int) -> list[list[int]]:
        _, rows = self._hnsw.search(normalised(matrix), limit)
        return rows.tolist()

    def retrieve(self, ids: Sequence[int]) -> int:
        keys = [number.to_bytes(4, "big") for number in ids]
        with self._env.begin() as txn:
            return self._read(txn.cursor(self._payloads).getmulti(keys), look=True)

    def scroll(self, page: int, look: bool) -> int:
        """The pages are those of LMDB's cursor."""
        with self._env.begin() as txn:
            return self._read(txn.cursor(self._payloads), look)

    def _read(self, records: Iterable[tuple[bytes, bytes]], look: bool) -> int:
        found = 0
        for _, value in records:
            found += 1
            if look:
                msgpack.unpackb(value[KEY:])[self._look]
        return found
