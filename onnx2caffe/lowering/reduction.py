"""ReduceMean, ReduceSum and ReduceMax over constant axes."""

from __future__ import annotations

from math import prod

import numpy as np

from onnx2caffe import layers
from onnx2caffe.builder import Blob, NetBuilder
from onnx2caffe.node import Node, UnsupportedNodeError, axis_of
from onnx2caffe.registry import lowering

MOST_SLICES = 64


@lowering("ReduceMean")
@lowering("ReduceSum")
@lowering("ReduceMax")
def reduce_attribute(node: Node, net: NetBuilder) -> Blob:
    """Axes as an attribute."""
    return _reduce(node, net, node.attr("axes", None))


@lowering("ReduceSum", since=13)
@lowering("ReduceMean", since=18)
@lowering("ReduceMax", since=18)
def reduce_input(node: Node, net: NetBuilder) -> Blob:
    """Axes as an input."""
    axes = node.optional_constant(1)
    if axes is None and node.attr("noop_with_empty_axes", 0):
        return node.blob()
    return _reduce(node, net, None if axes is None else axes.tolist())


def _reduce(node: Node, net: NetBuilder, axes: list[int] | None) -> Blob:
    x = node.blob()
    reduced = sorted(axis_of(axis, x.rank) for axis in (range(x.rank) if axes is None else axes))
    if 0 in reduced and x.shape[0] > 1:
        raise UnsupportedNodeError("it reduces over the batch axis")
    reduced = [axis for axis in reduced if x.shape[axis] > 1]
    method = node.raw.op.removeprefix("Reduce")
    return layers.reshape(net, _reduced(net, x, reduced, method), node.shape(), part="shape")


def _reduced(net: NetBuilder, x: Blob, axes: list[int], method: str) -> Blob:
    """`x` with `axes` reduced, of the right size though not yet of the right shape."""
    if not axes:
        return x
    count = prod(x.shape[axis] for axis in axes)
    if x.rank == 4 and axes == [2, 3] and method in ("Mean", "Max"):
        return layers.global_pooling(net, x, "AVE" if method == "Mean" else "MAX")
    if len(axes) == 1 and count <= MOST_SLICES:
        pieces = layers.cut(net, x, [1] * count, axes[0])
        if method == "Max":
            return layers.eltwise(net, pieces, "MAX")
        return layers.eltwise(net, pieces, "SUM", coeff=[1 / count] * count if method == "Mean" else ())
    kept = [axis for axis in range(x.rank) if axis not in axes]
    if [*kept, *axes] != list(range(x.rank)) and not net.profile.has("Permute"):
        raise UnsupportedNodeError(f"the target {net.profile.name!r} has no Permute layer", "choose the target 'ssd'")
    turned = layers.permute(net, x, [*kept, *axes], part="turn")
    if method == "Max":
        rows = layers.reshape(net, turned, (x.shape[0], prod(turned.shape[1 : len(kept)]), 1, count), part="rows")
        return layers.pooling(net, rows, "MAX", (1, count), (1, 1), (0, 0), part="pool")
    weight = np.full((1, count), 1 / count if method == "Mean" else 1, np.float32)
    return layers.inner_product(net, turned, weight, None, axis=len(kept), part="sum")
