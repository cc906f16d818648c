"""What a payload may hold, and that it comes back as it went in."""

from __future__ import annotations

import enum
import json
import math
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType, SimpleNamespace
from typing import Any
from uuid import UUID

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payload_strategies import JSON_PAYLOADS

from vecstore.errors import InvalidPayload, InvalidRequest, InvalidType, VecstoreError
from vecstore.payloads import (
    EMPTY,
    MAX_DEPTH,
    MAX_PAYLOAD_BYTES,
    freeze_payload,
    pack_payload,
    pack_payloads,
    unpack_payload,
)

NAN, INFINITY = math.nan, math.inf
UTC = timezone.utc
Point = namedtuple("Point", "x y")


class Color(str, enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Celsius(float):
    __slots__ = ()


class Unnamed(enum.Enum):
    ONE = 1


class NotATime(datetime):
    """As pandas' NaT: a datetime that is equal to nothing."""

    def __ne__(self, other: object) -> bool:
        return True


def kept(value: Any) -> Any:
    """What a value in a payload is read back as."""
    return unpack_payload(pack_payload({"value": value}))["value"]


def same(first: Any, second: Any) -> bool:
    """Equal, and of the same types all the way down: 1 is not 1.0 is not True."""
    return json.dumps(first) == json.dumps(second)


def nested(levels: int) -> dict[str, Any]:
    """A payload of that many levels, objects and arrays by turns."""
    value: Any = [] if levels % 2 == 0 else {}
    for level in range(levels - 1, 0, -1):
        value = [value] if level % 2 == 0 else {"a": value}
    return value


JSON_AS_IT_IS = [
    None,
    True,
    False,
    0,
    -1,
    2**63,
    2**64 - 1,
    -(2**63),
    1.0,
    -0.0,
    5e-324,
    1.7976931348623157e308,
    "",
    "é 名前 😀 \x00",
    [],
    {},
    [[], [[]], {}],
    {"a": {"b": [1, 2.0, "3", None, {"c": False}]}, "": 0},
    [1, 1.0, True, "1"],
]


@pytest.mark.parametrize("value", JSON_AS_IT_IS, ids=lambda value: repr(value)[:30])
def test_json_comes_back_as_it_went_in(value: Any) -> None:
    assert same(kept(value), value)
    # beside a value that must be looked at, everything takes the careful way
    assert same(kept([value, ()]), [value, []])


@given(JSON_PAYLOADS)
def test_any_json_comes_back_as_it_went_in(payload: dict[str, Any]) -> None:
    assert same(unpack_payload(pack_payload(payload)), payload)
    assert same(freeze_payload(payload), payload)
    assert same(freeze_payload(OrderedDict(payload)), payload)


NORMALISED = [
    ((1, (2, ())), [1, [2, []]]),
    (Point(1, 2), [1, 2]),
    (OrderedDict(a=1), {"a": 1}),
    (defaultdict(list, a=[1]), {"a": [1]}),
    (MappingProxyType({"a": (1,)}), {"a": [1]}),
    ({Color.RED: 1}, {"red": 1}),
    (Color.RED, "red"),
    (Level.HIGH, 3),
    (Celsius(2.5), 2.5),
    (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (date(2024, 5, 1), "2024-05-01"),
    (datetime(2024, 5, 1, 12, 30), "2024-05-01T12:30:00"),
    (datetime(2024, 5, 1, 12, 30, 0, 5, tzinfo=UTC), "2024-05-01T12:30:00.000005+00:00"),
    (datetime(2024, 5, 1, tzinfo=timezone(timedelta(hours=-5))), "2024-05-01T00:00:00-05:00"),
    (datetime(1880, 5, 1, tzinfo=timezone(timedelta(seconds=1172))), "1880-04-30T23:40:28+00:00"),
    (np.bool_(True), True),
    (np.int8(-3), -3),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.float16(0.5), 0.5),
    (np.float64(0.1), 0.1),
    (np.longdouble(0.5), 0.5),
    (np.str_("x"), "x"),
    (np.datetime64("2024-05-01T12:30:00.5"), "2024-05-01T12:30:00.500000"),
    (np.datetime64("2024-05-01T12:30", "ns"), "2024-05-01T12:30:00"),
    (np.datetime64("2024-05-01"), "2024-05-01"),
    (np.arange(3), [0, 1, 2]),
    (np.array([[0.5, 1], [2, 3]], np.float32), [[0.5, 1.0], [2.0, 3.0]]),
    (np.array([True]), [True]),
    (np.array(["x", "yz"]), ["x", "yz"]),
    (np.array([1, "x", None], object), [1, "x", None]),
    (np.array(["2024-05-01"], "datetime64[ns]"), ["2024-05-01T00:00:00"]),
    (np.array([], np.float32), []),
    (np.array(5), 5),
    (np.array([1, 2], ">i4")[::-1], [2, 1]),
    (np.ones((2, 0)), [[], []]),
]


@pytest.mark.parametrize(("value", "stored"), NORMALISED, ids=lambda value: repr(value)[:40])
def test_what_json_has_a_form_for_is_stored_in_it(value: Any, stored: Any) -> None:
    assert same(kept(value), stored)
    assert same(kept([{"deep": value}]), [{"deep": stored}])


@given(st.datetimes(timezones=st.none() | st.just(UTC)))
def test_a_datetime_can_be_read_back(moment: datetime) -> None:
    assert datetime.fromisoformat(kept(moment)) == moment


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append({"again": [value, value]})
    return value


def object_cell() -> np.ndarray[Any, Any]:
    value = np.empty((), object)
    value[()] = value
    return value


NOT_JSON = [
    NAN,
    INFINITY,
    -INFINITY,
    np.float32("nan"),
    Celsius("nan"),
    np.longdouble("inf"),
    2**64,
    -(2**63) - 1,
    10**400,
    b"bytes",
    bytearray(b"bytes"),
    memoryview(b"bytes"),
    np.bytes_(b"bytes"),
    {1, 2},
    frozenset(),
    deque([1]),
    range(3),
    (number for number in range(3)),
    Decimal(1),
    1j,
    time(1),
    timedelta(1),
    Unnamed.ONE,
    SimpleNamespace(a=1),
    object(),
    int,
    print,
    msgpack.Timestamp(1),
    "lone \ud800",
    np.str_("\udfff"),
    np.timedelta64(5, "s"),
    np.datetime64("NaT", "s"),
    np.datetime64("NaT", "ns"),
    np.datetime64("20000-01-01"),
    np.datetime64(2**62, "Y"),
    NotATime(2024, 5, 1),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1, seconds=1))),
    np.array([1j]),
    np.array([b"x"]),
    np.array([(1, 2)], "i4,i4"),
    np.array([5], "timedelta64[s]"),
    object_cell(),
    {1: "integer key"},
    {None: 1},
    {True: 1},
    {b"a": 1},
    {("a",): 1},
    {"a": 1, 2: 2},
    {"\ud800": 1},
]


@pytest.mark.parametrize("value", NOT_JSON, ids=lambda value: type(value).__name__)
def test_anything_else_is_an_error_that_names_the_path(value: Any) -> None:
    """Edge refuses less: it stores integers over 64 bits as floats, and bytes as arrays of integers."""
    payload = {"fine": 1, "items": [0, {"x y": value}]}
    with pytest.raises(InvalidPayload, match=r'at items\[1\]\."x y"$') as caught:
        pack_payload(payload)
    assert caught.value.path == 'items[1]."x y"'
    with pytest.raises(InvalidPayload):
        freeze_payload({"value": value})


@pytest.mark.parametrize(
    ("payload", "path", "message"),
    [
        ({"items": [0, 1, 2, {"price": NAN}]}, "items[3].price", r"finite number, got float nan"),
        ({"a": {"b": b"x"}}, "a.b", r"expected JSON .*, got bytes b'x'"),
        ({"a": np.array([1.0, INFINITY])}, "a[1]", r"finite number, got float inf"),
        ({"n": 2**64}, "n", r"integer of -2\*\*63 to 2\*\*64 - 1, got int 18446744073709551616"),
        ({"n": -(10**5000)}, "n", r"integer of .*, got int"),
        ({"e": msgpack.ExtType(1, b"x")}, "e[1]", r"expected JSON .*, got bytes b'x'"),
        ({"a": {1: 2}}, "a", r"string keys, got the key int 1"),
        ({1: 2}, "", r"string keys, got the key int 1"),
        ({"a": "\udc80"}, "a", r"lone surrogate in str '\\udc80'"),
    ],
)
def test_an_error_says_what_was_expected_and_what_came(payload: Any, path: str, message: str) -> None:
    with pytest.raises(InvalidPayload, match=message) as caught:
        pack_payload(payload)
    assert caught.value.path == path


@pytest.mark.parametrize("payload", [5, "text", [], [("a", 1)], b"", 1.5, True, object(), dict])
def test_a_payload_is_an_object(payload: Any) -> None:
    with pytest.raises(InvalidPayload, match=r"expected a payload \(an object") as caught:
        pack_payload(payload)
    assert caught.value.path == ""
    with pytest.raises(InvalidPayload):
        pack_payloads([{}, payload], 2)
    with pytest.raises(InvalidPayload):
        freeze_payload(payload)


def test_no_payload_is_an_empty_one() -> None:
    assert EMPTY == pack_payload(None) == pack_payload({}) == pack_payload(MappingProxyType({}))
    assert unpack_payload(EMPTY) == {}
    assert pack_payloads(None, 2) == pack_payloads([None, {}], 2) == [EMPTY, EMPTY]


def test_there_is_no_payload_to_freeze_in_none() -> None:
    with pytest.raises(InvalidPayload):
        freeze_payload(None)


def test_nesting_has_a_limit() -> None:
    assert freeze_payload(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    assert freeze_payload(OrderedDict(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    array: Any = np.ones((1,) * 32)
    for _ in range(MAX_DEPTH - 32):
        array = [array]
    for payload in (nested(MAX_DEPTH + 1), nested(5000), {"a": array}):
        with pytest.raises(InvalidPayload, match=f"at most {MAX_DEPTH} levels"):
            pack_payload(payload)


def test_a_cycle_is_an_error() -> None:
    payload: dict[str, Any] = {"a": 1}
    payload["b"] = payload
    for value in (payload, {"value": cycle()}):
        with pytest.raises(InvalidPayload, match="or a cycle"):
            pack_payload(value)


def test_a_payload_has_a_largest_size() -> None:
    fits = MAX_PAYLOAD_BYTES - len(pack_payload({"text": "x" * 2**16})) + 2**16
    assert len(pack_payload({"text": "x" * fits})) == MAX_PAYLOAD_BYTES
    with pytest.raises(InvalidPayload, match=f"at most {MAX_PAYLOAD_BYTES} bytes"):
        pack_payload({"text": "x" * (fits + 1)})
    with pytest.raises(InvalidPayload, match=r"in payload 1$"):
        pack_payloads([{}, {"text": "x" * (fits + 1)}], 2)


def test_a_value_too_large_to_be_copied_is_not_copied() -> None:
    with pytest.raises(InvalidPayload, match=f"at most {MAX_PAYLOAD_BYTES} bytes"):
        pack_payload({"array": np.broadcast_to(np.int8(1), (10**12,))})


def test_what_is_packed_does_not_follow_the_caller() -> None:
    payload = {"list": [1], "object": {"a": 1}, "array": np.zeros(1)}
    frozen, packed = freeze_payload(payload), pack_payload(payload)
    payload["list"].append(2)
    payload["object"]["a"] = 2
    payload["array"][0] = 2
    assert frozen == unpack_payload(packed) == {"list": [1], "object": {"a": 1}, "array": [0.0]}


def test_many_payloads_are_packed_in_order() -> None:
    payloads = [{"n": i, "odd": (i,)} if i % 300 == 7 else {"n": i} for i in range(1000)]
    assert pack_payloads(payloads, 1000) == [pack_payload(p) for p in payloads]
    assert pack_payloads(tuple(payloads), 1000) == pack_payloads(np.array(payloads, object), 1000)


def test_an_error_names_the_payload() -> None:
    payloads: list[Any] = [{"n": i} for i in range(1000)]
    payloads[777] = {"n": [NAN]}
    with pytest.raises(InvalidPayload, match=r"got float nan at n\[0\] in payload 777$"):
        pack_payloads(payloads, 1000)


@pytest.mark.parametrize("payloads", [[], [{}], [{}] * 3])
def test_every_point_has_a_payload(payloads: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"each of the 2 points, got {len(payloads)}"):
        pack_payloads(payloads, 2)


@pytest.mark.parametrize("payloads", [5, "ab", b"ab", {"a": 1}, np.array(5), object()])
def test_payloads_are_a_list(payloads: Any) -> None:
    with pytest.raises(InvalidType, match="expected a list of payloads"):
        pack_payloads(payloads, 1)


class Odd(Mapping[str, Any]):
    """A mapping that is no dict."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getitem__(self, key: str) -> Any:
        return self.value

    def __iter__(self) -> Any:
        return iter(["key"])

    def __len__(self) -> int:
        return 1


ANYTHING = st.recursive(
    st.sampled_from(NOT_JSON + JSON_AS_IT_IS)
    | st.sampled_from([value for value, _ in NORMALISED])
    | st.floats()
    | st.integers()
    | st.text(st.characters()),
    lambda values: (
        st.lists(values, max_size=4)
        | st.dictionaries(st.text() | st.integers() | st.none(), values, max_size=4)
        | st.tuples(values, values)
        | st.builds(Odd, values)
    ),
    max_leaves=8,
)


@given(st.lists(ANYTHING | st.dictionaries(st.text(), ANYTHING), max_size=3), st.integers(0, 3))
def test_anything_at_all_is_packed_or_an_error_of_ours(payloads: Any, count: int) -> None:
    try:
        packed = pack_payloads(payloads, count)
    except VecstoreError:
        return
    for data in packed:
        payload = unpack_payload(data)
        assert same(freeze_payload(payload), payload)
        assert json.dumps(payload, allow_nan=False)
