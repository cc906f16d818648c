"""What the state machine writes and asks: few ids and few values, so that they meet.

Vectors are small integers: their dot products and distances are exact in float32, and equal ones are common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from request_strategies import Requests

if TYPE_CHECKING:
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

COORDINATES = st.integers(-2, 2)
NUMBERS = st.integers(0, 3) | st.sampled_from([-1, 0.5, 2.0, 2**53 + 1])
STRINGS = st.sampled_from(["x", "y", ""])
ODD = st.sampled_from([None, True, False, [], {}, "é" * 60])
ORDERED = NUMBERS | st.sampled_from(DATETIMES)
INNER = st.dictionaries(st.sampled_from(["a", "b"]), NUMBERS | ODD | st.fixed_dictionaries({"b": NUMBERS}), max_size=2)
FIELDS: dict[str, SearchStrategy[Any]] = {
    "n": st.integers(0, 1) | ORDERED | st.lists(ORDERED, max_size=3) | ODD,
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


FILTERS = st.deferred(lambda: _filters(CONDITIONS | _filters(CONDITIONS)) | st.fixed_dictionaries({"must": SOME}))
SOME = st.lists(CONDITIONS, max_size=2)

ASKED: list[dict[str, Any]] = [
    {"must": [{"key": "n", "range": {"gt": 0}}], "must_not": [{"key": "s", "match": {"value": "x"}}]},
    {"must": [{"key": "s", "match": {"any": ["x", "y"]}}]},
    {"must": [{"key": "l[].a", "match": {"any": [0, 1]}}]},
    {"must": [{"is_empty": {"key": "o.a"}}]},
]
"""What is asked after every rule, so that every index is right at any time."""
INDEXED = st.sampled_from(["keyword", "integer", "float", "bool", "uuid", "datetime", "geo", "text"])

ORDERS = st.fixed_dictionaries(
    {"key": st.sampled_from(["n", "n", "n", "o.a", "l[].a"])},
    optional={"direction": st.sampled_from(["asc", "desc"]), "start_from": NUMBERS},
)


def requests(schema: Schema) -> Requests:
    return Requests(schema, COORDINATES, IDS, PAYLOADS, FILTERS, MERGE_KEYS, DELETE_KEYS)
