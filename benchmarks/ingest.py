"""Bulk loading beside its limit, and what loading leaves behind: memory, disk, latencies, exact search."""

from __future__ import annotations

import gc
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks.limit import Limit
from benchmarks.meter import MEMORY, PeakMemory, on_disk, percentile, progress, seconds
from benchmarks.report import goal, table
from benchmarks.store import Vecstore
from benchmarks.subject import Subject, run_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.data import Data, Part, Source

SUBJECTS: dict[str, type[Subject]] = {"vecstore": Vecstore, "limit": Limit}
BATCH = 1000
LIMIT = 10
MB = 1e6
RATE_GOAL, RATIO_GOAL, MEMORY_GOAL = 100_000, 0.6, 150 * MB

Result: TypeAlias = dict[str, Any]


def run(source: Source, repeat: int, folder: Path) -> str:
    """The Markdown of this benchmark. Subjects take turns, so that a slow spell of the machine meets all."""
    runs: dict[str, list[Result]] = {name: [] for name in SUBJECTS}
    for turn in range(repeat):
        for name in SUBJECTS:
            place = folder / f"{name}-{turn}"
            place.mkdir()
            runs[name].append(run_apart(measure, name, source, str(place)))
    return report({name: summary(results) for name, results in runs.items()}, repeat)


def measure(name: str, source: Source, folder: str) -> Result:
    """All figures of one subject, in its own process. Data is ready before the first clock starts."""
    progress(f"{name}: reading the data")
    data = source.load()
    subject = SUBJECTS[name](Path(folder), data.bulk.matrix.shape[1])
    gc.collect()
    result = load(name, subject, data.bulk)
    result |= search(name, subject, data)
    result |= upsert_singly(name, subject, data.singles)
    result["close"] = seconds(subject.close)
    result["disk"] = on_disk(Path(folder))
    result |= open_again(subject, len(data.bulk) + len(data.singles))
    progress("")
    return result


def load(name: str, subject: Subject, part: Part) -> Result:
    with PeakMemory() as peak:
        start = perf_counter()
        for number, batch in enumerate(batches(part)):
            subject.add(batch)
            if number % 10 == 9:
                progress(f"{name}: {(number + 1) * BATCH:,} of {len(part):,} points")
        subject.finish()
        took = perf_counter() - start
    return {
        "points": len(part),
        "size": part.matrix.shape[1],
        "rate": len(part) / took,
        "memory": peak.growth,
        "vectors": part.matrix.nbytes,
    }


def batches(part: Part) -> Iterator[Part]:
    return (part.cut(start, start + BATCH) for start in range(0, len(part), BATCH))


def search(name: str, subject: Subject, data: Data) -> Result:
    progress(f"{name}: {len(data.queries)} searches")
    hits: list[list[int]] = []
    times = [seconds(lambda q=query: hits.append(subject.search(q, LIMIT))) for query in data.queries]
    return {"search": percentile(times, 50), "hits": hits}


def upsert_singly(name: str, subject: Subject, part: Part) -> Result:
    progress(f"{name}: {len(part)} single upserts")
    points = [part.cut(i, i + 1) for i in range(len(part))]
    times = [seconds(lambda p=point: subject.add_one(p)) for point in points]
    return {"single_p50": percentile(times, 50), "single_p95": percentile(times, 95)}


def open_again(subject: Subject, expected: int) -> Result:
    start = perf_counter()
    found = subject.open_again()
    took = perf_counter() - start
    if found is None:
        return {}
    assert found == expected, f"{found} points after opening again, expected {expected}"
    subject.close()
    return {"open": took}


def summary(results: list[Result]) -> Result:
    """The median of each figure over the runs; the hits are the same in all."""
    figures = {key: median(result[key] for result in results) for key in results[0] if key != "hits"}
    rates = [result["rate"] for result in results]
    return figures | {"hits": results[0]["hits"], "slowest": min(rates), "fastest": max(rates)}


def report(found: dict[str, Result], repeat: int) -> str:
    ours, limit = found["vecstore"], found["limit"]
    intro = (
        f"{ours['points']:,.0f} points of {ours['size']:.0f} dimensions with whole payloads, cosine, in "
        f"batches of {BATCH:,}, every commit synced; medians over runs: {repeat}. "
        "The limit is a bare loop over LMDB, msgpack and FAISS."
    )
    lines = ["## Ingest", "", intro, "", figures(ours, limit), "", "Goals:", "", *goals(ours, limit), ""]
    return "\n".join(lines)


def figures(ours: Result, limit: Result) -> str:
    def row(words: str, key: str, unit: float, form: str = ",.2f") -> list[str]:
        cells = [f"{found[key] / unit:{form}}" if key in found else "" for found in (ours, limit)]
        return [words, *cells, f"{ours[key] / limit[key]:.2f}" if limit.get(key) else ""]

    rows = [
        row("load, points/s", "rate", 1, ",.0f"),
        [
            "  slowest to fastest run",
            *(f"{found['slowest']:,.0f} to {found['fastest']:,.0f}" for found in (ours, limit)),
            "",
        ],
        row(f"memory growth while loading, MB ({MEMORY})", "memory", MB, ",.0f"),
        ["  the vectors themselves, MB", f"{ours['vectors'] / MB:,.0f}", "", ""],
        row("on disk after closing, MB", "disk", MB, ",.0f"),
        row("one durable upsert, p50, ms", "single_p50", 1e-3),
        row("one durable upsert, p95, ms", "single_p95", 1e-3),
        row(f"exact search, limit {LIMIT}, p50, ms", "search", 1e-3),
        ["  hits that are the limit's too", f"{agreement(ours['hits'], limit['hits']):.1%}", "", ""],
        row("close, ms", "close", 1e-3, ",.1f"),
        row("open again, ms", "open", 1e-3, ",.1f"),
    ]
    return table(["", "vecstore", "limit", "ratio"], rows)


def agreement(ours: list[list[int]], theirs: list[list[int]]) -> float:
    return mean(len(set(a) & set(b)) / len(b) for a, b in zip(ours, theirs, strict=True))


def goals(ours: Result, limit: Result) -> list[str]:
    rate, ratio = ours["rate"], ours["rate"] / limit["rate"]
    over = ours["memory"] - ours["vectors"]
    speed = f"load {RATE_GOAL:,} points/s or {RATIO_GOAL} of the limit ({rate:,.0f}; {ratio:.2f})"
    memory = f"memory grows by the vectors and at most {MEMORY_GOAL / MB:.0f} MB ({over / MB:+,.0f} MB)"
    return [
        goal(speed, rate >= RATE_GOAL or ratio >= RATIO_GOAL),
        goal(memory, over <= MEMORY_GOAL),
    ]
