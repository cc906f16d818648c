"""Pieces and the journal: what is written comes back, and what is damaged is found, wherever it is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from storing import environment, undone

from vecstore.errors import Corrupted
from vecstore.storage import journal, pieces
from vecstore.storage.journal import Change, Journal
from vecstore.storage.pieces import Pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vecstore.storage.environment import Environment, Transaction

FILE = Path("/somewhere/data.mdb")
SMALL = 16
AROUND = sorted({n for whole in (SMALL, 2 * SMALL, 5 * SMALL) for n in (whole - 1, whole, whole + 1)} | {0, 1})


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    with environment(tmp_path_factory.mktemp("pieces")) as found:
        yield found


@pytest.fixture(scope="module")
def database(env: Environment) -> Any:
    return env.database(b"pieces")


@pytest.fixture
def kept(database: Any) -> Pieces:
    return Pieces(database, FILE, "value")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces so small that every size around their ends can be tried."""
    monkeypatch.setattr(pieces, "PIECE_SIZE", SMALL)
    monkeypatch.setattr(pieces, "JOINED", 4)


def a_value(size: int) -> bytes:
    return bytes(n % 251 for n in range(size))


def values(kept: Pieces, txn: Transaction, start: int = 0) -> dict[int, bytes]:
    return dict(kept.items(txn, start))


@pytest.mark.parametrize("size", AROUND)
def test_values_of_every_size_come_back(env: Environment, kept: Pieces, small: None, size: int) -> None:
    def work(txn: Transaction) -> None:
        for number in (7, 8, 1 << 40):
            kept.append(txn, number, [a_value(size + number % 2)])
        assert values(kept, txn) == {7: a_value(size + 1), 8: a_value(size), 1 << 40: a_value(size)}
        assert list(values(kept, txn, 8)) == [8, 1 << 40]

    undone(env, work)


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_pieces_of_the_real_size_come_back(env: Environment, kept: Pieces, extra: int) -> None:
    value = np.arange(2 * pieces.PIECE_SIZE + extra, dtype=np.uint32).astype(np.uint8).tobytes()

    def work(txn: Transaction) -> None:
        kept.append(txn, 1, [value])
        assert values(kept, txn) == {1: value}

    undone(env, work)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_parts_are_joined_in_their_order(parts: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_SIZE", SMALL)
        patch.setattr(pieces, "JOINED", 4)
        found = [bytes(piece) for piece in pieces.cut(parts)]
    assert b"".join(found) == b"".join(parts)
    assert all(0 < len(piece) <= SMALL for piece in found)


def test_arrays_are_parts_too_also_empty_ones() -> None:
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    parts = [b"head", matrix, np.empty((0, 3), np.float32), b""]
    assert b"".join(pieces.cut(parts)) == b"head" + matrix.tobytes()


def rows(txn: Transaction, database: Any) -> list[tuple[bytes, bytes]]:
    with txn.cursor(db=database) as cursor:
        return list(cursor)


@pytest.mark.parametrize("count", [1, 3, pieces.FEW // 2 - 1, pieces.FEW // 2, pieces.FEW])
def test_few_values_and_many_are_the_same(env: Environment, kept: Pieces, count: int) -> None:
    expected = {number: a_value(number % 7 + 1) for number in range(2, 3 * count, 3)}

    def work(txn: Transaction) -> None:
        for number, value in expected.items():
            kept.append(txn, number, [value])
        assert values(kept, txn) == values(kept, txn, 1) == dict(kept.checked(txn)) == expected
        assert values(kept, txn, 3) == dict(kept.checked(txn, 3)) == {n: v for n, v in expected.items() if n >= 3}

    undone(env, work)


@pytest.mark.parametrize("is_gone", [(0,), (1,), (2,), (3,), (4,), (5,), (1, 2), (0, 3), (0, 5), (1, 4), (2, 3)])
def test_records_that_are_gone_are_missed_among_few_values(
    env: Environment, kept: Pieces, database: Any, is_gone: tuple[int, ...]
) -> None:
    def work(txn: Transaction) -> None:
        for number in (4, 5, 6):
            kept.append(txn, number, [b"of which all are the same"])
        keys = [key for key, _ in rows(txn, database)]
        for place in is_gone:
            txn.delete(keys[place], db=database)
        if is_gone == (2, 3):  # a whole value
            assert list(values(kept, txn, 1)) == [4, 6]
        else:
            with pytest.raises(Corrupted):
                values(kept, txn, 1)

    undone(env, work)


def check_damage_is_found(kept: Pieces, txn: Transaction) -> None:
    with pytest.raises(Corrupted):
        values(kept, txn, 1)
    with pytest.raises(Corrupted) as found:
        values(kept, txn)
    assert found.value.path == FILE
    assert str(FILE) in str(found.value)
    assert "value 5" in str(found.value)


def test_a_change_of_any_byte_is_found(env: Environment, kept: Pieces, database: Any, small: None) -> None:
    def work(txn: Transaction) -> None:
        kept.append(txn, 5, [a_value(2 * SMALL + 3)])
        for key, value in rows(txn, database):
            for at in range(len(value)):
                txn.put(key, value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :], db=database)
                check_damage_is_found(kept, txn)
            txn.put(key, value, db=database)
        assert values(kept, txn) == {5: a_value(2 * SMALL + 3)}

    undone(env, work)


def test_a_missing_a_shortened_and_an_added_piece_are_found(
    env: Environment, kept: Pieces, database: Any, small: None
) -> None:
    def work(txn: Transaction) -> None:
        kept.append(txn, 5, [a_value(2 * SMALL + 3)])
        for key, value in rows(txn, database):
            txn.delete(key, db=database)
            check_damage_is_found(kept, txn)
            for length in range(len(value)):
                txn.put(key, value[:length], db=database)
                check_damage_is_found(kept, txn)
            txn.put(key, value, db=database)
        txn.put(key[:-1] + b"\x09", b"", db=database)
        check_damage_is_found(kept, txn)

    undone(env, work)


@pytest.mark.parametrize(("first", "last"), [(0, 0), (3, 3), (1, 4), (4, 6), (5, 100), (0, 100), (7, 9)])
def test_ranges_are_removed_with_all_their_pieces(
    env: Environment, kept: Pieces, database: Any, small: None, first: int, last: int
) -> None:
    numbers = [1, 3, 4, 5, 6]

    def work(txn: Transaction) -> None:
        for number in numbers:
            kept.append(txn, number, [a_value(3 * SMALL)])
        kept.remove(txn, first, last)
        left = [n for n in numbers if not first <= n <= last]
        assert list(values(kept, txn)) == left
        assert len(rows(txn, database)) == 4 * len(left)
        assert kept.numbers(txn) == ((left[0], left[-1]) if left else None)

    undone(env, work)


FIELD = st.integers(0, 3)
NUMBER = st.integers(0, 2**32 - 1)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    rows, size, dead = draw(st.integers(0, 4)), draw(st.integers(1, 3)), draw(st.lists(NUMBER, max_size=3))
    bits = draw(st.binary(min_size=4 * rows * size, max_size=4 * rows * size))
    return Change(
        field=draw(FIELD),
        segment=draw(NUMBER),
        first=draw(NUMBER),
        slots=np.array(draw(st.lists(NUMBER, min_size=rows, max_size=rows)), dtype=np.uint32),
        matrix=np.frombuffer(bits, dtype=np.float32).reshape(rows, size),
        dead_segments=np.array(dead, dtype=np.uint32),
        dead_rows=np.array(dead[::-1], dtype=np.uint32),
    )


def same(one: Change, other: Change) -> bool:
    numbers = [(c.field, c.segment, c.first, c.matrix.shape) for c in (one, other)]
    arrays = [(c.slots, c.matrix, c.dead_segments, c.dead_rows) for c in (one, other)]
    return numbers[0] == numbers[1] and all(a.tobytes() == b.tobytes() for a, b in zip(*arrays, strict=True))


@given(st.lists(changes(), min_size=1, max_size=3))
def test_journal_entries_come_back_bit_by_bit(entry: list[Change]) -> None:
    found = journal.decode(b"".join(bytes(part) for part in journal.encode(entry)))
    assert len(found) == len(entry)
    assert all(map(same, found, entry))


@given(changes())
def test_an_entry_of_one_row_is_read_as_any_other(change: Change) -> None:
    value = b"".join(bytes(part) for part in journal.encode([change]))
    row = journal.decode_row(value)
    has_one_row = len(change.slots) == 1 and len(change.dead_rows) <= 1
    assert (row is not None) == (has_one_row and len(value) >= journal.ONE_ROW.size)
    if row is not None:
        assert row[:3] == (change.field, change.segment, change.first)
        assert ([row[3]], row[4].tobytes()) == (change.slots.tolist(), change.matrix.tobytes())
        dead = [] if row[5] is None else [(row[5], row[6])]
        assert dead == list(zip(change.dead_segments.tolist(), change.dead_rows.tolist(), strict=True))
        assert journal.decode_row(value[:-4]) is journal.decode_row(value + bytes(4)) is None


def test_the_journal_keeps_the_order_of_its_entries(env: Environment, kept: Pieces) -> None:
    log = Journal(kept)

    def a_change(segment: int) -> Change:
        none = np.empty(0, np.uint32)
        return Change(0, segment, 0, np.arange(2, dtype=np.uint32), np.ones((2, 3), np.float32), none, none)

    def work(txn: Transaction) -> None:
        assert log.last(txn) is None
        sizes = {}
        for sequence in (2, 5, 300):
            entry = journal.encode([a_change(sequence)])
            sizes[sequence] = sum(len(bytes(part)) for part in entry)
            log.append(txn, sequence, entry)
        found = [(n, len(value), [c.segment for c in journal.decode(value)]) for n, value in log.entries(txn)]
        assert found == [(n, sizes[n], [n]) for n in (2, 5, 300)]
        log.drop(txn, 5)
        assert [sequence for sequence, *_ in log.entries(txn)] == [300] == [log.last(txn)]

    undone(env, work)


def test_values_around_a_damaged_one_can_be_had(env: Environment, kept: Pieces, database: Any, small: None) -> None:
    def work(txn: Transaction) -> None:
        for number in (3, 5, 8):
            kept.append(txn, number, [a_value(5 * SMALL)])
        key, value = rows(txn, database)[8]
        txn.put(key, value[:-1], db=database)
        assert dict(kept.checked(txn)) == {3: a_value(5 * SMALL), 5: None, 8: a_value(5 * SMALL)}
        assert [number for number, _ in kept.checked(txn, 6)] == [8]
        txn.put(b"short", b"", db=database)
        with pytest.raises(Corrupted, match="short"):
            list(kept.checked(txn))

    undone(env, work)
