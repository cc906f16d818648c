"""Disks that fail: the descriptors LMDB writes through are exchanged for ones that do not work, and given back."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AVAILABLE = os.path.exists("/proc/self/fd") and os.path.exists("/dev/full")


def _descriptors(data: Path, *, synced: bool | None) -> list[int]:
    """LMDB's descriptors of a data file: the one for meta pages syncs at every write, the other does not."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.path.samefile(os.readlink(f"/proc/self/fd/{name}"), data):
                found.append(int(name))
        except OSError:
            continue
    flags = {d: bool(fcntl.fcntl(d, fcntl.F_GETFL) & os.O_DSYNC) for d in found}
    return [d for d in found if synced in (None, flags[d])]


@contextmanager
def _exchanged(data: Path, device: str, flags: int, *, synced: bool | None) -> Iterator[None]:
    chosen = _descriptors(data, synced=synced)
    assert chosen, "LMDB has no such descriptor"
    kept = {descriptor: os.dup(descriptor) for descriptor in chosen}
    broken = os.open(device, flags)
    for descriptor in chosen:
        os.dup2(broken, descriptor)
    os.close(broken)
    try:
        yield
    finally:
        for descriptor, whole in kept.items():
            os.dup2(whole, descriptor)
            os.close(whole)


def full(data: Path) -> object:
    """No space is left for pages."""
    return _exchanged(data, "/dev/full", os.O_WRONLY, synced=None)


def unsynced(data: Path) -> object:
    """Pages can be written, and not be synced."""
    return _exchanged(data, "/dev/null", os.O_WRONLY, synced=False)


def without_meta_pages(data: Path) -> object:
    """Pages can be written and synced; the meta page that would make them count cannot."""
    return _exchanged(data, "/dev/null", os.O_RDONLY, synced=True)
