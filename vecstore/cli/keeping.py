"""Commands that take long, and show how far they are: import, export, index, optimize."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from vecstore.bulk.progress import bar
from vecstore.cli.options import (
    Json,
    collection_path,
    filter_option,
    is_watched,
    json_option,
    reading,
    writing,
)
from vecstore.cli.output import print_json, print_table, waiting
from vecstore.collection import Collection
from vecstore.display import payload_rows
from vecstore.errors import NotACollection
from vecstore.extras import needs
from vecstore.models import Distance, PayloadSchemaType

with needs("cli"):
    import click

if TYPE_CHECKING:
    from vecstore.futures import UpdateFuture

LOOK_EVERY = 0.1
DISTANCES = click.Choice([distance.value for distance in Distance], case_sensitive=False)
file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.command("import")
@collection_path
@file_argument
@click.option("--size", type=int, help="A new collection: the dimensions of its vector.")
@click.option(
    "--distance", type=click.Choice([d.value for d in Distance], case_sensitive=False), help="And its distance."
)
@click.option("--vectors", type=Json(), metavar="JSON", help='A new collection: its vectors, {"name": {"size": ...}}.')
@click.option("--batch-size", type=int, help="How many points are one operation.")
@click.option("--skip", default=0, show_default=True, help="How many points of the file to pass over.")
@click.option("--durability", type=click.Choice(["fsync", "os"]), help="What survives power loss, or only a kill.")
@json_option
def import_(
    path: Path,
    file: Path,
    size: int | None,
    distance: str | None,
    vectors: Any,
    batch_size: int | None,
    skip: int,
    durability: str | None,
    as_json: bool,
) -> None:
    """Put the points of a file into a collection.

    FILE: .jsonl, .jsonl.gz, .parquet, .arrow or .npz. The collection is made where there is none: a file that comes
    from export says which vectors there are; for others give --size and --distance, or --vectors.
    """
    start = perf_counter()
    if (size is None) != (distance is None) or (size is not None and vectors is not None):
        raise click.UsageError("expected --size and --distance together, or --vectors")
    if size is not None:
        vectors = {"size": size, "distance": distance}
    options: dict[str, Any] = {"batch_size": batch_size, "skip": skip, "durability": durability, "auto_index": False}
    try:
        col = Collection.load(file, path, vectors=vectors, progress=is_watched(), **options)
    except NotACollection as error:
        if vectors is not None or path.exists():
            raise
        wanted = "give --size and --distance, or --vectors, to make one"
        raise click.UsageError(
            f"there is no collection at {path}, and {file} does not say of what: {wanted}"
        ) from error
    with col:
        _done("there are", len(col), start, as_json)


@click.command()
@collection_path
@file_argument
@filter_option
@json_option
def export(path: Path, file: Path, condition: Any, as_json: bool) -> None:
    """Write points to a file.

    FILE: .jsonl, .jsonl.gz, .parquet, .arrow or .npz; its ending says the format.
    """
    start = perf_counter()
    with reading(path) as col:
        _done("exported", col.export(file, filter=condition, progress=is_watched()), start, as_json)


def _done(what: str, points: int, start: float, as_json: bool) -> None:
    seconds = perf_counter() - start
    if as_json:
        print_json({"points": points, "seconds": round(seconds, 3)})
    else:
        print(f"{what} {points:,} points, after {seconds:.1f} s")


@click.command()
@collection_path
@click.argument("field", required=False)
@click.argument("kind", required=False, type=click.Choice([t.value for t in PayloadSchemaType]), metavar="[TYPE]")
@click.option("--delete", is_flag=True, help="Delete the indexes of the field.")
@json_option
def index(path: Path, field: str | None, kind: str | None, delete: bool, as_json: bool) -> None:
    """Make, delete or list payload indexes.

    It waits until the index is built; without a FIELD it lists what there is.

    TYPE: keyword, integer, float, bool, uuid, datetime, geo or text.
    """
    if field is None and delete:
        raise click.UsageError("expected the FIELD whose indexes to delete")
    if field is not None and delete == (kind is not None):
        raise click.UsageError("expected a TYPE, or --delete")
    with reading(path) if field is None else writing(path) as col:
        if delete:
            col.delete_payload_index(field).result()
        elif field is not None:
            _built(col, field, col.create_payload_index(field, kind))
        found = col.info()
    if as_json:
        print_json(found.payload_schema)
    elif found.payload_schema:
        print_table(*payload_rows(found, {}))


def _built(col: Collection, field: str, future: UpdateFuture[Any]) -> None:
    with bar("index", len(col), shown=is_watched()) as progress:
        seen = 0
        while True:
            try:
                future.result(timeout=LOOK_EVERY)
                break
            except FutureTimeoutError:
                built = col.info().payload_schema.get(field)
                now = 0 if built is None else built.points
                progress.update(max(0, now - seen))
                seen = max(seen, now)
        progress.update(len(col) - seen)


@click.command()
@collection_path
@json_option
def optimize(path: Path, as_json: bool) -> None:
    """Build what makes searches fast, and wait.

    With all cores. Small collections need nothing: they are searched exactly.
    """
    start = perf_counter()
    with writing(path) as col:
        with waiting("optimizing"):
            col.optimize()
        vectors = col.info().vectors
    if as_json:
        print_json({"vectors": vectors, "seconds": round(perf_counter() - start, 3)})
        return
    rows, graphs = (sum(getattr(v, name) for v in vectors.values()) for name in ("live_rows", "graph_rows"))
    print(f"{graphs:,} of {rows:,} vectors are in graphs, after {perf_counter() - start:.1f} s")


KEEPING = (import_, export, index, optimize)
