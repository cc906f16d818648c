"""A vector store for LangChain, in this process: extra ``langchain``.

    from vecstore.langchain import VecstoreVectorStore

    store = VecstoreVectorStore(embedding, path="notes.vecstore")
    store.add_texts(["the moon is round"], [{"source": "book"}], ids=["moon"])
    store.similarity_search("what is round?", k=1, filter={"source": "book"})

A document is a point: its vector is the embedding of its text, its payload is

    {"id": "moon", "page_content": "the moon is round", "metadata": {"source": "book"}}

and its id the document's, where that is a UUID, else ``vecstore.point_id`` of it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID, uuid4

import numpy as np

from vecstore.collection import Collection
from vecstore.errors import InvalidFilter, InvalidRequest, InvalidType, NotACollection
from vecstore.extras import needs
from vecstore.ids import point_id
from vecstore.models import Batch, Distance, VectorParams
from vecstore.paths import format_path
from vecstore.requests.reads import parse_count
from vecstore.shapes import describe
from vecstore.vectors import known

with needs("langchain"):
    from langchain_core.documents import Document
    from langchain_core.runnables.config import run_in_executor
    from langchain_core.vectorstores import VectorStore
    from langchain_core.vectorstores.utils import maximal_marginal_relevance

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from langchain_core.embeddings import Embeddings

    from vecstore.records import Record, ScoredPoint
    from vecstore.results import Hits

    Scored: TypeAlias = "list[tuple[Document, float]]"

ID, TEXT, METADATA = "id", "page_content", "metadata"
_CLAUSES = frozenset({"must", "should", "must_not", "min_should"})
_ALL: Mapping[str, Any] = {"filter": {}}


class VecstoreVectorStore(VectorStore):
    """Documents in a collection.

    Args:
        embedding: What makes vectors of texts.
        collection: Where to keep them: a collection that is open, and stays open; or
        path: a collection on disk, opened or made; or neither: in memory, gone when it is closed.
        using: The name of the vector, in a collection whose vectors have names.

    A collection that is made has one vector, of the size of the first embedding, compared by cosine.

    Every search takes ``filter``: a dict of metadata fields with the value, or a list of values, that they must
    have (``{"source": "book"}``), or a filter as ``Collection.search`` takes it, over payloads: paths there begin
    with ``metadata.``. It also takes ``params`` and ``score_threshold`` as ``Collection.search`` does. Scores are
    those of the collection's distance; relevance is between 0 and 1: (1 + cosine) / 2, the logistic function of a
    dot product, and 1 / (1 + distance).

    Raises ``InvalidRequest``, and what opening a collection raises.
    """

    def __init__(
        self,
        embedding: Embeddings,
        *,
        collection: Collection | None = None,
        path: str | os.PathLike[str] | None = None,
        using: str = "",
    ) -> None:
        if collection is not None and path is not None:
            raise InvalidRequest("expected collection or path, got both")
        if not isinstance(collection, Collection | None):
            raise InvalidType(f"expected a Collection, got {describe(collection)}")
        self._embedding = embedding
        self._path = path
        self._using = using
        self._owns = collection is None
        self._collection = collection if collection is not None else _opened(path)
        self._making = threading.Lock()
        if self._collection is not None:
            known(self._collection._schema, using)

    # -- the collection --------------------------------------------------------------------------------------

    @property
    def collection(self) -> Collection | None:
        """The collection; None before the first text makes one."""
        return self._collection

    @property
    def embeddings(self) -> Embeddings:
        """What makes vectors of texts."""
        return self._embedding

    def close(self) -> None:
        """Close the collection, unless it was given."""
        if self._owns and self._collection is not None:
            self._collection.close()

    def __enter__(self) -> VecstoreVectorStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _made(self, size: int) -> Collection:
        with self._making:
            if self._collection is None:
                vectors = VectorParams(size, Distance.COSINE)
                self._collection = Collection(self._path, vectors={self._using: vectors} if self._using else vectors)
            return self._collection

    # -- writing ---------------------------------------------------------------------------------------------

    def add_documents(self, documents: list[Document], ids: list[str] | None = None, **kwargs: Any) -> list[str]:
        """Add documents, or replace those with the same ids: the ids, made up where there are none. All or nothing."""
        _nothing_else(kwargs)
        if not documents:
            return []
        vectors = self._embedding.embed_documents([document.page_content for document in documents])
        return self._put(documents, ids, vectors)

    async def aadd_documents(self, documents: list[Document], ids: list[str] | None = None, **kwargs: Any) -> list[str]:
        """``add_documents``."""
        _nothing_else(kwargs)
        if not documents:
            return []
        vectors = await self._embedding.aembed_documents([document.page_content for document in documents])
        return await run_in_executor(None, self._put, documents, ids, vectors)

    # The base class pairs texts with ids, and drops what one side has more.

    def add_texts(self, texts: Iterable[str], metadatas: Any = None, *, ids: Any = None, **kwargs: Any) -> list[str]:
        """``add_documents`` of texts, and of a list of their metadata."""
        found = list(texts)
        _one_each(found, ids, "an id")
        return super().add_texts(found, metadatas, ids=ids, **kwargs)

    async def aadd_texts(
        self, texts: Iterable[str], metadatas: Any = None, *, ids: Any = None, **kwargs: Any
    ) -> list[str]:
        """``add_texts``."""
        found = list(texts)
        _one_each(found, ids, "an id")
        return await super().aadd_texts(found, metadatas, ids=ids, **kwargs)

    def _put(self, documents: list[Document], ids: list[str] | None, vectors: Sequence[Any]) -> list[str]:
        _one_each(documents, ids, "an id")
        _one_each(documents, vectors, "an embedding")
        given = ids if ids is not None else [document.id for document in documents]
        names = [name or str(uuid4()) for name in given]
        payloads = [
            {ID: name, TEXT: document.page_content, METADATA: document.metadata}
            for name, document in zip(names, documents, strict=True)
        ]
        columns: Any = {self._using: vectors}
        batch = Batch([_key(name) for name in names], columns, payloads)
        self._made(len(vectors[0])).upsert(batch).result()
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents, by default all of them. Those that are missing are ignored."""
        _nothing_else(kwargs)
        if self._collection is not None and (ids is None or ids):
            self._collection.delete(_ALL if ids is None else [_key(name) for name in ids]).result()
        return True

    # -- reading ---------------------------------------------------------------------------------------------

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents with these ids that there are, in the order asked for."""
        if self._collection is None or not ids:
            return []
        return [_document(record) for record in self._collection.retrieve([_key(name) for name in ids])]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """The ``k`` documents most like a text, best first."""
        return _documents(self.similarity_search_with_score(query, k, **kwargs))

    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """``similarity_search``."""
        return _documents(await self.asimilarity_search_with_score(query, k, **kwargs))

    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> Scored:
        """The ``k`` documents most like a text, and their scores."""
        return self.similarity_search_with_score_by_vector(self._embedding.embed_query(query), k, **kwargs)

    async def asimilarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> Scored:
        """``similarity_search_with_score``."""
        vector = await self._embedding.aembed_query(query)
        return await run_in_executor(None, self.similarity_search_with_score_by_vector, vector, k, **kwargs)

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        """The ``k`` documents nearest to a vector."""
        return _documents(self.similarity_search_with_score_by_vector(embedding, k, **kwargs))

    def similarity_search_with_score_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> Scored:
        """The ``k`` documents nearest to a vector, and their scores."""
        return [(_document(hit), hit.score) for hit in self._hits(embedding, k, **kwargs)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """Of the ``fetch_k`` documents most like a text, ``k`` that are like it and unlike each other.

        ``lambda_mult``: 1 for most like it, 0 for most unlike each other.
        """
        vector = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **kwargs)

    async def amax_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """``max_marginal_relevance_search``."""
        vector = await self._embedding.aembed_query(query)
        return await self.amax_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **kwargs)

    def max_marginal_relevance_search_by_vector(
        self, embedding: list[float], k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """``max_marginal_relevance_search`` for a vector."""
        most = max(parse_count(k, "k", 1), parse_count(fetch_k, "fetch_k", 0))
        hits = self._hits(embedding, most, with_vectors=[self._using], **kwargs)
        rows: Any = [hit.vector[self._using] if isinstance(hit.vector, dict) else hit.vector for hit in hits]
        chosen = maximal_marginal_relevance(np.asarray(embedding, dtype=np.float32), rows, lambda_mult, k)
        return [_document(hits[place]) for place in chosen]

    def _hits(
        self,
        vector: Sequence[float],
        k: int,
        *,
        filter: Any = None,  # noqa: A002 - LangChain's name
        params: Any = None,
        score_threshold: float | None = None,
        with_vectors: Any = False,
    ) -> Hits | list[ScoredPoint]:
        condition = _condition(filter)
        if self._collection is None:
            return []
        return self._collection.search(
            vector,
            using=self._using,
            filter=condition,
            limit=k,
            params=params,
            score_threshold=score_threshold,
            with_vectors=with_vectors,
        )

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        if self._collection is None:
            return _of_cosine
        return _RELEVANCE[self._collection._schema[self._using].distance]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> VecstoreVectorStore:
        """A store with these texts. ``kwargs``: ``collection``, ``path`` and ``using``, as for the class."""
        store = cls(embedding, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @classmethod
    async def afrom_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> VecstoreVectorStore:
        """``from_texts``."""
        store = await run_in_executor(None, lambda: cls(embedding, **kwargs))
        await store.aadd_texts(texts, metadatas, ids=ids)
        return store


def _opened(path: str | os.PathLike[str] | None) -> Collection | None:
    """What is at the path; None where the first text makes it."""
    if path is None:
        return None
    try:
        return Collection(path)
    except NotACollection:
        folder = Path(path)
        if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
            raise
        return None


def _key(name: str) -> str:
    """The point of a document: different ids are different points."""
    try:
        is_uuid = str(UUID(name)) == name
    except (ValueError, AttributeError, TypeError):
        is_uuid = False
    return name if is_uuid else point_id(name)


def _document(point: Record | ScoredPoint) -> Document:
    """A point as a document; what somebody else has put in these places, and is nothing of a document, is left out."""
    payload = point.payload or {}
    text, metadata = payload.get(TEXT), payload.get(METADATA)
    return Document(
        id=str(payload.get(ID, point.id)),
        page_content=text if isinstance(text, str) else "",
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _documents(scored: Scored) -> list[Document]:
    return [document for document, _ in scored]


def _one_each(documents: Sequence[Any], found: Sequence[Any] | None, what: str) -> None:
    if found is not None and len(found) != len(documents):
        raise InvalidRequest(f"expected {what} for each of the {len(documents)} documents, got {len(found)}")


def _nothing_else(options: Mapping[str, Any]) -> None:
    if options:
        raise InvalidRequest(f"expected no option {next(iter(options))!r}")


# -- filters -----------------------------------------------------------------------------------------------------


def _condition(value: Any) -> Any:
    """A filter as searches take it; a dict of metadata fields is made one."""
    if not isinstance(value, Mapping) or not value or value.keys() <= _CLAUSES:
        return value
    return {"must": [_field(name, wanted) for name, wanted in value.items()]}


def _field(name: object, wanted: Any) -> dict[str, Any]:
    if not isinstance(name, str):
        raise InvalidFilter(f"expected metadata fields as strings, got {describe(name)}")
    path = format_path((METADATA, name))
    if wanted is None:
        return {"is_null": {"key": path}}
    if isinstance(wanted, bool | int | str):
        return {"key": path, "match": {"value": wanted}}
    if isinstance(wanted, float):
        return {"key": path, "range": {"gte": wanted, "lte": wanted}}
    if isinstance(wanted, list | tuple):
        return {"should": [_field(name, one) for one in wanted]} if wanted else {"key": path, "match": {"any": []}}
    raise InvalidFilter(f"metadata field {name!r}: expected a value or a list of values, got {describe(wanted)}")


# -- relevance ---------------------------------------------------------------------------------------------------


def _of_cosine(score: float) -> float:
    return min(1.0, max(0.0, (1 + score) / 2))


def _of_dot(score: float) -> float:
    return 0.5 * (1 + math.tanh(score / 2))


def _of_distance(score: float) -> float:
    return 1 / (1 + score)


_RELEVANCE: Mapping[Distance, Callable[[float], float]] = {
    Distance.COSINE: _of_cosine,
    Distance.DOT: _of_dot,
    Distance.EUCLID: _of_distance,
    Distance.MANHATTAN: _of_distance,
}
