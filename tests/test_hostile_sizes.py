"""What is small and stands for more than there is memory or time for; and every limit, at it and one past it.

A case that was not refused in time would not end: the whole file runs with a bound on memory, in a process of its own.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from requesting import NAMED, TWO

from vecstore import (
    Batch,
    Collection,
    HasIdCondition,
    InvalidFilter,
    InvalidPath,
    InvalidPayload,
    InvalidRequest,
    InvalidVector,
    PointStruct,
    RequestTooLarge,
    VectorParams,
    limits,
)
from vecstore.filters import parse_filter
from vecstore.paths import parse_path
from vecstore.payloads import pack_payload, pack_payloads
from vecstore.requests import parse_batch, parse_ids, parse_upsert
from vecstore.requests.reads import parse_params, parse_queries
from vecstore.shapes import describe
from vecstore.vectors import parse_vector_params

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = 4 << 30
"""A process that asks for more than this is refused it. A third of it is what the libraries reserve."""

EVERYTHING = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
sys.path.insert(0, {str(Path(__file__).parent)!r})
from long.values import heavy
from test_hostile import ARGUMENTS, OPTIONS, outcome
from long.examples import SCHEMA
from vecstore import Collection, VecstoreError, point_id, field
from vecstore.filters import reading
from vecstore.requests import bodies
bodies.MAX_POINTS = reading.MAX_POINTS = 20_000  # as many as may be take their time
col = Collection(vectors=SCHEMA)
values = heavy()
for name, arguments in ARGUMENTS.items():
    if name != "upload":  # it takes any number, and never ends with an iterator that does not
        for value in values:
            outcome(lambda: getattr(col, name)(value, *arguments[1:]))
options = ["filter", "with_payload", "with_vectors", "limit", "offset", "using", "params", "score_threshold"]
for value in values:
    outcome(lambda: point_id(value)), outcome(lambda: field(value)), outcome(lambda: Collection(vectors=value))
    for option in options:
        outcome(lambda: col.search([1, 2], **{{"using": "image", option: value}}))
    for vector in (value, [value, 1], [1, value]):
        outcome(lambda: col.upsert([{{"id": 5, "vector": {{"image": vector}}, "payload": {{"a": value}}}}]))
    outcome(lambda: col.upsert([{{"id": 5, "vector": {{"image": [1, 2]}}, "payload": {{"a": value}}}}]))
    outcome(lambda: col.upsert({{"ids": value, "vectors": {{"image": value}}, "payloads": value}}))
    outcome(lambda: col.upsert({{"ids": [1], "vectors": {{"image": value}}}}))
    outcome(lambda: col.upsert({{"ids": [1], "vectors": {{"image": [[1, 2]]}}, "payloads": value}}))
    outcome(lambda: col.count({{"must": [{{"key": "a", "match": {{"any": value}}}}, {{"has_id": value}}]}}))
    outcome(lambda: col.count({{"must": [{{"has_id": value}}]}}))
assert col.upsert([{{"id": 1, "vector": {{"image": [1, 2]}}}}]).result().status == "completed"
print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="bounds memory as Linux does")
def test_nothing_heavy_takes_the_memory_or_does_not_end(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", EVERYTHING], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert found.stdout == "done\n", found.stderr[-3000:]


def deep(levels: int, key: str) -> Any:
    found: Any = {key: 1}
    for _ in range(levels - 1):
        found = {key: found}
    return found


def filters(levels: int) -> Any:
    found: Any = {"must": []}
    for _ in range(levels):
        found = {"must": [found]}
    return found


LIMITS: list[tuple[str, int, Callable[[int], Any], type[InvalidRequest]]] = [
    ("MAX_VECTOR_SIZE", 1, lambda n: VectorParams(n, "Dot"), InvalidRequest),
    ("MAX_NAME_LENGTH", 1, lambda n: parse_vector_params({"x" * n: NAMED["image"]}), InvalidRequest),
    ("MAX_DEPTH", 1, lambda n: pack_payload(deep(n, "a")), InvalidPayload),
    ("MAX_DEPTH", 1, lambda n: pack_payload({"a": (), **deep(n, "b")}), InvalidPayload),
    ("MAX_DEPTH", 1, lambda n: parse_filter(filters(n)), InvalidFilter),
    ("MAX_PAYLOAD_BYTES", 1, lambda n: pack_payload({"a": "x" * (n - 8)}), InvalidPayload),
    ("MAX_STEPS", 1, lambda n: parse_path(".".join(["a"] * n)), InvalidPath),
    ("MAX_PATH_LENGTH", 1, lambda n: parse_path("a" * n), InvalidPath),
    ("MAX_CONDITIONS", 1, lambda n: parse_filter({"must": [{"has_id": [1]}] * n}), InvalidFilter),
    ("MAX_EF", 1, lambda n: parse_params({"hnsw_ef": n}), InvalidRequest),
    ("MAX_BATCH", 1, lambda n: parse_batch([{"delete": {"points": [1]}}] * n, TWO), RequestTooLarge),
]


@pytest.mark.parametrize(
    ("name", "step", "call", "error"), LIMITS, ids=[f"{name}-{e.__name__}" for name, _, _, e in LIMITS]
)
def test_a_limit_is_where_it_says(
    name: str, step: int, call: Callable[[int], Any], error: type[InvalidRequest]
) -> None:
    limit = getattr(limits, name)
    call(limit)
    with pytest.raises(error) as raised:
        call(limit + step)
    assert str(limit) in str(raised.value)


def test_the_limits_on_many_are_where_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecstore.requests.bodies.MAX_POINTS", 3)
    for three in ([1, 2, 3], range(3), np.arange(3), iter([1, 2, 3]), {1, 2, 3}):
        assert len(parse_ids(three).keys) == 3
    for four in (
        [1, 2, 3, 4],
        range(4),
        range(10**30),
        np.arange(4),
        itertools.count(),
        itertools.repeat(1),
        {1, 2, 3, 4},
    ):
        with pytest.raises(RequestTooLarge, match="at most 3 ids"):
            parse_ids(four)
    with pytest.raises(RequestTooLarge, match="at most 3 points"):
        parse_upsert(itertools.repeat(PointStruct(1, [1, 2])), TWO)


def test_the_limit_on_bytes_of_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecstore.vectors.MAX_OPERATION_BYTES", 24)
    assert len(parse_upsert(Batch([1, 2, 3], np.ones((3, 2))), TWO).keys) == 3
    for read in (lambda m: parse_queries(m, TWO[""], ""), lambda m: parse_upsert(Batch(range(len(m)), m), TWO)):
        with pytest.raises(RequestTooLarge, match="at most 24 bytes of vectors, got 32"):
            read(np.broadcast_to(np.float32(1), (4, 2)))
    with pytest.raises(RequestTooLarge):
        parse_queries(np.broadcast_to(np.float32(1), (10**9, 2)), TWO[""], "")


def test_the_limit_on_bytes_of_payloads_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecstore.payloads.MAX_OPERATION_BYTES", 50)
    assert len(pack_payloads([{"a": "x" * 20}] * 2, 2)) == 2
    with pytest.raises(RequestTooLarge, match="at most 50 bytes of payloads"):
        pack_payloads([{"a": "x" * 20}] * 3, 3)
    with pytest.raises(InvalidRequest, match="each of the 3 points, got 4 or more"):
        pack_payloads(itertools.repeat({}), 3)
    one = {"set_payload": {"payload": {"a": "x" * 1000}, "points": [1]}}
    monkeypatch.setattr("vecstore.requests.batch.MAX_OPERATION_BYTES", 3000)
    assert len(parse_batch([one] * 2, TWO).operations) == 2
    with pytest.raises(RequestTooLarge, match="a batch of at most 3000 bytes"):
        parse_batch([one] * 3, TWO)


def test_the_limit_on_the_values_of_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = {"key": "a", "match": {"any": list(range(5))}}
    weight = 1 + 5 * 8  # the key and the integers
    monkeypatch.setattr("vecstore.filters.parse.MAX_FILTER_BYTES", 2 * weight)
    monkeypatch.setattr("vecstore.filters.parse._packed", lambda value: None)  # which remembers
    parse_filter({"must": [fits] * 2})
    for wrong in (fits, {"key": "a", "match": {"text": "x" * 30}}, {"has_id": [1, 2]}, {"has_vector": "x" * 20}):
        with pytest.raises(InvalidFilter, match=r"must\[2\].*: expected at most [0-9]+ bytes of values"):
            parse_filter({"must": [fits, fits, wrong]})
    monkeypatch.setattr("vecstore.filters.clauses.MAX_POLYGON_POINTS", 10)
    ring = {"points": [{"lon": x, "lat": y} for x, y in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))]}
    with pytest.raises(InvalidFilter, match="expected at most 10 points"):
        parse_filter({"must": [{"key": "a", "geo_polygon": {"exterior": ring, "interiors": [ring] * 3}}]})
    monkeypatch.setattr("vecstore.filters.reading.MAX_POINTS", 3)
    with pytest.raises(InvalidFilter, match="expected at most 3 values"):
        parse_filter(having(range(10**12)))


def having(ids: Any) -> Any:
    return {"must": [HasIdCondition(ids)]}


def test_one_list_in_many_places_counts_in_each_of_them() -> None:
    text = "x" * (limits.MAX_PAYLOAD_BYTES // 3)
    pack_payload({"a": [text] * 2, "b": (1,)})
    for payload in (
        {"a": [text] * 4},
        {"a": [[text] * 2] * 2, "b": (1,)},
        {"a": [{text: 1}] * 4},
        {"a": ({text: 1},) * 4},
    ):
        with pytest.raises(InvalidPayload, match="at most 16777216 bytes"):
            pack_payload(payload)


def test_a_copy_of_a_shared_list_is_right() -> None:
    inner = [(1, 2), {"x": (3,)}]
    assert pack_payload({"a": (inner, inner), "b": inner}) == pack_payload(
        {"a": [[[1, 2], {"x": [3]}], [[1, 2], {"x": [3]}]], "b": [[1, 2], {"x": [3]}]}
    )
    nearly: Any = (1,)
    for _ in range(40):
        nearly = (nearly,)
    pack_payload({"a": nearly})
    with pytest.raises(InvalidPayload, match="at most 64 levels"):
        pack_payload({"a": nearly, "b": deep(30, "c") | {"d": [[[[[[[[[[[[[[[[[[[[[[[[nearly]]]]]]]]]]]]]]]]]]]]]]]]}})


def test_every_limit_is_in_the_readme() -> None:
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    table = text.split("## Limits")[1].split("## ")[0]
    for name, value in vars(limits).items():
        if name.startswith("MAX_"):
            said = f"{value >> 20} MiB" if name.endswith("BYTES") else f"{value:,}"
            assert said in table, name


def test_a_message_is_short_whatever_it_is_about() -> None:
    shared: Any = [1]
    for _ in range(100):
        shared = [shared, shared]
    for value in (shared, {"a": shared}, PointStruct(shared, shared), 1 << 10**6, "x" * 10**7, {1: shared}, (shared,)):
        assert len(describe(value)) < 100
    assert describe((1,)) == "tuple (1,)"
    assert describe({"a": [1, "b"], "c": None}) == "dict {'a': [1, 'b'], 'c': None}"
    assert describe(PointStruct(1, [1, 2])) == "PointStruct PointStruct(id=1, vector=[1, 2], payload=None)"
    assert describe([]) == "list []"


def test_what_cannot_be_a_vector_name_is_refused() -> None:
    for name in ("\0", "a\0b", "x" * 256, "\ud800", "\n", 1, None, b"a"):
        with pytest.raises(InvalidRequest):
            Collection(vectors={name: VectorParams(2, "Dot")})


@pytest.mark.parametrize("name", ["../../x", "a/b", "/etc/x", "..", ".", "x" * 255, "a b", "é🙂"])
def test_no_vector_name_becomes_a_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecstore.engine.sealer.SEAL_BYTES", 1)
    home = tmp_path / "in" / "col"
    with Collection(home, vectors={name: VectorParams(2, "Dot")}) as col:
        col.upsert([PointStruct(1, {name: [1, 2]})]).result()
    with Collection(home) as col:
        assert [hit.id for hit in col.search([1, 2], using=name)] == [1]
        col.optimize()
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parts[:2] for path in files} == {("in", "col")}
    sealed = [path.name for path in files if path.parts[2] == "segments"]
    assert sealed
    assert all(re.fullmatch(r"\d{8}\.0\.(faiss|slots|graph)", found) for found in sealed)


def test_a_vector_that_is_lists_in_lists_is_refused_at_once() -> None:
    shared: Any = [1.0, 2.0]
    for _ in range(60):
        shared = [shared, shared]
    for vector in (shared, [shared, 1], [1, shared], [np.broadcast_to(np.float32(1), (10**9, 2))]):
        with pytest.raises(InvalidVector):
            parse_upsert([PointStruct(1, vector)], TWO)
