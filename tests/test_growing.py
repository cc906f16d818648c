"""Graphs that grow in place: what is found in them, who uses them, and when there is none."""

from __future__ import annotations

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from following import asked

from vecstore import Batch, Collection, Distance, HnswConfig, VectorParams
from vecstore.engine import grower, planner
from vecstore.engine.grown import Covering
from vecstore.storage import graph, growing
from vecstore.storage.library import Threads, write_index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE, COUNT, MORE, LIMIT = 16, 600, 120, 10
PARAMS = HnswConfig(full_scan_threshold=1)
RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(COUNT + 2 * MORE, SIZE)).astype(np.float32)
QUERIES = RNG.normal(size=(40, SIZE)).astype(np.float32)
PATIENCE = 30
METHODS = f"[part.method for part in col.explain({QUERIES[0].tolist()}).parts]"
FOUND = f"[ids(col.search(query, limit={LIMIT})) for query in {QUERIES.tolist()}]"
LINUX = pytest.mark.skipif(not growing.RUN.exists(), reason="only Linux tells one run of the system from another")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="a file that is mapped cannot be deleted there")


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs cost nothing, and grow by a few rows, as soon as these are there."""
    monkeypatch.setattr(planner, "EF_STEP", 1e-15)
    for name, value in {"FEWEST": 8, "STEP_ROWS": 4, "LOOK_SECONDS": 0, "PAUSE": 0, "CALM": 1e9}.items():
        monkeypatch.setattr(grower, name, value)


@pytest.fixture(params=["float32", "sq8"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(graph, "SQ8_FROM", 1 if request.param == "sq8" else 1 << 16)
    monkeypatch.setattr(graph, "ORDER_KEPT", 0.0)  # however few rows there are to judge by
    monkeypatch.setattr(graph, "OUT_OF_RANGE", 0.1)
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "col"


def filled(path: Path | None, distance: Distance = Distance.COSINE) -> Collection:
    """A collection with the first rows in a graph."""
    col = Collection(path, vectors=VectorParams(SIZE, distance, PARAMS), durability=None if path is None else "os")
    col.upsert(Batch(np.arange(COUNT), ROWS[:COUNT], None)).result()
    col.optimize()
    return col


@pytest.fixture
def col(path: Path, errors_logged: list[str]) -> Iterator[Collection]:
    with filled(path) as made:
        yield made


def one_by_one(col: Collection, numbers: Any, rows: Any = ROWS) -> None:
    for number in numbers:
        col.upsert([{"id": int(number), "vector": rows[number]}]).result()


def grown(col: Collection, numbers: Any = range(COUNT, COUNT + MORE)) -> growing.Growing:
    """Points upserted one by one, and what has grown of them, when it has all but a few."""
    one_by_one(col, numbers)
    return until(col, lambda found: missing(col) < grower.STEP_ROWS)


def until(col: Collection, is_done: Any) -> growing.Growing:
    end = time.monotonic() + PATIENCE
    while (found := growing_of(col)) is None or not is_done(found):
        assert time.monotonic() < end
        col.set_payload({"turn": 1}, points=[0]).result()  # after each turn it is looked again
    return found


def growing_of(col: Collection) -> growing.Growing | None:
    graphs = [segment for segment in col._engine.state.vectors[""].sealed() if segment.has_graph]
    return max(graphs, key=lambda segment: segment.rows).growing


def missing(col: Collection) -> int:
    """Rows that are in no graph."""
    rows, found = col._engine.state.vectors[""], growing_of(col)
    covered = {} if found is None else found.covered().rows
    graphs = [segment for segment in rows.sealed() if segment.has_graph]
    return sum(view.rows - covered.get(view.source.number, 0) for view in rows.views() if view.source not in graphs)


def files(path: Path) -> list[str]:
    return [file.name for file in (path / "segments").iterdir() if file.name.endswith(".growing")]


def methods(col: Collection) -> list[str]:
    return [part.method for part in col.explain(QUERIES[0]).parts]


def check(col: Collection, least: float = 0.98) -> None:
    """Searches find what exact ones find, but for a few, each once and with the same score."""
    found = []
    for query in QUERIES:
        exact = {hit.id: hit.score for hit in col.search(query, limit=10 * COUNT, params={"exact": True})}
        hits, best = col.search(query, limit=LIMIT), list(exact)[:LIMIT]
        assert len({hit.id for hit in hits}) == len(hits) == LIMIT
        assert all(exact[hit.id] == hit.score for hit in hits)
        found.append(len({hit.id for hit in hits} & set(best)) / LIMIT)
    assert np.mean(found) >= least


# -- what is found ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", list(Distance))
def test_what_comes_one_by_one_is_found_in_the_graph(path: Path, storage: str, distance: Distance) -> None:
    with filled(path, distance) as col:
        assert methods(col) == ["graph"]
        grown(col)
        assert methods(col) == ["graph", "graph"]
        check(col)


def test_points_that_die_or_change_after_they_were_added_are_not_found(col: Collection, storage: str) -> None:
    grown(col)
    col.delete(list(range(COUNT, COUNT + MORE, 3))).result()
    check(col)
    one_by_one(col, range(COUNT + 1, COUNT + MORE, 3), ROWS[::-1])
    check(col)
    until(col, lambda _: missing(col) < grower.STEP_ROWS)
    check(col)
    assert methods(col) == ["graph", "graph"]


def test_it_goes_on_over_segments_that_are_sealed_meanwhile(col: Collection, storage: str) -> None:
    grown(col)
    col._engine._sealer.freeze(col._engine.writer._applied)  # as after some megabytes
    grown(col, range(COUNT + MORE, COUNT + MORE + 50))
    assert methods(col) == ["graph"] * 3
    one_by_one(col, range(COUNT + MORE + 50, COUNT + MORE + 53))  # these are in no graph yet
    check(col)


def test_many_points_that_are_equal_do_not_hide_others(col: Collection) -> None:
    same = np.repeat(QUERIES[:1] / 2, COUNT + MORE, axis=0)
    grown(col, range(COUNT, COUNT + 60))
    one_by_one(col, range(COUNT + 60, COUNT + MORE), same)
    found = until(col, lambda found: missing(col) < grower.STEP_ROWS)
    assert found.covered().copies > MORE - 60 - grower.STEP_ROWS
    assert {hit.id for hit in col.search(QUERIES[0], limit=LIMIT)} == set(range(COUNT + 60, COUNT + 60 + LIMIT))
    check(col, least=0.95)


def test_a_state_before_finds_nothing_of_what_was_added_since(col: Collection) -> None:
    found = grown(col, range(COUNT, COUNT + 40))
    with col._engine.view() as view:
        before = view.version.vectors[""]
    grown(col, range(COUNT + 40, COUNT + MORE))
    covering = Covering.of(before)
    assert covering is not None
    assert found.covered().added > 40
    for query in QUERIES:
        hits = covering.search(query[None] / np.linalg.norm(query), LIMIT, 500, Distance.COSINE)
        assert hits is not None
        assert len(hits.slots) == len(set(hits.slots.tolist()))
        assert hits.slots.max() < COUNT + 40


def test_filters_batches_and_exact_searches_are_as_ever(col: Collection) -> None:
    grown(col)
    where = {"must": [{"has_id": list(range(COUNT - 5, COUNT + 5))}]}
    assert {hit.id for hit in col.search(QUERIES[0], filter=where, limit=10)} == set(range(COUNT - 5, COUNT + 5))
    each = [col.search(query, limit=LIMIT) for query in QUERIES]
    together = col.search_batch(QUERIES, limit=LIMIT)
    same = [len({hit.id for hit in a} & {hit.id for hit in b}) for a, b in zip(each, together, strict=True)]
    assert np.mean(same) > 0.95 * LIMIT


# -- when there is none -------------------------------------------------------------------------------------


def test_rows_that_come_by_the_thousands_are_left_to_the_optimizer(
    col: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grower, "CALM", 1e-9)
    one_by_one(col, range(COUNT, COUNT + 40))
    assert growing_of(col) is None


def test_few_rows_and_large_segments_are_left_alone(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grower, "FEWEST", 41)
    one_by_one(col, range(COUNT, COUNT + 40))
    monkeypatch.setattr(grower, "MOST_BYTES", 1)
    one_by_one(col, range(COUNT + 40, COUNT + 60))
    assert growing_of(col) is None


def test_a_collection_in_memory_has_none() -> None:
    with filled(None) as col:
        one_by_one(col, range(COUNT, COUNT + 40))
        assert growing_of(col) is None


def test_rows_that_do_not_fit_the_codes_end_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "SQ8_FROM", 1)
    monkeypatch.setattr(graph, "ORDER_KEPT", 0.0)
    monkeypatch.setattr(graph, "OUT_OF_RANGE", 0.1)
    with filled(path, Distance.DOT) as col:
        grown(col, range(COUNT, COUNT + 40))
        one_by_one(col, range(COUNT + 40, COUNT + MORE), 50 * ROWS)
        end = time.monotonic() + PATIENCE
        while files(path):
            assert time.monotonic() < end
            one_by_one(col, range(COUNT + 40, COUNT + MORE), (50 + end - time.monotonic()) * ROWS)
        assert growing_of(col) is None
        check(col)


def test_a_merge_takes_its_place(col: Collection, path: Path, storage: str) -> None:
    grown(col)
    assert files(path)
    col.optimize()
    one_by_one(col, range(COUNT + MORE, COUNT + MORE + 2))
    assert growing_of(col) is None
    assert not files(path)
    check(col)


def test_where_it_is_full_of_the_dead_it_begins_again(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grower, "ROOM", 60 / COUNT)
    first = grown(col, range(COUNT, COUNT + 20))
    for turn in range(1, 4):
        one_by_one(col, range(COUNT, COUNT + 20), np.roll(ROWS, turn, axis=0))
    second = until(col, lambda found: found is not first and missing(col) < grower.STEP_ROWS)
    assert second.left > 0
    check(col)


def test_a_disk_that_cannot_be_written_costs_time_alone(
    col: Collection, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(growing, "write_whole", fails)
    one_by_one(col, range(COUNT, COUNT + MORE))
    end = time.monotonic() + PATIENCE
    while "does not grow" not in caplog.text:
        assert time.monotonic() < end
        col.set_payload({"turn": 1}, points=[0]).result()
    assert "No space left" in caplog.text
    assert not files(path)
    check(col)


# -- the file -----------------------------------------------------------------------------------------------


def test_the_next_writer_goes_on_with_it(col: Collection, path: Path, storage: str) -> None:
    added = grown(col).covered().added
    one_by_one(col, range(COUNT + MORE, COUNT + MORE + 2))
    col.close()
    assert len(files(path)) == 1
    for more in (10, 20):
        with Collection(path) as again:
            assert methods(again) == ["graph", "graph"]
            found = grown(again, range(COUNT + MORE + more - 8, COUNT + MORE + more))
            assert found.covered().added >= added + more - 10
            check(again)
    with Collection(path, read_only=True) as reader:
        assert methods(reader) == ["graph", "graph"]
        check(reader)


def test_the_next_writer_deletes_what_is_not_of_its_state(col: Collection, path: Path) -> None:
    grown(col)
    (file,) = [path / "segments" / name for name in files(path)]
    killed = shutil.copy(file, path.with_name("killed"))
    col.close()
    older = shutil.copy(file, path.with_name("older"))
    with Collection(path) as again:
        one_by_one(again, range(COUNT, COUNT + 2), ROWS[::-1])
    for kept in (killed, older):
        shutil.copy(kept, file)
        with Collection(path) as again:
            assert not files(path)
            check(again)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:-1],
        lambda raw: b"",
        lambda raw: raw[:-8] + bytes(8),
        lambda raw: raw.replace(growing.this_run(), bytes(16)),
        lambda raw: raw.replace(growing.MAGIC, bytes(8)),
    ],
    ids=["shorter", "empty", "another size", "another run of the system", "no magic"],
)
def test_what_is_not_what_was_written_is_not_used(col: Collection, path: Path, change: Any) -> None:
    found = grown(col)
    (name,) = files(path)
    file = path / "segments" / name
    graph_file = file.with_name(name.removesuffix(".growing"))
    assert growing.attach(graph_file, COUNT, None) is not None
    assert growing.attach(graph_file, COUNT, found) is found
    assert growing.attach(graph_file, COUNT + 1, None) is None
    changed = file.with_name("changed")
    changed.write_bytes(change(file.read_bytes()))
    changed.replace(file)
    assert growing.attach(graph_file, COUNT, None) is None
    assert growing.attach(graph_file.with_name("other"), COUNT, found) is found


def test_whoever_looks_meanwhile_sees_numbers_of_rows_alone(col: Collection, storage: str) -> None:
    """No number is that of a row that is not there, and what a row leads to it goes on to lead to."""
    found = grown(col, range(COUNT, COUNT + 8))
    lists = growing._Lists(found.index)
    before = lists.of(np.arange(COUNT))
    assert grown(col, range(COUNT + 8, COUNT + MORE)) is found
    now = lists.of(np.arange(COUNT))
    assert (now != before).any()
    assert (now[before >= 0] >= 0).all()
    last = COUNT + found.covered().added
    assert lists._neighbours.ctypes.data % growing.ALIGNMENT == 0
    there = lists.of(np.arange(last))
    assert there.min() >= -1
    assert there.max() < last
    assert (lists.of(np.arange(last, COUNT + found.room)) == -1).all()
    own = col._engine._grower._grown[""].growth
    assert own is not None
    assert (growing._Lists(own.index).codes[:last] == lists.codes[:last]).all()


# -- other processes ----------------------------------------------------------------------------------------


@LINUX
def test_a_reader_in_another_process_finds_it_and_keeps_it(col: Collection, path: Path, storage: str) -> None:
    one_by_one(col, range(COUNT, COUNT + 4))
    with asked(
        path,
        "from vecstore.engine import follower, planner; follower.LOOK_SECONDS = 0; planner.EF_STEP = 1e-15"
        "\nfrom vecstore import *\n",
    ) as reader:
        assert reader(METHODS) == ["graph", "full"]
        grown(col)
        assert reader(METHODS) == ["graph", "graph"]
        for at in (0, 1, 2):
            col.delete([COUNT + at]).result()
            assert reader(FOUND) == [[hit.id for hit in col.search(query.tolist(), limit=LIMIT)] for query in QUERIES]
        col.close()
        assert reader(METHODS) == ["graph", "graph"]
        assert reader("col.count()") == COUNT + MORE - 3


def test_searches_meanwhile_stay_in_their_memory(tmp_path: Path) -> None:
    """FAISS counts a row's neighbours, then reads them again: where there are fewer then, the process ends.

    So it did within a second, with lists that may get shorter.
    """
    centres = RNG.normal(size=(8, SIZE)).astype(np.float32)
    rows = (np.repeat(centres, 400, axis=0) + 0.1 * RNG.normal(size=(3200, SIZE))).astype(np.float32)
    rows = RNG.permutation(rows)
    index = graph.new(VectorParams(SIZE, Distance.DOT, HnswConfig(m=4)), rows[:200])
    graph.add(index, rows[:1200], 1)
    write_index(index, tmp_path / "graph")
    over = threading.Event()

    def search(of: growing.Growing) -> int:
        count = 0
        while not over.is_set():
            _, found = graph.nearest(of.index, rows[:50], LIMIT, Distance.DOT, graph.parameters(64, None))
            assert found.max() < of.rows + of.room
            count += 1
        return count

    for _ in range(3):
        growth = growing.Growth(growing.make(tmp_path / "graph", 1200, 2000))
        with ThreadPoolExecutor(2) as pool, Threads(1):
            searching = [pool.submit(search, growth.growing) for _ in range(2)]
            for first in range(1200, 3200, 50):
                growth.add(rows[first : first + 50], np.arange(first, first + 50, dtype=np.uint64))
            over.set()
            assert all(each.result() for each in searching)
        over.clear()
