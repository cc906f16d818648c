"""What people copy runs: every example, every Python block of the README, the benchmarks on the sample."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from profiles import times

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
    ],
    "quickstart.py": [
        "4 points, vector: 4 Cosine>",
        "nearest, in Germany: Berlin 0.895, Munich 0.839",
        "visited: Berlin, London",
        "opened again: 3 points; ",
    ],
    "named_vectors.py": [
        "  0.779  imagemagick ",
        "  0.139  calligraplan ",
        "2,000 points, 1,993 of them with a weight",
        "of gimp there is: ['about']",
    ],
    "durability.py": [
        ": first acknowledged, then completed",
        "4 more at a time, all done: True; 5,000 points",
        "awaited: completed",
        "nobody looked, and it is done: {'seen': True}",
        "missing: [1000000, 10000000]",
        "failed and nobody asked: no point with id 1000000",
        "5,000 points were acknowledged when the process was killed",
        "none of them is lost: True; none is half there: True",
        "and deleted again: True",
    ],
    "processes.py": [
        "a reader sees 1,000 points",
        "and then 2,000, 42 of them games",
        "it cannot write: ",
        "like pcmanx-gtk2: telnetd, ",
        "refused; the process that has it is ours: True",
    ],
    "filters.py": [
        "   42  field('section') == 'games'",
        "1,958  field('section') != 'games'",
        "   88  field('section').any_of(['games', 'python']) & (field('installed_size_kib') < 2048)",
        "  0.606  ethereal-chess",
        "write & for 'and'",
    ],
    "async_search.py": [
        "is completed",
        "then it was acknowledged, and later completed",
        "10,000 points",
        "100 searches at a time found 300 points",
        "the clock ticked meanwhile: True",
    ],
    "unit_tests.py": ["2 passed, 1 xfailed"],
    "bulk_load.py": [
        "from a generator: 2,000 points",
        "from a mapped array of 1.5 MB: 2,000 points",
        "from parts: 2,000 points, on disk",
        "stopped at row 1234: point 1234: ",
        "mended and gone on: 2,000 points, 2,000 of them there",
    ],
    "export.py": [
        *(f"packages.{ending:<9}  2,000 points, " for ending in ("jsonl.gz", "parquet", "arrow", "npz")),
        "a part of it: 38 packages",
        "debug        7  6685442",
        "1935  0.505801     wesnoth",
    ],
    "langchain_store.py": [
        "2,000 documents; git is: fast, scalable, distributed revision control system",
        "mercurial",
        "among editors",
    ],
}
NEEDS = {"export.py": ("pandas", "pyarrow"), "langchain_store.py": ("langchain_core",)}
"""Libraries of extras that examples need."""
LONG = {"export.py", "processes.py", "unit_tests.py"} if times(1) == 1 else set()
"""What takes its time runs a second time in the long profile alone."""


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTEST_ADDOPTS": "--numprocesses=0"},
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
    for library in NEEDS.get(script.name, ()):
        pytest.importorskip(library)
    for _ in range(1 if script.name in LONG else 2):
        shown = output(tmp_path, script)
        for line in EXPECTED.get(script.name, []):
            assert line in shown
        assert script.name != "export.py" or shown.count("the same: True") == 4


def test_every_example_is_listed_and_what_it_prints_is_expected() -> None:
    listed = re.findall(r"^\| `(\w+\.py)` \|", (ROOT / "examples" / "README.md").read_text(encoding="utf-8"), re.M)
    assert sorted(listed) == sorted(EXPECTED) == [path.name for path in EXAMPLES]


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


def test_the_commands_of_the_examples_run(tmp_path: Path) -> None:
    pytest.importorskip("click")
    pytest.importorskip("rich")
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.startswith("    ")]
    assert len(lines) >= 6
    for command, rest in lines:
        arguments = ["-m", "vecstore"] if command == "vecstore" else []
        first, *others = shlex.split(rest)
        shown = output(tmp_path, *arguments, str(ROOT / first) if not arguments else first, *others)
    assert [line.split()[-1] for line in shown.splitlines()[:2]] == ["name", "git-cvs"]


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


def test_ingest_is_measured_on_the_sample(tmp_path: Path) -> None:
    shown = output(ROOT, "-m", "benchmarks", "ingest", "--rows", "300", "--repeat", "1", "--dir", tmp_path)
    assert "300 points of 384 dimensions" in shown
    assert "| load, points/s " in shown
    assert "hits that are the limit's too" in shown
    assert "100.0%" in shown
    assert not list(tmp_path.iterdir())


def test_peers_are_compared_on_the_sample(tmp_path: Path) -> None:
    results = tmp_path / "results"
    arguments = ("--rows", "300", "--budget", "0.1", "--dir", tmp_path, "--results", results)
    shown = output(ROOT, "-m", "benchmarks", "compare", *arguments)
    assert "300 points of 384 dimensions" in shown
    assert "| search, p50, ms " in shown
    assert re.search(r"\| scroll all, points/s +\| +[\d,]+ \|", shown)
    for title in ("qdrant-edge", "zvec", "lancedb", "chromadb", "qdrant local"):
        assert f"\n- {title}: " in shown or f"\nLeft out: {title} (not installed)." in shown
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    assert shown.endswith((results / "packages-300.md").read_text(encoding="utf-8").partition("##")[2])
    assert (results / "packages-300.png").is_file() != ("There is no picture" in shown)


def test_a_million_points_may_be_fewer(tmp_path: Path) -> None:
    arguments = ("--rows", "300", "--budget", "0.1", "--dir", tmp_path, "--results", tmp_path)
    shown = output(ROOT, "-m", "benchmarks", "million", *arguments)
    assert "300 points of 128 dimensions" in shown
    assert re.search(r"\| search, follows clusters, [\d.]+ %, p50, ms +\| +\d", shown)
    assert {"million-300.md", "million-300.json"} <= {path.name for path in tmp_path.iterdir()}


def test_figures_of_an_earlier_run_are_kept(tmp_path: Path) -> None:
    arguments = ("compare", "--rows", "200", "--budget", "0.1", "--dir", tmp_path, "--results", tmp_path)
    output(ROOT, "-m", "benchmarks", *arguments, "--subjects", "limit")
    kept = output(ROOT, "-m", "benchmarks", *arguments, "--subjects", "vecstore", "--keep")
    assert re.search(r"\| +vecstore \| +FAISS \+ LMDB \|", kept)


def test_a_subject_that_is_unknown_is_refused(tmp_path: Path) -> None:
    done = run(ROOT, "-m", "benchmarks", "--subjects", "vecstore,nobody", "--results", tmp_path)
    assert done.returncode == 2
    assert "there is no subject nobody" in done.stderr
