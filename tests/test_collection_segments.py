"""Points whose vectors lie in several segments: sealed files, dead rows in them, the open end, and reopening."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from brute_force import best
from collecting import NAMED, Home, contents, ids

from vecstore import Batch, Collection, Distance, PointNotFound, PointStruct, PointVectors, VectorParams
from vecstore.engine import sealer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 4


@pytest.fixture(params=["memory", "disk"])
def sealing(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors_logged: list[str]
) -> Iterator[Home]:
    """A place where every turn of the writer seals a segment."""
    monkeypatch.setattr(sealer, "SEAL_BYTES", 1)
    found = Home(request.param, tmp_path)
    yield found
    found.close()


def sealed(col: Collection, name: str = "") -> int:
    """How many segments there are in files, once nothing is left to be sealed."""
    for _ in range(1000):
        if col.info().vectors[name].open_rows == 0:
            break
        time.sleep(0.005)
        col.delete([2**64 - 1]).result()  # what is written is published in the writer's next turn
    return col.info().vectors[name].segments


class Expected:
    """The same points in a dict: what every read is compared with."""

    def __init__(self, distance: Distance = Distance.DOT) -> None:
        self.distance = distance
        self.rows: dict[int, Any] = {}
        self.rng = np.random.default_rng(11)

    def vectors(self, count: int) -> Any:
        return self.rng.integers(-5, 6, (count, SIZE)).astype(float)

    def upsert(self, col: Collection, numbered: Any) -> None:
        matrix = self.vectors(len(numbered))
        col.upsert(Batch(list(numbered), matrix)).result()
        self.rows.update(zip(numbered, matrix.tolist(), strict=True))

    def update(self, col: Collection, numbered: Any) -> None:
        matrix = self.vectors(len(numbered))
        col.update_vectors([PointVectors(i, row) for i, row in zip(numbered, matrix, strict=True)]).result()
        self.rows.update(zip(numbered, matrix.tolist(), strict=True))

    def delete(self, col: Collection, numbered: Any) -> None:
        col.delete(list(numbered)).result()
        for i in numbered:
            self.rows.pop(i, None)

    def check(self, col: Collection) -> None:
        """The collection holds these points, and finds them."""
        assert contents(col) == {i: ({}, self.rows[i]) for i in sorted(self.rows)}
        numbered, matrix = list(self.rows), np.array(list(self.rows.values()))
        for query, limit in zip(self.vectors(3), (1, 7, len(self.rows) + 1), strict=True):
            found = [(hit.id, hit.score) for hit in col.search(query, limit=limit)]
            assert found == best(numbered, matrix, query, self.distance, limit)


def test_updates_deletes_and_upserts_across_segments(sealing: Home) -> None:
    col, expected = sealing.make(VectorParams(SIZE, Distance.DOT)), Expected()
    for start in range(0, 60, 20):
        expected.upsert(col, range(start, start + 20))
    assert sealed(col) >= 3
    expected.check(col)
    for change, numbered in [
        (expected.update, [3, 23, 43, 3 + 1]),
        (expected.delete, [5, 25, 45, 99]),
        (expected.upsert, [5, 6, 26, 61]),
        (expected.delete, [3, 5, 61]),
        (expected.upsert, [3, 61]),
        (expected.update, [61, 0]),
    ]:
        change(col, numbered)
        expected.check(col)
        sealed(col)
        expected.check(col)
        if sealing.kind == "disk":
            col.close()
            col = sealing.again()
            expected.check(col)
    info = col.info().vectors[""]
    assert info.live_rows == len(expected.rows)
    assert info.segments >= 3


@pytest.mark.parametrize("distance", Distance)
def test_what_dies_while_it_lies_in_files_is_not_found(distance: Distance, sealing: Home) -> None:
    col = sealing.make(VectorParams(SIZE, distance))
    rows = Expected().vectors(30) + 0.5
    col.upsert(Batch(np.arange(30), rows)).result()
    assert sealed(col) >= 1
    nearest = ids(col.search(rows[0], limit=30))
    col.delete(nearest[:3])
    col.delete_vectors("", [nearest[3]])
    col.upsert([PointStruct(nearest[4], {})]).result()
    assert ids(col.search(rows[0], limit=30)) == nearest[5:]
    assert len(col) == 27
    sealed(col)
    assert ids(col.search(rows[0], limit=30)) == nearest[5:]


def test_only_some_names_have_rows_to_seal(sealing: Home) -> None:
    col = sealing.make(NAMED)
    col.upsert([PointStruct(1, {"image": [1, 2]}, {"a": 1})]).result()
    sealed(col, "image")
    col.upsert([PointStruct(2, {"text": [1, 2, 3]})]).result()
    sealed(col, "text")
    col.update_vectors([PointVectors(2, {"image": [5, 5]}), PointVectors(1, {"text": [7, 7, 7]})]).result()
    sealed(col, "image")
    col.delete_vectors("image", [1]).result()
    everything = {
        1: ({"a": 1}, {"text": [7, 7, 7]}),
        2: ({}, {"image": [5, 5], "text": [1, 2, 3]}),
    }
    assert contents(col) == everything
    if sealing.kind == "disk":
        col.close()
        col = sealing.again()
    assert contents(col) == everything
    assert ids(col.search([1, 0], using="image")) == [2]
    assert ids(col.search([1, 0, 0], using="text")) == [1, 2]


def test_slots_of_deleted_points_are_used_again_without_mixing(sealing: Home) -> None:
    col, expected = sealing.make(VectorParams(SIZE, Distance.DOT)), Expected()
    for turn in range(6):
        expected.upsert(col, range(100 * turn, 100 * turn + 10))
        if turn:
            expected.delete(col, range(100 * (turn - 1), 100 * (turn - 1) + 9))
        if sealing.kind == "disk" and turn % 2:
            col.close()
            col = sealing.again()
        expected.check(col)
        condition = {"must": [{"has_id": list(range(0, 1000, 2))}]}
        assert sorted(ids(col.search([1] * SIZE, filter=condition, limit=99))) == [
            i for i in expected.rows if i % 2 == 0
        ]


def test_a_refused_batch_leaves_what_lies_in_files_alone(sealing: Home) -> None:
    col, expected = sealing.make(VectorParams(SIZE, Distance.DOT)), Expected()
    expected.upsert(col, range(10))
    sealed(col)
    future = col.batch(
        [
            {"delete": {"points": [0, 1]}},
            {"update_vectors": {"points": [{"id": 2, "vector": [9] * SIZE}]}},
            {"upsert": {"points": [{"id": i, "vector": [9] * SIZE} for i in (0, 3, 50)]}},
            {"delete_vectors": {"vector": [""], "points": [4]}},
            {"clear_payload": {"points": [999]}},
        ]
    )
    assert isinstance(future.exception(), PointNotFound)
    expected.check(col)
    expected.update(col, [2, 3])
    expected.check(col)


def test_segments_larger_than_a_block(monkeypatch: pytest.MonkeyPatch, disk: Home) -> None:
    monkeypatch.setattr("vecstore.storage.tail.BLOCK_BYTES", 4 * SIZE * 16)
    col, expected = disk.make(VectorParams(SIZE, Distance.EUCLID)), Expected(Distance.EUCLID)
    expected.upsert(col, range(100))
    expected.delete(col, range(3, 100, 7))
    expected.update(col, [0, 15, 16, 18, 99])
    expected.upsert(col, range(90, 130))
    expected.check(col)
    col.close()
    col = disk.again()
    expected.check(col)
    monkeypatch.setattr(sealer, "SEAL_BYTES", 1)
    expected.upsert(col, range(200, 260))
    assert sealed(col) >= 1
    expected.check(col)


def test_sealing_many_small_segments_under_load(sealing: Home) -> None:
    col, expected = sealing.make(VectorParams(SIZE, Distance.DOT)), Expected()
    matrix = expected.vectors(200)
    futures = [col.upsert([PointStruct(i % 50, row)]) for i, row in enumerate(matrix)]
    expected.rows = {i % 50: row for i, row in enumerate(matrix.tolist())}
    assert [future.result().operation_id for future in futures] == list(range(1, 201))
    expected.check(col)
    if sealing.kind == "disk":
        col.close()
        expected.check(sealing.again())
