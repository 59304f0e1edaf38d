"""ArgMax, ArgMin and TopK: which value along an axis is the largest.

Caffe's own ArgMax layer gives the last of equal values, ONNX by default the first; so these are made of steps. An
index is a float blob of whole numbers.
"""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.broadcasting import add, multiply_constant
from gluon2caffe.onnx2caffe.lowering.piecewise import heaviside
from gluon2caffe.onnx2caffe.lowering.reductions import largest
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError, axis_of
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("ArgMax")
def arg_max(node: Node, net: NetBuilder) -> Blob:
    """The index of the largest value."""
    return _index(node, net, node.blob())


@lowering("ArgMin")
def arg_min(node: Node, net: NetBuilder) -> Blob:
    """The index of the smallest value: ArgMax of -x."""
    return _index(node, net, _turned(net, node.blob()))


def _turned(net: NetBuilder, x: Blob) -> Blob:
    return layers.power(net, x, scale=-1.0, part="turned")


def _index(node: Node, net: NetBuilder, x: Blob) -> Blob:
    axis = axis_of(node.attr("axis", 0), x.rank)
    place = index_of_largest(net, x, axis, last=bool(node.attr("select_last_index", 0)))
    return layers.reshape(net, place, node.shape(), part="shape")


@lowering("TopK")
def top_attribute(node: Node, net: NetBuilder) -> list[Blob]:
    """The largest value, the count as an attribute."""
    return _top(node, net, node.attr("k", 1))


@lowering("TopK", since=10)
def top_input(node: Node, net: NetBuilder) -> list[Blob]:
    """The largest or smallest value, the count as an input."""
    return _top(node, net, int(node.constant(1).item()))


def _top(node: Node, net: NetBuilder, count: int) -> list[Blob]:
    if count != 1:
        raise UnsupportedNodeError(
            f"it takes {count} values in their order; only the first is made of layers that every reader has (Caffe's "
            "ArgMax takes more, but the last of equal values before the first)",
        )
    x = node.blob()
    axis = axis_of(node.attr("axis", -1), x.rank)
    if not node.attr("largest", 1):
        x = _turned(net, x)
    values = largest(net, x, [axis])
    index = index_of_largest(net, x, axis)
    if node.attr("largest", 1):
        return [values, index]
    return [layers.power(net, values, scale=-1.0, part="restore"), index]


def index_of_largest(net: NetBuilder, x: Blob, axis: int, *, last: bool = False) -> Blob:
    """The index of the first or last of the largest values along `axis`, which gets the length 1."""
    best = largest(net, places(net, x, axis, last=last), [axis])
    # Place i got the number length - i, or i + 1 where the last is asked for.
    return layers.power(net, best, scale=1.0 if last else -1.0, shift=-1.0 if last else x.shape[axis], part="index")


def places(net: NetBuilder, x: Blob, axis: int, *, last: bool = False) -> Blob:
    """At each largest value its place, 1 … length, counted so that the wanted one has the largest; 0 elsewhere."""
    numbers = np.arange(1, x.shape[axis] + 1, dtype=np.float32)
    ramp = (numbers if last else numbers[::-1]).reshape(-1, *[1] * (x.rank - axis - 1))
    return multiply_constant(net, is_largest(net, x, axis), ramp, "places")


def is_largest(net: NetBuilder, x: Blob, axis: int) -> Blob:
    """1 where x is the largest along `axis`, else 0."""
    behind = add(net, largest(net, x, [axis]), x, -1.0)
    return layers.power(net, heaviside(net, behind, "behind"), scale=-1.0, shift=1.0, part="is_largest")
