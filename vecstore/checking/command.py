"""``python -m vecstore verify PATH`` and ``repair PATH [--drop]``, where the extra ``cli`` is not installed."""

from __future__ import annotations

import argparse
import sys

from vecstore.checking import repair, verify
from vecstore.exit_codes import DAMAGED, ERRORS, code_of


def main(arguments: list[str] | None = None) -> int:
    """Run a command: its exit code (``exit_codes``), which is that of the same command with the extra."""
    asked = _parser().parse_args(arguments)
    try:
        report = verify(asked.path) if asked.command == "verify" else repair(asked.path, drop=asked.drop)
    except ERRORS as error:
        print(error, file=sys.stderr)
        return code_of(error)
    print(report)
    return 0 if report.ok else DAMAGED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vecstore", description="Look after collections that are closed.")
    commands = parser.add_subparsers(dest="command", required=True)
    verifying = commands.add_parser("verify", help="check everything a collection keeps")
    repairing = commands.add_parser("repair", help="mend what can be mended, and tell what cannot")
    repairing.add_argument("--drop", action="store_true", help="give up what cannot be mended")
    for command in (verifying, repairing):
        command.add_argument("path", help="the folder of the collection")
    return parser
