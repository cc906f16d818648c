"""Damaged files and values: opening them never ends the process, and is never taken for what was written.

What can be told when a collection is opened is told then; flipped bits are ``verify``'s to find. Files that are cut
while they are mapped are no subject: the system ends the process then.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import damaging
import lives
import pytest
from collecting import contents
from damaging import change, copy, database, look, put, rows_of
from profiles import times

import vecstore
from vecstore import Collection, Corrupted, VecstoreError
from vecstore.storage.meta import guarded
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from vecstore.storage.store import Store

TESTS = Path(__file__).parent
PATIENCE = 300 * times(1)


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed collection with everything in it, one operation in its log; what is in it is beside it."""
    with pytest.MonkeyPatch.context() as patch:
        damaging.with_both_graphs(patch)
        path = tmp_path_factory.mktemp("well") / "col.vecstore"
        expected = damaging.make(path)
        del expected[100]  # what is in the log
        (path.parent / "contents.json").write_text(json.dumps(expected))
        return path


def damage(what: str, well: Path, folder: Path) -> list[list[Any]]:
    """What a process tells that damages a copy of the collection again and again."""
    path = copy(well, folder / "col.vecstore")
    (folder / "contents.json").write_bytes((well.parent / "contents.json").read_bytes())
    command = [sys.executable, str(TESTS / "damage_child.py"), what, str(path), str(times(1))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{done.stdout[-300:]}\n{done.stderr[-3000:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_files_cut_at_any_length_are_refused(well: Path, tmp_path: Path) -> None:
    outcomes = Counter[str]()
    for name, length, opened, verified in damage("cut", well, tmp_path):
        print(name, length, opened, verified)
        if opened == "right":  # a tail of free pages may be missing from a healthy store
            assert name == "data.mdb"
            assert verified == "ok"
        else:
            assert opened == f"Corrupted {name}"
            assert name in verified
        outcomes[opened] += 1
    assert sum(outcomes.values()) > 200
    assert len(outcomes) >= 6


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
@pytest.mark.parametrize("make", ["os.mkdir", "os.mkfifo"])
def test_what_is_no_file_is_refused_and_not_waited_for(well: Path, tmp_path: Path, make: str) -> None:
    program = f"""
    os.remove(sys.argv[2])
    {make}(sys.argv[2])
    for act in (Collection, lambda path: Collection(path, read_only=True).scroll(with_vectors=True), verify, repair):
        try: print(getattr(act(sys.argv[1]), "ok", "opened"))
        except (Corrupted, NotACollection) as error: print(type(error).__name__)
    """
    cases = {
        "data.mdb": ["NotACollection"] * 4,
        "*.faiss": ["Corrupted", "Corrupted", "False", "False"],
        "*.slots": ["Corrupted", "Corrupted", "False", "False"],
        "*.graph": ["Corrupted", "Corrupted", "False", "True"],  # it is built again
    }
    for name, expected in cases.items():
        path = copy(well, tmp_path / name.replace("*", "x"))
        file = max(path.rglob(name))
        assert lives.run(program, path, file).split() == expected, name


def test_flipped_bits_are_found_in_segment_files_and_never_end_the_process(well: Path, tmp_path: Path) -> None:
    told = damage("flip", well, tmp_path)
    assert len(told) >= 180
    for name, bit, opened, verified in told:
        print(name, bit, opened, verified)
        if name != "data.mdb":
            assert name in verified
        elif verified == "ok":  # a bit that nobody reads, or one in a payload or a parameter
            assert opened in ("right", "other") or opened.startswith("ConfigMismatch")
    of_the_store = [verified for name, _, _, verified in told if name == "data.mdb"]
    assert sum(verified != "ok" for verified in of_the_store) > 10


def test_files_exchanged_after_opening_are_looked_at_before_they_are_mapped(well: Path, tmp_path: Path) -> None:
    told = damage("swap", well, tmp_path)
    assert len(told) == 15
    for name, place, *searches in told:
        print(name, place, searches)
        field = int(name.split(".")[1])
        assert f"Corrupted {name}" in searches[field]
        assert set(searches[field].split()) <= {"Corrupted", name, "right"}
        assert searches[1 - field] == "right"


# -- values ---------------------------------------------------------------------------------------------------------


def spoiled(value: bytes) -> list[bytes]:
    """Values near another one: bits turned all over it, shorter, longer, empty."""
    places = range(0, len(value), max(1, len(value) // 12))
    turned = [value[:i] + bytes([value[i] ^ 1 << i % 8]) + value[i + 1 :] for i in places]
    return [*turned, value[:-1], value + b"\0", b""]


@pytest.mark.parametrize("name", [b"wal", b"journal"])
def test_damaged_values_of_log_and_journal_are_refused(name: bytes, well: Path, tmp_path: Path) -> None:
    path = copy(well, tmp_path / "col")
    kept = look(path, lambda store, txn: rows_of(store, txn, name))
    assert kept
    for key, value in kept:
        for other in [*spoiled(value), None]:
            change(path, put(name, key, other))
            with pytest.raises(Corrupted) as found:
                Collection(path)
            assert Path(found.value.path).name == "data.mdb"
            report = vecstore.verify(path)
            assert {"log" if name == b"wal" else "journal"} <= {p.place.split(", ")[-1] for p in report.problems}
            change(path, put(name, key, value))
    assert vecstore.verify(path).ok


def test_damaged_values_of_meta_are_refused_or_right(well: Path, tmp_path: Path) -> None:
    """Whatever is in them: a collection opens, or the error is one that can be told."""
    path = copy(well, tmp_path / "col")
    kept = look(path, lambda store, txn: [*rows_of(store, txn, b"meta"), (b"applied", txn.get(b"applied"))])
    assert len(kept) > 7
    outcomes = Counter[str]()
    for key, value in kept:
        for other in [
            *spoiled(value)[-3:],
            *map(guarded, (b"\xc1", b"\x91\x01", b"\x81\xa1a\x01", b"\x90", value[:-5], value)),
        ]:
            change(path, keep(key, other))
            found = vecstore.verify(path)
            outcomes["ok" if found.ok else "found"] += 1
            outcomes[tried(copy(path, tmp_path / "other"))] += 1
            damaging.remove(tmp_path / "other")
            change(path, keep(key, value))
    assert vecstore.verify(path).ok
    assert outcomes["Corrupted"] > 10
    assert outcomes["found"] > 30


def keep(key: bytes, value: bytes) -> Any:
    """Put a value where ``Meta`` reads it."""
    return lambda store, txn: txn.put(key, value, db=store.meta._home(key))


def tried(path: Path) -> str:
    try:
        with Collection(path) as col:
            contents(col)
            col.search([1] * 8, using="a", filter={"must": [{"key": "n", "match": {"value": 1}}]})
    except VecstoreError as error:
        return type(error).__name__
    return "opened"


def test_a_database_that_is_gone_is_not_made_again(well: Path, tmp_path: Path) -> None:
    path = copy(well, tmp_path / "col")

    def rename(store: Store, txn: Any) -> None:
        txn.drop(database(store, b"points"), delete=True)

    change(path, rename)
    for call in (Collection, vecstore.repair):
        try:
            outcome: Any = call(path)
        except Corrupted as error:
            outcome = error
        assert "'points'" in str(outcome)
    assert "'points'" in str(vecstore.verify(path))


def test_nothing_is_deleted_because_of_a_manifest_that_is_wrong(well: Path, tmp_path: Path) -> None:
    path = copy(well, tmp_path / "col")
    before = {file.name: file.read_bytes() for file in damaging.files(path)}
    kept = look(path, lambda store, txn: dict(rows_of(store, txn, b"meta"))[b"manifest"])
    other = kept[:-4].replace(b"\x92\x02", b"\x92\x0a") or kept  # segment 2 is said to be number 10
    assert other != kept[:-4]
    for value in (guarded(other), kept[:-1] + b"\0"):
        change(path, put(b"meta", b"manifest", value))
        with pytest.raises(Corrupted):
            Collection(path)
        assert {file.name: file.read_bytes() for file in damaging.files(path)} == before
    change(path, put(b"meta", b"manifest", kept))
    assert vecstore.verify(path).ok


# -- one segment ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["faiss", "slots", "graph"])
@pytest.mark.parametrize("read", [lambda s: s.blocks(3), lambda s: s.slots(3), lambda s: s.graph, lambda s: s.load()])
def test_a_segment_is_looked_at_again_before_it_is_mapped(
    suffix: str, read: Callable[[Sealed], object], well: Path, tmp_path: Path
) -> None:
    path = copy(well, tmp_path / "col")
    params, manifest = look(path, lambda store, txn: (store.meta.vectors(txn), store.meta.manifest(txn)))
    (number,) = [n for n, fields in manifest.items() if 0 in fields]
    sealed = Sealed(path / "segments", number, 0, params["a"], manifest[number][0])
    file = damaging.segment_file(path, 0, suffix)
    other = file.with_name("other")
    other.write_bytes(file.read_bytes()[:-1])
    other.replace(file)
    with pytest.raises(Corrupted, match=file.name):
        read(sealed)
