"""Readers in processes of their own, which are asked; and one writer and its readers that check one another.

What is written under load are rounds: one operation gives each of the moving points the number of the round, in its
payload and in its vector. A reader that sees two numbers has seen a state inside an operation.
"""

from __future__ import annotations

import json
import mmap
import struct
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import lives
import numpy as np

from vecstore import Batch, Collection, Distance, HnswConfig, VectorParams
from vecstore.engine import sealer

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

ASKED = """
import json
def ids(found): return [one.id for one in found]
def contents(col):
    records = col.scroll(limit=100_000, with_vectors=True)[0]
    return {r.id: (r.payload, r.vector if isinstance(r.vector, dict) else r.vector.tolist()) for r in records}
def small(value): return {str(k): v for k, v in value.items()} if isinstance(value, dict) else value
col = Collection(sys.argv[1], read_only=True)
print(json.dumps("open"), flush=True)
for line in sys.stdin:
    try: said = eval(line)
    except VecstoreError as error: said = [type(error).__name__, str(error)]
    print(json.dumps(small(said)), flush=True)
"""
MOVING, STILL = 16, 120
PAUSE = 0.001
"""Seconds between two rounds, so that readers get to see many."""
GRAPH = VectorParams(4, Distance.DOT, HnswConfig(full_scan_threshold=1))  # from 64 rows on
FLAGS = struct.Struct("<qq")


def points(numbers: range, **payload: Any) -> list[dict[str, Any]]:
    return [{"id": n, "vector": [n % 7, n % 5, n % 3, 1], "payload": {"n": n, **payload}} for n in numbers]


class Asked:
    """A reader in another process; ``col`` is its handle."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(self, expression: str) -> Any:
        """What an expression is there; the name and message of an error."""
        self.tell(expression)
        return self.answer()

    def tell(self, line: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def asked(path: Path, before: str = "", *, opened: bool = True) -> Iterator[Asked]:
    """A reader of ``path``. ``before`` is done first; ``opened``: whether to wait until the collection is open."""
    with lives.started(before + ASKED, path) as process:
        reader = Asked(process)
        if opened:
            assert reader.answer() == "open"
        try:
            yield reader
        except BaseException:
            process.kill()
            raise
        assert process.stdin is not None
        process.stdin.close()


# -- rounds -------------------------------------------------------------------------------------------------


class Flags:
    """What processes tell each other in a file: the last round that was completed, and whether to stop."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(FLAGS.pack(0, 0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), FLAGS.size)

    @property
    def completed(self) -> int:
        return int(FLAGS.unpack_from(self._map)[0])

    @completed.setter
    def completed(self, number: int) -> None:
        struct.pack_into("<q", self._map, 0, number)

    @property
    def stop(self) -> bool:
        return bool(FLAGS.unpack_from(self._map)[1])

    def end(self) -> None:
        struct.pack_into("<q", self._map, 8, 1)


def rows_of(number: int) -> Batch:
    """A round: the moving points, whose product with [1, 0, 0, 0] is its number."""
    vectors = np.zeros((MOVING, 4))
    vectors[:, 0], vectors[:, 1] = number, np.arange(MOVING)
    return Batch(list(range(MOVING)), vectors, [{"round": number}] * MOVING)


def write(path: Path, flags: Flags) -> NoReturn:
    """Write round after round, until this process is killed."""
    sealer.SEAL_BYTES = 3000  # ten rounds
    with Collection(path, vectors=GRAPH, durability="os") as col:
        still = -np.ones((STILL, 4))
        col.upsert(Batch(list(range(1000, 1000 + STILL)), still, [{}] * STILL)).result()
        done = col.get(0)
        number = done.payload["round"] if done is not None and done.payload else 0
        while True:
            number += 1
            if number % 10:
                col.upsert(rows_of(number)).result()
            else:
                col.batch([{"delete": {"points": list(range(MOVING))}}, {"upsert": _body(number)}]).result()
            if number % 3 == 0:
                col.upsert(Batch([1000 + number % STILL], still[:1], [{}]))
            flags.completed = number
            time.sleep(PAUSE)


def _body(number: int) -> dict[str, Any]:
    batch = rows_of(number)
    return {"batch": {"ids": batch.ids, "vectors": batch.vectors, "payloads": batch.payloads}}


def read(path: Path, flags: Flags) -> None:
    """Read and check until told to stop; prints how many calls that were, and how many rounds were seen."""
    query, exact = [1, 0, 0, 0], {"exact": True}
    with Collection(path, read_only=True) as col:
        seen: set[int] = set()
        calls = latest = 0
        while not flags.stop:
            completed = max(flags.completed, latest)
            records = col.scroll({"must": [{"has_id": list(range(MOVING))}]}, limit=100, with_vectors=True)[0]
            rounds = {r.payload["round"] for r in records if r.payload} | {int(r.vector[0]) for r in records}
            latest = _one(rounds, len(records), completed)
            hits = col.search(query, limit=MOVING, params=exact, with_vectors=True)
            latest = _one({*(h.payload["round"] for h in hits), *(int(h.score) for h in hits)}, len(hits), latest)
            near = col.search(query, limit=5, filter={"must": [{"key": "round", "range": {"gte": latest}}]})
            assert [int(h.score) for h in near] == [h.payload["round"] for h in near], near
            assert len(near) == 5
            assert len({h.score for h in near}) == 1
            assert len(col) == MOVING + STILL
            seen.add(latest)
            calls += 4
            if calls == 4:
                print("reading", flush=True)
        print(json.dumps([calls, len(seen)]), flush=True)


def _one(rounds: set[int], count: int, at_least: int) -> int:
    assert len(rounds) == 1, f"a state inside an operation: {sorted(rounds)}"
    assert count == MOVING
    (number,) = rounds
    assert number >= at_least, f"round {number}, where {at_least} was completed"
    return number


if __name__ == "__main__":
    from pathlib import Path

    role, folder, shared = sys.argv[1:]
    {"write": write, "read": read}[role](Path(folder), Flags(Path(shared)))
