"""Files that are not what they say, rows that do not fit: named, and what came before them stays."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import DOT, NAMED, UUID_TEXT, ids
from filing import ARROW, sample

from vecstore import (
    Collection,
    InvalidFile,
    InvalidRequest,
    InvalidType,
    MissingExtra,
    NotACollection,
    UploadStopped,
    VecstoreError,
)

if TYPE_CHECKING:
    from pathlib import Path

MATRIX = np.ones((2, 2))


def check_refused(file: Path, error: type[VecstoreError], message: str, **options: Any) -> VecstoreError:
    home = file.parent / "home"
    with pytest.raises(error, match=message) as caught:
        Collection.load(file, home, **{"vectors": DOT, **options})
    return caught.value


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x00\xff" * 100, b"PK\x03\x04" + b"\x00" * 100])
def test_a_file_that_is_not_what_its_name_says(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    if file.suffix in (".jsonl", ".ndjson", ".gz") and not content:
        with Collection.load(file, vectors=DOT) as col:
            assert len(col) == 0
        return
    error = check_refused(file, InvalidFile, str(file))
    assert isinstance(error, InvalidFile)
    assert error.path == file
    assert not (file.parent / "home").exists()


def test_a_file_that_was_cut_off(file: Path) -> None:
    with sample(DOT) as col:
        col.export(file)
    file.write_bytes(file.read_bytes()[:-2000])
    check_refused(file, VecstoreError, file.name, batch_size=50)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("points.csv", InvalidRequest, r"expected a file name that ends with \.jsonl, .*, got 'points.csv'"),
        ("points.jsonl", InvalidFile, "there is no such file"),
        (".", InvalidRequest, "expected a file name"),
    ],
)
def test_a_file_that_is_not_there_or_of_no_known_format(
    tmp_path: Path, name: str, error: type[VecstoreError], message: str
) -> None:
    check_refused(tmp_path / name, error, message)


def test_no_path_at_all(col: Collection) -> None:
    for call in (col.export, Collection.load):
        with pytest.raises(InvalidType, match="expected a path, got int 7"):
            call(7)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["\0.npz", "\ud800.npz"])
def test_a_name_that_no_file_can_have(col: Collection, name: str) -> None:
    with pytest.raises(InvalidRequest, match="expected a path, got str"):
        col.export(name)
    with pytest.raises(InvalidFile):
        Collection.load(name)


def test_rows_and_payloads_of_no_point(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", ids=np.arange(2), vectors=MATRIX, has=np.array([True, False]))
    check_refused(tmp_path / "x.npz", UploadStopped, "stopped at row 2: .*expected 1 rows in vectors, got 2")
    np.savez(tmp_path / "x.npz", ids=np.arange(2), vectors=MATRIX)
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as archive:
        archive.writestr("payloads.jsonl", "{}\n{}\n{}\n")
    check_refused(tmp_path / "x.npz", UploadStopped, "expected 2 payloads, got more")


def test_a_file_that_does_not_say_which_vectors(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"id": 1, "vector": [1, 2]}\n')
    check_refused(tmp_path / "x.jsonl", NotACollection, "give vectors=", vectors=None)
    with pytest.raises(InvalidRequest, match="expected vectors= for a collection in memory"):
        Collection.load(tmp_path / "x.jsonl")


LINE = '{"id": %d, "vector": [1, 2]}\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 6 is not JSON"),
        ("[1]", "line 6: expected a JSON object, got list"),
        ('{"id": 4, "vector": [1]}', "point 4: the unnamed vector: expected 2 numbers, got 1"),
        ('{"id": -4, "vector": [1, 2]}', "expected an id"),
        ('{"id": 4, "vector": [1, NaN]}', "expected finite"),
        ('{"id": 4, "vector": {"x": [1, 2]}}', "expected the unnamed vector"),
        ('{"id": 4, "vector": [1, 2], "colour": 3}', "a point has no 'colour'"),
        ('{"id": 4, "vector": [1, 2], "payload": 3}', "payload"),
        ('{"id": 4, "vector": [1, 2], "payload": {"a": 1e999}}', "a"),
        ('{"vector": [1, 2]}', "expected 'id' in a point"),
        ("[" * 100_000, "line 6 is not JSON"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_line_that_does_not_fit(tmp_path: Path, line: str, message: str, size: int) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text("\n" + "".join(LINE % i for i in range(4)) + line + "\n" + LINE % 9)
    error = check_refused(file, UploadStopped, rf"stopped at row 4: .*{message}", batch_size=size)
    assert isinstance(error, UploadStopped)
    assert error.count == 4
    with Collection(tmp_path / "home", durability="os") as col:  # another durability: it is not open any more
        assert ids(col.scroll()[0]) == [0, 1, 2, 3]
    if line.startswith("{") and line.endswith("}"):  # a line all the same: what comes after it can be loaded
        with Collection.load(file, tmp_path / "home", skip=5) as col:
            assert ids(col.scroll()[0]) == [0, 1, 2, 3, 9]


@pytest.mark.parametrize("ending", [".npz", *ARROW])
@pytest.mark.parametrize("size", [2, 100])
def test_a_row_that_does_not_fit(tmp_path: Path, ending: str, size: int) -> None:
    file = tmp_path / f"x{ending}"
    save(file, [f'{{"n": {i}}}' if i != 4 else "{" for i in range(7)])
    error = check_refused(file, UploadStopped, "stopped at row 4: .*row 4: the payload is not JSON", batch_size=size)
    assert isinstance(error, UploadStopped)
    assert error.count == 4
    save(file, [f'{{"n": {i if i != 5 else 2**65}}}' for i in range(7)])
    check_refused(file, UploadStopped, "stopped at row 5: .*n", batch_size=size)
    with Collection(tmp_path / "home") as col:
        assert ids(col.scroll()[0]) == [0, 1, 2, 3, 4]


def save(file: Path, payloads: list[str]) -> None:
    """A file of seven points with these payloads."""
    if file.suffix == ".npz":
        np.savez(file, ids=np.arange(7), vectors=np.ones((7, 2)))
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("payloads.jsonl", "".join(f"{payload}\n" for payload in payloads))
        return
    pa = pytest.importorskip("pyarrow")
    import pyarrow.feather
    import pyarrow.parquet

    table = pa.table({"id": list(range(7)), "vector": [[1.0, 2.0]] * 7, "payload": payloads})
    write = pyarrow.parquet.write_table if file.suffix == ".parquet" else pyarrow.feather.write_feather
    write(table, str(file))


def test_a_row_of_two_ids(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    columns = {"id": [1, 2], "uuid": [None, UUID_TEXT], "vector": [[1.0, 2.0]] * 2}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    check_refused(tmp_path / "x.parquet", UploadStopped, "expected an id or a uuid in each row, got both in one")


def test_a_list_of_another_length(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    file = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(pa.table({"id": [1, 2, 3], "vector": [[1.0, 2.0], [1.0], [1.0, 2.0]]}), file)
    check_refused(file, UploadStopped, "stopped at row 1: point 2: .*expected 2 numbers, got 1")
    pyarrow.parquet.write_table(pa.table({"id": [1, None], "vector": [[1.0, 2.0], [1.0, 2.0]]}), file)
    check_refused(file, UploadStopped, "stopped at row 1: .*id")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"vector": [[1.0, 2.0]]}, "expected a column id, got 'vector'"),
        ({"id": [1], "vec": [[1.0, 2.0]]}, "got the column 'vec'"),
    ],
)
def test_columns_that_nothing_is_known_of(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    check_refused(tmp_path / "x.parquet", InvalidFile, message)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"vectors": MATRIX}, "expected an array of ids"),
        ({"ids": np.arange(2), "vector": np.ones((2, 2))}, "got the array 'vector'"),
        ({"ids": np.arange(2), "vectors": np.ones((3, 2))}, "expected 2 rows in vectors, got 3"),
        ({"ids": np.arange(2), "vectors": np.asfortranarray(np.ones((2, 2)))}, "expected vectors as rows"),
        ({"ids": np.array([1, "a"], dtype=object), "vectors": MATRIX}, "expected ids as rows of plain values"),
        ({"ids": np.arange(2), "vectors": MATRIX, "has": np.ones(3, bool)}, "expected 2 rows in has, got 3"),
        ({"ids": np.arange(2), "vectors": MATRIX, "has": np.ones((2, 1), bool)}, "expected has as a row of bools"),
        ({"ids": np.arange(2), "vectors": MATRIX, "has": np.ones(2)}, "expected has as a row of bools"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    check_refused(tmp_path / "x.npz", InvalidFile, message)


def test_other_things_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    check_refused(tmp_path / "x.npz", InvalidFile, "it holds 'readme.txt', which nothing is known of")


@pytest.mark.parametrize(
    "head",
    [
        {"vecstore": 2, "points": 0, "vectors": {}, "payload_schema": {}},
        {"vecstore": 1, "points": 0, "vectors": {}},
        {"vecstore": 1, "points": "many", "vectors": {}, "payload_schema": {}},
        {"vecstore": 1, "points": 0, "vectors": {"": {"size": 0, "distance": "Dot"}}, "payload_schema": {}},
        {"vecstore": 1, "points": 0, "vectors": {}, "payload_schema": {"a": ["colour"]}},
        {"vecstore": 1, "points": 0, "vectors": {}, "payload_schema": []},
    ],
)
def test_a_header_that_cannot_be_read(tmp_path: Path, head: dict[str, Any]) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps(head))
    check_refused(tmp_path / "x.jsonl", InvalidFile, "its header")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("vecstore.json", json.dumps(head))
    check_refused(tmp_path / "x.npz", InvalidFile, "its header")


def test_a_file_that_cannot_be_written_leaves_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sample(NAMED) as col:
        col.export(file)
        before = file.read_bytes()
        scroll, calls = Collection.scroll, []

        def failing(*args: Any, **options: Any) -> Any:
            calls.append(1)
            if len(calls) == 2:
                raise OSError("no space")
            return scroll(*args, **options)

        monkeypatch.setattr(Collection, "scroll", failing)
        with pytest.raises(OSError, match="no space"):
            col.export(file)
        assert file.read_bytes() == before
        assert [path.name for path in file.parent.iterdir()] == [file.name]
        with pytest.raises(OSError, match="nowhere"):
            col.export(file.parent / "nowhere" / file.name)


@pytest.mark.parametrize("ending", ARROW)
def test_arrow_needs_its_extra(col: Collection, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = __import__("sys").modules
    monkeypatch.delitem(modules, "vecstore.bulk.arrow", raising=False)
    monkeypatch.setitem(modules, "pyarrow", None)
    (tmp_path / f"x{ending}").write_bytes(b"")
    for call in (col.export, Collection.load):
        with pytest.raises(MissingExtra, match=r"pip install 'vecstore\[arrow\]'"):
            call(tmp_path / f"x{ending}")  # type: ignore[operator]


def test_options_are_checked_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(LINE % 1)
    for options in ({"batch_size": 0}, {"skip": -1}, {"progress": "yes"}, {"durability": "none"}):
        check_refused(tmp_path / "x.jsonl", InvalidRequest, next(iter(options)), **options)
        assert not (tmp_path / "home").exists()
