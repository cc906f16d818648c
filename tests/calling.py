"""Every way to call a write: a REST dict in, the call with models, columns or the whole body out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vecstore import Batch, FilterSelector, PointIdsList, PointStruct, PointVectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from vecstore import Collection, UpdateFuture

    Json = dict[str, Any]

FORMS = ("records", "columns", "body")


def call(col: Collection, operation: Json, form: str) -> UpdateFuture[Any]:
    """Do an operation in one of ``FORMS``; where there are no columns, as records."""
    [(kind, body)] = operation.items()
    if kind == "batch":
        return col.batch(**body)
    if form == "body":
        return getattr(col, kind)(body)
    return CALLS[kind](col, body, form)


def _upsert(col: Collection, body: Json, form: str) -> Any:
    points: Any = [PointStruct(**p) for p in body["points"]]
    if form == "columns" and len({type(p.vector) for p in points}) == 1:
        points = _columns(body["points"])
    return col.upsert(points, update_filter=body.get("update_filter"), update_mode=body.get("update_mode"))


def _columns(points: list[Json]) -> Batch:
    vectors: Any = [p["vector"] for p in points]
    if isinstance(vectors[0], dict):
        names = {name: None for v in vectors for name in v}
        vectors = {name: _column([v.get(name) for v in vectors]) for name in names}
    return Batch([p["id"] for p in points], vectors, [p.get("payload") for p in points])


def _column(rows: list[Any]) -> Any:
    return rows if None in rows else np.array(rows, dtype=np.float64)


def _points(body: Json, form: str) -> Any:
    """The selector of a body: ids, a filter, or a model of one. ``{}`` alone says too little to be a filter."""
    if form == "columns" or body.get("filter") == {}:
        return PointIdsList(body["points"]) if "points" in body else FilterSelector(body["filter"])
    return body.get("points", body.get("filter"))


CALLS: dict[str, Callable[[Collection, Json, str], Any]] = {
    "upsert": _upsert,
    "update_vectors": lambda col, body, _: col.update_vectors(
        [PointVectors(**p) for p in body["points"]], update_filter=body.get("update_filter")
    ),
    "delete_vectors": lambda col, body, form: col.delete_vectors(body["vector"], _points(body, form)),
    "set_payload": lambda col, body, form: col.set_payload(body["payload"], _points(body, form), key=body.get("key")),
    "overwrite_payload": lambda col, body, form: col.overwrite_payload(body["payload"], _points(body, form)),
    "delete_payload": lambda col, body, form: col.delete_payload(body["keys"], _points(body, form)),
    "clear_payload": lambda col, body, form: col.clear_payload(_points(body, form)),
    "delete": lambda col, body, form: col.delete(_points(body, form)),
}
