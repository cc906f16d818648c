"""What the parts of the conformance suite share: the fixtures, and short ways to fill a collection and look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vecstore.models import Distance, VectorParams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DOT = VectorParams(2, Distance.DOT)
NAMED = {"image": VectorParams(2, Distance.DOT), "text": VectorParams(3, Distance.EUCLID)}
UUID_TEXT = "936da01f-9abd-4d9d-80c7-02af85c822a8"


class Conformance:
    """The fixtures: ``make_collection`` is to be overridden, ``col`` and ``named`` are made by it."""

    @pytest.fixture
    def make_collection(self) -> Callable[[Any], Any]:
        """A function that makes an empty collection with the vectors it is given."""
        raise NotImplementedError("override the fixture make_collection: a function of vectors")

    @pytest.fixture
    def col(self, make_collection: Callable[[Any], Any]) -> Any:
        """An empty collection with one unnamed vector of 2 dimensions, compared by dot product."""
        return make_collection(DOT)

    @pytest.fixture
    def named(self, make_collection: Callable[[Any], Any]) -> Any:
        """An empty collection with the vectors ``image`` (2 dimensions) and ``text`` (3)."""
        return make_collection(NAMED)


def fill(col: Any, payloads: Mapping[Any, Any], vector: Any = (1.0, 0.0)) -> None:
    """A point for each payload, all with one vector."""
    col.upsert([{"id": i, "vector": list(vector), "payload": payload} for i, payload in payloads.items()]).result()


def contents(col: Any) -> dict[Any, tuple[Any, Any]]:
    """Payload and vectors of every point, by id."""
    records, _ = col.scroll(limit=10_000, with_vectors=True)
    return {record.id: (record.payload, plain(record.vector)) for record in records}


def payload(col: Any, point_id: Any = 1) -> Any:
    """The payload of one point."""
    return col.get(point_id).payload


def plain(vector: Any) -> Any:
    """A vector as a list, or named ones as a dict of lists."""
    if isinstance(vector, dict):
        return {name: row.tolist() for name, row in vector.items()}
    return None if vector is None else vector.tolist()


def ids(found: Any) -> list[Any]:
    """The ids of records or hits."""
    return [one.id for one in found]
