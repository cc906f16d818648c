"""Commands that read: info, count, get, scroll, search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vecstore.cli.options import (
    Json,
    PointId,
    VectorFile,
    collection_path,
    filter_option,
    json_option,
    points_options,
    reading,
    wanted,
)
from vecstore.cli.output import plain, print_facts, print_json, print_point, print_points, print_table
from vecstore.display import payload_rows, size_text, vector_rows
from vecstore.errors import PointNotFound
from vecstore.extras import needs

with needs("cli"):
    import click

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@collection_path
@json_option
def info(path: Path, as_json: bool) -> None:
    """What a collection is and holds."""
    with reading(path) as col:
        found = col.info()
        if as_json:
            print_json(found)
            return
        fields = col._fields()
    size = size_text(found.store_bytes + found.segment_bytes)
    print_facts(
        {"path": str(found.path), "points": f"{found.points:,}", "size": size, "last operation": f"{found.applied:,}"}
    )
    for table in (vector_rows(found), payload_rows(found, fields)):
        if table[1]:
            print()
            print_table(*table)


@click.command()
@collection_path
@filter_option
@json_option
def count(path: Path, condition: Any, as_json: bool) -> None:
    """How many points there are, or match a filter."""
    with reading(path) as col:
        found = col.count(condition)
    if as_json:
        print_json({"count": found})
    else:
        print(found)


@click.command()
@collection_path
@click.argument("ids", type=PointId(), nargs=-1, required=True, metavar="ID...")
@points_options
def get(path: Path, ids: tuple[Any, ...], fields: tuple[str, ...], with_vectors: bool, as_json: bool) -> None:
    """Points by their ids. Those that are missing are named, and the exit code is 1."""
    with reading(path) as col:
        found = col.retrieve(list(ids), **wanted(fields, with_vectors))
        missing = [one for one in ids if one not in col]
    if as_json:
        print_json(found)
    elif len(ids) == len(found) == 1:
        print_point(found[0])
    else:
        print_points(found)
    if missing:
        raise PointNotFound(missing)


@click.command()
@collection_path
@filter_option
@click.option("--limit", default=20, show_default=True, help="How many points at most.")
@click.option("--offset", type=PointId(), help="The id to begin with.")
@click.option("--order-by", metavar="PATH", help="A payload field with numbers or datetimes to sort by.")
@click.option("--descending", is_flag=True, help="With --order-by: the largest first.")
@points_options
def scroll(
    path: Path,
    condition: Any,
    limit: int,
    offset: Any,
    order_by: str | None,
    descending: bool,
    fields: tuple[str, ...],
    with_vectors: bool,
    as_json: bool,
) -> None:
    """Points in the order of their ids, or of a payload field."""
    if descending and order_by is None:
        raise click.UsageError("--descending goes with --order-by")
    order = None if order_by is None else {"key": order_by, "direction": "desc" if descending else "asc"}
    with reading(path) as col:
        found, rest = col.scroll(condition, limit=limit, offset=offset, order_by=order, **wanted(fields, with_vectors))
    if as_json:
        print_json({"points": plain(found), "next_page_offset": rest})
        return
    print_points(found)
    if rest is not None:
        click.echo(f"go on with --offset {rest}", err=True)


@click.command()
@collection_path
@click.option("--vector", type=VectorFile(), help="A vector: .npy, or a JSON array ('-': from standard input).")
@click.option("--row", type=int, help="Which row of the file's matrix.")
@click.option("--like", type=PointId(), metavar="ID", help="A point, which is left out itself.")
@click.option("--using", default="", metavar="NAME", help="Which named vector to compare.")
@filter_option
@click.option("--limit", default=10, show_default=True, help="How many points at most.")
@click.option("--score-threshold", type=float, help="Only better scores.")
@click.option("--params", type=Json(), metavar="JSON", help='Search parameters, as {"exact": true}.')
@points_options
def search(
    path: Path,
    vector: Any,
    row: int | None,
    like: Any,
    using: str,
    condition: Any,
    limit: int,
    score_threshold: float | None,
    params: Any,
    fields: tuple[str, ...],
    with_vectors: bool,
    as_json: bool,
) -> None:
    """The points nearest to a vector, or to another point."""
    if (vector is None) == (like is None):
        raise click.UsageError("expected one of --vector and --like")
    with reading(path) as col:
        found = col.search(
            like if vector is None else _row(vector, row),
            using=using,
            filter=condition,
            limit=limit,
            score_threshold=score_threshold,
            params=params,
            **wanted(fields, with_vectors),
        )
    if as_json:
        print_json(found)
    else:
        print_points(found)


def _row(vector: Any, row: int | None) -> Any:
    if row is None:
        return vector
    try:
        return vector[row]
    except (IndexError, TypeError):
        raise click.BadParameter(f"there is no row {row} in the file", param_hint="--row") from None


ASKING = (info, count, get, scroll, search)
