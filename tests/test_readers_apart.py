"""Readers in processes of their own, step by step: what they see of each operation, and of files that go."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import lives
import pytest
from collecting import contents, ids
from following import GRAPH, Asked, asked, points
from optimizing import files, is_sealed, optimized

from vecstore import Collection, VectorParams
from vecstore.engine import sealer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 30
UNIX = pytest.mark.skipif(sys.platform == "win32", reason="locks are not shared there")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "col"


@pytest.fixture
def writer(path: Path) -> Iterator[Collection]:
    with Collection(path, vectors=GRAPH, durability="os") as col:
        yield col


def everything(col: Collection) -> list[Any]:
    hits = [(hit.id, hit.score) for hit in col.search([3, 2, 1, 0], limit=1000, params={"exact": True})]
    found = {str(point): list(kept) for point, kept in contents(col).items()}
    return [found, [list(hit) for hit in hits], col.count({"must": [{"key": "n", "range": {"gte": 20}}]})]


EVERYTHING = """[
    {str(point): list(kept) for point, kept in contents(col).items()},
    [[hit.id, hit.score] for hit in col.search([3, 2, 1, 0], limit=1000, params={"exact": True})],
    col.count({"must": [{"key": "n", "range": {"gte": 20}}]}),
]""".replace("\n", " ")


def check(reader: Asked, writer: Collection) -> None:
    """The reader sees what the writer sees."""
    assert reader(EVERYTHING) == everything(writer)


# -- what is seen -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seal_at", [12 << 20, 1500, 1])
def test_each_operation_is_seen_once_its_result_is_there(
    path: Path, writer: Collection, seal_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer, "SEAL_BYTES", seal_at)
    steps = [
        lambda: writer.upsert(points(range(80))),
        lambda: writer.upsert(points(range(70, 130), again=True)),
        lambda: writer.update_vectors([{"id": n, "vector": [9, 9, n, 9]} for n in range(40)]),
        lambda: writer.set_payload({"set": 1}, list(range(30))),
        lambda: writer.delete_payload(["n"], list(range(5))),
        lambda: writer.delete_vectors([""], list(range(50, 60))),
        lambda: writer.delete(list(range(55, 75))),
        lambda: writer.delete({"must": [{"key": "n", "match": {"value": 90}}]}),
        lambda: writer.batch([{"delete": {"points": [1]}}, {"upsert": {"points": points(range(55, 60))}}]),
        lambda: writer.clear_payload([2, 3]),
        lambda: writer.create_payload_index("n", "integer"),
        lambda: writer.upsert(points(range(200, 210))),
        lambda: writer.delete_payload_index("n"),
        lambda: writer.delete(list(range(300))),
        lambda: writer.upsert(points(range(40))),
    ]
    with asked(path) as reader, asked(path) as seldom:
        for number, step in enumerate(steps):
            step().result(PATIENCE)
            check(reader, writer)
            if number % 5 == 4:
                check(seldom, writer)
            if number % 4 == 3:
                optimized(writer)
                check(reader, writer)


def test_seals_that_change_no_file_are_seen(path: Path, writer: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deaths alone fill the journal, which is emptied, and the files stay the same."""
    writer.upsert(points(range(60))).result(PATIENCE)
    optimized(writer)
    with asked(path) as reader:
        check(reader, writer)
        before = files(path)
        monkeypatch.setattr(sealer, "SEAL_BYTES", 1)
        for n in range(5):
            writer.delete([n]).result(PATIENCE)
            assert is_sealed(writer)
        assert files(path) == before
        check(reader, writer)


def test_points_without_vectors_are_seen_though_the_journal_is_as_before(path: Path, writer: Collection) -> None:
    writer.upsert(points(range(20))).result(PATIENCE)
    with asked(path) as reader:
        check(reader, writer)
        for n in range(20, 200, 30):
            writer.upsert([{"id": i, "vector": {}, "payload": {"n": i}} for i in range(n, n + 30)]).result(PATIENCE)
            check(reader, writer)
            assert reader("""col.count({"must_not": [{"has_id": [3]}]})""") == n + 29


def test_what_changes_no_vector_leaves_a_reader_its_views(path: Path, writer: Collection) -> None:
    counted = """
from vecstore.engine.replay import Replay
made, original = [], Replay.views
Replay.views = lambda rows: made.append(rows) or original(rows)
"""
    writer.upsert(points(range(20))).result(PATIENCE)
    with asked(path, counted) as reader:
        check(reader, writer)
        before = reader("len(made)")
        writer.set_payload({"n": 50}, [3]).result(PATIENCE)
        check(reader, writer)
        assert reader("len(made)") == before
        writer.delete([3]).result(PATIENCE)
        check(reader, writer)
        assert reader("len(made)") == before + 1


def test_a_read_that_is_overtaken_begins_again(path: Path, writer: Collection) -> None:
    """Where another thread has gone on to a later state, the vectors of an earlier one are not to be had."""
    begun = """
def begin():
    global txn, inside
    inside = col._engine.source.store.environment.read()
    txn = inside.__enter__()
def is_overtaken(): return col._engine.source.version_of(txn) is None
"""
    writer.upsert(points(range(5))).result(PATIENCE)
    with asked(path, begun) as reader:
        reader("begin()")
        writer.upsert(points(range(5, 9))).result(PATIENCE)
        check(reader, writer)
        assert reader("is_overtaken()")
        reader.kill()


def test_what_is_acknowledged_and_not_applied_is_not_seen(path: Path) -> None:
    program = """
    col = Collection(sys.argv[1], vectors=DOT)
    upsert(col, 1).result()
    from vecstore.engine import writer
    writer.AT_ONCE_BYTES = -1
    writer.apply = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    upsert(col, 2).acknowledged(); time.sleep(60)
    """
    lives.run(program, path, status=-9)
    with asked(path) as reader:
        assert reader("ids(col.scroll()[0])") == [1]
        with Collection(path) as writer:
            assert len(writer) == 2
            assert reader("ids(col.search([1, 1]))") == [2, 1]
        assert reader("len(col)") == 2


def test_an_index_that_is_ready_is_used_and_none_is_built(path: Path, writer: Collection) -> None:
    writer.upsert(points(range(30))).result(PATIENCE)
    writer.create_payload_index("n", "integer").result(PATIENCE)
    count = "col.count({'must': [{'key': %r, 'range': {'gte': 20}}]})"
    before = """
from vecstore.engine import builder, filtering
builder.AUTOMATIC_FROM = 1
decoded, real = [], filtering.unpack_payload
filtering.unpack_payload = lambda packed: decoded.append(1) or real(packed)
"""
    with asked(path, before) as reader:
        assert reader(f"[{count % 'n'}, len(decoded)]") == [10, 0]
        assert reader(f"[{count % 'm'}, len(decoded)]") == [0, 30]
        writer.upsert(points(range(30, 31))).result(PATIENCE)
        assert reader(f"[{count % 'n'}, list(col.info().payload_schema)]") == [11, ["n"]]
    assert list(writer.info().payload_schema) == ["n"]


def test_names_of_which_points_have_some(path: Path) -> None:
    vectors = {"a": VectorParams(2, "Dot"), "b": VectorParams(2, "Dot")}
    with Collection(path, vectors=vectors) as col, asked(path) as reader:
        for n in range(12):
            given = {"a": [n, 1]} if n % 3 else {"a": [n, 1], "b": [n, 2]}
            col.upsert([{"id": n, "vector": given}]).result(PATIENCE)
            if n % 4 == 1:
                optimized(col)
            assert reader("[ids(col.search([1, 0], using=name, limit=20)) for name in 'ab']") == [
                ids(col.search([1, 0], using=name, limit=20)) for name in "ab"
            ]


# -- files that go ------------------------------------------------------------------------------------------

SLOWLY = """
from vecstore.engine import follower
real = follower.load_sealed
def slowly(*arguments):
    follower.load_sealed = real
    print('"loading"', flush=True); sys.stdin.readline()
    return real(*arguments)
follower.load_sealed = slowly
"""


def test_a_file_that_goes_while_it_is_opened(path: Path, writer: Collection) -> None:
    writer.upsert(points(range(40))).result(PATIENCE)
    optimized(writer)
    with asked(path, SLOWLY) as reader:
        reader.tell(EVERYTHING)
        assert reader.answer() == "loading"
        gone = files(path)
        writer.upsert(points(range(40, 90))).result(PATIENCE)
        optimized(writer)
        assert not files(path) & gone
        reader.tell()
        assert reader.answer() == everything(writer)


def test_what_a_reader_has_seen_it_can_still_read(path: Path, writer: Collection) -> None:
    """A read that has begun goes on though its files are deleted, also what it has not looked at yet."""
    writer.upsert(points(range(90))).result(PATIENCE)
    optimized(writer)
    before = """
from vecstore.engine.search import search_many
from vecstore.questions import Question
real = search_many
def slowly(*arguments):
    print('"begun"', flush=True); sys.stdin.readline()
    return real(*arguments)
import vecstore.reading
vecstore.reading.search_many = slowly
"""
    with asked(path, before) as reader:
        reader.tell("[[hit.id, hit.score] for hit in col.search([3, 2, 1, 0], limit=5, with_vectors=True)]")
        assert reader.answer() == "begun"
        expected = [[hit.id, hit.score] for hit in writer.search([3, 2, 1, 0], limit=5)]
        gone = files(path)
        writer.delete(list(range(80))).result(PATIENCE)
        optimized(writer)
        assert not files(path) & gone
        reader.tell()
        assert reader.answer() == expected


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="there is no telling what is mapped")
def test_a_reader_lets_deleted_files_go_at_its_next_call(path: Path, writer: Collection) -> None:
    deleted = "open('/proc/self/maps').read().count('.slots (deleted)')"
    with asked(path) as reader:
        for n in range(3):
            writer.upsert(points(range(30 * n, 30 * n + 40))).result(PATIENCE)
            optimized(writer)
            assert reader(deleted) == (n > 0)
            check(reader, writer)
            assert reader(deleted) == 0


def test_a_file_that_is_lost_is_named(path: Path) -> None:
    with Collection(path, vectors=GRAPH) as col:
        col.upsert(points(range(20))).result(PATIENCE)
        optimized(col)
    (lost,) = (path / "segments").glob("*.slots")
    kept = lost.read_bytes()
    lost.unlink()
    with asked(path) as reader:
        for _ in range(2):
            kind, message = reader("len(col)")
            assert kind == "Corrupted"
            assert str(lost) in message
        lost.write_bytes(kept)
        assert reader("len(col.search([1, 1, 1, 1], limit=100))") == 20
