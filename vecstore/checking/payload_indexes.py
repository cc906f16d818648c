"""Payload indexes: they hold what the payloads say, no more and no less."""

from __future__ import annotations

from collections import Counter
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from vecstore.checking.cures import ForgetIndexes, RebuildIndex
from vecstore.checking.subject import DATA
from vecstore.engine.indexing import entries_of
from vecstore.errors import VecstoreError
from vecstore.health import Loss
from vecstore.storage.points import SLOT_SIZE, split_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vecstore.checking.subject import Findings, Subject
    from vecstore.storage.catalog import Catalog, Index

CHUNK = 4096
INDEXES = f"{DATA}, payload indexes"


def check_indexes(subject: Subject, findings: Findings) -> None:
    """Derive from the payloads what every index should hold, and compare. The payloads can be read."""
    catalog = _catalog(subject, findings)
    if catalog is None:
        return
    totals = subject.store.indexes.totals(subject.txn)
    known = {index.number for index in catalog.indexes}.union(catalog.dropped)
    for number in totals.keys() - known:
        findings.add(INDEXES, f"there is a key of index {number}, which does not exist", RebuildIndex(number))
    for reached in {index.reached for index in catalog.indexes}:
        alike = [index for index in catalog.indexes if index.reached == reached]
        wanted, missing = _compared(subject, findings, alike, reached)
        for index in alike:
            surplus = totals[index.number] - wanted[index.number] + missing[index.number]
            _judge(findings, index, missing[index.number], surplus)
            findings.checked["payload index entries"] += totals[index.number]


def _catalog(subject: Subject, findings: Findings) -> Catalog | None:
    try:
        catalog = subject.store.catalog.read(subject.txn)
        if all(index.steps for index in catalog.indexes) and _are_different(catalog):
            return catalog
        what = "the list of payload indexes names one twice"
    except VecstoreError as error:  # a path that is none
        what = str(error)
    findings.add(INDEXES, what, ForgetIndexes(), Loss("which payload indexes there are; they can be created again"))
    return None


def _are_different(catalog: Catalog) -> bool:
    numbers = {index.number for index in catalog.indexes}
    fields = {(index.path, index.kind) for index in catalog.indexes}
    return len(numbers) == len(fields) == len(catalog.indexes) and not numbers.intersection(catalog.dropped)


def _compared(
    subject: Subject, findings: Findings, indexes: list[Index], reached: int | None
) -> tuple[Counter[int], Counter[int]]:
    """By index number: how many entries there should be, and how many of them there are not."""
    wanted, missing = Counter[int](), Counter[int]()
    for chunk in _chunks(subject.store.points.walk_payloads(subject.txn), reached):
        findings.poll()
        slots = [slot.to_bytes(SLOT_SIZE, "big") for slot, _ in chunk]
        entries = entries_of(indexes, slots, (split_value(value)[1] for _, value in chunk))
        found = subject.store.indexes.check(subject.txn, entries)
        wanted.update(found[0])
        missing.update(found[1])
    return wanted, missing


def _chunks(rows: Iterable[tuple[int, bytes]], reached: int | None) -> Iterator[list[tuple[int, bytes]]]:
    rows = iter(rows) if reached is None else takewhile(lambda row: row[0] < reached, rows)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _judge(findings: Findings, index: Index, missing: int, surplus: int) -> None:
    if missing or surplus:
        what = f"{missing} entries are missing, and {surplus} are there that no payload has"
        place = f"{DATA}, payload index of {index.path!r} ({index.kind.name.lower()})"
        findings.add(place, what, RebuildIndex(index.number))
