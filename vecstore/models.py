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
from vecstore.limits import MAX_VECTOR_SIZE
from vecstore.shapes import is_integer, member_of, members, only, shown

if TYPE_CHECKING:
    from datetime import date, datetime

    from vecstore.conditions import Filter

PointId: TypeAlias = int | str | UUID
Payload: TypeAlias = Mapping[str, Any]
Array: TypeAlias = npt.NDArray[np.float32]
Vector: TypeAlias = Sequence[float] | npt.NDArray[Any]
Vectors: TypeAlias = Vector | Mapping[str, Vector]


class Distance(str, Enum):
    """How two vectors are compared. Cosine and Dot: larger is better. Euclid and Manhattan: smaller is better."""

    COSINE = "Cosine"
    DOT = "Dot"
    EUCLID = "Euclid"
    MANHATTAN = "Manhattan"

    def __init__(self, value: str) -> None:
        self.larger_is_better = value in ("Cosine", "Dot")
        """Whether a larger score is a better one."""


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


class PayloadSchemaType(str, Enum):
    """What a payload index is asked for as. The first five are one index: it has every scalar at its path."""

    KEYWORD = "keyword"
    INTEGER = "integer"
    FLOAT = "float"
    BOOL = "bool"
    UUID = "uuid"
    DATETIME = "datetime"
    GEO = "geo"
    TEXT = "text"


@dataclass(frozen=True)
class HnswConfig:
    """How the graphs of a vector are built.

    ``m``: edges a node (2 to 256). ``ef_construct``: the beam while building (4 to 4,096); None chooses by how the
    graph is stored. ``full_scan_threshold``: vectors of fewer kilobytes in all are searched without a graph.
    """

    m: int = 16
    ef_construct: int | None = None
    full_scan_threshold: int = 10_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "m", _within("m", self.m, 2, 256))
        if self.ef_construct is not None:
            object.__setattr__(self, "ef_construct", _within("ef_construct", self.ef_construct, 4, 4096))
        threshold = _within("full_scan_threshold", self.full_scan_threshold, 0, 2**31)
        object.__setattr__(self, "full_scan_threshold", threshold)


def _within(name: str, value: object, least: int, most: int) -> int:
    if not is_integer(value) or not least <= value <= most:
        raise InvalidRequest(f"expected {name} as an integer of {least} to {most}, got {shown(value)}")
    return int(value)


@dataclass(frozen=True)
class VectorParams:
    """One vector of a collection: its ``size`` in float32 dimensions (1 to 65,536) and its ``distance``.

    ``hnsw``: how its graphs are built; None for the defaults. Raises ``InvalidRequest`` for a size, a distance or
    a configuration that does not exist.
    """

    size: int
    distance: Distance
    hnsw: HnswConfig | None = None

    @property
    def graph(self) -> HnswConfig:
        """How graphs are built, defaults included."""
        return self.hnsw or HnswConfig()

    def __post_init__(self) -> None:
        if not is_integer(self.size):
            raise InvalidRequest(f"expected a vector size in dimensions (an integer), got {shown(self.size)}")
        if not 1 <= self.size <= MAX_VECTOR_SIZE:
            raise InvalidRequest(f"expected a vector size of 1 to {MAX_VECTOR_SIZE}, got {shown(self.size)}")
        object.__setattr__(self, "size", int(self.size))
        object.__setattr__(self, "distance", _distance(self.distance))
        object.__setattr__(self, "hnsw", _hnsw(self.hnsw))


def _hnsw(value: object) -> HnswConfig | None:
    if value is None or isinstance(value, HnswConfig):
        return value
    found = {name: item for name, item in members(value, "hnsw as an HnswConfig").items() if item is not None}
    only(found, frozenset({"ef_construct", "full_scan_threshold", "m"}), "hnsw_config")
    return HnswConfig(**found)


def _distance(value: object) -> Distance:
    found = member_of(Distance, value)
    if found is None:
        names = ", ".join(d.value for d in Distance)
        raise InvalidRequest(f"expected a distance ({names}), got {shown(value)}")
    return found


@dataclass
class PointStruct:
    """A point to upsert: its id, its vector (or ``{name: vector}``) and its payload.

    A vector is ``size`` finite numbers, as a list or an array, and kept as float32; ``{}`` is a point without any.
    ``payload``: a JSON object of at most 16 MiB and 64 levels; None is the empty one.
    """

    id: PointId
    vector: Vectors
    payload: Payload | None = None


@dataclass
class Batch:
    """Points to upsert, column by column.

    ``ids``: n ids, as a list or an array. ``vectors``: an (n, size) matrix of numbers, or ``{name: matrix}``.
    ``payloads``: n payloads, each a dict or None; None for no payloads at all.
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
    """How to search.

    ``hnsw_ef``: the beam of a search in a graph (1 to 65,536; larger finds more and takes longer), None for the
    default. ``exact``: compare with every vector instead.
    """

    hnsw_ef: int | None = None
    exact: bool | None = None


@dataclass(frozen=True)
class UpdateResult:
    """What became of an operation: its number in this collection, and how far it is."""

    operation_id: int
    status: UpdateStatus
