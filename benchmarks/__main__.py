"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import ingest
from benchmarks.data import SAMPLE, Source
from benchmarks.report import header

BENCHMARKS = {"ingest": ingest.run}


def main() -> None:
    args = arguments()
    source = Source(args.data, args.rows)
    print(header(), flush=True)
    with tempfile.TemporaryDirectory(prefix="vecstore-bench-", dir=args.dir) as folder:
        for name in args.benchmark or BENCHMARKS:
            print(BENCHMARKS[name](source, args.repeat, Path(folder)), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure vecstore.")
    parser.add_argument("benchmark", nargs="*", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument(
        "--data",
        type=Path,
        default=SAMPLE,
        help="folder with one .jsonl.gz and one .npy (default: the sample)",
    )
    parser.add_argument("--rows", type=at_least_one, help="load this many points (default: all)")
    parser.add_argument("--repeat", type=at_least_one, default=3, help="runs of each subject (default: 3)")
    parser.add_argument("--dir", type=Path, help="write in this folder (default: the temporary folder)")
    args = parser.parse_args()
    if unknown := set(args.benchmark) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    return args


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {text}")
    return number


if __name__ == "__main__":
    main()
