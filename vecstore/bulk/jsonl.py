"""JSON lines: the header, and then a point a line, compressed by gzip or not.

    {"vecstore": 1, "points": 1, "vectors": {"": {"size": 2, "distance": "Dot"}}, "payload_schema": {}}
    {"id": 7, "vector": [0.5, 1.0], "payload": {"color": "red"}}

A line is what the REST API takes as a point. Numbers are written so that reading them gives the same float32.
"""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

from vecstore.bulk.header import MARK, Header, Source, parse_header
from vecstore.errors import InvalidFile
from vecstore.shapes import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from vecstore.records import Record

_dumps = partial(json.dumps, ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True)
class JsonLines:
    """The format; ``compressed``: by gzip."""

    compressed: bool

    def write(self, file: BinaryIO, header: Header, pages: Iterable[Sequence[Record]]) -> None:
        """Write all records."""
        packed: Any = gzip.GzipFile(fileobj=file, mode="wb", mtime=0) if self.compressed else nullcontext(file)
        with packed as out:
            out.write(f"{header.dumps()}\n".encode())
            for page in pages:
                out.write("".join([_line(record) for record in page]).encode())

    @contextmanager
    def read(self, path: Path) -> Iterator[Source]:
        """Open a file. Raises ``InvalidFile``, now or on the way."""
        with path.open("rb") as opened, _unpacked(opened, self.compressed) as file:
            lines = _objects(path, file)
            first = next(lines, None)
            if first is not None and MARK in first:
                header = parse_header(path, first)
                yield Source(header, header.points, lambda rows: lines)
            else:
                yield Source(None, None, lambda rows: chain([first] if first is not None else [], lines))


def _unpacked(file: BinaryIO, compressed: bool) -> Any:
    return gzip.GzipFile(fileobj=file, mode="rb") if compressed else nullcontext(file)


def _line(record: Record) -> str:
    if isinstance(record.vector, dict):
        vector: Any = {name: row.tolist() for name, row in record.vector.items()}
    else:
        vector = record.vector.tolist() if record.vector is not None else {}
    return _dumps({"id": record.id, "vector": vector, "payload": record.payload}) + "\n"


def _objects(path: Path, lines: BinaryIO) -> Iterator[dict[str, Any]]:
    number = 0
    try:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _object(path, number, line)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidFile(path, f"after line {number}: {error}") from error


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidFile(path, f"line {number} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidFile(path, f"line {number}: expected a JSON object, got {describe(found)}")
    return found
