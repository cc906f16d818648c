"""THE CALL: the one object a user holds. It checks what it is given, and delegates."""

from __future__ import annotations

import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from vecstore import requests
from vecstore.checking.verifying import verify_open
from vecstore.engine import creation, registry
from vecstore.engine.elsewhere import elsewhere
from vecstore.engine.info import collection_info
from vecstore.engine.reader import Reader
from vecstore.engine.snapshot import snapshot
from vecstore.errors import CollectionClosed, InvalidRequest, InvalidType, ReadOnly, VecstoreError
from vecstore.exchange import Exchange
from vecstore.nesting import is_inside
from vecstore.requests import OMITTED
from vecstore.shapes import describe
from vecstore.vectors import parse_vector_params

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from vecstore.conditions import Filter
    from vecstore.engine.engine import Engine
    from vecstore.engine.view import View
    from vecstore.futures import UpdateFuture
    from vecstore.health import VerifyReport
    from vecstore.models import (
        Payload,
        Selector,
        UpdateMode,
        UpdateResult,
        VectorParams,
    )
    from vecstore.payload_edits import Projection
    from vecstore.reports import CollectionInfo

    _Returned: TypeAlias = tuple[Projection | None, Sequence[str]]

DURABILITIES = ("fsync", "os")
HOLDING = (
    *(f"vecstore.{name}." for name in ("engine", "storage", "checking", "reading")),
    *(f"vecstore.futures.{name}" for name in ("result", "exception", "acknowledged")),
)
"""In the middle of these a thread may hold what others wait for: see ``nesting``."""


class Collection(Exchange):
    """A collection of points, in this process.

    A point has an id (an integer of 0 to 2**64 - 1, or a UUID), vectors, and a payload (a JSON object). The
    model, the words and the semantics are those of Qdrant's points API, as its documentation has them on points,
    payload, filtering and search (https://qdrant.tech/documentation/concepts/points/ and beside it). Where a call
    does otherwise its text says so.

    Args:
        path: A folder; opened when it holds a collection, else created. None: a private collection in memory,
            gone when it is closed.
        vectors: What to create it with: ``VectorParams`` for one unnamed vector, or ``{name: VectorParams}``.
            Where the collection exists, what it is expected to have.
        durability: ``"fsync"`` (the default for a path): acknowledged means it survives power loss. ``"os"``:
            it survives the death of the process; power loss can damage the collection, not only shorten it.
            In memory it is always ``"os"``.
        auto_index: Whether filters make payload indexes: the first one on a field, in a collection of more than
            1,000 points, has the index of the field built in the background, for 32 fields at most.
        read_only: Open what is there for reading alone, beside the process that writes it, beside many others, or
            with no writer at all. A read sees every operation whose ``result()`` had returned in the writer when
            the read began. Such a handle creates nothing, locks nobody out, and builds no indexes (its filters
            use those that are ready); writes raise ``ReadOnly``. It is not told the ``durability``.

    Writes return an ``UpdateFuture`` at once; reads return values, and see every operation that is completed.
    All methods are safe from any thread. Opening the same path again in this process gives another handle on
    the same collection. A collection that has a path can be pickled, as an argument for a worker process: what is
    unpickled there is opened with ``read_only=True``. After a fork the child opens its own.

    LMDB has readers note in ``store/lock.mdb`` what they look at. One that may not write there (a read-only file
    system, another user's files) can read while no writer has the collection open, and keeps writers out until
    it is closed.

    Raises:
        InvalidRequest: a wrong argument; ``NotACollection`` for a path that holds something else,
            ``ConfigMismatch`` for a collection with other vectors or open with another durability.
        CollectionLocked: another process has it open for writing, and this one would write too.
        UnsupportedFormat, Corrupted, StoreFailed: what is on disk cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        vectors: VectorParams | Mapping[str, VectorParams] | Mapping[str, Any] | None = None,
        durability: str | None = None,
        auto_index: bool = True,
        read_only: bool = False,
    ) -> None:
        params = None if vectors is None else parse_vector_params(vectors)
        if durability is not None and not (isinstance(durability, str) and durability in DURABILITIES):
            raise InvalidRequest(f"expected durability 'fsync' or 'os', got {describe(durability)}")
        if not isinstance(auto_index, bool):
            raise InvalidType(f"expected auto_index as a bool, got {describe(auto_index)}")
        if not isinstance(read_only, bool):
            raise InvalidType(f"expected read_only as a bool, got {describe(read_only)}")
        self._auto_index = auto_index
        self._holder = object()
        if is_inside(*HOLDING):  # on this very thread, which may hold a lock that is wanted
            self._open(path, params, durability, read_only, threading.get_ident())
        else:
            elsewhere(partial(self._open, path, params, durability, read_only, None), unwanted=self._drop)

    def _open(
        self, path: Any, params: Any, durability: str | None, read_only: bool, nested_in: int | None
    ) -> Engine | Reader:
        self._engine: Engine | Reader
        if read_only:
            self._engine = _reader(path, params, durability, self._holder, nested_in)
        elif path is not None:
            self._engine = registry.acquire(creation.folder_at(path), params, durability, self._holder, nested_in)
        elif params is None:
            raise InvalidRequest("expected vectors= for a collection in memory")
        elif durability == "fsync":
            raise InvalidRequest("a collection in memory has durability 'os'; give a path for 'fsync'")
        else:
            self._engine = registry.acquire_private(params, self._holder)
        self._schema = self._engine.params
        self._hold()
        return self._engine

    def _drop(self, opened: Engine | Reader) -> None:
        registry.drop(opened, self._holder)

    def _hold(self) -> None:
        self._dropped = weakref.finalize(self, registry.drop, self._engine, self._holder)
        self._dropped.atexit = False  # the registry closes all that is open then

    def __reduce__(self) -> tuple[Any, ...]:
        self._check_open()
        if self._engine.private:
            raise InvalidType("a collection in memory cannot be pickled; give it a path")
        return _reopened, (type(self), str(self._engine.folder))

    # -- writes ----------------------------------------------------------------------------------------------

    def upsert(
        self,
        points: Any,
        *,
        update_filter: Filter | Mapping[str, Any] | None = None,
        update_mode: UpdateMode | str | None = None,
    ) -> UpdateFuture[UpdateResult]:
        """Insert points, or replace the whole of those that exist: vectors and payload.

        Args:
            points: A list of ``PointStruct`` (or dicts), a ``Batch`` of columns (ids; an (n, size) matrix, or
                ``{name: matrix}``; payloads), or a request body. The same id twice: the last one wins. Numbers are
                kept as float32; with Cosine vectors are normalised when they are stored. A vector that a point has
                already stays where it is: sending the same points again is cheap.
            update_filter: An existing point that does not match is left alone; new ones are inserted.
            update_mode: ``"upsert"``, ``"insert_only"`` (existing points are skipped) or ``"update_only"``
                (only points that exist, and match).

        Raises ``InvalidRequest`` (``InvalidId``, ``InvalidVector``, ``UnknownVector``, ``InvalidPayload``,
        ``EmptyRequest``, ``RequestTooLarge``, ...) before anything is done, ``CollectionClosed``, ``StoreFailed``.
        """
        self._check_open()
        return self._submit(requests.parse_upsert(points, self._schema, update_filter, update_mode))

    def update_vectors(
        self, points: Any, *, update_filter: Filter | Mapping[str, Any] | None = None
    ) -> UpdateFuture[UpdateResult]:
        """Replace the given vectors of existing points, and keep their others.

        ``points``: a list of ``PointVectors`` (or dicts), or a request body. The same id twice: merged, later ones
        win by name. ``update_filter``: points that do not match are left alone. Raises ``InvalidRequest`` as
        ``upsert`` does. The future raises ``PointNotFound`` with every missing id, and nothing is updated (Qdrant
        would update the others).
        """
        self._check_open()
        return self._submit(requests.parse_update_vectors(points, self._schema, update_filter))

    def delete_vectors(self, vectors: Any, points: Selector | Any = OMITTED) -> UpdateFuture[UpdateResult]:
        """Take the named vectors away from points; ``""`` is the unnamed one. The points stay.

        ``points``: ids or a filter. Raises ``UnknownVector``, ``InvalidRequest``. The future raises
        ``PointNotFound`` with every missing id, and nothing is done.
        """
        self._check_open()
        return self._submit(requests.parse_delete_vectors(vectors, points, self._schema))

    def set_payload(
        self, payload: Payload | Any, points: Selector | Any = OMITTED, *, key: str | None = None
    ) -> UpdateFuture[UpdateResult]:
        """Merge the top-level keys of ``payload`` into the payload of points; a null removes its key.

        Args:
            payload: A JSON object; or a request body, and then no ``points``.
            points: A list of ids, or a filter.
            key: Merge into the object at this payload path instead: what is missing on the way is made, what is no
                object is replaced; ``a[]`` is every element of an array, ``a[1]`` one that has to be there.

        Raises ``InvalidPayload`` for what is not JSON, ``InvalidPath``, ``InvalidFilter``, ``InvalidId``. The
        future raises ``PointNotFound`` with every missing id, and nothing is done (Qdrant would change the others).
        """
        return self._submit(requests.parse_set_payload(payload, points, key))

    def overwrite_payload(self, payload: Payload | Any, points: Selector | Any = OMITTED) -> UpdateFuture[UpdateResult]:
        """Replace the whole payload of points (ids or a filter); nulls are kept. Raises as ``set_payload`` does."""
        return self._submit(requests.parse_overwrite_payload(payload, points))

    def delete_payload(self, keys: Any, points: Selector | Any = OMITTED) -> UpdateFuture[UpdateResult]:
        """Delete the values at payload paths (``"a.b"``, ``"l[].x"``) from points (ids or a filter).

        ``"l[]"`` empties an array; ``"l[0]"`` does nothing, for doing it twice would not be doing it once. Paths that
        are not there are ignored. Raises as ``set_payload`` does.
        """
        return self._submit(requests.parse_delete_payload(keys, points))

    def clear_payload(self, points: Selector | Any) -> UpdateFuture[UpdateResult]:
        """Make the payload of points (ids or a filter) empty. Raises as ``set_payload`` does."""
        return self._submit(requests.parse_clear_payload(points))

    def delete(self, points: Selector | Any) -> UpdateFuture[UpdateResult]:
        """Delete points (ids or a filter); missing ids are ignored. Raises ``InvalidId``, ``InvalidFilter``."""
        return self._submit(requests.parse_delete(points))

    def batch(self, operations: Any, *, atomic: bool = True) -> UpdateFuture[list[UpdateResult]]:
        """Several operations, in order, as one: models (``UpsertOperation(...)``) or dicts (``{"upsert": ...}``).

        All or nothing; with ``atomic=False``, as in Qdrant, the first that is refused ends the batch and those
        before it stay. The future's result has one ``UpdateResult`` for each operation. Raises ``InvalidRequest``,
        which names the place (``operations[2]``), before anything is done; the future raises ``PointNotFound``.
        """
        self._check_open()
        return self._submit(requests.parse_batch(operations, self._schema, atomic))

    def create_payload_index(self, field_name: Any, field_schema: Any = OMITTED) -> UpdateFuture[UpdateResult]:
        """Have a payload index for a field: filters on it are answered without decoding payloads.

        Args:
            field_name: A payload path (``"color"``, ``"a.b"``, ``"list[].x"``).
            field_schema: ``"keyword"``, ``"integer"``, ``"float"``, ``"bool"``, ``"uuid"``, ``"datetime"``,
                ``"geo"`` or ``"text"``; a ``PayloadSchemaType``; or ``{"type": ...}`` with options.

        A field may have several. The index is built in the background, across closing and opening again if need
        be; the future completes when filters use it. Creating one that exists changes nothing. Filters give the
        same answers without one, and make their own (``auto_index``). Raises ``InvalidPath``, ``InvalidRequest``.
        """
        return self._submit(requests.parse_create_index(field_name, field_schema))

    def delete_payload_index(self, field_name: Any) -> UpdateFuture[UpdateResult]:
        """Delete the payload indexes of a field, if it has any. Filters make none again before the next opening."""
        return self._submit(requests.parse_delete_index(field_name))

    def _submit(self, operation: Any) -> UpdateFuture[Any]:
        self._check_open()
        return self._engine.submit(operation)

    # -- the collection itself -------------------------------------------------------------------------------

    def flush(self) -> None:
        """Wait until every operation so far is completed, and force everything to the disk.

        Raises ``StoreFailed``; ``CollectionClosed``.
        """
        self._check_open()
        self._engine.flush()

    def optimize(self) -> None:
        """Build what makes searches fast, now and with all cores, and wait until nothing is left to do.

        The same goes on in the background by itself, with one core and more patience. Raises ``StoreFailed``.
        """
        self._check_open()
        self._engine.optimize()

    def info(self) -> CollectionInfo:
        """What the collection is and holds: vectors, points, live and dead rows, bytes, payload indexes.

        ``CollectionInfo`` says what each is. It does not wait for writes that are under way.
        """
        return self._read(lambda view: collection_info(self._engine, view))

    def verify(self) -> VerifyReport:
        """Check everything the collection keeps, as of now, while it is used: files, checksums, and that all fits.

        It reads all there is. While it runs the store's file grows with every write. ``vecstore.verify`` and
        ``vecstore.repair`` are for a closed collection. Raises ``ReadOnly`` where it was opened for reading alone.
        """
        return verify_open(self._writing_engine())

    def snapshot(self, path: str | os.PathLike[str]) -> None:
        """Write a copy of the collection, as it is now, to ``path``, where nothing may be, while it is used.

        The copy is a collection of its own. On the same disk segment files get a second name there instead of
        being copied: they never change. Raises ``InvalidRequest``, ``ReadOnly``, ``StoreFailed``.
        """
        snapshot(self._writing_engine(), creation.folder_at(path))

    def _writing_engine(self) -> Engine:
        self._check_open()
        if isinstance(self._engine, Reader):
            raise ReadOnly(f"{self._engine.folder} was opened with read_only=True; this is for the one who writes")
        return self._engine

    def close(self, timeout: float | None = None) -> None:
        """Complete what is queued, and let go of the collection. Closing twice is fine.

        ``timeout``: so many seconds are waited for operations; None: until all are completed. After that those that
        are not get ``CollectionClosed``, whose message says what became of them: what was acknowledged is in the log,
        and is applied at the next open; the rest was not done. Nothing that was acknowledged is lost. What is being
        written at that moment, and reads that have begun, are always waited for.

        While another handle in this process has it open, only this handle is closed, at once: what it wrote goes on
        in the other's care, and the last one waits. Where the waiting is interrupted, closing goes on; closing or
        opening the collection again waits for it.

        Called in a callback of an operation, or in the middle of another call of the same thread (in a signal handler,
        or in a ``__del__`` that the garbage collector runs), this handle is closed at once, and the collection soon
        after that call: at the end of the interpreter at the latest, which waits for it.

        Raises ``InvalidRequest`` for a wrong timeout.
        """
        parse_timeout(timeout)
        try:
            self._dropped.detach()
            if is_inside(*HOLDING):
                registry.drop(self._engine, self._holder, timeout)
            else:
                elsewhere(lambda: registry.release(self._engine, self._holder, timeout), unwanted=lambda _: None)
        except BaseException:  # interrupted, perhaps before it began: it can be closed again
            if not self._dropped.alive:
                self._hold()
            raise

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        place = self._place
        if isinstance(self._engine, Reader):
            place += ", read-only"
        if not self._dropped.alive:
            return f"<Collection {place}, closed>"
        vectors = ", ".join(f"{n or 'vector'}: {p.size} {p.distance.value}" for n, p in self._schema.items())
        try:
            return f"<Collection {place}, {len(self)} points, {vectors or 'no vectors'}>"
        except VecstoreError as error:  # a debugger or a log wants to see it all the same
            return f"<Collection {place}, which cannot be read: {error}>"

    @property
    def _place(self) -> str:
        return "in memory" if self._engine.private else repr(str(self._engine.folder))

    def _check_open(self) -> None:
        if not self._dropped.alive:
            raise CollectionClosed("the collection is closed")
        self._engine.check_open()

    def _view(self) -> View:
        self._check_open()
        return self._engine.view(auto_index=self._auto_index)


def parse_timeout(timeout: object) -> None:
    """Raise ``InvalidRequest`` unless this is None or a number of seconds."""
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise InvalidType(f"expected a timeout in seconds, or None, got {describe(timeout)}")
    if not timeout >= 0:
        raise InvalidRequest(f"expected a timeout of at least 0 seconds, got {timeout}")


def _reopened(kind: type[Collection], path: str) -> Collection:
    return kind(path, read_only=True)


def _reader(
    path: object,
    params: Mapping[str, VectorParams] | None,
    durability: str | None,
    holder: object,
    nested_in: int | None,
) -> Reader:
    if path is None:
        raise InvalidRequest("expected a path to read from; a collection in memory is its maker's alone")
    if durability is not None:
        raise InvalidRequest("expected no durability with read_only=True: it is the writer's")
    return registry.acquire_reader(creation.folder_at(path), params, holder, nested_in)
