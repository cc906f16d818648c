"""Export and load: what comes back is what was there, to the bit."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from collecting import DOT, NAMED, UUID_TEXT, fill, ids
from filing import ARROW, COSINE, ENDINGS, exact, sample
from hypothesis import given, settings
from hypothesis import strategies as st
from payload_strategies import JSON_PAYLOADS

from vecstore import (
    Batch,
    Collection,
    ConfigMismatch,
    Distance,
    HnswConfig,
    PointStruct,
    UploadStopped,
    VectorParams,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("vectors", [COSINE, NAMED, {}], ids=["cosine", "named", "none"])
def test_there_and_back_again(file: Path, vectors: Any) -> None:
    with sample(vectors) as col:
        assert col.export(file) == len(col) == 1234
        for _ in range(2):  # what is there is replaced
            with Collection.load(file) as back:
                assert exact(back) == exact(col)
                assert back._schema == col._schema
                assert back.export(file) == 1234
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_in_batches_and_a_part_of_it(file: Path) -> None:
    red = {"must": [{"key": "n", "range": {"gte": 100, "lt": 300}}]}
    with sample(NAMED) as col:
        whole = exact(col)
        assert col.export(file, filter=red) == col.count(red) == 150
        with Collection.load(file, batch_size=7) as back:
            assert exact(back) == [point for point in whole if 100 <= json.loads(point[2]).get("n", 0) < 300]
        with Collection.load(file, skip=100, batch_size=33) as back:
            assert len(back) == 50


def test_nothing(file: Path) -> None:
    with Collection(vectors=COSINE) as col:
        assert col.export(file) == 0
    with Collection.load(file) as back:
        assert len(back) == 0
        assert back._schema == {"": COSINE}


def test_what_the_collection_is_comes_along(file: Path) -> None:
    params = {"a": VectorParams(4, Distance.MANHATTAN, HnswConfig(m=8, full_scan_threshold=5)), "b": COSINE}
    with Collection(vectors=params) as col:
        col.create_payload_index("color", "keyword").result()
        col.create_payload_index("n", "integer").result()
        col.create_payload_index("n", "datetime").result()
        col.export(file)
        wanted = {path: set(index.types) for path, index in col.info().payload_schema.items()}
    with Collection.load(file) as back:
        assert back._schema == params
        assert {path: set(index.types) for path, index in back.info().payload_schema.items()} == wanted
        assert all(index.ready for index in back.info().payload_schema.values())


def test_indexes_that_filters_made_do_not_come_along(file: Path) -> None:
    with Collection(vectors=DOT) as col:
        fill(col, {i: {"n": i} for i in range(1100)})
        col.count({"must": {"key": "n", "match": {"value": 3}}})
        end = time.monotonic() + 20
        while "n" not in col.info().payload_schema and time.monotonic() < end:
            time.sleep(0.005)
        assert col.info().payload_schema["n"].automatic
        col.export(file)
    with Collection.load(file) as back:
        assert back.info().payload_schema == {}


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
IDS = st.integers(0, 2**64 - 1) | st.uuids().map(str)
VECTORS = st.lists(FLOATS, min_size=3, max_size=3) | st.none()
POINTS = st.dictionaries(IDS, st.tuples(VECTORS, JSON_PAYLOADS), max_size=5)


@pytest.mark.parametrize("distance", [Distance.DOT, Distance.COSINE])
@pytest.mark.parametrize("ending", ENDINGS)
def test_any_points(ending: str, distance: Distance, tmp_path_factory: pytest.TempPathFactory) -> None:
    if ending in ARROW:
        pytest.importorskip("pyarrow")
    file = tmp_path_factory.mktemp("any") / f"points{ending}"

    @settings(max_examples=8, deadline=None)
    @given(POINTS)
    def check(points: Any) -> None:
        with Collection(vectors=VectorParams(3, distance)) as col:
            col.upload(PointStruct(i, {} if v is None else v, payload) for i, (v, payload) in points.items())
            col.export(file)
            with Collection.load(file) as back:
                assert exact(back) == exact(col)

    check()


def test_cosine_vectors_are_not_normalised_again(file: Path) -> None:
    """Of many equal components the length in float32 is 1e-6 away from 1, where normalising again would begin."""
    rows = np.ones((100, 1000)) * np.random.default_rng(0).random((100, 1))
    rows[50] *= 1e-10
    with Collection(vectors=VectorParams(1000, Distance.COSINE)) as col:
        col.upload(Batch(range(100), rows))
        before = exact(col)
        col.export(file)
        with Collection.load(file) as back:
            assert exact(back) == before
        vectors = [record.vector for record in col.scroll(limit=100, with_vectors=True)[0]]
        col.upload(Batch(range(100), np.array(vectors)))
        assert exact(col) != before


def test_loaded_into_other_vectors_they_are_checked_and_normalised(file: Path) -> None:
    with Collection(vectors=VectorParams(2, Distance.DOT)) as col:
        col.upload([PointStruct(1, [3, 4])])
        col.export(file)
    with Collection.load(file, vectors=VectorParams(2, Distance.COSINE)) as back:
        assert back.get(1, with_vectors=True).vector.tolist() == pytest.approx([0.6, 0.8])  # type: ignore[union-attr]
    with pytest.raises(UploadStopped, match=r"stopped at row 0: point 1: .*expected 3 numbers, got 2"):
        Collection.load(file, vectors=COSINE)


def test_what_says_it_is_of_length_1_and_is_not(tmp_path: Path) -> None:
    file = tmp_path / "points.jsonl"
    head = {"vecstore": 1, "points": 1, "vectors": {"": {"size": 2, "distance": "Cosine"}}, "payload_schema": {}}
    file.write_text(json.dumps(head) + "\n" + json.dumps({"id": 1, "vector": [3, 4]}))
    with Collection.load(file) as back:
        assert back.get(1, with_vectors=True).vector.tolist() == pytest.approx([0.6, 0.8])  # type: ignore[union-attr]


def test_into_a_collection_that_is_there(file: Path, tmp_path: Path) -> None:
    with Collection(vectors=DOT) as col:
        fill(col, {1: {"new": True}, 2: {"new": True}})
        col.export(file)
    with Collection(tmp_path / "home", vectors=DOT) as there:
        fill(there, {2: {"old": True}, 3: {"old": True}})
    with Collection.load(file, tmp_path / "home") as back:
        assert [(r.id, r.payload) for r in back.scroll()[0]] == [
            (1, {"new": True}),
            (2, {"new": True}),
            (3, {"old": True}),
        ]
    with Collection(tmp_path / "other", vectors=COSINE), pytest.raises(ConfigMismatch):
        Collection.load(file, tmp_path / "other")


def test_memory_does_not_grow_with_the_number_of_points(file: Path) -> None:
    with Collection(vectors=VectorParams(16, Distance.DOT)) as col:

        def peak(number: int) -> int:
            rows = (PointStruct(i, np.full(16, i, dtype=np.float32), {"text": "x" * 500}) for i in range(number))
            col.upload(rows)
            tracemalloc.start()
            col.export(file)
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return found

        assert peak(3000) < 1.3 * peak(1200)


def test_progress(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    with sample(NAMED) as col:
        col.export(file, progress=True)
        assert "export: 100%" in capsys.readouterr().err
    with Collection.load(file, progress=True):
        assert "load: " in (shown := capsys.readouterr().err)
        assert "1.23k" in shown


# What other programs make of the files, and of files of other programs


def test_lines_are_read_by_anybody(tmp_path: Path) -> None:
    with Collection(vectors=DOT) as col:
        col.upload([PointStruct(7, [0.5, 1.1], {"a": [1, None]}), PointStruct(UUID_TEXT, {})])
        col.export(tmp_path / "x.jsonl")
        col.export(tmp_path / "x.jsonl.gz")
    text = (tmp_path / "x.jsonl").read_text(encoding="utf-8")
    assert gzip.decompress((tmp_path / "x.jsonl.gz").read_bytes()).decode() == text
    head, first, second = map(json.loads, text.splitlines())
    assert head == {
        "vecstore": 1,
        "points": 2,
        "vectors": {"": {"size": 2, "distance": "Dot"}},
        "payload_schema": {},
    }
    assert first == {"id": 7, "vector": [0.5, float(np.float32(1.1))], "payload": {"a": [1, None]}}
    assert second == {"id": UUID_TEXT, "vector": {}, "payload": {}}


def test_lines_of_others(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    last = {"id": UUID_TEXT, "vector": {"": [3, 4]}, "payload": None}
    file.write_text('\n{"id": 1, "vector": [1, 2]}\n\n' + json.dumps(last))
    with Collection.load(file, vectors=DOT) as col:
        assert ids(col.scroll()[0]) == [1, UUID_TEXT]


def test_arrays_are_read_by_numpy(tmp_path: Path) -> None:
    file = tmp_path / "x.npz"
    with sample(NAMED, 20) as col:
        col.export(file)
        records, _ = col.scroll(limit=100, with_vectors=True)
    found = np.load(file)
    integers = [record.id for record in records if isinstance(record.id, int)]
    assert found["ids"].tolist() == integers
    assert [str(UUID(bytes=row.tobytes())) for row in found["uuids"]] == ids(records[len(integers) :])
    for name in NAMED:
        has = [name in record.vector for record in records]  # type: ignore[operator]
        assert found[f"has.{name}"].tolist() == has
        rows = [record.vector[name] for record in records if name in record.vector]  # type: ignore[operator, index]
        assert np.array_equal(found[f"vectors.{name}"], rows)
        assert found[f"vectors.{name}"].dtype == np.float32
    lines = found["payloads.jsonl"].decode().split("\n")
    assert [json.loads(line) for line in lines[:-1]] == [record.payload for record in records]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kind", ["<i4", ">u8", "U"])
def test_arrays_of_others(tmp_path: Path, save: Any, kind: str) -> None:
    file, rows = tmp_path / "x.npz", np.arange(20.0).reshape(10, 2)
    names = [str(UUID(int=i)) for i in range(10)]
    save(file, ids=np.array(names) if kind == "U" else np.arange(10, dtype=kind), vectors=rows)
    with Collection.load(file, vectors=DOT, batch_size=3) as col:
        found, _ = col.scroll(limit=20, with_vectors=True)
        assert ids(found) == (names if kind == "U" else list(range(10)))
        assert np.array_equal([record.vector for record in found], rows)
        assert found[0].payload == {}


@pytest.mark.parametrize("ending", ARROW)
def test_tables_of_others(tmp_path: Path, ending: str) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.feather
    import pyarrow.parquet

    file = tmp_path / f"x{ending}"
    lists = pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float64()))
    table = pa.table({"id": pa.array([1, 2, 3], pa.int32()), "vector": lists})
    write = pyarrow.parquet.write_table if ending == ".parquet" else pyarrow.feather.write_feather
    write(table, str(file))
    with Collection.load(file, vectors=DOT, batch_size=2) as col:
        found = {r.id: r.vector.tolist() if len(r.vector) else None for r in col.scroll(with_vectors=True)[0]}  # type: ignore
        assert found == {1: [1.0, 2.0], 2: None, 3: [3.0, 4.0]}
    write(pa.table({"id": [UUID_TEXT], "vector": [[1, 2]], "payload": ['{"a": 1}']}), str(file))
    with Collection.load(file, vectors=DOT) as col:
        assert [(r.id, r.payload) for r in col.scroll()[0]] == [(UUID_TEXT, {"a": 1})]


@pytest.mark.parametrize("ending", ARROW)
def test_tables_are_read_by_arrow(tmp_path: Path, ending: str) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.feather
    import pyarrow.parquet

    file = tmp_path / f"x{ending}"
    with sample(NAMED, 20) as col:
        col.export(file)
        records, _ = col.scroll(limit=100, with_vectors=True)
    table = pyarrow.parquet.read_table(file) if ending == ".parquet" else pyarrow.feather.read_table(file)
    assert table.column_names == ["id", "uuid", "vector.image", "vector.text", "payload"]
    rows = table.to_pylist()
    assert [row["uuid"] if row["id"] is None else row["id"] for row in rows] == ids(records)
    for name in NAMED:
        said = [None if row[f"vector.{name}"] is None else np.float32(row[f"vector.{name}"]).tolist() for row in rows]
        assert said == [r.vector[name].tolist() if name in r.vector else None for r in records]  # type: ignore
    assert [json.loads(row["payload"]) for row in rows] == [r.payload for r in records]
