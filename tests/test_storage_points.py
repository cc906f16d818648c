"""Points on disk against a dict: found, walked and forgotten, in whatever order they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from storing import environment, undone

from vecstore.errors import Corrupted
from vecstore.ids import key_of
from vecstore.storage import points as stored_points
from vecstore.storage.points import Points, split_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vecstore.storage.environment import Environment, Transaction

IDS = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1), st.uuids())
KEYS = st.lists(IDS.map(key_of), unique=True, max_size=40)
BATCHES = st.lists(st.lists(IDS.map(key_of), unique=True, max_size=12), max_size=4)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    with environment(tmp_path_factory.mktemp("points")) as found:
        yield found


@pytest.fixture(scope="module")
def points(env: Environment) -> Points:
    return Points(env.database(b"points"), env.database(b"payloads"), env.path / "data.mdb")


def array(slots: list[int]) -> Any:
    return np.array(slots, dtype=np.uint32)


def payload_of(slot: int) -> bytes:
    return b"payload" * (slot % 3) + str(slot).encode()


def put(points: Points, txn: Transaction, keys: list[bytes], slots: list[int]) -> None:
    points.insert(txn, keys, array(slots))
    points.put_payloads(txn, array(slots), keys, [payload_of(slot) for slot in slots])


def fill(points: Points, txn: Transaction, batches: list[list[bytes]]) -> dict[bytes, int]:
    """Insert the keys batch by batch; the slots of a batch are neither in order nor without gaps."""
    known: dict[bytes, int] = {}
    for batch in batches:
        new = [key for key in batch if key not in known]
        first = 3 * len(known)
        slots = [first + 3 * place for place in reversed(range(len(new)))]
        put(points, txn, new, slots)
        known |= dict(zip(new, slots, strict=True))
    return known


@given(batches=BATCHES, asked=KEYS)
def test_points_are_found_and_missing_ones_are_minus_one(
    env: Environment, points: Points, batches: list[list[bytes]], asked: list[bytes]
) -> None:
    def work(txn: Transaction) -> None:
        known = fill(points, txn, batches)
        wanted = list(dict.fromkeys([*asked, *known]))
        for keys in (wanted, wanted[::-1], list(known), asked, []):
            assert points.find(txn, keys).tolist() == [known.get(key, -1) for key in keys]
        assert points.count(txn) == len(known)

    undone(env, work)


@given(batches=BATCHES, start=st.none() | IDS.map(key_of), run=st.integers(1, 5))
def test_a_walk_is_in_the_order_of_ids_from_any_start(
    env: Environment, points: Points, batches: list[list[bytes]], start: bytes | None, run: int
) -> None:
    def work(txn: Transaction) -> None:
        known = fill(points, txn, batches)
        found = [pair for keys, slots in points.walk(txn, start) for pair in zip(keys, slots.tolist(), strict=True)]
        assert found == sorted((key, slot) for key, slot in known.items() if start is None or key >= start)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_points, "WALK", run)
        undone(env, work)


@given(batches=BATCHES, data=st.data())
def test_values_are_those_of_the_slots_in_the_order_asked(
    env: Environment, points: Points, batches: list[list[bytes]], data: st.DataObject
) -> None:
    def work(txn: Transaction) -> None:
        known = fill(points, txn, batches)
        by_slot = {slot: (key, payload_of(slot)) for key, slot in known.items()}
        asked = data.draw(st.permutations(sorted(by_slot)))
        assert [split_value(value) for value in points.values(txn, array(asked))] == [by_slot[s] for s in asked]
        walked = [(slot, split_value(value)) for slot, value in points.walk_payloads(txn)]
        assert walked == sorted(by_slot.items())

    undone(env, work)


@given(batches=BATCHES, data=st.data())
def test_removed_points_are_gone_and_the_others_are_not(
    env: Environment, points: Points, batches: list[list[bytes]], data: st.DataObject
) -> None:
    def work(txn: Transaction) -> None:
        known = fill(points, txn, batches)
        gone = data.draw(st.lists(st.sampled_from(sorted(known)), unique=True) if known else st.just([]))
        points.remove(txn, gone, array([known[key] for key in gone]))
        left = {key: slot for key, slot in known.items() if key not in gone}
        assert points.find(txn, list(known)).tolist() == [left.get(key, -1) for key in known]
        assert [slot for slot, _ in points.walk_payloads(txn)] == sorted(left.values())

    undone(env, work)


def test_a_slot_given_again_holds_its_new_point_alone(env: Environment, points: Points) -> None:
    def work(txn: Transaction) -> None:
        put(points, txn, [key_of(1), key_of(9)], [0, 1])
        points.remove(txn, [key_of(1)], array([0]))
        put(points, txn, [key_of(UUID(int=5))], [0])
        assert points.find(txn, [key_of(1), key_of(9), key_of(UUID(int=5))]).tolist() == [-1, 1, 0]
        assert split_value(points.values(txn, array([0]))[0]) == (key_of(UUID(int=5)), payload_of(0))

    undone(env, work)


def test_asking_for_a_slot_that_is_not_in_use_is_an_error(env: Environment, points: Points) -> None:
    def work(txn: Transaction) -> None:
        put(points, txn, [key_of(1)], [4])
        with pytest.raises(Corrupted, match="no payload"):
            points.values(txn, array([4, 5]))

    undone(env, work)


def test_a_payload_is_replaced_before_and_behind_others(env: Environment, points: Points) -> None:
    def work(txn: Transaction) -> None:
        put(points, txn, [key_of(n) for n in range(5)], list(range(5)))
        for slots in ([4, 0], [2], [4, 3]):
            keys = [key_of(slot) for slot in slots]
            points.put_payloads(txn, array(slots), keys, [b"new%d" % slot for slot in slots])
        found = [split_value(value)[1] for value in points.values(txn, array(list(range(5))))]
        assert found == [b"new0", payload_of(1), b"new2", b"new3", b"new4"]

    undone(env, work)


def test_a_payload_that_is_the_same_is_not_written_again(env: Environment, points: Points) -> None:
    key, slot = key_of(7), array([3])

    def work(txn: Transaction) -> None:
        points.put_payloads(txn, slot, [key], [b"one"])
        spied: Any = Spied(txn)
        points.put_payloads(spied, slot, [key], [b"one"])
        assert spied.puts == 0
        points.put_payloads(spied, slot, [key], [b"two"])
        assert spied.puts == 1
        assert points.value(txn, 3) == key + b"two"

    undone(env, work)


class Spied:
    """A transaction, and how often something was put."""

    def __init__(self, txn: Transaction) -> None:
        self._txn = txn
        self.puts = 0

    def get(self, *args: Any, **options: Any) -> Any:
        return self._txn.get(*args, **options)

    def put(self, *args: Any, **options: Any) -> Any:
        self.puts += 1
        return self._txn.put(*args, **options)
