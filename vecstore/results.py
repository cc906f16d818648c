"""What reads return: lists of records and of hits, which a notebook shows as a table and pandas as a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

from vecstore.records import Record, ScoredPoint

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Self

P = TypeVar("P", Record, ScoredPoint)


class _Points(list[P]):
    """A list. A slice of it is of the same kind."""

    @overload
    def __getitem__(self, place: SupportsIndex) -> P: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: SupportsIndex | slice) -> Any:
        found: Any = super().__getitem__(place)
        return type(self)(found) if isinstance(place, slice) else found

    def to_pandas(self) -> pd.DataFrame:
        """A row a point, the index ``id``: the fields of payloads as columns, the vectors that were asked for, scores.

        A vector is a float32 array in the column ``vector``, or ``vector.NAME``. A payload field that is called as
        one of the columns vecstore adds (``score``, ``order_value``, ``vector``, ...) is in ``payload.FIELD``. Raises
        ``MissingExtra`` where pandas is not installed.
        """
        from vecstore.frames import frame_of

        return frame_of(self)

    def _repr_html_(self) -> str:
        from vecstore.display import points_html

        return points_html(self)


class Records(_Points[Record]):
    """A list of ``Record``: a table in a notebook, and ``to_pandas()`` makes a data frame of it."""


class Hits(_Points[ScoredPoint]):
    """A list of ``ScoredPoint``, best first: a table in a notebook, and ``to_pandas()`` makes a data frame of it."""
