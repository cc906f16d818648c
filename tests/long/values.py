"""Values of every kind there is, to stand where others are expected. Those in a table are not changed by anybody."""

from __future__ import annotations

import itertools
import math
from collections import UserDict, deque
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

import vecstore
from vecstore import expressions

if TYPE_CHECKING:
    from collections.abc import Callable

UUID_TEXT = "936da01f-9abd-4d9d-80c7-02af85c822a8"


class Colour(Enum):
    RED = "red"
    ONE = 1
    PATH = "a.b"
    UPSERT = "upsert"


class Text(str):
    __slots__ = ()


class Slotted:
    __slots__ = ("must",)


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def deep(levels: int, inner: Any = 0, key: str | None = None) -> Any:
    """Lists in lists, or objects in objects."""
    for _ in range(levels):
        inner = [inner] if key is None else {key: inner}
    return inner


def shared(levels: int, key: str | None = None) -> Any:
    """A list (or objects) of which every level holds the next one twice: small to keep, 2**levels when written out."""
    inner: Any = [1]
    for _ in range(levels):
        inner = [inner, inner] if key is None else {key: [inner, inner]}
    return inner


def cycle(key: str | None = None) -> Any:
    """A list or an object that holds itself."""
    found: Any = [1] if key is None else {key: 1}
    if key is None:
        found.append(found)
    else:
        found[key] = [found]
    return found


PLAIN: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 17, 255, 256, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1),
    *(-(2**63), 65_535, 65_536, 65_537, 0.0, -0.0, 0.5, 1.5, -2.5, 1e38, 3.5e38, 1e308, 5e-324, 1e-40, 180, 90.5),
    *(math.inf, -math.inf, math.nan),
    *(
        "",
        " ",
        "a",
        "b",
        "a.b",
        "a[]",
        "a[0].b",
        "a..b",
        '"',
        '"a.b"',
        '"a\\"b"',
        "a[",
        "a[x]",
        "\0",
        "\n",
        "🙂",
        "ß",
        "é",
    ),
    *("red", "must", "filter", "points", "id", "ids", "vector", "key", "image", "upsert", "asc", "keyword", "text"),
    *("2024-05-01", "2024-05-01T12:00:00Z", "2024-13-01", "0000-00-00", "9999-12-31T23:59:60.9+23:59", "12", "nan"),
    *(UUID_TEXT, UUID_TEXT.replace("-", ""), "{" + UUID_TEXT + "}", "urn:uuid:" + UUID_TEXT, UUID_TEXT[:-1], "x" * 300),
    *(
        [],
        {},
        [[]],
        [{}],
        [None],
        [1],
        [1, 2],
        [1.5, 2],
        [1, 2, 3],
        [[1, 2]],
        [[1, 2], [3, 4]],
        ["a"],
        ["a", 1],
        [True, 2],
    ),
    *({"a": 1}, {"": 1}, {"a": {"b": [1]}}, {"id": 1}, {"points": [1]}, {"ids": [1]}, {"must": []}, {"filter": {}}),
    *({"key": "a"}, {"key": "a", "match": {"value": 1}}, {"lon": 1, "lat": 2}, {"value": 1}, {"gte": 1}, {"": [1, 2]}),
    *(
        {"image": [1, 2]},
        {"must": [{"key": "a", "match": {"any": [1]}}]},
        {"points": []},
        b"",
        b"a",
        b"\x00" * 9,
        b"\xff" * 17,
    ),
]
"""What can be packed, and so what may stand in a log or a file."""

OBJECTS: list[Any] = [
    *(10**400, -(10**400), 10**5000, 2**64, -(2**63) - 1, 1j, Fraction(1, 3), Ellipsis, NotImplemented, object()),
    *("\ud800", "a\udfff", "a." * 40 + "a", Text("a"), Text(UUID_TEXT), b"\xff", bytearray(b"ab"), memoryview(b"ab")),
    *({1, 2}, frozenset({"a"}), (1, 2), ((1, 2), (3, 4)), range(2), deque([1, 2]), UserDict(a=1), {1: 2}, {None: 1}),
    *(
        {"a": 1, 2: 3},
        {"a": float("nan")},
        {"a": {1}},
        {"a": b"x"},
        {"\ud800": 1},
        [float("inf"), 1],
        [10**400, 1],
        ["1", "2"],
    ),
    *(deep(70), deep(70, key="a"), deep(70, key="must"), shared(10), shared(10, "a")),
    *(cycle(), cycle("a"), cycle("must"), [0.5, shared(10)]),
    *(
        np.float32(1.5),
        np.float64("nan"),
        np.float16(2),
        np.longdouble(3),
        np.int8(-1),
        np.uint64(2**64 - 1),
        np.int64(3),
    ),
    *(
        np.bool_(True),
        np.str_("a"),
        np.bytes_(b"a"),
        np.datetime64("2024-05-01"),
        np.datetime64("NaT", "s"),
        np.timedelta64(3, "s"),
    ),
    *(
        np.timedelta64("NaT", "s"),
        np.array(1),
        np.array([1, 2]),
        np.array([1.5, 2]),
        np.array([[1, 2], [3, 4]], np.float16),
    ),
    *(np.array([]), np.empty((0, 2)), np.empty((2, 0)), np.array([1, 2], object), np.array([[1], [1, 2]], object)),
    *(np.array(["a", "b"]), np.array([b"a"]), np.array([True, False]), np.array([1j, 2]), np.array([np.nan, 1])),
    *(
        np.array([1e-40, 1e-45]),
        np.array([1e300, 1]),
        np.zeros((2, 2, 2)),
        np.zeros(1, "i4,f4"),
        np.array(["2024"], "M8[D]"),
    ),
    *(
        np.arange(4.0)[::2],
        np.arange(4.0)[::-2],
        np.arange(8, dtype=">f8").reshape(2, 4)[:, ::2],
        np.asfortranarray(np.eye(2)),
    ),
    *(np.ma.masked_array([1.0, 2.0], [True, False]), np.recarray(1, "f4"), np.random.default_rng(1)),
    *(
        datetime(2024, 5, 1, tzinfo=timezone.utc),
        datetime.max,
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    ),
    *(
        date(1, 1, 1),
        timedelta(1),
        UUID(UUID_TEXT),
        *Colour,
        *vecstore.UpdateMode,
        vecstore.Distance.COSINE,
        Colour,
        int,
        str,
        dict,
    ),
    *(
        len,
        lambda: 1,
        SimpleNamespace(),
        SimpleNamespace(must=1),
        SimpleNamespace(id=1, vector=[1, 2]),
        Slotted(),
        Unprintable(),
    ),
    *(
        vecstore.PointStruct(1, [1, 2]),
        vecstore.PointStruct([], {}, 3),
        vecstore.Batch([1], [[1, 2]]),
        vecstore.Batch(None, None),
    ),
    *(vecstore.Filter(), vecstore.Filter(must=[1]), vecstore.FilterSelector(cycle("must"))),
    *(
        vecstore.PointIdsList([1]),
        vecstore.MatchValue(1),
        vecstore.Range(gte=1),
        vecstore.Range(gte=10**400),
        vecstore.OrderBy("a"),
    ),
    *(
        vecstore.HasIdCondition([1]),
        vecstore.DatetimeRange(),
        vecstore.SearchParams(5, True),
        vecstore.VectorParams(2, "Dot"),
    ),
    *(
        np.ma.array([1.0, 2.0], mask=[True, False]),
        memoryview(b"\1\2"),
        expressions.field("a"),
        expressions.field("a") == 1,
        expressions.field("a").count,
        vecstore.InvalidId,
        vecstore.Collection,
    ),
]
"""What Python has and JSON has not."""


def _in_two_places(times: int) -> Any:
    found = expressions.field("a") == 1
    for _ in range(times):
        found = (found & (expressions.field("b") == 1)) | (found & (expressions.field("c") == 1))
    return found


def heavy() -> list[Any]:
    """What is small, and stands for more than there is memory or time for."""
    return [
        *(
            deep(100_000),
            deep(5000, key="must"),
            shared(40),
            shared(40, "a"),
            [shared(40), 1],
            [0.5, shared(40)],
            range(10**30),
        ),
        *(
            {"must": shared(40)},
            vecstore.Filter(must=shared(40)),
            _in_two_places(40),
            {"a": shared(30), "b": 1},
            "x" * 10**8,
            b"x" * 10**8,
            range(10**12),
        ),
        *(
            np.broadcast_to(np.float32(1), (10**9, 2)),
            np.broadcast_to(np.uint64(1), 10**9),
            np.broadcast_to(np.int8(1), (2, 10**9)),
        ),
        *(
            ["x" * 10**6] * 10**6,
            [{"x" * 10**6: 1}] * 10**6,
            {"a": ["x" * 10**6] * 10**5},
            [[1.0, 2.0]] * 10**6,
            1 << 10**7,
        ),
        *(
            itertools.repeat(1),
            itertools.count(),
            itertools.repeat({"id": 1, "vector": [1, 2]}),
            itertools.repeat([1.0, 2.0]),
        ),
        *([np.broadcast_to(np.float32(1), (10**9, 2))], [itertools.repeat(1)]),
    ]


MADE: list[Callable[[], Any]] = [
    lambda: iter([1, 2]),
    lambda: (x for x in [{"id": 1, "vector": [1, 2]}]),
    lambda: iter(()),
    lambda: map(str, [1]),
    lambda: zip([1], [2], strict=True),
]
"""What can be looked at once."""
