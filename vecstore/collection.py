"""THE CALL: the one object a user holds. It checks what it is given, and delegates."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from vecstore import requests
from vecstore.engine import reads, registry
from vecstore.engine.info import collection_info
from vecstore.engine.search import search_by_id, search_many
from vecstore.errors import CollectionClosed, InvalidRequest, InvalidType
from vecstore.filters import parse_filter
from vecstore.ids import key_of
from vecstore.payload_edits import parse_with_payload
from vecstore.requests import OMITTED
from vecstore.requests import read_bodies as bodies
from vecstore.requests import reads as asked
from vecstore.shapes import describe
from vecstore.vectors import parse_vector_params

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from vecstore.conditions import Filter
    from vecstore.engine.view import View
    from vecstore.futures import UpdateFuture
    from vecstore.models import (
        CollectionInfo,
        OrderBy,
        Payload,
        PointId,
        Record,
        ScoredPoint,
        SearchParams,
        Selector,
        UpdateMode,
        UpdateResult,
        VectorParams,
    )
    from vecstore.payload_edits import Projection

    _Returned: TypeAlias = tuple[Projection | None, Sequence[str]]

DURABILITIES = ("fsync", "os")


class Collection:
    """A collection of points, in this process.

    A point has an id (an integer of 0 to 2**64 - 1, or a UUID), vectors, and a payload (a JSON object). The
    model, the words and the semantics are those of Qdrant's points API.

    Args:
        path: A folder; opened when it holds a collection, else created. None: a private collection in memory,
            gone when it is closed.
        vectors: What to create it with: ``VectorParams`` for one unnamed vector, or ``{name: VectorParams}``.
            Where the collection exists, what it is expected to have.
        durability: ``"fsync"`` (the default for a path): acknowledged means it survives power loss. ``"os"``:
            it survives the death of the process; power loss can damage the collection, not only shorten it.
            In memory it is always ``"os"``.

    Writes return an ``UpdateFuture`` at once; reads return values, and see every operation that is completed.
    All methods are safe from any thread. Opening the same path again in this process gives another handle on
    the same collection.

    Raises:
        InvalidRequest: a wrong argument; ``NotACollection`` for a path that holds something else,
            ``ConfigMismatch`` for a collection with other vectors or open with another durability.
        CollectionLocked: another process has it open.
        UnsupportedFormat, Corrupted, StoreFailed: what is on disk cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        vectors: VectorParams | Mapping[str, VectorParams] | Mapping[str, Any] | None = None,
        durability: str | None = None,
    ) -> None:
        params = None if vectors is None else parse_vector_params(vectors)
        if durability not in (None, *DURABILITIES):
            raise InvalidRequest(f"expected durability 'fsync' or 'os', got {describe(durability)}")
        if path is not None:
            self._engine = registry.acquire(_folder(path), params, durability)
        elif params is None:
            raise InvalidRequest("expected vectors= for a collection in memory")
        elif durability == "fsync":
            raise InvalidRequest("a collection in memory has durability 'os'; give a path for 'fsync'")
        else:
            self._engine = registry.acquire_private(params)
        self._schema = self._engine.params
        self._hold()

    def _hold(self) -> None:
        self._dropped = weakref.finalize(self, registry.drop, self._engine)
        self._dropped.atexit = False  # the registry closes all that is open then

    # -- writes ----------------------------------------------------------------------------------------------

    def upsert(
        self,
        points: Any,
        *,
        update_filter: Filter | Mapping[str, Any] | None = None,
        update_mode: UpdateMode | str | None = None,
    ) -> UpdateFuture[UpdateResult]:
        """Insert points, or replace the whole of those that exist: vectors and payload.

        Args:
            points: A list of ``PointStruct`` (or dicts), a ``Batch`` of columns (ids; an (n, size) matrix, or
                ``{name: matrix}``; payloads), or a request body. The same id twice: the last one wins.
            update_filter: An existing point that does not match is left alone; new ones are inserted.
            update_mode: ``"upsert"``, ``"insert_only"`` (existing points are skipped) or ``"update_only"``
                (only points that exist, and match).

        Raises ``InvalidRequest`` (``InvalidId``, ``InvalidVector``, ``UnknownVector``, ``InvalidPayload``,
        ``EmptyRequest``, ``RequestTooLarge``, ...) before anything is done, ``CollectionClosed``, ``StoreFailed``.
        """
        self._check_open()
        return self._submit(requests.parse_upsert(points, self._schema, update_filter, update_mode))

    def update_vectors(
        self, points: Any, *, update_filter: Filter | Mapping[str, Any] | None = None
    ) -> UpdateFuture[UpdateResult]:
        """Replace the given vectors of existing points, and keep their others.

        ``points``: a list of ``PointVectors`` (or dicts). The same id twice: merged, later ones win by name.
        The future raises ``PointNotFound`` with every missing id, and nothing is updated.
        """
        self._check_open()
        return self._submit(requests.parse_update_vectors(points, self._schema, update_filter))

    def delete_vectors(self, vectors: Any, points: Selector | Any = OMITTED) -> UpdateFuture[UpdateResult]:
        """Take the named vectors away from points; ``""`` is the unnamed one. The points stay.

        ``points``: ids or a filter. The future raises ``PointNotFound`` for ids that are missing.
        """
        self._check_open()
        return self._submit(requests.parse_delete_vectors(vectors, points, self._schema))

    def set_payload(
        self, payload: Payload | Any, points: Selector | Any = OMITTED, *, key: str | None = None
    ) -> UpdateFuture[UpdateResult]:
        """Merge the top-level keys of ``payload`` into the payload of points; a null removes its key.

        ``points``: ids or a filter. ``key``: merge into the object at this path instead. The future raises
        ``PointNotFound`` for ids that are missing.
        """
        return self._submit(requests.parse_set_payload(payload, points, key))

    def overwrite_payload(self, payload: Payload | Any, points: Selector | Any = OMITTED) -> UpdateFuture[UpdateResult]:
        """Replace the whole payload of points (ids or a filter)."""
        return self._submit(requests.parse_overwrite_payload(payload, points))

    def delete_payload(self, keys: Any, points: Selector | Any = OMITTED) -> UpdateFuture[UpdateResult]:
        """Delete the values at payload paths (``"a.b"``, ``"l[].x"``) from points (ids or a filter)."""
        return self._submit(requests.parse_delete_payload(keys, points))

    def clear_payload(self, points: Selector | Any) -> UpdateFuture[UpdateResult]:
        """Make the payload of points (ids or a filter) empty."""
        return self._submit(requests.parse_clear_payload(points))

    def delete(self, points: Selector | Any) -> UpdateFuture[UpdateResult]:
        """Delete points (ids or a filter). Ids that are missing are ignored."""
        return self._submit(requests.parse_delete(points))

    def batch(self, operations: Any, *, atomic: bool = True) -> UpdateFuture[list[UpdateResult]]:
        """Several operations, in order, as one: models (``UpsertOperation(...)``) or dicts (``{"upsert": ...}``).

        All or nothing; with ``atomic=False``, as in Qdrant, the first that is refused ends the batch and those
        before it stay. The future's result has one ``UpdateResult`` for each operation.
        """
        self._check_open()
        return self._submit(requests.parse_batch(operations, self._schema, atomic))

    def _submit(self, operation: Any) -> UpdateFuture[Any]:
        self._check_open()
        return self._engine.submit(operation)

    # -- reads -----------------------------------------------------------------------------------------------

    @bodies.takes_body(bodies.retrieve_body)
    def retrieve(
        self, ids: Sequence[PointId] | Any, *, with_payload: Any = True, with_vectors: Any = False
    ) -> list[Record]:
        """The points with these ids that exist, in the order asked for, each once.

        Args:
            ids: A list or array of ids.
            with_payload: True, False, a list of payload paths to include, or a ``PayloadSelectorInclude`` or
                ``PayloadSelectorExclude``.
            with_vectors: True, False, or a list of vector names.
        """
        keys = requests.parse_ids(ids).keys
        project, names = parse_with_payload(with_payload), asked.parse_names(with_vectors, self._schema)
        with self._view() as view:
            return reads.retrieve(view, keys, project, names)

    def get(self, point_id: PointId, *, with_payload: Any = True, with_vectors: Any = False) -> Record | None:
        """One point, or None."""
        found = self.retrieve([point_id], with_payload=with_payload, with_vectors=with_vectors)
        return found[0] if found else None

    def __contains__(self, point_id: object) -> bool:
        key = key_of(point_id)
        with self._view() as view:
            return bool(view.points.find(view.txn, [key])[0] >= 0)

    def __len__(self) -> int:
        return self.count()

    def __bool__(self) -> bool:
        return True  # an empty collection is still a collection

    @bodies.takes_body(bodies.scroll_body)
    def scroll(
        self,
        filter: Filter | Mapping[str, Any] | None = None,  # noqa: A002 - Qdrant's name
        *,
        limit: int = 10,
        offset: PointId | None = None,
        with_payload: Any = True,
        with_vectors: Any = False,
        order_by: str | OrderBy | Mapping[str, Any] | None = None,
    ) -> tuple[list[Record], int | str | None]:
        """A page of the points that match, and the id the next page begins with (None on the last page).

        In the order of ids, from the id ``offset`` on (inclusive; it need not exist). With ``order_by`` (a payload
        key or an ``OrderBy``) in the order of the numbers or datetimes there, and then without an offset: points
        without such a value are left out, one with several appears once for each.
        """
        condition = None if filter is None else parse_filter(filter)
        limit = asked.parse_count(limit, "limit", 1)
        project, names = parse_with_payload(with_payload), asked.parse_names(with_vectors, self._schema)
        if order_by is None:
            start = asked.parse_start(offset)
            with self._view() as view:
                return reads.scroll(view, condition, limit, start, project, names)
        if offset is not None:
            raise InvalidRequest("expected offset or order_by, got both; page with start_from and a filter")
        order = asked.parse_order(order_by)
        with self._view() as view:
            return reads.scroll_by(view, condition, limit, order, project, names), None

    @bodies.takes_body(bodies.count_body)
    def count(self, filter: Filter | Mapping[str, Any] | None = None, *, exact: bool = True) -> int:  # noqa: A002
        """How many points match. ``exact=False`` allows an estimate; at present there is no cheaper one."""
        condition = None if filter is None else parse_filter(filter)
        if not isinstance(exact, bool):
            raise InvalidType(f"expected exact as a bool, got {describe(exact)}")
        with self._view() as view:
            return reads.count(view, condition)

    @bodies.takes_body(bodies.search_body)
    def search(
        self,
        vector: Any,
        *,
        using: str = "",
        filter: Filter | Mapping[str, Any] | None = None,  # noqa: A002 - Qdrant's name
        limit: int = 10,
        offset: int = 0,
        score_threshold: float | None = None,
        params: SearchParams | Mapping[str, Any] | None = None,
        with_payload: Any = True,
        with_vectors: Any = False,
    ) -> list[ScoredPoint]:
        """The points nearest to a vector, or to the vector of a point, best first; equal scores by smaller id.

        Args:
            vector: ``size`` numbers; or the id of a point, which is then left out of the hits.
            using: The name of the vector to compare with.
            filter: Only points that match.
            limit: How many hits, at most; ``offset``: how many of the best to skip.
            score_threshold: Only strictly better scores (larger for Cosine and Dot, smaller for Euclid and
                Manhattan).
            params: ``SearchParams``.
            with_payload, with_vectors: As in ``retrieve``.

        Scores: the cosine, the dot product, the Euclidean or the Manhattan distance, in float32 arithmetic.
        Raises ``InvalidRequest`` (``InvalidVector``, ``UnknownVector``, ``InvalidFilter``, ...), ``PointNotFound``.
        """
        question = asked.parse_question(self._schema, using, filter, limit, offset, score_threshold, params)
        project, names = parse_with_payload(with_payload), asked.parse_names(with_vectors, self._schema)
        if asked.is_id(vector):
            key = key_of(vector)
            with self._view() as view:
                return search_by_id(view, key, question, project, names)
        query = asked.parse_query(vector, self._schema[question.name], question.name)
        with self._view() as view:
            return search_many(view, query[None, :], question, project, names)[0]

    def search_batch(
        self,
        vectors: Any,
        *,
        using: str = "",
        filter: Filter | Mapping[str, Any] | None = None,  # noqa: A002 - Qdrant's name
        limit: int = 10,
        offset: int = 0,
        score_threshold: float | None = None,
        params: SearchParams | Mapping[str, Any] | None = None,
        with_payload: Any = True,
        with_vectors: Any = False,
    ) -> list[list[ScoredPoint]]:
        """``search`` for every row of an (n, size) matrix, all in one state of the collection: n lists of hits."""
        question = asked.parse_question(self._schema, using, filter, limit, offset, score_threshold, params)
        project, names = parse_with_payload(with_payload), asked.parse_names(with_vectors, self._schema)
        queries = asked.parse_queries(vectors, self._schema[question.name], question.name)
        with self._view() as view:
            return search_many(view, queries, question, project, names)

    # -- the collection itself -------------------------------------------------------------------------------

    def flush(self) -> None:
        """Wait until every operation so far is completed, and force everything to the disk.

        Raises ``StoreFailed``; ``CollectionClosed``.
        """
        self._check_open()
        self._engine.flush()

    def info(self) -> CollectionInfo:
        """What the collection is and holds: vectors, points, live and dead rows, bytes."""
        with self._view() as view:
            return collection_info(self._engine, view)

    def close(self) -> None:
        """Complete what is queued, and let go of the collection. Closing twice is fine.

        While another handle in this process has it open, only this handle is closed.
        """
        if self._dropped.detach() is None:
            return
        try:
            registry.release(self._engine)
        except BaseException:  # interrupted: it can be closed again
            self._hold()
            raise

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        place = "in memory" if self._engine.private else repr(str(self._engine.folder))
        if not self._dropped.alive:
            return f"<Collection {place}, closed>"
        vectors = ", ".join(f"{n or 'vector'}: {p.size} {p.distance.value}" for n, p in self._schema.items())
        return f"<Collection {place}, {len(self)} points, {vectors or 'no vectors'}>"

    def _check_open(self) -> None:
        if not self._dropped.alive:
            raise CollectionClosed("the collection is closed")
        self._engine.check_open()

    def _view(self) -> View:
        self._check_open()
        return self._engine.view()


def _folder(path: object) -> Path:
    try:
        folder = Path(path)  # type: ignore[arg-type]
    except TypeError:
        raise InvalidType(f"expected a path, got {describe(path)}") from None
    if not str(path) or "\0" in str(path):
        raise InvalidRequest(f"expected a path, got {path!r}")
    return folder
