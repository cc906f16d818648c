"""The log and the counters: every operation is in the log or applied, and no number is given out twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vecstore import operations
from vecstore.checking.cures import DropLogged, PutNumber
from vecstore.checking.subject import DATA
from vecstore.engine.writer import RESERVE
from vecstore.errors import Corrupted
from vecstore.health import Loss

if TYPE_CHECKING:
    from vecstore.checking.subject import Findings, Subject
    from vecstore.operations import Operation

LOG, COUNTERS = f"{DATA}, log", f"{DATA}, counters"
FAR = 1 << 16
"""Where the number of the next segment is lost, this much is left out: merged ones had numbers, too."""


@dataclass(frozen=True)
class Counters:
    """What the other checks want to know: the last ``applied`` operation, and that ``slots`` are under this number."""

    applied: int
    slots: int


def check_counters(subject: Subject, findings: Findings) -> Counters:
    """Logged operations can be read and follow what is applied; counters are past all that was given out."""
    logged = subject.store.log.numbers(subject.txn)
    reserved = _number(subject, b"reserved")
    following = logged[0] if logged else reserved
    applied = _number_or(subject, findings, b"applied", FAR if following is None else following - 1)
    last = applied
    with findings.guard(LOG):
        last = _check_log(subject, findings, applied)
    _check_least(findings, b"reserved", reserved, last + 1, instead=last + RESERVE)
    highest = max(subject.manifest, default=-1)
    following = _number(subject, b"next_segment")
    _check_least(findings, b"next_segment", following, highest + 1, instead=highest + FAR)
    return Counters(applied, _slots(subject, findings))


def _number(subject: Subject, name: bytes) -> int | None:
    """A number, None for a damaged one. Nothing is reserved before the first opening."""
    try:
        return max(subject.store.meta.number(subject.txn, name), int(name == b"reserved"))
    except Corrupted:
        return None


def _number_or(subject: Subject, findings: Findings, name: bytes, instead: int) -> int:
    number = _number(subject, name)
    if number is None:
        findings.add(COUNTERS, f"{name.decode()!r} is not what was written", PutNumber(name, instead))
    return instead if number is None else number


def _check_least(findings: Findings, name: bytes, number: int | None, least: int, instead: int) -> None:
    if number is None or number < least:
        what = f"{name.decode()!r} is {number}, and has to be {least} at least"
        findings.add(COUNTERS, what, PutNumber(name, instead))


def _slots(subject: Subject, findings: Findings) -> int:
    """Every slot in use had its place in the bitmap when it was given."""
    try:
        room = 8 * len(subject.store.meta.live_slots(subject.txn))
    except Corrupted:  # which is a problem of its own
        return _number(subject, b"slots") or 0
    size = _number_or(subject, findings, b"slots", room)
    if size > room:
        what = f"'slots' is {size}, and there is a bitmap of {room}"
        findings.add(COUNTERS, what, PutNumber(b"slots", room))
    return size


def _check_log(subject: Subject, findings: Findings, last: int) -> int:
    """``last``: the last operation that was applied. Returns the last one that has an id."""
    for first_id, value in subject.store.log.checked(subject.txn):
        findings.checked["logged operations"] += 1
        operation = _decoded(value)
        if operation is None:
            loss = Loss(f"operation {first_id}, which was acknowledged and is not applied yet")
            what = f"operation {first_id} is not what was written"
            findings.add(LOG, what, DropLogged(first_id), loss)
        if first_id <= last:
            findings.add(LOG, f"operation {first_id} waits to be applied, and {last} is applied or logged before it")
        last = max(last, first_id + _count(operation) - 1)
    return last


def _decoded(value: bytes | None) -> Operation | None:
    try:
        return None if value is None else operations.decode(value)
    except Exception:  # noqa: BLE001 - whatever it is, it is not an operation
        return None


def _count(operation: Operation | None) -> int:
    return len(operation.operations) if isinstance(operation, operations.BatchUpdate) else 1
