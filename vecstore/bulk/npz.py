"""The archive of arrays of numpy, written and read a page at a time.

    vecstore.json       the header
    ids                 uint64 (a,)          the first a points have integers as ids
    uuids               uint8 (b, 16)        the others have UUIDs
    vectors             float32 (m, size)    a row for each point that has the vector
    has                 bool (a + b,)        which points those are; left out where all have it
    payloads.jsonl      the payload of each point, as a line of JSON

Vectors with a name are in ``vectors.NAME`` and ``has.NAME``. ``np.load`` reads such a file as well. One that comes
from ``np.savez(path, ids=..., vectors=...)`` is loaded, too: ids of any integers or strings, any floats.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO
from uuid import UUID

import numpy as np

from vecstore.bulk.header import Header, Source, decoded, load_header, matrix_of, side_by_side
from vecstore.errors import InvalidFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from vecstore.records import Record

HEADER = "vecstore.json"
PAYLOADS = "payloads.jsonl"
ENDING = ".npy"
_UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError)


def _column(kind: str, name: str) -> str:
    return f"{kind}.{name}" if name else kind


# -- writing -----------------------------------------------------------------------------------------------------


class _Spool:
    """An array on its way: how many rows it will have is known at the end."""

    def __init__(self, file: IO[bytes], dtype: str, row: tuple[int, ...]) -> None:
        self._file, self._dtype, self._row = file, np.dtype(dtype), row
        self.rows = 0

    def put(self, rows: npt.NDArray[Any]) -> None:
        """More rows."""
        self.rows += len(rows)
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).tobytes())

    def copy_to(self, file: IO[bytes]) -> None:
        """The whole array, as numpy has it in a file."""
        shape = (self.rows, *self._row)
        said = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, said)
        self._file.seek(0)
        shutil.copyfileobj(self._file, file, 1 << 20)


class _Writer:
    def __init__(self, header: Header, folder: Path, stack: ExitStack) -> None:
        self._header = header
        self._folder, self._stack = folder, stack
        self._ids = _Spool(self._file(), "<u8", ())
        self._uuids = _Spool(self._file(), "u1", (16,))
        self._payloads = self._file()
        self._matrices = {n: _Spool(self._file(), "<f4", (p.size,)) for n, p in header.vectors.items()}
        self._has = {n: _Spool(self._file(), "?", ()) for n in header.vectors}

    def _file(self) -> IO[bytes]:
        return self._stack.enter_context(tempfile.TemporaryFile(dir=self._folder))

    def put(self, page: Sequence[Record]) -> None:
        self._ids.put(np.array([r.id for r in page if isinstance(r.id, int)], dtype=np.uint64))
        uuids = b"".join([UUID(r.id).bytes for r in page if isinstance(r.id, str)])
        self._uuids.put(np.frombuffer(uuids, dtype=np.uint8).reshape(-1, 16))
        lines = [json.dumps(r.payload, ensure_ascii=False, allow_nan=False) + "\n" for r in page]
        self._payloads.write("".join(lines).encode())
        for name, spool in self._matrices.items():
            matrix, has = matrix_of(page, name, self._header.vectors[name].size)
            spool.put(matrix)
            self._has[name].put(has)

    def finish(self, archive: zipfile.ZipFile) -> None:
        archive.writestr(HEADER, self._header.dumps())
        arrays = {"ids": self._ids, "uuids": self._uuids}
        for name, spool in self._matrices.items():
            arrays[_column("vectors", name)] = spool
            if spool.rows < self._has[name].rows:
                arrays[_column("has", name)] = self._has[name]
        for name, spool in arrays.items():
            with archive.open(name + ENDING, "w", force_zip64=True) as out:
                spool.copy_to(out)
        self._payloads.seek(0)
        with archive.open(PAYLOADS, "w", force_zip64=True) as out:
            shutil.copyfileobj(self._payloads, out, 1 << 20)


class Npz:
    """The format."""

    def write(self, file: BinaryIO, header: Header, pages: Iterable[Sequence[Record]]) -> None:
        """Write all records: into a file for each column, and those into the archive."""
        with ExitStack() as stack:
            writer = _Writer(header, Path(file.name).parent, stack)
            for page in pages:
                writer.put(page)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                writer.finish(archive)

    @contextmanager
    def read(self, path: Path) -> Iterator[Source]:
        """Open a file. Raises ``InvalidFile``, now or on the way."""
        with ExitStack() as stack:
            try:
                archive = stack.enter_context(zipfile.ZipFile(path))
                names = archive.namelist()
                header = load_header(path, archive.read(HEADER)) if HEADER in names else None
                reader = _Reader(path, archive, names, stack)
            except InvalidFile:
                raise
            except _UNREADABLE as error:
                raise InvalidFile(path, f"it is no archive of arrays (.npz): {error}") from error
            yield Source(header, reader.count, reader.points)


# -- reading -----------------------------------------------------------------------------------------------------


class _Member:
    """An array in the archive, read from the front."""

    def __init__(self, path: Path, name: str, file: IO[bytes]) -> None:
        self._path, self.name, self._file = path, name, file
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype.hasobject or not shape or (fortran and len(shape) > 1):
            raise InvalidFile(path, f"expected {name} as rows of plain values, got {dtype} of shape {shape}")
        self.rows: int = shape[0]
        self.taken = 0
        self._row, self._dtype = shape[1:], dtype

    @property
    def is_mask(self) -> bool:
        """Whether a row is one bool."""
        return not self._row and self._dtype == np.bool_

    def take(self, count: int) -> npt.NDArray[Any]:
        """The next ``count`` rows."""
        size = count * int(np.prod(self._row, dtype=np.int64)) * self._dtype.itemsize
        data = self._file.read(size)
        if len(data) != size:
            raise EOFError(f"{self.name} is shorter than it says")
        self.taken += count
        return np.frombuffer(data, dtype=self._dtype).reshape(count, *self._row)


class _Reader:
    def __init__(self, path: Path, archive: zipfile.ZipFile, names: Iterable[str], stack: ExitStack) -> None:
        self._path = path
        self._arrays: dict[str, _Member] = {}
        self._payloads: IO[bytes] | None = None
        for name in names:
            if name.endswith(ENDING):
                short = name.removesuffix(ENDING)
                self._arrays[short] = _Member(path, short, stack.enter_context(archive.open(name)))
            elif name == PAYLOADS:
                self._payloads = stack.enter_context(archive.open(name))
            elif name != HEADER:
                raise InvalidFile(path, f"it holds {name!r}, which nothing is known of")
        self._ids = [self._arrays.pop(name) for name in ("ids", "uuids") if name in self._arrays]
        self.count = sum(member.rows for member in self._ids)
        self._vectors = self._pick("vectors")
        self._has = self._pick("has")
        self._check()

    def _pick(self, kind: str) -> dict[str, _Member]:
        keys = [key for key in self._arrays if key == kind or key.startswith(f"{kind}.")]
        return {key[len(kind) + 1 :]: self._arrays.pop(key) for key in keys}

    def _check(self) -> None:
        if not self._ids:
            raise InvalidFile(self._path, "expected an array of ids, got none")
        for name in self._arrays:
            raise InvalidFile(self._path, f"expected ids, uuids, vectors and vectors.NAME, got the array {name!r}")
        for name, member in self._vectors.items():
            if name not in self._has and member.rows != self.count:
                raise InvalidFile(self._path, f"expected {self.count} rows in {member.name}, got {member.rows}")
        for member in self._has.values():
            if member.rows != self.count:
                raise InvalidFile(self._path, f"expected {self.count} rows in {member.name}, got {member.rows}")
            if not member.is_mask:
                raise InvalidFile(self._path, f"expected {member.name} as a row of bools, got something else")

    def points(self, rows: int) -> Iterator[Any]:
        """All points, at most ``rows`` at a time."""
        row = 0
        for ids in self._ids:
            for start in range(0, ids.rows, rows):
                count = min(rows, ids.rows - start)
                try:
                    found, columns, (payloads, error) = self._page(ids, count, row)
                except _UNREADABLE as failure:
                    raise InvalidFile(self._path, f"after row {row}: {failure}") from failure
                yield from side_by_side(found, columns, payloads)
                if error is not None:
                    raise error
                row += count
        self._check_end()

    def _check_end(self) -> None:
        """Refuse what belongs to no point: it must be wrong which point has what."""
        for member in self._vectors.values():
            if member.taken != member.rows:
                raise InvalidFile(self._path, f"expected {member.taken} rows in {member.name}, got {member.rows}")
        if self._payloads is not None and self._payloads.readline():
            raise InvalidFile(self._path, f"expected {self.count} payloads, got more")

    def _page(self, ids: _Member, count: int, row: int) -> tuple[Any, Mapping[str, Any], Any]:
        found: Any = ids.take(count)
        if ids.name == "uuids":
            found = [UUID(bytes=one.tobytes()) for one in found]
        columns = {}
        for name, member in self._vectors.items():
            has = self._has[name].take(count) if name in self._has else np.ones(count, dtype=np.bool_)
            columns[name] = member.take(int(has.sum())), has
        return found, columns, self._decoded(count, row)

    def _decoded(self, count: int, row: int) -> tuple[list[Any] | None, InvalidFile | None]:
        if self._payloads is None:
            return None, None
        return decoded(self._path, [self._payloads.readline() for _ in range(count)], row)
