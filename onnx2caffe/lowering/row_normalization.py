"""Normalization over groups of values of one sample: Instance, Group, Layer and RMS normalization, MVN."""

from __future__ import annotations

from math import prod

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.broadcasting import add, affine, multiply
from gluon2caffe.onnx2caffe.lowering.reductions import mean
from gluon2caffe.onnx2caffe.node import Node, axis_of
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("InstanceNormalization")
def instance_normalization(node: Node, net: NetBuilder) -> Blob:
    """(x - mean)/sqrt(var + eps) per sample and channel, then scale and shift per channel."""
    x = node.blob()
    return layers.scale(net, _by_groups(node, net, x, x.shape[1]), node.constant(1), node.constant(2))


@lowering("GroupNormalization", since=21)
def group_normalization(node: Node, net: NetBuilder) -> Blob:
    """Scale and shift per channel."""
    normal = _by_groups(node, net, node.blob(), node.attr("num_groups", 1))
    return layers.scale(net, normal, node.constant(1), node.constant(2))


def _by_groups(node: Node, net: NetBuilder, x: Blob, groups: int) -> Blob:
    rows = layers.reshape(net, x, (x.shape[0], groups, 1, prod(x.shape[1:]) // groups), part="rows")
    return layers.reshape(net, normalize_rows(net, rows, node.attr("epsilon", 1e-5)), x.shape, part="picture")


@lowering("LayerNormalization")
def layer_normalization(node: Node, net: NetBuilder) -> list[Blob]:
    """(x - mean)/sqrt(var + eps) over all axes from `axis` on, then scale and shift; the mean and 1/sqrt(var + eps)."""
    x = node.blob()
    axis = axis_of(node.attr("axis", -1), x.rank)
    front = (x.shape[0], prod(x.shape[1:axis])) if axis else (1, 1)
    rows = layers.reshape(net, x, (*front, 1, prod(x.shape[axis:])), part="rows")
    normal = normalize_rows(net, rows, node.attr("epsilon", 1e-5))
    y = layers.reshape(net, normal, x.shape, part="shape")
    y = affine(net, y, node.constant(1), node.optional_constant(2))
    return [y, *_statistics(node, net, x, range(axis, x.rank))]


def _statistics(node: Node, net: NetBuilder, x: Blob, axes: range) -> list[Blob]:
    """The second and third output of LayerNormalization, as far as they are read."""
    if not node.is_read(1) and not node.is_read(2):
        return []
    middle = mean(net, x, axes)
    if not node.is_read(2):
        return [middle]
    squares = layers.power(net, add(net, x, middle, -1.0), power=2.0, part="squares")
    variance = mean(net, squares, axes)
    return [middle, layers.power(net, variance, shift=node.attr("epsilon", 1e-5), power=-0.5, part="inverse")]


@lowering("RMSNormalization")
def rms_normalization(node: Node, net: NetBuilder) -> Blob:
    """x/sqrt(mean(x²) + eps) over all axes from `axis` on, then a scale."""
    x = node.blob()
    axis = axis_of(node.attr("axis", -1), x.rank)
    squares = mean(net, layers.power(net, x, power=2.0, part="squares"), range(axis, x.rank))
    inverse = layers.power(net, squares, shift=node.attr("epsilon", 1e-5), power=-0.5, part="inverse")
    return affine(net, multiply(net, x, inverse), node.constant(1), None, "scale")


@lowering("MeanVarianceNormalization")
def mean_variance_normalization(node: Node, net: NetBuilder) -> Blob:
    """(x - mean)/(sqrt(mean((x - mean)²)) + 1e-9) over `axes`; the 1e-9 is the operator's."""
    x = node.blob()
    axes = [axis_of(axis, x.rank) for axis in node.attr("axes", [0, 2, 3])]
    centred = add(net, x, mean(net, x, axes), -1.0)
    variance = mean(net, layers.power(net, centred, power=2.0, part="squares"), axes)
    deviation = layers.power(net, variance, power=0.5, part="deviation")
    return multiply(net, centred, layers.power(net, deviation, shift=1e-9, power=-1.0, part="inverse"))


def normalize_rows(net: NetBuilder, x: Blob, epsilon: float) -> Blob:
    """(x - mean)/sqrt(var + epsilon) over the last axis of (N, G, 1, L).

    MVN has its eps outside the root, so it takes the mean off only; the variance is a mean of squares.
    """
    groups, length = x.shape[1], x.shape[3]
    if net.profile.has("MVN"):
        centred = layers.unary(net, x, "MVN", part="centre", mvn_param={"normalize_variance": False})
    else:
        centred = add(net, x, mean(net, x, [3]), -1.0)
    squares = layers.power(net, centred, power=2.0, part="square")
    if net.profile.limits.inner_product_axes:
        weights = growth.full((1, length), 1 / length)
        variance = layers.inner_product(net, squares, weights, None, axis=3, part="variance")
    else:
        variance = mean(net, squares, [3])
    inverse = layers.power(net, variance, shift=epsilon, power=-0.5, part="inverse_deviation")
    if net.profile.limits.scale_bottoms == "none":
        return multiply(net, centred, inverse)
    factor = layers.reshape(net, inverse, (x.shape[0], groups), part="factor")
    return layers.scale_by(net, centred, factor, axis=0, part="normalize")
