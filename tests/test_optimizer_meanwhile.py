"""The optimizer at work: what is written, read, killed, closed or fails meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any

import pytest
from collecting import Home
from faults import copy_as_it_is
from optimizing import (
    EXACT,
    FLAT,
    GRAPH,
    PATIENCE,
    Gate,
    Points,
    eventually,
    files,
    in_thread,
    is_sealed,
    methods,
    optimized,
    pairs,
    rows,
)

from vecstore import Batch, Collection, CollectionClosed, StoreFailed
from vecstore.engine import planner, sealer
from vecstore.engine.optimizer import Optimizer
from vecstore.storage import graph, segments
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every graph is used, however small."""
    monkeypatch.setattr(planner, "EF_STEP", 1e-15)


@pytest.fixture
def sealing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every turn of the writer seals a segment; without this, only ``optimize`` does."""
    monkeypatch.setattr(sealer, "SEAL_BYTES", 1)


@pytest.fixture(params=["float32", "sq8"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(graph, "SQ8_FROM", 1 if request.param == "sq8" else 1 << 16)
    monkeypatch.setattr(graph, "ORDER_KEPT", 0.0)  # however few rows there are to judge by
    return str(request.param)


@pytest.fixture(params=["memory", "disk"])
def place(request: pytest.FixtureRequest, tmp_path: Path, errors_logged: list[str]) -> Iterator[Home]:
    found = Home(request.param, tmp_path)
    yield found
    found.close()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    found = Gate(monkeypatch)
    yield found
    found.open()


def change(col: Collection, points: Points) -> None:
    """Deaths and moves in what is being merged; slots that are given again; and new rows."""
    points.delete(col, range(10, 30))
    points.update(col, range(30, 50))
    points.upsert(col, range(300, 320))
    points.upsert(col, range(20, 40))
    points.delete(col, range(35, 45))
    points.check(col)


@pytest.mark.usefixtures("sealing")
@pytest.mark.parametrize("grown", [False, True])
def test_changes_during_a_build_are_in_its_result(
    grown: bool, storage: str, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    col, points = place.make(GRAPH), Points()
    points.upsert(col, range(100))
    if grown:
        optimized(col)
        points.upsert(col, range(100, 110))
    gate = Gate(monkeypatch)
    waiting = in_thread(col.optimize)
    gate.wait()
    change(col, points)
    gate.open()
    waiting.result(PATIENCE)
    points.check(col)
    assert rows(optimized(col))[0::3] == (1, 0)
    points.check(col)
    if place.kind == "disk":
        col.close()
        points.check(place.again())


@pytest.mark.usefixtures("sealing")
def test_searches_go_on_and_are_right(disk: Home) -> None:
    col, points = disk.make(GRAPH), Points()
    points.upsert(col, range(150))
    points.delete(col, range(20))
    expected = pairs(col.search([1, 2, 3, 4], limit=130, params=EXACT))
    for turn in range(3):
        waiting = in_thread(col.optimize)
        while not waiting.done():
            assert pairs(col.search([1, 2, 3, 4], limit=130, params=EXACT)) == expected
            assert sorted(pairs(col.search([1, 2, 3, 4], limit=130))) == sorted(expected)
        waiting.result()
        col.upsert(Batch([1000 + turn], [[0, 0, 0, -9]])).result(PATIENCE)
        col.delete([1000 + turn]).result(PATIENCE)


def test_optimizing_ends_though_others_write(place: Home) -> None:
    col, points, stop = place.make(GRAPH), Points(), threading.Event()
    points.upsert(col, range(100))

    def write() -> None:
        for i in range(100_000):
            if stop.is_set():
                return
            col.upsert(Batch([1000 + i % 50], [[1, 1, 1, 1]])).result(PATIENCE)

    writing = in_thread(write)
    try:
        optimized(col)
        assert "graph" in methods(col)
    finally:
        stop.set()
        writing.result(PATIENCE)
    col.delete(range(1000, 1050)).result(PATIENCE)
    points.check(optimized(col))


@pytest.mark.usefixtures("sealing")
def test_a_call_while_the_optimizer_is_deciding_is_not_forgotten(
    disk: Home, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    col, points, begin = disk.make(FLAT), Points(), Optimizer._begin
    points.upsert(col, range(40))
    points.upsert(col, range(40, 80))
    eventually(lambda: is_sealed(col))
    calls: list[Future[Any]] = []

    def decide(optimizer: Optimizer) -> None:
        begin(optimizer)
        if not calls:
            calls.append(in_thread(col.optimize))
            eventually(lambda: optimizer._requests != [])

    monkeypatch.setattr(Optimizer, "_begin", decide)
    col._engine.writer.queue.wake()
    eventually(lambda: bool(calls))
    with pytest.raises(FutureTimeoutError):
        calls[0].result(0.3)
    gate.open()
    calls[0].result(PATIENCE)
    assert rows(col) == (1, 80, 0, 0)


# -- the end -------------------------------------------------------------------------------------------------------


def killed_at(patch: pytest.MonkeyPatch, owner: type, name: str, home: Home, copy: Path) -> None:
    """The process ends when a method is called the first time: what is there then is copied."""
    method = getattr(owner, name)

    def die(*args: Any) -> Any:
        if not copy.exists():
            copy_as_it_is(home.path, copy)
        return method(*args)

    patch.setattr(owner, name, die)


@pytest.mark.usefixtures("sealing")
@pytest.mark.parametrize("when", [(Optimizer, "_publish"), (Sealed, "unlink")])
def test_killed_around_publishing(
    when: tuple[type, str], storage: str, disk: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files that the manifest does not name are garbage, be they the new ones or the old."""
    col, points, copy = disk.make(FLAT), Points(), tmp_path / "copy"
    points.upsert(col, range(100))
    points.upsert(col, range(90, 130))
    points.delete(col, range(5))
    optimized(col)
    points.update(col, range(50, 60))
    killed_at(monkeypatch, *when, disk, copy)
    optimized(col)
    points.check(col)
    left = files(copy)
    with Collection(copy) as again:
        points.check(again)
        assert files(copy) < left
        assert rows(optimized(again)) == (1, 125, 0, 0) or rows(again) == (1, 125, 10, 0)
        points.check(again)


def test_the_journal_may_speak_of_segments_that_are_gone(storage: str, disk: Home, tmp_path: Path) -> None:
    col, points = disk.make(GRAPH), Points()
    points.upsert(col, range(140))
    optimized(col)
    points.delete(col, range(40))
    assert rows(optimized(col)) == (1, 100, 0, 0)  # nothing was sealed: the deaths are still in the journal
    points.delete(col, range(40, 45))
    copy_as_it_is(disk.path, tmp_path / "copy")
    with Collection(tmp_path / "copy") as again:
        assert rows(again) == (1, 95, 5, 0)
        points.check(again)
        points.update(again, range(60, 90))
        points.check(optimized(again))


def test_optimizing_after_the_store_has_failed(disk: Home, errors_logged: list[str]) -> None:
    col, points = disk.make(GRAPH), Points()
    points.upsert(col, range(100))
    col._engine.writer.fail(StoreFailed("on purpose"))
    for _ in range(2):
        with pytest.raises(StoreFailed):
            optimized(col)
    points.check(col)
    col.close()
    errors_logged.clear()
    points.check(optimized(disk.again()))


def test_the_store_fails_while_somebody_waits(disk: Home, gate: Gate, errors_logged: list[str]) -> None:
    col, points = disk.make(GRAPH), Points()
    points.upsert(col, range(100))
    waiting = in_thread(col.optimize)
    gate.wait()
    col._engine.writer.fail(StoreFailed("on purpose"))
    gate.open()
    with pytest.raises(StoreFailed):
        waiting.result(PATIENCE)
    points.check(col)
    col.close()
    errors_logged.clear()
    points.check(optimized(disk.again()))


@pytest.mark.usefixtures("sealing")
def test_a_build_that_fails_is_told_and_loses_nothing(
    disk: Home, errors_logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    col, points = disk.make(FLAT), Points()
    points.upsert(col, range(50))
    points.upsert(col, range(50, 100))
    eventually(lambda: is_sealed(col))

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(segments, "write", full)
        with pytest.raises(StoreFailed, match="no space left"):
            in_thread(col.optimize).result(PATIENCE)
    points.check(col)
    in_thread(col.close).result(PATIENCE)
    errors_logged.clear()
    points.check(optimized(disk.again()))


@pytest.mark.usefixtures("sealing")
def test_closing_during_a_build_does_not_wait_for_its_end(
    disk: Home, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    col, points, after = disk.make(GRAPH), Points(), []
    points.upsert(col, range(100))
    waiting = in_thread(col.optimize)
    gate.wait()
    points.upsert(col, range(100, 110))
    with monkeypatch.context() as patch:
        patch.setattr(graph, "add", lambda *given: after.append(given))
        closing = in_thread(col.close)
        eventually(lambda: col._engine._optimizer._over)
        gate.open()
        closing.result(PATIENCE)
    assert after == []
    with pytest.raises(CollectionClosed):
        waiting.result(PATIENCE)
    again = disk.again()
    points.check(again)
    assert rows(optimized(again)) == (1, 110, 0, 0)
