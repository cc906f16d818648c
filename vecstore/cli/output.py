"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import nullcontext
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vecstore.cli.options import is_watched
from vecstore.display import is_numeric, point_facts, points_table
from vecstore.extras import needs

with needs("cli"):
    from rich.cells import cell_len, set_cell_size
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from vecstore.records import Record, ScoredPoint

WIDE = 200
"""Columns where nobody's terminal says how many there are."""
GAP = 2
LEAST = 14
"""So many cells of a column say something."""
_FIRST = ("id", "score", "order_value", "vector")


def print_json(value: Any) -> None:
    """One JSON document."""
    print(json.dumps(plain(value), ensure_ascii=False))


def plain(value: Any) -> Any:
    """A value as JSON has it: models as objects of the fields that are set, arrays as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        found = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return {name: item for name, item in found.items() if item is not None}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def print_points(points: Sequence[Record | ScoredPoint]) -> None:
    """A table of points, with the fields that there is room for."""
    if points:
        names, rows = points_table(points)
        order = sorted(range(len(names)), key=lambda n: names[n] not in _FIRST)  # a vector, too: it was asked for
        names, *rows = ([line[n] for n in order] for line in (names, *rows))
        left_out = print_table(names, rows, whole=_FIRST[:-1])
        if left_out:
            print(f"no room for {', '.join(left_out)}: choose with --field, or --json", file=sys.stderr)


def print_point(point: Record | ScoredPoint) -> None:
    """One point: a line for each of its fields."""
    print_facts(point_facts(point))


def print_facts(facts: Mapping[str, str]) -> None:
    """A fact a line."""
    width = max(map(cell_len, map(printable, facts)))
    for name, value in facts.items():
        print(f"{set_cell_size(printable(name), width)}  {printable(value)}".rstrip())


def print_table(names: Sequence[str], rows: Sequence[Sequence[str]], whole: Sequence[str] | None = None) -> list[str]:
    """A table: the columns that are ``whole`` (None: all) are never cut, others shown as far as there is room.

    The names of the columns that there was no room for. A column without a value is not shown.
    """
    shown = [[printable(text) for text in line] for line in (names, *rows)]
    columns = [column for column in zip(*shown, strict=True) if any(column[1:])]
    widths = fitted([widest(c) for c in columns], [whole is None or c[0] in whole for c in columns], _width())
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    kept = [(column, width) for column, width in zip(columns, widths, strict=True) if width]
    for column, width in kept:
        side: Literal["left", "right"] = "right" if is_numeric(column[1:]) else "left"
        table.add_column(Text(column[0]), width=width, no_wrap=True, overflow="ellipsis", justify=side)
    for row in zip(*(column[1:] for column, _ in kept), strict=True):
        table.add_row(*map(Text, row))
    needed = sum(width + GAP for _, width in kept)
    Console(file=sys.stdout, width=max(_width(), needed), highlight=False).print(table)
    return [column[0] for column, width in zip(columns, widths, strict=True) if not width]


def widest(column: Sequence[str]) -> int:
    """The cells of a terminal that the widest text of a column takes."""
    return max(map(cell_len, column))


def fitted(wanted: Sequence[int], whole: Sequence[bool], room: int) -> list[int]:
    """How wide columns are, in so much room: as they want or, where they are not ``whole``, less; 0 for left out."""
    widths = [width if is_whole else 0 for width, is_whole in zip(wanted, whole, strict=True)]
    room -= sum(width + GAP for width in widths if width) - GAP
    for number, width in enumerate(wanted):
        least = min(width, LEAST)
        if not whole[number]:
            if least + GAP > room:
                break
            widths[number], room = least, room - least - GAP
    lacking = sorted((wanted[n] - width, n) for n, width in enumerate(widths) if width)
    for done, (lack, number) in enumerate(lacking):
        more = min(lack, max(0, room) // (len(lacking) - done))
        widths[number], room = widths[number] + more, room - more
    return widths


def _width() -> int:
    return shutil.get_terminal_size(fallback=(WIDE, 24)).columns


def printable(text: str) -> str:
    """Text without what would move the cursor or change colours of a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def waiting(what: str) -> AbstractContextManager[Any]:
    """Something that moves, while a person waits."""
    return Console(stderr=True).status(what) if is_watched() else nullcontext()
