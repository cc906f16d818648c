"""The environment: transactions, a map nobody meets the end of, reads that closing waits for, damaged files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import lmdb
import pytest
from storing import environment, undone

from vecstore.errors import CollectionClosed, Corrupted, StoreFailed
from vecstore.storage.data_file import DATA_FILE, check_length, verify_file
from vecstore.storage.environment import SMALLEST_MAP, Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vecstore.storage.environment import Transaction

PATIENCE = 30
TINY, LARGE = 1 << 16, 1 << 17
KEYS = [b"%08d" % n for n in range(64)]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS means something else there")


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Environment]:
    with environment(tmp_path / "env", map_size=TINY) as found:
        yield found


def put(env: Environment, database: Any, count: int, size: int = 1000) -> None:
    """One transaction with ``count`` values."""

    def work(txn: Transaction) -> None:
        for n in range(count):
            txn.put(b"%08d" % n, bytes(size), db=database)

    env.write(work)


def count(env: Environment, database: Any) -> int:
    with env.read() as txn:
        return int(txn.stat(database)["entries"])


def started(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


# -- transactions -------------------------------------------------------------------------------------------


def test_a_transaction_that_raises_leaves_nothing(env: Environment) -> None:
    database = env.database(b"x")
    undone(env, lambda txn: txn.put(b"key", b"value", db=database))
    assert count(env, database) == 0
    put(env, database, 3)
    assert count(env, database) == 3


def test_a_nested_transaction_is_taken_back_alone(env: Environment) -> None:
    database = env.database(b"x")

    def work(txn: Transaction) -> None:
        txn.put(b"outer", b"", db=database)
        with suppress(KeyError), env.nested(txn) as inner:
            inner.put(b"inner", b"", db=database)
            raise KeyError
        with env.nested(txn) as inner:
            inner.put(b"kept", b"", db=database)

    env.write(work)
    with env.read() as txn, txn.cursor(db=database) as cursor:
        assert list(cursor.iternext(values=False)) == [b"kept", b"outer"]


def test_what_lmdb_refuses_is_a_store_failure(env: Environment) -> None:
    database = env.database(b"x")
    with pytest.raises(StoreFailed, match="env"):
        env.write(lambda txn: txn.put(b"k" * 1000, b"", db=database))
    put(env, database, 1)


def test_a_read_is_a_snapshot(env: Environment) -> None:
    database = env.database(b"x")
    with env.read() as txn:
        put(env, database, 5, size=1)
        assert txn.stat(database)["entries"] == 0
    assert count(env, database) == 5


# -- growing ------------------------------------------------------------------------------------------------


def test_a_full_map_grows_and_the_transaction_is_done_from_the_start(env: Environment) -> None:
    database = env.database(b"x")
    begun = []

    def work(txn: Transaction) -> str:
        begun.append(txn.stat(database)["entries"])
        for n in range(1000):
            txn.put(b"%08d" % n, bytes(1000), db=database)
        return "done"

    assert env.write(work) == "done"
    assert len(begun) > 1
    assert set(begun) == {0}
    assert count(env, database) == 1000
    assert env.used_bytes() > TINY


def test_growing_waits_for_those_who_read_and_they_for_it(env: Environment) -> None:
    database = env.database(b"x")
    put(env, database, 1)
    with env.read() as txn:
        writer = started(lambda: put(env, database, 500))
        writer.join(0.2)
        assert writer.is_alive(), "the map was replaced under a reader"
        assert txn.get(b"%08d" % 0, db=database) == bytes(1000)
    writer.join(PATIENCE)
    assert not writer.is_alive()
    assert count(env, database) == 500


def test_threads_read_on_while_the_map_grows_again_and_again(env: Environment) -> None:
    database = env.database(b"x")
    put(env, database, 1, LARGE)
    stop, errors, reads = threading.Event(), list[BaseException](), [0, 0, 0]

    def read(mine: int) -> None:
        try:
            while not stop.is_set():
                # In one call: a thread that gives the GIL away at every step does not let the writer have it.
                with env.read() as txn, txn.cursor(db=database) as cursor:
                    assert {value for _, value in cursor.getmulti(KEYS)} == {bytes(LARGE)}
                reads[mine] += 1
        except BaseException as error:  # noqa: BLE001 - for the main thread
            errors.append(error)

    readers = [started(lambda mine=mine: read(mine)) for mine in range(len(reads))]
    for size in (4, 8, 16, 32, 64):
        put(env, database, size, LARGE)
    stop.set()
    for reader in readers:
        reader.join(PATIENCE)
    assert errors == []
    assert all(reads)
    assert count(env, database) == 64


# -- closing ------------------------------------------------------------------------------------------------


def refused(env: Environment) -> BaseException:
    with pytest.raises(CollectionClosed) as found, env.read():
        pass
    return found.value


def test_closing_waits_for_a_reader_and_later_ones_are_told(env: Environment) -> None:
    database = env.database(b"x")
    put(env, database, 1)
    with env.read() as txn:
        closing = started(env.close)
        closing.join(0.2)
        assert closing.is_alive(), "closed under a reader"
        late: list[BaseException] = []
        reader = started(lambda: late.append(refused(env)))
        assert txn.get(b"%08d" % 0, db=database) == bytes(1000)
    for thread in (closing, reader):
        thread.join(PATIENCE)
    assert [type(error) for error in late] == [CollectionClosed]
    env.close()


def test_a_closed_environment_says_so(env: Environment) -> None:
    env.close()
    with pytest.raises(CollectionClosed), env.read():
        pass
    with pytest.raises(CollectionClosed):
        env.sync()


def test_readers_of_processes_that_died_are_cleared(env: Environment) -> None:
    put(env, env.database(b"x"), 1)
    code = "import lmdb, sys; t = lmdb.open(sys.argv[1], readonly=True).begin(); print(1, flush=True); input()"
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(env.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        assert env.clear_dead_readers() == 0
        reader.send_signal(signal.SIGKILL)
        reader.wait(PATIENCE)
    assert env.clear_dead_readers() == 1


# -- address space ------------------------------------------------------------------------------------------


def limited(code: str, folder: Path) -> str:
    """What ``code`` prints in a process with little address space left."""
    before = (
        "import resource, sys; from pathlib import Path; from vecstore.storage.environment import *\n"
        "pages = int(open('/proc/self/statm').read().split()[0])\n"
        "limit = pages * resource.getpagesize() + (200 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "def size(env): return env._env.info()['map_size']\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", before + code, str(folder)], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@LINUX
def test_where_address_space_is_short_a_smaller_map_is_taken(tmp_path: Path) -> None:
    code = "env = Environment(Path(sys.argv[1]) / 'env', sync=True, map_size=ON_DISK_MAP); print(size(env))"
    assert limited(code, tmp_path) == str(128 << 20)


@LINUX
def test_where_the_map_cannot_grow_the_store_fails_and_says_so(tmp_path: Path) -> None:
    code = (
        "env = Environment(Path(sys.argv[1]) / 'env', sync=False, map_size=SMALLEST_MAP); db = env.database(b'x')\n"
        "def put(n): env.write(lambda txn: txn.put(b'%08d' % n, bytes(1 << 20), db=db))\n"
        "try:\n for n in range(1000): put(n)\n"
        "except StoreFailed: print(n)\n"
    )
    written = int(limited(code, tmp_path))
    assert written >= SMALLEST_MAP >> 20
    with environment(tmp_path / "env") as env:
        assert count(env, env.database(b"x")) == written


def test_another_reason_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("a file")
    with pytest.raises((StoreFailed, NotADirectoryError)):
        Environment(tmp_path / "env", sync=True, map_size=1 << 40)


# -- damage -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[[], [b"a"], [b"a", b"b"], [b"a", b"a small one"]])
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file with several pages, some of them free; also where a tree of duplicates was deleted, of some."""
    with environment(tmp_path_factory.mktemp("whole")) as env:
        database = env.database(b"x")
        many = env.database(b"many", duplicates=True)
        pairs = [(key, b"%08d" % n) for key in request.param for n in range(3000 if len(key) == 1 else 3)]
        env.write(lambda txn: txn.cursor(db=many).putmulti(pairs))
        env.write(lambda txn: txn.delete(b"a", db=many))
        put(env, database, 200)
        env.write(lambda txn: [txn.delete(b"%08d" % n, db=database) for n in range(50, 200)])
        put(env, database, 10)
        return env.path / "data.mdb"


def test_a_truncated_file_is_corrupted_or_opens_right(data: Path, tmp_path: Path) -> None:
    size = data.stat().st_size
    lengths = {*range(1, 9000, 571), *range(0, size, 3000), *range(0, size + 1, 4096)}
    outcomes = {read_cut(data, tmp_path / str(length), length) for length in sorted(lengths)}
    assert outcomes == {"corrupted", "right"}


def read_cut(data: Path, folder: Path, length: int) -> str:
    folder.mkdir()
    shutil.copyfile(data, folder / "data.mdb")
    os.truncate(folder / "data.mdb", length)
    try:
        check_length(folder / "data.mdb")
    except Corrupted as error:
        return "corrupted" if error.path == folder / "data.mdb" else str(error.path)
    with environment(folder) as env:
        database = env.database(b"x")
        with env.read() as txn, txn.cursor(db=database) as cursor:
            assert [key for key, _ in cursor] == [b"%08d" % n for n in range(50)]
    return "right"


@pytest.mark.parametrize("content", [b"x" * 10_000, bytes(10_000), b"\0" * 16 + b"\xde\xc0\xef\xbe" + b"\xff" * 9000])
def test_something_else_is_no_data_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(Corrupted) as found:
        Environment(tmp_path, sync=True, map_size=1 << 24)
    assert "data.mdb" in str(found.value)


def test_no_file_is_a_new_environment(tmp_path: Path) -> None:
    check_length(tmp_path / "data.mdb")
    with environment(tmp_path / "env") as env:
        assert count(env, env.database(b"x")) == 0


def test_the_offline_verifier_finds_nothing_wrong_with_what_was_written(data: Path) -> None:
    assert verify_file(data) == []


def test_the_format_is_that_of_lmdb_0_9(env: Environment) -> None:
    put(env, env.database(b"x"), 1)
    env.close()
    meta = (env.path / "data.mdb").read_bytes()[16:24]
    assert meta == b"\xde\xc0\xef\xbe\x01\x00\x00\x00"
    assert lmdb.version()[:2] == (0, 9)


def test_nobody_waits_for_a_long_read_but_what_has_to(tmp_path: Path) -> None:
    with environment(tmp_path, map_size=SMALLEST_MAP) as env:
        database = env.database(b"x")
        put(env, database, 1)
        with ThreadPoolExecutor(1) as pool, env.read(long=True) as txn:
            with pytest.raises(ZeroDivisionError):
                pool.submit(env.write, lambda _: 1 / 0).result(10)  # which is taken back
            pool.submit(put, env, database, 2).result(10)
            assert txn.stat(database)["entries"] == 1
            growing = pool.submit(env.write, lambda other: fill_map(other, database))
            while not env.gate.shut:
                time.sleep(0.001)
            assert txn.stat(database)["entries"] == 1
            assert not growing.done()
        growing.result(PATIENCE)
        with ThreadPoolExecutor(1) as pool, env.read(long=True):
            closing = pool.submit(env.close)
            while not env.gate.shut:
                time.sleep(0.001)
            assert not closing.done()
        closing.result(PATIENCE)


def fill_map(txn: Transaction, database: Any) -> None:
    for n in range(3 * SMALLEST_MAP // 1000):
        txn.put(b"%08d" % n, bytes(1000), db=database)


def test_a_copy_is_the_last_state(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.mkdir()
    with environment(tmp_path) as env:
        database = env.database(b"x")
        put(env, database, 1)
        with env.read(long=True):
            put(env, database, 2)
            env.copy(target)
        put(env, database, 3)
    with environment(target) as copy:
        assert count(copy, copy.database(b"x")) == 2
    assert verify_file(target / DATA_FILE) == []


def test_a_copy_and_a_writer_do_not_wait_for_each_other(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.mkdir()

    def copy(env: Environment) -> None:
        with env.read(long=True):
            env.copy(target)

    def work(txn: Any) -> None:
        txn.put(b"key", b"taken back", db=database)
        pool.submit(copy, env).result(PATIENCE)
        raise ZeroDivisionError

    with environment(tmp_path) as env, ThreadPoolExecutor(1) as pool:
        database = env.database(b"x")
        put(env, database, 1)
        with pytest.raises(ZeroDivisionError):
            env.write(work)
    with environment(target) as copied:
        assert count(copied, copied.database(b"x")) == 1


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    with environment(tmp_path) as env:
        with pytest.raises(Corrupted, match="'x' cannot be opened"):
            env.database(b"x", new=False)
        env.database(b"x")
        env.database(b"x", new=False)
