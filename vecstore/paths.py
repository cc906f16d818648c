"""Payload paths: how a place in a payload is written, and which values it selects.

    path   key, then any number of  .key  |  [n]  |  []
    key    letters and digits of any script, "_" and "-"; any other key in double quotes: "a.b", "with space"

``[n]`` is an element of an array, ``[]`` every element. Inside quotes a backslash stands before a quote or a
backslash, so that every key there can be has a path.

Source of the grammar: Qdrant's ``JsonPath`` (which has no escapes, and refuses such keys).
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from vecstore.errors import InvalidPath
from vecstore.limits import MAX_PATH_LENGTH, MAX_STEPS
from vecstore.shapes import describe


class _Every(Enum):
    ALL = "[]"

    def __repr__(self) -> str:
        return "ALL"


ALL: Final = _Every.ALL
"""The step ``[]``: every element of an array."""

Step: TypeAlias = str | int | Literal[_Every.ALL]
Path: TypeAlias = tuple[Step, ...]

_STEP = re.compile(r'(\.?)(?:"((?:[^"\\]|\\["\\])*)"|([^.\[\]"\\]+))|\[([0-9]{0,20})\]')
_ESCAPE = re.compile(r'(["\\])')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_path(text: object) -> Path:
    """The steps of a payload path; the first one is a key. Raises ``InvalidPath``."""
    if not isinstance(text, str):
        raise InvalidPath(f"expected a payload path (a string such as 'a.b' or 'a[].b'), got {describe(text)}")
    if len(text) > MAX_PATH_LENGTH:
        raise InvalidPath(f"expected a payload path of at most {MAX_PATH_LENGTH} characters, got {len(text)}")
    return _parse(str.__str__(text))


@lru_cache(maxsize=1024)
def _parse(text: str) -> Path:
    steps: list[Step] = []
    position = 0
    while position < len(text) or not steps:
        found = _STEP.match(text, position)
        if found is None or found[1] not in ((".", None) if steps else ("",)):
            raise _unreadable(text, position)
        if len(steps) == MAX_STEPS:
            raise InvalidPath(f"expected a payload path of at most {MAX_STEPS} steps, got {describe(text)}")
        steps.append(_step(found))
        position = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    quoted: str | None = found[2]
    bare: str | None = found[3]
    index: str = found[4]
    if quoted is not None:
        return _encodable(_ESCAPED.sub(r"\1", quoted))
    if bare is None:
        return int(index) if index else ALL
    if not _is_bare(bare):
        first = next(i for i, c in enumerate(bare) if not _is_bare(c))
        raise _unreadable(found.string, found.start(3) + first)
    return bare


def _is_bare(key: str) -> bool:
    """Whether a key needs no quotes: letters (with their marks) and numbers of any script, "_" and "-"."""
    return bool(key) and all(c in "_-" or unicodedata.category(c)[0] in "LMN" for c in key)


def _encodable(key: str) -> str:
    try:
        key.encode()
    except UnicodeEncodeError:
        raise InvalidPath(f"expected a payload path of Unicode text, got {describe(key)}") from None
    return key


def _unreadable(text: str, position: int) -> InvalidPath:
    rest = text[position : position + 20]
    where = f"at {rest!r} (character {position})" if rest else "at its end"
    return InvalidPath(
        "expected a payload path (a key, then '.key', '[n]' or '[]'; a key of other characters than letters, "
        f"digits, '_' and '-' in double quotes), got {describe(text)}, which cannot be read {where}"
    )


def format_path(path: Path) -> str:
    """The text of a path: the inverse of ``parse_path``."""
    parts = [f".{_format_key(step)}" if isinstance(step, str) else _format_index(step) for step in path]
    return "".join(parts).removeprefix(".")


def _format_key(key: str) -> str:
    if _is_bare(key):
        return key
    return '"' + _ESCAPE.sub(r"\\\1", key) + '"'


def _format_index(step: int | Literal[_Every.ALL]) -> str:
    return "[]" if step is ALL else f"[{step}]"


def values_at(payload: dict[str, Any], path: Path) -> list[Any]:
    """The values a path selects, in the order of the payload; a path that leads nowhere selects none.

    The empty path selects the payload itself. A key steps into objects only, ``[n]`` and ``[]`` into arrays
    only. An array at the end is one value: whoever wants its elements looks into it, or asks for ``[]``.
    """
    if len(path) == 1:
        key = path[0]
        return [payload[key]] if key in payload else []
    values: list[Any] = [payload]
    for step in path:
        values = _advance(values, step)
    return values


def _advance(values: list[Any], step: Step) -> list[Any]:
    if isinstance(step, str):
        return [value[step] for value in values if isinstance(value, dict) and step in value]
    arrays = [value for value in values if isinstance(value, list)]
    if step is ALL:
        return [element for array in arrays for element in array]
    return [array[step] for array in arrays if step < len(array)]
