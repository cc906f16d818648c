"""What a write promises, and when: `python examples/durability.py`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys

import numpy as np

from vecstore import Batch, Collection, PointNotFound, VectorParams

PATH = "durable.vecstore"
VECTORS = VectorParams(size=64, distance="Cosine")
RANDOM = np.random.default_rng(7)


def main() -> None:
    with Collection(PATH, vectors=VECTORS) as col:
        two_moments(col)
        many_at_a_time(col)
        asyncio.run(awaited(col))
        dropped(col)
        failed(col)
        failed_and_never_asked(col)
        before = len(col)
    killed_in_the_middle(before)


def batch(first: int, count: int = 1000) -> Batch:
    return Batch(range(first, first + count), RANDOM.random((count, 64), np.float32))


def two_moments(col: Collection) -> None:
    future = col.upsert(batch(0))  # checked, numbered, queued: it returns at once
    said = future.acknowledged()  # on the disk: it survives a loss of power from here on
    done = future.result()  # applied: every read that begins now sees it
    print(f"operation {done.operation_id}: first {said.status.value}, then {done.status.value}")


def many_at_a_time(col: Collection) -> None:
    """Writes are applied in the order of the calls, so the last one is done when all are."""
    futures = [col.upsert(batch(first)) for first in range(1000, 5000, 1000)]
    futures[-1].result()
    print(f"{len(futures)} more at a time, all done: {all(future.done() for future in futures)}; {len(col):,} points")


async def awaited(col: Collection) -> None:
    print("awaited:", (await col.upsert(batch(0))).status.value)


def dropped(col: Collection) -> None:
    """Nobody has to look at a future: the write takes place all the same. flush() waits for all so far."""
    col.set_payload({"seen": True}, [1, 2, 3])
    col.flush()
    print("nobody looked, and it is done:", col.get(3).payload)


def failed(col: Collection) -> None:
    """A wrong argument raises at the call. What only the state of the collection can tell arrives in the future."""
    future = col.set_payload({"seen": True}, [1, 10**6, 10**7])
    try:
        future.result()
    except PointNotFound as error:
        print(f"refused, and nothing of it done: {error}; missing: {error.ids}")


def failed_and_never_asked(col: Collection) -> None:
    """A failure that nobody asks for is an error in the log of Python."""
    logging.basicConfig(format="logged: %(levelname)s, %(message)s", stream=sys.stdout)
    logging.getLogger("vecstore").addFilter(without_traceback)
    col.clear_payload([10**6])
    col.flush()


def without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None  # for the sake of this page
    return True


def killed_in_the_middle(before: int) -> None:
    """A process that is killed loses nothing that was acknowledged, and leaves nothing half done."""
    child = subprocess.run([sys.executable, __file__, "child"], stdout=subprocess.PIPE, text=True, check=False)
    acknowledged = int(child.stdout.split()[-1])
    with Collection(PATH) as col:  # opening applies what was acknowledged and not yet applied
        ids = col.count({"must": [{"key": "child", "match": {"value": True}}]})
        print(f"{acknowledged:,} points were acknowledged when the process was killed")
        print(f"none of them is lost: {ids >= acknowledged}; none is half there: {ids % 500 == 0}")
        col.delete(range(10**6, 10**6 + ids)).result()
        print(f"and deleted again: {len(col) == before}")


def child() -> None:
    with Collection(PATH) as col:
        for first in range(10**6, 10**6 + 5000, 500):
            future = col.upsert(Batch(range(first, first + 500), RANDOM.random((500, 64)), [{"child": True}] * 500))
        future.acknowledged()  # and with it all before it
        print(5000, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    child() if sys.argv[1:] == ["child"] else main()
