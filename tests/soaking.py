"""Churn: a collection whose points are written, changed and deleted again and again, and what that costs."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import sys
import threading
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vecstore import Batch, Collection
from vecstore.engine import sealer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vecstore import UpdateFuture

    Json = dict[str, Any]

POINTS, SIZE = 1500, 16
HNSW = {"full_scan_threshold": 20}  # kilobytes: 320 rows have a graph
VECTORS = {name: {"size": SIZE, "distance": "Cosine", "hnsw_config": HNSW} for name in ("image", "text")}
UNDER_WAY = 500
"""Operations that may wait at a time."""
WORDS = ["amber", "blue", "coral", "dun", "ecru"]


@dataclass(frozen=True)
class Cost:
    """What a closed collection takes on disk and this process has, in bytes, descriptors and threads."""

    disk: int
    memory: int
    descriptors: int
    threads: int

    def __str__(self) -> str:
        disk, memory, descriptors, threads = astuple(self)
        return f"{disk / 1e6:6.2f} MB on disk, {memory / 1e6:5.0f} MB of memory, {descriptors} files, {threads} threads"


def cost(path: Path) -> Cost:
    """Where the system does not tell, nothing is said to be used.

    Memory is what is this process's own and not free: how much more the allocator keeps is not ours to say.
    """
    while gc.collect():  # a map goes when the array that is in it has gone
        pass
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    disk = sum(os.stat(found).st_blocks * 512 for found in path.rglob("*") if found.is_file())
    own = Path("/proc/self")
    if not own.exists():
        return Cost(disk, 0, 0, threading.active_count())
    anonymous = next(line for line in (own / "status").read_text().splitlines() if line.startswith("RssAnon"))
    descriptors = len(list((own / "fd").iterdir()))
    return Cost(disk, 1024 * int(anonymous.split()[1]), descriptors, threading.active_count())


@contextmanager
def small_segments(bytes_: int = 1 << 18) -> Iterator[None]:
    """Journals end after so many bytes, so that segments are written, merged and deleted all the time."""
    before, sealer.SEAL_BYTES = sealer.SEAL_BYTES, bytes_
    try:
        yield
    finally:
        sealer.SEAL_BYTES = before


class Churn:
    """Operations on a fixed set of ids, and a shadow of what they should leave behind."""

    def __init__(self, path: Path, seed: int = 0) -> None:
        self.path = path
        self.random, self.rows = random.Random(seed), np.random.default_rng(seed)
        self.payloads: dict[int, Json] = {}
        self.done = 0

    def round(self, operations: int) -> Cost:
        """Open, write, look at everything, close."""
        with Collection(self.path, vectors=VECTORS, durability="os") as col:
            waiting = [] if self.payloads else [self._put(col, list(range(POINTS)))]
            for _ in range(operations):
                waiting.append(self._one(col))
                if len(waiting) == UNDER_WAY:
                    _wait(waiting)
            _wait(waiting)
            self.done += operations
            self._look(col)
            col.optimize()  # how far behind its background work is, is the machine's doing
        return cost(self.path)

    def _one(self, col: Collection) -> UpdateFuture[Any]:
        kind = self.random.choices(
            (self._upsert, self._delete, self._change, self._change_some, self._overwrite, self._moves, self._removes),
            (30, 10, 25, 1, 15, 15, 4),
        )[0]
        return kind(col)

    def _ids(self, most: int) -> list[int]:
        return self.random.sample(range(POINTS), self.random.randint(1, most))

    def _there(self, most: int) -> list[int]:
        """Ids of points; all are written before anything else is done."""
        return self.random.sample(list(self.payloads), self.random.randint(1, most))

    def _payload(self) -> Json:
        text = " ".join(self.random.choices(WORDS, k=self.random.randint(0, 40)))
        return {"n": self.random.randint(0, 9), "word": self.random.choice(WORDS), "text": text}

    def _vectors(self, count: int) -> Any:
        return self.rows.standard_normal((count, SIZE), dtype=np.float32)

    def _upsert(self, col: Collection) -> UpdateFuture[Any]:
        return self._put(col, self._ids(10))

    def _put(self, col: Collection, ids: list[int]) -> UpdateFuture[Any]:
        payloads = [self._payload() for _ in ids]
        self.payloads.update(zip(ids, payloads, strict=True))
        vectors = {name: self._vectors(len(ids)) for name in VECTORS}
        return col.upsert(Batch(ids, vectors, payloads))

    def _delete(self, col: Collection) -> UpdateFuture[Any]:
        ids = self._ids(10)
        for gone in ids:
            self.payloads.pop(gone, None)
        return col.delete(ids)

    def _change(self, col: Collection) -> UpdateFuture[Any]:
        ids, change = self._there(5), {"n": self.random.randint(0, 9)}
        for i in ids:
            self.payloads[i] = {**self.payloads[i], **change}
        return col.set_payload(change, ids)

    def _change_some(self, col: Collection) -> UpdateFuture[Any]:
        old, new = self.random.randint(0, 9), self.random.randint(0, 9)
        for i, payload in self.payloads.items():
            if payload["n"] == old:
                self.payloads[i] = {**payload, "n": new}
        return col.set_payload({"n": new}, {"must": [{"key": "n", "match": {"value": old}}]})

    def _overwrite(self, col: Collection) -> UpdateFuture[Any]:
        ids, payload = self._there(3), self._payload()
        self.payloads.update(dict.fromkeys(ids, payload))
        return col.overwrite_payload(payload, ids)

    def _moves(self, col: Collection) -> UpdateFuture[Any]:
        ids = self._there(5)
        points = [{"id": i, "vector": {"image": row}} for i, row in zip(ids, self._vectors(len(ids)), strict=True)]
        return col.update_vectors(points)

    def _removes(self, col: Collection) -> UpdateFuture[Any]:
        return col.delete_vectors(["text"], self._there(3))

    def _look(self, col: Collection) -> None:
        records, rest = col.scroll(limit=2 * POINTS)
        assert rest is None
        assert {record.id: record.payload for record in records} == self.payloads
        for number in range(10):
            hits = col.search(self._vectors(1)[0], using="image", limit=5, filter=_is(number))
            assert len(hits) == min(5, sum(payload["n"] == number for payload in self.payloads.values()))


def _is(number: int) -> Json:
    return {"must": [{"key": "n", "match": {"value": number}}]}


def _wait(waiting: list[UpdateFuture[Any]]) -> None:
    for future in waiting:
        future.result()
    waiting.clear()
