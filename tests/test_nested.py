"""Calls in the middle of other calls of the same thread, as signal handlers and ``__del__`` make them: none waits for
itself. Where it happens is chosen by a function that the outer call comes by."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import lives
import pytest

from vecstore import Collection, CollectionClosed, VectorParams, WouldWaitForItself, verify
from vecstore.engine import follower, queue, registry
from vecstore.engine.reader import Reader
from vecstore.engine.view import View
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vecstore import UpdateFuture

PATIENCE = 30
DOT = VectorParams(2, "Dot")


def upsert(col: Collection, point_id: int) -> UpdateFuture[Any]:
    return col.upsert([{"id": point_id, "vector": [point_id, 1]}])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Collection(tmp_path / "col", vectors=DOT) as col:
        upsert(col, 1).result(PATIENCE)
    return tmp_path / "col"


@pytest.fixture
def amid(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, Callable[[], object]], list[Any]]:
    """Have something called once, in the middle of a function: what it returned, or the error."""

    def install(owner: Any, name: str, nested: Callable[[], object]) -> list[Any]:
        real, told = getattr(owner, name), list[Any]()

        def function(*args: Any, **options: Any) -> Any:
            if not told:
                told.append("begun")
                try:
                    told[0] = nested()
                except Exception as error:  # noqa: BLE001 - looked at by the test
                    told[0] = error
            return real(*args, **options)

        monkeypatch.setattr(owner, name, function)
        return told

    return install


def on_a_thread(work: Callable[[], object]) -> list[Any]:
    """What ``work`` returned on another thread, or none where it waits for ever."""
    box: list[Any] = []
    thread = threading.Thread(target=lambda: box.append(work()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return box


here = [lambda work: [work()], on_a_thread]


# -- closing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", here)
@pytest.mark.parametrize("read_only", [False, True])
def test_closing_in_a_read(path: Path, amid: Any, read_only: bool, run: Any) -> None:
    col = Collection(path, read_only=read_only)
    told = amid(View, "records", col.close)
    assert [record.id for record in run(lambda: col.retrieve([1]))[0]] == [1]
    assert told == [None]
    with pytest.raises(CollectionClosed):
        col.get(1)
    Collection(path).close()  # which waits until it is closed
    assert lives.run(lives.TRY, path) == "free"


@pytest.mark.parametrize("run", here)
def test_closing_in_a_write(path: Path, amid: Any, run: Any) -> None:
    col = Collection(path)
    told = amid(queue.futures, "single_future", col.close)
    (future,) = run(lambda: upsert(col, 2))
    assert told == [None]
    assert future.result(PATIENCE).operation_id == 2
    with Collection(path) as again:
        assert len(again) == 2


def test_closing_while_a_future_is_waited_for(path: Path) -> None:
    """Whoever waits is inside a lock of the future's before and after, and the writer needs it."""
    col = Collection(path)
    with col._engine.writer.queue._lock:  # the writer does not come by it
        future = upsert(col, 2)
        inside, real = future._condition, future._condition.wait  # type: ignore[attr-defined]

        def wait(timeout: float | None = None) -> bool:
            col.close()
            return bool(real(timeout))

        inside.wait = wait
        with pytest.raises(WouldWaitForItself):
            future.result()
        thread = threading.Thread(target=future.result, daemon=True)
        thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    with Collection(path) as again:
        assert len(again) == 2


def test_closing_in_the_opening_of_the_same(path: Path, amid: Any) -> None:
    other = Collection(path)
    told = amid(registry.creation, "identity", other.close)
    with Collection(path) as col:
        assert told == [None]
        assert len(col) == 1
    assert lives.run(lives.TRY, path) == "free"


@pytest.mark.parametrize(
    "call", ["col.search([1, 1])", "col.upsert([{'id': 1, 'vector': [1, 1]}])", "upsert(col, 1).result()"]
)
@pytest.mark.parametrize("options", ["", "read_only=True"])
def test_a_signal_handler_may_close(path: Path, call: str, options: str) -> None:
    program = f"""
    signal.alarm(30)
    def end(*_): col.close(); sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGVTALRM, end)
    col = Collection(sys.argv[1], {options})
    signal.setitimer(signal.ITIMER_VIRTUAL, float(sys.argv[2]))
    while True: {call}
    """
    if options and "upsert" in call:
        return
    for seconds in (0.05, 0.0731, 0.11):
        assert lives.run(program, path, seconds) == ""


def test_waiting_while_another_future_is_waited_for(path: Path) -> None:
    """The writer cannot tell the other as long as the thread is inside its lock."""
    with Collection(path) as col:
        inside, told = threading.Event(), list[Any]()
        with col._engine.writer.queue._lock:  # the writer does not come by it
            other = upsert(col, 2)
            condition = other._condition  # type: ignore[attr-defined]
            real = condition.wait

            def wait(timeout: float | None = None) -> bool:
                inside.set()
                try:
                    upsert(col, 3).result()
                except WouldWaitForItself as error:
                    told.append(error)
                return bool(real(timeout))

            condition.wait = wait
            thread = threading.Thread(target=other.result, daemon=True)
            thread.start()
            assert inside.wait(PATIENCE)
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert len(told) == 1
        assert upsert(col, 4).result(PATIENCE)
        assert len(col) == 4


# -- reading --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", here)
def test_reading_in_the_middle_of_catching_up(path: Path, amid: Any, run: Any) -> None:
    with Collection(path, read_only=True) as col:
        told = amid(follower, "replay_journal", lambda: col.get(1, with_vectors=True))
        assert [hit.id for hit in run(lambda: col.search([1, 1]))[0]] == [1]
        assert told[0].vector.tolist() == [1, 1]


@pytest.mark.parametrize("run", here)
def test_reading_in_the_middle_of_opening_again(path: Path, amid: Any, run: Any) -> None:
    with Collection(path, read_only=True) as col:
        with Collection(path) as writer:  # as long as it is open, its store is read
            upsert(writer, 2).result(PATIENCE)
            assert len(col) == 2
        told = amid(Reader, "_let_go", lambda: len(col))
        assert run(lambda: len(col)) == [2]
        assert isinstance(told[0], WouldWaitForItself)
        assert len(col) == 2


def test_reading_while_this_thread_replaces_the_map(path: Path, amid: Any) -> None:
    with Collection(path) as col:
        environment = col._engine.store.environment
        told = amid(Environment, "used_bytes", lambda: len(col))
        environment.gate.alone(environment.used_bytes)
        assert isinstance(told[0], WouldWaitForItself)
        assert len(col) == 1


# -- opening --------------------------------------------------------------------------------------------------


def test_opening_in_the_middle_of_a_read(path: Path, amid: Any) -> None:
    other = path.with_name("other")
    with Collection(path, read_only=True) as col:
        told = amid(View, "records", lambda: Collection(path))
        assert col.get(1) is not None
        assert isinstance(told[0], WouldWaitForItself)
        told = amid(View, "records", lambda: Collection(other, vectors=DOT))
        assert col.get(1) is not None
        told[0].close()


def test_opening_in_the_middle_of_finding_what_to_read(path: Path, amid: Any) -> None:
    with Collection(path, read_only=True) as col:
        assert len(col) == 1
        told = amid(Reader, "_present", lambda: len(Collection(path, read_only=True)))
        assert len(col) == 1
        assert told == [1]


@pytest.mark.parametrize("read_only", [False, True])
def test_opening_in_the_middle_of_opening_the_same(path: Path, amid: Any, read_only: bool) -> None:
    told = amid(registry.creation, "is_collection", lambda: Collection(path, read_only=read_only))
    Collection(path, read_only=read_only).close()
    assert isinstance(told[0], WouldWaitForItself)


# -- waiting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wait",
    [
        lambda col: upsert(col, 3).result(),
        lambda col: upsert(col, 3).acknowledged(),
        lambda col: upsert(col, 3).exception(),
        lambda col: col.flush(),
        lambda col: col.optimize(),
    ],
)
def test_waiting_in_the_middle_of_a_write(path: Path, amid: Any, wait: Any) -> None:
    with Collection(path) as col:
        told = amid(queue.futures, "single_future", lambda: wait(col))
        assert upsert(col, 2).result(PATIENCE)
        assert isinstance(told[0], WouldWaitForItself)
        col.flush()
        assert len(col) >= 2


# -- all of it ------------------------------------------------------------------------------------------------

STORM = """
import random
import vecstore
faulthandler.dump_traceback_later(40, exit=True)
path, read_only = sys.argv[1], sys.argv[2] == "True"
calm, wild = random.Random(1), random.Random(2)
futures, end = [], time.monotonic() + 3
def closed_and_opened():
    global col
    col.close(); col = Collection(path, read_only=read_only)
reads = [
    lambda: col.search([1, 1], limit=3), lambda: col.get(1, with_vectors=True), lambda: len(col), lambda: gc.collect(0),
    lambda: col.count(field("n") == 1), lambda: Collection(path, read_only=True).close(),
]
writes = [
    lambda: futures.append(upsert(col, wild.randrange(9))), lambda: upsert(col, 9).result(), lambda: col.flush(),
    lambda: Collection(path).close(), closed_and_opened,
]
def something(dice):
    try: dice.choice(reads if read_only else reads + writes)()
    except (WouldWaitForItself, CollectionClosed): pass
def storm(*_):
    if time.monotonic() < end:
        something(wild); signal.setitimer(signal.ITIMER_REAL, wild.random() / 300)
col = Collection(path, read_only=read_only)
signal.signal(signal.SIGALRM, storm); signal.setitimer(signal.ITIMER_REAL, 0.001)
while time.monotonic() < end: something(calm)
signal.setitimer(signal.ITIMER_REAL, 0)
col.close()
assert all(future.result(20) for future in futures)
assert len({future.operation_id for future in futures}) == len(futures)
"""


@pytest.mark.parametrize("read_only", [False, True])
def test_a_storm_of_signals(path: Path, read_only: bool) -> None:
    assert lives.run(f"import faulthandler{STORM}", path, read_only) == ""
    assert verify(path).ok
