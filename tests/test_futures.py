"""UpdateFuture: both moments of an operation, its number, and what happens when nobody looks."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import logging
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import contents, failure, fill, held

from vecstore import (
    Collection,
    CollectionClosed,
    InvalidRequest,
    InvalidType,
    PointNotFound,
    PointStruct,
    UpdateFuture,
    UpdateResult,
    UpdateStatus,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

ONE = [PointStruct(1, [1, 2])]
REFUSED = {"clear_payload": {"points": [99]}}


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
            with pytest.raises(concurrent.futures.TimeoutError):
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


@pytest.mark.parametrize("call", ["result", "exception", "acknowledged"])
def test_a_timeout_is_a_number_of_seconds(monkeypatch: pytest.MonkeyPatch, col: Collection, call: str) -> None:
    with held(monkeypatch):
        wait = getattr(col.upsert(ONE), call)
        for wrong in ("1", True, [1]):
            with pytest.raises(InvalidType, match="expected a timeout in seconds, or None, got"):
                wait(wrong)
        for short in (0, -1, float("nan"), float("-inf"), np.float32(0.01)):
            with pytest.raises(concurrent.futures.TimeoutError):
                wait(short)
    for endless in (2**63, 1e300, float("inf"), 10**400):
        wait(endless)


def test_a_success_that_nobody_looks_at_is_not_logged(col: Collection, caplog: pytest.LogCaptureFixture) -> None:
    col.upsert(ONE)
    col.flush()
    gc.collect()
    assert caplog.records == []


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
