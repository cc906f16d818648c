"""The command: from arguments to an exit code (``exit_codes``)."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import vecstore
from vecstore.cli.asking import ASKING
from vecstore.cli.healing import HEALING
from vecstore.cli.keeping import KEEPING
from vecstore.errors import UploadStopped
from vecstore.exit_codes import ERRORS, INTERRUPTED, STOPPED, WRONG, code_of
from vecstore.extras import needs

with needs("cli"):
    import click

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPILOG = """\b
Exit codes:
  0    it is done
  1    a point that was asked for is not there
  2    the command is wrong, or a file it names
  3    the collection is damaged
  4    another process has it open for writing
  5    reading or writing failed
  6    an import stopped on the way
  130  interrupted"""


@click.group(epilog=_EPILOG, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(vecstore.__version__, prog_name="vecstore", message="%(prog)s %(version)s")
@click.pass_context
def command(context: click.Context) -> None:
    """Look at a collection of vecstore, fill it and care for it."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(WRONG)


for _each in (*ASKING, *KEEPING, *HEALING):
    command.add_command(_each)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those of the process: its exit code."""
    try:
        code = command.main(arguments, prog_name="vecstore", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        return _failed(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _failed("interrupted", INTERRUPTED)
    except (BrokenPipeError, SystemExit):  # whoever reads the output has enough; click makes an exit of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UploadStopped as error:
        before = f" (the {error.count:,} before it are in; go on with --skip {error.count})" if error.count else ""
        return _failed(f"{error}{before}", STOPPED)
    except ERRORS as error:
        return _failed(str(error), code_of(error))
    return code if isinstance(code, int) else 0


def _failed(message: str, code: int) -> int:
    print(f"vecstore: {' '.join(message.split())}", file=sys.stderr)
    return code
