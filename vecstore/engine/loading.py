"""Loading: from a snapshot of the store to the rows of every vector name, in step with it.

    rows   =   the files the manifest names   -   their dead rows as of the last seal   +   the journal since

What the journal says of files, dead rows may say already: a row dies once, and its number is not given again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecstore.engine.replay import Replay
from vecstore.engine.version import SegmentView
from vecstore.errors import Corrupted
from vecstore.storage import bitmaps, journal
from vecstore.storage.data_file import DATA_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from vecstore.models import VectorParams
    from vecstore.storage.environment import Transaction
    from vecstore.storage.segments import Sealed, SealedFiles
    from vecstore.storage.store import Store

    Open: TypeAlias = Callable[[int, int, VectorParams, SealedFiles], Sealed]
    """The segment of a number, field number, and what the manifest says of it."""


def load_sealed(txn: Transaction, store: Store, params: Mapping[str, VectorParams], open_: Open) -> list[Replay]:
    """What is in files, by field number; the journal is still to be replayed."""
    manifest = sorted(store.meta.manifest(txn).items())

    def sealed(field: int, p: VectorParams) -> list[SegmentView]:
        return [_seen(txn, store, field, open_(n, field, p, fs[field])) for n, fs in manifest if field in fs]

    return [Replay(field, p, sealed(field, p)) for field, p in enumerate(params.values())]


def _seen(txn: Transaction, store: Store, field: int, segment: Sealed) -> SegmentView:
    dead = store.meta.dead_rows(txn, segment.number, field)
    if dead is None:
        return SegmentView(segment, segment.rows, None, 0)
    return SegmentView(segment, segment.rows, bitmaps.resized(dead, segment.rows), bitmaps.count(dead))


def replay_journal(txn: Transaction, store: Store, loaded: list[Replay], start: int = 0) -> tuple[int, int]:
    """Do again what the journal says from the sequence number ``start`` on.

    Returns where to go on, and how many bytes there were. Raises ``Corrupted``.
    """
    size = 0
    for sequence, value in store.journal.entries(txn, start):
        try:
            if (row := journal.decode_row(value)) is not None:
                loaded[row[0]].row(row)
            else:
                _replay(store, loaded, sequence, value)
        except (ValueError, LookupError) as error:
            what = f"the journal does not fit the manifest: {error}"
            raise Corrupted(store.environment.path / DATA_FILE, what) from error
        start, size = sequence + 1, size + len(value)
    return start, size


def _replay(store: Store, loaded: list[Replay], sequence: int, value: bytes) -> None:
    try:
        changes = journal.decode(value)
    except ValueError as error:
        raise store.journal.unreadable(sequence, error) from error
    for change in changes:
        loaded[change.field].change(change)
