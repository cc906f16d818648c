"""Records whose payloads are decoded when they are looked at: nobody notices."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading
from typing import TYPE_CHECKING, Any

import pytest

from vecstore import Record, ScoredPoint, records

if TYPE_CHECKING:
    from collections.abc import Callable

    from vecstore import Collection

UUID = "c56a4180-65aa-42ec-a945-5fd21dec0538"


@pytest.fixture(autouse=True)
def points(col: Collection) -> None:
    col.upsert([{"id": 1, "vector": [1, 2], "payload": {"a": [1]}}, {"id": UUID, "payload": {"a": [2]}, "vector": {}}])
    col.flush()


READS: list[Callable[[Any], Any]] = [
    lambda col: col.get(1),
    lambda col: col.retrieve([1])[0],
    lambda col: col.scroll()[0][0],
    lambda col: col.search([1, 0])[0],
    lambda col: col.search_batch([[1, 0]])[0][0],
]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every payload that was decoded."""
    seen: list[bytes] = []
    unpack = records.unpack_payload
    monkeypatch.setattr(records, "unpack_payload", lambda data: [seen.append(data), unpack(data)][1])
    return seen


@pytest.mark.parametrize("read", READS)
def test_a_payload_is_decoded_once_and_only_if_somebody_looks(
    col: Collection, read: Callable[[Any], Any], decoded: list[bytes]
) -> None:
    record = read(col)
    assert record.id == 1
    assert decoded == []
    assert record.payload is record.payload == {"a": [1]}
    assert len(decoded) == 1


USES: list[Callable[[Any], Any]] = [
    repr,
    copy.copy,
    copy.deepcopy,
    lambda record: pickle.loads(pickle.dumps(record)),
    dataclasses.asdict,
    dataclasses.replace,
    lambda record: record == Record(1, {"a": [1]}),
    lambda record: hasattr(record, "payload"),
    lambda record: getattr(record, "other", None),
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("read", [READS[0], READS[3]])
@pytest.mark.parametrize("options", [{}, {"with_payload": ["a"]}, {"with_payload": False}])
def test_an_unread_record_is_like_a_plain_one(
    col: Collection, use: Callable[[Any], Any], read: Callable[[Any], Any], options: dict[str, Any]
) -> None:
    payload = None if "with_payload" in options and not options["with_payload"] else {"a": [1]}
    kind = Record if read is READS[0] else ScoredPoint
    unread = col.get(1, **options) if kind is Record else col.search([1, 0], **options)[0]
    plain = Record(1, payload) if kind is Record else ScoredPoint(1, 1.0, payload)
    assert use(unread) == use(plain)
    assert unread == plain


def test_a_payload_can_be_set_before_anybody_looks(col: Collection, decoded: list[bytes]) -> None:
    record = col.retrieve([1])[0]
    record.payload = {"mine": 1}
    assert record == pickle.loads(pickle.dumps(record)) == Record(1, {"mine": 1})
    assert decoded == []


def test_threads_that_look_together_see_one_payload(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    both, seen = threading.Barrier(2), []
    unpack = records.unpack_payload
    monkeypatch.setattr(records, "unpack_payload", lambda data: [both.wait(10), unpack(data)][1])
    record = col.retrieve([1])[0]
    threads = [threading.Thread(target=lambda: seen.append(record.payload)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] is seen[1] is record.payload


def test_what_was_read_can_be_written(col: Collection) -> None:
    both = col.scroll(with_vectors=True)[0]
    col.clear_payload([1, UUID]).result()
    col.upsert([record for record in both if record.id == 1]).result()
    assert col.get(1) == Record(1, {"a": [1]})
    assert col.get(UUID) == Record(UUID, {})


def test_what_a_record_has_not_is_an_error_that_names_it(col: Collection) -> None:
    with pytest.raises(AttributeError, match="'Record' object has no attribute 'paylod'"):
        col.retrieve([1])[0].paylod  # type: ignore[attr-defined]  # noqa: B018
