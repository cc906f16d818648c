"""Points as data frames: what was there is there, with types that keep every value."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import NAMED, UUID_TEXT, fill

from vecstore import Collection, Hits, MissingExtra, PointStruct, Record, Records, ScoredPoint

if TYPE_CHECKING:
    import pandas as pd


def frame(col: Collection, payloads: dict[Any, Any], **options: Any) -> pd.DataFrame:
    pytest.importorskip("pandas")
    fill(col, payloads)
    return col.to_pandas(**options)


def test_a_row_a_point_a_column_a_field(col: Collection) -> None:
    found = frame(col, {2: {"color": "red", "price": 2.5}, 1: {"color": "blue", "tags": ["a"]}, UUID_TEXT: {}})
    assert found.index.name == "id"
    assert found.index.tolist() == [1, 2, UUID_TEXT]
    assert found.columns.tolist() == ["color", "tags", "price"]
    assert found.loc[1, "color"] == "blue"
    assert found.loc[1, "tags"] == ["a"]
    assert found["color"].isna().tolist() == [False, False, True]
    assert found["price"].dtype == np.float64
    assert found.loc[2, "price"] == 2.5


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], "int64"),
        ([1, None], "Int64"),
        ([2**64 - 1, 0], "uint64"),
        ([2**63, None], "UInt64"),
        ([2**64 - 1, -1], "object"),
        ([True, False], "bool"),
        ([True, None], "boolean"),
        ([1.5, None], "float64"),
        ([1.5, 2], "float64"),
        ([1.5, 2**60 + 1], "object"),
        ([1, True], "object"),
        (["a", None], "object"),
        ([None, None], "object"),
        ([{"a": 1}, [1]], "object"),
    ],
)
def test_types_keep_values(col: Collection, values: list[Any], dtype: str) -> None:
    found = frame(col, dict(enumerate({"x": value} for value in values)))["x"]
    assert str(found.dtype) == dtype
    kept = [None if value is None else found.loc[i] for i, value in enumerate(values)]
    assert kept == values
    assert [found.isna().loc[i] for i in range(len(values))] == [value is None for value in values]


def test_missing_is_not_a_value(col: Collection) -> None:
    found = frame(col, {1: {"n": 2**62 + 1}, 2: {}})["n"]
    assert str(found.dtype) == "Int64"
    assert found.loc[1] == 2**62 + 1
    assert found.isna().tolist() == [False, True]


def test_a_part(col: Collection) -> None:
    payloads = {i: {"n": i, "s": "x"} for i in range(30)}
    found = frame(col, payloads, filter={"must": {"key": "n", "range": {"lt": 20}}}, with_payload=["n"])
    assert found["n"].tolist() == list(range(20))
    assert found.columns.tolist() == ["n"]


def test_vectors(col: Collection) -> None:
    found = frame(col, {1: {}, 2: {}}, with_vectors=True)
    assert found.columns.tolist() == ["vector"]
    assert np.array_equal(np.stack(found["vector"]), [[1, 0], [1, 0]])
    assert found["vector"].loc[1].dtype == np.float32
    with Collection(vectors=NAMED) as named:
        named.upload([PointStruct(1, {"image": [1, 2]}), PointStruct(2, {"text": [1, 2, 3]})])
        found = named.to_pandas(with_vectors=True)
        assert found.columns.tolist() == ["vector.image", "vector.text"]
        assert found["vector.image"].isna().tolist() == [False, True]


def test_scores_and_names_that_are_taken(col: Collection) -> None:
    pytest.importorskip("pandas")
    fill(col, {1: {"score": "ten", "vector": 7, "id": "x"}})
    found = col.search([2, 0], with_vectors=True).to_pandas()
    assert found.columns.tolist() == ["score", "vector", "payload.score", "payload.vector", "id"]
    assert found.loc[1, ["score", "payload.score", "payload.vector", "id"]].tolist() == [2.0, "ten", 7, "x"]
    ordered, _ = col.scroll(order_by="vector")
    assert ordered.to_pandas()["order_value"].tolist() == [7]
    assert col.retrieve([1]).to_pandas()["score"].tolist() == ["ten"]


def test_no_points_and_no_payloads(col: Collection) -> None:
    assert frame_of_nothing(col).shape == (0, 0)
    fill(col, {1: {}, 2: {"a": 1}})
    assert col.scroll(with_payload=False)[0].to_pandas().shape == (2, 0)
    assert col.search_batch([[1, 0], [0, 1]])[1].to_pandas().index.tolist() == [1, 2]


def frame_of_nothing(col: Collection) -> pd.DataFrame:
    pytest.importorskip("pandas")
    found = col.to_pandas()
    assert found.index.name == "id"
    return found


def test_it_needs_its_extra(col: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = __import__("sys").modules
    monkeypatch.delitem(modules, "vecstore.frames", raising=False)
    monkeypatch.setitem(modules, "pandas", None)
    fill(col, {1: {}})
    for call in (col.to_pandas, col.search([1, 0]).to_pandas):
        with pytest.raises(MissingExtra, match=r"pip install 'vecstore\[pandas\]'"):
            call()


# What reads return is a list


def test_results_are_lists(col: Collection) -> None:
    fill(col, {i: {} for i in range(5)})
    hits, (records, _) = col.search([1, 0]), col.scroll()
    assert type(hits) is type(col.search(1)) is type(col.search_batch([[1, 0]])[0]) is Hits
    assert type(records) is type(col.retrieve([1])) is type(col.scroll(order_by="x")[0]) is Records
    assert isinstance(hits, list)
    assert records == [Record(i, {}) for i in range(5)]
    assert hits == [ScoredPoint(i, 1.0, {}) for i in range(5)]
    assert repr(hits) == repr(list(hits))
    assert hits[1:3] == [hits[1], hits[2]]
    assert type(hits[1:3]) is Hits
    assert type(records[::2]) is Records
    assert hits[-1].id == 4
    assert pickle.loads(pickle.dumps(hits)) == hits
    records += col.retrieve([1])
    assert type(records) is Records
    assert len(records) == 6
