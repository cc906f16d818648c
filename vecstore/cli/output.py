"""What commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from vecstore.cli.options import is_watched
from vecstore.display import points_table
from vecstore.extras import needs

with needs("cli"):
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from vecstore.records import Record, ScoredPoint

WIDE = 200
"""Columns where nobody's terminal says how many there are."""


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
    """A table of points."""
    if points:
        print_table(*points_table(points))


def print_facts(facts: Mapping[str, str]) -> None:
    """A fact a line."""
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {printable(value)}")


def print_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: the first column whole, the others as wide as there is room."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(names):
        widest = max([len(name), *(len(row[number]) for row in rows)])
        table.add_column(Text(printable(name)), no_wrap=True, overflow="ellipsis", min_width=0 if number else widest)
    for row in rows:
        table.add_row(*(Text(printable(value)) for value in row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE, highlight=False)
    console.print(table)


def printable(text: str) -> str:
    """Text without what would move the cursor or change colours of a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def waiting(what: str) -> AbstractContextManager[Any]:
    """Something that moves, while a person waits."""
    return Console(stderr=True).status(what) if is_watched() else nullcontext()
