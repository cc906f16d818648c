"""Fixtures for pytest: collections that are fresh for every test. pytest (8 or newer) finds them by itself.

    vecstore_collection            an empty collection in memory
    vecstore_collection_on_disk    an empty collection in the folder ``collection.vecstore`` under ``tmp_path``
    vecstore_factory               a function that makes collections, with the arguments of ``Collection``; a path is
                                   taken under ``tmp_path``
    vecstore_vectors               what vectors they have, where nothing else is said: override it in a test module,
                                   a class or a conftest

    def test_red_things_are_found(vecstore_collection):
        vecstore_collection.upsert([{"id": 1, "vector": [1, 0, 0, 0], "payload": {"color": "red"}}])
        ...

They are closed after the test. A test that passes, but leaves an operation behind that failed and whose future nobody
has looked at, fails with the error of that operation. ``-p no:vecstore.pytest_plugin`` does without all this.

PYTEST_DONT_REWRITE: there is no assertion here that pytest could explain.
"""

from __future__ import annotations

import concurrent.futures
import sys
from typing import TYPE_CHECKING, Any

import pytest

from vecstore.collection import Collection
from vecstore.futures import unseen_error
from vecstore.models import Distance, VectorParams

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vecstore.futures import UpdateFuture

if "vecstore.testing" not in sys.modules:  # or it would be too late, and pytest would say so
    pytest.register_assert_rewrite("vecstore.testing")

PATIENCE = 10
"""How many seconds a test that has passed waits for operations under way, to see whether they fail."""
REMEMBERED = 1000
"""How many futures a collection remembers before it forgets those that came to a good end."""


class WatchedCollection(Collection):
    """A ``Collection`` that remembers the futures of its writes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._futures: list[UpdateFuture[Any]] = []
        self._most = REMEMBERED
        super().__init__(*args, **options)

    def _submit(self, operation: Any) -> UpdateFuture[Any]:
        future = super()._submit(operation)
        self._futures.append(future)
        if len(self._futures) > self._most:
            self._futures = [f for f in self._futures if not f.done() or unseen_error(f)]
            self._most = 2 * len(self._futures) + REMEMBERED
        return future

    def unseen(self) -> list[BaseException]:
        """The errors of operations that failed, and whose futures nobody has looked at. Each is told once."""
        concurrent.futures.wait(self._futures, PATIENCE)
        errors = []
        for future in self._futures:
            if (error := unseen_error(future)) is not None:
                future.exception()  # it has been looked at now, and need not be logged
                _note(error, f"operation {future.operation_id} failed, and the test has not looked at its future")
                errors.append(error)
        return errors


_MADE = pytest.StashKey[list[WatchedCollection]]()


@pytest.fixture
def vecstore_vectors() -> Any:
    """The vectors of collections where nothing else is said: one unnamed vector of 4 dimensions, cosine."""
    return VectorParams(4, Distance.COSINE)


@pytest.fixture
def vecstore_factory(request: pytest.FixtureRequest, vecstore_vectors: Any) -> Iterator[Callable[..., Collection]]:
    """A function that makes collections, with the arguments of ``Collection``, and closes them after the test.

    A path is taken under ``tmp_path``: the same one again is another handle on the same collection. Without
    ``vectors`` a new collection has ``vecstore_vectors``.
    """
    made: list[WatchedCollection] = request.node.stash.setdefault(_MADE, [])

    def make(path: str | os.PathLike[str] | None = None, *, vectors: Any = None, **options: Any) -> Collection:
        place: Path | None = None if path is None else request.getfixturevalue("tmp_path") / path
        if vectors is None and (place is None or not place.exists()):
            vectors = vecstore_vectors
        made.append(WatchedCollection(place, vectors=vectors, **options))
        return made[-1]

    yield make
    for col in reversed(made):
        col.close()
    _raise_unseen(made)


@pytest.fixture
def vecstore_collection(vecstore_factory: Callable[..., Collection]) -> Collection:
    """An empty collection in memory, with ``vecstore_vectors``."""
    return vecstore_factory()


@pytest.fixture
def vecstore_collection_on_disk(vecstore_factory: Callable[..., Collection]) -> Collection:
    """An empty collection in the folder ``collection.vecstore`` under ``tmp_path``, with ``vecstore_vectors``."""
    return vecstore_factory("collection.vecstore")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that has passed, but left an operation behind that failed unseen."""
    result = yield
    _raise_unseen(item.stash.get(_MADE, []))
    return result


def _raise_unseen(collections: list[WatchedCollection]) -> None:
    errors = [error for col in collections for error in col.unseen()]
    if errors:
        for other in errors[1:]:
            _note(errors[0], f"and another one: {other}")
        raise errors[0]


def _note(error: BaseException, text: str) -> None:
    if hasattr(error, "add_note"):  # since Python 3.11
        error.add_note(text)
