"""``python -m vecstore``, and the command ``vecstore``: needs the extra ``cli``, and says so where it is missing.

Checking and mending a collection needs no extra.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper

from vecstore.checking import command
from vecstore.errors import MissingExtra


def main() -> None:
    """Run the command line, and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what its encoding lacks is escaped
            stream.reconfigure(errors="backslashreplace")
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
