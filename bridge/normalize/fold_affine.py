"""Mul, Div, Add and Sub by a constant per channel after Conv, ConvTranspose or Gemm go into its weights.

s·(W·x + b) + t = (s·W)·x + (s·b + t).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.surgery import Array, is_only_reader, own_values, producer, take_over_output
from gluon2caffe.onnx2caffe.affine import per_channel

_FOLDING = frozenset({"Conv", "ConvTranspose", "Gemm"})


def fold_affine(graph: gs.Graph) -> bool:
    """Fold every such node, chains of them too, since nodes come in order."""
    return bool(sum(_fold(node, graph) for node in graph.nodes if node.op in ("Mul", "Div", "Add", "Sub")))


def _fold(node: gs.Node, graph: gs.Graph) -> bool:
    if len(node.inputs) != 2 or node.attrs.get("broadcast"):
        return False
    first, second = node.inputs
    constant_first = isinstance(first, gs.Constant)
    if constant_first == isinstance(second, gs.Constant) or (constant_first and node.op == "Div"):
        return False
    computed, constant = (second, first) if constant_first else (first, second)
    maker = producer(computed)
    if maker is None or not is_only_reader(node, computed, graph) or computed.shape is None:
        return False
    if list(node.outputs[0].shape or ()) != list(computed.shape):
        return False  # the constant enlarges the result, or gives it more axes
    values = per_channel(constant.values, len(computed.shape))
    if values is None:
        return False
    values = values.astype(np.float64)
    one, zero = np.array(1.0), np.array(0.0)
    factor, shift = {
        "Mul": (values, zero),
        "Div": (1 / values if np.all(values) else None, zero),
        "Add": (one, values),
        "Sub": (-one, values) if constant_first else (one, -values),
    }[node.op]
    if factor is None or not absorb_affine(maker, factor, shift):
        return False
    take_over_output(maker, node)
    return True


def absorb_affine(maker: gs.Node, factor: Array, shift: Array) -> bool:
    """Let Conv, ConvTranspose or Gemm compute factor·y + shift instead of y, per channel; False where it cannot.

    `factor` and `shift` are numbers or vectors (C,), float64.
    """
    if (
        maker.op not in _FOLDING
        or len(maker.inputs) < 2
        or not all(isinstance(tensor, gs.Constant) for tensor in maker.inputs[1:])
    ):
        return False
    if maker.op == "Gemm" and not (maker.attrs.get("transB", 0) and _plain(maker)):
        return False
    weight = own_values(maker.inputs[1])
    groups = maker.attrs.get("group", 1) if maker.op == "ConvTranspose" else 1
    channels = weight.shape[1] * groups if maker.op == "ConvTranspose" else weight.shape[0]
    if any(np.size(part) not in (1, channels) for part in (factor, shift)):
        return False
    factors = np.broadcast_to(factor, (channels,))
    if np.any(factors != 1):
        # (groups, inputs, outputs, ...) of a ConvTranspose, (1, outputs, ...) of the others.
        parts = weight.reshape(groups, -1, *weight.shape[1:]) if maker.op == "ConvTranspose" else weight[None]
        front = (groups, 1, -1) if maker.op == "ConvTranspose" else (1, -1)
        aligned = (*front, *[1] * (parts.ndim - len(front)))
        np.multiply(parts, factors.astype(np.float32).reshape(aligned), out=parts)
        weight = parts.reshape(weight.shape)
    bias: Any = maker.inputs[2].values.reshape(-1).astype(np.float64) if len(maker.inputs) > 2 else 0.0
    total = np.broadcast_to(bias * factors + shift, (channels,)).astype(np.float32)
    _replace_constant(maker, 1, weight)
    if len(maker.inputs) > 2:
        _replace_constant(maker, 2, total)
    else:
        maker.inputs.append(gs.Constant(f"{maker.inputs[1].name}_bias", total))
    return True


def _plain(gemm: gs.Node) -> bool:
    scales = (gemm.attrs.get("alpha", 1.0), gemm.attrs.get("beta", 1.0))
    return scales == (1.0, 1.0) and not gemm.attrs.get("transA", 0)


def _replace_constant(node: gs.Node, index: int, values: Array) -> None:
    """Put `values` in place of a constant; one that other nodes read too gets a copy of another name."""
    old = node.inputs[index]
    if len(old.outputs) == 1:
        old.values = values
    else:
        node.inputs[index] = gs.Constant(f"{node.outputs[0].name}/{old.name}", values)
