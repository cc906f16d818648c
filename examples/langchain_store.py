"""LangChain: documents in a vector store, searched with filters, and by relevance that is not all the same.

python examples/langchain_store.py      (pip install 'vecstore[langchain]')"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings

from vecstore.langchain import VecstoreVectorStore

DATA = Path(__file__).parent


class Sample(Embeddings):
    """The embeddings of the sample, so that nothing has to be fetched; in earnest this is a model."""

    def __init__(self) -> None:
        with gzip.open(DATA / "packages.jsonl.gz", "rt", encoding="utf-8") as lines:
            self.packages = [json.loads(line) for line in lines]
        self._matrix = np.load(DATA / "packages_f16.npy")
        self._rows = {package["description"]: row for row, package in enumerate(self.packages)}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._matrix[self._rows[text]].tolist() for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def main() -> None:
    embedding = Sample()
    with VecstoreVectorStore(embedding, path="langchain.vecstore") as store:
        packages = embedding.packages
        texts = [package["description"] for package in packages]
        metadatas = [{"section": p["section"], "size": p.get("installed_size_kib")} for p in packages]
        ids = store.add_texts(texts, metadatas, ids=[p["name"] for p in packages])  # any strings
        print(f"{len(ids):,} documents; git is: {store.get_by_ids(['git'])[0].page_content}")
        query = store.get_by_ids(["git"])[0].page_content
        show("like git", store.similarity_search(query, k=4))
        show("among editors", store.similarity_search(query, k=3, filter={"section": "editors"}))
        small = {"must": [{"key": "metadata.size", "range": {"lt": 300}}]}
        show("of less than 300 kB", store.similarity_search(query, k=3, filter=small))
        show("like git, and unlike each other", store.max_marginal_relevance_search(query, k=4, lambda_mult=0.3))
        retriever = store.as_retriever(search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.8})
        show("as a retriever", retriever.invoke(query))


def show(what: str, documents: list) -> None:
    print(f"\n{what}")
    for document in documents:
        print(f"  {document.id:<20} {document.metadata['section']:<10} {document.page_content:.60}")


if __name__ == "__main__":
    main()
