"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import beside, comparison, ingest
from benchmarks.data import SAMPLE, Source
from benchmarks.peers import PEERS
from benchmarks.report import header
from benchmarks.rows import COMPARED, MILLION
from benchmarks.workload import Packages, Synthetic

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results"
DEBIAN_POINTS, SYNTHETIC_POINTS = 62_666, 1_000_000
LAPS = 10


def main() -> None:
    args = arguments()
    print(header(), flush=True)
    with tempfile.TemporaryDirectory(prefix="vecstore-bench-", dir=args.dir) as folder:
        for name in args.benchmark or DEFAULT:
            print(BENCHMARKS[name](args, Path(folder)), flush=True)


def run_ingest(args: argparse.Namespace, folder: Path) -> str:
    return ingest.run(Source(args.data, args.rows), args.repeat, folder)


def run_compare(args: argparse.Namespace, folder: Path) -> str:
    source = Source(args.data, args.rows)
    name = source.name + (f"-{args.rows}" if args.rows else "")
    compared = comparison.Comparison("vecstore beside its peers", name, Packages(source), COMPARED, 1, DEBIAN_POINTS)
    return comparison.run(compared, wish(args, list(PEERS)), folder, args.results)


def run_million(args: argparse.Namespace, folder: Path) -> str:
    rows = args.rows or SYNTHETIC_POINTS
    name = f"million-{rows}" if args.rows else "million"
    compared = comparison.Comparison("A million points", name, Synthetic(rows), MILLION, LAPS, SYNTHETIC_POINTS)
    return comparison.run(compared, wish(args, ["vecstore", "limit"]), folder, args.results)


def run_beside(args: argparse.Namespace, folder: Path) -> str:
    return beside.run(Source(args.data, args.rows), folder)


def wish(args: argparse.Namespace, default: list[str]) -> comparison.Wish:
    return comparison.Wish(args.subjects or default, args.keep, args.budget)


BENCHMARKS: dict[str, Callable[[argparse.Namespace, Path], str]] = {
    "ingest": run_ingest,
    "compare": run_compare,
    "million": run_million,
    "beside": run_beside,
}
DEFAULT = ("ingest", "compare")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure vecstore.")
    parser.add_argument("benchmark", nargs="*", help=f"of {', '.join(BENCHMARKS)} (default: {', '.join(DEFAULT)})")
    parser.add_argument(
        "--data",
        type=Path,
        default=SAMPLE,
        help="folder with one .jsonl.gz and one .npy (default: the sample)",
    )
    parser.add_argument("--rows", type=at_least_one, help="load this many points (default: all)")
    parser.add_argument(
        "--subjects",
        type=subjects,
        help=f"compare these, of {','.join(PEERS)} (default: all that are installed; of a million, the first two)",
    )
    parser.add_argument("--keep", action="store_true", help="keep the figures of other subjects from an earlier run")
    parser.add_argument("--repeat", type=at_least_one, default=3, help="runs of each subject of ingest (default: 3)")
    parser.add_argument(
        "--budget", type=float, default=10.0, help="seconds for one figure of a comparison (default: 10)"
    )
    parser.add_argument("--dir", type=Path, help="write in this folder (default: the temporary folder)")
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help=f"write tables and pictures here ({RESULTS.name})"
    )
    args = parser.parse_args()
    if unknown := set(args.benchmark) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    return args


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {text}")
    return number


def subjects(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(PEERS):
        raise argparse.ArgumentTypeError(f"there is no subject {', '.join(sorted(unknown))}")
    return names


if __name__ == "__main__":
    main()
