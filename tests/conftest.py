"""Collections for tests: the same test runs in memory, on disk, after reopening, and over sealed segments."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import profiles  # noqa: F401 - registers the Hypothesis profiles
import pytest
from collecting import Home
from filing import ARROW, ENDINGS

from vecstore.engine import merging, sealer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vecstore import Collection


def pytest_xdist_auto_num_workers() -> int | None:
    """More than there are cores: many tests wait for the disk, or for processes they have started."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return (os.cpu_count() or 1) * 3 // 2


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


class _InOneLine(logging.Filter):
    """Shows errors without their tracebacks.

    To show one Python parses source, and where that happens in the middle of parsing other source (when garbage is
    collected then, or in another thread) Python 3.11 raises SystemError: its issue 106905.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info is not None and isinstance(record.exc_info, tuple):
            record.exc_text = repr(record.exc_info[1])
        return True


logging.getLogger("vecstore").addFilter(_InOneLine())


@pytest.fixture
def errors_logged() -> Iterator[list[str]]:
    """What vecstore logs as errors. A test that expects some clears the list; what is left fails it."""
    handler, logger = _Errors(), logging.getLogger("vecstore")
    logger.addHandler(handler)
    yield handler.messages
    logger.removeHandler(handler)
    assert handler.messages == []


@pytest.fixture(autouse=True)
def only_far_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs grow by themselves when they are far behind, rested or not: tests know which segments there are."""
    monkeypatch.setattr(merging, "RESTED_BEHIND", merging.BEHIND)


@pytest.fixture(params=Home.KINDS)
def home(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    errors_logged: list[str],  # closes the collections first: what failed unseen is logged by then
) -> Iterator[Home]:
    """A place for a collection, of each kind."""
    if request.param == "sealed":
        monkeypatch.setattr(sealer, "SEAL_BYTES", 1)
    found = Home(request.param, tmp_path)
    yield found
    found.close()


@pytest.fixture
def col(tmp_path: Path, errors_logged: list[str]) -> Iterator[Collection]:
    """An empty collection in memory: one unnamed vector of two dimensions, compared by dot product."""
    found = Home("memory", tmp_path)
    yield found.make()
    found.close()


@pytest.fixture
def disk(tmp_path: Path, errors_logged: list[str]) -> Iterator[Home]:
    """A place on disk."""
    found = Home("disk", tmp_path)
    yield found
    found.close()


@pytest.fixture(params=ENDINGS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where to write a file of each format."""
    if request.param in ARROW:
        pytest.importorskip("pyarrow")
    return tmp_path / f"points{request.param}"
