"""The store: one LMDB environment and the databases in it, the single source of truth.

meta       what the collection is, the manifest, counters        (``meta``)
wal        acknowledged operations that are not applied yet      (``pieces``: operation id -> operation)
points     id -> slot                                            (``points``)
payloads   slot -> id and payload                                (``points``)
journal    what was done to vectors since the last seal          (``journal``)
index      term -> slots, and
numbers    bucket of numbers -> number and slot                  (``indexes``; which there are: ``catalog``, in meta)
unnamed    the format, and how far operations are applied        (``meta``)
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vecstore.errors import NotACollection, UnsupportedFormat
from vecstore.storage.catalog import CatalogStore
from vecstore.storage.data_file import DATA_FILE
from vecstore.storage.environment import IN_MEMORY_MAP, ON_DISK_MAP, Environment
from vecstore.storage.indexes import Indexes
from vecstore.storage.journal import Journal
from vecstore.storage.meta import FORMAT, Meta, put_format, read_format
from vecstore.storage.pieces import Pieces
from vecstore.storage.points import Points

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vecstore.models import VectorParams
    from vecstore.storage.environment import Transaction


class Store:
    """The databases of a collection, open. ``sync``: whether a commit waits for the disk.

    ``readonly`` and ``noted``: see ``Environment``. Raises ``UnsupportedFormat``, ``NotACollection`` for a store
    whose making did not end, and what ``Environment`` raises.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sync: bool,
        in_memory: bool = False,
        readonly: bool = False,
        noted: bool = True,
        new: bool = False,
    ) -> None:
        map_size = IN_MEMORY_MAP if in_memory else ON_DISK_MAP
        self.environment = Environment(folder, sync=sync, map_size=map_size, readonly=readonly, noted=noted)
        data = folder / DATA_FILE
        try:
            if not new:
                self._check_format(folder)  # IMPORTANT: before anything is opened that could write
            database = partial(self.environment.database, new=new)
            meta = database(b"meta")
            self.meta, self.catalog = Meta(meta, data), CatalogStore(meta, data)
            self.log = Pieces(database(b"wal"), data, "logged operation")
            self.points = Points(database(b"points"), database(b"payloads"), data)
            self.journal = Journal(Pieces(database(b"journal"), data, "journal entry"))
            self.indexes = Indexes(database(b"index", duplicates=True), database(b"numbers", duplicates=True))
        except BaseException:
            self.environment.close()
            raise

    def _check_format(self, folder: Path) -> None:
        with self.environment.read() as txn:
            found = read_format(txn)
        if found == 0:
            raise NotACollection(folder.parent, f"{folder.parent} is not a vecstore collection")
        if found != FORMAT:
            raise UnsupportedFormat(
                f"{folder.parent} was written in format {found}; this version of vecstore knows format {FORMAT}. "
                "Nothing was changed."
            )


def create(folder: Path, vectors: Mapping[str, VectorParams], *, sync: bool) -> None:
    """Make the store of a new collection in an empty folder."""

    def describe(txn: Transaction) -> None:
        store.meta.put_vectors(txn, vectors)
        put_format(txn)

    store = Store(folder, sync=sync, new=True)
    try:
        store.environment.write(describe)
        store.environment.sync()
    finally:
        store.environment.close()
