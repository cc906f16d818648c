"""Processes that are killed: what was acknowledged is there, nothing is there by half, and no id comes again.

A worker (``crash_child``) writes without pause and is killed with SIGKILL, at a random moment or at a chosen one.
The collection is then opened here, and is in one of the states the model goes through, none before the last
operation that was acknowledged. It lives on from there in the next worker.

How many random kills there are is the profile's to say (``profiles``).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from agreeing import are, everything
from crash_child import SCHEMA, VECTORS, small_limits
from model import Model
from profiles import times

import vecstore
from vecstore import Collection
from vecstore.engine import grower, sealer, writer
from vecstore.engine.optimizer import Optimizer
from vecstore.engine.pinning import pinned
from vecstore.storage import compaction, environment, graph, growing, store, tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vecstore import VerifyReport

    Json = dict[str, Any]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the workers are forked")

KILLS = times(20)
PATIENCE = 60
TESTS = Path(__file__).parent


class Mother:
    """The process that forks the workers."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(TESTS / "crash_child.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._jobs, self._answers = self._process.stdin, self._process.stdout

    def start(self, job: Json) -> int:
        """The process id of a new worker."""
        self._jobs.write(json.dumps(job) + "\n")
        self._jobs.flush()
        return self._answer("started")

    def ended(self) -> int:
        """Wait for its end: what it returned, or minus the signal that ended it."""
        return self._answer("ended")

    def _answer(self, expected: str) -> int:
        what, number = self._answers.readline().split()
        assert what == expected  # a status taken for a process id would kill who knows whom
        return int(number)

    def close(self) -> None:
        self._jobs.close()
        self._answers.close()
        assert self._process.wait(PATIENCE) == 0


@pytest.fixture(scope="module")
def mother() -> Iterator[Mother]:
    found = Mother()
    yield found
    found.close()


class Told:
    """What a worker wrote down."""

    def __init__(self, diary: Path) -> None:
        *lines, _half = diary.read_bytes().split(b"\n") if diary.exists() else [b""]
        self.notes = [json.loads(line) for line in lines]

    def all(self, kind: str) -> list[Any]:
        return [note[1] for note in self.notes if note[0] == kind]

    def promised(self) -> int:
        """How many operations must be there: all before the last one that was acknowledged or has ended."""
        if ["closed"] in self.notes:
            return len(self.all("try"))
        return 1 + max([-1, *self.all("acknowledged"), *self.all("completed"), *self.all("refused")])

    def refused(self) -> set[int]:
        return set(self.all("refused"))


class World:
    """A collection, the model of it, and the workers that come and go."""

    def __init__(self, mother: Mother, folder: Path) -> None:
        self.mother, self.folder, self.path = mother, folder, folder / "col.vecstore"
        self.model = Model(SCHEMA)
        self.lives = self.highest = self.operations = 0
        self.checked: Counter[str] = Counter()

    def job(self, *, phase: str = "", die: Any = None, operations: int | None = None, **more: Any) -> Json:
        self.lives += 1
        diary = str(self.folder / f"diary{self.lives}")
        always = {"path": str(self.path), "diary": diary, "seed": self.lives, "durability": "fsync"}
        return {**always, "phase": phase, "die": die, "operations": operations, **more}

    def live(self, **what: Any) -> Told:
        """A life that ends by itself, or in the way that was asked for."""
        job = self.job(**what)
        self.mother.start(job)
        assert self.mother.ended() in (0, -signal.SIGKILL)
        return Told(Path(job["diary"]))

    def kill_after(self, seconds: float, **what: Any) -> Told:
        """A life that ends at a moment that only the clock knows."""
        job = self.job(**what)
        worker = self.mother.start(job)
        time.sleep(seconds)
        with suppress(ProcessLookupError):  # it has ended, and should not have
            os.kill(worker, signal.SIGKILL)
        assert self.mother.ended() == -signal.SIGKILL
        return Told(Path(job["diary"]))

    def check(self, told: Told) -> None:
        """What was promised is there, and wholly; the collection lives on."""
        if self.path.exists():
            self.leave_rubbish()
            self.find_nothing_wrong(vecstore.verify(self.path))
        col = Collection(self.path, vectors=VECTORS)
        self.become_one_of(col, self.states(told)[told.promised() :])
        self.find_nothing_wrong(col.verify())
        col.optimize()  # nothing is being written any more
        self.check_files(col)
        self.check_ids(col, told)
        col.close()

    def find_nothing_wrong(self, report: VerifyReport) -> None:
        assert report.ok, str(report)
        self.checked.update(report.checked)

    def states(self, told: Told) -> list[Model]:
        """The state at the beginning, and after each operation that was tried; what was refused should have been."""
        states = [self.model]
        for number, operation in enumerate(told.all("try")):
            after = states[-1].copy()
            missing = after.apply(operation)
            assert number not in told.refused() or missing
            assert number not in told.all("completed") or not missing
            states.append(after)
        return states

    def become_one_of(self, col: Collection, states: list[Model]) -> None:
        found = everything(col)
        self.model = next((m for m in reversed(states) if are(found, m)), None)
        assert self.model is not None, f"{len(found)} points are in none of {len(states)} states"
        for name, info in col.info().vectors.items():
            assert info.live_rows == sum(name in p.vectors for p in self.model.points.values())
            hits = col.search([1] * info.size, using=name, limit=1000)
            assert {hit.id for hit in hits} == {i for i, p in self.model.points.items() if name in p.vectors}

    def leave_rubbish(self) -> None:
        for name in ("99999999.0.faiss", "99999999.0.slots", "99999999.0.faiss.tmp", "anything"):
            (self.path / "segments" / name).write_bytes(b"rubbish")

    def check_files(self, col: Collection) -> None:
        """There is what the manifest names, and what has grown from graphs it names, and nothing else."""
        with pinned(col._engine) as pins:
            there, grown = set((self.path / "segments").iterdir()), {growing.path_of(path) for path in pins.files}
            assert there - grown == set(pins.files)
        assert not (self.path / "store" / compaction.COPY).exists()

    def check_ids(self, col: Collection, told: Told) -> None:
        self.highest = max([self.highest, *told.all("sent")])
        operation_id = col.delete([10**9]).result(PATIENCE).operation_id
        assert operation_id > self.highest
        self.highest = operation_id


@contextmanager
def undisturbed() -> Iterator[None]:
    """Small limits, and no merges and growing graphs here, or files came and went while they are counted."""
    limits = ("SEAL_BYTES", "GROUP_BYTES", "RESERVE", "BLOCK_BYTES", "ON_DISK_MAP", "SMALLEST_MAP", "SQ8_FROM")
    growth = ("FEWEST", "STEP_ROWS", "LOOK_SECONDS", "PAUSE", "CALM", "ORDER_KEPT", "OUT_OF_RANGE")
    with pytest.MonkeyPatch.context() as patch:
        # What small_limits changes.
        for module in (sealer, writer, grower, tail, store, environment, graph, compaction):
            for name in (*limits, *growth, "FREE_BYTES", "FREE_SHARE"):
                if hasattr(module, name):
                    patch.setattr(module, name, getattr(module, name))
        patch.setattr(Optimizer, "_begin", lambda optimizer: None)
        patch.setattr(grower.Grower, "after_turn", lambda *_: None)
        small_limits()
        yield


@pytest.fixture
def world(mother: Mother, tmp_path: Path) -> Iterator[World]:
    with undisturbed():
        yield World(mother, tmp_path)


@pytest.mark.parametrize("durability", ["fsync", "os"])
def test_killed_at_any_moment(world: World, durability: str) -> None:
    clock = random.Random(durability)
    for _ in range(KILLS // 2):
        world.check(world.kill_after(clock.choice([0.02, 0.1, 0.3]) * clock.random(), durability=durability))


AT_WORK = [
    *(("transaction", nth, when) for nth in (1, 4, 9) for when in ("before", "after")),
    *(("file", nth, when) for nth in (1, 2, 6) for when in ("before", "after")),
    *(("sync of a folder", 2, when) for when in ("before", "after")),
    ("transaction", 90, "before"),
]
UPKEEP = [
    *(("replacing of a file", nth, when) for nth in (1, 2, 3, 7) for when in ("before", "after")),
    *(("unlinking of a file", nth, when) for nth in (1, 2, 3, 5) for when in ("before", "after")),
    *((place, 1, when) for place in ("graph", "files of a merge") for when in ("before", "after")),
    *((place, nth, when) for place in ("merge", "seal") for nth in (1, 2) for when in ("before", "after")),
    *(("manifest", nth, when) for nth in (1, 2, 5) for when in ("before", "after")),
    *((place, 1, when) for place in ("dead rows", "end of the journal") for when in ("before", "after")),
    *(("end of the log", nth, when) for nth in (1, 8) for when in ("before", "after")),
    *(("payload index", nth, when) for nth in (1, 2, 4) for when in ("before", "after")),
    *(("entries of payload indexes", nth, when) for nth in (1, 9) for when in ("before", "after")),
    *(("list of payload indexes", nth, when) for nth in (1, 3) for when in ("before", "after")),
]


@pytest.mark.parametrize("moment", AT_WORK + UPKEEP, ids=str)
def test_killed_at_work(world: World, moment: tuple[str, int, str]) -> None:
    for _ in range(2):  # the second worker goes on from what the first one left
        told = world.live(phase="working", die=moment)
        assert ["opened"] in told.notes
        world.check(told)


CREATING = [
    *(("transaction", 1, when) for when in ("before", "after")),
    *(("sync of the store", 1, when) for when in ("before", "after")),
    *(("sync of a folder", nth, "after") for nth in (1, 2, 3)),
    *(("rename", 1, when) for when in ("before", "after")),
]


@pytest.mark.parametrize("moment", CREATING, ids=str)
def test_killed_while_creating(world: World, moment: tuple[str, int, str]) -> None:
    told = world.live(phase="opening", die=moment)
    assert told.notes == []
    assert not world.path.exists() or (world.path / "store" / "data.mdb").exists()
    for left in world.path.parent.glob(".*.new"):
        os.utime(left, (0, 0))  # from long ago, so that it is taken for abandoned
    world.check(told)
    assert list(world.path.parent.glob(".*.new")) == []


OPENING = [("transaction", nth, when) for nth in (1, 2, 3) for when in ("before", "after")]


@pytest.mark.parametrize("moment", OPENING, ids=str)
def test_killed_while_recovering(world: World, moment: tuple[str, int, str]) -> None:
    """The log of a killed worker is being applied when the next one is killed too."""
    told = world.live(phase="working", die=("transaction", 12, "after"))
    world.live(phase="opening", die=moment, operations=0)
    world.check(told)


CLOSING = [
    *(("transaction", nth, when) for nth in (1, 2, 3) for when in ("before", "after")),
    *(("file", 1, when) for when in ("before", "after")),
    *(("copy of the store", 1, when) for when in ("before", "after")),
    *(("closing of the store", 1, when) for when in ("before", "after")),
    *(("release of the lock", 1, when) for when in ("before", "after")),
]


@pytest.mark.parametrize("moment", CLOSING, ids=str)
def test_killed_while_closing(world: World, moment: tuple[str, int, str]) -> None:
    told = world.live(phase="closing", die=moment, operations=25)
    assert ["closing"] in told.notes
    world.check(told)


def test_a_life_that_ends_well(world: World) -> None:
    for _ in range(2):
        told = world.live(operations=30)
        assert ["closed"] in told.notes
        world.check(told)


def test_a_killed_writer_leaves_a_lock_that_nobody_holds(world: World) -> None:
    told = world.live(phase="working", die=("transaction", 3, "after"))
    left = int((world.path / "lock").read_text())
    assert left != os.getpid()
    world.check(told)
    assert int((world.path / "lock").read_text()) == os.getpid()
