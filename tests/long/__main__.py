"""The long profile: ``python -m tests.long [PART ...]``. What it has counted is printed at the end, as Markdown.

It ends with the first thing that is wrong. It takes about half an hour on two cores; ``--share 0.01`` is a try.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.long import churn, faults, fuzzing, kills, threads

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]
    Part = Callable[[float, Path, Say], dict[str, int]]

KILLS, OPERATIONS, INPUTS, MINUTES = 1000, 1_000_000, 10_000_000, 5.0


def run_kills(share: float, folder: Path, say: Say) -> dict[str, int]:
    return kills.run(max(1, round(share * KILLS)), folder, say)


def run_churn(share: float, folder: Path, say: Say) -> dict[str, int]:
    return churn.run(round(share * OPERATIONS), folder, say)


def run_fuzz(share: float, _: Path, say: Say) -> dict[str, int]:
    counts = fuzzing.run(round(share * INPUTS), 0, say)
    return {f"inputs of {len(counts)} parsers": sum(counts.values())}


def run_threads(share: float, folder: Path, say: Say) -> dict[str, int]:
    counts = threads.run(share * MINUTES, folder, say)
    return {f"rounds of {len(counts)} kinds of threads": sum(counts.values()), "searches": counts["searches"]}


def run_faults(share: float, folder: Path, say: Say) -> dict[str, int]:
    return faults.run(share, folder, say)


PARTS: dict[str, Part] = {
    "kills": run_kills,
    "faults": run_faults,
    "churn": run_churn,
    "fuzz": run_fuzz,
    "threads": run_threads,
}


def main() -> None:
    args = arguments()
    rows = []
    for name in args.part or PARTS:
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="vecstore-long-", dir=args.dir) as folder:
            counts = PARTS[name](args.share, Path(folder), partial(say, name))
        rows += [(f"{name}: {what}", f"{count:,}") for what, count in counts.items()]
        rows.append((f"{name}: seconds", f"{time.monotonic() - start:,.0f}"))
        say(name, "nothing was wrong\n")
    print(f"\n{datetime.date.today().isoformat()}, Python {sys.version.split()[0]}: nothing was lost, nothing grew\n")
    print("| | |\n|---|--:|")
    for what, count in rows:
        print(f"| {what} | {count} |")


def say(part: str, what: str) -> None:
    """Show how far it is, on the line before."""
    print(f"\r\x1b[K{part}: {what}", end="", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.long", description="Run what takes too long for every day.")
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--share", type=float, default=1.0, help="this share of the kills, faults, operations, inputs")
    parser.add_argument("--dir", type=Path, help="write in this folder (default: the temporary folder)")
    args = parser.parse_args()
    if unknown := set(args.part) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return args


if __name__ == "__main__":
    main()
