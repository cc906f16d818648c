"""What is fuzzed: each target makes of some bytes an input for one parser, and checks what comes out.

A target returns where the parser answered and what it answered is right; a ``VecstoreError`` of it is right, too. Any
other exception (also a warning: they are errors here) is a fault.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from same import same

from vecstore import (
    conditions,
    expressions,
    ids,
    operations,
    paths,
    payload_edits,
    payloads,
    requests,
    soundness,
    vectors,
)
from vecstore.bulk.header import parse_header
from vecstore.encoding import pack, unpack
from vecstore.errors import VecstoreError
from vecstore.filters import compile_filter, filter_to_json, parse_datetime, parse_filter
from vecstore.filters.datetimes import format_datetime
from vecstore.requests import OMITTED, read_bodies, reads
from vecstore.storage import journal
from vecstore.storage.catalog import CatalogStore
from vecstore.storage.meta import Meta, guarded

from .examples import (
    ENTRIES,
    FILTERS,
    HEADERS,
    IDS,
    LOGGED,
    OPERATIONS,
    PATHS,
    PAYLOADS,
    READS,
    SCHEMA,
    SCHEMAS,
    STORED,
    TIMES,
    VECTORS,
)
from .mutating import ANY, Choices, anything, changed, cut_up
from .values import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

PARAMS = SCHEMA["image"]


class Target(NamedTuple):
    """``share``: how many of a hundred inputs are for it."""

    run: Callable[[bytes], None]
    share: int


@dataclass
class Point:
    """What a filter is tried on."""

    payload: dict[str, Any] = field(default_factory=dict)
    key: bytes = ids.key_of(1)

    def has_vector(self, name: str) -> bool:
        return name == "image"


EVALUATED = {**vars(conditions), **vars(expressions), "inf": np.inf}
POINTS = [Point(payload) for payload in PAYLOADS]


def filters(data: bytes) -> None:
    choices = Choices(data)
    check_filter(changed(choices.of(FILTERS), choices), choices)


def packed_filters(data: bytes) -> None:
    choices = Choices(data)
    try:
        given = unpack(cut_up(pack(choices.of(FILTERS)), choices))
    except ValueError:
        return
    check_filter(given, choices)


def check_filter(given: Any, choices: Choices) -> None:
    found = parse_filter(given)
    assert type(compile_filter(found)(choices.of(POINTS))) is bool
    again = parse_filter(filter_to_json(found))
    assert again == found, (again, found)


def written_filters(data: bytes) -> None:
    """Expressions: what one prints is the Python that makes it."""
    choices = Choices(data)
    key = expressions.field(changed(choices.of(PATHS), choices))
    method, count = choices.of(METHODS)
    expression = getattr(key, method)(*(anything(choices, ANY) for _ in range(count)))
    if isinstance(expression, expressions.Expression):
        assert repr(eval(repr(expression), EVALUATED)) == repr(expression)


def payload_paths(data: bytes) -> None:
    choices = Choices(data)
    text = changed(choices.of(PATHS), choices)
    path = paths.parse_path(text)
    assert paths.parse_path(paths.format_path(path)) == path
    payload = choices.of(PAYLOADS)
    assert type(paths.values_at(payload, path)) is list
    payload_edits.merge(found := payloads.freeze_payload(payload), {"new": 1}, path)
    payload_edits.delete_path(found, path)
    payloads.pack_payload(found)


def point_ids(data: bytes) -> None:
    choices = Choices(data)
    given = changed(choices.of(IDS), choices)
    with suppress(VecstoreError):
        assert len(ids.point_id(given)) == 36
    if isinstance(given, list):
        found = ids.keys_of(given)
        assert ids.keys_of(ids.ids_of(found)) == found
        return
    key = ids.key_of(given)
    assert ids.key_of(ids.id_of(key)) == key
    assert ids.keys_of([given, given]) == [key, key]


def json_payloads(data: bytes) -> None:
    choices = Choices(data)
    packed = payloads.pack_payload(changed(choices.of(PAYLOADS), choices))
    assert payloads.pack_payload(payloads.unpack_payload(packed)) == packed


def datetimes(data: bytes) -> None:
    choices = Choices(data)
    text = changed(choices.of(TIMES), choices, PLAIN)
    moment = parse_datetime(text) if isinstance(text, str) else None
    assert moment is None or parse_datetime(format_datetime(moment)) == moment


def numbers(data: bytes) -> None:
    """Vectors."""
    choices = Choices(data)
    given = changed(choices.of(VECTORS), choices)
    read = vectors.as_vector if choices.byte() < 128 else vectors.as_matrix
    found = read(given, PARAMS, "it")
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert found.shape[-1] == PARAMS.size
    assert np.isfinite(vectors.normalised(found, PARAMS.distance)).all()


def writes(data: bytes) -> None:
    """Operations, as one of a batch and by its own call."""
    choices = Choices(data)
    given = changed(choices.of(OPERATIONS), choices)
    if choices.byte() < 96:
        check_operation(requests.parse_batch([given], SCHEMA))
    elif isinstance(given, dict) and len(given) == 1:
        [(name, body)] = given.items()
        if name in CALLS:
            check_operation(CALLS[name](body if choices.byte() < 128 else given))


def check_operation(found: Any) -> None:
    soundness.check(found, SCHEMA)
    again = operations.decode(operations.encode(found))
    assert same(again, found), (again, found)


def requests_to_read(data: bytes) -> None:
    choices = Choices(data)
    kind, example = choices.of(READS)
    QUESTIONS[kind](changed(example, choices))


def _searched(given: Any) -> None:
    found = read_bodies.search_body(given)
    if found is not None:
        rest = {name: found.get(name) for name in ("filter", "score_threshold", "params")}
        limits = found.get("limit", 10), found.get("offset", 0)
        question = reads.parse_question(
            SCHEMA, found.get("using", "image"), rest["filter"], *limits, *[*rest.values()][1:]
        )
        reads.parse_names(found.get("with_vectors"), SCHEMA)
        payload_edits.parse_with_payload(found.get("with_payload"))
        if not reads.is_id(found["vector"]):
            reads.parse_query(found["vector"], SCHEMA[question.name], question.name)
            reads.parse_queries([found["vector"]] * 2, SCHEMA[question.name], question.name)


def _scrolled(given: Any) -> None:
    found = read_bodies.scroll_body(given) or {}
    reads.parse_count(found.get("limit", 1), "limit", 1)
    reads.parse_start(found.get("offset"))
    if "order_by" in found:
        reads.parse_order(found["order_by"])
    project = payload_edits.parse_with_payload(found.get("with_payload"))
    if project is not None:
        for payload in PAYLOADS:
            payloads.pack_payload(project(payload))


def collections(data: bytes) -> None:
    """The parameters of vectors, and what the header of a file says of a collection."""
    choices = Choices(data)
    if choices.byte() < 128:
        found = vectors.parse_vector_params(changed(choices.of(SCHEMAS), choices))
        again = {n: {"size": p.size, "distance": p.distance, "hnsw": p.hnsw} for n, p in found.items()}
        assert vectors.parse_vector_params(again) == found
    else:
        parse_header(Path("file"), changed(choices.of(HEADERS), choices, PLAIN))


def logged(data: bytes) -> None:
    """Values of the log: what can be read is an operation that could have been written."""
    choices = Choices(data)
    value = choices.of(LOGGED)
    value = cut_up(value, choices) if choices.byte() < 96 else _header_changed(value, choices)
    if value is not None:
        try:
            operation = operations.decode(value)
            soundness.check(operation, SCHEMA)
        except ValueError:
            return
        assert same(operations.decode(operations.encode(operation)), operation)


def _header_changed(value: bytes, choices: Choices) -> bytes | None:
    size = int.from_bytes(value[4:8], "little")
    with suppress(ValueError, OverflowError, TypeError):
        header = pack(changed(unpack(value[-size:]), choices, PLAIN))
        return value[:4] + len(header).to_bytes(4, "little") + value[8:-size] + header
    return None


def journalled(data: bytes) -> None:
    """Values of the journal."""
    choices = Choices(data)
    value = choices.of(ENTRIES)
    if choices.byte() < 96:
        value = cut_up(value, choices)
    else:
        numbers = np.frombuffer(value, dtype=np.uint32).copy()
        if len(numbers):
            numbers[choices.under(len(numbers))] = choices.byte() << choices.of((0, 0, 0, 8, 24))
        value = numbers.tobytes()
    row = journal.decode_row(value)
    try:
        found = journal.decode(value)
    except ValueError:
        assert row is None
        return
    assert row is None or same_changes([as_change(row)], found)
    assert same_changes(journal.decode(b"".join(journal.encode(found))), found)


def as_change(row: journal.Row) -> journal.Change:
    """An entry of one row as any other."""
    field, segment, first, slot, vector, *dead = row
    slots, none = np.array([slot], np.uint32), np.empty(0, np.uint32)
    dead_segments, dead_rows = [none if dead[0] is None else np.array([number], np.uint32) for number in dead]
    return journal.Change(field, segment, first, slots, vector[None], dead_segments, dead_rows)


def same_changes(one: list[journal.Change], other: list[journal.Change]) -> bool:
    def plain(change: journal.Change) -> list[Any]:
        return [getattr(change, name) for name in change.__slots__]

    return same([plain(change) for change in one], [plain(change) for change in other])


class Kept:
    """A transaction of a store that has one value."""

    def __init__(self, value: bytes) -> None:
        self.value = guarded(value)

    def get(self, name: bytes, *, db: object) -> bytes:
        return self.value


META, CATALOG = Meta(None, Path("file")), CatalogStore(None, Path("file"))  # type: ignore[arg-type]


def stored(data: bytes) -> None:
    """Values that say what the collection is: its vectors, the manifest, the payload indexes, numbers."""
    choices = Choices(data)
    kind, example = choices.of(STORED)
    try:
        value = cut_up(example, choices) if choices.byte() < 96 else pack(changed(unpack(example), choices, PLAIN))
    except (ValueError, OverflowError, TypeError):
        return
    KEPT[kind](Kept(value))


def _catalog(txn: Any) -> None:
    for index in CATALOG.read(txn).indexes:
        assert index.steps
        assert index.prefix


KEPT: dict[str, Callable[[Any], object]] = {
    "vectors": META.vectors,
    "manifest": META.manifest,
    "catalog": _catalog,
    "applied": lambda txn: META.number(txn, b"applied"),
}
QUESTIONS: dict[str, Callable[[Any], object]] = {
    "search": _searched,
    "scroll": _scrolled,
    "count": read_bodies.count_body,
    "retrieve": lambda given: requests.parse_ids((read_bodies.retrieve_body(given) or {}).get("ids", given)),
}
CALLS: dict[str, Callable[[Any], object]] = {
    "upsert": lambda found: requests.parse_upsert(found, SCHEMA),
    "update_vectors": lambda found: requests.parse_update_vectors(found, SCHEMA),
    "delete_vectors": lambda found: requests.parse_delete_vectors(found, OMITTED, SCHEMA),
    "set_payload": requests.parse_set_payload,
    "overwrite_payload": requests.parse_overwrite_payload,
    "delete_payload": requests.parse_delete_payload,
    "clear_payload": requests.parse_clear_payload,
    "delete": requests.parse_delete,
    "create_payload_index": requests.parse_create_index,
}
METHODS = [
    *((f"__{name}__", 1) for name in ("eq", "ne", "lt", "le", "gt", "ge")),
    *((name, 1) for name in ("any_of", "none_of", "text", "text_any", "phrase", "prefix", "substring", "nested")),
    *((name, 2) for name in ("between", "within_radius", "within_box", "within_polygon")),
]
"""What can be asked of a field, and of how many values it makes an expression."""

TARGETS: dict[str, Target] = {
    "filters": Target(filters, 12),
    "filters, packed": Target(packed_filters, 8),
    "filters, written": Target(written_filters, 4),
    "payload paths": Target(payload_paths, 10),
    "ids": Target(point_ids, 10),
    "payloads": Target(json_payloads, 10),
    "datetimes": Target(datetimes, 4),
    "vectors": Target(numbers, 6),
    "writes": Target(writes, 10),
    "reads": Target(requests_to_read, 8),
    "vector parameters and headers": Target(collections, 4),
    "log values": Target(logged, 6),
    "journal values": Target(journalled, 4),
    "other stored values": Target(stored, 4),
}
"""Every target by its name. The shares make a hundred."""
