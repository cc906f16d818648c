"""What is measured, behind one set of methods, and the process it runs in."""

from __future__ import annotations

import json
import multiprocessing
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from benchmarks.data import Part


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
