"""The conformance suite, reading: retrieve, scroll, count, search, and what is returned of a point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from vecstore.errors import InvalidId, InvalidRequest, InvalidVector, PointNotFound, UnknownVector
from vecstore.models import Distance, PointStruct, VectorParams
from vecstore.testing.compare import assert_same_points
from vecstore.testing.conforming import UUID_TEXT, Conformance, fill, ids, plain
from vecstore.testing.points import random_points

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = {1: [3.0, 4.0], 2: [1.0, 0.0], 3: [-2.0, 1.0], 4: [0.0, 0.0], 5: [1.0, 0.0]}
BEST: dict[str, list[tuple[int, float]]] = {  # to [1, 0]
    "Dot": [(1, 3), (2, 1), (5, 1), (4, 0), (3, -2)],
    "Cosine": [(2, 1), (5, 1), (1, 0.6), (4, 0), (3, -2 / math.sqrt(5))],
    "Euclid": [(2, 0), (5, 0), (4, 1), (3, math.sqrt(10)), (1, math.sqrt(20))],
    "Manhattan": [(2, 0), (5, 0), (4, 1), (3, 4), (1, 6)],
}
PROJECTIONS: list[tuple[Any, Any]] = [
    (True, {"a": {"b": 1, "c": 2}, "l": [{"x": 1, "y": 2}], "n": None}),
    (False, None),
    (["a.b"], {"a": {"b": 1}}),
    (["l[].x", "n"], {"l": [{"x": 1}], "n": None}),
    ({"exclude": ["a.c", "l"]}, {"a": {"b": 1}, "n": None}),
    ({"include": ["a"]}, {"a": {"b": 1, "c": 2}}),
]


class ReadConformance(Conformance):
    """Every read."""

    def test_01_ids_are_in_order(self, col: Any) -> None:
        """Integers, then UUIDs."""
        other = "00000000-0000-0000-0000-000000000001"
        fill(col, {i: {} for i in (UUID_TEXT, 2**63, 2, other, 0, 255)})
        assert ids(col.scroll()[0]) == [0, 2, 255, 2**63, other, UUID_TEXT]

    def test_14_cosine_vectors_are_normalised(self, make_collection: Callable[[Any], Any]) -> None:
        """And read back so."""
        col = make_collection(VectorParams(2, Distance.COSINE))
        col.upsert([PointStruct(1, [3, 4]), PointStruct(2, [0, 0])]).result()
        first, second = col.retrieve([1, 2], with_vectors=True)
        assert plain(first.vector) == pytest.approx([0.6, 0.8])
        assert plain(second.vector) == [0, 0]

    def test_15_vectors_are_read_back_as_float32(self, col: Any) -> None:
        """An array, or a dict of them."""
        col.upsert([PointStruct(1, [0.1, 0.2])]).result()
        vector = col.get(1, with_vectors=True).vector
        assert vector.dtype == np.float32
        assert vector.tolist() == np.array([0.1, 0.2], dtype=np.float32).tolist()

    @pytest.mark.parametrize("distance", list(BEST))
    def test_16_scores_and_their_order(self, make_collection: Callable[[Any], Any], distance: str) -> None:
        """The best first, equal scores by the smaller id; with limit, offset and threshold."""
        col = make_collection(VectorParams(2, Distance(distance)))
        col.upsert([PointStruct(i, row) for i, row in ROWS.items()]).result()
        best = BEST[distance]
        for limit, offset in ((10, 0), (2, 0), (2, 1), (10, 5)):
            hits = col.search([1, 0], limit=limit, offset=offset)
            expected = best[offset : offset + limit]
            assert ids(hits) == [i for i, _ in expected]
            assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-6)
        strictly = [i for i, score in best if (score - 1) * (1 if best[0][1] > best[-1][1] else -1) > 1e-6]
        assert ids(col.search([1, 0], score_threshold=1)) == strictly
        assert [ids(hits) for hits in col.search_batch([[1, 0], [1, 0]], limit=3)] == [[i for i, _ in best[:3]]] * 2

    def test_16_a_search_by_id_leaves_that_point_out(self, col: Any) -> None:
        """A point that is not there is an error."""
        col.upsert([PointStruct(i, row) for i, row in ROWS.items()]).result()
        assert ids(col.search(2, limit=2)) == [1, 5]
        with pytest.raises(PointNotFound):
            col.search(99)

    def test_16_a_search_with_a_filter_finds_what_matches(self, col: Any) -> None:
        """As many as there are."""
        points = random_points(60, col, seed=7)
        col.upsert(points).result()
        red = [point for point in points if point.payload and point.payload["color"] == "red"]
        expected = sorted(red, key=lambda point: -float(np.dot(np.asarray(point.vector), [1, 2])))
        found = col.search([1, 2], filter={"must": [{"key": "color", "match": {"value": "red"}}]}, limit=100)
        assert ids(found) == [point.id for point in expected]

    @pytest.mark.parametrize("wrong", [[1], [1, 2, 3], [], "x", [1, None], [1, float("inf")]])
    def test_13_a_query_has_to_fit(self, col: Any, wrong: Any) -> None:
        """It raises at the call."""
        with pytest.raises((InvalidVector, InvalidId)):
            col.search(wrong)

    def test_13_a_name_has_to_be_there(self, named: Any) -> None:
        """The unnamed vector is not, where there are names."""
        named.upsert([{"id": 1, "vector": {"image": [1, 2]}}, {"id": 2, "vector": {"text": [1, 2, 3]}}]).result()
        assert ids(named.search([1, 2], using="image")) == [1]
        assert ids(named.search([1, 2, 3], using="text")) == [2]
        for name in ("", "x"):
            with pytest.raises(UnknownVector):
                named.search([1, 2], using=name)

    @pytest.mark.parametrize(("wanted", "expected"), PROJECTIONS)
    def test_21_what_is_returned_of_a_payload(self, col: Any, wanted: Any, expected: Any) -> None:
        """All, none, or some of it."""
        fill(col, {1: PROJECTIONS[0][1]})
        assert col.get(1, with_payload=wanted).payload == expected
        assert col.scroll(with_payload=wanted)[0][0].payload == expected
        assert col.search([1, 0], with_payload=wanted)[0].payload == expected

    def test_21_what_is_returned_of_vectors(self, named: Any) -> None:
        """All, none, or those that are named."""
        named.upsert([{"id": 1, "vector": {"image": [1, 2], "text": [1, 2, 3]}}]).result()
        assert named.get(1).vector is None
        assert plain(named.get(1, with_vectors=True).vector) == {"image": [1, 2], "text": [1, 2, 3]}
        assert plain(named.get(1, with_vectors=["image"]).vector) == {"image": [1, 2]}

    def test_22_pages(self, col: Any) -> None:
        """An offset is inclusive and need not be there; after the last page there is none."""
        fill(col, {i: {} for i in range(0, 12, 2)})
        page, offset = col.scroll(limit=4)
        assert (ids(page), offset) == ([0, 2, 4, 6], 8)
        assert [(ids(page), rest) for page, rest in [col.scroll(limit=4, offset=8)]] == [([8, 10], None)]
        assert [(ids(page), rest) for page, rest in [col.scroll(limit=2, offset=7)]] == [([8, 10], None)]
        with pytest.raises(InvalidRequest):
            col.scroll(limit=0)

    def test_23_in_the_order_of_a_field(self, col: Any) -> None:
        """Points without it are left out; one with several values is there for each."""
        fill(col, {1: {"n": 5}, 2: {"n": [1, 7, 7]}, 3: {}, 4: {"n": 2.5}, 5: {"n": "x"}, 6: {"n": 5}})
        found = [(record.id, record.order_value) for record in col.scroll(order_by="n")[0]]
        assert found == [(2, 1), (4, 2.5), (1, 5), (6, 5), (2, 7)]
        backwards, rest = col.scroll(order_by={"key": "n", "direction": "desc", "start_from": 5}, limit=2)
        assert sorted(ids(backwards)) == [1, 6]
        assert rest is None

    def test_24_retrieve_keeps_the_order_asked_for(self, col: Any) -> None:
        """Each point once, and those that are there."""
        fill(col, {1: {}, 2: {}, 3: {}})
        assert ids(col.retrieve([3, 99, 1, 3])) == [3, 1]
        assert col.get(99) is None

    def test_25_count(self, col: Any) -> None:
        """All points, or those that match."""
        fill(col, {1: {"a": 1}, 2: {"a": 2}, 3: {"a": 1}})
        assert col.count() == 3
        assert col.count({"must": [{"key": "a", "match": {"value": 1}}]}) == 2
        assert col.count(exact=False) >= 0

    def test_what_was_written_is_read_back(self, named: Any) -> None:
        """All of it, also after many changes."""
        points = random_points(200, named, seed=3, ids="mixed")
        named.upsert(points).result()
        assert_same_points(named, points)
        changed = random_points(200, named, seed=4, ids="mixed")[::2]
        named.upsert(changed).result()
        gone = [point.id for point in points[1:50:4]]
        named.delete(gone).result()
        kept = {point.id: point for point in [*points, *changed] if point.id not in gone}
        assert_same_points(named, kept.values())
