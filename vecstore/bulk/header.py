"""What a file of points says of the collection it came from, and what is read from a file.

A header is a JSON object:

    {"vecstore": 1, "points": 2000, "vectors": {"": {"size": 4, "distance": "Cosine"}}, "payload_schema": {}}

``vecstore`` is the version of this form, ``points`` how many there were when it was written, ``vectors`` and
``payload_schema`` are the parameters of vectors and the types of payload indexes by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np

from vecstore.errors import InvalidFile, InvalidRequest
from vecstore.models import Batch, PayloadSchemaType, PointStruct, VectorParams
from vecstore.vectors import parse_vector_params

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy.typing as npt

    from vecstore.models import Payload, PointId
    from vecstore.records import Record

MARK = "vecstore"
VERSION = 1


@dataclass(frozen=True)
class Header:
    """What a collection is: ``points`` (about so many), ``vectors``, and the types of payload indexes by field."""

    points: int
    vectors: dict[str, VectorParams]
    payload_schema: dict[str, list[str]]

    def dumps(self) -> str:
        """As JSON."""
        vectors = {name: _plain(params) for name, params in self.vectors.items()}
        said = {"points": self.points, "vectors": vectors, "payload_schema": self.payload_schema}
        return json.dumps({MARK: VERSION, **said}, ensure_ascii=False)


def _plain(params: VectorParams) -> dict[str, Any]:
    found = asdict(params) | {"distance": params.distance.value}
    return {name: value for name, value in found.items() if value is not None}


def parse_header(path: Path, value: object) -> Header:
    """The header that was dumped. Raises ``InvalidFile``."""
    if not isinstance(value, Mapping) or value.get(MARK) != VERSION:
        raise InvalidFile(path, "its header is of a form this version does not know")
    try:
        schema = {
            field: [PayloadSchemaType(t).value for t in types] for field, types in value["payload_schema"].items()
        }
        return Header(int(value["points"]), parse_vector_params(value["vectors"]), schema)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, InvalidRequest) as error:
        raise InvalidFile(path, f"its header cannot be read: {error!r}") from error


def load_header(path: Path, text: str | bytes) -> Header:
    """The header in JSON. Raises ``InvalidFile``."""
    try:
        return parse_header(path, json.loads(text))
    except ValueError as error:
        if isinstance(error, InvalidFile):
            raise
        raise InvalidFile(path, f"its header is not JSON: {error}") from error


@dataclass
class Source:
    """A file that is open: its ``header`` and ``total`` number of points, where it says so.

    ``points(rows)``: walks through all points once, at most ``rows`` at a time.
    """

    header: Header | None
    total: int | None
    points: Callable[[int], Iterator[Any]]


class Format(Protocol):
    """A format of files: how one is written and read."""

    def write(self, file: BinaryIO, header: Header, pages: Iterable[Sequence[Record]]) -> None:
        """Write all records, a page at a time."""

    def read(self, path: Path) -> AbstractContextManager[Source]:
        """Open a file. Raises ``InvalidFile``, now or on the way."""


def matrix_of(records: Sequence[Record], name: str, size: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """The vectors ``name`` of records: a row for each one that has it, and which those are."""
    rows = [record.vector.get(name) if isinstance(record.vector, dict) else record.vector for record in records]
    has = np.array([row is not None for row in rows], dtype=np.bool_)
    found = [row for row in rows if row is not None]
    return np.stack(found) if found else np.empty((0, size), np.float32), has


def decoded(path: Path, texts: Iterable[str | bytes | None], first: int) -> tuple[list[Any], InvalidFile | None]:
    """Payloads from JSON, the first of them in row ``first``: up to one that cannot be read, and why."""
    found: list[Any] = []
    for text in texts:
        try:
            found.append({} if text is None else json.loads(text))
        except (ValueError, RecursionError) as error:
            return found, InvalidFile(path, f"row {first + len(found)}: the payload is not JSON: {error}")
    return found, None


def side_by_side(
    ids: Sequence[PointId] | npt.NDArray[Any],
    columns: Mapping[str, tuple[Any, npt.NDArray[np.bool_]]],
    payloads: Sequence[Payload] | None,
) -> Iterator[Batch | PointStruct]:
    """Points of which ``columns`` have, by name, the rows there are and which points they are of.

    Where there are fewer payloads than ids, the points that have one.
    """
    count = len(ids) if payloads is None else len(payloads)
    if all(has[:count].all() for _, has in columns.values()):
        if count:
            yield Batch(ids[:count], {name: rows[:count] for name, (rows, _) in columns.items()}, payloads)
        return
    vectors: list[dict[str, Any]] = [{} for _ in range(len(ids))]
    for name, (rows, has) in columns.items():
        for position, row in zip(np.flatnonzero(has).tolist(), rows, strict=True):
            vectors[position][name] = row
    for position, point_id in enumerate(ids[:count]):
        yield PointStruct(point_id, vectors[position], payloads[position] if payloads is not None else None)
