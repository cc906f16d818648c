"""Unit tests of code that uses a collection: `pytest examples/unit_tests.py`, or `python examples/unit_tests.py`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vecstore import Collection, PointNotFound, VectorParams, field, point_id
from vecstore.testing import assert_same_points, random_points


def rename(col: Collection, old: str, new: str) -> None:
    """The code under test."""
    col.set_payload({"name": new}, [point_id(old)])


@pytest.fixture
def vecstore_vectors() -> VectorParams:
    """What the fixtures make their collections with, in this module."""
    return VectorParams(size=3, distance="Dot")


def test_renaming(vecstore_collection: Collection) -> None:
    """`vecstore_collection`: in memory, empty for every test, closed after it."""
    vecstore_collection.upsert([{"id": point_id("lamp"), "vector": [1, 2, 3], "payload": {"name": "lamp"}}]).result()
    rename(vecstore_collection, "lamp", "light")
    vecstore_collection.flush()
    assert vecstore_collection.count(field("name") == "light") == 1


@pytest.mark.xfail(raises=PointNotFound, strict=True)
def test_a_failure_that_nobody_has_looked_at(vecstore_collection: Collection) -> None:
    """The test would pass, but the write failed behind its back: so the test fails, with the error of the write."""
    rename(vecstore_collection, "no such thing", "light")


def test_all_is_there_after_opening_again(vecstore_factory) -> None:
    """`vecstore_factory`: as many as you like; a path is taken under `tmp_path`."""
    points = random_points(100, 3)
    with vecstore_factory("shop.vecstore") as col:
        col.upsert(points)
    assert_same_points(vecstore_factory("shop.vecstore"), points)


if __name__ == "__main__":
    # `-p` is for a vecstore that is not installed: pytest finds the fixtures of one that is by itself.
    arguments = ["-q", "-p", "vecstore.pytest_plugin", "-p", "no:cacheprovider", __file__]
    raise SystemExit(subprocess.call([sys.executable, "-m", "pytest", *arguments]))
