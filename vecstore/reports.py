"""What a collection tells of itself: what it holds, and how it searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vecstore.models import PayloadSchemaType


@dataclass(frozen=True)
class VectorInfo:
    """One vector of a collection: how its rows are kept.

    ``live_rows`` are the points that have it; ``dead_rows`` were deleted or replaced. ``open_rows`` (of both
    kinds) are in memory and in the journal, the others in ``segments`` sealed segments of ``file_bytes`` bytes.
    ``graph_rows`` are the live ones that are in graphs.
    ``live_bytes`` and ``dead_bytes``: what the float32 rows of each kind take.
    """

    size: int
    distance: str
    live_rows: int
    dead_rows: int
    open_rows: int
    segments: int
    file_bytes: int
    graph_rows: int

    @property
    def live_bytes(self) -> int:
        """The bytes of the live rows."""
        return 4 * self.size * self.live_rows

    @property
    def dead_bytes(self) -> int:
        """The bytes of the dead rows, which the optimizer gives back."""
        return 4 * self.size * self.dead_rows


@dataclass(frozen=True)
class PayloadIndexInfo:
    """The payload indexes of one field.

    ``types``: what they were asked for as. ``points``: how many points are indexed so far. ``ready``: whether
    all are, so that filters use them. ``automatic``: whether only filters asked for them.
    """

    types: tuple[PayloadSchemaType, ...]
    points: int
    ready: bool
    automatic: bool


@dataclass(frozen=True)
class CollectionInfo:
    """What a collection is and holds.

    ``path`` is None in memory, ``durability`` where it is open for reading alone. ``applied`` is the id of the last
    operation that was applied. ``store_bytes`` is the size of the LMDB file, with ids, payloads, payload indexes, log
    and journal; ``store_free_bytes`` of it will be used again. ``segment_bytes`` is the size of the sealed segments.
    ``payload_schema``: the payload indexes, by field.
    """

    path: str | None
    points: int
    vectors: dict[str, VectorInfo]
    durability: str | None
    applied: int
    store_bytes: int
    store_free_bytes: int
    segment_bytes: int
    payload_schema: dict[str, PayloadIndexInfo]


@dataclass(frozen=True)
class PartExplanation:
    """How a segment was searched: ``method`` is full, exact (the candidates alone), graph (beam ``ef``) or codes.

    By codes, two bits a dimension, rows are chosen that are in no graph, beside one: see ``vecstore.storage.codes``.
    """

    segment: int
    live_rows: int
    method: str
    ef: int


@dataclass(frozen=True)
class SearchExplanation:
    """How a search was done.

    ``matches`` points pass the filter, which is the share ``selectivity`` (0 to 1) of all. ``parts``: how each segment
    was searched. ``filter_seconds`` and ``search_seconds`` is what either took. ``hits``: how many were found.
    """

    matches: int
    selectivity: float
    parts: list[PartExplanation]
    filter_seconds: float
    search_seconds: float
    hits: int
