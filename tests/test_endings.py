"""Processes that are interrupted or end in the middle of everything: they end, and nothing is lost."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from profiles import times

from vecstore import Collection, verify

if TYPE_CHECKING:
    from collections.abc import Iterator

CHILD = Path(__file__).parent / "ending_child.py"
PATIENCE = 60
ROUNDS = 1
WORKS = 5
"""How often a round is interrupted."""


def command(*args: Any) -> list[str]:
    return [sys.executable, "-X", "faulthandler", str(CHILD), *map(str, args)]


@pytest.mark.skipif(os.name == "nt", reason="interrupts are sent otherwise there")
def test_whatever_is_interrupted_goes_on(tmp_path: Path) -> None:
    rounds = times(ROUNDS)
    child = subprocess.Popen(
        command("interrupted", tmp_path / "col", rounds),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0 if sys.version_info >= (3, 11) else None,
    )
    with child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            for _ in range(WORKS * rounds):
                if child.stdout.readline() != "ready\n":
                    pytest.fail(child.stderr.read())
                child.send_signal(signal.SIGINT)
            said, errors = child.communicate(timeout=PATIENCE)
        finally:
            child.kill()
    assert child.returncode == 0, errors
    with Collection(tmp_path / "col") as col:
        assert [record.id for record in col.scroll(limit=10**6)[0]] == list(range(int(said)))
    assert verify(tmp_path / "col").problems == ()


def test_the_interpreter_ends_and_what_was_queued_is_done(tmp_path: Path) -> None:
    done = subprocess.run(command("end", tmp_path), capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr.replace("CollectionClosed", ""), done.stderr
    for name, least in (("pending", 300), ("merging", 1000), ("first", 10), ("second", 10), ("awaited", 100)):
        with Collection(tmp_path / name) as col:
            assert len(col) >= least, name
            assert [record.id for record in col.scroll(limit=10**6)[0]] == list(range(len(col)))
        assert verify(tmp_path / name).problems == ()


# -- a notebook ---------------------------------------------------------------------------------------------


class Kernel:
    """A kernel of a notebook: cells are run in it, and interrupted."""

    def __init__(self, folder: Path) -> None:
        manager = pytest.importorskip("jupyter_client.manager")
        self._manager, self._client = manager.start_new_kernel(kernel_name="python3", cwd=str(folder))

    def run(self, cell: str, until: str | None = None) -> str:
        """What a cell prints; interrupted as soon as it has printed ``until``."""
        asked, printed = self._client.execute(cell), ""
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=PATIENCE)
            except queue.Empty:
                pytest.fail(f"the cell goes on: {cell}")
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            printed += content.get("text", "") + content.get("ename", "")
            if until is not None and until in printed:
                until = None
                self._manager.interrupt_kernel()
            if content.get("execution_state") == "idle":
                return printed

    def end(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    found = Kernel(tmp_path)
    yield found
    found.end()


UPLOAD = """
from itertools import count
from vecstore import Collection, VectorParams
col = Collection("col", vectors=VectorParams(2, "Dot"))
def points():
    for n in count():
        if n == 2000: print("uploading", flush=True)
        yield {"id": n, "vector": [n, 1], "payload": {"n": n}}
col.upload(points())
"""
NEXT = """
col.flush()
there = [record.id for record in col.scroll(limit=10**7)[0]]
print(there == list(range(len(col))), len(col) > 1000, col.upsert([{"id": 10**9, "vector": [1, 2]}]).result().status)
"""


@pytest.mark.filterwarnings("ignore")  # of the libraries that run kernels
def test_the_cell_after_an_interrupted_upload_works(tmp_path: Path, kernel: Kernel) -> None:
    assert "KeyboardInterrupt" in kernel.run(UPLOAD, until="uploading")
    assert kernel.run(NEXT).startswith("True True")
    assert kernel.run("col = Collection('col'); print(len(col) > 1000)") == "True\n"  # the cell is run again
    assert kernel.run("col.close(); print('closed')") == "closed\n"
    kernel.end()
    with Collection(tmp_path / "col") as col:
        assert col.get(10**9) is not None
    assert verify(tmp_path / "col").problems == ()
