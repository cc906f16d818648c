"""Codes against numpy: what they stand for, what is chosen by them, and when there are none."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from brute_force import best, check, true_scores

from vecstore import Batch, Collection, Distance, HnswConfig, VectorParams
from vecstore.engine import parts, planner
from vecstore.storage import bitmaps, codes

if TYPE_CHECKING:
    from pathlib import Path

CODED = pytest.mark.parametrize("distance", [Distance.COSINE, Distance.DOT, Distance.EUCLID])
RNG = np.random.default_rng(7)


def embedded(count: int, size: int, seed: int = 1) -> Any:
    """Rows as models make them: of fewer dimensions than they have, and of unlike ones."""
    base = np.random.default_rng(0).normal(size=(max(4, size // 8), size)) / max(4, size // 8) ** 0.5
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, len(base))) @ base + 0.5 * rng.normal(size=(count, size))
    return ((rows + 1) * np.linspace(0.7, 1.3, size)).astype(np.float32)


def far_clusters(count: int, size: int) -> Any:
    """Rows so near to one of a few points, and these so far apart, that all codes of a cluster are the same."""
    return (100 * RNG.integers(2, size=(count, 1)) + 1e-2 * RNG.normal(size=(count, size))).astype(np.float32)


def made(rows: Any, distance: Distance = Distance.DOT) -> codes.Codes:
    found = codes.codes_of(rows, distance)
    assert found is not None
    return found


def decoded(found: codes.Codes) -> Any:
    return found.index.reconstruct_n(0, found.rows)


def nearest_levels(rows: Any, measured: Any) -> Any:
    """Each number at the nearest of the four levels of its dimension."""
    levels = measured.mean(axis=0) + measured.std(axis=0) * codes.LEVELS[:, None]
    return np.take_along_axis(levels, np.abs(rows[None] - levels[:, None]).argmin(axis=0), axis=0)


def test_the_levels_are_the_best_for_a_normal_distribution() -> None:
    numbers = RNG.normal(size=1_000_000)
    lost = np.abs(numbers[:, None] - codes.LEVELS).min(axis=1)
    assert (lost**2).mean() == pytest.approx(0.1175, abs=0.001), "Max 1960, table I"


@CODED
def test_each_number_stands_at_the_nearest_level_of_its_dimension(distance: Distance) -> None:
    rows = embedded(300, 32)
    found = made(rows, distance)
    assert (found.rows, found.measured) == (300, 300)
    assert decoded(found) == pytest.approx(nearest_levels(rows, rows), rel=1e-4)


def test_rows_that_come_later_have_the_levels_there_are() -> None:
    rows = embedded(400, 384)
    first = made(rows[:300])
    more = first.and_more(rows)
    assert more is not None
    assert (more.rows, more.measured, more.known, more.index.ntotal) == (400, 300, 400, 400)
    assert decoded(more) == pytest.approx(nearest_levels(rows, rows[:300]), rel=1e-4)
    assert first.index.ntotal == 300, "somebody may be searching it"
    few = first.and_more(rows[:330])
    assert few is not None
    assert (few.rows, few.known) == (330, 300), "whether order is kept is looked at when there are an eighth more"
    others = np.concatenate([rows[:330], 1000 + rows[330:]])
    assert few.and_more(others) is None


@CODED
@pytest.mark.parametrize("size", [64, 384])
def test_nearly_all_of_the_nearest_are_chosen(distance: Distance, size: int) -> None:
    rows, queries = embedded(1500, size), embedded(100, size, seed=2)
    if distance is Distance.COSINE:
        rows, queries = (each / np.linalg.norm(each, axis=1)[:, None] for each in (rows, queries))
    found = made(rows, distance)
    chosen = codes.to_choose(10, size)
    kept = [np.isin(nearest(rows, query, distance, 10), found.nearest(query[None], chosen)).mean() for query in queries]
    assert np.mean(kept) >= 0.99


def nearest(rows: Any, query: Any, distance: Distance, k: int) -> Any:
    scores = true_scores(rows, query, distance)
    return np.argsort(-scores if distance.larger_is_better else scores)[:k]


@CODED
@pytest.mark.parametrize("make", [far_clusters, lambda *shape: RNG.standard_cauchy(shape).astype(np.float32)])
def test_rows_whose_order_would_be_lost_have_none(distance: Distance, make: Any) -> None:
    assert codes.codes_of(make(2000, 16), distance) is None


def test_more_rows_are_asked_where_one_of_the_first_has_no_order() -> None:
    rows = embedded(800, 384)
    others = np.arange(800)
    clump = others[(others % 6 > 0) & (others % 25 > 0)][:200]  # whom nobody asks
    rows[clump] = rows[0] + 1e-2 * RNG.normal(size=(len(clump), 384)).astype(np.float32)
    found = made(rows)
    assert codes._order_kept(found.index, rows, codes._some(rows, codes.ASKED)) < codes.ORDER_KEPT


def test_numbers_that_overflow_have_none_and_are_no_order_for_a_query() -> None:
    rows = embedded(300, 32)
    assert made(rows).nearest(np.full((1, 32), 3e38, np.float32), 5) is None
    assert codes.codes_of(rows * np.float32(1e37), Distance.DOT) is None
    huge = np.tile(np.array([[3.4e38], [-3.4e38]], np.float32), (100, 4))
    assert codes.codes_of(huge, Distance.DOT) is None


# -- when there are codes ------------------------------------------------------------------------------------


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes are made of a few rows, at the second scan, and the smallest graph is searched."""
    monkeypatch.setattr(codes, "FEWEST_BYTES", 0)
    monkeypatch.setattr(codes, "SCANS", 1)
    monkeypatch.setattr(codes, "BEHIND", 5)
    monkeypatch.setattr(planner, "EF_STEP", 1e-15)


ROWS = embedded(400, 384)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of how many rows levels were measured, each time."""
    counts: list[int] = []
    codes_of = codes.codes_of
    monkeypatch.setattr(codes, "codes_of", lambda *args: counts.append(len(args[0])) or codes_of(*args))
    return counts


@pytest.mark.usefixtures("early")
def test_a_coder_has_codes_from_the_second_scan_on_and_keeps_up(measured: list[int]) -> None:
    coder, dot = codes.Coder(), Distance.DOT
    assert coder.of(ROWS[:140], dot) is None
    first = coder.of(ROWS[:140], dot)
    assert first is not None
    assert first.rows == 140
    assert coder.of(ROWS[:145], dot) is first
    more = coder.of(ROWS[:146], dot)
    assert more is not None
    assert (more.rows, first.rows) == (146, 140)
    assert coder.of(ROWS[:145], dot) is None, "of rows that came later there is nothing to be said"
    assert coder.of(ROWS[:146], dot) is more
    for there in range(150, 400, 10):
        coder.of(ROWS[:there], dot)
    assert measured == [140, 280], "again where the rows have doubled"


@pytest.mark.usefixtures("early")
def test_levels_are_measured_again_where_other_rows_come(measured: list[int]) -> None:
    rows = np.concatenate([ROWS[:200], 0.1 * embedded(400, 384, seed=9)[200:] + 9])
    coder = codes.Coder()
    for there in (200, 200, 210, 300):
        coder.of(rows[:there], Distance.EUCLID)
    assert measured == [200, 300]


@pytest.mark.usefixtures("early")
def test_where_order_was_lost_it_is_tried_again_with_twice_as_many_rows(measured: list[int]) -> None:
    coder, rows = codes.Coder(), far_clusters(400, 384)
    assert all(coder.of(rows[:there], Distance.EUCLID) is None for there in range(120, 400, 10))
    assert measured == [130, 260]


@pytest.mark.usefixtures("early")
def test_without_memory_for_codes_the_rows_are_scanned_and_some_scans_later_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []

    def fail(matrix: Any, _: Distance) -> codes.Codes:
        tried.append(len(matrix))
        raise MemoryError

    monkeypatch.setattr(codes, "codes_of", fail)
    coder = codes.Coder()
    assert [coder.of(ROWS, Distance.DOT) for _ in range(4)] == [None] * 4
    assert tried == [400, 400]


@pytest.mark.parametrize(
    ("shape", "distance"),
    [
        ((400, 4), Distance.MANHATTAN),
        ((400, 5), Distance.DOT),
        ((2, codes.MOST_DIMENSIONS + 2), Distance.DOT),
        ((0, 4), Distance.DOT),
    ],
)
def test_some_rows_have_none(
    monkeypatch: pytest.MonkeyPatch, measured: list[int], shape: tuple[int, int], distance: Distance
) -> None:
    monkeypatch.setattr(codes, "FEWEST_BYTES", 1)
    coder = codes.Coder()
    assert [coder.of(np.ones(shape, np.float32), distance) for _ in range(40)] == [None] * 40
    assert not measured


def test_few_rows_and_many_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "FEWEST_BYTES", 100 * 4 * 384)
    monkeypatch.setattr(codes, "MOST_BYTES", 300 * 4 * 384)
    monkeypatch.setattr(codes, "SCANS", 4)
    for rows, there in ((99, False), (100, True), (300, True), (301, False)):
        coder = codes.Coder()
        assert [coder.of(ROWS[:rows], Distance.DOT) is not None for _ in range(6)] == [False] * 4 + [there] * 2


# -- a part --------------------------------------------------------------------------------------------------


def part(rows: Any, dead: Any, found: codes.Codes) -> parts.Flat:
    bitmap = bitmaps.empty(len(rows))
    bitmaps.add(bitmap, np.array(dead))
    slots = np.arange(len(rows), dtype=np.uint32)
    return parts.Flat(rows, slots, None, bitmap, len(rows) - len(dead), found)


def test_rows_without_codes_are_chosen_and_dead_ones_are_not() -> None:
    coded, query = part(ROWS, [7, 398], made(ROWS[:396])), ROWS[7:8]
    chosen = coded.chosen(made(ROWS[:396]), query, 10).tolist()
    assert {396, 397, 399} <= set(chosen)
    assert not {7, 398} & set(chosen)
    assert len(chosen) in (52, 53)
    (found,) = parts.look_in(coded, query, 10, 4, Distance.DOT)
    assert found.rows.tolist() == chosen
    assert found.worst is None, "nothing is hidden that would have to be asked for"


def test_where_the_nearest_are_dead_the_rows_are_scanned() -> None:
    query = ROWS[7:8]
    dead = nearest(ROWS, query[0], Distance.DOT, 60)
    coded = part(ROWS, dead, made(ROWS))
    assert coded.chosen(made(ROWS), query, 10) is None
    (found,) = parts.look_in(coded, query, 10, 4, Distance.DOT)
    alive = np.setdiff1d(np.arange(400), dead)
    assert set(found.rows.tolist()) >= set(alive[nearest(ROWS[alive], query[0], Distance.DOT, 10)].tolist())


def test_so_they_are_where_codes_cannot_tell() -> None:
    query = np.full((1, 384), 1e38, np.float32)
    coded = part(ROWS, [7], made(ROWS))
    assert coded.chosen(made(ROWS), query, 10) is None
    (found,) = parts.look_in(coded, query, 10, 4, Distance.DOT)
    (same,) = parts.look_in(coded._replace(codes=None), query, 10, 4, Distance.DOT)
    assert (found.rows.tolist(), found.worst) == (same.rows.tolist(), same.worst)


def test_where_few_are_alive_all_of_them_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "FEW_CANDIDATES", 0)
    coded = part(ROWS, np.arange(4, 396), made(ROWS[:396]))
    (found,) = parts.look_in(coded, ROWS[:1], 10, 4, Distance.DOT)
    assert sorted(found.rows.tolist()) == [0, 1, 2, 3, 396, 397, 398, 399]
    assert not found.may_hide


# -- searches ------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows were asked for by their codes, each time."""
    ks: list[int] = []
    by_codes = codes.Codes.nearest

    def note(self: codes.Codes, query: Any, k: int) -> Any:
        ks.append(k)
        return by_codes(self, query, k)

    monkeypatch.setattr(codes.Codes, "nearest", note)
    return ks


def with_graph(path: Path | None, matrix: Any, distance: Distance) -> Collection:
    """A collection with all of ``matrix`` in a graph."""
    params = VectorParams(matrix.shape[1], distance, HnswConfig(full_scan_threshold=1))
    col = Collection(path, vectors=params)
    col.upsert(Batch(range(len(matrix)), matrix, [{"n": i} for i in range(len(matrix))])).result()
    col.optimize()
    return col


@CODED
@pytest.mark.usefixtures("early")
def test_searches_beside_writes_find_what_there_is(asked: list[int], distance: Distance) -> None:
    matrix, fresh = embedded(500, 32), iter(embedded(1200, 32, seed=3))
    points = dict(enumerate(matrix))
    kept = []
    with with_graph(None, matrix, distance) as col:
        for _ in range(30):
            ids = RNG.choice(900, 40, replace=False).tolist()
            points |= {point_id: next(fresh) for point_id in ids}
            col.upsert(Batch(ids, np.array([points[point_id] for point_id in ids]))).result()
            queries = points[ids[7]], matrix[3], -matrix[0]
            gone = RNG.choice(list(points), 5, replace=False).tolist()
            col.delete(gone).result()
            for point_id in gone:
                del points[point_id]
            kept += [share(col, points, query, distance) for query in queries]
    assert len(asked) > 50
    assert np.mean(kept) >= 0.99


def share(col: Collection, points: dict[int, Any], query: Any, distance: Distance) -> float:
    """The share of the best that a search finds. Whatever it finds is there, scored right, in order."""
    ids, matrix = list(points), np.array(list(points.values()))
    hits = col.search(query, limit=10)
    found = [ids.index(hit.id) for hit in hits]
    check(hits, [ids[i] for i in found], matrix[found], query, distance, 10)
    return float(np.isin(nearest(matrix, query, distance, 10), found).mean())


@pytest.mark.usefixtures("early")
def test_what_was_just_written_is_found_first(asked: list[int], tmp_path: Path) -> None:
    fresh = embedded(600, 384, seed=5)
    with with_graph(tmp_path / "col", ROWS, Distance.COSINE) as col:
        for number, vector in enumerate(fresh, start=1000):
            col.upsert([{"id": number, "vector": vector}]).result()
            (hit,) = col.search(vector, limit=1)
            assert (hit.id, hit.score) == (number, pytest.approx(1))
    assert len(asked) > 500


@pytest.mark.usefixtures("early")
def test_only_a_search_that_asks_a_graph_uses_them_and_says_so(asked: list[int]) -> None:
    def methods(**question: Any) -> list[str]:
        return [part.method for part in col.explain(ROWS[0], **question).parts]

    with with_graph(None, ROWS, Distance.DOT) as col:
        col.upsert(Batch(range(1000, 1400), embedded(400, 384, seed=5))).result()
        for _ in range(2):
            assert methods(params={"exact": True}) == ["full", "full"]
            col.search_batch(ROWS[:2], limit=3)
            col.search(ROWS[0], filter={"must": [{"key": "n", "range": {"lt": 390}}]})
        assert not asked
        assert [methods(), methods()] == [["graph", "full"], ["graph", "codes"]]
        assert asked == [50]


@pytest.mark.usefixtures("early")
def test_without_a_graph_searches_are_exact(asked: list[int]) -> None:
    with Collection(vectors=VectorParams(384, Distance.DOT)) as col:
        col.upsert(Batch(range(400), ROWS)).result()
        for query in ROWS[:9]:
            check(col.search(query, limit=5), range(400), ROWS, query, Distance.DOT, 5)
    assert not asked


@pytest.mark.usefixtures("early")
def test_threads_that_search_while_rows_come_find_what_there_is() -> None:
    rows, wrong, over = embedded(3000, 32), [], threading.Event()
    with with_graph(None, rows[:200], Distance.DOT) as col:

        def read() -> None:
            while not over.is_set():
                before, hits, after = len(col), col.search(rows[0], limit=5), len(col)
                possible = [
                    [hit[0] for hit in best(range(there), rows[:there], rows[0], Distance.DOT, 5)]
                    for there in range(before, after + 1, 10)
                ]
                if [hit.id for hit in hits] not in possible:
                    wrong.append((before, after, hits))

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for first in range(200, 3000, 10):
            col.upsert(Batch(range(first, first + 10), rows[first : first + 10])).result()
        over.set()
        for thread in threads:
            thread.join()
    assert not wrong


def test_at_the_sizes_at_which_they_are_used_they_find_what_is_found_without(asked: list[int], tmp_path: Path) -> None:
    matrix, queries = embedded(9000, 256), embedded(codes.SCANS + 100, 256, seed=6)
    with with_graph(tmp_path / "col", matrix[:5000], Distance.COSINE) as col:
        col.upsert(Batch(range(5000, 9000), matrix[5000:])).result()
        points = dict(enumerate(matrix))
        kept = [share(col, points, query, Distance.COSINE) for query in queries]
    assert len(asked) == 100
    assert np.mean(kept[codes.SCANS :]) >= 0.99
