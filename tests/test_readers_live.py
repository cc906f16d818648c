"""One writer and its readers, each a process, under load: what is seen, and what goes on when one of them dies."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import following
import pytest
from following import Flags

from vecstore import Collection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 60
Process = subprocess.Popen[str]


class Stage:
    """The processes of a test. What is left of them is killed at the end."""

    def __init__(self, folder: Path) -> None:
        self.path, self._flags = folder / "col", folder / "flags"
        self.flags = Flags(self._flags)
        self._all: list[Process] = []

    def start(self, role: str) -> Process:
        command = [sys.executable, following.__file__, role, str(self.path), str(self._flags)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._all.append(process)
        return process

    def writer(self) -> Process:
        """A writer that has written."""
        process = self.start("write")
        self.more(process, 3)
        return process

    def more(self, writer: Process, rounds: int) -> None:
        """Wait until the writer has written so many more rounds."""
        until = self.flags.completed + rounds
        while self.flags.completed < until:
            assert writer.poll() is None, writer.communicate()[1]
            time.sleep(0.002)

    def readers(self, count: int) -> list[Process]:
        """Readers that have read."""
        started = [self.start("read") for _ in range(count)]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "reading\n", process.communicate(timeout=PATIENCE)[1]
        return started

    def result(self, reader: Process) -> tuple[int, int]:
        """How many calls a reader has made, and how many rounds it has seen."""
        said, complaint = reader.communicate(timeout=PATIENCE)
        assert reader.returncode == 0, complaint
        calls, rounds = json.loads(said.splitlines()[-1])
        return calls, rounds

    def close(self) -> None:
        for process in self._all:
            process.kill()
            process.communicate()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = Stage(tmp_path)
    yield found
    found.close()


def kill(process: Process) -> None:
    process.kill()
    process.wait()


def test_readers_see_whole_operations_while_writers_and_readers_come_and_die(stage: Stage) -> None:
    writer = stage.writer()
    first, victim = stage.readers(2)
    for rounds in (80, 90, 100):
        stage.more(writer, rounds)
        kill(writer)
        kill(victim)
        (victim,) = stage.readers(1)  # where there is no writer
        writer = stage.writer()
    stage.more(writer, 80)
    stage.flags.end()
    calls, rounds = stage.result(first)
    assert calls > rounds > 2
    assert stage.result(victim)[0] > 0
    kill(writer)
    with Collection(stage.path) as col:
        col.optimize()
        assert len(col) == following.MOVING + following.STILL
