"""Pinning: one state of the collection with the segment files it names, held open while they are merged away."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from vecstore.engine.creation import SEGMENTS, check_in_place
from vecstore.engine.view import View
from vecstore.storage.files import reading
from vecstore.storage.segments import paths_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vecstore.engine.engine import Engine
    from vecstore.storage.meta import Manifest


@dataclass(frozen=True)
class Pinned:
    """A ``view``, the ``manifest`` of that state, and its files, open for reading; None for one that is not there.

    The files of a collection in memory have no names: there are none here.
    """

    view: View
    manifest: Manifest
    files: dict[Path, IO[bytes] | None]


@contextmanager
def pinned(engine: Engine, view: View | None = None) -> Iterator[Pinned]:
    """A state and its files, for as long as it takes. ``view``: a long one, for the caller to end after all.

    Raises ``StoreFailed``, also where the collection was moved, deleted or replaced.
    """
    view = view or View(engine, long=True)
    while True:
        with ExitStack() as stack:
            stack.enter_context(view)
            manifest = view.store.meta.manifest(view.txn)
            paths = [] if engine.private else files_of(engine.folder / SEGMENTS, manifest)
            files = {path: opened(path, stack) for path in paths}
            if not engine.private:
                check_in_place(engine.folder, engine.identity)  # else the files may be another collection's
            if _were_merged_away([path for path, file in files.items() if file is None], engine):
                continue
            yield Pinned(view, manifest, files)
            return


def opened(path: Path, stack: ExitStack) -> IO[bytes] | None:
    """A file open for reading until ``stack`` is closed; None when it is not there. Raises ``StoreFailed``.

    Nor is it there where something else has its name: to open a pipe would take for ever.
    """
    with reading(path), suppress(FileNotFoundError):
        if not path.is_file():
            return None
        return stack.enter_context(path.open("rb"))
    return None


def _were_merged_away(missing: list[Path], engine: Engine) -> bool:
    """Whether files are gone because a later manifest names others. A file that is just gone is another matter."""
    if not missing:
        return False
    with View(engine) as view:
        manifest = view.store.meta.manifest(view.txn)
    return not set(missing) <= set(files_of(engine.folder / SEGMENTS, manifest))


def files_of(folder: Path, manifest: Manifest) -> list[Path]:
    """The files a manifest names."""
    each = ((number, field, said) for number, fields in manifest.items() for field, said in fields.items())
    return [path for number, field, said in each for path in paths_of(folder, number, field, said)]
