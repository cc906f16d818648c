"""asyncio: ``AsyncCollection``, a ``Collection`` whose every call can be awaited, and none of which blocks the loop.

    async with AsyncCollection("products.vecstore", vectors=VectorParams(384, "Cosine")) as col:
        await col.upsert(points)                         # searchable: an UpdateResult
        hits = await col.search(vector, filter=field("color") == "red")

Where the work is done, so that the loop goes on:

    reads       in a pool of ``threads`` threads; searches let go of Python's lock, and run side by side
    writes      in one thread, in the order of the calls: there they are checked and encoded, and there they wait
                while the queue of the collection is full
    the rest    ``flush``, ``optimize``, bulk loading, files and opening take their time in two further threads,
                closing in one of its own

A write begins when it is called, not when it is awaited, and what is cancelled is the waiting, never the operation:
see ``AsyncUpdate``. A read that is cancelled is withdrawn if it has not begun; otherwise it ends by itself, and what
it found is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from vecstore.collection import Collection, parse_timeout
from vecstore.engine.deadline import Deadline
from vecstore.errors import CollectionClosed, InvalidRequest, InvalidType
from vecstore.futures import when_settled
from vecstore.shapes import describe

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Mapping
    from concurrent.futures import Future
    from types import TracebackType

    from vecstore.futures import UpdateFuture
    from vecstore.models import VectorParams

P = ParamSpec("P")
T = TypeVar("T")
logger = logging.getLogger("vecstore")

THREADS = 4
"""How many reads of one collection run at a time, unless it is said."""
SLOW_THREADS = 2
"""How many threads flush, optimize, open and close."""


class AsyncUpdate(Coroutine[Any, Any, T], Generic[T]):
    """What a write of an ``AsyncCollection`` returns. The operation is under way, whether it is awaited or not.

        result = await col.upsert(points)                  # applied, and found by every read that begins now
        result = await col.upsert(points).acknowledged()   # in the log: not lost any more
        future = await col.upsert(points).future()         # queued: an UpdateFuture, to be awaited later

    Each of the three raises what was wrong with the call, and the first two what became of the operation:
    ``PointNotFound``, ``StoreFailed``. What was passed must not change before one of them has returned. ``future()``
    waits only while the queue of the collection is full: who writes much without awaiting anything keeps all of it
    in memory.

    Cancelling whoever awaits cancels the waiting, never the operation. A failure that nobody has awaited is logged as
    an error by the logger ``vecstore``. It is a coroutine, so that ``asyncio.create_task`` and ``gather`` take it.
    """

    def __init__(self, submitted: Future[UpdateFuture[T]]) -> None:
        self._submitted = submitted
        self._running: Coroutine[Any, Any, T] | None = None
        self._is_looked_at = False

    async def future(self) -> UpdateFuture[T]:
        """The future of the operation, as soon as it is queued: numbered, and on its way."""
        await _until(lambda tell: self._submitted.add_done_callback(lambda _: tell()))
        self._is_looked_at = True
        return self._submitted.result()

    async def acknowledged(self) -> T:
        """The result as acknowledged, once the operation is in the log and, with "fsync", on the disk."""
        future = await self.future()
        await _until(partial(when_settled, future))
        return future.acknowledged()

    async def _completed(self) -> T:
        return await (await self.future())

    def __await__(self) -> Generator[Any, None, T]:
        return self._completed().__await__()

    def send(self, value: Any) -> Any:
        """Go on: for whoever runs it as a coroutine."""
        return self._as_coroutine().send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with an error: for whoever runs it as a coroutine."""
        return self._as_coroutine().throw(*error)

    def close(self) -> None:
        """Wait no more: for whoever runs it as a coroutine. The operation goes on."""
        if self._running is not None:
            self._running.close()

    def _as_coroutine(self) -> Coroutine[Any, Any, T]:
        if self._running is None:
            self._running = self._completed()
        return self._running

    def __del__(self) -> None:
        if not self._is_looked_at:
            self._submitted.add_done_callback(_log_failure)


def _log_failure(submitted: Future[UpdateFuture[Any]]) -> None:
    if (error := submitted.exception()) is not None:
        logger.error("an operation was refused at the call and nobody asked: %s", error, exc_info=error)


async def _until(register: Callable[[Callable[[], None]], object]) -> None:
    """Wait for something that happens in another thread. Cancelling this leaves that alone.

    ``register`` is given what is to be called then, from any thread.
    """
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if waiter.done() else waiter.set_result(None))

    register(tell)
    await waiter


def _read(
    method: Callable[Concatenate[Collection, P], T],
) -> Callable[Concatenate[AsyncCollection, P], Coroutine[Any, Any, T]]:
    @wraps(method)
    async def call(self: AsyncCollection, /, *args: P.args, **options: P.kwargs) -> T:
        found: T = await self._in(self._reads, method.__name__, *args, **options)
        return found

    return call


def _write(
    method: Callable[Concatenate[Collection, P], UpdateFuture[T]],
) -> Callable[Concatenate[AsyncCollection, P], AsyncUpdate[T]]:
    @wraps(method)
    def call(self: AsyncCollection, /, *args: P.args, **options: P.kwargs) -> AsyncUpdate[T]:
        return AsyncUpdate(self._writes.submit(getattr(self.collection, method.__name__), *args, **options))

    return call


def _slow(
    method: Callable[Concatenate[Collection, P], T],
) -> Callable[Concatenate[AsyncCollection, P], Coroutine[Any, Any, T]]:
    @wraps(method)
    async def call(self: AsyncCollection, /, *args: P.args, **options: P.kwargs) -> T:
        await self._in(self._writes, "_check_open")  # behind every write that was called before
        found: T = await self._in(self._upkeep, method.__name__, *args, **options)
        return found

    return call


class AsyncCollection:
    """A ``Collection`` for asyncio: the same calls, with the same arguments, and the same errors when awaited.

        async with AsyncCollection("products.vecstore") as col: ...      # opened here, and closed at the end
        col = await AsyncCollection("products.vecstore")                 # or so; then ``await col.close()``

    Nothing is opened before that. Reads and the like are coroutines; writes return an ``AsyncUpdate``, which gives the
    ``UpdateResult`` when it is awaited. For ``len(col)`` write ``await col.count()``, for ``id in col``
    ``await col.get(id) is not None``.

    Args:
        path, vectors, durability, auto_index, read_only: As for ``Collection``.
        threads: How many reads run at a time (1 or more), each in a thread of the collection's own; others wait.

    Raises ``InvalidRequest`` for wrong ``threads``; opening raises what ``Collection`` does, and any call
    ``CollectionClosed`` before it is opened and after it is closed. It may be used from any number of event loops.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        vectors: VectorParams | Mapping[str, VectorParams] | Mapping[str, Any] | None = None,
        durability: str | None = None,
        auto_index: bool = True,
        read_only: bool = False,
        threads: int = THREADS,
    ) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int):
            raise InvalidType(f"expected threads as an integer, got {describe(threads)}")
        if threads < 1:
            raise InvalidRequest(f"expected threads of at least 1, got {threads}")
        self._make: Callable[[], Collection] = partial(
            Collection, path, vectors=vectors, durability=durability, auto_index=auto_index, read_only=read_only
        )
        self._collection: Collection | None = None
        self._opening: Future[Collection] | None = None
        self._closing: Future[None] | None = None
        self._reads = ThreadPoolExecutor(threads, "vecstore-reads")
        self._writes = ThreadPoolExecutor(1, "vecstore-writes")  # one, so that writes keep the order of the calls
        self._upkeep = ThreadPoolExecutor(SLOW_THREADS, "vecstore-upkeep")
        self._closer = ThreadPoolExecutor(1, "vecstore-closing")  # not behind a write that waits for room

    @classmethod
    def wrap(cls, collection: Collection, *, threads: int = THREADS) -> AsyncCollection:
        """The asynchronous calls of a collection that is open; ``close`` closes it."""
        if not isinstance(collection, Collection):
            raise InvalidType(f"expected a Collection, got {describe(collection)}")
        found = cls(threads=threads)
        found._collection = collection
        return found

    @property
    def collection(self) -> Collection:
        """The ``Collection`` behind it, for threads. Raises ``CollectionClosed`` where it is not open."""
        if self._closing is not None:
            raise CollectionClosed("the collection is closed")
        if self._collection is None:
            raise CollectionClosed("the collection is not open yet: use 'async with', or await it")
        self._collection._check_open()
        return self._collection

    # -- opening and closing ---------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, AsyncCollection]:
        return self._open().__await__()

    async def _open(self) -> AsyncCollection:
        if self._collection is None and self._closing is None:
            if self._opening is not None:
                raise InvalidRequest("the collection is being opened already")
            self._opening = opening = self._upkeep.submit(self._make)
            try:
                await _until(lambda tell: opening.add_done_callback(lambda _: tell()))
                self._collection = opening.result()
            except asyncio.CancelledError:
                self._upkeep.submit(_close_unwanted, opening)
                raise
            finally:
                self._opening = None
        _ = self.collection  # raises where it was closed meanwhile
        return self

    async def __aenter__(self) -> AsyncCollection:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, timeout: float | None = None) -> None:
        """Complete every write that was called, and let go of the collection. Closing twice is fine.

        ``timeout``: as for ``Collection.close``; writes that were not queued by then get ``CollectionClosed``, too.
        Where it is cancelled, closing goes on; closing again waits for it, and has no other timeout.
        """
        parse_timeout(timeout)
        if self._closing is None:
            called = self._writes.submit(_nothing)  # behind every write
            self._closing = self._closer.submit(self._close, called, Deadline(timeout))
        closing = self._closing
        await _until(lambda tell: closing.add_done_callback(lambda _: tell()))
        closing.result()

    def _close(self, called: Future[None], deadline: Deadline) -> None:
        wait([called], deadline.left())
        try:
            if self._opening is not None:
                _close_unwanted(self._opening)
            elif self._collection is not None:
                self._collection.close(deadline.left())
        finally:
            for pool in (self._reads, self._writes, self._upkeep, self._closer):
                pool.shutdown(wait=False)

    async def _in(self, pool: ThreadPoolExecutor, name: str, *args: Any, **options: Any) -> Any:
        call = partial(getattr(self.collection, name), *args, **options)
        return await asyncio.get_running_loop().run_in_executor(pool, call)

    def __repr__(self) -> str:
        if self._closing is not None:
            return "<AsyncCollection, closed>"
        if self._collection is None:
            return "<AsyncCollection, not open>"
        return f"<AsyncCollection {self._collection._place}>"

    # -- the calls -------------------------------------------------------------------------------------------

    upsert = _write(Collection.upsert)
    update_vectors = _write(Collection.update_vectors)
    delete_vectors = _write(Collection.delete_vectors)
    set_payload = _write(Collection.set_payload)
    overwrite_payload = _write(Collection.overwrite_payload)
    delete_payload = _write(Collection.delete_payload)
    clear_payload = _write(Collection.clear_payload)
    delete = _write(Collection.delete)
    batch = _write(Collection.batch)
    create_payload_index = _write(Collection.create_payload_index)
    delete_payload_index = _write(Collection.delete_payload_index)

    retrieve = _read(Collection.retrieve)
    get = _read(Collection.get)
    scroll = _read(Collection.scroll)
    count = _read(Collection.count)
    search = _read(Collection.search)
    search_batch = _read(Collection.search_batch)
    explain = _read(Collection.explain)
    info = _read(Collection.info)

    flush = _slow(Collection.flush)
    optimize = _slow(Collection.optimize)
    upload = _slow(Collection.upload)
    export = _slow(Collection.export)
    verify = _slow(Collection.verify)
    snapshot = _slow(Collection.snapshot)
    to_pandas = _slow(Collection.to_pandas)

    @staticmethod
    async def load(
        source: str | os.PathLike[str],
        path: str | os.PathLike[str] | None = None,
        *,
        threads: int = THREADS,
        **options: Any,
    ) -> AsyncCollection:
        """``Collection.load``, with its arguments, its errors, and ``threads`` as for ``AsyncCollection``."""
        found = AsyncCollection(threads=threads)
        found._make = partial(Collection.load, source, path, **options)
        return await found


def _nothing() -> None:
    pass


def _close_unwanted(opening: Future[Collection]) -> None:
    """Close what was opened for somebody who did not wait for it."""
    with suppress(Exception):  # it was not opened at all
        opening.result().close()
