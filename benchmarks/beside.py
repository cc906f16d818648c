"""Readers in processes of their own, with a writer beside them and without: what a writer costs those who read.

The same readers search through all laps of a kind; those without a writer and those with it take turns. A lap with a
writer is compared with the mean of the two around it: so a slow spell of the machine meets both, and so does what the
writer leaves in the collection (rows that are not in a graph yet, rows that are dead). Each kind begins with the
collection as it was loaded.

On a machine that others use, too, one lap says little: its share is off by 0.06 and more. So there are many, and beside
their median stands how far their mean may be off.

The bare limit is a process that commits as often to an LMDB file of its own, of which the readers know nothing, and
does nothing else: what it takes from them, nobody who syncs so often can leave them.
"""

from __future__ import annotations

import multiprocessing
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from statistics import mean, median, stdev
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import lmdb
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
NOBODY, NEW, SAME, BARE = range(4)
"""Who writes: nobody; the writer, each time a point with another vector; the writer, points as they are; or the bare
limit."""
RATE = 200
"""Upserts a second that the writer aims at; it waits for each until it is durable and applied."""
BARE_BYTES = (1600, 400, 8)
"""What a commit of the bare limit puts into three databases: a vector, a payload, a number."""
SHARE_GOAL = 0.8
LIMIT, BATCH = 10, 1000


class Laps(NamedTuple):
    """So many laps of so many seconds beside ``writer``."""

    writer: int
    count: int
    seconds: float
    what: str


ALL = (
    Laps(BARE, 8, 4.0, "the bare limit"),
    Laps(SAME, 6, 20.0, "points as they are"),
    Laps(NEW, 15, 4.0, "new vectors, short laps"),
    Laps(NEW, 6, 20.0, "new vectors, long laps"),
    Laps(NEW, 2, 150.0, "new vectors, minutes"),
)
"""In most laps the graph stays as it is; in the longest it takes in what is new, and that needs the machine, too."""
MOST = int(RATE * (5 + max(laps.seconds for laps in ALL)))
"""Upserts in a lap, at the most."""
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
    path = folder / "beside"
    points = load(source, path)
    found = {laps: measured(source, path, laps) for laps in ALL}
    progress("")
    return report(points, found)


def measured(source: Source, loaded: Path, laps: Laps) -> list[Lap]:
    """The laps of a kind, in a copy of the collection."""
    path, shared = loaded.with_name("copy"), Shared.make()
    with Collection(loaded) as col:
        col.snapshot(path)
    with processes(source, path, shared):
        time.sleep(1)  # the files are mapped
        alone = [lap_alone(shared)]
        done = [lap(shared, laps, alone) for _ in range(laps.count)]
    shutil.rmtree(path)
    return done


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


def lap(shared: Shared, laps: Laps, alone: list[float]) -> Lap:
    progress(f"{READERS} readers beside {laps.what}")
    before = shared.upserts.value
    shared.writing.value = laps.writer
    while shared.upserts.value == before:
        time.sleep(0.01)
    beside, upserts = shared.rates(laps.seconds)
    shared.writing.value = NOBODY
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
        writer = shared.writing.value
        if writer == BARE:
            write_bare(path.with_name("bare"), shared)
        elif writer != NOBODY:
            parts = made(bulk, random, same=writer == SAME)  # before: choosing them is not what a write costs
            with Collection(path) as col:
                for number in paced(shared):
                    upsert(col, parts[number]).result()


def made(bulk: Part, random: np.random.Generator, *, same: bool) -> list[Part]:
    """Points to write in a lap, one in each part: chosen at random, as they are or with another one's content."""
    rows, others = random.integers(len(bulk), size=(2, MOST)).tolist()
    pairs = zip(rows, rows if same else others, strict=True)
    return [replace(bulk.cut(other, other + 1), ids=bulk.ids[row : row + 1]) for row, other in pairs]


def paced(shared: Shared) -> Iterator[int]:
    """The numbers of what to write, each when it is due."""
    due = perf_counter()
    for number in count():
        if shared.writing.value == NOBODY or shared.over.value:
            return
        yield number
        shared.upserts.value += 1
        due += 1 / RATE
        time.sleep(max(0.0, due - perf_counter()))


def write_bare(path: Path, shared: Shared) -> None:
    values = [bytes(size) for size in BARE_BYTES]
    with lmdb.open(str(path), map_size=1 << 30, max_dbs=len(values)) as env:
        databases = [env.open_db(b"%d" % size) for size in BARE_BYTES]
        for number in paced(shared):
            with env.begin(write=True) as txn:
                for value, database in zip(values, databases, strict=True):
                    txn.put(b"%08d" % (number % 10_000), value, db=database)


def median_share(laps: list[Lap]) -> float:
    return median(lap.share for lap in laps)


def mean_share(laps: list[Lap]) -> str:
    """The mean, and its standard error."""
    shares = [lap.share for lap in laps]
    return f"{mean(shares):.3f} ± {stdev(shares) / len(shares) ** 0.5:.3f}"


def report(points: int, found: dict[Laps, list[Lap]]) -> str:
    rows = {
        "searches/s of all readers beside it": lambda laps: f"{median(lap.beside for lap in laps):,.0f}",
        "searches/s of all readers before and after": lambda laps: f"{median(lap.around for lap in laps):,.0f}",
        "each lap, as a share of before and after": lambda laps: ", ".join(f"{lap.share:.2f}" for lap in laps),
        "median share": lambda laps: f"{median_share(laps):.2f}",
        "mean share, and its standard error": mean_share,
        "durable writes/s": lambda laps: f"{median(lap.upserts for lap in laps):,.0f}",
    }
    figures = [(what, *(tell(laps) for laps in found.values())) for what, tell in rows.items()]
    goals = [
        goal(f"a share of {SHARE_GOAL} beside {laps.what}", median_share(mine) >= SHARE_GOAL)
        for laps, mine in found.items()
        if laps.writer != BARE
    ]
    kept_up = all(median(lap.upserts for lap in mine) >= 0.98 * RATE for mine in found.values())
    title = f"## {READERS} reader processes beside a writer\n"
    first = f"{points:,} points; {next(iter(found.values()))[0].before:,.0f} searches/s at first.\n"
    heads = ["", *(f"{laps.what} ({laps.count} x {laps.seconds:.0f} s)" for laps in found)]
    return "\n".join([title, first, table(heads, figures), "", *goals, goal(f"{RATE} durable writes/s", kept_up), ""])
