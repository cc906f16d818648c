"""Wrong inputs out of right ones: bytes that choose say where an example is changed, and into what.

The same bytes make the same input, so that a fuzzer which learns from what it runs can be the one to choose them. What
is changed is copied on the way down to it; the example stays.
"""

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
    from collections.abc import Callable, Sequence

UUID_TEXT = "936da01f-9abd-4d9d-80c7-02af85c822a8"


class Choices:
    """Small numbers, one after the other, from bytes; zeros when they are used up."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def byte(self) -> int:
        at = self._at
        self._at = at + 1
        return self._data[at] if at < len(self._data) else 0

    def under(self, count: int) -> int:
        """A number under ``count``."""
        if count <= 256:
            return self.byte() % count
        return (self.byte() << 8 | self.byte()) % count

    def of(self, values: Sequence[Any]) -> Any:
        """One of ``values``."""
        return values[self.under(len(values))]

    @property
    def used_up(self) -> bool:
        """Whether there are only zeros left."""
        return self._at >= len(self._data)


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
        np.datetime64("NaT"),
        np.timedelta64(3, "s"),
    ),
    *(np.timedelta64("NaT"), np.array(1), np.array([1, 2]), np.array([1.5, 2]), np.array([[1, 2], [3, 4]], np.float16)),
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
        expressions.field("a"),
        expressions.field("a") == 1,
        expressions.field("a").count,
        vecstore.InvalidId,
        vecstore.Collection,
    ),
]
"""What Python has and JSON has not."""


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

ANY: list[Any] = [*PLAIN, *OBJECTS, *MADE]
MADE_FROM = len(PLAIN) + len(OBJECTS)


def anything(choices: Choices, values: list[Any]) -> Any:
    """One of the values."""
    at = choices.under(len(values))
    return values[at]() if at >= MADE_FROM else values[at]


def changed(example: Any, choices: Choices, values: list[Any] = ANY) -> Any:
    """The example with one to three changes."""
    for _ in range(1 + choices.byte() % 8 // 5 + choices.byte() % 16 // 15):
        example = _changed(example, choices, values)
    return example


def _changed(tree: Any, choices: Choices, values: list[Any]) -> Any:
    choice = choices.byte()
    if choices.used_up:
        return anything(choices, values)
    if isinstance(tree, dict) and tree:
        return _changed_object(tree, choice, choices, values)
    if isinstance(tree, list) and tree:
        return _changed_list(tree, choice, choices, values)
    return _changed_leaf(tree, choice, choices, values)


def _changed_object(tree: dict[Any, Any], choice: int, choices: Choices, values: list[Any]) -> Any:
    key = choices.of([*tree])
    if choice < 176:
        return {**tree, key: _changed(tree[key], choices, values)}
    if choice < 196:
        return {name: item for name, item in tree.items() if name != key}
    if choice < 216:
        return {**tree, choices.of(NAMES): anything(choices, values)}
    if choice < 232:
        return {choices.of(NAMES) if name == key else name: item for name, item in tree.items()}
    return _wrapped(tree, choice, choices, values)


def _changed_list(tree: list[Any], choice: int, choices: Choices, values: list[Any]) -> Any:
    at = choices.under(len(tree))
    if choice < 176:
        return [*tree[:at], _changed(tree[at], choices, values), *tree[at + 1 :]]
    if choice < 190:
        return [*tree[:at], *tree[at + 1 :]]
    if choice < 204:
        return [*tree[:at], anything(choices, values), *tree[at:]]
    if choice < 218:
        return [*tree, *tree[at:]]
    if choice < 226:
        return tuple(tree) if values is ANY else tree[::-1]
    return _wrapped(tree, choice, choices, values)


def _wrapped(tree: Any, choice: int, choices: Choices, values: list[Any]) -> Any:
    if choice < 240:
        return anything(choices, values)
    if choice < 246:
        return [tree]
    if choice < 250:
        return {choices.of(NAMES): tree}
    return SimpleNamespace(**tree) if values is ANY and isinstance(tree, dict) and all_names(tree) else [tree, tree]


def all_names(tree: dict[Any, Any]) -> bool:
    return all(type(name) is str for name in tree)


def _changed_leaf(tree: Any, choice: int, choices: Choices, values: list[Any]) -> Any:
    if choice >= 96:
        return anything(choices, values)
    if type(tree) is str:
        return _changed_text(tree, choice, choices)
    if type(tree) is bytes:
        return cut_up(tree, choices)
    if type(tree) in (int, float) and abs(tree) < 2**70:
        return (-tree, tree + 1, tree - 1, tree * 2, tree / 3.0, f"{tree}"[:20], bool(tree), tree * 2**32)[choice % 8]
    return anything(choices, values)


def _changed_text(text: str, choice: int, choices: Choices) -> str:
    at, letter = choices.under(len(text) + 1), choices.of(LETTERS)
    if choice < 32:
        return text[:at] + letter + text[at:]
    if choice < 64:
        return text[:at] + letter + text[at + 1 :]
    return text[:at] if choice < 80 else text[:at] + text[at + 1 :]


LETTERS = [*' .[]"\\-_:/0159azAZTé🙂\0\n{}$', "\u0345", "[0]", "[]", ".a", '"."', "\u2028"]
NAMES = [
    *(
        "must",
        "should",
        "must_not",
        "min_should",
        "key",
        "match",
        "range",
        "value",
        "any",
        "except",
        "except_",
        "text",
        "nested",
    ),
    *(
        "filter",
        "has_id",
        "has_vector",
        "is_empty",
        "is_null",
        "slice",
        "points",
        "ids",
        "id",
        "vector",
        "vectors",
        "payload",
    ),
    *(
        "payloads",
        "batch",
        "keys",
        "update_filter",
        "update_mode",
        "geo_radius",
        "geo_polygon",
        "geo_bounding_box",
        "values_count",
    ),
    *(
        "total",
        "index",
        "conditions",
        "min_count",
        "gt",
        "lte",
        "lon",
        "lat",
        "center",
        "radius",
        "include",
        "exclude",
        "",
        "x",
        "a",
    ),
    *(
        "upsert",
        "delete",
        "set_payload",
        "operations",
        "limit",
        "offset",
        "query",
        "using",
        "params",
        "with_payload",
        "order_by",
    ),
    *(
        "direction",
        "start_from",
        "type",
        "field_name",
        "field_schema",
        "size",
        "distance",
        "hnsw_config",
        "m",
        "image",
        "name",
    ),
]


def cut_up(data: bytes, choices: Choices) -> bytes:
    """Bytes with one to four changes."""
    found = bytearray(data)
    for _ in range(1 + choices.byte() % 4):
        _cut(found, choices)
    return bytes(found)


def _cut(found: bytearray, choices: Choices) -> None:
    choice, at, byte = choices.byte(), choices.under(len(found) + 1), choices.byte()
    if choice < 96:
        found[at : at + 1] = bytes([byte])
    elif choice < 144 and at < len(found):
        found[at] ^= 1 << byte % 8
    elif choice < 172:
        del found[at:]
    elif choice < 200:
        del found[at : at + 1 + byte % 8]
    elif choice < 228:
        found[at:at] = choices.of(EDGES)
    else:
        found[at : at + 4] = choices.of(EDGES)


EDGES = [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x01\0\0\0",
    b"\0\0\0\x01",
    b"\x80",
    b"\x90",
    b"\xc0",
    b"\xdd\xff\xff\xff\xff",
]
