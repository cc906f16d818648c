"""Sealing: the rows of the open segment move from the journal into immutable files, while writing goes on.

    1. freeze    on the writer's thread: every name's tail grows no more, new ones are opened     (memory only)
    2. write     on the sealer's thread: the files, synced, renamed, their folder synced
    3. publish   on the writer's thread, in one transaction: the manifest names the files, dead rows are folded
                 into the bitmaps, the journal forgets what was frozen

A kill before 3 loses nothing: the journal still has the rows, and files the manifest does not name are deleted
at the next open (invariant 3 of ``vecstore.engine``).
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vecstore.engine import creation
from vecstore.errors import StoreFailed
from vecstore.storage import files, segments
from vecstore.storage.segments import Sealed, SealedFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vecstore.engine.rows import VectorRows
    from vecstore.engine.state import State
    from vecstore.storage.environment import Transaction
    from vecstore.storage.store import Store
    from vecstore.storage.tail import Tail

SEAL_BYTES = 12 << 20
"""A segment is sealed when its part of the journal is this large: LMDB stays small, files do not get many."""
CALM_BYTES, CALM_SECONDS = 8 << 20, 5.0
"""Beside a graph that can grow it is sealed when it has this much, so many seconds after the last time. Graphs take in
sealed rows alone, and rows that are in none cost every search: 8 MB of them by codes .4 of what a graph of 60,000 rows
takes (0.18 ms beside 0.44), as much as all else where there are no codes, or a filter."""
UNDER_WAY = 2
"""The writer waits when this many segments are frozen and not yet in files, so that memory stays bounded."""


@dataclass
class Seal:
    """Tails that grow no more, on their way into files; the journal holds them in its entries up to ``sequence``."""

    tails: list[tuple[str, Tail]]
    sequence: int
    journal_bytes: int
    written: list[SealedFiles] = field(default_factory=list)
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)


class Sealer:
    """Seals the segments of a collection in ``folder``. ``private``: its files lose their names at once.

    ``on_written`` is called by another thread when there is something to publish. All methods are for the
    writer's thread.
    """

    def __init__(
        self, folder: Path, store: Store, state: State, on_written: Callable[[], None], *, private: bool
    ) -> None:
        self._folder, self._store, self._state = folder, store, state
        self._on_written, self._private = on_written, private
        self._data_file = creation.data_file(folder.parent)  # once: it is looked at with every commit
        self._identity = creation.identity_of(self._data_file)
        self._seals: list[Seal] = []
        self._since = -math.inf  # when sealing last began; what is open at the beginning is old

    def after_turn(self, sequence: int) -> float | None:
        """Publish what is written, and freeze when enough has gathered in the journal up to ``sequence``."""
        while self._seals and self._seals[0].done.is_set():
            self._finish_first()
        wait = self._seconds_left()
        if wait == 0:
            self.freeze(sequence)
        return wait or None  # the thread that writes wakes the writer

    def _seconds_left(self) -> float | None:
        """When to seal what is open; None: when there is more of it."""
        size = self._state.journal_bytes - self._frozen_bytes()
        if size >= SEAL_BYTES:
            return 0
        if size < CALM_BYTES or not self._has_graph_that_grows():
            return None
        return max(0, self._since + CALM_SECONDS - time.monotonic())

    def _has_graph_that_grows(self) -> bool:
        sealed = (segment for rows in self._state.vectors.values() for segment in rows.sealed())
        return not self._private and any(segment.has_graph for segment in sealed)

    def _frozen_bytes(self) -> int:
        return sum([seal.journal_bytes for seal in self._seals])

    def freeze(self, sequence: int) -> None:
        """Begin to seal everything the journal holds up to ``sequence``, its last entry."""
        while len(self._seals) >= UNDER_WAY:
            self._finish_first()
        journal_bytes = self._state.journal_bytes - self._frozen_bytes()
        seal = Seal(self._close_tails(), sequence, journal_bytes)
        self._seals.append(seal)
        self._since = time.monotonic()
        thread = threading.Thread(target=self._write, args=(seal,), name="vecstore-sealer", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending and starts no more threads
            self._write(seal)

    def finish(self, *, publish: bool) -> None:
        """Wait for what is under way, and publish it, unless the store has failed."""
        try:
            while publish and self._seals:
                self._finish_first()
        finally:
            for seal in self._seals:
                seal.done.wait()

    def _finish_first(self) -> None:
        self._seals[0].done.wait()
        self._publish(self._seals[0])
        # IMPORTANT: only now. Were a seal forgotten that was not published, the next one would drop its journal.
        self._seals.pop(0)

    def _close_tails(self) -> list[tuple[str, Tail]]:
        under_way = {id(tail) for seal in self._seals for _, tail in seal.tails}
        number = self._state.new_number()
        closed = []
        for name, rows in self._state.vectors.items():
            rows.open(number)
            closed += [(name, tail) for tail in rows.closed_tails() if id(tail) not in under_way]
        return closed

    # -- any thread ------------------------------------------------------------------------------------------

    def check_in_place(self) -> None:
        """Raise ``StoreFailed`` where another collection's files, or none, are in the folder."""
        if not self._private and creation.identity_of(self._data_file) != self._identity:
            creation.check_in_place(self._folder.parent, self._identity)

    def _write(self, seal: Seal) -> None:
        try:
            self.check_in_place()
            for name, tail in seal.tails:
                rows = self._state.vectors[name]
                sync = not self._private
                seal.written.append(segments.seal(self._folder, tail, rows.field, rows.params, sync=sync))
            if not self._private:
                files.sync_folder(self._folder)
        except Exception as error:  # noqa: BLE001 - raised again on the writer's thread
            seal.error = error
        seal.done.set()
        self._on_written()

    # -- the writer's thread again -----------------------------------------------------------------------------

    def _publish(self, seal: Seal) -> None:
        if seal.error is not None:
            raise StoreFailed(f"sealing a segment failed: {seal.error}") from seal.error
        for (name, tail), said in zip(seal.tails, seal.written, strict=True):
            self._swap(self._state.vectors[name], tail, said)
        self._store.environment.write(lambda txn: self._put(txn, seal))
        self._state.journal_bytes -= seal.journal_bytes

    def _swap(self, rows: VectorRows, tail: Tail, said: SealedFiles) -> None:
        sealed = Sealed(self._folder, tail.number, rows.field, rows.params, said, self.check_in_place)
        if self._private:
            sealed.unlink()
        rows.replace(tail, sealed)

    def _put(self, txn: Transaction, seal: Seal) -> None:
        self._state.record_manifest(txn, self._store)
        self._store.journal.drop(txn, seal.sequence)
        self._state.offer(txn)

    def has_open_rows(self) -> bool:
        """Whether there are rows that nobody has begun to seal."""
        return any(rows.tail.rows for rows in self._state.vectors.values())

    def under_way(self, before: int) -> bool:
        """Whether a segment with a number below ``before`` is being sealed."""
        return any(tail.number < before for seal in self._seals for _, tail in seal.tails)
