"""Verify: look at everything a collection keeps, open or closed, and tell what is wrong with it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from vecstore.checking.counters import check_counters
from vecstore.checking.payload_indexes import INDEXES, check_indexes
from vecstore.checking.points import PointsCheck
from vecstore.checking.rows import JOURNAL, RowsCheck
from vecstore.checking.subject import DATA, Findings, Subject
from vecstore.engine import creation, registry
from vecstore.engine.pinning import files_of, opened, pinned
from vecstore.engine.view import View
from vecstore.errors import Corrupted, NotACollection
from vecstore.health import VerifyReport
from vecstore.storage.data_file import DATA_FILE, verify_file
from vecstore.storage.environment import may_note
from vecstore.storage.lock import FolderLock, keep_writers_out
from vecstore.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from vecstore.checking.held import Held
    from vecstore.engine.engine import Engine
    from vecstore.storage import lock as locks
    from vecstore.storage.environment import Transaction


def verify_open(engine: Engine) -> VerifyReport:
    """Check one state of an open collection, while it is used. Raises ``CollectionClosed`` when it is closed."""
    findings = Findings(engine.check_open)
    view = View(engine, long=True)
    try:
        return _verify_view(engine, view, findings)
    finally:
        view.end()


def _verify_view(engine: Engine, view: View, findings: Findings) -> VerifyReport:
    with pinned(engine, view) as pins:
        if not engine.private:
            # The pages of this state are not written to while the transaction lasts; but the meta page, which
            # says where they are, may be read while it is being written.
            data = pins.view.store.environment.path / DATA_FILE
            check_environment(data, findings, attempts=3)
        folder = engine.folder / creation.SEGMENTS
        subject = Subject(view.store, view.txn, folder, engine.params, pins.manifest, pins.files, view.version)
        check(subject, findings)
    return report(None if engine.private else engine.folder, findings)


def verify_closed(folder: Path) -> VerifyReport:
    """Check a collection that nobody has open. Nothing is changed, and the log is not applied.

    Raises ``NotACollection``, ``CollectionLocked``, ``UnsupportedFormat``, ``StoreFailed``.
    """
    findings = Findings(lambda: None)
    noted = may_note(folder / creation.STORE)
    with locked(folder, FolderLock if noted else keep_writers_out):
        examine(folder, findings, noted=noted)
    return report(folder, findings)


@contextmanager
def locked(folder: Path, take: Callable[[Path], locks.Held] = FolderLock) -> Iterator[None]:
    """Nobody else has the collection open for writing. Raises ``NotACollection``, ``CollectionLocked``."""
    if not creation.is_collection(folder):
        raise NotACollection(folder, f"there is no collection at {folder}")
    lock = take(folder)
    try:
        with registry.readers_aside(folder):  # LMDB opens a file once in a process
            yield
    finally:
        lock.release()


def report(folder: Path | None, findings: Findings) -> VerifyReport:
    """What was found, for the caller."""
    problems = tuple(dict.fromkeys(finding.problem for finding in findings.found))
    return VerifyReport(None if folder is None else str(folder), problems, dict(findings.checked))


def examine(folder: Path, findings: Findings, *, noted: bool = True) -> Sequence[Held]:
    """Check a collection whose folder is locked. Returns its rows as they were found.

    ``noted``: as in ``Environment``.
    """
    # IMPORTANT: first. LMDB may end the process at pages it did not write.
    check_environment(folder / creation.STORE / DATA_FILE, findings)
    if findings.found:
        return []
    try:
        store = Store(folder / creation.STORE, sync=False, readonly=True, noted=noted)
    except Corrupted as error:
        findings.add(DATA, str(error))
        return []
    try:
        with store.environment.read() as txn:
            return _examine_store(store, txn, folder / creation.SEGMENTS, findings)
    finally:
        store.environment.close()


def check_environment(data: Path, findings: Findings, attempts: int = 1) -> None:
    """What LMDB's offline verifier says; only what it says every time."""
    problems: list[str] = []
    for _ in range(attempts):
        problems = verify_file(data)
        if not problems:
            break
    for problem in problems:
        findings.add(DATA, problem)
    findings.checked["bytes of the store"] += data.stat().st_size


def _examine_store(store: Store, txn: Transaction, folder: Path, findings: Findings) -> Sequence[Held]:
    try:
        params, manifest = store.meta.vectors(txn), store.meta.manifest(txn)
    except Corrupted as error:
        findings.add(DATA, str(error))
        return []
    if any(field >= len(params) for fields in manifest.values() for field in fields):
        findings.add(DATA, "the manifest names files of a vector that does not exist")
        return []
    with ExitStack() as stack:
        files = {path: opened(path, stack) for path in files_of(folder, manifest)}
        return check(Subject(store, txn, folder, params, manifest, files), findings)


def check(subject: Subject, findings: Findings) -> Sequence[Held]:
    """Check everything but LMDB's pages. Returns the rows as they were found."""
    counters = check_counters(subject, findings)
    points = PointsCheck(subject, findings, counters.slots)
    held: Sequence[Held] = []
    with findings.guard(JOURNAL):
        held = RowsCheck(subject, findings, points, counters).held
    if points.readable:
        with findings.guard(INDEXES):
            check_indexes(subject, findings)
    return held
