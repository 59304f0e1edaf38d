"""Softmax, LogSoftmax and Hardmax."""

from __future__ import annotations

from collections.abc import Callable

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.broadcasting import add
from gluon2caffe.onnx2caffe.lowering.ranking import is_largest, places
from gluon2caffe.onnx2caffe.lowering.reductions import largest, total
from gluon2caffe.onnx2caffe.node import Node, axis_of
from gluon2caffe.onnx2caffe.registry import lowering

AlongAxis = Callable[[NetBuilder, Blob, int], Blob]


def _softmax(net: NetBuilder, x: Blob, axis: int) -> Blob:
    return layers.softmax(net, x, axis)


def _log_softmax(net: NetBuilder, x: Blob, axis: int) -> Blob:
    """(x - max) - log(sum(exp(x - max))): no probability is rounded to 0 before its logarithm is taken."""
    shifted = add(net, x, largest(net, x, [axis]), -1.0)
    sums = total(net, layers.unary(net, shifted, "Exp", part="exp"), [axis])
    return add(net, shifted, layers.unary(net, sums, "Log", part="log"), -1.0)


def _hardmax(net: NetBuilder, x: Blob, axis: int) -> Blob:
    """1 at the first of the largest values, 0 elsewhere."""
    return is_largest(net, places(net, x, axis), axis)


def _flat(node: Node, net: NetBuilder, function: AlongAxis) -> Blob:
    """The meaning before opset 13: over all axes from `axis` on."""
    x = node.blob()
    axis = axis_of(node.attr("axis", 1), x.rank)
    if axis != x.rank - 1:
        net.sizes.exact(x, range(axis, x.rank), "a softmax over several axes")
    if axis == x.rank - 1 or layers.flattened(x, axis) == x.shape[axis]:
        return function(net, x, axis)
    # Two axes at least: OpenCV has no blobs of one.
    leading = x.shape[:axis] or (1,)
    flat = layers.reshape(net, x, (*leading, layers.flattened(x, axis)), part="flat")
    return layers.reshape(net, function(net, flat, len(leading)), x.shape, part="shape")


def _along(node: Node, net: NetBuilder, function: AlongAxis) -> Blob:
    """The meaning since opset 13: along one axis."""
    x = node.blob()
    return function(net, x, axis_of(node.attr("axis", -1), x.rank))


@lowering("Softmax")
def softmax_flat(node: Node, net: NetBuilder) -> Blob:
    """Softmax over all axes from `axis` on."""
    return _flat(node, net, _softmax)


@lowering("Softmax", since=13)
def softmax(node: Node, net: NetBuilder) -> Blob:
    """Softmax along one axis."""
    return _along(node, net, _softmax)


@lowering("LogSoftmax")
def log_softmax_flat(node: Node, net: NetBuilder) -> Blob:
    """LogSoftmax over all axes from `axis` on."""
    return _flat(node, net, _log_softmax)


@lowering("LogSoftmax", since=13)
def log_softmax(node: Node, net: NetBuilder) -> Blob:
    """LogSoftmax along one axis."""
    return _along(node, net, _log_softmax)


@lowering("Hardmax")
def hardmax_flat(node: Node, net: NetBuilder) -> Blob:
    """Hardmax over all axes from `axis` on."""
    return _flat(node, net, _hardmax)


@lowering("Hardmax", since=13)
def hardmax(node: Node, net: NetBuilder) -> Blob:
    """Hardmax along one axis."""
    return _along(node, net, _hardmax)
