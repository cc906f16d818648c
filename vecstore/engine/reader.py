"""The reader: what ``read_only`` handles have open, and share in a process. It offers what ``Engine`` offers to reads.

It follows the store that another process writes (``follower``), or that nobody does. LMDB cannot open one file twice
in a process; so while this process has the collection open for writing, that engine is the host, and what is read
is its store. Whenever the host closes, or another file takes the place of the one that is open (a collection that
was restored, or compacted), the next read opens what is there then.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from vecstore.engine import creation
from vecstore.engine.engine import FORKED
from vecstore.engine.follower import Follower
from vecstore.engine.view import View
from vecstore.errors import CollectionClosed, NotACollection, ReadOnly, WouldWaitForItself
from vecstore.nesting import is_inside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vecstore.engine.engine import Engine
    from vecstore.engine.view import Source
    from vecstore.storage.store import Store


class Reader:
    """One collection, open for reading in this process. ``host``: the engine that has it open for writing here."""

    private = False
    durability = None

    def __init__(self, folder: Path, host: Engine | None) -> None:
        self.folder = folder
        self._data_file = creation.data_file(folder)
        self.holders: set[object] = set()  # one for each handle
        self.host = host
        self._closed: str | None = None
        self._follower: Follower | None = None
        self._known: Source | None = None  # has the vectors of this collection
        self._lock = threading.RLock()  # entered itself, so that no interrupt leaves it locked
        self._changed = threading.Condition(self._lock)
        self._aside: int | None = None  # the thread that has set it aside
        self.params = self._present().params

    # -- what handles use ------------------------------------------------------------------------------------

    def view(self, *, auto_index: bool = False) -> View:
        """The present state, for reading: a context manager."""
        return View(self)

    def submit(self, operation: Any) -> NoReturn:
        """Raise ``ReadOnly``, as every write does."""
        self._refuse()

    def flush(self) -> NoReturn:
        """Raise ``ReadOnly``."""
        self._refuse()

    def optimize(self) -> NoReturn:
        """Raise ``ReadOnly``."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        self.check_open()
        raise ReadOnly(f"{self.folder} was opened with read_only=True; open it without that to write")

    def check_open(self) -> None:
        """Raise ``CollectionClosed`` unless the reader can be used."""
        if self._closed is not None:
            raise CollectionClosed(self._closed)

    def is_read_by(self, thread: int) -> bool:
        """Whether a thread is in the middle of a read, which would have to end for ``aside``."""
        return self._follower is not None and self._follower.store.environment.gate.has(thread)

    # -- what a view reads -----------------------------------------------------------------------------------

    @property
    def source(self) -> Source:
        """The host, or a follower of what is at the path now.

        Raises ``CollectionClosed``, also where another collection has taken the place of this one;
        ``NotACollection`` where there is none any more; what ``Follower`` raises.
        """
        self.check_open()
        with self._lock:
            while self._aside is not None:
                self._check_can_wait(self._aside == threading.get_ident())
                self._changed.wait()
            self.check_open()
            source = self._present()
            if source is not self._known:
                self._check_same(source)
            return source

    def _present(self) -> Engine | Follower:
        found, host, follower = creation.identity_of(self._data_file), self.host, self._follower
        if host is not None and host.is_open() and host.identity == found:
            return host
        if follower is not None and follower.identity == found and not follower.store.environment.is_closed:
            return follower
        self._check_can_wait(is_inside(f"{__name__}._present", f"{__name__}._let_go"))
        self._let_go()
        if found is None:
            raise NotACollection(self.folder, f"there is no collection at {self.folder}")
        self._follower = Follower(self.folder)
        return self._follower

    def _check_can_wait(self, is_nested: bool) -> None:
        """A signal handler, or a ``__del__``, may read while the very thread opens or closes what it would read."""
        if is_nested:
            raise WouldWaitForItself(f"{self.folder} is being opened or closed by the thread that reads it")

    def _check_same(self, source: Engine | Follower) -> None:
        if source.params != self.params:
            self._closed = f"another collection has taken the place of the one at {self.folder}; open it again"
            self._let_go()
            self.check_open()
        self._known = source

    def replaced(self, store: Store) -> bool:
        """Whether ``store`` was closed because another has taken its place, or will."""
        host = self.host
        return self._closed is None and (host is None or not host.is_open() or host.replaced(store))

    # -- letting go ------------------------------------------------------------------------------------------

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Reads that have begun end, and others wait, while this process opens the store in another way."""
        try:
            with self._lock:
                self._aside = threading.get_ident()
                self._let_go()
            yield
        finally:
            with self._lock:
                self._aside = None
                self._changed.notify_all()

    def close(self, timeout: float | None = None) -> None:
        """Let go of the store when the last read has ended; there is nothing else to wait for, or to give up.

        Where it is interrupted it can be called again.
        """
        if self._closed == FORKED:
            return
        with self._lock:
            self._closed = self._closed or "the collection is closed"
            self._let_go()
            self._changed.notify_all()

    def forget(self) -> None:
        """After a fork, in the child: the store stays the parent's."""
        self._closed = FORKED
        if self._follower is not None:
            self._follower.forget()

    def _let_go(self) -> None:
        if self._follower is not None:
            self._follower.close()
        self._follower = self._known = None
