"""Writes for Hypothesis, as dicts of the REST form, made of the values a test puts into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import SearchStrategy
    from model import Id, Schema

    Body = SearchStrategy[dict[str, Any]]


@dataclass(frozen=True)
class Nth:
    """An id that is there, whichever these are: what is generated must not depend on what happened before."""

    n: int


def an_id(drawn: Id | Nth, present: Sequence[Id]) -> Id:
    """The id that was meant."""
    if isinstance(drawn, Nth):
        return present[drawn.n % len(present)] if present else drawn.n
    return drawn


def resolved(operation: dict[str, Any], present: Sequence[Id]) -> dict[str, Any]:
    """An operation, or a batch of them, on the ids that were meant."""
    [(kind, body)] = operation.items()
    if kind == "batch":
        return {kind: {**body, "operations": [resolved(part, present) for part in body["operations"]]}}
    if "points" not in body:
        return operation

    def point(found: Any) -> Any:
        return {**found, "id": an_id(found["id"], present)} if isinstance(found, dict) else an_id(found, present)

    return {kind: {**body, "points": [point(found) for found in body["points"]]}}


NOBODY = 404
"""The id of no point."""
KINDS = (
    "upsert",
    "update_vectors",
    "delete_vectors",
    "set_payload",
    "overwrite_payload",
    "delete_payload",
    "clear_payload",
    "delete",
)


def once(make: Callable[..., SearchStrategy[Any]]) -> Callable[..., Any]:
    """A method that makes its strategy once: to look through a new one takes as long as to draw from it."""

    @wraps(make)
    def found(self: Requests, *args: Any) -> SearchStrategy[Any]:
        key = make.__name__, *args
        if key not in self.made:
            self.made[key] = make(self, *args)
        return self.made[key]

    return found


@dataclass(frozen=True)
class Requests:
    """The bodies of all kinds of writes to a collection of this schema."""

    schema: Schema
    coordinates: SearchStrategy[float]
    ids: Sequence[Id]
    payloads: Body
    filters: Body
    merge_keys: SearchStrategy[str]
    delete_keys: SearchStrategy[str]
    made: dict[tuple[Any, ...], SearchStrategy[Any]] = field(default_factory=dict, init=False)

    @once
    def operations(self) -> Body:
        """Any write; more of those that make points than of others."""
        kinds = [st.fixed_dictionaries({kind: self.body(kind)}) for kind in KINDS]
        return st.one_of(kinds[0], kinds[0], *kinds)

    @once
    def writes(self) -> Body:
        """Any operation, or a batch of some, ``{"batch": {"operations": [...], "atomic": ...}}``."""
        one = self.operations()
        return st.one_of(one, st.fixed_dictionaries({"batch": self.batch()}))

    @once
    def batch(self) -> Body:
        """Some end with a part that is refused, so that the others have to be taken back."""
        refused = {"clear_payload": {"points": [NOBODY]}}
        parts = st.lists(self.operations(), min_size=1, max_size=4)
        parts = parts | parts.map(lambda found: [*found, refused])
        return st.fixed_dictionaries({"operations": parts, "atomic": st.booleans()})

    def body(self, kind: str) -> Body:
        found: Body = getattr(self, kind)()
        return found

    @once
    def vector(self, name: str) -> SearchStrategy[list[float]]:
        size, _ = self.schema[name]
        return st.lists(self.coordinates, min_size=size, max_size=size)

    @once
    def vectors(self) -> SearchStrategy[Any]:
        """The vectors of a point; of named ones any, all or none."""
        if "" in self.schema:
            return self.vector("")
        each = {name: self.vector(name) for name in self.schema}
        return st.fixed_dictionaries(each) | st.fixed_dictionaries({}, optional=each)

    @once
    def one(self) -> SearchStrategy[Id | Nth]:
        """An id, mostly one that is there: where one of several is missing, a request is refused."""
        there = st.builds(Nth, st.integers(0, 9))
        return st.one_of(there, there, there, st.sampled_from(list(self.ids)))

    @once
    def selected(self) -> SearchStrategy[list[Id | Nth]]:
        return st.lists(self.one(), min_size=1, max_size=4)

    @once
    def selector(self) -> Body:
        return st.fixed_dictionaries({"points": self.selected()}) | st.fixed_dictionaries({"filter": self.filters})

    def _with(self, optional: dict[str, Any] | None = None, **parts: SearchStrategy[Any]) -> Body:
        rest = st.fixed_dictionaries(parts, optional=optional or {})
        return st.builds(lambda chosen, more: {**chosen, **more}, self.selector(), rest)

    @once
    def upsert(self) -> Body:
        point = st.fixed_dictionaries(
            {"id": st.sampled_from(list(self.ids)), "vector": self.vectors() | st.just({})},
            optional={"payload": self.payloads},
        )
        points = {"points": st.lists(point, min_size=1, max_size=6)}
        modes = st.sampled_from(["upsert", "insert_only", "update_only"])
        options = {"update_filter": self.filters, "update_mode": modes}
        return st.fixed_dictionaries(points) | st.fixed_dictionaries(points, optional=options)

    @once
    def many(self) -> Body:
        """An upsert of many whole points, so that there is something to change."""
        each = {"id": st.sampled_from(list(self.ids)), "vector": self.vectors(), "payload": self.payloads}
        return st.fixed_dictionaries({"points": st.lists(st.fixed_dictionaries(each), min_size=5, max_size=10)})

    @once
    def update_vectors(self) -> Body:
        point = st.fixed_dictionaries({"id": self.one(), "vector": self.vectors().filter(bool)})
        several = st.lists(point, min_size=1, max_size=4)
        return st.fixed_dictionaries({"points": several}, optional={"update_filter": self.filters})

    @once
    def delete_vectors(self) -> Body:
        return self._with(vector=st.lists(st.sampled_from(sorted(self.schema)), min_size=1, max_size=2))

    @once
    def set_payload(self) -> Body:
        return self._with({"key": self.merge_keys}, payload=self.payloads)

    @once
    def overwrite_payload(self) -> Body:
        return self._with(payload=self.payloads)

    @once
    def delete_payload(self) -> Body:
        return self._with(keys=st.lists(self.delete_keys, min_size=1, max_size=3))

    def clear_payload(self) -> Body:
        return self.selector()

    def delete(self) -> Body:
        return self.selector()
