"""What reads return: points, whose payloads are decoded when they are first looked at.

Most of the time of a read would go into payloads that nobody looks at. A record that came from a store holds the
stored bytes until then; in every other way (comparing, printing, copying, pickling, ``dataclasses.asdict``) it is
an ordinary dataclass. Nothing in it points into the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from vecstore.ids import INTEGER_KEY_SIZE, UUID_KEY_SIZE, id_of
from vecstore.payloads import unpack_payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from vecstore.models import Array

Project: TypeAlias = "Callable[[dict[str, Any]], dict[str, Any]] | None"
"""What a reader wants to see of a payload; None: nothing."""


class _Stored:
    """The half of a record that holds a stored value (id key, then packed payload) until somebody looks."""

    payload: dict[str, Any] | None
    _stored: tuple[bytes, Callable[[dict[str, Any]], dict[str, Any]]]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Only asked for what is not there: the payload, before the first look.
            fields = self.__dict__
            if name != "payload" or "_stored" not in fields:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            value, project = fields["_stored"]
            payload = project(unpack_payload(value[UUID_KEY_SIZE if value[0] else INTEGER_KEY_SIZE :]))
            return fields.setdefault("payload", payload)  # of threads that look together, all see the same dict

    def __getstate__(self) -> dict[str, Any]:
        self.payload  # noqa: B018 - looked at, so that what is copied or pickled is plain
        return {name: value for name, value in self.__dict__.items() if name != "_stored"}

    def _repr_html_(self) -> str:
        from vecstore.display import point_html

        return point_html(self)  # type: ignore[arg-type]


@dataclass
class Record(_Stored):
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
class ScoredPoint(_Stored):
    """A hit: a point, and its ``score`` by the distance of the vector that was searched (float32 arithmetic)."""

    id: int | str
    score: float
    payload: dict[str, Any] | None = None
    vector: Array | dict[str, Array] | None = None


# A class attribute would be found before ``__getattr__`` is asked. The defaults are in ``__init__`` by now.
del Record.payload, ScoredPoint.payload


def record_of(value: bytes, project: Project) -> Record:
    """The record of a stored value, without vectors."""
    record = Record.__new__(Record)
    _fill(record, value, project)
    return record


def hit_of(value: bytes, score: float, project: Project) -> ScoredPoint:
    """The hit of a stored value, without vectors."""
    hit = ScoredPoint.__new__(ScoredPoint)
    hit.score = score
    _fill(hit, value, project)
    return hit


def _fill(record: Record | ScoredPoint, value: bytes, project: Project) -> None:
    if value[0]:
        record.id = id_of(value[:UUID_KEY_SIZE])
    else:
        record.id = int.from_bytes(value[1:INTEGER_KEY_SIZE], "big")
    if project is None:
        record.payload = None
    else:
        record._stored = value, project
