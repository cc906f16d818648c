"""Other processes, forks, the end of the interpreter, and what the garbage collector finds."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import lives
import pytest

from vecstore import Collection, CollectionLocked, VectorParams

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore import UpdateFuture

PATIENCE = 30
DOT = VectorParams(2, "Dot")
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def upsert(col: Collection, point_id: int) -> UpdateFuture[Any]:
    return col.upsert([{"id": point_id, "vector": [point_id, 1], "payload": {"n": point_id}}])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "col"


# -- other processes ----------------------------------------------------------------------------------------


def test_a_second_process_is_told_who_has_it(path: Path) -> None:
    col = Collection(path, vectors=DOT)
    assert lives.run(lives.TRY, path) == f"{os.getpid()} True"
    upsert(col, 1).result(PATIENCE)
    col.close()
    assert lives.run(lives.TRY, path) == "free"


def test_the_first_process_is_told_of_the_second(path: Path) -> None:
    program = """
    col = Collection(sys.argv[1], vectors=DOT); print(os.getpid(), flush=True); sys.stdin.read()
    """
    with lives.started(program, path) as other:
        assert other.stdout is not None
        pid = int(other.stdout.readline())
        with pytest.raises(CollectionLocked) as found:
            Collection(path)
        assert found.value.pid == pid
        other.communicate()
    Collection(path).close()


def test_two_processes_that_create_the_same_collection(path: Path) -> None:
    program = """
    try: col = Collection(sys.argv[1], vectors=DOT); print("mine", flush=True)
    except CollectionLocked: print("locked", flush=True)
    sys.stdin.read()
    """
    with lives.started(program, path) as one, lives.started(program, path) as other:
        said = {process.stdout.readline().strip() for process in (one, other) if process.stdout is not None}
        for process in (one, other):
            process.communicate()
    assert said == {"mine", "locked"}
    assert [p.name for p in path.parent.iterdir()] == ["col"]


# -- forks --------------------------------------------------------------------------------------------------


@FORKS
def test_a_forked_child_is_told_to_open_its_own(path: Path) -> None:
    program = """
    import lmdb
    signal.alarm(30)
    path = sys.argv[1]
    col = Collection(path, vectors=DOT); upsert(col, 1).result()
    ready, go = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:
        uses = (lambda: upsert(col, 2), lambda: col.get(1), lambda: len(col), lambda: col.search([1, 1]), col.flush)
        for use in uses:
            try: use(); print("no error")
            except CollectionClosed as error: assert "open it again here" in str(error)
        col.close()
        try: Collection(path); print("not locked")
        except CollectionLocked: pass
        os.write(ready[1], b"1"); os.read(go[0], 1)
        with Collection(path) as mine: upsert(mine, 3).result(); print(len(mine), flush=True)
        os._exit(0)
    os.read(ready[0], 1)
    upsert(col, 2).result(); assert len(col) == 2
    col.close()
    os.write(go[1], b"1"); assert os.waitpid(child, 0)[1] == 0
    with Collection(path) as col: print(len(col))
    """
    assert lives.run(program, path).split() == ["3", "3"]


@FORKS
def test_a_child_does_not_keep_the_lock_of_its_parent(path: Path) -> None:
    program = """
    signal.alarm(30)
    col = Collection(sys.argv[1], vectors=DOT)
    if (child := os.fork()) == 0: time.sleep(20)
    else:
        col.close(); Collection(sys.argv[1]).close(); print("free"); os.kill(child, signal.SIGKILL)
    """
    assert lives.run(program, path) == "free"


@FORKS
def test_a_fork_while_another_thread_opens(path: Path) -> None:
    program = """
    signal.alarm(30)
    from vecstore.engine import registry
    path = sys.argv[1]
    Collection(path, vectors=DOT).close()
    inside, on, real = threading.Event(), threading.Event(), registry.recovery.recover
    def slow(*arguments): inside.set(); on.wait(); return real(*arguments)
    registry.recovery.recover = slow
    box = []
    thread = threading.Thread(target=lambda: box.append(Collection(path))); thread.start(); inside.wait()
    registry.recovery.recover = real
    ready, go = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:
        signal.alarm(30)
        Collection(path + "2", vectors=DOT).close()
        os.write(ready[1], b"1"); os.read(go[0], 1); os._exit(0)
    os.read(ready[0], 1)
    on.set(); thread.join(); box[0].close()
    other = os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", f"from vecstore import *; Collection({path!r})")
    print("free" if other == 0 else "locked")
    os.write(go[1], b"1"); os.waitpid(child, 0)
    """
    assert lives.run(program, path) == "free"


@FORKS
def test_a_child_may_search_for_many_queries_as_its_parent_has(path: Path) -> None:
    """FAISS's threads are not there in the child."""
    program = """
    signal.alarm(30)
    import faiss, numpy as np
    faiss.omp_set_num_threads(4)
    rows = np.random.default_rng(0).random((3000, 2), np.float32)
    def best(col): return [hits[0].id for hits in col.search_batch(rows[:100], limit=1)]
    with Collection(sys.argv[1], vectors=DOT) as col:
        col.upsert(Batch(np.arange(3000), rows)).result()
        right = best(col)
        if (child := os.fork()) == 0:
            signal.alarm(20)
            with Collection(sys.argv[1], read_only=True) as mine: os._exit(0 if best(mine) == right else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), best(col) == right)
    """
    assert lives.run(program, path) == "0 True"


# -- the end of the interpreter -----------------------------------------------------------------------------


@pytest.mark.parametrize("seal_at", [12 << 20, 500])
def test_what_is_pending_at_exit_is_completed(path: Path, seal_at: int) -> None:
    program = """
    from vecstore.engine import sealer
    sealer.SEAL_BYTES = int(sys.argv[2])
    col = Collection(sys.argv[1], vectors=DOT)
    for n in range(300): upsert(col, n)
    """
    lives.run(program, path, seal_at)
    with Collection(path) as col:
        assert len(col.search([1, 1], limit=1000)) == len(col) == 300


def test_an_error_that_ends_the_program_does_not_lose_what_is_pending(path: Path) -> None:
    program = """
    col = Collection(sys.argv[1], vectors=DOT)
    for n in range(300): upsert(col, n)
    sys.exit(3)
    """
    lives.run(program, path, status=3)
    with Collection(path) as col:
        assert len(col) == 300


@pytest.mark.parametrize("end", ["col.close()", "", "del col; gc.collect()", "raise SystemExit"])
def test_a_collection_in_memory_leaves_nothing(tmp_path: Path, end: str) -> None:
    program = """
    from vecstore.engine import sealer
    sealer.SEAL_BYTES = 100
    col = Collection(vectors=DOT)
    for n in range(50): upsert(col, n).result()
    assert len(col.search([1, 1], limit=100)) == 50
    """
    lives.run(f"{program}{end}\n", env={**os.environ, "TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be unlinked there")
def test_a_killed_collection_in_memory_leaves_no_data(tmp_path: Path) -> None:
    program = """
    from vecstore.engine import sealer
    sealer.SEAL_BYTES = 100
    col = Collection(vectors=DOT)
    for n in range(50): upsert(col, n).result()
    sealer.SEAL_BYTES = 1 << 30
    upsert(col, 50).result()
    while any(name.endswith(("faiss", "slots", "tmp")) for *_, names in os.walk(sys.argv[1]) for name in names):
        time.sleep(0.01)
        upsert(col, 51).result()
    os.kill(os.getpid(), signal.SIGKILL)
    """
    lives.run(program, tmp_path, status=-9, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# -- garbage ------------------------------------------------------------------------------------------------


def test_a_dropped_collection_completes_what_is_queued(path: Path) -> None:
    """Also where the garbage collector meets it on the thread of a writer, in a transaction."""
    program = """
    from vecstore.engine import writer
    real = writer.apply
    def collecting(*arguments): gc.collect(); return real(*arguments)
    writer.apply = collecting
    gc.disable()
    class App:
        def __init__(self): self.col, self.me = Collection(sys.argv[1], vectors=DOT), self
        def write(self): [upsert(self.col, n) for n in range(60)]
    App().write()
    while True:
        try: col = Collection(sys.argv[1])
        except CollectionClosed: continue
        break
    col.flush(); print(len(col))
    """
    assert lives.run(program, path) == "60"


def test_a_dropped_handle_is_closed_soon(path: Path) -> None:
    program = """
    import subprocess
    upsert(Collection(sys.argv[1], vectors=DOT), 1)
    gc.collect()
    code = "import sys; from vecstore import *; print(len(Collection(sys.argv[1])))"
    while True:
        done = subprocess.run([sys.executable, "-c", code, sys.argv[1]], capture_output=True, text=True)
        if done.returncode == 0: break
    print(done.stdout)
    """
    assert lives.run(program, path) == "1"
