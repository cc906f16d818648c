"""A collection on disk beside a model of it: every write, every read, and the process ends at any moment.

What is acknowledged is there after a crash, what is refused has no effect, and an operation of which nothing was
promised is there wholly or not at all: the collection is always in one of the states that the model went through.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from calling import FORMS, call
from faults import DEATHS, FAILURES, RETRIES, Faults, copy_as_it_is, shrink
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from model import LARGER_IS_BETTER, Model
from profiles import times
from request_strategies import BODIES, FILTERS, IDS, NAMED, ORDERS, UNNAMED, ids, operations, vector

from vecstore import Collection, PointNotFound, StoreFailed, UpdateStatus, VectorParams
from vecstore.storage import segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from model import Id, Schema

    from vecstore import Record, UpdateFuture

    Json = dict[str, Any]

PATIENCE = 60
FORM = st.sampled_from(FORMS)
SEAL_BYTES = "vecstore.engine.sealer.SEAL_BYTES"


@dataclass
class Sent:
    """An operation under way: what it will be refused for, and the state after it."""

    future: UpdateFuture[Any]
    missing: list[Id] | None
    after: Model

    def is_acknowledged(self) -> bool:
        try:
            self.future.acknowledged(timeout=0)
        except (TimeoutError, StoreFailed):
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


class Machine(RuleBasedStateMachine):
    schema: ClassVar[Schema]

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        shrink(self.patch)
        self.faults = Faults(self.patch)
        self.folder = Path(tempfile.mkdtemp())
        self.worlds = 0
        self.model = Model(self.schema)
        self.sent: list[Sent] = []
        self.highest = 0  # of all operation ids that were given out

    @initialize(durability=st.sampled_from(["fsync", "os"]))
    def create(self, durability: str) -> None:
        vectors = {name: VectorParams(size, distance) for name, (size, distance) in self.schema.items()}
        self.col = Collection(self.place, vectors=vectors, durability=durability)
        self.durability = durability

    def teardown(self) -> None:
        self.faults.disarm()
        if hasattr(self, "col"):
            self.col.close()
        self.patch.undo()
        shutil.rmtree(self.folder)

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
        after = self.states[-1].copy()
        missing = after.apply(operation)
        self.submit(lambda: call(self.col, operation, form), missing, after)

    def submit(self, do: Callable[[], UpdateFuture[Any]], missing: list[Id] | None, after: Model) -> None:
        try:
            future = do()
        except StoreFailed:  # the writer has stopped; nobody is told of this operation
            return
        self.sent.append(Sent(future, missing, after))
        assert future.operation_id > self.highest
        self.highest = future.operation_id

    def write(self, kind: str, data: st.DataObject, form: str, wait: bool) -> None:
        body = data.draw(BODIES[kind](self.schema, self.present))
        self.send({kind: body}, form)
        if wait:
            self.settle()

    @rule(data=st.data(), form=FORM, wait=st.booleans())
    def upsert(self, data: st.DataObject, form: str, wait: bool) -> None:
        self.write("upsert", data, form, wait)

    @rule(data=st.data(), form=FORM, wait=st.booleans())
    def upsert_again(self, data: st.DataObject, form: str, wait: bool) -> None:
        self.write("upsert", data, form, wait)  # twice as often, or there is little to change

    @rule(data=st.data(), form=FORM, wait=st.booleans())
    def update_vectors(self, data: st.DataObject, form: str, wait: bool) -> None:
        self.write("update_vectors", data, form, wait)

    @rule(data=st.data(), form=FORM, wait=st.booleans())
    def delete_vectors(self, data: st.DataObject, form: str, wait: bool) -> None:
        self.write("delete_vectors", data, form, wait)

    @rule(data=st.data(), form=FORM, wait=st.booleans())
    def set_payload(self, data: st.DataObject, form: str, wait: bool) -> None:
        self.write("set_payload", data, form, wait)

    @rule(data=st.data(), form=FORM, wait=st.booleans())
    def overwrite_payload(self, data: st.DataObject, form: str, wait: bool) -> None:
        self.write("overwrite_payload", data, form, wait)

    @rule(data=st.data(), form=FORM, wait=st.booleans())
    def delete_payload(self, data: st.DataObject, form: str, wait: bool) -> None:
        self.write("delete_payload", data, form, wait)

    @rule(data=st.data(), form=FORM, wait=st.booleans())
    def clear_payload(self, data: st.DataObject, form: str, wait: bool) -> None:
        self.write("clear_payload", data, form, wait)

    @rule(data=st.data(), form=FORM, wait=st.booleans())
    def delete(self, data: st.DataObject, form: str, wait: bool) -> None:
        self.write("delete", data, form, wait)

    @rule(data=st.data(), atomic=st.booleans(), wait=st.booleans())
    def batch(self, data: st.DataObject, atomic: bool, wait: bool) -> None:
        parts = data.draw(st.lists(operations(self.schema, self.present), min_size=1, max_size=4))
        after = self.states[-1].copy()
        missing = after.batch(parts, atomic=atomic)
        self.submit(lambda: self.col.batch(parts, atomic=atomic), missing, after)
        if wait:
            self.settle()

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

    @rule(data=st.data(), how=st.sampled_from(FAILURES + RETRIES), after=st.integers(0, 4), opening=st.booleans())
    def fail(self, data: st.DataObject, how: str, after: int, opening: bool) -> None:
        """The store fails, and is opened again; there it may fail once more."""
        self.faults.arm(how, after)
        self.send_some(data)
        failures = [f for sent in self.sent if (f := sent.failure())]
        if not failures:
            self.faults.disarm()
            self.settle_or_open()
            return
        states = self.possible(failures, how)
        assert any(holds(self.col, m) for m in self.states[: 1 + self.acknowledged()])
        self.col.close()
        self.fail_to_open(data, opening)
        self.become_one_of(states)

    def send_some(self, data: st.DataObject) -> None:
        for operation in data.draw(st.lists(operations(self.schema, self.present), min_size=1, max_size=5)):
            self.send(operation, data.draw(FORM))

    def acknowledged(self) -> int:
        """How many of the operations under way are acknowledged: the first ones."""
        told = [sent.is_acknowledged() for sent in self.sent]
        assert told == sorted(told, reverse=True)
        return sum(told)

    def possible(self, failures: list[StoreFailed], how: str) -> list[Model]:
        """What was acknowledged is there. What is said to be unknown is, if the transaction was committed."""
        first = self.acknowledged()
        said = [str(f) for f in failures]
        assert [("acknowledged" in s) for s in said] == [
            len(self.sent) - len(said) + i < first for i in range(len(said))
        ]
        unknown = sum("unknown" in s for s in said)
        return [self.states[first + unknown if how == "after" else first]]
