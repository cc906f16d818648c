"""The form of an operation in the log: exact there and back, complete, and never changed by accident."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from same import same

from vecstore import operations
from vecstore.encoding import pack
from vecstore.errors import UnsupportedFormat
from vecstore.filters import parse_filter
from vecstore.models import UpdateMode
from vecstore.operations import (
    KINDS,
    MODES,
    VERSION,
    BatchUpdate,
    ClearPayload,
    Column,
    Delete,
    DeletePayload,
    DeleteVectors,
    Ids,
    OverwritePayload,
    SetPayload,
    UpdateVectors,
    Upsert,
    decode,
    encode,
)
from vecstore.payloads import EMPTY

FILTERS = [
    {},
    {"must": [{"key": "color", "match": {"value": "red"}}]},
    {"should": [{"key": "at", "range": {"gte": "2024-05-01T12:00:00.123456+02:00", "lt": "2024-06-01"}}]},
    {"must_not": [{"key": "l[].x", "match": {"except": [1, 2]}}, {"has_id": [1, str(2**64 - 1).zfill(32)]}]},
    {"min_should": {"conditions": [{"is_null": {"key": "a"}}, {"has_vector": ""}], "min_count": 1}},
    {"must": [{"nested": {"key": "a", "filter": {"must": [{"key": "b", "range": {"gt": 1.5}}]}}}]},
    {"must": [{"key": "p", "geo_radius": {"center": {"lon": 13.4, "lat": 52.5}, "radius": 1000}}]},
    {"must": [{"slice": {"index": 1, "total": 3}}]},
]


def test_the_comparison_of_this_test_can_fail() -> None:
    column = Column(np.ones((1, 2), np.float32))
    assert same(column, Column(np.ones((1, 2), np.float32)))
    assert not same(column, Column(np.zeros((1, 2), np.float32)))
    assert not same(column, Column(np.ones((1, 2), np.float32), np.zeros(1, np.int64)))
    assert not same(Ids([b"a"]), Ids([b"b"]))
    assert not same({"a": 1}, {"a": True})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.lists(st.binary(min_size=9, max_size=17), min_size=1, max_size=5, unique=True)
SELECTORS = KEYS.map(Ids) | st.sampled_from(FILTERS).map(parse_filter)
NAMES = st.lists(st.text(), max_size=3).map(tuple)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def columns(draw: st.DrawFn, points: int) -> dict[str, Column]:
    return {name: draw(column(points)) for name in draw(st.lists(st.text(), max_size=2, unique=True))}


@st.composite
def column(draw: st.DrawFn, points: int) -> Column:
    placed = draw(st.sets(st.integers(0, points - 1), min_size=1))
    size = draw(st.integers(1, 4))
    rows = [draw(st.lists(FLOATS, min_size=size, max_size=size)) for _ in placed]
    positions = np.array(sorted(placed), dtype=np.int64) if len(placed) < points else None
    return Column(np.array(rows, dtype=np.float32), positions)


@st.composite
def upserts(draw: st.DrawFn) -> Upsert:
    keys = draw(KEYS)
    found = draw(columns(len(keys)))
    payloads = draw(st.lists(st.binary(max_size=5), min_size=len(keys), max_size=len(keys)))
    condition = draw(st.none() | st.sampled_from(FILTERS).map(parse_filter))
    return Upsert(keys, found, payloads, condition, draw(st.sampled_from(UpdateMode)))


@st.composite
def updates(draw: st.DrawFn) -> UpdateVectors:
    keys = draw(KEYS)
    condition = draw(st.none() | st.sampled_from(FILTERS).map(parse_filter))
    return UpdateVectors(keys, draw(columns(len(keys))), condition)


SINGLE = st.one_of(
    upserts(),
    updates(),
    st.builds(DeleteVectors, NAMES, SELECTORS),
    st.builds(SetPayload, st.dictionaries(st.text(), JSON, max_size=3), SELECTORS, st.none() | st.text()),
    st.builds(OverwritePayload, st.binary(), SELECTORS),
    st.builds(DeletePayload, NAMES, SELECTORS),
    st.builds(ClearPayload, SELECTORS),
    st.builds(Delete, SELECTORS),
)
OPERATIONS = SINGLE | st.builds(BatchUpdate, st.lists(SINGLE, max_size=3).map(tuple), st.booleans())


@given(OPERATIONS)
def test_an_operation_comes_back_exactly(operation: Any) -> None:
    data = encode(operation)
    assert same(decode(data), operation)
    assert encode(decode(data)) == data


def upsert(rows: int, size: int) -> Upsert:
    matrix = np.arange(rows * size, dtype=np.float32).reshape(rows, size)
    return Upsert([bytes([0] * 8 + [i]) for i in range(rows)], {"": Column(matrix)}, [EMPTY] * rows)


def test_decoded_vectors_are_aligned_views_of_the_data() -> None:
    data = encode(replace(upsert(3, 5), columns=upsert(3, 5).columns | upsert(3, 4).columns))
    matrix = decode(data).columns[""].matrix
    assert np.shares_memory(matrix, np.frombuffer(data, np.uint8))
    assert matrix.flags.c_contiguous
    assert matrix.flags.aligned
    assert not matrix.flags.writeable


def test_decoded_positions_are_int64() -> None:
    partial = Column(np.ones((2, 3), np.float32), np.array([0, 4], dtype=np.int64))
    found = decode(encode(replace(upsert(5, 3), columns={"a": partial}))).columns["a"]
    assert found.positions.dtype == np.int64
    assert found.positions.tolist() == [0, 4]


def test_every_operation_has_a_kind_and_every_kind_its_own_number() -> None:
    assert set(KINDS) == set(get_args(operations.Operation))
    assert len(set(KINDS.values())) == len(KINDS)
    assert set(MODES) == set(UpdateMode)
    assert len(set(MODES.values())) == len(MODES)


def test_every_field_has_a_form() -> None:
    assert operations._FORMS.keys() == {f.name for kind in KINDS for f in fields(kind)}


def test_the_words_about_the_form_agree_with_it() -> None:
    words = operations.__doc__ or ""
    numbered = dict(re.findall(r"(\d+) ([A-Z]\w+)[,\n]", words))
    assert numbered == {str(number): kind.__name__ for kind, number in KINDS.items()}
    modes = re.search(r"update_mode +(.+)", words)
    assert modes
    assert modes[1] == ", ".join(f"{number} {mode.value}" for mode, number in MODES.items())


def test_the_form_in_the_log_is_this_one() -> None:
    """If this fails, what old versions wrote cannot be read: give the form a new VERSION."""
    key = bytes(8) + b"\x07"
    written = [
        Upsert(
            [key],
            {"a": Column(np.array([[1, 2]], np.float32), np.array([0]))},
            [EMPTY],
            parse_filter({"must": [{"key": "n", "match": {"value": 2}}]}),
            UpdateMode.UPDATE_ONLY,
        ),
        SetPayload({"x": None}, Ids([key]), "a.b"),
        BatchUpdate((Delete(Ids([key])), DeletePayload(("k",), parse_filter({}))), atomic=False),
    ]
    upserted = [
        "0100000036000000",
        "0000803f00000040",
        "00000000",
        "960191c40900000000000000000791",
        "94a1610102c3",
        "91c40180",
        "81a46d7573749182a36b6579a16ea56d6174636881a576616c756502",
        "02",
    ]
    assert [encode(operation).hex() for operation in written] == [
        "".join(upserted),
        "0100000016000000940481a178c091c409000000000000000007a3612e62",
        "0100000018000000930992920891c409000000000000000007930691a16b80c2",
    ]


@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
def test_an_unknown_version_is_not_read(version: int) -> None:
    data = bytes([version]) + encode(Delete(Ids([b"k" * 9])))[1:]
    with pytest.raises(UnsupportedFormat, match=f"expected operations of version 1 .*, got version {version}"):
        decode(data)


@pytest.mark.parametrize("shape", [[b"x", 2**31 - 1], [2**31 - 1, b"x"], [-1, 1], [True, 5], [1.0, 5], [1, 2**62]])
def test_a_shape_that_is_none_is_not_read(shape: list[Any]) -> None:
    header = pack([KINDS[UpdateVectors], [b"k" * 9], [["a", *shape, False]], None])
    with pytest.raises(ValueError, match=r"expected|buffer|cannot|array is too big"):
        decode(bytes([VERSION, 0, 0, 0]) + len(header).to_bytes(4, "little") + bytes(20) + header)


@pytest.mark.parametrize("points", [1, operations.FEW_POINTS])
@pytest.mark.parametrize("payload", [EMPTY, pack({"text": "x" * 3000})])
@pytest.mark.parametrize("columns", [{}, {"": 300}, {"a": 4, "b": 5000}])
def test_the_size_of_few_points_is_about_that_of_their_form(
    points: int, payload: bytes, columns: dict[str, int]
) -> None:
    made = {name: Column(np.ones((points, size), np.float32)) for name, size in columns.items()}
    upsert = Upsert([b"\x00" * 8] * points, made, [payload] * points)
    size = operations.size_of_few(upsert)
    assert size is not None
    assert 0 <= len(encode(upsert)) - size <= 100 + 10 * points


def test_what_is_no_upsert_of_few_points_is_encoded_to_know_its_size() -> None:
    many = operations.FEW_POINTS + 1
    upsert = Upsert([b"\x00" * 8] * many, {}, [EMPTY] * many)
    filtered = Upsert([b"\x00" * 8], {}, [EMPTY], parse_filter(FILTERS[1]))
    others = [UpdateVectors([b"\x00" * 8], {}), Delete(Ids([b"\x00" * 8])), BatchUpdate([upsert], atomic=False)]
    assert [operations.size_of_few(one) for one in (upsert, filtered, *others)] == [None] * 5
