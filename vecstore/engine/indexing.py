"""From payloads to the terms that indexes keep of them, and the upkeep of the indexes with every write.

What a term stands for is decided here once, as the checks of ``vecstore.filters.matching`` decide it: the values
at a path are looked into one level deep, and 1, 1.0, True and "1" are four values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.filters import parse_datetime
from vecstore.filters.geo import place_of
from vecstore.filters.text import words
from vecstore.paths import values_at
from vecstore.payloads import unpack_payload
from vecstore.storage import terms
from vecstore.storage.catalog import Index, Kind
from vecstore.storage.indexes import Entries
from vecstore.storage.points import slot_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vecstore.storage.environment import Transaction
    from vecstore.storage.store import Store

Slots: TypeAlias = npt.NDArray[np.uint32]
Make: TypeAlias = "Callable[[list[Any], bytes], None]"
"""Puts what an index keeps of the values at its path, for a slot, into the entries it was made for."""


# -- terms ------------------------------------------------------------------------------------------------------


def _looked_into(values: list[Any]) -> list[Any]:
    """The values that conditions check: of an array its elements."""
    if len(values) == 1 and isinstance(values[0], list):
        return values[0]
    return [one for value in values for one in (value if isinstance(value, list) else (value,))]


def _scalars(prefix: bytes, entries: Entries) -> Make:
    postings, keep = entries.postings, _scalar(prefix, entries)
    missing, several, empty = prefix + terms.MISSING, prefix + terms.SEVERAL, prefix + terms.EMPTY
    count = prefix + terms.COUNT

    def make(values: list[Any], slot: bytes) -> None:
        if len(values) == 1 and values[0] is not None and type(values[0]) is not list:
            keep(values[0], slot)
            return
        if not values:
            postings[missing].append(slot)
            return
        for size in set(map(_count, values)):
            postings[count + terms.count_key(size)].append(slot)
        if all(value is None or value == [] for value in values):
            postings[empty].append(slot)
        inner = _looked_into(values)
        if len(inner) > 1:
            postings[several].append(slot)
        for value in inner:
            keep(value, slot)

    return make


def _count(value: Any) -> int:
    if value is None:
        return 0
    return len(value) if isinstance(value, list) else 1


def _scalar(prefix: bytes, entries: Entries) -> Callable[[Any, bytes], None]:
    postings, add_head = entries.postings, entries.add_head
    string, integer = prefix + terms.STRING, prefix + terms.INTEGER
    boolean, null = prefix + terms.BOOL, prefix + terms.NULL
    known: dict[str, list[bytes]] = {}  # most strings come again, and need not be made a key of again

    def keep(value: Any, slot: bytes) -> None:
        kind = type(value)
        if kind is str:
            posting = known.get(value)
            if posting is None:
                posting = known[value] = postings[string + terms.cut(value.encode())]
            posting.append(slot)
        elif kind is int:
            postings[integer + terms.integer_key(value)].append(slot)
            add_head(prefix, terms.NUMBER, terms.number_head(value), slot)
        elif kind is float:
            add_head(prefix, terms.NUMBER, terms.number_head(value), slot)
        elif kind is bool:
            postings[boolean + bytes([value])].append(slot)
        elif value is None:
            postings[null].append(slot)

    return keep


def _of_some(prefix: bytes, entries: Entries, keep: Callable[[Any, bytes], bool]) -> Make:
    """For the kinds that are of some values alone: ``keep`` tells whether a value is one of them."""
    several = prefix + terms.SEVERAL

    def make(values: list[Any], slot: bytes) -> None:
        if sum([keep(value, slot) for value in _looked_into(values)]) > 1:
            entries.postings[several].append(slot)

    return make


def _datetimes(prefix: bytes, entries: Entries) -> Make:
    def keep(value: Any, slot: bytes) -> bool:
        moment = parse_datetime(value) if type(value) is str else None
        if moment is not None:
            entries.add_head(prefix, terms.DATETIME, terms.datetime_head(moment), slot)
        return moment is not None

    return _of_some(prefix, entries, keep)


def _places(prefix: bytes, entries: Entries) -> Make:
    def keep(value: Any, slot: bytes) -> bool:
        place = place_of(value)
        if place is None:
            return False
        head = terms.place_head(*place)
        if head is None:
            entries.postings[prefix + terms.ODD].append(slot)
        else:
            entries.add_head(prefix, terms.PLACE, head, slot)
        return True

    return _of_some(prefix, entries, keep)


def _words(prefix: bytes, entries: Entries) -> Make:
    word = prefix + terms.WORD

    def keep(value: Any, slot: bytes) -> bool:
        if type(value) is not str:
            return False
        for found in dict.fromkeys(words(value)):
            entries.postings[word + terms.cut(found.encode())].append(slot)
        return True

    return _of_some(prefix, entries, keep)


_MAKERS: dict[Kind, Callable[[bytes, Entries], Make]] = {
    Kind.SCALARS: _scalars,
    Kind.DATETIMES: _datetimes,
    Kind.PLACES: _places,
    Kind.WORDS: _words,
}


def entries_of(indexes: Iterable[Index], slots: Iterable[bytes], payloads: Iterable[bytes]) -> Entries:
    """What indexes keep of packed payloads; ``slots``: 4 bytes big-endian each."""
    entries = Entries()
    makers = [(index.steps, _MAKERS[index.kind](index.prefix, entries)) for index in indexes]
    for slot, packed in zip(slots, payloads, strict=True):
        payload = unpack_payload(packed)
        for path, make in makers:
            make(values_at(payload, path), slot)
    return entries


# -- upkeep -----------------------------------------------------------------------------------------------------


class Upkeep:
    """The indexes of a state, for one write that changes payloads; False when there are none.

    An index that is still being built is kept up for the slots it has reached; it comes to the others itself.
    """

    def __init__(self, txn: Transaction, store: Store) -> None:
        self._txn, self._store = txn, store
        self._indexes = store.catalog.read(txn).indexes

    def __bool__(self) -> bool:
        return bool(self._indexes)

    def insert(self, slots: Slots, payloads: Sequence[bytes]) -> None:
        """These points are new."""
        for indexes, mine, (after,) in self._reached(slots, payloads):
            self._store.indexes.put(self._txn, entries_of(indexes, mine, after))

    def remove(self, slots: Slots, payloads: Sequence[bytes]) -> None:
        """These points are gone."""
        for indexes, mine, (before,) in self._reached(slots, payloads):
            self._store.indexes.remove(self._txn, entries_of(indexes, mine, before))

    def replace(self, slots: Slots, before: Sequence[bytes], after: Sequence[bytes]) -> None:
        """The payloads of these points were ``before`` and are ``after``."""
        for indexes, mine, (old, new) in self._reached(slots, before, after):
            # A payload that stays as it is is not looked at.
            changed = [i for i in range(len(mine)) if old[i] != new[i]]
            had, has = (
                entries_of(indexes, [mine[i] for i in changed], [column[i] for i in changed]) for column in (old, new)
            )
            self._store.indexes.remove(self._txn, had.without(has))
            self._store.indexes.put(self._txn, has.without(had))

    def _reached(
        self, slots: Slots, *columns: Sequence[bytes]
    ) -> Iterable[tuple[list[Index], list[bytes], list[Sequence[bytes]]]]:
        """The indexes, by how far they have come, with the slots they have reached and the columns beside them."""
        for reached in {index.reached for index in self._indexes}:
            here = np.arange(len(slots)) if reached is None else np.flatnonzero(slots < reached)
            here = here[np.argsort(slots[here], kind="stable")]
            if len(here):
                alike = [index for index in self._indexes if index.reached == reached]
                places = here.tolist()
                yield alike, slot_keys(slots[here]), [[column[i] for i in places] for column in columns]
