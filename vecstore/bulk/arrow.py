"""Parquet and Arrow: one row a point, in these columns.

    id                uint64, null for a UUID
    uuid              string, null for an integer
    vector            a list of float32 of fixed size, null for a point without it; vector.NAME for one with a name
    payload           string: JSON

The header is in the metadata of the schema. Read as well: ``id`` as integers or as UUIDs without a column ``uuid``,
vectors as any lists of numbers, no ``payload``.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from vecstore.bulk.header import Header, Source, decoded, load_header, matrix_of, side_by_side
from vecstore.errors import InvalidFile
from vecstore.extras import needs

with needs("arrow"):
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.ipc
    import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from vecstore.records import Record

MARK = b"vecstore"


@dataclass(frozen=True)
class Arrow:
    """The format; ``parquet``, or the file format of Arrow."""

    parquet: bool

    def write(self, file: BinaryIO, header: Header, pages: Iterable[Sequence[Record]]) -> None:
        """Write all records, a row group or record batch for each page."""
        schema = _schema(header)
        opened = pq.ParquetWriter(file, schema, use_dictionary=False) if self.parquet else pa.ipc.new_file(file, schema)
        with opened as writer:
            for page in pages:
                writer.write_batch(_record_batch(page, header, schema))

    @contextmanager
    def read(self, path: Path) -> Iterator[Source]:
        """Open a file. Raises ``InvalidFile``, now or on the way."""
        try:
            schema, total, batches = _parquet(path) if self.parquet else _ipc(path)
        except (pa.ArrowException, OSError) as error:
            what = "Parquet" if self.parquet else "Arrow"
            raise InvalidFile(path, f"it is not {what}: {_first_line(error)}") from error
        said = (schema.metadata or {}).get(MARK)
        header = None if said is None else load_header(path, said)
        reader = _Reader(path, schema)
        yield Source(header, total, lambda rows: reader.points(batches(rows)))


def _schema(header: Header) -> Any:
    vectors = [(_column(n), pa.list_(pa.float32(), p.size)) for n, p in header.vectors.items()]
    fields = [("id", pa.uint64()), ("uuid", pa.string()), *vectors, ("payload", pa.string())]
    return pa.schema(fields, metadata={MARK: header.dumps().encode()})


def _column(name: str) -> str:
    return f"vector.{name}" if name else "vector"


def _record_batch(page: Sequence[Record], header: Header, schema: Any) -> Any:
    ids = pa.array([r.id if isinstance(r.id, int) else None for r in page], pa.uint64())
    uuids = pa.array([r.id if isinstance(r.id, str) else None for r in page], pa.string())
    vectors = [_fixed_lists(*matrix_of(page, name, p.size)) for name, p in header.vectors.items()]
    payloads = pa.array([json.dumps(r.payload, ensure_ascii=False, allow_nan=False) for r in page], pa.string())
    return pa.record_batch([ids, uuids, *vectors, payloads], schema=schema)


def _fixed_lists(rows: npt.NDArray[np.float32], has: npt.NDArray[np.bool_]) -> Any:
    whole = np.zeros((len(has), rows.shape[1]), dtype=np.float32)
    whole[has] = rows
    return pa.FixedSizeListArray.from_arrays(pa.array(whole.ravel()), rows.shape[1], mask=pa.array(~has))


def _parquet(path: Path) -> tuple[Any, int, Callable[[int], Iterator[Any]]]:
    file = pq.ParquetFile(path)
    return file.schema_arrow, file.metadata.num_rows, lambda rows: file.iter_batches(batch_size=rows)


def _ipc(path: Path) -> tuple[Any, None, Callable[[int], Iterator[Any]]]:
    file = pa.ipc.open_file(pa.memory_map(str(path)))

    def batches(rows: int) -> Iterator[Any]:
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)

    return file.schema, None, batches


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


class _Reader:
    """Record batches as points."""

    def __init__(self, path: Path, schema: Any) -> None:
        self._path = path
        self._vectors = {n: n[len("vector") + 1 :] for n in schema.names if n == "vector" or n.startswith("vector.")}
        self._names = set(schema.names)
        if not self._names & {"id", "uuid"}:
            raise InvalidFile(path, f"expected a column id, got {', '.join(map(repr, schema.names)) or 'none'}")
        for name in sorted(self._names - {"id", "uuid", "payload", *self._vectors}):
            raise InvalidFile(path, f"expected id, uuid, vector, vector.NAME and payload, got the column {name!r}")

    def points(self, batches: Iterator[Any]) -> Iterator[Any]:
        """All points."""
        row = 0
        try:
            for batch in batches:
                columns = {name: self._column(batch.column(column)) for column, name in self._vectors.items()}
                payloads, error = self._payloads(batch, row)
                yield from side_by_side(self._ids(batch), columns, payloads)
                if error is not None:
                    raise error
                row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise InvalidFile(self._path, f"after row {row}: {_first_line(error)}") from error

    def _ids(self, batch: Any) -> list[Any]:
        ids = batch.column("id").to_pylist() if "id" in self._names else [None] * batch.num_rows
        if "uuid" not in self._names:
            return list(ids)
        uuids = batch.column("uuid").to_pylist()
        if any(one is not None is not other for one, other in zip(ids, uuids, strict=True)):
            raise InvalidFile(self._path, "expected an id or a uuid in each row, got both in one")
        return [other if one is None else one for one, other in zip(ids, uuids, strict=True)]

    def _column(self, column: Any) -> tuple[Any, npt.NDArray[np.bool_]]:
        has = column.is_valid().to_numpy(zero_copy_only=False)
        lists = column.drop_null()
        if not len(lists):
            return [], has
        lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
        if (lengths != lengths[0]).any():
            return lists.to_pylist(), has  # a row is wrong, and will be named
        return lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), lengths[0]), has

    def _payloads(self, batch: Any, row: int) -> tuple[list[Any] | None, InvalidFile | None]:
        if "payload" not in self._names:
            return None, None
        return decoded(self._path, batch.column("payload").to_pylist(), row)
