"""The rows of the tables, and what vecstore must reach in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Found: TypeAlias = dict[str, dict[str, Any]]  # peer -> figures

MS, MB = 1e-3, 1e6


@dataclass(frozen=True)
class Goal:
    """At most ``bound``, or at least; where ``of`` names a peer, that many times its figure."""

    bound: float
    least: bool = False
    of: str = ""
    recall: float | None = None

    def target(self, key: str, found: Found) -> float | None:
        if not self.of:
            return self.bound
        theirs = found.get(self.of, {}).get(key)
        return None if theirs is None else self.bound * theirs

    def text(self, row: Row) -> str:
        sign = "≥" if self.least else "≤"
        number = f"{self.bound:g}x {self.of}" if self.of else f"{round(self.bound / row.unit, 3):,g}"
        return f"{sign} {number}" + (f" at {recall(self.recall)}" if self.recall else "")


@dataclass(frozen=True)
class Row:
    """A figure of every peer, shown in ``unit``; less is better unless ``more``.

    ``words`` and ``drawn`` may name a filter in braces, for the share of the points that it matches.
    """

    key: str
    words: str
    unit: float = MS
    digits: int = 2
    more: bool = False
    judged: str = ""  # the key of the recall shown beside the figure
    goals: tuple[Goal, ...] = ()
    drawn: str = ""  # its title in the picture, if it is there

    def number(self, value: float) -> str:
        """Fewer digits after the point, the more there are before it."""
        shown = value / self.unit
        digits = self.digits - (shown >= 10) - (shown >= 100) - (shown >= 1000)
        return f"{shown:,.{max(digits, 0)}f}"

    def cell(self, figures: dict[str, Any]) -> str:
        if (value := figures.get(self.key)) is None:
            return ""
        found = figures.get(self.judged)
        return self.number(value) + ("" if found is None else f" ({recall(found)})")

    def goal(self) -> str:
        return ", ".join(goal.text(self) for goal in self.goals)

    def verdict(self, found: Found) -> str:
        """For each goal of this row, whether vecstore reaches it, or what times the goal it has."""
        if self.key not in found.get("vecstore", {}):
            return ""
        verdicts = [self._judge(goal, found["vecstore"], goal.target(self.key, found)) for goal in self.goals]
        return ", ".join(verdicts) if set(verdicts) != {"met"} else "met"

    def _judge(self, goal: Goal, ours: dict[str, Any], target: float | None) -> str:
        if target is None:
            return "unknown"
        texts = []
        value, reached = ours[self.key], ours.get(self.judged)
        if value < target if goal.least else value > target:
            texts.append(f"{value / target:.2f}x")
        if goal.recall is not None and reached is not None and reached < goal.recall:
            texts.append(f"recall {recall(reached)}")
        return f"missed ({', '.join(texts)})" if texts else "met"


def recall(share: float) -> str:
    return f"{int(share * 1000) / 1000:.3f}".removeprefix("0")  # rounded down: .9996 is not 1


def rate(key: str, words: str, *goals: Goal, judged: str = "", drawn: str = "") -> Row:
    return Row(key, words, unit=1, digits=0, more=True, judged=judged, goals=goals, drawn=drawn)


def filtered(key: str, words: str, search: float, count: float | None, drawn: bool = True) -> tuple[Row, ...]:
    """A search with a filter, and a count with it; the goals in seconds."""
    words = f"{words}, {{{key}}}"  # the share of the points that it matches
    goals = () if count is None else (Goal(count),)
    return (
        Row(
            f"search {key}",
            f"search, {words}, p50, ms",
            judged=f"recall {key}",
            goals=(Goal(search, recall=0.99),),
            drawn=f"search, {words}, ms" if drawn else "",
        ),
        Row(f"count {key}", f"count, {words}, p50, ms", digits=3, goals=goals),
    )


def anew(key: str, words: str) -> Row:
    """A search whose filter was never asked before: what is remembered of filters is of no use."""
    return Row(f"anew {key}", f"search, {words}, {{{key}}}, other bounds each time, p50, ms")


def ordered(*pairs: tuple[Row, ...]) -> tuple[Row, ...]:
    """All searches, then all counts."""
    return tuple(row for column in zip(*pairs, strict=True) for row in column)


def lasting(opened: float, first: float, disk: float, memory: float) -> tuple[Row, ...]:
    """What stays, and opening it again; in seconds and bytes."""
    return (
        Row("open", "open again, ms", digits=1, goals=(Goal(opened),), drawn="open again, ms"),
        Row("first", "first search, ms", digits=1, goals=(Goal(first),)),
        Row("disk", "on disk, MB", MB, 0, goals=(Goal(disk),), drawn="on disk, MB"),
        Row("memory", "resident memory, MB", MB, 0, goals=(Goal(memory),), drawn="resident memory, MB"),
    )


def optimized(drawn: str) -> Row:
    return Row("optimize", "vector index after loading, s", 1, 1, goals=(Goal(1.2, of="limit"),), drawn=drawn)


COMPARED = (
    rate(
        "load",
        "durable load with payloads, points/s",
        Goal(100_000, least=True),
        Goal(8, least=True, of="edge"),
        drawn="load, points/s",
    ),
    optimized("vector index, s"),
    Row("index_payloads", "four payload indexes, s", 1, 2, goals=(Goal(2),)),
    Row(
        "search",
        "search, p50, ms",
        judged="recall",
        goals=(Goal(0.30 * MS, recall=0.99),),
        drawn="search, ms",
    ),
    rate(
        "many",
        "1,000 searches in one call, per s",
        Goal(4000, least=True),
        judged="recall many",
        drawn="1,000 searches in one call, per s",
    ),
    *ordered(
        filtered("section", "section", 0.45 * MS, 0.10 * MS),
        filtered("size", "range", 0.45 * MS, 0.15 * MS),
        filtered("three", "three conditions", 0.15 * MS, 0.15 * MS),
        filtered("source", "one source", 0.10 * MS, 0.05 * MS, drawn=False),
    ),
    anew("size", "range"),
    anew("three", "three conditions"),
    Row("retrieve", "retrieve 1,000 ids, ms", digits=1, goals=(Goal(5 * MS),), drawn="retrieve 1,000, ms"),
    rate("scroll", "scroll all, points/s", Goal(150_000, least=True), drawn="scroll, points/s"),
    rate("scroll unseen", "scroll all, payloads not looked at, points/s", Goal(300_000, least=True)),
    Row("upsert synced", "one upsert, synced, p50, ms", goals=(Goal(0.8 * MS),)),
    Row("upsert", "one upsert, not synced, p50, ms", goals=(Goal(0.2 * MS),)),
    *lasting(15 * MS, 5 * MS, 185 * MB, 250 * MB),
)

MILLION = (
    rate("load", "durable load with payloads, points/s", Goal(100_000, least=True), drawn="load, points/s"),
    Row("pace", "  rate of the last tenth / of the first", 1, 2, more=True, goals=(Goal(0.8, least=True),)),
    optimized("vector index, s"),
    Row("index_payloads", "three payload indexes, s", 1, 2),
    Row(
        "search",
        "search, p50, ms",
        judged="recall",
        goals=(Goal(0.40 * MS, recall=0.98),),
        drawn="search, ms",
    ),
    rate("many", "1,000 searches in one call, per s", judged="recall many"),
    *ordered(
        filtered("thousandth", "integer", 0.25 * MS, 0.2 * MS),
        filtered("hundredth", "integer", 0.9 * MS, 0.3 * MS),
        filtered("tenth", "integer", 1.1 * MS, 1 * MS),
        filtered("half", "integer", 0.9 * MS, 3 * MS),
        filtered("narrow", "follows clusters", 0.9 * MS, None),
        filtered("wide", "follows clusters", 6 * MS, None),
    ),
    anew("hundredth", "integer"),
    anew("tenth", "integer"),
    rate("scroll", "scroll all, points/s"),
    *lasting(50 * MS, 5 * MS, 800 * MB, 1000 * MB),
)
