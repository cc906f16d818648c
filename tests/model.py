"""The model: what a collection has to be, as a dict of points and brute force in numpy.

Operations are dicts of today's REST form, ``{"upsert": {"points": [...]}}``. Nothing is refused half: ``apply``
returns the ids that are missing, and only a batch that is not atomic keeps what came before. No point is ever
changed in place, so copies are cheap and stay what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from model_payloads import Json, matches, merged, order_values, steps, without

Array: TypeAlias = npt.NDArray[np.float32]
Id: TypeAlias = int | str
Schema: TypeAlias = Mapping[str, tuple[int, str]]
"""Size and distance of each vector by name."""

LARGER_IS_BETTER = ("Cosine", "Dot")


@dataclass(frozen=True)
class Point:
    vectors: dict[str, Array] = field(default_factory=dict)
    payload: Json = field(default_factory=dict)


class Missing(Exception):
    def __init__(self, ids: list[Id]) -> None:
        self.ids = ids


def order(point_id: Id) -> tuple[int, Id]:
    """The order of ids: integers, then UUIDs, whose text sorts as their bytes do."""
    return (isinstance(point_id, str), point_id)


def stored(vector: Any, distance: str) -> Array:
    """A vector as it is kept."""
    array = np.array(vector, dtype=np.float32)
    length = np.sqrt((array * array).sum(dtype=np.float32))
    return array / length if distance == "Cosine" and length > 0 else array


class Model:
    """The points, and what may be asked of them."""

    def __init__(self, schema: Schema, points: Mapping[Id, Point] | None = None) -> None:
        self.schema = schema
        self.points: dict[Id, Point] = dict(points or {})

    def copy(self) -> Model:
        return Model(self.schema, self.points)

    # -- writes ----------------------------------------------------------------------------------------------

    def apply(self, operation: Json) -> list[Id] | None:
        """Do an operation; or, where points it needs are missing, nothing, and return their ids."""
        if "batch" in operation:
            return self._in_order(**operation["batch"])
        return self._in_order([operation], atomic=True)

    def _in_order(self, operations: list[Json], atomic: bool) -> list[Id] | None:
        before = dict(self.points)
        try:
            for operation in operations:
                [(kind, body)] = operation.items()
                WRITES[kind](self, body)
        except Missing as missing:
            if atomic:
                self.points = before
            return missing.ids
        return None

    def upsert(self, body: Json) -> None:
        before = dict(self.points)
        mode, wanted = body.get("update_mode", "upsert"), body.get("update_filter")
        for point in body["points"]:  # the last one of an id stays
            if self._takes(before, point["id"], mode, wanted):
                vectors = self._vectors(point["vector"])
                self.points[point["id"]] = Point(vectors, point.get("payload") or {})

    def _takes(self, before: dict[Id, Point], point_id: Id, mode: str, wanted: Json | None) -> bool:
        if mode == "insert_only":
            return point_id not in before
        if point_id not in before:
            return mode != "update_only"
        return wanted is None or self._matches(point_id, before[point_id], wanted)

    def _vectors(self, vector: Any) -> dict[str, Array]:
        named = vector if isinstance(vector, dict) else {"": vector}
        return {name: stored(v, self.schema[name][1]) for name, v in named.items()}

    def update_vectors(self, body: Json) -> None:
        ids = self._present([p["id"] for p in body["points"]])
        wanted = body.get("update_filter", {})
        chosen = {i for i in ids if self._matches(i, self.points[i], wanted)}
        for point in body["points"]:
            if point["id"] in chosen:
                old = self.points[point["id"]]
                vectors = {**old.vectors, **self._vectors(point["vector"])}
                self.points[point["id"]] = replace(old, vectors=vectors)

    def delete_vectors(self, body: Json) -> None:
        for i in self._selected(body):
            left = {name: v for name, v in self.points[i].vectors.items() if name not in body["vector"]}
            self.points[i] = replace(self.points[i], vectors=left)

    def set_payload(self, body: Json) -> None:
        path = steps(body.get("key") or "")
        self._edit(body, lambda payload: merged(payload, path, body["payload"]))

    def overwrite_payload(self, body: Json) -> None:
        self._edit(body, lambda _: body["payload"])

    def clear_payload(self, body: Json) -> None:
        self._edit(body, lambda _: {})

    def delete_payload(self, body: Json) -> None:
        def edit(payload: Json) -> Json:
            for key in body["keys"]:
                payload = without(payload, steps(key))
            return payload

        self._edit(body, edit)

    def _edit(self, body: Json, edit: Callable[[Json], Json]) -> None:
        for i in self._selected(body):
            self.points[i] = replace(self.points[i], payload=edit(self.points[i].payload))

    def delete(self, body: Json) -> None:
        for i in body["points"] if "points" in body else self.matching(body["filter"]):
            self.points.pop(i, None)

    def _selected(self, body: Json) -> list[Id]:
        return self._present(body["points"]) if "points" in body else self.matching(body["filter"])

    def _present(self, ids: list[Id]) -> list[Id]:
        ids = list(dict.fromkeys(ids))
        if missing := [i for i in ids if i not in self.points]:
            raise Missing(missing)
        return ids

    # -- reads -----------------------------------------------------------------------------------------------

    def _matches(self, point_id: Id, point: Point, wanted: Json) -> bool:
        return matches(wanted, point_id, point.payload, set(point.vectors))

    def matching(self, wanted: Json | None = None) -> list[Id]:
        """The points that match, in the order of their ids."""
        found = [i for i, point in self.points.items() if self._matches(i, point, wanted or {})]
        return sorted(found, key=order)

    def scroll(self, wanted: Json | None, limit: int, offset: Id | None) -> tuple[list[Id], Id | None]:
        """A page, and where the next one begins."""
        found = [i for i in self.matching(wanted) if offset is None or order(i) >= order(offset)]
        return found[:limit], found[limit] if len(found) > limit else None

    def ordered(self, wanted: Json | None, by: Json) -> list[tuple[Id, int | float]]:
        """Ids and values in the order of a payload key; downwards is upwards from its end."""
        down, start = by.get("direction") == "desc", by.get("start_from")
        rows = [(v, i) for i in self.matching(wanted) for v in order_values(self.points[i].payload, by["key"])]
        rows.sort(key=lambda row: (row[0], order(row[1])), reverse=down)
        return [(i, v) for v, i in rows if start is None or (v <= start if down else v >= start)]

    def ranked(self, name: str, query: Any, wanted: Json | None = None) -> list[tuple[Id, float]]:
        """All points that have a vector and match, with their scores, best first."""
        distance = self.schema[name][1]
        query = stored(query, distance)
        ids = [i for i in self.matching(wanted) if name in self.points[i].vectors]
        scored = [(i, score(query, self.points[i].vectors[name], distance)) for i in ids]
        sign = -1 if distance in LARGER_IS_BETTER else 1
        return sorted(scored, key=lambda row: (sign * row[1], order(row[0])))


def score(query: Array, vector: Array, distance: str) -> float:
    if distance in LARGER_IS_BETTER:
        return float((query * vector).sum(dtype=np.float32))
    difference = query - vector
    if distance == "Manhattan":
        return float(np.abs(difference).sum(dtype=np.float32))
    return float(np.sqrt((difference * difference).sum(dtype=np.float32)))


WRITES: dict[str, Callable[[Model, Json], None]] = {
    "upsert": Model.upsert,
    "update_vectors": Model.update_vectors,
    "delete_vectors": Model.delete_vectors,
    "set_payload": Model.set_payload,
    "overwrite_payload": Model.overwrite_payload,
    "delete_payload": Model.delete_payload,
    "clear_payload": Model.clear_payload,
    "delete": Model.delete,
}
