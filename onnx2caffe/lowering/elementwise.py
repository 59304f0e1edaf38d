"""Add, Sub, Mul, Div, Max, Min, Sum, Mean, Pow and the functions of one number that Power and Exp compute."""

from __future__ import annotations

from functools import reduce

import numpy as np

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.axes import enlarge
from gluon2caffe.onnx2caffe.lowering.broadcasting import (
    add,
    add_constant,
    constant_blob,
    enlarge_to,
    multiply,
    multiply_constant,
    number,
)
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering


def _operands(node: Node) -> tuple[Blob, Array | None, bool]:
    """(the computed operand, the constant one if any, whether the constant comes first)."""
    if node.is_constant(1):
        return node.blob(0), node.constant(1), False
    if node.is_constant(0):
        return node.blob(1), node.constant(0), True
    return node.blob(0), None, False


def _refuse_old_broadcast(node: Node) -> None:
    if node.attr("broadcast", 0):
        raise UnsupportedNodeError("it uses opset-6 `broadcast=1`", "convert the model to opset 7 or later")


@lowering("Add")
def add_node(node: Node, net: NetBuilder) -> Blob:
    """Add."""
    _refuse_old_broadcast(node)
    x, constant, _ = _operands(node)
    return add(net, x, node.blob(1)) if constant is None else add_constant(net, x, constant)


@lowering("Sub")
def subtract_node(node: Node, net: NetBuilder) -> Blob:
    """Sub."""
    _refuse_old_broadcast(node)
    x, constant, first = _operands(node)
    if constant is None:
        return add(net, x, node.blob(1), -1.0)
    return add_constant(net, x, constant, sign=-1.0) if first else add_constant(net, x, -constant)


@lowering("Mul")
def multiply_node(node: Node, net: NetBuilder) -> Blob:
    """Mul."""
    _refuse_old_broadcast(node)
    x, constant, _ = _operands(node)
    return multiply(net, x, node.blob(1)) if constant is None else multiply_constant(net, x, constant)


@lowering("Div")
def divide_node(node: Node, net: NetBuilder) -> Blob:
    """Div: a factor 1/constant, or the Power -1 of the divisor."""
    _refuse_old_broadcast(node)
    x, constant, first = _operands(node)
    if constant is None:
        inverse = layers.power(net, node.blob(1), power=-1.0, part="inverse")
        return multiply(net, x, inverse)
    if not first:
        with np.errstate(divide="ignore"):
            return multiply_constant(net, x, (1 / constant.astype(np.float64)).astype(np.float32))
    return multiply_constant(net, layers.power(net, x, power=-1.0, part="inverse"), constant)


def _split_operands(node: Node) -> tuple[list[Blob], list[Array]]:
    indices = range(node.input_count)
    constants = [node.constant(i) for i in indices if node.is_constant(i)]
    return [node.blob(i) for i in indices if not node.is_constant(i)], constants


@lowering("Sum")
def sum_node(node: Node, net: NetBuilder) -> Blob:
    """Sum of any number of tensors and constants."""
    return _sum(node, net, 1.0)


@lowering("Mean")
def mean_node(node: Node, net: NetBuilder) -> Blob:
    """Mean of any number of tensors and constants: their weighted sum."""
    return _sum(node, net, 1 / node.input_count)


def _sum(node: Node, net: NetBuilder, weight: float) -> Blob:
    blobs, constants = _split_operands(node)
    shape = node.shape()
    if len(blobs) > 1:
        blobs = [blob if blob.shape == shape else enlarge(net, blob, shape) for blob in blobs]
        total = layers.weighted_sum(net, blobs, [weight] * len(blobs))
    elif weight != 1.0:
        total = layers.power(net, blobs[0], scale=weight, part="share")
    else:
        total = blobs[0]
    if not constants:
        return total
    constant = weight * reduce(np.add, constants)
    return add_constant(net, enlarge_to(net, total, constant), constant.astype(np.float32))


@lowering("Max")
def maximum_node(node: Node, net: NetBuilder) -> Blob:
    """Max of tensors and constants."""
    return _extreme(node, net, 1.0)


@lowering("Min")
def minimum_node(node: Node, net: NetBuilder) -> Blob:
    """Min(a, b) = -Max(-a, -b)."""
    return _extreme(node, net, -1.0)


def _extreme(node: Node, net: NetBuilder, sign: float) -> Blob:
    shape = node.shape()
    blobs, constants = _split_operands(node)
    blobs = [blob if blob.shape == shape else enlarge(net, blob, shape) for blob in blobs]
    if sign < 0:
        blobs = [layers.power(net, blob, scale=-1.0, part="negative") for blob in blobs]
    blobs += [constant_blob(net, blobs[0], sign * constant) for constant in constants]
    y = layers.eltwise(net, blobs, "MAX") if len(blobs) > 1 else blobs[0]
    return layers.power(net, y, scale=-1.0, part="restore") if sign < 0 else y


@lowering("Pow")
def power_node(node: Node, net: NetBuilder) -> Blob:
    """X to a constant power; a positive constant to the power of x, which is exp(x·log(constant))."""
    if node.is_constant(1):
        exponent = number(node.constant(1))
        if exponent is None:
            raise UnsupportedNodeError(
                f"its exponent has shape {node.constant(1).shape}; Caffe's Power takes one number"
            )
        x = enlarge_to(net, node.blob(), node.constant(1))
        return layers.power(net, x, power=exponent) if exponent != 1.0 else x
    if not node.is_constant(0):
        raise UnsupportedNodeError("it raises a computed tensor to a computed power; no stock Caffe layer does")
    base = node.constant(0)
    if np.any(base <= 0):
        raise UnsupportedNodeError("its constant base is not positive")
    exponents = multiply_constant(net, node.blob(1), np.log(base.astype(np.float64)).astype(np.float32), "exponent")
    return layers.unary(net, exponents, "Exp")


@lowering("Exp")
def exp(node: Node, net: NetBuilder) -> Blob:
    """Exp."""
    return layers.unary(net, node.blob(), "Exp")


@lowering("Log")
def log(node: Node, net: NetBuilder) -> Blob:
    """Log."""
    return layers.unary(net, node.blob(), "Log")


@lowering("Abs")
def absolute(node: Node, net: NetBuilder) -> Blob:
    """AbsVal."""
    return layers.absolute(net, node.blob())


@lowering("Neg")
def negative(node: Node, net: NetBuilder) -> Blob:
    """Power with scale -1."""
    return layers.power(net, node.blob(), scale=-1.0)


@lowering("Sqrt")
def square_root(node: Node, net: NetBuilder) -> Blob:
    """Power 1/2."""
    return layers.power(net, node.blob(), power=0.5)


@lowering("Reciprocal")
def reciprocal(node: Node, net: NetBuilder) -> Blob:
    """Power -1."""
    return layers.power(net, node.blob(), power=-1.0)
