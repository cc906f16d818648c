"""A view: one state of the collection, read from one LMDB snapshot and the Version of the same transaction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.engine.filtering import Scan
from vecstore.errors import CollectionClosed, StoreFailed
from vecstore.ids import id_of
from vecstore.models import Array, Record
from vecstore.payloads import unpack_payload
from vecstore.storage.points import split_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from vecstore.conditions import Filter
    from vecstore.engine.engine import Engine
    from vecstore.engine.version import Version
    from vecstore.storage.environment import Transaction
    from vecstore.storage.points import Points

Slots: TypeAlias = npt.NDArray[np.uint32]
Project: TypeAlias = "Callable[[dict[str, Any]], dict[str, Any]] | None"


class View:
    """A context manager: inside it ``txn`` and ``version`` are one state. Nothing it gives out points into it."""

    txn: Transaction
    version: Version
    points: Points

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._inside: AbstractContextManager[Transaction] | None = None

    def __enter__(self) -> View:
        while not self._begin():
            time.sleep(0)
        return self

    def _begin(self) -> bool:
        store = self._engine.store
        inside = store.environment.read()
        try:
            self.txn = inside.__enter__()
        except CollectionClosed:
            if not self._engine.replaced(store):
                raise
            return False
        except StoreFailed:  # LMDB has given up on a failed write, and the writer may not have got to it yet
            self._engine.reopen_to_read()
            if not self._engine.replaced(store):
                raise
            return False
        version = self._engine.state.versions.of(self.txn.id())
        if version is None:  # it took so long to get here that the Version is no longer kept
            inside.__exit__(None, None, None)
            return False
        self.version, self.points, self._inside = version, store.points, inside
        return True

    def __exit__(self, *error: Any) -> None:
        assert self._inside is not None
        self._inside.__exit__(*error)

    # -- filters ---------------------------------------------------------------------------------------------

    def scan(self, condition: Filter) -> Scan:
        """The filter over this state."""
        return Scan(self.txn, self.points, condition, self._present)

    def _present(self, name: str) -> npt.NDArray[np.bool_] | None:
        return self.version.present(name) if name in self.version.vectors else None

    # -- records ---------------------------------------------------------------------------------------------

    def records(self, values: Sequence[bytes], slots: Slots, project: Project, names: Sequence[str]) -> list[Record]:
        """The records of stored values; ``slots`` beside them are needed for the vectors ``names`` alone."""
        records = [record_of(value, project) for value in values]
        if names and records:
            for record, vector in zip(records, self.vectors(slots, names), strict=True):
                record.vector = vector
        return records

    def vectors(self, slots: Slots, names: Sequence[str]) -> list[Array | dict[str, Array]]:
        """For each slot its vectors by name, or the one unnamed vector."""
        found: list[dict[str, Array]] = [{} for _ in range(len(slots))]
        for name in names:
            positions, matrix = self.version.gather(name, slots)
            for position, row in zip(positions.tolist(), matrix, strict=True):
                # A copy of its own, so that one kept vector does not keep the others.
                found[position][name] = row.copy()
        if list(self.version.vectors) == [""]:
            return [vectors.get("", vectors) for vectors in found]
        return list(found)


def record_of(value: bytes, project: Project) -> Record:
    """The record of a stored value, without vectors."""
    key, packed = split_value(value)
    return Record(id_of(key), None if project is None else project(unpack_payload(packed)))
