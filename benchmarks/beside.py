"""Readers in processes of their own, with a writer beside them and without: what a writer costs those who read.

The same readers search through all laps; those without a writer and those with it take turns. A lap with a writer is
compared with the mean of the two around it: so a slow spell of the machine meets both, and so does what the writer
leaves in the collection (rows that are not in a graph yet, rows that are dead).
"""

from __future__ import annotations

import multiprocessing
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.meter import progress
from benchmarks.report import goal, table
from vecstore import Batch, Collection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.data import Part, Source

READERS = 4
ALONE = 4.0
"""Seconds of a lap without a writer."""
SHORT, LONG = (5, 4.0), (3, 20.0)
"""Laps with a writer, and their seconds. In a short one the graph stays as it is; in a long one it takes in what is
new, once or twice, and that needs the machine, too."""
RATE = 200
"""Upserts a second that the writer aims at; it waits for each until it is durable and applied."""
SHARE_GOAL = 0.8
LIMIT, BATCH = 10, 1000
APART = multiprocessing.get_context("spawn")


@dataclass
class Shared:
    """What the processes tell one another: numbers that one of them writes each, without a lock.

    A process that is put aside while it holds a lock would have the others wait, and that would be measured, too.
    """

    searches: Any
    upserts: Any
    writing: Any
    over: Any

    @classmethod
    def make(cls) -> Shared:
        return cls(APART.RawArray("q", READERS), *(APART.RawValue("q") for _ in range(3)))

    def rates(self, seconds: float) -> tuple[float, float]:
        """Searches and upserts a second, from now on."""
        begin, before = perf_counter(), (sum(self.searches), self.upserts.value)
        time.sleep(seconds)
        took, after = perf_counter() - begin, (sum(self.searches), self.upserts.value)
        return (after[0] - before[0]) / took, (after[1] - before[1]) / took


@dataclass(frozen=True)
class Lap:
    """Searches a second before, with and after the writer, and its upserts a second."""

    before: float
    beside: float
    after: float
    upserts: float

    @property
    def around(self) -> float:
        return (self.before + self.after) / 2

    @property
    def share(self) -> float:
        return self.beside / self.around


def run(source: Source, folder: Path) -> str:
    """The Markdown of this benchmark."""
    path, shared = folder / "beside", Shared.make()
    points = load(source, path)
    with processes(source, path, shared):
        time.sleep(1)  # the files are mapped
        alone = [lap_alone(shared)]
        short, long = ([lap(shared, seconds, alone) for _ in range(count)] for count, seconds in (SHORT, LONG))
    progress("")
    return report(points, short, long)


def load(source: Source, path: Path) -> int:
    progress("loading")
    bulk = source.load().bulk
    with Collection(path, vectors={"size": bulk.matrix.shape[1], "distance": "Cosine"}) as col:
        for start in range(0, len(bulk), BATCH):
            upsert(col, bulk.cut(start, start + BATCH))
        col.optimize()
    return len(bulk)


def upsert(col: Collection, part: Part) -> Any:
    return col.upsert(Batch(part.ids, part.matrix, part.payloads))


@contextmanager
def processes(source: Source, path: Path, shared: Shared) -> Iterator[None]:
    """The readers, who have begun to search, and the writer, who waits to be told to write."""
    jobs = [(read, (source, path, shared, number)) for number in range(READERS)]
    started = [APART.Process(target=work, args=args) for work, args in [*jobs, (write, (source, path, shared))]]
    for process in started:
        process.start()
    try:
        while not all(shared.searches):
            assert all(process.is_alive() for process in started)
            time.sleep(0.1)
        yield
    finally:
        shared.over.value = True
        for process in started:
            process.join()


def lap_alone(shared: Shared) -> float:
    progress(f"{READERS} readers")
    return shared.rates(ALONE)[0]


def lap(shared: Shared, seconds: float, alone: list[float]) -> Lap:
    progress(f"{READERS} readers and a writer for {seconds:.0f} s")
    before = shared.upserts.value
    shared.writing.value = True
    while shared.upserts.value == before:
        time.sleep(0.01)
    beside, upserts = shared.rates(seconds)
    shared.writing.value = False
    time.sleep(0.5)  # it closes
    alone.append(lap_alone(shared))
    return Lap(alone[-2], beside, alone[-1], upserts)


def read(source: Source, path: Path, shared: Shared, number: int) -> None:
    """Search until it is over, for vectors that are not in the collection."""
    queries = source.load().held.matrix
    with Collection(path, read_only=True) as col:
        while not shared.over.value:
            for query in queries[number::READERS]:
                for hit in col.search(query, limit=LIMIT):
                    assert hit.payload
                shared.searches[number] += 1
                if shared.over.value:
                    break


def write(source: Source, path: Path, shared: Shared) -> None:
    """Whenever told to: open the collection, replace one point after the other at an even pace, close it."""
    bulk, random = source.load().bulk, np.random.default_rng(1)
    while not shared.over.value:
        time.sleep(0.01)
        if not shared.writing.value:
            continue
        with Collection(path) as col:
            due = perf_counter()
            while shared.writing.value and not shared.over.value:
                row = int(random.integers(len(bulk)))
                upsert(col, bulk.cut(row, row + 1)).result()
                shared.upserts.value += 1
                due += 1 / RATE
                time.sleep(max(0.0, due - perf_counter()))


def median_share(laps: list[Lap]) -> float:
    return median(lap.share for lap in laps)


def report(points: int, short: list[Lap], long: list[Lap]) -> str:
    upserts = median(lap.upserts for lap in short + long)
    rows = {
        "searches/s of all readers beside a writer": lambda laps: f"{median(lap.beside for lap in laps):,.0f}",
        "searches/s of all readers before and after": lambda laps: f"{median(lap.around for lap in laps):,.0f}",
        "each lap, as a share of before and after": lambda laps: ", ".join(f"{lap.share:.2f}" for lap in laps),
        "median share": lambda laps: f"{median_share(laps):.2f}",
        "durable upserts/s of the writer": lambda laps: f"{median(lap.upserts for lap in laps):,.0f}",
    }
    figures = [(what, tell(short), tell(long)) for what, tell in rows.items()]
    goals = [
        goal(f"a share of {SHARE_GOAL} in laps of {SHORT[1]:.0f} s", median_share(short) >= SHARE_GOAL),
        goal(f"a share of {SHARE_GOAL} in laps of {LONG[1]:.0f} s", median_share(long) >= SHARE_GOAL),
        goal(f"{RATE} durable upserts/s meanwhile", upserts >= 0.98 * RATE),
    ]
    title = f"## {READERS} reader processes beside a writer\n"
    first = f"{points:,} points; {short[0].before:,.0f} searches/s at first.\n"
    heads = ["", *(f"{count} laps of {seconds:.0f} s" for count, seconds in (SHORT, LONG))]
    return "\n".join([title, first, table(heads, figures), "", *goals, ""])
