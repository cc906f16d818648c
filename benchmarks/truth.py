"""The right answers: exact search by brute force, and the recall of answers against it."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.asking import Conditions, passing
from benchmarks.data import normalised

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.data import Part
    from benchmarks.workload import Maker, Shape, Workload

LIMIT = 10
RETRIEVED = 1000
SLACK = 1e-6  # scores that differ by less are ties: float32, summed in another order
QUESTIONS, ANSWERS, MATRIX = "questions.pickle", "answers.pickle", "matrix.npy"


@dataclass(frozen=True)
class Questions:
    """All that is asked, without the points: the process that asks shall not hold them in its memory."""

    shape: Shape
    points: int
    held: Part
    filters: dict[str, Conditions]
    retrieved: list[int]

    @property
    def queries(self) -> npt.NDArray[np.float32]:
        return self.held.matrix


@dataclass(frozen=True)
class Answer:
    """Of one filter: the points that pass (None: all), how many hits there are, the worst score among them."""

    passing: npt.NDArray[np.bool_] | None
    matches: int
    worst: npt.NDArray[np.float32]


def prepare(maker: Maker, folder: Path) -> dict[str, Any]:
    """Write questions and answers into ``folder``; returns what is good to know about them."""
    work = maker.make()
    rows = normalised(work.bulk.matrix)
    np.save(folder / MATRIX, rows)
    answers = {name: answer(work, rows, conditions) for name, conditions in {"": (), **work.filters}.items()}
    (folder / ANSWERS).write_bytes(pickle.dumps(answers))
    (folder / QUESTIONS).write_bytes(pickle.dumps(questions(work)))
    shares = {name: found.matches / len(rows) for name, found in answers.items()}
    return {"points": len(rows), "size": rows.shape[1], "queries": len(work.held), "shares": shares}


def questions(work: Workload) -> Questions:
    count = min(RETRIEVED, len(work.bulk))
    retrieved = np.random.default_rng(0).choice(len(work.bulk), count, replace=False).tolist()
    return Questions(work.shape, len(work.bulk), work.held, work.filters, retrieved)


def answer(work: Workload, rows: npt.NDArray[np.float32], conditions: Conditions) -> Answer:
    import faiss  # here, so that it is not in the memory of the processes that only read answers

    held = passing(work.bulk.payloads, conditions) if conditions else None
    candidates = rows if held is None else rows[held]
    count = min(LIMIT, len(candidates))
    queries = normalised(work.held.matrix)
    if not count:
        return Answer(held, 0, np.empty(len(queries), np.float32))
    scores, _ = faiss.knn(queries, candidates, count, metric=faiss.METRIC_INNER_PRODUCT)
    return Answer(held, len(candidates), scores[:, -1])


class Judge:
    """Knows the answers, and tells the recall of hits."""

    def __init__(self, folder: Path) -> None:
        self._rows = np.load(folder / MATRIX, mmap_mode="r")
        self._answers: dict[str, Answer] = pickle.loads((folder / ANSWERS).read_bytes())

    def matches(self, name: str) -> int:
        return self._answers[name].matches

    def recall(self, name: str, queries: npt.NDArray[np.float32], hits: Sequence[Sequence[int]]) -> float | None:
        """The share of the right hits that were found, over the first queries; None where nothing matches."""
        answer = self._answers[name]
        wanted = min(LIMIT, answer.matches) * len(hits)
        asked = zip(normalised(queries[: len(hits)]), hits, answer.worst, strict=False)
        return sum(self._right(answer, *one) for one in asked) / wanted if wanted else None

    def _right(self, answer: Answer, query: npt.NDArray[np.float32], hits: Sequence[int], worst: np.float32) -> int:
        ids = np.unique(np.asarray(hits, dtype=np.int64))
        if answer.passing is not None:
            assert answer.passing[ids].all(), "expected hits that pass the filter"
        return int(np.count_nonzero(self._rows[ids] @ query >= worst - SLACK))
