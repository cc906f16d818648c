"""The conformance suite: our own collections pass it, and those that do something else do not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from vecstore import AsyncCollection, AsyncUpdate, Collection
from vecstore.engine import sealer
from vecstore.testing.conformance import CollectionConformance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[[Any], Any]

pytest_plugins = ["pytester"]


class TestInMemory(CollectionConformance):
    @pytest.fixture
    def make_collection(self) -> Iterator[Make]:
        opened: list[Collection] = []

        def make(vectors: Any) -> Collection:
            opened.append(Collection(vectors=vectors))
            return opened[-1]

        yield make
        for col in opened:
            col.close()


class TestOnDisk(CollectionConformance):
    """Every vector in a segment as soon as it can be."""

    @pytest.fixture
    def make_collection(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
        monkeypatch.setattr(sealer, "SEAL_BYTES", 1)
        opened: list[Collection] = []

        def make(vectors: Any) -> Collection:
            opened.append(Collection(tmp_path / f"{len(opened)}.vecstore", vectors=vectors))
            return opened[-1]

        yield make
        for col in opened:
            col.close()


class Done:
    """A write whose caller has waited until it was queued."""

    def __init__(self, loop: asyncio.AbstractEventLoop, update: AsyncUpdate[Any]) -> None:
        self._loop, self._update = loop, update
        loop.run_until_complete(update.future())

    def result(self) -> Any:
        return self._loop.run_until_complete(self._update)


class Synchronous:
    """An AsyncCollection whose every call is waited for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, vectors: Any) -> None:
        self._loop = loop
        self.col = loop.run_until_complete(AsyncCollection(vectors=vectors).__aenter__())

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            found = getattr(self.col, name)(*args, **options)
            return Done(self._loop, found) if isinstance(found, AsyncUpdate) else self._loop.run_until_complete(found)

        return call


class TestAsync(CollectionConformance):
    @pytest.fixture
    def make_collection(self) -> Iterator[Make]:
        loop = asyncio.new_event_loop()
        opened: list[Synchronous] = []

        def make(vectors: Any) -> Synchronous:
            opened.append(Synchronous(loop, vectors))
            return opened[-1]

        yield make
        for col in opened:
            col.close()
        loop.close()


# A suite that cannot fail would be worth nothing.

BROKEN = """
import pytest
from vecstore import Collection
from vecstore.testing.conformance import CollectionConformance

class Broken(Collection):
{method}

class TestBroken(CollectionConformance):
    @pytest.fixture
    def make_collection(self):
        yield lambda vectors: Broken(vectors=vectors)
"""
NOTHING = "    pass"
WITHOUT = "{k: v for k, v in (filter or {}).items() if k != 'must_not'} or None"
BREAKS = {
    "test_17_18": """
    def set_payload(self, payload, points, *, key=None):
        return self.overwrite_payload(payload, points)
""",
    "test_filters": f"""
    def count(self, filter=None, *, exact=True):
        return super().count({WITHOUT})
""",
    "test_22": """
    def scroll(self, *args, **options):
        return super().scroll(*args, **options)[0][:-1], None
""",
    "test_26": """
    def batch(self, operations, *, atomic=True):
        return super().batch(operations, atomic=False)
""",
    "test_16": """
    def search(self, *args, score_threshold=None, **options):
        return super().search(*args, **options)
""",
    "test_what_was_written": """
    def delete(self, points):
        return super().delete(points[:1] if isinstance(points, list) else points)
""",
}


ALONE = ("--disable-plugin-autoload", "-p", "no:cacheprovider")


def outcomes(pytester: pytest.Pytester, method: str, tests: str) -> dict[str, int]:
    pytester.makepyfile(BROKEN.format(method=method))
    return pytester.runpytest_inprocess(*ALONE, "-k", tests).parseoutcomes()


def test_a_collection_that_does_the_same_passes(pytester: pytest.Pytester) -> None:
    found = outcomes(pytester, NOTHING, " or ".join(BREAKS))
    assert found.keys() == {"passed", "deselected"}


@pytest.mark.parametrize(("test", "method"), BREAKS.items(), ids=list(BREAKS))
def test_a_collection_that_does_something_else_fails(pytester: pytest.Pytester, method: str, test: str) -> None:
    found = outcomes(pytester, method, test)
    assert found["failed"] > 0
    assert "errors" not in found


def test_the_fixture_has_to_be_overridden(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "from vecstore.testing.conformance import CollectionConformance\nclass TestMine(CollectionConformance): pass"
    )
    done = pytester.runpytest_inprocess(*ALONE, "-k", "test_01")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*override the fixture make_collection: a function of vectors*"])
