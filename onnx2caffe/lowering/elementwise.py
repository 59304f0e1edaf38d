"""Add, Sub, Mul, Div, Max, Min, Sum, Pow: with constants, with blobs of one shape, and with broadcasting.

Caffe's Eltwise needs equal shapes and its Scale takes an operand shaped like consecutive axes of its bottom;
everything else is brought to one of these two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from onnx2caffe import layers
from onnx2caffe.builder import Blob, NetBuilder, Shape
from onnx2caffe.node import Node, UnsupportedNodeError
from onnx2caffe.registry import lowering

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Span:
    """The consecutive axes first..last of a shape in which a broadcast operand is not 1."""

    first: int
    last: int


def _aligned(shape: Shape, rank: int) -> Shape:
    return (*[1] * (rank - len(shape)), *shape)


def _span(operand: Shape, full: Shape) -> Span | None:
    """Where `operand` (aligned to `full`) varies; None where a 1 stands between."""
    varying = [axis for axis, length in enumerate(operand) if length != 1]
    if not varying:
        return None
    first, last = varying[0], varying[-1]
    return Span(first, last) if operand[first : last + 1] == full[first : last + 1] else None


def _materialised(constant: Array, full: Shape) -> tuple[Array, int]:
    """The constant over the axes from the first to the last in which it varies, and the first of them."""
    constant = constant.reshape(_aligned(constant.shape, len(full)))
    varying = [axis for axis, length in enumerate(constant.shape) if length != 1]
    first, last = varying[0], varying[-1]
    target = full[first : last + 1]
    return np.broadcast_to(constant.reshape(constant.shape[first : last + 1]), target), first


def _operands(node: Node) -> tuple[Blob, Array | None, bool]:
    """(the computed operand, the constant one if any, whether the constant comes first)."""
    if node.is_constant(1):
        return node.blob(0), node.constant(1), False
    if node.is_constant(0):
        return node.blob(1), node.constant(0), True
    return node.blob(0), None, False


def _require_shape(x: Blob, constant: Array, result: Shape) -> None:
    if x.shape != result:
        raise UnsupportedNodeError(f"its constant of shape {constant.shape} enlarges {x.shape} to {result}")


def multiply_constant(net: NetBuilder, x: Blob, constant: Array, part: str = "") -> Blob:
    """x·constant, as Power for one number and Scale for more."""
    if constant.size == 1:
        return layers.power(net, x, scale=float(constant.item()), part=part)
    weight, axis = _materialised(constant, x.shape)
    return layers.scale(net, x, weight, None, axis=axis, part=part)


def add_constant(net: NetBuilder, x: Blob, constant: Array, part: str = "") -> Blob:
    """X + constant, as Power for one number and Scale with a bias for more (not every reader has Bias)."""
    if constant.size == 1:
        return layers.power(net, x, shift=float(constant.item()), part=part)
    bias, axis = _materialised(constant, x.shape)
    return layers.scale(net, x, np.ones_like(bias), bias, axis=axis, part=part)


def multiply(net: NetBuilder, a: Blob, b: Blob) -> Blob:
    """a·b, broadcast where Scale can."""
    if a.shape == b.shape:
        return layers.eltwise(net, [a, b], "PROD")
    large, small = (a, b) if np.prod(a.shape) >= np.prod(b.shape) else (b, a)
    # Where each is longer than the other along some axis, one of them is repeated first.
    shape = tuple(np.broadcast_shapes(a.shape, b.shape))
    large = large if large.shape == shape else enlarge(net, large, shape)
    span = _factor_span(small, large)
    if span is not None:
        aligned = _aligned(small.shape, large.rank)
        factor = layers.reshape(net, small, aligned[span.first : span.last + 1], part="factor")
        return layers.scale_by(net, large, factor, axis=span.first)
    return layers.eltwise(net, [large, enlarge(net, small, large.shape)], "PROD")


def _factor_span(small: Blob, large: Blob) -> Span | None:
    """The axes a factor covers. Axis 0 counts as covered where both have it, so that it stays the batch axis."""
    aligned = _aligned(small.shape, large.rank)
    if any(a not in (1, b) for a, b in zip(aligned, large.shape, strict=True)):
        return None
    span = _span(aligned, large.shape)
    if span is None or small.rank < large.rank:
        return span
    return span if aligned[0] != large.shape[0] else _span_from_batch(aligned, large.shape, span)


def _span_from_batch(aligned: Shape, full: Shape, span: Span) -> Span | None:
    return Span(0, span.last) if aligned[: span.last + 1] == full[: span.last + 1] else None


def enlarge(net: NetBuilder, x: Blob, shape: Shape) -> Blob:
    """`x` repeated to `shape` along its axes of length 1."""
    aligned = _aligned(x.shape, len(shape))
    x = layers.reshape(net, x, aligned, part="aligned")
    if x.rank == 4 and x.shape[0] == shape[0]:
        return _enlarge_picture(net, x, shape)
    for axis, length in enumerate(shape):
        if x.shape[axis] != length:
            if x.shape[axis] != 1:
                raise UnsupportedNodeError(f"{x.shape} cannot be broadcast to {shape}")
            x = layers.concat(net, [x] * length, axis, part=f"repeat{axis}")
    return x


def _enlarge_picture(net: NetBuilder, x: Blob, shape: Shape) -> Blob:
    """Channels by a 1×1 convolution of ones, rows and columns by a depthwise deconvolution of ones."""
    if x.shape[1] != shape[1]:
        x = layers.convolution(net, x, np.ones((shape[1], 1, 1, 1), np.float32), None, part="channels")
    kernel = tuple(full if own != full else 1 for own, full in zip(x.shape[2:], shape[2:], strict=True))
    if kernel == (1, 1):
        return x
    weight = np.ones((shape[1], 1, *kernel), np.float32)
    return layers.deconvolution(net, x, weight, None, stride=(kernel[0], kernel[1]), group=shape[1], part="plane")


def add(net: NetBuilder, a: Blob, b: Blob, sign: float = 1.0) -> Blob:
    """A + sign·b, the smaller one repeated to the size of the other."""
    shape = tuple(np.broadcast_shapes(a.shape, b.shape))
    a, b = (blob if blob.shape == shape else enlarge(net, blob, shape) for blob in (a, b))
    return layers.eltwise(net, [a, b], "SUM", coeff=() if sign == 1.0 else (1.0, sign))


@lowering("Add")
def add_node(node: Node, net: NetBuilder) -> Blob:
    """Add."""
    _refuse_old_broadcast(node)
    x, constant, _ = _operands(node)
    if constant is None:
        return add(net, x, node.blob(1))
    _require_shape(x, constant, node.shape())
    return add_constant(net, x, constant)


@lowering("Sub")
def subtract_node(node: Node, net: NetBuilder) -> Blob:
    """Sub."""
    _refuse_old_broadcast(node)
    x, constant, first = _operands(node)
    if constant is None:
        return add(net, x, node.blob(1), -1.0)
    _require_shape(x, constant, node.shape())
    if not first:
        return add_constant(net, x, -constant)
    if constant.size == 1:
        return layers.power(net, x, scale=-1.0, shift=float(constant.item()))
    bias, axis = _materialised(constant, x.shape)
    return layers.scale(net, x, np.full_like(bias, -1), bias, axis=axis)


@lowering("Mul")
def multiply_node(node: Node, net: NetBuilder) -> Blob:
    """Mul."""
    _refuse_old_broadcast(node)
    x, constant, _ = _operands(node)
    if constant is None:
        return multiply(net, x, node.blob(1))
    _require_shape(x, constant, node.shape())
    return multiply_constant(net, x, constant)


@lowering("Div")
def divide_node(node: Node, net: NetBuilder) -> Blob:
    """Div: a factor 1/constant, or the Power -1 of the divisor."""
    _refuse_old_broadcast(node)
    x, constant, first = _operands(node)
    if constant is None:
        inverse = layers.power(net, node.blob(1), power=-1.0, part="inverse")
        return multiply(net, x, inverse)
    _require_shape(x, constant, node.shape())
    if not first:
        with np.errstate(divide="ignore"):
            return multiply_constant(net, x, (1 / constant.astype(np.float64)).astype(np.float32))
    return multiply_constant(net, layers.power(net, x, power=-1.0, part="inverse"), constant)


@lowering("Sum")
def sum_node(node: Node, net: NetBuilder) -> Blob:
    """Sum of any number of tensors."""
    blobs = [node.blob(index) for index in range(node.input_count)]
    if len({blob.shape for blob in blobs}) == 1:
        return layers.eltwise(net, blobs, "SUM") if len(blobs) > 1 else blobs[0]
    total = blobs[0]
    for blob in blobs[1:]:
        total = add(net, total, blob)
    return total


@lowering("Max")
def maximum_node(node: Node, net: NetBuilder) -> Blob:
    """Max of tensors, or of one and a number."""
    return _extreme(node, net, 1.0)


@lowering("Min")
def minimum_node(node: Node, net: NetBuilder) -> Blob:
    """Min(a, b) = -Max(-a, -b)."""
    return _extreme(node, net, -1.0)


def _extreme(node: Node, net: NetBuilder, sign: float) -> Blob:
    shape = node.shape()
    constants = [node.constant(i) for i in range(node.input_count) if node.is_constant(i)]
    blobs = [node.blob(i) for i in range(node.input_count) if not node.is_constant(i)]
    blobs = [blob if blob.shape == shape else enlarge(net, blob, shape) for blob in blobs]
    if sign < 0:
        blobs = [layers.power(net, blob, scale=-1.0, part="negative") for blob in blobs]
    blobs += [_constant_blob(net, blobs[0], sign * constant) for constant in constants]
    y = layers.eltwise(net, blobs, "MAX") if len(blobs) > 1 else blobs[0]
    return layers.power(net, y, scale=-1.0, part="restore") if sign < 0 else y


def _constant_blob(net: NetBuilder, like: Blob, constant: Array) -> Blob:
    """A blob shaped like another that holds a constant: 0·x + constant."""
    if constant.size == 1:
        return layers.constant_like(net, like, float(constant.item()), part="constant")
    bias, axis = _materialised(constant, like.shape)
    return layers.scale(net, like, np.zeros_like(bias), bias, axis=axis, part="constant")


@lowering("Pow")
def power_node(node: Node, net: NetBuilder) -> Blob:
    """X to a constant power."""
    exponent = node.constant(1)
    if exponent.size != 1:
        raise UnsupportedNodeError(f"its exponent has shape {exponent.shape}; Caffe's Power takes one number")
    return layers.power(net, node.blob(), power=float(exponent.item()))


def _refuse_old_broadcast(node: Node) -> None:
    if node.attr("broadcast", 0):
        raise UnsupportedNodeError("it broadcasts in the form of opset 6", "convert the model to opset 7 or later")
