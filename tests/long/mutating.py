"""Wrong inputs out of right ones: bytes that choose say where an example is changed, and into what.

The same bytes make the same input, so that a fuzzer which learns from what it runs can be the one to choose them. What
is changed is copied on the way down to it; the example stays.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .values import MADE, OBJECTS, PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence


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
