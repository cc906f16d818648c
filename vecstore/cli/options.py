"""What commands have in common: opening a collection, and arguments that are JSON, ids, or vectors in files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vecstore.collection import Collection
from vecstore.errors import NotACollection
from vecstore.extras import needs

with needs("cli"):
    import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    F = TypeVar("F", bound=Callable[..., Any])


class Json(click.ParamType):  # type: ignore[type-arg]
    """An argument that is JSON."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        """The value. Fails for what is not JSON."""
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f"it is not JSON: {error}", param, context)


class PointId(click.ParamType):  # type: ignore[type-arg]
    """An id: a number, or a UUID."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        """An int for digits, anything else as it is; what is no id is refused by the collection."""
        return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


class VectorFile(click.ParamType):  # type: ignore[type-arg]
    """A file with a vector: ``.npy``, or a JSON array; ``-`` for JSON from standard input."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        """What is in the file. Fails where it cannot be read as this."""
        if not isinstance(value, str):
            return value
        try:
            if value.endswith(".npy"):
                return np.load(value, allow_pickle=False)
            return json.loads(sys.stdin.read() if value == "-" else Path(value).read_text(encoding="utf-8"))
        except (OSError, ValueError, EOFError) as error:
            self.fail(f"{value} cannot be read as a vector: {error}", param, context)


collection_path = click.argument("path", type=click.Path(path_type=Path), metavar="COLLECTION")
filter_option = click.option("--filter", "condition", type=Json(), metavar="JSON", help="Only points that match.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def points_options(function: F) -> F:
    """The options of commands that show points."""
    fields = click.option(
        "--field", "fields", multiple=True, metavar="PATH", help="Only this of payloads (repeatable)."
    )
    vectors = click.option("--with-vectors", is_flag=True, help="Show vectors, too.")
    return fields(vectors(json_option(function)))


def wanted(fields: tuple[str, ...], with_vectors: bool) -> dict[str, Any]:
    """These options as arguments of a read."""
    return {"with_payload": list(fields) or True, "with_vectors": with_vectors}


def reading(path: Path) -> Collection:
    """The collection at a path, to read from, also while another process writes. Raises ``NotACollection``."""
    return Collection(_existing(path), auto_index=False, read_only=True)


def writing(path: Path) -> Collection:
    """The collection at a path, to change it. Raises ``NotACollection``."""
    return Collection(_existing(path), auto_index=False)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise NotACollection(path, f"there is no collection at {path}")
    return path


def is_watched() -> bool:
    """Whether a person looks at standard error, where progress is shown."""
    return sys.stderr.isatty()
