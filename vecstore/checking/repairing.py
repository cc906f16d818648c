"""Repair: mend what can be mended, and tell what cannot.

A look at everything, the cures for what was found, and a look again, until nothing more can be done: a cure may
bring to light what the damage had hidden. What would be lost is given up only where the caller says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vecstore.checking.cures import rewrite_journal
from vecstore.checking.mending import Mending
from vecstore.checking.subject import Findings
from vecstore.checking.verifying import examine, locked
from vecstore.engine.creation import SEGMENTS, STORE
from vecstore.errors import StoreFailed
from vecstore.health import RepairReport
from vecstore.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vecstore.checking.held import Held
    from vecstore.checking.subject import Finding
    from vecstore.health import Problem


def repair_closed(folder: Path, *, drop: bool) -> RepairReport:
    """Mend a collection that nobody has open; ``drop``: give up what cannot be mended.

    Raises ``NotACollection``, ``CollectionLocked``, ``UnsupportedFormat``, ``StoreFailed``.
    """
    done: dict[Problem, None] = {}
    with locked(folder):
        while True:
            findings = Findings(lambda: None)
            held = examine(folder, findings)
            todo = [finding for finding in findings.found if finding.problem not in done and _may(finding, drop=drop)]
            if not todo:
                break
            _apply(folder, held, todo)
            done.update(dict.fromkeys(finding.problem for finding in todo))
    left = tuple(dict.fromkeys(finding.problem for finding in findings.found))
    good = [problem for problem in done if problem not in left]
    return RepairReport(
        str(folder),
        mended=tuple(problem for problem in good if problem.mendable),
        dropped=tuple(problem for problem in good if not problem.mendable),
        left=left,
    )


def _may(finding: Finding, *, drop: bool) -> bool:
    return finding.cure is not None and (finding.problem.mendable or drop)


def _apply(folder: Path, held: Sequence[Held], todo: Sequence[Finding]) -> None:
    store = Store(folder / STORE, sync=True)
    try:
        with store.environment.read() as txn:
            params = store.meta.vectors(txn)
        mending = Mending(store, folder / SEGMENTS, params, held)
        for finding in todo:
            if finding.cure is not None:
                finding.cure.apply(mending)
        if mending.journal_changed:
            rewrite_journal(mending)
    except OSError as error:
        raise StoreFailed(f"{folder} cannot be mended: {error}") from error
    finally:
        store.environment.close()
