"""Hits of many queries as arrays: the same hits as in lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from vecstore import InvalidRequest, InvalidType, VectorParams

if TYPE_CHECKING:
    from collecting import Home

    from vecstore import Collection

UUID = "c56a4180-65aa-42ec-a945-5fd21dec0538"
QUERIES = [[1, 0], [0, 1], [-1, 0]]


def fill(col: Collection, ids: list[Any]) -> None:
    points = [{"id": i, "vector": [n, 1], "payload": {"n": n}} for n, i in enumerate(ids)]
    if points:
        col.upsert(points).result()


@pytest.mark.parametrize("ids", [[5, 2**64 - 1, 0], [5, UUID], [UUID], []], ids=str)
@pytest.mark.parametrize("limit", [1, 2, 10])
def test_arrays_hold_what_lists_hold(home: Home, ids: list[Any], limit: int) -> None:
    col = home.make()
    fill(col, ids)
    col = home.seen(col)
    lists = col.search_batch(QUERIES, limit=limit)
    found, scores = col.search_batch(QUERIES, limit=limit, as_arrays=True)
    assert found.shape == scores.shape == (3, min(limit, len(ids)))
    assert found.dtype == (object if UUID in found else np.uint64)
    assert scores.dtype == np.float32
    assert found.tolist() == [[hit.id for hit in hits] for hits in lists]
    assert scores.tolist() == [[hit.score for hit in hits] for hits in lists]


@pytest.mark.parametrize(("ids", "nothing"), [([1, 2, 3], 0), ([1, 2, UUID], None)])
def test_a_query_with_fewer_hits_is_filled_up(col: Collection, ids: list[Any], nothing: Any) -> None:
    fill(col, ids)
    found, scores = col.search_batch([[1, 0], [0, 1], [-1, 0]], score_threshold=0.5, as_arrays=True)
    assert found.tolist() == [[ids[2], ids[1], nothing], ids, [nothing] * 3]
    assert np.isnan(scores).tolist() == [[False, False, True], [False] * 3, [True] * 3]


def test_no_queries(col: Collection) -> None:
    fill(col, [1])
    found, scores = col.search_batch(np.empty((0, 2), np.float32), as_arrays=True)
    assert found.shape == scores.shape == (0, 0)


def test_filters_and_names_and_graphs(col: Collection, home: Home) -> None:
    named = home.make({"a": VectorParams(2, "Dot")})
    named.upsert([{"id": n, "vector": {"a": [n, 1]}, "payload": {"n": n}} for n in range(50)]).result()
    where = {"must": [{"key": "n", "range": {"lt": 20}}]}
    found, _ = named.search_batch([[1, 0]], using="a", filter=where, limit=3, offset=1, as_arrays=True)
    assert found.tolist() == [[18, 17, 16]]


@pytest.mark.parametrize("options", [{"with_vectors": True}, {"with_payload": ["n"]}])
def test_arrays_have_no_room_for_payloads_and_vectors(col: Collection, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="as_arrays"):
        col.search_batch(QUERIES, as_arrays=True, **options)


def test_as_arrays_is_a_bool(col: Collection) -> None:
    with pytest.raises(InvalidType, match="as_arrays as a bool, got str"):
        col.search_batch(QUERIES, as_arrays="yes")  # type: ignore[call-overload]
