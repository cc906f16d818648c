"""AsyncCollection: the loop ticks whatever others wait for, and what cancelling does."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from calling_async import ONE, READS, SLOW, WRITES, memory
from collecting import DOT, held, ids
from optimizing import eventually
from ticking import Gate, run, ticked_while, ticks

from vecstore import AsyncCollection, Collection, CollectionClosed, InvalidFile, InvalidRequest, UploadStopped
from vecstore.engine import queue, registry, view

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("errors_logged")


# The loop ticks


@pytest.mark.parametrize("name", WRITES)
def test_the_loop_ticks_while_a_write_is_held(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with memory() as col:
            await col.upsert(ONE)
            with held(monkeypatch) as go:
                waiting = await ticked_while(WRITES[name](col))
                assert await col.count() == 1
                go()
                await waiting

    run(work())


@pytest.mark.parametrize("name", READS)
def test_the_loop_ticks_while_a_read_is_held(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with memory() as col:
            await col.upsert(ONE)
            gate = Gate(monkeypatch, view.View, "__enter__")
            waiting = await ticked_while(READS[name](col), gate)
            gate.open()
            await waiting

    run(work())


@pytest.mark.parametrize("name", ["flush", "optimize", "upload", "close"])
def test_the_loop_ticks_while_the_rest_waits_for_writes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with memory() as col:
            with held(monkeypatch) as go:
                col.upsert(ONE)
                waiting = await ticked_while(SLOW.get(name, AsyncCollection.close)(col))
                go()
                await waiting

    run(work())


def test_the_loop_ticks_while_a_collection_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        gate = Gate(monkeypatch, registry, "acquire")
        waiting = await ticked_while(AsyncCollection(tmp_path / "c", vectors=DOT).__aenter__(), gate)
        gate.open()
        await (await waiting).close()

    run(work())


def test_waiting_for_room_blocks_neither_the_loop_nor_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "QUEUE_BYTES", 1)

    async def work() -> None:
        async with memory(threads=1) as col:
            with held(monkeypatch) as go:
                assert (await col.upsert(ONE).future()).operation_id == 1  # there was room for it
                waiting = await ticked_while(asyncio.gather(*(col.upsert(ONE).future() for _ in range(5))))
                assert await col.count() == 0
                go()
                assert [future.operation_id for future in await waiting] == [2, 3, 4, 5, 6]

    run(work())


def test_no_more_reads_run_at_a_time_than_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with memory(threads=2) as col:
            running, most = set(), []
            enter, leave = view.View.__enter__, view.View.__exit__

            def begin(self: Any) -> Any:
                running.add(id(self))
                most.append(len(running))
                return enter(self)

            def end(self: Any, *error: Any) -> None:
                running.discard(id(self))
                leave(self, *error)

            monkeypatch.setattr(view.View, "__enter__", begin)
            monkeypatch.setattr(view.View, "__exit__", end)
            await asyncio.gather(*(col.count() for _ in range(50)))
            assert len(most) == 50
            assert max(most) <= 2

    run(work())


# Cancelling


def test_cancelling_cancels_the_waiting_and_not_the_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "QUEUE_BYTES", 1)

    async def work() -> None:
        async with memory() as col:
            with held(monkeypatch) as go:
                tasks = [asyncio.create_task(col.upsert([{"id": n, "vector": [1, 1]}])) for n in range(4)]
                tasks.append(asyncio.create_task(col.upsert([{"id": 4, "vector": [1, 1]}]).acknowledged()))
                await ticks()
                for task in tasks:  # one is in the queue, one waits for room, the others behind it
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert [type(error) for error in ended] == [asyncio.CancelledError] * 5
                go()
            await col.flush()
            assert ids((await col.scroll())[0]) == [0, 1, 2, 3, 4]

    run(work())


@pytest.mark.parametrize("which", ["refused", "wrong"])
def test_a_failure_is_logged_when_those_who_waited_have_gone(
    which: str, monkeypatch: pytest.MonkeyPatch, errors_logged: list[str]
) -> None:
    async def work() -> None:
        async with memory() as col:
            with held(monkeypatch) as go:
                gate = Gate(monkeypatch, Collection, "clear_payload") if which == "wrong" else None
                waiting = await ticked_while(col.clear_payload([99] if which == "refused" else [-1]), gate)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                if gate is not None:
                    gate.open()
                go()
                await col.flush()

    run(work())
    gc.collect()
    (message,) = errors_logged
    assert ("no point with id 99" if which == "refused" else "expected an id of 0") in message
    errors_logged.clear()


def test_a_read_that_is_cancelled_does_not_begin_or_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with memory(threads=1) as col:
            gate = Gate(monkeypatch, view.View, "__enter__")
            first = await ticked_while(col.count(), gate)
            second = await ticked_while(col.count())
            for waiting in (second, first):
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            gate.open()
            assert await col.count() == 0
            assert gate.passed == 2  # the first one and the last

    run(work())


def test_an_opening_that_is_cancelled_is_closed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        gate = Gate(monkeypatch, registry, "acquire")
        col = AsyncCollection(tmp_path / "c", vectors=DOT)
        waiting = await ticked_while(col.__aenter__(), gate)
        with pytest.raises(InvalidRequest, match="being opened already"):
            await col
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.open()
        eventually(lambda: (tmp_path / "c").is_dir() and not registry._engines)
        async with col:  # and it can be opened after all
            assert await col.count() == 0

    run(work())


def test_closing_goes_on_where_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        col = await memory()
        with held(monkeypatch) as go:
            future = await col.upsert(ONE).future()
            waiting = await ticked_while(col.close())
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            with pytest.raises(CollectionClosed):
                col.upsert(ONE)
            again = await ticked_while(col.close())
            go()
            await again
        assert future.result(timeout=0).status == "completed"

    run(work())


def test_a_file_is_loaded_while_the_loop_ticks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = tmp_path / "good.npz", tmp_path / "bad.jsonl"
    bad.write_text('{"id": 1, "vector": [1, 2]}\n{"id": 2, "vector": [1]}\n')
    with memory_of([1, 2, 3]) as col:
        col.export(good)
    gate = Gate(monkeypatch, Collection, "_take_in")

    async def work() -> None:
        loading = await ticked_while(AsyncCollection.load(good, threads=1), gate)
        gate.open()
        async with await loading as col:
            assert await col.count() == 3
        with pytest.raises(UploadStopped) as stopped:
            await AsyncCollection.load(bad, tmp_path / "kept", vectors=DOT)
        assert stopped.value.count == 1
        async with AsyncCollection(tmp_path / "kept") as col:
            assert await col.count() == 1
        with pytest.raises(InvalidFile):
            await AsyncCollection.load(tmp_path / "nowhere.npz")

    run(work())


def memory_of(ids: list[int]) -> Collection:
    col = Collection(vectors=DOT)
    col.upload([{"id": i, "vector": [1, i]} for i in ids])
    return col
