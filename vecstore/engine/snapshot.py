"""A snapshot: a copy of one state of a collection, made while writes go on, that opens as a collection.

    1. pin      the segment files there are, so that they outlive a merge    (``pinning``)
    2. write    in a temporary folder beside the target: a copy of the pages of the last state, and the files it names,
                by another name where the file system can do that (they never change); if a merge has taken one
                away meanwhile that was not pinned, begin again
    3. sync     every file that was written, and the folders
    4. rename   and sync the folder above

A kill before 4 leaves a folder that the next snapshot to, or opening of, that path removes. Operations that were
acknowledged and not applied yet are in the copy's log, and are applied when it is opened.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from vecstore.engine import creation
from vecstore.engine.pinning import files_of, opened, pinned
from vecstore.engine.view import View
from vecstore.errors import InvalidRequest, StoreFailed
from vecstore.storage import files, segments
from vecstore.storage.data_file import DATA_FILE
from vecstore.storage.environment import LOCK_FILE
from vecstore.storage.lock import FolderLock
from vecstore.storage.segments import Sealed
from vecstore.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore.engine.engine import Engine
    from vecstore.engine.version import Version
    from vecstore.storage.meta import Manifest


def snapshot(engine: Engine, target: Path) -> None:
    """Write the present state of a collection to ``target``, where nothing may be: all of it, or nothing.

    Raises ``InvalidRequest``, ``StoreFailed``; ``Corrupted`` when a file of the collection is not there.
    """
    with files.reading(target):
        _check_target(engine, target)
    creation.remove_abandoned(target)
    temporary = creation.temporary_beside(target)
    try:
        creation.make_parents(target.parent)
        temporary.mkdir()
        lock = FolderLock(temporary)
        try:
            _fill(engine, temporary)
            _check_target(engine, target)  # IMPORTANT: a folder that is empty would be replaced by the renaming
            temporary.rename(target)
        finally:
            lock.release()
        files.sync_folder(target.parent)
    except OSError as error:
        raise StoreFailed(f"{target}: cannot write a snapshot: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_target(engine: Engine, target: Path) -> None:
    if target.exists():
        raise InvalidRequest(f"expected a path where nothing is, {target} exists")
    if not engine.private and target.is_relative_to(engine.folder):
        raise InvalidRequest(f"expected a path outside the collection, got {target}")


def _fill(engine: Engine, folder: Path) -> None:
    for made in (folder / creation.STORE, folder / creation.SEGMENTS):
        made.mkdir()
    while not _copied(engine, folder):
        (folder / creation.STORE / DATA_FILE).unlink()
    files.sync_file(folder / creation.STORE / DATA_FILE)
    for made in (folder / creation.SEGMENTS, folder / creation.STORE, folder):
        files.sync_folder(made)


def _copied(engine: Engine, folder: Path) -> bool:
    """Whether all files of the state that was copied could be had; a merge may have taken some away meanwhile."""
    view = View(engine, long=True)
    try:
        return _copied_view(engine, view, folder)
    finally:
        view.end()


def _copied_view(engine: Engine, view: View, folder: Path) -> bool:
    with ExitStack() as stack:
        pins = stack.enter_context(pinned(engine, view))
        pins.view.store.environment.copy(folder / creation.STORE)
        manifest = _manifest_of(folder / creation.STORE)
        if engine.private:
            return _write_segments(engine, pins.view.version, manifest, folder)
        taken = {}
        for path in files_of(engine.folder / creation.SEGMENTS, manifest):
            taken[path] = pins.files[path] if path in pins.files else opened(path, stack)
            if taken[path] is None and path not in pins.files:
                return False
        for path, file in taken.items():
            _take(path, file, folder / creation.SEGMENTS / path.name)
    creation.check_in_place(engine.folder, engine.identity)  # again, now that they are linked by name
    return True


def _manifest_of(folder: Path) -> Manifest:
    store = Store(folder, sync=False, readonly=True)
    try:
        with store.environment.read() as txn:
            return store.meta.manifest(txn)
    finally:
        store.environment.close()
        (folder / LOCK_FILE).unlink(missing_ok=True)


def _take(path: Path, file: IO[bytes] | None, target: Path) -> None:
    if file is None:
        raise segments.gone(path)
    try:
        os.link(path, target)
    except OSError:  # it has lost its name, lies on another disk, or there is no such thing here
        with target.open("wb") as copy:
            shutil.copyfileobj(file, copy, files.CHUNK)
        files.sync_file(target)


# -- collections in memory ----------------------------------------------------------------------------------------


def _write_segments(engine: Engine, version: Version, manifest: Manifest, folder: Path) -> bool:
    """Write anew the files that have lost their names, from their maps, and name them in the copy."""
    sources = {**_sealed(engine.state.versions.latest), **_sealed(version)}
    wanted = [
        (number, field, name)
        for number, fs in manifest.items()
        for field, name in enumerate(engine.params)
        if field in fs
    ]
    if not all((number, name) in sources for number, _, name in wanted):
        return False
    for number, field, name in wanted:
        source = sources[number, name]
        manifest[number][field] = segments.write(
            folder / creation.SEGMENTS,
            number,
            field,
            engine.params[name],
            source.slots(source.rows),
            source.blocks(source.rows),
            index=source.graph if source.has_graph else None,
            copies=source.files.copies,
            sync=True,
        )
    _put_manifest(folder / creation.STORE, manifest)
    return True


def _sealed(version: Version) -> dict[tuple[int, str], Sealed]:
    return {
        (view.source.number, name): view.source
        for name, views in version.vectors.items()
        for view in views
        if isinstance(view.source, Sealed)
    }


def _put_manifest(folder: Path, manifest: Manifest) -> None:
    store = Store(folder, sync=True)
    try:
        store.environment.write(lambda txn: store.meta.put_manifest(txn, manifest))
    finally:
        store.environment.close()
        (folder / LOCK_FILE).unlink(missing_ok=True)
