"""The one door to FAISS: imported when it is first needed, files written and mapped, threads for a call."""

from __future__ import annotations

import sys
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from vecstore.errors import Corrupted, StoreFailed, WouldWaitForItself
from vecstore.models import Distance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import ModuleType

T = TypeVar("T")

WRITE_BYTES = 1 << 20


@cache
def library() -> ModuleType:
    """FAISS."""
    import faiss

    # Others wait for whoever imports it. But a signal handler, or a ``__del__``, may come in the middle of that.
    if getattr(faiss.__spec__, "_initializing", False):
        raise WouldWaitForItself("FAISS is being imported by the thread that wants to use it")
    return faiss


def forget_threads() -> None:
    """After a fork, in the child: this thread uses one core from now on. Others are as they are.

    IMPORTANT: OpenMP keeps the threads a thread has worked with, and they are not there in a child. It would wait
    for them in its next call, for ever.
    """
    if (set_threads := getattr(sys.modules.get("faiss"), "omp_set_num_threads", None)) is not None:
        set_threads(1)


def metric(distance: Distance) -> int:
    """FAISS's number for a distance; cosine is the inner product of normalised vectors."""
    faiss = library()
    metrics = {Distance.EUCLID: faiss.METRIC_L2, Distance.MANHATTAN: faiss.METRIC_L1}
    return int(metrics.get(distance, faiss.METRIC_INNER_PRODUCT))


def write_index(index: Any, path: Path) -> None:
    """Write an index as ``faiss.write_index`` does. Raises ``OSError``."""
    # IMPORTANT: through a file of ours. FAISS closes its own without looking at what closing says, so that
    # the last bytes can be missing from a full disk and no error is raised.
    with path.open("wb") as file:
        library().write_index(index, library().PyCallbackIOWriter(file.write, WRITE_BYTES))


def map_index(path: Path) -> Any:
    """An index that lies in its file. Raises ``Corrupted``, ``StoreFailed``."""
    try:
        return library().read_index(str(path), library().IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:
        raise _unreadable(path, error) from error


def read_index(path: Path) -> Any:
    """An index in memory of its own, which can grow. Raises ``Corrupted``."""
    try:
        return library().read_index(str(path))
    except RuntimeError as error:
        raise Corrupted(path, f"FAISS cannot read it: {error}") from error


def content_of(index: Any) -> npt.NDArray[np.uint8]:
    """What the file of an index holds."""
    content: npt.NDArray[np.uint8] = library().serialize_index(index)
    return content


def index_in(content: npt.NDArray[np.uint8]) -> Any:
    """An index that lies in an array which holds what its file would, and has to live as long.

    Raises ``RuntimeError``, ``MemoryError``.
    """
    faiss = library()
    return faiss.read_index(faiss.ZeroCopyIOReader(faiss.swig_ptr(content), len(content)))


def index_of(content: npt.NDArray[np.uint8]) -> Any:
    """An index in memory of its own, from what its file would hold. Raises ``RuntimeError``, ``MemoryError``."""
    return library().deserialize_index(content)


def array_at(vector: Any) -> npt.NDArray[Any]:
    """A vector of FAISS's as an array of its memory: for as long as nobody adds to it, or lets it go."""
    array: npt.NDArray[Any] = library().rev_swig_ptr(vector.data(), vector.size())
    return array


def _unreadable(path: Path, error: Exception) -> Exception:
    # FAISS says a damaged file and a lack of memory or descriptors alike.
    try:
        np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, MemoryError) as lack:
        return StoreFailed(f"{path}: cannot be mapped: {lack}")
    return Corrupted(path, f"FAISS cannot read it: {error}")


class Threads:
    """A context in which this thread's FAISS calls use ``count`` threads; None leaves them as they are."""

    def __init__(self, count: int | None) -> None:
        self._count = count
        self._before = 0

    def __enter__(self) -> None:
        if self._count is not None:
            self._before = library().omp_get_max_threads()
            library().omp_set_num_threads(self._count)

    def __exit__(self, *_: object) -> None:
        if self._count is not None:
            library().omp_set_num_threads(self._before)


def side_by_side(works: Sequence[Callable[[], T]]) -> list[T]:
    """What these return, each from a thread of its own. For calls that spend their time in FAISS."""
    results: dict[int, T] = {}
    errors: list[BaseException] = []

    def do(number: int) -> None:
        try:
            results[number] = works[number]()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            errors.append(error)

    threads = []
    for number in range(1, len(works)):
        thread = threading.Thread(target=do, args=(number,), daemon=True)
        try:
            thread.start()
            threads.append(thread)
        except RuntimeError:  # the interpreter is ending and starts no more threads
            do(number)
    do(0)
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(works))]


def for_queries(count: int) -> Threads:
    """A single query is done sooner on one thread than by waking the others."""
    return Threads(1 if count == 1 else None)
