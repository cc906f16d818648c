"""Without an extra, what needs it says what to install; the package's metadata names every one of them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from vecstore import MissingExtra, VecstoreError
from vecstore.extras import needs

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
MODULES = {
    "vecstore.bulk.arrow": ("pyarrow", "arrow"),
    "vecstore.cli.run": ("click", "cli"),
    "vecstore.cli.output": ("rich.console", "cli"),
    "vecstore.frames": ("pandas", "pandas"),
    "vecstore.langchain": ("langchain_core.documents", "langchain"),
}


@pytest.mark.parametrize("module", MODULES)
def test_a_missing_extra_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library, extra = MODULES[module]
    for loaded in [name for name in sys.modules if name.startswith(("vecstore.cli", module))]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'vecstore\[{extra}\]'") as caught:
        importlib.import_module(module)
    assert isinstance(caught.value, ImportError)
    assert isinstance(caught.value, VecstoreError)
    assert caught.value.extra == extra
    assert f"\n{extra} = [" in PYPROJECT.read_text(encoding="utf-8")


def test_the_extra_that_is_missing_deeper_is_the_one_that_is_named() -> None:
    with pytest.raises(MissingExtra) as caught, needs("outer"), needs("inner"):
        raise ModuleNotFoundError("gone", name="gone")
    assert caught.value.extra == "inner"
    assert str(caught.value) == "gone is not installed; pip install 'vecstore[inner]'"


def test_what_is_installed_and_does_not_work_is_told() -> None:
    with pytest.raises(MissingExtra, match="is broken; pip install"), needs("arrow"):
        raise ImportError("libarrow.so is broken")


def test_all_brings_every_extra_that_is_not_for_development() -> None:
    text = PYPROJECT.read_text(encoding="utf-8")
    listed = text.partition('\nall = ["vecstore[')[2].partition("]")[0].split(",")
    section = text.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    names = {line.partition(" = ")[0] for line in section.splitlines() if " = [" in line}
    assert sorted(listed) == sorted(names - {"all", "bench", "fuzz", "test"})
