"""Two implementations of Qdrant's points that do what vecstore is told: its engine (Edge), its client's local mode.

Both take the REST dicts that the tests make, and return plain values: points as ``{id: (payload, vectors)}``, hits
as ``[(id, score)]``, rows of an order as ``[(id, value)]``.
"""

from __future__ import annotations

from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import qdrant_client
import qdrant_edge as edge
from qdrant_client import models
from test_filters_oracles import to_edge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model import Id, Schema

    Json = dict[str, Any]
    Points = dict[Id, tuple[Json, dict[str, list[float]]]]

EVERYTHING = 10_000
NUMBERS = count()


@cache
def client() -> qdrant_client.QdrantClient:
    """One for all: to make one takes as long as a history of writes."""
    return qdrant_client.QdrantClient(":memory:")


class Oracle(Protocol):
    def write(self, operation: Json) -> None: ...
    def points(self) -> Points: ...
    def page(self, wanted: Json, limit: int, offset: Id | None) -> tuple[list[Id], Id | None]: ...
    def payloads(self, ids: list[Id], selector: Json) -> list[tuple[Id, Json]]: ...
    def count(self, wanted: Json) -> int: ...
    def search(self, name: str, query: Any, wanted: Json, **options: Any) -> list[tuple[Id, float]]: ...
    def ordered(self, wanted: Json, by: Json) -> list[tuple[Id, int | float]]: ...


def _vectors(vector: Any) -> dict[str, list[float]]:
    return vector if isinstance(vector, dict) else {"": vector}


class Local:
    """A collection of ``QdrantClient(":memory:")``."""

    def __init__(self, schema: Schema) -> None:
        params = {n: models.VectorParams(size=s, distance=models.Distance(d)) for n, (s, d) in schema.items()}
        self._client, self._name = client(), str(next(NUMBERS))
        self._client.create_collection(self._name, vectors_config=params.get("", params))

    def close(self) -> None:
        self._client.delete_collection(self._name)

    def write(self, operation: Json) -> None:
        [(kind, body)] = operation.items()
        if kind == "upsert":
            # It takes the points one by one: the condition on the second of an id sees what the first one did. By
            # rule 7, and to Edge, all decisions are about the state before the call.
            body = {**body, "points": list({p["id"]: p for p in body["points"]}.values())}
        self._client.batch_update_points(self._name, [OPERATIONS[kind](**{kind: body})])

    def points(self) -> Points:
        records, _ = self._client.scroll(self._name, limit=EVERYTHING, with_vectors=True)
        return {r.id: (r.payload, _vectors(r.vector)) for r in records}

    def page(self, wanted: Json, limit: int, offset: Id | None) -> tuple[list[Id], Id | None]:
        records, rest = self._client.scroll(self._name, models.Filter(**wanted), limit=limit, offset=offset)
        return [r.id for r in records], rest

    def payloads(self, ids: list[Id], selector: Json) -> list[tuple[Id, Json]]:
        [(kind, keys)] = selector.items()
        made = models.PayloadSelectorInclude if kind == "include" else models.PayloadSelectorExclude
        found = self._client.retrieve(self._name, ids, with_payload=made(**{kind: keys}))
        return [(r.id, r.payload) for r in found]

    def count(self, wanted: Json) -> int:
        return self._client.count(self._name, models.Filter(**wanted)).count

    def search(self, name: str, query: Any, wanted: Json, **options: Any) -> list[tuple[Id, float]]:
        chosen = models.Filter(**wanted)
        found = self._client.query_points(self._name, query, using=name, query_filter=chosen, **options)
        return [(h.id, h.score) for h in found.points]

    def ordered(self, wanted: Json, by: Json) -> list[tuple[Id, int | float]]:
        records, _ = self._client.scroll(
            self._name, models.Filter(**wanted), limit=EVERYTHING, order_by=models.OrderBy(**by)
        )
        return [(r.id, r.order_value) for r in records]


OPERATIONS: dict[str, type] = {
    "upsert": models.UpsertOperation,
    "update_vectors": models.UpdateVectorsOperation,
    "delete_vectors": models.DeleteVectorsOperation,
    "set_payload": models.SetPayloadOperation,
    "overwrite_payload": models.OverwritePayloadOperation,
    "delete_payload": models.DeletePayloadOperation,
    "clear_payload": models.ClearPayloadOperation,
    "delete": models.DeleteOperation,
}


class Edge:
    """An Edge shard. It orders by fields that have an index alone: ``indexes``, key to type."""

    def __init__(self, path: Path, schema: Schema, indexes: dict[str, str]) -> None:
        params = {n: edge.EdgeVectorParams(size=s, distance=getattr(edge.Distance, d)) for n, (s, d) in schema.items()}
        config = edge.EdgeConfig(vectors=params.get("", params), wal_enabled=False)
        self._shard = edge.EdgeShard.create(str(path), config)
        for key, kind in indexes.items():
            kind = getattr(edge.PayloadSchemaType, kind)
            self._shard.update(edge.UpdateOperation.create_field_index(key, kind))

    def clear(self) -> None:
        self._shard.update(edge.UpdateOperation.delete_points_by_filter(edge.Filter()))

    def close(self) -> None:
        self._shard.close()

    def write(self, operation: Json) -> None:
        [(kind, body)] = operation.items()
        if kind == "clear_payload":  # after which Edge keeps the nulls that set_payload removes, and only then
            kind, body = "overwrite_payload", {**body, "payload": {}}
        self._shard.update(WRITES[kind](body))

    def points(self) -> Points:
        request = edge.ScrollRequest(limit=EVERYTHING, with_payload=True, with_vector=True)
        records, _ = self._shard.scroll(request)
        return {_id(r): (r.payload, _vectors(r.vector)) for r in records}

    def page(self, wanted: Json, limit: int, offset: Id | None) -> tuple[list[Id], Id | None]:
        request = edge.ScrollRequest(limit=limit, filter=to_edge(wanted), offset=offset)
        records, rest = self._shard.scroll(request)
        return [_id(r) for r in records], rest if rest is None or isinstance(rest, int) else str(rest)

    def payloads(self, ids: list[Id], selector: Json) -> list[tuple[Id, Json]]:
        [(kind, keys)] = selector.items()
        chosen = getattr(edge.PayloadSelector, kind.capitalize())(keys)
        return [(_id(r), r.payload) for r in self._shard.retrieve(ids, chosen, False)]

    def count(self, wanted: Json) -> int:
        return self._shard.count(edge.CountRequest(exact=True, filter=to_edge(wanted)))

    def search(self, name: str, query: Any, wanted: Json, **options: Any) -> list[tuple[Id, float]]:
        nearest = edge.Query.Nearest(query, using=name)
        found = self._shard.search(edge.SearchRequest(nearest, filter=to_edge(wanted), **options))
        return [(_id(h), h.score) for h in found]

    def ordered(self, wanted: Json, by: Json) -> list[tuple[Id, int | float]]:
        direction = edge.Direction.Desc if by.get("direction") == "desc" else edge.Direction.Asc
        order = edge.OrderBy(by["key"], direction, by.get("start_from"))
        request = edge.ScrollRequest(limit=EVERYTHING, filter=to_edge(wanted), order_by=order)
        return [(_id(r), r.order_value) for r in self._shard.scroll(request)[0]]


def _id(record: Any) -> Id:
    return record.id if isinstance(record.id, int) else str(record.id)


def _upsert(body: Json) -> Any:
    points = [edge.Point(p["id"], p["vector"], p.get("payload") or {}) for p in body["points"]]
    mode = MODES[body.get("update_mode", "upsert")]
    return edge.UpdateOperation.upsert_points(points, _filter(body.get("update_filter")), mode)


def _filter(wanted: Json | None) -> Any:
    return None if wanted is None else to_edge(wanted)


def _update_vectors(body: Json) -> Any:
    points = [edge.PointVectors(p["id"], p["vector"]) for p in body["points"]]
    return edge.UpdateOperation.update_vectors(points, _filter(body.get("update_filter")))


def _by_points_or_filter(kind: str, *names: str) -> Callable[[Json], Any]:
    """A write that takes its points, or a filter by another name, and then these fields of the body."""

    def make(body: Json) -> Any:
        rest = [body[name] for name in names if name in body]
        if "points" in body:
            return getattr(edge.UpdateOperation, kind)(body["points"], *rest)
        return getattr(edge.UpdateOperation, f"{kind}_by_filter")(to_edge(body["filter"]), *rest)

    return make


MODES = {
    "upsert": edge.UpdateMode.Upsert,
    "insert_only": edge.UpdateMode.InsertOnly,
    "update_only": edge.UpdateMode.UpdateOnly,
}
WRITES: dict[str, Callable[[Json], Any]] = {
    "upsert": _upsert,
    "update_vectors": _update_vectors,
    "delete_vectors": _by_points_or_filter("delete_vectors", "vector"),
    "set_payload": _by_points_or_filter("set_payload", "payload", "key"),
    "overwrite_payload": _by_points_or_filter("overwrite_payload", "payload"),
    "delete_payload": _by_points_or_filter("delete_payload", "keys"),
    "clear_payload": _by_points_or_filter("clear_payload"),
    "delete": _by_points_or_filter("delete_points"),
}
