"""The tail against plain arrays, over several blocks, and as a reader meets it that came earlier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecstore.storage import tail as tails
from vecstore.storage.tail import Tail

SIZE = 3
PER_BLOCK = 8
APPENDS = st.lists(st.lists(st.integers(0, 30), max_size=11), max_size=6)


def tail_of(number: int = 0) -> Tail:
    """A tail with blocks of ``PER_BLOCK`` rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tails, "BLOCK_BYTES", 4 * SIZE * PER_BLOCK)
        return Tail(number, SIZE)


def rows_for(slots: list[int], first: int) -> Any:
    return np.array([[first + n, slot, -1] for n, slot in enumerate(slots)], dtype=np.float32).reshape(-1, SIZE)


def fill(appends: list[list[int]]) -> tuple[Tail, Any, list[int]]:
    """A tail, and what must be in it: its rows and its slots."""
    tail, matrix, slots = tail_of(), np.empty((0, SIZE), np.float32), list[int]()
    for more in appends:
        rows = rows_for(more, len(slots))
        assert tail.append(np.array(more, dtype=np.uint32), rows) == len(slots)
        matrix, slots = np.concatenate([matrix, rows]), slots + more
    return tail, matrix, slots


def check_seen(tail: Tail, matrix: Any, slots: list[int], rows: int) -> None:
    """Whoever knows of ``rows`` rows sees these."""
    assert tail.slots(rows).tolist() == slots[:rows]
    blocks = tail.blocks(rows)
    assert [len(block) for block in blocks[:-1]] == [PER_BLOCK] * (len(blocks) - 1)
    assert np.concatenate([np.empty((0, SIZE)), *blocks]).tolist() == matrix[:rows].tolist()


@given(APPENDS, st.data())
def test_a_reader_sees_the_rows_it_knows_of(appends: list[list[int]], data: st.DataObject) -> None:
    tail, matrix, slots = fill(appends)
    assert tail.rows == len(slots)
    assert tail.nbytes == matrix.nbytes
    check_seen(tail, matrix, slots, data.draw(st.integers(0, len(slots))))


@given(APPENDS, st.data())
def test_spans_and_gathered_rows(appends: list[list[int]], data: st.DataObject) -> None:
    tail, matrix, slots = fill(appends)
    first = data.draw(st.integers(0, len(slots)))
    last = data.draw(st.integers(first, len(slots)))
    assert tail.span(first, last).tolist() == matrix[first:last].tolist()
    some = np.array(data.draw(st.lists(st.integers(0, len(slots) - 1)) if slots else st.just([])), dtype=np.int64)
    gathered = tail.gather(some)
    assert gathered.tolist() == matrix[some].tolist()
    gathered[:] = 7
    check_seen(tail, matrix, slots, len(slots))


@given(APPENDS, st.lists(st.integers(0, 40), unique=True), st.data())
def test_the_last_row_of_a_slot_among_the_first_rows(
    appends: list[list[int]], asked: list[int], data: st.DataObject
) -> None:
    tail, _, slots = fill(appends)
    rows = data.draw(st.integers(0, len(slots)))
    expected = [max((n for n in range(rows) if slots[n] == slot), default=-1) for slot in asked]
    assert tail.last_rows(np.array(asked, dtype=np.uint32), rows).tolist() == expected


@given(APPENDS, APPENDS, st.data())
def test_rows_that_are_taken_back_make_room_and_earlier_ones_stay(
    appends: list[list[int]], more: list[list[int]], data: st.DataObject
) -> None:
    tail, matrix, slots = fill(appends)
    kept = data.draw(st.integers(0, len(slots)))
    seen_slots, seen_blocks = tail.slots(kept), tail.blocks(kept)
    tail.truncate(kept)
    for added in more:
        tail.append(np.array(added, dtype=np.uint32), rows_for(added, 1000))
    assert seen_slots.tolist() == slots[:kept]
    assert np.concatenate([np.empty((0, SIZE)), *seen_blocks]).tolist() == matrix[:kept].tolist()
    every = slots[:kept] + [slot for added in more for slot in added]
    assert tail.slots(tail.rows).tolist() == every


def test_the_slots_grow_while_a_reader_has_them() -> None:
    tail = tail_of()
    tail.append(np.arange(8, dtype=np.uint32), rows_for(list(range(8)), 0))
    seen = tail.slots(8)
    for start in range(8, 200, 8):
        tail.append(np.arange(start, start + 8, dtype=np.uint32), rows_for(list(range(8)), 0))
    assert seen.tolist() == list(range(8))
    assert tail.slots(200).tolist() == list(range(200))


def test_a_row_larger_than_a_block_still_finds_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "BLOCK_BYTES", 4)
    tail = Tail(0, SIZE)
    tail.append(np.arange(20, dtype=np.uint32), rows_for(list(range(20)), 0))
    assert [len(block) for block in tail.blocks(20)] == [8, 8, 4]


def test_an_empty_tail() -> None:
    tail = tail_of(number=9)
    assert (tail.number, tail.rows, tail.nbytes) == (9, 0, 0)
    assert tail.blocks(0) == []
    assert tail.gather(np.empty(0, np.int64)).shape == tail.span(0, 0).shape == (0, SIZE)
    assert tail.last_rows(np.array([3], np.uint32), 0).tolist() == [-1]
    assert tail.last_rows(np.empty(0, np.uint32), 0).tolist() == []
