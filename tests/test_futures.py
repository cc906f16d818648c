"""UpdateFuture: both moments of an operation, how it is waited for, and what happens when nobody does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import logging
import shutil
import threading
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from collecting import contents, fill

from vecstore import (
    Collection,
    CollectionClosed,
    InvalidRequest,
    PointNotFound,
    PointStruct,
    UpdateFuture,
    UpdateResult,
    UpdateStatus,
    VecstoreError,
    WouldWaitForItself,
)
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collecting import Home

ONE = [PointStruct(1, [1, 2])]
REFUSED = {"clear_payload": {"points": [99]}}


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch, commits: int = 0) -> Iterator[Callable[[], None]]:
    """The writer waits before its next transaction but ``commits``, until the function is called or this ends."""
    write, go, left = Environment.write, threading.Event(), [commits]

    def waiting(environment: Environment, work: Callable[[Any], Any]) -> Any:
        if not left[0]:
            go.wait(30)
        left[0] = max(0, left[0] - 1)
        return write(environment, work)

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "write", waiting)
        try:
            yield go.set
        finally:
            go.set()


def test_both_moments_have_a_result(home: Home) -> None:
    col = home.make()
    future = col.upsert(ONE)
    assert isinstance(future, UpdateFuture)
    assert isinstance(future, concurrent.futures.Future)
    assert future.acknowledged() == UpdateResult(1, UpdateStatus.ACKNOWLEDGED)
    assert future.result() == UpdateResult(1, UpdateStatus.COMPLETED)
    assert future.result(timeout=0) == future.result()
    assert future.acknowledged(timeout=0).status.value == "acknowledged"
    assert future.result().status == "completed"
    assert (future.operation_id, future.done(), future.exception()) == (1, True, None)


def test_a_result_means_that_reads_see_it(home: Home) -> None:
    col = home.make()
    for number in range(20):
        col.upsert([PointStruct(number, [number, 1])]).result()
        assert len(col) == number + 1
        assert col.search([1, 0], limit=1)[0].id == number
        col.set_payload({"n": number}, [number]).result()
        assert col.get(number).payload == {"n": number}


def test_acknowledged_comes_first(monkeypatch: pytest.MonkeyPatch, col: Collection) -> None:
    with held(monkeypatch, commits=1) as go:  # the one that logs goes through, the one that applies waits
        future = col.upsert(ONE)
        assert future.acknowledged().status is UpdateStatus.ACKNOWLEDGED
        assert not future.done()
        assert future.running()
        assert len(col) == 0
        with pytest.raises(concurrent.futures.TimeoutError):
            future.result(timeout=0.01)
        with pytest.raises(concurrent.futures.TimeoutError):
            future.exception(timeout=0)
        go()
        assert future.result().status is UpdateStatus.COMPLETED
    assert len(col) == 1


def test_nothing_is_acknowledged_before_it_is_in_the_log(monkeypatch: pytest.MonkeyPatch, col: Collection) -> None:
    with held(monkeypatch) as go:
        future = col.upsert(ONE)
        for timeout in (0, 0.01):
            with pytest.raises(concurrent.futures.TimeoutError):
                future.acknowledged(timeout=timeout)
            with pytest.raises(TimeoutError):
                future.result(timeout)
        go()
        assert future.acknowledged(timeout=30).operation_id == 1
    assert future.result().operation_id == 1


def test_an_operation_may_be_refused_after_it_was_acknowledged(col: Collection) -> None:
    future = col.set_payload({"a": 1}, [99])
    assert future.acknowledged() == UpdateResult(1, UpdateStatus.ACKNOWLEDGED)
    error = future.exception()
    assert isinstance(error, PointNotFound)
    with pytest.raises(PointNotFound) as raised:
        future.result()
    assert raised.value is error
    assert future.acknowledged().status is UpdateStatus.ACKNOWLEDGED


def test_cancelling_does_nothing(monkeypatch: pytest.MonkeyPatch, col: Collection) -> None:
    with held(monkeypatch):
        future = col.upsert(ONE)
        assert future.cancel() is False
        assert not future.cancelled()
        assert future.running()
    assert future.result().status is UpdateStatus.COMPLETED
    assert future.cancel() is False
    assert len(col) == 1


def test_dropping_a_future_cancels_nothing(home: Home) -> None:
    col = home.make()
    for number in range(50):
        col.upsert([PointStruct(number, [1, 2])])
    assert len(home.seen(col)) == 50


@pytest.mark.parametrize("is_done", [True, False])
def test_a_failure_that_nobody_looks_at_is_logged(
    is_done: bool, col: Collection, caplog: pytest.LogCaptureFixture, errors_logged: list[str]
) -> None:
    future = col.clear_payload([99])
    if is_done:
        col.flush()
    del future
    col.flush()
    gc.collect()
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("vecstore", logging.ERROR)
    assert record.getMessage() == "operation 1 failed and nobody asked: no point with id 99"
    assert isinstance(record.exc_info[1], PointNotFound)  # type: ignore[index]
    errors_logged.clear()


def failure(call: Callable[[], object]) -> BaseException | None:
    """What a call raises."""
    try:
        call()
    except VecstoreError as error:
        return error
    return None


LOOKS: dict[str, Callable[[UpdateFuture[Any]], object]] = {
    "result": lambda future: failure(future.result),
    "exception": lambda future: future.exception(),
    "a callback": lambda future: future.add_done_callback(lambda done: None),
    "as_completed": lambda future: [done.exception() for done in concurrent.futures.as_completed([future])],
    "await": lambda future: failure(lambda: asyncio.run(waited(future))),
}


async def waited(future: UpdateFuture[Any]) -> Any:
    return await future


@pytest.mark.parametrize("look", LOOKS.values(), ids=list(LOOKS))
def test_a_failure_that_somebody_looked_at_is_not(
    look: Callable[[UpdateFuture[Any]], object], col: Collection, errors_logged: list[str]
) -> None:
    future = col.clear_payload([99])
    look(future)
    col.flush()
    del future
    gc.collect()
    assert errors_logged == []


def test_a_success_that_nobody_looks_at_is_not_logged(col: Collection, caplog: pytest.LogCaptureFixture) -> None:
    col.upsert(ONE)
    col.flush()
    gc.collect()
    assert caplog.records == []


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
    assert str(error) == "operation 2 cannot be waited for in a callback of another"
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


def test_many_threads_write_and_every_operation_has_its_own_number(home: Home) -> None:
    col = home.make()

    def write(thread: int) -> list[int]:
        return [col.upsert([PointStruct(100 * thread + i, [1, i])]).operation_id for i in range(25)]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(write, range(4)))
    assert all(one < other for mine in numbers for one, other in pairwise(mine))
    assert sorted(number for mine in numbers for number in mine) == list(range(1, 101))
    assert len(home.seen(col)) == 100


def test_a_batch_has_one_result_for_each_operation(home: Home) -> None:
    col = home.make()
    fill(col, {1: {}})
    future = col.batch([{"delete": {"points": [1]}}, {"upsert": {"points": [{"id": 2, "vector": [1, 2]}]}}])
    assert future.operation_id == 3
    assert future.acknowledged() == [UpdateResult(number, UpdateStatus.ACKNOWLEDGED) for number in (2, 3)]
    assert future.result() == [UpdateResult(number, UpdateStatus.COMPLETED) for number in (2, 3)]
    refused = col.batch([{"delete": {"points": [2]}}, REFUSED], atomic=False)
    assert len(refused.acknowledged()) == 2
    assert isinstance(refused.exception(), PointNotFound)
    assert contents(home.seen(col)) == {}


def test_ids_increase_across_reopening_refusals_and_wrong_calls(disk: Home) -> None:
    numbers = []
    for turn in range(5):
        col = disk.make() if not turn else disk.again()
        numbers.append(col.upsert(ONE).operation_id)
        with pytest.raises(InvalidRequest):
            col.upsert([PointStruct(-1, [1, 2])])
        refused = col.clear_payload([99])
        assert isinstance(refused.exception(), PointNotFound)
        numbers.append(refused.operation_id)
        if turn == 3:
            numbers += [result.operation_id for result in col.batch([{"delete": {"points": [5]}}] * 3).result()]
        col.close()
    assert all(one < other for one, other in pairwise(numbers))
    assert numbers[:4] == [1, 2, 3, 4]


def test_closing_settles_every_future(disk: Home) -> None:
    col = disk.make()
    futures = [col.upsert([PointStruct(i, [1, 2])]) for i in range(30)]
    refused = col.clear_payload([99])
    col.close()
    assert [future.result(timeout=0).operation_id for future in futures] == list(range(1, 31))
    assert isinstance(refused.exception(timeout=0), PointNotFound)
    with pytest.raises(CollectionClosed):
        col.upsert(ONE)


def test_what_was_only_acknowledged_is_applied_when_it_is_opened_again(
    monkeypatch: pytest.MonkeyPatch, disk: Home, tmp_path: Any
) -> None:
    col = disk.make()
    with held(monkeypatch, commits=1):
        col.upsert([PointStruct(1, [1, 2], {"a": 1})]).acknowledged()
        shutil.copytree(disk.path, tmp_path / "copy")  # type: ignore[arg-type]
    with Collection(tmp_path / "copy") as copy:
        assert contents(copy) == {1: ({"a": 1}, [1, 2])}
        assert copy.upsert(ONE).operation_id > 1
