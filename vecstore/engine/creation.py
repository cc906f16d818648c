"""Making the folder of a new collection: all of it, or nothing."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vecstore.errors import CollectionLocked, InvalidRequest, InvalidType, NotACollection, StoreFailed
from vecstore.shapes import describe
from vecstore.storage import files
from vecstore.storage.data_file import DATA_FILE
from vecstore.storage.lock import FolderLock
from vecstore.storage.store import create

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vecstore.models import VectorParams

STORE, SEGMENTS = "store", "segments"
MARK, END, DIGITS = ".", ".new", 16
ABANDONED = re.compile(rf"\.[0-9a-f]{{{DIGITS}}}{re.escape(END)}")
_NO_NAMES = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP)
ABANDONED_AFTER = 10.0
"""Seconds after which a folder in which a collection is made, and that nobody has locked, is abandoned."""


def folder_at(path: object) -> Path:
    """The folder a caller means, by its real name. Raises ``InvalidType``, ``InvalidRequest``."""
    try:
        folder = Path(path)  # type: ignore[arg-type]
    except TypeError:
        raise InvalidType(f"expected a path, got {describe(path)}") from None
    if not str(path) or "\0" in str(path):
        raise InvalidRequest(f"expected a path, got {describe(path)}")
    try:
        real = os.path.realpath(folder)
        os.stat(real)
    except FileNotFoundError:
        pass
    except (UnicodeEncodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_NAMES:
            return Path(real)  # there may be something, and opening it says what is wrong
        raise InvalidRequest(f"expected a path, got {describe(path)}: {error}") from None
    return Path(real)


def create_folder(path: Path, vectors: Mapping[str, VectorParams], *, sync: bool) -> None:
    """Make a new, empty collection at ``path``: all of it, or nothing. Raises ``StoreFailed``.

    It is made beside ``path`` and renamed. ``path`` may be an empty folder. Whoever is first wins.
    """
    temporary = temporary_beside(path)
    try:
        make_parents(path.parent)
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


def temporary_beside(path: Path) -> Path:
    """A folder to make what shall be at ``path`` in; ``remove_abandoned`` knows it."""
    return path.with_name(f"{MARK}{path.name}.{secrets.token_hex(DIGITS // 2)}{END}")


def make_parents(folder: Path) -> None:
    """Make a folder and those above it, and sync their names. Raises ``OSError``."""
    if not folder.exists():
        make_parents(folder.parent)
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
            if left.name.startswith(MARK + path.name) and ABANDONED.fullmatch(left.name, len(MARK + path.name)):
                _remove_unless_locked(left)


def _remove_unless_locked(folder: Path) -> None:
    with suppress(OSError, CollectionLocked, StoreFailed):  # its maker may be renaming it
        if time.time() - folder.stat().st_mtime > ABANDONED_AFTER:
            FolderLock(folder).release()
            shutil.rmtree(folder, ignore_errors=True)


def is_collection(path: Path) -> bool:
    """Whether there is a collection at ``path``, as far as can be told without opening it."""
    return (path / STORE / DATA_FILE).is_file()


def identity(path: Path) -> tuple[int, int] | None:
    """What tells the collection at ``path`` from another that takes its place; None where there is none."""
    return identity_of(data_file(path))


def data_file(path: Path) -> str:
    """The path of the file that holds the collection at ``path``."""
    return os.path.join(path, STORE, DATA_FILE)


def identity_of(file: str) -> tuple[int, int] | None:
    """What tells a file from another that takes its place; as long as it is open its number is not given again."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def check_in_place(path: Path, before: tuple[int, int] | None) -> None:
    """Raise ``StoreFailed`` where the collection with the identity ``before`` is not at ``path`` any more.

    It was moved or deleted, and what was written or deleted there by its name would be another one's.
    """
    if identity(path) != before:
        raise StoreFailed(f"the collection is not at {path} any more: it was moved, deleted or replaced")


def check_place(path: Path) -> None:
    """Raise ``NotACollection`` where something else is at ``path``; nothing, or an empty folder, is fine."""
    if is_collection(path) or not path.exists():
        return
    if not path.is_dir():
        raise NotACollection(path, f"{path} is a file, not a vecstore collection")
    if any(path.iterdir()):
        raise NotACollection(path, f"{path} is a folder that holds something else than a vecstore collection")
