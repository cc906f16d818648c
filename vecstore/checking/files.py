"""Segment files: they are there, of the size and with the checksum the manifest says, and FAISS reads them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.checking.cures import RebuildGraph, RewriteSlots
from vecstore.errors import Corrupted
from vecstore.storage import graph, segments
from vecstore.storage.files import CHUNK
from vecstore.storage.library import metric
from vecstore.storage.segments import HEADER, Sealed

if TYPE_CHECKING:
    from pathlib import Path

    from vecstore.checking.subject import Findings, Subject
    from vecstore.storage.segments import SealedFiles

Slots: TypeAlias = npt.NDArray[np.uint32]

ROWS_AT_ONCE = 1 << 14


@dataclass
class FilesOfSegment:
    """What the files of a segment and name have told.

    ``slots``: the slot of each row; None where they cannot be told. ``damage``: place and nature of what makes the
    rows unusable.
    """

    slots: Slots | None = None
    damage: list[tuple[str, str]] = field(default_factory=list)


def check_segment(subject: Subject, findings: Findings, number: int, name: str) -> FilesOfSegment:
    """Check the files of one segment and vector name."""
    field_number = subject.names().index(name)
    said = subject.manifest[number][field_number]
    paths = segments.paths_of(subject.folder, number, field_number, said)
    if paths[0] not in subject.files:  # in memory the files have lost their names, and nobody else has them
        return _check_content(subject, findings, number, name, paths)
    damage = _damages(subject, findings, paths, said)
    found = FilesOfSegment(damage=[(_place(path), what) for path, what in damage.items() if path == paths[0]])
    found.slots = _slots(subject, findings, paths[1], said, damage.get(paths[1]))
    if found.slots is None:
        found.damage.append((_place(paths[1]), damage[paths[1]]))
    if len(paths) > 2 and paths[2] in damage:
        if found.damage:  # nothing is left to build it of
            found.damage.append((_place(paths[2]), damage[paths[2]]))
        else:
            findings.add(_place(paths[2]), damage[paths[2]], RebuildGraph(number, field_number))
    return found if damage else _check_content(subject, findings, number, name, paths)


def _place(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


# -- sizes and checksums ------------------------------------------------------------------------------------------


def _damages(subject: Subject, findings: Findings, paths: list[Path], said: SealedFiles) -> dict[Path, str]:
    expected = (
        (said.index_size, said.index_checksum),
        (said.slots_size, said.slots_checksum),
        (said.graph_size, said.graph_checksum),
    )
    found = {}
    for path, (size, checksum) in zip(paths, expected, strict=False):
        findings.checked["segment files"] += 1
        if what := _damage(subject.files[path], size, checksum, findings):
            found[path] = what
    return found


def _damage(file: IO[bytes] | None, size: int, checksum: int, findings: Findings) -> str | None:
    """What is wrong with a file, if anything is."""
    if file is None:
        return "the manifest names this file, and it is not there"
    length = file.seek(0, 2)
    if length != size:
        return f"expected {size} bytes, the file has {length}"
    file.seek(0)
    value = 0
    while chunk := file.read(CHUNK):
        findings.poll()
        findings.checked["bytes of segment files"] += len(chunk)
        value = zlib.crc32(chunk, value)
    return None if value == checksum else "the checksum is not the one in the manifest"


def _slots(subject: Subject, findings: Findings, path: Path, said: SealedFiles, damage: str | None) -> Slots | None:
    """The slots of the rows. A damaged file can be written again if what is left of it says what was in it."""
    file = subject.files[path]
    if file is None:
        return None
    file.seek(0)
    content = file.read()
    if len(content) < HEADER.size + 4 * said.rows:
        return None
    slots = segments.slots_in(content, said.rows)
    if damage is not None:
        whole = segments.slots_file(slots)
        if (len(whole), zlib.crc32(whole)) != (said.slots_size, said.slots_checksum):
            return None
        findings.add(_place(path), damage, RewriteSlots(path, whole))
    return slots


# -- what is in them ----------------------------------------------------------------------------------------------


def _check_content(subject: Subject, findings: Findings, number: int, name: str, paths: list[Path]) -> FilesOfSegment:
    """IMPORTANT: only where all checksums are right, or in memory."""
    found = FilesOfSegment()
    try:
        segment = _opened(subject, number, name)
        segment.load()
        found.slots = segment.slots(segment.rows)
        _check_slots(segment, paths[1])
        _check_graph(segment, subject, name)
        _check_rows(segment, findings, paths[0])
    except Corrupted as error:
        found.damage.append((_place(paths[0]), str(error)))
    return found


def _opened(subject: Subject, number: int, name: str) -> Sealed:
    if subject.version is not None:
        sources = [view.source for view in subject.version.vectors[name]]
        found = next((s for s in sources if isinstance(s, Sealed) and s.number == number), None)
        if found is not None:
            return found
    field_number = subject.names().index(name)
    said = subject.manifest[number][field_number]
    return Sealed(subject.folder, number, field_number, subject.params[name], said)


def _check_slots(segment: Sealed, path: Path) -> None:
    if not segment.is_sorted():
        raise Corrupted(path, "the rows are not sorted by their slots")


def _check_graph(segment: Sealed, subject: Subject, name: str) -> None:
    if segment.files.storage == graph.NONE:
        return
    index, params = segment.graph, subject.params[name]
    shape = (index.ntotal, index.d, index.metric_type)
    expected = (segment.rows, params.size, metric(params.distance))
    if shape != expected:
        raise Corrupted(segment.graph_file, f"expected a graph of rows, size and metric {expected}, got {shape}")


def _check_rows(segment: Sealed, findings: Findings, path: Path) -> None:
    (matrix,) = segment.blocks(segment.rows)
    if matrix.shape != (segment.rows, segment.size):
        raise Corrupted(path, f"expected {segment.rows} rows of {segment.size} numbers, got {matrix.shape}")
    for first in range(0, len(matrix), ROWS_AT_ONCE):
        findings.poll()
        if not np.isfinite(matrix[first : first + ROWS_AT_ONCE]).all():
            raise Corrupted(path, "a row holds what is no number")
    findings.checked["rows"] += segment.rows
