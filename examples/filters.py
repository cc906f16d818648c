"""Filters written as Python: `python examples/filters.py`, on two thousand packages of Debian, in memory."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np

from vecstore import Batch, Collection, HasIdCondition, VectorParams, field, point_id

HERE = Path(__file__).parent

section, size, tags, depends = field("section"), field("installed_size_kib"), field("tags"), field("depends")

FILTERS = [
    section == "games",
    section != "games",  # points without a section, too
    section.any_of(["games", "python"]) & (size < 2048),
    size.between(10_000, 20_000),
    size.range(gt=10_000, lte=20_000),  # of an array one value would have to be within both
    (section == "science") | (section == "math"),
    tags == "implemented-in::python",  # an array has it
    ~tags.any_of(["role::program", "role::shared-lib"]),  # none of them, or no tags at all
    tags.is_empty(),
    depends.count >= 20,
    field("description").text("chess engine"),
    field("homepage").prefix("https://gitlab"),
    (section == "games") & HasIdCondition([point_id("0ad"), point_id("emacs")]),  # any other condition beside them
]


def main() -> None:
    with gzip.open(HERE / "packages.jsonl.gz", "rt", encoding="utf-8") as lines:
        packages = [json.loads(line) for line in lines]
    vectors = np.load(HERE / "packages_f16.npy")
    ids = [point_id(package["name"]) for package in packages]  # the same id for the same name, in every run
    with Collection(vectors=VectorParams(size=384, distance="Cosine")) as col:
        col.upsert(Batch(ids, vectors, packages)).result()
        for wanted in FILTERS:
            print(f"{col.count(wanted):>5,}  {wanted!r}")
        print("\nSmall games like chess:")
        for hit in col.search(point_id("gnuchess"), filter=(section == "games") & (size < 1000), limit=3):
            print(f"  {hit.score:.3f}  {hit.payload['name']}")
        try:
            print(col.count(section == "games" and size < 1000))  # `and` cannot be made to mean anything here
        except TypeError as error:
            print(f"\n{error}")


if __name__ == "__main__":
    main()
