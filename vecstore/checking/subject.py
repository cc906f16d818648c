"""What is looked at, and what is found: one state of a collection, its problems and their cures."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

from vecstore.errors import CollectionClosed, Corrupted, StoreFailed
from vecstore.health import Loss, Problem
from vecstore.ids import id_of
from vecstore.storage.points import split_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from vecstore.checking.mending import Mending
    from vecstore.engine.version import Version
    from vecstore.models import PointId, VectorParams
    from vecstore.storage.environment import Transaction
    from vecstore.storage.meta import Manifest
    from vecstore.storage.store import Store

DATA = "store/data.mdb"


class Cure(Protocol):
    """What mends a problem, or gives up what cannot be mended."""

    def apply(self, mending: Mending) -> None:
        """Do it."""


@dataclass(frozen=True)
class Finding:
    """A problem, and what ``repair`` can do about it; None for nothing."""

    problem: Problem
    cure: Cure | None


class Findings:
    """What was found, and how much was looked at. ``poll`` raises when it is time to stop."""

    def __init__(self, poll: Callable[[], None]) -> None:
        self.poll = poll
        self.found: list[Finding] = []
        self.checked: Counter[str] = Counter()

    def add(self, place: str, what: str, cure: Cure | None = None, loss: Loss | None = None) -> None:
        """There is a problem. With a ``loss`` its cure gives something up; without a cure nothing can be done."""
        self.found.append(Finding(Problem(place, what, cure is not None and loss is None, loss), cure))

    def add_consequence(self, place: str, what: str) -> None:
        """There is a problem that can be mended as soon as another one is no more."""
        self.found.append(Finding(Problem(place, what, mendable=True), None))

    @contextmanager
    def guard(self, place: str) -> Iterator[None]:
        """What cannot be read is a problem, whatever the reading raises."""
        try:
            yield
        except (CollectionClosed, StoreFailed):
            raise
        except Corrupted as error:
            self.add(place, str(error))
        except Exception as error:  # noqa: BLE001 - damaged values can do anything to what decodes them
            self.add(place, f"cannot be read: {type(error).__name__}: {error}")


@dataclass(frozen=True)
class Subject:
    """One state of a collection: see ``Pinned``.

    ``folder`` is that of the segments. ``version`` is what readers of an open collection see of the same state.
    """

    store: Store
    txn: Transaction
    folder: Path
    params: Mapping[str, VectorParams]
    manifest: Manifest
    files: Mapping[Path, IO[bytes] | None]
    version: Version | None = None

    def names(self) -> list[str]:
        """The vector names, by field number."""
        return list(self.params)

    def ids(self, slots: Iterable[int] | npt.NDArray[np.uint32]) -> tuple[PointId, ...]:
        """The ids of points by their slots, as far as they can be told, ascending as ids do."""
        keys = sorted(key for slot in slots if (key := self._key(int(slot))) is not None)
        return tuple(map(id_of, keys))

    def _key(self, slot: int) -> bytes | None:
        value = self.store.points.value(self.txn, slot)
        return split_value(value)[0] if value else None
