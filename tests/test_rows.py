"""What ``VectorRows`` shows to readers: a view says what was there when it was taken, and is not made twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from vecstore import Distance, VectorParams
from vecstore.engine.replay import Replay
from vecstore.engine.rows import VectorRows

if TYPE_CHECKING:
    from vecstore.engine.version import SegmentView

MANY = 20


@pytest.fixture
def rows() -> VectorRows:
    found = VectorRows(Replay(0, VectorParams(2, Distance.DOT), []))
    found.open(0)
    found.put(numbers(*range(MANY)), np.arange(2 * MANY, dtype=np.float32).reshape(MANY, 2))
    found.settle()
    return found


def numbers(*slots: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.array(slots, dtype=np.uint32)


def live(view: SegmentView) -> list[int]:
    return view.live_slots().tolist()


def without(*dead: int) -> list[int]:
    return [slot for slot in range(MANY) if slot not in dead]


def test_a_view_is_the_same_until_something_happens(rows: VectorRows) -> None:
    (before,) = rows.views()
    assert rows.views() == (before,)
    assert rows.views()[0] is before
    rows.mark()
    rows.kill(numbers(3))
    (after,) = rows.views()
    assert (live(before), live(after)) == (without(), without(3))
    assert rows.views()[0] is after


def test_a_view_after_undoing_shows_who_died_and_not_how_many(rows: VectorRows) -> None:
    mark = rows.mark()
    rows.kill(numbers(3))
    (undone,) = rows.views()
    rows.back_to(mark)
    rows.kill(numbers(7))
    (view,) = rows.views()
    assert (live(undone), live(view)) == (without(3), without(7))


def test_rows_that_were_only_added_are_taken_back(rows: VectorRows) -> None:
    mark = rows.mark()
    rows.tail.append(numbers(MANY), np.ones((1, 2), dtype=np.float32))  # and what followed it failed
    rows.back_to(mark)
    assert (rows.tail.rows, rows.change()) == (MANY, None)


@pytest.mark.parametrize("slots", [(3,), (MANY,), (3, MANY)])
def test_vectors_that_are_taken_back_leave_those_before(rows: VectorRows, slots: tuple[int, ...]) -> None:
    before = rows.locations(2 * MANY).tolist()
    mark = rows.mark()
    rows.put(numbers(*slots), np.ones((len(slots), 2), dtype=np.float32))
    assert rows.locations(2 * MANY).tolist() != before
    rows.back_to(mark)
    assert rows.locations(2 * MANY).tolist() == before
    rows.kill(numbers(3))
    assert [live(view) for view in rows.views()] == [without(3)]


def test_a_view_of_rows_after_dead_ones(rows: VectorRows) -> None:
    rows.kill(numbers(0))
    rows.settle()
    (before,) = rows.views()
    rows.mark()
    rows.put(numbers(*range(MANY, 3 * MANY)), np.ones((2 * MANY, 2), dtype=np.float32))
    (after,) = rows.views()
    assert (before.rows, after.rows) == (MANY, 3 * MANY)
    assert live(after) == list(range(1, 3 * MANY))


def test_what_died_is_told_side_by_side(rows: VectorRows) -> None:
    rows.open(5)
    rows.put(numbers(4, 2, 40), np.ones((3, 2), dtype=np.float32))
    rows.kill(numbers(40, 41))
    change = rows.change()
    assert change is not None
    dead = list(zip(change.dead_segments.tolist(), change.dead_rows.tolist(), strict=True))
    assert dead == [(0, 4), (0, 2), (5, 2)]
    assert (change.segment, change.first, change.slots.tolist()) == (5, 0, [4, 2, 40])
    assert [(view.source.number, live(view)) for view in rows.views()] == [(0, without(2, 4)), (5, [4, 2])]
