"""LpPool, GlobalLpPool and LpNormalization: sums of powers of magnitudes."""

from __future__ import annotations

from gluon2caffe.onnx2caffe import fuse, growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.broadcasting import multiply
from gluon2caffe.onnx2caffe.lowering.padding import as_picture, from_picture, pair, spatial_pair, window_pads
from gluon2caffe.onnx2caffe.lowering.reductions import total
from gluon2caffe.onnx2caffe.lowering.spatial import crop, pad_with_zeros
from gluon2caffe.onnx2caffe.node import Node, axis_of
from gluon2caffe.onnx2caffe.registry import lowering

# Keeps 0/0 away, and is lost beside the square of anything above 1e-12.
LEAST = 1e-30


def _powers(net: NetBuilder, x: Blob, p: float) -> Blob:
    """|x|^p."""
    if p == 2:
        return layers.power(net, x, power=2.0, part="powers")
    magnitudes = layers.absolute(net, x, part="magnitudes")
    return magnitudes if p == 1 else layers.power(net, magnitudes, power=p, part="powers")


def _root(net: NetBuilder, x: Blob, p: float) -> Blob:
    return x if p == 1 else layers.power(net, x, power=1 / p, part="root")


@lowering("GlobalLpPool")
def global_lp_pool(node: Node, net: NetBuilder) -> Blob:
    """(Sum of |x|^p over the picture)^(1/p)."""
    x, p = node.blob(), float(node.attr("p", 2))
    return _root(net, total(net, _powers(net, x, p), range(2, x.rank)), p)


@lowering("LpPool")
def lp_pool(node: Node, net: NetBuilder) -> Blob:
    """(Sum of |x|^p in the window)^(1/p), the sum by a depthwise convolution of ones."""
    x, p = as_picture(net, node.blob()), float(node.attr("p", 2))
    kernel, stride = spatial_pair(node, "kernel_shape", 1), spatial_pair(node, "strides", 1)
    dilation, size = spatial_pair(node, "dilations", 1), pair((1, 1, *node.shape()[2:])[-2:])
    before, _ = window_pads(node, x, kernel, stride, dilation)
    reach = pair([(size[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 for i in range(2)])
    beyond = pair([max(0, reach[i] - before[i] - x.shape[2 + i]) for i in range(2)])
    padded = pad_with_zeros(net, _powers(net, x, p), before, beyond)
    ones = growth.ones(x.shape[1], 1, *kernel)
    sums = layers.convolution(net, padded, ones, None, stride=stride, dilation=dilation, group=x.shape[1], part="sum")
    return from_picture(net, _root(net, crop(net, sums, (0, 0), size), p), node.shape())


@lowering("LpNormalization")
def lp_normalization(node: Node, net: NetBuilder) -> Blob:
    """Divide by (sum of |x|^p)^(1/p) along one axis: Normalize for L2 over channels, where the target has it."""
    x, p = node.blob(), float(node.attr("p", 2))
    axis = axis_of(node.attr("axis", -1), x.rank)
    if p == 2 and axis == 1 and x.rank == 4 and net.profile.has("Normalize"):
        return normalize(net, x, growth.ones(x.shape[1]), LEAST)
    sums = total(net, _powers(net, x, p), [axis])
    return multiply(net, x, layers.power(net, sums, shift=LEAST, power=-1 / p, part="inverse"))


@lowering("Normalize", domain=fuse.DOMAIN)
def l2_normalize(node: Node, net: NetBuilder) -> Blob:
    """Compute x / sqrt(sum of x² over channels + eps) times a factor per channel, as `onnx2caffe.fuse` found it."""
    return normalize(net, node.blob(), node.constant(1), node.attr("eps", 1e-10))


def normalize(net: NetBuilder, x: Blob, scale: Array, epsilon: float) -> Blob:
    """A Normalize layer over the channels of (N, C, H, W)."""
    fields = {"across_spatial": False, "channel_shared": False, "eps": epsilon}
    return layers.unary(net, x, "Normalize", blobs=[scale], norm_param=fields)
