"""What the tests of collections share: where collections are kept, and ways to look inside them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vecstore import Collection, Distance, VecstoreError, VectorParams
from vecstore.engine import writer
from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

DOT = VectorParams(2, Distance.DOT)
COSINE = VectorParams(2, Distance.COSINE)
NAMED = {"image": VectorParams(2, Distance.DOT), "text": VectorParams(3, Distance.DOT)}
UUID_TEXT = "936da01f-9abd-4d9d-80c7-02af85c822a8"
NOTHING = {"must": [{"key": "nowhere", "match": {"value": 1}}]}
"""A filter that matches no point of any test."""


class Home:
    """Where the collection of a test is kept, and how it is looked at.

    ``kind``: "memory"; "disk"; "reopened" on disk, between writing and reading; or "sealed", which is the same
    with every vector moved from the journal into segment files on the way.
    """

    KINDS = ("memory", "disk", "reopened", "sealed")

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.path = None if kind == "memory" else folder / "home.vecstore"
        self._opened: list[Collection] = []

    def make(self, vectors: Any = DOT) -> Collection:
        """A new collection."""
        return self._keep(Collection(self.path, vectors=vectors))

    def seen(self, col: Collection) -> Collection:
        """The collection as a later reader meets it."""
        if self.kind in ("memory", "disk"):
            col.flush()
            return col
        col.close()
        return self.again()

    def again(self) -> Collection:
        """What is there, opened again."""
        return self._keep(Collection(self.path))

    def close(self) -> None:
        """Close every handle that was opened here."""
        for col in self._opened:
            col.close()

    def _keep(self, col: Collection) -> Collection:
        self._opened.append(col)
        return col


def plain(vector: Any) -> Any:
    """A vector as a list, or named ones as a dict of lists."""
    if isinstance(vector, dict):
        return {name: row.tolist() for name, row in vector.items()}
    return None if vector is None else vector.tolist()


def contents(col: Collection) -> dict[Any, tuple[Any, Any]]:
    """Payload and vectors of every point, by id."""
    records, rest = col.scroll(limit=100_000, with_vectors=True)
    assert rest is None
    return {record.id: (record.payload, plain(record.vector)) for record in records}


def ids(found: Any) -> list[Any]:
    """The ids of records or hits."""
    return [one.id for one in found]


def payload(col: Collection, point_id: Any = 1) -> Any:
    """The payload of one point."""
    record = col.get(point_id)
    assert record is not None
    return record.payload


def fill(col: Collection, payloads: dict[Any, Any], vector: Any = (1.0, 0.0)) -> None:
    """A point for each payload, all with one vector."""
    points = [{"id": point_id, "vector": vector, "payload": found} for point_id, found in payloads.items()]
    col.upsert(points).result()


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch, commits: int = 0) -> Iterator[Callable[[], None]]:
    """The writer waits before its next transaction but ``commits``, until the function is called or this ends."""
    write, go, left = Environment.write, threading.Event(), [commits]

    def waiting(environment: Environment, work: Callable[[Any], Any]) -> Any:
        if not left[0]:
            go.wait(30)
        left[0] = max(0, left[0] - 1)
        return write(environment, work)

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "write", waiting)
        patch.setattr(writer, "AT_ONCE_BYTES", -1)  # one step in a transaction
        try:
            yield go.set
        finally:
            go.set()


def failure(call: Callable[[], object]) -> BaseException | None:
    """What a call raises."""
    try:
        call()
    except VecstoreError as error:
        return error
    return None
