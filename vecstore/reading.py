"""THE CALL, reading: the half of ``Collection`` that asks. Each call sees one state, between two operations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from vecstore import requests
from vecstore.engine import reads
from vecstore.engine.search import explain, search_arrays, search_by_id, search_many
from vecstore.errors import InvalidRequest, InvalidType
from vecstore.filters import parse_filter
from vecstore.ids import key_of
from vecstore.payload_edits import parse_with_payload
from vecstore.requests import read_bodies as bodies
from vecstore.requests import reads as asked
from vecstore.results import Hits, Records
from vecstore.shapes import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from vecstore.conditions import Filter
    from vecstore.engine.view import View
    from vecstore.models import OrderBy, PointId, SearchParams, VectorParams
    from vecstore.records import Record
    from vecstore.reports import SearchExplanation

T = TypeVar("T")


class Reads(ABC):
    """The calls that read. ``Collection`` has them."""

    _schema: Mapping[str, VectorParams]

    @abstractmethod
    def _view(self) -> View:
        """The present state."""

    def _read(self, work: Callable[[View], T]) -> T:
        """What ``work`` finds in the present state."""
        view = self._view()
        try:
            with view:
                return work(view)
        finally:
            view.end()  # an interrupt may have kept Python from calling what ends it

    @bodies.takes_body(bodies.retrieve_body)
    def retrieve(self, ids: Sequence[PointId] | Any, *, with_payload: Any = True, with_vectors: Any = False) -> Records:
        """The points with these ids that exist, in the order asked for, each once.

        Args:
            ids: A list or array of ids.
            with_payload: True, False, a list of payload paths to include, or a ``PayloadSelectorInclude`` or
                ``PayloadSelectorExclude``.
            with_vectors: True, False, or a list of vector names. A vector is a float32 array of shape (size,); with
                Cosine it is the normalised one.

        Ids that are missing are left out. Raises ``InvalidId``, ``InvalidPath``, ``UnknownVector``, and
        ``EmptyRequest`` for no ids at all.
        """
        keys = requests.parse_ids(ids).keys
        project, names = parse_with_payload(with_payload), asked.parse_names(with_vectors, self._schema)
        return Records(self._read(lambda view: reads.retrieve(view, keys, project, names)))

    def get(self, point_id: PointId, *, with_payload: Any = True, with_vectors: Any = False) -> Record | None:
        """One point, or None where there is none with this id; the other arguments are those of ``retrieve``."""
        found = self.retrieve([point_id], with_payload=with_payload, with_vectors=with_vectors)
        return found[0] if found else None

    def __contains__(self, point_id: object) -> bool:
        key = key_of(point_id)
        return self._read(lambda view: bool(view.points.find(view.txn, [key])[0] >= 0))

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
    ) -> tuple[Records, int | str | None]:
        """A page of the points that match, and the id the next page begins with (None on the last page).

        In the order of ids, from the id ``offset`` on (inclusive; it need not exist). With ``order_by`` (a payload
        key or an ``OrderBy``) in the order of the numbers or datetimes there, and then without an offset: points
        without such a value are left out, one with several appears once for each.

        ``limit``: how many points at most, 1 or more. ``with_payload``, ``with_vectors``: as in ``retrieve``. Raises
        ``InvalidRequest`` (``InvalidFilter``, ``InvalidId``, ...), also for ``offset`` and ``order_by`` together.
        """
        condition = None if filter is None else parse_filter(filter)
        limit = asked.parse_count(limit, "limit", 1)
        project, names = parse_with_payload(with_payload), asked.parse_names(with_vectors, self._schema)
        if order_by is None:
            start = asked.parse_start(offset)
            records, rest = self._read(lambda view: reads.scroll(view, condition, limit, start, project, names))
            return Records(records), rest
        if offset is not None:
            raise InvalidRequest("expected offset or order_by, got both; page with start_from and a filter")
        order = asked.parse_order(order_by)
        return Records(self._read(lambda view: reads.scroll_by(view, condition, limit, order, project, names))), None

    @bodies.takes_body(bodies.count_body)
    def count(self, filter: Filter | Mapping[str, Any] | None = None, *, exact: bool = True) -> int:  # noqa: A002
        """How many points match. ``exact=False`` allows an estimate; at present there is no cheaper one.

        ``filter``: None counts all points. Raises ``InvalidFilter``.
        """
        condition = None if filter is None else parse_filter(filter)
        if not isinstance(exact, bool):
            raise InvalidType(f"expected exact as a bool, got {describe(exact)}")
        return self._read(lambda view: reads.count(view, condition))

    def explain(
        self,
        vector: Any,
        *,
        using: str = "",
        filter: Filter | Mapping[str, Any] | None = None,  # noqa: A002 - Qdrant's name
        limit: int = 10,
        offset: int = 0,
        score_threshold: float | None = None,
        params: SearchParams | Mapping[str, Any] | None = None,
    ) -> SearchExplanation:
        """Search as ``search`` would with these arguments, and tell how it was done and how long it took."""
        question = asked.parse_question(self._schema, using, filter, limit, offset, score_threshold, params)
        query = asked.parse_query(vector, self._schema[question.name], question.name)
        return self._read(lambda view: explain(view, query, question))

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
    ) -> Hits:
        """The points nearest to a vector, or to the vector of a point, best first; equal scores by smaller id.

        Args:
            vector: ``size`` numbers; or the id of a point, which is then left out of the hits.
            using: The name of the vector to compare with; points that have none of this name are passed over.
            filter: Only points that match.
            limit: How many hits, at most; ``offset``: how many of the best to skip.
            score_threshold: Only strictly better scores (larger for Cosine and Dot, smaller for Euclid and
                Manhattan).
            params: ``SearchParams``, as ``{"exact": True}`` or ``{"hnsw_ef": 256}``.
            with_payload, with_vectors: As in ``retrieve``.

        Scores: the cosine, the dot product, the Euclidean or the Manhattan distance, in float32 arithmetic.
        Raises ``InvalidRequest`` (``InvalidVector``, ``UnknownVector``, ``InvalidFilter``, ...), ``PointNotFound``.
        """
        question = asked.parse_question(self._schema, using, filter, limit, offset, score_threshold, params)
        project, names = parse_with_payload(with_payload), asked.parse_names(with_vectors, self._schema)
        if asked.is_id(vector):
            key = key_of(vector)
            return Hits(self._read(lambda view: search_by_id(view, key, question, project, names)))
        query = asked.parse_query(vector, self._schema[question.name], question.name)
        return Hits(self._read(lambda view: search_many(view, query[None, :], question, project, names))[0])

    @overload
    def search_batch(
        self,
        vectors: Any,
        *,
        using: str = ...,
        filter: Filter | Mapping[str, Any] | None = ...,
        limit: int = ...,
        offset: int = ...,
        score_threshold: float | None = ...,
        params: SearchParams | Mapping[str, Any] | None = ...,
        with_payload: Any = ...,
        with_vectors: Any = ...,
        as_arrays: Literal[False] = ...,
    ) -> list[Hits]: ...

    @overload
    def search_batch(
        self,
        vectors: Any,
        *,
        using: str = ...,
        filter: Filter | Mapping[str, Any] | None = ...,
        limit: int = ...,
        offset: int = ...,
        score_threshold: float | None = ...,
        params: SearchParams | Mapping[str, Any] | None = ...,
        as_arrays: Literal[True],
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32]]: ...

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
        as_arrays: bool = False,
    ) -> list[Hits] | tuple[npt.NDArray[Any], npt.NDArray[np.float32]]:
        """``search`` for every row of an (n, size) matrix, all in one state of the collection: n lists of hits.

        With ``as_arrays`` ids and scores alone, as two arrays of shape (n, k), k the most hits that a row has. Ids
        are uint64, or objects (int and str) where there are UUIDs among them; scores are float32. Where a row has
        fewer hits, the rest of its scores is NaN, and of its ids 0, or None.
        """
        question = asked.parse_question(self._schema, using, filter, limit, offset, score_threshold, params)
        project, names = parse_with_payload(with_payload), asked.parse_names(with_vectors, self._schema)
        queries = asked.parse_queries(vectors, self._schema[question.name], question.name)
        if not isinstance(as_arrays, bool):
            raise InvalidType(f"expected as_arrays as a bool, got {describe(as_arrays)}")
        if as_arrays and (names or not isinstance(with_payload, bool)):
            raise InvalidRequest("expected as_arrays without payloads and vectors, got a selector of them")
        if as_arrays:
            return self._read(lambda view: search_arrays(view, queries, question))
        found = self._read(lambda view: search_many(view, queries, question, project, names))
        return [Hits(hits) for hits in found]
