"""The house: who may import whom, what is public, and that what is said of it is so."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vecstore
from vecstore import conditions, errors, models

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(vecstore.__file__).parent
TESTS = Path(__file__).parent
LAYERS = ("values", "storage", "engine", "checking", "requests", "bulk", "top", "around")
AROUND = ("aio", "pytest_plugin", "testing")
TOP = ("__main__", "cli", "collection", "exchange", "langchain", "reading")
BELOW = {
    "values": {"values"},
    "storage": {"values", "storage"},
    "engine": {"values", "storage", "engine"},
    "checking": {"values", "storage", "engine", "checking"},
    "requests": {"values", "requests"},
    "bulk": {"values", "requests", "bulk"},
    "top": {"values", "engine", "checking", "requests", "bulk", "top"},
    "around": {"values", "requests", "top", "around"},
}
"""What each layer may import. The top is the package itself and ``collection``: it speaks to the engine.

What is around it makes the collection at home somewhere; nobody else imports that.
"""
EXTRAS = {
    "vecstore.bulk.arrow": {"pyarrow"},
    "vecstore.bulk.progress": {"tqdm"},
    "vecstore.cli": {"click", "rich"},
    "vecstore.frames": {"pandas"},
    "vecstore.langchain": {"langchain_core"},
    "vecstore.pytest_plugin": {"pytest"},
    "vecstore.testing": {"pytest"},
}
"""Modules that need more than the core does, and what: each is imported by what asks for it, and not before."""
DOORS = {
    "lmdb": ["vecstore.storage.data_file", "vecstore.storage.environment"],
    "faiss": ["vecstore.storage.library"],
    "msgpack": ["vecstore.encoding"],
}


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the package, parsed."""
    files = {".".join(("vecstore", *path.relative_to(ROOT).with_suffix("").parts)): path for path in ROOT.rglob("*.py")}
    return {name.removesuffix(".__init__"): ast.parse(path.read_text()) for name, path in files.items()}


MODULES = sorted(sources())


def layer(module: str) -> str:
    """Where a module belongs; values are whatever is in no other place."""
    parts = module.split(".")
    if len(parts) == 1 or parts[1] in TOP:
        return "top"
    if parts[1] in AROUND:
        return "around"
    return parts[1] if parts[1] in LAYERS else "values"


def imports(module: str, *, whenever: bool = True) -> set[str]:
    """The modules a module imports, but for type checking alone; or only those it imports when it is imported."""
    return set(_imported(sources()[module].body, whenever))


def _imported(body: list[ast.stmt], whenever: bool) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from _of_import_from(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not whenever:
            continue
        elif not _is_for_type_checking(node):
            for part in ("body", "orelse", "finalbody"):
                yield from _imported(getattr(node, part, []), whenever)
            for handler in getattr(node, "handlers", []):
                yield from _imported(handler.body, whenever)


def _of_import_from(node: ast.ImportFrom) -> Iterator[str]:
    for alias in node.names:
        inner = f"{node.module}.{alias.name}"
        yield inner if inner in sources() else str(node.module)


def _is_for_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    ours = {name for name in imports(module) if name.split(".")[0] == "vecstore"}
    assert {layer(name) for name in ours} <= BELOW[layer(module)], sorted(ours)


def test_every_layer_is_there() -> None:
    assert {layer(module) for module in MODULES} == set(LAYERS)


def test_nothing_imports_what_imports_it() -> None:
    graph = {module: imports(module, whenever=False) & set(MODULES) - {module} for module in MODULES}
    while leaves := {module for module, below in graph.items() if not below}:
        graph = {module: below - leaves for module, below in graph.items() if module not in leaves}
    assert graph == {}


@pytest.mark.parametrize("library", DOORS)
def test_a_library_is_imported_at_its_doors_alone(library: str) -> None:
    found = [module for module in MODULES if library in {name.split(".")[0] for name in imports(module)}]
    assert found == DOORS[library]


def test_the_core_imports_only_what_it_says_it_needs() -> None:
    found = {module: {n.split(".")[0] for n in imports(module)} - sys.stdlib_module_names for module in MODULES}
    core = {"faiss", "lmdb", "msgpack", "numpy", "vecstore"}
    assert set().union(*(names for module, names in found.items() if extra_of(module) is None)) == core
    more: dict[str, set[str]] = {}
    for module, names in found.items():
        if extra := extra_of(module):
            more[extra] = more.get(extra, set()) | (names - core)
    assert more == EXTRAS


def extra_of(module: str) -> str | None:
    return next((extra for extra in EXTRAS if f"{module}.".startswith(f"{extra}.")), None)


def test_the_core_imports_no_extra() -> None:
    every = sorted(set().union(*EXTRAS.values()))
    code = f"""
import sys
for name in {every}: sys.modules[name] = None
from vecstore import Collection, PointStruct, VectorParams
with Collection(vectors=VectorParams(2, "Dot")) as col:
    col.upload([PointStruct(1, [1, 2], {{"a": 1}})])
    col.search([1, 2]), col.scroll()[0]._repr_html_(), col._repr_html_()
print("fine")
"""
    assert run(code) == "fine"


def run(code: str) -> str:
    """What a new interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_faiss_is_imported_by_the_first_search_and_no_sooner() -> None:
    code = """
import sys
from vecstore import Collection, PointStruct, VectorParams
seen = ["faiss" in sys.modules]
with Collection(vectors=VectorParams(2, "Dot")) as col:
    col.upsert([PointStruct(n, [1, 2]) for n in range(100)]).result()
    seen.append("faiss" in sys.modules)
    col.retrieve([1], with_vectors=True), col.scroll(), col.count()
    seen.append("faiss" in sys.modules)
    col.search([1, 2])
    seen.append("faiss" in sys.modules)
print(seen)
"""
    assert run(code) == "[False, False, False, True]"


def test_what_is_around_the_core_is_imported_when_it_is_asked_for() -> None:
    code = """
import sys, vecstore
later = ["vecstore.aio", "vecstore.expressions", "vecstore.testing", "vecstore.pytest_plugin", "pytest"]
print([name for name in later if name in sys.modules], end=" ")
vecstore.field, vecstore.AsyncCollection
print([name for name in later if name in sys.modules], end=" ")
print({"field", "AsyncCollection"} <= set(dir(vecstore)), hasattr(vecstore, "nothing"))
"""
    assert run(code) == "[] ['vecstore.aio', 'vecstore.expressions'] True False"


UNPICKLING = {"_pickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_on_disk_is_unpickled(module: str) -> None:
    assert not UNPICKLING & {name.split(".")[0] for name in imports(module)}
    for node in ast.walk(sources()[module]):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert called not in {"eval", "exec", "__import__", "read_pickle", "open_memmap"}, ast.unparse(node)
            allowed = [k.value for k in node.keywords if k.arg == "allow_pickle"]
            assert all(isinstance(value, ast.Constant) and value.value is False for value in allowed)
            if ast.unparse(node.func) in ("np.load", "numpy.load"):
                assert allowed, ast.unparse(node)


# The public names


def public() -> list[str]:
    return [name for name in vecstore.__all__ if name != "__version__"]


def test_all_is_sorted_and_complete() -> None:
    assert vecstore.__all__ == sorted(set(vecstore.__all__))
    assert set(dir(vecstore)) >= set(vecstore.__all__)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", vecstore.__version__)


@pytest.mark.parametrize("module", [models, conditions, errors])
def test_every_model_condition_and_error_is_public(module: object) -> None:
    defined = {
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert defined
    assert defined <= set(vecstore.__all__)


@pytest.mark.parametrize("name", public())
def test_every_public_name_has_a_docstring(name: str) -> None:
    value = getattr(vecstore, name)
    assert value.__module__.startswith("vecstore.")
    own = inspect.getdoc(value)
    assert own
    assert not own.startswith(f"{name}("), "the docstring dataclasses make up"
    for member, found in vars(value).items():
        if not member.startswith("_") and (inspect.isfunction(found) or isinstance(found, property)):
            assert inspect.getdoc(found), f"{name}.{member}"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(sources()[module])


LINE = re.compile(r"^(?P<depth>[|` -]*)(?P<name>[A-Z]\w+)(?:\((?P<builtin>\w+)\))?(?:  +(?P<says>\S.*))?$")


def drawn() -> dict[str, list[str]]:
    """The exception tree of the docstring: for each class what its bases are said to be, in order."""
    tree: dict[str, list[str]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := LINE.match(line):
            depth = len(match["depth"]) // 3
            above = [*above[:depth], match["name"]]
            tree[match["name"]] = [*above[-2:-1], *filter(None, [match["builtin"]])]
    return tree


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    classes = {n: c for n, c in vars(errors).items() if inspect.isclass(c) and c.__module__ == errors.__name__}
    bases = {name: [base.__name__ for base in found.__bases__] for name, found in classes.items()}
    assert drawn() == {**bases, "VecstoreError": []}


def test_attributes_that_are_drawn_are_there() -> None:
    said = re.findall(r"(\w+)(?:\(\w+\))? +\.(\w+):", errors.__doc__ or "")
    assert len(said) >= 5
    for name, attribute in said:
        assert f"self.{attribute} = " in inspect.getsource(getattr(errors, name)), f"{name}.{attribute}"


# Sizes


@pytest.mark.parametrize("folder", [ROOT, TESTS], ids=["vecstore", "tests"])
def test_no_file_is_longer_than_400_lines(folder: Path) -> None:
    lengths = {str(path.relative_to(folder)): len(path.read_text().splitlines()) for path in folder.rglob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_every_rule_has_a_test_through_the_collection() -> None:
    text = "".join(path.read_text() for path in TESTS.glob("test_rules_*.py"))
    numbers = {int(number) for number in re.findall(r"def test_rule_(\d\d)_", text)}
    assert numbers == set(range(1, 41))
