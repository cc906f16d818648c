"""Recovery: from the folder of a collection to a state that is in step with its store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecstore import operations
from vecstore.engine.apply import Place, apply
from vecstore.engine.creation import SEGMENTS
from vecstore.engine.rows import VectorRows
from vecstore.engine.state import State
from vecstore.engine.writer import GROUP_BYTES, finish
from vecstore.errors import ConfigMismatch, Corrupted
from vecstore.storage.segments import Sealed, index_path, slots_path
from vecstore.storage.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from vecstore.models import VectorParams
    from vecstore.operations import Operation
    from vecstore.storage.environment import Transaction
    from vecstore.storage.journal import Change
    from vecstore.storage.meta import Manifest
    from vecstore.storage.store import Store


def check_vectors(stored: Mapping[str, VectorParams], given: Mapping[str, VectorParams] | None, path: Path) -> None:
    """Raise ``ConfigMismatch`` unless the collection has the vectors that were given."""
    if given is not None and dict(stored) != dict(given):
        raise ConfigMismatch(f"{path} has the vectors {_said(stored)}, and was opened with {_said(given)}")


def _said(vectors: Mapping[str, VectorParams]) -> str:
    return "{" + ", ".join(f"{n!r}: {p.size} {p.distance.value}" for n, p in vectors.items()) + "}"


def recover(store: Store, folder: Path, params: Mapping[str, VectorParams]) -> State:
    """The state of a collection whose folder this process has locked; its log is empty afterwards."""
    (folder / SEGMENTS).mkdir(exist_ok=True)  # tools that copy folders may leave empty ones out
    with store.environment.read() as txn:
        manifest = store.meta.manifest(txn)
        remove_unlisted(folder / SEGMENTS, manifest)
        state = _load(txn, store, folder / SEGMENTS, params, manifest)
    _apply_log(store, state)
    return state


def remove_unlisted(folder: Path, manifest: Manifest) -> None:
    """Delete what the manifest does not name: files of a seal that did not end."""
    pairs = [(number, field) for number, fields in manifest.items() for field in fields]
    listed = {make(folder, *pair) for pair in pairs for make in (index_path, slots_path)}
    for path in folder.iterdir():
        if path not in listed and path.is_file():
            path.unlink()


def _load(
    txn: Transaction, store: Store, folder: Path, params: Mapping[str, VectorParams], manifest: Manifest
) -> State:
    next_segment = store.meta.number(txn, b"next_segment")
    vectors = {}
    for field, (name, p) in enumerate(params.items()):
        sealed = [Sealed(folder, n, field, p, fs[field]) for n, fs in sorted(manifest.items()) if field in fs]
        vectors[name] = VectorRows(field, p, [*sealed], next_segment)
        for segment in sealed:
            if (dead := store.meta.dead_rows(txn, segment.number, field)) is not None:
                vectors[name].set_dead(segment.number, dead)
    state = State(params, Slots(store.meta.live_slots(txn), store.meta.number(txn, b"slots")), vectors)
    _replay_journal(txn, store, state)
    return state


def _replay_journal(txn: Transaction, store: Store, state: State) -> None:
    by_field = list(state.vectors.values())
    for _, size, changes in store.journal.entries(txn):
        state.journal_bytes += size
        for change in changes:
            _replay(by_field[change.field], change, store)
    for rows in by_field:
        if rows.tail.number < state.open_number:
            rows.open(state.open_number)


def _replay(rows: VectorRows, change: Change, store: Store) -> None:
    try:
        rows.replay(change)
    except ValueError as error:
        raise Corrupted(store.environment.path, f"the journal does not fit the manifest: {error}") from error


def _apply_log(store: Store, state: State) -> None:
    for group in _groups(store):
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


def _groups(store: Store) -> Iterator[list[tuple[int, Operation]]]:
    """What is logged and not applied, in groups that make a transaction each."""
    while True:
        group, size = [], 0
        with store.environment.read() as txn:
            for first_id, value in store.log.items(txn):
                group.append((first_id, _decoded(store, first_id, value)))
                size += len(value)
                if size >= GROUP_BYTES:
                    break
        if not group:
            return
        yield group


def _decoded(store: Store, first_id: int, value: bytes) -> Operation:
    try:
        return operations.decode(value)
    except Exception as error:
        raise Corrupted(store.environment.path, f"logged operation {first_id} cannot be read: {error}") from error


def _last_id(first_id: int, operation: Operation) -> int:
    count = len(operation.operations) if isinstance(operation, operations.BatchUpdate) else 1
    return first_id + count - 1
