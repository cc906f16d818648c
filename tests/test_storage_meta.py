"""What is kept of a collection as a whole; the lock of its folder; files that are there wholly or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from storing import environment, undone

from vecstore.errors import CollectionLocked, Corrupted
from vecstore.models import MAX_VECTOR_SIZE, Distance, VectorParams
from vecstore.storage import bitmaps, files
from vecstore.storage.lock import FolderLock
from vecstore.storage.meta import BLOCK_BYTES, SLOTS_PER_BLOCK, Meta
from vecstore.storage.segments import SealedFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vecstore.storage.environment import Environment, Transaction

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
PARAMS = st.builds(VectorParams, st.integers(1, MAX_VECTOR_SIZE), st.sampled_from(list(Distance)))
FILES = st.builds(SealedFiles, U32, U64, U32, U64, U32)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    with environment(tmp_path_factory.mktemp("meta")) as found:
        yield found


@pytest.fixture(scope="module")
def meta(env: Environment) -> Meta:
    return Meta(env.database(b"meta"), env.path / "data.mdb")


@given(
    vectors=st.dictionaries(st.text(max_size=5), PARAMS, max_size=4),
    manifest=st.dictionaries(U32, st.dictionaries(st.integers(0, 9), FILES, min_size=1, max_size=2), max_size=3),
    numbers=st.tuples(U64, U64, U32),
)
def test_what_is_kept_comes_back_in_its_order(
    env: Environment, meta: Meta, vectors: dict[str, VectorParams], manifest: Any, numbers: tuple[int, int, int]
) -> None:
    names = (b"applied", b"reserved", b"next_segment")

    def work(txn: Transaction) -> None:
        assert (meta.vectors(txn), meta.manifest(txn)) == ({}, {})
        assert [meta.number(txn, name) for name in names] == [0, 0, 0]
        meta.put_vectors(txn, vectors)
        meta.put_manifest(txn, manifest)
        for name, number in zip(names, numbers, strict=True):
            meta.put_number(txn, name, number)
        assert list(meta.vectors(txn).items()) == list(vectors.items())
        assert meta.manifest(txn) == manifest
        assert tuple(meta.number(txn, name) for name in names) == numbers

    undone(env, work)


def test_dead_rows_are_kept_for_each_segment_and_name(env: Environment, meta: Meta) -> None:
    def bitmap(number: int) -> Any:
        return np.full(3, number, dtype=np.uint8)

    def work(txn: Transaction) -> None:
        for segment, field, number in [(1, 0, 1), (1, 1, 2), (256, 0, 3), (1, 0, 4)]:
            meta.put_dead_rows(txn, segment, field, bitmap(number))
        places = [(1, 0), (1, 1), (256, 0)]
        assert [meta.dead_rows(txn, *place).tolist() for place in places] == [[4] * 3, [2] * 3, [3] * 3]
        assert meta.dead_rows(txn, 2, 0) is None

    undone(env, work)


@given(slots=st.sets(st.integers(0, 4 * SLOTS_PER_BLOCK - 1)), later=st.sets(st.integers(0, 6 * SLOTS_PER_BLOCK - 1)))
def test_live_slots_are_kept_block_by_block(env: Environment, meta: Meta, slots: set[int], later: set[int]) -> None:
    def bitmap(numbers: set[int]) -> Any:
        found = bitmaps.empty(max(numbers, default=0) + 1)
        bitmaps.add(found, np.array(sorted(numbers), dtype=np.int64))
        return found

    def put(txn: Transaction, numbers: set[int], changed: set[int]) -> None:
        meta.put_live_slots(txn, bitmap(numbers), sorted({n // SLOTS_PER_BLOCK for n in changed}))

    def work(txn: Transaction) -> None:
        for numbers, changed in ((slots, slots), (slots | later, later), (later, slots)):
            put(txn, numbers, changed)
            found = meta.live_slots(txn)
            assert len(found) % BLOCK_BYTES == 0
            assert bitmaps.members(found, 8 * len(found)).tolist() == sorted(numbers)
            bitmaps.add(found, np.array([0])) if len(found) else None  # it is the caller's own

    undone(env, work)


# -- the lock -----------------------------------------------------------------------------------------------


def tried_elsewhere(folder: Path) -> str:
    """What another process meets: "taken", or the pid it was told."""
    code = (
        "import sys; from pathlib import Path; from vecstore.storage.lock import FolderLock\n"
        "from vecstore import CollectionLocked\n"
        "try: FolderLock(Path(sys.argv[1])); print('taken')\n"
        "except CollectionLocked as locked: print(locked.pid)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def test_the_second_owner_is_told_who_the_first_is(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(CollectionLocked, match=f"process {os.getpid()}") as found:
        FolderLock(tmp_path)
    assert found.value.pid == os.getpid()
    assert tried_elsewhere(tmp_path) == str(os.getpid())
    lock.release()
    lock.release()
    assert tried_elsewhere(tmp_path) == "taken"
    FolderLock(tmp_path).release()


@pytest.mark.parametrize("content", [b"", b"not a number", b"\xff" * 40])
def test_a_lock_whose_owner_cannot_be_read_is_still_a_lock(tmp_path: Path, content: bytes) -> None:
    lock = FolderLock(tmp_path)
    (tmp_path / "lock").write_bytes(content)
    with pytest.raises(CollectionLocked, match="another process") as found:
        FolderLock(tmp_path)
    assert found.value.pid is None
    lock.release()


def test_the_pid_of_a_longer_one_does_not_shine_through(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("9" * 20)
    lock = FolderLock(tmp_path)
    assert (tmp_path / "lock").read_text() == str(os.getpid())
    lock.release()


def test_a_full_disk_costs_only_the_pid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        lock = FolderLock(tmp_path)
    with pytest.raises(CollectionLocked):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()


# -- files --------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_whole(path, lambda temporary: temporary.write_bytes(b"old"), sync=True)

    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        files.write_whole(path, fail, sync=True)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_a_file_is_synced_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "file", []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append((path.exists(), os.fstat(descriptor).st_size))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    files.write_whole(path, lambda temporary: temporary.write_bytes(b"12345"), sync=True)
    files.write_whole(path, lambda temporary: temporary.write_bytes(b"123"), sync=False)
    assert seen == [(False, 5)]
    assert path.read_bytes() == b"123"


@pytest.mark.parametrize("size", [0, 1, files.CHUNK - 1, files.CHUNK, 2 * files.CHUNK + 1])
def test_checksums_are_those_of_the_whole_file(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "file").write_bytes(content)
    assert files.checksum(tmp_path / "file") == crc32(content)


def test_a_change_of_any_byte_is_found(env: Environment, meta: Meta) -> None:
    def work(txn: Transaction) -> None:
        meta.put_vectors(txn, {"a": VectorParams(3, Distance.DOT)})
        meta.put_manifest(txn, {7: {0: SealedFiles(1, 2, 3, 4, 5)}})
        meta.put_number(txn, b"applied", 9)
        meta.put_dead_rows(txn, 7, 0, np.array([5], np.uint8))
        meta.put_live_slots(txn, np.array([5], np.uint8), [0])
        with txn.cursor(db=meta._database) as cursor:
            rows = [*cursor, (b"applied", txn.get(b"applied"))]
        assert len(rows) == 6
        for key, value in rows:
            home = meta._home(key)
            for at in {*range(0, len(value), 1 + len(value) // 40), len(value) - 1}:
                txn.put(key, value[:at] + bytes([value[at] ^ 4]) + value[at + 1 :], db=home)
                with pytest.raises(Corrupted, match=r"data\.mdb"):
                    everything(meta, txn)
            for other in (b"", value[:3], value[:-1], value + b"\0"):
                txn.put(key, other, db=home)
                with pytest.raises(Corrupted):
                    everything(meta, txn)
            txn.put(key, value, db=home)
        everything(meta, txn)
        meta.drop_live_slots(txn)
        assert len(meta.live_slots(txn)) == 0
        assert meta.number(txn, b"applied") == 9

    undone(env, work)


def everything(meta: Meta, txn: Transaction) -> None:
    for read in (meta.vectors, meta.manifest, meta.live_slots):
        read(txn)
    meta.number(txn, b"applied")
    meta.number(txn, b"manifests")
    meta.dead_rows(txn, 7, 0)


@pytest.mark.parametrize(
    "value", [b"\x91", b"\x91\x01", b"\x91\x92\x01\x91\x02", b"\x91\x92\x01\x91\x96\0\1\1\1\1\xff"]
)
def test_what_is_whole_and_no_manifest_is_refused(env: Environment, meta: Meta, value: bytes) -> None:
    def work(txn: Transaction) -> None:
        meta._put(txn, b"manifest", value)
        with pytest.raises(Corrupted, match="the manifest cannot be read"):
            meta.manifest(txn)

    undone(env, work)
