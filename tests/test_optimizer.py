"""The optimizer: which segments become one, when graphs grow, and when dead rows are dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import Home, ids
from optimizing import FLAT, GRAPH, PATIENCE, SIZE, Points, eventually, files, is_sealed, methods, optimized, rows

from vecstore import Batch, Distance, HnswConfig, PointVectors, VectorParams
from vecstore.engine import merging, planner, sealer
from vecstore.storage import graph

if TYPE_CHECKING:
    from collections.abc import Iterator
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
def added(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows were added to graphs, a number a call."""
    counts: list[int] = []
    add = graph.add

    def counted(index: Any, matrix: Any, threads: int | None) -> None:
        counts.append(len(matrix))
        add(index, matrix, threads)

    monkeypatch.setattr(graph, "add", counted)
    return counts


@pytest.mark.usefixtures("sealing")
def test_segments_become_one_graph(storage: str, place: Home) -> None:
    col, points = place.make(GRAPH), Points()
    for start in range(0, 200, 40):
        points.upsert(col, range(start, start + 40))
    points.delete(col, range(30, 50))
    optimized(col)
    assert rows(col)[:2] == (1, 180)
    assert rows(col)[2] <= 20  # where a graph of the first ones was made before they died
    assert methods(col) == ["graph"]
    points.check(col)
    if place.kind == "memory":
        assert list((col._engine.folder / "segments").iterdir()) == []
        return
    assert len(files(place)) == (3 if storage == "sq8" else 2)
    col.close()
    points.check(place.again())


@pytest.mark.usefixtures("sealing")
def test_too_little_for_a_graph_becomes_one_flat_segment(place: Home) -> None:
    col, points = place.make(FLAT), Points()
    for start in range(0, 100, 20):
        points.upsert(col, range(start, start + 20))
    assert rows(optimized(col)) == (1, 100, 0, 0)
    assert methods(col) == ["full"]
    points.check(col)


def test_dead_rows_are_dropped_when_there_are_enough(storage: str, place: Home) -> None:
    col, points = place.make(GRAPH), Points()
    points.upsert(col, range(200))
    optimized(col)
    points.delete(col, range(20))
    points.check(col)
    assert rows(optimized(col)) == (1, 180, 20, 0)
    points.update(col, range(20, 60))
    points.check(col)
    assert rows(optimized(col)) == (1, 180, 0, 0)
    points.check(col)
    store = col._engine.store
    with store.environment.read() as txn:
        assert all(store.meta.dead_rows(txn, number, 0) is None for number in range(20))
    if place.kind == "disk":
        col.close()
        assert rows(place.again()) == (1, 180, 0, 0)


def test_a_graph_that_gets_small_becomes_flat(disk: Home) -> None:
    col, points = disk.make(GRAPH), Points()
    points.upsert(col, range(100))
    optimized(col)
    points.delete(col, range(60))
    assert methods(optimized(col)) == ["full"]
    assert rows(col) == (1, 40, 0, 0)
    points.check(col)


def test_a_graph_grows(storage: str, added: list[int], disk: Home) -> None:
    col, points = disk.make(GRAPH), Points()
    points.upsert(col, range(200))
    optimized(col)
    points.delete(col, range(10))
    points.update(col, range(10, 20))
    points.upsert(col, range(200, 230))
    optimized(col)
    assert added == [200, 40]
    assert rows(col) == (1, 220, 20, 0)
    assert methods(col) == ["graph"]
    points.check(col)
    col.close()
    points.check(disk.again())


def test_a_quantiser_is_trained_again_when_values_leave_its_range(storage: str, added: list[int], disk: Home) -> None:
    col, points = disk.make(GRAPH), Points()
    points.upsert(col, range(200))
    optimized(col)
    points.scale = 500
    points.upsert(col, range(200, 260))
    optimized(col)
    assert added == [200, 60 if storage == "float32" else 260]
    points.check(col)


@pytest.mark.usefixtures("sealing")
def test_rows_beside_a_graph_that_all_died_are_dropped(storage: str, added: list[int], place: Home) -> None:
    col, points = place.make(GRAPH), Points()
    points.upsert(col, range(200))
    optimized(col)
    points.upsert(col, range(200, 210))
    eventually(lambda: is_sealed(col))
    points.delete(col, range(200, 210))
    assert rows(optimized(col)) == (1, 200, 0, 0)
    assert added == [200] or place.kind == "memory"
    points.check(col)


@pytest.mark.usefixtures("sealing")
def test_many_segments_become_few_by_themselves(place: Home) -> None:
    col, points = place.make(FLAT), Points()
    for start in range(0, 300, 10):
        points.upsert(col, range(start, start + 10))
    eventually(lambda: is_sealed(col) and rows(col)[0] <= merging.MOST_FLAT)
    points.check(col)


@pytest.mark.usefixtures("sealing")
def test_a_graph_comes_by_itself(disk: Home) -> None:
    col, points = disk.make(GRAPH), Points()
    points.upsert(col, range(100))
    eventually(lambda: "graph" in methods(col))
    points.check(col)


@pytest.mark.usefixtures("sealing")
@pytest.mark.parametrize("params", [FLAT, GRAPH])
def test_reopening_and_merging_without_a_write_between(params: VectorParams, disk: Home) -> None:
    col, points = disk.make(params), Points()
    points.upsert(col, range(40))
    points.upsert(col, range(30, 60))
    points.delete(col, range(5))
    col.close()
    col = optimized(disk.again())
    assert rows(col) == (1, 55, 0, 0)
    points.check(col)
    col.close()
    points.check(disk.again())


def test_several_vectors(storage: str, place: Home) -> None:
    named = {"a": GRAPH, "b": VectorParams(2, Distance.EUCLID, HnswConfig(full_scan_threshold=1)), "c": GRAPH}
    col = place.make(named)
    matrix = np.random.default_rng(1).normal(size=(200, SIZE))
    col.upsert(Batch(range(200), {"a": matrix})).result(PATIENCE)
    col.update_vectors([PointVectors(i, {"b": matrix[i, :2]}) for i in range(150)])
    col.update_vectors([PointVectors(i, {"a": matrix[i]}) for i in range(150, 200)])
    col.delete_vectors("b", list(range(9)))
    optimized(col)
    assert [rows(col, name)[:2] for name in named] == [(1, 200), (1, 141), (0, 0)]
    assert ids(col.search(matrix[20, :2], using="b", limit=1)) == [20]
    assert len(col.search(matrix[20], using="a", limit=300)) == 200
    assert col.search(matrix[20], using="c") == []


@pytest.mark.parametrize("params", [FLAT, GRAPH])
def test_when_everything_was_deleted_nothing_is_left(params: VectorParams, place: Home) -> None:
    col, points = place.make(params), Points()
    points.upsert(col, range(100))
    optimized(col)
    points.upsert(col, range(100, 120))
    points.delete(col, range(120))
    assert rows(optimized(col)) == (0, 0, 0, 0)
    assert col.info().segment_bytes == 0
    assert place.kind == "memory" or files(place) == set()
    points.check(col)
    points.upsert(col, range(100))
    points.check(optimized(col))


def test_an_empty_collection(place: Home) -> None:
    col = optimized(place.make(GRAPH))
    assert rows(col) == (0, 0, 0, 0)
    Points().check(optimized(col))
