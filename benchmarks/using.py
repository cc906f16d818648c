"""The second process of a peer: it opens what the first one built, and asks."""

from __future__ import annotations

import pickle
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.asking import shifted
from benchmarks.building import STORE
from benchmarks.meter import percentile, progress, resident, seconds
from benchmarks.peers import PEERS
from benchmarks.truth import LIMIT, QUESTIONS, Judge, Questions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.asking import Conditions
    from benchmarks.subject import Peer

LEAST, ANEW, RETRIEVALS, SCROLLS, WARMING, SINGLES = 10, 100, 20, 3, 50, 200
PAGE = 1000

Result: TypeAlias = dict[str, Any]


def use(name: str, folder: str, shared: str, budget: float) -> Result:
    """All figures of a peer that is built. The right answers are read only after its memory is measured."""
    questions: Questions = pickle.loads(Path(shared, QUESTIONS).read_bytes())
    kind, place = PEERS[name].make(), Path(folder, STORE)
    start = perf_counter()
    peer = kind(place, questions.shape)
    session = Session(name, peer, questions, budget, {"open": perf_counter() - start})
    session.searches()
    session.reads()
    session.found["memory"] = resident()
    session.judge(Judge(Path(shared)))
    session.upserts(first=0)
    peer.close()
    if hasattr(kind, "unsynced"):
        session.peer = kind.unsynced(place, questions.shape)
        session.upserts(first=SINGLES)
        session.peer.close()
    progress("")
    return session.found


class Session:
    """Asks a peer, and keeps the figures and the hits. ``budget``: seconds for a figure; who is slow is asked less."""

    def __init__(self, name: str, peer: Peer, questions: Questions, budget: float, found: Result) -> None:
        self._name, self.peer, self._questions, self._budget, self.found = name, peer, questions, budget, found
        self._hits: dict[str, list[list[int]]] = {}
        self._counts: dict[str, int] = {}

    def searches(self) -> None:
        """Clock searches without a filter and with each, and counts."""
        first = self._questions.queries[0]
        self.found["first"] = seconds(lambda: self.peer.search(first, LIMIT))
        self._search("", None)
        for key, conditions in self._questions.filters.items():
            self._search(key, self.peer.where(conditions))
            if self.peer.filters:
                self._ask_anew(key, conditions)

    def _search(self, key: str, where: Any) -> None:
        progress(f"{self._name}: searches {key}")
        queries = self._questions.queries
        self._ask(lambda query: self.peer.search(query, LIMIT, where), queries[:WARMING])
        times, self._hits[key] = self._ask(lambda query: self.peer.search(query, LIMIT, where), queries)
        self.found[f"search {key}".strip()] = percentile(times, 50)

    def _ask_anew(self, key: str, conditions: Conditions) -> None:
        """Clock searches and counts with a range that is another one every time."""
        wheres = [self.peer.where(shifted(conditions, by)) for by in range(ANEW)]
        if hasattr(self.peer, "count"):
            times, counts = self._ask(self.peer.count, wheres)
            self.found[f"count {key}"], self._counts[key] = percentile(times, 50), counts[0]
        anew = [self.peer.where(shifted(conditions, -1 - by)) for by in range(ANEW)]
        asked = zip(self._questions.queries, anew, strict=False)
        times, _ = self._ask(lambda one: self.peer.search(one[0], LIMIT, one[1]), asked)
        self.found[f"anew {key}"] = percentile(times, 50)

    def reads(self) -> None:
        """Clock the calls that bring many points."""
        progress(f"{self._name}: many searches in one call, retrieve, scroll")
        asked = self._questions.queries[: max(LEAST, int(self._budget / self.found["search"]))]
        (took,), (self._hits["many"],) = self._ask(lambda queries: self.peer.search_many(queries, LIMIT), [asked])
        self.found["many"] = len(asked) / took
        times, fetched = self._ask(self.peer.retrieve, [self._questions.retrieved] * RETRIEVALS)
        assert fetched[0] == len(self._questions.retrieved)
        self.found["retrieve"] = percentile(times, 50)
        self._scroll("scroll", look=True)
        self._scroll("scroll unseen", look=False)

    def _scroll(self, key: str, look: bool) -> None:
        times = []
        for _ in range(SCROLLS):
            start = perf_counter()
            assert self.peer.scroll(PAGE, look) == self._questions.points
            times.append(perf_counter() - start)
        self.found[key] = self._questions.points / percentile(times, 50)

    def judge(self, judge: Judge) -> None:
        """Add the recall of all hits; a count that is wrong ends the measurement."""
        for key, hits in self._hits.items():
            recall = judge.recall("" if key == "many" else key, self._questions.queries, hits)
            self.found[f"recall {key}".strip()] = recall
        for key, counted in self._counts.items():
            assert counted == judge.matches(key), f"{counted} points counted, expected {judge.matches(key)}"

    def upserts(self, first: int) -> None:
        progress(f"{self._name}: single upserts")
        points = [self._questions.held.cut(i, i + 1) for i in range(first, first + SINGLES)]
        times, _ = self._ask(self.peer.add_one, [point for point in points if len(point)])
        self.found["upsert synced" if self.peer.synced else "upsert"] = percentile(times, 50)

    def _ask(self, work: Callable[[Any], Any], inputs: Iterable[Any]) -> tuple[list[float], list[Any]]:
        """The time and the answer of each, until the budget is used up."""
        times: list[float] = []
        answers = []
        for one in inputs:
            start = perf_counter()
            answers.append(work(one))
            times.append(perf_counter() - start)
            if len(times) >= LEAST and sum(times) > self._budget:
                break
        return times, answers
