"""Who is compared. Each module holds one ``Peer``; its library is imported only in the process that measures it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.subject import Peer


@dataclass(frozen=True)
class Listed:
    module: str
    title: str
    note: str  # what its figures rest on: its durability, its index
    distributions: tuple[str, ...]

    def make(self) -> type[Peer]:
        found: type[Peer] = import_module(f"benchmarks.peers.{self.module}").Peer
        return found

    def version(self) -> str | None:
        """The versions of its libraries, or None where one is not installed."""
        try:
            return ", ".join(f"{name} {version(name)}" for name in self.distributions)
        except PackageNotFoundError:
            return None


PEERS = {
    "vecstore": Listed(
        "ours", "vecstore", 'every write synced; its own defaults; "not synced" with durability="os"', ()
    ),
    "limit": Listed(
        "bare",
        "FAISS + LMDB",
        "the limit, a bare loop and no store; every write synced; IndexHNSWFlat, M 16, efConstruction 100, ef 128; it "
        "cannot filter, so it is handed the rows that match, outside the clock",
        ("faiss-cpu", "lmdb"),
    ),
    "edge": Listed(
        "edge",
        "qdrant-edge",
        "synced once, after loading; its own defaults; payload indexes are built before its graph, which uses them",
        ("qdrant-edge-py",),
    ),
    "zvec": Listed("zvec", "zvec", "synced once, after loading; HNSW, M 16, efConstruction 100, ef 128", ("zvec",)),
    "lancedb": Listed(
        "lance", "lancedb", "never synced; IVF_HNSW_SQ, one partition, M 16, efConstruction 100, ef 128", ("lancedb",)
    ),
    "chromadb": Listed(
        "chroma",
        "chromadb",
        "every write synced; HNSW, M 16, efConstruction 100, ef 128, built while loading",
        ("chromadb",),
    ),
    "local": Listed(
        "local", "qdrant local", "every write synced; brute force over arrays in memory", ("qdrant-client",)
    ),
}
