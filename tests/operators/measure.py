"""Which ONNX operators each target takes: every case of the lowering tests, lowered for every target."""

from __future__ import annotations

import importlib
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import onnx.defs

TESTS = Path(__file__).parents[1]
LOWERING_TESTS = TESTS / "unit" / "lowering"
for folder in (TESTS, LOWERING_TESTS):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from gluon2caffe.bridge.convert import to_intermediate  # noqa: E402
from gluon2caffe.bridge.options import ConversionOptions  # noqa: E402
from gluon2caffe.onnx2caffe.lower import lower_nodes  # noqa: E402
from gluon2caffe.onnx2caffe.registry import registered  # noqa: E402
from gluon2caffe.onnx2caffe.targets import PROFILES  # noqa: E402

STAGE_ONE = ("merge_bn",)


@dataclass
class Taken:
    """Of one operator: per target, how many cases there are and how many of them it takes."""

    cases: int = 0
    taken: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PROFILES, 0))


def operators() -> dict[str, tuple[int, ...]]:
    """Every lowered operator of the domain ai.onnx, with the versions since which there is a form."""
    return {operator: versions for (domain, operator), versions in registered().items() if not domain}


def _cases() -> Iterator[Any]:
    for path in sorted(LOWERING_TESTS.glob("test_lower_*.py")):
        yield from importlib.import_module(path.stem).CASES.values()


def measure() -> dict[str, Taken]:
    """Per operator, from all cases whose opset the installed onnx knows."""
    table: defaultdict[str, Taken] = defaultdict(Taken)
    for case in _cases():
        if case.opset > onnx.defs.onnx_opset_version():
            continue
        options = {name: value for name, value in case.options.items() if name in STAGE_ONE}
        model = case.model()
        graph = to_intermediate(model, ConversionOptions(**options)).graph
        used = {node.op_type for node in model.graph.node if not node.domain}
        for operator in used:
            table[operator].cases += 1
        for target in PROFILES:
            _, _, refusals = lower_nodes(graph.copy(), target=target)
            refused = {refusal.operator for refusal in refusals}
            for operator in used - refused:
                table[operator].taken[target] += 1
    return dict(table)


def beyond_installed() -> set[str]:
    """Operators of which some case needs a newer onnx than the installed one."""
    newest = onnx.defs.onnx_opset_version()
    names = set()
    for case in _cases():
        if case.opset > newest:
            names.update(operator for operator in operators() if f"{operator}(" in case.text.replace("<", "("))
    return names
