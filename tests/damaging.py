"""Damage: a collection with everything in it, and ways to spoil one thing in what is kept of it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
from collecting import contents

from vecstore import Batch, Collection, Distance, HnswConfig, VectorParams, requests
from vecstore.encoding import pack
from vecstore.operations import encoded
from vecstore.storage import graph
from vecstore.storage.meta import guarded
from vecstore.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    Work = Callable[[Store, Any], Any]

HNSW = HnswConfig(full_scan_threshold=1)
VECTORS = {"a": VectorParams(8, Distance.DOT, HNSW), "b": VectorParams(2, Distance.EUCLID, HNSW)}
"""The graph of ``a`` has its rows in a file beside it, that of ``b`` holds them itself."""
UUIDS = [f"00000000-0000-0000-0000-0000000000{n:02d}" for n in range(10, 20)]
INDEXES = (("n", "integer"), ("text", "text"), ("at", "datetime"), ("where", "geo"), ("list[]", "keyword"))
RNG = np.random.default_rng(5)


def with_both_graphs(patch: pytest.MonkeyPatch) -> None:
    """Vectors of 8 dimensions get graphs that do not hold the rows."""
    patch.setattr(graph, "SQ8_FROM", 8)
    patch.setattr(graph, "ORDER_KEPT", 0.0)  # however few rows there are to judge by


def points(ids: list[Any], shift: int = 0) -> Batch:
    n = len(ids)
    vectors = {name: RNG.integers(-9, 10, (n, p.size)).astype(np.float32) for name, p in VECTORS.items()}
    return Batch(ids, vectors, [payload(i + shift) for i in range(n)])


def payload(n: int) -> dict[str, Any]:
    if n % 5 == 0:
        return {}
    where = {"lon": n % 90, "lat": n % 45}
    return {
        "n": n,
        "text": f"a text of {n} words",
        "at": f"20{n % 80:02d}-01-01",
        "where": where,
        "list": ["x" * n, n % 3],
    }


def fill(col: Collection) -> None:
    """Points in files with graphs, dead rows there, rows in the journal, payload indexes."""
    col.upsert(points([*range(200), *UUIDS])).result()
    for field, kind in INDEXES:
        col.create_payload_index(field, kind).result()
    col.optimize()
    col.upsert(points([*range(190, 260)], shift=7)).result()
    col.delete([*range(10), UUIDS[0]]).result()
    col.delete_vectors(["b"], [20, 21, 230]).result()
    col.set_payload({"n": 1000}, [30, 31, 240]).result()


def make(path: Path) -> dict[Any, Any]:
    """A collection at ``path``, closed, with one operation in its log; what is in it without that."""
    col = Collection(path, vectors=VECTORS)
    fill(col)
    found = contents(col)
    col.close()
    change(path, lambda store, txn: log(store, txn, requests.parse_delete([100])))
    return found


def log(store: Store, txn: Any, operation: Any) -> int:
    """Log an operation as the next one, as a writer that is killed leaves it."""
    number = store.meta.number(txn, b"applied") + 1
    store.log.append(txn, number, encoded(operation))
    store.meta.put_number(txn, b"reserved", number + 1)
    return number


def copy(path: Path, target: Path) -> Path:
    shutil.copytree(path, target)
    return target


class OpenStore(Store):
    """A store whose databases can be had by name."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        super().__init__(path / "store", sync=False, readonly=readonly)
        self.databases = {
            name: self.environment.database(name, duplicates=name in (b"index", b"numbers"), new=False)
            for name in (b"meta", b"wal", b"points", b"payloads", b"journal", b"index", b"numbers")
        }


def change(path: Path, work: Work) -> Any:
    """Change the store of a closed collection, by going around everything that would not allow it."""
    store = OpenStore(path)
    try:
        return store.environment.write(lambda txn: work(store, txn))
    finally:
        store.environment.close()


def look(path: Path, work: Work) -> Any:
    """Read from the store of a closed collection."""
    store = OpenStore(path, readonly=True)
    try:
        with store.environment.read() as txn:
            return work(store, txn)
    finally:
        store.environment.close()


def database(store: Store, name: bytes) -> Any:
    assert isinstance(store, OpenStore)
    return store.databases[name]


def put(name: bytes, key: bytes, value: bytes | None) -> Work:
    """Put, or with None delete, one value."""

    def work(store: Store, txn: Any) -> None:
        db = database(store, name)
        assert txn.delete(key, db=db) if value is None else txn.put(key, value, db=db)

    return work


def rows_of(store: Store, txn: Any, name: bytes) -> list[tuple[bytes, bytes]]:
    with txn.cursor(db=database(store, name)) as cursor:
        return list(cursor)


def flip(path: Path, bit: int) -> None:
    """Turn one bit of a file."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def segment_file(path: Path, field: int, suffix: str) -> Path:
    (found,) = (path / "segments").glob(f"*.{field}.{suffix}")
    return found


def set_manifest(store: Store, txn: Any, rows: Any) -> None:
    txn.put(b"manifest", guarded(pack(rows)), db=database(store, b"meta"))


def remove(path: Path) -> None:
    shutil.rmtree(path)


def files(path: Path) -> list[Path]:
    return list((path / "segments").iterdir())
