"""Data flows one way: which room may import which, read from the sources themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = ("onnx2caffe", "ssd_heads", "bridge")
FRAMEWORKS = {"mxnet", "gluoncv"}
# A room -> what it never imports, not even inside a function.
FORBIDDEN = {
    "onnx2caffe": {"gluon2caffe.bridge", "gluon2caffe.ssd_heads", *FRAMEWORKS},
    "ssd_heads": {"gluon2caffe.bridge"},
}


def _modules() -> dict[str, Path]:
    """Every module of the package, by its installed name."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(("gluon2caffe", *(parts[:-1] if parts[-1] == "__init__" else parts)))] = path
    return found


MODULES = _modules()


def test_the_modules_were_found() -> None:
    assert len(MODULES) > 150
    assert "gluon2caffe.onnx2caffe.targets" in _names("gluon2caffe.onnx2caffe.lower", inside_functions=False)


def _is_typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _imported(tree: ast.AST, *, inside_functions: bool) -> Iterator[str]:
    """Modules that are imported when this one runs; with `inside_functions`, also those that its functions import."""
    for node in ast.iter_child_nodes(tree):
        if _is_typing_only(node):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in full)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            if inside_functions:
                yield from _imported(node, inside_functions=True)
        else:
            yield from _imported(node, inside_functions=inside_functions)


def _names(module: str, *, inside_functions: bool) -> set[str]:
    return set(_imported(ast.parse(MODULES[module].read_text()), inside_functions=inside_functions))


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_does_not_know_the_rooms_above_it(room: str) -> None:
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if _is_within(module, f"gluon2caffe.{room}")
        for name in _names(module, inside_functions=True)
        for package in FORBIDDEN[room]
        if _is_within(name, package)
    ]
    assert wrong == []


def test_frameworks_are_imported_inside_functions_alone() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        for name in _names(module, inside_functions=False)
        if name.split(".")[0] in FRAMEWORKS
    ]
    assert wrong == []


def test_no_import_circle() -> None:
    """Between modules, by what they import when they are loaded."""
    edges = {
        module: {name for name in _names(module, inside_functions=False) if name in MODULES and name != module}
        for module in MODULES
    }
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        path.append(module)
        for other in sorted(edges[module]):
            visit(other)
        path.pop()
        done.add(module)

    for module in MODULES:
        visit(module)
