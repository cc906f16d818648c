"""HNSW graphs: built in memory, written, mapped, searched.

A graph is an ordinary FAISS index, in one of two storages:

    FLOAT32    ``IndexHNSWFlat``: the graph holds the rows themselves, so a segment is one file
    SQ8        ``IndexHNSWSQ``: the graph holds a byte a dimension; the float32 rows lie in a flat file beside it,
               and what the graph finds is scored again from them

Measured on 62,666 x 384 (cosine, one thread, k = 10), M = 16: SQ8 builds in 0.6 of the time of FLOAT32 at the same
``efConstruction``; at 200 it needs about the same time as FLOAT32 at 100, and then finds .9936 at ef 96 in the time
FLOAT32 needs for .985. At 1,000,000 x 128 the rows are so short that the second file costs more than it saves.
Manhattan graphs stay FLOAT32: a scalar-quantised one with that metric ends the process. So do vectors whose order
a byte a dimension does not keep (tight clusters far apart, heavy tails): a sample is looked at before building.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vecstore.models import Distance
from vecstore.storage.flat import share_kept
from vecstore.storage.library import Threads, array_at, library, metric

if TYPE_CHECKING:
    from vecstore.models import VectorParams

    Matrix = npt.NDArray[np.float32]

NONE, FLOAT32, SQ8 = 0, 1, 2
CODES = {FLOAT32: b"IHNf", SQ8: b"IHNs"}
SQ8_FROM = 256
"""Vectors of at least so many dimensions get SQ8 graphs."""
EF_CONSTRUCT = {FLOAT32: 100, SQ8: 200}
"""The beam while a graph is built, unless the collection says another."""
BESIDE = {FLOAT32: 100, SQ8: 140}
"""So it is when some rows are added to a graph beside others' work and nobody waits: 140 takes 0.63 of what 200 does,
and where a quarter of 62,166 rows came so, .9904 were found that are .9910 (ef 88, k = 10)."""
FOR_A_WHILE = 64
"""The beam for rows that are soon added again to a graph that is kept: half of the time, and .001 fewer found."""
OUT_OF_RANGE = 0.01
"""A quantiser is trained again when more than this share of new values lies outside of what it was trained on."""
TAIL = 0.0005
"""A quantiser does not reach the smallest and largest values of each dimension, this share of them: two outliers
would make all others one code. What lies outside gets the code at the end."""
ORDER_KEPT = 0.99
"""The share of the nearest rows that must be among those with the nearest codes, or rows are not quantised."""
_ASKED, _NEAREST, _SCORED = 100, 10, 30


def _may_quantise(params: VectorParams) -> bool:
    return params.size >= SQ8_FROM and params.distance is not Distance.MANHATTAN


def new(params: VectorParams, sample: Matrix) -> Any:
    """An empty graph; ``sample`` are rows to train a quantiser on."""
    index = _quantised(params, sample) if _may_quantise(params) else None
    if index is None:
        index = library().IndexHNSWFlat(params.size, params.graph.m, metric(params.distance))
    ready(index, params)
    return index


def _quantised(params: VectorParams, sample: Matrix) -> Any:
    """An empty graph with a quantiser trained on ``sample``; None where that would lose the order of rows."""
    kind = library().ScalarQuantizer.QT_8bit
    index = library().IndexHNSWSQ(params.size, kind, params.graph.m, metric(params.distance))
    quantiser = storage_index(index)
    quantiser.sq.rangestat, quantiser.sq.rangestat_arg = library().ScalarQuantizer.RS_quantiles, TAIL
    index.train(sample)
    return index if _keeps_order(quantiser, sample) else None


def _keeps_order(quantiser: Any, sample: Matrix) -> bool:
    """Whether the nearest of ``sample`` are found by their codes, scored as search does it."""
    asked = sample[:: max(1, len(sample) // _ASKED)]
    near, scored = min(_NEAREST, len(sample)), min(_SCORED, len(sample))
    decoded = quantiser.sa_decode(quantiser.sa_encode(sample))
    _, rows = library().knn(asked, decoded, scored, metric=quantiser.metric_type)
    return share_kept(asked, sample, rows, near, quantiser.metric_type) >= ORDER_KEPT


def ready(index: Any, params: VectorParams, *, beside: bool = False) -> None:
    """Prepare a graph for rows to be added; ``beside``: a few, beside others' work."""
    beam = BESIDE if beside else EF_CONSTRUCT
    index.hnsw.efConstruction = params.graph.ef_construct or beam[storage_of(index)]


def ready_for_a_while(index: Any) -> None:
    """Prepare a graph for rows that are added again to another one."""
    index.hnsw.efConstruction = FOR_A_WHILE


def storage_of(index: Any) -> int:
    """The storage a graph has."""
    return FLOAT32 if isinstance(storage_index(index), library().IndexFlat) else SQ8


def fits(index: Any, sample: Matrix) -> bool:
    """Whether rows like these can be added to a graph without training its quantiser again."""
    return share_outside(index, sample) <= OUT_OF_RANGE and keeps_order(index, sample)


def share_outside(index: Any, rows: Matrix) -> float:
    """The share of the numbers in these rows that a graph's quantiser was not trained for."""
    if storage_of(index) == FLOAT32:
        return 0.0
    low, width = library().vector_to_array(storage_index(index).sq.trained).reshape(2, -1)
    return float(((rows < low) | (rows > low + width)).mean())


def keeps_order(index: Any, sample: Matrix) -> bool:
    """Whether the nearest of ``sample`` are found by their codes, if a graph has such."""
    return storage_of(index) == FLOAT32 or _keeps_order(storage_index(index), sample)


def add(index: Any, rows: Matrix, threads: int | None) -> None:
    """Add rows after the last one; ``threads``: None for all cores."""
    with Threads(threads):
        index.add(rows)


def add_unreachable(index: Any, count: int) -> None:
    """Add so many rows of zeros to which no other leads, and which lead nowhere: at the lowest level alone."""
    faiss, hnsw, storage = library(), index.hnsw, storage_index(index)
    levels = np.concatenate([faiss.vector_to_array(hnsw.levels), np.ones(count, dtype=np.int32)])
    faiss.copy_array_to_vector(levels, hnsw.levels)
    hnsw.prepare_level_tab(count, True)  # with the levels that are there
    with Threads(1):
        storage.add(np.zeros((count, index.d), dtype=np.float32))
    index.ntotal = storage.ntotal


def cut(index: Any, count: int) -> None:
    """Leave the first rows of a graph alone; the others have been added last, and at the lowest level."""
    hnsw, storage = index.hnsw, storage_index(index)
    hnsw.levels.resize(count)
    hnsw.offsets.resize(count + 1)
    hnsw.neighbors.resize(int(hnsw.offsets.at(count)))
    storage.codes.resize(count * storage.code_size)
    storage.ntotal = index.ntotal = count
    neighbours = array_at(hnsw.neighbors)
    neighbours[neighbours >= count] = -1


def hashed(rows: Matrix) -> npt.NDArray[np.uint32]:
    """A hash of 32 bits of each row: equal rows have the same."""
    factors = np.random.default_rng(0).integers(1 << 32, size=rows.shape[1], dtype=np.uint32)
    hashes: npt.NDArray[np.uint32] = np.einsum("ij,j->i", rows.view(np.uint32), factors | np.uint32(1))
    return hashes


def storage_index(index: Any) -> Any:
    """The index inside a graph: a flat one that holds the rows, or one that holds their codes."""
    return library().downcast_index(index.storage)


def parameters(beam: int, chosen: Any) -> Any:
    """How to search a graph. ``chosen``: a selector of ``flat.selector``, or None."""
    if chosen is None:
        return _beam_alone(beam)
    params = library().SearchParametersHNSW(efSearch=beam)
    params.sel = chosen
    return params


@lru_cache(maxsize=64)
def _beam_alone(beam: int) -> Any:
    return library().SearchParametersHNSW(efSearch=beam)


def nearest(
    index: Any, queries: Matrix, k: int, distance: Distance, params: Any
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """About the ``k`` best rows for each query: goodness (larger is better) and row (-1: none).

    ``params``: of ``parameters``, for a beam of at least ``k``.
    """
    faiss, count = library(), len(queries)
    values, rows = np.empty((count, k), dtype=np.float32), np.empty((count, k), dtype=np.int64)
    # What ``search`` calls when it has looked at its arguments. A single query wakes no other thread.
    index.search_c(count, faiss.swig_ptr(queries), k, faiss.swig_ptr(values), faiss.swig_ptr(rows), params)
    if not distance.larger_is_better:
        np.negative(values, out=values)
    return values, rows
