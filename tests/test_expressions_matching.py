"""Filter expressions: which points they match, and that everything that takes a filter takes them."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from collecting import DOT, contents, fill, held, ids
from expressing import evaluated, expressed
from hypothesis import given
from hypothesis import strategies as st
from spelling import matching
from strategies import FILTER_PAYLOADS, Point, filters, matches

from vecstore import Collection, Expression, Filter, PointStruct, field

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
NOON_TEXT = "2024-05-01T12:00:00Z"
NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
C = field("c") == 3
A_DICT, B_DICT, C_DICT = ({"key": key, "match": {"value": n}} for key, n in (("a", 1), ("b", 2), ("c", 3)))
ANY = {"conditions": [A_DICT, C_DICT], "min_count": 1}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (field("color") == "red", [1, 2]),
        (field("color") != "red", [3, 4, 5, 6]),
        (~(field("color") == "red"), [3, 4, 5, 6]),
        (field("color").none_of(["red"]), [2, 3]),
        (~field("color").any_of(["red", "green"]), [4, 5, 6]),
        (field("color").any_of(["blue", "green"]), [2, 3]),
        (field("color").is_empty(), [4, 5, 6]),
        (field("color").is_null(), [5]),
        (field("price") == 7, [1]),
        (field("price") == 7.0, [1, 2]),
        (field("price") != 7.0, [3, 4, 5, 6]),
        ((field("price") > 1) & (field("price") < 5), [3, 4]),
        (field("price").range(gt=1, lt=5), [4]),
        (field("price").between(7, 9), [1, 2, 3]),
        (field("color").count >= 2, [2]),
        (field("color").count == 0, [4, 5, 6]),
        (field("on") == NOON, [1, 2]),
        (field("on") > NOON, [3]),
        (field("on") >= date(2024, 5, 2), [3]),
        (field("items[]").nested((field("x") == 1) & (field("y") == 2)), [2]),
        ((field("items[].x") == 1) & (field("items[].y") == 2), [1, 2]),
        (field("flag") == True, [1]),  # noqa: E712
        (field("flag") == 1, [2]),
    ],
)
def test_what_an_expression_matches(col: Collection, expression: Any, found: list[int]) -> None:
    fill(
        col,
        {
            1: {"color": "red", "price": 7, "on": NOON_TEXT, "items": [{"x": 1}, {"y": 2}], "flag": True},
            2: {
                "color": ["red", "blue"],
                "price": 7.0,
                "on": "2024-05-01T14:00:00+02:00",
                "items": [{"x": 1, "y": 2}],
                "flag": 1,
            },
            3: {"color": "green", "price": [1, 9], "on": "2024-05-02", "flag": "true"},
            4: {"price": [3]},
            5: {"color": None},
            6: {"color": []},
        },
    )
    assert matching(col, expression) == found


@given(filters(), FILTER_PAYLOADS)
def test_an_expression_matches_what_its_filter_does(wanted: Json, payload: Json) -> None:
    expression = expressed(wanted)
    point = Point(payload)
    assert matches(expression, point) == matches(wanted, point)
    assert matches(~expression, point) != matches(wanted, point)
    assert matches(evaluated(repr(expression)), point) == matches(wanted, point)


@pytest.fixture(scope="module")
def crowd() -> Iterator[Collection]:
    """Many payloads that filters look for, the fields in part indexed."""
    found: list[Json] = []

    @given(st.lists(FILTER_PAYLOADS, min_size=30, max_size=30))
    def collect(payloads: list[Json]) -> None:
        found.extend(payloads)

    collect()
    with Collection(vectors=DOT) as col:
        col.upsert([PointStruct(n, [n % 7, 1], payload) for n, payload in enumerate(found[:1500])]).result()
        for kind in ("keyword", "integer", "datetime", "geo", "text"):
            col.create_payload_index("a", kind).result()
        yield col


@given(wanted=filters(), other=filters())
def test_a_collection_finds_the_same(crowd: Collection, wanted: Json, other: Json) -> None:
    one, two = expressed(wanted), expressed(other)
    for expression, same in (
        (one, wanted),
        (one & two, {"must": [wanted, other]}),
        (one | two, {"should": [wanted, other]}),
        (~one, {"must_not": [wanted]}),
        (one & ~two, {"must": [wanted], "must_not": [other]}),
        (wanted | two, {"should": [wanted, other]}),
    ):
        assert ids(crowd.scroll(expression, limit=2000)[0]) == ids(crowd.scroll(same, limit=2000)[0])


def test_everything_that_takes_a_filter_takes_an_expression(col: Collection) -> None:
    fill(col, {n: {"n": n} for n in range(1, 5)})
    small = field("n") <= 2
    assert ids(col.scroll(small)[0]) == [1, 2]
    assert ids(col.scroll({"filter": small})[0]) == [1, 2]
    assert ids(col.scroll(small, order_by="n")[0]) == [1, 2]
    assert col.count(small) == col.count({"filter": small}) == 2
    assert ids(col.search([1, 0], filter=small)) == [1, 2]
    assert ids(col.search({"vector": [1, 0], "filter": small})) == [1, 2]
    assert [ids(hits) for hits in col.search_batch([[1, 0]] * 2, filter=small)] == [[1, 2]] * 2
    assert col.explain([1, 0], filter=small).matches == 2
    assert col.count(Filter(must=small)) == col.count(Filter(must_not=[small])) == 2
    assert col.count({"must": [small, {"has_id": [2]}]}) == 1
    col.upsert([{"id": n, "vector": [9, 9], "payload": {"n": n}} for n in (1, 3)], update_filter=small).result()
    col.update_vectors([{"id": n, "vector": [8, 8]} for n in (2, 4)], update_filter=small).result()
    assert [vector for _, vector in contents(col).values()] == [[9, 9], [8, 8], [1, 0], [1, 0]]
    col.set_payload({"set": 1}, small).result()
    col.overwrite_payload({"n": 3, "over": 1}, field("n") == 3).result()
    col.delete_payload(["set"], field("n") == 2).result()
    col.clear_payload({"filter": field("n") == 4}).result()
    assert [payload for payload, _ in contents(col).values()] == [{"n": 1, "set": 1}, {"n": 2}, {"n": 3, "over": 1}, {}]
    col.delete_vectors([""], field("n") == 1).result()
    col.batch(
        [{"delete": {"filter": field("n") == 2}}, {"set_payload": {"payload": {"m": 1}, "filter": ~small}}]
    ).result()
    col.delete(field("over") == 1).result()
    assert contents(col) == {1: ({"n": 1, "set": 1}, {}), 4: ({"m": 1}, [1, 0])}


def test_an_expression_survives_a_death_in_the_log(disk: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    col = disk.make()
    fill(col, {n: {"n": n} for n in range(4)})
    with held(monkeypatch, commits=1):
        col.delete((field("n") < 2) | (field("n") == 3)).acknowledged()
        shutil.copytree(disk.path, tmp_path / "copy")
    with Collection(tmp_path / "copy") as copied:
        assert list(contents(copied)) == [2]


@pytest.mark.parametrize("clause", [{"must": A_DICT}, {"should": A_DICT}, {"min_should": ANY}, {}])
@pytest.mark.parametrize("excluded", [{"must_not": B_DICT}, {}])
@pytest.mark.parametrize("payload", [{}, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}, {"c": 3}, {"a": 1, "c": 3}])
def test_any_filter_can_be_joined(clause: Json, excluded: Json, payload: Json) -> None:
    wanted, point = {**clause, **excluded}, Point(payload)
    one, is_c = matches(wanted, point), payload.get("c") == 3
    expression = Expression() & wanted
    for joined, found in (
        (expression, one),
        (~Expression(**wanted), not one),
        (Expression(**wanted) & C, one and is_c),
        (wanted & C, one and is_c),
        (C | Expression(**wanted), one or is_c),
        (wanted | C, one or is_c),
        (~~Expression(**wanted) | C, one or is_c),
        (~(wanted & C), not (one and is_c)),
        (~(wanted | C) & ~C, not one and not is_c),
    ):
        assert matches(joined, point) == found
        assert matches(evaluated(repr(joined)), point) == found
