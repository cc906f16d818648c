"""The requests of Qdrant's documentation, both generations, as data.

Read from the pages on points, payload, vectors, filtering, text filtering and multitenancy, the quick starts
and the API reference of versions 0.1 to 1.19. A body that stands alone there is given here under the name of
its operation, as a batch has it; a condition that stands alone is given as a filter with that one condition.

``OPERATIONS`` of one schema run in their order as one batch, after ``setup`` of that schema.
"""

from __future__ import annotations

from typing import Any, NamedTuple

SCHEMAS: dict[str, dict[str, Any]] = {
    "three": {"size": 3, "distance": "Dot"},
    "four": {"size": 4, "distance": "Cosine"},
    "named": {"image": {"size": 4, "distance": "Dot"}, "text": {"size": 8, "distance": "Cosine"}},
}
"""The collections the examples are for."""


class Example(NamedTuple):
    name: str
    operation: dict[str, Any]
    schema: str = "three"


def setup(schema: str) -> dict[str, Any]:
    """The points that examples of a schema take for granted."""
    vectors: dict[str, Any] = {"three": [0.5] * 3, "four": [0.5] * 4}
    vectors["named"] = {"image": [0.5] * 4, "text": [0.5] * 8}
    payload = {"color": "red", "price": 1.99, "property1": {"nested_property": "foo"}}
    found = [{"id": i, "vector": vectors[schema], "payload": payload} for i in (0, 1, 2, 3, 10, 100)]
    return {"upsert": {"points": found}}


RED = {"must": [{"key": "color", "match": {"value": "red"}}]}
RED_AT_FIRST = {"must": [{"key": "color", "match": {"keyword": "red"}}]}
PROPERTIES = {"property1": "string", "property2": "string"}

ONE = [{"id": 1, "payload": {"color": "red"}, "vector": [0.9, 0.1, 0.1]}]
ONE_BY_UUID = [{"id": "5c56c793-69f3-4fbf-87e6-c4bf54c28c26", "payload": {"color": "red"}, "vector": [0.9, 0.1, 0.1]}]
POINTS = [
    {"id": 1, "payload": {"color": "red"}, "vector": [0.9, 0.1, 0.1]},
    {"id": 2, "payload": {"color": "green"}, "vector": [0.1, 0.9, 0.1]},
    {"id": 3, "payload": {"color": "blue"}, "vector": [0.1, 0.1, 0.9]},
]
BATCH = {
    "ids": [1, 2, 3],
    "payloads": [{"color": "red"}, {"color": "green"}, {"color": "blue"}],
    "vectors": [[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9]],
}
CITIES = [
    {"id": 1, "vector": [0.05, 0.61, 0.76, 0.74], "payload": {"city": "Berlin", "price": 1.99}},
    {"id": 2, "vector": [0.19, 0.81, 0.75, 0.11], "payload": {"city": ["Berlin", "London"], "price": 1.99}},
    {
        "id": 3,
        "vector": [0.36, 0.55, 0.47, 0.94],
        "payload": {"city": ["Berlin", "Moscow"], "price": [1.99, 2.99]},
    },
]
TYPED_CITIES = [  # what looks like a type in these payloads is nothing but payload
    {
        "id": 1,
        "vector": [0.05, 0.61, 0.76, 0.74],
        "payload": {"city": {"type": "keyword", "value": "Berlin"}},
    },
    {
        "id": 2,
        "vector": [0.19, 0.81, 0.75, 0.11],
        "payload": {"city": {"type": "keyword", "value": ["Berlin", "London"]}},
    },
    {"id": 5, "vector": [0.24, 0.18, 0.22, 0.44], "payload": {"count": {"type": "integer", "value": [0]}}},
    {"id": 6, "vector": [0.35, 0.08, 0.11, 0.44]},
]
NAMED = [
    {
        "id": 1,
        "vector": {"image": [0.9, 0.1, 0.1, 0.2], "text": [0.4, 0.7, 0.1, 0.8, 0.1, 0.1, 0.9, 0.2]},
    },
    {
        "id": 2,
        "vector": {"image": [0.2, 0.1, 0.3, 0.9], "text": [0.5, 0.2, 0.7, 0.4, 0.7, 0.2, 0.3, 0.9]},
    },
]
NAMED_BATCH = {
    "ids": [1, 2],
    "vectors": {
        "image": [[0.9, 0.1, 0.1, 0.2], [0.2, 0.1, 0.3, 0.9]],
        "text": [[0.4, 0.7, 0.1, 0.8, 0.1, 0.1, 0.9, 0.2], [0.5, 0.2, 0.7, 0.4, 0.7, 0.2, 0.3, 0.9]],
    },
}
NEW_VECTORS = [
    {"id": 1, "vector": {"image": [0.1, 0.2, 0.3, 0.4]}},
    {"id": 2, "vector": {"text": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]}},
]
CHANGED = {
    "points": [
        {
            "id": 1,
            "vector": [0.05, 0.61, 0.76, 0.74],
            "payload": {"city": "Berlin", "price": 1.99, "version": 3},
        }
    ],
    "update_filter": {"must": [{"key": "version", "match": {"value": 2}}]},
}
TENANTS = [
    {"id": 1, "payload": {"group_id": "user_1"}, "vector": [0.9, 0.1, 0.1]},
    {"id": 2, "payload": {"group_id": "user_1"}, "vector": [0.1, 0.9, 0.1]},
    {"id": 3, "payload": {"group_id": "user_2"}, "vector": [0.1, 0.1, 0.9]},
]
CHUNKS = [
    {"id": 0, "payload": {"chunk_part": 0, "document_id": "a"}, "vector": {"text": [0.91] * 8}},
    {"id": 1, "payload": {"chunk_part": 1, "document_id": ["a", "b"]}, "vector": {"text": [0.8] * 8}},
]

WHOLE_BATCH = {
    "operations": [
        {"upsert": {"points": [{"id": 1, "vector": [1.0, 2.0, 3.0, 4.0], "payload": {}}]}},
        {"update_vectors": {"points": [{"id": 1, "vector": [1.0, 2.0, 3.0, 4.0]}]}},
        {"delete_vectors": {"points": [1], "vector": [""]}},
        {"overwrite_payload": {"payload": {"test_payload": "1"}, "points": [1]}},
        {"set_payload": {"payload": {"test_payload_2": "2", "test_payload_3": "3"}, "points": [1]}},
        {"delete_payload": {"keys": ["test_payload_2"], "points": [1]}},
        {"clear_payload": {"points": [1]}},
        {"delete": {"points": [1]}},
    ]
}
"""The example of a batch, which makes use of all operations; for the schema "four"."""

FIRST_GENERATION = [
    Example("column-oriented", {"upsert_points": {"batch": BATCH}}),
    Example("record-oriented", {"upsert_points": {"points": POINTS}}),
    Example("create point with payload", {"upsert_points": {"points": CITIES}}, "four"),
    Example("quick start", {"upsert_points": {"points": TYPED_CITIES}}, "four"),
    Example("set payload", {"set_payload": {"payload": PROPERTIES, "points": [0, 3, 100]}}),
    Example("delete payload keys", {"delete_payload": {"keys": ["color", "price"], "points": [0, 3, 100]}}),
    Example("clear payload", {"clear_payload": {"points": [0, 3, 100]}}),
    Example("clear payload by filter", {"clear_payload_by_filter": RED_AT_FIRST}),
    Example("delete points by filter", {"delete_points_by_filter": RED_AT_FIRST}),
    Example("delete points", {"delete_points": {"ids": [0, 3, 100]}}),
]

TODAY = [
    Example("uuid", {"upsert": {"points": ONE_BY_UUID}}),
    Example("one point", {"upsert": {"points": ONE}}),
    Example("column-oriented", {"upsert": {"batch": BATCH}}),
    Example("record-oriented", {"upsert": {"points": POINTS}}),
    Example("update mode", {"upsert": {"points": POINTS, "update_mode": "insert_only"}}),
    Example("conditional update", {"upsert": CHANGED}, "four"),
    Example("multitenancy", {"upsert": {"points": TENANTS}}),
    Example("create point with payload", {"upsert": {"points": CITIES}}, "four"),
    Example("quick start", {"upsert": {"points": TYPED_CITIES}}, "four"),
    Example("named vectors", {"upsert": {"points": NAMED}}, "named"),
    Example("named vectors, column-oriented", {"upsert": {"batch": NAMED_BATCH}}, "named"),
    Example("some of the named vectors", {"upsert": {"points": CHUNKS}}, "named"),
    Example("update vectors", {"update_vectors": {"points": NEW_VECTORS}}, "named"),
    Example(
        "delete vectors, as the page says",
        {"delete_vectors": {"points": [0, 3, 100], "vectors": ["text", "image"]}},
        "named",
    ),
    Example(
        "delete vectors, as the API says",
        {"delete_vectors": {"points": [0, 3, 100], "vector": ["text", "image"]}},
        "named",
    ),
    Example("set payload", {"set_payload": {"payload": PROPERTIES, "points": [0, 3, 100]}}),
    Example("set payload by filter", {"set_payload": {"payload": PROPERTIES, "filter": RED}}),
    Example(
        "set a nested key",
        {"set_payload": {"payload": {"nested_property": "qux"}, "key": "property1", "points": [1]}},
    ),
    Example("overwrite payload", {"overwrite_payload": {"payload": PROPERTIES, "points": [0, 3, 100]}}),
    Example("overwrite payload by filter", {"overwrite_payload": {"payload": PROPERTIES, "filter": RED}}),
    Example("delete payload keys", {"delete_payload": {"keys": ["color", "price"], "points": [0, 3, 100]}}),
    Example("delete payload keys by filter", {"delete_payload": {"keys": ["color", "price"], "filter": RED}}),
    Example("clear payload", {"clear_payload": {"points": [0, 3, 100]}}),
    Example("clear payload by filter", {"clear_payload": {"filter": RED}}),
    Example("delete points by filter", {"delete": {"filter": RED}}),
    Example("delete points", {"delete": {"points": [0, 3, 100]}}),
    Example("delete points, by the name in the text", {"delete_points": {"points": [0, 3, 100]}}),
    *(Example(f"batch {i}", operation, "four") for i, operation in enumerate(WHOLE_BATCH["operations"])),
]

# What deletes points comes last in both, and points that are not there may be deleted.
OPERATIONS = [*FIRST_GENERATION[:-2], *TODAY, *FIRST_GENERATION[-2:]]
"""Every operation of the documentation."""

UNSUPPORTED = [
    Example(
        "sparse vectors",
        {"upsert": {"points": [{"id": 1, "vector": {"text": {"indices": [6, 7], "values": [1.0, 2.0]}}}]}},
        "named",
    ),
    Example("multivectors", {"upsert": {"points": [{"id": 1, "vector": [[0.1, 0.2, 0.3]] * 2}]}}),
    Example("inference", {"upsert": {"points": [{"id": 1, "vector": {"text": "Green apples", "model": "m"}}]}}),
    Example("shard key", {"upsert": {"points": ONE, "shard_key": "user_1"}}),
]
"""What the documentation has and vecstore has not: refused, never ignored."""


def must(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"must": list(conditions)}


LONDON, RED_ONES = {"key": "city", "match": {"value": "London"}}, {"key": "color", "match": {"value": "red"}}
LONDON_AT_FIRST = {"key": "city", "match": {"keyword": "London"}}
RED_ONES_AT_FIRST = {"key": "color", "match": {"keyword": "red"}}
MEAT = [{"key": "food", "match": {"value": "meat"}}, {"key": "likes", "match": {"value": True}}]
NESTED = {"nested": {"key": "diet", "filter": {"must": MEAT}}}
BOX = {
    "bottom_right": {"lat": 52.495862, "lon": 13.455868},
    "top_left": {"lat": 52.520711, "lon": 13.403683},
}
RADIUS = {"center": {"lat": 52.520711, "lon": 13.403683}, "radius": 1000.0}


def ring(low: float, high: float) -> dict[str, Any]:
    corners = [(low, low), (high, low), (high, high), (low, high), (low, low)]
    return {"points": [{"lon": lon, "lat": lat} for lon, lat in corners]}


CLAUSES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("must", must(LONDON, RED_ONES), must(LONDON_AT_FIRST, RED_ONES_AT_FIRST)),
    ("should", {"should": [LONDON, RED_ONES]}, {"should": [LONDON_AT_FIRST, RED_ONES_AT_FIRST]}),
    ("must not", {"must_not": [LONDON, RED_ONES]}, {"must_not": [LONDON_AT_FIRST, RED_ONES_AT_FIRST]}),
    (
        "clauses combined",
        {"must": [LONDON], "must_not": [RED_ONES]},
        {"must": [LONDON_AT_FIRST], "must_not": [RED_ONES_AT_FIRST]},
    ),
    (
        "clauses nested",
        {"must_not": [must(LONDON, RED_ONES)]},
        {"must_not": [must(LONDON_AT_FIRST, RED_ONES_AT_FIRST)]},
    ),
    ("match keyword", must(RED_ONES), must(RED_ONES_AT_FIRST)),
    (
        "match integer",
        must({"key": "count", "match": {"value": 0}}),
        must({"key": "count", "match": {"integer": 0}}),
    ),
]
"""Filters that are written differently in the two generations: the name, as of today, as at first."""

FILTERS: list[tuple[str, dict[str, Any]]] = [
    *((name, today) for name, today, _ in CLAUSES),
    *((f"{name}, first generation", at_first) for name, _, at_first in CLAUSES),
    ("match any", must({"key": "color", "match": {"any": ["black", "yellow"]}})),
    ("match except", must({"key": "color", "match": {"except": ["black", "yellow"]}})),
    ("nested key", {"should": [{"key": "country.name", "match": {"value": "Germany"}}]}),
    ("nested array", {"should": [{"key": "country.cities[].population", "range": {"gte": 9.0}}]}),
    (
        "nested array, leaf array",
        {"should": [{"key": "country.cities[].sightseeing", "match": {"value": "Osaka Castle"}}]},
    ),
    (
        "several conditions on nested arrays",
        must(
            {"key": "diet[].food", "match": {"value": "meat"}},
            {"key": "diet[].likes", "match": {"value": True}},
        ),
    ),
    ("nested object", must(NESTED)),
    ("nested object beside has id", must(NESTED, {"has_id": [1]})),
    ("full text", must({"key": "description", "match": {"text": "good cheap"}})),
    ("full text any", must({"key": "description", "match": {"text_any": "good cheap"}})),
    ("phrase", must({"key": "description", "match": {"phrase": "brown fox"}})),
    ("prefix", must({"key": "sku", "match": {"prefix": "AB-"}})),
    ("range", must({"key": "price", "range": {"gt": None, "gte": 100.0, "lt": None, "lte": 450.0}})),
    (
        "datetime range",
        must(
            {
                "key": "date",
                "range": {
                    "gt": "2023-02-08T10:49:00Z",
                    "gte": None,
                    "lt": None,
                    "lte": "2024-01-31 10:14:31Z",
                },
            }
        ),
    ),
    ("uuid", must({"key": "uuid", "match": {"value": "f47ac10b-58cc-4372-a567-0e02b2c3d479"}})),
    ("geo bounding box", must({"key": "location", "geo_bounding_box": BOX})),
    ("geo radius", must({"key": "location", "geo_radius": RADIUS})),
    (
        "geo polygon",
        must(
            {
                "key": "location",
                "geo_polygon": {"exterior": ring(-70.0, 60.0), "interiors": [ring(-65.0, 0.0)]},
            }
        ),
    ),
    ("values count", must({"key": "comments", "values_count": {"gt": 2}})),
    ("is empty", must({"is_empty": {"key": "reports"}})),
    ("is null", must({"is_null": {"key": "reports"}})),
    ("has id", must({"has_id": [1, 3, 5, 7, 9, 11]})),
    ("has vector", must({"has_vector": "image"})),
    ("has vector, the unnamed one", must({"has_vector": ""})),
    ("slice", must({"slice": {"index": 0, "total": 4}})),
    ("update filter", must({"key": "version", "match": {"value": 2}})),
    ("tenant", must({"key": "group_id", "match": {"value": "user_1"}})),
    ("author", must({"key": "author", "match": {"value": "H.G. Wells"}})),
    ("not this author", {"must_not": [{"key": "author", "match": {"value": "H.G. Wells"}}]}),
    (
        "one author or the other",
        {
            "should": [
                {"key": "author", "match": {"value": "Larry Niven"}},
                {"key": "author", "match": {"value": "Jerry Pournelle"}},
            ]
        },
    ),
    ("any author", must({"key": "author", "match": {"any": ["Larry Niven", "Jerry Pournelle"]}})),
    ("title", must({"key": "title", "match": {"text": "space"}})),
    ("title, phrase", must({"key": "title", "match": {"phrase": "time machine"}})),
    (
        "min should",
        {
            "min_should": {
                "conditions": [
                    {"key": "city", "match": {"any": ["Berlin", "Moscow"]}},
                    RED_ONES,
                    {"key": "count", "match": {"value": 0}},
                ],
                "min_count": 2,
            }
        },
    ),
]
"""Every filter of the documentation."""
