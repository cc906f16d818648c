"""Several operations as one request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from vecstore.errors import EmptyRequest, InvalidRequest, InvalidType, RequestTooLarge
from vecstore.filters import parse_filter
from vecstore.limits import MAX_BATCH, MAX_OPERATION_BYTES
from vecstore.operations import BatchUpdate, ClearPayload, Delete, Single, size_of
from vecstore.requests.bodies import OMITTED, as_list, body, is_list, located, present, required
from vecstore.requests.payloads import (
    parse_clear_payload,
    parse_delete_payload,
    parse_overwrite_payload,
    parse_set_payload,
)
from vecstore.requests.points import parse_delete, parse_delete_vectors, parse_update_vectors, parse_upsert
from vecstore.shapes import describe, listed_names, shown
from vecstore.vectors import Schema

_Parser: TypeAlias = Callable[[Any, Schema], Single]

_PARSERS: dict[str, _Parser] = {
    "upsert": parse_upsert,
    "delete": lambda found, _: parse_delete(found),
    "set_payload": lambda found, _: parse_set_payload(found),
    "overwrite_payload": lambda found, _: parse_overwrite_payload(found),
    "delete_payload": lambda found, _: parse_delete_payload(found),
    "clear_payload": lambda found, _: parse_clear_payload(found),
    "update_vectors": parse_update_vectors,
    "delete_vectors": lambda found, schema: parse_delete_vectors(found, OMITTED, schema),
}

_FIRST_GENERATION: dict[str, _Parser] = {
    "upsert_points": parse_upsert,
    "delete_points": lambda found, _: parse_delete(found),
    "delete_points_by_filter": lambda found, _: Delete(parse_filter(found)),
    "clear_payload_by_filter": lambda found, _: ClearPayload(parse_filter(found)),
}


def parse_batch(operations: object, schema: Schema, atomic: object = True) -> BatchUpdate:
    """Operations in order: models, ``{"upsert": {...}}`` and the like, or a body with ``operations``.

    Raises ``InvalidRequest``, which says which operation is wrong.
    """
    if not isinstance(atomic, bool):
        raise InvalidType(f"expected atomic as True or False, got {describe(atomic)}")
    if not is_list(operations):
        found = body(operations, "the body of a batch", frozenset({"operations"}))
        operations = required(found, "operations", "the body of a batch")
    listed = list(as_list(operations, "operations"))
    if not listed:
        raise EmptyRequest("expected at least one operation, got an empty list")
    if len(listed) > MAX_BATCH:
        raise RequestTooLarge(f"expected a batch of at most {MAX_BATCH} operations, got {len(listed)}")
    return BatchUpdate(tuple(_singles(listed, schema)), atomic)


def _singles(listed: list[Any], schema: Schema) -> Iterator[Single]:
    size = 0
    for number, item in enumerate(listed):
        operation = _single(number, item, schema)
        size += size_of(operation)  # one payload may stand in any number of them
        if size > MAX_OPERATION_BYTES:
            raise RequestTooLarge(
                f"expected a batch of at most {MAX_OPERATION_BYTES} bytes, got more; send it in parts"
            )
        yield operation


def _single(number: int, operation: object, schema: Schema) -> Single:
    with located(f"operations[{number}]"):
        found = present(operation, "an operation")
        if len(found) != 1:
            came = listed_names(found) or "none"
            raise InvalidRequest(f"expected one operation such as {{'upsert': ...}}, got {came}")
        ((name, request),) = found.items()
        return _parser(name)(request, schema)


def _parser(name: str) -> _Parser:
    parser = _PARSERS.get(name) or _FIRST_GENERATION.get(name)
    if parser is None:
        raise InvalidRequest(f"there is no operation {shown(name)}; there are {', '.join(_PARSERS)}")
    return parser
