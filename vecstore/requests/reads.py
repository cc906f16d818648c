"""Reads: what to find, in which order, how many, and what of it to return."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from vecstore.errors import InvalidRequest, InvalidType
from vecstore.filters import microseconds_of, parse_datetime, parse_filter
from vecstore.ids import key_of
from vecstore.limits import MAX_EF
from vecstore.models import Direction
from vecstore.paths import parse_path
from vecstore.questions import Order, Question
from vecstore.requests.bodies import LISTS, body, present, strings
from vecstore.shapes import describe, is_integer, member_of, only, shown
from vecstore.vectors import as_matrix, as_vector, known, label, normalised

if TYPE_CHECKING:
    from vecstore.models import Array, VectorParams
    from vecstore.vectors import Schema


def parse_count(value: object, what: str, least: int) -> int:
    """A limit or an offset: an integer of at least ``least``. Raises ``InvalidRequest``."""
    if type(value) is not int and not is_integer(value):
        raise InvalidType(f"expected {what} as an integer, got {describe(value)}")
    if value < least:
        raise InvalidRequest(f"expected {what} of at least {least}, got {shown(value)}")
    return int(value)


def parse_names(with_vectors: object, schema: Schema) -> tuple[str, ...]:
    """The names of the vectors to return: all, none, or the ones that are listed. Raises ``InvalidRequest``."""
    if with_vectors is None or isinstance(with_vectors, bool | np.bool_):
        return tuple(schema) if with_vectors else ()
    if isinstance(with_vectors, list | tuple) and not with_vectors:
        return ()
    names = strings(with_vectors, "the vectors to return")
    for name in names:
        known(schema, name)
    return tuple(names)


def parse_order(value: object) -> Order:
    """The order of a scroll: a payload key, or an ``OrderBy``. Raises ``InvalidRequest``."""
    if isinstance(value, str):
        return Order(parse_path(value), Direction.ASC, None)
    found = body(value, "order_by", frozenset({"direction", "key", "start_from"}))
    if "key" not in found:
        raise InvalidRequest("expected order_by with a key")
    return Order(parse_path(found["key"]), _direction(found.get("direction")), _start(found.get("start_from")))


def _direction(value: object) -> Direction:
    if value is None:
        return Direction.ASC
    found = member_of(Direction, value)
    if found is None:
        raise InvalidRequest(f"expected a direction (asc, desc), got {describe(value)}")
    return found


def _start(value: object) -> int | float | None:
    if value is None:
        return None
    moment = None
    if isinstance(value, date | np.datetime64):
        moment = microseconds_of(value)
    elif isinstance(value, str):
        moment = parse_datetime(value)
    if moment is not None:
        return moment
    if isinstance(value, float | np.floating) or is_integer(value):
        number = value.item() if isinstance(value, np.generic) else value
        if (size := _float(number)) is not None and math.isfinite(size):
            return number
    raise InvalidRequest(f"expected start_from as a number or a datetime, got {describe(value)}")


def is_id(value: object) -> bool:
    """Whether a query is the id of a point, and not a vector."""
    return type(value) not in LISTS and (isinstance(value, str | UUID) or is_integer(value))


def parse_query(value: object, params: VectorParams, name: str) -> Array:
    """A query vector as it is compared: float32, shape (size,). Raises ``InvalidVector``."""
    return normalised(as_vector(value, params, f"the query for {label(name)}"), params.distance)


def parse_queries(value: object, params: VectorParams, name: str) -> Array:
    """Query vectors as they are compared: float32, shape (n, size). Raises ``InvalidVector``."""
    rows = (
        value.shape[:1] if isinstance(value, np.ndarray) else (len(value),) if isinstance(value, list | tuple) else ()
    )
    if rows == (0,):
        return np.empty((0, params.size), dtype=np.float32)
    return normalised(as_matrix(value, params, f"the queries for {label(name)}"), params.distance)


def parse_question(
    schema: Schema, using: object, condition: object, limit: object, offset: object, threshold: object, params: object
) -> Question:
    """A search, without its query. Raises ``InvalidRequest``."""
    ef, exact = parse_params(params)
    distance = known(schema, using).distance
    assert isinstance(using, str)  # or it would not be known
    return Question(
        name=str.__str__(using),
        distance=distance,
        limit=parse_count(limit, "limit", 1),
        offset=parse_count(offset, "offset", 0),
        threshold=parse_threshold(threshold),
        condition=None if condition is None else parse_filter(condition),
        ef=ef,
        exact=exact,
    )


def parse_threshold(value: object) -> float | None:
    """A score, or None. Raises ``InvalidRequest``."""
    if value is None:
        return None
    if not isinstance(value, float | np.floating) and not is_integer(value):
        raise InvalidType(f"expected score_threshold as a number, got {describe(value)}")
    number = _float(value)
    if number is None or math.isnan(number):
        raise InvalidRequest(f"expected score_threshold as a number, got {'NaN' if number else describe(value)}")
    return number


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except OverflowError:  # an integer
        return None


def parse_params(value: object) -> tuple[int | None, bool]:
    """Beam and exactness of search parameters. Raises ``InvalidRequest``."""
    if value is None:
        return None, False
    found = present(value, "search parameters")
    if found.get("indexed_only") is False:  # as clients say that everything is to be searched, which it is
        found = {name: item for name, item in found.items() if name != "indexed_only"}
    only(found, frozenset({"exact", "hnsw_ef"}), "search parameters")
    exact = found.get("exact", False)
    if not isinstance(exact, bool):
        raise InvalidType(f"expected exact as a bool, got {describe(exact)}")
    ef = found.get("hnsw_ef")
    beam = None if ef is None else parse_count(ef, "hnsw_ef", 1)
    if beam is not None and beam > MAX_EF:
        raise InvalidRequest(f"expected hnsw_ef of 1 to {MAX_EF}, got {shown(ef)}")
    return beam, exact


def parse_start(offset: object) -> bytes | None:
    """The key a scroll begins at; None for the first. Raises ``InvalidId``."""
    return None if offset is None else key_of(offset)
