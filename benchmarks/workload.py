"""What a comparison loads and asks: Debian's packages, or a million synthetic points."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from benchmarks.asking import Between, Conditions, Equal
from benchmarks.data import HELD_OUT, SEED, Part, Source

if TYPE_CHECKING:
    import numpy.typing as npt

CLUSTERS, SPREAD, SIZE = 1000, 0.7, 128
HIGHEST = 1_000_000
RARE = 0.0002


@dataclass(frozen=True)
class Shape:
    """What a subject has to know before the first point comes."""

    size: int
    fields: dict[str, str]  # of the payloads: "keyword", "keywords" or "integer"
    indexed: tuple[str, ...]
    looked_at: str  # a field that every payload has


@dataclass(frozen=True)
class Workload:
    shape: Shape
    bulk: Part
    held: Part  # never loaded in bulk: the queries
    filters: dict[str, Conditions]


class Maker(Protocol):
    """Makes the same workload in every process."""

    def make(self) -> Workload: ...


@dataclass(frozen=True)
class Packages:
    """Debian's packages; their section follows the clusters of the embeddings, their size does not."""

    source: Source

    def make(self) -> Workload:
        data = self.source.load()
        python, size = Equal("section", "python"), Between("installed_size_kib", 1000, 2000)
        filters = {
            "section": (python,),
            "size": (size,),
            "three": (python, size, Equal("priority", "optional")),
            "source": (rare(data.bulk, "source"),),
        }
        fields = fields_of(data.bulk.payloads)
        shape = Shape(
            data.bulk.matrix.shape[1], fields, ("section", "priority", "source", "installed_size_kib"), "name"
        )
        return Workload(shape, data.bulk, data.held, filters)


def rare(part: Part, field: str) -> Equal:
    """A condition on ``field`` that about two in ten thousand meet."""
    wanted = RARE * len(part)
    counts = Counter(payload[field] for payload in part.payloads)
    return Equal(field, min(counts, key=lambda value: (abs(counts[value] - wanted), value)))


def fields_of(payloads: list[dict[str, Any]]) -> dict[str, str]:
    kinds = {str: "keyword", int: "integer", list: "keywords"}
    return {field: kinds[type(value)] for payload in payloads for field, value in payload.items()}


@dataclass(frozen=True)
class Synthetic:
    """Gaussian clusters, an integer that knows nothing of them, and two keywords that follow them."""

    rows: int

    def make(self) -> Workload:
        random = np.random.default_rng(SEED)
        centres = random.standard_normal((CLUSTERS, SIZE), dtype=np.float32)
        cluster = random.integers(CLUSTERS, size=self.rows + HELD_OUT)
        numbers = random.integers(HIGHEST, size=len(cluster))
        matrix = random.standard_normal((len(cluster), SIZE), dtype=np.float32)
        matrix *= SPREAD
        matrix += centres[cluster]
        whole = Part(np.arange(len(cluster), dtype=np.uint64), matrix, payloads(numbers, cluster))
        shape = Shape(SIZE, {"number": "integer", "narrow": "keyword", "wide": "keyword"}, FIELDS, "number")
        return Workload(shape, whole.cut(0, self.rows), whole.cut(self.rows, len(whole)), SHARES | FOLLOWING)


FIELDS = ("number", "narrow", "wide")
SHARES: dict[str, Conditions] = {
    "thousandth": (Between("number", 0, HIGHEST // 1000 - 1),),
    "hundredth": (Between("number", 0, HIGHEST // 100 - 1),),
    "tenth": (Between("number", 0, HIGHEST // 10 - 1),),
    "half": (Between("number", 0, HIGHEST // 2 - 1),),
}
FOLLOWING: dict[str, Conditions] = {"narrow": (Equal("narrow", "n7"),), "wide": (Equal("wide", "w7"),)}


def payloads(numbers: npt.NDArray[np.int64], cluster: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    columns = (numbers.tolist(), (cluster // 10).tolist(), (cluster // 100).tolist())
    return [{"number": n, "narrow": f"n{ten}", "wide": f"w{hundred}"} for n, ten, hundred in zip(*columns, strict=True)]
