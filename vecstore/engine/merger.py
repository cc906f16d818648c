"""Building a merged segment: from the views of its sources to its files, on the optimizer's thread.

A view never changes, so what is built is the state in which the merge was chosen, whatever happens meanwhile.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.storage import files, graph, segments
from vecstore.storage.library import read_index
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from vecstore.engine.merging import Merge
    from vecstore.engine.version import SegmentView
    from vecstore.models import VectorParams
    from vecstore.storage.segments import SealedFiles

Matrix: TypeAlias = npt.NDArray[np.float32]
Slots: TypeAlias = npt.NDArray[np.uint32]
Places: TypeAlias = npt.NDArray[np.uint64]

CHUNK_ROWS, EAGER_CHUNK_ROWS = 2048, 16_384
"""Rows that are added to a graph at a time; between two of them the optimizer looks up. The second where somebody
waits for the end, who gets all cores, too."""
SAMPLE_ROWS = 20_000
"""A quantiser is trained on at most so many rows."""


class Abandoned(Exception):
    """The collection is closing, or its store has failed: what was being built is left."""


@dataclass
class Build:
    """A merge under way. ``slots`` and ``places`` (segment << 32 | row) say where each of its rows comes from.

    ``written`` is None, too, when no row is alive. ``seconds``: what its thread took of a core.
    """

    merge: Merge
    number: int
    seconds: float = 0.0
    slots: Slots = field(default_factory=lambda: np.empty(0, np.uint32))
    places: Places = field(default_factory=lambda: np.empty(0, np.uint64))
    written: SealedFiles | None = None
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def choose_rows(self) -> None:
        """Say which rows the merged segment has."""
        self.slots, self.places = _rows_of(self.merge)

    def gather(self, rows: npt.NDArray[np.int64]) -> Matrix:
        """These rows of the merged segment, from where they are now."""
        places = self.places[rows]
        numbers, at = places >> np.uint64(32), (places & np.uint64(0xFFFFFFFF)).astype(np.int64)
        result = np.empty((len(rows), self.merge.sources[0].source.size), dtype=np.float32)
        for view in self.merge.sources:
            here = numbers == np.uint64(view.source.number)
            if here.any():
                result[here] = view.source.gather(at[here])
        return result

    def sample(self, first: int) -> Matrix:
        """Some of the rows from ``first`` on, to train a quantiser on."""
        rows = np.arange(first, len(self.slots))
        if len(rows) > SAMPLE_ROWS:
            rows = np.sort(np.random.default_rng(0).choice(rows, SAMPLE_ROWS, replace=False))
        return self.gather(rows)


def write(
    build: Build, folder: Path, field_number: int, params: VectorParams, look_up: Callable[[], bool], *, sync: bool
) -> None:
    """Write the files of a merge into ``folder``. ``look_up`` says whether there is hurry. Raises ``OSError``."""
    build.choose_rows()
    if not len(build.slots):
        return
    for view in build.merge.sources:
        if isinstance(view.source, Sealed):
            view.source.load()  # a search may still want it when its files have lost their names
    index = _graph(build, params, look_up) if build.merge.graph else None
    build.written = segments.write(
        folder,
        build.number,
        field_number,
        params,
        build.slots,
        _chunks(build, 0, look_up),
        index=index,
        copies=0 if index is None else _copies(_chunks(build, 0, look_up)),
        sync=sync,
    )
    if sync:
        files.sync_folder(folder)


def _graph(build: Build, params: VectorParams, look_up: Callable[[], bool]) -> Any:
    index, first = _base(build, params, eager=look_up())
    for chunk in _chunks(build, first, look_up):
        graph.add(index, chunk, None if look_up() else 1)
    return index


def _base(build: Build, params: VectorParams, *, eager: bool) -> tuple[Any, int]:
    """A graph to add rows to, and the first row to add."""
    grown = build.merge.grown
    if grown is not None and isinstance(grown.source, Sealed):
        index = read_index(grown.source.graph_file)
        if graph.fits(index, build.sample(grown.rows)):
            graph.ready(index, params, beside=not eager)
            return index, grown.rows
        build.merge = replace(build.merge, grown=None)
        build.choose_rows()  # a graph from the beginning needs no dead rows
    return graph.new(params, build.sample(0)), 0


def _copies(chunks: Iterable[Matrix]) -> int:
    """How many rows are equal to each other, in the largest group of them: by a hash of 32 bits each."""
    hashes = np.concatenate([graph.hashed(chunk) for chunk in chunks])
    return int(np.unique(hashes, return_counts=True)[1].max())


def _chunks(build: Build, first: int, look_up: Callable[[], bool]) -> Iterator[Matrix]:
    while first < len(build.slots):
        last = min(first + (EAGER_CHUNK_ROWS if look_up() else CHUNK_ROWS), len(build.slots))
        yield build.gather(np.arange(first, last))
        first = last


def _rows_of(merge: Merge) -> tuple[Slots, Places]:
    """Slot and place of every row of the merged segment: those of the grown one, then the live ones by slot."""
    others = [(view, view.live_rows()) for view in merge.sources if view is not merge.grown]
    slots = np.concatenate([np.empty(0, np.uint32), *(view.slots()[rows] for view, rows in others)])
    places = np.concatenate([np.empty(0, np.uint64), *(_places(view, rows) for view, rows in others)])
    order = np.argsort(slots, kind="stable")
    slots, places = slots[order], places[order]
    if merge.grown is None:
        return slots, places
    kept = merge.grown
    return (
        np.concatenate([kept.slots(), slots]),
        np.concatenate([_places(kept, np.arange(kept.rows)), places]),
    )


def _places(view: SegmentView, rows: npt.NDArray[np.int64]) -> Places:
    return (np.uint64(view.source.number) << np.uint64(32)) | rows.astype(np.uint64)
