"""Rules 17, 18, 19 and 21 on payloads in memory, and the same edits done by Qdrant Edge.

Two oracles do the same edits and projections: Qdrant Edge and the local mode of Qdrant's Python client.
Neither was found to deviate from these rules; what Edge stores in place of what is no JSON is in
``test_payloads``.
"""

from __future__ import annotations

import json
from copy import deepcopy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import qdrant_client.models as theirs
import qdrant_edge as edge
from hypothesis import given
from hypothesis import strategies as st
from payload_strategies import PAYLOADS, VALUES, paths
from qdrant_client.local.json_path_parser import parse_json_path
from qdrant_client.local.payload_value_extractor import exclude_payload, include_payload
from qdrant_client.local.payload_value_setter import delete_value_by_key, set_value_by_key

from vecstore.errors import InvalidPath, InvalidRequest, InvalidType, VecstoreError
from vecstore.models import PayloadSelectorExclude, PayloadSelectorInclude
from vecstore.paths import Path, format_path, parse_path
from vecstore.payload_edits import WHOLE, delete_path, merge, parse_with_payload

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]


def merged(payload: Json, values: Json, key: str | None = None) -> Json:
    payload = deepcopy(payload)
    merge(payload, values, None if key is None else parse_path(key))
    return payload


def deleted(payload: Json, *keys: str) -> Json:
    payload = deepcopy(payload)
    for key in keys:
        delete_path(payload, parse_path(key))
    return payload


def read(payload: Json, with_payload: object) -> Json | None:
    projection = parse_with_payload(with_payload)
    return None if projection is None else projection(payload)


def test_rule_17_top_level_keys_are_merged_and_what_is_in_them_is_replaced() -> None:
    payload = {"a": {"b": 1}, "c": 2}
    assert merged(payload, {"a": {"d": 3}, "e": [4]}) == {"a": {"d": 3}, "c": 2, "e": [4]}
    assert merged(payload, {}) == payload


def test_rule_17_a_null_removes_its_key() -> None:
    assert merged({"a": 1, "b": 2}, {"a": None, "missing": None}) == {"b": 2}
    assert merged({"a": 1}, {"a": {"b": None}, "c": [None]}) == {"a": {"b": None}, "c": [None]}


def test_rule_17_nulls_that_are_there_stay() -> None:
    assert merged({"a": None, "b": 1}, {"b": 2}) == {"a": None, "b": 2}


@pytest.mark.parametrize(
    ("payload", "key", "result"),
    [
        ({"a": {"b": 1}}, "a", {"a": {"b": 1, "v": 9}}),
        ({"a": {"c": {"v": 1, "w": 2}}}, "a.c", {"a": {"c": {"v": 9, "w": 2}}}),
        ({}, "a.c", {"a": {"c": {"v": 9}}}),
        ({"z": 1}, '"a.c".d', {"z": 1, "a.c": {"d": {"v": 9}}}),
        ({"a": 5}, "a.c", {"a": {"c": {"v": 9}}}),
        ({"a": None}, "a", {"a": {"v": 9}}),
        ({"a": [1]}, "a", {"a": {"v": 9}}),
        ({"a": [1]}, "a.c", {"a": {"c": {"v": 9}}}),
        ({"a": [1, {"b": 2}]}, "a[1]", {"a": [1, {"b": 2, "v": 9}]}),
        ({"a": [1, {"b": 2}]}, "a[0]", {"a": [{"v": 9}, {"b": 2}]}),
        ({"a": [1, {"b": 2}]}, "a[2]", {"a": [1, {"b": 2}]}),
        ({"a": [1, {"b": 2}]}, "a[2].c", {"a": [1, {"b": 2}]}),
        ({"a": [1, {"b": 2}]}, "a[99999999999999999999]", {"a": [1, {"b": 2}]}),
        ({"a": [1, {"b": 2}, [3]]}, "a[]", {"a": [{"v": 9}, {"b": 2, "v": 9}, {"v": 9}]}),
        ({"a": [1, {"b": 2}]}, "a[].b", {"a": [{"b": {"v": 9}}, {"b": {"v": 9}}]}),
        ({"a": [[1], 2]}, "a[][]", {"a": [[{"v": 9}], []]}),
        ({"a": []}, "a[]", {"a": []}),
        ({}, "a[]", {"a": []}),
        ({}, "a.b[].c", {"a": {"b": []}}),
        ({}, "a[0]", {"a": []}),
        ({"a": 5}, "a[]", {"a": []}),
        ({"a": {"b": 1}}, "a[0]", {"a": []}),
    ],
)
def test_rule_18_values_are_merged_into_the_object_at_a_path(payload: Json, key: str, result: Json) -> None:
    assert merged(payload, {"v": 9}, key) == result


def test_rule_18_a_null_removes_its_key_there_too() -> None:
    assert merged({"a": {"b": 1, "c": 2}}, {"b": None, "x": None}, "a") == {"a": {"c": 2}}
    assert merged({"a": [{"b": 1}, {"b": 2, "c": 3}]}, {"b": None}, "a[]") == {"a": [{}, {"c": 3}]}
    assert merged({}, {"b": None}, "a") == {"a": {}}


def test_merged_values_are_shared_with_nobody() -> None:
    values = {"v": {"list": [1]}}
    payload: Json = {"a": [{}, {}]}
    merge(payload, values, parse_path("a[]"))
    merge(payload, values, None)
    merge(payload, {"w": 2}, parse_path("a[0].v"))
    delete_path(payload, parse_path("v.list[]"))
    assert payload == {"a": [{"v": {"list": [1], "w": 2}}, {"v": {"list": [1]}}], "v": {"list": []}}
    assert values == {"v": {"list": [1]}}


@pytest.mark.parametrize(
    ("payload", "key", "result"),
    [
        ({"a": 1, "b": 2}, "a", {"b": 2}),
        ({"a": {"b": 1, "c": 2}}, "a.b", {"a": {"c": 2}}),
        ({"a": {"b": 1}, "a.b": 2}, '"a.b"', {"a": {"b": 1}}),
        ({"l": [{"x": 1, "y": 2}, {"x": 3}, 4]}, "l[].x", {"l": [{"y": 2}, {}, 4]}),
        ({"l": [{"x": 1}, {"x": 2}]}, "l[1].x", {"l": [{"x": 1}, {}]}),
        ({"l": [1, 2]}, "l[]", {"l": []}),
        ({"l": [[1], [2]]}, "l[][]", {"l": [[], []]}),
        ({"l": [[1], [2]]}, "l[1][]", {"l": [[1], []]}),
        ({"l": [1, 2]}, "l[0]", {"l": [1, 2]}),
        ({"l": [[1], 2]}, "l[][0]", {"l": [[1], 2]}),
        ({"l": [1, 2]}, "l[5].x", {"l": [1, 2]}),
        ({"l": [{"x": 1}]}, "l.x", {"l": [{"x": 1}]}),
        ({"a": {"b": 1}}, "a[]", {"a": {"b": 1}}),
        ({"a": {"b": 1}}, "a.b.c", {"a": {"b": 1}}),
        ({"a": 1}, "missing.x[].y", {"a": 1}),
    ],
)
def test_rule_19_what_a_path_deletes(payload: Json, key: str, result: Json) -> None:
    assert deleted(payload, key) == result
    assert deleted(payload, key, key) == result


PAYLOAD: Json = {
    "a": {"b": 1, "c": {"d": 2, "e": 3}},
    "l": [{"x": 1, "y": 2}, 3, [{"x": 4}]],
    "s": "text",
    "a.b": None,
}


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        (["s"], {"s": "text"}),
        (["a.b", "s"], {"a": {"b": 1}, "s": "text"}),
        (["a.c.d", "a.c"], {"a": {"c": {"d": 2, "e": 3}}}),
        (["a.c", "a.c.d"], {"a": {"c": {"d": 2, "e": 3}}}),
        (['"a.b"'], {"a.b": None}),
        (["l"], {"l": PAYLOAD["l"]}),
        (["l[]"], {"l": PAYLOAD["l"]}),
        (["l[].x"], {"l": [{"x": 1}, 3, []]}),
        (["l[][].x"], {"l": [{}, 3, [{"x": 4}]]}),
        (["l.x"], {"l": []}),
        (["l[0]"], {"l": []}),
        (["s.below.it"], {"s": "text"}),
        (["missing"], {}),
        ([], {}),
    ],
)
def test_rule_21_include_keeps_what_is_above_or_below_a_path(paths: list[str], kept: Json) -> None:
    selectors = [
        paths,
        tuple(paths),
        {"include": paths},
        PayloadSelectorInclude(paths),
        theirs.PayloadSelectorInclude(include=paths),
        SimpleNamespace(include=paths),
        {"include": paths, "exclude": None},
    ]
    for selector in selectors:
        assert read(PAYLOAD, selector) == kept


@pytest.mark.parametrize(
    ("paths", "dropped"),
    [
        (["s"], {"s": ...}),
        (["a.b"], {"a": {"c": {"d": 2, "e": 3}}}),
        (["a.c", "a.c.d"], {"a": {"b": 1}}),
        (["a.c.d", "a.c"], {"a": {"b": 1}}),
        (['"a.b"'], {"a.b": ...}),
        (["l"], {"l": ...}),
        (["l[]"], {"l": []}),
        (["l[].x"], {"l": [{"y": 2}, 3, [{"x": 4}]]}),
        (["l[][].x"], {"l": [{"x": 1, "y": 2}, 3, [{}]]}),
        (["l.x", "l[0]", "s.below.it", "missing"], {}),
        ([], {}),
    ],
)
def test_rule_21_exclude_drops_what_is_below_a_path(paths: list[str], dropped: Json) -> None:
    kept = {key: value for key, value in {**PAYLOAD, **dropped}.items() if value is not ...}
    for selector in (
        {"exclude": paths},
        PayloadSelectorExclude(paths),
        theirs.PayloadSelectorExclude(exclude=paths),
    ):
        assert read(PAYLOAD, selector) == kept


def test_rule_21_with_payload_is_a_bool() -> None:
    assert parse_with_payload(True) is parse_with_payload(np.True_) is WHOLE
    assert WHOLE(PAYLOAD) is PAYLOAD
    assert parse_with_payload(False) is parse_with_payload(np.False_) is parse_with_payload(None) is None


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("a", InvalidType),
        (1, InvalidType),
        (1.5, InvalidType),
        ({"a"}, InvalidType),
        (object(), InvalidType),
        ({}, InvalidRequest),
        ({"include": None}, InvalidRequest),
        ({"include": ["a"], "exclude": ["b"]}, InvalidRequest),
        ({"includes": ["a"]}, InvalidRequest),
        ({1: ["a"]}, InvalidRequest),
        (SimpleNamespace(), InvalidRequest),
        ({"include": "a"}, InvalidType),
        ({"exclude": {"a": 1}}, InvalidType),
        (["a..b"], InvalidPath),
        ([1], InvalidPath),
        ({"exclude": ["a", None]}, InvalidPath),
    ],
)
def test_rule_21_anything_else_is_an_error(value: object, error: type[VecstoreError]) -> None:
    with pytest.raises(error, match=r"expected|has no"):
        parse_with_payload(value)


class Oracle:
    """One point in an Edge shard."""

    def __init__(self, folder: str) -> None:
        vectors = edge.EdgeVectorParams(size=1, distance=edge.Distance.Dot)
        self.shard = edge.EdgeShard.create(folder, edge.EdgeConfig(vectors=vectors, wal_enabled=False))

    def holds(self, payload: Json) -> None:
        self.shard.update(edge.UpdateOperation.upsert_points([edge.Point(1, [1.0], payload)]))

    def read(self, selector: Any = True) -> Json:
        payload: Json = self.shard.retrieve([1], selector, False)[0].payload
        return payload

    def merged(self, payload: Json, values: Json, key: str | None) -> Json:
        self.holds(payload)
        self.shard.update(edge.UpdateOperation.set_payload([1], values, key))
        return self.read()

    def deleted(self, payload: Json, *keys: str) -> Json:
        self.holds(payload)
        self.shard.update(edge.UpdateOperation.delete_payload([1], list(keys)))
        return self.read()


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    oracle = Oracle(str(tmp_path_factory.mktemp("edge")))
    yield oracle
    oracle.shard.close()


def same(first: Any, second: Any) -> bool:
    """Equal, with the same types; the order of keys is nobody's promise."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


@given(PAYLOADS, PAYLOADS, st.none() | paths())
def test_edge_merges_the_same(oracle: Oracle, payload: Json, values: Json, path: Path | None) -> None:
    key = None if path is None else format_path(path)
    assert same(merged(payload, values, key), oracle.merged(payload, values, key))


@given(PAYLOADS, st.lists(paths(), min_size=1, max_size=3))
def test_edge_deletes_the_same(oracle: Oracle, payload: Json, found: list[Path]) -> None:
    keys = [format_path(path) for path in found]
    assert same(deleted(payload, *keys), oracle.deleted(payload, *keys))


@given(PAYLOADS, st.lists(paths(), max_size=3))
def test_edge_and_the_client_read_the_same(oracle: Oracle, payload: Json, found: list[Path]) -> None:
    keys = [format_path(path) for path in found]
    oracle.holds(payload)
    included, excluded = read(payload, {"include": keys}), read(payload, {"exclude": keys})
    assert same(included, oracle.read(edge.PayloadSelector.Include(keys)))
    assert same(excluded, oracle.read(edge.PayloadSelector.Exclude(keys)))
    assert same(included, include_payload(payload, keys))
    assert same(excluded, exclude_payload(payload, keys))


@given(PAYLOADS, PAYLOADS, paths())
def test_the_client_edits_the_same(payload: Json, values: Json, path: Path) -> None:
    key = format_path(path)
    theirs_merged, theirs_deleted = deepcopy(payload), deepcopy(payload)
    set_value_by_key(theirs_merged, parse_json_path(key), deepcopy(values))
    delete_value_by_key(theirs_deleted, parse_json_path(key))
    assert same(merged(payload, values, key), theirs_merged)
    assert same(deleted(payload, key), theirs_deleted)


@given(st.recursive(VALUES, st.lists) | st.dictionaries(st.sampled_from(["include", "exclude"]), VALUES))
def test_any_with_payload_is_read_or_an_error_of_ours(value: Any) -> None:
    try:
        projection = parse_with_payload(value)
    except VecstoreError:
        return
    assert projection is None or isinstance(projection(PAYLOAD), dict)
