"""A follower: the vectors of a store that another process writes, in step with every snapshot that is read.

    1. snapshot   a read begins a transaction of the store                                            (``view``)
    2. catch up   where the snapshot has the same manifest as the one before, the journal has only grown, and is
                  replayed from where the last replay ended; else all is loaded again, but files that are mapped
    3. version    what that makes is kept for others who read the same snapshot; whose snapshot is older by now
                  begins again

That is right because one transaction changes the manifest, the dead rows beside it and the journal, and counts
the manifest (``meta``). What is acknowledged and not applied is in the log, at which nobody looks here; and a
transaction that changes nothing that is applied makes a Version that is equal to the one before.

A follower never writes, and keeps nobody from writing. The writer may delete a file as soon as its transaction
has taken it out of the manifest; so files are mapped when they are first named, and where one has just gone, there
is a newer snapshot, and the read begins again. An idle follower holds on to the files of the last state it read.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vecstore.engine import creation
from vecstore.engine.loading import load_sealed, replay_journal
from vecstore.engine.memo import Memos
from vecstore.engine.version import Version
from vecstore.errors import Corrupted, StoreFailed
from vecstore.nesting import is_mine
from vecstore.storage.environment import may_note
from vecstore.storage.lock import attach, keep_writers_out
from vecstore.storage.segments import Sealed
from vecstore.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore.engine.replay import Replay
    from vecstore.models import VectorParams
    from vecstore.storage.environment import Transaction
    from vecstore.storage.segments import SealedFiles

MOST_MISSES = 100
"""After so many manifests in a row of which a file has gone, reading gives up."""
LOOK_SECONDS = 0.5
"""How often it is looked whether a graph has begun to grow in place."""
NOTHING = Version({}, 0)


@dataclass
class Followed:
    """How far a follower is: the manifest with the number ``manifests``, and the journal before ``position``.

    ``version`` is what came of it.
    """

    manifests: int
    rows: list[Replay]
    position: int = 0
    version: Version | None = None


class Gone(Exception):
    """A file that the snapshot names has just been deleted."""


class Follower:
    """The store of a folder, open for reading, and the Versions of its snapshots. Safe from any thread.

    Where this process may not write LMDB's notes of readers, writers are kept out as long as it is open.

    Raises ``StoreFailed``, ``Corrupted``, ``UnsupportedFormat``, ``NotACollection``; ``CollectionLocked`` where
    writers would have to be kept out, and one is there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / creation.SEGMENTS
        self._lock = threading.RLock()
        self._followed: Followed | None = None
        self._mapped: dict[tuple[int, int], Sealed] = {}
        self._newest = 0, NOTHING  # the last snapshot that was caught up with, and its Version
        self._looks_at = 0.0  # for graphs that grow
        self._misses = 0
        self._missed = threading.local()
        self.memos = Memos()
        path = folder / creation.STORE
        with ExitStack() as stack:
            noted = may_note(path)
            if not noted:
                stack.callback(keep_writers_out(folder).release)
            if (attached := attach(path)) is not None:
                stack.callback(attached.release)
            self.identity = creation.identity(folder)
            self.store = Store(path, sync=False, readonly=True, noted=noted)
            stack.callback(self.store.environment.close)
            if noted:
                self.store.environment.clear_dead_readers()  # there may be no writer to do it
            with self.store.environment.read() as txn:
                self.params = self.store.meta.vectors(txn)
            self._let_go = stack.pop_all()

    def close(self) -> None:
        """Let the store go, when the last read has ended."""
        self.store.environment.close()  # what follows cannot be done twice, and this may be interrupted
        self._let_go.close()

    def forget(self) -> None:
        """After a fork, in the child: the store stays the parent's."""
        self.store.environment.forget()

    # -- what a view reads -----------------------------------------------------------------------------------

    def replaced(self, store: Store) -> bool:
        """Whether another store has taken the place of ``store`` here."""
        return self.store is not store

    def reopen_to_read(self) -> None:
        """Nothing: only failed writes make LMDB refuse reads."""

    def version_of(self, txn: Transaction) -> Version | None:
        """The Version of a snapshot; None where it is not to be had any more: begin again.

        Raises ``Corrupted``, ``StoreFailed``.
        """
        number = txn.id()
        newest, version = self._newest
        return version if newest == number else self._version_after(txn, number)

    def _version_after(self, txn: Transaction, number: int) -> Version | None:
        try:
            if is_mine(self._lock):  # a signal handler, or a ``__del__``, reads in the middle of this
                return self._newer(txn, self._from_start(txn, []))
            with self._lock:
                newest, version = self._newest
                if number > newest:
                    version = self._caught_up(txn)
                    self._newest = number, version
                return version if number >= newest else None
        except Gone:
            return None

    # -- catching up -----------------------------------------------------------------------------------------

    def _caught_up(self, txn: Transaction) -> Version:
        followed, self._followed = self._followed, None  # what fails halfway is not gone on with
        if followed is None or followed.manifests != self.store.meta.number(txn, b"manifests"):
            followed = self._from_start(txn, [] if followed is None else followed.rows)
        version = followed.version = self._newer(txn, followed)
        self._followed = followed
        return version

    def _from_start(self, txn: Transaction, before: list[Replay]) -> Followed:
        manifests = self.store.meta.number(txn, b"manifests")
        return Followed(manifests, self._load(txn, manifests, before))

    def _newer(self, txn: Transaction, followed: Followed) -> Version:
        """The Version after what the journal has more; the last one where neither vectors nor slots have changed."""
        last, slots = followed.version, self.store.meta.number(txn, b"slots")
        position, _ = replay_journal(txn, self.store, followed.rows, followed.position)
        if last is not None and position == followed.position:
            return last if last.slots == slots else Version(last.vectors, slots)
        followed.position = position
        self._find_growing()
        return Version({name: rows.views() for name, rows in zip(self.params, followed.rows, strict=True)}, slots)

    def _load(self, txn: Transaction, manifests: int, before: list[Replay]) -> list[Replay]:
        mapped: dict[tuple[int, int], Sealed] = {}
        tails = {(tail.number, rows.field): tail for rows in before for tail in rows.tails()}

        def opened(number: int, field: int, params: VectorParams, said: SealedFiles) -> Sealed:
            segment = self._mapped.get((number, field))
            if segment is None or segment.files != said:
                segment = Sealed(self._folder, number, field, params, said, self._check_in_place)
                segment.load()
                if (tail := tails.get((number, field))) is not None:
                    segment.keep_codes(tail)
            mapped[number, field] = segment
            return segment

        try:
            loaded = load_sealed(txn, self.store, self.params, opened)
        except (Corrupted, StoreFailed, OSError) as error:
            self._miss(manifests, error)
            raise Gone from error
        for segment in mapped.values():
            segment.find_growing()
        # What else holds on to files that the writer has deleted is let go.
        self._mapped, self._misses = mapped, 0
        return loaded

    def _find_growing(self) -> None:
        """See now and then whether the writer has a graph that grows."""
        now = time.monotonic()
        if now >= self._looks_at:
            self._looks_at = now + LOOK_SECONDS
            for segment in self._mapped.values():
                segment.find_growing()

    def _check_in_place(self) -> None:
        creation.check_in_place(self._folder.parent, self.identity)

    def _miss(self, manifests: int, error: Exception) -> None:
        """Raise ``error`` unless a later snapshot can be without the file.

        A file is deleted after the transaction that no longer names it. So where this thread has missed one of the
        same manifest before, and has begun again after that, it was not the writer who deleted it.
        """
        self._misses += 1
        before, self._missed.manifests = getattr(self._missed, "manifests", None), manifests
        if manifests == before or self._misses > MOST_MISSES:
            if isinstance(error, OSError):
                raise StoreFailed(f"{self._folder}: a segment cannot be mapped: {error}") from error
            raise error
