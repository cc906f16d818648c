"""Loading: from a snapshot of the store to the rows of every vector name, in step with it.

    rows   =   the files the manifest names   -   their dead rows as of the last seal   +   the journal since

What the journal says of files, dead rows may say already: a row dies once, and its number is not given again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecstore.engine.rows import VectorRows
from vecstore.errors import Corrupted
from vecstore.storage.environment import DATA_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from vecstore.models import VectorParams
    from vecstore.storage.environment import Transaction
    from vecstore.storage.segments import Sealed, SealedFiles
    from vecstore.storage.store import Store

    Open: TypeAlias = Callable[[int, int, VectorParams, SealedFiles], Sealed]
    """The segment of a number, field number, and what the manifest says of it."""


def load_sealed(txn: Transaction, store: Store, params: Mapping[str, VectorParams], open_: Open) -> list[VectorRows]:
    """The rows that are in files, by field number; the journal is still to be replayed."""
    manifest = store.meta.manifest(txn)
    loaded = []
    for field, p in enumerate(params.values()):
        rows = VectorRows(
            field, p, [open_(n, field, p, fs[field]) for n, fs in sorted(manifest.items()) if field in fs]
        )
        for segment in rows.sealed():
            if (dead := store.meta.dead_rows(txn, segment.number, field)) is not None:
                rows.set_dead(segment.number, dead)
        loaded.append(rows)
    return loaded


def replay_journal(txn: Transaction, store: Store, loaded: list[VectorRows], start: int = 0) -> tuple[int, int]:
    """Do again what the journal says from the sequence number ``start`` on.

    Returns where to go on, and how many bytes there were. Raises ``Corrupted``.
    """
    size = 0
    for sequence, length, changes in store.journal.entries(txn, start):
        try:
            for change in changes:
                loaded[change.field].replay(change)
        except (ValueError, LookupError) as error:
            what = f"the journal does not fit the manifest: {error}"
            raise Corrupted(store.environment.path / DATA_FILE, what) from error
        start, size = sequence + 1, size + length
    return start, size
