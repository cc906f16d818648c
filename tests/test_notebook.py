"""The tutorial runs from top to bottom, every cell twice over, and shows tables and a picture."""

from __future__ import annotations

import base64
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")
pytest.importorskip("pandas")
pytest.importorskip("tqdm")
nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

EXAMPLES = Path(__file__).parent.parent / "examples"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The cells after running, by their ids; of each cell its second run."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name in ("packages.jsonl.gz", "packages_f16.npy"):
        (folder / name).symlink_to(EXAMPLES / name)
    notebook = nbformat.read(EXAMPLES / "tutorial.ipynb", as_version=4)
    notebook.cells = [cell for one in notebook.cells for cell in twice(one)]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that run notebooks
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        patch.setenv("MPLCONFIGDIR", str(folder / "matplotlib"))
        client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
        client.execute()
    return {cell.id: cell for cell in notebook.cells}


def twice(cell: Any) -> list[Any]:
    """A cell that is run once and then again."""
    if cell.cell_type != "code":
        return [cell]
    first = deepcopy(cell)
    first.id += "-first"
    return [first, cell]


def outputs(cell: Any, kind: str) -> list[str]:
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def test_nothing_fails_and_nothing_is_warned_of(cells: dict[str, Any]) -> None:
    for cell in cells.values():
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert "Warning" not in output.get("text", "")


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("collection", ["tutorial.vecstore", "2,000 points", "Cosine", "section", "installed_size_kib"]),
        ("by-id", ["score", "kstars"]),
        ("filtered", ["score", "games"]),
        ("frame", ["median", "debug"]),
        ("export", ["shelf", "small games"]),
    ],
)
def test_tables_are_shown(cells: dict[str, Any], cell: str, parts: list[str]) -> None:
    [html] = outputs(cells[cell], "text/html")
    assert html.count("<table") >= 1
    for part in parts:
        assert part in html


def test_a_picture_is_drawn(cells: dict[str, Any]) -> None:
    [picture] = outputs(cells["draw"], "image/png")
    data = base64.b64decode(picture)
    assert data.startswith(PNG)
    assert len(data) > 20_000


def test_progress_is_shown(cells: dict[str, Any]) -> None:
    text = "".join(output.get("text", "") for output in cells["collection"].outputs)
    assert "2.00k/2.00k" in text or outputs(cells["collection"], "application/vnd.jupyter.widget-view+json")
