"""The Markdown of a report: where it was measured, tables, goals."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import vecstore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LIBRARIES = ("numpy", "faiss-cpu", "lmdb", "msgpack")


def header() -> str:
    """When, on what machine and with what software."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return "\n".join(
        [
            f"# Benchmarks of vecstore {vecstore.__version__}",
            "",
            f"- {datetime.date.today().isoformat()}",
            f"- {cpu()}, {cores()} cores, {platform.system()} {platform.release()}",
            f"- Python {platform.python_version()}, {versions}",
            "",
        ]
    )


def cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        return next((value.strip() for key, _, value in lines if key.strip() == "model name"), platform.machine())
    if platform.system() == "Darwin":
        return subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True).strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned for reading as text too; the first column holds words."""
    cells = [head, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(row, widths) for row in [cells[0], rule, *cells[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        f"{cell:<{width}}" if i == 0 else f"{cell:>{width}}"
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return f"| {' | '.join([first, *rest])} |"


def goal(text: str, met: bool) -> str:
    return f"- {text}: **{'met' if met else 'missed'}**"
