"""Reads that fail for a moment, which concerns nobody else; and closing beside a write that fails."""

from __future__ import annotations

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
