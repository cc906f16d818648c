"""A process that opens damaged collections, so that it is seen when one of them ends the process.

    python damage_child.py cut COLLECTION TIMES      every file, cut at many lengths
    python damage_child.py flip COLLECTION TIMES     every file, with many bits turned
    python damage_child.py swap COLLECTION TIMES     segment files that are exchanged after opening

The collection is closed; its contents are beside it, in ``contents.json``. What comes of each damage is printed as
a line of JSON: the file, the place, and the outcome.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from collecting import contents
from damaging import flip

import vecstore
from vecstore import Collection, VecstoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

CUTS = {".mdb": 120, ".faiss": 25, ".slots": 15, ".graph": 25}
FLIPS = {".mdb": 100, ".faiss": 20, ".slots": 10, ".graph": 20}
TIMES = int(sys.argv[3])
"""How many times as many places the profile wants that is run."""


def files(path: Path) -> list[Path]:
    return [path / "store" / "data.mdb", *sorted((path / "segments").iterdir())]


def opened(path: Path) -> str:
    """What a collection holds, or the name of the file it says is damaged."""
    try:
        with Collection(path) as col:
            found = json.loads(json.dumps(contents(col)))
            for name, info in col.info().vectors.items():
                col.search([1] * info.size, using=name)
            return "right" if found == json.loads((path.parent / "contents.json").read_text()) else "other"
    except VecstoreError as error:
        return f"{type(error).__name__} {Path(getattr(error, 'path', '')).name}"


def verified(path: Path) -> str:
    """Whether nothing is wrong, or the names of what is."""
    report = vecstore.verify(path)
    return "ok" if report.ok else " | ".join(problem.place for problem in report.problems)


def tell(file: Path, place: int, *outcome: str) -> None:
    print(json.dumps([file.name, place, *outcome]), flush=True)


def cut(path: Path) -> None:
    clock = random.Random(1)
    for file, whole in each(path):
        size = len(whole)
        sample = {0, 1, 16, 100, size - 1, *clock.sample(range(size), min(size, TIMES * CUTS[file.suffix]))}
        if file.suffix == ".mdb":
            sample |= set(range(0, size, size // 30 // 4096 * 4096 or 4096))
        for length in sorted(sample):
            file.write_bytes(whole[:length])
            found = verified(path)
            tell(file, length, opened(path), found)
            restore(path)


def turn(path: Path) -> None:
    clock = random.Random(2)
    for file, whole in each(path):
        for bit in sorted(clock.sample(range(8 * len(whole)), TIMES * FLIPS[file.suffix])):
            flip(file, bit)
            found = verified(path)
            # What is known to be damaged is not opened: nobody has to find in time what verify found.
            tell(file, bit, opened(path) if found == "ok" else "not opened", found)
            restore(path)


def swap(path: Path) -> None:
    """Files that get shorter, or another header, between the opening and the first search."""
    for file, whole in each(path):
        if file.suffix == ".mdb":
            continue
        for place, content in ((0, b""), (len(whole) - 1, whole[:-1]), (len(whole), b"x" * len(whole))):
            with Collection(path) as col:
                file.unlink()
                file.write_bytes(content)
                tell(file, place, *[asked(col, name) for name in col.info().vectors])
            restore(path)


def asked(col: Collection, name: str) -> str:
    """What becomes of searches, with graphs and without."""
    size, outcomes = col.info().vectors[name].size, set()
    for params in (None, {"exact": True}):
        try:
            col.search([1] * size, using=name, params=params, limit=3)
            outcomes.add("right")
        except VecstoreError as error:
            outcomes.add(f"{type(error).__name__} {Path(getattr(error, 'path', '')).name}")
    return " ".join(sorted(outcomes))


def each(path: Path) -> Iterator[tuple[Path, bytes]]:
    shutil.copytree(path, path.with_name("spare"))
    for file in files(path):
        yield file, file.read_bytes()


def restore(path: Path) -> None:
    shutil.rmtree(path)
    shutil.copytree(path.with_name("spare"), path)


if __name__ == "__main__":
    {"cut": cut, "flip": turn, "swap": swap}[sys.argv[1]](Path(sys.argv[2]))
