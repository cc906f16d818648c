"""Many points: from a generator, from arrays too large for memory, and on from where a load stopped.

python examples/bulk_load.py"""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import numpy as np

from vecstore import Batch, Collection, Distance, PointStruct, UploadStopped, VectorParams

DATA = Path(__file__).parent
PAYLOADS, VECTORS = DATA / "packages.jsonl.gz", DATA / "packages_f16.npy"
PARAMS = VectorParams(size=384, distance=Distance.COSINE)


def main() -> None:
    from_a_generator()
    from_mapped_arrays()
    from_one_file_a_part()
    on_from_where_it_stopped()


def packages():
    """The payloads, a line at a time."""
    with gzip.open(PAYLOADS, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def from_a_generator() -> None:
    """Any iterable of points will do. A few batches are under way at a time, so memory does not grow."""
    vectors = np.load(VECTORS, mmap_mode="r")
    points = (PointStruct(i, vectors[i], payload) for i, payload in enumerate(packages()))
    with Collection(vectors=PARAMS) as col:
        print(f"from a generator: {col.upload(points):,} points")


def from_mapped_arrays() -> None:
    """A .npy file may be larger than memory: mapped, only the rows of a batch are read, and payloads as they come."""
    vectors = np.load(VECTORS, mmap_mode="r")
    with Collection(vectors=PARAMS) as col:
        count = col.upload(Batch(ids=range(len(vectors)), vectors=vectors, payloads=packages()), batch_size=500)
        print(f"from a mapped array of {vectors.nbytes / 1e6:.1f} MB: {count:,} points")


def from_one_file_a_part() -> None:
    """Several files, one after the other: an iterable may hold whole batches as well."""
    vectors = np.load(VECTORS, mmap_mode="r")
    rows = packages()

    def parts():
        for start in range(0, len(vectors), 700):
            part = vectors[start : start + 700]
            yield Batch(range(start, start + len(part)), part, list(islice(rows, len(part))))

    with Collection("parts.vecstore", vectors=PARAMS) as col:
        print(f"from parts: {col.upload(parts()):,} points, on disk")


def on_from_where_it_stopped() -> None:
    """What came before a row that does not fit is there, and stays; ``count`` says how much that is."""
    vectors = np.load(VECTORS).astype(np.float32)
    vectors[1234, 5] = np.nan
    with Collection(vectors=PARAMS) as col:
        try:
            col.upload(Batch(range(len(vectors)), vectors))
        except UploadStopped as error:
            print(error)
            vectors[error.count, 5] = 0
            count = col.upload(Batch(range(len(vectors)), vectors), skip=error.count)
            print(f"mended and gone on: {count:,} points, {len(col):,} of them there")


if __name__ == "__main__":
    main()
