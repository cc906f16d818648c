"""One process writes, others read what it writes: `python examples/processes.py`."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
from pathlib import Path

import numpy as np

from vecstore import Batch, Collection, CollectionLocked, ReadOnly, VectorParams, field

DATA = Path(__file__).parent
PATH = Path("shared.vecstore")
apart = multiprocessing.get_context("spawn")  # a forked child would have to open its own, and is told so


def main() -> None:
    with Collection(PATH, vectors=VectorParams(size=384, distance="Cosine")) as col:
        rows = packages()
        vectors = np.load(DATA / "packages_f16.npy")
        col.upsert(Batch(range(1000), vectors[:1000], rows[:1000])).result()
        readers_follow(col, rows, vectors)
        a_pool_searches(col, vectors)
        col.delete(range(1000, 2000)).result()


def packages() -> list[dict]:
    with gzip.open(DATA / "packages.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def readers_follow(col: Collection, rows: list[dict], vectors: np.ndarray) -> None:
    """What is completed here before a reader's call is seen by that call: nothing has to be opened again."""
    ours, theirs = apart.Pipe()
    reader = apart.Process(target=read, args=[theirs])
    reader.start()
    print("a reader sees", ours.recv())
    col.upsert(Batch(range(1000, 2000), vectors[1000:], rows[1000:])).result()
    ours.send("now there are more")
    print("and then", ours.recv())
    print("it cannot write:", ours.recv())
    reader.join()


def read(pipe) -> None:
    with Collection(PATH, read_only=True) as col:
        pipe.send(f"{len(col):,} points")
        pipe.recv()
        pipe.send(f"{len(col):,}, {col.count(field('section') == 'games')} of them games")
        try:
            col.delete([1])
        except ReadOnly as error:
            pipe.send(str(error))


def a_pool_searches(col: Collection, vectors: np.ndarray) -> None:
    """A collection that has a path can be handed to the workers: there it is opened for reading."""
    with apart.Pool(2, initializer=keep, initargs=[col]) as pool:
        for name, among in pool.map(nearest, [vectors[i] for i in (700, 1400)]):
            print(f"like {name}: {', '.join(among)}")
        print("another writer:", pool.apply(write_as_well, [os.getpid()]))


def keep(col: Collection) -> None:
    global kept
    kept = col


def nearest(vector: np.ndarray) -> tuple[str, list[str]]:
    itself, *others = (hit.payload["name"] for hit in kept.search(vector, limit=4))
    return itself, others


def write_as_well(owner: int) -> str:
    try:
        with Collection(PATH):
            return "let in"
    except CollectionLocked as error:
        return f"refused; the process that has it is ours: {error.pid == owner}"


if __name__ == "__main__":
    main()
