"""Several vectors a point, each with a size and a distance of its own: `python examples/named_vectors.py`.

Packages of Debian with two: what they are about (an embedding), and what they weigh (three numbers)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np

from vecstore import Collection, Distance, Filter, HasVectorCondition, PointStruct, PointVectors, VectorParams, point_id

DATA = Path(__file__).parent
VECTORS = {
    "about": VectorParams(size=384, distance=Distance.COSINE),
    "weight": VectorParams(size=3, distance=Distance.EUCLID),
}
WEIGHED = Filter(must=[HasVectorCondition("weight")])


def main() -> None:
    with gzip.open(DATA / "packages.jsonl.gz", "rt", encoding="utf-8") as lines:
        packages = [json.loads(line) for line in lines]
    with Collection(vectors=VECTORS) as col:
        col.upsert([point(*each) for each in zip(packages, np.load(DATA / "packages_f16.npy"), strict=True)]).result()

        gimp = point_id("gimp")
        show("about the same as gimp", col.search(gimp, using="about", limit=4))
        show("as heavy as gimp", col.search(gimp, using="weight", limit=4))

        near = [hit.id for hit in col.search(gimp, using="about", limit=50)]
        show("of the 50 nearest in what they are about, as heavy", col.search(gimp, using="weight", filter=among(near)))

        heavier = col.get(gimp, with_vectors=["weight"]).vector["weight"] + [1, 0, 0]  # ten times as large
        col.update_vectors([PointVectors(gimp, {"weight": heavier})]).result()  # its other vector stays
        show("as heavy as gimp was, ten times over", col.search(gimp, using="weight", limit=2))

        col.delete_vectors(["weight"], [gimp]).result()  # the point stays, and so does its other vector
        print(f"\n{len(col):,} points, {col.count(WEIGHED):,} of them with a weight")
        print("of gimp there is:", list(col.get(gimp, with_vectors=True).vector))


def point(package: dict, about: np.ndarray) -> PointStruct:
    """A point has the vectors it is given: a package whose size is not known has no weight."""
    vectors = {"about": about}
    if "installed_size_kib" in package and "download_bytes" in package:
        parts = package["installed_size_kib"], package["download_bytes"], len(package.get("depends", []))
        vectors["weight"] = np.log10(1 + np.array(parts))  # so that ten times as large is 1 away
    return PointStruct(point_id(package["name"]), vectors, package)


def among(ids: list) -> Filter:
    return Filter(must=[{"has_id": ids}])


def show(what: str, hits: list) -> None:
    print(f"\n{what}")
    for hit in hits[:4]:
        print(f"  {hit.score:.3f}  {hit.payload['name']:<20} {hit.payload.get('installed_size_kib', 0):>9,} KiB")


if __name__ == "__main__":
    main()
