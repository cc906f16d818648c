"""Whole bodies of reads, as Qdrant's REST API has them, made into the arguments of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from vecstore.errors import InvalidRequest
from vecstore.requests.bodies import LISTS, body, once, required
from vecstore.requests.selectors import CLAUSES

P = ParamSpec("P")
T = TypeVar("T")

_RETURNED = ("with_payload", "with_vector", "with_vectors")
RETRIEVE = frozenset({"ids", *_RETURNED})
SCROLL = frozenset({"filter", "limit", "offset", "order_by", *_RETURNED})
COUNT = frozenset({"exact", "filter"})
SEARCH = frozenset(
    {"filter", "limit", "offset", "params", "query", "score_threshold", "top", "using", "vector", *_RETURNED}
)
# What the API calls by another name in one of its requests, or did in its first generation.
_SAME = {"with_vector": "with_vectors", "query": "vector", "top": "limit"}


def retrieve_body(value: object) -> dict[str, Any] | None:
    """The arguments of retrieve in ``value``; None where it is no body."""
    if not _is_body(value, "ids"):
        return None
    found = _arguments(value, RETRIEVE, "the request")
    required(found, "ids", "the request")
    return found


def scroll_body(value: object) -> dict[str, Any] | None:
    """The arguments of scroll in ``value``; None where it is no body, but a filter."""
    return _arguments(value, SCROLL, "the request") if _beside_filter(value, SCROLL) else None


def count_body(value: object) -> dict[str, Any] | None:
    """The arguments of count in ``value``; None where it is no body, but a filter."""
    return _arguments(value, COUNT, "the request") if _beside_filter(value, COUNT) else None


def search_body(value: object) -> dict[str, Any] | None:
    """The arguments of search in ``value``; None where it is no body, but a vector or an id."""
    if not _is_body(value, "vector", "query"):
        return None
    if isinstance(value, Mapping) and value.keys() == {"name", "vector"}:
        value = {"vector": value}  # the first generation's named vector
    found = _arguments(value, SEARCH, "the request")
    vector = required(found, "vector", "the request")
    if isinstance(vector, Mapping) and vector.keys() == {"name", "vector"}:
        found["using"] = once("using", vector["name"], {k: v for k, v in found.items() if k == "using"})
        found["vector"] = vector["vector"]
    return found


def takes_body(read: Callable[[object], dict[str, Any] | None]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a method take a whole body as its first argument, with options beside it; none of them may come twice."""

    def decorate(method: Callable[P, T]) -> Callable[P, T]:
        @wraps(method)
        def call(*args: P.args, **options: P.kwargs) -> T:
            if len(args) != 2 or (found := read(args[1])) is None:
                return method(*args, **options)
            for name, given in options.items():
                found[name] = once(name, given, found)
            return method(args[0], **found)  # type: ignore[arg-type]

        return call

    return decorate


def _is_body(value: object, *signs: str) -> bool:
    if type(value) in LISTS:
        return False
    return isinstance(value, Mapping) or any(sign in getattr(value, "__dict__", {}) for sign in signs)


def _beside_filter(value: object, fields: frozenset[str]) -> bool:
    names = value.keys() if isinstance(value, Mapping) else getattr(value, "__dict__", {}).keys()
    return bool(names & fields) and not names & CLAUSES


def _arguments(value: object, fields: frozenset[str], what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in body(value, what, fields).items():
        argument = _SAME.get(name, name)
        if argument in found:
            raise InvalidRequest(f"{what}: expected {argument} once, got it by two names")
        found[argument] = item
    return found
