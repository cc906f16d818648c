"""The same random operations done by vecstore, by Qdrant's engine (Edge) and by its client's local mode.

Where an oracle departs from Qdrant's documentation or code, what it would be asked is left out here, and the place
says why.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from agreeing import better, everything, text
from calling import FORMS, call
from faults import shrink
from hypothesis import given, settings
from hypothesis import strategies as st
from model import order
from oracles import Edge, Local
from profiles import times
from request_strategies import Requests, resolved
from strategies import FILTER_PAYLOADS, IDS, PATHS, filters

from vecstore import Collection, HnswConfig, PointNotFound, VectorParams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy
    from model import Id, Schema
    from oracles import Oracle

    from vecstore import ScoredPoint

    Json = dict[str, Any]
    Histories = SearchStrategy[list[tuple[Json, str]]]

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
# A lower-case t with an offset of hours alone is a datetime to local mode and to vecstore, not to Edge.
FILTERED = FILTER_PAYLOADS.filter(lambda payload: "t19:00:00.5-05" not in text(payload))
PAYLOADS = st.builds(
    lambda payload, ordered: {**payload, **ordered}, FILTERED, st.fixed_dictionaries({}, optional=ORDERED)
)
FORM = st.sampled_from(FORMS)
FILTERS = filters(booleans=False)
STARTS = {"i": INTEGERS, "f": FLOATS, "t": DATETIMES}
DIRECTIONS = st.sampled_from(["asc", "desc"])
ORDERS = st.one_of(
    st.fixed_dictionaries({"key": st.just(key)}, optional={"direction": DIRECTIONS, "start_from": start})
    for key, start in STARTS.items()
)
KEPT = st.lists(PATHS | st.sampled_from("ift"), max_size=3)
SELECTORS = st.fixed_dictionaries({"include": KEPT}) | st.fixed_dictionaries({"exclude": KEPT})
PARTS = st.fixed_dictionaries(
    {"limit": st.integers(1, 4)}, optional={"offset": st.integers(0, 3), "score_threshold": st.none()}
)
EVERYTHING = 10_000
CLOSE = 1e-5


def requests(schema: Schema) -> Requests:
    return Requests(schema, COORDINATES, IDS, PAYLOADS, FILTERS, PATHS, PATHS | st.sampled_from("ift"))


class Trio:
    """One collection, three times."""

    def __init__(self, schema: Schema, edge: Edge, *, graphs: bool) -> None:
        hnsw = HnswConfig(full_scan_threshold=0) if graphs else None
        vectors = {name: VectorParams(size, distance, hnsw) for name, (size, distance) in schema.items()}
        self.graphs = graphs
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


@pytest.fixture(scope="module", params=["payloads", "indexes", "graphs"], autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """How filters and searches are answered: with "graphs" by indexes and by the graphs of sealed segments."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "payloads":
            shrink(patch)
        yield request.param


@pytest.fixture(scope="module", params=SCHEMAS)
def schema(request: pytest.FixtureRequest) -> Schema:
    return SCHEMAS[request.param]


@pytest.fixture(scope="module")
def made(schema: Schema) -> Requests:
    return requests(schema)


@pytest.fixture(scope="module")
def histories(made: Requests) -> Histories:
    """Some writes, and in which form each is sent."""
    first = st.tuples(st.fixed_dictionaries({"upsert": made.many()}), FORM)
    rest = st.lists(st.tuples(made.operations(), FORM), max_size=8)
    return st.builds(lambda one, more: [one, *more], first, rest)


@pytest.fixture(scope="module")
def edge(schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    shard = Edge(tmp_path_factory.mktemp("edge"), schema, INDEXES)
    yield shard
    shard.close()


@settings(max_examples=times(25))
@given(st.data())
def test_writes(schema: Schema, histories: Histories, edge: Edge, way: str, data: st.DataObject) -> None:
    """After each operation all points are the same."""
    with trio(schema, edge, way) as three:
        for operation, form in data.draw(histories):
            three.write(operation, form)
            agree_on_everything(three)


@settings(max_examples=times(25))
@given(st.data())
def test_reads(schema: Schema, histories: Histories, edge: Edge, way: str, data: st.DataObject) -> None:
    with trio(schema, edge, way) as three:
        for operation, form in data.draw(histories):
            three.write(operation, form)
        for wanted in data.draw(st.lists(FILTERS, min_size=1, max_size=4)):
            agree_on_count(three, wanted)
            agree_on_pages(three, wanted, data.draw(st.integers(1, 5)), data.draw(st.sampled_from(IDS)))
            agree_on_order(three, wanted, data.draw(ORDERS))
        agree_on_payloads(three, data.draw(SELECTORS))


@settings(max_examples=times(25))
@given(st.data())
def test_searches(
    schema: Schema, made: Requests, histories: Histories, edge: Edge, way: str, data: st.DataObject
) -> None:
    with trio(schema, edge, way) as three:
        for operation, form in data.draw(histories):
            three.write(operation, form)
        for name in sorted(schema):
            query, wanted = data.draw(made.vector(name)), data.draw(st.just({}) | FILTERS)
            agree_on_search(three, name, query, wanted)
            agree_on_part(three, name, query, wanted, data.draw(PARTS), data.draw(st.integers(0, 9)))
            agree_on_search_by_id(three, name, wanted, data.draw(st.sampled_from(IDS)))


@contextmanager
def trio(schema: Schema, edge: Edge, way: str) -> Iterator[Trio]:
    three = Trio(schema, edge, graphs=way == "graphs")
    try:
        yield three
    finally:
        three.close()


def agree_on_everything(three: Trio) -> None:
    ours = {r.id: (r.payload, named(r.vector)) for r in everything(three.col)}
    for oracle in three.oracles:
        theirs = oracle.points()
        assert list(ours) == sorted(theirs, key=order)
        for i, (payload, vectors) in theirs.items():
            assert text(ours[i][0]) == text(payload)
            agree_on_vectors(ours[i][1], vectors)


def named(vector: Any) -> dict[str, Any]:
    return vector if isinstance(vector, dict) else {"": vector}


def agree_on_vectors(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name, vector in theirs.items():
        assert np.allclose(ours[name], vector, rtol=1e-6, atol=1e-6)


def agree_on_count(three: Trio, wanted: Json) -> None:
    ours = three.col.count(wanted)
    assert [oracle.count(wanted) for oracle in three.oracles] == [ours, ours]


def agree_on_pages(three: Trio, wanted: Json, limit: int, offset: Id) -> None:
    for start in (None, offset):
        records, rest = three.col.scroll(wanted, limit=limit, offset=start)
        ours = [r.id for r in records], rest
        assert [oracle.page(wanted, limit, start) for oracle in three.oracles] == [ours, ours]


def agree_on_order(three: Trio, wanted: Json, by: Json) -> None:
    """The oracles agree on values alone; equal ones come by id here, and downwards by id as well."""
    records, _ = three.col.scroll(wanted, limit=EVERYTHING, order_by=by)
    ours = [(r.id, r.order_value) for r in records]
    for oracle in three.oracles:
        theirs = oracle.ordered(wanted, by)
        assert [value for _, value in ours] == [value for _, value in theirs]
        assert {*ours} == {*theirs}
    down = by.get("direction") == "desc"
    assert ours == sorted(ours, key=lambda row: (row[1], order(row[0])), reverse=down)
    records, _ = three.col.scroll(wanted, limit=2, order_by=by)
    assert [(r.id, r.order_value) for r in records] == ours[:2]


def agree_on_payloads(three: Trio, selector: Json) -> None:
    ids = [r.id for r in everything(three.col)]
    ours = {i: text(three.col.get(i, with_payload=selector).payload) for i in ids}
    for oracle in three.oracles:
        assert {i: text(payload) for i, payload in oracle.payloads(ids, selector)} == ours


def agree_on_search(three: Trio, name: str, query: Any, wanted: Json) -> None:
    """Every point that has the vector, with its score."""
    ours = scores(three.col.search(query, using=name, filter=wanted, limit=EVERYTHING))
    for oracle in three.oracles:
        agree_on_scores(ours, dict(oracle.search(name, query, wanted, limit=EVERYTHING)))


def scores(hits: list[ScoredPoint]) -> dict[Id, float]:
    return {hit.id: hit.score for hit in hits}


def agree_on_scores(ours: dict[Id, float], theirs: dict[Id, float]) -> None:
    assert ours.keys() == theirs.keys()
    assert all(close(score, theirs[i]) for i, score in ours.items())


def close(one: float, other: float) -> bool:
    return abs(one - other) < CLOSE * max(1.0, abs(one))


def agree_on_part(three: Trio, name: str, query: Any, wanted: Json, part: Json, worst: int) -> None:
    """The best of them, some of the best left out: the same, except among ties."""
    whole = three.col.search(query, using=name, filter=wanted, limit=EVERYTHING)
    if "score_threshold" in part:
        least = between([h.score for h in whole], worst)
        part = {**part, "score_threshold": least}
    ours = three.col.search(query, using=name, filter=wanted, **part)
    expected = sliced(whole, three.schema[name][1], **part)
    assert [h.score for h in ours] == [score for _, score in expected]
    if not three.graphs:  # they find any of those that tie for the last place
        assert [h.id for h in ours] == [i for i, _ in expected]
    for oracle in three.oracles:
        theirs = oracle.search(name, query, wanted, **part)
        assert len(ours) == len(theirs)
        for hit, (i, score) in zip(ours, theirs, strict=True):
            assert close(hit.score, score)
            assert close(scores(whole)[i], score)


def between(found: list[float], worst: int) -> float:
    """A threshold that no score is so near to that rounding decides."""
    found = sorted(found) or [0.5]
    apart = [(a + b) / 2 for a, b in pairwise(found) if b - a > 100 * CLOSE * max(1.0, abs(a), abs(b))]
    choices = [found[0] - 1, *apart, found[-1] + 1]
    return choices[worst % len(choices)]


def sliced(whole: list[ScoredPoint], distance: str, **part: Any) -> list[tuple[Id, float]]:
    rows = [(h.id, h.score) for h in whole if better(h.score, part.get("score_threshold"), distance)]
    first = part.get("offset", 0)
    return rows[first : first + part["limit"]]


def agree_on_search_by_id(three: Trio, name: str, wanted: Json, asker: Id) -> None:
    """Edge takes no ids for vectors; its hits are those of the vector, without the point."""
    record = three.col.get(asker, with_vectors=True)
    if record is None or name not in named(record.vector):
        return
    ours = scores(three.col.search(asker, using=name, filter=wanted, limit=EVERYTHING))
    agree_on_scores(ours, dict(three.local.search(name, asker, wanted, limit=EVERYTHING)))
    query = named(record.vector)[name].tolist()
    theirs = dict(three.edge.search(name, query, wanted, limit=EVERYTHING))
    theirs.pop(asker, None)
    agree_on_scores(ours, theirs)
