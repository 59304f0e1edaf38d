"""Between which bounds the numbers of a tensor lie, whatever the input: by interval arithmetic over the graph."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import onnx_graphsurgeon as gs

Interval = tuple[float, float]

UNBOUNDED: Interval = (-math.inf, math.inf)
_FARTHEST = 64
"""Nodes that are followed back. Beyond, a tensor counts as unbounded, which is true."""

# They move numbers, or make one between them. Padding, which may bring a 0 in, is not among them.
_MOVING = frozenset(
    {
        *("DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GlobalAveragePool", "GlobalMaxPool", "Identity"),
        *("MaxPool", "ReduceMax", "ReduceMean", "ReduceMin", "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze"),
        *("Tile", "Transpose", "Unsqueeze"),
    }
)
_RANGES: dict[str, Interval] = {
    "Sigmoid": (0.0, 1.0),
    "HardSigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "Erf": (-1.0, 1.0),
    "Sin": (-1.0, 1.0),
    "Cos": (-1.0, 1.0),
}


def interval_of(tensor: gs.Tensor, farthest: int = _FARTHEST) -> Interval:
    """The least and the largest value that a tensor can hold for any finite input; infinite where nothing bounds it."""
    if isinstance(tensor, gs.Constant):
        values = np.asarray(tensor.values, np.float64)
        return (float(values.min()), float(values.max())) if values.size else UNBOUNDED
    if farthest == 0 or not tensor.inputs:
        return UNBOUNDED
    node = tensor.inputs[0]
    if node.domain:
        return UNBOUNDED
    if node.op in _RANGES:
        return _RANGES[node.op]
    if node.op in _MOVING:
        return interval_of(node.inputs[0], farthest - 1)
    rule = _RULES.get(node.op)
    if rule is None:
        return UNBOUNDED
    low, high = rule(node, [interval_of(each, farthest - 1) if each.name else UNBOUNDED for each in node.inputs])
    return UNBOUNDED if math.isnan(low) or math.isnan(high) else (low, high)


def _add(_node: gs.Node, given: list[Interval]) -> Interval:
    return sum(low for low, _ in given), sum(high for _, high in given)


def _sub(_node: gs.Node, given: list[Interval]) -> Interval:
    (a, b), (c, d) = given
    return a - d, b - c


def _mul(_node: gs.Node, given: list[Interval]) -> Interval:
    (a, b), (c, d) = given
    products = (a * c, a * d, b * c, b * d)
    # An unbounded factor times 0 is no number.
    return (math.nan, math.nan) if any(map(math.isnan, products)) else (min(products), max(products))


def _div(node: gs.Node, given: list[Interval]) -> Interval:
    low, high = given[1]
    return _mul(node, [given[0], (1 / high, 1 / low)]) if low > 0 or high < 0 else UNBOUNDED


def _neg(_node: gs.Node, given: list[Interval]) -> Interval:
    return -given[0][1], -given[0][0]


def _abs(_node: gs.Node, given: list[Interval]) -> Interval:
    low, high = given[0]
    return max(0.0, low, -high), max(-low, high)


def _relu(_node: gs.Node, given: list[Interval]) -> Interval:
    low, high = given[0]
    return max(0.0, low), max(0.0, high)


def _union(_node: gs.Node, given: list[Interval]) -> Interval:
    return min(low for low, _ in given), max(high for _, high in given)


def _clip(node: gs.Node, given: list[Interval]) -> Interval:
    low, high = given[0]
    least = given[1][0] if len(node.inputs) > 1 and node.inputs[1].name else node.attrs.get("min", -math.inf)
    most = given[2][1] if len(node.inputs) > 2 and node.inputs[2].name else node.attrs.get("max", math.inf)
    return max(low, least) if low < least else low, min(high, most) if high > most else high


_RULES: dict[str, Callable[[gs.Node, list[Interval]], Interval]] = {
    "Abs": _abs,
    "Add": _add,
    "Clip": _clip,
    "Concat": _union,
    "Div": _div,
    "Max": lambda _node, given: (max(low for low, _ in given), max(high for _, high in given)),
    "Min": lambda _node, given: (min(low for low, _ in given), min(high for _, high in given)),
    "Mul": _mul,
    "Neg": _neg,
    "Relu": _relu,
    "Sub": _sub,
    "Sum": _add,
}
