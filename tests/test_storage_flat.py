"""Exact search over rows against numpy: what FAISS finds is right, and the scores are in one arithmetic."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from profiles import times

from vecstore.models import Distance
from vecstore.storage import bitmaps, flat, library

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVERY_DISTANCE = pytest.mark.parametrize("distance", list(Distance))
WHOLE = st.integers(-8, 8).map(float)
"""Numbers whose sums have no rounding, so that FAISS and numpy agree to the bit."""


def matrices(rows: int, size: int = 4) -> st.SearchStrategy[Any]:
    return arrays(np.float32, (rows, size), elements=WHOLE)


def goodness(query: Any, rows: Any, distance: Distance) -> Any:
    """Larger is better; the Euclidean distance squared, as FAISS has it. Not in the terms of the code under test."""
    if distance in (Distance.COSINE, Distance.DOT):
        return (rows * query).sum(axis=1)
    difference = np.abs(rows - query)
    return -(difference if distance is Distance.MANHATTAN else difference**2).sum(axis=1)


def check_nearest(
    queries: Any, matrix: Any, k: int, distance: Distance, candidates: list[int], **selector: Any
) -> None:
    values, found = flat.nearest(queries, matrix, k, distance, **selector)
    for query, mine, rows in zip(queries, values, found, strict=True):
        every = goodness(query, matrix, distance)
        expected = sorted((every[c] for c in candidates), reverse=True)[:k]
        there = rows[rows >= 0].tolist()
        assert mine[: len(there)].tolist() == expected
        assert [every[row] for row in there] == expected
        assert len(set(there)) == len(there)
        assert set(there) <= set(candidates)
        assert (rows[len(there) :] == -1).all()


@EVERY_DISTANCE
@settings(max_examples=times(25))
@given(matrix=st.integers(1, 20).flatmap(matrices), queries=st.integers(1, 3).flatmap(matrices), k=st.integers(1, 25))
def test_the_nearest_rows(distance: Distance, matrix: Any, queries: Any, k: int) -> None:
    check_nearest(queries, matrix, k, distance, list(range(len(matrix))))


@EVERY_DISTANCE
@settings(max_examples=times(25))
@given(data=st.data(), matrix=st.integers(1, 40).flatmap(matrices), queries=st.integers(1, 2).flatmap(matrices))
def test_the_nearest_of_some_rows_and_of_all_that_are_not_dead(
    distance: Distance, data: st.DataObject, matrix: Any, queries: Any
) -> None:
    some = sorted(data.draw(st.sets(st.integers(0, len(matrix) - 1))))
    others = sorted(set(range(len(matrix))) - set(some))
    dead = bitmaps.empty(len(matrix))
    bitmaps.add(dead, np.array(others, dtype=np.int64))
    k = data.draw(st.integers(1, len(matrix)))
    check_nearest(queries, matrix, k, distance, some, dead=dead)
    assume(some)
    check_nearest(queries, matrix, k, distance, some, rows=np.array(some, dtype=np.int64))


@EVERY_DISTANCE
def test_rows_of_a_mapped_file_are_found_as_those_in_memory(tmp_path: Path, distance: Distance) -> None:
    random = np.random.default_rng(1)
    matrix = random.integers(-9, 9, (500, 7)).astype(np.float32)
    queries = random.integers(-9, 9, (40, 7)).astype(np.float32)
    flat.write(tmp_path / "x", [matrix[:300], matrix[300:]], 7, distance)
    mapped = flat.mapped(tmp_path / "x")
    assert not mapped.flags.aligned, "the docstring says so, and what searches it must do with it"
    check_nearest(queries, mapped, 11, distance, list(range(500)))
    some = np.arange(0, 500, 7)
    check_nearest(queries, mapped, 11, distance, some.tolist(), rows=some)


@EVERY_DISTANCE
@settings(max_examples=times(25))
@given(query=matrices(1, 5), rows=st.integers(0, 6).flatmap(lambda n: matrices(n, 5)))
def test_scores_are_what_users_see(distance: Distance, query: Any, rows: Any) -> None:
    expected = goodness(query[0], rows, distance)
    if not distance.larger_is_better:
        expected = np.sqrt(-expected) if distance is Distance.EUCLID else -expected
    found = flat.scores(query[0], rows, distance)
    assert found.dtype == np.float32
    assert found.tolist() == expected.astype(np.float32).tolist()


@EVERY_DISTANCE
def test_a_score_does_not_depend_on_where_the_row_lies(tmp_path: Path, distance: Distance) -> None:
    random = np.random.default_rng(2)
    matrix = random.standard_normal((64, 97), dtype=np.float32)
    query = random.standard_normal(97, dtype=np.float32)
    flat.write(tmp_path / "x", [matrix], 97, distance)
    mapped = flat.mapped(tmp_path / "x")
    together = flat.scores(query, matrix, distance)
    assert np.array_equal(flat.scores(query, mapped[np.arange(64)], distance), together)
    alone = [flat.scores(query, matrix[n : n + 1].copy(), distance)[0] for n in range(64)]
    assert np.array_equal(np.array(alone), together)
    assert np.array_equal(flat.scores(query, matrix[::-1].copy(), distance)[::-1], together)


@EVERY_DISTANCE
def test_the_header_is_what_the_module_says(tmp_path: Path, distance: Distance) -> None:
    flat.write(tmp_path / "x", [np.ones((5, 2), np.float32)], 2, distance)
    head = (tmp_path / "x").read_bytes()[: flat.HEADER.size]
    assert struct.unpack("<4siq", head) == (flat.CODES[distance], 2, 5)
    flat.check_header(tmp_path / "x", flat.CODES[distance], 5, 2)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(resource is None, reason="there are no limits here")
@pytest.mark.parametrize("missing", [1, 100, 1000, 4096, 20_000, 28_000])
def test_a_file_that_does_not_fit_is_an_error_also_if_only_its_last_bytes_do_not(tmp_path: Path, missing: int) -> None:
    rows = np.ones((1001, 7), np.float32)
    flat.write(tmp_path / "whole", [rows], 7, Distance.DOT)
    with largest_file((tmp_path / "whole").stat().st_size - missing), pytest.raises(OSError, match="too large"):
        flat.write(tmp_path / "short", [rows], 7, Distance.DOT)


def test_the_callers_number_of_threads_is_left_alone() -> None:
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    try:
        for queries in (1, 3):
            flat.nearest(np.ones((queries, 2), np.float32), np.ones((9, 2), np.float32), 3, Distance.DOT)
            assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(before)


def test_faiss_is_imported_when_it_is_needed_and_not_before() -> None:
    code = "import sys, vecstore; assert 'faiss' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@EVERY_DISTANCE
@pytest.mark.parametrize("count", [1, 7, 8, 9, 100])
def test_a_search_that_cores_share_finds_the_same(
    distance: Distance, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(count)
    matrix, query = random.integers(-9, 9, (count, 5)).astype(np.float32), np.ones((1, 5), np.float32)
    some = np.flatnonzero(random.random(count) < 0.5)
    dead = bitmaps.empty(count)
    bitmaps.add(dead, np.setdiff1d(np.arange(count), some))
    monkeypatch.setattr(flat, "SHARED_BYTES", 0)
    before = faiss.omp_get_max_threads()
    for cores in (2, 3, 16):
        faiss.omp_set_num_threads(cores)
        check_nearest(query, matrix, count, distance, list(range(count)))
        check_nearest(query, matrix, count, distance, some.tolist(), dead=dead)
        check_nearest(query, matrix, min(3, count), distance, some.tolist(), rows=some) if len(some) else None
    faiss.omp_set_num_threads(before)


def test_an_error_of_one_core_is_told() -> None:
    def fail() -> None:
        raise MemoryError("none left")

    with pytest.raises(MemoryError, match="none left"):
        library.side_by_side([lambda: 1, fail])
    assert library.side_by_side([lambda: 1, lambda: 2]) == [1, 2]


def test_cores_are_not_shared_when_the_interpreter_is_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert library.side_by_side([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]
