"""Fuzzing of everything that reads what others wrote: ``python -m tests.long.fuzzing --inputs 10000000``.

The inputs come from a seeded generator, so that a run can be done again, or with ``--atheris`` from a fuzzer that looks
at what they reach (extra ``fuzz``). An input that ends in anything but an answer or a ``VecstoreError`` is printed, and
``--target NAME --input HEX`` does it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from typing import TYPE_CHECKING

if "--atheris" in sys.argv:
    import atheris

    with atheris.instrument_imports(include=["vecstore"]):  # before anything else imports it
        from vecstore import VecstoreError

        from .targets import TARGETS
else:
    from vecstore import VecstoreError

    from .targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Job = tuple[str, int, int]

PORTION = 20_000
"""So many inputs are one job of a process."""
LONGEST = 40
"""An input has at most so many bytes."""


class Fault(AssertionError):
    """An input that ended in neither an answer nor a ``VecstoreError``."""


def shares(inputs: int) -> dict[str, int]:
    """How many of the inputs are for each target: in all exactly so many."""
    given, left = {}, inputs
    for number, (name, target) in enumerate(TARGETS.items(), start=1):
        given[name] = left if number == len(TARGETS) else inputs * target.share // 100
        left -= given[name]
    return given


def try_one(name: str, data: bytes) -> None:
    """One input. Raises ``Fault``."""
    try:
        TARGETS[name].run(data)
    except VecstoreError:
        pass
    except Exception as error:
        again = f"python -m tests.long.fuzzing --target {name!r} --input {data.hex() or repr('')}"
        raise Fault(
            f"{type(error).__name__}: {str(error)[:1000]}\n{traceback.format_exc(limit=-6)}\n{again}"
        ) from error


def do(job: Job) -> tuple[str, int]:
    """So many inputs for a target, from a seed: the target, and how many they were. Raises ``Fault``."""
    name, count, seed = job
    generator = random.Random(f"{name} {seed}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(count):
            try_one(name, generator.randbytes(generator.randrange(2, LONGEST)))
    return name, count


def jobs(inputs: int, seed: int) -> Iterator[Job]:
    """All the work, in portions of which each has a seed of its own."""
    for name, count in shares(inputs).items():
        for number, start in enumerate(range(0, count, PORTION)):
            yield name, min(PORTION, count - start), seed * 1_000_003 + number


def run(inputs: int, seed: int, say: Callable[[str], None], processes: int | None = None) -> dict[str, int]:
    """Try so many inputs in all: how many there were for each target.

    ``say`` is told how far it is. ``processes``: None for one a core, 1 for this one. Raises ``Fault`` at the first
    input that ends in anything but an answer or a ``VecstoreError``.
    """
    counts: Counter[str] = Counter()
    began = time.monotonic()
    work = list(jobs(inputs, seed))
    with _map(processes or os.cpu_count() or 1) as results:
        for name, count in results(do, work):
            counts[name] += count
            done, seconds = counts.total(), time.monotonic() - began
            say(f"{done:,} of {inputs:,} inputs, {done / max(seconds, 1e-9):,.0f} a second ({name})")
    assert counts.total() == inputs
    return dict(counts)


class _map:  # noqa: N801 - a function, in its use
    """``map``, in this process or over several."""

    def __init__(self, processes: int) -> None:
        self._pool = None if processes == 1 else multiprocessing.get_context("spawn").Pool(processes)

    def __enter__(self) -> Callable[..., Iterator[tuple[str, int]]]:
        return map if self._pool is None else self._pool.imap_unordered

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool.join()


def guided(name: str, inputs: int) -> None:
    """Let atheris choose the inputs of a target. It ends the process."""
    atheris.Setup([sys.argv[0], f"-runs={inputs}", f"-max_len={LONGEST}"], lambda data: try_one(name, data))
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, help="one a core, if not said")
    parser.add_argument("--target", choices=list(TARGETS), help="one target alone; needed for --input and --atheris")
    parser.add_argument("--input", metavar="HEX", help="this input, once")
    parser.add_argument("--atheris", action="store_true", help="inputs chosen by what they reach")
    said = parser.parse_args()
    if (said.input is not None or said.atheris) and said.target is None:
        parser.error("expected --target beside --input and --atheris")
    if said.input is not None:
        warnings.simplefilter("error")
        try_one(said.target, bytes.fromhex(said.input))
    elif said.atheris:
        guided(said.target, said.inputs)
    elif said.target is not None:
        _one_target(said)
    else:
        counts = run(said.inputs, said.seed, lambda line: print(f"\r{line:<100}", end="", flush=True), said.processes)
        print()
        for name, count in counts.items():
            print(f"{count:>12,}  {name}")
        print(f"{sum(counts.values()):>12,}  inputs, every one of them answered or refused")


def _one_target(said: argparse.Namespace) -> None:
    began = time.monotonic()
    do((said.target, said.inputs, said.seed))
    seconds = time.monotonic() - began
    print(f"{said.inputs:,} inputs for {said.target}: {said.inputs / seconds:,.0f} a second")


if __name__ == "__main__":
    main()
