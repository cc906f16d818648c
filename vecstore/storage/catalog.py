"""The catalog: which payload indexes there are, and how far each is built.

Kept in the database ``meta`` under the name ``indexes``, as msgpack:

    [[[number, path, kind, [type, ...], automatic, reached], ...], [number, ...]]

``number``: what the keys of the index begin with (``vecstore.storage.terms``). ``path``: the payload path in its
canonical spelling. ``kind``: 1 scalars, 2 datetimes, 3 places, 4 words; there is at most one index for a path
and a kind. ``types``: what it was asked for as. ``automatic``: whether a filter asked for it. ``reached``: points
in slots under this one are in the index, and every write keeps it so; null when all points are.

After the list: the numbers of indexes that were dropped and still have keys; they are not given again before.

A write changes the catalog in its transaction, and a reader reads it from its snapshot: what an index is good
for is always of the same state as what is in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from vecstore.encoding import pack, unpack
from vecstore.errors import Corrupted, InvalidRequest
from vecstore.models import PayloadSchemaType
from vecstore.paths import format_path, parse_path
from vecstore.storage.meta import guarded, unguarded
from vecstore.storage.terms import NUMBER_SIZE, prefix_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path as FilePath

    from vecstore.paths import Path
    from vecstore.storage.environment import Database, Transaction

NAME = b"indexes"
HIGHEST_NUMBER = (1 << 8 * NUMBER_SIZE) - 1
HIGHEST_SLOT = 1 << 32


class Kind(IntEnum):
    """What an index is of: the conditions it can answer."""

    SCALARS = 1
    DATETIMES = 2
    PLACES = 3
    WORDS = 4


KINDS = {
    PayloadSchemaType.DATETIME: Kind.DATETIMES,
    PayloadSchemaType.GEO: Kind.PLACES,
    PayloadSchemaType.TEXT: Kind.WORDS,
}
"""The kinds of types; all others are scalars: strings, numbers, bools, and what is missing, empty or null."""


def kind_of(wanted: PayloadSchemaType) -> Kind:
    """The kind of index that answers for a type."""
    return KINDS.get(wanted, Kind.SCALARS)


@dataclass(frozen=True)
class Index:
    """One payload index: see the top of this module."""

    number: int
    path: str
    kind: Kind
    types: tuple[PayloadSchemaType, ...]
    automatic: bool
    reached: int | None

    @property
    def ready(self) -> bool:
        """Whether it has all points."""
        return self.reached is None

    @cached_property
    def steps(self) -> Path:
        """The path."""
        return parse_path(self.path)

    @cached_property
    def prefix(self) -> bytes:
        """What its keys begin with."""
        return prefix_of(self.number)


@dataclass(frozen=True)
class Catalog:
    """The indexes, and the numbers of those that are being dropped."""

    indexes: tuple[Index, ...] = ()
    dropped: tuple[int, ...] = ()
    _by_field: dict[tuple[str, Kind], Index] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_field", {(i.path, i.kind): i for i in self.indexes})

    def find(self, path: str, kind: Kind) -> Index | None:
        """The index of a path and a kind, if there is one."""
        return self._by_field.get((path, kind))

    def automatic_paths(self) -> set[str]:
        """The paths that filters asked for."""
        return {index.path for index in self.indexes if index.automatic}

    def added(self, path: str, wanted: PayloadSchemaType, *, automatic: bool, reached: int | None) -> Catalog:
        """With an index that answers for a type; one that is there is told of the type."""
        found = self.find(path, kind_of(wanted))
        if found is not None:
            types = found.types if wanted in found.types else (*found.types, wanted)
            return self.changed([replace(found, types=types, automatic=found.automatic and automatic)])
        made = Index(self._free_number(), path, kind_of(wanted), (wanted,), automatic, reached)
        return Catalog((*self.indexes, made), self.dropped)

    def _free_number(self) -> int:
        taken = {index.number for index in self.indexes}.union(self.dropped)
        return next(number for number in range(HIGHEST_NUMBER + 1) if number not in taken)

    def changed(self, indexes: Iterable[Index]) -> Catalog:
        """With these in the place of those with their numbers."""
        new = {index.number: index for index in indexes}
        return Catalog(tuple(new.get(index.number, index) for index in self.indexes), self.dropped)

    def without(self, path: str) -> Catalog:
        """Without the indexes of a path, whose keys have to be dropped."""
        gone = tuple(index.number for index in self.indexes if index.path == path)
        return Catalog(tuple(i for i in self.indexes if i.path != path), (*self.dropped, *gone))

    def forgotten(self, number: int) -> Catalog:
        """Without a dropped index of which no key is left."""
        return Catalog(self.indexes, tuple(n for n in self.dropped if n != number))


EMPTY = Catalog()


@lru_cache(maxsize=64)
def _decoded(value: bytes) -> Catalog:
    indexes, dropped = unpack(value)
    return Catalog(tuple(_index(*index) for index in indexes), tuple(map(_number, dropped)))


def _index(number: Any, path: Any, kind: Any, types: Any, automatic: Any, reached: Any) -> Index:
    if not isinstance(automatic, bool):
        raise ValueError(f"expected true or false, got {automatic}")  # noqa: TRY004 - what ``read`` expects
    reached = None if reached is None else _number(reached, HIGHEST_SLOT)
    wanted = tuple(map(PayloadSchemaType, types))
    return Index(_number(number), format_path(parse_path(path)), Kind(kind), wanted, automatic, reached)


def _number(value: Any, highest: int = HIGHEST_NUMBER) -> int:
    if type(value) is not int or not 0 <= value <= highest:
        raise ValueError(f"expected a number of 0 to {highest}, got {value}")
    return value


class CatalogStore:
    """Reading and writing the catalog. Every call is inside a transaction of the caller."""

    def __init__(self, database: Database, path: FilePath) -> None:
        self._database = database
        self._path = path

    def read(self, txn: Transaction) -> Catalog:
        """The catalog of a state. Raises ``Corrupted``."""
        value = txn.get(NAME, db=self._database)
        try:
            return EMPTY if value is None else _decoded(unguarded(value, self._path, NAME))
        except (ValueError, TypeError, LookupError, AttributeError, InvalidRequest) as error:
            raise Corrupted(self._path, f"the list of payload indexes cannot be read: {error}") from error

    def write(self, txn: Transaction, catalog: Catalog) -> None:
        """Replace the catalog."""
        rows = [
            [i.number, i.path, int(i.kind), [t.value for t in i.types], i.automatic, i.reached] for i in catalog.indexes
        ]
        txn.put(NAME, guarded(pack([rows, list(catalog.dropped)])), db=self._database)
