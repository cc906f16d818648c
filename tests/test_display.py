"""What a notebook shows: tables that hold what is there, escaped, and no more of it than fits."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import NAMED, UUID_TEXT, fill

from vecstore import Collection, Record, Records, ScoredPoint
from vecstore.display import MOST_ROWS, kind_of, size_text

if TYPE_CHECKING:
    from pathlib import Path

EVIL = "<script>alert('&')</script>"


class Tables(HTMLParser):
    """The tables of a page, as rows of text; every tag that is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag in {"b", "div", "i", "table", "tbody", "td", "th", "thead", "tr"}
        self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open and self._open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


def shown(value: Any) -> Tables:
    return Tables(value._repr_html_())


def test_records_and_hits(col: Collection) -> None:
    fill(col, {1: {"color": "red", "n": [1, 2]}, UUID_TEXT: {"size": 1.23456}})
    assert shown(col.scroll()[0]).tables == [
        [["id", "color", "n", "size"], ["1", "red", "[1, 2]", ""], [UUID_TEXT, "", "", "1.235"]]
    ]
    hits = col.search([0.5, 0], with_vectors=True)
    assert shown(hits).tables[0][1] == ["1", "0.5", "red", "[1, 2]", "", "[1 0]"]
    assert shown(hits[:1]).tables[0][0] == ["id", "score", "color", "n", "vector"]
    assert shown(hits[0]).tables == [
        [["", ""], ["id", "1"], ["score", "0.5"], ["vector", "[1 0]"], ["color", "red"], ["n", "[1, 2]"]]
    ]
    assert shown(col.get(UUID_TEXT)).tables[0][1:] == [["id", UUID_TEXT], ["size", "1.235"]]
    assert shown(col.scroll(order_by="size")[0]).tables[0][0] == ["id", "order_value", "size"]


def test_nothing_of_it_is_taken_for_html(col: Collection) -> None:
    fill(col, {1: {EVIL: EVIL}})
    for value in (col.scroll()[0], col.get(1), col):
        html = value._repr_html_()  # type: ignore[union-attr]
        assert "<script" not in html
        assert EVIL in unescape(html)
        shown(value)


def test_no_more_than_fits() -> None:
    many = Records([Record(i, {f"f{k}": "x" * 1000 for k in range(20)}) for i in range(MOST_ROWS + 7)])
    found = shown(many)
    assert len(found.tables[0]) == MOST_ROWS + 1
    assert found.tables[0][0][-1] == "…"
    assert found.tables[0][1][-1] == "8 more"
    assert len(found.tables[0][1][1]) == 80
    assert found.text.endswith("and 7 more")
    assert shown(Records()).text == "no points"
    assert "f19" in shown(many[0]).text


def test_vectors_are_cut_short() -> None:
    vector = np.arange(100, dtype=np.float32)
    assert shown(ScoredPoint(1, 0.0, None, vector)).tables[0][-1] == ["vector", "[0 1 2 3 … 100]"]
    named = {"a": vector[:2], "b": vector}
    assert shown(Record(1, None, named)).tables[0][-1] == ["vector", "a: [0 1], b: [0 1 2 3 … 100]"]


def test_a_collection(tmp_path: Path) -> None:
    with Collection(tmp_path / "home", vectors=NAMED) as col:
        payloads = [{"color": "red", "n": 1, "tags": ["a", 1]}, {"n": 1.5, "tags": [], "nothing": None}]
        col.upload({"id": i, "vector": {"image": [1, 2]}, "payload": row} for i, row in enumerate(payloads))
        col.create_payload_index("color", "keyword").result()
        col.create_payload_index("a.b", "integer").result()
        found = shown(col)
        assert found.text.startswith(f"{tmp_path / 'home'}: 2 points, ")
        assert "durability fsync" in found.text
        with Collection(tmp_path / "home", read_only=True) as reader:
            assert "2 points" in (said := shown(reader)).text
            assert "read only" in said.text
            assert said.tables == found.tables
        vectors, payload = found.tables
        assert vectors[0] == ["vector", "size", "distance", "points", "in graphs", "segments", "bytes"]
        assert [row[:5] for row in vectors[1:]] == [["image", "2", "Dot", "2", "0"], ["text", "3", "Dot", "0", "0"]]
        assert payload == [
            ["payload field", "type", "index"],
            ["color", "string", "keyword"],
            ["n", "float or integer", ""],
            ["tags", "array or array of integer or string", ""],
            ["nothing", "", ""],
            ["a.b", "", "integer"],
        ]
    assert shown(col).text.endswith("closed>")


def test_graphs_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from vecstore import HnswConfig, VectorParams
    from vecstore.engine import sealer

    monkeypatch.setattr(sealer, "SEAL_BYTES", 1)
    with Collection(vectors=VectorParams(4, "Dot", HnswConfig(full_scan_threshold=1))) as col:  # type: ignore[arg-type]
        col.upload({"id": i, "vector": [i, 1, 1, 1]} for i in range(2000))
        col.optimize()
        col.delete([1, 2]).result()
        info = col.info().vectors[""]
        assert info.graph_rows == info.live_rows == 1998
        assert shown(col).tables[0][1][3:5] == ["1,998", "1,998"]
    with Collection(vectors=VectorParams(4, "Dot")) as col:  # type: ignore[arg-type] - too few for a graph
        col.upload({"id": i, "vector": [i, 1, 1, 1]} for i in range(2000))
        col.optimize()
        info = col.info().vectors[""]
        assert (info.graph_rows, info.open_rows, info.live_rows) == (0, 0, 2000)


def test_in_memory_and_empty(col: Collection) -> None:
    found = shown(col)
    assert re.match(r"collection in memory: 0 points, .* kB, durability os", found.text)
    assert len(found.tables) == 1


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (10**15, "1,000.0 TB")],
)
def test_sizes(count: int, text: str) -> None:
    assert size_text(count) == text


def test_kinds() -> None:
    assert [kind_of(value) for value in (None, True, 1, 1.0, "x", {}, [], [1, [2.0]], [None])] == [
        None,
        "bool",
        "integer",
        "float",
        "string",
        "object",
        "array",
        "array of array of float or integer",
        "array",
    ]


def test_numbers_are_aligned_on_the_right(col: Collection) -> None:
    col.upsert(
        [{"id": i, "vector": [i, 1], "payload": {"n": -10.5 * i, "version": f"{i}.0.1-a"}} for i in (1, 2)]
    ).result()
    html = col.search([1, 0])._repr_html_()
    assert re.findall(r"<th style='text-align:right'>(\w+)</th>", html) == ["id", "score", "n"]
    assert re.findall(r"<th style='text-align:left'>(\w+)</th>", html) == ["version"]
    assert html.count("<td style='text-align:right'>-") == 2
