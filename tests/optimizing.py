"""What the tests of the optimizer share: points to compare with, builds that wait, and calls that may not end."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np
from brute_force import best
from collecting import Home, contents

from vecstore import Batch, Distance, HnswConfig, PointVectors, VectorParams
from vecstore.engine.optimizer import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from vecstore import Collection

SIZE = 4
GRAPH = VectorParams(SIZE, Distance.DOT, HnswConfig(full_scan_threshold=1))  # from 64 rows on
FLAT = VectorParams(SIZE, Distance.DOT)
PATIENCE = 10
EXACT = {"exact": True}


class Gate:
    """Builds stop at their first look up, until the gate is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self._open = threading.Event(), threading.Event()
        look_up = Optimizer._look_up

        def wait(optimizer: Optimizer) -> bool:
            self.reached.set()
            assert self._open.wait(PATIENCE)
            return look_up(optimizer)

        monkeypatch.setattr(Optimizer, "_look_up", wait)

    def wait(self) -> None:
        assert self.reached.wait(PATIENCE)

    def open(self) -> None:
        self._open.set()


class Points:
    """The same points in a dict: what every read is compared with."""

    def __init__(self, scale: int = 5) -> None:
        self.rows: dict[int, list[float]] = {}
        self.rng = np.random.default_rng(3)
        self.scale = scale

    def _new(self, numbered: range) -> Any:
        matrix = self.rng.integers(-self.scale, self.scale + 1, (len(numbered), SIZE)).astype(float)
        self.rows.update(zip(numbered, matrix.tolist(), strict=True))
        return matrix

    def upsert(self, col: Collection, numbered: range) -> None:
        col.upsert(Batch(list(numbered), self._new(numbered))).result(PATIENCE)

    def update(self, col: Collection, numbered: range) -> None:
        matrix = self._new(numbered)
        points = [PointVectors(i, row) for i, row in zip(numbered, matrix, strict=True)]
        col.update_vectors(points).result(PATIENCE)

    def delete(self, col: Collection, numbered: range) -> None:
        col.delete(list(numbered)).result(PATIENCE)
        for i in numbered:
            del self.rows[i]

    def check(self, col: Collection) -> None:
        """The collection holds these points, finds them, and no others."""
        assert contents(col) == {i: ({}, self.rows[i]) for i in sorted(self.rows)}
        numbered, matrix = list(self.rows), np.array([*self.rows.values()]).reshape(-1, SIZE)
        for query, limit in zip(self.rng.integers(-5, 6, (3, SIZE)), (1, 10, 1000), strict=True):
            ranked = best(numbered, matrix, query, Distance.DOT, len(numbered))
            assert pairs(col.search(query, limit=limit, params=EXACT)) == ranked[:limit]
            hits = pairs(col.search(query, limit=limit))
            assert set(hits) <= set(ranked)
            assert len(set(hits)) == len(hits) == min(limit, len(ranked))


def pairs(hits: Any) -> list[tuple[Any, float]]:
    return [(hit.id, hit.score) for hit in hits]


def in_thread(work: Callable[[], Any]) -> Future[Any]:
    """What becomes of ``work`` in a thread of its own, which nobody has to wait for."""
    future: Future[Any] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - for the one who waits
            future.set_exception(error)

    threading.Thread(target=do, daemon=True).start()
    return future


def optimized(col: Collection) -> Collection:
    in_thread(col.optimize).result(PATIENCE)
    return col


def rows(col: Collection, name: str = "") -> tuple[int, int, int, int]:
    """Sealed segments, live, dead and open rows."""
    info = col.info().vectors[name]
    return info.segments, info.live_rows, info.dead_rows, info.open_rows


def methods(col: Collection) -> list[str]:
    return [part.method for part in col.explain([1] * SIZE).parts]


def eventually(what: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


def is_sealed(col: Collection) -> bool:
    """Whether all rows are in files, after another turn of the writer."""
    col.delete([2**63]).result(PATIENCE)
    return rows(col)[3] == 0


def files(home: Home | Path) -> set[str]:
    folder = home.path if isinstance(home, Home) else home
    return {path.name for path in (folder / "segments").iterdir()}
