"""What commands leave with.

0    it is done
1    a point that was asked for is not there
2    the command is wrong: an argument, a filter, a file, a path that is no collection, a missing extra
3    the collection is damaged, or of a format this version does not know
4    another process has the collection open for writing
5    reading or writing failed: a full disk, a file that may not be read
6    a load stopped on the way; what came before the row that is named is in the collection
130  interrupted
"""

from __future__ import annotations

from vecstore.errors import (
    CollectionLocked,
    Corrupted,
    InvalidRequest,
    MissingExtra,
    PointNotFound,
    StoreFailed,
    UnsupportedFormat,
    VecstoreError,
)

NOT_FOUND, WRONG, DAMAGED, LOCKED, FAILED, STOPPED, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130
_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (PointNotFound, NOT_FOUND),
    (InvalidRequest, WRONG),
    (MissingExtra, WRONG),
    (Corrupted, DAMAGED),
    (UnsupportedFormat, DAMAGED),
    (CollectionLocked, LOCKED),
    (StoreFailed, FAILED),
    (VecstoreError, FAILED),
    (OSError, FAILED),
)
ERRORS = tuple(kind for kind, _ in _CODES)
"""The errors that are told in a line."""


def code_of(error: BaseException) -> int:
    """The code for one of ``ERRORS``."""
    return next(code for kind, code in _CODES if isinstance(error, kind))
