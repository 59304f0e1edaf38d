"""Slice, Gather with constant indices, and Trilu."""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.axes import select
from gluon2caffe.onnx2caffe.lowering.broadcasting import multiply_constant
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError, axis_of
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("Slice")
def slice_attributes(node: Node, net: NetBuilder) -> Blob:
    """Slice with attributes (opset 9 and before)."""
    starts, ends = node.attr("starts", [0]), node.attr("ends", [0])
    return _slice(node, net, starts, ends, node.attr("axes", list(range(len(starts)))), [1] * len(starts))


@lowering("Slice", since=10)
def slice_inputs(node: Node, net: NetBuilder) -> Blob:
    """Slice with inputs."""
    starts, ends = node.constant(1).tolist(), node.constant(2).tolist()
    axes, steps = node.optional_constant(3), node.optional_constant(4)
    return _slice(
        node,
        net,
        starts,
        ends,
        list(range(len(starts))) if axes is None else axes.tolist(),
        [1] * len(starts) if steps is None else steps.tolist(),
    )


def _slice(node: Node, net: NetBuilder, starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> Blob:
    x = node.blob()
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis_of(axis, x.rank)
        kept = range(x.shape[axis])[start:end:step]
        if not kept:
            raise UnsupportedNodeError(f"the result is empty along axis {axis}")
        x = select(net, x, axis, kept, part=f"slice{axis}")
    return x


@lowering("Gather")
def gather(node: Node, net: NetBuilder) -> Blob:
    """Places along an axis, given by constant indices."""
    x = node.blob()
    axis = axis_of(node.attr("axis", 0), x.rank)
    indices = [axis_of(int(index), x.shape[axis]) for index in node.constant(1).reshape(-1)]
    return layers.reshape(net, select(net, x, axis, indices, part="gather"), node.shape(), part="shape")


@lowering("Trilu")
def triangle(node: Node, net: NetBuilder) -> Blob:
    """Times a constant triangle of ones."""
    x, shift = node.blob(), node.optional_constant(1)
    ones, k = growth.ones(*x.shape[-2:]), 0 if shift is None else int(shift.item())
    return multiply_constant(net, x, np.triu(ones, k) if node.attr("upper", 1) else np.tril(ones, k))
