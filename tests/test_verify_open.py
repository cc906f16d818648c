"""``Collection.verify``: of an open collection, while it is used; and the command line, for closed ones."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import damaging
import numpy as np
import pytest
from collecting import Home, contents, fill
from faults import Faults
from optimizing import in_thread

import vecstore
from vecstore import (
    Collection,
    CollectionClosed,
    CollectionLocked,
    InvalidType,
    Loss,
    NotACollection,
    Problem,
    RepairReport,
    StoreFailed,
    UnsupportedFormat,
    VerifyReport,
)
from vecstore.checking import repairing, verifying
from vecstore.checking.command import main
from vecstore.engine.pinning import pinned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 30


@pytest.fixture(autouse=True)
def both_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    damaging.with_both_graphs(monkeypatch)


def made(home: Home) -> Collection:
    col = home.make(damaging.VECTORS)
    damaging.fill(col)
    return col


# -- open collections -----------------------------------------------------------------------------------------------


def test_an_open_collection_is_well(home: Home) -> None:
    col = home.seen(made(home))
    if home.kind == "sealed":
        col.optimize()  # so many files would be merged at any moment
    report = col.verify()
    assert report.ok, str(report)
    assert report.path == (None if home.path is None else str(home.path))
    assert report.checked["points"] == len(contents(col))
    assert report.checked.get("segment files", 0) == (0 if home.path is None else len(damaging.files(home.path)))
    assert report.checked["rows"] > 300


def test_while_it_is_written_to(home: Home) -> None:
    col, over, turns = made(home), threading.Event(), [0]

    def write() -> None:
        while not over.is_set():
            n = turns[0]
            col.upsert(damaging.points([*range(n, n + 60)], shift=n)).result()
            col.delete([*range(n + 1)]).result()
            col.delete_vectors(["b"], [n + 3]).result()
            if n % 4 == 0:
                col.optimize()
            turns[0] += 1

    writing, reports = in_thread(write), []
    while turns[0] < 10 and not writing.done():
        reports.append(col.verify())
    over.set()
    writing.result(PATIENCE)
    assert reports
    assert [str(report) for report in reports if not report.ok] == []


def test_damage_is_found_while_it_is_open(disk: Home) -> None:
    col = made(disk)
    file = damaging.segment_file(disk.path, 0, "graph")
    damaging.flip(file, 5000)
    (problem,) = col.verify().problems
    assert problem.place == f"segments/{file.name}"
    file.unlink()
    (problem,) = col.verify().problems
    assert "not there" in problem.what


def changed(col: Collection, change: Callable[[Any, Any], None]) -> VerifyReport:
    """What is found after a transaction that nobody should have made."""
    engine = col._engine

    def work(txn: Any) -> None:
        change(engine, txn)
        applied = engine.store.meta.number(txn, b"applied")
        engine.store.meta.put_number(txn, b"applied", applied)  # a transaction that changes nothing is none
        engine.state.offer(txn)

    engine.store.environment.write(work)
    return col.verify()


def test_memory_is_held_against_the_store(home: Home) -> None:
    col = made(home)

    def change(engine: Any, _: Any) -> None:
        engine.state.vectors["b"].kill(np.array([60, 240], dtype=np.uint32))

    problems = changed(col, change).problems
    assert {problem.place for problem in problems} == {"memory"}
    assert all("'b'" in problem.what and not problem.mendable for problem in problems)


def test_what_the_store_says_is_held_against_itself(home: Home) -> None:
    col = made(home)

    def change(engine: Any, txn: Any) -> None:
        bitmap = engine.store.meta.live_slots(txn)
        bitmap[2] = 0
        engine.store.meta.put_live_slots(txn, bitmap, [0])

    (problem,) = changed(col, change).problems
    assert "slots in use" in problem.place


def test_closing_does_not_wait_for_the_end(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    col, closing = made(disk), []

    def close(*_: Any, **__: Any) -> None:
        closing.append(in_thread(col.close))
        while col._engine._closed is None:
            threading.Event().wait(0.001)

    monkeypatch.setattr(verifying, "check_environment", close)
    with pytest.raises(CollectionClosed):
        col.verify()
    closing[0].result(PATIENCE)
    with pytest.raises(CollectionClosed):
        col.verify()


def test_a_long_look_keeps_nobody_waiting(disk: Home) -> None:
    """A refused batch is taken back, and others read, while somebody looks."""
    col = made(disk)
    with pinned(col._engine):
        refused = col.batch([{"delete": {"points": [50]}}, {"set_payload": {"payload": {}, "points": [10**6]}}])
        assert in_thread(lambda: refused.exception(PATIENCE)).result(PATIENCE) is not None
        assert in_thread(lambda: len(col)).result(PATIENCE) > 100
        assert 50 in col


def test_after_the_store_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    col, faults = Collection(tmp_path / "col", vectors=damaging.VECTORS), Faults(monkeypatch)
    damaging.fill(col)
    faults.arm("inside", 0)
    with pytest.raises(StoreFailed):
        col.delete([50]).result()
    report = col.verify()
    assert report.ok, str(report)
    monkeypatch.undo()
    col.close()


def test_values_that_many_points_had_and_none_has_are_no_damage(disk: Home) -> None:
    col = disk.make()
    col.create_payload_index("g", "integer").result()
    fill(col, {n: {"g": n % 4} for n in range(8000)})
    col.delete({"must": [{"key": "g", "match": {"value": 3}}]}).result()
    assert col.verify().ok
    col.close()
    assert vecstore.verify(disk.path).ok


# -- closed ones, by path -------------------------------------------------------------------------------------------


def test_where_there_is_nothing_to_look_at(disk: Home, tmp_path: Path) -> None:
    for call in (vecstore.verify, vecstore.repair):
        for path in (tmp_path / "nothing", tmp_path):
            with pytest.raises(NotACollection):
                call(path)
        with pytest.raises(InvalidType):
            call(None)  # type: ignore[arg-type]
    disk.make()
    for call in (vecstore.verify, vecstore.repair):
        with pytest.raises(CollectionLocked):
            call(disk.path)
    disk.close()
    with pytest.raises(InvalidType, match="expected drop as a bool"):
        vecstore.repair(disk.path, drop=1)  # type: ignore[arg-type]
    assert vecstore.verify(disk.path).ok


def test_who_reads_it_here_waits_meanwhile(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(disk.make(), {n: {"n": n} for n in range(100)})
    disk.close()
    with Collection(disk.path, read_only=True) as reader, ThreadPoolExecutor(1) as pool:
        before = contents(reader)
        meanwhile: list[Future[Any]] = []
        examined = verifying.examine

        def examine(*args: Any, **options: Any) -> Any:
            meanwhile.append(pool.submit(contents, reader))
            return examined(*args, **options)

        monkeypatch.setattr(verifying, "examine", examine)
        monkeypatch.setattr(repairing, "examine", examine)
        assert vecstore.verify(disk.path).ok
        assert vecstore.repair(disk.path).ok
        assert [future.result(30) for future in meanwhile] == [before] * 2
        assert contents(reader) == before


def test_another_format_is_left_alone(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.make().close()
    monkeypatch.setattr("vecstore.storage.store.FORMAT", 7)
    for call in (vecstore.verify, vecstore.repair):
        with pytest.raises(UnsupportedFormat):
            call(disk.path)


def test_the_command_line(disk: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(disk)
    disk.close()
    path = str(disk.path)
    assert main(["verify", path]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: ok\n  checked: ")
    damaging.segment_file(disk.path, 0, "graph").unlink()
    rows = damaging.segment_file(disk.path, 1, "faiss")
    damaging.flip(rows, 77)
    assert main(["verify", path]) == 3
    assert "2 problems" in capsys.readouterr().out
    assert main(["repair", path]) == 3
    said = capsys.readouterr().out
    assert "mended: segments/" in said
    assert f"left: segments/{rows.name}" in said
    assert "--drop" in said
    assert main(["repair", "--drop", path]) == 0
    assert "dropped: " in capsys.readouterr().out
    assert main(["repair", path]) == 0
    assert main(["verify", str(tmp_path / "nothing")]) == 2
    assert "there is no collection" in capsys.readouterr().err


def test_the_program(disk: Home) -> None:
    disk.make().close()
    command = [sys.executable, "-m", "vecstore", "verify", str(disk.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ok" in done.stdout
    done = subprocess.run([*command[:-1]], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "argument" in done.stderr.lower()


# -- what reports say -----------------------------------------------------------------------------------------------


def test_reports_say_what_they_hold() -> None:
    loss = Loss("vector 'x' of 12 points", tuple(range(12)), "x")
    mendable, lost, left = Problem("a", "b", mendable=True), Problem("c", "d", False, loss), Problem("e", "f", False)
    assert str(mendable) == "a: b [can be mended]"
    assert str(lost).startswith("c: d [cannot be mended; lost: vector 'x' of 12 points (ids 0, 1, ")
    assert str(lost).endswith("9 and 2 more)]")
    assert str(left) == "e: f [cannot be mended]"
    report = VerifyReport("p", (mendable, lost), {"points": 1234})
    assert not report.ok
    assert str(report).splitlines()[0] == "p: 2 problems"
    assert str(report).splitlines()[-1] == "  checked: 1,234 points"
    repaired = RepairReport("p", (mendable,), (), (lost,))
    assert not repaired.ok
    assert "drop=True" in str(repaired)
    assert "drop=True" not in str(RepairReport("p", (), (lost,), (left,)))
