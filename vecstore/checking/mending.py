"""What cures work on: the store and the files of a collection that nobody else has open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from vecstore.checking.held import Held
    from vecstore.models import VectorParams
    from vecstore.storage.environment import Transaction
    from vecstore.storage.meta import Manifest
    from vecstore.storage.store import Store


@dataclass
class Mending:
    """``held``: the rows as they were found. ``journal_changed``: they have changed, and the journal has to follow."""

    store: Store
    folder: Path
    params: Mapping[str, VectorParams]
    held: Sequence[Held]
    journal_changed: bool = False

    def write(self, work: Callable[[Transaction], object]) -> None:
        """Do ``work`` in a transaction of its own."""
        self.store.environment.write(work)

    def change_manifest(self, change: Callable[[Manifest], None]) -> None:
        """Change the manifest in a transaction of its own."""

        def work(txn: Transaction) -> None:
            manifest = self.store.meta.manifest(txn)
            change(manifest)
            self.store.meta.put_manifest(txn, manifest)

        self.write(work)
