"""Bitmaps against Python's sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vecstore.storage import bitmaps

SIZE = 100
NUMBERS = st.sets(st.integers(0, SIZE - 1))
LISTS = st.lists(st.integers(0, SIZE - 1))


def made(numbers: object, size: int = SIZE) -> bitmaps.Bitmap:
    bitmap = bitmaps.empty(size)
    bitmaps.add(bitmap, array(numbers))
    return bitmap


def array(numbers: object) -> np.ndarray:
    return np.array(sorted(numbers), dtype=np.uint32)  # type: ignore[call-overload]


@given(LISTS, LISTS)
def test_adding_and_discarding_are_those_of_sets_also_for_numbers_given_twice(one: list[int], other: list[int]) -> None:
    bitmap, expected = made(one), set(one)
    bitmaps.discard(bitmap, array(other))
    expected -= set(other)
    assert bitmaps.members(bitmap, SIZE).tolist() == sorted(expected)
    bitmaps.add(bitmap, array(other))
    assert bitmaps.members(bitmap, SIZE).tolist() == sorted(expected | set(other))


@given(NUMBERS, NUMBERS)
def test_adding_tells_how_many_are_new(one: set[int], other: set[int]) -> None:
    for dtype in (np.uint32, np.int64):
        assert bitmaps.add(made(one), array(other).astype(dtype)) == len(other - one)


@given(NUMBERS, st.integers(0, SIZE))
def test_members_and_absent_share_the_numbers_under_a_size(numbers: set[int], size: int) -> None:
    bitmap = made(numbers)
    assert bitmaps.members(bitmap, size).tolist() == sorted(n for n in numbers if n < size)
    assert bitmaps.absent(bitmap, size).tolist() == sorted(set(range(size)) - numbers)
    assert bitmaps.count(bitmap) == len(numbers)


@given(NUMBERS, LISTS)
def test_contains_answers_for_each_number_in_turn(numbers: set[int], asked: list[int]) -> None:
    for dtype in (np.uint32, np.int64):
        found = bitmaps.contains(made(numbers), np.array(asked, dtype=dtype))
        assert found.tolist() == [n in numbers for n in asked]


@given(NUMBERS, st.integers(0, 300))
def test_resizing_copies_and_never_loses_numbers(numbers: set[int], size: int) -> None:
    before = made(numbers)
    after = bitmaps.resized(before, size)
    assert 8 * len(after) >= max(size, SIZE)
    assert bitmaps.members(after, SIZE).tolist() == sorted(numbers)
    assert bitmaps.count(after) == len(numbers)
    bitmaps.add(after, np.arange(SIZE, dtype=np.uint32))
    assert bitmaps.count(before) == len(numbers)


def test_the_lowest_bit_of_a_byte_comes_first() -> None:
    assert made([0, 1, 15]).tolist()[:2] == [0b11, 0b1000_0000]
    assert len(bitmaps.empty(0)) == 0
    assert len(bitmaps.empty(9)) == 2
