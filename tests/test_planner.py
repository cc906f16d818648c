"""The planner's decisions: which way is cheaper, and where a graph would find too few."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from vecstore.engine import planner
from vecstore.storage import graph


def segment(rows: int = 1_000_000, size: int = 128, storage: int = graph.FLOAT32) -> Any:
    return SimpleNamespace(rows=rows, size=size, files=SimpleNamespace(storage=storage))


def test_without_a_filter_the_cheaper_way_is_taken() -> None:
    assert planner.without_filter(segment(), 10, None) == planner.Method("graph", planner.EF[graph.FLOAT32])
    assert planner.without_filter(segment(storage=graph.SQ8), 10, None).ef == planner.EF[graph.SQ8]
    assert planner.without_filter(segment(), 10, 33) == planner.Method("graph", 33)
    assert planner.without_filter(segment(), 1000, None) == planner.Method("graph", 1500)
    assert planner.without_filter(segment(rows=500), 10, None) == planner.Method("full")
    assert planner.without_filter(segment(rows=20_000), 20_000, None) == planner.Method("full")


def test_few_candidates_are_searched_exactly_and_others_looked_for() -> None:
    assert planner.before_look(segment(), 0, 10, None) == planner.Method("exact")
    assert planner.before_look(segment(), 1000, 10, None) == planner.Method("exact")
    assert planner.before_look(segment(), 50_000, 50_000, None) == planner.Method("exact")
    assert planner.before_look(segment(), 100_000, 10, None) is None
    assert planner.before_look(segment(), 1_000_000, 10, None) == planner.without_filter(segment(), 10, None)


def test_at_the_edge_of_what_a_filter_follows_the_search_is_exact() -> None:
    assert planner.after_look(segment(), 100_000, 10, None, 12, 32) == planner.Method("exact")
    assert planner.after_look(segment(), 100_000, 10, None, 28, 32).name == "graph"  # inside of it
    assert planner.after_look(segment(), 100_000, 10, None, 3, 32).name == "graph"  # it follows nothing


def test_the_beam_is_as_wide_as_the_filter_is_narrow_where_the_query_is() -> None:
    beams = [planner.after_look(segment(), 500_000, 10, None, passed, 32) for passed in (32, 16, 8)]
    assert [(b.name, b.ef) for b in beams] == [("graph", 144), ("graph", 200), ("graph", 280)]
    assert planner.after_look(segment(), 500_000, 10, 50, 8, 32) == planner.Method("graph", 97)
    assert planner.after_look(segment(), 500_000, 10, None, 3, 32) == planner.Method("exact")  # outside of the filter
    assert planner.after_look(segment(), 100_000, 10, None, 0, 32) == planner.Method("exact")
    widest = planner.after_look(segment(rows=10**7), 10**6, 10, None, 1, 32)
    assert widest == planner.Method("graph", 760)
    assert planner.after_look(segment(), 30_000, 10, None, 2, 32) == planner.Method("exact")  # cheaper than the beam
