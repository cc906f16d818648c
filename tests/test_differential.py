"""The same random operations done by vecstore, by Qdrant's engine (Edge) and by its client's local mode.

Where an oracle departs from Qdrant's documentation or code, what it would be asked is left out here, and the place
says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from agreeing import everything, text
from calling import FORMS, call
from hypothesis import given, settings
from hypothesis import strategies as st
from model import order
from oracles import Edge, Local
from profiles import times
from request_strategies import Requests, resolved
from strategies import FILTER_PAYLOADS, IDS, PATHS, filters

from vecstore import Collection, PointNotFound, VectorParams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model import Schema
    from oracles import Oracle, Points

    Json = dict[str, Any]

NAMED: Schema = {
    "cosine": (4, "Cosine"),
    "dot": (3, "Dot"),
    "euclid": (2, "Euclid"),
    "manhattan": (5, "Manhattan"),
}
UNNAMED: Schema = {"": (3, "Cosine")}
SCHEMAS = {"named": NAMED, "unnamed": UNNAMED}

COORDINATES = st.integers(-4000, 4000).map(lambda n: n / 1000) | st.integers(-1, 1)
INTEGERS = st.integers(-3, 3)
FLOATS = st.sampled_from([-1.5, 0.0, 0.5, 2.5])
DATETIMES = st.sampled_from(["2021-01-01T00:00:00Z", "2021-01-01T02:00:00+02:00", "1969-12-31T23:59:59.5Z"])
INDEXES = {"i": "Integer", "f": "Float", "t": "Datetime"}
ORDERED: dict[str, Any] = {
    "i": INTEGERS | st.lists(INTEGERS, max_size=3) | st.none(),
    "f": FLOATS | INTEGERS | st.lists(FLOATS, max_size=3) | st.booleans(),
    "t": DATETIMES | st.lists(DATETIMES, max_size=3) | st.just("later"),
}
PAYLOADS = st.builds(
    lambda payload, ordered: {**payload, **ordered}, FILTER_PAYLOADS, st.fixed_dictionaries({}, optional=ORDERED)
)
FORM = st.sampled_from(FORMS)
EVERYTHING = 10_000


def requests(schema: Schema) -> Requests:
    return Requests(schema, COORDINATES, IDS, PAYLOADS, filters(booleans=False), PATHS, PATHS | st.sampled_from("ift"))


class Trio:
    """One collection, three times."""

    def __init__(self, schema: Schema, edge: Edge) -> None:
        vectors = {name: VectorParams(size, distance) for name, (size, distance) in schema.items()}
        self.schema = schema
        self.col = Collection(vectors=vectors)
        self.local = Local(schema)
        self.edge = edge
        self.edge.clear()

    @property
    def oracles(self) -> tuple[Oracle, Oracle]:
        return self.local, self.edge

    def close(self) -> None:
        self.col.close()
        self.local.close()

    def write(self, operation: Json, form: str) -> None:
        """Do it everywhere; what is refused, nowhere: the oracles would do some of it."""
        operation = resolved(operation, [r.id for r in everything(self.col)])
        try:
            call(self.col, operation, form).result()
        except PointNotFound:
            return
        for oracle in self.oracles:
            oracle.write(operation)


@pytest.fixture(scope="module", params=SCHEMAS)
def schema(request: pytest.FixtureRequest) -> Schema:
    return SCHEMAS[request.param]


@pytest.fixture(scope="module")
def edge(schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    shard = Edge(tmp_path_factory.mktemp("edge"), schema, INDEXES)
    yield shard
    shard.close()


@settings(max_examples=times(80))
@given(st.data())
def test_writes(schema: Schema, edge: Edge, data: st.DataObject) -> None:
    trio = Trio(schema, edge)
    try:
        for operation, form in data.draw(histories(schema)):
            trio.write(operation, form)
            agree_on_points(trio)
    finally:
        trio.close()


def histories(schema: Schema) -> Any:
    made = requests(schema)
    first = st.tuples(st.fixed_dictionaries({"upsert": made.many()}), FORM)
    rest = st.lists(st.tuples(made.operations(), FORM), max_size=8)
    return st.builds(lambda one, more: [one, *more], first, rest)


def agree_on_points(trio: Trio) -> None:
    ours = {r.id: (r.payload, named(r.vector)) for r in everything(trio.col)}
    for oracle in trio.oracles:
        agree_on(ours, oracle.points())


def named(vector: Any) -> dict[str, Any]:
    return vector if isinstance(vector, dict) else {"": vector}


def agree_on(ours: Any, theirs: Points) -> None:
    assert list(ours) == sorted(theirs, key=order)
    for i, (payload, vectors) in theirs.items():
        assert text(ours[i][0]) == text(payload)
        assert ours[i][1].keys() == vectors.keys()
        for name, vector in vectors.items():
            assert np.allclose(ours[i][1][name], vector, rtol=1e-6, atol=1e-6)
