"""Processes that work on a collection until they are killed: at any moment, or at a certain one.

Started as a program it is the mother of these processes: it has imported everything, reads one job a line, and
forks. A worker appends to a file what it is about to do and what it has been told, so that whoever kills it knows
what was promised.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import time
import traceback
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import faiss  # noqa: F401 - once, in the mother
from calling import FORMS, call

from vecstore import Collection, PointNotFound
from vecstore.engine import grower, sealer, writer
from vecstore.engine.builder import IndexBuilder
from vecstore.engine.optimizer import Optimizer
from vecstore.engine.sealer import Sealer
from vecstore.storage import compaction, environment, files, graph, segments, store, tail
from vecstore.storage.catalog import CatalogStore
from vecstore.storage.environment import Environment
from vecstore.storage.growing import Growth
from vecstore.storage.indexes import Indexes
from vecstore.storage.journal import Journal
from vecstore.storage.lock import FolderLock
from vecstore.storage.meta import Meta
from vecstore.storage.pieces import Pieces

if TYPE_CHECKING:
    from vecstore import UpdateFuture

    Json = dict[str, Any]

SCHEMA = {"image": (4, "Dot"), "text": (2, "Euclid")}
HNSW = {"full_scan_threshold": 0}
VECTORS = {name: {"size": size, "distance": distance, "hnsw_config": HNSW} for name, (size, distance) in SCHEMA.items()}
IDS = [*range(40), *(f"00000000-0000-0000-0000-0000000000{n:02d}" for n in range(10, 20))]
INDEXES = [("n", "integer"), ("text", "keyword"), ("text", "text")]
LONGEST_LIFE = 20
"""Seconds."""
WAITING = 12
"""Operations under way at most; after some of them the worker asks how far they are."""
PLACES = {
    "transaction": (Environment, "write"),
    "sync of the store": (Environment, "sync"),
    "file": (files, "write_whole"),
    "sync of a file": (files, "sync_file"),
    "sync of a folder": (files, "sync_folder"),
    "rename": (Path, "rename"),
    "replacing of a file": (Path, "replace"),
    "unlinking of a file": (Path, "unlink"),
    "graph": (graph, "add"),
    "graph that grows": (Growth, "add"),
    "files of a merge": (segments, "write"),
    "merge": (Optimizer, "_publish"),
    "seal": (Sealer, "_publish"),
    "manifest": (Meta, "put_manifest"),
    "dead rows": (Meta, "put_dead_rows"),
    "end of the journal": (Journal, "drop"),
    "end of the log": (Pieces, "remove"),
    "payload index": (IndexBuilder, "_step"),
    "entries of payload indexes": (Indexes, "put"),
    "list of payload indexes": (CatalogStore, "write"),
    "copy of the store": (Environment, "copy_compacted"),
    "closing of the store": (Environment, "close"),
    "release of the lock": (FolderLock, "release"),
}


def small_limits() -> None:
    """So that a few points fill groups, blocks, segments and the map."""
    sealer.SEAL_BYTES = 3000
    writer.GROUP_BYTES = 2000
    writer.RESERVE = 128
    tail.BLOCK_BYTES = 1000
    store.ON_DISK_MAP = 1 << 17
    environment.SMALLEST_MAP = 1 << 16
    graph.SQ8_FROM = 4
    graph.ORDER_KEPT, graph.OUT_OF_RANGE = 0.0, 1.0
    grower.FEWEST, grower.STEP_ROWS, grower.LOOK_SECONDS, grower.PAUSE, grower.CALM = 4, 2, 0, 0, 1 << 40
    compaction.FREE_BYTES, compaction.FREE_SHARE = 1, 0.0


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    while True:
        time.sleep(1)


def die_at(place: str, nth: int, when: str) -> None:
    """Be killed "before" or "after" the nth call of a place."""
    owner, name = PLACES[place]
    real, numbers = getattr(owner, name), count(1)

    def deadly(*args: Any, **options: Any) -> Any:
        due = next(numbers) == nth
        if due and when == "before":
            die()
        result = real(*args, **options)
        if due:
            die()
        return result

    setattr(owner, name, deadly)


class Diary:
    """What a worker is about to do and was told, one line each; the last one may be there by half."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, *what: Any) -> None:
        os.write(self._file, json.dumps(what).encode() + b"\n")


class Work:
    """Writes of all kinds, several under way at a time, told of in ``diary``."""

    def __init__(self, col: Collection, diary: Diary, seed: int) -> None:
        self.col, self.diary, self.random = col, diary, random.Random(seed)
        self.sent: list[tuple[int, UpdateFuture[Any]]] = []

    def forever(self) -> NoReturn:
        for number in count():
            self.one(number)

    def one(self, number: int) -> None:
        self.upkeep()
        operation = self.operation()
        self.diary.note("try", operation)
        future = call(self.col, operation, self.random.choice(FORMS))
        self.diary.note("sent", future.operation_id)
        self.sent.append((number, future))
        if len(self.sent) >= self.random.randint(1, WAITING):
            self.ask()

    def upkeep(self) -> None:
        """Now and then, what changes nothing that a reader sees."""
        if self.random.random() < 0.1:
            self.col.optimize()
        if self.random.random() < 0.1:
            field, kind = self.random.choice(INDEXES)
            create = self.random.random() < 0.7
            future = self.col.create_payload_index(field, kind) if create else self.col.delete_payload_index(field)
            self.diary.note("sent", future.operation_id)

    def ask(self) -> None:
        """How far one of those under way is; all before it are at least as far."""
        at = self.random.randrange(len(self.sent))
        number, future = self.sent[at]
        if self.random.random() < 0.5:
            future.acknowledged()
            self.diary.note("acknowledged", number)
        else:
            self.finish(number, future)
            del self.sent[: at + 1]

    def finish(self, number: int, future: UpdateFuture[Any]) -> None:
        try:
            future.result()
            self.diary.note("completed", number)
        except PointNotFound:
            self.diary.note("refused", number)

    # -- what is written -------------------------------------------------------------------------------------

    def operation(self) -> Json:
        if self.random.random() < 0.15:
            several = [self.single() for _ in range(self.random.randint(1, 4))]
            return {"batch": {"operations": several, "atomic": self.random.random() < 0.7}}
        return self.single()

    def single(self) -> Json:
        kind = self.random.choice(["upsert"] * 4 + ["delete", "set_payload", "update_vectors", "delete_vectors"])
        body: Json = getattr(self, kind)()
        return {kind: body}

    def ids(self, most: int) -> list[Any]:
        return self.random.sample(IDS, self.random.randint(1, most))

    def vector(self) -> Json:
        names = self.random.sample(sorted(SCHEMA), self.random.randint(1, len(SCHEMA)))
        return {name: [float(self.random.randint(-9, 9)) for _ in range(SCHEMA[name][0])] for name in names}

    def points(self, most: int) -> list[Json]:
        return [{"id": i, "vector": self.vector()} for i in self.ids(most)]

    def upsert(self) -> Json:
        text = "x" * self.random.choice([0, 10, 3000])
        payload = {"n": self.random.randint(0, 5), "text": text}
        return {"points": [{**point, "payload": payload} for point in self.points(30)]}

    def update_vectors(self) -> Json:
        return {"points": self.points(2)}

    def some(self, most: int) -> Json:
        if self.random.random() < 0.5:
            return {"points": self.ids(most)}
        return {"filter": {"must": [{"key": "n", "match": {"value": self.random.randint(0, 5)}}]}}

    def delete(self) -> Json:
        return self.some(10)

    def set_payload(self) -> Json:
        return {"payload": {"n": self.random.randint(0, 5)}, **self.some(2)}

    def delete_vectors(self) -> Json:
        return {"vector": [self.random.choice(sorted(SCHEMA))], **self.some(2)}


def work(job: Json) -> None:
    """One life: open or create, work, and perhaps close; ``die`` says at which call of which place it ends."""
    small_limits()
    signal.alarm(LONGEST_LIFE)  # a moment that never comes
    diary = Diary(job["diary"])
    if job["phase"] == "opening" and job["die"]:
        die_at(*job["die"])
    writer.AT_ONCE_BYTES = random.Random(job["seed"]).choice([-1, writer.AT_ONCE_BYTES])
    col = Collection(job["path"], vectors=VECTORS, durability=job["durability"])
    diary.note("opened")
    if job["phase"] == "working" and job["die"]:
        die_at(*job["die"])
    life = Work(col, diary, job["seed"])
    if job["operations"] is None:
        life.forever()
    for number in range(job["operations"]):
        life.one(number)
    diary.note("closing")
    if job["phase"] == "closing" and job["die"]:
        die_at(*job["die"])
    col.close()
    diary.note("closed")


def mother() -> None:
    """Fork a worker for every job; tell its process id, and that it has ended."""
    logging.getLogger("vecstore").setLevel(logging.CRITICAL)  # operations that are refused are in the diary
    for line in sys.stdin:
        job = json.loads(line)
        if (child := os.fork()) == 0:
            os._exit(told(job))
        print("started", child, flush=True)
        print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def told(job: Json) -> int:
    """The status a worker ends with."""
    try:
        work(job)
    except BaseException:  # noqa: BLE001 - nobody is above it
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    mother()
