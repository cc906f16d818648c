"""Every call of an AsyncCollection."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from collecting import DOT

from vecstore import AsyncCollection, field

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[[AsyncCollection], Any]

FOLDER = TemporaryDirectory()  # until the tests end
ONE = [{"id": 1, "vector": [1, 2], "payload": {"color": "red"}}]
WRITES: dict[str, Call] = {
    "upsert": lambda col: col.upsert(ONE),
    "update_vectors": lambda col: col.update_vectors([{"id": 1, "vector": [1, 1]}]),
    "delete_vectors": lambda col: col.delete_vectors([""], [1]),
    "set_payload": lambda col: col.set_payload({"a": 1}, [1]),
    "overwrite_payload": lambda col: col.overwrite_payload({"a": 1}, [1]),
    "delete_payload": lambda col: col.delete_payload(["a"], [1]),
    "clear_payload": lambda col: col.clear_payload([1]),
    "delete": lambda col: col.delete([1]),
    "batch": lambda col: col.batch([{"delete": {"points": [1]}}]),
    "create_payload_index": lambda col: col.create_payload_index("a", "keyword"),
    "delete_payload_index": lambda col: col.delete_payload_index("a"),
}
READS: dict[str, Call] = {
    "retrieve": lambda col: col.retrieve([1]),
    "get": lambda col: col.get(1),
    "scroll": lambda col: col.scroll(field("color") == "red"),
    "count": lambda col: col.count(),
    "search": lambda col: col.search([1, 0]),
    "search_batch": lambda col: col.search_batch([[1, 0]]),
    "explain": lambda col: col.explain([1, 0]),
    "info": lambda col: col.info(),
}
SLOW: dict[str, Call] = {
    "flush": lambda col: col.flush(),
    "optimize": lambda col: col.optimize(),
    "upload": lambda col: col.upload(ONE),
    "export": lambda col: col.export(Path(FOLDER.name) / f"{uuid4()}.jsonl"),
    "verify": lambda col: col.verify(),
    "snapshot": lambda col: col.snapshot(Path(FOLDER.name) / str(uuid4())),
    "to_pandas": lambda col: col.to_pandas(),
}


def memory(**options: Any) -> AsyncCollection:
    return AsyncCollection(vectors=DOT, **options)
