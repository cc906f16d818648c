"""Codes against numpy: what they promise holds for every row, and a search by them finds what there is."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from brute_force import best, check
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vecstore import Batch, Collection, Distance, VectorParams
from vecstore.engine import parts
from vecstore.storage import bitmaps, codes

if TYPE_CHECKING:
    from collections.abc import Callable

CODED = pytest.mark.parametrize("distance", [Distance.COSINE, Distance.DOT, Distance.EUCLID])
RNG = np.random.default_rng(7)
ANY = st.floats(width=32, allow_nan=False, allow_infinity=False)
SIZES = (1, 2, 31, 32, 33, 64, 384, 1536, codes.MOST_DIMENSIONS)


def exactly(query: Any, rows: Any, distance: Distance) -> Any:
    """Goodness in float64: the inner product, or the Euclidean distance squared, as a negative number."""
    query, rows = query.astype(np.float64), rows.astype(np.float64)
    return -((rows - query) ** 2).sum(axis=1) if distance is Distance.EUCLID else rows @ query[0]


def check_promise(query: Any, rows: Any, distance: Distance) -> None:
    """Each row comes, in order, and is no better than its codes say."""
    goodness, found = codes.codes_of(rows, distance).nearest(query, len(rows), None)
    assert sorted(found.tolist()) == list(range(len(rows)))
    assert (np.diff(goodness) <= 0).all()
    exact = exactly(query, rows, distance)[found]
    assert (exact <= goodness + 1e-12 * np.abs(exact)).all()


@CODED
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1e-30, 1, 1e15])
def test_no_row_is_better_than_its_codes_say(distance: Distance, size: int, scale: float) -> None:
    rows = (scale * RNG.normal(size=(60, size))).astype(np.float32)
    check_promise(rows[:1] + np.float32(scale), rows, distance)
    check_promise(rows[1:2], rows, distance)


@CODED
def test_so_it_is_for_a_query_far_from_all_rows(distance: Distance) -> None:
    check_promise(np.full((1, 4), 1e38, np.float32), RNG.normal(size=(60, 4)).astype(np.float32), distance)


@CODED
@given(
    rows=st.integers(1, 4).flatmap(lambda size: arrays(np.float32, (5, size), elements=ANY)),
    at=st.integers(0, 4),
    by=st.sampled_from([1.0, -1.0, 0.0, 0.3, 1e-20]),
)
def test_so_it_is_whatever_numbers_there_are(distance: Distance, rows: Any, at: int, by: float) -> None:
    check_promise(rows[at : at + 1] * np.float32(by), rows, distance)


@CODED
@pytest.mark.parametrize("size", [31, codes.MOST_DIMENSIONS])
def test_the_largest_numbers_have_room(distance: Distance, size: int) -> None:
    rows = np.ones((3, size), np.float32)
    rows[1] = -1
    check_promise(rows[:1], rows, distance)
    goodness, found = codes.codes_of(rows, distance).nearest(rows[:1], 3, None)
    assert found[2] == 1
    assert goodness == pytest.approx(exactly(rows[:1], rows, distance)[found], rel=1e-4, abs=1e-4 * size)


@CODED
def test_they_say_not_much_too_much(distance: Distance) -> None:
    """For ordinary rows it is some hundredths: else a search by them would look at too many."""
    rows = RNG.normal(size=(2000, 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    goodness, found = codes.codes_of(rows, distance).nearest(rows[:1], 2000, None)
    assert (goodness - exactly(rows[:1], rows, distance)[found]).max() <= 0.1


def test_more_rows_have_the_codes_they_would_have_had_at_first() -> None:
    rows = RNG.normal(size=(3000, 8)).astype(np.float32)
    rows[0] = 9  # the scale is that of the first ones
    whole, grown = codes.codes_of(rows, Distance.DOT), codes.codes_of(rows[:40], Distance.DOT).and_more(rows)
    (goodness, found), (others, same) = (made.nearest(rows[5:6], 50, None) for made in (whole, grown))
    assert np.array_equal(found, same)
    assert goodness == pytest.approx(others, rel=0.01)
    assert (grown.rows, grown.error) == (3000, whole.error)
    assert grown.longest == pytest.approx(whole.longest, rel=0.01)


# -- when there are codes ------------------------------------------------------------------------------------


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes are made of a few rows, at the second scan."""
    monkeypatch.setattr(codes, "FEWEST_BYTES", 0)
    monkeypatch.setattr(codes, "SCANS", 1)
    monkeypatch.setattr(codes, "BEHIND", 5)


ROWS = RNG.normal(size=(400, 4)).astype(np.float32)


@pytest.mark.usefixtures("early")
def test_a_coder_has_codes_from_the_second_scan_on_and_keeps_up() -> None:
    coder, dot = codes.Coder(), Distance.DOT
    assert coder.of(ROWS[:40], dot) is None
    first = coder.of(ROWS[:40], dot)
    assert first is not None
    assert first.rows == 40
    assert coder.of(ROWS[:45], dot) is first
    more = coder.of(ROWS[:46], dot)
    assert more is not None
    assert (more.rows, first.rows) == (46, 40)
    assert coder.of(ROWS[:45], dot) is None, "of rows that came later there is nothing to be said"
    assert coder.of(ROWS[:46], dot) is more


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("factor", [100, 1e37])
def test_a_coder_begins_again_where_what_comes_is_much_larger(factor: float) -> None:
    coder, rows = codes.Coder(), ROWS.copy()
    rows[200:] *= factor
    coder.of(rows[:100], Distance.DOT)
    small, large = coder.of(rows[:100], Distance.DOT), coder.of(rows, Distance.DOT)
    assert small is not None
    assert large is not None
    assert large.scale < small.scale / 10


@pytest.mark.usefixtures("early")
def test_a_coder_has_none_where_a_few_numbers_are_very_large(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.zeros((400, 64), np.float32)
    rows[:, 1:] = RNG.normal(size=(400, 63))
    rows[0, 0] = 1e4
    made: list[int] = []
    codes_of = codes.codes_of
    monkeypatch.setattr(
        codes, "codes_of", lambda matrix, distance: made.append(len(matrix)) or codes_of(matrix, distance)
    )
    monkeypatch.setattr(codes, "LOST", 1e-4)
    coder = codes.Coder()
    assert all(coder.of(rows[:size], Distance.DOT) is None for size in range(50, 400, 10))
    assert made == [60, 130, 270], "again only when there are twice as many"


@pytest.mark.usefixtures("early")
def test_without_memory_for_codes_the_rows_are_scanned_and_some_scans_later_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []

    def fail(self: codes.Codes, matrix: Any) -> codes.Codes:
        tried.append(len(matrix))
        raise MemoryError

    with monkeypatch.context() as patch, Collection(vectors=VectorParams(4, Distance.DOT)) as col:
        patch.setattr(codes.Codes, "and_more", fail)
        col.upsert(Batch(range(400), ROWS)).result()
        for _ in range(4):
            check(col.search(ROWS[0], limit=5), range(400), ROWS, ROWS[0], Distance.DOT, 5)
        assert tried == [400, 400]


@pytest.mark.parametrize(
    ("shape", "distance"),
    [((400, 4), Distance.MANHATTAN), ((2, codes.MOST_DIMENSIONS + 1), Distance.DOT), ((0, 4), Distance.DOT)],
)
def test_some_rows_have_none(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], distance: Distance) -> None:
    monkeypatch.setattr(codes, "FEWEST_BYTES", 1)
    coder = codes.Coder()
    assert [coder.of(np.ones(shape, np.float32), distance) for _ in range(9)] == [None] * 9


def test_few_rows_and_many_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "FEWEST_BYTES", 100 * 16)
    monkeypatch.setattr(codes, "MOST_BYTES", 300 * 16)
    monkeypatch.setattr(codes, "SCANS", 4)
    for rows, there in ((99, False), (100, True), (300, True), (301, False)):
        coder = codes.Coder()
        assert [coder.of(ROWS[:rows], Distance.DOT) is not None for _ in range(6)] == [False] * 4 + [there] * 2


# -- searches ------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows were asked for by their codes, each time."""
    ks: list[int] = []
    nearest = codes.Codes.nearest

    def note(self: codes.Codes, query: Any, k: int, chosen: Any) -> Any:
        ks.append(k)
        return nearest(self, query, k, chosen)

    monkeypatch.setattr(codes.Codes, "nearest", note)
    return ks


def whole(*shape: int) -> Any:
    return RNG.integers(-4, 5, size=shape).astype(np.float32)


def ordinary(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def alike(*shape: int) -> Any:
    """So near to each other that all codes of a row may be the same."""
    return (1 + 1e-3 * RNG.normal(size=shape)).astype(np.float32)


@CODED
@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("make", [whole, ordinary, alike])
def test_searches_beside_writes_find_what_there_is(
    asked: list[int], distance: Distance, make: Callable[..., Any]
) -> None:
    size = 12
    with Collection(vectors=VectorParams(size, distance)) as col:
        points: dict[int, Any] = {}
        for _ in range(30):
            ids = RNG.integers(300, size=40).tolist()
            vectors = dict(zip(ids, make(len(ids), size), strict=True))
            points.update(vectors)
            col.upsert(Batch(list(vectors), np.array(list(vectors.values())))).result()
            gone = RNG.choice(list(points), 5, replace=False).tolist()
            col.delete(gone).result()
            for point_id in gone:
                del points[point_id]
            compare(col, points, distance, exactly_so=make is whole and distance is not Distance.COSINE)
    assert len(asked) > 50


def compare(col: Collection, points: dict[int, Any], distance: Distance, *, exactly_so: bool) -> None:
    ids, matrix = list(points), np.array(list(points.values()))
    for query, limit in ((matrix[3], 10), (matrix[-1] + 1, 1), (-matrix[0], 60)):
        hits = col.search(query, limit=limit)
        if exactly_so:
            assert [(hit.id, hit.score) for hit in hits] == best(ids, matrix, query, distance, limit)
        else:
            check(hits, ids, matrix, query, distance, limit)


@pytest.mark.usefixtures("early")
def test_equal_rows_are_asked_for_again_and_come_by_their_ids(asked: list[int]) -> None:
    with Collection(vectors=VectorParams(4, Distance.DOT)) as col:
        col.upsert(Batch(range(200, 0, -1), np.ones((200, 4)))).result()
        for _ in range(3):
            assert [hit.id for hit in col.search([1, 1, 1, 1], limit=5)] == [1, 2, 3, 4, 5]
    assert asked == [22, 22]


@pytest.mark.usefixtures("early")
def test_rows_that_have_no_codes_yet_are_found_and_dead_ones_are_not(asked: list[int]) -> None:
    with Collection(vectors=VectorParams(2, Distance.EUCLID)) as col:
        col.upsert(Batch(range(100), [[i, 0] for i in range(100)])).result()
        col.search([50, 0])
        col.search([50, 0])
        col.upsert(Batch(range(100, 104), [[i, 0] for i in range(100, 104)])).result()
        col.delete([101, 40]).result()
        assert [hit.id for hit in col.search([102, 0], limit=3)] == [102, 103, 100]
        assert [hit.id for hit in col.search([40, 0], limit=2)] == [39, 41]
        col.delete(range(20, 100)).result()
        assert [hit.id for hit in col.search([50, 0], limit=99)] == [*range(19, -1, -1), 100, 102, 103]
    assert asked


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("few", [0, 64])
def test_a_part_says_how_good_others_may_be(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(parts, "FEW_CANDIDATES", 0)
    monkeypatch.setattr(parts, "FEW_DEAD", few)
    rows = ordinary(100, 8)
    dead = bitmaps.empty(100)
    bitmaps.add(dead, np.array([7, 98]))
    part = parts.Flat(rows, np.arange(100, dtype=np.uint32), None, dead, 98, codes.Coder())
    part.coder.of(rows[:96], Distance.DOT)
    part.coder.of(rows[:96], Distance.DOT)
    (found,) = parts.look_in(part, rows[:1], 10, 4, Distance.DOT)
    assert len(found.rows) in ((35, 36, 37) if few else (35,))
    assert {96, 97, 99} <= set(found.rows.tolist())
    assert not {7, 98} & set(found.rows.tolist())
    left = np.setdiff1d(np.arange(100), [*found.rows, 7, 98])
    assert exactly(rows[:1], rows[left], Distance.DOT).max() <= found.worst
    found.ask_again(rows[0], Distance.DOT)
    assert len(found.rows) >= 70
    worst = np.sort(exactly(rows[:1], rows[part.everything()], Distance.DOT))[-len(found.rows)]
    assert found.worst == pytest.approx(worst)


@pytest.mark.usefixtures("early")
def test_where_few_are_alive_all_of_them_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "FEW_CANDIDATES", 0)
    rows, dead = ordinary(100, 8), bitmaps.empty(100)
    bitmaps.add(dead, np.arange(4, 96))
    part = parts.Flat(rows, np.arange(100, dtype=np.uint32), None, dead, 8, codes.Coder())
    part.coder.of(rows[:96], Distance.DOT)
    part.coder.of(rows[:96], Distance.DOT)
    (found,) = parts.look_in(part, rows[:1], 10, 4, Distance.DOT)
    assert sorted(found.rows.tolist()) == [0, 1, 2, 3, 96, 97, 98, 99]


@pytest.mark.usefixtures("early")
def test_several_queries_at_once_and_filters_do_without(asked: list[int]) -> None:
    with Collection(vectors=VectorParams(4, Distance.DOT)) as col:
        col.upsert(Batch(range(400), ROWS, [{"n": i} for i in range(400)])).result()
        for _ in range(3):
            col.search_batch(ROWS[:2], limit=3)
            col.search(ROWS[0], filter={"must": [{"key": "n", "range": {"lt": 390}}]})
    assert not asked


@pytest.mark.usefixtures("early")
def test_threads_that_search_while_rows_come_find_what_there_is() -> None:
    rows, wrong, over = ordinary(3000, 16), [], threading.Event()
    with Collection(vectors=VectorParams(16, Distance.DOT)) as col:
        col.upsert(Batch(range(200), rows[:200])).result()

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


@CODED
def test_what_is_found_by_codes_is_what_is_found_without(asked: list[int], distance: Distance) -> None:
    """At the sizes at which they are used, with no threshold moved."""
    rows = ordinary(1600, 256)
    with Collection(vectors=VectorParams(256, distance)) as col:
        col.upsert(Batch(range(1600), rows)).result()
        for query in ordinary(codes.SCANS + 20, 256):
            check(col.search(query, limit=10), range(1600), rows, query, distance, 10)
    assert len(asked) == 20
