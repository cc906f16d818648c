"""``verify``: it finds nothing in what is well, and each thing that is not; ``repair``: it mends what can be mended.

Each case spoils one thing in a copy of a collection, and says where it is found and what repairing makes of it.
"""

from __future__ import annotations

import random
import struct
from itertools import permutations
from typing import TYPE_CHECKING, Any

import damaging
import numpy as np
import pytest
from collecting import contents
from damages import CASES, Case, a_point_twice, a_row_of_nobody, cut, first_entry, on_file
from damaging import copy, look, rows_of

import vecstore
from vecstore import Collection, Corrupted
from vecstore.storage import graph

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Damage = Callable[[Path], Any]
    Contents = dict[Any, Any]

NONE = np.empty(0, dtype=np.uint32)


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    """A closed collection, and what is in it."""
    with pytest.MonkeyPatch.context() as patch:
        damaging.with_both_graphs(patch)
        path = tmp_path_factory.mktemp("well") / "col.vecstore"
        return path, damaging.make(path)


@pytest.fixture
def both_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    damaging.with_both_graphs(monkeypatch)


def after_the_log(found: Contents) -> Contents:
    """The contents when the operation that is in the log has been applied."""
    return {i: point for i, point in found.items() if i != 100}


def opened_contents(path: Path) -> Contents:
    with Collection(path) as col:
        assert col.verify().problems == ()
        return contents(col)


# -- what is well -------------------------------------------------------------------------------------------------


def test_nothing_is_wrong_with_what_is_well(well: tuple[Path, Contents], tmp_path: Path) -> None:
    path = copy(well[0], tmp_path / "copy")
    before = {
        file: file.read_bytes() for file in sorted(path.rglob("*")) if file.suffix in (".faiss", ".slots", ".mdb")
    }
    report = vecstore.verify(path)
    assert report.ok
    assert report.problems == ()
    assert report.path == str(path)
    assert report.checked["points"] == len(well[1])
    assert report.checked["vectors"] == sum(len(vectors) for _, vectors in well[1].values())
    assert report.checked["segment files"] == 5
    assert report.checked["logged operations"] == 1
    assert report.checked["journal entries"] >= 3
    assert report.checked["payload index entries"] > 1000
    assert report.checked["bytes of segment files"] == sum(f.stat().st_size for f in (path / "segments").iterdir())
    assert "ok" in str(report)
    after = {file: file.read_bytes() for file in before}
    assert {file.name for file in before if before[file] != after[file]} <= {"lock.mdb"}
    assert vecstore.repair(path).mended == ()
    assert opened_contents(path) == after_the_log(well[1])


# -- what is not --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_damage_is_found_and_mended_where_it_can_be(
    name: str, well: tuple[Path, Contents], tmp_path: Path, both_graphs: None
) -> None:
    case, path = CASES[name], copy(well[0], tmp_path / "copy")
    case.damage(path)
    report = vecstore.verify(path)
    print(report)
    assert report.ok == (not case.places)
    for place in case.places:
        assert any(place in problem.place for problem in report.problems), place
    assert case.says in str(report)
    assert vecstore.verify(path) == report
    if not case.places:
        return
    repaired = vecstore.repair(path)
    print(repaired)
    expected = after_the_log(well[1])
    if case.mended:
        assert repaired.ok
        assert {*repaired.mended} >= {*report.problems}
        assert repaired.dropped == ()
        assert vecstore.verify(path).ok
        if "payload is another" in name:
            expected[43] = ({"n": 5}, expected[43][1])
        assert opened_contents(path) == expected
        return
    assert repaired.dropped == ()
    check_giving_up(case, path, expected)


COUNTERS = ["a bit of the slots in use", "a bit of slots", "a counter", "slots too low", "slots in use"]
PAIRS = [
    *permutations([name for name, case in CASES.items() if "".join(case.places).startswith("0.")], 2),
    *permutations(COUNTERS, 2),
    *random.Random(7).sample([*permutations(CASES, 2)], 20),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_damages_at_once(
    first: str, second: str, well: tuple[Path, Contents], tmp_path: Path, both_graphs: None
) -> None:
    cases, path = [CASES[first], CASES[second]], copy(well[0], tmp_path / "copy")
    for case in cases:
        try:
            case.damage(path)
        except (ValueError, IndexError, Corrupted, AssertionError):  # the first has left nothing to be damaged
            assert case is cases[1]
            return
    assert vecstore.verify(path).ok == (not cases[0].places and not cases[1].places)
    repaired = vecstore.repair(path)
    assert repaired.left == vecstore.verify(path).problems
    assert vecstore.repair(path).mended == ()  # it was mended whole
    dropped = vecstore.repair(path, drop=True)
    if all(case.mended or case.lost is not None for case in cases):
        assert dropped.ok
        opened_contents(path)


def check_giving_up(case: Case, path: Path, expected: Contents) -> None:
    left = vecstore.verify(path)
    assert not left.ok
    dropped = vecstore.repair(path, drop=True)
    print(dropped)
    if case.lost is None:
        assert not dropped.ok
        return
    assert dropped.ok
    assert {*dropped.dropped} >= {problem for problem in left.problems if not problem.mendable}
    losses = [problem.loss for problem in dropped.dropped]
    assert all(losses)
    lost = {i for loss in losses if loss is not None for i in loss.points}
    assert set(case.lost) <= lost
    assert vecstore.verify(path).ok
    found = opened_contents(path)
    if case.vector is not None:
        assert {loss.vector for loss in losses if loss is not None} == {case.vector}
        check_lost_vector(found, expected, case.vector, lost)
    elif case.lost:
        assert found == {i: point for i, point in expected.items() if i not in lost}
    else:
        assert found.keys() >= expected.keys()


def check_lost_vector(found: Contents, expected: Contents, vector: str, lost: set[Any]) -> None:
    """Nobody but those who are named loses it, and nothing else is lost."""
    assert found.keys() == expected.keys()
    for i, (payload, vectors) in expected.items():
        assert found[i][0] == payload
        rest = {name: row for name, row in vectors.items() if name != vector or i not in lost}
        assert found[i][1] == rest or (i in lost and found[i][1] == vectors and vector not in vectors), i
    assert lost <= expected.keys() | {100}


def test_a_damaged_journal_costs_the_vectors_of_its_entry_and_no_others(
    well: tuple[Path, Contents], tmp_path: Path, both_graphs: None
) -> None:
    """The first entry wrote points 190 to 259; the rest of the journal, and all payloads, stay what they are."""
    path = copy(well[0], tmp_path / "copy")
    first_entry(b"journal", 1)(path)
    assert vecstore.repair(path, drop=True).ok
    found, expected = opened_contents(path), after_the_log(well[1])
    assert {i: point[0] for i, point in found.items()} == {i: point[0] for i, point in expected.items()}
    written = set(range(190, 260))
    for i in expected.keys() - written:
        assert found[i] == expected[i]
    for i in range(200, 260):
        assert found[i][1] == {}
    for i in range(190, 200):  # their former vectors
        assert found[i][1].keys() == {"a", "b"}
        assert found[i][1] != expected[i][1]


def test_entries_after_a_damaged_one_count(tmp_path: Path, both_graphs: None) -> None:
    path = tmp_path / "col"
    with Collection(path, vectors=damaging.VECTORS) as col:
        for n in range(5):
            col.upsert([{"id": n, "vector": {"a": [n] * 8, "b": [n, n]}}]).result()
        col.upsert([{"id": 1, "vector": {"b": [7, 7]}}]).result()
        expected = contents(col)
    keys = look(path, lambda store, txn: [key for key, _ in rows_of(store, txn, b"journal")])
    entries = sorted({struct.unpack_from(">Q", key)[0] for key in keys})
    at = next(i for i, key in enumerate(keys) if struct.unpack(">QI", key) == (entries[2], 1))
    first_entry(b"journal", at)(path)
    assert vecstore.repair(path, drop=True).ok
    assert opened_contents(path) == {**expected, 2: ({}, {})}


def test_a_point_that_is_there_twice_keeps_the_slot_its_id_names(
    well: tuple[Path, Contents], tmp_path: Path, both_graphs: None
) -> None:
    path = copy(well[0], tmp_path / "copy")
    a_point_twice(path)
    report = vecstore.verify(path)
    assert "ids 60" in str(report)
    assert not vecstore.repair(path).ok
    assert vecstore.repair(path, drop=True).ok
    assert opened_contents(path) == {i: point for i, point in after_the_log(well[1]).items() if i != 61}


def test_what_is_mended_goes_on_being_used(well: tuple[Path, Contents], tmp_path: Path, both_graphs: None) -> None:
    path = copy(well[0], tmp_path / "copy")
    on_file(0, "graph", cut(5))(path)
    a_row_of_nobody(path)
    assert vecstore.repair(path).ok
    manifest = look(path, lambda store, txn: store.meta.manifest(txn))
    assert [fields[0].storage for fields in manifest.values() if 0 in fields] == [graph.SQ8]
    with Collection(path) as col:
        col.upsert(damaging.points([*range(50, 400)])).result()
        col.optimize()
        assert col.verify().ok
        expected = contents(col)
    assert vecstore.verify(path).ok
    assert opened_contents(path) == expected
