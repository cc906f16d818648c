"""A crowd: threads that use one collection together, and check that each read shows one state of it."""

from __future__ import annotations

import faulthandler
import shutil
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from vecstore import Collection, HnswConfig, PointNotFound, VectorParams, verify
from vecstore.engine import builder, grower, merging, optimizer, parts, planner, sealer
from vecstore.storage import codes, environment, store, tail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Work = Callable[[np.random.Generator], None]

PATIENCE = 60
PAIRS = 40
TWIN = 1000
GRAPH = VectorParams(2, "Dot", HnswConfig(full_scan_threshold=0))
BIG = 100_000
"""From this id on there are points that no reader of twins minds."""


def small_limits(put: Callable[[Any, str, Any], object]) -> None:
    """So that some seconds meet seals, merges, graphs, codes, indexes made by filters, and the end of the map."""
    put(sealer, "SEAL_BYTES", 5000)
    put(merging, "MOST_FLAT", 2)
    put(optimizer, "REST", 0)
    put(planner, "EF_STEP", 1e-15)
    for name, value in {"FEWEST": 4, "STEP_ROWS": 2, "LOOK_SECONDS": 0, "PAUSE": 0, "CALM": 1 << 40}.items():
        put(grower, name, value)
    put(builder, "AUTOMATIC_FROM", 0)
    put(tail, "BLOCK_BYTES", 1000)
    put(parts, "FEW_CANDIDATES", 2)
    put(codes, "FEWEST_BYTES", 0)
    put(codes, "SCANS", 1)
    put(codes, "BEHIND", 2)
    put(store, "ON_DISK_MAP", 1 << 17)
    put(environment, "SMALLEST_MAP", 1 << 16)


class Crowd:
    """Threads that do something again and again until the time is over or one of them fails."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []
        self.rounds: dict[str, int] = {}

    def add(self, *works: Work) -> None:
        for work in works:
            name = work.__name__
            self.rounds[name] = 0
            self._threads.append(threading.Thread(target=self._repeat, args=(work, name), name=name, daemon=True))

    def _repeat(self, work: Work, name: str) -> None:
        random = np.random.default_rng(len(name))
        try:
            while not self._stop.is_set():
                work(random)
                self.rounds[name] += 1
        except BaseException as error:  # noqa: BLE001 - for the main thread
            self.errors.append(error)
            self._stop.set()

    def run(self, seconds: float) -> None:
        faulthandler.dump_traceback_later(seconds + PATIENCE)  # where they wait for each other it says for what
        try:
            for thread in self._threads:
                thread.start()
            self._stop.wait(seconds)
            self._stop.set()
            for thread in self._threads:
                thread.join(PATIENCE)
        finally:
            faulthandler.cancel_dump_traceback_later()
        if self.errors:
            raise self.errors[0]
        assert [thread.name for thread in self._threads if thread.is_alive()] == []


class Twins:
    """Points n and n + 1000 are only ever written together: same number, same vector, in one operation."""

    def __init__(self, col: Collection) -> None:
        self.col = col
        self.write(np.random.default_rng(0), range(PAIRS))

    # -- writes ----------------------------------------------------------------------------------------------

    def write(self, random: np.random.Generator, pairs: Any) -> None:
        number, points = int(random.integers(0, 50)), []
        for n in pairs:
            twin = {"vector": [number, n], "payload": {"n": number, "even": number % 2 == 0}}
            points += [{"id": int(n), **twin}, {"id": int(n) + TWIN, **twin}]
        self.col.upsert(points).result(PATIENCE)

    def some(self, random: np.random.Generator) -> list[int]:
        return random.choice(PAIRS, size=5, replace=False).tolist()

    def upserts(self, random: np.random.Generator) -> None:
        self.write(random, self.some(random))

    def batches(self, random: np.random.Generator) -> None:
        n, number = self.some(random)[0], int(random.integers(0, 50))
        twin = {"vector": [number, n], "payload": {"n": number, "even": number % 2 == 0}}
        steps = [{"upsert": {"points": [{"id": i, **twin}]}} for i in (n, n + TWIN)]
        self.col.batch([{"delete": {"points": [n, n + TWIN]}}, *steps]).result(PATIENCE)

    def refusals(self, random: np.random.Generator) -> None:
        """An atomic batch that is taken back, after it has changed one twin."""
        n = self.some(random)[0]
        spoil = {"upsert": {"points": [{"id": n, "vector": [-1, -1], "payload": {"n": -1}}]}}
        missing = {"set_payload": {"payload": {"n": -1}, "points": [10**9]}}
        with pytest.raises(PointNotFound):
            self.col.batch([spoil, missing]).result(PATIENCE)

    def loads(self, random: np.random.Generator) -> None:
        """Points that come and go, and make the map grow."""
        first = BIG + int(random.integers(0, 20)) * 50
        big = {"vector": {}, "payload": {"text": "x" * 3000}}
        self.col.upsert([{"id": first + n, **big} for n in range(50)]).result(PATIENCE)
        self.col.delete({"filter": {"must": [{"key": "text", "match": {"value": "x" * 3000}}]}}).result(PATIENCE)

    def indexes(self, random: np.random.Generator) -> None:
        field, kind = [("n", "integer"), ("even", "bool")][int(random.integers(0, 2))]
        self.col.create_payload_index(field, kind).result(PATIENCE)
        self.filters(random)
        self.col.delete_payload_index(field).result(PATIENCE)

    # -- reads -----------------------------------------------------------------------------------------------

    def scrolls(self, _: np.random.Generator) -> None:
        records, rest = self.col.scroll(limit=5000, with_vectors=True)
        assert rest is None
        by_id = {record.id: (record.payload, record.vector.tolist()) for record in records if record.id < BIG}
        assert len(by_id) == 2 * PAIRS
        for n in range(PAIRS):
            assert by_id[n] == by_id[n + TWIN]
            assert by_id[n][1] == [by_id[n][0]["n"], n]

    def filters(self, random: np.random.Generator) -> None:
        number = int(random.integers(0, 50))
        condition = {"must": [{"key": "n", "range": {"gte": number}}]}
        hits = self.col.search([1, 0], filter=condition, limit=5000, with_vectors=True)
        assert all(hit.payload["n"] >= number and hit.score == hit.vector[0] == hit.payload["n"] for hit in hits)
        assert sorted(h.id for h in hits if h.id < TWIN) == sorted(h.id - TWIN for h in hits if h.id >= TWIN)

    def searches(self, _: np.random.Generator) -> None:
        hits = self.col.search([1, 0], limit=10, with_vectors=True)
        assert len(hits) == 10
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert all(hit.score == hit.vector[0] == hit.payload["n"] for hit in hits)

    def many_searches(self, random: np.random.Generator) -> None:
        for hits in self.col.search_batch(random.integers(0, 5, (20, 2)), limit=PAIRS, with_vectors=True):
            assert len({hit.id for hit in hits}) == PAIRS
            assert all(hit.vector[0] == hit.payload["n"] for hit in hits)

    def gets(self, random: np.random.Generator) -> None:
        n = self.some(random)[0]
        one, other = self.col.retrieve([n, n + TWIN], with_vectors=True)
        assert one.payload == other.payload
        assert one.vector.tolist() == other.vector.tolist()

    def counts(self, _: np.random.Generator) -> None:
        assert self.col.count({"must": [{"key": "even", "match": {"value": True}}]}) % 2 == 0
        assert self.col.count({"must": [{"has_vector": ""}]}) == 2 * PAIRS


class Upkeep:
    """What is done with the collection as a whole meanwhile."""

    def __init__(self, twins: Twins, folder: Path) -> None:
        self.twins, self.col, self._folder, self._numbers = twins, twins.col, folder, count()

    def optimizes(self, _: np.random.Generator) -> None:
        self.col.optimize()

    def flushes(self, _: np.random.Generator) -> None:
        self.col.flush()

    def infos(self, _: np.random.Generator) -> None:
        assert self.col.info().vectors[""].live_rows == 2 * PAIRS

    def verifies(self, _: np.random.Generator) -> None:
        assert self.col.verify().problems == ()

    def snapshots(self, random: np.random.Generator) -> None:
        path = self._folder / f"snapshot {next(self._numbers)}"
        self.col.snapshot(path)
        with Collection(path) as copy:
            self._look(copy, random)
        shutil.rmtree(path)

    def handles(self, random: np.random.Generator) -> None:
        for read_only in (True, False):
            with Collection(self.col._engine.folder, read_only=read_only) as other:
                self._look(other, random)

    def _look(self, col: Collection, random: np.random.Generator) -> None:
        twins = Twins.__new__(Twins)
        twins.col = col
        for look in (twins.scrolls, twins.filters, twins.searches, twins.gets, twins.counts):
            look(random)


def everybody(folder: Path, durability: str, seconds: float) -> dict[str, int]:
    """All of them at one collection for so long: how many rounds each has made. It is whole in the end."""
    with Collection(folder / "col", vectors=GRAPH, durability=durability) as col:
        twins, crowd = Twins(col), Crowd()
        upkeep = Upkeep(twins, folder)
        crowd.add(twins.upserts, twins.batches, twins.refusals, twins.loads, twins.indexes)
        crowd.add(twins.scrolls, twins.filters, twins.searches, twins.many_searches, twins.gets, twins.counts)
        crowd.add(upkeep.optimizes, upkeep.flushes, upkeep.infos, upkeep.verifies, upkeep.snapshots, upkeep.handles)
        crowd.run(seconds)
        col.optimize()
        assert col.info().vectors[""].graph_rows > 0
        twins.scrolls(np.random.default_rng(0))
    assert verify(folder / "col").problems == ()
    return crowd.rounds
