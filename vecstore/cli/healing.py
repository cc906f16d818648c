"""Commands that keep the only copy safe: verify, repair, snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vecstore import checking
from vecstore.cli.options import collection_path, json_option, writing
from vecstore.cli.output import print_json, waiting
from vecstore.exit_codes import DAMAGED
from vecstore.extras import needs

with needs("cli"):
    import click

if TYPE_CHECKING:
    from vecstore.health import RepairReport, VerifyReport


@click.command()
@collection_path
@json_option
def verify(path: Path, as_json: bool) -> int:
    """Check all that a collection keeps.

    Files, checksums, and that everything fits together. Nothing is changed, and nobody may be writing.
    """
    with waiting("verifying"):
        report = checking.verify(path)
    return _told(report, as_json)


@click.command()
@collection_path
@click.option("--drop", is_flag=True, help="Give up what cannot be mended, so that the rest can be used.")
@json_option
def repair(path: Path, drop: bool, as_json: bool) -> int:
    """Mend what can be mended, and tell what cannot.

    Without --drop nothing is ever lost.
    """
    with waiting("mending"):
        report = checking.repair(path, drop=drop)
    return _told(report, as_json)


def _told(report: VerifyReport | RepairReport, as_json: bool) -> int:
    if as_json:
        print_json({"ok": report.ok, "report": report})
    else:
        print(report)
    return 0 if report.ok else DAMAGED


@click.command()
@collection_path
@click.argument("target", type=click.Path(path_type=Path))
@json_option
def snapshot(path: Path, target: Path, as_json: bool) -> None:
    """Copy a collection to TARGET, where nothing may be.

    Nobody else may be writing. On the same disk the copy shares the files that never change.
    """
    with writing(path) as col:
        with waiting("copying"):
            col.snapshot(target)
        points = len(col)
    if as_json:
        print_json({"points": points, "path": str(target)})
    else:
        print(f"a copy of {path}, with {points:,} points, is at {target}")


HEALING = (verify, repair, snapshot)
