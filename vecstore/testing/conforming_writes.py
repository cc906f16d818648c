"""The conformance suite, writing: ids, upserts, vectors, payloads, selectors, batches."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import pytest

from vecstore.errors import (
    EmptyRequest,
    InvalidId,
    InvalidPayload,
    InvalidRequest,
    InvalidVector,
    PointNotFound,
    UnknownVector,
)
from vecstore.models import Batch, PointStruct
from vecstore.testing.conforming import UUID_TEXT, Conformance, contents, fill, payload

MISSING = {
    "update_vectors": lambda col: col.update_vectors([{"id": i, "vector": [5, 5]} for i in (1, 98, 99)]),
    "delete_vectors": lambda col: col.delete_vectors([""], [1, 98, 99]),
    "set_payload": lambda col: col.set_payload({"a": 2}, [1, 98, 99]),
    "overwrite_payload": lambda col: col.overwrite_payload({"a": 2}, [1, 98, 99]),
    "delete_payload": lambda col: col.delete_payload(["a"], [1, 98, 99]),
    "clear_payload": lambda col: col.clear_payload([1, 98, 99]),
}
MERGES: list[tuple[Any, Any, Any]] = [
    (None, {"b": 2}, {"a": {"x": 1}, "l": [{"y": 1}, 5], "b": 2}),
    (None, {"a": None}, {"l": [{"y": 1}, 5]}),
    (None, {"a": {"z": 1}}, {"a": {"z": 1}, "l": [{"y": 1}, 5]}),
    ("a", {"z": 1}, {"a": {"x": 1, "z": 1}, "l": [{"y": 1}, 5]}),
    ("a.b.c", {"z": 1}, {"a": {"x": 1, "b": {"c": {"z": 1}}}, "l": [{"y": 1}, 5]}),
    ("l[0]", {"z": 1}, {"a": {"x": 1}, "l": [{"y": 1, "z": 1}, 5]}),
    ("l[9]", {"z": 1}, {"a": {"x": 1}, "l": [{"y": 1}, 5]}),
    ("l[]", {"z": 1}, {"a": {"x": 1}, "l": [{"y": 1, "z": 1}, {"z": 1}]}),
]
DELETIONS: list[tuple[Any, Any]] = [
    (["a"], {"l": [{"y": 1, "w": 2}, 5]}),
    (["a.x", "nowhere.at.all"], {"a": {}, "l": [{"y": 1, "w": 2}, 5]}),
    (["l[].y"], {"a": {"x": 1}, "l": [{"w": 2}, 5]}),
    (["l[]"], {"a": {"x": 1}, "l": []}),
    (["l[0]"], {"a": {"x": 1}, "l": [{"y": 1, "w": 2}, 5]}),
]


class WriteConformance(Conformance):
    """Every write."""

    @pytest.mark.parametrize("wrong", [-1, 2**64, 1.0, True, "30", "x", None])
    def test_02_what_is_no_id(self, col: Any, wrong: Any) -> None:
        """An id is an unsigned integer of 64 bits or a UUID."""
        with pytest.raises(InvalidId):
            col.upsert([PointStruct(wrong, [1, 2])])
        assert contents(col) == {}

    def test_02_spellings_of_an_id(self, col: Any) -> None:
        """Every spelling of a UUID is one point, read back in lower case with hyphens."""
        spellings = [UUID_TEXT.upper(), UUID_TEXT.replace("-", ""), f"{{{UUID_TEXT}}}", f"urn:uuid:{UUID_TEXT}"]
        given: list[Any] = [UUID_TEXT, UUID(UUID_TEXT), *spellings]
        for number, spelled in enumerate(given):
            col.upsert([PointStruct(spelled, [number, 0])]).result()
        col.upsert(Batch(np.array([7, 2**64 - 1], dtype=np.uint64), [[0, 0], [0, 0]])).result()
        assert list(contents(col)) == [7, 2**64 - 1, UUID_TEXT]
        assert contents(col)[UUID_TEXT] == ({}, [5, 0])

    def test_04_an_upsert_replaces_the_whole_point(self, named: Any) -> None:
        """Vectors that are not given are gone, and so is the payload."""
        named.upsert([{"id": 1, "vector": {"image": [1, 2], "text": [1, 2, 3]}, "payload": {"a": 1}}]).result()
        named.upsert([{"id": 1, "vector": {"text": [4, 5, 6]}}]).result()
        assert contents(named) == {1: ({}, {"text": [4, 5, 6]})}

    def test_04_points_by_column(self, col: Any) -> None:
        """Columns are no different from records."""
        col.upsert(Batch([1, 2], np.array([[1, 2], [3, 4]]), [{"a": 1}, None])).result()
        col.upsert({"batch": {"ids": [3], "vectors": [[5, 6]], "payloads": [{"a": 3}]}}).result()
        assert contents(col) == {1: ({"a": 1}, [1, 2]), 2: ({}, [3, 4]), 3: ({"a": 3}, [5, 6])}

    def test_05_the_last_of_the_same_id_wins(self, col: Any) -> None:
        """Whole, not merged."""
        col.upsert([PointStruct(1, [1, 1], {"a": 1}), PointStruct(1, [2, 2], {"b": 2})]).result()
        assert contents(col) == {1: ({"b": 2}, [2, 2])}

    def test_06_a_point_may_have_no_vectors(self, col: Any) -> None:
        """It is counted and scrolled; a search does not find it."""
        col.upsert([PointStruct(1, {}), PointStruct(2, [1, 1])]).result()
        assert contents(col) == {1: ({}, {}), 2: ({}, [1, 1])}
        assert [hit.id for hit in col.search([1, 1])] == [2]
        assert col.count() == 2

    @pytest.mark.parametrize(
        ("mode", "condition", "found"),
        [
            (None, None, [9, 9, 9]),
            ("upsert", {"must": {"key": "v", "match": {"value": 1}}}, [9, 2, 9]),
            ("insert_only", None, [1, 2, 9]),
            ("update_only", None, [9, 9]),
            ("update_only", {"must": {"key": "v", "match": {"value": 1}}}, [9, 2]),
        ],
    )
    def test_07_conditional_upserts(self, col: Any, mode: Any, condition: Any, found: list[int]) -> None:
        """A filter and a mode say which points may be replaced, and which inserted."""
        fill(col, {1: {"v": 1}, 2: {"v": 2}})
        points = [PointStruct(i, [9, 9], {"v": 9}) for i in (1, 2, 3)]
        col.upsert(points, update_filter=condition, update_mode=mode).result()
        assert [held["v"] for held, _ in contents(col).values()] == found

    @pytest.mark.parametrize(
        ("wrong", "error"),
        [
            ([], EmptyRequest),
            ([PointStruct(2, [1, 2]), PointStruct(3, [1, 2, 3])], InvalidVector),
            ([PointStruct(2, [1, 2]), PointStruct(3, [])], InvalidVector),
            ([PointStruct(2, [1, 2]), PointStruct(3, [1, float("nan")])], InvalidVector),
            ([PointStruct(2, [1, 2]), PointStruct(3, {"nowhere": [1, 2]})], UnknownVector),
            ([PointStruct(2, [1, 2]), PointStruct(3, [1, 2], {"a": float("nan")})], InvalidPayload),
            ([PointStruct(2, [1, 2]), PointStruct(3, [1, 2], {"a": object()})], InvalidPayload),
            ([{"id": 2, "vector": [1, 2], "nothing": 1}], InvalidRequest),
        ],
    )
    def test_08_nothing_of_a_wrong_call_is_done(self, col: Any, wrong: Any, error: type[Exception]) -> None:
        """It raises at the call."""
        fill(col, {1: {"a": 1}})
        with pytest.raises(error):
            col.upsert(wrong)
        assert contents(col) == {1: ({"a": 1}, [1, 0])}

    def test_10_update_vectors_keeps_the_others(self, named: Any) -> None:
        """Of the same id and name the last one counts."""
        named.upsert([{"id": 1, "vector": {"image": [1, 2], "text": [1, 2, 3]}, "payload": {"a": 1}}]).result()
        news = [{"image": [3, 4]}, {"text": [7, 8, 9]}, {"image": [5, 6]}]
        named.update_vectors([{"id": 1, "vector": vector} for vector in news]).result()
        assert contents(named) == {1: ({"a": 1}, {"image": [5, 6], "text": [7, 8, 9]})}

    @pytest.mark.parametrize("call", MISSING.values(), ids=list(MISSING))
    def test_11_missing_points_are_all_named_and_nothing_is_done(self, col: Any, call: Any) -> None:
        """All or nothing."""
        fill(col, {1: {"a": 1}})
        with pytest.raises(PointNotFound) as raised:
            call(col).result()
        assert raised.value.ids == [98, 99]
        assert contents(col) == {1: ({"a": 1}, [1, 0])}

    def test_12_delete_vectors_leaves_the_points(self, named: Any) -> None:
        """It may be done again; a name that is not there is an error."""
        named.upsert([{"id": 1, "vector": {"image": [1, 2], "text": [1, 2, 3]}}]).result()
        for _ in range(2):
            named.delete_vectors(["image"], [1]).result()
            assert contents(named) == {1: ({}, {"text": [1, 2, 3]})}
        with pytest.raises(UnknownVector):
            named.delete_vectors(["nowhere"], [1])

    @pytest.mark.parametrize(("key", "given", "expected"), MERGES)
    def test_17_18_set_payload_merges(self, col: Any, key: Any, given: Any, expected: Any) -> None:
        """Top-level keys, or those at a path; a null removes its key."""
        fill(col, {1: {"a": {"x": 1}, "l": [{"y": 1}, 5]}})
        col.set_payload(given, [1], key=key).result()
        assert payload(col) == expected

    @pytest.mark.parametrize(("keys", "expected"), DELETIONS)
    def test_19_delete_payload_takes_paths(self, col: Any, keys: Any, expected: Any) -> None:
        """An element of an array is not deleted by its number."""
        fill(col, {1: {"a": {"x": 1}, "l": [{"y": 1, "w": 2}, 5]}})
        col.delete_payload(keys, [1]).result()
        assert payload(col) == expected

    def test_20_selectors(self, col: Any) -> None:
        """Ids, a filter, or a body of either; where both are given the ids count."""
        fill(col, {n: {"n": n} for n in range(1, 7)})
        two = {"must": [{"key": "n", "match": {"value": 2}}]}
        col.delete([1, 99]).result()
        col.delete(two).result()
        col.delete({"filter": {"must": [{"key": "n", "match": {"value": 3}}]}}).result()
        col.delete({"points": [4], "filter": {"must_not": [two]}}).result()
        assert list(contents(col)) == [5, 6]
        col.overwrite_payload({"m": 1}, [5]).result()
        col.clear_payload({"must": [{"key": "n", "match": {"value": 6}}]}).result()
        assert [held for held, _ in contents(col).values()] == [{"m": 1}, {}]
        nobody: list[Any] = [[], {}, {"points": []}]
        for wrong in nobody:
            with pytest.raises(InvalidRequest):
                col.delete(wrong)

    def test_26_a_batch_is_done_in_order(self, col: Any) -> None:
        """One result for each operation."""
        operations = [
            {"upsert": {"points": [{"id": 1, "vector": [1, 2], "payload": {"a": 1}}]}},
            {"set_payload": {"payload": {"b": 2}, "points": [1]}},
            {"upsert": {"points": [{"id": 2, "vector": [3, 4]}]}},
            {"delete": {"filter": {"must": [{"is_empty": {"key": "a"}}]}}},
        ]
        results = col.batch(operations).result()
        assert len(results) == 4
        assert contents(col) == {1: ({"a": 1, "b": 2}, [1, 2])}

    def test_26_a_batch_is_all_or_nothing_unless_it_is_said(self, col: Any) -> None:
        """``atomic=False`` leaves what came before the operation that failed."""
        operations = [{"upsert": {"points": [{"id": 1, "vector": [1, 2]}]}}, {"clear_payload": {"points": [99]}}]
        with pytest.raises(PointNotFound):
            col.batch(operations).result()
        assert contents(col) == {}
        with pytest.raises(PointNotFound):
            col.batch(operations, atomic=False).result()
        assert contents(col) == {1: ({}, [1, 2])}

    def test_27_operations_are_numbered(self, col: Any) -> None:
        """Each one higher than those before; completed when there is a result."""
        results = [col.upsert([PointStruct(1, [1, 2])]).result() for _ in range(5)]
        numbers = [result.operation_id for result in results]
        assert numbers == sorted(set(numbers))
        assert {result.status for result in results} == {"completed"}
