"""What ``Replay`` makes of a journal, beside the ``VectorRows`` whose changes are in it and a dict of what lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from vecstore import Distance, VectorParams
from vecstore.engine.replay import Replay
from vecstore.engine.rows import VectorRows
from vecstore.storage import journal

if TYPE_CHECKING:
    from vecstore.engine.version import SegmentView

PARAMS = VectorParams(3, Distance.DOT)
STEPS, SLOTS, MANY = 600, 40, 3000


def a_replay() -> Replay:
    return Replay(0, PARAMS, [])


def entry(rows: VectorRows) -> bytes:
    change = rows.change()
    rows.settle()
    return b"".join(map(bytes, journal.encode([] if change is None else [change])))


def do(replayed: Replay, value: bytes) -> None:
    row = journal.decode_row(value)
    if row is not None:
        replayed.row(row)
    else:
        for change in journal.decode(value):
            replayed.change(change)


def living(views: tuple[SegmentView, ...]) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for view in views:
        assert view.dead is None or len(view.dead) == (view.rows + 7) // 8 > 0  # more would be said to be on disk
        rows = view.live_rows()
        assert len(rows) == view.live_count
        matrix = np.concatenate([*view.source.blocks(view.rows)])[rows]
        assert not found.keys() & set(view.live_slots().tolist())
        found.update(zip(view.live_slots().tolist(), matrix.tolist(), strict=True))
    return found


def numbers(*slots: int) -> Any:
    return np.array(slots, dtype=np.uint32)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most", [1, 4])
def test_views_are_those_of_who_wrote_the_journal_and_stay_as_they_are(seed: int, most: int) -> None:
    random = np.random.default_rng(seed)
    rows, replayed, held, seen = VectorRows(a_replay()), a_replay(), dict[int, list[float]](), []
    rows.open(0)
    for step in range(STEPS):
        slots = random.choice(SLOTS, random.integers(1, most + 1), replace=False).astype(np.uint32)
        matrix = random.integers(0, 9, (len(slots), 3)).astype(np.float32)
        kind = random.integers(20)
        rows.mark()
        if kind == 0:
            rows.open(step)
        elif kind < 4:
            rows.kill(slots)
            held = {slot: vector for slot, vector in held.items() if slot not in slots}
        else:
            rows.put(slots, matrix)
            held.update(zip(slots.tolist(), matrix.tolist(), strict=True))
        do(replayed, entry(rows))
        if random.random() < 0.4:  # a reader that finds one entry, or several
            views = replayed.views()
            assert living(views) == held == living(rows.views())
            seen.append((views, held.copy()))
    assert all(living(views) == then for views, then in seen)


def test_a_writer_goes_on_from_what_was_replayed() -> None:
    rows, replayed = VectorRows(a_replay()), a_replay()
    rows.open(0)
    rows.put(numbers(0, 1, 2), np.eye(3, dtype=np.float32))
    do(replayed, entry(rows))
    rows.open(1)
    rows.put(numbers(1, 7), np.full((2, 3), 5, dtype=np.float32))
    do(replayed, entry(rows))
    again = VectorRows(replayed)
    assert (again.tail.number, again.change()) == (1, None)
    assert living(again.views()) == living(rows.views())
    assert again.locations(8).tolist() == rows.locations(8)[:8].tolist()
    again.kill(numbers(2, 7))
    again.open(2)
    again.put(numbers(9), np.ones((1, 3), dtype=np.float32))
    assert sorted(living(again.views())) == [0, 1, 9]
    assert sorted(living(replayed.views())) == [0, 1, 2, 7]


def test_a_tail_that_grows_after_some_of_it_has_died() -> None:
    rows, replayed = VectorRows(a_replay()), a_replay()
    rows.open(0)
    for slot in (0, 0, *range(1, MANY)):
        rows.put(numbers(slot), np.full((1, 3), slot, dtype=np.float32))
        do(replayed, entry(rows))
    assert living(replayed.views()) == {slot: [slot] * 3 for slot in range(MANY)}


def test_rows_of_segments_that_are_gone_are_dead_already() -> None:
    replayed = a_replay()
    replayed.row((0, 4, 0, 1, np.ones(3, np.float32), 2, 10**6))
    change = journal.Change(0, 5, 0, numbers(), np.empty((0, 3), np.float32), numbers(2, 3), numbers(7, 8))
    replayed.change(change)
    assert (replayed.tail.number, living(replayed.views())) == (5, {1: [1, 1, 1]})


@pytest.mark.parametrize(
    ("segment", "first", "size", "said"),
    [(2, 1, 3, "segment 2"), (3, 2, 3, "from 2"), (3, 0, 3, "from 0"), (3, 1, 1, "of 1"), (4, 1, 3, "segment 4")],
)
def test_rows_that_do_not_follow_are_refused(segment: int, first: int, size: int, said: str) -> None:
    vector = np.ones(size, np.float32)
    change = journal.Change(0, segment, first, numbers(1), vector[None], numbers(), numbers())
    for each in (lambda r: r.row((0, segment, first, 1, vector, None, 0)), lambda r: r.change(change)):
        replayed = a_replay()
        replayed.row((0, 3, 0, 0, np.ones(3, np.float32), None, 0))
        with pytest.raises(ValueError, match=said):
            each(replayed)


def test_the_death_of_a_row_that_never_was_is_refused() -> None:
    replayed = a_replay()
    replayed.row((0, 3, 0, 0, np.ones(3, np.float32), None, 0))
    with pytest.raises(LookupError):
        replayed.row((0, 3, 1, 1, np.ones(3, np.float32), 3, 10**6))
