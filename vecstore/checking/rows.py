"""Vectors: every live vector is in exactly one live row of one segment, of a point that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.checking.cures import DropSegment, KillRows, RaiseSlots, RewriteJournal
from vecstore.checking.files import check_segment
from vecstore.checking.held import Held
from vecstore.checking.subject import DATA
from vecstore.errors import Corrupted
from vecstore.health import Loss

if TYPE_CHECKING:
    from vecstore.checking.counters import Counters
    from vecstore.checking.held import Part
    from vecstore.checking.points import PointsCheck
    from vecstore.checking.subject import Findings, Subject
    from vecstore.engine.version import SegmentView
    from vecstore.storage.journal import Change

Slots: TypeAlias = npt.NDArray[np.uint32]

JOURNAL, DEAD, MEMORY = f"{DATA}, journal", f"{DATA}, dead rows", "memory"


class RowsCheck:
    """Checks the rows of a subject. ``held``: the rows as they were found."""

    def __init__(self, subject: Subject, findings: Findings, points: PointsCheck, counters: Counters) -> None:
        self._subject, self._findings, self._counters = subject, findings, counters
        self._points, self._points_ok = points.slots, points.ok
        self.held = [Held(name, number, params) for number, (name, params) in enumerate(subject.params.items())]
        for held in self.held:
            self._check_sealed(held)
        known = all(part.dead_known for held in self.held for part in held.parts.values())
        if self._check_journal() and known:
            for held in self.held:
                self._check_live(held)
            self._check_version()
        for held in self.held:
            self._tell_lost(held)
            findings.checked["vectors"] += sum(len(part.live_rows()) for part in held.parts.values())

    def _check_sealed(self, held: Held) -> None:
        meta, txn = self._subject.store.meta, self._subject.txn
        for number, fields in sorted(self._subject.manifest.items()):
            if held.field not in fields:
                continue
            found = check_segment(self._subject, self._findings, number, held.name)
            part = held.seal(number, fields[held.field].rows, found)
            try:
                if (dead := meta.dead_rows(txn, number, held.field)) is not None:
                    part.bury(dead)
            except (ValueError, Corrupted) as error:
                part.damage.append((DEAD, str(error)))
                part.dead_known = False

    # -- the journal -----------------------------------------------------------------------------------------

    def _check_journal(self) -> bool:
        """Whether the journal is right; where it is not, nothing can be said of its rows, and of what they replaced."""
        since, right = "the last seal", True
        for sequence, changes in self._subject.store.journal.checked(self._subject.txn):
            self._findings.checked["journal entries"] += 1
            what = self._replayed(sequence, changes, after_damage=not right)
            if what is not None:
                right = False
                loss = Loss(
                    f"what the operations from {since} up to {sequence} did to vectors: points they gave new ones "
                    "have their former ones, or none"
                )
                self._findings.add(JOURNAL, what, RewriteJournal(), loss)
            since = f"operation {sequence + 1}"
        return right

    def _replayed(self, sequence: int, changes: list[Change] | None, *, after_damage: bool) -> str | None:
        """What is wrong with an entry, if anything is."""
        if changes is None:
            return f"entry {sequence} is not what was written"
        try:
            for change in changes:
                self.held[change.field].replay(change, after_damage=after_damage)
        except (ValueError, LookupError) as error:
            return f"entry {sequence} does not fit: {error}"
        if sequence > self._counters.applied:
            self._findings.add(JOURNAL, f"entry {sequence} is of an operation that is not applied")
        return None

    # -- live rows -------------------------------------------------------------------------------------------

    def _check_live(self, held: Held) -> None:
        size = self._counters.slots
        parts = [part for part in held.parts.values() if part.slots is not None]
        highest = max((int(part.slots.max(initial=0)) for part in parts if part.slots is not None), default=-1)
        if highest >= size and any(part.rows for part in parts):
            what = f"slots from {size} on count as never given, and a row of vector {held.name!r} is of {highest}"
            self._findings.add(DATA, what, RaiseSlots(highest + 1))
        for part in parts:
            self._check_owners(held, part)
        self._check_twice(held, parts)

    def _check_owners(self, held: Held, part: Part) -> None:
        rows = part.live_rows()
        left = rows[~np.isin(part.live_slots(), self._points)]
        if not len(left):
            return
        place = f"{DATA}, rows of segment {part.number}"
        what = f"{len(left)} vectors {held.name!r} are of no point"
        if self._points_ok:
            self._findings.add(place, what, KillRows(held.field, part.number, left))
        else:
            self._findings.add_consequence(place, what)

    def _check_twice(self, held: Held, parts: list[Part]) -> None:
        slots = np.concatenate([np.empty(0, np.uint32), *(part.live_slots() for part in parts)])
        found, counts = np.unique(slots, return_counts=True)
        twice = found[counts > 1]
        if not len(twice):
            return
        what = f"{len(twice)} points have vector {held.name!r} in several rows"
        loss = Loss(f"vector {held.name!r} of {len(twice)} points", self._subject.ids(twice), held.name)
        for part in parts:
            rows = part.live_rows()[np.isin(part.live_slots(), twice)]
            if len(rows):
                place = f"{DATA}, rows of segment {part.number}"
                self._findings.add(place, what, KillRows(held.field, part.number, rows), loss)

    # -- what damaged files take with them -------------------------------------------------------------------

    def _tell_lost(self, held: Held) -> None:
        for part in held.parts.values():
            if part.damage:
                loss = self._loss(held, part)
                for place, what in part.damage:
                    self._findings.add(place, what, DropSegment(part.number, held.field), loss)

    def _loss(self, held: Held, part: Part) -> Loss:
        count = len(part.live_rows())
        what = f"vector {held.name!r} of {count} points"
        if part.slots is not None:
            return Loss(what, self._subject.ids(part.live_slots()), held.name)
        others = [other.live_slots() for other in held.parts.values() if not other.damage]
        without = np.setdiff1d(self._points, np.concatenate([np.empty(0, np.uint32), *others]))
        return Loss(f"{what}, which are among these", self._subject.ids(without), held.name)

    # -- an open collection ----------------------------------------------------------------------------------

    def _check_version(self) -> None:
        if self._subject.version is None:
            return
        for held in self.held:
            expected = {part.number: part for part in held.parts.values() if part.rows}
            views = {view.source.number: view for view in self._subject.version.vectors[held.name]}
            for number in expected.keys() | views.keys():
                if not _agree(expected.get(number), views.get(number)):
                    what = f"segment {number} of vector {held.name!r} is not what the store says; open it again"
                    self._findings.add(MEMORY, what)


def _agree(part: Part | None, view: SegmentView | None) -> bool:
    if part is None or view is None:
        return False
    if part.slots is None:  # which is a problem of its own
        return True
    same_rows = np.array_equal(part.live_rows(), view.live_rows())
    return same_rows and np.array_equal(part.slots, view.slots())
