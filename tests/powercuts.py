"""What of a collection survives a cut of the power, at the worst: what was synced, under names that were synced.

Of our own files the content as of the last ``sync_file``, under the names as of the last ``sync_folder`` of their
folder. Of LMDB's file, what is committed: that its commit waits for the disk is LMDB's promise (and
``test_faults`` shows that a commit whose sync fails is none).
"""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING, Any
from zlib import crc32

from vecstore import futures
from vecstore.engine.pinning import files_of
from vecstore.storage import files
from vecstore.storage.environment import Environment
from vecstore.storage.meta import Meta
from vecstore.storage.pieces import Pieces

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    Names = dict[str, int]


class Disk:
    """Follows every sync, commit and promise, and holds them against each other.

    ``after_commit`` is called after each commit. What is found wrong is in ``broken``: an error in the writer's
    thread would only stop it.
    """

    def __init__(self, patch: pytest.MonkeyPatch, path: Path) -> None:
        self.path, self.commits, self.named = path, 0, set[str]()
        self.broken: list[str] = []
        self.after_commit: Callable[[], None] = lambda: None
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, Names] = {}  # by folder, which may get another name
        self._syncing = threading.Lock()
        self._keeping, self._kept = set[int](), 0  # the last operation that is in the log, or applied
        self._patch(patch)

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        sync_file, write, append = files.sync_file, Environment.write, Pieces.append
        put_number = Meta.put_number
        acknowledge = futures.acknowledge

        def syncing(path: Path) -> None:
            self._synced(path, sync_file)

        def writing(environment: Environment, work: Any) -> Any:
            names, contents = dict(self._names), dict(self._contents)
            self._keeping.clear()
            result = write(environment, work)
            self._committed(environment, names, contents)
            return result

        def appending(pieces: Pieces, txn: Any, number: int, value: Any) -> int:
            if pieces._what == "logged operation":
                self._keeping.add(number)
            return append(pieces, txn, number, value)

        def numbering(meta: Meta, txn: Any, name: bytes, number: int) -> None:
            put_number(meta, txn, name, number)
            if name == b"applied":
                self._keeping.add(number)

        def acknowledging(future: Any) -> None:
            if future.operation_id > self._kept:
                self.broken.append(f"operation {future.operation_id} was acknowledged and is not kept")
            acknowledge(future)

        patch.setattr(files, "sync_file", syncing)
        patch.setattr(Environment, "write", writing)
        patch.setattr(Pieces, "append", appending)
        patch.setattr(Meta, "put_number", numbering)
        patch.setattr(futures, "acknowledge", acknowledging)

    def _synced(self, path: Path, sync: Callable[[Path], None]) -> None:
        # What is there before: what comes meanwhile may not be on the disk. One thread at a time: or what one of them
        # saw earlier, and has kept later, would hide what another has synced.
        with self._syncing:
            inode, found = path.stat().st_ino, _names_in(path) if path.is_dir() else path.read_bytes()
            sync(path)
            if isinstance(found, bytes):
                self._contents[inode] = found
            else:
                self._names[inode] = found

    # -- commits ---------------------------------------------------------------------------------------------------

    def _committed(self, environment: Environment, names: dict[int, Names], contents: dict[int, bytes]) -> None:
        """``names`` and ``contents``: what was durable when the transaction began."""
        if environment.path != self.path / "store":
            return  # a collection that is being made, or copied
        self._kept = max(self._keeping, default=self._kept)
        self.commits += 1
        flags = environment._env.flags()
        if not (flags["sync"] and flags["metasync"]) or flags["writemap"] or flags["map_async"]:
            self.broken.append(f"LMDB was told not to sync: {flags}")
        try:
            self._check_manifest(environment, names, contents)
            self.after_commit()
        except Exception as error:  # noqa: BLE001 - told by the test
            self.broken.append(repr(error))

    def _check_manifest(self, environment: Environment, names: dict[int, Names], contents: dict[int, bytes]) -> None:
        folder = self.path / "segments"
        for path, size, checksum in manifest_of(environment, folder):
            inode = names.get(folder.stat().st_ino, {}).get(path.name)
            content = contents.get(inode or 0, b"")
            if inode is None:
                self.broken.append(f"the manifest named {path.name}, whose name was not synced")
            elif (len(content), crc32(content)) != (size, checksum):
                self.broken.append(f"the manifest named {path.name}, which was not synced")
            self.named.add(path.name)

    def is_named(self, path: Path) -> bool:
        """Whether a path is durable, with all folders above it up to the one the collection is in."""
        if path == self.path.parent:
            return True
        return self._names.get(path.parent.stat().st_ino, {}).get(path.name) == path.stat().st_ino and self.is_named(
            path.parent
        )

    def cut(self, target: Path) -> Path:
        """What is left of the collection when the power fails now."""
        for name in ("store", "segments"):
            (target / name).mkdir(parents=True)
        shutil.copyfile(self.path / "store" / "data.mdb", target / "store" / "data.mdb")
        folder = self.path / "segments"
        for name, inode in self._names.get(folder.stat().st_ino, {}).items():
            if (folder / name).exists():
                (target / "segments" / name).write_bytes(self._contents.get(inode, b""))
        return target


def _names_in(folder: Path) -> Names:
    return {entry.name: entry.inode() for entry in os.scandir(folder)}


def manifest_of(environment: Environment, folder: Path) -> list[tuple[Path, int, int]]:
    """Path, size and checksum of every file that is named."""
    meta = Meta(environment._databases[b"meta"][0], folder)
    with environment.read() as txn:
        manifest = meta.manifest(txn)
    sizes = {}
    for number, fields in manifest.items():
        for field, said in fields.items():
            paths = files_of(folder, {number: {field: said}})
            kept = (
                (said.index_size, said.index_checksum),
                (said.slots_size, said.slots_checksum),
                (said.graph_size, said.graph_checksum),
            )
            sizes.update(dict(zip(paths, kept, strict=False)))
    return [(path, *kept) for path, kept in sizes.items()]
