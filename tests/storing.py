"""What the tests of the storage share: environments, and transactions that leave nothing behind."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from vecstore.storage.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAP = 1 << 28


@contextmanager
def environment(folder: Path, *, map_size: int = MAP, sync: bool = False) -> Iterator[Environment]:
    """An open environment in a folder."""
    env = Environment(folder, sync=sync, map_size=map_size)
    try:
        yield env
    finally:
        env.close()


class _Undo(Exception):
    pass


def undone(env: Environment, work: Callable[[Any], Any]) -> None:
    """Do ``work`` in a write transaction, and take it back."""

    def do(txn: Any) -> None:
        work(txn)
        raise _Undo

    with suppress(_Undo):
        env.write(do)
