"""What a vector may be, how it is copied and normalised, and how a collection's vectors are described."""

from __future__ import annotations

import sys
from array import array
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import qdrant_client.models as theirs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vecstore.errors import InvalidRequest, InvalidType, InvalidVector, UnknownVector
from vecstore.models import Distance, VectorParams
from vecstore.vectors import as_matrix, as_vector, known, normalised, parse_vector_params

THREE = VectorParams(3, Distance.DOT)
EPSILON = np.finfo(np.float32).eps


class ArrayLike:
    def __init__(self, found: Any) -> None:
        self.found = found

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if isinstance(self.found, BaseException):
            raise self.found
        return np.asarray(self.found, dtype=dtype)


def cyclic() -> list[Any]:
    inner: list[Any] = [1.0, 2.0]
    inner.append(inner)
    return inner


GOOD = [
    [1, 2, 3],
    (1.0, 2.0, 3.0),
    np.array([1, 2, 3], dtype=np.uint8),
    np.array([1, 2, 3], dtype=np.int64),
    np.array([1, 2, 3], dtype=np.float16),
    np.array([1, 2, 3], dtype=np.longdouble),
    np.array([1, 2, 3], dtype=">f4"),
    np.array([3, 2, 1], dtype=np.float32)[::-1],
    np.arange(1, 7, dtype=np.float32).repeat(2)[:6:2],
    [np.float32(1), np.int8(2), 3],
    array("d", [1, 2, 3]),
    ArrayLike([1, 2, 3]),
    np.ma.array([1, 2, 3]),
    range(1, 4),
]


@pytest.mark.parametrize("value", GOOD, ids=lambda value: type(value).__name__)
def test_a_vector_is_anything_that_is_an_array_of_numbers(value: Any) -> None:
    vector = as_vector(value, THREE, "it")
    assert vector.dtype == np.float32
    assert vector.flags.c_contiguous
    assert vector.flags.writeable
    assert vector.tolist() == [1, 2, 3]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_a_matrix_is_c_contiguous_float32(order: Any, dtype: Any) -> None:
    source = np.array([[1, 2, 3], [4, 5, 6]], dtype=dtype, order=order)
    matrix = as_matrix(source, THREE, "it")
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert matrix.tolist() == source.tolist()


def test_a_matrix_may_be_a_list_of_rows_of_any_kind() -> None:
    rows = [[1, 2, 3], (4, 5, 6), np.array([7, 8, 9])]
    assert as_matrix(rows, THREE, "it").tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


@pytest.mark.parametrize("writeable", [True, False])
def test_what_comes_out_is_a_copy(writeable: bool) -> None:
    source = np.ones((2, 3), dtype=np.float32)
    source.flags.writeable = writeable
    copies = as_matrix(source, THREE, "it"), as_vector(source[0], THREE, "it")
    for copy in copies:
        assert not np.shares_memory(copy, source)
        copy[...] = 5
    assert source.tolist() == [[1, 1, 1], [1, 1, 1]]


BAD_VECTORS = [
    ([1, 2], "expected 3 numbers, got 2"),
    ([1, 2, 3, 4], "expected 3 numbers, got 4"),
    ([], "expected 3 numbers, got none"),
    (np.empty((0, 3)), "expected 3 numbers, got none"),
    ([[1, 2, 3]], r"expected 3 numbers, got an array of shape \(1, 3\)"),
    (5, r"expected 3 numbers, got an array of shape \(\)"),
    ([1, 2, [3]], "expected 3 numbers, got setting an array element"),
    ([1, 2, None], "expected numbers, got the dtype object"),
    ([True, False, True], "expected numbers, got the dtype bool"),
    (["1", "2", "3"], "expected numbers, got the dtype <U1"),
    ([1, 2, "3"], "expected numbers, got the dtype <U"),
    ([1, 2, 3j], "expected numbers, got the dtype complex128"),
    (np.array(["2024-01-01"] * 3, dtype="M8[D]"), "expected numbers, got the dtype datetime64"),
    ([10**400, 1, 2], "expected numbers, got the dtype object"),
    ("abc", "expected numbers, got str 'abc'"),
    (b"abc", "expected numbers, got bytes"),
    (None, "expected numbers, got NoneType None"),
    ({"indices": [1], "values": [2.0]}, "expected numbers, got dict"),
    ({1, 2, 3}, "expected numbers, got set"),
    (iter([1, 2, 3]), "expected numbers, got list_iterator"),
    (SimpleNamespace(x=1), "expected numbers, got SimpleNamespace"),
    (ArrayLike(RuntimeError("requires grad")), "expected 3 numbers, got requires grad"),
    (cyclic(), "expected 3 numbers, got setting an array element"),
    ([1, float("nan"), 3], "expected finite float32 numbers, got nan at position 1"),
    ([1, 2, float("-inf")], "expected finite float32 numbers, got -inf at position 2"),
    ([1, 2, 1e39], r"expected finite float32 numbers, got 1e\+39 at position 2"),
    (np.ones(2, np.float32), "expected 3 numbers, got 2"),
    (np.ones((2, 3), np.float32), r"expected 3 numbers, got an array of shape \(2, 3\)"),
    (np.ma.array([1, 2, 3], mask=[0, 1, 0]), "expected numbers, got masked ones in MaskedArray"),
    (np.float32(3), r"expected 3 numbers, got an array of shape \(\)"),
    (np.array([1, np.nan, 3], np.float32), "expected finite float32 numbers, got nan at position 1"),
]


@pytest.mark.parametrize(("value", "message"), BAD_VECTORS)
def test_rule_13_a_bad_vector_is_named_with_what_came(value: Any, message: str) -> None:
    with pytest.raises(InvalidVector, match=f"^the vector 'text': {message}"):
        as_vector(value, THREE, "the vector 'text'")


@pytest.mark.parametrize("module", [None, ModuleType("numpy.ma")])
def test_masked_arrays_are_looked_for_where_numpy_has_them(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType | None
) -> None:
    """Its module is imported when it is first wanted, and then is there before what is in it."""
    monkeypatch.setitem(sys.modules, "numpy.ma", module)  # type: ignore[arg-type]
    assert as_matrix([[1, 2, 3]], THREE, "it").tolist() == [[1, 2, 3]]
    assert as_vector(np.arange(3), THREE, "it").tolist() == [0, 1, 2]


BAD_MATRICES = [
    ([1, 2, 3], r"expected rows of 3 numbers, got an array of shape \(3,\)"),
    ([[1, 2], [3, 4]], "expected rows of 3 numbers, got 2"),
    ([[1, 2, 3], [4, 5]], "expected rows of 3 numbers, got 2 in row 1"),
    ([[1, 2, 3], 4], "expected rows of 3 numbers, got int 4 in row 1"),
    ([[1, 2, 3], [4, 5, [6]]], "expected rows of 3 numbers, got setting an array element"),
    (np.ones((2, 3, 1)), r"expected rows of 3 numbers, got an array of shape \(2, 3, 1\)"),
    ([[1, 2, 3], np.ma.array([1, 2, 3], mask=[0, 1, 0])], "expected numbers, got masked ones in list"),
    (np.ma.array(np.ones((1, 3)), mask=[[0, 0, 1]]), "expected numbers, got masked ones in MaskedArray"),
    (np.empty((0, 3)), "expected rows of 3 numbers, got none"),
    ([], "expected rows of 3 numbers, got none"),
    ([[1, 2, 3], None], "expected rows of 3 numbers, got NoneType None in row 1"),
    (np.zeros((2, 3), dtype=bool), "expected numbers, got the dtype bool"),
    ([[1, 2, 3], [4, float("inf"), 6]], "expected finite float32 numbers, got inf at position 1 in row 1"),
    (np.array([[0, 0, 0], [0, 0, 1e300]]), r"expected .* got 1e\+300 at position 2 in row 1"),
    (np.ones(3, np.float32), r"expected rows of 3 numbers, got an array of shape \(3,\)"),
    (np.ones((2, 2), np.float32), "expected rows of 3 numbers, got 2"),
    (np.empty((0, 3), np.float32), "expected rows of 3 numbers, got none"),
    (np.array([[1, 2, 3], [np.inf, 5, 6]], np.float32), "expected .* got inf at position 0 in row 1"),
]


def test_numbers_whose_squares_overflow_are_taken() -> None:
    huge = np.array([3e38, -3e38, 1], np.float32)
    assert as_vector(huge, THREE, "it").tolist() == huge.tolist()
    assert as_matrix([huge, huge], THREE, "it").tolist() == [huge.tolist()] * 2


@pytest.mark.parametrize(("value", "message"), BAD_MATRICES)
def test_rule_13_a_bad_matrix_is_named_with_the_row(value: Any, message: str) -> None:
    with pytest.raises(InvalidVector, match=f"^it: {message}"):
        as_matrix(value, THREE, "it")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.complex_numbers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=12,
)


@given(ANYTHING | arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(max_dims=3, max_side=4)))
def test_anything_is_a_vector_or_an_error(value: Any) -> None:
    try:
        vector = as_vector(value, THREE, "it")
    except InvalidVector:
        return
    assert vector.shape == (3,)
    assert np.isfinite(vector).all()


def as_qdrant(vector: np.ndarray) -> np.ndarray:
    """The oracle: Qdrant's rule, one number after the other."""
    squared = np.float32(0)
    for x in vector:
        squared += x * x
    if squared < EPSILON or abs(squared - np.float32(1)) <= np.float32(1e-6):
        return vector
    return np.array([x / np.sqrt(squared) for x in vector], dtype=np.float32)


COMPONENTS = st.floats(-1e4, 1e4, width=32) | st.floats(-(2.0**-12), 2.0**-12, width=32)


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=COMPONENTS))
def test_rule_14_rows_are_normalised_as_in_qdrant(matrix: np.ndarray) -> None:
    result = normalised(matrix, Distance.COSINE)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, [as_qdrant(row) for row in matrix], rtol=3e-6, atol=1e-30)


def test_rule_14_three_four_is_point_six_point_eight() -> None:
    np.testing.assert_allclose(normalised(np.array([3, 4], np.float32), Distance.COSINE), [0.6, 0.8])


@pytest.mark.parametrize(
    "kept",
    [
        [0.0, 0.0],
        [0.0, np.sqrt(EPSILON * np.float32(0.99))],
        [0.0, 1.0],
        [0.0, np.float32(1 + 4e-7)],
        [0.0, np.float32(1 - 4e-7)],
    ],
)
def test_rule_14_tiny_and_unit_vectors_are_kept_as_they_are(kept: list[float]) -> None:
    matrix = np.array([kept, [3, 4]], dtype=np.float32)
    result = normalised(matrix, Distance.COSINE)
    assert result[0].tolist() == matrix[0].tolist()
    assert result[1].tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("changed", [np.sqrt(EPSILON * np.float32(1.01)), 1 + 1e-6, 1 - 1e-6])
def test_rule_14_outside_of_the_bounds_vectors_are_normalised(changed: float) -> None:
    result = normalised(np.array([0, changed], dtype=np.float32), Distance.COSINE)
    assert result.tolist() == [0, 1]


def test_rule_14_huge_components_do_not_overflow() -> None:
    largest = np.finfo(np.float32).max
    matrix = np.array([[largest, largest], [3e30, -4e30], [3, 4], [0, 0], [1e-9, 0]], dtype=np.float32)
    result = normalised(matrix, Distance.COSINE)
    np.testing.assert_allclose(result[:3], [[0.5**0.5, 0.5**0.5], [0.6, -0.8], [0.6, 0.8]], rtol=1e-6)
    assert result[3:].tolist() == matrix[3:].tolist()


@pytest.mark.parametrize("distance", [Distance.DOT, Distance.EUCLID, Distance.MANHATTAN])
def test_rule_14_only_cosine_is_normalised(distance: Distance) -> None:
    assert normalised(np.array([3, 4], np.float32), distance).tolist() == [3, 4]


def test_normalising_leaves_its_argument_alone() -> None:
    matrix = np.array([[3, 4], [3e30, 4e30]], dtype=np.float32)
    before = matrix.copy()
    normalised(matrix, Distance.COSINE)
    assert (matrix == before).all()


def test_known_is_the_parameters_of_a_name() -> None:
    assert known({"a": THREE}, "a") is THREE


@pytest.mark.parametrize(
    ("schema", "name", "message"),
    [
        ({"b": THREE, "a": THREE}, "c", r"vectors by name \('a', 'b'\), got the vector 'c'"),
        ({"a": THREE}, "", r"vectors by name \('a'\), got the unnamed vector"),
        ({"": THREE}, "a", "the unnamed vector, which is all the collection has, got the vector 'a'"),
        ({}, "", "no vector, because the collection has none, got the unnamed vector"),
    ],
)
def test_rule_13_an_unknown_vector_is_named_with_the_names_there_are(schema: Any, name: str, message: str) -> None:
    with pytest.raises(UnknownVector, match=message) as caught:
        known(schema, name)
    assert caught.value.name == name


@pytest.mark.parametrize("name", [None, 1, [], ["a"], b"a"])
def test_a_vector_name_that_is_no_string_is_an_error(name: Any) -> None:
    with pytest.raises(InvalidType, match="expected a vector name, got"):
        known({"a": THREE}, name)


COSINE = VectorParams(4, Distance.COSINE)


@pytest.mark.parametrize(
    "value",
    [
        COSINE,
        {"size": 4, "distance": "Cosine"},
        {"size": np.int64(4), "distance": Distance.COSINE, "on_disk": None},
        theirs.VectorParams(size=4, distance=theirs.Distance.COSINE),
        SimpleNamespace(size=4, distance="Cosine"),
        {"": COSINE},
    ],
)
def test_parameters_of_the_unnamed_vector(value: Any) -> None:
    assert parse_vector_params(value) == {"": COSINE}


def test_parameters_of_named_vectors() -> None:
    found = parse_vector_params(
        {
            "image": {"size": 4, "distance": "Cosine"},
            "text": theirs.VectorParams(size=3, distance=theirs.Distance.DOT),
            "size": THREE,
            "distance": COSINE,
            "名前 🙂": THREE,
            "x" * 255: THREE,
        }
    )
    assert found == {
        "image": COSINE,
        "text": THREE,
        "size": THREE,
        "distance": COSINE,
        "名前 🙂": THREE,
        "x" * 255: THREE,
    }


def test_a_collection_may_have_no_vectors() -> None:
    assert parse_vector_params({}) == {}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "expected the vector parameters as a size and a distance, got NoneType"),
        (4, "expected the vector parameters as a size and a distance, got int 4"),
        ([COSINE], "expected the vector parameters as a size and a distance, got list"),
        ({"size": 4}, "expected the vector parameters as a size and a distance, got dict"),
        ({"distance": "Dot"}, "expected the vector parameters as a size and a distance, got dict"),
        ({"a": None}, "expected the parameters of the vector 'a' as a size and a distance, got NoneType"),
        ({"a": {"size": 4}}, "expected the parameters of the vector 'a' as a size and a distance, got dict"),
        ({"a": {1: 2}}, "with string keys, got the key 1"),
        ({"size": 0, "distance": "Dot"}, "expected a vector size of 1 to 65536, got 0"),
        ({"size": 65_537, "distance": "Dot"}, "expected a vector size of 1 to 65536, got 65537"),
        ({"size": "4", "distance": "Dot"}, "expected a vector size in dimensions"),
        ({"size": True, "distance": "Dot"}, "expected a vector size in dimensions"),
        ({"size": 4, "distance": "cosine"}, r"expected a distance \(Cosine, Dot, Euclid, Manhattan\)"),
        ({1: COSINE}, "expected a vector name of 1 to 255 characters, got int 1"),
        ({"x" * 256: COSINE}, "expected a vector name of 1 to 255 characters, got str"),
        ({"a\0b": COSINE}, "without control characters"),
        ({"a\nb": COSINE}, "without control characters"),
        ({"a\ud800": COSINE}, "without control characters"),
        ({"": COSINE, "a": COSINE}, "one unnamed vector or several named ones, got both"),
    ],
)
def test_bad_parameters_are_an_error(value: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse_vector_params(value)


@pytest.mark.parametrize("option", ["on_disk", "datatype", "quantization_config"])
def test_an_option_that_does_not_exist_is_not_ignored(option: str) -> None:
    params = {"size": 4, "distance": "Dot", option: {}}
    with pytest.raises(InvalidRequest, match=f"^the vector parameters: {option} is not supported"):
        parse_vector_params(params)
    with pytest.raises(InvalidRequest, match=f"^the parameters of the vector 'a': {option} is not supported"):
        parse_vector_params({"a": params})


def test_an_option_of_their_client_is_not_ignored_either() -> None:
    with pytest.raises(InvalidRequest, match="on_disk is not supported"):
        parse_vector_params(theirs.VectorParams(size=4, distance=theirs.Distance.DOT, on_disk=False))


@given(ANYTHING)
def test_any_parameters_are_read_or_an_error(value: Any) -> None:
    try:
        found = parse_vector_params(value)
    except InvalidRequest:
        return
    assert all(isinstance(params, VectorParams) for params in found.values())
