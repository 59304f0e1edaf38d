"""Sums and products with ONNX's broadcasting: of two blobs, and of a blob and a constant.

Caffe's Eltwise needs equal shapes and its Scale takes an operand shaped like consecutive axes of its bottom;
everything else is brought to one of these two.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder, Shape
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.axes import enlarge, select
from gluon2caffe.onnx2caffe.targets.remedy import other_target
from gluon2caffe.onnx2caffe.unsupported import UnsupportedNodeError


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
    if prod(target) > constant.size:
        growth.require_numbers(*target)
    return np.broadcast_to(constant.reshape(constant.shape[first : last + 1]), target), first


def rely_on_constant(net: NetBuilder, x: Blob, constant: Array) -> None:
    """Rely on the lengths of `x` beside which the constant has lengths of its own."""
    behind = x.rank - constant.ndim
    long = [behind + axis for axis, length in enumerate(constant.shape) if length != 1 and behind + axis >= 0]
    net.sizes.exact(x, long, "a constant of this shape")


def number(constant: Array) -> float | None:
    """The one value that the constant has everywhere; None where it varies."""
    first = float(constant.reshape(-1)[0])
    return first if constant.size == 1 or bool(np.all(constant == first)) else None


def multiply_constant(net: NetBuilder, x: Blob, constant: Array, part: str = "") -> Blob:
    """x·constant, as Power for one number and Scale for more."""
    rely_on_constant(net, x, constant)
    x = enlarge_to(net, x, constant)
    value = number(constant)
    if value is not None:
        return layers.power(net, x, scale=value, part=part)
    weight, axis = _materialised(constant, x.shape)
    if not _scale_takes_constant(net, weight, axis):
        return layers.eltwise(net, [x, _written_constant(net, x, constant)], "PROD", part=part)
    return layers.scale(net, x, weight, None, axis=axis, part=part)


def _scale_takes_constant(net: NetBuilder, constant: Array, axis: int) -> bool:
    return net.profile.limits.scale_axes or (axis == 1 and constant.ndim == 1)


def _written_constant(net: NetBuilder, like: Blob, constant: Array) -> Blob:
    """A constant shaped like one sample of `like`, as the bias of an InnerProduct whose weights are 0."""
    aligned = constant.reshape(_aligned(constant.shape, like.rank))
    if aligned.shape[0] != 1:
        raise UnsupportedNodeError(
            f"the target {net.profile.name!r} cannot scale every sample of a batch by values of its own",
            other_target(lambda profile: profile.limits.scale_axes),
        )
    growth.require_numbers(*like.shape[1:])
    values = np.ascontiguousarray(np.broadcast_to(aligned, (1, *like.shape[1:])), np.float32).reshape(-1)
    nothing = growth.zeros(1, values.size)
    one = layers.inner_product(net, like, nothing, None, part="nothing")
    row = layers.inner_product(net, one, growth.zeros(values.size, 1), values, part="values")
    return layers.reshape(net, row, like.shape, part="constant")


def add_constant(net: NetBuilder, x: Blob, constant: Array, part: str = "", *, sign: float = 1.0) -> Blob:
    """sign·x + constant, as Power for one number and Scale with a bias for more (not every reader has Bias)."""
    rely_on_constant(net, x, constant)
    x = enlarge_to(net, x, constant)
    value = number(constant)
    if value is not None:
        return layers.power(net, x, scale=sign, shift=value, part=part)
    bias, axis = _materialised(constant, x.shape)
    if not _scale_takes_constant(net, bias, axis):
        return layers.weighted_sum(net, [x, _written_constant(net, x, constant)], (sign, 1.0), part=part)
    return layers.scale(net, x, growth.full(bias.shape, sign), bias, axis=axis, part=part)


def affine(net: NetBuilder, x: Blob, weight: Array, bias: Array | None, part: str = "") -> Blob:
    """x·weight + bias in one Scale where both vary along the same axes, else in two layers."""
    if bias is None:
        return multiply_constant(net, x, weight, part)
    if number(weight) is None and number(bias) is None:
        (factor, first), (shift, other) = _materialised(weight, x.shape), _materialised(bias, x.shape)
        if first == other and factor.shape == shift.shape and _scale_takes_constant(net, factor, first):
            return layers.scale(net, x, factor, shift, axis=first, part=part)
    return add_constant(net, multiply_constant(net, x, weight, f"{part or 'affine'}_scale"), bias, f"{part}_shift")


def constant_blob(net: NetBuilder, like: Blob, constant: Array) -> Blob:
    """A blob shaped like another that holds a constant: 0·x + constant."""
    rely_on_constant(net, like, constant)
    value = number(constant)
    if value is not None:
        return layers.constant_like(net, like, value, part="constant")
    bias, axis = _materialised(constant, like.shape)
    if not _scale_takes_constant(net, bias, axis):
        return _written_constant(net, like, constant)
    return layers.scale(net, like, growth.zeros(*bias.shape), bias, axis=axis, part="constant")


def constant_beside(net: NetBuilder, like: Blob, constant: Array, axis: int) -> Blob:
    """A blob that holds the constant, computed from one that differs from it only along `axis`."""
    if constant.shape != like.shape:
        one = select(net, like, axis, [0], part="one")
        like = enlarge(net, one, constant.shape)
    return constant_blob(net, like, constant)


def enlarge_to(net: NetBuilder, x: Blob, constant: Array) -> Blob:
    """`x` in the shape that it and the constant broadcast to."""
    shape = tuple(np.broadcast_shapes(x.shape, constant.shape))
    return x if x.shape == shape else enlarge(net, x, shape)


def multiply(net: NetBuilder, a: Blob, b: Blob) -> Blob:
    """a·b, broadcast where Scale can."""
    if a.shape == b.shape:
        return layers.eltwise(net, [a, b], "PROD")
    for blob, other in ((a, b), (b, a)):
        beside = _aligned(other.shape, blob.rank)[-blob.rank :]
        ones = [axis for axis in range(blob.rank) if blob.shape[axis] == 1 and beside[axis] != 1]
        net.sizes.exact(blob, ones, "broadcast")
    large, small = (a, b) if np.prod(a.shape) >= np.prod(b.shape) else (b, a)
    # Where each is longer than the other along some axis, one of them is repeated first.
    shape = tuple(np.broadcast_shapes(a.shape, b.shape))
    large = large if large.shape == shape else enlarge(net, large, shape)
    span = _factor_span(small, large)
    if span is not None and _scale_takes(net, span, large):
        aligned = _aligned(small.shape, large.rank)
        first = 0 if aligned[0] == large.shape[0] and net.profile.limits.scale_bottoms == "channels" else span.first
        factor = layers.reshape(net, small, aligned[first : span.last + 1], part="factor")
        return layers.scale_by(net, large, factor, axis=first)
    return layers.eltwise(net, [large, enlarge(net, small, large.shape)], "PROD")


def _scale_takes(net: NetBuilder, span: Span, large: Blob) -> bool:
    allowed = net.profile.limits.scale_bottoms
    by_channels = (span.first, span.last) == (0, 1) or (span.last == 1 and large.shape[0] == 1)
    return allowed == "any" or (allowed == "channels" and by_channels)


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


def add(net: NetBuilder, a: Blob, b: Blob, sign: float = 1.0) -> Blob:
    """A + sign·b, the smaller one repeated to the size of the other."""
    shape = tuple(np.broadcast_shapes(a.shape, b.shape))
    a, b = (blob if blob.shape == shape else enlarge(net, blob, shape) for blob in (a, b))
    return layers.weighted_sum(net, [a, b], (1.0, sign))
