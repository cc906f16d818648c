"""Handles on one collection, closing them, and what a closed one says; repr and info."""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from collecting import DOT, NAMED, contents, fill, ids

from vecstore import (
    Collection,
    CollectionClosed,
    PointStruct,
)
from vecstore.engine import sealer

if TYPE_CHECKING:
    from collections.abc import Callable

    from collecting import Home

FILES_OPEN = Path("/proc/self/fd")

# Handles


def test_two_handles_on_one_path_are_one_collection(disk: Home) -> None:
    col = disk.make()
    other = disk.again()
    fill(col, {1: {"a": 1}})
    assert contents(other) == contents(col)
    other.upsert([PointStruct(2, [3, 4])]).result()
    assert ids(col.search([1, 1])) == [2, 1]
    col.close()
    col.close()
    other.set_payload({"b": 2}, [1]).result()
    with pytest.raises(CollectionClosed):
        len(col)
    other.close()
    assert contents(disk.again()) == {1: ({"a": 1, "b": 2}, [1, 0]), 2: ({}, [3, 4])}


def test_collections_in_memory_share_nothing() -> None:
    with Collection(vectors=DOT) as one, Collection(vectors=DOT) as other:
        fill(one, {1: {}})
        assert (len(one), len(other)) == (1, 0)
        assert one.info().path is None


def test_a_handle_that_is_dropped_lets_go_and_loses_nothing(disk: Home) -> None:
    col = Collection(disk.path, vectors=DOT)
    future = col.upsert([PointStruct(1, [1, 2], {"a": 1})])
    del col
    gc.collect()
    future.result()
    assert contents(disk.again()) == {1: ({"a": 1}, [1, 2])}


def test_closing_completes_what_is_queued(disk: Home) -> None:
    col = disk.make()
    futures = [col.upsert([PointStruct(i, [i, 0])]) for i in range(100)]
    col.close()
    assert all(future.done() for future in futures)
    assert len(disk.again()) == 100


def test_a_context_manager_closes_also_after_an_error(disk: Home) -> None:
    with suppress(ZeroDivisionError), Collection(disk.path, vectors=DOT) as col:
        col.upsert([PointStruct(1, [1, 2])])
        col.search([1 / 0, 2])
    with pytest.raises(CollectionClosed, match="the collection is closed"):
        col.get(1)
    with Collection(disk.path) as again:
        assert len(again) == 1


CALLS: dict[str, Callable[[Collection], Any]] = {
    "upsert": lambda col: col.upsert([PointStruct(1, [1, 2])]),
    "update_vectors": lambda col: col.update_vectors([{"id": 1, "vector": [1, 2]}]),
    "delete_vectors": lambda col: col.delete_vectors([""], [1]),
    "set_payload": lambda col: col.set_payload({"a": 1}, [1]),
    "overwrite_payload": lambda col: col.overwrite_payload({"a": 1}, [1]),
    "delete_payload": lambda col: col.delete_payload(["a"], [1]),
    "clear_payload": lambda col: col.clear_payload([1]),
    "delete": lambda col: col.delete([1]),
    "batch": lambda col: col.batch([{"delete": {"points": [1]}}]),
    "retrieve": lambda col: col.retrieve([1]),
    "get": lambda col: col.get(1),
    "in": lambda col: 1 in col,
    "len": len,
    "scroll": lambda col: col.scroll(),
    "scroll in an order": lambda col: col.scroll(order_by="a"),
    "count": lambda col: col.count(),
    "search": lambda col: col.search([1, 2]),
    "search by id": lambda col: col.search(1),
    "search_batch": lambda col: col.search_batch([[1, 2]]),
    "flush": lambda col: col.flush(),
    "info": lambda col: col.info(),
}


@pytest.mark.parametrize("path", [None, "col"])
def test_a_closed_collection_says_so_whatever_is_called(path: str | None, tmp_path: Path) -> None:
    col = Collection(None if path is None else tmp_path / path, vectors=DOT)
    fill(col, {1: {}})
    for call in CALLS.values():  # every one of them works while it is open
        fill(col, {1: {}})
        call(col)
    col.close()
    for call in CALLS.values():
        with pytest.raises(CollectionClosed, match="the collection is closed"):
            call(col)
    col.close()
    assert bool(col)


@pytest.mark.parametrize(
    ("vectors", "said"),
    [(DOT, "vector: 2 Dot"), (NAMED, "image: 2 Dot, text: 3 Dot"), ({}, "no vectors")],
)
def test_the_repr_says_where_how_much_and_what(vectors: Any, said: str, home: Home) -> None:
    col = home.make(vectors)
    place = "in memory" if home.path is None else repr(str(home.path))
    assert repr(col) == f"<Collection {place}, 0 points, {said}>"
    col.upsert([PointStruct(1, {}), PointStruct(2, {})])
    col = home.seen(col)
    assert repr(col) == f"<Collection {place}, 2 points, {said}>"
    col.close()
    assert repr(col) == f"<Collection {place}, closed>"


def test_info(home: Home) -> None:
    col = home.make(NAMED)
    col.upsert([PointStruct(i, {"image": [1, 2]}) for i in range(5)])
    col.upsert([PointStruct(9, {"text": [1, 2, 3]})])
    col.delete([0]).result()
    col = home.seen(col)
    info = col.info()
    assert info.path == (None if home.path is None else str(home.path))
    assert (info.points, info.applied, list(info.vectors)) == (5, 3, ["image", "text"])
    image, text = info.vectors["image"], info.vectors["text"]
    assert (image.size, image.distance, image.live_rows, text.live_rows) == (2, "Dot", 4, 1)
    assert image.live_rows + image.dead_rows == 5
    assert (image.segments > 0, image.open_rows == 0) == ((True, True) if home.kind == "sealed" else (False, False))
    assert (info.segment_bytes > 0) == (home.kind == "sealed")
    assert info.store_bytes > 0


@pytest.mark.skipif(not FILES_OPEN.exists(), reason="the system does not tell which files are open")
@pytest.mark.parametrize("read_only", [False, True])
def test_a_closed_handle_holds_no_file(disk: Home, read_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "SEAL_BYTES", 1)
    with disk.make() as col:
        fill(col, {n: {} for n in range(10)})
    col = Collection(disk.path, read_only=read_only)
    assert len(col.search([1, 1])) == 10
    assert any(disk.path in path.parents for path in open_files())
    col.close()
    gc.collect()
    assert not any(disk.path in path.parents for path in open_files())


def open_files() -> list[Path]:
    found = []
    for link in FILES_OPEN.iterdir():
        with suppress(FileNotFoundError):  # it was that of the folder that is listed
            found.append(link.readlink())
    return found
