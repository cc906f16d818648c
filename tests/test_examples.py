"""What people copy runs: every example, every Python block of the README, the benchmarks on the sample."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
EXPECTED = {
    "packages.py": [
        "Loading 2,000 packages",
        "Between git and emacs: search by a vector",
        "mercurial                 easy-to-use, scalable distributed version control system",
        "ethereal-chess            UCI-compliant chess engine",
        "kstars                    desktop planetarium",
        "  42: 0ad, ",
        "  python        78",
        "  all        2,000",
        "completed; on the shelf: 42",
    ]
}


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def output(folder: Path, *arguments: object) -> str:
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_and_runs_again(script: Path, tmp_path: Path) -> None:
    for _ in range(2):
        shown = output(tmp_path, script)
        for line in EXPECTED.get(script.name, []):
            assert line in shown


def test_all_is_there_after_opening_again(tmp_path: Path) -> None:
    shown = output(tmp_path, ROOT / "examples" / "packages.py", "--path", "here")
    assert (tmp_path / "here").is_dir()
    last = shown.splitlines()[-1]
    assert last.startswith("  2,000 points after ")
    assert last.endswith("; on the shelf: 42")


def test_the_packages_may_come_from_a_folder_or_from_files(tmp_path: Path) -> None:
    script, data = ROOT / "examples" / "packages.py", ROOT / "examples"
    files = (data / "packages.jsonl.gz", data / "packages_f16.npy")
    for arguments in ([data], files[:1], files):
        assert "Loading 2,000 packages" in output(tmp_path, script, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jsonl.gz"], "there is no file nowhere.jsonl.gz"),
        (["."], "expected one file *.jsonl.gz in ., found 0"),
        ([ROOT / "examples", "nowhere.npy"], "there is no file nowhere.npy"),
    ],
)
def test_a_missing_file_is_named(arguments: list[object], message: str, tmp_path: Path) -> None:
    done = run(tmp_path, ROOT / "examples" / "packages.py", *arguments)
    assert done.returncode == 1
    assert done.stderr.strip() == message
    assert not list(tmp_path.iterdir())


def test_every_block_of_the_readme_runs(tmp_path: Path) -> None:
    script = tmp_path / "readme.py"
    script.write_text(python_of((ROOT / "README.md").read_text(encoding="utf-8")), encoding="utf-8")
    output(tmp_path, script)


def python_of(markdown: str) -> str:
    """The Python blocks; other lines are empty, so that a traceback names the line of the README."""
    code, inside = [], False
    for line in markdown.splitlines():
        fence = line.startswith("```")
        code.append(line if inside and not fence else "")
        inside = line.startswith("```python") if fence else inside
    assert any(code), "expected blocks fenced with ```python"
    return "\n".join(code) + "\n"


def test_only_python_blocks_are_taken() -> None:
    text = "a\n```python\nb = 1\n```\nc\n```sh\nd\n```\n```python\n\ne = b\n```\n"
    assert python_of(text) == "\n\nb = 1\n\n\n\n\n\n\n\ne = b\n\n"


def test_the_benchmarks_run_on_the_sample(tmp_path: Path) -> None:
    shown = output(ROOT, "-m", "benchmarks", "--rows", "300", "--repeat", "1", "--dir", tmp_path)
    assert "300 points of 384 dimensions" in shown
    assert "| load, points/s " in shown
    assert "hits that are the limit's too" in shown
    assert "100.0%" in shown
    assert not list(tmp_path.iterdir())
