"""What Qdrant's documentation shows can be pasted: every request of both generations is read."""

from __future__ import annotations

from typing import Any

import documentation
import pytest
from documentation import CLAUSES, FILTERS, FIRST_GENERATION, OPERATIONS, SCHEMAS, TODAY, UNSUPPORTED
from same import same

from vecstore.errors import InvalidRequest
from vecstore.filters import filter_to_json, parse_filter
from vecstore.operations import BatchUpdate, decode, encode
from vecstore.requests import (
    OMITTED,
    parse_batch,
    parse_clear_payload,
    parse_delete,
    parse_delete_payload,
    parse_delete_vectors,
    parse_overwrite_payload,
    parse_set_payload,
    parse_update_vectors,
    parse_upsert,
)
from vecstore.vectors import parse_vector_params

PARAMS = {name: parse_vector_params(vectors) for name, vectors in SCHEMAS.items()}


def calls(schema: str) -> dict[str, Any]:
    """The parser of the call that each operation is named after, with the whole body as its argument."""
    return {
        "upsert": lambda found: parse_upsert(found, PARAMS[schema]),
        "upsert_points": lambda found: parse_upsert(found, PARAMS[schema]),
        "update_vectors": lambda found: parse_update_vectors(found, PARAMS[schema]),
        "delete_vectors": lambda found: parse_delete_vectors(found, OMITTED, PARAMS[schema]),
        "set_payload": parse_set_payload,
        "overwrite_payload": parse_overwrite_payload,
        "delete_payload": parse_delete_payload,
        "clear_payload": parse_clear_payload,
        "delete": parse_delete,
        "delete_points": parse_delete,
    }


def titled(example: documentation.Example) -> str:
    return f"{example.name} ({next(iter(example.operation))})"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_operation_is_read_in_one_batch(schema: str) -> None:
    written = [documentation.setup(schema), *(e.operation for e in OPERATIONS if e.schema == schema)]
    batch = parse_batch(written, PARAMS[schema])
    assert isinstance(batch, BatchUpdate)
    assert len(batch.operations) == len(written)
    assert same(decode(encode(batch)), batch)


def test_every_example_is_among_them() -> None:
    assert sorted(OPERATIONS, key=str) == sorted(FIRST_GENERATION + TODAY, key=str)
    assert {e.schema for e in OPERATIONS} == SCHEMAS.keys()


@pytest.mark.parametrize("example", OPERATIONS, ids=titled)
def test_every_body_is_read_at_the_call_too(example: documentation.Example) -> None:
    ((name, body),) = example.operation.items()
    (in_batch,) = parse_batch([example.operation], PARAMS[example.schema]).operations
    call = calls(example.schema).get(name)
    if call is None:
        assert name.endswith("_by_filter")
        return
    assert same(call(body), in_batch)
    assert same(call(example.operation), in_batch)


def test_the_batch_of_all_operations_is_read_as_a_body() -> None:
    batch = parse_batch(documentation.WHOLE_BATCH, PARAMS["four"])
    assert [type(operation).__name__ for operation in batch.operations] == [
        "Upsert",
        "UpdateVectors",
        "DeleteVectors",
        "OverwritePayload",
        "SetPayload",
        "DeletePayload",
        "ClearPayload",
        "Delete",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "column-oriented",
        "record-oriented",
        "create point with payload",
        "quick start",
        "set payload",
        "delete payload keys",
        "clear payload",
        "clear payload by filter",
        "delete points by filter",
        "delete points",
    ],
)
def test_both_generations_say_the_same(name: str) -> None:
    both = [next(e for e in examples if e.name == name) for examples in (FIRST_GENERATION, TODAY)]
    first, today = (parse_batch([e.operation], PARAMS[e.schema]) for e in both)
    assert same(first, today)


@pytest.mark.parametrize("example", UNSUPPORTED, ids=titled)
def test_what_vecstore_has_not_is_refused(example: documentation.Example) -> None:
    with pytest.raises(InvalidRequest, match=r"^operations\[0\]: "):
        parse_batch([example.operation], PARAMS[example.schema])


@pytest.mark.parametrize(("name", "written"), FILTERS, ids=[name for name, _ in FILTERS])
def test_every_filter_is_read_and_comes_back(name: str, written: dict[str, Any]) -> None:
    found = parse_filter(written)
    assert filter_to_json(found).keys() == written.keys(), name
    assert parse_filter(filter_to_json(found)) == found


@pytest.mark.parametrize(("name", "today", "at_first"), CLAUSES, ids=[name for name, *_ in CLAUSES])
def test_filters_of_both_generations_say_the_same(name: str, today: Any, at_first: Any) -> None:
    assert parse_filter(today) == parse_filter(at_first), name
