"""Rules 22 to 25, through the collection: pages, orders, retrieving and counting."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import qdrant_client.models as theirs
from collecting import NOTHING, UUID_TEXT, fill, ids

from vecstore import Batch, Direction, InvalidId, InvalidPath, InvalidRequest, OrderBy, PointStruct

if TYPE_CHECKING:
    from collecting import Home

    from vecstore import Collection

LAST = "ffffffff-0000-0000-0000-000000000000"
EVERY = [3, 5, 2**63, UUID_TEXT, LAST]


@pytest.mark.parametrize(
    ("limit", "offset", "page", "following"),
    [
        (2, None, [3, 5], 2**63),
        (2, 0, [3, 5], 2**63),
        (2, 3, [3, 5], 2**63),
        (2, 4, [5, 2**63], UUID_TEXT),
        (2, 2**63, [2**63, UUID_TEXT], LAST),
        (2, 2**64 - 1, [UUID_TEXT, LAST], None),
        (2, UUID_TEXT.upper(), [UUID_TEXT, LAST], None),
        (1, UUID_TEXT, [UUID_TEXT], LAST),
        (1, "936da020-0000-0000-0000-000000000000", [LAST], None),
        (1, "ffffffff-0000-0000-0000-000000000001", [], None),
        (5, None, EVERY, None),
        (4, None, EVERY[:4], LAST),
        (10_000, None, EVERY, None),
        (sys.maxsize, None, EVERY, None),
        (2**70, 3, EVERY, None),
        (np.int64(1), np.int64(5), [5], 2**63),
    ],
)
def test_rule_22_pages(limit: Any, offset: Any, page: list[Any], following: Any, col: Collection) -> None:
    fill(col, {id_: {} for id_ in EVERY[::-1]})
    records, rest = col.scroll(limit=limit, offset=offset)
    assert (ids(records), rest) == (page, following)


def test_rule_22_ten_points_without_being_asked(col: Collection) -> None:
    fill(col, {i: {} for i in range(11)})
    assert [len(col.scroll()[0]), col.scroll()[1]] == [10, 10]
    fill(col, {i: {} for i in range(10)})
    col.delete([10]).result()
    assert [len(col.scroll()[0]), col.scroll()[1]] == [10, None]


def test_rule_22_with_a_filter_the_next_offset_is_of_a_point_that_matches(home: Home) -> None:
    col = home.make()
    fill(col, {i: {"odd": i % 2 == 1} for i in range(9)})
    col = home.seen(col)
    odd = {"must": [{"key": "odd", "match": {"value": True}}]}
    assert [ids(page) for page in pages(col, odd, 2)] == [[1, 3], [5, 7]]
    assert col.scroll(odd, limit=3)[1] == 7
    assert col.scroll(odd, limit=4)[1] is None
    assert col.scroll(NOTHING) == ([], None)


def pages(col: Collection, condition: Any, limit: int) -> list[Any]:
    """Every page of a scroll."""
    found, offset = [], None
    while True:
        page, offset = col.scroll(condition, limit=limit, offset=offset)
        found.append(page)
        if offset is None:
            return found


def test_rule_22_paging_over_everything_in_order(home: Home) -> None:
    col = home.make()
    rng = np.random.default_rng(22)
    col.upsert(Batch(rng.permutation(1000), rng.normal(size=(1000, 2))))
    col.delete(np.arange(0, 1000, 4)).result()
    col.upsert(Batch(np.arange(2000, 2250), np.ones((250, 2))))
    col = home.seen(col)
    expected = [i for i in range(1000) if i % 4] + list(range(2000, 2250))
    for limit in (7, 256, 999, 1000, 1001):
        found = pages(col, None, limit)
        assert [id_ for page in found for id_ in ids(page)] == expected
        assert [len(page) for page in found] == [min(limit, 1000 - i) for i in range(0, 1000, limit)]


@pytest.mark.parametrize("limit", [0, -1, 1.0, "3", True, None])
def test_rule_22_a_limit_under_1_is_an_error(limit: Any, col: Collection) -> None:
    for order_by in (None, "a"):
        with pytest.raises(InvalidRequest, match=f"expected limit .*, got .*{limit}"):
            col.scroll(limit=limit, order_by=order_by)


@pytest.mark.parametrize("offset", ["a", -1, 1.5])
def test_rule_22_an_offset_is_an_id(offset: Any, col: Collection) -> None:
    with pytest.raises(InvalidId, match="expected an id"):
        col.scroll(offset=offset)


NUMBERS: dict[Any, dict[str, Any]] = {
    7: {"a": 2},
    1: {"a": 2.5},
    2: {"a": [3, -1, 3, 2.5]},
    3: {"a": "2021-02-30"},
    4: {"a": None},
    5: {},
    6: {"a": True},
    8: {"a": []},
    9: {"a": {"a": 1}},
    UUID_TEXT: {"a": -1},
}
ASCENDING = [(2, -1), (UUID_TEXT, -1), (7, 2), (1, 2.5), (2, 2.5), (2, 3)]


def ordered(col: Collection, order_by: Any, **options: Any) -> list[tuple[Any, Any]]:
    """Ids and values of a scroll in an order, which has one page."""
    records, rest = col.scroll(order_by=order_by, **options)
    assert rest is None
    return [(record.id, record.order_value) for record in records]


@pytest.mark.parametrize(
    "order_by",
    [
        "a",
        OrderBy("a"),
        OrderBy("a", Direction.ASC),
        {"key": "a", "direction": "asc"},
        theirs.OrderBy(key="a", direction=theirs.Direction.ASC),
        OrderBy("a", start_from=-1),
        {"key": "a", "start_from": -1.5},
    ],
    ids=repr,
)
def test_rule_23_numbers_in_order(order_by: Any, home: Home) -> None:
    col = home.make()
    fill(col, NUMBERS)
    col = home.seen(col)
    assert ordered(col, order_by) == ASCENDING
    for limit in range(1, 7):
        assert ordered(col, order_by, limit=limit) == ASCENDING[:limit]


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        ({"key": "a", "start_from": 2.5}, [(1, 2.5), (2, 2.5), (2, 3)]),
        ({"key": "a", "start_from": 2.6}, [(2, 3)]),
        ({"key": "a", "start_from": 4}, []),
        ({"key": "a", "direction": "desc", "start_from": 2}, ASCENDING[2::-1]),
        (OrderBy("a", Direction.DESC, 1.9), ASCENDING[1::-1]),
        ({"key": "a", "direction": "desc"}, ASCENDING[::-1]),
    ],
)
def test_rule_23_from_a_value_on_inclusive_and_downwards(order_by: Any, found: Any, col: Collection) -> None:
    fill(col, NUMBERS)
    assert ordered(col, order_by) == found


MOMENTS = {
    1: {"t": {"at": "2021-01-01T00:00:00Z"}},
    2: {"t": {"at": "2021-01-01T01:00:00+02:00"}},
    3: {"t": {"at": ["2021-01-01 00:00:00.000001", "yesterday"]}},
    4: {"t": {"at": "2021-01-01"}},
    5: {"t": "2021-01-01"},
}
NEW_YEAR = 1_609_459_200_000_000


def test_rule_23_datetimes_as_microseconds(home: Home) -> None:
    col = home.make()
    fill(col, MOMENTS)
    col = home.seen(col)
    everything = [(2, NEW_YEAR - 3_600_000_000), (1, NEW_YEAR), (4, NEW_YEAR), (3, NEW_YEAR + 1)]
    assert ordered(col, "t.at") == everything
    local = datetime(2021, 1, 1, 0, 53, 28, tzinfo=timezone(timedelta(minutes=53, seconds=28)))
    new_years = ("2021-01-01T00:00:00Z", NEW_YEAR, np.datetime64("2021-01-01"), np.datetime64("2021-01-01T00:00", "ns"))
    for start in (*new_years, datetime(2021, 1, 1, tzinfo=timezone.utc), local):
        assert ordered(col, OrderBy("t.at", start_from=start)) == everything[1:]


def test_rule_23_with_a_filter_and_what_is_returned(home: Home) -> None:
    col = home.make()
    col.upsert([PointStruct(i, [i, 1], {"a": -i, "odd": i % 2 == 1}) for i in range(6)])
    odd = {"must": [{"key": "odd", "match": {"value": True}}]}
    records, _ = home.seen(col).scroll(odd, order_by="a", limit=2, with_payload=["a"], with_vectors=True)
    assert ids(records) == [5, 3]
    assert [r.payload for r in records] == [{"a": -5}, {"a": -3}]
    assert [r.vector.tolist() for r in records] == [[5, 1], [3, 1]]


def test_rule_23_integers_past_2_to_the_53_keep_their_order(col: Collection) -> None:
    values = [2**64 - 1, 2**63, 2**53 + 1, 2**53, -(2**63)]
    fill(col, {i: {"a": value} for i, value in enumerate(values)})
    assert [value for _, value in ordered(col, "a")] == values[::-1]
    assert [value for _, value in ordered(col, OrderBy("a", Direction.DESC))] == values


def test_rule_23_an_order_and_an_offset_together_are_an_error(col: Collection) -> None:
    with pytest.raises(InvalidRequest, match="expected offset or order_by, got both"):
        col.scroll(order_by="a", offset=1)
    with pytest.raises(InvalidRequest, match="expected offset or order_by, got both"):
        col.scroll({"order_by": "a", "offset": 1})


@pytest.mark.parametrize(
    ("order_by", "message"),
    [
        ({"key": "a", "direction": "up"}, r"expected a direction \(asc, desc\), got str 'up'"),
        ({"key": "a", "start_from": "yesterday"}, "expected start_from as a number or a datetime, got str"),
        ({"key": "a", "start_from": float("nan")}, "expected start_from .*, got float nan"),
        ({"key": "a", "start_from": np.datetime64("NaT", "s")}, "expected start_from .*, got datetime64"),
        ({"key": "a", "start_from": True}, "expected start_from .*, got bool True"),
        ({"direction": "asc"}, "expected order_by with a key"),
        ({"key": "a", "limit": 3}, "order_by has no 'limit'"),
        (5, "expected order_by, got int 5"),
    ],
)
def test_rule_23_a_bad_order_is_an_error(order_by: Any, message: str, col: Collection) -> None:
    with pytest.raises(InvalidRequest, match=message):
        col.scroll(order_by=order_by)
    with pytest.raises(InvalidPath):
        col.scroll(order_by="a..b")


def test_rule_24_retrieve_keeps_the_order_asked_for_and_collapses_duplicates(home: Home) -> None:
    col = home.make()
    fill(col, {id_: {"id": id_} for id_ in EVERY})
    col = home.seen(col)
    asked = [LAST, 5, 4, UUID_TEXT, 5, 3, LAST.upper(), 3]
    for form in (asked, tuple(asked), iter(asked), {"ids": asked}):
        records = col.retrieve(form)
        assert ids(records) == [LAST, 5, UUID_TEXT, 3]
        assert [record.payload for record in records] == [{"id": id_} for id_ in ids(records)]


def test_rule_24_vectors_come_in_that_order_too(home: Home) -> None:
    col = home.make()
    col.upsert([PointStruct(i, [i, -i]) for i in range(20)])
    records = home.seen(col).retrieve([7, 3, 19, 99, 0, 3], with_vectors=True)
    assert [record.vector.tolist() for record in records] == [[i, -i] for i in (7, 3, 19, 0)]


def test_rule_25_the_exact_number_is_always_right(home: Home) -> None:
    col = home.make()
    col.upsert(Batch(np.arange(500), np.ones((500, 2)), [{"n": i} for i in range(500)]))
    col.delete(np.arange(0, 500, 3))
    col.set_payload({"n": 1000}, {"must": [{"key": "n", "range": {"lt": 10}}]})
    col.upsert([PointStruct(0, {})])
    col = home.seen(col)
    assert col.count() == col.count(exact=True) == len(col) == col.count({}) == 334
    assert col.count({"must": [{"key": "n", "range": {"gte": 1000}}]}) == 6
    assert col.count({"must": [{"has_vector": ""}]}) == 333
    assert col.count(NOTHING, exact=True) == 0
    assert isinstance(col.count(exact=False), int)
    with pytest.raises(InvalidRequest, match="expected exact as a bool, got int 1"):
        col.count(exact=1)  # type: ignore[arg-type]
