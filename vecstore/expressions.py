"""Filters written as Python: ``(field("color") == "red") & (field("price") < 10)``.

An expression is a ``Filter`` of the models in ``vecstore.conditions``, and is taken wherever a filter is. What an
operator means is what its condition means in Qdrant's filter language:

    field("a") == value                        match value: of this very type, so 1 is neither 1.0, True nor "1";
                                               a float, datetime or date: a range of that one number or moment
    field("a") != value                        not (field("a") == value): points without the field match, too
    field("a") < value, <=, >, >=              range, of numbers or of datetimes
    field("a").between(low, high)              range, both ends included
    field("a").range(gt=..., lt=...)           range
    field("a").any_of([...])                   match any
    field("a").none_of([...])                  match except: some value that is none of these
    field("a").text("..."), .text_any, .phrase, .prefix, .substring
    field("a").is_empty(), .is_null()
    field("a").within_radius(center, metres), .within_box(top_left, bottom_right), .within_polygon(exterior)
    field("a").count >= 2                      values_count, and every other comparison
    field("a[]").nested(expression)            nested: one object of the array meets all of it
    one & other, one | other, ~one             must, should, must_not

A field that holds an array matches if any element of it does. So ``(field("a") > 1) & (field("a") < 5)`` may be met
by two elements of one array, and ``field("a").range(gt=1, lt=5)`` has to be met by one; ``field("a") != 1`` is met by
no array with a 1 in it, and ``field("a").none_of([1])`` by every array that has something else.

One side of ``&`` and ``|`` may also be any condition or filter, as a model or a dict, and
``Expression(HasIdCondition([1]))`` makes an expression of a condition. Everything is checked where it is written. An
expression prints as the Python that makes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from vecstore.conditions import (
    FieldCondition,
    Filter,
    GeoPoint,
    IsEmptyCondition,
    IsNullCondition,
    Match,
    MatchValue,
    MinShould,
    Nested,
    NestedCondition,
    PayloadField,
)
from vecstore.errors import InvalidRequest, InvalidType
from vecstore.expression_text import written
from vecstore.filters import clauses, parse_filter, reading
from vecstore.limits import MAX_DEPTH
from vecstore.shapes import describe, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from vecstore.conditions import Condition

_WRITE = (
    "write & for 'and', | for 'or' and ~ for 'not', with each side in parentheses; "
    ".between(low, high) for low <= field(...) <= high; .any_of([...]) for 'in'; "
    "and 'is not None' to ask whether there is a filter"
)

MOST_CONDITIONS_SHOWN, MOST_SHOWN = 1000, 1000
"""An expression of more conditions than the first is shown in so many characters."""


class Expression(Filter):
    """A filter that can be joined with others: ``&``, ``|``, ``~``. It is what comparing a ``field`` makes.

    Raises ``InvalidType`` (a ``TypeError``) where it is used with ``and``, ``or``, ``not`` or ``in``, in a chained
    comparison, or as a bool.
    """

    __array_ufunc__ = None  # so that numpy leaves operators to us

    def __and__(self, other: Any) -> Expression:
        return _all_of(self, _operand(other, "&"))

    def __rand__(self, other: Any) -> Expression:
        return _all_of(_operand(other, "&"), self)

    def __or__(self, other: Any) -> Expression:
        return _some_of(self, _operand(other, "|"))

    def __ror__(self, other: Any) -> Expression:
        return _some_of(_operand(other, "|"), self)

    def __invert__(self) -> Expression:
        excluded = _listed(self.must_not)
        if len(excluded) == 1 and not (_listed(self.must) or _listed(self.should) or self.min_should):
            return _expression(excluded[0])
        return Expression(must_not=[_condition(self)])

    def __bool__(self) -> NoReturn:
        raise InvalidType(f"a filter expression is neither true nor false: {_WRITE}")

    def __repr__(self) -> str:
        with suppress(InvalidRequest):  # it may be made by hand, of what is no condition
            if _is_shown_whole(self):
                return written(parse_filter(self))
        same = Filter(self.must, self.should, self.must_not, self.min_should)
        return type(self).__name__ + shown(same, MOST_SHOWN).removeprefix("Filter")


def field(key: str) -> Field:
    """The values at a payload path (``"color"``, ``"a.b"``, ``"items[].price"``), to make filters of.

        red = field("color") == "red"
        col.search(vector, filter=red & (field("price") < 10))

    What can be written is listed in ``vecstore.expressions``. Raises ``InvalidPath``.
    """
    return Field(key)


class _Ordered(ABC):
    """What can be compared with ``<``, ``<=``, ``>`` and ``>=``."""

    __slots__ = ()
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    @abstractmethod
    def _within(self, bounds: dict[str, Any]) -> Expression:
        """The expression of these bounds."""

    def __lt__(self, value: Any) -> Expression:
        return self._within({"lt": _bound(self, "<", value)})

    def __le__(self, value: Any) -> Expression:
        return self._within({"lte": _bound(self, "<=", value)})

    def __gt__(self, value: Any) -> Expression:
        return self._within({"gt": _bound(self, ">", value)})

    def __ge__(self, value: Any) -> Expression:
        return self._within({"gte": _bound(self, ">=", value)})

    def between(self, low: Any, high: Any) -> Expression:
        """Both ends included; of the values of an array, one has to be within both."""
        return self._within({"gte": _bound(self, "between", low), "lte": _bound(self, "between", high)})

    def range(self, *, gt: Any = None, gte: Any = None, lt: Any = None, lte: Any = None) -> Expression:
        """Within every bound that is given; of the values of an array, one has to be within all."""
        given = {"gt": gt, "gte": gte, "lt": lt, "lte": lte}
        return self._within({name: bound for name, bound in given.items() if bound is not None})

    @abstractmethod
    def __eq__(self, value: object) -> Expression:  # type: ignore[override]
        ...

    def __ne__(self, value: object) -> Expression:  # type: ignore[override]
        return ~(self == value)

    def __bool__(self) -> NoReturn:
        raise InvalidType(f"{self!r} is neither true nor false, compare it with something; {_WRITE}")

    def __contains__(self, value: object) -> NoReturn:
        raise InvalidType(
            f"{shown(value)} in {self!r}: write {self!r} == {shown(value)}, which is true of an array that has it"
        )

    def __and__(self, other: Any) -> NoReturn:
        self._not_compared("&")

    def __or__(self, other: Any) -> NoReturn:
        self._not_compared("|")

    def __rand__(self, other: Any) -> NoReturn:
        self._not_compared("&")

    def __ror__(self, other: Any) -> NoReturn:
        self._not_compared("|")

    def __invert__(self) -> NoReturn:
        raise InvalidType(f"~{self!r}: compare it first, in parentheses: ~({self!r} == value)")

    def _not_compared(self, operator: str) -> NoReturn:
        raise InvalidType(
            f"expected a condition on each side of {operator}, got {self!r}; {operator} binds tighter than a "
            f"comparison: write ({self!r} == value) {operator} (...)"
        )


class Field(_Ordered):
    """The values at a payload path: see ``field``. ``vecstore.expressions`` says what can be done with them.

    Everything raises ``InvalidFilter`` for a value that cannot be compared so, ``InvalidType`` for what is none.
    """

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = reading.path(key, "field")

    def __repr__(self) -> str:
        return f"field({self._key!r})"

    def __eq__(self, value: object) -> Expression:  # type: ignore[override]
        found = reading.plain(value)
        if isinstance(found, float | date | np.datetime64):
            return self._within({"gte": found, "lte": found})
        return self._match(MatchValue(reading.match_value(_single(self, found), repr(self))))

    def any_of(self, values: Sequence[str] | Sequence[int]) -> Expression:
        """Some value is one of these: all strings, or all integers. None of an empty list is."""
        return self._match(clauses.parse_match({"any": values}, repr(self)))

    def none_of(self, values: Sequence[str] | Sequence[int]) -> Expression:
        """Some value, other than null, is none of these: all strings, or all integers.

        Points without a value do not match, and an array does that has something else beside these. For all points
        that have none of these: ``~field(...).any_of(values)``.
        """
        return self._match(clauses.parse_match({"except": values}, repr(self)))

    def text(self, text: str) -> Expression:
        """A string has every word of ``text``, in any order and any case."""
        return self._match(clauses.parse_match({"text": text}, repr(self)))

    def text_any(self, text: str) -> Expression:
        """A string has at least one word of ``text``, in any case."""
        return self._match(clauses.parse_match({"text_any": text}, repr(self)))

    def phrase(self, phrase: str) -> Expression:
        """A string has the words of ``phrase`` in a row, in any case."""
        return self._match(clauses.parse_match({"phrase": phrase}, repr(self)))

    def prefix(self, prefix: str) -> Expression:
        """A string starts with ``prefix``, case-sensitive."""
        return self._match(clauses.parse_match({"prefix": prefix}, repr(self)))

    def substring(self, substring: str) -> Expression:
        """A string contains ``substring``, case-sensitive."""
        return self._match(clauses.parse_match({"substring": substring}, repr(self)))

    def is_empty(self) -> Expression:
        """The field is missing, null or ``[]``."""
        return Expression(must=[IsEmptyCondition(PayloadField(self._key))])

    def is_null(self) -> Expression:
        """The field is null, or an array with a null in it; a missing field is not null."""
        return Expression(must=[IsNullCondition(PayloadField(self._key))])

    def within_radius(self, center: GeoPoint | Mapping[str, float], radius: float) -> Expression:
        """A place less than ``radius`` metres from ``center`` (``GeoPoint`` or ``{"lon": ..., "lat": ...}``)."""
        clause = clauses.parse_geo_radius({"center": center, "radius": radius}, repr(self))
        return Expression(must=[FieldCondition(self._key, geo_radius=clause)])

    def within_box(
        self, top_left: GeoPoint | Mapping[str, float], bottom_right: GeoPoint | Mapping[str, float]
    ) -> Expression:
        """A place strictly inside a box; one whose left is east of its right spans the antimeridian."""
        box = clauses.parse_geo_bounding_box({"top_left": top_left, "bottom_right": bottom_right}, repr(self))
        return Expression(must=[FieldCondition(self._key, geo_bounding_box=box)])

    def within_polygon(
        self,
        exterior: Sequence[GeoPoint | Mapping[str, float]],
        interiors: Sequence[Sequence[GeoPoint | Mapping[str, float]]] = (),
    ) -> Expression:
        """A place inside ``exterior`` and in none of the holes: lines of four points or more, the last the first."""
        holes = [{"points": line} for line in reading.items(interiors, f"{self!r}.interiors")]
        given = {"exterior": {"points": exterior}, "interiors": holes or None}
        return Expression(must=[FieldCondition(self._key, geo_polygon=clauses.parse_geo_polygon(given, repr(self)))])

    @property
    def count(self) -> Count:
        """How many values there are: of an array its length; a missing field and null 0, anything else 1."""
        return Count(self._key)

    def nested(self, expression: Filter | Mapping[str, Any]) -> Expression:
        """One and the same object of the array meets the whole expression, whose paths begin in that object."""
        if isinstance(expression, _Ordered):
            raise InvalidType(f"{self!r}.nested({expression!r}): compare {expression!r} with something first")
        inner = _operand(expression, "nested")
        return Expression(must=[NestedCondition(Nested(self._key, inner))])

    def _within(self, bounds: dict[str, Any]) -> Expression:
        return Expression(must=[FieldCondition(self._key, range=clauses.parse_range(bounds, repr(self)))])

    def _match(self, match: Match) -> Expression:
        return Expression(must=[FieldCondition(self._key, match=match)])


class Count(_Ordered):
    """The number of values at a payload path, to be compared with integers: see ``Field.count``."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def __repr__(self) -> str:
        return f"field({self._key!r}).count"

    def __eq__(self, value: object) -> Expression:  # type: ignore[override]
        number = _bound(self, "==", value)
        return self._within({"gte": number, "lte": number})

    def _within(self, bounds: dict[str, Any]) -> Expression:
        return Expression(must=[FieldCondition(self._key, values_count=clauses.parse_values_count(bounds, repr(self)))])


def _single(owner: Field, value: object) -> object:
    """What a match compares with: no None, no list."""
    if value is None:
        raise InvalidType(f"{owner!r} == None: write {owner!r}.is_null(), or .is_empty() where it may be missing")
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        raise InvalidType(f"{owner!r} == {describe(value)}: write {owner!r}.any_of([...]) for one of several values")
    return _bound(owner, "==", value)


def _bound(owner: _Ordered, operator: str, value: object) -> object:
    if value is None or isinstance(value, _Ordered | Filter):
        raise InvalidType(f"{owner!r} {operator}: expected a value to compare with, got {describe(value)}")
    return value


def _operand(value: object, operator: str) -> Expression:
    """What stands beside an operator, as an expression. Raises ``InvalidType``, ``InvalidFilter``."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, _Ordered):
        value._not_compared(operator)
    if value is None or isinstance(value, bool | int | float | str | bytes | list | tuple | np.generic | np.ndarray):
        raise InvalidType(f"expected a condition beside {operator}, got {describe(value)}")
    [condition] = _listed(parse_filter(Filter(must=[value])).must)  # type: ignore[list-item]
    return _expression(condition)


def _expression(condition: Condition) -> Expression:
    if isinstance(condition, Filter):
        return Expression(condition.must, condition.should, condition.must_not, condition.min_should)
    return Expression(must=[condition])


def _condition(expression: Expression) -> Condition:
    """The condition an expression consists of, where it is one alone."""
    alone = _listed(expression.must)
    others = _listed(expression.should) or _listed(expression.must_not) or expression.min_should
    return alone[0] if len(alone) == 1 and not others else expression


def _all_of(one: Expression, other: Expression) -> Expression:
    must: list[Condition] = []
    must_not: list[Condition] = []
    for part in (one, other):
        if _listed(part.should) or part.min_should:
            must.append(part)
        else:
            must += _listed(part.must)
            must_not += _listed(part.must_not)
    return Expression(must=must or None, must_not=must_not or None)


def _some_of(one: Expression, other: Expression) -> Expression:
    should: list[Condition] = []
    for part in (one, other):
        some = _listed(part.should)
        if some and not (_listed(part.must) or _listed(part.must_not) or part.min_should):
            should += some
        else:
            should.append(_condition(part))
    return Expression(should=should)


def _is_shown_whole(expression: Filter) -> bool:
    """Whether few enough conditions are in it: one may stand in many places, and those that it is in, too."""
    left, conditions = [(expression, 0)], 0
    while left:
        one, depth = left.pop()
        some = one.min_should.conditions if isinstance(one.min_should, MinShould) else None
        inner = [c for clause in (one.must, one.should, one.must_not, some) for c in _listed(clause)]
        conditions += len(inner)
        if conditions > MOST_CONDITIONS_SHOWN or depth > MAX_DEPTH:
            return False
        left += [(found, depth + 1) for found in map(_filter_of, inner) if isinstance(found, Filter)]
    return True


def _filter_of(condition: Condition) -> object:
    """A condition that is a filter, or the filter that it has for what is nested."""
    return getattr(condition.nested, "filter", None) if isinstance(condition, NestedCondition) else condition


def _listed(clause: Sequence[Condition] | Condition | None) -> list[Condition]:
    if clause is None:
        return []
    return list(clause) if isinstance(clause, list | tuple) else [clause]  # type: ignore[list-item]
