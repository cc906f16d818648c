"""Filters answered by payload indexes against the same filters run over every payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from collecting import Home, contents, ids
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import FILTER_PAYLOADS, NAMES, PATHS, Point, bounds, filters, matches

from vecstore import PointNotFound
from vecstore.engine import filtering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

    from vecstore import Collection

TYPES = ["keyword", "integer", "float", "bool", "uuid", "datetime", "geo", "text"]
IDS = [*range(8), "00000000-0000-0000-0000-000000000000"]
EVERYTHING: dict[str, Any] = {"must": []}

BIG = st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63, 2**64 - 1, -(2**63), 2.0**53, 2.0**63, 1e300])
LONG = st.sampled_from(["x" * 400, "x" * 401, "x" * 400 + "y", "x" * 399 + "é", "x y " * 101, "x " + "y" * 401])
ODD_PLACES = st.sampled_from([{"lon": 500, "lat": 3}, {"lon": 0.5, "lat": -91.5}, {"lon": 1e-9, "lat": 10}])
EDGES = BIG | LONG | ODD_PLACES
EDGE_PAYLOADS = st.dictionaries(NAMES, EDGES | st.lists(EDGES, max_size=3), max_size=2)
PAYLOADS = FILTER_PAYLOADS | EDGE_PAYLOADS


def _edge_conditions() -> SearchStrategy[dict[str, Any]]:
    integers = BIG.filter(lambda value: isinstance(value, int))
    match = st.one_of(
        st.fixed_dictionaries({"value": integers | LONG}),
        st.fixed_dictionaries({"any": st.lists(LONG, max_size=2) | st.lists(integers, max_size=2)}),
        st.fixed_dictionaries({"except": st.lists(LONG, max_size=2) | st.lists(integers, max_size=2)}),
        *(st.fixed_dictionaries({kind: LONG}) for kind in ("prefix", "substring", "text", "text_any", "phrase")),
    )
    return st.one_of(
        st.fixed_dictionaries({"key": PATHS, "match": match}),
        st.fixed_dictionaries({"key": PATHS, "range": bounds(BIG)}),
    )


EDGE_FILTERS = st.fixed_dictionaries({}, optional={"must": _edge_conditions(), "must_not": _edge_conditions()})
FILTERS = filters() | EDGE_FILTERS

SELECTORS = st.lists(st.sampled_from(IDS), min_size=1, max_size=3) | FILTERS.map(lambda found: {"filter": found})
POINTS = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from(IDS), "vector": st.just({}) | st.just([1.0, 0.0]), "payload": PAYLOADS}
    ),
    min_size=1,
    max_size=4,
)
WRITES = st.one_of(
    st.tuples(st.just("upsert"), POINTS),
    st.tuples(st.just("upsert"), POINTS),
    st.tuples(st.just("set_payload"), PAYLOADS, SELECTORS),
    st.tuples(st.just("overwrite_payload"), PAYLOADS, SELECTORS),
    st.tuples(st.just("delete_payload"), st.lists(PATHS, min_size=1, max_size=2), SELECTORS),
    st.tuples(st.just("clear_payload"), SELECTORS),
    st.tuples(st.just("delete"), SELECTORS),
    st.tuples(st.just("refused"), POINTS),
)


def write(col: Collection, kind: str, *arguments: Any) -> None:
    if kind == "refused":  # the batch is taken back as a whole, indexes too
        clear = {"clear_payload": {"points": [IDS[0]]}}
        missing = {"clear_payload": {"points": [10**6]}}
        upsert = {"upsert": {"points": arguments[0]}}
        with pytest.raises(PointNotFound):
            col.batch([upsert, {"delete": {"filter": EVERYTHING}}, upsert, clear, missing]).result()
        return
    try:
        getattr(col, kind)(*arguments).result()
    except PointNotFound:
        assert kind not in ("upsert", "delete")


def check(col: Collection, wanted: list[dict[str, Any]]) -> None:
    points = {
        key: Point(payload, key, () if vector == {} else ("",)) for key, (payload, vector) in contents(col).items()
    }
    for one in wanted:
        expected = [key for key, point in points.items() if matches(one, point)]
        assert ids(col.scroll(one, limit=100)[0]) == expected, one
        assert col.count(one) == len(expected), one
        assert {hit.id for hit in col.search([1.0, 0.0], filter=one, limit=100)} == {
            key for key in expected if points[key].vectors
        }


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    home = Home("memory", tmp_path_factory.mktemp("indexed"))
    col = home.make()
    paths = ["a", "b", "a[]", "a.b", "a[].b", "b[].a[]", "a[][]"]
    for path in paths:
        for kind in TYPES:
            col.create_payload_index(path, kind).result()
    yield col
    home.close()


@settings(max_examples=300, deadline=None)
@given(POINTS, st.lists(WRITES, max_size=5), st.lists(FILTERS, min_size=1, max_size=10), st.sampled_from([0, 10**9]))
def test_indexes_answer_as_payloads_do(indexed: Collection, first: Any, writes: Any, wanted: Any, ordered: int) -> None:
    indexed.delete({"filter": EVERYTHING}).result()
    write(indexed, "upsert", first)
    for one in writes:
        write(indexed, *one)
    before, filtering.ORDERED = filtering.ORDERED, ordered  # both ways to put matches in the order of their ids
    try:
        check(indexed, wanted)
    finally:
        filtering.ORDERED = before


CHANGES = st.one_of(
    WRITES,
    st.tuples(st.just("create_payload_index"), PATHS, st.sampled_from(TYPES)),
    st.tuples(st.just("create_payload_index"), PATHS, st.sampled_from(TYPES)),
    st.tuples(st.just("delete_payload_index"), PATHS),
    st.tuples(st.just("reopen")),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CHANGES, st.lists(FILTERS, max_size=3)), min_size=2, max_size=12))
def test_indexes_that_come_and_go(tmp_path_factory: pytest.TempPathFactory, steps: Any) -> None:
    home = Home("reopened", tmp_path_factory.mktemp("changing"))
    try:
        col = home.make()
        for change, wanted in steps:
            if change[0] == "reopen":
                col = home.seen(col)
            else:
                write(col, *change)
            check(col, wanted)
    finally:
        home.close()


def test_rows_beyond_one_run_are_walked_in_order(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filtering, "ORDERED", 10**9)
    payloads = [{"n": i % 2} for i in range(3000)]
    col.create_payload_index("n", "integer").result()
    col.upsert({"batch": {"ids": list(range(3000)), "vectors": [[1.0, 0.0]] * 3000, "payloads": payloads}}).result()
    odd = {"must": {"key": "n", "match": {"value": 1}}}
    assert ids(col.scroll(odd, limit=3000)[0]) == list(range(1, 3000, 2))
    records, rest = col.scroll(odd, limit=5, offset=2000)
    assert (ids(records), rest) == ([2001, 2003, 2005, 2007, 2009], 2011)


# Fewer kinds of values at fewer places than above, so that conditions meet the values they are about.
ONES = st.sampled_from([None, True, False, 0, 1, 1.0, 2, 2.5, "1", "red", "red wine", "2021-01-01", "2021-01-02"])
DENSE = st.fixed_dictionaries(
    {"a": ONES | st.lists(ONES, max_size=3) | st.lists(st.fixed_dictionaries({}, optional={"b": ONES}), max_size=3)}
)
DENSE_CLAUSES = st.sampled_from(
    [
        *({"match": {"value": value}} for value in (True, 0, 1, "1", "red")),
        *({"match": {kind: values}} for kind in ("any", "except") for values in ([], [0, 1], ["1", "red"])),
        *({"match": {kind: "red wine"}} for kind in ("text", "text_any", "phrase", "prefix")),
        *({"range": found} for found in ({"gte": 1}, {"gt": 1}, {"lt": 2, "gte": 0}, {"lte": 2}, {"lt": 0.0})),
        *({"range": found} for found in ({"gte": "2021-01-01"}, {"gt": "2021-01-01", "lt": "2021-01-03"})),
        *({"values_count": found} for found in ({"gte": 1, "lte": 1}, {"lt": 1}, {"gt": 1}, {"lte": 1})),
        *({kind: flag} for kind in ("is_empty", "is_null") for flag in (True, False)),
    ]
)
DENSE_CONDITIONS = st.one_of(
    st.builds(lambda key, clause: {"key": key, **clause}, st.sampled_from(["a", "a[]", "a[].b"]), DENSE_CLAUSES),
    st.builds(
        lambda group, clauses: {"nested": {"key": "a", "filter": {group: [{"key": "b", **c} for c in clauses]}}},
        st.sampled_from(["must", "should", "must_not"]),
        st.lists(DENSE_CLAUSES, min_size=1, max_size=2),
    ),
    st.just({"has_vector": ""}),
    st.just({"slice": {"total": 2, "index": 0}}),
)
DENSE_FILTERS = st.one_of(
    st.builds(lambda one: {"must": one}, DENSE_CONDITIONS),
    st.fixed_dictionaries(
        {},
        optional={
            **{name: st.lists(DENSE_CONDITIONS, max_size=2) for name in ("must", "should", "must_not")},
            "min_should": st.fixed_dictionaries(
                {"conditions": st.lists(DENSE_CONDITIONS, max_size=3), "min_count": st.integers(1, 2)}
            ),
        },
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(DENSE, min_size=1, max_size=6),
    st.lists(st.tuples(DENSE, st.sampled_from(IDS)), max_size=3),
    st.lists(DENSE_FILTERS, min_size=5, max_size=15),
)
def test_indexes_answer_where_values_are_dense(indexed: Collection, first: Any, changes: Any, wanted: Any) -> None:
    indexed.delete({"filter": EVERYTHING}).result()
    vectors = ({}, [1.0, 0.0])
    write(indexed, "upsert", [{"id": i, "vector": vectors[i % 2], "payload": p} for i, p in enumerate(first)])
    for payload, point_id in changes:
        write(indexed, "overwrite_payload", payload, [point_id])
    check(indexed, wanted)
