"""Where: the numbers of one branch or of the other, by a truth value of 0 or 1.

The branch that is not chosen may be infinite: where(x < 0, exp(x) - 1, x) overflows for large x. So a computed branch
is not multiplied by its truth value t but held between ∓∞·t, which are 0 where it is not chosen, and the two are added.
"""

from __future__ import annotations

from math import prod

import numpy as np

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder, Shape
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.axes import enlarge, select
from gluon2caffe.onnx2caffe.lowering.broadcasting import constant_blob, multiply_constant, number
from gluon2caffe.onnx2caffe.lowering.logic import as_float32, opposite
from gluon2caffe.onnx2caffe.lowering.piecewise import HUGE, finite_like
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("Where")
def where(node: Node, net: NetBuilder) -> Blob:
    """Branch 1 where the condition holds, else branch 2.

    A NaN in the branch that is not chosen is passed over by the readers it was tried on; one that is chosen becomes an
    infinity.
    """
    if node.is_constant(0):
        held = node.constant(0)
        if held.all() or not held.any():
            return _whole(node, net, 1 if held.all() else 2)
    chosen = _condition(node, net)
    parts = []
    if not _is_zero(node, 1):
        parts.append(_part(node, net, 1, chosen))
    if not _is_zero(node, 2):
        parts.append(_part(node, net, 2, opposite(net, chosen, "otherwise")))
    if not parts:
        return layers.constant_like(net, chosen, 0.0)
    if len(parts) == 1:
        blob, sign = parts[0]
        return blob if sign > 0 else layers.power(net, blob, scale=sign)
    blobs, signs = zip(*parts, strict=True)
    return layers.weighted_sum(net, blobs, signs)


def _condition(node: Node, net: NetBuilder) -> Blob:
    """The condition in the shape of the output."""
    shape = node.shape()
    if not node.is_constant(0):
        return enlarge(net, node.blob(0), shape)
    return _constant(net, node.constant(0).astype(np.float32), shape)


def _whole(node: Node, net: NetBuilder, index: int) -> Blob:
    """One branch in the shape of the output."""
    if not node.is_constant(index):
        return enlarge(net, node.blob(index), node.shape())
    return _constant(net, _finite(node, index), node.shape())


def _constant(net: NetBuilder, values: Array, shape: Shape) -> Blob:
    """The constant in a shape, made from a number of the net's input: a branch may hold what is no number."""
    source = net.inputs[0]
    row = layers.reshape(net, source, (1, prod(source.shape)), part="row")
    one = finite_like(net, select(net, row, 1, [0], part="one"))
    like = enlarge(net, layers.reshape(net, one, (1,) * len(shape), part="finite"), shape)
    return constant_blob(net, like, values)


def _is_zero(node: Node, index: int) -> bool:
    return node.is_constant(index) and number(node.constant(index)) == 0.0


def _part(node: Node, net: NetBuilder, index: int, truth: Blob) -> tuple[Blob, float]:
    """A blob of a branch's numbers where `truth` is 1, of 0 elsewhere; and the sign to take it by."""
    side = {1: "first", 2: "second"}[index]
    if node.is_constant(index):
        value = number(node.constant(index))
        if value is not None and np.isinf(value):
            return _infinite(net, truth, side), -float(np.sign(value))
        values = _finite(node, index)
        return truth if value == 1.0 else multiply_constant(net, truth, values, side), 1.0
    least = _infinite(net, truth, side)
    branch = enlarge(net, node.blob(index), truth.shape)
    above = layers.eltwise(net, [branch, least], "MAX", part=f"{side}_above")
    minus = layers.power(net, above, scale=-1.0, part=f"{side}_minus")
    # Some readers keep the first of two operands where one is NaN, some the second: one of the two MAX drops it.
    return layers.eltwise(net, [least, minus], "MAX", part=side), -1.0


def _infinite(net: NetBuilder, truth: Blob, side: str) -> Blob:
    """-∞ where `truth` is 1, and 0 elsewhere; in two factors, since ∞·0 is no number."""
    factors = [layers.power(net, truth, scale=scale, part=f"{side}_factor") for scale in (HUGE, -HUGE)]
    return layers.eltwise(net, factors, "PROD", part=f"{side}_least")


def _finite(node: Node, index: int) -> Array:
    values = as_float32(node.constant(index))
    if not np.isfinite(values).all():
        raise UnsupportedNodeError(f"its input {index} holds NaN or infinity", "write a large finite number instead")
    return values
