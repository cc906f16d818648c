"""A process that is interrupted, or ends in the middle of everything, at the word of its parent."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from collecting import held
from optimizing import GRAPH, SIZE

from vecstore import AsyncCollection, Collection
from vecstore.engine import sealer
from vecstore.engine.optimizer import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def point(n: int) -> dict[str, Any]:
    return {"id": n, "vector": [n % 9, n % 7, n % 5, 1], "payload": {"n": n}}


def endless(first: int) -> Iterator[dict[str, Any]]:
    return (point(n) for n in count(first))


def interrupted(work: Callable[[], Any]) -> None:
    """Do ``work`` until the parent interrupts it."""
    try:
        print("ready", flush=True)
        while True:
            work()
    except KeyboardInterrupt:
        return


# -- interrupts ---------------------------------------------------------------------------------------------


def waits(col: Collection, patch: pytest.MonkeyPatch) -> None:
    with held(patch):
        future = col.upsert([point(len(col))])
        interrupted(future.result)
    assert future.result(30).operation_id == future.operation_id


def searches(col: Collection) -> None:
    interrupted(lambda: col.search([1] * SIZE, limit=100, filter={"must": [{"key": "n", "range": {"gte": 1}}]}))


def uploads(col: Collection) -> None:
    before = len(col)
    interrupted(lambda: col.upload(endless(before), batch_size=50))
    col.flush()
    assert len(col) >= before
    assert [record.id for record in col.scroll(limit=10**6)[0]] == list(range(len(col)))


def optimizes(col: Collection) -> None:
    interrupted(col.optimize)


def closes(path: Path, patch: pytest.MonkeyPatch) -> None:
    """Closing goes on, and whoever opens the collection again waits for it."""
    col = Collection(path)
    before = len(col)
    with held(patch):
        col.upsert([point(before)])
        interrupted(col.close)
    with Collection(path) as again:
        again.flush()  # closing may have been interrupted before it began
        assert len(again) == before + 1
    col.close()


def be_interrupted(path: Path, rounds: int) -> None:
    # What a shell starts in the background ignores interrupts, and so do its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sealer.SEAL_BYTES = 20_000
    patch = pytest.MonkeyPatch()
    for _ in range(rounds):
        with Collection(path, vectors=GRAPH, durability="os") as col:
            for work in (searches, uploads, optimizes):
                work(col)
                assert col.upsert([point(len(col))]).result(30)
            waits(col, patch)
        closes(path, patch)
    print(len(Collection(path)), flush=True)


# -- the end of the interpreter -----------------------------------------------------------------------------


def end(folder: Path) -> None:
    """Operations under way, a merge, threads that go on, and an event loop that is gone: nobody closes anything."""
    sealer.SEAL_BYTES = 20_000
    pending = Collection(folder / "pending", vectors=GRAPH)
    for n in range(300):
        pending.upsert([point(n)])
    merging(folder / "merging")
    for name in ("first", "second"):
        going_on(Collection(folder / name, vectors=GRAPH, durability="os"))
    asyncio.run(awaits_nothing(folder / "awaited"))
    Collection(folder / "pending", read_only=True).count()
    sys.stdout.flush()


def merging(path: Path) -> None:
    col, reached, look_up = Collection(path, vectors=GRAPH, durability="os"), threading.Event(), Optimizer._look_up

    def reaching(optimizer: Optimizer) -> bool:
        reached.set()
        return look_up(optimizer)

    Optimizer._look_up = reaching  # type: ignore[method-assign]
    col.upsert([point(n) for n in range(1000)])
    threading.Thread(target=col.optimize, daemon=True).start()
    assert reached.wait(30)


def going_on(col: Collection) -> None:
    begun: Future[None] = Future()

    def work() -> None:
        for n in count():
            col.upsert([point(n)])
            col.search([1] * SIZE, filter={"must": [{"key": "n", "match": {"value": n}}]})
            if n == 10:
                begun.set_result(None)

    threading.Thread(target=work, daemon=True).start()
    begun.result(30)


async def awaits_nothing(path: Path) -> None:
    col = await AsyncCollection(path, vectors=GRAPH)
    for n in range(100):
        col.upsert([point(n)])


if __name__ == "__main__":
    if sys.argv[1] == "end":
        end(Path(sys.argv[2]))
    else:
        be_interrupted(Path(sys.argv[2]), int(sys.argv[3]))
