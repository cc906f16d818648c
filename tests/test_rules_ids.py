"""Rules 1 to 3, through the collection: what an id is, in which order ids are, and what a missing one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from collecting import UUID_TEXT, contents, fill, ids, payload

from vecstore import Batch, InvalidId, InvalidRequest, PointNotFound, PointStruct, VecstoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

    from vecstore import Collection

IN_ORDER = [
    0,
    2,
    10,
    255,
    256,
    2**32,
    2**63 - 1,
    2**63,
    2**64 - 1,
    "00000000-0000-0000-0000-000000000000",
    "00000000-0000-0000-0000-000000000001",
    "0f000000-0000-0000-0000-000000000000",
    "7fffffff-ffff-ffff-ffff-ffffffffffff",
    "f0000000-0000-0000-0000-000000000000",
]


def test_rule_01_integers_ascending_then_uuids_by_their_bytes(home: Home) -> None:
    col = home.make()
    fill(col, {point_id: {} for point_id in reversed(IN_ORDER)})
    col = home.seen(col)
    assert list(contents(col)) == IN_ORDER
    assert ids(col.search([1, 0], limit=20)) == IN_ORDER
    assert [id_ in col for id_ in IN_ORDER] == [True] * len(IN_ORDER)


@pytest.mark.parametrize("place", range(len(IN_ORDER)))
def test_rule_01_a_page_begins_at_its_id_in_that_order(place: int, col: Collection) -> None:
    fill(col, {point_id: {} for point_id in IN_ORDER if point_id != IN_ORDER[place]})
    found, _ = col.scroll(offset=IN_ORDER[place], limit=20)
    assert ids(found) == IN_ORDER[place + 1 :]


SPELLINGS: list[Any] = [
    UUID_TEXT,
    UUID_TEXT.upper(),
    UUID_TEXT.replace("-", ""),
    "936DA01f9abd4d9d80C702AF85C822a8",
    f"{{{UUID_TEXT}}}",
    f"urn:uuid:{UUID_TEXT}",
    f"URN:UUID:{UUID_TEXT.upper()}",
    UUID(UUID_TEXT),
]


def test_rule_02_all_spellings_of_a_uuid_are_one_point(home: Home) -> None:
    col = home.make()
    for number, spelling in enumerate(SPELLINGS):
        col.upsert([PointStruct(spelling, [1, 0], {"n": number})])
    col = home.seen(col)
    assert contents(col) == {UUID_TEXT: ({"n": len(SPELLINGS) - 1}, [1, 0])}
    for spelling in SPELLINGS:
        assert spelling in col
        assert ids(col.retrieve([spelling])) == [UUID_TEXT]
        assert col.count({"must": [{"has_id": [spelling]}]}) == 1
        assert ids(col.scroll(offset=spelling)[0]) == [UUID_TEXT]


def test_rule_02_spellings_collapse_within_a_call(col: Collection) -> None:
    col.upsert([PointStruct(spelling, [1, 0]) for spelling in SPELLINGS]).result()
    assert len(col) == 1
    assert len(col.retrieve(SPELLINGS)) == 1


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint8, np.uint64])
def test_rule_02_numpy_integers_are_integers(kind: Any, col: Collection) -> None:
    col.upsert([PointStruct(kind(7), [1, 0])])
    col.upsert(Batch(np.array([7, 8], kind), np.ones((2, 2)))).result()
    assert [(id_, type(id_)) for id_ in contents(col)] == [(7, int), (8, int)]
    assert ids(col.retrieve(np.array([8], kind))) == [8]
    assert kind(8) in col


def test_rule_02_the_largest_numpy_integer_is_an_id(col: Collection) -> None:
    largest = 2**64 - 1
    col.upsert(Batch(np.array([largest], np.uint64), [[1, 0]])).result()
    assert ids(col.retrieve(np.array([largest], np.uint64))) == [largest]


BAD_IDS: list[Any] = ["30", "", "a", UUID_TEXT[:-1], f" {UUID_TEXT}", -1, 2**64, 1.0, 1.5, True, None, b"1", (1,)]
BY_ID: dict[str, Callable[[Collection, Any], Any]] = {
    "upsert": lambda col, id_: col.upsert([PointStruct(1, [2, 2]), {"id": id_, "vector": [1, 1]}]),
    "upsert a batch": lambda col, id_: col.upsert(Batch([1, id_], [[2, 2], [1, 1]])),
    "update_vectors": lambda col, id_: col.update_vectors([{"id": 1, "vector": [2, 2]}, {"id": id_, "vector": [1, 1]}]),
    "delete_vectors": lambda col, id_: col.delete_vectors([""], [1, id_]),
    "set_payload": lambda col, id_: col.set_payload({"b": 1}, [1, id_]),
    "overwrite_payload": lambda col, id_: col.overwrite_payload({"b": 1}, [1, id_]),
    "delete_payload": lambda col, id_: col.delete_payload(["a"], [1, id_]),
    "clear_payload": lambda col, id_: col.clear_payload([1, id_]),
    "delete": lambda col, id_: col.delete([1, id_]),
    "batch": lambda col, id_: col.batch([{"delete": {"points": [1]}}, {"delete": {"points": [id_]}}]),
    "retrieve": lambda col, id_: col.retrieve([1, id_]),
    "get": lambda col, id_: col.get(id_),
    "in": lambda col, id_: id_ in col,
    "has_id": lambda col, id_: col.count({"must": [{"has_id": [1, id_]}]}),
}


@pytest.mark.parametrize("call", BY_ID.values(), ids=list(BY_ID))
def test_rule_02_anything_else_is_an_error(call: Callable[[Collection, Any], Any], col: Collection) -> None:
    fill(col, {1: {"a": 1}})
    before = contents(col)
    for bad in BAD_IDS:
        with pytest.raises(InvalidRequest, match=r"(?i)expected .*, got |'id'"):
            call(col, bad)
    assert contents(col) == before


@pytest.mark.parametrize("bad", [id_ for id_ in BAD_IDS if id_ is not None])
def test_rule_02_the_error_is_an_invalid_id_that_says_what_came(bad: Any, col: Collection) -> None:
    with pytest.raises(InvalidId) as raised:
        col.retrieve([bad])
    assert str(bad) in str(raised.value)
    with pytest.raises(InvalidId, match="2\\*\\*64 - 1"):
        col.scroll(offset=bad)


@pytest.mark.parametrize("bad", ["30", -1, 2**64, UUID_TEXT[:-1]])
def test_rule_02_a_search_by_a_bad_id_is_an_error(bad: Any, col: Collection) -> None:
    with pytest.raises(InvalidId):
        col.search(bad)


@pytest.mark.parametrize("array", [[1.0], [-1], [True], [[1]], ["30"]])
def test_rule_02_numpy_ids_are_checked_as_well(array: Any, col: Collection) -> None:
    with pytest.raises(InvalidId):
        col.retrieve(np.array(array))


def test_rule_03_retrieve_skips_and_delete_ignores_missing_ids(home: Home) -> None:
    col = home.make()
    fill(col, {1: {}, 2: {}, UUID_TEXT: {}})
    col.delete([9, 2, "00000000-0000-0000-0000-000000000000"]).result()
    col.delete([9]).result()
    col = home.seen(col)
    assert ids(col.retrieve([9, UUID_TEXT, 2, 1])) == [UUID_TEXT, 1]
    assert col.retrieve([9]) == []
    assert col.get(9) is None
    assert 9 not in col


WRITES: dict[str, Callable[[Collection, list[Any]], Any]] = {
    "update_vectors": lambda col, ids_: col.update_vectors([{"id": id_, "vector": [5, 5]} for id_ in ids_]),
    "delete_vectors": lambda col, ids_: col.delete_vectors([""], ids_),
    "set_payload": lambda col, ids_: col.set_payload({"b": 1}, ids_),
    "set_payload at a key": lambda col, ids_: col.set_payload({"b": 1}, ids_, key="x.y"),
    "overwrite_payload": lambda col, ids_: col.overwrite_payload({"b": 1}, ids_),
    "delete_payload": lambda col, ids_: col.delete_payload(["a"], ids_),
    "clear_payload": lambda col, ids_: col.clear_payload(ids_),
}


@pytest.mark.parametrize("call", WRITES.values(), ids=list(WRITES))
def test_rule_03_every_other_write_by_id_is_refused(
    call: Callable[[Collection, list[Any]], Any], col: Collection
) -> None:
    fill(col, {1: {"a": 1}, 2: {"a": 2}})
    before = contents(col)
    future = call(col, [1, 9, 2])
    assert isinstance(future.exception(), PointNotFound)
    assert contents(col) == before


def test_rule_11_nothing_is_applied_and_every_missing_id_is_named(home: Home) -> None:
    col = home.make()
    fill(col, {1: {"a": 1}, 2: {"a": 2}})
    before = contents(col)
    for call in WRITES.values():
        with pytest.raises(PointNotFound) as raised:
            call(col, [9, 1, UUID_TEXT.upper(), 2, 2**64 - 1]).result()
        assert raised.value.ids == [9, UUID_TEXT, 2**64 - 1]
        assert str(raised.value) == f"no point with id 9, '{UUID_TEXT}', {2**64 - 1}"
        assert isinstance(raised.value, KeyError)
        assert isinstance(raised.value, VecstoreError)
    assert contents(home.seen(col)) == before


def test_rule_03_a_search_by_a_missing_id_says_so(col: Collection) -> None:
    fill(col, {1: {}})
    with pytest.raises(PointNotFound, match="no point with id 9"):
        col.search(9)
    assert payload(col) == {}
