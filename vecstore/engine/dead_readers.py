"""Dead readers: what a process was reading when it was killed keeps its pages from being used again.

The writer clears such notes when it opens the collection (``registry``), and here, every few turns: so the store
grows by no more than these turns write, whatever they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vecstore.storage.store import Store

EVERY = 16
"""Turns of the writer. Looking costs it a system call for each process that reads."""


class DeadReaders:
    """A chore of the writer's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turns = 0

    def after_turn(self, _: int) -> None:
        """Look, if it is time to."""
        self._turns += 1
        if self._turns % EVERY == 0:
            self._store.environment.clear_dead_readers()
