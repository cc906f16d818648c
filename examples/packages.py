"""Debian's packages as points: load, search, filter, scroll, count, change, and open again.

python examples/packages.py [--path FOLDER] [DATA [VECTORS]]"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path
from time import perf_counter

import numpy as np

from vecstore import Batch, Collection, Distance, FieldCondition, Filter, MatchValue, Range, VectorParams, point_id

SAMPLE = Path(__file__).with_name("packages.jsonl.gz")
BATCH = 1000
GAMES = Filter(must=[FieldCondition(key="section", match=MatchValue(value="games"))])
MARKED = {"must": [{"key": "shelf", "match": {"value": "fun"}}]}  # the JSON of the REST API is a filter, too


def main() -> None:
    args = arguments()
    packages, matrix = read(*find(args.data, args.vectors))
    vectors = VectorParams(size=matrix.shape[1], distance=Distance.COSINE)
    with Collection(args.path, vectors=vectors) as col:  # opened, or created
        load(col, packages, matrix)
        search_by_vector(col, "git", "emacs")
        search_with_a_filter(col, "gnuchess")
        search_by_id(col, "stellarium")
        scroll(col)
        count(col)
        change_payloads(col)
    open_again(args.path)


def load(col: Collection, packages: list[dict], matrix: np.ndarray) -> None:
    print(f"\nLoading {len(packages):,} packages")
    start = perf_counter()
    ids = [point_id(package["name"]) for package in packages]  # loading again replaces, and never doubles
    futures = []
    for i in range(0, len(packages), BATCH):  # each write returns a future at once
        rows = slice(i, i + BATCH)
        futures.append(col.upsert(Batch(ids=ids[rows], vectors=matrix[rows], payloads=packages[rows])))
    futures[-1].acknowledged()  # and with it every one before it
    print(f"  safe on disk after  {perf_counter() - start:.3f} s")
    for future in futures:
        future.result()
    print(f"  searchable after    {perf_counter() - start:.3f} s")


def search_by_vector(col: Collection, one: str, other: str) -> None:
    print(f"\nBetween {one} and {other}: search by a vector")
    a, b = (record.vector for record in col.retrieve([point_id(one), point_id(other)], with_vectors=True))
    show(col.search(a + b, limit=6))


def search_with_a_filter(col: Collection, name: str) -> None:
    print(f"\nGames like {name} of less than 2 MB: search with a filter")
    small = FieldCondition(key="installed_size_kib", range=Range(lt=2048))
    show(col.search(point_id(name), filter=Filter(must=[GAMES, small]), limit=5))


def search_by_id(col: Collection, name: str) -> None:
    print(f"\nLike {name}: search by the id of a point, which is left out itself")
    show(col.search(point_id(name), limit=5))


def scroll(col: Collection) -> None:
    print("\nAll games: scroll, a page at a time")
    records, offset = col.scroll(GAMES, limit=20)
    while offset is not None:
        page, offset = col.scroll(GAMES, limit=20, offset=offset)
        records += page
    names = sorted(record.payload["name"] for record in records)
    print(f"  {len(names):,}: {', '.join(names[:8])}, ...")


def count(col: Collection) -> None:
    print("\nHow many: count")
    for section in ("games", "python", "science"):
        found = col.count(Filter(must=[FieldCondition(key="section", match=MatchValue(value=section))]))
        print(f"  {section:<8}  {found:>6,}")
    print(f"  {'all':<8}  {len(col):>6,}")


def change_payloads(col: Collection) -> None:
    print("\nPutting the games on a shelf: set_payload by a filter")
    done = col.set_payload({"shelf": "fun"}, GAMES).result()
    print(f"  operation {done.operation_id} {done.status.value}; on the shelf: {col.count(MARKED):,}")


def open_again(path: Path) -> None:
    print("\nClosed, and opened again")
    start = perf_counter()
    with Collection(path) as col:
        milliseconds = 1000 * (perf_counter() - start)
        print(f"  {len(col):,} points after {milliseconds:.1f} ms; on the shelf: {col.count(MARKED):,}")


def show(hits: list) -> None:
    for hit in hits:
        print(f"  {hit.score:.3f}  {hit.payload['name']:<24.24}  {hit.payload['description']:.60}")


def find(data: Path, vectors: Path | None) -> tuple[Path, Path]:
    data = existing(the_one(data, "*.jsonl.gz") if data.is_dir() else data)
    return data, existing(vectors or the_one(data.parent, data.name.replace(".jsonl.gz", "*.npy")))


def existing(path: Path) -> Path:
    if not path.is_file():
        raise SystemExit(f"there is no file {path}")
    return path


def the_one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"expected one file {pattern} in {folder}, found {len(found)}")
    return found[0]


def read(data: Path, vectors: Path) -> tuple[list[dict], np.ndarray]:
    with gzip.open(data, "rt", encoding="utf-8") as lines:
        packages = [json.loads(line) for line in lines]
    matrix = np.load(vectors)
    if len(packages) != len(matrix):
        raise SystemExit(f"{data} has {len(packages):,} lines, {vectors} has {len(matrix):,} rows")
    return packages, matrix


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Load Debian's packages and ask about them.")
    parser.add_argument("data", nargs="?", type=Path, default=SAMPLE, help=".jsonl.gz file, or its folder")
    parser.add_argument("vectors", nargs="?", type=Path, help=".npy file; found beside the data")
    parser.add_argument("--path", type=Path, default=Path("packages.vecstore"), help="the collection")
    return parser.parse_args()


if __name__ == "__main__":
    main()
