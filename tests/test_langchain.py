"""The vector store for LangChain: LangChain's own tests, and what they do not ask."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import UUID_TEXT, ids

pytest.importorskip("langchain_core")
pytest.importorskip("langchain_tests")
pytest.importorskip("pytest_asyncio")

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores.utils import maximal_marginal_relevance
from langchain_tests.integration_tests.vectorstores import VectorStoreIntegrationTests

from vecstore import (
    Collection,
    Distance,
    FieldCondition,
    Filter,
    InvalidFilter,
    InvalidPayload,
    InvalidRequest,
    InvalidType,
    MatchValue,
    NotACollection,
    UnknownVector,
    VectorParams,
)
from vecstore.ids import point_id
from vecstore.langchain import VecstoreVectorStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

for _test in vars(VectorStoreIntegrationTests).values():
    if inspect.iscoroutinefunction(_test):
        pytest.mark.asyncio(_test)  # as asyncio_mode = "auto" would, which is for a whole project


class TestInMemory(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[VecstoreVectorStore]:  # type: ignore[override]
        with VecstoreVectorStore(self.get_embeddings()) as store:
            yield store


class TestOnDisk(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VecstoreVectorStore]:  # type: ignore[override]
        with VecstoreVectorStore(self.get_embeddings(), path=tmp_path / "home") as store:
            yield store


class TestAmongOtherVectors(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[VecstoreVectorStore]:  # type: ignore[override]
        vectors = {"text": VectorParams(6, Distance.EUCLID), "image": VectorParams(3, Distance.DOT)}
        with Collection(vectors=vectors) as col:
            yield VecstoreVectorStore(self.get_embeddings(), collection=col, using="text")


class Angles(Embeddings):
    """A text that is a number is the direction of so many degrees."""

    def __init__(self) -> None:
        self.awaited = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[float(np.cos(np.radians(float(t)))), float(np.sin(np.radians(float(t))))] for t in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        self.awaited += 1
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        self.awaited += 1
        return self.embed_query(text)


METADATA: list[dict[str, Any]] = [
    {"n": 0, "color": "red", "share": 0.5, "a.b": 1},
    {"n": 1, "color": "red", "fine": True},
    {"n": 2, "color": "blue", "none": None},
    {"n": 3},
]


@pytest.fixture
def store() -> Iterator[VecstoreVectorStore]:
    """Texts in four directions."""
    with VecstoreVectorStore.from_texts(["0", "30", "60", "90"], Angles(), METADATA, ids=["a", "b", "c", "d"]) as found:
        yield found


def found(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_a_document_is_a_point(store: VecstoreVectorStore) -> None:
    assert store.collection is not None
    record = store.collection.get(point_id("b"), with_vectors=True)
    assert record is not None
    assert record.payload == {"id": "b", "page_content": "30", "metadata": METADATA[1]}
    assert record.vector == pytest.approx([np.sqrt(0.75), 0.5])  # type: ignore[comparison-overlap]
    assert store.embeddings is store._embedding


def test_ids_of_every_kind(store: VecstoreVectorStore) -> None:
    names = ["", "1", "01", UUID_TEXT, UUID_TEXT.upper(), UUID_TEXT.replace("-", ""), "ä b/c\n", point_id("a")]
    added = store.add_documents([Document("10", id=name) for name in names])
    assert added[1:] == names[1:]
    assert added[0] != ""
    assert found(store.get_by_ids(added)) == added
    assert store.collection is not None
    assert UUID_TEXT in store.collection
    assert store.delete(["1", UUID_TEXT.upper(), "no such"])
    assert found(store.get_by_ids(names)) == ["01", UUID_TEXT, UUID_TEXT.replace("-", ""), "ä b/c\n", point_id("a")]


def test_delete_all(store: VecstoreVectorStore) -> None:
    assert store.delete([])
    assert len(store.similarity_search("0", k=9)) == 4
    assert store.delete()
    assert store.similarity_search("0") == []
    with VecstoreVectorStore(Angles()) as empty:
        assert empty.delete()
        assert empty.delete(["a"])


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, "abcd"),
        ({}, "abcd"),
        ({"color": "red"}, "ab"),
        ({"color": "red", "n": 1}, "b"),
        ({"color": ["red", "blue"]}, "abc"),
        ({"n": [0, 3]}, "ad"),
        ({"n": []}, ""),
        ({"fine": True}, "b"),
        ({"share": 0.5}, "a"),
        ({"none": None}, "c"),
        ({"a.b": 1}, "a"),
        ({"must_not": [{"key": "metadata.color", "match": {"value": "red"}}]}, "cd"),
        (Filter(must=[FieldCondition("metadata.color", match=MatchValue("blue"))]), "c"),
        ({"should": [{"key": "page_content", "match": {"value": "90"}}]}, "d"),
    ],
)
def test_filters(store: VecstoreVectorStore, condition: Any, expected: str) -> None:
    assert found(store.similarity_search("0", k=9, filter=condition)) == list(expected)
    assert found(store.max_marginal_relevance_search("0", k=9, filter=condition, lambda_mult=1)) == list(expected)
    searched = asyncio.run(store.asimilarity_search_with_relevance_scores("0", k=9, filter=condition))
    assert [document.id for document, _ in searched] == list(expected)


@pytest.mark.parametrize("condition", [{"n": {"gt": 3}}, {"must": "x"}, {3: 4}, 7])
def test_filters_that_are_wrong(store: VecstoreVectorStore, condition: Any) -> None:
    with pytest.raises(InvalidRequest):
        store.similarity_search("0", filter=condition)
    with pytest.raises(InvalidFilter, match="metadata field 'n': expected a value or a list of values, got set"):
        store.similarity_search("0", filter={"n": {1}})


def test_scores_and_relevance(store: VecstoreVectorStore) -> None:
    scored = store.similarity_search_with_score("30", k=4)
    assert found([document for document, _ in scored]) == ["b", "a", "c", "d"]
    assert [score for _, score in scored] == pytest.approx([1, np.sqrt(0.75), np.sqrt(0.75), 0.5], abs=1e-6)
    relevant = store.similarity_search_with_relevance_scores("30", k=4)
    assert [score for _, score in relevant] == pytest.approx([(1 + score) / 2 for _, score in scored])
    assert len(store.similarity_search_with_relevance_scores("30", k=4, score_threshold=0.9)) == 3
    assert len(store.similarity_search_with_score("30", k=4, score_threshold=0.6)) == 3
    assert found(store.similarity_search_by_vector([0, 1], k=1, params={"exact": True})) == ["d"]


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (Distance.COSINE, [1, 0.5, 0]),
        (Distance.DOT, [1 / (1 + np.exp(-2.0)), 0.5, 1 / (1 + np.exp(2.0))]),
        (Distance.EUCLID, [1 / 2, 1 / (1 + np.sqrt(5)), 1 / 4]),
        (Distance.MANHATTAN, [1 / 2, 1 / 4, 1 / 4]),
    ],
)
def test_relevance_is_between_0_and_1(distance: Distance, expected: list[float]) -> None:
    class Doubled(Angles):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[2 * x for x in row] for row in super().embed_documents(texts)]

        def embed_query(self, text: str) -> list[float]:
            return super().embed_documents([text])[0]

    with Collection(vectors=VectorParams(2, distance)) as col:
        made = VecstoreVectorStore.from_texts(["0", "90", "180"], Doubled(), collection=col)
        scored = made.similarity_search_with_relevance_scores("0", k=3)
        by_text = {document.page_content: score for document, score in scored}
        assert [by_text[text] for text in ("0", "90", "180")] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("lambda_mult", [0, 0.3, 0.5, 1])
def test_marginal_relevance_is_what_langchain_says_it_is(store: VecstoreVectorStore, lambda_mult: float) -> None:
    texts = [f"{i * 37.31 % 90:.2f}" for i in range(30)]  # no two as far from a third
    store.delete()
    store.add_texts(texts, ids=texts)
    rows = Angles().embed_documents(texts)
    query = Angles().embed_query("20")
    order = np.argsort(-np.array(rows) @ query, kind="stable")[:10]
    chosen = maximal_marginal_relevance(np.array(query), [rows[i] for i in order], lambda_mult, 5)
    options: dict[str, Any] = {"k": 5, "fetch_k": 10, "lambda_mult": lambda_mult}
    expected = [texts[order[place]] for place in chosen]
    assert found(store.max_marginal_relevance_search("20", **options)) == expected
    assert found(store.max_marginal_relevance_search_by_vector(query, **options)) == expected
    assert found(asyncio.run(store.amax_marginal_relevance_search("20", **options))) == expected


def test_embeddings_are_awaited() -> None:
    async def go() -> None:
        embedding = Angles()
        made = await VecstoreVectorStore.afrom_texts(["0", "90"], embedding, ids=["a", "b"])
        assert found(await made.asimilarity_search("80", k=1)) == ["b"]
        assert found(await made.amax_marginal_relevance_search("80", k=1)) == ["b"]
        assert [d.id for d, _ in await made.asimilarity_search_with_score("1", k=1)] == ["a"]
        assert embedding.awaited == 4
        assert found(await made.as_retriever(search_kwargs={"k": 1}).ainvoke("0")) == ["a"]
        assert await made.aadd_documents([]) == []
        made.close()

    asyncio.run(go())


def test_nothing_is_there_before_the_first_text(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (None, tmp_path / "home", tmp_path / "empty"):
        with VecstoreVectorStore(Angles(), path=path) as made:
            assert made.collection is None
            assert made.add_documents([]) == []
            assert made.similarity_search("0") == made.max_marginal_relevance_search("0") == []
            assert made.similarity_search_with_relevance_scores("0") == []
            assert made.get_by_ids(["a"]) == []
            made.add_texts(["0"])
            assert len(made.collection or []) == 1


def test_what_is_there_is_opened(tmp_path: Path) -> None:
    with VecstoreVectorStore.from_texts(["0", "90"], Angles(), ids=["a", "b"], path=tmp_path / "home"):
        pass
    with VecstoreVectorStore(Angles(), path=tmp_path / "home") as again:
        assert found(again.similarity_search("80", k=1)) == ["b"]
        assert again.similarity_search_with_relevance_scores("90", k=1)[0][1] == pytest.approx(1)
    with pytest.raises(NotACollection):
        VecstoreVectorStore(Angles(), path=tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotACollection):
        VecstoreVectorStore(Angles(), path=tmp_path / "file")


def test_a_collection_that_is_given_stays_open() -> None:
    with Collection(vectors=VectorParams(2, Distance.DOT)) as col:
        col.upsert([{"id": 7, "vector": [1, 0], "payload": {"title": "of others"}}]).result()
        with VecstoreVectorStore(Angles(), collection=col) as made:
            assert made.similarity_search("0") == [Document("", id="7")]
        assert ids(col.scroll()[0]) == [7]


def test_what_others_have_written_is_no_document() -> None:
    with Collection(vectors=VectorParams(2, Distance.DOT)) as col:
        col.upsert([{"id": 7, "vector": [1, 0], "payload": {"metadata": "none", "page_content": 5}}]).result()
        with VecstoreVectorStore(Angles(), collection=col) as made:
            assert made.similarity_search("0") == [Document("", id="7")]


class Silent(Angles):
    """Embeds nothing."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return []


def test_every_document_has_an_embedding() -> None:
    with pytest.raises(InvalidRequest, match="expected an embedding for each of the 1 documents, got 0"):
        VecstoreVectorStore.from_texts(["0"], Silent())


def test_what_is_wrong(store: VecstoreVectorStore) -> None:
    assert store.collection is not None
    with pytest.raises(InvalidRequest, match="expected collection or path, got both"):
        VecstoreVectorStore(Angles(), collection=store.collection, path="x")
    with pytest.raises(UnknownVector):
        VecstoreVectorStore(Angles(), collection=store.collection, using="x")
    with pytest.raises(InvalidRequest, match="expected an id for each of the 2 documents, got 1"):
        store.add_documents([Document("1"), Document("2")], ids=["x"])
    with pytest.raises(InvalidType, match="expected a Collection, got str 'x'"):
        VecstoreVectorStore(Angles(), collection="x")  # type: ignore[arg-type]
    for wrong in (["x"], ["x", "y", "z"]):
        with pytest.raises(InvalidRequest, match=f"expected an id for each of the 2 documents, got {len(wrong)}"):
            store.add_texts(["1", "2"], ids=wrong)
        with pytest.raises(InvalidRequest, match="expected an id for each of the 2 documents"):
            asyncio.run(store.aadd_texts(iter(["1", "2"]), ids=wrong))
        with pytest.raises(InvalidRequest, match="expected an id for each of the 2 documents"):
            VecstoreVectorStore.from_texts(["1", "2"], Angles(), ids=wrong)
    with pytest.raises(InvalidType, match="expected k as an integer, got NoneType"):
        store.max_marginal_relevance_search("0", k=None)  # type: ignore[arg-type]
    with pytest.raises(InvalidPayload, match=r"metadata\.x"):
        store.add_texts(["1", "2"], [{}, {"x": object()}])
    with pytest.raises(InvalidRequest, match="expected no option 'colour'"):
        store.add_documents([Document("1")], colour=3)
    with pytest.raises(InvalidRequest, match="expected no option 'colour'"):
        store.delete(["a"], colour=3)
    with pytest.raises(TypeError, match="colour"):
        store.similarity_search("0", colour=3)
    assert len(store.collection) == 4
