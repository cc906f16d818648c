"""Files that are either wholly there or not there: written under another name, synced, renamed."""

from __future__ import annotations

import os
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vecstore.errors import StoreFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TEMPORARY = ".tmp"
CHUNK = 1 << 20


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Inside it an ``OSError`` becomes a ``StoreFailed`` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise StoreFailed(f"{path}: cannot be read: {error}") from error


def sync_file(path: Path) -> None:
    """Force a file to the disk. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Force the names in a folder to the disk, where the system knows how to. Raises ``OSError``."""
    if os.name != "nt":
        sync_file(path)


def write_whole(path: Path, write: Callable[[Path], None], *, sync: bool) -> None:
    """Let ``write`` make a file, then give it its name. The folder is for the caller to sync."""
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        write(temporary)
        if sync:
            sync_file(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def checksum(path: Path) -> int:
    """The CRC-32 of a file. Raises ``OSError``."""
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            value = zlib.crc32(chunk, value)
    return value
