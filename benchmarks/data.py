"""What is loaded and asked: rows of a folder, in an order that is the same for every subject."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLE = Path(__file__).parent.parent / "examples"
SEED = 1
QUERIES = 100
SINGLES = 200
HELD_OUT = 1000


@dataclass(frozen=True)
class Part:
    """Points, column by column. Ids are their positions in the whole."""

    ids: npt.NDArray[np.uint64]
    matrix: npt.NDArray[np.float32]
    payloads: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.payloads)

    def cut(self, start: int, stop: int) -> Part:
        return Part(self.ids[start:stop], self.matrix[start:stop], self.payloads[start:stop])


@dataclass(frozen=True)
class Data:
    """Points to load in bulk, and points held out: queries, then points to upsert one by one."""

    bulk: Part
    held: Part

    @property
    def queries(self) -> npt.NDArray[np.float32]:
        return self.held.matrix[:QUERIES]

    @property
    def singles(self) -> Part:
        return self.held.cut(QUERIES, QUERIES + SINGLES)


@dataclass(frozen=True)
class Source:
    """A folder with one ``.jsonl.gz`` and one ``.npy`` of as many rows; ``rows``: load no more than these."""

    folder: Path
    rows: int | None = None

    @property
    def name(self) -> str:
        return self._only("*.jsonl.gz").name.removesuffix(".jsonl.gz")

    def load(self) -> Data:
        with gzip.open(self._only("*.jsonl.gz"), "rt", encoding="utf-8") as file:
            lines = file.readlines()
        stored = np.load(self._only("*.npy"), mmap_mode="r")
        order = np.random.default_rng(SEED).permutation(len(lines))
        held_out = min(HELD_OUT, len(lines) // 5)
        bulk, rest = order[:-held_out][: self.rows], order[-held_out:]
        return Data(bulk=_part(bulk, 0, stored, lines), held=_part(rest, len(bulk), stored, lines))

    def _only(self, pattern: str) -> Path:
        found = sorted(self.folder.glob(pattern))
        if len(found) != 1:
            raise SystemExit(f"expected one file {pattern} in {self.folder}, found {len(found)}")
        return found[0]


def normalised(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return matrix / np.sqrt(np.einsum("ij,ij->i", matrix, matrix))[:, None]


def _part(rows: npt.NDArray[Any], first: int, stored: npt.NDArray[Any], lines: list[str]) -> Part:
    ids = np.arange(first, first + len(rows), dtype=np.uint64)
    # Parsed in the order of loading, so that neighbours lie together in memory, as with data just read.
    payloads = [json.loads(lines[row]) for row in rows]
    return Part(ids, stored[rows].astype(np.float32), payloads)
