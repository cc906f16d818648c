"""What the model knows of payloads: paths, edits and a handful of conditions, written anew and small.

Nothing here is the package's own, so that the two can disagree. Paths have bare keys only, and every function
leaves its arguments as they are.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Json: TypeAlias = dict[str, Any]

STEP = re.compile(r"[^.\[\]]+|\[\d*\]")
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def steps(path: str) -> list[str]:
    return STEP.findall(path)


def _elements(value: Any, step: str) -> list[int]:
    """Which elements of a list a step means."""
    if not isinstance(value, list):
        return []
    return [i for i in range(len(value)) if step in ("[]", f"[{i}]")]


def selected(value: Any, path: list[str]) -> list[Any]:
    """The values at a path."""
    if not path:
        return [value]
    step, rest = path[0], path[1:]
    if step[0] == "[":
        return [found for i in _elements(value, step) for found in selected(value[i], rest)]
    return selected(value[step], rest) if isinstance(value, dict) and step in value else []


def merged(value: Any, path: list[str], new: Json) -> Any:
    """What becomes of ``value`` when ``new`` is merged in at a path below it."""
    if path and path[0][0] == "[":
        chosen = _elements(value, path[0])
        return [merged(v, path[1:], new) if i in chosen else v for i, v in enumerate(_list(value))]
    base = value if isinstance(value, dict) else {}
    if path:
        return {**base, path[0]: merged(base.get(path[0]), path[1:], new)}
    return {key: v for key, v in {**base, **new}.items() if key not in new or v is not None}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def without(value: Any, path: list[str]) -> Any:
    """What becomes of ``value`` when what a path selects is deleted."""
    step, rest = path[0], path[1:]
    if step[0] == "[":
        if not rest:
            return [] if step == "[]" and isinstance(value, list) else value
        chosen = _elements(value, step)
        return [without(v, rest) if i in chosen else v for i, v in enumerate(value)] if chosen else value
    if not isinstance(value, dict) or step not in value:
        return value
    if rest:
        return {**value, step: without(value[step], rest)}
    return {key: v for key, v in value.items() if key != step}


def order_values(payload: Json, key: str) -> list[int | float]:
    """The distinct values of a point that a scroll can be ordered by."""
    found = [_order_value(v) for v in _one_level(selected(payload, steps(key)))]
    return list(dict.fromkeys(v for v in found if v is not None))


def _order_value(value: Any) -> int | float | None:
    if isinstance(value, str):
        try:
            since = datetime.fromisoformat(value) - EPOCH
        except (ValueError, TypeError):
            return None
        return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    return value if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _one_level(values: list[Any]) -> list[Any]:
    """Fields that hold an array match by their elements."""
    return [e for v in values for e in (v if isinstance(v, list) else [v])]


def matches(wanted: Json, point_id: int | str, payload: Json, names: set[str]) -> bool:
    """Whether a point with these vectors matches a filter."""
    if not (wanted.keys() & {"must", "should", "must_not"}):
        return _meets(wanted, point_id, payload, names) if wanted else True

    def verdicts(clause: str) -> list[bool]:
        return [matches(c, point_id, payload, names) for c in wanted.get(clause, [])]

    should = verdicts("should")
    return all(verdicts("must")) and (any(should) or not should) and not any(verdicts("must_not"))


def _meets(condition: Json, point_id: int | str, payload: Json, names: set[str]) -> bool:
    if "has_id" in condition:
        return point_id in condition["has_id"]
    if "has_vector" in condition:
        return condition["has_vector"] in names
    if "is_empty" in condition:
        return all(v in (None, []) for v in selected(payload, steps(condition["is_empty"]["key"])))
    test = _test(condition)
    return any(test(v) for v in _one_level(selected(payload, steps(condition["key"]))))


def _test(condition: Json) -> Callable[[Any], bool]:
    if "range" in condition:
        bounds = condition["range"]
        return lambda v: _is_number(v) and all(COMPARE[name](v, bound) for name, bound in bounds.items())
    wanted = condition["match"].get("any", [condition["match"].get("value")])
    return lambda v: any(type(v) is type(w) and v == w for w in wanted)


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
}
