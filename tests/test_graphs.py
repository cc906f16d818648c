"""Searches in graphs: right scores, good recall with and without a filter, and damaged files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import brute_force
import numpy as np
import pytest
import qdrant_client.models as theirs
from collecting import Home, ids

from vecstore import Batch, Collection, ConfigMismatch, Corrupted, Distance, HnswConfig, InvalidRequest, VectorParams
from vecstore.engine import parts, planner
from vecstore.storage import graph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Json = dict[str, Any]

SIZE, COUNT, CLUSTERS = 16, 900, 15
LIMIT = 10
HNSW = HnswConfig(full_scan_threshold=1)
RNG = np.random.default_rng(7)
CENTRES = RNG.normal(size=(CLUSTERS, SIZE)).astype(np.float32)
ROWS = (np.repeat(CENTRES, COUNT // CLUSTERS, axis=0) + 0.4 * RNG.normal(size=(COUNT, SIZE))).astype(np.float32)
QUERIES = (CENTRES[np.arange(40) % CLUSTERS] + 0.4 * RNG.normal(size=(40, SIZE))).astype(np.float32)
PAYLOADS = [{"cluster": i * CLUSTERS // COUNT, "third": i % 3, "hundredth": i % 100} for i in range(COUNT)]
EXACT = {"exact": True}


def equals(key: str, value: int) -> Json:
    return {"must": [{"key": key, "match": {"value": value}}]}


BROAD, NARROW, FEW = equals("third", 1), equals("hundredth", 7), {"must": [{"has_id": [3, 500, 899]}]}
INSIDE = {"must": [{"key": "cluster", "range": {"lt": 5}}]}


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planner thinks that graphs cost nothing: it takes one wherever there is one and it can find enough."""
    monkeypatch.setattr(planner, "EF_STEP", 1e-15)


@pytest.fixture(params=["float32", "sq8"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(graph, "SQ8_FROM", 1 if request.param == "sq8" else 1 << 16)
    monkeypatch.setattr(graph, "ORDER_KEPT", 0.0)  # however few rows there are to judge by
    return str(request.param)


@pytest.fixture
def memory(tmp_path: Path, errors_logged: list[str]) -> Iterator[Home]:
    found = Home("memory", tmp_path)
    yield found
    found.close()


def filled(home: Home, distance: Distance = Distance.COSINE) -> Collection:
    """A collection of all rows, in one graph."""
    col = home.make(VectorParams(SIZE, distance, HNSW))
    col.upsert(Batch(np.arange(COUNT), ROWS, PAYLOADS)).result()
    col.optimize()
    return col


def methods(col: Collection, query: Any = QUERIES[0], **options: Any) -> list[str]:
    """How each segment is searched."""
    return [part.method for part in col.explain(query, **options).parts]


def recall(col: Collection, distance: Distance, queries: Any, where: Json | None = None) -> float:
    """The share of the best points that are found; every hit has its exact score, and there are as many."""
    return float(np.mean([_found(col, distance, query, where) for query in queries]))


def _found(col: Collection, distance: Distance, query: Any, where: Json | None) -> float:
    best = {hit.id: hit.score for hit in col.search(query, filter=where, limit=LIMIT, params=EXACT)}
    hits = col.search(query, filter=where, limit=LIMIT)
    scores = [hit.score for hit in hits]
    assert len(set(ids(hits))) == len(hits) == len(best)
    assert scores == sorted(scores, reverse=distance.larger_is_better)
    assert scores == pytest.approx(brute_force.true_scores(ROWS[ids(hits)], query, distance), rel=1e-5, abs=1e-5)
    both = [hit for hit in hits if hit.id in best]
    assert [hit.score for hit in both] == [best[hit.id] for hit in both]
    return len(both) / len(best) if best else 1.0


@pytest.mark.parametrize("distance", Distance)
def test_scores_are_those_of_the_vectors_and_recall_is_good(distance: Distance, storage: str, disk: Home) -> None:
    col = filled(disk, distance)
    assert methods(col) == ["graph"]
    quantised = storage == "sq8" and distance is not Distance.MANHATTAN
    assert len(list((disk.path / "segments").glob("*.graph"))) == quantised
    assert recall(col, distance, QUERIES) >= 0.95
    col.close()
    assert recall(disk.again(), distance, QUERIES[:9]) >= 0.95


@pytest.mark.parametrize("distance", Distance)
def test_exact_is_exact(distance: Distance, storage: str, memory: Home) -> None:
    col = filled(memory, distance)
    assert methods(col, params=EXACT) == ["full"]
    assert methods(col, params=EXACT, filter=BROAD) == ["exact"]
    for query in QUERIES[:9]:
        brute_force.check(col.search(query, limit=9, params=EXACT), range(COUNT), ROWS, query, distance, 9)


@pytest.mark.parametrize("distance", Distance)
def test_filters_lose_nothing(distance: Distance, storage: str, memory: Home) -> None:
    """Queries are inside and outside of the clusters that the filter follows."""
    col = filled(memory, distance)
    for where in (BROAD, NARROW, FEW, INSIDE, equals("cluster", 3), equals("cluster", 99)):
        assert recall(col, distance, QUERIES[:CLUSTERS], where) >= 0.95


def test_a_batch_of_queries_finds_what_each_finds(storage: str, memory: Home) -> None:
    col = filled(memory)
    for where in (None, BROAD, INSIDE):
        found = col.search_batch(QUERIES, filter=where)
        assert [(ids(h)) for h in found] == [ids(col.search(query, filter=where)) for query in QUERIES]


def test_a_query_by_id_leaves_the_point_out(storage: str, memory: Home) -> None:
    col = filled(memory)
    hits = col.search(500, limit=5)
    assert ids(hits) == ids(col.search(ROWS[500], limit=6))[1:]
    assert 500 not in ids(hits)


def test_offset_and_threshold(storage: str, memory: Home) -> None:
    col = filled(memory)
    hits = col.search(QUERIES[0], limit=20, params={"hnsw_ef": 500})
    assert col.search(QUERIES[0], limit=5, offset=15, params={"hnsw_ef": 500}) == hits[15:]
    assert col.search(QUERIES[0], limit=20, score_threshold=hits[7].score, params={"hnsw_ef": 500}) == hits[:7]


@pytest.fixture
def selectors(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The selectors graphs are searched with, None where none."""
    used: list[Any] = []
    original = graph.parameters
    monkeypatch.setattr(graph, "parameters", lambda beam, chosen: used.append(chosen) or original(beam, chosen))
    return used


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("limit", [1, LIMIT])
def test_a_few_dead_rows_are_left_out_without_a_selector(
    distance: Distance, limit: int, storage: str, memory: Home, selectors: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    col = filled(memory, distance)
    col.delete(range(4, COUNT, 5)).result()
    for query in QUERIES[:10]:
        selectors.clear()
        few = col.search(query, limit=limit)
        assert selectors == [None]
        with monkeypatch.context() as patch:
            patch.setattr(parts, "FEW_DEAD", 1 << 30)
            assert col.search(query, limit=limit) == few
        assert selectors[-1] is not None
        selectors.clear()
        col.search(query, limit=limit, params={"hnsw_ef": limit})
        assert selectors[-1] is not None, "a beam for the dead, too, would take longer than a selector"
        many = ids(col.search(query, limit=60))
        assert len(set(many)) == 60
        assert all(found % 5 != 4 for found in many)


@pytest.mark.parametrize("distance", [Distance.COSINE, Distance.EUCLID])
def test_where_the_nearest_are_dead_a_selector_finds_others(
    distance: Distance, storage: str, memory: Home, selectors: list[Any]
) -> None:
    col = filled(memory, distance)
    nearest = col.search(QUERIES[0], limit=100, params=EXACT)
    col.delete(ids(nearest)).result()
    selectors.clear()
    hits = col.search(QUERIES[0], limit=LIMIT)
    assert [chosen is None for chosen in selectors] == [True, False]
    assert len(hits) == LIMIT
    assert not set(ids(nearest)) & set(ids(hits))
    assert hits[0] == col.search(QUERIES[0], limit=1, params=EXACT)[0]


@pytest.mark.parametrize("limit", [1, 40, COUNT - 1, COUNT, COUNT + 5])
@pytest.mark.parametrize("where", [None, BROAD])
def test_as_many_hits_as_there_are(limit: int, where: Json | None, storage: str, memory: Home) -> None:
    """Most vectors are equal: a graph does not reach them all."""
    col = memory.make(VectorParams(2, Distance.EUCLID, HNSW))
    col.upsert(Batch(np.arange(COUNT), np.minimum(ROWS[:, :2], -1.5), PAYLOADS)).result()
    col.optimize()
    hits = col.search([9, 9], limit=limit, filter=where)
    assert len(set(ids(hits))) == min(limit, col.count(where))


def test_the_beam_is_the_one_asked_for(memory: Home) -> None:
    col = filled(memory)
    far = RNG.normal(size=(40, SIZE)).astype(np.float32)
    exact = [ids(hits) for hits in col.search_batch(far, limit=1, params=EXACT)]
    right = {}
    for ef in (1, 77, 4000):
        assert [part.ef for part in col.explain(far[0], limit=1, params={"hnsw_ef": ef}).parts] == [ef]
        found = [ids(hits) for hits in col.search_batch(far, limit=1, params={"hnsw_ef": ef})]
        right[ef] = sum(f == e for f, e in zip(found, exact, strict=True))
    assert right[1] < right[77] <= right[4000] == 40


def test_values_that_overflow_do_not_hide_points(storage: str, memory: Home) -> None:
    col = memory.make(VectorParams(2, Distance.EUCLID, HNSW))
    huge = np.concatenate([ROWS[:200, :2], [[1e30, 0], [-1e30, 1]]])
    col.upsert(Batch(np.arange(202), huge)).result()
    col.optimize()
    hits = col.search([0, 0], limit=202)
    assert sorted(ids(hits)) == list(range(202))
    assert [hit.score for hit in hits[-2:]] == pytest.approx([1e30, 1e30])


# -- what explain tells --------------------------------------------------------------------------------------------


def test_explain_tells_numbers(memory: Home) -> None:
    col = filled(memory)
    col.upsert([{"id": COUNT, "vector": ROWS[0], "payload": {"third": 1}}]).result()
    said = col.explain(QUERIES[0], filter=BROAD, limit=7)
    assert (said.matches, said.hits) == (301, 7)
    assert said.selectivity == pytest.approx(301 / 901)
    assert sorted((part.method, part.live_rows) for part in said.parts) == [("exact", 1), ("graph", COUNT)]
    assert said.filter_seconds > 0
    assert said.search_seconds > 0


def test_explain_tells_which_way_was_taken(memory: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    col = filled(memory)
    assert methods(col) == ["graph"]
    assert methods(col, filter=BROAD) == ["graph"]
    assert methods(col, filter=FEW) == ["exact"]
    assert methods(col, ROWS[-1], filter=equals("cluster", 0)) == ["exact"]
    assert methods(col, ROWS[0], filter=equals("cluster", 0)) == ["graph"]
    monkeypatch.setattr(planner, "EF_STEP", 2e-6)
    assert methods(col) == ["full"]
    assert methods(col, filter=BROAD) == ["exact"]


def test_explain_of_an_empty_collection(memory: Home) -> None:
    said = memory.make(VectorParams(SIZE, Distance.DOT, HNSW)).explain(QUERIES[0], filter=BROAD)
    assert (said.matches, said.selectivity, said.parts, said.hits) == (0, 0.0, [], 0)


# -- what is wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        *({"m": m} for m in (1, 257, "16", True, 4.0)),
        *({"ef_construct": ef} for ef in (3, 4097, "100", False)),
        *({"full_scan_threshold": kb} for kb in (-1, 2**31 + 1, None, 1.5)),
    ],
)
def test_wrong_configurations(given: Json) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(given))):
        HnswConfig(**given)


@pytest.mark.parametrize("given", [{"m": 1}, {"payload_m": 3}, {"M": 16}, 5, "fast"])
def test_wrong_configurations_as_dicts(given: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"hnsw|m as"):
        Collection(vectors={"size": 2, "distance": "Dot", "hnsw_config": given})


@pytest.mark.parametrize("given", [{"m": 4}, theirs.HnswConfigDiff(m=4), HnswConfig(m=np.int64(4))])
def test_configurations_come_in_every_form(given: Any) -> None:
    assert VectorParams(4, Distance.DOT, given) == VectorParams(4, Distance.DOT, HnswConfig(m=4))
    with pytest.raises(InvalidRequest, match="hnsw"):
        VectorParams(4, Distance.DOT, 5)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="got both"):
        Collection(vectors={"size": 2, "distance": "Dot", "hnsw_config": given, "hnsw": given})


@pytest.mark.parametrize("given", [theirs.SearchParams(hnsw_ef=5), {"hnsw_ef": np.int64(5)}])
def test_parameters_come_in_every_form(given: Any, memory: Home) -> None:
    col = filled(memory)
    assert [part.ef for part in col.explain(QUERIES[0], params=given).parts if part.method == "graph"] == [5]
    assert len(col.search(QUERIES[0], params=given)) == 10


def test_searching_only_what_is_indexed_is_refused(col: Collection) -> None:
    with pytest.raises(InvalidRequest, match="indexed_only"):
        col.search([1, 0], params=theirs.SearchParams(indexed_only=True))


@pytest.mark.parametrize(
    "given", [*({"hnsw_ef": ef} for ef in (0, -1, 65_537, "9", True, 1.5)), {"exact": 1}, {"x": 1}]
)
def test_wrong_parameters(given: Json, col: Collection) -> None:
    with pytest.raises(InvalidRequest):
        col.search([1, 0], params=given)


def test_a_collection_keeps_its_configuration(disk: Home) -> None:
    config = HnswConfig(8, 50, 3)
    disk.make({"a": VectorParams(2, Distance.DOT, config), "b": VectorParams(2, Distance.DOT)}).close()
    a, b = VectorParams(2, Distance.DOT), VectorParams(2, Distance.DOT)
    for again in (None, config, {"m": 8, "ef_construct": 50, "full_scan_threshold": 3}):
        named = {"size": 2, "distance": "Dot", "hnsw_config": again}
        Collection(disk.path, vectors={"a": named, "b": b}).close()
    for other in (HnswConfig(9, 50, 3), HnswConfig(8, 51, 3), HnswConfig(8, None, 3), HnswConfig(8, 50, 4)):
        with pytest.raises(ConfigMismatch):
            Collection(disk.path, vectors={"a": VectorParams(2, Distance.DOT, other), "b": b})
    with pytest.raises(ConfigMismatch):
        Collection(disk.path, vectors={"a": a, "b": VectorParams(2, Distance.DOT, config)})


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def change_byte(at: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 0xFF
        path.write_bytes(data)

    return change


DAMAGES = {
    "cut": cut,
    "longer": lengthen,
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "code": change_byte(0),
    "size": change_byte(4),
    "rows": change_byte(8),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("kind", "suffix"), [("sq8", "graph"), ("sq8", "faiss"), ("float32", "faiss")])
def test_damaged_files_are_noticed_at_open(
    damage: str, kind: str, suffix: str, disk: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "SQ8_FROM", 1 if kind == "sq8" else 1 << 16)
    monkeypatch.setattr(graph, "ORDER_KEPT", 0.0)  # however few rows there are to judge by
    col = disk.make(VectorParams(SIZE, Distance.DOT, HNSW))
    col.upsert(Batch(np.arange(100), ROWS[:100])).result()
    col.optimize()
    col.close()
    (path,) = (disk.path / "segments").glob(f"*.{suffix}")
    DAMAGES[damage](path)
    with pytest.raises(Corrupted, match=path.name):
        disk.again()
