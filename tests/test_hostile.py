"""Whatever is passed to a collection, the outcome is a value or a ``VecstoreError``, and the collection goes on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import contents, plain
from hypothesis import example, given, settings
from hypothesis import strategies as st
from long.examples import FILTERS, IDS, OPERATIONS, PATHS, PAYLOADS, READS, RED, SCHEMA, UUID_TEXT
from long.mutating import ANY, Choices, anything, changed
from long.values import OBJECTS
from profiles import times

from vecstore import AsyncCollection, Collection, UpdateFuture, UpdateResult, VecstoreError, field, point_id
from vecstore.ids import id_of, key_of
from vecstore.payloads import pack_payload, unpack_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BYTES = st.binary(min_size=2, max_size=40)
"""What chooses a call, an example, where it is changed, and into what."""
GIVEN = {1: PAYLOADS[1], 2: PAYLOADS[2], UUID_TEXT: {}}


@pytest.fixture(scope="module")
def col() -> Iterator[Collection]:
    """A collection that everything in a test is done to, one after the other."""
    with Collection(vectors=SCHEMA) as found:
        yield found


def refill(col: Collection) -> None:
    col.delete({"must": []})
    points = [{"id": i, "vector": {"image": [1, 2], "text": [1, 0, 0]}, "payload": p} for i, p in GIVEN.items()]
    col.upsert(points).result()


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, waited for; or the ``VecstoreError`` it ends in."""
    try:
        found = call()
        return found.result() if isinstance(found, UpdateFuture) else found
    except VecstoreError as error:
        return error


def check_contents(col: Collection) -> dict[Any, Any]:
    """Everything that is there is what may be there: ids, payloads, vectors."""
    found = contents(col)
    for point_id_, (payload, vector) in found.items():
        assert id_of(key_of(point_id_)) == point_id_
        assert unpack_payload(pack_payload(payload)) == payload
        assert all(np.isfinite(row).all() and len(row) == SCHEMA[name].size for name, row in vector.items())
    assert len(col) == len(found)
    return found


# Writes


@given(BYTES)
@settings(max_examples=times(200))
def test_a_changed_write_is_done_or_refused(col: Collection, data: bytes) -> None:
    choices = Choices(data)
    [(name, body)] = choices.of(OPERATIONS).items()
    refill(col)
    before, applied = check_contents(col), col.info().applied
    request = changed(body, choices)
    method = getattr(col, name) if choices.byte() < 128 else lambda found: col.batch([{name: found}])
    found = outcome(lambda: method(request))
    after = check_contents(col)
    if isinstance(found, VecstoreError):
        assert after == before
    else:
        results = found if isinstance(found, list) else [found]
        assert all(isinstance(result, UpdateResult) for result in results)
        assert col.info().applied == results[-1].operation_id > applied


@given(BYTES)
@settings(max_examples=times(100))
def test_a_changed_point_is_stored_as_it_was_given_or_not_at_all(col: Collection, data: bytes) -> None:
    choices = Choices(data)
    refill(col)
    before = check_contents(col)
    point = {"id": 7, "vector": {"image": [1, 2]}, "payload": PAYLOADS[2]}
    given_ = changed(point, choices)
    found = outcome(lambda: col.upsert([given_]))
    if isinstance(found, VecstoreError):
        assert contents(col) == before
        return
    was = given_ if isinstance(given_, dict) else vars(given_)
    record = col.retrieve([was["id"]], with_vectors=True)[0]
    assert record.id == id_of(key_of(was["id"]))
    assert record.payload == unpack_payload(pack_payload(was.get("payload")))
    expected = {name: np.asarray(row, dtype=np.float32).tolist() for name, row in was["vector"].items()}
    assert plain(record.vector).keys() == expected.keys()
    assert plain(record.vector).get("image") == expected.get("image")
    others = {i: one for i, one in contents(col).items() if i != record.id}
    assert others == {i: one for i, one in before.items() if i != record.id}


ARGUMENTS: dict[str, list[Any]] = {
    "upsert": [OPERATIONS[0]["upsert"]["points"]],
    "update_vectors": [OPERATIONS[4]["update_vectors"]["points"]],
    "delete_vectors": [["image"], [1]],
    "set_payload": [{"a": 1}, [1]],
    "overwrite_payload": [{"a": 1}, RED],
    "delete_payload": [["a.b"], [1, 2]],
    "clear_payload": [[1]],
    "delete": [RED],
    "batch": [OPERATIONS[1:3]],
    "create_payload_index": ["a.b", {"type": "keyword", "on_disk": True}],
    "delete_payload_index": ["a.b"],
    "retrieve": [[1, 2]],
    "get": [1],
    "__contains__": [1],
    "scroll": [RED],
    "count": [RED],
    "search": [[1, 2]],
    "search_batch": [[[1, 2], [3, 4]]],
    "explain": [[1, 2]],
    "upload": [OPERATIONS[0]["upsert"]["points"]],
}
"""The arguments of every method, as a user passes them."""
OPTIONS: dict[str, dict[str, Any]] = {
    "upsert": {"update_filter": RED, "update_mode": "upsert"},
    "update_vectors": {"update_filter": RED},
    "set_payload": {"key": "a.b"},
    "batch": {"atomic": True},
    "retrieve": {"with_payload": ["a"], "with_vectors": ["image"]},
    "get": {"with_payload": {"exclude": ["a"]}, "with_vectors": True},
    "scroll": {"limit": 2, "offset": None, "with_payload": True, "with_vectors": True, "order_by": "a"},
    "count": {"exact": True},
    "search": {"using": "image", "filter": RED, "limit": 3, "offset": 0, "score_threshold": 0.5, "with_vectors": True},
    "search_batch": {"using": "image", "limit": 3, "params": {"exact": True}, "as_arrays": False},
    "explain": {"using": "image", "params": {"hnsw_ef": 10}, "limit": 3},
    "upload": {"batch_size": 2, "skip": 0, "progress": False},
}


@given(BYTES)
@settings(max_examples=times(250))
def test_every_method_answers_or_refuses(col: Collection, data: bytes) -> None:
    choices = Choices(data)
    name = choices.of(list(ARGUMENTS))
    if col.info().points != len(GIVEN):
        refill(col)
    arguments, options = ARGUMENTS[name], OPTIONS.get(name, {})
    choice = choices.byte()
    if choice < 128 and options:
        option = choices.of(list(options))
        options = {**options, option: changed(options[option], choices)}
    elif choice < 160:
        arguments = [anything(choices, ANY), *arguments[1:]]
    else:
        at = choices.under(len(arguments))
        arguments = [*arguments[:at], changed(arguments[at], choices), *arguments[at + 1 :]]
    outcome(lambda: getattr(col, name)(*arguments, **options))
    assert outcome(lambda: col.upsert([{"id": 1, "vector": {"image": [1, 2]}}])).status == "completed"
    check_contents(col)


@given(BYTES)
@settings(max_examples=times(60))
def test_a_changed_body_of_a_read_is_answered_or_refused(col: Collection, data: bytes) -> None:
    choices = Choices(data)
    name, body = choices.of(READS)
    outcome(lambda: getattr(col, name)(changed(body, choices)))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_method_takes_what_the_others_are_made_of(name: str, col: Collection) -> None:
    """What is changed is right before: else nothing but the first check would be met."""
    options = {k: v for k, v in OPTIONS.get(name, {}).items() if name != "scroll" or k != "offset"}
    refill(col)
    assert not isinstance(outcome(lambda: getattr(col, name)(*ARGUMENTS[name], **options)), VecstoreError)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_object_there_is_as_the_first_argument(name: str, col: Collection) -> None:
    refill(col)
    for value in OBJECTS:
        outcome(lambda value=value: getattr(col, name)(value, *ARGUMENTS[name][1:]))
    refill(col)
    check_contents(col)


# Without a collection


@given(BYTES)
@settings(max_examples=times(60))
def test_names_and_fields_and_ids(data: bytes) -> None:
    choices = Choices(data)
    outcome(lambda: point_id(changed(choices.of(PATHS), choices)))
    outcome(lambda: point_id(anything(choices, ANY)))
    outcome(lambda: key_of(changed(choices.of(IDS), choices)))
    outcome(lambda: field(anything(choices, ANY)))
    outcome(lambda: field("a").nested(changed(choices.of(FILTERS), choices)))


@given(BYTES)
@example(b"\x00\xff\xff")
@settings(max_examples=times(60))
def test_a_collection_is_made_or_refused(data: bytes) -> None:
    choices = Choices(data)
    options = {"vectors": {"image": {"size": 2, "distance": "Dot"}}, "durability": "os", "auto_index": True}
    made = outcome(lambda: Collection(None, **changed({**options, "read_only": False}, choices_but_names(choices))))
    if isinstance(made, Collection):
        made.close()


def choices_but_names(choices: Choices) -> Choices:
    """Choices that go down one level first: another name would be another Python argument."""
    return Choices(bytes([0, 0, 0]) + bytes([choices.byte()]) + bytes(choices.byte() for _ in range(20)))


@pytest.mark.parametrize(
    "value", [value for value in OBJECTS if not isinstance(value, str | type)], ids=lambda v: type(v).__name__
)
def test_a_path_is_one_or_refused(value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (
        lambda: Collection(value),
        lambda: Collection(tmp_path / "new", vectors=value),
        lambda: Collection(tmp_path / "new", vectors={"size": 2, "distance": "Dot"}, durability=value),
        lambda: Collection.load(value),
    ):
        made = outcome(call)
        if isinstance(made, Collection):
            made.close()


@pytest.mark.parametrize("path", ["", "\0", "a\0b", "\ud800", "x" * 5000, "/dev/null", "/dev/null/x", "/proc/x"])
def test_a_path_that_cannot_be_is_refused(
    path: str, col: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (
        lambda: Collection(path, vectors={"size": 2, "distance": "Dot"}),
        lambda: Collection(path, read_only=True),
        lambda: Collection.load(path + ".jsonl", vectors={"size": 2, "distance": "Dot"}),
        lambda: col.snapshot(path),
    ):
        assert isinstance(outcome(call), VecstoreError)


def test_the_async_form_refuses_the_same() -> None:
    async def work() -> None:
        async with AsyncCollection(vectors=SCHEMA) as found:
            for value in OBJECTS:
                for name in ("upsert", "delete", "retrieve", "count", "search"):
                    with suppress(VecstoreError):
                        await getattr(found, name)(value)

    asyncio.run(work())
