"""What a vector may be: checked, copied to float32, normalised; and the parameters of a collection's vectors.

A vector comes as a list, a tuple, or anything numpy reads as an array of real numbers. What comes out is
C-contiguous float32 in memory of its own: whatever becomes of the caller's array, the stored vector stays.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from vecstore.errors import InvalidRequest, InvalidType, InvalidVector, RequestTooLarge, UnknownVector
from vecstore.limits import MAX_NAME_LENGTH, MAX_OPERATION_BYTES
from vecstore.models import Array, Distance, VectorParams
from vecstore.shapes import describe, is_integer, is_masked, length_of, members, shown

Schema: TypeAlias = Mapping[str, VectorParams]
"""The vectors of a collection by name; the name of the unnamed one is the empty string."""

BLOCK = 4096
"""The most dimensions that are summed at once, see ``dots``."""

_EPSILON = float(np.finfo(np.float32).eps)
_UNIT_TOLERANCE = 1e-6
_DEEPEST, _LONGEST = 8, 1000
_LARGEST = float(np.finfo(np.float32).max)
_HIDDEN = ("Cc", "Cs")  # control characters and lone surrogates: unreadable, or not UTF-8


def as_matrix(value: Any, params: VectorParams, what: str) -> Array:
    """``value`` as float32 rows of ``params.size``, copied; ``what`` names it in errors.

    Raises ``InvalidVector``.
    """
    return _floats(value, 2, params.size, what)


def as_vector(value: Any, params: VectorParams, what: str) -> Array:
    """``value`` as one float32 vector of ``params.size``, copied; ``what`` names it in errors.

    Raises ``InvalidVector``.
    """
    return _floats(value, 1, params.size, what)


def _floats(value: Any, dimensions: int, size: int, what: str) -> Array:
    source = value if _is_right(value, dimensions, size) else _made_array(value, dimensions, size, what)
    if 4 * source.size > MAX_OPERATION_BYTES:
        raise RequestTooLarge(f"{what}: expected at most {MAX_OPERATION_BYTES} bytes of vectors, got {4 * source.size}")
    floats = _as_float32(source)
    _check_finite(floats, source, what)
    return floats


def _is_right(value: Any, dimensions: int, size: int) -> bool:
    """Whether nothing has to be looked at but the numbers."""
    if type(value) is not np.ndarray or value.dtype != np.float32 or not value.size:
        return False
    return value.ndim == dimensions and value.shape[-1] == size


def _made_array(value: Any, dimensions: int, size: int, what: str) -> npt.NDArray[Any]:
    _check_depth(value, dimensions, size, what)
    source = _array(value, dimensions, size, what)
    if (dimensions == 2 or isinstance(value, np.ndarray)) and is_masked(value):
        raise InvalidVector(f"{what}: expected numbers, got masked ones in {describe(value)}")
    _check_kind(source, value, what)
    _check_shape(source, dimensions, size, what)
    return source


def _as_float32(source: npt.NDArray[Any]) -> Array:
    if source.dtype == np.float32:
        return np.array(source, order="C")
    with np.errstate(all="ignore"):  # what overflows becomes infinite, and is refused as such
        return np.array(source, dtype=np.float32, order="C")


def _check_depth(value: Any, dimensions: int, size: int, what: str) -> None:
    """Refuse lists in lists in lists before numpy looks for their end: there may be none.

    The first of each list is enough: where the others are of another shape, numpy stops.
    """
    first, shape = value, tuple[int, ...]()
    while isinstance(first, Sequence) and not isinstance(first, str | bytes | bytearray):
        length = length_of(first)
        if not length or len(shape) == _DEEPEST:
            break
        first, shape = first[0], (*shape, length)
    if isinstance(first, str | bytes) and len(first) > _LONGEST:  # of which numpy would make as wide a column
        raise InvalidVector(f"{what}: expected numbers, got {describe(first)}")
    if not shape:
        return
    inner: tuple[int, ...] = first.shape if isinstance(first, np.ndarray) else ()
    whole = (*shape, *inner)
    too_long = len(whole) == dimensions and whole[-1] > size  # and may have no end
    if len(whole) > dimensions or too_long:
        came = f"{whole[-1]}" if too_long else f"an array of shape {whole}"
        raise InvalidVector(f"{what}: expected {_expected(dimensions, size)}, got {came}")


def _array(value: Any, dimensions: int, size: int, what: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(value)
    except Exception as error:  # noqa: BLE001 - an array-like can fail in any way
        refusal = InvalidVector(f"{what}: expected {_expected(dimensions, size)}, got {error}")
    if dimensions == 2 and isinstance(value, list | tuple):
        _check_rows(value, size, what)
    raise refusal


def _check_rows(rows: list[Any] | tuple[Any, ...], size: int, what: str) -> None:
    """Name the first of ``rows`` that has another length: numpy only says that they differ."""
    for number, row in enumerate(rows):
        length = length_of(row)
        if length != size:
            came = describe(row) if length is None else length
            raise InvalidVector(f"{what}: expected {_expected(2, size)}, got {came} in row {number}")


def _expected(dimensions: int, size: int) -> str:
    return f"{size} numbers" if dimensions == 1 else f"rows of {size} numbers"


def _check_kind(source: npt.NDArray[Any], value: Any, what: str) -> None:
    if source.dtype.kind not in "fiu":
        came = describe(value) if source.ndim == 0 else f"the dtype {source.dtype} in {describe(value)}"
        raise InvalidVector(f"{what}: expected numbers, got {came}")


def _check_shape(source: npt.NDArray[Any], dimensions: int, size: int, what: str) -> None:
    if source.ndim == dimensions and source.size and source.shape[-1] == size:
        return
    came = f"{source.shape[-1]}" if source.ndim == dimensions else f"an array of shape {source.shape}"
    if source.size == 0:
        came = "none"
    raise InvalidVector(f"{what}: expected {_expected(dimensions, size)}, got {came}")


def _check_finite(floats: Array, source: npt.NDArray[Any], what: str) -> None:
    if floats.size <= BLOCK and isfinite(dots(floats.ravel(), floats.ravel())):  # the same, in fewer steps
        return
    finite = np.isfinite(floats)
    if finite.all():
        return
    *row, position = np.argwhere(~finite)[0].tolist()
    where = f" in row {row[0]}" if row else ""
    came = source[(*row, position)]
    raise InvalidVector(f"{what}: expected finite float32 numbers, got {came} at position {position}{where}")


def normalised(vectors: Array, distance: Distance) -> Array:
    """The vectors (one, or a matrix of rows) as they are stored for ``distance``: of length 1 for cosine.

    As in Qdrant, with squared lengths in float32: a vector whose squared length is below float32 epsilon, or
    within 1e-6 of 1, is kept as it is. Vectors whose squared length overflows are scaled down first.
    """
    if distance is not Distance.COSINE:
        return vectors
    squared = _squared_lengths(vectors)
    if squared.size == 1 and _EPSILON <= (one := squared.item()) <= _LARGEST:  # the same, in fewer steps
        is_unit = abs(one - 1) <= _UNIT_TOLERANCE
        return vectors if is_unit else np.divide(vectors, np.sqrt(squared), dtype=np.float32)
    if not np.isfinite(squared).all():
        vectors = _tamed(vectors, squared)
        squared = _squared_lengths(vectors)
    kept = (squared < _EPSILON) | (np.abs(squared - 1) <= _UNIT_TOLERANCE)
    if kept.all():
        return vectors
    lengths = np.where(kept, np.float32(1), np.sqrt(squared))
    return np.divide(vectors, lengths, dtype=np.float32)


def _squared_lengths(vectors: Array) -> Array:
    return dots(vectors, vectors)[..., np.newaxis]


def dots(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The inner products along the last axis, each the same however many others are made with it.

    In blocks: what einsum makes of longer rows depends on how many of them there are.
    """
    total: npt.NDArray[Any] = np.einsum("...i,...i->...", left[..., :BLOCK], right[..., :BLOCK])
    for start in range(BLOCK, left.shape[-1], BLOCK):
        stop = start + BLOCK
        total = total + np.einsum("...i,...i->...", left[..., start:stop], right[..., start:stop])
    return total


def _tamed(vectors: Array, squared: Array) -> Array:
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    return np.divide(vectors, np.where(np.isfinite(squared), np.float32(1), largest), dtype=np.float32)


def known(schema: Schema, name: object) -> VectorParams:
    """The parameters of the vector ``name``. Raises ``UnknownVector``, which lists the names there are."""
    if not isinstance(name, str):
        raise InvalidType(f"expected a vector name, got {describe(name)}")
    if name not in schema:
        raise UnknownVector(name, f"expected {_names(schema)}, got {label(name)}")
    return schema[name]


def label(name: str) -> str:
    """A vector for an error message, by its name."""
    return f"the vector {shown(name)}" if name else "the unnamed vector"


def _names(schema: Schema) -> str:
    if not schema:
        return "no vector, because the collection has none"
    if "" in schema:
        return "the unnamed vector, which is all the collection has"
    return "one of the collection's vectors by name (" + ", ".join(map(repr, sorted(schema))) + ")"


def parse_vector_params(value: object) -> dict[str, VectorParams]:
    """The vectors of a collection: parameters for the unnamed one, or a mapping of names to parameters.

    Parameters are ``VectorParams``, ``{"size": ..., "distance": ...}``, or any object with these attributes.
    Raises ``InvalidRequest``, also for an option that vecstore does not have.
    """
    if not isinstance(value, Mapping) or _is_params(value):
        return {"": _params(value, "the vector parameters")}
    if "" in value and len(value) > 1:
        raise InvalidRequest("expected one unnamed vector or several named ones, got both")
    named = {_name(name): item for name, item in value.items()}
    return {name: _params(item, f"the parameters of {label(name)}") for name, item in named.items()}


def _is_params(value: Mapping[Any, Any]) -> bool:
    # A vector may itself be called "size": then there are parameters under that name, and no number.
    return is_integer(value.get("size")) or isinstance(value.get("distance"), str)


def _name(name: object) -> str:
    if not isinstance(name, str) or len(name) > MAX_NAME_LENGTH:
        expected = f"a vector name of 1 to {MAX_NAME_LENGTH} characters"
        raise InvalidRequest(f"expected {expected}, got {describe(name)}")
    if any(unicodedata.category(character) in _HIDDEN for character in name):
        raise InvalidRequest(f"expected a vector name without control characters, got {shown(name)}")
    return str.__str__(name)


def _params(value: object, what: str) -> VectorParams:
    if isinstance(value, VectorParams):
        return value
    expected = f"{what} as a size and a distance"
    found = {name: item for name, item in members(value, expected).items() if item is not None}
    unknown = sorted(found.keys() - {"size", "distance", "hnsw", "hnsw_config"})
    if unknown:
        raise InvalidRequest(f"{what}: {unknown[0]} is not supported; there are size, distance and hnsw_config")
    if not found.keys() >= {"size", "distance"}:
        raise InvalidRequest(f"expected {expected}, got {describe(value)}")
    if found.keys() >= {"hnsw", "hnsw_config"}:
        raise InvalidRequest(f"{what}: expected hnsw or hnsw_config, which mean the same, got both")
    return VectorParams(found["size"], found["distance"], found.get("hnsw_config", found.get("hnsw")))
