"""Rules 17 to 19, through the collection: writing payloads, merging into them and deleting from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from collecting import fill, payload

from vecstore import (
    InvalidPath,
    PointStruct,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

    from vecstore import Collection

OLD = {"a": {"b": 1, "c": 2}, "l": [1, 2], "n": None, "s": "x"}


def test_rule_17_top_level_keys_are_merged_shallow_and_nulls_remove(home: Home) -> None:
    col = home.make()
    fill(col, {1: OLD, 2: {}})
    col.set_payload({"a": {"d": {"e": None}}, "l": [], "s": None, "nothing": None, "new": [None]}, [1, 2])
    col = home.seen(col)
    assert payload(col, 1) == {"a": {"d": {"e": None}}, "l": [], "n": None, "new": [None]}
    assert payload(col, 2) == {"a": {"d": {"e": None}}, "l": [], "new": [None]}


def test_rule_17_upsert_and_overwrite_keep_nulls(home: Home) -> None:
    col = home.make()
    col.upsert([PointStruct(1, [1, 0], {"a": None}), PointStruct(2, [1, 0], {"old": 1})])
    col.overwrite_payload({"b": None, "c": {"d": None}}, [2])
    col.set_payload({"new": 1}, [1])
    col = home.seen(col)
    assert payload(col, 1) == {"a": None, "new": 1}
    assert payload(col, 2) == {"b": None, "c": {"d": None}}


def test_rule_17_an_empty_payload_changes_nothing(col: Collection) -> None:
    fill(col, {1: OLD})
    col.set_payload({}, [1]).result()
    assert payload(col) == OLD
    col.overwrite_payload({}, [1]).result()
    assert payload(col) == {}


X = {"x": 1}


@pytest.mark.parametrize(
    ("before", "key", "after"),
    [
        ({"a": {"c": {"y": 2}}}, "a.c", {"a": {"c": {"y": 2, "x": 1}}}),
        ({"b": 1}, "a.c", {"b": 1, "a": {"c": X}}),
        ({"a": 5}, "a.c", {"a": {"c": X}}),
        ({"a": {"c": [1]}}, "a.c", {"a": {"c": X}}),
        ({"a": [{"y": 1}, {}, 3]}, "a[1]", {"a": [{"y": 1}, X, 3]}),
        ({"a": [{"y": 1}, 3]}, "a[1]", {"a": [{"y": 1}, X]}),
        ({"a": [1]}, "a[1]", {"a": [1]}),
        ({"a": [{"y": 1}, 2, "s"]}, "a[]", {"a": [{"y": 1, "x": 1}, X, X]}),
        ({"a": [{"b": {}}, {"b": 1}]}, "a[].b", {"a": [{"b": X}, {"b": X}]}),
        ({"b": 1}, "a[]", {"b": 1, "a": []}),
        ({}, "a[].b", {"a": []}),
        ({"a.b": {}}, '"a.b"', {"a.b": X}),
    ],
)
def test_rule_18_merging_into_the_object_at_a_path(before: Any, key: str, after: Any, col: Collection) -> None:
    fill(col, {1: before, 2: before})
    col.set_payload(X, [1], key=key)
    col.set_payload({"payload": X, "points": [2], "key": key}).result()
    assert [payload(col, 1), payload(col, 2)] == [after, after]


def test_rule_18_null_removes_there_and_it_lasts(home: Home) -> None:
    col = home.make()
    fill(col, {1: {"a": {"b": 1, "c": 2}}})
    col.set_payload({"b": None, "d": 3}, [1], key="a")
    assert payload(home.seen(col)) == {"a": {"c": 2, "d": 3}}


@pytest.mark.parametrize(
    ("key", "after"),
    [
        ("a", {"l": [{"x": 1, "y": 2}, {"x": 3}, 4]}),
        ("a.b", {"a": {"c": [1]}, "l": [{"x": 1, "y": 2}, {"x": 3}, 4]}),
        ("a.c", {"a": {"b": 1}, "l": [{"x": 1, "y": 2}, {"x": 3}, 4]}),
        ("l[].x", {"a": {"b": 1, "c": [1]}, "l": [{"y": 2}, {}, 4]}),
        ("l[0].x", {"a": {"b": 1, "c": [1]}, "l": [{"y": 2}, {"x": 3}, 4]}),
        ("l[]", {"a": {"b": 1, "c": [1]}, "l": []}),
        ("a.c[]", {"a": {"b": 1, "c": []}, "l": [{"x": 1, "y": 2}, {"x": 3}, 4]}),
        ("l[0]", {"a": {"b": 1, "c": [1]}, "l": [{"x": 1, "y": 2}, {"x": 3}, 4]}),
        ("nothing.here[].at.all", {"a": {"b": 1, "c": [1]}, "l": [{"x": 1, "y": 2}, {"x": 3}, 4]}),
    ],
)
def test_rule_19_delete_payload_takes_paths(key: str, after: Any, col: Collection) -> None:
    before = {"a": {"b": 1, "c": [1]}, "l": [{"x": 1, "y": 2}, {"x": 3}, 4]}
    fill(col, {1: before, 2: before})
    col.delete_payload([key, key], [1])
    col.delete_payload({"keys": [key], "points": [2]})
    col.delete_payload(key, [2]).result()
    assert [payload(col, 1), payload(col, 2)] == [after, after]


def test_rule_19_several_paths_and_odd_keys(home: Home) -> None:
    col = home.make()
    fill(col, {1: {"a.b": 1, "a": {"b": 2}, "größe": 3, "snake_case-1": 4, "kept": 5, "with space": 6}})
    col.delete_payload(['"a.b"', "größe", "snake_case-1", '"with space"'], [1])
    assert payload(home.seen(col)) == {"a": {"b": 2}, "kept": 5}


@pytest.mark.parametrize("path", ["a..b", "", "a.", ".a", "a[", "a[x]", "a[-1]", "[]", "[0]", "a b", "a]", '"a'])
def test_rule_19_a_path_that_cannot_be_read_is_an_error_everywhere(path: str, col: Collection) -> None:
    fill(col, {1: OLD})
    calls: list[Callable[[], Any]] = [
        lambda: col.delete_payload(["a", path], [1]),
        lambda: col.set_payload({"a": 1}, [1], key=path),
        lambda: col.retrieve([1], with_payload=[path]),
        lambda: col.scroll(order_by=path),
        lambda: col.count({"must": [{"key": path, "match": {"value": 1}}]}),
    ]
    for call in calls:
        with pytest.raises(InvalidPath) as raised:
            call()
        assert repr(path) in str(raised.value)
    assert payload(col) == OLD
