"""The filters of the benchmarks, said once; each subject translates them into its own words.

A filter is a tuple of conditions that must all hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt


@dataclass(frozen=True)
class Equal:
    field: str
    value: str

    def holds(self, payload: dict[str, Any]) -> bool:
        return bool(payload.get(self.field) == self.value)


@dataclass(frozen=True)
class Between:
    """Both ends belong to it; a payload without the field does not."""

    field: str
    low: int
    high: int

    def holds(self, payload: dict[str, Any]) -> bool:
        value = payload.get(self.field)
        return value is not None and self.low <= value <= self.high


Conditions: TypeAlias = tuple[Equal | Between, ...]


def shifted(conditions: Conditions, by: int) -> Conditions:
    """The same with other bounds: about as many match, and no answer that was remembered fits."""
    return tuple(
        Between(one.field, one.low + by, one.high + by) if isinstance(one, Between) else one for one in conditions
    )


def passing(payloads: Iterable[dict[str, Any]], conditions: Conditions) -> npt.NDArray[np.bool_]:
    """For each payload, whether all conditions hold."""
    held = (all(condition.holds(payload) for condition in conditions) for payload in payloads)
    return np.fromiter(held, dtype=bool)


def in_sql(conditions: Conditions) -> str:
    return " AND ".join(_sql(condition) for condition in conditions)


def _sql(condition: Equal | Between) -> str:
    if isinstance(condition, Equal):
        return f"{condition.field} = '{condition.value}'"
    return f"{condition.field} >= {condition.low} AND {condition.field} <= {condition.high}"


def in_json(conditions: Conditions) -> dict[str, Any]:
    """The filter of Qdrant's REST API."""
    return {"must": [_json(condition) for condition in conditions]}


def _json(condition: Equal | Between) -> dict[str, Any]:
    if isinstance(condition, Equal):
        return {"key": condition.field, "match": {"value": condition.value}}
    return {"key": condition.field, "range": {"gte": condition.low, "lte": condition.high}}
