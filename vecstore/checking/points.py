"""Points: ids and payloads name each other, payloads can be read, and the slots in use are those that have one."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vecstore.checking.cures import DropPoints, PutLiveSlots, PutPoints, RaiseSlots
from vecstore.checking.subject import DATA
from vecstore.errors import Corrupted
from vecstore.health import Loss
from vecstore.ids import INTEGER, INTEGER_KEY_SIZE, UUID_KEY_SIZE, UUID_TAG, ids_of
from vecstore.payloads import unpack_payload
from vecstore.storage import bitmaps
from vecstore.storage.points import split_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vecstore.checking.subject import Findings, Subject
    from vecstore.models import PointId

CHUNK = 4096
POINTS, PAYLOADS, IN_USE = f"{DATA}, ids", f"{DATA}, payloads", f"{DATA}, slots in use"

KEY_SIZES = {INTEGER: INTEGER_KEY_SIZE, UUID_TAG: UUID_KEY_SIZE}


class PointsCheck:
    """Checks the points of a subject, whose slots are under ``size``.

    ``slots``: those that have a payload, ascending; ``ok``: nothing was wrong.
    """

    def __init__(self, subject: Subject, findings: Findings, size: int) -> None:
        self._subject, self._findings, self._size = subject, findings, size
        self.slots: npt.NDArray[np.uint32] = np.empty(0, dtype=np.uint32)
        self.ok = False
        self.readable = False
        """Whether every payload can be read."""
        before = len(findings.found)
        with findings.guard(PAYLOADS):
            agree = self._check_payloads()
            if not agree:
                self._check_pairs()
            self.ok = len(findings.found) == before
        with findings.guard(IN_USE):
            self._check_slots()

    def _check_payloads(self) -> bool:
        """Whether every payload is that of the point whose id it has, and there are no more points than payloads."""
        subject, unreadable, agree, slots = self._subject, [], True, []
        for chunk in self._chunks():
            self._findings.poll()
            mine = np.array([slot for slot, _ in chunk], dtype=np.uint32)
            keys = [_key(value) for _, value in chunk]
            agree = agree and all(keys) and np.array_equal(subject.store.points.find(subject.txn, keys), mine)
            unreadable += [slot for slot, value in chunk if not _is_readable(value)]
            slots.append(mine)
        self.slots = np.concatenate([self.slots, *slots])
        self._findings.checked["points"] += len(self.slots)
        self.readable = not unreadable
        if unreadable:
            ids = tuple(ids_of([key for slot in unreadable if (key := self._key_of(slot))]))
            loss = Loss(f"{len(unreadable)} payloads, and with them their points", ids)
            keys = [key for slot in unreadable if (key := self._key_of(slot))]
            what = f"{len(unreadable)} payloads cannot be read"
            self._findings.add(PAYLOADS, what, DropPoints(keys, unreadable), loss)
        return agree and subject.store.points.count(subject.txn) == len(self.slots)

    def _key_of(self, slot: int) -> bytes:
        return _key(self._subject.store.points.value(self._subject.txn, slot) or b"")

    def _chunks(self) -> Iterator[list[tuple[int, bytes]]]:
        rows = self._subject.store.points.walk_payloads(self._subject.txn)
        while chunk := list(islice(rows, CHUNK)):
            yield chunk

    # -- where they do not agree -----------------------------------------------------------------------------

    def _check_pairs(self) -> None:
        by_key: dict[bytes, list[int]] = {}
        for chunk in self._chunks():
            for slot, value in chunk:
                if key := _key(value):
                    by_key.setdefault(key, []).append(slot)
        named = self._named()
        self._check_missing(by_key, named)
        self._check_several(by_key, named)
        self._check_without_payload(by_key, named)

    def _named(self) -> dict[bytes, int]:
        named: dict[bytes, int] = {}
        for keys, slots in self._subject.store.points.walk(self._subject.txn, None):
            named.update(zip(keys, slots.tolist(), strict=True))
        return named

    def _check_missing(self, by_key: dict[bytes, list[int]], named: dict[bytes, int]) -> None:
        rows = [(key, slots[0]) for key, slots in by_key.items() if len(slots) == 1 and named.get(key) != slots[0]]
        if rows:
            what = f"{len(rows)} points are not under the slot of their payload: ids {_some(rows)}"
            self._findings.add(POINTS, what, PutPoints(rows))

    def _check_several(self, by_key: dict[bytes, list[int]], named: dict[bytes, int]) -> None:
        several = {key: slots for key, slots in by_key.items() if len(slots) > 1}
        if several:
            kept = [(key, named[key] if named.get(key) in slots else slots[-1]) for key, slots in several.items()]
            extra = [slot for key, slot in kept for slot in several[key] if (key, slot) not in kept]
            loss = Loss("what they are under the other slots", _ids(list(several)))
            what = f"{len(several)} points are under several slots: ids {_some(kept)}"
            self._findings.add(PAYLOADS, what, DropPoints([], extra, kept), loss)

    def _check_without_payload(self, by_key: dict[bytes, list[int]], named: dict[bytes, int]) -> None:
        keys = [key for key in named if key not in by_key]
        if keys:
            loss = Loss("their payloads, and with them the points", _ids(keys))
            self._findings.add(POINTS, f"{len(keys)} ids have no payload", DropPoints(keys, []), loss)

    # -- the slots in use ------------------------------------------------------------------------------------

    def _check_slots(self) -> None:
        last = int(self.slots.max(initial=0))
        if len(self.slots) and self._size <= last:
            what = f"slots from {self._size} on count as never given, and {last} is in use"
            self._findings.add(IN_USE, what, RaiseSlots(last + 1))
        if misfit := self._misfit():
            if self.ok:
                self._findings.add(IN_USE, misfit, PutLiveSlots(self.slots))
            else:
                self._findings.add_consequence(IN_USE, misfit)

    def _misfit(self) -> str | None:
        """What is wrong with the bitmap, if anything is."""
        try:
            live = self._subject.store.meta.live_slots(self._subject.txn)
        except Corrupted as error:
            return str(error)
        same = np.array_equal(bitmaps.members(live, 8 * len(live)), self.slots)
        return None if same else "they are not the slots that have a payload"


def _key(value: bytes) -> bytes:
    """The id key of a stored value; empty when it does not begin with one."""
    if len(value) <= KEY_SIZES.get(value[:1], len(value)):
        return b""
    return split_value(value)[0]


def _is_readable(value: bytes) -> bool:
    key = _key(value)
    try:
        return bool(key) and isinstance(unpack_payload(value[len(key) :]), dict)
    except Exception:  # noqa: BLE001 - whatever it is, it is not a payload
        return False


def _ids(keys: list[bytes]) -> tuple[PointId, ...]:
    return tuple(ids_of(sorted(key for key in keys if len(key) == KEY_SIZES.get(key[:1]))))


def _some(rows: list[tuple[bytes, int]]) -> str:
    ids = _ids([key for key, _ in rows])
    return ", ".join(map(str, ids[:10])) + (", ..." if len(ids) > 10 else "")
