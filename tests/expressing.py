"""REST filters as expressions, written by hand once more: what ``field`` is compared with."""

from __future__ import annotations

from functools import reduce
from operator import and_, eq, ge, gt, le, lt, or_
from typing import TYPE_CHECKING, Any

from vecstore import Expression, GeoPoint, HasVectorCondition, field

if TYPE_CHECKING:
    from vecstore.expressions import Count, Field

    Json = dict[str, Any]

OPERATORS = {"lt": lt, "lte": le, "gt": gt, "gte": ge}
MATCHES = {"any": "any_of", "except": "none_of"}


def expressed(wanted: Json) -> Any:
    """The expression that asks for the same as a filter of the REST API."""
    parts = [_condition(part) for part in _listed(wanted.get("must"))]
    parts += [~_condition(part) for part in _listed(wanted.get("must_not"))]
    if should := _listed(wanted.get("should")):
        parts.append(reduce(or_, map(_condition, should)))
    if "min_should" in wanted:
        parts.append(Expression() & {"min_should": wanted["min_should"]})
    return reduce(and_, parts, Expression())


def _listed(clause: Any) -> list[Json]:
    return clause if isinstance(clause, list) else [] if clause is None else [clause]


def _condition(wanted: Json) -> Any:
    if "key" in wanted:
        [(clause, value)] = [(name, value) for name, value in wanted.items() if name != "key"]
        return _clause(field(wanted["key"]), clause, value)
    if "is_empty" in wanted:
        return field(wanted["is_empty"]["key"]).is_empty()
    if "is_null" in wanted:
        return field(wanted["is_null"]["key"]).is_null()
    if "nested" in wanted:
        return field(wanted["nested"]["key"]).nested(expressed(wanted["nested"]["filter"]))
    if "has_vector" in wanted:
        return Expression() & HasVectorCondition(wanted["has_vector"])
    return Expression() & wanted if {"has_id", "slice"} & wanted.keys() else expressed(wanted)


def _clause(found: Field, clause: str, value: Any) -> Any:
    if clause == "match":
        [(kind, wanted)] = value.items()
        return eq(found, wanted) if kind == "value" else getattr(found, MATCHES.get(kind, kind))(wanted)
    if clause in ("is_empty", "is_null"):
        asked = getattr(found, clause)()
        return asked if value else ~asked
    if clause in ("range", "values_count"):
        return _bounds(found.count if clause == "values_count" else found, value)
    if clause == "geo_radius":
        return found.within_radius(GeoPoint(**value["center"]), value["radius"])
    if clause == "geo_bounding_box":
        return found.within_box(value["top_left"], value["bottom_right"])
    return found.within_polygon(value["exterior"]["points"], [hole["points"] for hole in value.get("interiors", [])])


def _bounds(found: Field | Count, bounds: Json) -> Any:
    if len(bounds) == 1:
        [(name, bound)] = bounds.items()
        return OPERATORS[name](found, bound)
    return found.between(bounds["gte"], bounds["lte"]) if bounds.keys() == {"gte", "lte"} else found.range(**bounds)


def evaluated(text: str) -> Any:
    """What an expression that was printed stands for."""
    import vecstore

    names = {name: getattr(vecstore, name) for name in vecstore.__all__}
    return eval(text, names)
