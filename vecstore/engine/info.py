"""What a collection tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vecstore.reports import CollectionInfo, PayloadIndexInfo, VectorInfo
from vecstore.storage import bitmaps
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from vecstore.engine.engine import Engine
    from vecstore.engine.reader import Reader
    from vecstore.engine.version import SegmentView
    from vecstore.engine.view import View
    from vecstore.storage.catalog import Index


def collection_info(engine: Engine | Reader, view: View) -> CollectionInfo:
    """The facts of one state."""
    vectors = {
        name: _vector(engine.params[name].size, engine.params[name].distance.value, views)
        for name, views in view.version.vectors.items()
    }
    return CollectionInfo(
        path=None if engine.private else str(engine.folder),
        points=view.points.count(view.txn),
        vectors=vectors,
        durability=engine.durability,
        applied=view.store.meta.number(view.txn, b"applied"),
        store_bytes=view.store.environment.used_bytes(),
        store_free_bytes=view.store.environment.free_bytes(view.txn),
        segment_bytes=sum(v.file_bytes for v in vectors.values()),
        payload_schema=_payload_schema(view),
    )


def _payload_schema(view: View) -> dict[str, PayloadIndexInfo]:
    by_path: dict[str, list[Index]] = {}
    for index in view.store.catalog.read(view.txn).indexes:
        by_path.setdefault(index.path, []).append(index)
    live = bitmaps.members(view.store.meta.live_slots(view.txn), view.version.slots)
    return {
        path: PayloadIndexInfo(
            types=tuple(wanted for index in indexes for wanted in index.types),
            points=min(len(live) if i.reached is None else int(np.searchsorted(live, i.reached)) for i in indexes),
            ready=all(index.ready for index in indexes),
            automatic=all(index.automatic for index in indexes),
        )
        for path, indexes in by_path.items()
    }


def _vector(size: int, distance: str, views: tuple[SegmentView, ...]) -> VectorInfo:
    sealed = [v.source for v in views if isinstance(v.source, Sealed)]
    return VectorInfo(
        size=size,
        distance=distance,
        live_rows=sum(v.live_count for v in views),
        dead_rows=sum(v.dead_count for v in views),
        open_rows=sum(v.rows for v in views if not isinstance(v.source, Sealed)),
        segments=len(sealed),
        file_bytes=sum(s.nbytes for s in sealed),
        graph_rows=sum(v.live_count for v in views if isinstance(v.source, Sealed) and v.source.has_graph),
    )
