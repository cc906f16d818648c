"""``python -m vecstore verify PATH`` and ``repair PATH [--drop]``, where the extra ``cli`` is not installed."""

from __future__ import annotations

import argparse
import sys

from vecstore.checking import repair, verify
from vecstore.errors import VecstoreError


def main(arguments: list[str] | None = None) -> int:
    """Run a command: 0 when the collection is well, 1 when it is not, 2 when it cannot be looked at."""
    asked = _parser().parse_args(arguments)
    try:
        report = verify(asked.path) if asked.command == "verify" else repair(asked.path, drop=asked.drop)
    except VecstoreError as error:
        print(error, file=sys.stderr)
        return 2
    print(report)
    return 0 if report.ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vecstore", description="Look after collections that are closed.")
    commands = parser.add_subparsers(dest="command", required=True)
    verifying = commands.add_parser("verify", help="check everything a collection keeps")
    repairing = commands.add_parser("repair", help="mend what can be mended, and tell what cannot")
    repairing.add_argument("--drop", action="store_true", help="give up what cannot be mended")
    for command in (verifying, repairing):
        command.add_argument("path", help="the folder of the collection")
    return parser
