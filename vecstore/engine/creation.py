"""Making the folder of a new collection: all of it, or nothing."""

from __future__ import annotations

import secrets
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from vecstore.errors import CollectionLocked, NotACollection, StoreFailed
from vecstore.storage import files
from vecstore.storage.environment import DATA_FILE
from vecstore.storage.lock import FolderLock
from vecstore.storage.store import create

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vecstore.models import VectorParams

STORE, SEGMENTS = "store", "segments"
MARK, END = ".", ".new"
ABANDONED_AFTER = 10.0
"""Seconds after which a folder in which a collection is made, and that nobody has locked, is abandoned."""


def create_folder(path: Path, vectors: Mapping[str, VectorParams], *, sync: bool) -> None:
    """Make a new, empty collection at ``path``: all of it, or nothing. Raises ``StoreFailed``.

    It is made beside ``path`` and renamed. ``path`` may be an empty folder. Whoever is first wins.
    """
    temporary = path.with_name(f"{MARK}{path.name}.{secrets.token_hex(8)}{END}")
    try:
        _make_parents(path.parent)
        temporary.mkdir()
        lock = FolderLock(temporary)
        try:
            fill_folder(temporary, vectors, sync=sync)
            temporary.rename(path)
        finally:
            lock.release()
        files.sync_folder(path.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if not is_collection(path):
            raise StoreFailed(f"{path}: cannot create a collection: {error}") from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _make_parents(folder: Path) -> None:
    if not folder.exists():
        _make_parents(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir()
        files.sync_folder(folder.parent)


def fill_folder(folder: Path, vectors: Mapping[str, VectorParams], *, sync: bool) -> None:
    """Make an empty collection in a folder that is not there yet."""
    (folder / STORE).mkdir(parents=True)
    (folder / SEGMENTS).mkdir()
    create(folder / STORE, vectors, sync=sync)
    for made in (folder / STORE, folder):
        files.sync_folder(made)


def remove_abandoned(path: Path) -> None:
    """Remove what creations of a collection at ``path`` have left that were killed."""
    with suppress(OSError):
        for left in path.parent.iterdir():
            if left.name.startswith(f"{MARK}{path.name}.") and left.name.endswith(END):
                _remove_unless_locked(left)


def _remove_unless_locked(folder: Path) -> None:
    with suppress(OSError, CollectionLocked, StoreFailed):  # its maker may be renaming it
        if time.time() - folder.stat().st_mtime > ABANDONED_AFTER:
            FolderLock(folder).release()
            shutil.rmtree(folder, ignore_errors=True)


def is_collection(path: Path) -> bool:
    """Whether there is a collection at ``path``, as far as can be told without opening it."""
    return (path / STORE / DATA_FILE).exists()


def check_place(path: Path) -> None:
    """Raise ``NotACollection`` where something else is at ``path``; nothing, or an empty folder, is fine."""
    if is_collection(path) or not path.exists():
        return
    if not path.is_dir():
        raise NotACollection(path, f"{path} is a file, not a vecstore collection")
    if any(path.iterdir()):
        raise NotACollection(path, f"{path} is a folder that holds something else than a vecstore collection")
