"""Files of points: which format one has, and how a collection gets into it and out of it.

    .jsonl .ndjson, also .gz    JSON lines        ``vecstore.bulk.jsonl``
    .parquet .arrow             Parquet, Arrow    ``vecstore.bulk.arrow``, extra ``arrow``
    .npz                        numpy             ``vecstore.bulk.npz``

Every format can carry a header, which says what the collection is, and keeps ids, float32 vectors and payloads to
the bit. A file without a header is loaded as well, into a collection whose vectors are known.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vecstore import requests
from vecstore.errors import InvalidFile, InvalidRequest, InvalidType
from vecstore.models import Distance
from vecstore.shapes import describe
from vecstore.vectors import dots, normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vecstore.bulk.batches import Points
    from vecstore.bulk.header import Format, Header, Source
    from vecstore.bulk.progress import Bar
    from vecstore.models import Array
    from vecstore.operations import Upsert
    from vecstore.records import Record
    from vecstore.vectors import Schema

ENDINGS = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".parquet", ".arrow", ".npz")
UNIT = 1e-3
"""Squared lengths of exported cosine vectors are this close to 1: float32 rounding, with a wide margin."""


def format_of(path: Path) -> Format:
    """The format of a file by its name. Raises ``InvalidRequest`` or ``MissingExtra``."""
    name = path.name.lower()
    if name.endswith((".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")):
        from vecstore.bulk.jsonl import JsonLines

        return JsonLines(compressed=name.endswith(".gz"))
    if name.endswith(".npz"):
        from vecstore.bulk.npz import Npz

        return Npz()
    if name.endswith((".parquet", ".arrow")):
        from vecstore.bulk.arrow import Arrow

        return Arrow(parquet=name.endswith(".parquet"))
    raise InvalidRequest(f"expected a file name that ends with {', '.join(ENDINGS)}, got {path.name!r}")


def as_path(value: object) -> Path:
    """A path. Raises ``InvalidType``."""
    try:
        return Path(value)  # type: ignore[arg-type]
    except TypeError:
        raise InvalidType(f"expected a path, got {describe(value)}") from None


def write(path: Path, header: Header, pages: Iterable[Sequence[Record]], progress: Bar) -> int:
    """Write a file, and only when all is written give it its name: how many records it has. Raises ``OSError``."""
    form = format_of(path)
    _check_name(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    counted = _Counted(pages, progress)
    try:
        with unfinished.open("wb") as file:
            form.write(file, header, counted)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return counted.records


def _check_name(path: Path) -> None:
    try:
        os.lstat(path)
    except OSError:  # it is not there, or writing it will tell
        return
    except ValueError as error:  # a name that no file can have
        raise InvalidRequest(f"expected a path, got {describe(str(path))}: {error}") from None


class _Counted:
    def __init__(self, pages: Iterable[Sequence[Record]], progress: Bar) -> None:
        self._pages, self._progress = pages, progress
        self.records = 0

    def __iter__(self) -> Iterator[Sequence[Record]]:
        for page in self._pages:
            yield page
            self.records += len(page)
            self._progress.update(len(page))


@contextmanager
def reading(path: Path) -> Iterator[Source]:
    """A file, open. Raises ``InvalidFile``, now or on the way."""
    form = format_of(path)
    try:
        if not path.is_file():
            raise InvalidFile(path, "it is a folder" if path.is_dir() else "there is no such file")
    except OSError as error:  # a name that no file can have
        raise InvalidFile(path, str(error)) from None
    with form.read(path) as source:
        yield source


def parse_stored(points: Points, schema: Schema) -> Upsert:
    """An upsert of points as they were read from a collection: cosine vectors are of length 1, and kept to the bit.

    Normalising them again could change the last bit of long ones. What is of another length is normalised.
    """
    as_they_are = {name: replace(params, distance=Distance.DOT) for name, params in schema.items()}
    operation = requests.parse_upsert(points, as_they_are)
    for name, column in operation.columns.items():
        if schema[name].distance is Distance.COSINE:
            _normalise_others(column.matrix)
    return operation


def _normalise_others(matrix: Array) -> None:
    with np.errstate(over="ignore"):
        others = ~(np.abs(dots(matrix, matrix) - 1) <= UNIT)
    if others.any():
        matrix[others] = normalised(matrix[others], Distance.COSINE)


def parser(source: Source, schema: Schema) -> Callable[[Points, Schema], Upsert]:
    """How the points of a source become upserts: as they are stored, where that is what it says they are."""
    said = {} if source.header is None else source.header.vectors
    same = {n: p.distance for n, p in said.items()} == {n: p.distance for n, p in schema.items()}
    return parse_stored if source.header is not None and same else requests.parse_upsert
