"""Sealed segments: the rows of a tail in files, as they were; and files that are not what they should be."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vecstore.engine.sealer import SEAL_BYTES
from vecstore.errors import Corrupted
from vecstore.models import Distance, VectorParams
from vecstore.storage import library, segments
from vecstore.storage import tail as tails
from vecstore.storage.segments import Sealed, SealedFiles
from vecstore.storage.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE, ROWS = 3, 21
EVERY_DISTANCE = pytest.mark.parametrize("distance", list(Distance))


def a_tail(rows: int = ROWS, size: int = SIZE) -> Tail:
    """A tail of several blocks in which slots come again."""
    tail = Tail(7, size)
    tail._capacity = 8
    slots = np.random.default_rng(rows).integers(0, max(1, rows), rows, dtype=np.uint32)
    tail.append(slots, np.random.default_rng(size).standard_normal((rows, size), dtype=np.float32))
    return tail


def sealed(folder: Path, tail: Tail, distance: Distance = Distance.DOT) -> Sealed:
    params = VectorParams(tail.size, distance)
    files = segments.seal(folder, tail, 2, params, sync=True)
    return Sealed(folder, tail.number, 2, params, files)


@EVERY_DISTANCE
def test_a_sealed_segment_holds_what_its_tail_held(tmp_path: Path, distance: Distance) -> None:
    tail = a_tail()
    found = sealed(tmp_path, tail, distance)
    assert (found.number, found.rows, found.size) == (7, ROWS, SIZE)
    for rows in (0, 1, ROWS):
        assert found.slots(rows).tolist() == tail.slots(rows).tolist()
        assert np.array_equal(np.concatenate(found.blocks(rows)), tail.span(0, rows))
    some = np.array([20, 0, 7, 8, 8])
    assert np.array_equal(found.gather(some), tail.gather(some))
    assert found.nbytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000007.2.faiss", "00000007.2.slots"]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=30), st.lists(st.integers(0, 20), unique=True))
def test_the_last_row_of_a_slot(tmp_path_factory: pytest.TempPathFactory, slots: list[int], asked: list[int]) -> None:
    tail = Tail(0, 1)
    tail.append(np.array(slots, dtype=np.uint32), np.zeros((len(slots), 1), np.float32))
    found = sealed(tmp_path_factory.mktemp("segment"), tail)
    wanted = np.array(asked, dtype=np.uint32)
    expected = [max((n for n, s in enumerate(slots) if s == slot), default=-1) for slot in asked]
    assert found.last_rows(wanted, found.rows).tolist() == expected
    assert tail.last_rows(wanted, tail.rows).tolist() == expected


@EVERY_DISTANCE
def test_faiss_alone_can_read_the_file(tmp_path: Path, distance: Distance) -> None:
    tail = a_tail()
    sealed(tmp_path, tail, distance)
    index = faiss.read_index(str(tmp_path / "00000007.2.faiss"))
    assert (index.ntotal, index.d, index.metric_type) == (ROWS, SIZE, library.metric(distance))
    assert np.array_equal(index.reconstruct_n(0, ROWS), tail.span(0, ROWS))


def test_the_file_is_mapped_not_read(tmp_path: Path) -> None:
    found = sealed(tmp_path, a_tail())
    matrix = found.blocks(ROWS)[0]
    with (tmp_path / "00000007.2.faiss").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(np.float32(123).tobytes())
    assert matrix[-1, -1] == 123
    with pytest.raises(ValueError, match="read-only"):
        matrix[0, 0] = 1
    assert found.gather(np.array([0])).flags.writeable


def mapped_here(path: Path) -> bool:
    return str(path) in Path("/proc/self/maps").read_text()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks the system what is mapped")
def test_rows_stay_mapped_as_long_as_somebody_has_them_and_no_longer(tmp_path: Path) -> None:
    """Two threads may map a file at once: what one of them got must not end with what the other keeps."""
    found = sealed(tmp_path, a_tail())
    first = found.blocks(ROWS)[0][:3]
    del found.__dict__["_matrix"]  # as when another thread's map took its place
    other = found.blocks(ROWS)[0]
    del found, other
    gc.collect()
    assert mapped_here(tmp_path / "00000007.2.faiss")
    assert np.array_equal(first, a_tail().span(0, 3))
    del first
    gc.collect()
    assert not mapped_here(tmp_path / "00000007.2.faiss")


def test_files_live_on_without_their_names(tmp_path: Path) -> None:
    tail = a_tail()
    found = sealed(tmp_path, tail)
    found.unlink()
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(found.blocks(ROWS)[0], tail.span(0, ROWS))
    assert found.slots(ROWS).tolist() == tail.slots(ROWS).tolist()


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def shorter(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def gone(path: Path) -> None:
    path.unlink()


def another_header(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(b"XXXX" + content[4:])


def another_number_of_rows(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8] += 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [longer, shorter, empty, gone, another_header, another_number_of_rows])
@pytest.mark.parametrize("name", ["00000007.2.faiss", "00000007.2.slots"])
def test_another_file_is_found_when_the_segment_is_opened(
    tmp_path: Path, damage: Callable[[Path], None], name: str
) -> None:
    tail, params = a_tail(), VectorParams(SIZE, Distance.DOT)
    files = segments.seal(tmp_path, tail, 2, params, sync=False)
    damage(tmp_path / name)
    with pytest.raises(Corrupted) as found:
        Sealed(tmp_path, 7, 2, params, files)
    assert found.value.path == tmp_path / name


@pytest.mark.parametrize(
    ("params", "rows"),
    [
        (VectorParams(SIZE, Distance.EUCLID), ROWS),
        (VectorParams(SIZE + 1, Distance.DOT), ROWS),
        (VectorParams(SIZE, Distance.DOT), ROWS + 1),
    ],
)
def test_a_segment_of_another_shape_is_found(tmp_path: Path, params: VectorParams, rows: int) -> None:
    files = segments.seal(tmp_path, a_tail(), 2, VectorParams(SIZE, Distance.DOT), sync=False)
    said = SealedFiles(rows, files.index_size, files.index_checksum, files.slots_size, files.slots_checksum)
    with pytest.raises(Corrupted):
        Sealed(tmp_path, 7, 2, params, said)


def test_what_the_manifest_says_is_what_the_files_are(tmp_path: Path) -> None:
    files = segments.seal(tmp_path, a_tail(), 2, VectorParams(SIZE, Distance.DOT), sync=False)
    index, slots = ((tmp_path / name).read_bytes() for name in ("00000007.2.faiss", "00000007.2.slots"))
    assert files == SealedFiles(ROWS, len(index), crc32(index), len(slots), crc32(slots))


@EVERY_DISTANCE
@pytest.mark.parametrize(("rows", "size"), [(1, 1), (1, 700), (4096, 1), (1000, 5)])
def test_sizes_from_one_row_to_several_buffers(tmp_path: Path, distance: Distance, rows: int, size: int) -> None:
    tail = a_tail(rows, size)
    found = sealed(tmp_path, tail, distance)
    assert np.array_equal(found.blocks(rows)[0], tail.span(0, rows))


def test_a_block_is_what_a_segment_is_sealed_at() -> None:
    assert tails.BLOCK_BYTES >= SEAL_BYTES
