"""Right inputs, which are changed into wrong ones: small, and of every kind."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import documentation
import numpy as np

from vecstore import Distance, HnswConfig, VectorParams
from vecstore.encoding import pack
from vecstore.filters.datetimes import parse_datetime
from vecstore.operations import encode
from vecstore.requests import parse_batch, parse_create_index, parse_delete_index
from vecstore.storage import journal
from vecstore.storage.segments import SealedFiles

UUID_TEXT = "936da01f-9abd-4d9d-80c7-02af85c822a8"
SCHEMA = {"image": VectorParams(2, Distance.DOT), "text": VectorParams(3, Distance.COSINE)}
RED = {"must": [{"key": "color", "match": {"value": "red"}}]}

IDS: list[Any] = [0, 1, 2**64 - 1, UUID_TEXT, UUID_TEXT.replace("-", ""), [1, 2, 3], [1, UUID_TEXT], np.uint64(3)]
PATHS = ["a", "a.b", "a[].b", "a[0]", "l[][]", '"a.b".c', '"x\\"y"[3].z', "é_-1", "a" + ".b" * 30]
TIMES = [
    "2024-05-01",
    "2024-05-01T12:00",
    "2024-05-01 12:00:00.123456+02:00",
    "1969-12-31t23:59:60Z",
    "2024-2-29 1:2:3 UTC",
]
PAYLOADS: list[Any] = [
    {},
    {"a": 1, "color": "red", "city": ["London", None], "price": 1.5, "count": 0},
    {"a": {"b": [1, {"c": "x"}], "": True}, "l": [[1, 2], [3]], "at": "2024-05-01T12:00:00Z"},
    {"location": {"lon": 13.4, "lat": 52.5}, "diet": [{"food": "meat", "likes": True}], "description": "Good, cheap"},
]
VECTORS: list[Any] = [
    [1, 2],
    [0.5, -1.5],
    [[1, 2], [3, 4]],
    [[1, 2]],
    np.array([1.0, 2.0]),
    np.eye(2, dtype=np.float32),
]
FILTERS: list[Any] = [found for _, found in documentation.FILTERS]
SCHEMAS: list[Any] = [
    {"size": 4, "distance": "Cosine"},
    {"image": {"size": 4, "distance": "Dot"}, "text": {"size": 8, "distance": "Euclid", "hnsw_config": {"m": 16}}},
    {"": {"size": 1, "distance": "Manhattan", "hnsw_config": {"ef_construct": 100, "full_scan_threshold": 10}}},
]
HEADERS: list[Any] = [
    {"vecstore": 1, "points": 2000, "vectors": vectors, "payload_schema": {"a.b": ["keyword", "text"]}}
    for vectors in SCHEMAS
]

_POINTS = [
    {"id": 1, "vector": {"image": [1, 2]}, "payload": PAYLOADS[1]},
    {"id": UUID_TEXT, "vector": {"text": [1, 2, 3]}},
]
_BATCH = {"ids": [1, 2, 1], "vectors": {"image": [[1, 2], [3, 4], [5, 6]]}, "payloads": [{"a": 1}, None, {"b": [1]}]}
_MATRIX = {"ids": np.arange(2), "vectors": {"image": np.eye(2), "text": [[1, 2, 3], None]}}
_NEW = [{"id": 1, "vector": {"image": [1, 2]}}, {"id": 1, "vector": {"text": [1, 2, 3]}}]
OPERATIONS: list[Any] = [
    {"upsert": {"points": _POINTS}},
    {"upsert": {"points": _POINTS, "update_filter": RED, "update_mode": "update_only"}},
    {"upsert": {"batch": _BATCH}},
    {"upsert": {"batch": _MATRIX}},
    {"update_vectors": {"points": _NEW, "update_filter": RED}},
    {"delete_vectors": {"vector": ["image", "text"], "points": [1, UUID_TEXT]}},
    {"set_payload": {"payload": PAYLOADS[2], "points": [1, 2], "key": "a.b[0]"}},
    {"overwrite_payload": {"payload": PAYLOADS[1], "filter": RED}},
    {"delete_payload": {"keys": ["a.b", "l[].x"], "filter": RED}},
    {"clear_payload": {"points": [1, UUID_TEXT]}},
    {"delete": {"filter": documentation.FILTERS[-1][1]}},
    {"delete": {"points": [1, 2, 3]}},
]
READS: list[tuple[str, Any]] = [
    ("search", {"vector": [1, 2], "using": "image", "filter": RED, "limit": 3, "offset": 1, "score_threshold": 0.5}),
    ("search", {"query": 1, "using": "image", "params": {"hnsw_ef": 64, "exact": False}, "with_vector": ["image"]}),
    ("search", {"vector": {"name": "image", "vector": [1, 2]}, "top": 3, "with_payload": {"exclude": ["a.b", "l[]"]}}),
    ("scroll", {"filter": RED, "limit": 10, "offset": UUID_TEXT, "with_payload": ["a", "l[].x"]}),
    ("scroll", {"order_by": {"key": "a", "direction": "desc", "start_from": 3}, "with_payload": {"include": ["a.b"]}}),
    ("scroll", {"order_by": {"key": "at", "start_from": "2024-05-01"}, "with_vector": True}),
    ("count", {"filter": RED, "exact": True}),
    ("retrieve", {"ids": [1, UUID_TEXT], "with_payload": True}),
    ("retrieve", [1, 2, 3]),
]

LOGGED = [
    *(encode(operation) for example in OPERATIONS for operation in parse_batch([example], SCHEMA).operations),
    *(encode(parse_batch(OPERATIONS[i : i + 3], SCHEMA, atomic=i > 0)) for i in (0, 6)),
    encode(parse_create_index("a.b", "keyword")),
    encode(parse_delete_index("a.b")),
]


def _change(field: int, rows: int, size: int, dead: int) -> journal.Change:
    matrix = np.arange(rows * size, dtype=np.float32).reshape(rows, size)
    slots = np.arange(rows, dtype=np.uint32)
    return journal.Change(field, 3, 7, slots, matrix, np.full(dead, 2, np.uint32), np.arange(dead, dtype=np.uint32))


ENTRIES = [
    b"".join(journal.encode(changes))
    for changes in (
        [_change(0, 2, 2, 1)],
        [_change(0, 1, 2, 0), _change(1, 3, 3, 2)],
        [_change(1, 0, 3, 4)],
        [_change(0, 1, 4, 1)],
        [],
    )
]

_FILES = [3, [[0, *astuple(SealedFiles(10, 100, 1, 2, 3))], [1, *astuple(SealedFiles(5, 6, 7, 8, 9, 2, 10, 11, 12))]]]
_INDEXES = [[1, "a.b", 1, ["keyword", "integer"], False, None], [2, "l[].x", 4, ["text"], True, 17]]
STORED: list[tuple[str, bytes]] = [
    ("vectors", pack([["image", 2, "Dot", None], ["text", 3, "Cosine", list(astuple(HnswConfig(16, 100)))]])),
    ("vectors", pack([["", 384, "Manhattan", None]])),
    ("manifest", pack([_FILES, [4, []]])),
    ("catalog", pack([_INDEXES, [3, 5]])),
    ("applied", (17).to_bytes(8, "big")),
]

assert all(parse_datetime(text) is not None for text in TIMES)
