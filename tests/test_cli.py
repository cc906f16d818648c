"""The command line: every command, its table and its JSON, its exit codes, its errors of one line."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from collecting import COSINE, UUID_TEXT
from shelling import Shell, keep_points

pytest.importorskip("click")
pytest.importorskip("rich")

import vecstore
from vecstore import Collection, Corrupted, MissingExtra, StoreFailed, UnsupportedFormat, VectorParams
from vecstore.cli import keeping, options, output
from vecstore.cli.run import command, run

if TYPE_CHECKING:
    from collections.abc import Callable

RED = '{"must": {"key": "color", "match": {"value": "red"}}}'


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs commands."""
    return Shell(capsys)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A closed collection of thirty points and one more."""
    return keep_points(tmp_path / "home")


def test_info(shell: Shell, home: Path) -> None:
    found = shell.json("info", home)
    assert found["points"] == 31
    assert found["vectors"][""] | {"size": 2, "distance": "Cosine", "live_rows": 30} == found["vectors"][""]
    lines = shell.table("info", home)
    assert ["points", "31"] in lines
    assert ["(unnamed)", "2", "Cosine", "30", "0"] in [line[:5] for line in lines]
    assert ["color", "string"] in lines


def test_count(shell: Shell, home: Path) -> None:
    assert shell("count", home) == "31\n"
    assert shell.json("count", home, "--filter", RED) == {"count": 20}


def test_get(shell: Shell, home: Path) -> None:
    assert shell.json("get", home, 3, UUID_TEXT) == [
        {"id": 3, "payload": {"color": "blue", "n": 3}},
        {"id": UUID_TEXT, "payload": {"evil": "\x1b[31m\n[red]"}},
    ]
    [point] = shell.json("get", home, 0, "--with-vectors", "--field", "n")
    assert point == {"id": 0, "payload": {"n": 0}, "vector": [1.0, 0.0]}
    assert shell.table("get", home, 3, 1) == [["id", "color", "n"], ["3", "blue", "3"], ["1", "red", "1"]]
    printed = shell("get", home, UUID_TEXT)
    assert "\x1b" not in printed
    assert "\\x1b[31m\\n[red]" in printed


def test_get_what_is_missing(shell: Shell, home: Path) -> None:
    found = shell.json("get", home, 3, 77, 78, code=1, says="no point with id 77, 78")
    assert [point["id"] for point in found] == [3]
    shell("get", home, "x", code=2, says="expected an id")


def test_scroll(shell: Shell, home: Path) -> None:
    found = shell.json("scroll", home, "--limit", 2, "--filter", RED, "--offset", 5)
    assert [point["id"] for point in found["points"]] == [5, 7]
    assert found["next_page_offset"] == 8
    lines = shell.table("scroll", home, "--limit", 2, "--field", "n", says="go on with --offset 2")
    assert lines == [["id", "n"], ["0", "0"], ["1", "1"]]
    found = shell.json("scroll", home, "--order-by", "n", "--descending", "--limit", 2)
    assert [point["order_value"] for point in found["points"]] == [29, 28]
    found = shell.json("scroll", home, "--order-by", "n", "--limit", 1)
    assert found == {
        "points": [{"id": 0, "payload": {"color": "blue", "n": 0}, "order_value": 0}],
        "next_page_offset": None,
    }
    shell("scroll", home, "--descending", code=2, says="--descending goes with --order-by")
    shell("scroll", home, "--limit", 0, code=2, says="expected limit of at least 1")


def test_search(shell: Shell, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "one.npy", np.array([0.0, 1.0]))
    np.save(tmp_path / "two.npy", np.array([[1.0, 0.0], [0.0, 1.0]]))
    (tmp_path / "one.json").write_text("[0, 1]")
    monkeypatch.setattr(sys, "stdin", io.StringIO("[0, 1]"))
    for source in ([tmp_path / "one.npy"], [tmp_path / "two.npy", "--row", 1], [tmp_path / "one.json"], ["-"]):
        found = shell.json("search", home, "--vector", *source, "--limit", 2, "--filter", RED)
        assert [hit["id"] for hit in found] == [29, 28]
        assert found[0]["score"] > found[1]["score"]
    [hit] = shell.json("search", home, "--like", 29, "--limit", 1, "--with-vectors", "--params", '{"exact": true}')
    assert hit["id"] == 28
    assert len(hit["vector"]) == 2
    assert shell.json("search", home, "--like", 29, "--score-threshold", 1) == []
    assert shell("search", home, "--like", 29, "--score-threshold", 1) == ""
    lines = shell.table("search", home, "--like", 0, "--limit", 1)
    assert [lines[0], lines[1][:1]] == [["id", "score", "color", "n"], ["1"]]


@pytest.mark.parametrize(
    ("width", "shown", "left_out"),
    [
        (50, ["id", "score", "vector", "name", "about"], ["more"]),
        (45, ["id", "score", "vector", "name"], ["about", "more"]),
        (20, ["id", "score"], ["vector", "name", "about", "more"]),
    ],
)
def test_a_table_has_the_columns_there_is_room_for(
    shell: Shell, tmp_path: Path, width: int, shown: list[str], left_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collection(tmp_path / "wide", vectors=COSINE) as col:
        payload = {"name": "short", "about": "a long text " * 9, "more": "a longer text " * 9}
        col.upload([{"id": i, "vector": [1, 0.12345], "payload": payload} for i in range(3)])
    monkeypatch.setenv("COLUMNS", str(width))
    says = f"no room for {', '.join(left_out)}: choose with --field"
    first, *rows = shell("search", tmp_path / "wide", "--like", 0, "--with-vectors", says=says).splitlines()
    assert first.split() == shown
    assert [row.split()[:2] for row in rows] == [["1", "1"], ["2", "1"]]
    assert {len(row) <= width for row in rows} == {True}
    if width == 50:
        assert [row.count("…") for row in rows] == [1, 1]


def test_a_narrow_terminal_cuts_no_fact(shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = shell.table("info", home)
    monkeypatch.setenv("COLUMNS", "20")
    assert shell.table("info", home) == wide
    assert UUID_TEXT in shell("scroll", home, "--offset", UUID_TEXT)


def test_one_point_is_shown_at_length(shell: Shell, home: Path) -> None:
    lines = shell.table("get", home, 3, "--with-vectors")
    assert lines == [["id", "3"], ["vector", "[0.994", "0.11]"], ["color", "blue"], ["n", "3"]]


def test_search_of_named_vectors(shell: Shell, tmp_path: Path) -> None:
    with Collection(tmp_path / "named", vectors={"a": COSINE, "b": VectorParams(3, "Dot")}) as col:  # type: ignore
        col.upload([{"id": i, "vector": {"a": [1, i], "b": [i, 0, 0]}} for i in range(3)])
    found = shell.json("search", tmp_path / "named", "--like", 0, "--using", "b")
    assert [hit["id"] for hit in found] == [1, 2]
    shell("search", tmp_path / "named", "--like", 0, code=2, says="by name ('a', 'b')")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "expected one of --vector and --like"),
        (["--vector", "x.json", "--like", 1], 2, "x.json cannot be read as a vector"),
        (["--vector", __file__], 2, "cannot be read as a vector"),
        (["--vector", "no.npy"], 2, "No such file"),
        (["--like", 99], 1, "no point with id 99"),
        (["--like", 1, "--params", "{"], 2, "Invalid value for '--params': it is not JSON"),
        (["--like", 1, "--params", '{"ef": 3}'], 2, "has no 'ef'"),
        (["--like", 1, "--limit", "many"], 2, "Invalid value for '--limit'"),
    ],
)
def test_a_search_that_is_wrong(shell: Shell, home: Path, arguments: list[Any], code: int, says: str) -> None:
    shell("search", home, *arguments, code=code, says=says)


def test_a_row_that_is_not_there(shell: Shell, home: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "two.npy", np.eye(2))
    shell("search", home, "--vector", tmp_path / "two.npy", "--row", 2, code=2, says="there is no row 2")
    shell("search", home, "--vector", tmp_path / "two.npy", code=2, says="an array of shape (2, 2)")


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".npz", ".parquet", ".arrow"])
def test_export_and_import(shell: Shell, home: Path, tmp_path: Path, ending: str) -> None:
    if ending in (".parquet", ".arrow"):
        pytest.importorskip("pyarrow")
    file = tmp_path / f"x{ending}"
    assert shell.json("export", home, file)["points"] == 31
    assert shell("import", tmp_path / "there", file).startswith("there are 31 points, after ")
    assert shell.json("scroll", tmp_path / "there", "--limit", 99) == shell.json("scroll", home, "--limit", 99)
    assert shell("export", home, file, "--filter", RED).startswith("exported 20 points, after ")
    found = shell.json("import", tmp_path / "part", file, "--skip", 5, "--batch-size", 3, "--durability", "os")
    assert found["points"] == 15


def test_import_of_a_file_that_does_not_say_which_vectors(shell: Shell, tmp_path: Path) -> None:
    file, there = tmp_path / "x.jsonl", tmp_path / "there"
    file.write_text('{"id": 1, "vector": [3, 4]}\n{"id": 2, "vector": [1]}\n')
    shell("import", there, file, code=2, says="x.jsonl does not say of what: give --size and --distance, or --vectors")
    shell("import", there, file, "--size", 2, code=2, says="--size and --distance together")
    shell("import", there, file, "--size", 2, "--distance", "Dot", "--vectors", "{}", code=2, says="or --vectors")
    printed = "stopped at row 1: point 2: the unnamed vector: expected 2 numbers, got 1 (the 1 before it are in; "
    shell("import", there, file, "--size", 2, "--distance", "dot", code=6, says=f"{printed}go on with --skip 1)\n")
    assert shell.json("count", there) == {"count": 1}
    assert shell.json("import", there, file, "--skip", 2)["points"] == 1
    named = '{"a": {"size": 2, "distance": "Dot"}}'
    file.write_text('{"id": 1, "vector": {"a": [3, 4]}}\n')
    assert shell.json("import", tmp_path / "named", file, "--vectors", named)["points"] == 1


def test_index(shell: Shell, home: Path) -> None:
    assert shell("index", home) == ""
    assert shell.table("index", home, "n", "integer")[1:] == [["n", "integer"]]
    assert shell.json("index", home, "color", "keyword")["color"]["ready"] is True
    assert sorted(line[0] for line in shell.table("index", home)[1:]) == ["color", "n"]
    assert list(shell.json("index", home, "n", "--delete")) == ["color"]
    shell("index", home, "--delete", code=2, says="expected the FIELD whose indexes to delete")
    shell("index", home, "n", code=2, says="expected a TYPE, or --delete")
    shell("index", home, "n", "integer", "--delete", code=2, says="expected a TYPE, or --delete")
    shell("index", home, "n", "colour", code=2, says="'colour' is not one of")


def test_an_index_that_takes_long_shows_how_far_it_is(
    shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tqdm")
    monkeypatch.setattr(keeping, "LOOK_EVERY", 1e-9)
    monkeypatch.setattr(keeping, "is_watched", lambda: True)
    assert shell.json("index", home, "n", "integer")["n"]["points"] == 31
    capsys.readouterr()
    run(["index", str(home), "color", "keyword"])
    assert "31.0/31.0" in capsys.readouterr().err


def test_optimize(shell: Shell, home: Path) -> None:
    assert shell.json("optimize", home)["vectors"][""]["open_rows"] == 0
    assert "of 30 vectors are in graphs" in shell("optimize", home)


def test_somebody_who_watches_sees_progress(
    shell: Shell, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tqdm")
    for module in (keeping, output):
        monkeypatch.setattr(module, "is_watched", lambda: True)
    shell("export", home, tmp_path / "x.npz", says="export: 100%")
    shell("import", tmp_path / "there", tmp_path / "x.npz", says="load: 100%")
    shell("optimize", home)


# Exit codes, and errors of one line


def test_a_command_that_is_wrong(shell: Shell, home: Path, tmp_path: Path) -> None:
    assert "Exit codes:" in shell(code=2)
    shell("counts", code=2, says="No such command 'counts'")
    shell("count", code=2, says="Missing argument 'COLLECTION'")
    shell("count", home, "--colour", code=2, says="No such option")
    shell("count", home, "--filter", "{", code=2, says="Invalid value for '--filter': it is not JSON")
    shell("count", home, "--filter", '{"x": 1}', code=2, says="a filter has no 'x'")
    shell("count", tmp_path / "nowhere", code=2, says=f"there is no collection at {tmp_path / 'nowhere'}\n")
    shell("count", tmp_path, code=2, says="collection")
    shell("export", home, "x.csv", code=2, says="expected a file name that ends with")
    shell("import", home, "x.jsonl", code=2, says="x.jsonl: there is no such file")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", sorted(command.commands))
def test_every_command_has_help(shell: Shell, name: str) -> None:
    printed = shell(name, "--help")
    assert printed.startswith(f"Usage: vecstore {name}")
    assert "--json" in printed
    assert name in shell("--help")
    assert "..." not in shell("--help").partition("Commands:")[2]


def test_version(shell: Shell) -> None:
    assert shell("--version") == f"vecstore {vecstore.__version__}\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (lambda: Corrupted("x", "two\nlines"), 3),
        (lambda: UnsupportedFormat("new"), 3),
        (lambda: StoreFailed("no space"), 5),
        (lambda: PermissionError(13, "Permission denied", "x"), 5),
        (lambda: MissingExtra("arrow", "pip install"), 2),
    ],
)
def test_exit_codes(
    shell: Shell, home: Path, error: Callable[[], BaseException], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error()

    monkeypatch.setattr(options, "Collection", failing)
    shell("count", home, code=code)


def test_interrupted(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(options, "Collection", interrupted)
    assert run(["count", str(home)]) == 130
    assert capsys.readouterr().err.strip() == "vecstore: interrupted"


def test_a_collection_that_is_damaged(shell: Shell, home: Path) -> None:
    data = home / "store" / "data.mdb"
    data.write_bytes(data.read_bytes()[:1000])
    shell("count", home, code=3)


# As a process of its own


def python(*arguments: object, **given: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False, **given)


def test_as_a_module(home: Path) -> None:
    done = python("-m", "vecstore", "count", home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "31\n", "")
    done = python("-m", "vecstore", "get", home, 99)
    assert (done.returncode, done.stderr) == (1, "vecstore: no point with id 99\n")


def test_what_the_terminal_cannot_show(home: Path) -> None:
    with Collection(home) as col:
        col.set_payload({"color": "Zürich…"}, [1]).result()
    done = python("-m", "vecstore", "get", home, 1, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "Z\\xfcrich\\u2026" in done.stdout


def test_while_another_process_writes(home: Path) -> None:
    """What reads goes on and sees what is new; what would write, or needs all to itself, says who is in the way."""
    file = home.parent / "x.npz"
    reads = (["info"], ["count"], ["get", 99], ["scroll"], ["search", "--like", 99], ["index"], ["export", file])
    writes = (["index", "n", "integer"], ["import", file], ["optimize"], ["verify"], ["repair"], ["snapshot", file])
    lines = [[str(word) for word in (name, home, *rest)] for name, *rest in (*reads, *writes)]
    code = f"from vecstore.cli.run import run\nprint([run(line) for line in {lines}])"
    with Collection(home) as col:
        col.upsert([{"id": 99, "vector": [1, 1]}]).result()
        done = python("-c", code)
    assert "\n32\n" in done.stdout
    assert done.stdout.splitlines()[-1] == str([0] * len(reads) + [4] * len(writes))
    errors = [line for line in done.stderr.splitlines() if "go on with" not in line]
    assert len(errors) == len(writes)
    assert all(re.search(r"^vecstore: .* is open for writing in process \d+$", line) for line in errors)


@pytest.mark.parametrize("library", ["click", "rich"])
def test_without_the_extra_it_says_what_to_install(library: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None; from vecstore.__main__ import main; main()"
    done = python("-c", code)
    assert done.returncode == 2
    assert done.stderr.startswith("vecstore: ")
    assert done.stderr.endswith("pip install 'vecstore[cli]'\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes of this kind")
def test_a_reader_that_has_enough(home: Path) -> None:
    code = f"import sys; from vecstore.cli.run import run; sys.exit(run(['scroll', {str(home)!r}]))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_the_command_is_installed_under_its_name() -> None:
    script = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert 'vecstore = "vecstore.__main__:main"' in script


def test_verify_repair_and_snapshot(shell: Shell, home: Path, tmp_path: Path) -> None:
    assert shell("verify", home).startswith(f"{home}: ok\n")
    assert shell.json("verify", home)["ok"] is True
    assert str(tmp_path / "copy") in shell("snapshot", home, tmp_path / "copy")
    assert shell.json("snapshot", home, tmp_path / "more") == {"points": 31, "path": str(tmp_path / "more")}
    assert shell.json("count", tmp_path / "copy") == {"count": 31}
    shell("snapshot", home, tmp_path / "copy", code=2, says="copy")
    with Collection(home) as col:
        col.optimize()
    rows = next((home / "segments").glob("*.faiss"))
    damaged = bytearray(rows.read_bytes())
    damaged[-1] ^= 1
    rows.write_bytes(damaged)
    assert rows.name in shell.raw("verify", home, code=3)
    assert "--drop" in shell.raw("repair", home, code=3)
    shell("repair", home, "--drop")
    assert shell.json("verify", home)["ok"] is True
    shell("verify", tmp_path / "nothing", code=2, says="no collection")
