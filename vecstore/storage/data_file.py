"""The data file of LMDB as it lies on the disk, looked at before anybody maps it."""

from __future__ import annotations

import os
import re
import struct
from contextlib import suppress
from typing import IO, TYPE_CHECKING, TypeAlias

import lmdb.verify

from vecstore.errors import Corrupted
from vecstore.storage.files import reading

if TYPE_CHECKING:
    from pathlib import Path

DATA_FILE = "data.mdb"
META_PAGES = 2
_WALKED = re.compile(r"DB: walked (\d+) (?:branch|leaf) pages(?: \((\d+) with dup sub-trees\))?, record says (\d+)$")
_EMPTY = "DB is empty (no root) but has nonzero counters"

# Where LMDB 0.9 keeps what the length check needs, in bytes from the start of a meta page.
_MAGIC_AT, _MAGIC, _PAGE_SIZE_AT, _LAST_PAGE_AT, _META_SIZE = 16, 0xBEEFC0DE, 40, 136, 152

_Extent: TypeAlias = "tuple[int, int]"
"""How long the data file must be, in bytes, and the number of the transaction that says so."""


def check_length(data: Path, *, shared: bool = False) -> None:
    """Raise ``Corrupted`` if the data file ends before its last page: reading there would kill the process.

    ``shared``: another process may be writing it, which has checked it when it opened it.
    """
    with reading(data), suppress(FileNotFoundError), data.open("rb") as file:
        extent = _committed(data, file)
        size = os.fstat(file.fileno()).st_size
        # A tail of free pages may be missing from a healthy file, so a short one is looked at closely.
        if size >= extent[0] or not (problems := verify_file(data)):
            return
        if not (shared and _committed(data, file) != extent):  # else it changed under the look
            raise Corrupted(data, f"expected {extent[0]} bytes, the file has {size}: {problems[0]}")


def _committed(data: Path, file: IO[bytes]) -> _Extent:
    if os.fstat(file.fileno()).st_size == 0:
        raise Corrupted(data, "the file is empty")
    file.seek(0)
    first = file.read(_META_SIZE)
    if len(first) < _META_SIZE or struct.unpack_from("<I", first, _MAGIC_AT)[0] != _MAGIC:
        raise Corrupted(data, "expected an LMDB data file, its first page is something else")
    page_size: int = struct.unpack_from("<I", first, _PAGE_SIZE_AT)[0]
    file.seek(page_size)
    second = file.read(_META_SIZE)
    if len(second) < _META_SIZE:
        raise Corrupted(data, "the file ends inside its second page")
    last_page, transaction = max(
        (struct.unpack_from("<QQ", page, _LAST_PAGE_AT) for page in (first, second)), key=lambda meta: meta[1]
    )
    return int(last_page + 1) * page_size, transaction


def verify_file(data: Path) -> list[str]:
    """What LMDB's own offline verifier finds wrong with a data file nobody is writing."""
    try:
        return [found for found in lmdb.verify.verify(str(data)) if not _is_miscount(found)]  # type: ignore[no-untyped-call]
    except lmdb.verify.VerifyError as error:
        return [str(error)]


def _is_miscount(found: str) -> bool:
    """Whether it is about counts of pages that LMDB 0.9 keeps wrong, and never looks at again.

    It does not subtract the pages of a tree of duplicates that is deleted. No page is lost by that: whether each is in
    use or free is checked without these counts.
    """
    if (counts := _WALKED.search(found)) is not None:
        walked, with_duplicates, said = counts.groups()
        return int(said) > int(with_duplicates or walked)
    return found.endswith(_EMPTY)
