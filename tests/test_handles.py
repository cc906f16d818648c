"""Handles: several on one collection, callbacks that use them, and closing them."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any

import lives
import pytest

from vecstore import Collection, CollectionClosed, ConfigMismatch, VectorParams, futures
from vecstore.engine import recovery
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore import UpdateFuture

PATIENCE = 30
DOT = VectorParams(2, "Dot")


def upsert(col: Collection, point_id: int) -> UpdateFuture[Any]:
    return col.upsert([{"id": point_id, "vector": [point_id, 1], "payload": {"n": point_id}}])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "col"


# -- handles ------------------------------------------------------------------------------------------------


def test_two_handles_are_one_collection(path: Path) -> None:
    one = Collection(path, vectors=DOT)
    two = Collection(os.path.join(path.parent, ".", "col"), vectors=DOT)
    upsert(one, 1).result(PATIENCE)
    assert two.get(1) is not None
    assert upsert(two, 2).operation_id == 2
    one.close()
    one.close()
    with pytest.raises(CollectionClosed):
        upsert(one, 3)
    upsert(two, 3).result(PATIENCE)
    assert len(two) == 3
    assert lives.run(lives.TRY, path) == f"{os.getpid()} True"
    two.close()
    assert lives.run(lives.TRY, path) == "free"


def test_handles_that_disagree(path: Path) -> None:
    with Collection(path, vectors=DOT, durability="os") as col:
        with pytest.raises(ConfigMismatch):
            Collection(path, durability="fsync")
        with pytest.raises(ConfigMismatch):
            Collection(path, vectors=VectorParams(3, "Dot"))
        upsert(col, 1).result(PATIENCE)


def test_a_folder_that_is_replaced_is_another_collection(path: Path) -> None:
    old = Collection(path, vectors=DOT)
    upsert(old, 1).result(PATIENCE)
    shutil.rmtree(path)
    new = Collection(path, vectors=DOT)
    assert len(new) == 0
    upsert(new, 2).result(PATIENCE)
    old.close()
    new.close()
    with Collection(path) as again:
        assert [record.id for record in again.scroll()[0]] == [2]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="there is no telling which files are open")
def test_opening_and_closing_leaves_no_descriptors_and_threads(path: Path) -> None:
    # In a process of its own: here collections that other tests have dropped are closed meanwhile.
    program = """
    for n in range(6):
        with Collection(sys.argv[1], vectors=DOT) as col, Collection(vectors=DOT) as private:
            upsert(col, n).result()
            upsert(private, n).result()
        try: Collection(sys.argv[1], vectors=VectorParams(3, "Dot")); sys.exit("a mismatch was not refused")
        except ConfigMismatch: gc.collect()
        print(len(os.listdir("/proc/self/fd")), threading.active_count())
    """
    counts = lives.run(program, path).splitlines()
    assert counts[2:] == [counts[2]] * 4


@pytest.mark.parametrize("closed", [False, True])
def test_what_is_collected_at_the_end_of_the_interpreter_may_close(path: Path, closed: bool) -> None:
    program = f"""
    class Index:
        def __init__(self): self.col = Collection(sys.argv[1], vectors=DOT)
        def __del__(self): self.col.close()
    index = Index()
    upsert(index.col, 1)
    if {closed}: index.col.close()
    """
    assert lives.run(program, path) == ""
    with Collection(path) as col:
        assert len(col) == 1


def test_operations_that_are_written_in_the_middle_of_a_write_have_their_own_numbers(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the garbage collector and signal handlers may do it."""
    single, inner = futures.single_future, list[Any]()
    with Collection(path, vectors=DOT) as col:

        def nested(*args: Any) -> Any:
            if not inner:
                inner.append(None)
                inner[0] = upsert(col, 2)
            return single(*args)

        monkeypatch.setattr(futures, "single_future", nested)
        outer = upsert(col, 1)
        assert [future.result(PATIENCE).operation_id for future in (inner[0], outer)] == [1, 2]
        assert len(col) == 2


# -- callbacks ----------------------------------------------------------------------------------------------


def test_callbacks_may_write_read_close_and_open(path: Path) -> None:
    col, done = Collection(path, vectors=DOT), threading.Event()
    seen: list[Any] = []

    def callback(_: object) -> None:
        upsert(col, 2)
        seen.append(len(col))
        with Collection(path.with_name("other"), vectors=DOT) as other:
            seen.append(upsert(other, 1).result(PATIENCE).status.value)
        done.set()

    upsert(col, 1).add_done_callback(callback)
    assert done.wait(PATIENCE)
    col.close()
    assert seen == [1, "completed"]
    with Collection(path) as again:
        assert len(again) == 2


def test_a_callback_while_another_thread_closes(path: Path) -> None:
    """Neither waits for the other."""
    col, inside = Collection(path, vectors=DOT), threading.Event()

    def callback(_: object) -> None:
        inside.set()
        Collection(path.with_name("other"), vectors=DOT).close()

    upsert(col, 1).add_done_callback(callback)
    assert inside.wait(PATIENCE)
    col.close()


def test_waiting_in_a_callback_is_refused(path: Path) -> None:
    errors: list[BaseException] = []
    with Collection(path, vectors=DOT) as col:

        def callback(_: object) -> None:
            for wait in (col.flush, upsert(col, 2).result):
                try:
                    wait()
                except BaseException as error:  # noqa: BLE001 - looked at below
                    errors.append(error)

        upsert(col, 1).add_done_callback(callback)
        col.flush()
    assert [type(error).__name__ for error in errors] == ["WouldWaitForItself"] * 2


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_a_callback_that_raises_harms_nobody(path: Path, error: type[BaseException]) -> None:
    def callback(_: object) -> None:
        raise error

    with Collection(path, vectors=DOT) as col:
        futures = [upsert(col, n) for n in range(20)]
        others: list[object] = []
        for future in futures:
            future.add_done_callback(callback)
            future.add_done_callback(others.append)
        assert {future.result(PATIENCE).status.value for future in futures} == {"completed"}
        col.flush()
        assert len(others) == len(col) == 20


def test_futures_can_be_awaited(path: Path) -> None:
    async def work(col: Collection) -> list[Any]:
        return await asyncio.wait_for(asyncio.gather(*(upsert(col, n) for n in range(50))), PATIENCE)

    with Collection(path, vectors=DOT) as col:
        assert [result.operation_id for result in asyncio.run(work(col))] == list(range(1, 51))


# -- closing ------------------------------------------------------------------------------------------------


def test_an_interrupted_close_can_be_repeated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    col = Collection(path, vectors=DOT)
    upsert(col, 1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            col.close()
    col.close()
    assert lives.run(lives.TRY, path) == "free"


def test_closing_completes_what_is_queued_and_refuses_what_comes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    col, real = Collection(path, vectors=DOT), Environment.write
    gate = threading.Event()
    monkeypatch.setattr(Environment, "write", lambda env, work: gate.wait() and real(env, work))
    futures = [upsert(col, n) for n in range(100)]
    closing = threading.Thread(target=col.close)
    closing.start()
    while not col._engine.writer.queue.closing:
        closing.join(0.01)
    with pytest.raises(CollectionClosed):
        upsert(col, 100)
    gate.set()
    closing.join(PATIENCE)
    assert all(future.done() and future.exception() is None for future in futures)
    with Collection(path) as again:
        assert len(again) == 100


def test_a_failed_opening_lets_go_of_everything(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Collection(path, vectors=DOT).close()
    with monkeypatch.context() as patch:
        patch.setattr(recovery, "recover", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Collection(path)
    assert lives.run(lives.TRY, path) == "free"
    Collection(path).close()
