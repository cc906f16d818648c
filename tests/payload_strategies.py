"""Payloads and payload paths for Hypothesis: few keys, so that the paths lead somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from vecstore.paths import ALL, Path

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

KEYS = st.sampled_from(["a", "b", "c", "a.b", "", "é 1"])

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, -1.25, "", "x"])


def containers(values: SearchStrategy[Any], keys: SearchStrategy[str]) -> SearchStrategy[Any]:
    return st.lists(values, max_size=3) | st.dictionaries(keys, values, max_size=3)


VALUES = st.recursive(SCALARS, lambda values: containers(values, KEYS), max_leaves=12)
PAYLOADS = st.dictionaries(KEYS, VALUES, max_size=4)

JSON_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(JSON_SCALARS, lambda values: containers(values, st.text()))
JSON_PAYLOADS = st.dictionaries(st.text(), JSON)

STEPS = KEYS | st.integers(0, 2) | st.just(ALL)


@st.composite
def paths(draw: st.DrawFn) -> Path:
    return (draw(KEYS), *draw(st.lists(STEPS, max_size=4)))
