"""The page docs/mxnet-operators.md: which ONNX operators each operator of MXNet becomes, and whether Caffe has them.

`python -m tests.operators.mxnet_page` writes it, with MXNet, from the cases of tests/unit/export.
"""

from __future__ import annotations

import importlib
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from gluon2caffe.bridge.export.cleanup import LOSSES
from gluon2caffe.bridge.export.operators import SHAPE_RULES, TRANSLATORS, Input, NodeReader
from gluon2caffe.bridge.export.operators.detection import DOMAIN
from gluon2caffe.bridge.export.operators.refused import refused_operators
from gluon2caffe.bridge.export.symbol_graph import graph_with_shapes
from gluon2caffe.bridge.export.translation import NodeTranslator
from gluon2caffe.bridge.mxnet_files.graph import SymbolGraph, SymbolNode
from gluon2caffe.onnx2caffe.left_out import LEFT_OUT

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "mxnet-operators.md"

HEAD = """# MXNet operators

Every operator that MXNet 1.9.1 registers and that a symbol can hold; gradients are left out. Names are those in a
symbol's JSON; other names of an operator (`concat` for `Concat`, `_Plus` for `elemwise_add`) count as well. `make docs`
writes this page.

"""
TRANSLATED = """## Translated

Into which ONNX operators each is translated, over all the cases that are tested against MXNet, and whether those become
Caffe layers; how far, [ONNX operators](operators.md) says by target. "kept" means that the operator is part of a
detector's head, which is recognised as a whole.

| operator | ONNX | Caffe |
|---|---|---|
"""
LOSS_HEAD = """

## Losses

Layers of training that end a net; their labels vanish.

| operator | becomes |
|---|---|
"""
# Operators that the cases do not hold: attributes and the shapes of the inputs, of which all but the first are
# parameters.
_BY_HAND: dict[str, tuple[dict[str, str], list[tuple[int, ...]]]] = {
    "_CrossDeviceCopy": ({}, [(2, 3)]),
    "_copyto": ({}, [(2, 3)]),
    "_rnn_param_concat": ({"dim": "0"}, [(3,), (4,)]),
    "_zeros_without_dtype": ({"shape": "(2, 3)"}, []),
    "amp_cast": ({"dtype": "float32"}, [(2, 3)]),
    "argmax_channel": ({}, [(2, 3, 4)]),
    "gather_nd": ({}, [(3, 4), (2, 5)]),
    "pick": ({"axis": "1"}, [(3, 4), (3,)]),
    "take": ({}, [(3, 4), (5,)]),
    "_contrib_BatchNormWithReLU": ({}, [(2, 3, 4, 4), *[(3,)] * 4]),
    "_contrib_MultiBoxPrior": ({}, [(1, 3, 4, 4)]),
    "_contrib_MultiBoxDetection": ({}, [(1, 3, 5), (1, 20), (1, 5, 4)]),
    "_contrib_box_nms": ({}, [(1, 5, 6)]),
    "_contrib_box_decode": ({}, [(1, 5, 4), (1, 5, 4)]),
}


def measure(mx: Any) -> dict[str, set[str]]:
    """MXNet operator -> the ONNX operators that it was translated into."""
    made: dict[str, set[str]] = defaultdict(set)
    for graph, parameters in (*_cases(mx), *map(_by_hand, _BY_HAND)):
        translator = NodeTranslator(graph, parameters)
        for index, node in enumerate(graph.nodes):
            operator = None if node.is_variable else translator.translate(index)
            if operator is not None:
                made[node.op] |= {each.op_type if not each.domain else "" for each in operator.nodes} or {"Constant"}
    return made


def _cases(mx: Any) -> list[tuple[SymbolGraph, set[str]]]:
    sys.path.insert(0, str(ROOT / "tests" / "unit" / "export"))
    graphs = []
    for shape, build in importlib.import_module("test_export_operators").CASES.values():
        symbol = build(mx.sym, mx.sym.var("data"))
        arguments, _, states = symbol.infer_shape(data=shape)
        shapes = dict(zip(symbol.list_arguments(), arguments, strict=True))
        shapes.update(zip(symbol.list_auxiliary_states(), states, strict=True))
        shapes.pop("data", None)
        graphs.append((graph_with_shapes(symbol, {"data": shape}, shapes), set(shapes)))
    return graphs


def _by_hand(op: str) -> tuple[SymbolGraph, set[str]]:
    attrs, shapes = _BY_HAND[op]
    names = [f"input{index}" for index in range(len(shapes))]
    nodes = [SymbolNode(name, "null", {}, [], [name], [shape]) for name, shape in zip(names, shapes, strict=True)]
    node = SymbolNode("y", op, attrs, [(index, 0) for index in range(len(names))])
    inputs = [Input(name, shape, index > 0) for index, (name, shape) in enumerate(zip(names, shapes, strict=True))]
    node.shapes = list(SHAPE_RULES[op](NodeReader(node, inputs)))
    node.tensors = ["y"]
    return SymbolGraph([*nodes, node], [(len(nodes), 0)]), set(names[1:])


def rows(made: dict[str, set[str]]) -> dict[str, str]:
    """MXNet operator -> line of the first table."""
    return {name: f"| `{name}` | {_onnx(made[name])} | {_caffe(made[name])} |" for name in sorted(TRANSLATORS)}


def _onnx(made: set[str]) -> str:
    return ", ".join(sorted(made - {""})) or f"`{DOMAIN}` node"


def _caffe(made: set[str]) -> str:
    missing = sorted(made & LEFT_OUT.keys())
    if missing:
        return f"no: {LEFT_OUT[missing[0]]}"
    if "" in made:
        return "kept" if made == {""} else "yes; kept where it is part of a head"
    return "yes"


def loss_rows() -> dict[str, str]:
    """Loss layer -> line of the second table."""
    return {name: f"| `{name}` | {what} |" for name, (what, _) in sorted(LOSSES.items())}


def refused_rows() -> dict[str, str]:
    """Reason -> line of the last table."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in refused_operators().items():
        by_reason[reason].append(f"`{name}`")
    return {reason: f"| {reason} | {', '.join(names)} |" for reason, names in by_reason.items()}


def render(made: dict[str, set[str]]) -> str:
    """The page."""
    return (
        HEAD
        + TRANSLATED
        + "\n".join(rows(made).values())
        + LOSS_HEAD
        + "\n".join(loss_rows().values())
        + "\n\n## Refused\n\n| why | operators |\n|---|---|\n"
        + "\n".join(refused_rows().values())
        + "\n"
    )


if __name__ == "__main__":
    from gluon2caffe.bridge.export import load_mxnet

    PAGE.write_text(render(measure(load_mxnet())), encoding="utf-8")
