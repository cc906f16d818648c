"""Requests that write or delete points and vectors: upsert, update_vectors, delete_vectors, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from vecstore.errors import EmptyRequest, InvalidRequest, InvalidType, InvalidVector
from vecstore.filters import parse_filter
from vecstore.ids import keys_of
from vecstore.models import Batch, PointStruct, UpdateMode
from vecstore.operations import Column, Delete, DeleteVectors, UpdateVectors, Upsert
from vecstore.payloads import pack_payloads
from vecstore.requests.bodies import (
    OMITTED,
    as_list,
    body,
    is_list,
    once,
    present,
    required,
    strings,
    unwrapped,
    whole_body,
)
from vecstore.requests.columns import from_matrices, from_rows, merged, picked
from vecstore.requests.selectors import parse_selector, selected
from vecstore.shapes import describe, listed_names, member_of, only, shown
from vecstore.vectors import Schema, known

if TYPE_CHECKING:
    from vecstore.conditions import Filter

EXPECTED = "points, as a list of points, a Batch or the body of an upsert"
BODY = frozenset({"batch", "points", "update_filter", "update_mode"})
BATCH = frozenset({"ids", "payloads", "vectors"})
POINT = frozenset({"id", "payload", "vector"})
VECTORS_BODY = frozenset({"points", "update_filter"})
POINT_VECTORS = frozenset({"id", "vector"})
DELETE_VECTORS_BODY = frozenset({"filter", "points", "vector", "vectors"})

_Points: TypeAlias = tuple[list[bytes], dict[str, Column], list[bytes]]


def parse_upsert(points: object, schema: Schema, update_filter: object = None, update_mode: object = None) -> Upsert:
    """An upsert, from points one by one or side by side, or from a whole body. Raises ``InvalidRequest``."""
    if type(points) is Batch:  # to look at what it might be would take as long as all the rest, for a single point
        found = _side_by_side(points, schema)
    else:
        request = _upsert_request(unwrapped(points, "upsert", "upsert_points"))
        update_filter = once("update_filter", update_filter, request)
        update_mode = once("update_mode", update_mode, request)
        read = _side_by_side if "batch" in request else _one_by_one
        found = read(request.get("batch", request.get("points")), schema)
    return _last_of_each(Upsert(*found, _condition(update_filter), _mode(update_mode)))


def _upsert_request(points: object) -> dict[str, Any]:
    """Whatever was passed, as the body of an upsert: one of ``points`` and ``batch``, and the options."""
    if is_list(points):
        return {"points": points}
    found = present(points, EXPECTED)
    if "ids" in found:
        return {"batch": found}
    if "id" in found:
        raise InvalidType(f"expected a list of points, got a single one: write [{describe(points)}]")
    only(found, BODY, "the body of an upsert")
    if ("points" in found) == ("batch" in found):
        raise InvalidRequest(f"expected points or batch, got {'both' if found else 'neither'}")
    return found


def _condition(value: object) -> Filter | None:
    return None if value is None else parse_filter(value)


def _mode(value: object) -> UpdateMode:
    if value is None:
        return UpdateMode.UPSERT
    found = member_of(UpdateMode, value)
    if found is None:
        names = ", ".join(mode.value for mode in UpdateMode)
        raise InvalidRequest(f"expected an update_mode ({names}), got {describe(value)}")
    return found


def _side_by_side(batch: object, schema: Schema) -> _Points:
    found = _set_in(batch) if type(batch) is Batch else body(batch, "a batch", BATCH)
    keys = keys_of(as_list(required(found, "ids", "a batch"), "ids"))
    _check_any(keys, "ids")
    vectors = found.get("vectors", None if schema else {})
    if vectors is None:
        raise InvalidVector(f"expected vectors in a batch, got only {listed_names(found)}")
    return keys, from_matrices(vectors, len(keys), schema), pack_payloads(found.get("payloads"), len(keys))


def _set_in(batch: Batch) -> dict[str, Any]:
    fields = {"ids": batch.ids, "vectors": batch.vectors, "payloads": batch.payloads}
    return {name: value for name, value in fields.items() if value is not None}


def _one_by_one(points: object, schema: Schema) -> _Points:
    listed = list(as_list(points, "points"))
    _check_any(listed, "points")
    ids, vectors, payloads = zip(*map(_point, listed), strict=True)
    keys = keys_of(ids)
    filled = _filled(list(vectors), ids, schema)
    return keys, from_rows(filled, ids, schema), pack_payloads(payloads, len(keys))


def _check_any(found: list[Any], what: str) -> None:
    if not found:
        raise EmptyRequest(f"expected at least one of the {what}, got an empty list")


def _point(point: object) -> tuple[Any, Any, Any]:
    if type(point) is PointStruct:
        return point.id, point.vector, point.payload
    found = body(point, "a point", POINT)
    return required(found, "id", "a point"), found.get("vector"), found.get("payload")


def _filled(vectors: list[Any], ids: tuple[Any, ...], schema: Schema) -> list[Any]:
    """Every point says what its vectors are; only in a collection that has none this goes without saying."""
    for position, vector in enumerate(vectors):
        if vector is None and schema:
            raise InvalidVector(f"point {shown(ids[position])}: expected a vector (or {{}} for none), got None")
    return [{} if vector is None else vector for vector in vectors]


def _last_of_each(upsert: Upsert) -> Upsert:
    """The last of the points with the same id, whole."""
    keys = upsert.keys
    last = dict(zip(keys, range(len(keys)), strict=True))
    if len(last) == len(keys):
        return upsert
    kept = np.sort(np.fromiter(last.values(), dtype=np.int64, count=len(last)))
    return Upsert(
        [keys[i] for i in kept],
        picked(upsert.columns, kept, len(keys)),
        [upsert.payloads[i] for i in kept],
        upsert.update_filter,
        upsert.update_mode,
    )


def parse_update_vectors(points: object, schema: Schema, update_filter: object = None) -> UpdateVectors:
    """New vectors for existing points, from a list or from a whole body. Raises ``InvalidRequest``."""
    request = unwrapped(points, "update_vectors")
    if is_list(request):
        request = {"points": request}
    what = "the body of update_vectors"
    found = body(request, what, VECTORS_BODY)
    listed = list(as_list(required(found, "points", what), "points"))
    _check_any(listed, "points")
    ids, vectors = zip(*map(_point_vectors, listed), strict=True)
    keys = keys_of(ids)
    columns = from_rows(list(vectors), ids, schema)
    condition = _condition(once("update_filter", update_filter, found))
    return _merged_by_name(UpdateVectors(keys, columns, condition))


def _point_vectors(point: object) -> tuple[Any, Any]:
    found = body(point, "new vectors of a point", POINT_VECTORS)
    point_id = required(found, "id", "new vectors of a point")
    vector = required(found, "vector", f"new vectors of point {shown(point_id)}")
    if isinstance(vector, Mapping) and not vector:
        raise InvalidVector(f"point {shown(point_id)}: expected at least one vector, got {{}}")
    return point_id, vector


def _merged_by_name(update: UpdateVectors) -> UpdateVectors:
    """One entry for each id; of several vectors with one id and name the last."""
    order = {key: point for point, key in enumerate(dict.fromkeys(update.keys))}
    if len(order) == len(update.keys):
        return update
    targets = np.array([order[key] for key in update.keys], dtype=np.int64)
    return UpdateVectors(list(order), merged(update.columns, targets, len(order)), update.update_filter)


def parse_delete_vectors(vectors: object, points: object, schema: Schema) -> DeleteVectors:
    """Names of vectors and the points to take them from; or a whole body, and ``points`` is ``OMITTED``.

    Raises ``InvalidRequest``.
    """
    if points is not OMITTED:
        return DeleteVectors(_vector_names(vectors, schema), parse_selector(points))
    what = "the body of delete_vectors"
    found = whole_body(unwrapped(vectors, "delete_vectors"), what, DELETE_VECTORS_BODY, "points")
    if ("vector" in found) == ("vectors" in found):
        raise InvalidRequest("expected vector names once in the body of delete_vectors, as vector or as vectors")
    return DeleteVectors(_vector_names(found.get("vector", found.get("vectors")), schema), selected(found))


def _vector_names(names: object, schema: Schema) -> tuple[str, ...]:
    found = strings(names, "vector names")
    for name in found:
        known(schema, name)
    return tuple(found)


def parse_delete(points: object) -> Delete:
    """The points to delete, by ids or filter. Raises ``InvalidRequest``."""
    return Delete(parse_selector(unwrapped(points, "delete", "delete_points")))
