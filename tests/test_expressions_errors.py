"""Filter expressions: what they refuse, and what the error says to write instead."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from vecstore import FieldCondition, Filter, InvalidFilter, InvalidPath, InvalidType, Range, field

if TYPE_CHECKING:
    from vecstore import Collection

A, B = field("a") == 1, field("b") == 2
NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
PLACE = {"lon": 13.4, "lat": 52.5}
RING = [{"lon": x, "lat": y} for x, y in ((0, 0), (20, 0), (20, 60), (0, 60), (0, 0))]
TRUTH = "neither true nor false.*write & for 'and', \\| for 'or' and ~ for 'not'.*between\\(low, high\\).*any_of"
FIRST = "compare it first, in parentheses: ~\\(field\\('a'\\) == value\\)"
TIGHTER = "binds tighter than a comparison: write \\(field\\('{}'\\) == value\\)"
NAMES = {"A": A, "B": B, "NOON": NOON, "PLACE": PLACE, "RING": RING, "f": field, "np": np, "pd": pd}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("A and B", TRUTH),
        ("A or B", TRUTH),
        ("not A", TRUTH),
        ("bool(A)", TRUTH),
        ("1 if A else 2", TRUTH),
        ("1 < f('a') < 3", TRUTH),
        ("1 == f('a') == 3", TRUTH),
        ("1 < f('a').count < 3", TRUTH),
        ("f('a') in [1, 2]", TRUTH),
        ("f('a') and B", TRUTH),
        ("not f('a')", TRUTH),
        ("bool(f('a'))", TRUTH),
        ("f('a').count or B", TRUTH),
        ("1 in f('a')", "1 in field\\('a'\\): write field\\('a'\\) == 1"),
        ("~f('a') == 1", FIRST),
        ("f('a') == 1 & f('b') == 2", "condition on each side of &, got field\\('b'\\); & " + TIGHTER.format("b")),
        ("f('a') == 1 | f('b') == 2", "condition on each side of \\|, got field\\('b'\\); \\| " + TIGHTER.format("b")),
        ("f('a') & B", "condition on each side of &, got field\\('a'\\)"),
        ("f('a') | B", "condition on each side of \\|, got field\\('a'\\)"),
        ("A & f('b')", "condition on each side of &, got field\\('b'\\)"),
        ("A | f('b').count", "condition on each side of \\|, got field\\('b'\\).count"),
        ("A & True", "expected a condition beside &, got bool True"),
        ("None | A", "expected a condition beside \\|, got NoneType None"),
        ("[B] & A", "expected a condition beside &, got list"),
        ("np.bool_(True) & A", "expected a condition beside &, got"),
        ("f('a').nested(1)", "expected a condition beside nested, got int 1"),
        ("f('a').nested(f('b'))", "nested\\(field\\('b'\\)\\): compare field\\('b'\\) with something first"),
        ("f('a') == None", "field\\('a'\\) == None: write field\\('a'\\).is_null\\(\\), or .is_empty\\(\\)"),
        ("f('a') != None", "write field\\('a'\\).is_null\\(\\)"),
        ("f('a') == [1]", "write field\\('a'\\).any_of\\(\\[...\\]\\)"),
        ("f('a') == {1}", "any_of"),
        ("np.array([1, 2]) == f('a')", "any_of"),
        ("f('a') == f('b')", "field\\('a'\\) ==: expected a value to compare with, got Field field\\('b'\\)"),
        ("f('a') < A", "field\\('a'\\) <: expected a value to compare with, got Expression"),
        ("f('a') > None", "field\\('a'\\) >: expected a value to compare with, got NoneType None"),
        ("f('a').between(None, 1)", "field\\('a'\\) between: expected a value"),
        ("f('a').count == None", "field\\('a'\\).count ==: expected a value"),
        ("hash(f('a'))", "unhashable"),
    ],
)
def test_what_python_would_misunderstand_is_a_type_error(code: str, message: str) -> None:
    with pytest.raises(TypeError, match=message) as raised:
        eval(code, NAMES)  # what is wrong with it is what is tested
    assert isinstance(raised.value, InvalidType) or "unhashable" in message


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("f('a') == b'x'", "field\\('a'\\): expected a string, an integer or a bool, got bytes"),
        ("f('a') == 2**64", "expected an integer of"),
        ("f('a').any_of([1.5])", "field\\('a'\\).any\\[0\\]: expected a string or an integer, for a float"),
        ("f('a') == float('nan')", "field\\('a'\\).gte: expected a number, got float nan"),
        ("f('a') < True", "field\\('a'\\).lt: expected a number, got bool True"),
        ("f('a') < 'soon'", "field\\('a'\\).lt: expected a datetime"),
        ("f('a') == np.datetime64('NaT', 's')", "expected a datetime"),
        ("f('a') == pd.NaT", "expected a datetime"),
        ("f('a') < np.datetime64(584_542, 'Y')", "expected a datetime"),
        ("f('a').between(1, NOON)", "field\\('a'\\): expected either only numbers or only datetimes"),
        ("f('a').any_of('x')", "field\\('a'\\).any: expected a list, got str 'x'"),
        ("f('a').none_of([1, 'x'])", "field\\('a'\\).except: expected either only strings or only integers"),
        ("f('a').text(1)", "field\\('a'\\).text: expected a string"),
        ("f('a').text_any(1)", "field\\('a'\\).text_any: expected a string"),
        ("f('a').phrase(1)", "field\\('a'\\).phrase: expected a string"),
        ("f('a').prefix(1)", "field\\('a'\\).prefix: expected a string"),
        ("f('a').substring(1)", "field\\('a'\\).substring: expected a string"),
        ("f('a').within_radius((1, 2), 3)", "field\\('a'\\).center: expected a geo point"),
        ("f('a').within_radius(PLACE, -1)", "field\\('a'\\).radius: expected 0 metres or more"),
        ("f('a').within_box(PLACE, {'lon': 1})", "field\\('a'\\).bottom_right: expected 'lat'"),
        ("f('a').within_polygon(RING[:-1])", "field\\('a'\\).exterior.points: expected 4 points or more"),
        ("f('a').count > 1.5", "field\\('a'\\).count.gt: expected an integer, got float 1.5"),
        ("f('a').count == -1", "field\\('a'\\).count.gte: expected an integer of 0"),
        ("A & {'key': 'a'}", "must\\[0\\]: expected a field condition with exactly one of"),
        ("A & {'nothing': 1}", "must\\[0\\]: expected a condition with one of"),
    ],
)
def test_what_cannot_be_compared_is_refused_where_it_is_written(code: str, message: str) -> None:
    with pytest.raises(InvalidFilter, match=message):
        eval(code, NAMES)


@pytest.mark.parametrize("path", ["", "a..b", "a[x]", 1, None])
def test_a_path_that_cannot_be_read_is_refused(path: Any) -> None:
    with pytest.raises(InvalidPath, match="field: expected a payload path"):
        field(path)


def test_a_field_alone_is_no_filter(col: Collection) -> None:
    for wrong in (field("a"), field("a").count):
        with pytest.raises(InvalidFilter, match="expected a filter, got"):
            col.count(wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidFilter, match="expected a condition, got"):
            col.count(Filter(must=[wrong]))  # type: ignore[list-item]


def test_ranges_stay_models() -> None:
    (condition,) = (field("a") < 1).must  # type: ignore[misc, union-attr]
    assert condition == FieldCondition("a", range=Range(lt=1))
