"""Greater, Less, Equal and their kin; Not, And, Or, Xor. A truth value is a float blob of exactly 0 and 1.

a > b is a step of a - b. Of float32 numbers the difference is 0 for equal ones only, since it may be less than the
least normal number; one that overflows is an infinity of the right sign. So is an infinity beside a number. Two
infinities of one sign have no difference, and NaN has no place: of these the truth values are left open.
"""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.axes import enlarge
from gluon2caffe.onnx2caffe.lowering.broadcasting import add, add_constant, constant_blob, multiply
from gluon2caffe.onnx2caffe.lowering.piecewise import heaviside
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering


def as_float32(constant: Array) -> Array:
    """The constant's numbers or truth values as float32.

    Raises:
        UnsupportedNodeError: it holds a whole number that float32 does not have.

    """
    values = constant.astype(np.float32)
    if constant.dtype.kind in "iu" and not np.array_equal(values.astype(object), constant.astype(object)):
        raise UnsupportedNodeError("its constant holds whole numbers that float32, in which Caffe computes, does not")
    return values


def opposite(net: NetBuilder, truth: Blob, part: str = "") -> Blob:
    """1 - truth."""
    return layers.power(net, truth, scale=-1.0, shift=1.0, part=part)


def is_not_zero(net: NetBuilder, x: Blob) -> Blob:
    """1 where x is not 0, else 0."""
    return heaviside(net, layers.absolute(net, x, part="magnitude"))


def _difference(node: Node, net: NetBuilder) -> Blob:
    """Input 0 minus input 1."""
    if node.is_constant(1):
        return add_constant(net, node.blob(0), -as_float32(node.constant(1)), "difference")
    if node.is_constant(0):
        return add_constant(net, node.blob(1), as_float32(node.constant(0)), "difference", sign=-1.0)
    return add(net, node.blob(0), node.blob(1), -1.0)


def _greater(node: Node, net: NetBuilder) -> Blob:
    return heaviside(net, _difference(node, net))


def _less(node: Node, net: NetBuilder) -> Blob:
    return heaviside(net, layers.power(net, _difference(node, net), scale=-1.0, part="turned"))


@lowering("Greater", since=7)
def greater(node: Node, net: NetBuilder) -> Blob:
    """A step of a - b."""
    return _greater(node, net)


@lowering("Less", since=7)
def less(node: Node, net: NetBuilder) -> Blob:
    """A step of b - a."""
    return _less(node, net)


@lowering("GreaterOrEqual")
def greater_or_equal(node: Node, net: NetBuilder) -> Blob:
    """Not less."""
    return opposite(net, _less(node, net))


@lowering("LessOrEqual")
def less_or_equal(node: Node, net: NetBuilder) -> Blob:
    """Not greater."""
    return opposite(net, _greater(node, net))


@lowering("Equal", since=7)
def equal(node: Node, net: NetBuilder) -> Blob:
    """1 - step(|a - b|)."""
    return opposite(net, is_not_zero(net, _difference(node, net)))


@lowering("Not")
def not_node(node: Node, net: NetBuilder) -> Blob:
    """1 - a."""
    return opposite(net, node.blob())


def _truths(node: Node, net: NetBuilder) -> list[Blob]:
    """Both inputs in the shape of the output."""
    shape = node.shape()
    like = enlarge(net, node.blob(1 if node.is_constant(0) else 0), shape)
    return [
        constant_blob(net, like, as_float32(node.constant(index)))
        if node.is_constant(index)
        else enlarge(net, node.blob(index), shape)
        for index in (0, 1)
    ]


@lowering("And", since=7)
def and_node(node: Node, net: NetBuilder) -> Blob:
    """a·b."""
    return multiply(net, *_truths(node, net))


@lowering("Or", since=7)
def or_node(node: Node, net: NetBuilder) -> Blob:
    """max(a, b)."""
    return layers.eltwise(net, _truths(node, net), "MAX")


@lowering("Xor", since=7)
def xor_node(node: Node, net: NetBuilder) -> Blob:
    """|a - b|."""
    difference = layers.weighted_sum(net, _truths(node, net), (1.0, -1.0), part="difference")
    return layers.absolute(net, difference)
