"""Mul, Div, Add and Sub by a constant per channel after Conv, ConvTranspose or Gemm go into its weights.

Not folded: a constant that enlarges the result or gives it more axes, division by 0, and where others read what the
convolution makes.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.absorb import Affine, absorb_behind
from gluon2caffe.bridge.normalize.surgery import Ends, ends_of, is_only_reader, producer, take_over_output
from gluon2caffe.onnx2caffe.affine import per_channel
from gluon2caffe.onnx2caffe.names import Names

_OPERATORS = frozenset({"Mul", "Div", "Add", "Sub"})


def fold_affine(graph: gs.Graph) -> bool:
    """Fold every such node, chains of them too, since nodes come in order."""
    nodes = [node for node in graph.nodes if node.op in _OPERATORS and not node.domain]
    if not nodes:
        return False
    names, ends = Names.of_graph(graph), ends_of(graph)
    return bool(sum(_fold(node, ends, names) for node in nodes))


def _fold(node: gs.Node, ends: Ends, names: Names) -> bool:
    if len(node.inputs) != 2 or node.attrs.get("broadcast"):
        return False
    constant_first = isinstance(node.inputs[0], gs.Constant)
    if constant_first == isinstance(node.inputs[1], gs.Constant):
        return False
    computed, constant = reversed(node.inputs) if constant_first else node.inputs
    maker = producer(computed)
    if maker is None or not is_only_reader(node, computed, ends) or computed.shape is None:
        return False
    if list(node.outputs[0].shape or ()) != list(computed.shape):
        return False
    values = per_channel(constant.values, len(computed.shape))
    affine = None if values is None else _affine(node.op, values.astype(np.float64), constant_first)
    if affine is None or not absorb_behind(maker, affine, names):
        return False
    take_over_output(maker, node)
    return True


def _affine(operator: str, values: np.ndarray, constant_first: bool) -> Affine | None:  # type: ignore[type-arg]
    """What the operator does to its computed operand; None for a division that is none of these."""
    one, zero = np.array(1.0), np.array(0.0)
    if operator == "Mul":
        return Affine(values, zero)
    if operator == "Add":
        return Affine(one, values)
    if operator == "Sub":
        return Affine(-one, values) if constant_first else Affine(one, -values)
    return None if constant_first or not np.all(values) else Affine(1 / values, zero)
