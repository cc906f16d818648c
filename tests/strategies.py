"""Payloads and filters for Hypothesis, few of each kind so that they meet, and a point to try filters on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from vecstore.filters import compile_filter, parse_filter
from vecstore.ids import key_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

IDS = [
    0,
    1,
    2,
    255,
    2**64 - 1,
    "00000000-0000-0000-0000-000000000000",
    "f47ac10b-58cc-4372-a567-0e02b2c3d479",
]


@dataclass
class Point:
    """A candidate for a filter, with the id 1 and the unnamed vector unless said otherwise."""

    payload: dict[str, Any] = field(default_factory=dict)
    id: int | str = 1
    vectors: tuple[str, ...] = ("",)

    @property
    def key(self) -> bytes:
        return key_of(self.id)

    def has_vector(self, name: str) -> bool:
        return name in self.vectors


def matches(wanted: Any, point: Point) -> bool:
    """Whether a point matches a filter in any of its spellings."""
    return compile_filter(parse_filter(wanted))(point)


INTEGERS = st.integers(-3, 3)
FLOATS = st.sampled_from([-1.25, 0.0, 0.5, 1.0, 2.0, 2.5])
STRINGS = st.sampled_from(["", "1", "red", "Red", "red wine", "Wine, RED!", "a red-ish wine", "été à Aix", "_x_"])
DATETIMES = st.sampled_from(
    [
        "2021-01-01",
        "2021-01-01T00:00",
        "2021-01-01 00:00:00",
        "2021-01-01T00:00:00Z",
        "2021-01-01T02:00:00+02:00",
        "2020-12-31T21:30:00.000001-0230",
        "2020-12-31t19:00:00.5-05",
        "1969-12-31T23:59:59.999999z",
    ]
)
DATETIME_BOUNDS = st.sampled_from(  # those that Qdrant's Python client reads as well
    ["2021-01-01", "2021-01-01T00:00:00", "2021-01-01T02:00:00+02:00", "2020-12-31T21:30:00.000001-02:30"]
)
NOT_DATETIMES = st.sampled_from(["2021-02-29", "2021-01-01T25:00:00Z", "yesterday", "1609459200"])
LONGITUDES = st.sampled_from([-180, -179, -10, -1, 0, 0.5, 1, 10, 179, 180])
LATITUDES = st.sampled_from([-90, -10, -1, 0, 0.5, 1, 10, 90])
PLACES = st.fixed_dictionaries({"lon": LONGITUDES, "lat": LATITUDES})

SCALARS = st.none() | st.booleans() | INTEGERS | FLOATS | STRINGS | DATETIMES | NOT_DATETIMES | PLACES
NAMES = st.sampled_from(["a", "b"])
VALUES = st.recursive(
    SCALARS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(NAMES, values, max_size=2),
    max_leaves=8,
)
FILTER_PAYLOADS = st.dictionaries(NAMES, VALUES, max_size=2)
"""Payloads for filters: the values that conditions look for, in every depth they can be found in."""

PATHS = st.sampled_from(["a", "b", "a[]", "a.b", "a[].b", "a[0]", "a[1].b", "b[].a[]", "a[][]", "a.b.a"])


def bounds(values: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(["lt", "gt", "gte", "lte"]), values, min_size=1, max_size=2)


def lists_of_one_kind() -> SearchStrategy[list[Any]]:
    return st.lists(INTEGERS, max_size=3) | st.lists(STRINGS, max_size=3)


def matches_of(booleans: bool = True) -> SearchStrategy[dict[str, Any]]:
    """Matches of every kind; without those of a bool, which not every oracle can express."""
    values = INTEGERS | STRINGS | st.booleans() if booleans else INTEGERS | STRINGS
    return st.one_of(
        st.fixed_dictionaries({"value": values}),
        st.fixed_dictionaries({"any": lists_of_one_kind()}),
        st.fixed_dictionaries({"except": lists_of_one_kind()}),
        *(st.fixed_dictionaries({kind: STRINGS}) for kind in ("text", "text_any", "phrase", "prefix", "substring")),
    )


def _rectangle(corners: tuple[float, float, float, float]) -> dict[str, Any]:
    left, right, bottom, top = corners
    ring = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    return {"points": [{"lon": lon, "lat": lat} for lon, lat in ring]}


RECTANGLES = st.tuples(LONGITUDES, LONGITUDES, LATITUDES, LATITUDES).map(_rectangle)
POLYGONS = st.fixed_dictionaries({"exterior": RECTANGLES}, optional={"interiors": st.lists(RECTANGLES, max_size=2)})
RADII = st.fixed_dictionaries({"center": PLACES, "radius": st.sampled_from([0, 1, 120_000, 2e6, 1e9])})
BOXES = st.fixed_dictionaries({"top_left": PLACES, "bottom_right": PLACES})


def field_conditions(booleans: bool = True) -> SearchStrategy[dict[str, Any]]:
    """Field conditions with every clause, as REST dicts."""
    clauses: dict[str, SearchStrategy[Any]] = {
        "match": matches_of(booleans),
        "range": bounds(INTEGERS | FLOATS) | bounds(DATETIME_BOUNDS),
        "values_count": bounds(st.integers(0, 3)),
        "geo_radius": RADII,
        "geo_bounding_box": BOXES,
        "geo_polygon": POLYGONS,
        "is_empty": st.booleans(),
        "is_null": st.booleans(),
    }
    return st.one_of(*(st.fixed_dictionaries({"key": PATHS, name: clause}) for name, clause in clauses.items()))


def conditions(booleans: bool = True) -> SearchStrategy[dict[str, Any]]:
    """Conditions that hold no other conditions, as REST dicts."""
    # Deferred, or Hypothesis would warn of how long the strategy is when written out.
    return st.deferred(lambda: _conditions(booleans))


def _conditions(booleans: bool) -> SearchStrategy[dict[str, Any]]:
    paths = st.fixed_dictionaries({"key": PATHS})
    return st.one_of(
        field_conditions(booleans),
        field_conditions(booleans),
        st.fixed_dictionaries({"is_empty": paths}),
        st.fixed_dictionaries({"is_null": paths}),
        st.fixed_dictionaries({"has_id": st.lists(st.sampled_from(IDS), max_size=3)}),
        st.fixed_dictionaries({"has_vector": st.sampled_from(["", "unknown"])}),
        st.one_of(
            st.fixed_dictionaries(
                {"slice": st.fixed_dictionaries({"total": st.just(total), "index": st.integers(0, total - 1)})}
            )
            for total in (1, 2, 3)
        ),
    )


def filters(booleans: bool = True) -> SearchStrategy[dict[str, Any]]:
    """Filters of every kind of condition, in several levels, as REST dicts."""
    one = st.fixed_dictionaries({"must": conditions(booleans)})
    return one | st.recursive(_filters_of(conditions(booleans)), _filters_with, max_leaves=4)


def _filters_with(inner: SearchStrategy[dict[str, Any]]) -> SearchStrategy[dict[str, Any]]:
    nested = st.fixed_dictionaries({"key": PATHS, "filter": inner})
    return _filters_of(inner | st.fixed_dictionaries({"nested": nested}))


def _filters_of(parts: SearchStrategy[dict[str, Any]]) -> SearchStrategy[dict[str, Any]]:
    some = st.lists(parts, max_size=3)
    min_should = st.fixed_dictionaries({"conditions": some, "min_count": st.integers(1, 3)})
    return st.one_of(
        st.fixed_dictionaries({"must": parts | some}),
        st.fixed_dictionaries({"should": parts | some}),
        st.fixed_dictionaries({"must_not": parts | some}),
        st.fixed_dictionaries({"min_should": min_should}),
        st.fixed_dictionaries({}, optional={"must": some, "should": some, "must_not": some, "min_should": min_should}),
    )
