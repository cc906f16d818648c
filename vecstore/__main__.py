"""``python -m vecstore``, and the command ``vecstore``: needs the extra ``cli``, and says so where it is missing.

Checking and mending a collection needs no extra.
"""

from __future__ import annotations

import sys

from vecstore.checking import command
from vecstore.errors import MissingExtra


def main() -> None:
    """Run the command line, and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # whatever the terminal can show
    try:
        from vecstore.cli.run import run
    except MissingExtra as error:
        if sys.argv[1:2] in (["verify"], ["repair"]):
            sys.exit(command.main())
        print(f"vecstore: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(run())


if __name__ == "__main__":
    main()
