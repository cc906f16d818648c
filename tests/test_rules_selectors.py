"""Rules 20 and 21, through the collection: selecting points, what a payload may hold, and what of it is returned."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
import qdrant_client.models as theirs
from collecting import NAMED, NOTHING, UUID_TEXT, contents, fill, payload, plain

from vecstore import (
    Filter,
    FilterSelector,
    HasIdCondition,
    InvalidPayload,
    InvalidRequest,
    InvalidType,
    PayloadSelectorExclude,
    PayloadSelectorInclude,
    PointIdsList,
    PointStruct,
    UnknownVector,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

    from vecstore import Collection

OLD = {"a": {"b": 1}, "n": None}
SELECTING: dict[str, Callable[[Collection, Any], Any]] = {
    "set_payload": lambda col, points: col.set_payload({"hit": True}, points),
    "overwrite_payload": lambda col, points: col.overwrite_payload({"hit": True}, points),
    "delete_payload": lambda col, points: col.delete_payload(["n"], points),
    "clear_payload": lambda col, points: col.clear_payload(points),
    "delete_vectors": lambda col, points: col.delete_vectors("", points),
    "delete": lambda col, points: col.delete(points),
}
ODD = {"must": [{"key": "odd", "match": {"value": True}}]}
SELECTORS: list[tuple[Any, set[int]]] = [
    ([2], {2}),
    (np.array([2, 3]), {2, 3}),
    ((2,), {2}),
    ({2}, {2}),
    (PointIdsList([2]), {2}),
    (theirs.PointIdsList(points=[2]), {2}),
    ({"points": [2]}, {2}),
    (ODD, {1, 3}),
    ({"filter": ODD}, {1, 3}),
    (FilterSelector(Filter(must_not=[HasIdCondition([1])])), {2, 3}),
    (theirs.FilterSelector(filter=theirs.Filter(must=[theirs.HasIdCondition(has_id=[3])])), {3}),
    (Filter(), {1, 2, 3}),
    ({"points": [2], "filter": ODD}, {2}),
    ({"points": [2], "filter": NOTHING}, {2}),
]


@pytest.mark.parametrize("call", SELECTING.values(), ids=list(SELECTING))
def test_rule_20_ids_or_a_filter_and_ids_win(call: Callable[[Collection, Any], Any], col: Collection) -> None:
    for selector, chosen in SELECTORS:
        fill(col, {i: {"n": i, "odd": i % 2 == 1} for i in (1, 2, 3)})
        before = contents(col)
        call(col, selector).result()
        after = contents(col)
        assert {i for i in before if before[i] != after.get(i)} == chosen, selector


@pytest.mark.parametrize("call", SELECTING.values(), ids=list(SELECTING))
def test_rule_20_neither_is_an_error(call: Callable[[Collection, Any], Any], col: Collection) -> None:
    fill(col, {1: OLD})
    for nothing in (None, 5, "all", {"points": None, "filter": None}, {"pionts": [1]}):
        with pytest.raises(InvalidRequest, match=r"expected .*, got |has no 'pionts'|expected a list of ids"):
            call(col, nothing)
    with pytest.raises(InvalidRequest, match="got neither"):
        col.set_payload({"payload": {"a": 1}})
    assert contents(col) == {1: (OLD, [1, 0])}


STORED: dict[str, tuple[Any, Any]] = {
    "null": (None, None),
    "bool": (True, True),
    "int64": (-(2**63), -(2**63)),
    "uint64": (2**64 - 1, 2**64 - 1),
    "float": (0.1, 0.1),
    "string": ("é🙂", "é🙂"),
    "array": ([1, [2, []]], [1, [2, []]]),
    "object": ({"a": {}}, {"a": {}}),
    "datetime": (
        datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        "2024-05-01T12:00:00+02:00",
    ),
    "uuid": (UUID(UUID_TEXT), UUID_TEXT),
    "numpy scalars": ([np.float32(0.5), np.int8(-1), np.bool_(True), np.str_("s")], [0.5, -1, True, "s"]),
}


def test_rule_21_payload_values_are_json(home: Home) -> None:
    col = home.make()
    given = {name: value for name, (value, _) in STORED.items()}
    stored = {name: value for name, (_, value) in STORED.items()}
    fill(col, {1: given, 2: {}, 3: {}})
    col.set_payload(given, [2])
    col.overwrite_payload(given, [3])
    col = home.seen(col)
    assert payload(col, 1) == payload(col, 3) == stored
    assert payload(col, 2) == {name: value for name, value in stored.items() if name != "null"}
    for name, value in payload(col, 1).items():
        assert type(value) is type(stored[name])


@pytest.mark.parametrize("bad", [float("nan"), float("-inf"), 2**64, -(2**63) - 1, {1}, b"b", object(), {1: 2}])
def test_rule_21_anything_else_is_an_error_that_names_the_path(bad: Any, col: Collection) -> None:
    fill(col, {1: OLD})
    calls: list[Callable[[Any], Any]] = [
        lambda found: col.upsert([PointStruct(1, [1, 0], found)]),
        lambda found: col.set_payload(found, [1]),
        lambda found: col.overwrite_payload(found, [1]),
    ]
    for call in calls:
        with pytest.raises(InvalidPayload) as raised:
            call({"a": {"b": [0, bad]}})
        assert "a.b[1]" in raised.value.path
        assert "a.b[1]" in str(raised.value)
    assert payload(col) == OLD


WHOLE = {"a": {"b": 1, "c": [{"d": 1, "e": 2}, {"d": 3}]}, "f": "g"}
INCLUDED = {"a": {"c": [{"d": 1}, {"d": 3}]}, "f": "g"}
EXCLUDED = {"a": {"b": 1, "c": [{"e": 2}, {}]}}
PROJECTED: list[tuple[Any, Any]] = [
    (True, WHOLE),
    (False, None),
    ([], {}),
    (["a.c[].d", "f"], INCLUDED),
    (["a"], {"a": WHOLE["a"]}),
    (["a.c"], {"a": {"c": WHOLE["a"]["c"]}}),
    (["a.c.d"], {"a": {"c": []}}),
    (["f.g.h"], {"f": "g"}),
    (["nothing"], {}),
    (PayloadSelectorInclude(["a.c[].d", "f"]), INCLUDED),
    ({"include": ["a.c[].d", "f"]}, INCLUDED),
    (theirs.PayloadSelectorInclude(include=["a.c[].d", "f"]), INCLUDED),
    (PayloadSelectorExclude(["a.c[].d", "f"]), EXCLUDED),
    ({"exclude": ["a.c[].d", "f"]}, EXCLUDED),
    ({"exclude": ["a.c.d", "f.g"]}, WHOLE),
    ({"exclude": ["a"]}, {"f": "g"}),
    (theirs.PayloadSelectorExclude(exclude=["a.c[].d", "f"]), EXCLUDED),
]


@pytest.mark.parametrize(("asked", "found"), PROJECTED, ids=repr)
def test_rule_21_with_payload(asked: Any, found: Any, col: Collection) -> None:
    fill(col, {1: WHOLE})
    record = col.get(1, with_payload=asked)
    assert record is not None
    assert record.payload == found
    assert col.retrieve([1], with_payload=asked)[0].payload == found
    assert col.scroll(with_payload=asked)[0][0].payload == found
    assert col.search([1, 0], with_payload=asked)[0].payload == found
    assert col.search_batch([[1, 0]], with_payload=asked)[0][0].payload == found
    assert payload(col) == WHOLE


@pytest.mark.parametrize("bad", ["a", 1, {"include": ["a"], "exclude": ["b"]}, {"includes": ["a"]}, [1]])
def test_rule_21_any_other_with_payload_is_an_error(bad: Any, col: Collection) -> None:
    for call in (col.scroll, lambda **asked: col.retrieve([1], **asked)):
        with pytest.raises(InvalidRequest, match=r"expected|has no"):
            call(with_payload=bad)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (True, {"image": [1, 2], "text": [3, 4, 5]}),
        (False, None),
        (["text"], {"text": [3, 4, 5]}),
        (("text", "image"), {"image": [1, 2], "text": [3, 4, 5]}),
        ("image", {"image": [1, 2]}),
    ],
)
def test_rule_21_with_vectors(asked: Any, found: Any, home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(1, {"image": [1, 2], "text": [3, 4, 5]}), PointStruct(2, {})])
    col = home.seen(col)
    records, _ = col.scroll(with_vectors=asked)
    assert [plain(record.vector) for record in records] == [found, None if found is None else {}]
    hit = col.search([1, 1], using="image", with_vectors=asked)[0]
    assert plain(hit.vector) == plain(col.retrieve([1], with_vectors=asked)[0].vector) == found


def test_rule_21_a_name_that_is_unknown_is_an_error(col: Collection) -> None:
    with pytest.raises(UnknownVector, match="got the vector 'text'"):
        col.scroll(with_vectors=["text"])
    with pytest.raises(InvalidType, match="expected"):
        col.retrieve([1], with_vectors=5)
