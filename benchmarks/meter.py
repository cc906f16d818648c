"""Instruments: the memory of this process, bytes on disk, percentiles, a progress line."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

STATUS = Path("/proc/self/status")
MEMORY = "RssAnon" if STATUS.exists() else "RSS by psutil"
SAMPLED_EVERY = 0.02


def memory() -> int:
    """Bytes of memory that are this process's own; where the system does not tell, all that are resident."""
    if STATUS.exists():
        return _status("RssAnon")
    return resident()


def resident() -> int:
    """Bytes of memory that are resident for this process, mapped files among them."""
    if STATUS.exists():
        return _status("VmRSS")
    import psutil

    return int(psutil.Process().memory_info().rss)


def _status(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


class PeakMemory:
    """The most memory seen in a ``with`` block above what was there at its start, in ``growth``."""

    def __enter__(self) -> PeakMemory:
        self._before = memory()
        self.growth = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLED_EVERY):
            self._look()

    def _look(self) -> None:
        self.growth = max(self.growth, memory() - self._before)


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def percentile(times: Iterable[float], percent: float) -> float:
    return float(np.percentile(list(times), percent))


def on_disk(folder: Path) -> int:
    """Bytes that the files in ``folder`` take; holes in them take none."""
    return sum(_taken(path.stat()) for path in folder.rglob("*") if path.is_file())


def _taken(stat: os.stat_result) -> int:
    blocks = getattr(stat, "st_blocks", None)
    return stat.st_size if blocks is None else blocks * 512


def progress(text: str) -> None:
    """Say on stderr what is being done: on a terminal in one line, which an empty text clears."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr)
