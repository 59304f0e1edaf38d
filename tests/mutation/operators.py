"""What is changed in a source file: one mutation at a time, each a small fault that a person could make.

mutmut and cosmic-ray were looked at. Both start a test process for every mutation, which here spends most of its time
importing onnx and starting readers; mutmut also wants the packages where their names say, which an installed mapping of
folders does not give it. What is left to write is this list.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Change = tuple[str, Callable[[], None]]
"""What is changed, in words, and the function that does it."""


@dataclass(frozen=True)
class Mutation:
    """One fault that can be planted.

    Attributes:
        index: its number in its file.
        line: where.
        words: what is changed, and to what.
        guard: whether it takes out or turns round a check that refuses or leaves something as it is.
        refusal: whether it takes out what is raised.
    """

    index: int
    line: int
    words: str
    guard: bool
    refusal: bool = False


_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
# They name layers, say what holds anyway, or concern files of text alone.
_SILENT = frozenset({"encoding", "part", "strict"})
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}


def mutations(source: str) -> list[Mutation]:
    """Every mutation of a source file, in the order in which `planted` counts them."""
    return [
        Mutation(index, node.lineno, words, guard, isinstance(node, ast.Raise))
        for index, (node, guard, (words, _)) in enumerate(_changes(ast.parse(source)))
    ]


def planted(source: str, index: int) -> ast.Module:
    """The module of a source file with one mutation in it."""
    tree = ast.parse(source)
    _, _, (_, change) = next(itertools.islice(_changes(tree), index, None))
    change()
    return ast.fix_missing_locations(tree)


def _changes(tree: ast.Module) -> Iterator[tuple[Any, bool, Change]]:
    """(node, whether it is part of a guard, change) of everything that can be changed."""
    for node, guard in _walk(tree, False):
        for change in _of(node):
            yield node, guard, change
        for body in (getattr(node, name, None) for name in ("body", "orelse")):
            for place, statement in enumerate(body if isinstance(body, list) else []):
                if isinstance(statement, ast.Raise):
                    words = f"`raise {ast.unparse(statement.exc)[:60] if statement.exc else ''}` is left out"
                    yield statement, True, (words, lambda body=body, place=place: _put(body, place, ast.Pass()))


def _walk(node: ast.AST, guard: bool) -> Iterator[tuple[ast.AST, bool]]:
    """The nodes that are computed: no docstrings, annotations, imports, or words of messages."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr)):
        return
    if isinstance(node, ast.keyword) and node.arg in _SILENT:
        return
    if isinstance(node, ast.AnnAssign):
        if node.value is not None:
            yield from _walk(node.value, guard)
        return
    yield node, guard or isinstance(node, ast.Raise)
    if isinstance(node, ast.Raise):
        return  # what it says is no behaviour to be tested here; whether it is raised is
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        inner = guard or (name == "test" and isinstance(node, ast.If) and _leaves(node))
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                yield from _walk(child, inner)


def _leaves(node: ast.If) -> bool:
    """Whether the body of an `if` does nothing but refuse or return early."""
    return not node.orelse and len(node.body) == 1 and isinstance(node.body[0], (ast.Raise, ast.Return, ast.Continue))


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _of(node: Any) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for place, old in enumerate(node.ops):
            if type(old) in _COMPARE:
                new = _COMPARE[type(old)]()
                yield f"{_name(old)} becomes {_name(new)}", lambda place=place, new=new: _put(node.ops, place, new)
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in _ARITHMETIC:
        new_op = _ARITHMETIC[type(node.op)]()
        yield f"{_name(node.op)} becomes {_name(new_op)}", lambda: setattr(node, "op", new_op)
    elif isinstance(node, ast.BoolOp):
        new_bool = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"{_name(node.op)} becomes {_name(new_bool)}", lambda: setattr(node, "op", new_bool)
        for place in range(len(node.values)):
            part = ast.unparse(node.values[place])[:50]
            neutral = ast.Constant(isinstance(node.op, ast.And))
            words = f"`{part}` is left out of {_name(node.op)}"
            yield words, lambda place=place, neutral=neutral: _put(node.values, place, neutral)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        positive = ast.UAdd() if isinstance(node.op, ast.USub) else None
        double = ast.UnaryOp(ast.Not(), node.operand)
        words = f"{_name(node.op)} is left out"
        yield words, lambda: setattr(node, "op", positive) if positive else setattr(node, "operand", double)
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node)
    elif isinstance(node, (ast.If, ast.IfExp)):
        yield (
            f"`if {ast.unparse(node.test)[:60]}` becomes `if False`",
            lambda: setattr(node, "test", ast.Constant(False)),
        )
        yield f"`if {ast.unparse(node.test)[:60]}` becomes `if True`", lambda: setattr(node, "test", ast.Constant(True))
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, (ast.Set, ast.Tuple, ast.List)) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        if isinstance(node, ast.Set):
            for place in range(len(node.elts)):
                part = ast.unparse(node.elts[place])
                yield f"{part} is left out of a set", lambda place=place: node.elts.pop(place) and None
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        pass_call = ast.Constant(None)
        yield f"`{ast.unparse(node)[:60]}` is left out", lambda: setattr(node, "value", pass_call)


def _of_constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} becomes {not value}", lambda: setattr(node, "value", not value)
    elif isinstance(value, int):
        yield f"{value} becomes {value + 1}", lambda: setattr(node, "value", value + 1)
    elif isinstance(value, float):
        changed = value * 2 if value else 1.0
        yield f"{value} becomes {changed}", lambda: setattr(node, "value", changed)


def _of_call(node: ast.Call) -> Iterator[Change]:
    if isinstance(node.func, ast.Name) and _CALLS.get(node.func.id, node.func.id) != node.func.id:
        old, new = node.func.id, _CALLS[node.func.id]
        yield f"{old}() becomes {new}()", lambda: setattr(node.func, "id", new)
    for place, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg not in _SILENT:
            words = f"`{keyword.arg}=` is left out of {ast.unparse(node.func)[:40]}()"
            yield words, lambda place=place: node.keywords.pop(place) and None


def _put(holder: list[Any], place: int, new: Any) -> None:
    holder[place] = new


def _name(node: ast.AST) -> str:
    """An operator as it is written."""
    signs = {
        "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">=", "Eq": "==", "NotEq": "!=", "In": "in", "NotIn": "not in",
        "Is": "is", "IsNot": "is not", "Add": "+", "Sub": "-", "Mult": "*", "Div": "/", "FloorDiv": "//", "Mod": "%",
        "Pow": "**", "BitOr": "|", "BitAnd": "&", "And": "and", "Or": "or", "Not": "not", "USub": "-",
    }  # fmt: skip
    return signs[type(node).__name__]
