"""Everything that can be wrong with what is kept, one thing at a time; for ``test_verify``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import damaging
import numpy as np
from damaging import UUIDS, change, database, flip, look, put, rows_of, segment_file

from vecstore import requests
from vecstore.ids import key_of
from vecstore.storage import journal
from vecstore.storage.catalog import Index, Kind
from vecstore.storage.journal import Change
from vecstore.storage.meta import DEAD, guarded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vecstore.storage.store import Store

    Damage = Callable[[Path], Any]

NONE, NO_ROWS = np.empty(0, dtype=np.uint32), np.empty((0, 2), dtype=np.float32)


@dataclass(frozen=True)
class Case:
    """``places``: what the places of the problems contain, each of them at least once.

    ``mended``: repairing restores everything. Otherwise ``lost`` are the points that lose something when it is given
    up: whole, or the vector ``vector``; None: nothing can be given up either. ``unchanged``: giving up does not
    change what a reader sees.
    """

    damage: Damage
    places: tuple[str, ...]
    mended: bool = False
    lost: tuple[Any, ...] | None = None
    vector: str | None = None
    says: str = ""


def in_store(work: Callable[[Store, Any], Any]) -> Damage:
    return partial(change, work=work)


def on_file(number: int, suffix: str, damage: Damage) -> Damage:
    return lambda path: damage(segment_file(path, number, suffix))


def cut(length: int) -> Damage:
    return lambda path: path.write_bytes(path.read_bytes()[:length])


def number(name: bytes, value: int) -> Damage:
    return in_store(lambda store, txn: store.meta.put_number(txn, name, value))


def slot_of(path: Path, point_id: Any) -> int:
    return int(look(path, lambda store, txn: store.points.find(txn, [key_of(point_id)])[0]))


def on_point(point_id: Any, work: Callable[[Store, Any, int], Any]) -> Damage:
    """Damage that wants to know the slot of a point."""

    def damage(path: Path) -> None:
        slot = slot_of(path, point_id)
        change(path, lambda store, txn: work(store, txn, slot))

    return damage


def slot_key(slot: int) -> bytes:
    return slot.to_bytes(4, "big")


def payload_becomes(point_id: Any, value: bytes | None) -> Damage:
    key = key_of(point_id)
    return on_point(
        point_id,
        lambda store, txn, slot: put(b"payloads", slot_key(slot), None if value is None else key + value)(store, txn),
    )


def first_entry(name: bytes, at: int) -> Damage:
    """Damage the first byte of the value of the row number ``at`` of a database of pieces."""

    def work(store: Store, txn: Any) -> None:
        key, value = rows_of(store, txn, name)[at]
        assert txn.put(key, bytes([value[0] ^ 1]) + value[1:], db=database(store, name))

    return in_store(work)


def journal_entry(*changes: Change) -> Damage:
    def work(store: Store, txn: Any) -> None:
        applied = store.meta.number(txn, b"applied")
        store.meta.put_number(txn, b"applied", applied + 1)
        store.journal.append(txn, applied + 1, journal.encode(changes))
        store.log.remove(txn, 0, 2**63)
        damaging.log(store, txn, requests.parse_delete([100]))

    return in_store(work)


def rows_in_segment(segment: int, first: int, slot: int, size: int = 2) -> Change:
    return Change(1, segment, first, np.array([slot], np.uint32), np.ones((1, size), np.float32), NONE, NONE)


def a_second_row(path: Path) -> None:
    """Point 50, which has vector b in a file, gets it in the journal too, without its row in the file dying."""
    journal_entry(rows_in_segment(10**6, 0, slot_of(path, 50)))(path)


def a_row_of_nobody(path: Path) -> None:
    """A row of a slot that no point has."""
    slot = look(path, lambda store, txn: store.meta.number(txn, b"slots"))
    number(b"slots", slot + 1)(path)
    journal_entry(rows_in_segment(10**6, 0, slot))(path)


def bit_of(name: bytes) -> Damage:
    """One bit of a value ``Meta`` reads."""

    def work(store: Store, txn: Any) -> None:
        home = store.meta._home(name)
        value = txn.get(name, db=home)
        txn.put(name, bytes([value[0] ^ 16]) + value[1:], db=home)

    return in_store(work)


def dead_bitmap(value: bytes, bit: int | None = None) -> Damage:
    def work(store: Store, txn: Any) -> None:
        (segment, _), *_ = [(n, f) for n, fields in store.meta.manifest(txn).items() for f in fields if f == 1]
        kept = bytearray(guarded(value))
        kept[0] ^= 0 if bit is None else 1 << bit
        txn.put(DEAD.pack(b"dead", segment, 1), bytes(kept), db=database(store, b"meta"))

    return in_store(work)


def index_loses_keys(name: bytes) -> Damage:
    return in_store(lambda store, txn: txn.delete(rows_of(store, txn, name)[5][0], db=database(store, name)))


def catalog(change_it: Callable[[Any], Any]) -> Damage:
    return in_store(lambda store, txn: store.catalog.write(txn, change_it(store.catalog.read(txn))))


def a_point_twice(path: Path) -> None:
    """The payload of point 60 is under the slot of point 61, too."""
    other, key = slot_of(path, 61), key_of(60)

    def work(store: Store, txn: Any, slot: int) -> None:
        value = store.points.value(txn, slot)
        put(b"payloads", slot_key(other), value)(store, txn)
        put(b"points", key_of(61), None)(store, txn)
        assert value.startswith(key)

    on_point(60, work)(path)


def swapped(path: Path) -> None:
    """The ids of two points name each other's slots."""
    slots = {i: slot_of(path, i) for i in (70, 71)}
    for i in (70, 71):
        change(path, put(b"points", key_of(i), slots[141 - i].to_bytes(4, "little")))


CASES: dict[str, Case] = {
    # files
    "a bit of the rows": Case(on_file(0, "faiss", partial(flip, bit=4000)), ("0.faiss",), lost=(), vector="a"),
    "a bit of a graph with rows": Case(on_file(1, "faiss", partial(flip, bit=999)), ("1.faiss",), lost=(), vector="b"),
    "rows are gone": Case(on_file(0, "faiss", lambda p: p.unlink()), ("0.faiss",), lost=(), vector="a"),
    "rows are cut": Case(on_file(0, "faiss", cut(1000)), ("0.faiss",), lost=(), vector="a"),
    "a bit of a graph": Case(on_file(0, "graph", partial(flip, bit=9999)), ("0.graph",), mended=True),
    "a graph is gone": Case(on_file(0, "graph", lambda p: p.unlink()), ("0.graph",), mended=True),
    "a graph is empty": Case(on_file(0, "graph", cut(0)), ("0.graph",), mended=True),
    "a bit of the slots' header": Case(on_file(0, "slots", partial(flip, bit=3)), ("0.slots",), mended=True),
    "a bit of the slots' order": Case(on_file(0, "slots", partial(flip, bit=8 * 1000)), ("0.slots",), mended=True),
    "the slots' order is cut": Case(on_file(1, "slots", cut(16 + 4 * 250)), ("1.slots",), mended=True),
    "a bit of the slots": Case(on_file(0, "slots", partial(flip, bit=8 * 20)), ("0.slots",), lost=(), vector="a"),
    "slots are gone": Case(on_file(0, "slots", lambda p: p.unlink()), ("0.slots",), lost=(), vector="a"),
    # the log and the counters
    "the log": Case(first_entry(b"wal", 1), ("log",), lost=(), says="operation"),
    "the log's index": Case(first_entry(b"wal", 0), ("log",), lost=(), says="operation"),
    "logged and applied": Case(number(b"applied", 10**6), ("log",)),
    "reserved too low": Case(number(b"reserved", 3), ("counters",), mended=True),
    "next segment too low": Case(number(b"next_segment", 0), ("counters",), mended=True),
    "slots too high": Case(number(b"slots", 2**32 - 1), ("counters",), mended=True),
    "slots too low": Case(number(b"slots", 5), ("data.mdb", "slots in use"), mended=True),
    # points
    "an id is gone": Case(in_store(put(b"points", key_of(40), None)), ("ids",), mended=True),
    "an id's slot": Case(in_store(put(b"points", key_of(40), b"\x01\0\0\0")), ("ids",), mended=True),
    "two ids' slots": Case(swapped, ("ids",), mended=True),
    "a payload is gone": Case(payload_becomes(41, None), ("ids", "slots in use", "rows of"), lost=(41,)),
    "a payload cannot be read": Case(payload_becomes(UUIDS[3], b"\xc1"), ("payloads",), lost=(UUIDS[3],)),
    "a payload is a list": Case(payload_becomes(42, b"\x90"), ("payloads",), lost=(42,)),
    "a payload is another": Case(payload_becomes(43, b"\x81\xa1n\x05"), ("payload index of 'n'",), mended=True),
    "a payload without a key": Case(
        on_point(44, lambda store, txn, slot: put(b"payloads", slot_key(slot), b"\x07")(store, txn)),
        ("payloads", "ids"),
        lost=(44,),
    ),
    "slots in use": Case(
        in_store(lambda store, txn: store.meta.put_live_slots(txn, np.zeros(1024, np.uint8), [0])),
        ("slots in use",),
        mended=True,
    ),
    "more slots in use": Case(
        in_store(lambda store, txn: store.meta.put_live_slots(txn, np.full(5 * 1024, 255, np.uint8), [3, 4])),
        ("slots in use",),
        mended=True,
    ),
    # values of which a bit has turned
    **{
        f"a bit of {name.decode()}": Case(bit_of(name), ("counters",), mended=True)
        for name in (b"applied", b"reserved", b"slots", b"next_segment")
    },
    "a bit of the slots in use": Case(bit_of(b"live\0\0\0\0"), ("slots in use",), mended=True),
    "a bit of the manifest": Case(bit_of(b"manifest"), ("data.mdb",)),
    "a bit of the vectors": Case(bit_of(b"vectors"), ("data.mdb",)),
    "a bit of the dead rows": Case(dead_bitmap(b"\1", bit=3), ("dead rows",), lost=(), vector="b"),
    "a bit of the list of indexes": Case(bit_of(b"indexes"), ("payload indexes",), lost=()),
    # vectors
    "a second row": Case(a_second_row, ("rows of segment",), lost=(50,), vector="b"),
    "a row of nobody": Case(a_row_of_nobody, ("rows of segment 1000000",), mended=True),
    "too many are dead": Case(dead_bitmap(bytes(99)), ("dead rows",), lost=(), vector="b"),
    "the journal": Case(first_entry(b"journal", 1), ("journal",), lost=(), says="did to vectors"),
    "the journal's last": Case(first_entry(b"journal", -1), ("journal",), lost=(), says="did to vectors"),
    "the journal's rows": Case(
        journal_entry(rows_in_segment(10**6, 5, 1)), ("journal",), lost=(), says="do not follow"
    ),
    "the journal's size": Case(
        journal_entry(rows_in_segment(10**6, 0, 1, size=3)), ("journal",), lost=(), says="rows of 2 numbers"
    ),
    "the journal's field": Case(
        journal_entry(Change(7, 1, 0, NONE, np.empty((0, 2), np.float32), NONE, NONE)), ("journal",), lost=()
    ),
    "the journal's dead": Case(
        journal_entry(
            Change(
                1, 10**6, 0, NONE, np.empty((0, 2), np.float32), np.array([5], np.uint32), np.array([10**6], np.uint32)
            )
        ),
        (),
    ),
    # payload indexes
    "a posting list": Case(index_loses_keys(b"index"), ("payload index of 'n'",), mended=True, says="missing"),
    "numbers": Case(index_loses_keys(b"numbers"), ("payload index of 'n'",), mended=True, says="missing"),
    "too many postings": Case(
        in_store(lambda store, txn: put(b"index", rows_of(store, txn, b"index")[0][0], b"\0\0\0\xc8")(store, txn)),
        ("payload index",),
        mended=True,
        says="no payload has",
    ),
    "an index of nothing": Case(
        in_store(put(b"index", b"\0\x63M", b"\0\0\0\1")), ("payload indexes",), mended=True, says="index 99"
    ),
    "an index is twice in the list": Case(
        catalog(lambda found: type(found)((*found.indexes, found.indexes[0]))),
        ("payload indexes",),
        lost=(),
        says="twice",
    ),
    "an index of no path": Case(
        catalog(lambda found: type(found)((Index(0, "a..b[", Kind.SCALARS, (), False, None),))),
        ("payload indexes",),
        lost=(),
    ),
    "the list of indexes": Case(in_store(put(b"meta", b"indexes", guarded(b"\x93\1"))), ("payload indexes",), lost=()),
    # what everything hangs on
    "the vectors": Case(in_store(put(b"meta", b"vectors", guarded(b"\x91\x92\1\2"))), ("data.mdb",)),
    "the manifest": Case(in_store(put(b"meta", b"manifest", guarded(b"\xc1"))), ("data.mdb",)),
    "a vector that is not there": Case(
        in_store(lambda store, txn: damaging.set_manifest(store, txn, [[1, [[9, 1, 1, 1, 1, 1]]]])), ("data.mdb",)
    ),
    "a counter": Case(in_store(put(b"meta", b"slots", guarded(b"12"))), ("counters",), mended=True),
}
