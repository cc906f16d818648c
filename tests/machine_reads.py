"""The rules that read, and the comparison of everything after each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from agreeing import agree_on_hits, agree_on_points, better, everything
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from machine_values import ASKED, FILTERS, IDS, NAMED, ORDERS, requests
from request_strategies import an_id

from vecstore import InvalidRequest, PointNotFound

if TYPE_CHECKING:
    from model import Id, Model, Schema
    from request_strategies import Nth, Requests

    from vecstore import Collection

    Json = dict[str, Any]


class Reading(RuleBasedStateMachine):
    """What is read agrees with the model, once ``settle`` has waited for everything under way."""

    schema: ClassVar[Schema]
    requests: ClassVar[Requests]
    col: Collection
    model: Model
    graphs = False

    def settle(self) -> None:
        raise NotImplementedError

    def is_settled(self) -> bool:
        raise NotImplementedError

    @rule(drawn=requests(NAMED).selected())
    def retrieve(self, drawn: list[Id | Nth]) -> None:
        self.settle()
        asked = [an_id(i, self.model.matching()) for i in drawn]
        there = [i for i in dict.fromkeys(asked) if i in self.model.points]
        agree_on_points(self.col.retrieve(asked, with_vectors=True), there, self.model)
        assert [i in self.col for i in asked] == [i in self.model.points for i in asked]

    @rule(wanted=st.none() | FILTERS, limit=st.integers(1, 6), offset=st.none() | st.sampled_from(IDS))
    def scroll(self, wanted: Json | None, limit: int, offset: Id | None) -> None:
        self.settle()
        records, rest = self.col.scroll(wanted, limit=limit, offset=offset, with_vectors=True)
        expected, next_page = self.model.scroll(wanted, limit, offset)
        assert rest == next_page
        agree_on_points(records, expected, self.model)

    @rule(wanted=st.none() | FILTERS, limit=st.integers(1, 12), by=ORDERS)
    def scroll_in_order(self, wanted: Json | None, limit: int, by: Json) -> None:
        self.settle()
        records, rest = self.col.scroll(wanted, limit=limit, order_by=by, with_vectors=True)
        expected = self.model.ordered(wanted, by)[:limit]
        assert rest is None
        assert [(r.id, r.order_value) for r in records] == expected
        agree_on_points(records, [i for i, _ in expected], self.model)

    @rule(wanted=FILTERS)
    def count(self, wanted: Json) -> None:
        self.settle()
        assert self.col.count(wanted) == len(self.model.matching(wanted))

    @rule(
        data=st.data(),
        wanted=st.none() | FILTERS,
        limit=st.integers(1, 6),
        offset=st.integers(0, 3),
        worst=st.none() | st.integers(0, 9),
    )
    def search(self, data: st.DataObject, wanted: Json | None, limit: int, offset: int, worst: int | None) -> None:
        self.settle()
        name, (_, distance) = data.draw(st.sampled_from(sorted(self.schema.items())))
        query = data.draw(self.requests.vector(name))
        ranked = self.model.ranked(name, query, wanted)
        scores = [0.31] if distance == "Cosine" else [score for _, score in ranked] or [1.0]
        least = None if worst is None else scores[worst % len(scores)]
        hits = self.col.search(
            query,
            using=name,
            filter=wanted,
            limit=limit,
            offset=offset,
            score_threshold=least,
            with_vectors=True,
        )
        expected = [row for row in ranked if better(row[1], least, distance)][offset : offset + limit]
        agree_on_hits(hits, expected, distance, dict(ranked), exact=not self.graphs)
        agree_on_points(hits, [h.id for h in hits], self.model)

    @rule(data=st.data(), wanted=st.none() | FILTERS, limit=st.integers(1, 6))
    def search_by_id(self, data: st.DataObject, wanted: Json | None, limit: int) -> None:
        self.settle()
        name, (_, distance) = data.draw(st.sampled_from(sorted(self.schema.items())))
        asker = data.draw(st.sampled_from(IDS))
        point = self.model.points.get(asker)
        if point is None or name not in point.vectors:
            with pytest.raises(PointNotFound if point is None else InvalidRequest):
                self.col.search(asker, using=name, filter=wanted, limit=limit)
            return
        ranked = [row for row in self.model.ranked(name, point.vectors[name], wanted) if row[0] != asker]
        hits = self.col.search(asker, using=name, filter=wanted, limit=limit)
        agree_on_hits(hits, ranked[:limit], distance, dict(ranked), exact=not self.graphs)

    @rule(data=st.data(), wanted=st.none() | FILTERS, limit=st.integers(1, 6))
    def search_batch(self, data: st.DataObject, wanted: Json | None, limit: int) -> None:
        self.settle()
        name, (_, distance) = data.draw(st.sampled_from(sorted(self.schema.items())))
        queries = data.draw(st.lists(self.requests.vector(name), min_size=1, max_size=3))
        found = self.col.search_batch(np.array(queries), using=name, filter=wanted, limit=limit)
        for query, hits in zip(queries, found, strict=True):
            ranked = self.model.ranked(name, query, wanted)
            agree_on_hits(hits, ranked[:limit], distance, dict(ranked), exact=not self.graphs)

    @invariant()
    def agree(self) -> None:
        """With nothing under way, everything is as the model has it."""
        if not self.is_settled():
            return
        agree_on_points(everything(self.col), self.model.matching(), self.model)
        info = self.col.info()
        assert info.points == len(self.col) == len(self.model.points)
        for by in ({"key": "n", "direction": "asc"}, {"key": "n", "direction": "desc"}):
            rows = [(r.id, r.order_value) for r in self.col.scroll(limit=1000, order_by=by)[0]]
            assert rows == self.model.ordered(None, by)
        for wanted in ASKED:
            assert self.col.count(wanted) == len(self.model.matching(wanted)), wanted
        for name, (size, distance) in self.schema.items():
            ranked = self.model.ranked(name, [1] * size)
            assert info.vectors[name].live_rows == len(ranked)
            hits = self.col.search([1] * size, using=name, limit=100)
            agree_on_hits(hits, ranked, distance, dict(ranked), exact=not self.graphs)
