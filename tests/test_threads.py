"""Many threads at one collection: what readers see, how writers wait, and how few transactions they need."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from crowd import Crowd, Twins, everybody, small_limits
from faults import Faults
from profiles import times

from vecstore import (
    Collection,
    NotACollection,
    RequestTooLarge,
    StoreFailed,
    UnsupportedFormat,
    VectorParams,
)
from vecstore.engine import queue, sealer
from vecstore.storage import environment, meta, store
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from vecstore import UpdateFuture

PATIENCE = 60
DOT = VectorParams(2, "Dot")
SECONDS = 2.0 if times(1) == 1 else 120.0


def upsert(col: Collection, point_id: int) -> UpdateFuture[Any]:
    return col.upsert([{"id": point_id, "vector": [point_id, 1], "payload": {"n": point_id}}])


# -- readers beside writers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_readers_see_states_between_operations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    """Beside writers of all kinds, the optimizer, payload indexes that come and go, snapshots and other handles."""
    small_limits(monkeypatch.setattr)
    rounds = everybody(tmp_path, durability, SECONDS)
    assert all(rounds.values()), rounds


def test_refused_batches_do_not_wait_for_busy_readers() -> None:
    """py-lmdb lets an abort wait for a moment without calls of any thread."""
    with Collection(vectors=DOT) as col:
        twins, stop = Twins(col), threading.Event()

        def read() -> None:
            while not stop.is_set():
                col.count({"must": [{"has_vector": ""}]})

        readers = [threading.Thread(target=read, daemon=True) for _ in range(3)]
        for reader in readers:
            reader.start()
        for n in range(20):
            twins.refusals(np.random.default_rng(n))
        stop.set()
        for reader in readers:
            reader.join(PATIENCE)


def test_nobody_meets_the_end_of_the_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "ON_DISK_MAP", 1 << 16)

    def map_size() -> int:
        return int(col._engine.store.environment._env.info()["map_size"])

    def loads(_: object) -> None:
        """Points that no reader of twins minds."""
        if len(col) < 1000:
            big = {"vector": {}, "payload": {"text": "x" * 10_000}}
            col.upsert([{"id": 5000 + len(col) + n, **big} for n in range(50)]).result(PATIENCE)

    with Collection(tmp_path / "col", vectors=DOT, durability="os") as col:
        twins, crowd = Twins(col), Crowd()
        assert map_size() <= 1 << 18
        for work in (loads, twins.filters, twins.searches, twins.gets):
            crowd.add(work)
        crowd.run(1.0)
        while len(col) < 1000:
            loads(None)
        assert map_size() > 8_000_000


# -- writers ------------------------------------------------------------------------------------------------


def test_operations_of_many_threads_are_numbered_once_and_all_done(tmp_path: Path) -> None:
    def write(col: Collection, worker: int) -> list[int]:
        futures = [upsert(col, 1000 * worker + n) for n in range(50)]
        ids = [future.operation_id for future in futures]
        assert ids == sorted(ids)
        assert [future.result(PATIENCE).operation_id for future in futures] == ids
        return ids

    with Collection(tmp_path / "col", vectors=DOT) as col, ThreadPoolExecutor(6) as pool:
        given = [number for ids in pool.map(lambda worker: write(col, worker), range(6)) for number in ids]
        assert sorted(given) == list(range(1, 301))
        assert len(col) == 300


def test_operations_of_many_callers_share_transactions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Collection(tmp_path / "col", vectors=DOT) as col:
        faults, before = Faults(monkeypatch), 0
        counted, real = [], Environment.write

        def write(env: Environment, work: Any) -> Any:
            counted.append(1)
            return real(env, work)

        monkeypatch.setattr(Environment, "write", write)
        with faults.held(), ThreadPoolExecutor(4) as pool:
            futures = list(pool.map(lambda n: upsert(col, n), range(200)))
        for future in futures:
            future.result(PATIENCE)
        assert len(counted) - before <= 4


def test_a_fast_producer_waits_for_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "QUEUE_BYTES", 50_000)
    heaviest, real = [0], Environment.write
    with Collection(tmp_path / "col", vectors=DOT) as col:
        waiting = col._engine.writer.queue

        def slow(env: Environment, work: Any) -> Any:
            heaviest[0] = max(heaviest[0], waiting._weight)
            time.sleep(0.002)
            return real(env, work)

        monkeypatch.setattr(Environment, "write", slow)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: upsert(col, n), range(1500)))
        col.flush()
        assert waiting._weight == 0
        assert 25_000 < heaviest[0] < 50_000 + 4 * 1000
        assert len(col) == 1500


def test_those_who_wait_for_room_hear_of_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "QUEUE_BYTES", 1000)
    col, queued = Collection(tmp_path / "col", vectors=DOT), list[Any]()

    def produce(first: int) -> None:
        for n in range(first, first + 10):
            queued.append(upsert(col, n))

    with monkeypatch.context() as patch, ThreadPoolExecutor(4) as pool:
        faults = Faults(patch)
        with faults.held():
            producers = [pool.submit(produce, first) for first in range(0, 40, 10)]
            time.sleep(0.1)
            faults.arm("before", 0)
        assert {type(producer.exception(PATIENCE)) for producer in producers} == {StoreFailed}
        assert {type(future.exception(PATIENCE)) for future in queued} == {StoreFailed}
    col.close()


# -- limits and formats -------------------------------------------------------------------------------------


def test_an_operation_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_OPERATION_BYTES", 1000)
    with Collection(tmp_path / "col", vectors=DOT) as col:
        with pytest.raises(RequestTooLarge, match="1000"):
            col.upsert([{"id": 1, "vector": [1, 2], "payload": {"text": "x" * 1000}}])
        assert upsert(col, 1).result(PATIENCE).operation_id == 1
        assert len(col) == 1


def test_a_batch_of_too_many_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MAX_BATCH", 3)
    with Collection(tmp_path / "col", vectors=DOT) as col:
        with pytest.raises(RequestTooLarge, match="3"):
            col.batch([{"delete": {"points": [1]}}] * 4)
        col.batch([{"delete": {"points": [1]}}] * 3).result(PATIENCE)


def bytes_of(folder: Path) -> dict[Path, bytes]:
    """The files of a collection, without those that say who is using it."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "lock" not in path.name}


def test_another_format_is_refused_and_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "SEAL_BYTES", 100)
    with Collection(tmp_path / "col", vectors=DOT) as col:
        for n in range(20):
            upsert(col, n).result(PATIENCE)
    with monkeypatch.context() as patch:
        (tmp_path / "col" / "segments" / "rubbish").write_bytes(b"of a newer version")
        before = bytes_of(tmp_path / "col")
        patch.setattr(store, "FORMAT", meta.FORMAT + 1)
        with pytest.raises(UnsupportedFormat, match=str(meta.FORMAT + 1)):
            Collection(tmp_path / "col")
        assert bytes_of(tmp_path / "col") == before
    with Collection(tmp_path / "col") as col:
        assert len(col) == 20


def test_a_store_whose_making_did_not_end_is_no_collection(tmp_path: Path) -> None:
    (tmp_path / "col").mkdir()
    env = Environment(tmp_path / "col" / "store", sync=False, map_size=environment.SMALLEST_MAP)
    database = env.database(b"meta")
    env.write(lambda txn: txn.put(b"vectors", b"", db=database))
    env.close()
    with pytest.raises(NotACollection) as found:
        Collection(tmp_path / "col", vectors=DOT)
    assert Path(found.value.path) == tmp_path / "col"


def test_durability_os_syncs_when_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, real = [], Environment.sync
    with Collection(tmp_path / "col", vectors=DOT, durability="os") as col:
        monkeypatch.setattr(Environment, "sync", lambda env: (synced.append(1), real(env)))
        future = upsert(col, 1)
        assert future.acknowledged(PATIENCE).status.value == "acknowledged"
        assert future.result(PATIENCE).status.value == "completed"
        assert synced == []
        col.flush()
        assert synced == [1]
        assert col._engine.store.environment._env.flags()["sync"] is False
    with Collection(tmp_path / "col") as col:
        assert len(col) == 1
        assert col._engine.store.environment._env.flags()["sync"] is True
