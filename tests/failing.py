"""A collection that seals, merges, indexes, copies and compacts, and in which one call site fails.

After the fault: every call has raised a VecstoreError or nothing; what was read meanwhile was right; what was
acknowledged is there when it is opened again, nothing is half there, and no file is left over.
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from agreeing import are, everything
from model import Model
from sweeping import Site, Sweep

from vecstore import Collection, HnswConfig, VecstoreError, VectorParams, verify
from vecstore.engine import builder, grower, merging, optimizer, sealer
from vecstore.storage import compaction, environment, graph, store, tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Fault: TypeAlias = "tuple[Site, int, bool]"
"""Which call of which site fails, and whether that lasts."""

PATIENCE = 30
SIZE = 4
PARAMS = VectorParams(SIZE, "Dot", HnswConfig(full_scan_threshold=0))
SCHEMA = {"": (SIZE, "Dot")}
ONLY_FILES = (".faiss", ".slots", ".graph")


def points(first: int, count: int) -> dict[str, Any]:
    return {
        "points": [
            {"id": n, "vector": [n % 7, n % 5, n % 3, 1], "payload": {"n": n, "text": "x" * 200}}
            for n in range(first, first + count)
        ]
    }


OPERATIONS: list[dict[str, Any]] = [
    {"upsert": points(0, 40)},
    {"delete": {"points": list(range(0, 40, 3))}},
    {"set_payload": {"payload": {"m": 1}, "filter": {"must": [{"key": "n", "range": {"lt": 10}}]}}},
    {"upsert": points(30, 60)},
    {"set_payload": {"payload": {"m": 2}, "points": [10**6]}},  # which is refused
    {"delete_payload": {"keys": ["text"], "points": [31, 32]}},
    {"delete": {"filter": {"must": [{"key": "n", "range": {"gte": 60}}]}}},
    {"upsert": points(200, 100)},
]


@contextmanager
def small_limits() -> Iterator[None]:
    """Limits that a few points meet; and failures that nobody asks for are what this is about."""
    limits = [
        (sealer, "SEAL_BYTES", 1500),
        (merging, "MOST_FLAT", 2),
        (optimizer, "REST", 0),
        (grower, "FEWEST", 4),
        (grower, "STEP_ROWS", 2),
        (grower, "LOOK_SECONDS", 0),
        (grower, "PAUSE", 0),
        (grower, "CALM", 1 << 40),
        (graph, "ORDER_KEPT", 0.0),
        (graph, "OUT_OF_RANGE", 1.0),
        (builder, "AUTOMATIC_FROM", 0),
        (tail, "BLOCK_BYTES", 500),
        (graph, "SQ8_FROM", SIZE),
        (store, "ON_DISK_MAP", 1 << 17),
        (environment, "SMALLEST_MAP", 1 << 16),
        (compaction, "FREE_BYTES", 1),
        (compaction, "FREE_SHARE", 0.0),
        (logging.getLogger("vecstore"), "disabled", True),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, value in limits:
            patch.setattr(owner, name, value)
        yield


class Life:
    """A collection that is made, written, looked at and closed, whatever fails; and what it has promised."""

    def __init__(self, folder: Path, sweep: Sweep) -> None:
        self._sweep = sweep
        self.path, self.copies = folder / "col", folder / "copies"
        self.states = [Model(SCHEMA)]
        self.acknowledged = 0
        self.wrong: list[str] = []

    def live(self) -> None:
        """All of it, in two sittings."""
        for first, last in ((0, 5), (5, len(OPERATIONS))):
            with suppress(VecstoreError), Collection(self.path, vectors=PARAMS, durability="os") as col:
                self._know(col)
                for operation in OPERATIONS[first:last]:
                    self._write(col, operation)
                    self._look(col)
                self._keep(col)

    def _know(self, col: Collection) -> None:
        """Of operations that were neither acknowledged nor refused it is known now whether they were done."""
        with self._sweep.paused():
            records = everything(col)
            while self.states[self.acknowledged + 1 :] and not are(records, self.states[-1]):
                self.states.pop()
            assert are(records, self.states[-1])

    def _write(self, col: Collection, operation: dict[str, Any]) -> None:
        [(kind, body)] = operation.items()
        with suppress(VecstoreError):
            future = getattr(col, kind)(body)
            state = self.states[-1].copy()
            state.apply(operation)
            self.states.append(state)
            future.acknowledged(PATIENCE)
            self.acknowledged = len(self.states) - 1
            future.result(PATIENCE)

    def _look(self, col: Collection) -> None:
        """Reads are right or raise: they show a state that was, and nobody has seen a later one."""
        with suppress(VecstoreError):
            records = everything(col)
            if not any(are(records, state) for state in self.states):
                self.wrong.append(f"{len(records)} points, which is no state there was")
            hits = col.search([1, 1, 1, 1], filter={"must": [{"key": "n", "range": {"gte": 20}}]}, limit=1000)
            expected = sorted(record.id for record in records if (record.payload or {}).get("n", -1) >= 20)
            if sorted(hit.id for hit in hits) != expected:
                self.wrong.append("hits and records differ")

    def _keep(self, col: Collection) -> None:
        """What is asked of a collection as a whole; each may fail, and none may do harm."""
        calls: list[Callable[[], Any]] = [
            lambda: col.create_payload_index("n", "integer").result(PATIENCE),
            col.optimize,
            lambda: col.snapshot(self.copies / f"{len(self.states)}"),
            col.flush,
            col.info,
            lambda: col.delete_payload_index("n").result(PATIENCE),
        ]
        for call in calls:
            with suppress(VecstoreError):
                call()
            self._look(col)

    # -- when the fault is gone ------------------------------------------------------------------------------

    def check(self) -> None:
        assert self.wrong == []
        with Collection(self.path, vectors=PARAMS, durability="os") as col:
            records = everything(col)
            assert any(are(records, state) for state in self.states[self.acknowledged :])
            self._look(col)
            col.upsert({"points": [{"id": 1, "vector": [1, 2, 3, 4]}]}).result(PATIENCE)
            col.optimize()
            assert len(col) == len({1, *(record.id for record in records)})
        assert self.wrong == []
        assert verify(self.path).problems == ()
        self._check_files()
        for copy in self.copies.iterdir() if self.copies.exists() else []:
            assert verify(copy).problems == ()
            with Collection(copy) as col:
                found = everything(col)
            assert any(are(found, state) for state in self.states)

    def _check_files(self) -> None:
        assert sorted(os.listdir(self.path.parent)) in (["col"], ["col", "copies"])
        assert sorted(os.listdir(self.path)) == ["lock", "segments", "store"]
        assert sorted(os.listdir(self.path / "store")) == ["data.mdb", "lock.mdb"]
        assert all(name.endswith(ONLY_FILES) for name in os.listdir(self.path / "segments"))


def sites(folder: Path) -> dict[Site, int]:
    """Every call site, and how often it is met, where nothing fails."""
    with pytest.MonkeyPatch.context() as patch:
        sweep = Sweep(patch)
        life = Life(folder, sweep)
        life.live()
        found = dict(sweep.calls)
        life.check()
    assert life.acknowledged == len(OPERATIONS)
    return found


def lived(folder: Path, patch: pytest.MonkeyPatch, site: Site, nth: int, *, lasting: bool) -> bool:
    """Whether the fault has happened, in a life that went on as it should."""
    sweep = Sweep(patch)
    life = Life(folder, sweep)
    sweep.arm(site, nth, lasting=lasting)
    life.live()
    happened = sweep.happened > 0
    sweep.disarm()
    life.check()
    return happened


def check_met(found: dict[Site, int]) -> None:
    """What the sweep is worth: it stands where files are written, synced, named, mapped, copied and deleted."""
    assert len(found) >= 50
    met = {(site.boundary, site.place.split(":")[0]) for site in found}
    assert {
        ("array mapped", "storage/segments.py"),
        ("index read", "storage/library.py"),
        ("index written", "storage/library.py"),
        ("link", "engine/snapshot.py"),
        ("map", "storage/gate.py"),
        ("rename", "engine/creation.py"),
        ("replace", "storage/compaction.py"),
        ("sync of a file", "storage/files.py"),
        ("transaction", "storage/environment.py"),
        ("unlink", "storage/segments.py"),
        ("whole file", "storage/segments.py"),
    } <= met


def faults(found: dict[Site, int]) -> list[Fault]:
    """Every call of every site, once and lasting."""
    return [
        (site, nth, lasting) for site in sorted(found) for nth in range(1, found[site] + 1) for lasting in (False, True)
    ]


def survived(folder: Path, fault: Fault) -> bool:
    """Whether the fault has happened, in a life that went on as it should. An error says which fault it was."""
    site, nth, lasting = fault
    try:
        with pytest.MonkeyPatch.context() as patch:
            return lived(folder, patch, site, nth, lasting=lasting)
    except BaseException as error:
        error.args = (f"{site}, call {nth}, {'lasting' if lasting else 'once'}: {error!r}",)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
