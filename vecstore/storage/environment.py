"""The one door to LMDB: an environment whose map nobody ever meets the end of.

The map is reserved large at once; that is address space, not disk. Where the system refuses, a smaller one is
taken, and it grows when a transaction fills it. Growing invalidates the transactions of other threads, so
every read passes a gate, and growing waits until no read is inside.

After a failed write of its meta page LMDB refuses even reads. Closing the environment and opening it again
with ``readonly=True`` makes reads work: what was committed is there.

Other processes read the same file. Each read notes in LMDB's lock file which state it looks at, and the writer
does not use its pages again before it has ended. What a process noted that was killed is cleared by others.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, TypeAlias, TypeVar

import lmdb
import lmdb._envid

from vecstore.errors import CollectionClosed, Corrupted, StoreFailed
from vecstore.storage.data_file import DATA_FILE, META_PAGES, check_length
from vecstore.storage.files import CHUNK, reading
from vecstore.storage.gate import Gate, Inside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Database: TypeAlias = Any
    Transaction: TypeAlias = lmdb.Transaction[bytes]

T = TypeVar("T")

ON_DISK_MAP = 1 << 40
IN_MEMORY_MAP = 1 << 36
SMALLEST_MAP = 1 << 24
MAX_READERS, MAX_DATABASES = 1024, 16
FORMAT_0_9 = 0
LOCK_FILE = "lock.mdb"


class Reading(Inside):
    """A read transaction as a context manager: see ``Environment.read``.

    ``end`` can be called as often as one likes, also where an interrupt kept Python from calling ``__exit__``.
    """

    def __init__(self, environment: Environment, *, long: bool = False) -> None:
        super().__init__(long=long)
        self._environment = environment
        self._txn: Transaction | None = None

    def __enter__(self) -> Transaction:
        try:
            while self._txn is None:
                self._txn = self._environment.begin(self)
        except BaseException:
            self.end()
            raise
        return self._txn

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.end()
        if isinstance(error, lmdb.Error):
            raise _failure(self._environment.path, error) from error

    def end(self) -> None:
        """End it, if it has begun."""
        txn, self._txn = self._txn, None
        try:
            if txn is not None:
                txn.commit()
        finally:
            self._environment.gate.leave(self)


class Environment:
    """Databases and transactions of one LMDB environment. Safe from any thread; one writer at a time.

    ``readonly``: another process may be writing. ``noted``: whether reads are noted in the lock file; without,
    nobody may write as long as the environment is open.
    """

    def __init__(self, path: Path, *, sync: bool, map_size: int, readonly: bool = False, noted: bool = True) -> None:
        self.path = path
        self._sync, self._readonly, self._noted = sync, readonly, noted
        self.gate = Gate()  # shut while the map is replaced
        self._closed = self._has_given_up = False
        self._databases: dict[bytes, tuple[Database, bool]] = {}
        check_length(path / DATA_FILE, shared=readonly)
        self._env = self._open(map_size)
        self._file = self._opened_file()
        self._writing, self._committing, self._copying = threading.RLock(), threading.Lock(), threading.Lock()

    def _open(self, map_size: int) -> lmdb.Environment:
        while True:
            try:
                return lmdb.open(
                    str(self.path),
                    map_size=map_size,
                    max_dbs=MAX_DATABASES,
                    max_readers=MAX_READERS,
                    max_spare_txns=1,
                    sync=self._sync,
                    readonly=self._readonly,
                    lock=self._noted,
                    lib_version=FORMAT_0_9,
                )
            except (lmdb.Error, MemoryError) as error:
                if map_size <= SMALLEST_MAP or not _out_of_address_space(error):
                    raise _failure(self.path, error) from error
                map_size //= 2

    def _opened_file(self) -> IO[bytes]:
        """The data file, which may lose its name."""
        try:
            with reading(self.path):
                return (self.path / DATA_FILE).open("rb", buffering=0)
        except BaseException:
            self._env.close()
            raise

    def database(self, name: bytes, *, duplicates: bool = False, new: bool = True) -> Database:
        """Open a named database; a ``new`` one is created. Only while the environment is being opened.

        ``duplicates``: a key has any number of values, sorted, all of one size. Raises ``Corrupted``.
        """
        try:
            database = self._env.open_db(name, create=new, dupsort=duplicates, dupfixed=duplicates)
        except lmdb.Error as error:
            what = f"its database {name.decode()!r} cannot be opened: {error}"
            raise Corrupted(self.path / DATA_FILE, what) from error
        self._databases[name] = database, duplicates
        return database

    def refuses_reads(self) -> bool:
        """Whether LMDB answers no read any more, as after a failed write of a meta page. Other failures may pass."""
        with suppress(Corrupted, StoreFailed), self.read():
            pass
        return self._has_given_up

    def read(self, *, long: bool = False) -> Reading:
        """A read transaction: a snapshot. Nothing in it may outlive it.

        ``long``: it may take minutes. Nobody waits for it but closing, and the map where it has to grow; while it
        lasts the pages it may read are not used again, and the file grows.
        """
        return Reading(self, long=long)

    def begin(self, read: Reading) -> Transaction | None:
        """A read transaction inside the gate, for ``Reading``; None: again."""
        self.gate.enter(read, self._check_open)
        try:
            return self._env.begin()
        except lmdb.MapResizedError:  # another process has written beyond the map of this one
            self.gate.leave(read)
            self.gate.alone(self._map_all)
        except lmdb.Error as error:
            self._has_given_up |= isinstance(error, lmdb.PanicError)
            if not (isinstance(error, lmdb.ReadersFullError) and self.clear_dead_readers()):
                raise _failure(self.path, error) from error
            self.gate.leave(read)
        return None

    def _map_all(self) -> None:
        try:
            if not self._closed:
                self._env.set_mapsize(2 * self.used_bytes())
        except lmdb.Error as error:
            self._close()  # there is no map at all now: the environment is of no more use
            raise _failure(self.path, error) from error

    def _check_open(self) -> None:
        if self._closed:
            raise CollectionClosed("the collection is closed")

    def copy(self, folder: Path) -> None:
        """Write the last committed state into an empty folder, while other threads write. Not synced.

        Inside ``read``: as long as that lasts no page of its state, and of later ones, is used again. So the pages
        can be taken from the file, once it is known which pages say where they are. Raises ``OSError``.

        IMPORTANT: not with LMDB's own copy. It waits for the end of the write transaction, and py-lmdb has an abort
        wait for the end of it; and its compacting copy ends the process (0.9.36) at a key with pages of duplicates.
        """
        with self._copying, (folder / DATA_FILE).open("wb") as copy:
            with self._committing:
                self._file.seek(0)
                copy.write(self._file.read(META_PAGES * self._env.stat()["psize"]))
            end = self.used_bytes()
            while chunk := self._file.read(min(CHUNK, end - copy.tell())):
                copy.write(chunk)
            copy.truncate(end)  # free pages at the end may never have been written

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in a write transaction and commit it; run it again from the start if the map was full.

        Raises ``StoreFailed`` when the store cannot write; whether the commit is on disk is then unknown.
        """
        try:
            while True:
                try:
                    return self._commit(work)
                except lmdb.MapFullError:
                    self.gate.alone(self._grow, long_too=True)
        except lmdb.Error as error:
            raise StoreFailed(f"{self.path}: {error}") from error

    @contextmanager
    def nested(self, parent: Transaction) -> Iterator[Transaction]:
        """A transaction inside ``parent``: an error takes back what was done in it, and no more."""
        txn = self._env.begin(write=True, parent=parent)
        try:
            yield txn
        except BaseException:
            self.gate.alone(txn.abort)
            raise
        txn.commit()

    def _commit(self, work: Callable[[Transaction], T]) -> T:
        """Commit at the end, abort at an error.

        IMPORTANT: behind the gate. py-lmdb lets an abort wait for a moment in which no thread is inside any call
        of the environment, and with a few busy readers there is none.
        """
        with self._writing:
            txn = self._env.begin(write=True)  # in here: whatever fails leaves none for which closing would wait
            try:
                result = work(txn)
            except BaseException:
                self.gate.alone(txn.abort)
                raise
            with self._committing:
                txn.commit()
            return result

    def _grow(self) -> None:
        try:
            self._env.set_mapsize(2 * self._env.info()["map_size"])
        except lmdb.Error:
            self._has_given_up = True  # there is no map at all any more
            raise

    def sync(self) -> None:
        """Force what was committed to the disk, whatever the durability. Raises ``StoreFailed``."""
        read = Inside()
        try:
            self.gate.enter(read, self._check_open)
            self._env.sync(True)
        except lmdb.Error as error:
            raise StoreFailed(f"{self.path}: {error}") from error
        finally:
            self.gate.inside.discard(read)  # IMPORTANT: here. A call of ours could be interrupted before it does it
            self.gate.leave(read)

    @property
    def is_closed(self) -> bool:
        """Whether every read raises ``CollectionClosed``."""
        return self._closed

    def used_bytes(self) -> int:
        """The length of the data file up to its last page."""
        return int((self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"])

    def free_bytes(self, txn: Transaction) -> int:
        """How much of ``used_bytes`` holds nothing any more, and is there to be used again."""
        stats = [self._env.stat(), *(txn.stat(database) for database, _ in self._databases.values())]
        pages = sum(stat[kind] for stat in stats for kind in ("branch_pages", "leaf_pages", "overflow_pages"))
        return max(0, self.used_bytes() - int(pages + META_PAGES) * int(stats[0]["psize"]))

    def copy_compacted(self, folder: Path) -> None:
        """Write what is committed as an environment in ``folder``, in order and without free pages, synced.

        Raises ``StoreFailed``. Not with LMDB's own compacting copy: that of py-lmdb 3.0 ends the process where a
        database has duplicates.
        """
        try:
            with (
                self.read() as txn,
                lmdb.open(
                    str(folder),
                    map_size=2 * self.used_bytes() + SMALLEST_MAP,
                    max_dbs=MAX_DATABASES,
                    sync=False,
                    lib_version=FORMAT_0_9,
                ) as copy,
            ):
                self._copy_all(txn, copy)
                copy.sync(True)
        except lmdb.Error as error:
            raise StoreFailed(f"{folder}: {error}") from error

    def _copy_all(self, txn: Transaction, copy: lmdb.Environment) -> None:
        with copy.begin(write=True) as into:
            for key, value in txn.cursor():
                if key not in self._databases:
                    into.put(key, value)
        for name, (database, duplicates) in self._databases.items():
            made = copy.open_db(name, dupsort=duplicates, dupfixed=duplicates)
            with copy.begin(write=True) as into, into.cursor(db=made) as cursor:
                cursor.putmulti(txn.cursor(db=database), dupdata=True, append=True)

    def clear_dead_readers(self) -> int:
        """Free the reader slots of processes that died, so that their pages can be used again."""
        return self._env.reader_check()

    def close(self) -> None:
        """Close when the last read and the write have ended. Reads that come later raise ``CollectionClosed``."""
        with self._writing:  # IMPORTANT: before the gate is shut, behind which the write may have to be aborted
            self.gate.alone(self._close, long_too=True)

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._file.close()
            self._env.close()

    def forget(self) -> None:
        """After a fork, in the child: never touch the parent's environment again."""
        self._closed = True


def forget_inherited() -> None:
    """After a fork, in the child: what the parent has open does not count as open here.

    py-lmdb refuses to open one file twice in a process, and a child inherits its list of open files, with no
    way to take one off it but to close the parent's environment. So files get other names in that list.
    """
    names = lmdb._envid.env_keys
    lmdb._envid.env_keys = lambda *args: tuple((os.getpid(), name) for name in names(*args))  # type: ignore[no-untyped-call]


def may_note(path: Path) -> bool:
    """Whether this process may write to the lock file of the environment at ``path``."""
    return os.access(lock if (lock := path / LOCK_FILE).exists() else path, os.W_OK)


def _out_of_address_space(error: BaseException) -> bool:
    return isinstance(error, MemoryError | lmdb.MemoryError) or os.strerror(errno.ENOMEM) in str(error)


def _failure(path: Path, error: BaseException) -> Exception:
    damaged = (lmdb.CorruptedError, lmdb.InvalidError, lmdb.PageNotFoundError, lmdb.VersionMismatchError)
    if isinstance(error, damaged):
        return Corrupted(path, str(error))
    return StoreFailed(f"{path}: {error}")
