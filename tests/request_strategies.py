"""Requests for Hypothesis, as dicts of the REST form, few ids and few values so that they meet.

Vectors are small integers: their dot products and distances are exact in float32, and equal ones are common.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import SearchStrategy
    from model import Id, Schema

    Body = SearchStrategy[dict[str, Any]]

NAMED: Schema = {
    "cosine": (2, "Cosine"),
    "dot": (3, "Dot"),
    "euclid": (2, "Euclid"),
    "manhattan": (1, "Manhattan"),
}
UNNAMED: Schema = {"": (2, "Euclid")}

IDS: list[Id] = [
    *(0, 1, 2, 3, 4, 5, 2**32, 2**64 - 1),
    "00000000-0000-0000-0000-000000000000",
    "c56a4180-65aa-42ec-a945-5fd21dec0538",
]
DATETIMES = ["2021-01-01T00:00:00+00:00", "2021-01-01T01:00:00+00:00", "1969-12-31T23:59:59.999999+00:00"]

NUMBERS = st.integers(0, 3) | st.sampled_from([-1, 0.5, 2.0, 2**53 + 1])
STRINGS = st.sampled_from(["x", "y", ""])
ODD = st.sampled_from([None, True, False, [], {}, "é" * 60])
ORDERED = NUMBERS | st.sampled_from(DATETIMES)
INNER = st.dictionaries(st.sampled_from(["a", "b"]), NUMBERS | ODD | st.fixed_dictionaries({"b": NUMBERS}), max_size=2)
FIELDS: dict[str, SearchStrategy[Any]] = {
    "n": ORDERED | st.lists(ORDERED, max_size=3) | ODD,
    "s": STRINGS | st.lists(STRINGS, max_size=2) | ODD,
    "o": INNER | NUMBERS,
    "l": st.lists(INNER | NUMBERS, max_size=3) | INNER,
}
PAYLOADS = st.fixed_dictionaries({}, optional=FIELDS)
MERGE_KEYS = st.sampled_from(["o", "o.a", "o.a.b", "l[]", "l[0]", "l[1].a", "l[].a", "n", "m[]", "m.a"])
DELETE_KEYS = st.sampled_from(["n", "s", "o", "o.a", "o.a.b", "l[].a", "l[]", "l[0]", "l[1].b", "x.y"])

KEYS = st.sampled_from(["n", "s", "o.a", "l[].a", "l", "l[0].b"])
BOUNDS = st.dictionaries(st.sampled_from(["lt", "lte", "gt", "gte"]), NUMBERS, min_size=1, max_size=2)
CONDITIONS = st.one_of(
    st.fixed_dictionaries({"key": KEYS, "match": st.fixed_dictionaries({"value": st.sampled_from([0, 1, True, "x"])})}),
    st.fixed_dictionaries(
        {"key": KEYS, "match": st.fixed_dictionaries({"any": st.lists(STRINGS) | st.lists(st.integers(0, 2))})}
    ),
    st.fixed_dictionaries({"key": KEYS, "range": BOUNDS}),
    st.fixed_dictionaries({"is_empty": st.fixed_dictionaries({"key": KEYS})}),
    st.fixed_dictionaries({"has_id": st.lists(st.sampled_from(IDS), max_size=4)}),
    st.fixed_dictionaries({"has_vector": st.sampled_from(["", "dot", "cosine", "unknown"])}),
)


def _filters(parts: SearchStrategy[Any]) -> Body:
    some = st.lists(parts, max_size=2)
    return st.fixed_dictionaries({}, optional={"must": some, "should": some, "must_not": some})


FILTERS = st.fixed_dictionaries({"must": st.lists(CONDITIONS, max_size=2)}) | _filters(
    CONDITIONS | _filters(CONDITIONS)
)


def vector(size: int) -> SearchStrategy[list[int]]:
    return st.lists(st.integers(-2, 2), min_size=size, max_size=size)


def vectors(schema: Schema) -> SearchStrategy[Any]:
    """The vectors of a point, some of them or none; it must not be none at all in update_vectors."""
    if "" in schema:
        return vector(schema[""][0])
    return st.fixed_dictionaries({}, optional={name: vector(size) for name, (size, _) in schema.items()})


@dataclass(frozen=True)
class Nth:
    """An id that is there, whichever these are: what is generated must not depend on what happened before."""

    n: int


AN_ID = st.one_of(*3 * [st.builds(Nth, st.integers(0, 9))], st.sampled_from(IDS))
"""Mostly one that is there: where one of several is missing, a request is refused."""
SELECTED = st.lists(AN_ID, min_size=1, max_size=4)


def an_id(drawn: Id | Nth, present: Sequence[Id]) -> Id:
    """The id that was meant."""
    if isinstance(drawn, Nth):
        return present[drawn.n % len(present)] if present else IDS[drawn.n]
    return drawn


def resolved(operation: dict[str, Any], present: Sequence[Id]) -> dict[str, Any]:
    """An operation on the ids that were meant."""
    [(kind, body)] = operation.items()
    if "points" not in body:
        return operation

    def point(found: Any) -> Any:
        return {**found, "id": an_id(found["id"], present)} if isinstance(found, dict) else an_id(found, present)

    return {kind: {**body, "points": [point(found) for found in body["points"]]}}


SELECTORS = st.fixed_dictionaries({"points": SELECTED}) | st.fixed_dictionaries({"filter": FILTERS})


def _with(selector: Body, **parts: SearchStrategy[Any]) -> Body:
    return st.builds(lambda chosen, rest: {**rest, **chosen}, selector, st.fixed_dictionaries(parts))


def upserts(schema: Schema) -> Body:
    point = st.fixed_dictionaries(
        {"id": st.sampled_from(IDS), "vector": vectors(schema) | st.just({})}, optional={"payload": PAYLOADS}
    )
    options = {
        "update_filter": FILTERS,
        "update_mode": st.sampled_from(["upsert", "insert_only", "update_only"]),
    }
    points = {"points": st.lists(point, min_size=1, max_size=6)}
    return st.fixed_dictionaries(points) | st.fixed_dictionaries(points, optional=options)


def vector_updates(schema: Schema) -> Body:
    given = vectors(schema).filter(bool)
    point = st.fixed_dictionaries({"id": AN_ID, "vector": given})
    points = st.lists(point, min_size=1, max_size=4)
    return st.fixed_dictionaries({"points": points}, optional={"update_filter": FILTERS})


def vector_deletions(schema: Schema) -> Body:
    names = st.lists(st.sampled_from(sorted(schema)), min_size=1, max_size=2)
    return _with(SELECTORS, vector=names)


def payload_settings(schema: Schema) -> Body:
    at = st.fixed_dictionaries({}, optional={"key": MERGE_KEYS})
    return st.builds(lambda chosen, payload, key: {**chosen, "payload": payload, **key}, SELECTORS, PAYLOADS, at)


def payload_deletions(schema: Schema) -> Body:
    return _with(SELECTORS, keys=st.lists(DELETE_KEYS, min_size=1, max_size=3))


BODIES: dict[str, Callable[[Schema], Body]] = {
    "upsert": upserts,
    "update_vectors": vector_updates,
    "delete_vectors": vector_deletions,
    "set_payload": payload_settings,
    "overwrite_payload": lambda _: _with(SELECTORS, payload=PAYLOADS),
    "delete_payload": payload_deletions,
    "clear_payload": lambda _: SELECTORS,
    "delete": lambda _: SELECTORS,
}


def operations(schema: Schema) -> Body:
    """Any write."""
    kinds = [st.fixed_dictionaries({kind: body(schema)}) for kind, body in BODIES.items()]
    return st.one_of(kinds[0], *kinds)


ORDERS = st.fixed_dictionaries(
    {"key": st.sampled_from(["n", "o.a", "l[].a"])},
    optional={"direction": st.sampled_from(["asc", "desc"]), "start_from": NUMBERS},
)
