"""Slots against a model: which are live, which are free, and what a mark takes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from profiles import times

from vecstore.storage import bitmaps
from vecstore.storage.slots import Slots


def members(slots: Slots) -> set[int]:
    return set(bitmaps.members(slots.bitmap, slots.size).tolist())


def slots_of(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.uint32)


class Machine(RuleBasedStateMachine):
    """``committed``: live slots after the last transaction; ``dead``: what this transaction freed."""

    def __init__(self) -> None:
        super().__init__()
        self.slots = Slots(bitmaps.empty(0), 0)
        self.committed: set[int] = set()
        self.live: set[int] = set()
        self.touched: set[int] = set()
        self.largest = 0
        self.marks: list[tuple[Any, set[int], set[int], int]] = []

    @rule(count=st.integers(0, 12))
    def take(self, count: int) -> None:
        free = set(range(self.slots.size)) - self.committed - self.touched
        taken = self.slots.take(count).tolist()
        assert len(set(taken)) == count
        assert not set(taken) & (self.live | self.committed), "a slot has two points, or is given before its time"
        assert set(taken) >= free if count >= len(free) else set(taken) <= free, "free slots come first"
        self.live |= set(taken)
        self.touched |= set(taken)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sets(st.sampled_from(sorted(self.live))))
        self.slots.free(np.array(sorted(chosen), dtype=np.uint32))
        self.live -= chosen
        self.touched |= chosen

    @rule()
    def mark(self) -> None:
        self.marks.append((self.slots.mark(), set(self.live), set(self.touched), self.slots.size))

    @precondition(lambda self: self.marks)
    @rule(data=st.data())
    def back_to(self, data: st.DataObject) -> None:
        del self.marks[data.draw(st.integers(1, len(self.marks))) :]
        mark, live, touched, size = self.marks[-1]
        self.slots.back_to(mark)
        self.live, self.touched = set(live), set(touched)
        assert self.slots.size == size

    @rule()
    def settle(self) -> None:
        self.slots.settle()
        self.committed = set(self.live)
        self.touched.clear()
        self.marks.clear()

    @rule()
    def reopen(self) -> None:
        self.settle()
        self.slots = Slots(self.slots.bitmap.copy(), self.slots.size)

    @invariant()
    def agrees(self) -> None:
        assert members(self.slots) == self.live
        assert bitmaps.count(self.slots.bitmap) == len(self.live), "no bit beyond the size"

    @invariant()
    def names_the_blocks_it_changed(self) -> None:
        assert self.slots.changed(4) == sorted({slot // 4 for slot in self.touched})


TestSlots = Machine.TestCase
TestSlots.settings = settings(max_examples=times(60), stateful_step_count=40)


def test_a_freed_slot_is_not_given_again_before_the_transaction_has_committed() -> None:
    slots = Slots(bitmaps.empty(0), 0)
    slots.free(slots.take(3)[1:2])
    assert slots.take(1).tolist() == [3]
    slots.settle()
    assert slots.take(2).tolist() == [1, 4]


def test_what_is_taken_back_is_given_again_in_the_same_order() -> None:
    slots = Slots(bitmaps.empty(0), 0)
    slots.take(6)
    slots.free(slots_of(1, 3, 4))
    slots.settle()
    mark = slots.mark()
    first = slots.take(5).tolist()
    slots.back_to(mark)
    assert slots.take(5).tolist() == first


@pytest.mark.parametrize("size", [8191, 8192, 8193, 20_000])
def test_slots_grow_past_the_ends_of_bitmaps(size: int) -> None:
    slots = Slots(bitmaps.empty(0), 0)
    for start in range(0, size, 1000):
        slots.take(min(1000, size - start))
    assert slots.size == size == bitmaps.count(slots.bitmap)


def test_dead_slots_at_the_end_keep_their_numbers_when_reopened() -> None:
    live = bitmaps.empty(8)
    bitmaps.add(live, slots_of(0, 2))
    slots = Slots(live, 30)
    assert slots.size == 30
    assert sorted(slots.take(28).tolist()) == [1, *range(3, 30)]
    assert slots.take(1).tolist() == [30]
