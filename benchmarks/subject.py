"""What is measured, behind one set of methods, and the process it runs in."""

from __future__ import annotations

import json
import multiprocessing
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from benchmarks.asking import Conditions
    from benchmarks.data import Part
    from benchmarks.workload import Shape


class Subject(Protocol):
    """A store in ``folder`` for cosine vectors. Made empty; ``measure`` calls the methods in this order."""

    def __init__(self, folder: Path, size: int) -> None: ...

    def add(self, part: Part) -> None:
        """Take a batch; it may still be under way on return."""

    def finish(self) -> None:
        """Return when all that was added can be found and would survive a loss of power."""

    def add_one(self, part: Part) -> None:
        """Take a batch of one, and return when it can be found and would survive a loss of power."""

    def search(self, vector: npt.NDArray[np.float32], limit: int) -> list[int]:
        """The ids nearest to ``vector``, exactly. A store of payloads has brought them and looked at them."""
        ...

    def close(self) -> None: ...

    def open_again(self) -> int | None:
        """Open what was closed and return the number of points in it; None where there is nothing to open."""


class Peer(Protocol):
    """A store in ``folder``, made there or opened again, as a comparison uses it.

    To look at a payload is to read its field ``shape.looked_at``. ``where`` is what the peer's own ``where`` made
    of a filter. A peer without ``optimize``, ``index_payloads`` or ``count`` is not asked for them.
    """

    synced: bool  # an upsert that has returned survives a loss of power
    filters: bool  # it can; else ``where`` is told the points that match, and takes its time
    graph_first: bool  # the vector index is built before the payload indexes, not after them

    def __init__(self, folder: Path, shape: Shape) -> None: ...

    def add(self, part: Part) -> None:
        """Take a batch; it may still be under way on return."""

    def finish(self) -> None:
        """Return when all that was added can be found and is as durable as the peer can make it."""

    def add_one(self, part: Part) -> None:
        """Take a batch of one, and return when it can be found."""

    def optimize(self) -> None:
        """Build the vector index and return when it is in use."""

    def index_payloads(self) -> None:
        """Index the fields ``shape.indexed``."""

    def where(self, conditions: Conditions) -> Any: ...

    def search(self, vector: npt.NDArray[np.float32], limit: int, where: Any = None) -> list[int]:
        """The ids nearest to ``vector``, each payload looked at."""
        ...

    def search_many(self, matrix: npt.NDArray[np.float32], limit: int) -> list[list[int]]:
        """The ids nearest to each row, without payloads, in as few calls as the peer can."""
        ...

    def count(self, where: Any) -> int: ...

    def retrieve(self, ids: Sequence[int]) -> int:
        """Fetch points by id and look at their payloads; returns how many there were."""
        ...

    def scroll(self, page: int, look: bool) -> int:
        """Fetch all points with their payloads, page by page; returns how many there were."""
        ...

    def close(self) -> None: ...


def run_apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """What ``function`` returns in a process of its own; it comes back as JSON."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        return json.loads(ours.recv())
    except EOFError:
        process.join()
        raise SystemExit(f"a measuring process ended with code {process.exitcode}") from None
    finally:
        process.join()


def _child(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    pipe.send(json.dumps(function(*arguments)))
