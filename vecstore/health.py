"""What ``verify`` and ``repair`` tell: what was looked at, what is wrong with it, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vecstore.models import PointId

SHOWN = 10
"""So many ids are named when a report is printed; the report has all."""


@dataclass(frozen=True)
class Loss:
    """What is gone with something damaged: ``what`` in words, and the ``points`` it is gone from, where they are known.

    ``vector``: the name of the vector these points lose; None where it is something else.
    """

    what: str
    points: tuple[PointId, ...] = ()
    vector: str | None = None

    def __str__(self) -> str:
        if not self.points:
            return self.what
        shown = ", ".join(map(str, self.points[:SHOWN]))
        more = f" and {len(self.points) - SHOWN} more" if len(self.points) > SHOWN else ""
        return f"{self.what} (ids {shown}{more})"


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was written, or does not fit the rest.

    ``place``: the file, and what in it. ``mendable``: ``repair`` makes it good, and nothing is lost. Otherwise
    ``loss`` tells what is lost when ``repair(drop=True)`` gives it up; None where even that is not possible.
    """

    place: str
    what: str
    mendable: bool
    loss: Loss | None = None

    def __str__(self) -> str:
        if self.mendable:
            outlook = "can be mended"
        elif self.loss is None:
            outlook = "cannot be mended"
        else:
            outlook = f"cannot be mended; lost: {self.loss}"
        return f"{self.place}: {self.what} [{outlook}]"


@dataclass(frozen=True)
class VerifyReport:
    """What ``verify`` found at ``path`` (None: in memory). ``checked``: how many of what it looked at."""

    path: str | None
    problems: tuple[Problem, ...]
    checked: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        looked = ", ".join(f"{count:,} {what}" for what, count in self.checked.items())
        head = f"{self.path or 'in memory'}: {_outcome(len(self.problems))}"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems), f"  checked: {looked}"])


@dataclass(frozen=True)
class RepairReport:
    """What ``repair`` did at ``path``: problems it ``mended``, gave up (``dropped``), and ``left`` as they are."""

    path: str
    mended: tuple[Problem, ...]
    dropped: tuple[Problem, ...]
    left: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong any more."""
        return not self.left

    def __str__(self) -> str:
        lines = [f"{self.path}: {_outcome(len(self.left))}"]
        for word, problems in (("mended", self.mended), ("dropped", self.dropped), ("left", self.left)):
            lines += [f"  {word}: {problem}" for problem in problems]
        if any(problem.loss is not None for problem in self.left):
            lines.append("  what is left can be given up for lost with drop=True (--drop), or restored from a snapshot")
        return "\n".join(lines)


def _outcome(problems: int) -> str:
    return "ok" if not problems else f"{problems} problem{'s' if problems > 1 else ''}"
