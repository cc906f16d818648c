"""vecstore: an embedded vector store.

A ``Collection`` is a folder of points: an id, vectors, a JSON payload. Every change is logged, then applied,
and the future it returns tells both moments; searches are exact in what they return.

    from vecstore import Collection, Distance, PointStruct, VectorParams

    with Collection("products.vecstore", vectors=VectorParams(size=4, distance=Distance.COSINE)) as col:
        col.upsert([PointStruct(id=1, vector=[0.1, 0.2, 0.3, 0.4], payload={"color": "red"})]).result()
        print(col.search([0.1, 0.2, 0.3, 0.4], limit=1))

The words are those of Qdrant's points API. Where to look further: ``Collection`` for the calls,
``vecstore.models`` and ``vecstore.conditions`` for the words, ``vecstore.expressions`` for filters in Python,
``vecstore.aio`` for asyncio, ``vecstore.testing`` for tests, ``vecstore.errors`` for what can go wrong.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vecstore.checking import repair, verify
from vecstore.collection import Collection
from vecstore.conditions import (
    DatetimeRange,
    FieldCondition,
    Filter,
    GeoBoundingBox,
    GeoLineString,
    GeoPoint,
    GeoPolygon,
    GeoRadius,
    HasIdCondition,
    HasVectorCondition,
    IsEmptyCondition,
    IsNullCondition,
    MatchAny,
    MatchExcept,
    MatchPhrase,
    MatchPrefix,
    MatchSubstring,
    MatchText,
    MatchTextAny,
    MatchValue,
    MinShould,
    Nested,
    NestedCondition,
    PayloadField,
    Range,
    Slice,
    SliceCondition,
    ValuesCount,
)
from vecstore.errors import (
    CollectionClosed,
    CollectionLocked,
    ConfigMismatch,
    Corrupted,
    EmptyRequest,
    InvalidFile,
    InvalidFilter,
    InvalidId,
    InvalidPath,
    InvalidPayload,
    InvalidRequest,
    InvalidType,
    InvalidVector,
    MissingExtra,
    NotACollection,
    PointNotFound,
    ReadOnly,
    RequestTooLarge,
    StoreFailed,
    UnknownVector,
    UnsupportedFormat,
    UploadStopped,
    VecstoreError,
    WouldWaitForItself,
)
from vecstore.futures import UpdateFuture
from vecstore.health import Loss, Problem, RepairReport, VerifyReport
from vecstore.ids import point_id
from vecstore.models import (
    Batch,
    ClearPayloadOperation,
    DeleteOperation,
    DeletePayload,
    DeletePayloadOperation,
    DeleteVectors,
    DeleteVectorsOperation,
    Direction,
    Distance,
    FilterSelector,
    HnswConfig,
    OrderBy,
    OverwritePayloadOperation,
    PayloadSchemaType,
    PayloadSelectorExclude,
    PayloadSelectorInclude,
    PointIdsList,
    PointsBatch,
    PointsList,
    PointStruct,
    PointVectors,
    SearchParams,
    SetPayload,
    SetPayloadOperation,
    UpdateMode,
    UpdateResult,
    UpdateStatus,
    UpdateVectors,
    UpdateVectorsOperation,
    UpsertOperation,
    VectorParams,
)
from vecstore.records import Record, ScoredPoint
from vecstore.reports import CollectionInfo, PartExplanation, PayloadIndexInfo, SearchExplanation, VectorInfo
from vecstore.results import Hits, Records

if TYPE_CHECKING:
    from vecstore.aio import AsyncCollection, AsyncUpdate
    from vecstore.expressions import Expression, field

__version__ = "0.1.0"

__all__ = [
    "AsyncCollection",
    "AsyncUpdate",
    "Batch",
    "ClearPayloadOperation",
    "Collection",
    "CollectionClosed",
    "CollectionInfo",
    "CollectionLocked",
    "ConfigMismatch",
    "Corrupted",
    "DatetimeRange",
    "DeleteOperation",
    "DeletePayload",
    "DeletePayloadOperation",
    "DeleteVectors",
    "DeleteVectorsOperation",
    "Direction",
    "Distance",
    "EmptyRequest",
    "Expression",
    "FieldCondition",
    "Filter",
    "FilterSelector",
    "GeoBoundingBox",
    "GeoLineString",
    "GeoPoint",
    "GeoPolygon",
    "GeoRadius",
    "HasIdCondition",
    "HasVectorCondition",
    "Hits",
    "HnswConfig",
    "InvalidFile",
    "InvalidFilter",
    "InvalidId",
    "InvalidPath",
    "InvalidPayload",
    "InvalidRequest",
    "InvalidType",
    "InvalidVector",
    "IsEmptyCondition",
    "IsNullCondition",
    "Loss",
    "MatchAny",
    "MatchExcept",
    "MatchPhrase",
    "MatchPrefix",
    "MatchSubstring",
    "MatchText",
    "MatchTextAny",
    "MatchValue",
    "MinShould",
    "MissingExtra",
    "Nested",
    "NestedCondition",
    "NotACollection",
    "OrderBy",
    "OverwritePayloadOperation",
    "PartExplanation",
    "PayloadField",
    "PayloadIndexInfo",
    "PayloadSchemaType",
    "PayloadSelectorExclude",
    "PayloadSelectorInclude",
    "PointIdsList",
    "PointNotFound",
    "PointStruct",
    "PointVectors",
    "PointsBatch",
    "PointsList",
    "Problem",
    "Range",
    "ReadOnly",
    "Record",
    "Records",
    "RepairReport",
    "RequestTooLarge",
    "ScoredPoint",
    "SearchExplanation",
    "SearchParams",
    "SetPayload",
    "SetPayloadOperation",
    "Slice",
    "SliceCondition",
    "StoreFailed",
    "UnknownVector",
    "UnsupportedFormat",
    "UpdateFuture",
    "UpdateMode",
    "UpdateResult",
    "UpdateStatus",
    "UpdateVectors",
    "UpdateVectorsOperation",
    "UploadStopped",
    "UpsertOperation",
    "ValuesCount",
    "VecstoreError",
    "VectorInfo",
    "VectorParams",
    "VerifyReport",
    "WouldWaitForItself",
    "__version__",
    "field",
    "point_id",
    "repair",
    "verify",
]

_LATER = {
    "AsyncCollection": "vecstore.aio",
    "AsyncUpdate": "vecstore.aio",
    "Expression": "vecstore.expressions",
    "field": "vecstore.expressions",
}
"""What is around the core, and imported when it is first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LATER[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
