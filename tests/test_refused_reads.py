"""Reads that fail for a moment, which concerns nobody else, or for good; and closing beside a write that fails."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import lmdb
import pytest
from collecting import DOT, Home
from optimizing import in_thread
from storing import MAP

from vecstore import Collection, StoreFailed
from vecstore.errors import CollectionClosed
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 30
POINTS = [{"id": n, "vector": [n, 1]} for n in range(5)]


class Refusing:
    """An LMDB environment that answers no read."""

    def __init__(self, env: Any, error: lmdb.Error) -> None:
        self._env, self._error = env, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def begin(self, **options: Any) -> Any:
        if options.get("write"):
            return self._env.begin(**options)
        raise self._error


def refuse(col: Collection, error: lmdb.Error) -> Environment:
    found: Environment = col._engine.store.environment
    found._env = Refusing(found._env, error)  # type: ignore[assignment]
    return found


def filled(home: Home) -> Collection:
    col = home.make(DOT)
    col.upsert(POINTS).result(PATIENCE)
    return col


FAILURES = [lmdb.ReadersFullError("mdb_txn_begin"), lmdb.Error("mdb_txn_begin: Input/output error")]


@pytest.mark.parametrize("error", FAILURES)
def test_writing_goes_on_and_so_does_reading_when_it_works_again(disk: Home, error: lmdb.Error) -> None:
    col = filled(disk)
    refusing = refuse(col, error)
    with pytest.raises(StoreFailed, match="mdb_txn_begin"):
        col.search([1, 0])
    col.upsert([{"id": 9, "vector": [9, 1]}]).result(PATIENCE)
    refusing._env = refusing._env._env
    assert len(col) == len(POINTS) + 1
    assert col.search([1, 0], limit=1)[0].id == 9
    assert col._engine.store.environment is refusing


NO_ROOM = """
import resource, sys
from pathlib import Path
from vecstore import Collection, StoreFailed, VectorParams, verify
from vecstore.storage import store
store.ON_DISK_MAP = 1 << 24
path, n = Path(sys.argv[1]), 0
col = Collection(path, vectors=VectorParams(2, "Dot"), durability="os")
col.upsert([{"id": 0, "vector": [9, 1]}]).result()
assert len(col.search([1, 0])) == 1
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (30 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
try:
    while n < 400:
        col.upsert([{"id": n + 1, "vector": [1, 2], "payload": {"text": "x" * (1 << 20)}}]).acknowledged()
        n += 1
except StoreFailed:
    print(n, len(col), col.search([1, 0], limit=1)[0].id)
col.close()
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
with Collection(path) as again:
    print(len(again), again.verify().ok)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS means something else there")
def test_reading_goes_on_where_the_map_cannot_grow_and_lmdb_has_none_any_more(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NO_ROOM, str(tmp_path / "col")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
    (acknowledged, seen, nearest), (kept, sound) = map(str.split, done.stdout.splitlines())
    assert nearest == "0"
    assert int(acknowledged) <= int(seen) <= int(kept) <= int(acknowledged) + 2
    assert sound == "True"


def test_closing_waits_for_a_write_that_fails(tmp_path: Path) -> None:
    inside, go = threading.Event(), threading.Event()

    def work(txn: Any) -> None:
        inside.set()
        assert go.wait(PATIENCE)
        raise ValueError("on purpose")

    env = Environment(tmp_path / "env", sync=False, map_size=MAP)
    writing = in_thread(lambda: env.write(work))
    assert inside.wait(PATIENCE)
    closing = in_thread(env.close)
    with env.read() as txn:  # it does not keep anybody from reading meanwhile
        assert txn.id() == 0
    assert not closing.done()
    go.set()
    with pytest.raises(ValueError, match="on purpose"):
        writing.result(PATIENCE)
    closing.result(PATIENCE)
    with pytest.raises(CollectionClosed), env.read():
        pass
