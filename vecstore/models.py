"""The words users say and get: points, operations, selectors and results.

Every model is a plain dataclass with the field names of Qdrant's API, so a model, the same-shaped dict of the
REST API and the models of Qdrant's Python client are interchangeable wherever a model is taken. The words of
filters are in ``vecstore.conditions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import numpy as np
import numpy.typing as npt

from vecstore.errors import InvalidRequest

if TYPE_CHECKING:
    from datetime import date, datetime

    from vecstore.conditions import Filter

PointId: TypeAlias = int | str | UUID
Payload: TypeAlias = Mapping[str, Any]
Array: TypeAlias = npt.NDArray[np.float32]
Vector: TypeAlias = Sequence[float] | npt.NDArray[Any]
Vectors: TypeAlias = Vector | Mapping[str, Vector]

MAX_VECTOR_SIZE = 65_536
"""The most dimensions a vector may have, as in Qdrant."""


class Distance(str, Enum):
    """How two vectors are compared. Cosine and Dot: larger is better. Euclid and Manhattan: smaller is better."""

    COSINE = "Cosine"
    DOT = "Dot"
    EUCLID = "Euclid"
    MANHATTAN = "Manhattan"

    @property
    def larger_is_better(self) -> bool:
        """Whether a larger score is a better one."""
        return self in (Distance.COSINE, Distance.DOT)


class UpdateStatus(str, Enum):
    """How far an operation is: in the log and safe, or applied and visible."""

    ACKNOWLEDGED = "acknowledged"
    COMPLETED = "completed"


class UpdateMode(str, Enum):
    """What an upsert does: everything, only points that are new, or only points that exist."""

    UPSERT = "upsert"
    INSERT_ONLY = "insert_only"
    UPDATE_ONLY = "update_only"


class Direction(str, Enum):
    """The order of a scroll by a payload key."""

    ASC = "asc"
    DESC = "desc"


@dataclass(frozen=True)
class VectorParams:
    """One vector of a collection: its ``size`` in float32 dimensions (1 to 65,536) and its ``distance``.

    Raises ``InvalidRequest`` for a size or a distance that does not exist.
    """

    size: int
    distance: Distance

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int | np.integer):
            raise InvalidRequest(f"expected a vector size in dimensions (an integer), got {self.size!r}")
        if not 1 <= self.size <= MAX_VECTOR_SIZE:
            raise InvalidRequest(f"expected a vector size of 1 to {MAX_VECTOR_SIZE}, got {self.size}")
        object.__setattr__(self, "size", int(self.size))
        object.__setattr__(self, "distance", _distance(self.distance))


def _distance(value: object) -> Distance:
    try:
        return Distance(value.value if isinstance(value, Enum) else value)
    except ValueError:
        names = ", ".join(d.value for d in Distance)
        raise InvalidRequest(f"expected a distance ({names}), got {value!r}") from None


@dataclass
class PointStruct:
    """A point to upsert: its id, its vector (or ``{name: vector}``) and its payload."""

    id: PointId
    vector: Vectors
    payload: Payload | None = None


@dataclass
class Batch:
    """Points to upsert, column by column.

    ``ids``: n ids. ``vectors``: an (n, size) matrix, or ``{name: matrix}``. ``payloads``: n payloads or None.
    """

    ids: Sequence[PointId] | npt.NDArray[Any]
    vectors: Any
    payloads: Sequence[Payload | None] | None = None


@dataclass
class PointVectors:
    """New vectors of one point, for ``update_vectors``: a vector, or ``{name: vector}``."""

    id: PointId
    vector: Vectors


@dataclass
class PointIdsList:
    """A selector: these points."""

    points: Sequence[PointId]


@dataclass
class FilterSelector:
    """A selector: the points that match this filter."""

    filter: Filter


Selector: TypeAlias = (
    "Sequence[PointId] | npt.NDArray[Any] | PointIdsList | FilterSelector | Filter | Mapping[str, Any]"
)


@dataclass
class PointsList:
    """The body of an upsert, record by record."""

    points: Sequence[PointStruct]
    update_filter: Filter | None = None
    update_mode: UpdateMode | None = None


@dataclass
class PointsBatch:
    """The body of an upsert, column by column."""

    batch: Batch
    update_filter: Filter | None = None
    update_mode: UpdateMode | None = None


@dataclass
class SetPayload:
    """The body of set_payload and overwrite_payload."""

    payload: Payload
    points: Sequence[PointId] | None = None
    filter: Filter | None = None
    key: str | None = None


@dataclass
class DeletePayload:
    """The body of delete_payload: payload paths, and the points to take them from."""

    keys: Sequence[str]
    points: Sequence[PointId] | None = None
    filter: Filter | None = None


@dataclass
class UpdateVectors:
    """The body of update_vectors."""

    points: Sequence[PointVectors]
    update_filter: Filter | None = None


@dataclass
class DeleteVectors:
    """The body of delete_vectors: vector names, and the points to take them from."""

    vector: Sequence[str]
    points: Sequence[PointId] | None = None
    filter: Filter | None = None


@dataclass
class UpsertOperation:
    """An upsert in a batch."""

    upsert: PointsList | PointsBatch


@dataclass
class DeleteOperation:
    """A delete of points in a batch."""

    delete: PointIdsList | FilterSelector


@dataclass
class SetPayloadOperation:
    """A set_payload in a batch."""

    set_payload: SetPayload


@dataclass
class OverwritePayloadOperation:
    """An overwrite_payload in a batch."""

    overwrite_payload: SetPayload


@dataclass
class DeletePayloadOperation:
    """A delete_payload in a batch."""

    delete_payload: DeletePayload


@dataclass
class ClearPayloadOperation:
    """A clear_payload in a batch."""

    clear_payload: PointIdsList | FilterSelector


@dataclass
class UpdateVectorsOperation:
    """An update_vectors in a batch."""

    update_vectors: UpdateVectors


@dataclass
class DeleteVectorsOperation:
    """A delete_vectors in a batch."""

    delete_vectors: DeleteVectors


@dataclass
class PayloadSelectorInclude:
    """Return only these payload paths."""

    include: Sequence[str]


@dataclass
class PayloadSelectorExclude:
    """Return the payload without these paths."""

    exclude: Sequence[str]


@dataclass
class OrderBy:
    """Scroll by a payload ``key`` that holds numbers or datetimes, from ``start_from`` (inclusive) on."""

    key: str
    direction: Direction | None = None
    start_from: int | float | str | datetime | date | None = None


@dataclass
class SearchParams:
    """How to search. ``exact``: compare with every vector; results of vecstore without graphs always are."""

    exact: bool | None = None


@dataclass(frozen=True)
class UpdateResult:
    """What became of an operation: its number in this collection, and how far it is."""

    operation_id: int
    status: UpdateStatus


@dataclass
class Record:
    """A point that was read.

    ``payload`` is ``{}`` when empty and None when it was not asked for; ``vector`` is a float32 array of shape
    (size,), or a dict of them by name, and None when it was not asked for. ``order_value`` is what a scroll
    with ``order_by`` sorted by (datetimes as microseconds since 1970).
    """

    id: int | str
    payload: dict[str, Any] | None = None
    vector: Array | dict[str, Array] | None = None
    order_value: int | float | None = None


@dataclass
class ScoredPoint:
    """A hit: a point, and its ``score`` by the distance of the vector that was searched (float32 arithmetic)."""

    id: int | str
    score: float
    payload: dict[str, Any] | None = None
    vector: Array | dict[str, Array] | None = None


@dataclass(frozen=True)
class VectorInfo:
    """One vector of a collection: how its rows are kept.

    ``live_rows`` are the points that have it; ``dead_rows`` were deleted or replaced. ``open_rows`` (of both
    kinds) are in memory and in the journal, the others in ``segments`` sealed segments of ``file_bytes`` bytes.
    """

    size: int
    distance: str
    live_rows: int
    dead_rows: int
    open_rows: int
    segments: int
    file_bytes: int


@dataclass(frozen=True)
class CollectionInfo:
    """What a collection is and holds.

    ``path`` is None in memory. ``applied`` is the id of the last operation that was applied. ``store_bytes`` is
    what the LMDB file uses for ids, payloads, log and journal, ``segment_bytes`` what the sealed segments use.
    """

    path: str | None
    points: int
    vectors: dict[str, VectorInfo]
    durability: str
    applied: int
    store_bytes: int
    segment_bytes: int
