"""LMDB's map grows when a transaction fills it: whichever transaction that is, and whoever is reading then."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from optimizing import eventually, in_thread

from vecstore import Batch, Collection, HnswConfig, VectorParams, verify
from vecstore.engine import sealer
from vecstore.storage import store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 30
GRAPH = VectorParams(2, "Dot", HnswConfig(full_scan_threshold=0))
FIRST, MORE = 300, 200
FILTER = {"must": [{"key": "n", "range": {"gte": 10}}]}

READER = """
import sys
import numpy as np
from vecstore import Collection
col = Collection(sys.argv[1], read_only=True)
with col._view() as view:
    print(view.points.count(view.txn), flush=True)
    sys.stdin.readline()
    slots = np.arange(view.version.slots, dtype=np.uint32)
    print(view.points.count(view.txn), len(view.points.values(view.txn, slots)), flush=True)
for line in sys.stdin:
    print(len(col), len(col.search([1, 0], limit=10**4)), flush=True)
"""


def points(first: int, count: int) -> Batch:
    ids = list(range(first, first + count))
    return Batch(ids, np.array([[n, 1] for n in ids]), [{"n": n, "text": f"{n} " + "x" * 300} for n in ids])


@pytest.fixture
def col(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collection]:
    monkeypatch.setattr(store, "ON_DISK_MAP", 1 << 17)
    monkeypatch.setattr(sealer, "SEAL_BYTES", 2000)
    with Collection(tmp_path / "col", vectors=GRAPH, durability="os") as found:
        found.upsert(points(0, FIRST)).result(PATIENCE)
        found.optimize()
        yield found
    assert verify(tmp_path / "col").problems == ()


class Tightening:
    """Makes the map as small as what is in it. A chore: only on the writer's thread nothing is written meanwhile."""

    def __init__(self, col: Collection) -> None:
        self._environment, self._wanted, self._done = col._engine.store.environment, False, threading.Event()
        col._engine.writer._chores = [*col._engine.writer._chores, self]

    def after_turn(self, _: int) -> None:
        env = self._environment
        if self._wanted:
            self._wanted = False
            env.gate.alone(lambda: env._env.set_mapsize(env.used_bytes()), long_too=True)
            self._done.set()

    def now(self, col: Collection) -> int:
        """Do it; the size of the map."""
        self._done.clear()
        self._wanted = True
        col._engine.writer.queue.wake()
        assert self._done.wait(PATIENCE)
        return map_size(col)


def map_size(col: Collection) -> int:
    return int(col._engine.store.environment._env.info()["map_size"])


WRITES: dict[str, Callable[[Collection], Any]] = {
    "upsert": lambda col: col.upsert(points(FIRST, MORE)).result(PATIENCE),
    "index": lambda col: col.create_payload_index("text", "text").result(PATIENCE),
    "merge": lambda col: col.optimize(),
    "payloads": lambda col: col.set_payload({"m": "y" * 500}, {"filter": FILTER}).result(PATIENCE),
    "dropped index": lambda col: col.delete_payload_index("text").result(PATIENCE),
    "delete": lambda col: col.delete({"filter": FILTER}).result(PATIENCE),
}


def test_a_reader_of_another_process_keeps_pages_and_the_map_grows(col: Collection) -> None:
    """As long as it reads no page that it may read is used again."""
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(col._engine.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def say(what: str = "\n") -> list[int]:
        assert reader.stdin is not None
        assert reader.stdout is not None
        reader.stdin.write(what)
        reader.stdin.flush()
        return [int(word) for word in reader.stdout.readline().split()]

    with reader:
        assert say("") == [FIRST]
        grown, tightening = [], Tightening(col)
        for name, write in WRITES.items():
            before = tightening.now(col)
            in_thread(lambda write=write: write(col)).result(PATIENCE)
            grown += [name] if map_size(col) > before else []
        assert {"upsert", "index", "payloads", "delete"} <= set(grown)  # the merge may have been done before
        assert len(col) == 10
        assert say() == [FIRST, FIRST]
        assert say() == [10, 10]
        col.upsert(points(10, FIRST)).result(PATIENCE)
        assert say() == [10 + FIRST, 10 + FIRST]
        reader.communicate(timeout=PATIENCE)
    assert reader.returncode == 0


@pytest.mark.parametrize("write", ["upsert", "payloads"])
def test_reads_of_other_threads_are_waited_for_and_others_wait(col: Collection, write: str) -> None:
    gate = col._engine.store.environment.gate
    Tightening(col).now(col)
    reading = col._view()
    with reading:
        writing = in_thread(lambda: WRITES[write](col))
        eventually(lambda: gate.shut)
        other = in_thread(lambda: len(col.search([1, 0], filter=FILTER, limit=10**4)))
        assert reading.points.count(reading.txn) == FIRST
        assert not writing.done()
        assert not other.done()
    writing.result(PATIENCE)
    assert other.result(PATIENCE) in (FIRST - 10, FIRST + MORE - 10)
