"""What a read asks for, checked and frozen; the counterpart of ``vecstore.operations``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vecstore.conditions import Filter
    from vecstore.models import Direction, Distance
    from vecstore.paths import Path


@dataclass(frozen=True, slots=True)
class Question:
    """A search: the ``limit`` best points by vector ``name`` after the first ``offset``.

    ``threshold``: only scores strictly better. ``condition``: only points that match. ``ef``: the beam in graphs,
    None for the default. ``exact``: without graphs.
    """

    name: str
    distance: Distance
    limit: int
    offset: int = 0
    threshold: float | None = None
    condition: Filter | None = None
    ef: int | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a scroll by payload values. ``start_from``: a number, or a datetime as microseconds since 1970."""

    path: Path
    direction: Direction
    start_from: int | float | None
