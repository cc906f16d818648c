"""Rules 4 to 9, through the collection: what an upsert replaces, which points it touches, when it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import qdrant_client.models as theirs
from collecting import NAMED, NOTHING, UUID_TEXT, contents, fill, ids, payload

from vecstore import (
    Batch,
    EmptyRequest,
    FieldCondition,
    Filter,
    HasIdCondition,
    InvalidRequest,
    InvalidVector,
    MatchValue,
    PointStruct,
    UpdateMode,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

    from vecstore import Collection

IMAGE, TEXT = [1.0, 2.0], [3.0, 4.0, 5.0]


def test_rule_04_the_whole_point_is_replaced(home: Home) -> None:
    col = home.make(NAMED)
    both = {"image": IMAGE, "text": TEXT}
    col.upsert([PointStruct(i, both, {"a": 1, "b": {"c": 2}}) for i in (1, 2, 3, 4)])
    col.upsert([PointStruct(1, {"image": [7, 8]}, {"a": 2})])
    col.upsert([PointStruct(2, {"text": TEXT})])
    col.upsert(Batch([3], {"image": [[7, 8]]}))
    assert contents(home.seen(col)) == {
        1: ({"a": 2}, {"image": [7, 8]}),
        2: ({}, {"text": TEXT}),
        3: ({}, {"image": [7, 8]}),
        4: ({"a": 1, "b": {"c": 2}}, both),
    }


def test_rule_04_a_vector_that_is_gone_is_not_found(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(1, {"image": IMAGE, "text": TEXT}), PointStruct(2, {"image": IMAGE})])
    col.upsert([PointStruct(1, {"text": TEXT})])
    col = home.seen(col)
    assert ids(col.search(IMAGE, using="image")) == [2]
    assert ids(col.search(TEXT, using="text")) == [1]


def test_rule_04_a_null_is_kept(home: Home) -> None:
    col = home.make()
    col.upsert([PointStruct(1, [1, 2], {"a": None, "b": [None, {"c": None}]})])
    assert payload(home.seen(col)) == {"a": None, "b": [None, {"c": None}]}


def test_rule_05_the_last_of_the_same_id_wins_whole(home: Home) -> None:
    col = home.make(NAMED)
    points: list[Any] = [
        PointStruct(1, {"image": IMAGE, "text": TEXT}, {"a": 1}),
        PointStruct(2, {"image": IMAGE}, {"a": 2}),
        PointStruct(UUID_TEXT, {"text": TEXT}, {"a": 3}),
        PointStruct(1, {"image": [7, 8]}),
        PointStruct(UUID_TEXT.upper(), {"image": [9, 9]}, {"b": 3}),
    ]
    col.upsert(points)
    assert contents(home.seen(col)) == {
        1: ({}, {"image": [7, 8]}),
        2: ({"a": 2}, {"image": IMAGE}),
        UUID_TEXT: ({"b": 3}, {"image": [9, 9]}),
    }


def test_rule_05_in_columns_too(home: Home) -> None:
    col = home.make()
    col.upsert(Batch([1, 2, 1, 1], np.arange(8).reshape(4, 2), [{"a": 1}, {"a": 2}, {"a": 3}, None]))
    assert contents(home.seen(col)) == {1: ({}, [6, 7]), 2: ({"a": 2}, [2, 3])}


def test_rule_06_a_point_may_have_no_vectors(home: Home) -> None:
    col = home.make()
    col.upsert([PointStruct(1, {}, {"a": 1}), PointStruct(2, [1, 0]), PointStruct(3, [1, 1])])
    col.upsert([PointStruct(3, {})])
    col = home.seen(col)
    assert len(col) == 3
    assert contents(col) == {1: ({"a": 1}, {}), 2: ({}, [1, 0]), 3: ({}, {})}
    assert ids(col.search([1, 1])) == [2]
    assert [r.vector for r in col.retrieve([1], with_vectors=False)] == [None]


def test_rule_06_a_search_on_a_name_skips_points_without_it(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(1, {}), PointStruct(2, {"image": IMAGE}), PointStruct(3, {"text": TEXT})])
    col = home.seen(col)
    assert len(col) == 3
    assert ids(col.scroll()[0]) == [1, 2, 3]
    assert ids(col.search(IMAGE, using="image")) == [2]
    assert ids(col.search(TEXT, using="text")) == [3]


@pytest.mark.parametrize("empty", [[], (), np.empty(0), {"": []}])
def test_rule_06_an_empty_list_is_an_error(empty: Any, col: Collection) -> None:
    with pytest.raises(InvalidVector, match=r"expected .*2 numbers, got"):
        col.upsert([PointStruct(1, [1, 2]), PointStruct(2, empty)])
    assert len(col) == 0


GOOD = FieldCondition("state", match=MatchValue("good"))
FORMS: list[Any] = [
    Filter(must=[GOOD]),
    {"must": [{"key": "state", "match": {"value": "good"}}]},
    theirs.Filter(must=[theirs.FieldCondition(key="state", match=theirs.MatchValue(value="good"))]),
]
STATES = {1: {"state": "good"}, 2: {"state": "bad"}, 3: {}}
OLD = {id_: (payload_, [1, 0]) for id_, payload_ in STATES.items()}


def sent(*point_ids: int) -> list[PointStruct]:
    """Points to upsert, which all say that they are good now."""
    return [PointStruct(id_, [5, 5], {"state": "good", "new": True}) for id_ in point_ids]


def changed(*point_ids: int) -> dict[Any, Any]:
    """What there is after these points of ``sent`` were written."""
    return {**OLD, **{id_: ({"state": "good", "new": True}, [5, 5]) for id_ in point_ids}}


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({}, (1, 2, 3, 4)),
        ({"update_mode": "upsert"}, (1, 2, 3, 4)),
        ({"update_mode": "insert_only"}, (4,)),
        ({"update_mode": "update_only"}, (1, 2, 3)),
        ({"update_filter": FORMS[0]}, (1, 4)),
        ({"update_filter": FORMS[0], "update_mode": "upsert"}, (1, 4)),
        ({"update_filter": FORMS[0], "update_mode": "insert_only"}, (4,)),
        ({"update_filter": FORMS[0], "update_mode": "update_only"}, (1,)),
        ({"update_filter": NOTHING, "update_mode": "insert_only"}, (4,)),
        ({"update_filter": NOTHING}, (4,)),
        ({"update_filter": {}, "update_mode": "update_only"}, (1, 2, 3)),
    ],
)
def test_rule_07_update_mode_and_update_filter(options: dict[str, Any], written: tuple[int, ...], home: Home) -> None:
    col = home.make()
    fill(col, STATES)
    col.upsert(sent(4, 3, 2, 1), **options)
    assert contents(home.seen(col)) == changed(*written)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", [UpdateMode.UPDATE_ONLY, theirs.UpdateMode.UPDATE_ONLY, "update_only"])
def test_rule_07_filter_and_mode_in_every_spelling(form: Any, mode: Any, col: Collection) -> None:
    fill(col, STATES)
    col.upsert({"points": sent(1, 2, 4), "update_filter": form, "update_mode": mode}).result()
    assert contents(col) == changed(1)


def test_rule_07_in_columns_and_with_some_of_the_vectors(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(1, {"image": IMAGE}, {"v": 1}), PointStruct(2, {"image": IMAGE}, {"v": 2})])
    vectors = {"image": [None, [7, 7], [8, 8]], "text": [TEXT, TEXT, None]}
    newer = {"must": [{"key": "v", "match": {"value": 1}}]}
    col.upsert(Batch([1, 2, 3], vectors, [{"v": 5}] * 3), update_filter=newer)
    assert contents(home.seen(col)) == {
        1: ({"v": 5}, {"text": TEXT}),
        2: ({"v": 2}, {"image": IMAGE}),
        3: ({"v": 5}, {"image": [8, 8]}),
    }


def test_rule_07_all_decisions_use_the_state_before_the_call(col: Collection) -> None:
    fill(col, {1: {"v": 1}, 2: {"v": 1}})
    points = [PointStruct(id_, [5, 5], {"v": version}) for id_, version in [(1, 2), (1, 3), (3, 1), (3, 9)]]
    col.upsert(points, update_filter={"must": [{"key": "v", "match": {"value": 1}}]}).result()
    assert [payload(col, id_) for id_ in (1, 2, 3)] == [{"v": 3}, {"v": 1}, {"v": 9}]
    col.upsert([PointStruct(7, [1, 1], {"v": 1}), PointStruct(7, [1, 1], {"v": 2})], update_mode="insert_only")
    col.upsert([PointStruct(8, [1, 1]), PointStruct(8, [1, 1])], update_mode="update_only").result()
    assert payload(col, 7) == {"v": 2}
    assert 8 not in col


def test_rule_07_a_filter_may_ask_for_ids_and_vectors(col: Collection) -> None:
    col.upsert([PointStruct(1, [1, 0]), PointStruct(2, {}), PointStruct(3, [1, 0])]).result()
    col.upsert(sent(1, 2, 3), update_filter={"must": [{"has_vector": ""}, {"has_id": [1, 2]}]}).result()
    assert [bool(payload(col, id_)) for id_ in (1, 2, 3)] == [True, False, False]


BAD_ENDS: list[Any] = [
    PointStruct(-1, [1, 1]),
    PointStruct("x", [1, 1]),
    PointStruct(3, [1, 1, 1]),
    PointStruct(3, [1, float("nan")]),
    PointStruct(3, ["a", "b"]),  # type: ignore[list-item]
    PointStruct(3, {"other": [1, 1]}),
    PointStruct(3, [1, 1], {"a": {1, 2}}),
    PointStruct(3, [1, 1], {"a": float("inf")}),
    {"id": 3},
    {"vector": [1, 1]},
    {"id": 3, "vector": [1, 1], "extra": 1},
    None,
]


@pytest.mark.parametrize("bad", BAD_ENDS, ids=repr)
def test_rule_08_nothing_of_a_bad_upsert_is_applied(bad: Any, col: Collection) -> None:
    fill(col, {1: {"a": 1}})
    before = contents(col)
    good = [PointStruct(1, [5, 5]), PointStruct(2, [5, 5])]
    with pytest.raises(InvalidRequest):
        col.upsert([*good, bad])
    with pytest.raises(InvalidRequest):
        col.batch([{"upsert": {"points": good}}, {"upsert": {"points": [bad]}}], atomic=False)
    col.flush()
    assert contents(col) == before


@pytest.mark.parametrize(
    "request_",
    [
        lambda col: col.upsert(Batch([1, 2], [[5, 5], [5, 5], [5, 5]])),
        lambda col: col.upsert(Batch([1, 2], [[5, 5], [5, 5]], [{}])),
        lambda col: col.upsert(Batch([1, 2], [[5, 5], [5, float("inf")]])),
        lambda col: col.upsert([PointStruct(1, [5, 5])], update_mode="replace"),
        lambda col: col.upsert([PointStruct(1, [5, 5])], update_filter={"key": "a"}),
        lambda col: col.set_payload({"a": {"b": [1, object()]}}, [1]),
        lambda col: col.set_payload({"a": 2}, [1], key="a..b"),
        lambda col: col.set_payload({"a": 2}, {"filter": {"must": [{"key": "a", "match": {"value": 1.5}}]}}),
        lambda col: col.overwrite_payload({"a": float("nan")}, [1]),
        lambda col: col.delete_payload(["a", "[]"], [1]),
        lambda col: col.update_vectors([{"id": 1, "vector": [5, 5]}, {"id": 1, "vector": [5]}]),
        lambda col: col.delete_vectors(["", "other"], [1]),
        lambda col: col.delete([1, "x"]),
        lambda col: col.clear_payload({"points": [1], "filter": {"oops": []}}),
        lambda col: col.batch([{"clear_payload": {"points": [1]}}, {"remove": {"points": [1]}}]),
    ],
)
def test_rule_08_nothing_of_any_bad_request_is_applied(request_: Callable[[Collection], Any], col: Collection) -> None:
    fill(col, {1: {"a": 1}})
    before = contents(col)
    with pytest.raises(InvalidRequest):
        request_(col)
    col.flush()
    assert contents(col) == before


EMPTY: dict[str, Callable[[Collection], Any]] = {
    "upsert": lambda col: col.upsert([]),
    "upsert, a body": lambda col: col.upsert({"points": []}),
    "upsert a batch": lambda col: col.upsert(Batch([], [])),
    "upsert an array": lambda col: col.upsert(Batch(np.empty(0, int), np.empty((0, 2)))),
    "update_vectors": lambda col: col.update_vectors([]),
    "delete_vectors": lambda col: col.delete_vectors([""], []),
    "delete_vectors of no name": lambda col: col.delete_vectors([], [1]),
    "set_payload": lambda col: col.set_payload({"a": 1}, []),
    "overwrite_payload": lambda col: col.overwrite_payload({"a": 1}, {"points": []}),
    "delete_payload": lambda col: col.delete_payload(["a"], []),
    "delete_payload of no key": lambda col: col.delete_payload([], [1]),
    "clear_payload": lambda col: col.clear_payload([]),
    "delete": lambda col: col.delete([]),
    "delete, an array": lambda col: col.delete(np.empty(0, int)),
    "batch": lambda col: col.batch([]),
    "retrieve": lambda col: col.retrieve([]),
}


@pytest.mark.parametrize("call", EMPTY.values(), ids=list(EMPTY))
def test_rule_09_an_empty_list_is_an_error(call: Callable[[Collection], Any], col: Collection) -> None:
    with pytest.raises(EmptyRequest, match=r"expected .*, got an empty list"):
        call(col)


@pytest.mark.parametrize("nothing", [NOTHING, {"filter": NOTHING}, Filter(must=[HasIdCondition([])])])
def test_rule_09_a_filter_that_matches_nothing_is_fine(nothing: Any, home: Home) -> None:
    col = home.make()
    fill(col, {1: {"a": 1}})
    before = contents(col)
    futures = [
        col.set_payload({"a": 2}, nothing),
        col.overwrite_payload({"a": 2}, nothing),
        col.delete_payload(["a"], nothing),
        col.clear_payload(nothing),
        col.delete_vectors("", nothing),
        col.delete(nothing),
    ]
    assert [future.result().status.value for future in futures] == ["completed"] * 6
    assert contents(home.seen(col)) == before
