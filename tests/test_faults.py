"""A store that fails: who is told what, what can still be read, and what is there when it is opened again."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import disks
import lmdb
import numpy as np
import pytest
from faults import Faults

from vecstore import Batch, Collection, StoreFailed, VectorParams
from vecstore.engine import sealer, writer
from vecstore.engine.state import State
from vecstore.storage import files, flat
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vecstore import UpdateFuture

PATIENCE = 60
DOT = VectorParams(2, "Dot")
LINUX = pytest.mark.skipif(not disks.AVAILABLE, reason="there is no /proc and /dev/full here")


def upsert(col: Collection, point_id: int) -> UpdateFuture[Any]:
    return col.upsert([{"id": point_id, "vector": [point_id, 1], "payload": {"n": point_id}}])


def ids(col: Collection) -> list[Any]:
    """The ids of all points; every way to ask agrees."""
    found = [record.id for record in col.scroll(limit=10_000)[0]]
    hits = col.search([1, 0], limit=10_000, with_vectors=True)
    assert sorted(hit.id for hit in hits) == found
    assert all(hit.payload == {"n": hit.id} and hit.vector.tolist() == [hit.id, 1] for hit in hits)
    assert col.count({"must": [{"key": "n", "range": {"gte": 0}}]}) == len(col) == len(found)
    return found


class Turns:
    """The transactions of the writer of ``col`` begin one by one, when they are allowed to."""

    def __init__(self, patch: pytest.MonkeyPatch, col: Collection) -> None:
        self._permits = threading.Semaphore(0)
        self.failure: StoreFailed | None = None
        real = Environment.write

        def write(env: Environment, work: Any) -> Any:
            if env.path.parent == col._engine.folder:  # and not one that another test has left, which is being closed
                assert self._permits.acquire(timeout=PATIENCE)
                if self.failure is not None:
                    raise self.failure
            return real(env, work)

        patch.setattr(Environment, "write", write)

    def allow(self, count: int = 1) -> None:
        self._permits.release(count)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Failures are what this is about, and not every one of them is asked for."""
    monkeypatch.setattr(logging.getLogger("vecstore"), "disabled", True)
    yield
    gc.collect()


@pytest.fixture
def broken() -> Iterator[ExitStack]:
    """What is broken until the test says otherwise."""
    with ExitStack() as stack:
        yield stack


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def break_disk(how: str, col: Collection, turns: Turns, broken: ExitStack) -> None:
    patch = broken.enter_context(pytest.MonkeyPatch.context())
    if hasattr(disks, how):
        broken.enter_context(getattr(disks, how)(col._engine.folder / "store" / "data.mdb"))
    elif how == "a bug in apply":
        patch.setattr(writer, "apply", raising(ZeroDivisionError("a bug")))
    elif how == "a bug after the commit":
        patch.setattr(State, "settle", raising(ZeroDivisionError("a bug")))
    else:
        turns.failure = StoreFailed(how)


HOW = [
    *(pytest.param(how, marks=LINUX) for how in ("full", "unsynced", "without_meta_pages")),
    "before the transaction",
    "a bug in apply",
    "a bug after the commit",
]
LATER_COMMITTED = ("a bug after the commit",)


@pytest.mark.parametrize("how", HOW)
def test_everybody_is_told_what_became_of_their_operation(
    tmp_path: Path, broken: ExitStack, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(writer, "GROUP_BYTES", 1)  # one operation is logged in a turn,
    monkeypatch.setattr(writer, "AT_ONCE_BYTES", -1)  # and applied in the next one
    col = Collection(tmp_path / "col", vectors=DOT)
    other = Collection(tmp_path / "col")
    upsert(col, 1).result(PATIENCE)
    with monkeypatch.context() as patch:
        turns = Turns(patch, col)
        first, second, third, fourth = (upsert(col, n) for n in (2, 3, 4, 5))
        turns.allow()
        first.acknowledged(PATIENCE)
        break_disk(how, col, turns, broken)
        turns.allow(10)
        check_told(first, "was acknowledged; it will be applied")
        check_told(second, "unknown")
        for future in (third, fourth):
            check_told(future, "was not logged")
        first.acknowledged(PATIENCE)
    check_poisoned(col, other)
    seen = ids(col)
    assert seen == ([1, 2] if how in LATER_COMMITTED else [1])
    col.close()
    other.close()
    broken.close()
    check_reopened(tmp_path / "col", [1, 2], [3], fourth.operation_id)


@pytest.mark.parametrize("how", HOW)
def test_an_operation_that_is_logged_and_applied_at_once(
    tmp_path: Path, broken: ExitStack, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    col = Collection(tmp_path / "col", vectors=DOT)
    upsert(col, 1).result(PATIENCE)
    with monkeypatch.context() as patch:
        turns = Turns(patch, col)
        break_disk(how, col, turns, broken)
        first = upsert(col, 2)
        turns.allow(10)
        check_told(first, "unknown")
        with pytest.raises(StoreFailed):
            first.acknowledged(PATIENCE)
    check_poisoned(col)
    assert ids(col) == ([1, 2] if how in LATER_COMMITTED else [1])
    col.close()
    broken.close()
    check_reopened(tmp_path / "col", [1], [2], first.operation_id)


def check_told(future: UpdateFuture[Any], what: str) -> None:
    error = future.exception(PATIENCE)
    assert isinstance(error, StoreFailed)
    assert what in str(error)


def check_poisoned(*handles: Collection) -> None:
    """Every later write fails at the call, and so does a flush."""
    for col in handles:
        with pytest.raises(StoreFailed, match="open it again"):
            upsert(col, 9)
        with pytest.raises(StoreFailed, match="open it again"):
            col.set_payload({"a": 1}, [1])
        with pytest.raises(StoreFailed):
            col.flush()


def check_reopened(path: Path, there: list[int], perhaps: list[int], highest: int) -> None:
    with Collection(path) as col:
        assert ids(col) in (there, there + perhaps)
        assert upsert(col, 100).result(PATIENCE).operation_id > highest


@LINUX
def test_lmdb_refuses_reads_after_a_failed_meta_page_and_we_do_not(tmp_path: Path, broken: ExitStack) -> None:
    """Readers of several threads see the last state all the while."""
    col = Collection(tmp_path / "col", vectors=DOT)
    upsert(col, 1).result(PATIENCE)
    stop, errors = threading.Event(), list[BaseException]()

    def read() -> None:
        try:
            while not stop.is_set():
                assert ids(col) == [1]
        except BaseException as error:  # noqa: BLE001 - for the main thread
            errors.append(error)

    readers = [threading.Thread(target=read, daemon=True) for _ in range(3)]
    for reader in readers:
        reader.start()
    env = col._engine.store.environment
    broken.enter_context(disks.without_meta_pages(env.path / "data.mdb"))
    check_told(upsert(col, 2), "unknown")
    with pytest.raises(lmdb.Error):
        env._env.begin()
    assert ids(col) == [1]
    stop.set()
    for reader in readers:
        reader.join(PATIENCE)
    assert errors == []
    broken.close()
    col.close()
    check_reopened(tmp_path / "col", [1], [2], 2)


def test_the_store_of_a_collection_in_memory_can_fail_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collection(vectors=DOT) as col:
        upsert(col, 1).result(PATIENCE)
        with monkeypatch.context() as patch:
            patch.setattr(Environment, "write", raising(StoreFailed("on purpose")))
            check_told(upsert(col, 2), "unknown")
        check_poisoned(col)
        assert ids(col) == [1]


@LINUX
def test_a_full_disk_while_opening_is_a_store_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Collection(tmp_path / "col", vectors=DOT).close()
    Faults(monkeypatch).arm("before", 0)
    with pytest.raises(StoreFailed):
        Collection(tmp_path / "col")
    Collection(tmp_path / "col").close()


@pytest.mark.parametrize("durability", ["fsync", "os"])
def test_a_failed_sync_in_flush_poisons_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    col = Collection(tmp_path / "col", vectors=DOT, durability=durability)
    upsert(col, 1).result(PATIENCE)
    with monkeypatch.context() as patch:
        patch.setattr(Environment, "sync", raising(StoreFailed("the sync failed")))
        with pytest.raises(StoreFailed, match="the sync failed"):
            col.flush()
    check_poisoned(col)
    assert ids(col) == [1]
    col.close()
    check_reopened(tmp_path / "col", [1], [], 1)


def test_many_queued_operations_all_hear_of_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    col = Collection(tmp_path / "col", vectors=DOT, durability="os")
    with monkeypatch.context() as patch:
        faults = Faults(patch)
        with faults.held():
            futures = [col.delete([n]) for n in range(5000)]
            faults.arm("before", 0)
        assert {type(future.exception(PATIENCE)) for future in futures} == {StoreFailed}
    col.close()


# -- files --------------------------------------------------------------------------------------------------

NO_SPACE = OSError(28, "No space left on device")
FILE_FAULTS = {
    "writing": (flat, "write"),
    "a whole file": (files, "write_whole"),
    "syncing a file": (files, "sync_file"),
    "syncing the folder": (files, "sync_folder"),
    "any sync": (os, "fsync"),
    "reading it back": (flat, "check_header"),
}


@pytest.mark.parametrize("fault", FILE_FAULTS)
@pytest.mark.parametrize("closing", [False, True])
def test_a_segment_that_cannot_be_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, closing: bool
) -> None:
    monkeypatch.setattr(sealer, "SEAL_BYTES", 200)
    col = Collection(tmp_path / "col", vectors=DOT)
    written: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(*FILE_FAULTS[fault], raising(NO_SPACE))
        write_until_it_fails(col, written, most=1 if closing else 500)
        if not closing:
            check_poisoned(col)
            seen = ids(col)
            assert seen == written[: len(seen)]
        col.close()
    with Collection(tmp_path / "col") as again:
        assert ids(again) in (written, [*written, len(written)])
    assert all(name.endswith((".faiss", ".slots")) for name in os.listdir(tmp_path / "col" / "segments"))


def write_until_it_fails(col: Collection, written: list[int], most: int) -> None:
    for n in range(most):
        try:
            upsert(col, n).acknowledged(PATIENCE)
        except StoreFailed:
            return
        written.append(n)


LIMITED = """
import json, resource, signal, sys
import numpy as np
from vecstore import Batch, Collection, StoreFailed, VectorParams
from vecstore.engine import sealer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, limit, sealer.SEAL_BYTES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
col = Collection(path, vectors=VectorParams(2, "Dot"))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
acknowledged, n = [], 0
try:
    while n < 100_000:
        rows = np.stack([np.arange(n, n + 1000), np.ones(1000)], axis=1)
        col.upsert(Batch(list(range(n, n + 1000)), rows, [{"n": i} for i in range(n, n + 1000)])).acknowledged(30)
        n += 1000
        acknowledged.append(n)
except StoreFailed as error:
    print("failed", error, file=sys.stderr)
records = len(col)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
col.close()
print(json.dumps([n, records]))
"""


@LINUX
@pytest.mark.parametrize(
    ("limit", "seal_at"), [(1 << 20, 1 << 30), (16_000, 17_000), (32_767, 30_000), (120_000, 1 << 20)]
)
def test_files_that_may_not_grow(tmp_path: Path, limit: int, seal_at: int) -> None:
    """The limit is met in LMDB's file, or in that of a segment, whose last bytes alone may not fit."""
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "col"), str(limit), str(seal_at)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
    acknowledged, seen = map(int, done.stdout.strip("[]\n").split(","))
    assert "failed" in done.stderr
    assert seen <= acknowledged + 1000
    with Collection(tmp_path / "col") as col:
        assert len(col) in (acknowledged, acknowledged + 1000)
        assert ids_of_many(col) == list(range(len(col)))


def ids_of_many(col: Collection) -> list[int]:
    hits = col.search([-1, 0], limit=200_000)
    return [hit.id for hit in hits]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def thousand(col: Collection, first: int) -> UpdateFuture[Any]:
    numbers = list(range(first, first + 1000))
    rows = np.stack([np.array(numbers), np.ones(1000)], axis=1)
    return col.upsert(Batch(numbers, rows, [{"n": n} for n in numbers]))


def fill_the_disk(col: Collection) -> int:
    """How many points were acknowledged."""
    for first in range(0, 100_000, 1000):
        try:
            thousand(col, first).acknowledged(PATIENCE)
        except StoreFailed:
            return first
    pytest.fail("the disk did not get full")


def test_a_disk_that_is_really_full(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "SEAL_BYTES", 30_000)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(1 << 20))
    col = Collection(small_disk / "col", vectors=DOT)
    acknowledged = fill_the_disk(col)
    check_poisoned(col)
    assert len(ids_of_many(col)) == len(col)
    col.close()
    filler.unlink()
    with Collection(small_disk / "col") as again:
        assert len(again) in (acknowledged, acknowledged + 1000)
        assert ids_of_many(again) == list(range(len(again)))
