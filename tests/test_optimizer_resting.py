"""What happens by itself while little is written, and after the last write: rows are sealed, graphs grow."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING

import pytest
from collecting import Home
from optimizing import FLAT, GRAPH, Points, eventually, is_sealed, optimized, rows

from vecstore.engine import merging, optimizer, planner, sealer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vecstore import Collection

ENOUGH = 200
"""Points of which there is a graph."""
SOME = ENOUGH // 10
SOON, NEVER = 0.05, 1e6
A_WHILE = 0.3
"""Seconds in which what must not happen would."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few points are worth sealing, soon, and worth growing for."""
    monkeypatch.setattr(planner, "EF_STEP", 1e-15)
    monkeypatch.setattr(merging, "RESTED_BEHIND", 1 / 32)
    monkeypatch.setattr(sealer, "CALM_BYTES", 1)
    monkeypatch.setattr(sealer, "CALM_SECONDS", SOON)
    monkeypatch.setattr(optimizer, "REST", 0)


@pytest.fixture
def memory(tmp_path: Path, errors_logged: list[str]) -> Iterator[Home]:
    found = Home("memory", tmp_path)
    yield found
    found.close()


def with_graph(home: Home) -> tuple[Collection, Points]:
    col, points = home.make(GRAPH), Points()
    points.upsert(col, range(ENOUGH))
    return optimized(col), points


def in_graphs(col: Collection) -> int:
    return col.info().vectors[""].graph_rows


def are_sealed(col: Collection) -> bool:
    return rows(col)[3] == 0


def test_a_graph_takes_in_some_rows_though_nothing_is_written_after_them(disk: Home) -> None:
    col, points = with_graph(disk)
    points.upsert(col, range(ENOUGH, ENOUGH + SOME))
    eventually(lambda: rows(col) == (1, ENOUGH + SOME, 0, 0))
    assert in_graphs(col) == ENOUGH + SOME
    points.check(col)
    col.close()
    points.check(disk.again())


def test_so_it_does_when_they_were_written_before_the_last_opening(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "CALM_SECONDS", NEVER)
    col, points = with_graph(disk)
    points.upsert(col, range(ENOUGH, ENOUGH + SOME))
    col.close()
    monkeypatch.setattr(sealer, "CALM_SECONDS", SOON)
    col = disk.again()
    eventually(lambda: in_graphs(col) == ENOUGH + SOME)
    points.check(col)


def test_for_fewer_rows_it_is_not_written_anew(disk: Home) -> None:
    col, points = with_graph(disk)
    points.upsert(col, range(ENOUGH, ENOUGH + ENOUGH // 32))
    eventually(lambda: are_sealed(col))
    time.sleep(A_WHILE)
    assert in_graphs(col) == ENOUGH
    points.check(col)


def test_in_memory_where_it_would_be_built_anew_it_waits_for_more(
    memory: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    col, points = with_graph(memory)
    points.upsert(col, range(ENOUGH, ENOUGH + SOME))
    time.sleep(A_WHILE)
    assert not are_sealed(col)
    monkeypatch.setattr(sealer, "SEAL_BYTES", 1)
    eventually(lambda: is_sealed(col))
    time.sleep(A_WHILE)
    assert in_graphs(col) == ENOUGH
    points.upsert(col, range(ENOUGH + SOME, 2 * ENOUGH))
    eventually(lambda: in_graphs(col) == 2 * ENOUGH)
    points.check(col)


def test_after_a_merge_is_a_rest_and_then_it_goes_on_by_itself(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizer, "REST", NEVER)
    col, points = with_graph(disk)
    points.upsert(col, range(ENOUGH, ENOUGH + SOME))
    eventually(lambda: are_sealed(col))
    time.sleep(A_WHILE)
    assert in_graphs(col) == ENOUGH
    col._engine._optimizer._rested_at = time.monotonic() + A_WHILE
    col._engine.writer.queue.wake()
    eventually(lambda: in_graphs(col) == ENOUGH + SOME)
    points.check(col)


def test_the_rest_is_as_long_as_what_the_merge_took_of_a_core(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    cores = count(step=NEVER)
    monkeypatch.setattr(time, "thread_time", lambda: next(cores))
    col, points = with_graph(disk)
    points.upsert(col, range(ENOUGH, ENOUGH + SOME))
    eventually(lambda: are_sealed(col))
    time.sleep(A_WHILE)
    assert in_graphs(col) == ENOUGH


def test_after_opening_is_a_rest_too(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    col, points = with_graph(disk)
    monkeypatch.setattr(sealer, "CALM_SECONDS", NEVER)
    points.upsert(col, range(ENOUGH, ENOUGH + SOME))
    col.close()
    monkeypatch.setattr(sealer, "CALM_SECONDS", SOON)
    monkeypatch.setattr(optimizer, "REST", NEVER)
    col = disk.again()
    eventually(lambda: are_sealed(col))
    time.sleep(A_WHILE)
    assert in_graphs(col) == ENOUGH


def test_many_segments_beside_a_graph_wait_for_the_rest_too(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizer, "REST", NEVER)
    monkeypatch.setattr(merging, "RESTED_BEHIND", merging.BEHIND)
    monkeypatch.setattr(merging, "MOST_FLAT", 2)
    col, points = with_graph(disk)
    monkeypatch.setattr(sealer, "SEAL_BYTES", 1)
    for first in range(ENOUGH, ENOUGH + 8, 2):
        points.upsert(col, range(first, first + 2))
    eventually(lambda: is_sealed(col))
    time.sleep(A_WHILE)
    assert rows(col)[0] == 5
    col._engine._optimizer._rested_at = time.monotonic()
    col._engine.writer.queue.wake()
    eventually(lambda: rows(col)[0] == 1)
    points.check(col)


def test_much_is_merged_without_a_rest(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizer, "REST", NEVER)
    col, points = with_graph(disk)
    points.upsert(col, range(ENOUGH, 2 * ENOUGH))
    eventually(lambda: in_graphs(col) == 2 * ENOUGH)
    points.check(col)


def die(col: Collection, points: Points, first: int, last: int) -> None:
    for n in range(first, last):
        points.delete(col, range(n, n + 1))


def test_a_graph_of_which_a_third_dies_one_by_one_is_built_anew(disk: Home) -> None:
    col, points = with_graph(disk)
    die(col, points, 0, ENOUGH // 3)
    time.sleep(A_WHILE)
    assert rows(col)[2] == ENOUGH // 3
    die(col, points, ENOUGH // 3, ENOUGH // 3 + 4)
    eventually(lambda: rows(col)[2] <= 4)
    points.check(col)


def test_so_is_one_of_which_a_fifth_is_dead_when_somebody_asks_for_it(disk: Home) -> None:
    col, points = with_graph(disk)
    die(col, points, 0, ENOUGH // 5)
    assert rows(optimized(col))[2] == ENOUGH // 5
    die(col, points, ENOUGH // 5, ENOUGH // 5 + 1)
    assert rows(optimized(col))[2] == 0
    points.check(col)


def test_rows_without_a_graph_of_which_a_fifth_dies_are_written_anew(disk: Home) -> None:
    col, points = disk.make(FLAT), Points()
    points.upsert(col, range(ENOUGH))
    optimized(col)
    die(col, points, 0, ENOUGH // 5 + 4)
    eventually(lambda: rows(col)[2] <= 4)
    points.check(col)


def test_rows_are_not_sealed_before_their_time(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    col, points = with_graph(disk)
    monkeypatch.setattr(sealer, "CALM_SECONDS", NEVER)
    points.upsert(col, range(ENOUGH, ENOUGH + SOME))
    time.sleep(A_WHILE)
    points.upsert(col, range(ENOUGH + SOME, ENOUGH + 2 * SOME))
    assert rows(col) == (1, ENOUGH + 2 * SOME, 0, 2 * SOME)


def test_what_is_there_at_the_opening_is_sealed_at_once(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "CALM_SECONDS", NEVER)
    col, points = with_graph(disk)
    points.upsert(col, range(ENOUGH, ENOUGH + SOME))
    col.close()
    col = disk.again()
    eventually(lambda: are_sealed(col))


def test_without_a_graph_rows_stay_open(disk: Home) -> None:
    col, points = disk.make(FLAT), Points()
    points.upsert(col, range(SOME))
    time.sleep(A_WHILE)
    points.upsert(col, range(SOME, 2 * SOME))
    time.sleep(A_WHILE)
    assert rows(col) == (0, 2 * SOME, 0, 2 * SOME)


def test_few_bytes_stay_open(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "CALM_BYTES", 1 << 20)
    col, points = with_graph(disk)
    points.upsert(col, range(ENOUGH, ENOUGH + SOME))
    time.sleep(A_WHILE)
    assert rows(col) == (1, ENOUGH + SOME, 0, SOME)
