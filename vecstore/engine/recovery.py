"""Recovery: from the folder of a collection to a state that is in step with its store."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vecstore import operations, soundness
from vecstore.engine import creation
from vecstore.engine.apply import Place, apply
from vecstore.engine.creation import SEGMENTS, STORE
from vecstore.engine.loading import load_sealed, replay_journal
from vecstore.engine.replay import NO_SEGMENT
from vecstore.engine.rows import VectorRows
from vecstore.engine.state import State
from vecstore.engine.writer import GROUP_BYTES, finish
from vecstore.errors import ConfigMismatch, Corrupted, UnsupportedFormat
from vecstore.storage import compaction
from vecstore.storage.data_file import DATA_FILE
from vecstore.storage.growing import path_of
from vecstore.storage.segments import Sealed, paths_of
from vecstore.storage.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from vecstore.models import VectorParams
    from vecstore.operations import Operation
    from vecstore.storage.environment import Transaction
    from vecstore.storage.meta import Manifest
    from vecstore.storage.store import Store


def check_vectors(stored: Mapping[str, VectorParams], given: Mapping[str, VectorParams] | None, path: Path) -> None:
    """Raise ``ConfigMismatch`` unless the collection has the vectors that were given."""
    if given is not None and _comparable(stored, given) != _comparable(given, given):
        raise ConfigMismatch(f"{path} has the vectors {_said(stored)}, and was opened with {_said(given)}")


def _comparable(vectors: Mapping[str, VectorParams], given: Mapping[str, VectorParams]) -> dict[str, VectorParams]:
    """The vectors, without how graphs are built where nothing was ``given`` for that."""
    asked = {name for name, params in given.items() if params.hnsw is not None}
    return {name: p if name in asked else replace(p, hnsw=None) for name, p in vectors.items()}


def _said(vectors: Mapping[str, VectorParams]) -> str:
    return "{" + ", ".join(f"{n!r}: {p.size} {p.distance.value}" for n, p in vectors.items()) + "}"


def recover(store: Store, folder: Path, params: Mapping[str, VectorParams]) -> State:
    """The state of a collection whose folder this process has locked; its log is empty afterwards."""
    compaction.remove_copy(folder / STORE)
    (folder / SEGMENTS).mkdir(exist_ok=True)  # tools that copy folders may leave empty ones out
    with store.environment.read() as txn:
        state = _load(txn, store, folder, params)
        # IMPORTANT: only when all that the manifest names is there. A damaged manifest names other files.
        remove_unlisted(folder / SEGMENTS, store.meta.manifest(txn))
    _apply_log(store, state)
    # IMPORTANT: not before. What is logged must be applied whatever became of a segment's rows.
    for rows in state.vectors.values():
        rows.looks = True
    return state


def remove_unlisted(folder: Path, manifest: Manifest) -> None:
    """Delete what the manifest does not name: files of a seal that did not end.

    But what grew from a graph it names: it is for the grower to see whether that is of use.
    """
    each = [(number, field, said) for number, fields in manifest.items() for field, said in fields.items()]
    listed = {path for number, field, said in each for path in paths_of(folder, number, field, said)}
    listed |= {path_of(path) for path in listed}
    for path in folder.iterdir():
        if path not in listed and path.is_file():
            path.unlink()


def _load(txn: Transaction, store: Store, folder: Path, params: Mapping[str, VectorParams]) -> State:
    in_place = partial(creation.check_in_place, folder, creation.identity(folder))
    loaded = load_sealed(txn, store, params, partial(Sealed, folder / SEGMENTS, in_place=in_place))
    _, journal_bytes = replay_journal(txn, store, loaded)
    state = State(
        params,
        _slots(txn, store),
        dict(zip(params, map(VectorRows, loaded), strict=True)),
        store.meta.number(txn, b"next_segment"),
    )
    state.journal_bytes = journal_bytes
    _open_tails(state)
    return state


def _slots(txn: Transaction, store: Store) -> Slots:
    live, size = store.meta.live_slots(txn), store.meta.number(txn, b"slots")
    if size > 8 * len(live):  # and memory would be taken for all of them
        raise Corrupted(store.environment.path / DATA_FILE, f"there are {size} slots, and a bitmap of {8 * len(live)}")
    return Slots(live, size)


def _open_tails(state: State) -> None:
    number = max((rows.tail.number for rows in state.vectors.values()), default=NO_SEGMENT)
    state.next_segment = max(state.next_segment, number + 1)
    number = state.new_number() if number == NO_SEGMENT else number
    for rows in state.vectors.values():
        if rows.tail.number < number:
            rows.open(number)


def _apply_log(store: Store, state: State) -> None:
    for group in _groups(store, state.params):
        mark = state.mark()

        def work(txn: Transaction, group: list[tuple[int, Operation]] = group, mark: object = mark) -> None:
            state.back_to(mark)  # type: ignore[arg-type]
            place = Place(txn, store, state)
            for _, operation in group:
                apply(place, operation)
            finish(place, group[0][0], _last_id(*group[-1]))
            state.offer(txn)

        store.environment.write(work)
        state.settle()


def _groups(store: Store, params: Mapping[str, VectorParams]) -> Iterator[list[tuple[int, Operation]]]:
    """What is logged and not applied, in groups that make a transaction each."""
    while True:
        group, size = [], 0
        with store.environment.read() as txn:
            for first_id, value in store.log.items(txn):
                group.append((first_id, _decoded(store, params, first_id, value)))
                size += len(value)
                if size >= GROUP_BYTES:
                    break
        if not group:
            return
        yield group


def _decoded(store: Store, params: Mapping[str, VectorParams], first_id: int, value: bytes) -> Operation:
    try:
        operation = operations.decode(value)
        soundness.check(operation, params)
    except (ValueError, UnsupportedFormat) as error:
        raise Corrupted(
            store.environment.path / DATA_FILE, f"logged operation {first_id} cannot be read: {error}"
        ) from error
    return operation


def _last_id(first_id: int, operation: Operation) -> int:
    count = len(operation.operations) if isinstance(operation, operations.BatchUpdate) else 1
    return first_id + count - 1
