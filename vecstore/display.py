"""What a notebook shows of a collection, of records and of hits: tables of HTML."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vecstore.records import Record, ScoredPoint
    from vecstore.reports import CollectionInfo, PayloadIndexInfo, VectorInfo

MOST_ROWS = 50
MOST_FIELDS = 12
MOST_CHARACTERS = 80
SHOWN_NUMBERS = 4

_KINDS = {bool: "bool", int: "integer", float: "float", str: "string", list: "array", dict: "object"}


def shortened(value: Any, limit: int = MOST_CHARACTERS) -> str:
    """A value as text of at most ``limit`` characters."""
    text = value if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def vector_text(vector: Any) -> str:
    """A vector by its first numbers and its size; of named ones, each."""
    if isinstance(vector, dict):
        return ", ".join(f"{name}: {vector_text(row)}" for name, row in vector.items())
    numbers = " ".join(f"{number:.3g}" for number in vector[:SHOWN_NUMBERS])
    return f"[{numbers}]" if len(vector) <= SHOWN_NUMBERS else f"[{numbers} … {len(vector)}]"


def size_text(count: int) -> str:
    """A number of bytes, as people say it."""
    size, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"


def kind_of(value: Any) -> str | None:
    """The JSON type of a value; that of an array with its elements'. None for null."""
    if isinstance(value, list):
        inner = sorted({kind for one in value if (kind := kind_of(one))})
        return f"array of {' or '.join(inner)}" if inner else "array"
    return _KINDS.get(type(value))


def fields_of(payloads: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The top-level fields of payloads, and the JSON types of their values."""
    found: dict[str, set[str]] = {}
    for payload in payloads:
        for field, value in payload.items():
            kinds = found.setdefault(field, set())
            if kind := kind_of(value):
                kinds.add(kind)
    return {field: sorted(kinds) for field, kinds in found.items()}


def points_table(points: Sequence[Record | ScoredPoint]) -> tuple[list[str], list[list[str]]]:
    """Points as a table of text: the names of its columns, and its rows."""
    own = [name for name in ("score", "order_value") if any(getattr(p, name, None) is not None for p in points)]
    fields = list(dict.fromkeys(field for point in points for field in point.payload or {}))
    more = ["…"] if len(fields) > MOST_FIELDS else []
    fields = fields[:MOST_FIELDS]
    vector = ["vector"] if any(point.vector is not None for point in points) else []
    return ["id", *own, *fields, *more, *vector], [_row(point, own, fields, more, vector) for point in points]


def _row(point: Any, own: list[str], fields: list[str], more: list[str], vector: list[str]) -> list[str]:
    payload = point.payload or {}
    return [
        str(point.id),
        *(shortened(getattr(point, name)) for name in own),
        *(shortened(payload[field]) if field in payload else "" for field in fields),
        *(f"{len(payload.keys() - fields)} more" for _ in more),
        *("" if point.vector is None else vector_text(point.vector) for _ in vector),
    ]


def points_html(points: Sequence[Record] | Sequence[ScoredPoint]) -> str:
    """A table of points, the first ``MOST_ROWS`` of them."""
    shown: list[Record | ScoredPoint] = [*points[:MOST_ROWS]]
    if not shown:
        return "<i>no points</i>"
    rest = len(points) - len(shown)
    return _table(*points_table(shown)) + (f"<i>and {rest:,} more</i>" if rest else "")


def point_facts(point: Record | ScoredPoint) -> dict[str, str]:
    """One point as text: its id, score and vector, and each of its fields, at more length than in a table."""
    names, [values] = points_table([point])
    payload = {field: shortened(value, 4 * MOST_CHARACTERS) for field, value in (point.payload or {}).items()}
    return {n: v for n, v in zip(names, values, strict=True) if n not in payload and n != "…"} | payload


def point_html(point: Record | ScoredPoint) -> str:
    """One point: a row for each of its fields."""
    return _table(["", ""], [*map(list, point_facts(point).items())])


def collection_html(name: str, info: CollectionInfo, fields: Mapping[str, Sequence[str]]) -> str:
    """A collection: what it is and holds. ``fields``: of payloads that were looked at, with the types of values."""
    size = size_text(info.store_bytes + info.segment_bytes)
    durability = "read only" if info.durability is None else f"durability {escape(info.durability)}"
    facts = f"<b>{escape(name)}</b>: {info.points:,} points, {size}, {durability}"
    return f"<div>{facts}{_table(*vector_rows(info))}{_table(*payload_rows(info, fields))}</div>"


def vector_rows(info: CollectionInfo) -> tuple[list[str], list[list[str]]]:
    """The vectors of a collection as a table of text: the names of its columns, and its rows."""
    rows = [_vector_row(name, vector) for name, vector in info.vectors.items()]
    return ["vector", "size", "distance", "points", "in graphs", "segments", "bytes"], rows


def payload_rows(info: CollectionInfo, fields: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The payload fields of a collection that were seen or are indexed, as a table of text."""
    paths = dict.fromkeys([*fields, *info.payload_schema])
    rows = [[path, " or ".join(fields.get(path, [])), _index(info.payload_schema.get(path))] for path in paths]
    return ["payload field", "type", "index"], rows


def _vector_row(name: str, vector: VectorInfo) -> list[str]:
    numbers = [f"{n:,}" for n in (vector.live_rows, vector.graph_rows, vector.segments)]
    return [name or "(unnamed)", f"{vector.size:,}", vector.distance, *numbers, size_text(_kept(vector))]


def _kept(vector: VectorInfo) -> int:
    """The bytes of its files, and of the rows that are in none yet."""
    return vector.file_bytes + 4 * vector.size * vector.open_rows


def _index(index: PayloadIndexInfo | None) -> str:
    if index is None:
        return ""
    types = ", ".join(kind.value for kind in index.types) or "automatic"
    return types if index.ready else f"{types}, {index.points:,} points so far"


def is_numeric(column: Iterable[str]) -> bool:
    """Whether a column of text is of numbers, to be aligned on the right."""
    return all(map(_NUMBER.fullmatch, column))


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    sides = ["right" if any(column) and is_numeric(column) else "left" for column in zip(*rows, strict=True)]
    head = _row_of("th", names, sides)
    body = "".join(_row_of("td", row, sides) for row in rows)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _row_of(tag: str, cells: Sequence[str], sides: Sequence[str]) -> str:
    pairs = zip(cells, sides, strict=True)
    return f"<tr>{''.join(f'<{tag} style={_SIDES[side]}>{escape(cell)}</{tag}>' for cell, side in pairs)}</tr>"


_SIDES = {side: f"'text-align:{side}'" for side in ("left", "right")}
_NUMBER = re.compile(r"-?[\d,.]+(e[+-]?\d+)?( (bytes|[kMGT]B))?|")
