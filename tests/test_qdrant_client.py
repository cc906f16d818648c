"""The table of ``qdrant_client``'s calls: it has every one, and both sides of a line give the same."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from agreeing import text
from qdrant_client import QdrantClient

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parent.parent / "examples" / "qdrant_client.md"
MARKDOWN = PAGE.read_text(encoding="utf-8")
CLOSE = 1e-5
STATEMENTS = {"create_collection", "create_snapshot", "delete_collection", "close"}
"""What gives nothing that could be compared."""
SERVERS_ALONE = {"create_snapshot"}
"""What local mode cannot do."""


class Line(NamedTuple):
    client: str
    vecstore: str

    @property
    def call(self) -> str:
        return re.findall(r"client\.(\w+)\(", self.client)[0]

    @property
    def writes(self) -> bool:
        return self.vecstore.endswith(".result()") or ".upload(" in self.vecstore


LINES = [Line(*pair) for pair in re.findall(r"^\| `(.*client\..*)` \| `(.*)` \|$", MARKDOWN, re.M)]
FIRST, MOVING = re.findall(r"^```python\n(.*?)^```$", MARKDOWN, re.M | re.S)


def evaluated(code: str, names: dict[str, Any]) -> Any:
    """What an expression is; a statement is run."""
    try:
        compiled = compile(code, str(PAGE), "eval")
    except SyntaxError:
        exec(code, names)
        return None
    return eval(compiled, names)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the first block of the page defines."""
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(compile(FIRST, str(PAGE), "exec"), found)
    yield found
    if "col" in found:
        found["col"].close()
    found["client"].close()


def shown(value: Any) -> Any:
    """Points as they are to be compared, of either side."""
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    if not hasattr(value, "payload"):
        return value
    vector = [] if isinstance(value.vector, dict) else value.vector  # the unnamed one was deleted
    return (
        value.id,
        text(value.payload),
        getattr(value, "score", None),
        None if vector is None else np.asarray(vector, np.float32),
    )


def agree(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, list | tuple):
        return isinstance(ours, list | tuple) and len(theirs) == len(ours) and all(map(agree, theirs, ours))
    if isinstance(theirs, float) and ours is None:
        return True  # the client scores what it only scrolls
    if isinstance(theirs, float | np.ndarray):
        return np.shape(theirs) == np.shape(ours) and bool(np.allclose(theirs, ours, rtol=0, atol=CLOSE))
    return bool(theirs == ours)


def everything(names: dict[str, Any]) -> tuple[Any, Any]:
    """All points of both sides."""
    ours, _ = names["col"].scroll(limit=1000, with_vectors=True)
    theirs, _ = names["client"].scroll("products", limit=1000, with_vectors=True)
    return shown(theirs), shown(ours)


@pytest.mark.filterwarnings("ignore:.* no effect:UserWarning")  # what local mode does not need, it says
def test_both_sides_of_every_line_give_the_same(names: dict[str, Any]) -> None:
    for line in LINES:
        theirs = None if line.call in SERVERS_ALONE else evaluated(line.client, names)
        ours = evaluated(line.vecstore, names)
        if line.writes:
            assert agree(*everything(names)), line
        elif line.call not in STATEMENTS:
            assert agree(shown(theirs), shown(ours)), line


def test_the_page_has_every_call() -> None:
    public = {name for name, _ in inspect.getmembers(QdrantClient, inspect.isfunction) if not name.startswith("_")}
    said = {line.call for line in LINES} | set(re.findall(r"`(\w+)`", MARKDOWN))
    assert sorted(public - said) == []
    assert {line.call for line in LINES} <= public


def test_no_line_is_overlooked() -> None:
    rows = [row for row in MARKDOWN.splitlines() if row.startswith("| `") and "client." in row]
    assert len(LINES) == len(rows) > 30


def test_a_collection_moves(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(MOVING, str(PAGE), "exec"), names)
    assert capsys.readouterr().out == "20 points\n"
    with names["Collection"]("moved.vecstore") as moved:
        names["col"] = moved
        assert agree(*everything(names))
