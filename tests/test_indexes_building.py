"""Payload indexes come and go: built while writes go on, across reopening, asked for by filters, dropped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from collecting import DOT, Home, fill, ids

from vecstore import Collection, InvalidPath, InvalidRequest, InvalidType, PayloadSchemaType, PointNotFound, StoreFailed
from vecstore.engine import builder
from vecstore.operations import CreateIndex, DeleteIndex, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

ODD = {"must": {"key": "n", "match": {"value": 1}}}


def numbered(count: int) -> dict[Any, Any]:
    return {i: {"n": i % 2, "text": f"word{i % 7}"} for i in range(count)}


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.005)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 16 points, each a transaction of its own."""
    monkeypatch.setattr(builder, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(builder, "FIRST_CHUNK", 16)
    monkeypatch.setattr(builder, "IDLE_SECONDS", 0.0)


def test_an_index_is_created_listed_and_deleted(home: Home) -> None:
    col = home.make()
    fill(col, numbered(50))
    first = col.create_payload_index("n", "integer").result()
    second = col.create_payload_index("n", PayloadSchemaType.FLOAT).result()
    col.create_payload_index({"field_name": "text", "field_schema": {"type": "text", "tokenizer": "word"}}).result()
    assert second.operation_id == first.operation_id + 1
    col = home.seen(col)
    schema = col.info().payload_schema
    assert schema["n"].types == (PayloadSchemaType.INTEGER, PayloadSchemaType.FLOAT)
    assert (schema["text"].points, schema["text"].ready, schema["text"].automatic) == (50, True, False)
    col.delete_payload_index("n").result()
    col.delete_payload_index("n").result()
    col.delete_payload_index("nowhere").result()
    assert list(home.seen(col).info().payload_schema) == ["text"]


def test_an_index_made_again_has_nothing_of_the_one_before(col: Collection) -> None:
    fill(col, numbered(30))
    col.create_payload_index("n", "integer").result()
    col.delete_payload_index("n").result()
    fill(col, {i: {"n": 5} for i in range(30)})
    col.create_payload_index("n", "integer").result()
    assert (col.count(ODD), col.count({"must": {"key": "n", "match": {"value": 5}}})) == (0, 30)


def test_dropped_keys_are_taken_away(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecstore.storage.indexes.DROP_KEYS", 3)
    fill(col, {i: {"n": i} for i in range(50)})
    col.create_payload_index("n", "integer").result()
    store = col._engine.store
    col.delete_payload_index("n").result()
    wait_until(lambda: not col._engine._builder.unfinished)
    with store.environment.read() as txn:
        assert list(store.indexes.keys(txn, b"")) == []
        assert store.indexes.buckets(txn, b"\0", b"", b"\xff") == []


@pytest.mark.usefixtures("slow")
def test_writes_while_an_index_is_built_are_not_missed(col: Collection) -> None:
    fill(col, numbered(2000))
    created = col.create_payload_index("n", "integer")
    for i in range(0, 2000, 7):
        col.set_payload({"n": 1}, [i])
        col.delete([i + 1])
        col.upsert([{"id": i + 1, "vector": [1.0, 0.0], "payload": {"n": i % 3}}])
        col.upsert([{"id": 10_000 + i, "vector": [1.0, 0.0], "payload": {"n": 1}}])
    col.flush()
    during = col.count(ODD)
    created.result(timeout=30)
    assert col.info().payload_schema["n"].ready
    records, _ = col.scroll(limit=10_000)
    assert ids(col.scroll(ODD, limit=10_000)[0]) == [r.id for r in records if r.payload["n"] == 1]
    assert during == col.count(ODD)


@pytest.mark.usefixtures("slow")
def test_a_build_goes_on_after_reopening(disk: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    col = disk.make()
    fill(col, numbered(500))
    step = builder.IndexBuilder._step
    steps = []

    def some_steps(self: Any) -> None:
        if len(steps) < 5:
            steps.append(step(self))

    monkeypatch.setattr(builder.IndexBuilder, "_step", some_steps)
    monkeypatch.setattr(builder.IndexBuilder, "finish", lambda self: None)  # as if the process died
    col.create_payload_index("n", "integer")
    col.flush()
    wait_until(lambda: len(steps) == 5)
    half = col.info().payload_schema["n"]
    assert 0 < half.points < 500
    assert not half.ready
    col.close()
    monkeypatch.undo()
    with Collection(disk.path) as again:
        assert again.count(ODD) == 250
        wait_until(lambda: again.info().payload_schema["n"].ready)
        assert again.count(ODD) == 250


def test_closing_completes_a_creation(disk: Home) -> None:
    col = disk.make()
    fill(col, numbered(3000))
    created = col.create_payload_index("n", "integer")
    col.close()
    assert created.result(timeout=0).status == "completed"
    with Collection(disk.path, auto_index=False) as again:
        assert again.info().payload_schema["n"].ready


def test_a_failed_store_fails_a_creation(
    col: Collection, errors_logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(col, numbered(10))

    def put(*_: Any) -> None:
        raise OSError("no space")

    monkeypatch.setattr(col._engine.store.indexes, "put", put)
    with pytest.raises(StoreFailed, match=r"no space.*built when the collection is opened again"):
        col.create_payload_index("n", "integer").result(timeout=20)
    assert col.count(ODD) == 5
    wait_until(lambda: bool(errors_logged))
    errors_logged.clear()


AUTOMATIC = {
    "keyword": {"match": {"value": "x"}},
    "integer": {"match": {"any": [1, 2]}},
    "bool": {"match": {"value": True}},
    "float": {"range": {"gte": 0.5}},
    "datetime": {"range": {"gte": "2021-01-01"}},
    "geo": {"geo_radius": {"center": {"lon": 0, "lat": 0}, "radius": 5}},
    "text": {"match": {"phrase": "some words"}},
}


@pytest.mark.parametrize("kind", AUTOMATIC)
def test_the_first_filter_on_a_field_has_it_indexed(col: Collection, kind: str) -> None:
    fill(col, {i: {"a": {"b": [i]}} for i in range(1001)})
    col.count({"must_not": {"key": "a.b", **AUTOMATIC[kind]}})
    wait_until(lambda: "a.b" in (found := col.info().payload_schema) and found["a.b"].ready)
    made = col.info().payload_schema["a.b"]
    assert ([wanted.value for wanted in made.types], made.automatic) == ([kind], True)
    col.create_payload_index("a.b", kind).result()
    assert not col.info().payload_schema["a.b"].automatic


def test_when_filters_do_not_ask_for_indexes(tmp_path: Any) -> None:
    with Collection(tmp_path / "off", vectors=DOT, auto_index=False) as col:
        fill(col, numbered(1001))
        assert col.count(ODD) == 500
        col.flush()
        assert col.info().payload_schema == {}
    with Collection(tmp_path / "off") as col:
        col.delete([0]).result()
        col.count(ODD)  # 1,000 points are few
        col.flush()
        assert col.info().payload_schema == {}
        assert col._engine._builder._suggested == []


def test_filters_ask_for_so_many_fields(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "AUTOMATIC_FIELDS", 3)
    fill(col, numbered(1001))
    for name in "abcdef":
        col.count({"must": {"key": name, "is_null": True}})
    wait_until(lambda: len(col.info().payload_schema) == 3)
    col.create_payload_index("n", "integer").result()
    assert list(col.info().payload_schema) == ["a", "b", "c", "n"]


def test_a_deleted_index_is_not_asked_for_again(col: Collection) -> None:
    fill(col, numbered(1001))
    col.create_payload_index("n", "keyword").result()
    col.delete_payload_index("n").result()
    assert col.count(ODD) == 500
    col.flush()
    assert col._engine._builder._suggested == []
    assert col.info().payload_schema == {}


@pytest.mark.parametrize("kind", PayloadSchemaType)
def test_operations_come_back_from_the_log(kind: PayloadSchemaType) -> None:
    for operation in (CreateIndex("a[].b", kind), DeleteIndex("a[].b")):
        assert decode(encode(operation)) == operation


def test_an_atomic_batch_takes_its_entries_back(col: Collection) -> None:
    col.create_payload_index("n", "integer").result()
    fill(col, numbered(10))
    upsert = {"upsert": {"points": [{"id": 50, "vector": [1, 0], "payload": {"n": 1}}]}}
    with pytest.raises(PointNotFound):
        col.batch([upsert, {"delete": {"points": [1]}}, {"clear_payload": {"points": [99]}}]).result()
    assert ids(col.scroll(ODD)[0]) == [1, 3, 5, 7, 9]


def test_a_batch_taken_back_right_after_opening_leaves_no_vectors(disk: Home) -> None:
    col = disk.make()
    fill(col, {1: {}}, vector={})
    with Collection(disk.path) as col:
        col = disk.seen(col)
        upsert = {"upsert": {"points": [{"id": 2, "vector": [1, 0]}]}}
        with pytest.raises(PointNotFound):
            col.batch([upsert, {"clear_payload": {"points": [99]}}]).result()
        fill(col, {3: {}}, vector={})
        col.delete([3]).result()
        assert len(col) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("a", "string"), InvalidRequest, "expected the type of a payload index"),
        (("a", None), InvalidRequest, "expected the type of a payload index"),
        (("a",), InvalidType, "create_payload_index"),
        (({"field_name": "a"},), InvalidRequest, "expected the type"),
        (({"field_schema": "text"},), InvalidRequest, "expected 'field_name'"),
        (("a..b", "keyword"), InvalidPath, "payload path"),
        ((7, "keyword"), InvalidPath, "payload path"),
        (("a", {"type": "keyword", "tokenizer": "word"}), InvalidRequest, "has no 'tokenizer'"),
        (("a", {"type": "text", "tokenizer": "prefix"}), InvalidRequest, "'word'"),
        (("a", {"type": "text", "lowercase": False}), InvalidRequest, "lowercase"),
        (("a", {"type": "integer", "lookup": 1}), InvalidRequest, "true or false"),
        (("a", {"on_disk": True}), InvalidRequest, "expected 'type'"),
    ],
)
def test_wrong_requests(col: Collection, arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        col.create_payload_index(*arguments)
    assert col.info().payload_schema == {}


def test_wrong_arguments(tmp_path: Any, col: Collection) -> None:
    with pytest.raises(InvalidPath):
        col.delete_payload_index("a[")
    with pytest.raises(InvalidType, match="auto_index"):
        Collection(tmp_path / "x", vectors=DOT, auto_index=1)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()
