"""UpdateFuture: every way to wait for it: callbacks, ``concurrent.futures``, asyncio, threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING, Any

import pytest
from collecting import contents, failure, held

from vecstore import (
    Collection,
    PointNotFound,
    PointStruct,
    UpdateFuture,
    UpdateResult,
    UpdateStatus,
    WouldWaitForItself,
)

if TYPE_CHECKING:
    from collecting import Home

ONE = [PointStruct(1, [1, 2])]


@pytest.mark.parametrize("is_early", [True, False])
def test_callbacks(is_early: bool, monkeypatch: pytest.MonkeyPatch, col: Collection) -> None:
    seen: list[Any] = []
    with held(monkeypatch) as go:
        good, bad = col.upsert(ONE), col.clear_payload([99])
        if not is_early:
            go()
            col.flush()
        for future in (good, bad):
            future.add_done_callback(lambda done: seen.append((done, done.exception())))
    col.flush()
    assert [done for done, _ in seen] == [good, bad]
    assert [type(error) for _, error in seen] == [type(None), PointNotFound]


def test_a_callback_that_raises_hurts_nobody(col: Collection, caplog: pytest.LogCaptureFixture) -> None:
    col.upsert(ONE).add_done_callback(lambda done: 1 / 0)
    assert col.upsert(ONE).result().operation_id == 2
    assert all(record.name == "concurrent.futures" for record in caplog.records)


def test_a_callback_may_write_and_read_but_not_wait(col: Collection) -> None:
    done: list[Any] = []

    def more(_: Any) -> None:
        future = col.upsert([PointStruct(2, [1, 2])])
        done.append((future, len(col), failure(future.result)))

    col.upsert(ONE).add_done_callback(more)
    col.flush()
    ((future, count, error),) = done
    assert count == 1
    assert isinstance(error, WouldWaitForItself)
    assert str(error) == "operation 2 cannot be waited for in a callback or in the middle of another"
    assert future.result().operation_id == 2


def test_concurrent_futures_wait_for_it(col: Collection) -> None:
    futures = [col.upsert([PointStruct(i, [1, 2])]) for i in range(10)] + [col.clear_payload([99])]
    finished, left = concurrent.futures.wait(futures, timeout=30)
    assert (finished, left) == (set(futures), set())
    assert len(list(concurrent.futures.as_completed(futures, timeout=30))) == 11
    first = concurrent.futures.wait([col.clear_payload([99])], return_when=concurrent.futures.FIRST_EXCEPTION)
    assert isinstance(first.done.pop().exception(), PointNotFound)
    assert isinstance(futures[-1].exception(), PointNotFound)


def test_it_can_be_awaited(home: Home) -> None:
    col = home.make()

    async def work() -> list[Any]:
        first = await col.upsert(ONE)
        several = await asyncio.gather(*(col.upsert([PointStruct(i, [1, 2])]) for i in range(5)))
        (in_batch,) = await col.batch([{"delete": {"points": [4]}}])
        with pytest.raises(PointNotFound):
            await col.clear_payload([99])
        return [first, *several, in_batch]

    results = asyncio.run(work())
    assert results == [UpdateResult(number, UpdateStatus.COMPLETED) for number in range(1, 8)]
    assert sorted(contents(home.seen(col))) == [0, 1, 2, 3]


def test_awaiting_with_a_timeout_cancels_only_the_waiting(monkeypatch: pytest.MonkeyPatch, col: Collection) -> None:
    async def work(future: UpdateFuture[Any]) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(future), 0.01)

    with held(monkeypatch):
        future = col.upsert(ONE)
        asyncio.run(work(future))
        assert not future.cancelled()
    assert future.result().status is UpdateStatus.COMPLETED


def test_many_threads_wait_for_one(monkeypatch: pytest.MonkeyPatch, col: Collection) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool, held(monkeypatch) as go:
        future = col.upsert(ONE)
        waiting = [pool.submit(future.result) for _ in range(4)] + [pool.submit(future.acknowledged) for _ in range(4)]
        go()
        assert {one.result(30).operation_id for one in waiting} == {1}
