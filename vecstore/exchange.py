"""THE CALL, in bulk: the part of ``Collection`` that takes in and gives out many points, and shows itself."""

from __future__ import annotations

from abc import abstractmethod
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

from vecstore import requests
from vecstore.bulk import batches, files
from vecstore.bulk.header import Header
from vecstore.bulk.progress import bar
from vecstore.bulk.upload import upload
from vecstore.display import collection_html, fields_of
from vecstore.errors import CollectionClosed
from vecstore.reading import Reads
from vecstore.requests.reads import parse_count

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd

    from vecstore.bulk.batches import Points
    from vecstore.bulk.header import Source
    from vecstore.bulk.progress import Bar
    from vecstore.collection import Collection
    from vecstore.conditions import Filter
    from vecstore.futures import UpdateFuture
    from vecstore.models import UpdateResult, VectorParams
    from vecstore.operations import Upsert
    from vecstore.reports import CollectionInfo
    from vecstore.results import Records
    from vecstore.vectors import Schema

    Cut: TypeAlias = "Iterable[tuple[Points, int]]"

LOOKED_AT = 200
"""So many payloads tell which fields there are."""


class Exchange(Reads):
    """The calls for many points. ``Collection`` has them."""

    @abstractmethod
    def _writing_engine(self) -> object:
        """Raises ``CollectionClosed``, and ``ReadOnly`` where nothing may be written."""

    @abstractmethod
    def _check_open(self) -> None:
        """Raises ``CollectionClosed``."""

    @abstractmethod
    def _submit(self, operation: Any) -> UpdateFuture[Any]:
        """Queue an operation."""

    @abstractmethod
    def info(self) -> CollectionInfo:
        """What the collection is and holds."""

    @abstractmethod
    def create_payload_index(self, field_name: Any, field_schema: Any = ...) -> UpdateFuture[UpdateResult]:
        """Have a payload index for a field."""

    def upload(self, points: Any, *, batch_size: int | None = None, progress: bool = False, skip: int = 0) -> int:
        """Upsert any number of points, and wait until all are applied: how many of the source are in.

        Args:
            points: Any iterable of points, such as a generator; or a ``Batch`` of columns, which may be mapped arrays
                (``np.load(path, mmap_mode="r")``), and iterators for ids and payloads; or an iterable of those.
            batch_size: How many points are one operation; None for up to 1,000, fewer of large vectors.
            progress: Whether to show a bar (extra ``progress``).
            skip: How many points at the beginning to pass over.

        A few batches are under way at a time, so memory does not grow with the number of points.

        Raises ``InvalidRequest`` for what is no source of points; ``ReadOnly``; ``UploadStopped`` with ``count``,
        where a point cannot be read or written: the ``count`` points before it are in, and ``skip=count`` goes on.
        """
        self._writing_engine()
        start, size = parse_count(skip, "skip", 0), self._batch_size(batch_size)
        with bar("upload", batches.total(points), shown=progress) as shown:
            return self._upload(batches.cut(points, size, start), requests.parse_upsert, shown, start)

    def _upload(self, cut: Cut, parse: Callable[[Points, Schema], Upsert], shown: Bar, start: int) -> int:
        shown.update(start)
        return upload(lambda points: self._submit(parse(points, self._schema)), cut, shown, start)

    def _batch_size(self, given: object = None) -> int:
        if given is not None:
            return parse_count(given, "batch_size", 1)
        return batches.fitting(sum(4 * params.size for params in self._schema.values()))

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        filter: Filter | Mapping[str, Any] | None = None,  # noqa: A002 - Qdrant's name
        progress: bool = False,
    ) -> int:
        """Write the points that match to a file, and say how many they were; ``Collection.load`` reads it.

        Args:
            path: Its ending says the format: ``.jsonl`` or ``.jsonl.gz``, ``.parquet`` or ``.arrow`` (extra
                ``arrow``), ``.npz``. A file that is there is replaced when all is written.
            filter: Which points; None for all.
            progress: Whether to show a bar (extra ``progress``).

        Ids, float32 vectors and payloads are kept to the bit, and so are the parameters of vectors and the payload
        indexes that were asked for. Others may write meanwhile: a point that is there all the time is in the file
        once, with what it was at some moment. Raises ``InvalidRequest``, ``MissingExtra``, ``OSError``.
        """
        target = files.as_path(path)
        said = self._header(self.count(filter))
        with bar("export", said.points, shown=progress) as shown:
            return files.write(target, said, self._pages(filter), shown)

    def _header(self, points: int) -> Header:
        asked = {p: i for p, i in self.info().payload_schema.items() if not i.automatic}
        schema = {path: [kind.value for kind in index.types] for path, index in asked.items()}
        return Header(points, dict(self._schema), schema)

    def _pages(self, condition: Any) -> Iterator[Records]:
        size, offset = self._batch_size(), None
        while True:
            page, offset = self.scroll(condition, limit=size, offset=offset, with_vectors=True)
            if page:
                yield page
            if offset is None:
                return

    @staticmethod
    def load(
        source: str | os.PathLike[str],
        path: str | os.PathLike[str] | None = None,
        *,
        vectors: VectorParams | Mapping[str, VectorParams] | Mapping[str, Any] | None = None,
        batch_size: int | None = None,
        progress: bool = False,
        skip: int = 0,
        **options: Any,
    ) -> Collection:
        """A collection with the points of a file: what ``export`` wrote, or a file of the same form.

        Args:
            source: The file; its ending says the format, see ``export``.
            path: The collection, opened or created; None for one in memory.
            vectors: What to create it with; None for what the file says, where it comes from ``export``.
            batch_size, progress, skip: As in ``upload``.
            options: ``durability`` and ``auto_index``, as for ``Collection``.

        Points are added to those that are there, and replace those with the same id. Raises ``InvalidFile`` for a
        file that is not what its name says, ``UploadStopped`` for a row that cannot be read or does not fit: what
        came before it stays.
        """
        from vecstore.collection import Collection

        start = parse_count(skip, "skip", 0)
        if batch_size is not None:
            parse_count(batch_size, "batch_size", 1)
        with files.reading(files.as_path(source)) as found, bar("load", found.total, shown=progress) as shown:
            if vectors is None and found.header is not None:
                vectors = found.header.vectors
            col = Collection(path, vectors=vectors, **options)
            try:
                col._take_in(found, col._batch_size(batch_size), shown, start)
            except BaseException:
                col.close()
                raise
            return col

    def _take_in(self, source: Source, size: int, shown: Bar, start: int) -> None:
        cut = batches.cut(source.points(size), size, start)
        self._upload(cut, files.parser(source, self._schema), shown, start)
        if source.header is not None:
            asked = [(path, kind) for path, kinds in source.header.payload_schema.items() for kind in kinds]
            for future in [self.create_payload_index(path, kind) for path, kind in asked]:
                future.result()

    def to_pandas(
        self,
        filter: Filter | Mapping[str, Any] | None = None,  # noqa: A002 - Qdrant's name
        *,
        with_payload: Any = True,
        with_vectors: Any = False,
    ) -> pd.DataFrame:
        """The points that match as a data frame, in the order of ids; see ``Records.to_pandas`` for its columns.

        ``with_payload``, ``with_vectors``: as in ``retrieve``. Raises ``MissingExtra`` where pandas is missing.
        """
        records, _ = self.scroll(filter, limit=2**32, with_payload=with_payload, with_vectors=with_vectors)
        return records.to_pandas()

    def _repr_html_(self) -> str:
        try:
            info = self.info()
        except CollectionClosed:
            return escape(repr(self))
        return collection_html(info.path or "collection in memory", info, self._fields())

    def _fields(self) -> dict[str, list[str]]:
        records, _ = self.scroll(limit=LOOKED_AT)
        return fields_of(record.payload or {} for record in records)
