"""What a collection tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecstore.models import CollectionInfo, VectorInfo
from vecstore.storage.segments import Sealed

if TYPE_CHECKING:
    from vecstore.engine.engine import Engine
    from vecstore.engine.version import SegmentView
    from vecstore.engine.view import View


def collection_info(engine: Engine, view: View) -> CollectionInfo:
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
        applied=engine.store.meta.number(view.txn, b"applied"),
        store_bytes=engine.store.environment.used_bytes(),
        segment_bytes=sum(v.file_bytes for v in vectors.values()),
    )


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
    )
