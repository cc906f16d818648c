"""A collection into files and back: JSON lines, Parquet, Arrow, numpy, and a data frame of pandas.

python examples/export.py      (pip install 'vecstore[arrow,pandas]')"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np

from vecstore import Batch, Collection, Distance, VectorParams

DATA = Path(__file__).parent
LARGE = {"must": [{"key": "installed_size_kib", "range": {"gte": 100_000}}]}


def main() -> None:
    with gzip.open(DATA / "packages.jsonl.gz", "rt", encoding="utf-8") as lines:
        packages = [json.loads(line) for line in lines]
    vectors = np.load(DATA / "packages_f16.npy", mmap_mode="r")
    with Collection(vectors=VectorParams(size=384, distance=Distance.COSINE)) as col:
        col.upload(Batch(range(len(packages)), vectors, packages))
        for ending in ("jsonl.gz", "parquet", "arrow", "npz"):
            there_and_back(col, Path(f"packages.{ending}"))
        print(f"a part of it: {col.export('large.jsonl', filter=LARGE):,} packages of 100 MB or more")
        as_a_frame(col)


def there_and_back(col: Collection, file: Path) -> None:
    """What is loaded is what was exported, to the bit: ids, float32 vectors, payloads, and what the vectors are."""
    count = col.export(file)
    with Collection.load(file) as back:
        first, again = (c.get(0, with_vectors=True) for c in (col, back))
        same = first.payload == again.payload and first.vector.tobytes() == again.vector.tobytes()
        print(f"{file.name:<18}  {count:,} points, {file.stat().st_size / 1e6:.1f} MB, the same: {same}")


def as_a_frame(col: Collection) -> None:
    frame = col.to_pandas(LARGE, with_payload=["name", "section", "installed_size_kib"])
    print(frame.groupby("section")["installed_size_kib"].agg(["count", "max"]).nlargest(3, "max"))
    hits = col.search(0, limit=3, with_payload=["name"])
    print(hits.to_pandas())


if __name__ == "__main__":
    main()
