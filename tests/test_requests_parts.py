"""Payload writes and selectors: every form they come in, and every way in which they are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
import qdrant_client.models as theirs
from requesting import RED, RED_FILTER, RED_MODEL, RED_THEIRS, TWO, UUID_TEXT, keys

import vecstore.models as ours
from vecstore.conditions import Filter
from vecstore.errors import (
    InvalidFilter,
    InvalidId,
    InvalidPath,
    InvalidPayload,
    InvalidRequest,
    InvalidType,
)
from vecstore.operations import ClearPayload, Delete, Ids
from vecstore.payloads import pack_payload
from vecstore.requests import (
    OMITTED,
    parse_clear_payload,
    parse_create_index,
    parse_delete,
    parse_delete_payload,
    parse_delete_vectors,
    parse_overwrite_payload,
    parse_selector,
    parse_set_payload,
)

if TYPE_CHECKING:
    from collections.abc import Callable


# Payload writes


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (({"a": None}, [1, 2]), None),
        (({"a": None}, np.array([1, 2]), "x.y"), "x.y"),
        (({"a": None}, {"points": [1, 2]}), None),
        (({"payload": {"a": None}, "points": [1, 2], "key": "x.y"},), "x.y"),
        (({"payload": {"a": None}, "points": [1, 2]}, OMITTED, "x.y"), "x.y"),
        ((ours.SetPayload({"a": None}, points=[1, 2], key='"x"[]'),), "x[]"),
        ((theirs.SetPayload(payload={"a": None}, points=[1, 2]),), None),
        (({"set_payload": {"payload": {"a": None}, "points": [1, 2]}},), None),
        ((ours.SetPayloadOperation(ours.SetPayload({"a": None}, points=[1, 2])),), None),
    ],
)
def test_set_payload_reads_every_form_alike(arguments: Any, key: str | None) -> None:
    operation = parse_set_payload(*arguments)
    assert operation.payload == {"a": None}
    assert operation.selector == Ids(keys(1, 2))
    assert operation.key == key


@pytest.mark.parametrize(
    "arguments",
    [
        ({"a": None}, [1, 2]),
        ({"payload": {"a": None}, "points": [1, 2]},),
        (ours.SetPayload({"a": None}, points=[1, 2]),),
        (theirs.SetPayload(payload={"a": None}, points=[1, 2]),),
        ({"overwrite_payload": {"payload": {"a": None}, "points": [1, 2]}},),
    ],
)
def test_overwrite_payload_reads_every_form_alike(arguments: Any) -> None:
    operation = parse_overwrite_payload(*arguments)
    assert operation.payload == pack_payload({"a": None})
    assert operation.selector == Ids(keys(1, 2))


@pytest.mark.parametrize(
    "arguments",
    [
        (["a", "b.c"], [1, 2]),
        (("a", '"b".c', "a"), [1, 2]),
        ({"keys": ["a", "b.c"], "points": [1, 2]},),
        (ours.DeletePayload(["a", "b.c"], points=[1, 2]),),
        (theirs.DeletePayload(keys=["a", "b.c"], points=[1, 2]),),
        ({"delete_payload": {"keys": ["a", "b.c"], "points": [1, 2]}},),
    ],
)
def test_delete_payload_reads_every_form_alike(arguments: Any) -> None:
    operation = parse_delete_payload(*arguments)
    assert operation.paths == ("a", "b.c")
    assert operation.selector == Ids(keys(1, 2))


def test_rule_17_a_payload_with_the_word_payload_in_it_is_a_payload_where_points_are_given() -> None:
    payload = {"payload": {"a": 1}, "points": [5]}
    assert parse_set_payload(payload, [1]).payload == payload
    assert parse_overwrite_payload(payload, [1]).payload == pack_payload(payload)


@pytest.mark.parametrize("path", ["", "a..b", "a[", "a.", 5, [], b"a"])
def test_rule_18_and_19_a_path_that_cannot_be_read_is_an_error(path: Any) -> None:
    with pytest.raises(InvalidPath):
        parse_set_payload({"a": 1}, [1], path)
    if isinstance(path, str):
        with pytest.raises(InvalidPath):
            parse_delete_payload(["ok", path], [1])


BAD_PAYLOAD_WRITES: list[tuple[Callable[[], Any], type[InvalidRequest], str]] = [
    (
        lambda: parse_set_payload({"a": float("nan")}, [1]),
        InvalidPayload,
        "finite number, got float nan at a",
    ),
    (lambda: parse_set_payload(None, [1]), InvalidPayload, "expected a payload"),
    (lambda: parse_set_payload([1], [1]), InvalidPayload, "expected a payload"),
    (lambda: parse_overwrite_payload(None, [1]), InvalidPayload, "expected a payload, got None"),
    (lambda: parse_overwrite_payload({1: 2}, [1]), InvalidPayload, "expected string keys"),
    (lambda: parse_set_payload({"points": [1]}), InvalidRequest, "expected 'payload' in .* only 'points'"),
    (lambda: parse_set_payload({}), InvalidRequest, "expected 'payload' in .*, got nothing"),
    (lambda: parse_set_payload({"payload": {}}), InvalidRequest, "expected the points, .*, got neither"),
    (lambda: parse_set_payload({"a": 1}, None), InvalidType, "expected the points, .* got NoneType"),
    (lambda: parse_set_payload("abc"), InvalidType, "expected the body of set_payload, got str 'abc'"),
    (lambda: parse_set_payload([1]), InvalidType, "expected the body of set_payload, got list"),
    (
        lambda: parse_set_payload({"a": 1}),
        InvalidRequest,
        "has no 'a'; .*; without points beside it the first argument",
    ),
    (lambda: parse_create_index("a"), InvalidType, "got str 'a'; without a field_schema .* beside it"),
    (
        lambda: parse_set_payload({"payload": {}, "points": [1], "shard_key": "a"}),
        InvalidRequest,
        "the body of set_payload has no 'shard_key'; it has filter, key, payload, points",
    ),
    (
        lambda: parse_set_payload({"payload": {}, "points": [1], "key": "a"}, OMITTED, "a"),
        InvalidRequest,
        "expected key once",
    ),
    (
        lambda: parse_overwrite_payload({"payload": {}, "points": [1], "key": "a"}),
        InvalidRequest,
        "the body of overwrite_payload has no 'key'",
    ),
    (lambda: parse_delete_payload({"points": [1]}), InvalidRequest, "expected 'keys' in"),
    (lambda: parse_delete_payload(None, [1]), InvalidType, "expected payload keys as a list, got NoneType"),
    (lambda: parse_delete_payload([1], [1]), InvalidType, "expected payload keys as strings, got int 1"),
    (lambda: parse_delete_vectors({"points": [1]}, OMITTED, TWO), InvalidRequest, "vector names once"),
    (
        lambda: parse_delete_vectors({"vector": [""], "vectors": [""], "points": [1]}, OMITTED, TWO),
        InvalidRequest,
        "vector names once",
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "message"), BAD_PAYLOAD_WRITES, ids=[str(i) for i in range(len(BAD_PAYLOAD_WRITES))]
)
def test_a_bad_body_is_an_error_that_says_so(
    call: Callable[[], Any], error: type[InvalidRequest], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


# Selectors


@dataclass
class ArrayOfIds:
    ids: list[int]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.ids, dtype=dtype)


ID_SELECTORS: list[Any] = [
    [3, 1, 3, UUID_TEXT],
    (3, 1, UUID(UUID_TEXT)),
    dict.fromkeys([3, 1, UUID_TEXT]).keys(),
    (i for i in [3, 1, 1, UUID_TEXT]),
    np.array([3, 1, UUID_TEXT], dtype=object),
    [np.int8(3), np.uint64(1), "{" + UUID_TEXT.upper() + "}"],
    {"points": [3, 1, UUID_TEXT]},
    {"points": [3, 1, UUID_TEXT], "filter": None},
    {"ids": [3, 1, UUID_TEXT]},
    {"points": [3, 1, UUID_TEXT], "filter": RED},
    ours.PointIdsList([3, 1, UUID_TEXT]),
    theirs.PointIdsList(points=[3, 1, UUID_TEXT]),
    SimpleNamespace(points=[3, 1, UUID_TEXT], filter=None),
]


@pytest.mark.parametrize("form", ID_SELECTORS, ids=lambda form: type(form).__name__)
def test_a_selector_of_ids_comes_in_every_form(form: Any) -> None:
    assert parse_selector(form) == Ids(keys(3, 1, UUID_TEXT))


@pytest.mark.parametrize("form", [range(3), {0, 1, 2}, np.arange(3), ArrayOfIds([0, 1, 2])])
def test_a_selector_may_be_anything_with_ids_in_it(form: Any) -> None:
    assert sorted(parse_selector(form).keys) == keys(0, 1, 2)


@pytest.mark.parametrize(
    "form",
    [
        RED,
        RED_MODEL,
        RED_THEIRS,
        {"filter": RED},
        {"filter": RED_MODEL, "points": None},
        ours.FilterSelector(RED_MODEL),
        theirs.FilterSelector(filter=RED_THEIRS),
    ],
    ids=lambda form: type(form).__name__,
)
def test_a_selector_by_filter_comes_in_every_form(form: Any) -> None:
    assert parse_selector(form) == RED_FILTER


@pytest.mark.parametrize("form", [Filter(), theirs.Filter(), {"filter": {}}, {"must": []}])
def test_an_empty_filter_selects_everything(form: Any) -> None:
    assert isinstance(parse_selector(form), Filter)


def test_rule_20_where_both_are_given_points_win_but_the_filter_has_to_be_one() -> None:
    assert parse_selector({"points": [1], "filter": RED}) == Ids(keys(1))
    with pytest.raises(InvalidFilter):
        parse_selector({"points": [1], "filter": {"most": []}})


@pytest.mark.parametrize(
    ("form", "error", "message"),
    [
        ({}, InvalidRequest, "as a list of ids or as a filter, got neither"),
        ({"points": None}, InvalidRequest, "got neither"),
        ({"must": None}, InvalidRequest, "got neither"),
        (None, InvalidType, "as a list of ids or as a filter, got NoneType"),
        (1.5, InvalidType, "as a list of ids or as a filter, got float 1.5"),
        (b"abc", InvalidType, "as a list of ids or as a filter, got bytes"),
        (7, InvalidType, r"expected a list of ids, got the single id 7: write \[7\]"),
        (True, InvalidType, "expected a list of ids, got the single id True"),
        (UUID_TEXT, InvalidType, "expected a list of ids, got the single id '936da01f"),
        (UUID(UUID_TEXT), InvalidType, "expected a list of ids, got the single id UUID"),
        ({"points": 7}, InvalidType, r"expected a list of ids, got the single id 7: write \[7\]"),
        ({"points": {"a": 1}}, InvalidType, "expected ids as a list, got dict"),
        ({"points": RED_MODEL}, InvalidType, "expected ids as a list, got Filter"),
        ({"points": [1], "ids": [1]}, InvalidRequest, "expected points or ids, got both"),
        ({"point": [1]}, InvalidRequest, "a selector of points has no 'point'; it has filter, ids, points"),
        ({"points": [1], "shard_key": "a"}, InvalidRequest, "has no 'shard_key'"),
        ({"key": "a", "match": {"value": 1}}, InvalidRequest, "a selector of points has no 'key'"),
        ({"filter": [RED]}, InvalidFilter, "expected a filter"),
        ({"must": [], "points": [1]}, InvalidFilter, "'points'"),
        ({1: [1]}, InvalidRequest, "with string keys, got the key 1"),
        ([1, -1], InvalidId, "-1"),
        ([1, "30"], InvalidId, "got str '30'"),
        ([1, True], InvalidId, "got bool True"),
        ([1, 1.0], InvalidId, "got float 1.0"),
        ([[1]], InvalidId, "got list"),
        (np.array([[1]]), InvalidId, "one-dimensional array of ids"),
        (np.array(1), InvalidType, "expected ids as a list, got ndarray"),
        (np.float32(1), InvalidType, "expected ids as a list, got float32"),
        (np.array([1.0]), InvalidId, "got float 1.0"),
    ],
)
def test_rule_20_what_selects_nothing_is_an_error(form: Any, error: type[InvalidRequest], message: str) -> None:
    with pytest.raises(error, match=message):
        parse_selector(form)


def test_an_array_that_fails_is_an_error_too() -> None:
    class Failing:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise RuntimeError("on another device")

    with pytest.raises(InvalidType, match=r"expected ids as a list, got Failing .*: on another device"):
        parse_selector(Failing())


@pytest.mark.parametrize(
    "form",
    [
        [1],
        {"points": [1]},
        {"delete": {"points": [1]}},
        {"delete_points": {"ids": [1]}},
        ours.DeleteOperation(ours.PointIdsList([1])),
    ],
)
def test_delete_reads_every_form_alike(form: Any) -> None:
    assert parse_delete(form) == Delete(Ids(keys(1)))


@pytest.mark.parametrize(
    "form",
    [
        RED,
        {"filter": RED},
        {"clear_payload": {"filter": RED}},
        ours.ClearPayloadOperation(ours.FilterSelector(RED_MODEL)),
    ],
)
def test_clear_payload_reads_every_form_alike(form: Any) -> None:
    assert parse_clear_payload(form) == ClearPayload(RED_FILTER)
