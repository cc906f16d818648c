"""Every error vecstore raises: one class for each thing a caller can do about it.

VecstoreError
|- InvalidRequest(ValueError)      the call was wrong; nothing happened
|  |- InvalidType(TypeError)       an argument is of a kind that cannot be read at all
|  |- EmptyRequest                 no points, no ids, no keys: nothing to do
|  |- InvalidId                    neither an unsigned 64-bit integer nor a UUID
|  |- InvalidVector                wrong dimension, not numbers, NaN or infinity
|  |- UnknownVector                .name: not a vector of this collection
|  |- InvalidPayload               .path: where the payload is not JSON
|  |- InvalidPath                  a payload path that cannot be read
|  |- InvalidFilter                a condition that cannot be read
|  |- RequestTooLarge              one operation over the documented size
|  |- NotACollection               .path: something else is there, or nothing
|  |- InvalidFile                  .path: a file to load that is not what its name says
|  `- ConfigMismatch               opened with other arguments than it was made or is open with
|- PointNotFound(KeyError)         .ids: every one that is missing; nothing happened
|- UploadStopped                   .count: so many points are in, the next one could not be
|- MissingExtra(ImportError)       .extra: what to install, as in ``pip install vecstore[extra]``
|- CollectionLocked                .pid: the process that has it
|- ReadOnly                        a write to a collection that was opened with read_only=True
|- WouldWaitForItself              a callback, signal handler or __del__ waits for the very call it is in
|- CollectionClosed                this handle was closed, or belongs to the parent of a fork
|- UnsupportedFormat               written by another version of vecstore; nothing was changed
|- Corrupted                       .path: what is on disk is not what was written
`- StoreFailed                     writing failed; reopen to recover
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


class VecstoreError(Exception):
    """The base of every error vecstore raises. Errors can be copied and pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by calling the class again: what is in ``args`` is the message, not what it was made of.
        return _remade, (type(self), self.args, self.__dict__)


def _remade(kind: type[VecstoreError], args: tuple[Any, ...], attributes: dict[str, Any]) -> VecstoreError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class InvalidRequest(VecstoreError, ValueError):
    """The call was wrong, and nothing of it was done. The message says what was expected and what came."""


class InvalidType(InvalidRequest, TypeError):
    """An argument is of a kind that cannot be read at all."""


class EmptyRequest(InvalidRequest):
    """The request names no points, ids, keys or vectors: there is nothing to do."""


class InvalidId(InvalidRequest):
    """A point id that is neither an unsigned 64-bit integer nor a UUID."""


class InvalidVector(InvalidRequest):
    """A vector of the wrong dimension or kind, or one that holds NaN or infinity."""


class UnknownVector(InvalidRequest):
    """A vector name the collection does not have; ``name`` is that name."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class InvalidPayload(InvalidRequest):
    """A payload that is not JSON; ``path`` says where in it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class InvalidPath(InvalidRequest):
    """A payload path that cannot be read."""


class InvalidFilter(InvalidRequest):
    """A filter or condition that cannot be read."""


class RequestTooLarge(InvalidRequest):
    """One operation is larger than the limit; send it in parts."""


class NotACollection(InvalidRequest):
    """The path holds something else, or nothing and no vectors were given to create a collection with."""

    def __init__(self, path: str | os.PathLike[str], message: str) -> None:
        super().__init__(message)
        self.path = path


class InvalidFile(InvalidRequest):
    """A file to load is not what its name says, or a part of it cannot be read; ``path`` is the file."""

    def __init__(self, path: str | os.PathLike[str], message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class ConfigMismatch(InvalidRequest):
    """The collection exists, or is open, with other parameters than the ones given."""


class PointNotFound(VecstoreError, KeyError):
    """Points that are not there; ``ids`` lists every one of them. The operation had no effect."""

    def __init__(self, ids: Sequence[int | str]) -> None:
        self.ids = list(ids)
        shown = ", ".join(repr(i) for i in self.ids[:10])
        rest = f" and {len(self.ids) - 10} more" if len(self.ids) > 10 else ""
        super().__init__(f"no point with id {shown}{rest}")

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the repr of the message


class UploadStopped(VecstoreError):
    """A long load met something it could not go on with; ``__cause__`` is the error.

    ``count``: so many points from the beginning of the source are in the collection, and stay. The next one, in
    row ``count`` (the first is row 0), is the one that could not be read or written. Pass ``skip=count`` to go on.
    """

    def __init__(self, count: int, message: str) -> None:
        super().__init__(message)
        self.count = count


class MissingExtra(VecstoreError, ImportError):
    """A library is not installed that only this call needs; ``extra`` is what brings it."""

    def __init__(self, extra: str, message: str) -> None:
        super().__init__(message)
        self.extra = extra


class CollectionLocked(VecstoreError):
    """Another process has the collection open for writing; ``pid`` is that process, if it is known.

    Or one reads it that cannot say so in a way that lets others write: see ``Collection``.
    """

    def __init__(self, pid: int | None, message: str) -> None:
        super().__init__(message)
        self.pid = pid


class CollectionClosed(VecstoreError):
    """The collection was closed, or was opened by the parent of this forked process."""


class ReadOnly(VecstoreError):
    """A write to a collection that was opened with ``read_only=True``. Nothing was done."""


class WouldWaitForItself(VecstoreError):
    """What would be waited for cannot come: a callback waits for its own thread, or a signal handler, or ``__del__``,
    for the call in whose middle it runs."""


class UnsupportedFormat(VecstoreError):
    """The collection was written in a format this version does not know. Nothing was changed."""


class Corrupted(VecstoreError):
    """What is on disk is not what was written; ``path`` is the file."""

    def __init__(self, path: str | os.PathLike[str], message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class StoreFailed(VecstoreError):
    """Writing failed (a full disk, a failed sync). Writes stop and reads go on; reopen to recover."""
