"""vecstore beside its peers: every one in processes of its own, one after the other; a table and a picture."""

from __future__ import annotations

import datetime
import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.building import build
from benchmarks.meter import progress
from benchmarks.peers import PEERS
from benchmarks.picture import draw
from benchmarks.report import cores, cpu, header, table
from benchmarks.subject import run_apart
from benchmarks.truth import prepare
from benchmarks.using import use

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.rows import Found, Row
    from benchmarks.workload import Maker


@dataclass(frozen=True)
class Comparison:
    title: str
    name: str  # of the files with the results
    maker: Maker
    rows: tuple[Row, ...]
    laps: int
    goals_at: int  # the goals are for this many points; with others the table has none


@dataclass(frozen=True)
class Outcome:
    about: dict[str, Any]  # of the data: points, size, queries, shares of the points that filters match
    found: Found
    absent: dict[str, str]  # peer -> why it has no figures


@dataclass(frozen=True)
class Wish:
    subjects: Sequence[str]
    keep: bool  # the figures that an earlier run has of the other subjects
    budget: float


def run(comparison: Comparison, wish: Wish, folder: Path, results: Path) -> str:
    """The Markdown of a comparison, which is also written into ``results``, with a picture."""
    results.mkdir(parents=True, exist_ok=True)
    outcome = measure(comparison, wish, folder, results / f"{comparison.name}.json")
    text = f"{report(comparison, outcome)}\n{picture(comparison, outcome, results)}"
    (results / f"{comparison.name}.md").write_text(f"{header()}\n{text}\n", encoding="utf-8")
    return text


def measure(comparison: Comparison, wish: Wish, folder: Path, figures: Path) -> Outcome:
    """Measure one subject after the other; ``figures`` is written after each, so that a run cut short is not lost."""
    shared = folder / comparison.name
    shared.mkdir()
    progress("exact answers by brute force")
    about = run_apart(prepare, comparison.maker, shared) | {"machine": f"{cpu()}, {cores()} cores"}
    outcome = Outcome(about, earlier(figures, about) if wish.keep else {}, {})
    for name in wish.subjects:
        add(outcome, name, lambda name=name: one(name, comparison, wish.budget, shared))
        figures.write_text(json.dumps(asdict(outcome), indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(shared)
    found = {name: outcome.found[name] for name in PEERS if name in outcome.found}
    return Outcome(about, found, outcome.absent)


def earlier(figures: Path, about: dict[str, Any]) -> Found:
    """The figures of an earlier run; none if it was on another machine, or on other data."""
    before = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else {}
    return before["found"] if before.get("about") == about else {}


def add(outcome: Outcome, name: str, measured: Callable[[], dict[str, Any]]) -> None:
    outcome.found.pop(name, None)
    if PEERS[name].version() is None:
        outcome.absent[name] = "not installed"
        return
    try:
        outcome.found[name] = measured() | {"date": datetime.date.today().isoformat()}
    except SystemExit as ended:  # its process died: the others go on
        outcome.absent[name] = str(ended)


def one(name: str, comparison: Comparison, budget: float, shared: Path) -> dict[str, Any]:
    place = shared / name
    place.mkdir()
    try:
        built = run_apart(build, name, comparison.maker, str(place), comparison.laps)
        return built | run_apart(use, name, str(place), str(shared), budget)
    finally:
        shutil.rmtree(place)


def report(comparison: Comparison, outcome: Outcome) -> str:
    about = outcome.about
    versions = ", ".join(filter(None, (PEERS[name].version() for name in outcome.found)))
    lines = [
        f"## {comparison.title}",
        "",
        introduction(about),
        "",
        f"Beside vecstore: {versions}.",
        *(f"Left out: {PEERS[name].title} ({why})." for name, why in outcome.absent.items()),
        "",
        figures(comparison, outcome),
        "",
        *(
            f"- {PEERS[name].title}: {PEERS[name].note} (measured {found['date']})"
            for name, found in outcome.found.items()
        ),
        "",
    ]
    return "\n".join(lines)


def introduction(about: dict[str, Any]) -> str:
    return (
        f"{about['points']:,} points of {about['size']} dimensions, cosine, loaded with whole payloads in batches of "
        f"1,000; {about['queries']:,} queries that are not among them, k = 10. The payload of every hit is looked at. "
        "In brackets: recall@10 against exact search by brute force. When all is built, a new process opens it, warms "
        "up and asks: one query at a time, all with the same filter unless said otherwise, and no two counts with the "
        "same range. Who is slow is asked fewer questions. p50 is the median; in s, ms and MB less is better."
    )


def figures(comparison: Comparison, outcome: Outcome) -> str:
    found, judged = outcome.found, outcome.about["points"] == comparison.goals_at
    head = ["", *(PEERS[name].title for name in found), *(["goal", "reached"] if judged else [])]
    rows = []
    for row in comparison.rows:
        cells = [row.words.format(**percentages(outcome)), *(row.cell(figures) for figures in found.values())]
        rows.append(cells + ([row.goal(), row.verdict(found)] if judged else []))
    return table(head, rows)


def percentages(outcome: Outcome) -> dict[str, str]:
    return {name: f"{share * 100:.2g} %" for name, share in outcome.about["shares"].items() if name}


def picture(comparison: Comparison, outcome: Outcome, results: Path) -> str:
    """The line of Markdown that shows the picture, once it is drawn."""
    path = results / f"{comparison.name}.png"
    panels = [(row, row.drawn.format(**percentages(outcome))) for row in comparison.rows if row.drawn]
    titles = {name: PEERS[name].title for name in outcome.found}
    if not draw(path, caption(outcome), panels, outcome.found, titles):
        return "There is no picture: matplotlib is not installed."
    return f"![{comparison.title}]({path.name})"


def caption(outcome: Outcome) -> str:
    about = outcome.about
    return (
        f"{about['points']:,} points of {about['size']} dimensions with payloads, k = 10, every payload looked at; "
        f"in brackets recall@10. {about['machine']}, {datetime.date.today().isoformat()}."
    )
