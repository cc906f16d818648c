"""Programs of a few lines that use collections in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from textwrap import dedent
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60
BEFORE = """
import gc, os, signal, sys, threading, time
from vecstore import *
DOT = VectorParams(2, "Dot")
def upsert(col, n): return col.upsert([{"id": n, "vector": [n, 1], "payload": {"n": n}}])
"""

TRY = """
try: Collection(sys.argv[1]).close(); print("free")
except CollectionLocked as locked: print(locked.pid, str(locked.pid) in str(locked))
"""


def run(program: str, *arguments: object, status: int = 0, **options: Any) -> str:
    """What a program prints."""
    command = [sys.executable, "-c", BEFORE + dedent(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, **options)
    assert done.returncode == status, done.stderr
    return done.stdout.strip()


@contextmanager
def started(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A program that runs on until its standard input ends."""
    command = [sys.executable, "-c", BEFORE + dedent(program), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
