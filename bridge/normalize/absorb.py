"""Factors and sums per channel that go into the weights of the convolution or product beside them.

Behind it, s·(W·x + b) + t = (s·W)·x + (s·b + t); in front of it, W·(s·x + t) + b = (W·s)·x + (W·t + b), where padding
does not come in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.surgery import Array, own_values
from gluon2caffe.onnx2caffe.names import Names

_FOLDING = frozenset({"Conv", "ConvTranspose", "Gemm"})


@dataclass(frozen=True)
class Affine:
    """factor·x + shift, each a number () or a vector (C,), float64."""

    factor: Array
    shift: Array


def can_absorb(node: gs.Node) -> bool:
    """Whether the node is a Conv, ConvTranspose or Gemm whose weights are constants that may be changed."""
    if node.op not in _FOLDING or node.domain or len(node.inputs) < 2:
        return False
    if not all(isinstance(tensor, gs.Constant) for tensor in node.inputs[1:]):
        return False
    return node.op != "Gemm" or (bool(node.attrs.get("transB", 0)) and _is_plain(node))


def absorb_behind(node: gs.Node, affine: Affine, names: Names) -> bool:
    """Let the node make factor·y + shift instead of y; False where it cannot."""
    if not can_absorb(node):
        return False
    transposed = node.op == "ConvTranspose"
    groups = node.attrs.get("group", 1) if transposed else 1
    shape = node.inputs[1].shape
    channels = shape[1] * groups if transposed else shape[0]
    if any(np.size(part) not in (1, channels) for part in (affine.factor, affine.shift)):
        return False
    factors = np.broadcast_to(affine.factor, (channels,))
    # (groups, inputs, outputs, ...) of a ConvTranspose, (outputs, ...) of the others.
    lengths = (groups, 1, -1, *[1] * (len(shape) - 2)) if transposed else (-1, *[1] * (len(shape) - 1))
    parts = (groups, shape[0] // groups, *shape[1:]) if transposed else shape
    _scale(node, factors, lengths, parts, names)
    total = np.broadcast_to(_bias(node) * factors + affine.shift, (channels,))
    _put(node, 2, total.astype(np.float32), names)
    return True


def absorb_in_front(conv: gs.Node, affine: Affine, names: Names, *, reverse: bool = False) -> None:
    """Let a Conv of one group read x instead of factor·x + shift, and with `reverse` x with its channels turned round.

    `can_absorb` holds of it, and it has no padding unless the shift is 0.
    """
    if affine.shift.any():
        added = np.einsum("ochw,c->o", conv.inputs[1].values.astype(np.float64), affine.shift)
        _put(conv, 2, (_bias(conv) + added).astype(np.float32), names)
    _scale(conv, affine.factor, (1, -1, 1, 1), conv.inputs[1].shape, names)
    if reverse:
        _put(conv, 1, np.ascontiguousarray(conv.inputs[1].values[:, ::-1]), names)


def _bias(node: gs.Node) -> Any:
    return node.inputs[2].values.reshape(-1).astype(np.float64) if len(node.inputs) > 2 else 0.0


def _is_plain(gemm: gs.Node) -> bool:
    scales = (gemm.attrs.get("alpha", 1.0), gemm.attrs.get("beta", 1.0))
    return scales == (1.0, 1.0) and not gemm.attrs.get("transA", 0)


def _scale(node: gs.Node, factors: Array, lengths: tuple[int, ...], parts: tuple[int, ...], names: Names) -> None:
    """Multiply the weights, seen in the shape `parts`, by the factors in the shape `lengths`; in place if possible."""
    if not np.any(factors != 1):
        return
    weight = own_values(node.inputs[1])
    seen = weight.reshape(parts)
    np.multiply(seen, factors.astype(np.float32).reshape(lengths), out=seen)
    _put(node, 1, seen.reshape(weight.shape), names)


def _put(node: gs.Node, index: int, values: Array, names: Names) -> None:
    """Make `values` the weights (1) or the bias (2); a constant that other nodes read too stays as it is."""
    if index < len(node.inputs) and len(node.inputs[index].outputs) == 1:
        node.inputs[index].values = values
        return
    constant = gs.Constant(names.new(f"{node.outputs[0].name}/{'weight' if index == 1 else 'bias'}"), values)
    if index < len(node.inputs):
        node.inputs[index] = constant
    else:
        node.inputs.append(constant)
