"""AsyncCollection: the calls of a Collection, none of which blocks the loop."""

from __future__ import annotations

import asyncio
import gc
import inspect
from typing import TYPE_CHECKING, Any

import pytest
from calling_async import ONE, READS, SLOW, WRITES, memory
from collecting import DOT, contents, held
from ticking import Gate, run, ticked_while

from vecstore import (
    AsyncCollection,
    AsyncUpdate,
    Collection,
    CollectionClosed,
    InvalidRequest,
    InvalidType,
    InvalidVector,
    NotACollection,
    PointNotFound,
    UpdateFuture,
    UpdateResult,
    UpdateStatus,
)
from vecstore.engine import registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[[AsyncCollection], Any]

pytestmark = pytest.mark.usefixtures("errors_logged")

NOT_ASYNC = {"close", "load"}
"""What both have, each in its own way."""


# The same calls


def public(kind: type) -> dict[str, Any]:
    return {n: f for n, f in inspect.getmembers(kind, inspect.isfunction) if not n.startswith("_")}


def test_every_call_of_a_collection_is_there_and_is_tested_here() -> None:
    assert public(Collection).keys() == public(AsyncCollection).keys()
    assert public(Collection).keys() == {*WRITES, *READS, *SLOW} | NOT_ASYNC


@pytest.mark.parametrize("name", [*WRITES, *READS, *SLOW])
def test_a_call_has_the_arguments_and_the_documentation_of_the_other(name: str) -> None:
    theirs, ours = getattr(Collection, name), getattr(AsyncCollection, name)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__doc__ == theirs.__doc__
    assert inspect.iscoroutinefunction(ours) == (name not in WRITES)


def test_it_is_made_with_the_same_arguments() -> None:
    theirs = dict(inspect.signature(Collection).parameters)
    ours = dict(inspect.signature(AsyncCollection).parameters)
    assert ours.pop("threads").default >= 1
    assert ours == theirs


def test_what_is_passed_arrives(tmp_path: Path) -> None:
    async def work() -> None:
        async with AsyncCollection(tmp_path / "c", vectors=DOT, durability="os", auto_index=False) as col:
            assert (await col.info()).durability == "os"
            assert col.collection._auto_index is False
            await col.upsert(ONE, update_mode="insert_only")
            await col.upsert([{"id": 1, "vector": [5, 5]}], update_mode="insert_only")
            assert (await col.get(1, with_vectors=True)).vector.tolist() == [1, 2]  # type: ignore[union-attr]
            assert await col.count({"must": [{"key": "color", "match": {"value": "blue"}}]}) == 0

    run(work())


@pytest.mark.parametrize("name", [*READS])
def test_reads_return_what_those_of_the_collection_do(name: str) -> None:
    async def work() -> None:
        async with memory() as col:
            await col.upsert(ONE)
            got, expected = await READS[name](col), READS[name](col.collection)  # type: ignore[arg-type]
            if name == "explain":  # it tells times
                got, expected = got.hits, expected.hits
            assert got == expected

    run(work())


# Writes


def test_awaiting_a_write_gives_its_result() -> None:
    async def work() -> None:
        async with memory() as col:
            assert await col.upsert(ONE) == UpdateResult(1, UpdateStatus.COMPLETED)
            assert await col.count() == 1
            assert [r.operation_id for r in await col.batch([{"delete": {"points": [1]}}] * 2)] == [2, 3]

    run(work())


def test_both_moments_and_the_future_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with memory() as col:
            with held(monkeypatch, commits=1) as go:  # the one that logs goes through, the one that applies waits
                update = col.upsert(ONE)
                future = await update.future()
                assert isinstance(future, UpdateFuture)
                assert future.operation_id == 1
                assert await update.acknowledged() == UpdateResult(1, UpdateStatus.ACKNOWLEDGED)
                waiting = await ticked_while(update)
                go()
                assert await waiting == await update == await future == UpdateResult(1, UpdateStatus.COMPLETED)
            assert await update.acknowledged() == UpdateResult(1, UpdateStatus.ACKNOWLEDGED)

    run(work())


def test_waiting_for_the_log_does_not_block_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with memory() as col:
            with held(monkeypatch) as go:
                waiting = [await ticked_while(col.upsert(ONE).acknowledged()) for _ in range(20)]
                go()
                assert [result.status for result in await asyncio.gather(*waiting)] == ["acknowledged"] * 20

    run(work())


def test_a_write_is_a_coroutine_for_those_who_want_one() -> None:
    async def work() -> None:
        async with memory() as col:
            update = col.upsert(ONE)
            assert isinstance(update, AsyncUpdate)
            assert asyncio.iscoroutine(update)
            assert (await asyncio.create_task(update)).operation_id == 1
            assert [r.operation_id for r in await asyncio.gather(col.upsert(ONE), col.upsert(ONE))] == [2, 3]
            assert (await asyncio.wait_for(col.upsert(ONE), 10)).operation_id == 4
            with pytest.raises(PointNotFound):
                await asyncio.create_task(col.clear_payload([99]))

    run(work())


def test_writes_keep_the_order_of_the_calls_and_need_not_be_awaited() -> None:
    async def work() -> None:
        async with memory() as col:
            futures = [col.upsert([{"id": 1, "vector": [n, n]}]).future() for n in range(50)]
            assert [(await future).operation_id for future in futures] == list(range(1, 51))
            for n in range(50):
                col.upsert([{"id": 1, "vector": [n, -n]}])
            await col.flush()
            assert contents(col.collection) == {1: ({}, [49, -49])}
            col.upsert([{"id": 2, "vector": [1, 1]}])
        with Collection(vectors=DOT):
            pass

    run(work())


def test_closing_completes_every_write_that_was_called(tmp_path: Path) -> None:
    async def work() -> None:
        async with AsyncCollection(tmp_path / "c", vectors=DOT) as col:
            for n in range(50):
                col.upsert([{"id": n, "vector": [n, n]}])

    run(work())
    with Collection(tmp_path / "c") as col:
        assert len(col) == 50


# Opening, closing, and what goes wrong


def test_it_is_opened_when_it_is_awaited_and_not_before(tmp_path: Path) -> None:
    async def work() -> None:
        col = AsyncCollection(tmp_path / "c", vectors=DOT)
        assert repr(col) == "<AsyncCollection, not open>"
        for call in (lambda: col.upsert(ONE), lambda: col.collection):
            with pytest.raises(CollectionClosed, match="not open yet: use 'async with', or await it"):
                call()
        with pytest.raises(CollectionClosed):
            await col.count()
        assert not (tmp_path / "c").exists()
        assert await col is col
        assert await col is col
        assert repr(col) == f"<AsyncCollection {str(tmp_path / 'c')!r}>"
        async with col as same:
            assert same is col
        await col.close()
        assert repr(col) == "<AsyncCollection, closed>"
        for again in (col.count, col.flush, lambda: asyncio.ensure_future(col)):
            with pytest.raises(CollectionClosed, match="is closed"):
                await again()
        with pytest.raises(CollectionClosed, match="is closed"):
            col.upsert(ONE)

    run(work())


def test_one_that_was_never_opened_can_be_closed() -> None:
    async def work() -> None:
        col = memory()
        await col.close()
        with pytest.raises(CollectionClosed, match="is closed"):
            await col

    run(work())


def test_closing_while_it_is_being_opened_closes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        gate = Gate(monkeypatch, registry, "acquire")
        col = AsyncCollection(tmp_path / "c", vectors=DOT)
        opening = await ticked_while(col.__aenter__(), gate)
        closing = await ticked_while(col.close())
        gate.open()
        await closing
        with pytest.raises(CollectionClosed):
            await opening
        assert not registry._engines

    run(work())


def test_what_is_wrong_with_opening_is_said_and_can_be_put_right(tmp_path: Path) -> None:
    async def work() -> None:
        col = AsyncCollection(tmp_path / "c")
        with pytest.raises(NotACollection):
            await col
        Collection(tmp_path / "c", vectors=DOT).close()
        async with col:
            assert await col.count() == 0

    run(work())


@pytest.mark.parametrize(
    ("threads", "error", "message"),
    [
        (0, InvalidRequest, "expected threads of at least 1, got 0"),
        ("2", InvalidType, "expected threads as an integer, got str '2'"),
        (True, InvalidType, "expected threads as an integer, got bool True"),
    ],
)
def test_threads_are_a_number(threads: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        memory(threads=threads)


def test_an_open_collection_can_be_wrapped(col: Collection) -> None:
    async def work() -> None:
        wrapped = AsyncCollection.wrap(col, threads=1)
        assert wrapped.collection is col
        await wrapped.upsert(ONE)
        assert len(col) == 1
        await wrapped.close()
        with pytest.raises(CollectionClosed):
            len(col)
        with pytest.raises(InvalidType, match="expected a Collection, got str 'x'"):
            AsyncCollection.wrap("x")  # type: ignore[arg-type]

    run(work())


def test_it_may_be_used_in_one_loop_after_the_other() -> None:
    async def opened() -> AsyncCollection:
        return await memory()

    async def use(col: AsyncCollection) -> int:
        await col.upsert(ONE)
        return await col.count()

    col = run(opened())
    assert run(use(col)) == 1
    assert run(use(col)) == 1
    run(col.close())


def test_what_is_wrong_is_raised_where_it_is_awaited() -> None:
    async def work() -> None:
        async with memory() as col:
            for wait in (lambda op: op, lambda op: op.future(), lambda op: op.acknowledged()):
                with pytest.raises(InvalidVector, match="expected 2 numbers"):
                    await wait(col.upsert([{"id": 1, "vector": [1, 2, 3]}]))
            with pytest.raises(PointNotFound):
                await col.clear_payload([99])
            with pytest.raises(InvalidVector):
                await col.search([1])
            with pytest.raises(TypeError, match="unexpected keyword"):
                await col.upsert(ONE, nothing=1)  # type: ignore[call-arg]

    run(work())


@pytest.mark.parametrize("wrong", [[], [99]])
def test_a_failure_that_nobody_awaits_is_logged(wrong: list[int], errors_logged: list[str]) -> None:
    async def work() -> None:
        async with memory() as col:
            col.clear_payload(wrong)
            await col.flush()

    run(work())
    gc.collect()
    (message,) = errors_logged
    assert ("no point with id 99" if wrong else "refused at the call and nobody asked: expected at least") in message
    errors_logged.clear()
