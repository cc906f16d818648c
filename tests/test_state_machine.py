"""A collection on disk beside a model of it: every write, every read, and the process ends at any moment.

What is acknowledged is there after a crash, what is refused has no effect, and an operation of which nothing was
promised is there wholly or not at all: the collection is always in one of the states that the model went through.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from agreeing import are, bits, everything, holds
from calling import FORMS, call
from faults import DEATHS, FAILURES, HARMLESS, Faults, copy_as_it_is, shrink
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from machine_reads import Reading
from machine_values import INDEXED, KEYS, NAMED, UNNAMED, requests
from model import Model
from profiles import times
from request_strategies import KINDS, resolved

from vecstore import Collection, HnswConfig, PointNotFound, StoreFailed, UpdateStatus, VectorParams

if TYPE_CHECKING:
    from model import Id

    from vecstore import Record, UpdateFuture

    Json = dict[str, Any]

PATIENCE = 60
FORM = st.sampled_from(FORMS)
AFTER = st.integers(0, 3)
OPENING = st.none() | st.tuples(st.sampled_from([*FAILURES, "again"]), st.integers(0, 2))
"""What happens while the collection is opened after a crash, and at which transaction."""
RARELY = st.sampled_from([False, False, False, True])
SEAL_AT = st.sampled_from([1, 400, 1000, 1 << 20])
SEAL_BYTES = "vecstore.engine.sealer.SEAL_BYTES"
SQ8_FROM = "vecstore.storage.graph.SQ8_FROM"
STORAGES = st.sampled_from([None, "float32", "sq8"])
"""Graphs, and of which kind, of however few rows."""
WAYS = {
    "vecstore.engine.filtering.ORDERED": [0, 4, 10**9],
    "vecstore.engine.found.SPARSE": [0, 10**9],
    "vecstore.engine.memo.RANGE_COST": [0, 1000],
    "vecstore.engine.narrowing.CHECKED": [0, 1000],
}
"""What decides between two ways to the same answer."""


@dataclass
class Sent:
    """An operation under way: what it will be refused for, and the state after it."""

    future: UpdateFuture[Any]
    missing: list[Id] | None
    after: Model

    def is_acknowledged(self) -> bool:
        try:
            self.future.acknowledged(timeout=0)
        except (FutureTimeoutError, StoreFailed):
            return False
        return True

    def failure(self) -> StoreFailed | None:
        """Wait for the end; it is as expected, or the store failed."""
        error = self.future.exception(PATIENCE)
        if isinstance(error, StoreFailed):
            return error
        if self.missing is not None:
            assert isinstance(error, PointNotFound)
            assert error.ids == self.missing
        else:
            assert error is None
            results = self.future.result()
            results = results if isinstance(results, list) else [results]
            assert {r.status for r in results} == {UpdateStatus.COMPLETED}
            assert results[-1].operation_id == self.future.operation_id
        return None


class Machine(Reading):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(logging.getLogger("vecstore"), "disabled", True)  # failures are what this is about
        shrink(self.patch)
        self.faults = Faults(self.patch)
        self.folder = Path(tempfile.mkdtemp())
        self.worlds = 0
        self.model = Model(self.schema)
        self.sent: list[Sent] = []
        self.highest = 0  # of all operation ids that were given out

    @initialize(
        data=st.data(), durability=st.sampled_from(["fsync", "os"]), limit=SEAL_AT, empty=RARELY, storage=STORAGES
    )
    def create(self, data: st.DataObject, durability: str, limit: int, empty: bool, storage: str | None) -> None:
        self.graphs = storage is not None
        self.patch.setattr(SQ8_FROM, 1 if storage == "sq8" else 1 << 16)
        for name, choices in WAYS.items():
            self.patch.setattr(name, data.draw(st.sampled_from(choices)))
        hnsw = HnswConfig(full_scan_threshold=0) if self.graphs else None
        vectors = {name: VectorParams(size, distance, hnsw) for name, (size, distance) in self.schema.items()}
        self.col = Collection(self.place, vectors=vectors, durability=durability)
        self.durability = durability
        self.patch.setattr(SEAL_BYTES, limit)
        if not empty:
            self.fill(data, "columns")

    def teardown(self) -> None:
        self.faults.disarm()
        if hasattr(self, "col"):
            self.col.close()
        self.patch.undo()
        shutil.rmtree(self.folder)

    def is_settled(self) -> bool:
        return not self.sent

    @property
    def place(self) -> Path:
        return self.folder / str(self.worlds)

    @property
    def states(self) -> list[Model]:
        """The last settled state, and the one after each operation under way."""
        return [self.model, *(sent.after for sent in self.sent)]

    @property
    def present(self) -> list[Id]:
        return self.states[-1].matching()

    # -- writes ----------------------------------------------------------------------------------------------

    def send(self, operation: Json, form: str = "body") -> None:
        operation = resolved(operation, self.present)
        after = self.states[-1].copy()
        missing = after.apply(operation)
        try:
            future = call(self.col, operation, form)
        except StoreFailed:  # the writer has stopped; nobody is told of this operation
            return
        self.sent.append(Sent(future, missing, after))
        assert future.operation_id > self.highest
        self.highest = future.operation_id

    def fill(self, data: st.DataObject, form: str) -> None:
        self.send({"upsert": data.draw(self.requests.many())}, form)

    def send_some(self, data: st.DataObject) -> None:
        """Several operations that are in the queue together."""
        some = data.draw(st.lists(st.tuples(self.requests.writes(), FORM), min_size=1, max_size=6))
        with self.faults.held():
            for operation, form in some:
                self.send(operation, form)

    @rule(data=st.data(), form=FORM)
    def fill_up(self, data: st.DataObject, form: str) -> None:
        self.fill(data, form)

    @rule(data=st.data(), kind=st.sampled_from(KINDS), form=FORM, wait=st.booleans())
    def write(self, data: st.DataObject, kind: str, form: str, wait: bool) -> None:
        self.send({kind: data.draw(self.requests.body(kind))}, form)
        if wait:
            self.settle()

    @rule(data=st.data(), kind=st.sampled_from(KINDS), form=FORM)
    def write_again(self, data: st.DataObject, kind: str, form: str) -> None:
        self.write(data, kind, form, wait=True)

    @rule(data=st.data(), wait=st.booleans())
    def batch(self, data: st.DataObject, wait: bool) -> None:
        self.send({"batch": data.draw(self.requests.batch())})
        if wait:
            self.settle()

    @rule(data=st.data())
    def write_several(self, data: st.DataObject) -> None:
        self.send_some(data)

    # -- what becomes of them --------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait for everything under way, which ends as expected."""
        assert [f for sent in self.sent if (f := sent.failure())] == []
        self.model = self.states[-1]
        self.sent = []

    def open(self) -> None:
        self.col = Collection(self.place, durability=self.durability)

    def become_one_of(self, states: list[Model]) -> None:
        """After a crash: the collection is in one of these states, and goes on from there."""
        self.model = next((m for m in reversed(states) if holds(self.col, m)), None)
        assert self.model is not None, (everything(self.col), [m.points for m in states])
        self.sent = []

    @rule(data=st.data(), how=st.sampled_from(HARMLESS), after=AFTER)
    def disturb(self, data: st.DataObject, how: str, after: int) -> None:
        """A transaction is not like the others, and nobody notices."""
        seen: list[list[Record]] = []
        self.faults.arm(how, after, lambda: seen.append(everything(self.col)))
        self.send_some(data)
        states = self.states
        self.settle()
        self.faults.disarm()
        assert all(any(are(records, m) for m in states) for records in seen)

    @rule(data=st.data(), how=st.sampled_from(FAILURES), after=AFTER, opening=OPENING)
    def fail(self, data: st.DataObject, how: str, after: int, opening: tuple[str, int] | None) -> None:
        """The store fails at a transaction, and is opened again."""
        self.faults.arm(how, after)
        self.send_some(data)
        failures = [f for sent in self.sent if (f := sent.failure())]
        self.faults.disarm()
        if self.faults.happened is None:
            self.settle()
            return
        states = self.states_after(failures, how)
        assert any(holds(self.col, m) for m in self.states[: 2 + self.acknowledged()])
        self.col.close()
        self.open_at_last(opening)
        self.become_one_of(states)

    @rule(data=st.data(), how=st.sampled_from(DEATHS), after=AFTER, opening=OPENING)
    def kill(self, data: st.DataObject, how: str, after: int, opening: tuple[str, int] | None) -> None:
        """The process ends between two transactions; the life it would have led ends as expected."""
        promised: list[int] = []

        def die() -> None:
            promised.append(self.acknowledged())
            # A death that came after the rule that armed it had looked may have left a copy.
            shutil.rmtree(self.folder / str(self.worlds + 1), ignore_errors=True)
            copy_as_it_is(self.place, self.folder / str(self.worlds + 1))

        self.faults.arm(how, after, die)
        self.send_some(data)
        states = self.states
        self.settle()
        self.faults.disarm()
        if promised:
            self.col.close()
            shutil.rmtree(self.place)
            self.worlds += 1
            self.open_at_last(opening)
            self.become_one_of(states[promised[0] :])

    def acknowledged(self) -> int:
        """How many of the operations under way are acknowledged: the first ones."""
        told = [sent.is_acknowledged() for sent in self.sent]
        assert told == sorted(told, reverse=True)
        return sum(told)

    def states_after(self, failures: list[StoreFailed], how: str) -> list[Model]:
        """What was acknowledged is there, and what is said to be unknown if its transaction was committed."""
        said = [str(f) for f in failures]
        kinds = ["was acknowledged", "is unknown", "was not logged"]
        found = [next(k for k in kinds if k in s) for s in said]
        assert found == sorted(found, key=kinds.index)
        last = self.acknowledged()
        assert last == len(self.sent) - len(said) + found.count("was acknowledged")
        return [self.states[last + found.count("is unknown") if how == "after" else last]]

    def open_at_last(self, opening: tuple[str, int] | None) -> None:
        """Open the collection; while the log is applied the store may fail again."""
        if opening is not None:
            self.faults.arm(*opening)
        try:
            self.open()
        except StoreFailed:
            assert self.faults.happened in FAILURES
            self.open()
        self.faults.disarm()
        if opening is not None and self.faults.happened in FAILURES:  # maybe while an index was being built
            self.col.close()
            self.open()

    # -- the collection itself -------------------------------------------------------------------------------

    @rule(limit=SEAL_AT, slowly=st.booleans())
    def seal(self, limit: int, slowly: bool) -> None:
        """From here on, seal when the journal has this many bytes."""
        self.patch.setattr(SEAL_BYTES, limit)
        self.faults.slow_seals = slowly

    @rule()
    def optimize(self) -> None:
        self.col.optimize()
        info = self.col.info().vectors
        assert all(v.segments <= 1 and not v.open_rows for v in info.values())
        assert all(v.dead_rows <= 0.2 * (v.live_rows + v.dead_rows) for v in info.values())

    @rule(path=KEYS, wanted=INDEXED, wait=st.booleans())
    def create_index(self, path: str, wanted: str, wait: bool) -> None:
        future = self.col.create_payload_index(path, wanted)
        assert future.operation_id > self.highest
        self.highest = future.operation_id
        if wait:
            future.result(PATIENCE)
            schema = self.col.info().payload_schema[path]
            assert wanted in [kind.value for kind in schema.types]

    @rule(path=KEYS)
    def delete_index(self, path: str) -> None:
        future = self.col.delete_payload_index(path)
        assert future.operation_id > self.highest
        self.highest = future.operation_id

    @rule()
    def flush(self) -> None:
        self.col.flush()
        assert all(sent.future.done() for sent in self.sent)

    @rule()
    def reopen(self) -> None:
        """Closing completes what is under way, and nothing changes by a bit."""
        self.col.close()
        self.settle()
        self.open()
        before = bits(self.col)
        self.col.close()
        self.open()
        assert bits(self.col) == before

    @rule()
    def change_handles(self) -> None:
        other = Collection(self.place)
        self.col.close()
        self.col = other

    @rule()
    def look(self) -> None:
        """A reader sees a state between two operations, and everything that is completed."""
        done = sum(sent.future.done() for sent in self.sent)
        found = everything(self.col)
        assert any(are(found, m) for m in self.states[done:])


class Named(Machine):
    schema = NAMED
    requests = requests(NAMED)


class Unnamed(Machine):
    schema = UNNAMED
    requests = requests(UNNAMED)


TestNamed = Named.TestCase
TestUnnamed = Unnamed.TestCase
TestNamed.settings = settings(max_examples=times(60), suppress_health_check=list(HealthCheck))
TestUnnamed.settings = settings(max_examples=times(30), suppress_health_check=list(HealthCheck))


def test_no_operation_id_is_given_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed leaves on disk which ids were given out, also where transactions began again."""
    monkeypatch.setattr("vecstore.engine.writer.RESERVE", 8)
    faults = Faults(monkeypatch)
    col = Collection(tmp_path / "life", vectors=VectorParams(1, "Dot"))
    for n in range(40):
        faults.arm("again", 0)
        last = col.upsert([{"id": n, "vector": [1]}]).result().operation_id
    copy_as_it_is(tmp_path / "life", tmp_path / "next life")
    col.close()
    with Collection(tmp_path / "next life") as col:
        assert col.delete([0]).operation_id > last
