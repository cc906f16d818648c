"""More payload indexes than there can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from collecting import DOT, Home, fill

from vecstore import Collection, RequestTooLarge
from vecstore.engine import apply

if TYPE_CHECKING:
    from pathlib import Path


def test_more_indexes_than_there_may_be_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "MOST_INDEXES", 4)
    home = Home("disk", tmp_path)
    col = home.make(DOT)
    for number in range(4):
        col.create_payload_index(f"f{number}", "keyword").result()
    with pytest.raises(RequestTooLarge, match="at most 4 payload indexes"):
        col.create_payload_index("more", "keyword").result(10)
    col.delete_payload_index("f0").result()
    fill(col, {1: {"f1": "x"}})
    col.close()
    with Collection(home.path) as col:
        assert col.count({"must": {"key": "f1", "match": {"value": "x"}}}) == 1
        assert sorted(col.info().payload_schema) == ["f1", "f2", "f3"]
