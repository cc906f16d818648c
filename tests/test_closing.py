"""Closing with a timeout: who is waited for, what everybody is told, and what is there at the next open."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

import pytest
from collecting import DOT, contents, held
from optimizing import Gate as BuildGate
from optimizing import eventually, in_thread

from vecstore import (
    AsyncCollection,
    Collection,
    CollectionClosed,
    HnswConfig,
    InvalidRequest,
    InvalidType,
    VectorParams,
    verify,
)
from vecstore.engine import builder, queue, registry, writer
from vecstore.storage.environment import Environment
from vecstore.storage.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vecstore import UpdateFuture

PATIENCE = 30
FOR_EVER = 1e9


def upsert(col: Collection, point_id: int) -> UpdateFuture[Any]:
    return col.upsert([{"id": point_id, "vector": [point_id, 1], "payload": {"n": point_id}}])


def check_reopened(path: Path, ids: list[int], highest: int) -> None:
    """These points are there, and nothing is wrong; no operation id is given out again."""
    with Collection(path) as col:
        assert contents(col) == {i: ({"n": i}, [i, 1]) for i in ids}
        assert col.delete([0]).result(PATIENCE).operation_id > highest
    assert verify(path).ok


@pytest.fixture
def path(tmp_path: Path, errors_logged: list[str]) -> Iterator[Path]:
    yield tmp_path / "col"
    # Operations that nobody has asked for are logged when they are collected: now, and not in a later test.
    logged = list(errors_logged)
    gc.collect()
    errors_logged[:] = logged


def test_who_is_not_waited_for_is_told_what_became_of_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GROUP_BYTES", 1)  # one operation is logged in a turn
    col = Collection(path, vectors=DOT)
    upsert(col, 1).result(PATIENCE)
    with held(monkeypatch, commits=1) as go:
        acknowledged, logging, *queued = (upsert(col, n) for n in (2, 3, 4, 5))
        acknowledged.acknowledged(PATIENCE)
        closing = in_thread(lambda: col.close(0.01))
        for future in queued:  # told at once, though a transaction is under way
            check_told(future, "was not done")
        assert not closing.done()
        go()
        closing.result(PATIENCE)
    assert acknowledged.result(0).operation_id == 2  # the transaction that logged the next has applied it
    check_told(logging, "was acknowledged; it will be applied at the next open")
    assert logging.acknowledged(0).operation_id == 3
    check_reopened(path, [1, 2, 3], queued[-1].operation_id)


def check_told(future: UpdateFuture[Any], what: str) -> None:
    error = future.exception(PATIENCE)
    assert isinstance(error, CollectionClosed)
    assert what in str(error)


@pytest.mark.parametrize("timeout", [None, FOR_EVER, math.inf, 10**400])
def test_what_is_waited_for_is_completed(path: Path, monkeypatch: pytest.MonkeyPatch, timeout: float | None) -> None:
    col = Collection(path, vectors=DOT)
    with held(monkeypatch) as go:
        futures = [upsert(col, n) for n in range(100)]
        closing = in_thread(lambda: col.close(timeout))
        eventually(lambda: col._engine.writer.queue.closing)
        assert not any(future.done() for future in futures)
        go()
        closing.result(PATIENCE)
    assert [future.result(0).operation_id for future in futures] == list(range(1, 101))
    check_reopened(path, list(range(100)), 100)


def test_no_time_is_enough_where_nothing_is_left_to_do(path: Path) -> None:
    col = Collection(path, vectors=DOT)
    upsert(col, 1).result(PATIENCE)
    col.flush()
    col.close(timeout=0)
    with Collection(path) as again:
        assert upsert(again, 2).operation_id == 2  # it was noted which ids were given out


@pytest.mark.parametrize(
    ("timeout", "error"), [(-1, InvalidRequest), (math.nan, InvalidRequest), ("1", InvalidType), (True, InvalidType)]
)
def test_a_timeout_is_a_number_of_seconds(path: Path, timeout: Any, error: type[Exception]) -> None:
    with Collection(path, vectors=DOT) as col:
        with pytest.raises(error, match="timeout"):
            col.close(timeout)
        upsert(col, 1).result(PATIENCE)


def test_only_the_last_handle_waits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    col, other = Collection(path, vectors=DOT), Collection(path)
    with held(monkeypatch) as go:
        first = upsert(col, 1)
        col.close(timeout=0)  # returns, and takes nothing away from what it wrote
        second = upsert(other, 2)
        go()
        assert [first.result(PATIENCE).operation_id, second.result(PATIENCE).operation_id] == [1, 2]
    other.close(timeout=0)
    check_reopened(path, [1, 2], 2)


def test_those_who_wait_for_room_are_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "QUEUE_BYTES", 1000)
    col = Collection(path, vectors=DOT)
    with held(monkeypatch) as go:
        queued: list[Any] = []
        producer = in_thread(lambda: queued.extend(upsert(col, n) for n in range(10)))
        eventually(lambda: col._engine.writer.queue._weight >= 1000)
        closing = in_thread(lambda: col.close(0.01))
        assert isinstance(producer.exception(PATIENCE), CollectionClosed)
        go()
        closing.result(PATIENCE)
    with Collection(path) as again:
        assert len(again) < 10


def test_an_index_that_is_not_waited_for_is_built_at_the_next_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder.IndexBuilder, "_built", lambda _, __, catalog: catalog)  # it never gets on
    monkeypatch.setattr(builder, "IDLE_SECONDS", 0)
    col = Collection(path, vectors=DOT)
    upsert(col, 1).result(PATIENCE)
    index = col.create_payload_index("n", "integer")
    index.acknowledged(PATIENCE)
    eventually(lambda: "n" in col.info().payload_schema)
    in_thread(lambda: col.close(0.01)).result(PATIENCE)
    check_told(index, "the index of 'n' is built when the collection is opened again")
    monkeypatch.undo()
    with Collection(path) as again:
        eventually(lambda: again.info().payload_schema["n"].ready)
        assert again.count({"must": [{"key": "n", "range": {"gte": 1}}]}) == 1


def test_a_merge_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    col = Collection(path, vectors=VectorParams(2, "Dot", HnswConfig(full_scan_threshold=1)))
    for n in range(200):
        upsert(col, n)
    gate = BuildGate(monkeypatch)
    optimizing = in_thread(col.optimize)
    gate.wait()
    closing = in_thread(lambda: col.close(0))
    eventually(lambda: col._engine._optimizer._over)
    gate.open()
    closing.result(PATIENCE)
    assert isinstance(optimizing.exception(PATIENCE), CollectionClosed)
    check_reopened(path, list(range(200)), 200)


def test_flush_beside_a_closing_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    col = Collection(path, vectors=DOT)
    with held(monkeypatch) as go:
        futures = [upsert(col, n) for n in range(5)]
        flushing = in_thread(col.flush)
        closing = in_thread(lambda: col.close(0.01))
        eventually(lambda: col._engine.writer.queue.given_up)
        go()
        wait([flushing, closing], PATIENCE)
    assert flushing.done()
    assert closing.exception(0) is None
    assert {type(future.exception(0)) for future in futures} <= {type(None), CollectionClosed}
    there = [n for n, future in enumerate(futures) if future._is_acknowledged]
    check_reopened(path, there, 5)


def test_closing_in_a_callback_does_not_wait(path: Path) -> None:
    col = Collection(path, vectors=DOT)
    upsert(col, 1).add_done_callback(lambda _: col.close(timeout=5))
    eventually(lambda: path not in registry._engines)
    check_reopened(path, [1], 1)


# -- asyncio ------------------------------------------------------------------------------------------------


def test_asyncio_gives_up_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also writes that have not found room in the queue, and those that were never tried."""
    monkeypatch.setattr(queue, "QUEUE_BYTES", 1000)

    async def use() -> list[Any]:
        col = await AsyncCollection(path, vectors=DOT)
        with held(monkeypatch) as go:
            writes = [col.upsert([{"id": n, "vector": [n, 1], "payload": {"n": n}}]) for n in range(20)]
            closing = asyncio.ensure_future(col.close(timeout=0.05))
            last = (await asyncio.gather(writes[-1], return_exceptions=True))[0]
            assert isinstance(last, CollectionClosed)
            go()
            await closing
        return list(await asyncio.gather(*writes[:-1], return_exceptions=True))

    told = asyncio.run(asyncio.wait_for(use(), PATIENCE))
    assert any(isinstance(one, CollectionClosed) for one in told)
    assert all(isinstance(one, CollectionClosed) or one.operation_id for one in told)
    with Collection(path) as again:
        there = list(contents(again))
    assert there == list(range(len(there)))
    assert len(there) >= sum(not isinstance(one, CollectionClosed) for one in told)


def test_asyncio_completes_what_it_waits_for(path: Path) -> None:
    async def use() -> list[Any]:
        col = await AsyncCollection(path, vectors=DOT)
        writes = [col.upsert([{"id": n, "vector": [n, 1], "payload": {"n": n}}]) for n in range(20)]
        await col.close(timeout=PATIENCE)
        with pytest.raises(InvalidRequest):
            await col.close(timeout=-1)
        return list(await asyncio.gather(*writes))

    assert [one.operation_id for one in asyncio.run(use())] == list(range(1, 21))
    check_reopened(path, list(range(20)), 20)


# -- closing that was interrupted ---------------------------------------------------------------------------


class Stop(BaseException):
    """As a KeyboardInterrupt, and nothing else raises it."""


@pytest.mark.parametrize("again", ["close", "open"])
@pytest.mark.parametrize("where", ["join", "close", "lock"])
def test_an_interrupted_closing_can_be_finished(
    path: Path, monkeypatch: pytest.MonkeyPatch, where: str, again: str
) -> None:
    col = Collection(path, vectors=DOT)
    future = upsert(col, 1)
    owner, name = {
        "join": (threading.Thread, "join"),
        "close": (Environment, "close"),
        "lock": (type(col._engine._lock), "release"),
    }[where]

    def interrupted(*_: object) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupted)
        with pytest.raises(Stop):
            col.close()
    future.result(PATIENCE)
    with pytest.raises(CollectionClosed):
        upsert(col, 2)
    if where == "join":
        assert len(col) == 1
    if again == "close":
        col.close()
    check_reopened(path, [1], 1)
    with pytest.raises(CollectionClosed):
        len(col)
    col.close()


def test_a_reader_whose_closing_was_interrupted_can_be_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Collection(path, vectors=DOT) as col:
        upsert(col, 1).result(PATIENCE)
    reader = Collection(path, read_only=True)
    assert len(reader) == 1

    def interrupted(*_: object, **__: object) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Gate, "alone", interrupted)
        with pytest.raises(Stop):
            reader.close()
    reader.close()
    check_reopened(path, [1], 1)
